"""Means, intervals and shares above the centre bias (rule summarise)."""

import logging

import pandas as pd

from gaborscope.scoring import summaries
from gaborscope.store.files import whole
from gaborscope.workflow.stage import run_stage

log = logging.getLogger("gaborscope")


def main(smk):
    """Write the tables of both splits."""
    params = smk.params
    shares = []
    for split, paths, output in (
        ("validation", smk.input.validation, smk.output.validation),
        ("test", smk.input.scores, smk.output.summary),
    ):
        tables = summaries.read_tables(params.cells, paths)
        summary = summaries.summary_rows(tables, params.n_resamples, params.seed)
        write(output, pd.DataFrame(summary))
        for row in summaries.share_rows(tables, params.explained, params.n_resamples, params.seed):
            shares.append({"split": split, **row})
    write(smk.output.shares, pd.DataFrame(shares, columns=["split", *summaries.SHARE_COLUMNS]))
    log.info("%d summary rows, %d shares", len(summary), len(shares))


def write(path, table):
    """Write a table, whole."""
    with whole(path) as temporary:
        table.to_csv(temporary, index=False, float_format="%.8g")


if __name__ == "__main__":
    run_stage(main, snakemake)
