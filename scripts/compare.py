"""Paired differences, normalised scores and ranks of all predictors (rule compare)."""

import logging

import pandas as pd

from gaborscope.scoring import comparisons, summaries
from gaborscope.store.files import whole
from gaborscope.workflow.stage import run_stage

log = logging.getLogger("gaborscope")


def main(smk):
    """Write the three tables of the test split."""
    tables = summaries.read_tables(smk.params.cells, smk.input.scores)
    for make, columns, path in (
        (comparisons.difference_rows, comparisons.DIFFERENCE_COLUMNS, smk.output.differences),
        (comparisons.normalised_rows, comparisons.NORMALISED_COLUMNS, smk.output.normalised),
        (comparisons.rank_rows, comparisons.RANK_COLUMNS, smk.output.ranks),
    ):
        rows = make(tables, smk.params.n_resamples, smk.params.seed)
        with whole(path) as temporary:
            table = pd.DataFrame(rows, columns=list(columns))
            table.to_csv(temporary, index=False, float_format="%.8g")
        log.info("%d rows in %s", len(rows), path)


if __name__ == "__main__":
    run_stage(main, snakemake)
