"""Measure grid, stride, offset and receptive field of each layer (rule measure_layers)."""

import logging

from gaborscope.backbones import measuring, weights
from gaborscope.backbones.backbone import configured
from gaborscope.backbones.devices import device
from gaborscope.stimuli import geometry
from gaborscope.store.layers import write_layer_table
from gaborscope.workflow.stage import run_stage

log = logging.getLogger("gaborscope")


def main(smk):
    """Measure the layers and write them as JSON."""
    entry = smk.params.backbone
    backbone = configured(smk.wildcards.model, entry)
    weights.load_into(backbone.network, smk.input.weights)
    backbone.network.to(device(smk.params.device))
    sizes = geometry.Box.of(entry["input"]).sizes
    if backbone.output != "none":
        measuring.check_output(backbone.network, sizes[0], smk.params.seed)
    layers = measuring.measure_layers(
        backbone.network,
        smk.params.layers,
        sizes,
        smk.params.finest_stride,
        smk.params.seed,
    )
    for name, layer in layers.items():
        log.info(
            "%s: %d channels, stride %g px, offset y %.2f x %.2f px (%s; centroids scatter by "
            "%.2f px), receptive field %.0f px",
            name,
            layer.channels,
            layer.stride[0],
            *layer.offset_px,
            layer.centre,
            max(layer.offset_spread_px),
            layer.receptive_field_px[0],
        )
    write_layer_table(smk.output.layers, layers)


if __name__ == "__main__":
    run_stage(main, snakemake)
