"""Reconstruct every layer on one block from its stimuli alone (rule reconstruct)."""

import logging

from gaborscope.explanation import layers as layer_tools
from gaborscope.fitting.files import read_filters
from gaborscope.stimuli import geometry
from gaborscope.store.blocks import read_data
from gaborscope.store.files import provenance
from gaborscope.store.layers import LayerWriter
from gaborscope.workflow.stage import progress, run_stage

log = logging.getLogger("gaborscope")


def main(smk):
    """Reconstruct the layers; a fit block takes the weights that were fitted without it."""
    fold = smk.wildcards.block if smk.params.out_of_fold else None
    layers = [layer_tools.fitted_layer(read_filters(path, fold)) for path in smk.input.filters]
    box = layers[0].layer.input_box
    block, origin = read_data(smk.input.data, concepts=smk.input.concepts), provenance(smk)
    groups = geometry.group_by_input(block.sizes, box)
    described = {fitted.name: fitted.layer for fitted in layers}
    with LayerWriter(smk.output.reconstructions, groups, described, origin) as writer:
        reconstructed = layer_tools.reconstruct_block(block, box, layers)
        for index, maps in progress(reconstructed, len(block.names)):
            for name, values in maps.items():
                writer.put(index, name, values)
    log.info("%d stimuli%s", len(block.names), ", out of fold" if fold else "")


if __name__ == "__main__":
    run_stage(main, snakemake)
