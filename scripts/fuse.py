"""Predict the saliency of one block from its reconstructed layers (rule fuse)."""

import logging
from pathlib import Path

from gaborscope.explanation import layers as layer_tools
from gaborscope.explanation.model import ExplainedModel
from gaborscope.stimuli import geometry
from gaborscope.store.blocks import read_data
from gaborscope.store.files import provenance
from gaborscope.store.layers import read_layers
from gaborscope.store.saliency import write_saliency
from gaborscope.workflow.stage import run_stage

log = logging.getLogger("gaborscope")


def main(smk):
    """Fuse the reconstructions of each stimulus and write its log-density."""
    model = ExplainedModel.load(smk.input.explained)
    block = read_data(smk.input.data)
    files = {Path(path).parent.name: path for path in smk.input.reconstructions}
    found = {}
    readers = [read_layers(files[fitted.name], [fitted.name]) for fitted in model.layers]
    for rows in zip(*readers, strict=True):
        index, valid, input_size, _ = rows[0]
        placement = geometry.Placement(input_size, *valid)
        maps = {name: values for *_, part in rows for name, values in part.items()}
        maps = layer_tools.valid_maps(maps, model.layers, placement)
        found[index] = model.fuse(maps, placement, block.size(index))
    ordered = [found[index] for index in range(len(block.names))]
    write_saliency(smk.output.saliency, block.names, ordered, provenance(smk))
    log.info("%d stimuli", len(ordered))


if __name__ == "__main__":
    run_stage(main, snakemake)
