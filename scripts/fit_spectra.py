"""Fit the bank to the log-densities of all predictors and split them (rule fit_spectra)."""

import logging

import numpy as np
import pandas as pd

from gaborscope.analysis import spectra
from gaborscope.explanation import layers as layer_tools
from gaborscope.fitting.files import read_statistics
from gaborscope.fitting.statistics import combine
from gaborscope.stimuli import geometry
from gaborscope.store.blocks import read_data
from gaborscope.store.files import whole
from gaborscope.workflow.stage import run_stage

log = logging.getLogger("gaborscope")


def main(smk):
    """Choose the penalty on the validation split; write shares and explained variances."""
    params = smk.params
    parts = {
        split: [
            part
            for number in range(n_blocks)
            for part in read_statistics([smk.input.get(split)], number).values()
        ]
        for split, n_blocks in params.n_blocks.items()
    }
    held_out = {split: combine(parts[split]) for split in ("validation", "test")}
    penalty = spectra.choose_penalty(
        combine(parts["fit"]), held_out["validation"], params.spectra["penalties"]
    )
    log.info("penalty %g", penalty)
    block = read_data(smk.input.data)
    box = (params.spectra["input"]["height"], params.spectra["input"]["width"])
    widths = [geometry.place(size, box).width / size[1] for size in block.sizes]
    bank, channels = layer_tools.bank_and_channels(params.spectra)
    wavelengths = bank.wavelengths_px / float(np.median(widths))
    names = {
        "wavelengths": wavelengths,
        "orientations": bank.orientations,
        "channels": channels,
    }
    table = layer_tools.make_regressors(params.spectra).table()
    figures = spectra.with_intervals(parts["fit"], held_out, penalty, table, wavelengths)
    rows = spectra.rows(
        figures, params.predictors, params.dataset, names, block.facts.get("px_per_degree")
    )
    with whole(smk.output.spectra) as temporary:
        pd.DataFrame(rows).to_csv(temporary, index=False, float_format="%.6g")


if __name__ == "__main__":
    run_stage(main, snakemake)
