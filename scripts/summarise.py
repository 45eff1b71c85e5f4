"""Mean scores with intervals, and shares above the centre bias (rule summarise)."""

import logging

from gaborscope.scoring import summaries
from gaborscope.store import tables
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
        scores = summaries.read_tables(params.cells, paths)
        summary = summaries.summary_rows(scores, params.n_resamples, params.seed)
        tables.write_csv(output, summary)
        for row in summaries.share_rows(scores, params.explained, params.n_resamples, params.seed):
            shares.append({"split": split, **row})
    tables.write_csv(smk.output.shares, shares, ["split", *summaries.SHARE_COLUMNS])
    log.info("%d summary rows, %d shares", len(summary), len(shares))


if __name__ == "__main__":
    run_stage(main, snakemake)
