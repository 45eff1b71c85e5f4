"""Means of the calibrated scores with intervals and temperatures (rule summarise_calibrated)."""

import json
import logging
from pathlib import Path

import pandas as pd

from gaborscope.scoring import summaries
from gaborscope.store.files import whole
from gaborscope.workflow.stage import run_stage

log = logging.getLogger("gaborscope")


def main(smk):
    """Write the table of the test split."""
    params = smk.params
    tables = summaries.read_tables(params.cells, smk.input.scores)
    table = pd.DataFrame(summaries.summary_rows(tables, params.n_resamples, params.seed))
    temperatures = {
        (Path(path).parent.name, Path(path).stem): json.loads(
            Path(path).read_text(encoding="utf-8")
        )["temperature"]
        for path in smk.input.temperatures
    }
    keys = zip(table["predictor"], table["dataset"], strict=True)
    table["temperature"] = [temperatures[key] for key in keys]
    with whole(smk.output.summary) as temporary:
        table.to_csv(temporary, index=False, float_format="%.8g")
    log.info("%d rows", len(table))


if __name__ == "__main__":
    run_stage(main, snakemake)
