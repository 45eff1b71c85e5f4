"""Mean calibrated scores with intervals and temperatures (rule summarise_calibrated)."""

import logging

import pandas as pd

from gaborscope.scoring import calibration, summaries
from gaborscope.store import paths, tables
from gaborscope.workflow.stage import run_stage

log = logging.getLogger("gaborscope")


def main(smk):
    """Write the table of the test split."""
    params = smk.params
    scores = summaries.read_tables(params.cells, smk.input.scores)
    table = pd.DataFrame(summaries.summary_rows(scores, params.n_resamples, params.seed))
    temperatures = {
        tuple(paths.parse("calibration", path).values()): calibration.read_temperature(path)
        for path in smk.input.temperatures
    }
    keys = zip(table["predictor"], table["dataset"], strict=True)
    table["temperature"] = [temperatures[key] for key in keys]
    tables.write_csv(smk.output.summary, table)
    log.info("%d rows", len(table))


if __name__ == "__main__":
    run_stage(main, snakemake)
