"""Predict the saliency of one block with the deep model (rule predict_backbone)."""

import logging

import torch

from gaborscope.backbones import devices, weights
from gaborscope.backbones.backbone import configured, predict
from gaborscope.stimuli import densities
from gaborscope.store.blocks import read_data
from gaborscope.store.files import provenance
from gaborscope.store.saliency import write_saliency
from gaborscope.workflow.stage import run_stage

log = logging.getLogger("gaborscope")


@torch.no_grad()
def main(smk):
    """Run the network, cut off the padding, bring the density to the size of each stimulus."""
    entry = smk.params.backbone
    backbone = configured(smk.wildcards.model, entry)
    weights.load_into(backbone.network, smk.input.weights)
    device = devices.device(smk.params.device)
    log.info("predicting on %s", device)
    backbone.network.to(device)
    block = read_data(smk.input.data)
    densities_by_stimulus = {}
    for index, inside in predict(backbone, block, entry["input"], smk.params.batch_size, device):
        size = block.size(index)
        densities_by_stimulus[index] = densities.of_network(
            inside, backbone.output, size, smk.params.uniform_weight
        )
    ordered = [densities_by_stimulus[index] for index in range(len(block.names))]
    write_saliency(smk.output.saliency, block.names, ordered, provenance(smk))


if __name__ == "__main__":
    run_stage(main, snakemake)
