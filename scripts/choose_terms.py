"""Choose the bends and products that the maps of each layer are offered (rule choose_terms)."""

import logging

from gaborscope.explanation import layers as layer_tools
from gaborscope.explanation import readouts
from gaborscope.fitting.files import read_filters
from gaborscope.store import paths, tables
from gaborscope.store.blocks import read_data
from gaborscope.store.layers import read_layers
from gaborscope.workflow.stage import progress, run_stage

log = logging.getLogger("gaborscope")


def main(smk):
    """Look at what the linear fit leaves of the maps, at some cells of some stimuli."""
    files = paths.index("filters", smk.input.filters, "layer")
    layers = [layer_tools.fitted_layer(read_filters(path)) for path in files.values()]
    blocks = (
        (read_data(data, concepts=smk.input.concepts), read_layers(activations, list(files)))
        for data, activations in zip(smk.input.data, smk.input.activations, strict=True)
    )
    chosen = readouts.choose(
        layers,
        progress(blocks, len(smk.input.data)),
        smk.params.stimuli,
        smk.params.readout == "pairs",
        smk.params.seed,
    )
    tables.write_json(smk.output.terms, chosen)
    for name, found in chosen.items():
        terms = found["offered"]
        log.info("%s: %d bends, %d products", name, len(terms["bends"]), len(terms["products"]))


if __name__ == "__main__":
    run_stage(main, snakemake)
