"""Write, for each explanation, which tests it passes (rule judge)."""

import logging

from gaborscope.refutation import evidence, verdicts
from gaborscope.store import tables
from gaborscope.workflow.stage import run_stage

log = logging.getLogger("gaborscope")


def main(smk):
    """Gather contests, halves, seeds, layers replaced and images changed into one table."""
    params, inputs = smk.params, smk.input
    gathered = evidence.read(
        params.cells, inputs.scores, inputs.halves, inputs.seeds, inputs.faithfulness,
        inputs.fidelity, inputs.interventions,
    )  # fmt: skip
    resampling = evidence.Resampling(params.n_resamples, params.permutations, params.seed)
    settings = params.fit_on, params.evaluate_on, resampling, params.direct, params.analyses
    rows = [row for c in params.contests for row in evidence.rows(c, gathered, *settings)]
    tables.write_csv(smk.output.verdicts, rows, verdicts.COLUMNS)
    for row in rows:
        log.info("%s: %s %s", row["test"], row["passed"], row["sentence"])


if __name__ == "__main__":
    run_stage(main, snakemake)
