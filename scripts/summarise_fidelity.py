"""Mean fidelity of every predictor to its deep model, with intervals (rule summarise_fidelity)."""

import logging

from gaborscope.scoring import fidelity
from gaborscope.store import tables
from gaborscope.workflow.stage import run_stage

log = logging.getLogger("gaborscope")


def main(smk):
    """Write the table of the test split."""
    params = smk.params
    measured = {
        (model, predictor, dataset): tables.read_csv(path).set_index("stimulus")
        for (model, predictor, dataset, _), path in zip(
            params.compared, smk.input.measures, strict=True
        )
    }
    names = {(model, predictor): name for model, predictor, _, name in params.compared}
    rows = fidelity.summary_rows(
        measured, names, params.null, params.same, params.other_regressors, params.n_resamples,
        params.seed,
    )  # fmt: skip
    tables.write_csv(smk.output.fidelity, rows, fidelity.SUMMARY_COLUMNS)
    log.info("%d rows", len(rows))


if __name__ == "__main__":
    run_stage(main, snakemake)
