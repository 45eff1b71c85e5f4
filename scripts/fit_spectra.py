"""Fit the bank to the log-densities of all predictors (rule fit_spectra)."""

import logging

from gaborscope.analysis import spectra
from gaborscope.explanation import layers as layer_tools
from gaborscope.fitting.files import read_sums
from gaborscope.fitting.statistics import combine
from gaborscope.store import tables
from gaborscope.store.blocks import read_data
from gaborscope.workflow.stage import run_stage

log = logging.getLogger("gaborscope")


def main(smk):
    """Choose the penalty on the validation split; write shares and explained variances."""
    params = smk.params
    parts = {
        split: [read_sums(smk.input.get(split), str(number)) for number in range(n_blocks)]
        for split, n_blocks in params.n_blocks.items()
    }
    held_out = {split: combine(parts[split]) for split in ("validation", "test")}
    penalty = spectra.choose_penalty(
        combine(parts["fit"]), held_out["validation"], params.spectra["penalties"]
    )
    log.info("penalty %g", penalty)
    block = read_data(smk.input.data)
    names = spectra.names_of(params.spectra, block.sizes)
    table = layer_tools.make_regressors(params.spectra).table()
    figures = spectra.with_intervals(parts["fit"], held_out, penalty, table, names["wavelengths"])
    rows = spectra.rows(figures, params.predictors, params.dataset, names, block.px_per_degree)
    tables.write_csv(smk.output.spectra, rows)


if __name__ == "__main__":
    run_stage(main, snakemake)
