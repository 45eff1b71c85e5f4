"""Reconstruct every layer on one block from its stimuli alone (rule reconstruct)."""

import contextlib
import logging
from pathlib import Path

from gaborscope.explanation import layers as layer_tools
from gaborscope.fitting.files import read_filters
from gaborscope.stimuli import geometry
from gaborscope.store.blocks import read_data
from gaborscope.store.files import provenance
from gaborscope.store.layers import LayerWriter
from gaborscope.workflow.stage import progress, run_stage

log = logging.getLogger("gaborscope")


def main(smk):
    """Reconstruct; a fit block with the weights that were fitted without it."""
    fold = smk.wildcards.block if smk.params.out_of_fold else None
    read = [read_filters(path, fold) for path in smk.input.filters]
    layers = [layer_tools.fitted_layer(filters) for filters in read]
    box = layers[0].layer.input_box
    block, origin = read_data(smk.input.data), provenance(smk)
    groups = geometry.group_by_input(block.sizes, box)
    outputs = {Path(path).parent.name: path for path in smk.output.reconstructions}
    with contextlib.ExitStack() as stack:
        writers = {
            fitted.name: stack.enter_context(
                LayerWriter(outputs[fitted.name], groups, {fitted.name: fitted.layer}, origin)
            )
            for fitted in layers
        }
        for index in progress(range(len(block.names)), len(block.names)):
            maps, placement = layer_tools.reconstruct(block.image(index), box, layers)
            for fitted in layers:
                whole = layer_tools.whole_maps(maps[fitted.name], fitted, placement)
                writers[fitted.name].put(index, fitted.name, whole)
    log.info("%d stimuli%s", len(block.names), ", out of fold" if fold else "")


if __name__ == "__main__":
    run_stage(main, snakemake)
