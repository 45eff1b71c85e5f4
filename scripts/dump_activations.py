"""Record every layer of a backbone on one block (rule dump_activations)."""

import logging

import torch

from gaborscope.backbones import backbone as backbone_tools
from gaborscope.backbones import devices, recording, weights
from gaborscope.backbones.backbone import configured
from gaborscope.stimuli import geometry
from gaborscope.store import overlap
from gaborscope.store.blocks import read_data
from gaborscope.store.files import provenance
from gaborscope.store.layers import LayerWriter, read_layer_table
from gaborscope.workflow.stage import run_stage

log = logging.getLogger("gaborscope")


@torch.no_grad()
def main(smk):
    """Run the network over the block in batches of one input size and write the layers."""
    entry, batch_size = smk.params.backbone, smk.params.batch_size
    layers = read_layer_table(smk.input.layers)
    backbone = configured(smk.wildcards.model, entry)
    weights.load_into(backbone.network, smk.input.weights)
    device = devices.device(smk.params.device)
    log.info("recording on %s", device)
    devices.move(backbone.network, device, torch.channels_last)
    block = read_data(smk.input.data)
    groups = geometry.group_by_input(block.sizes, geometry.Box.of(entry["input"]))
    with (
        LayerWriter(smk.output.activations, groups, layers, provenance(smk), block.names) as writer,
        overlap.Behind() as behind,
        recording.recorder(backbone.network, layers) as record,
    ):
        batches = backbone_tools.batches(backbone, block, entry["input"], batch_size)
        for index, _, x in overlap.ahead(batches):
            backbone.run(x.to(device))
            for name, maps in record.items():
                pooled = recording.pool_maps(maps, layers[name].pool).float().contiguous()
                behind.call(writer.put_batch, index, name, pooled.cpu().numpy())
    log.info("%d stimuli, %d layers", len(block.names), len(layers))


if __name__ == "__main__":
    run_stage(main, snakemake)
