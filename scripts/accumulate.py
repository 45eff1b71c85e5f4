"""Sum the statistics for the fit of every layer over one block (rule accumulate)."""

import logging

from gaborscope.explanation import accumulation
from gaborscope.fitting.files import write_statistics
from gaborscope.store import tables
from gaborscope.store.blocks import read_data
from gaborscope.store.files import provenance
from gaborscope.store.layers import read_layer_table, read_layers
from gaborscope.workflow.stage import progress, run_stage

log = logging.getLogger("gaborscope")


def main(smk):
    """Compute regressors of each stimulus once and add them to each layer's statistics."""
    measured = read_layer_table(smk.input.layers)
    layers = {name: measured[name] for name in smk.params.layers}
    concepts, terms = list(smk.input.concepts), smk.input.get("terms")
    swapped = bool(concepts) and not terms
    block = read_data(smk.input.data, concepts=concepts, swapped=swapped)
    activations = read_layers(smk.input.activations, list(layers))
    statistics = accumulation.accumulate(
        block,
        progress(activations, len(block.names)),
        layers,
        {**smk.params.regressors, "swapped": swapped},
        tables.read_json(terms) if terms else None,
    )
    named = {
        f"{layer}/{candidate}": sums
        for layer, candidates in statistics.items()
        for candidate, sums in enumerate(candidates)
    }
    write_statistics(smk.output.statistics, named, provenance(smk), swapped * len(concepts))
    log.info("%d regressors, %d layers", len(next(iter(named.values())).gram), len(layers))


if __name__ == "__main__":
    run_stage(main, snakemake)
