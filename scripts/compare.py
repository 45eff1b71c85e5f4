"""Paired differences, normalised scores and ranks of all predictors (rule compare)."""

import logging

from gaborscope.scoring import comparisons, summaries
from gaborscope.store import tables
from gaborscope.workflow.stage import run_stage

log = logging.getLogger("gaborscope")


def main(smk):
    """Write the three tables of the test split."""
    scores = summaries.read_tables(smk.params.cells, smk.input.scores)
    for make, columns, path in (
        (comparisons.difference_rows, comparisons.DIFFERENCE_COLUMNS, smk.output.differences),
        (comparisons.normalised_rows, comparisons.NORMALISED_COLUMNS, smk.output.normalised),
        (comparisons.rank_rows, comparisons.RANK_COLUMNS, smk.output.ranks),
    ):
        rows = make(scores, smk.params.n_resamples, smk.params.seed)
        tables.write_csv(path, rows, columns)
        log.info("%d rows in %s", len(rows), path)


if __name__ == "__main__":
    run_stage(main, snakemake)
