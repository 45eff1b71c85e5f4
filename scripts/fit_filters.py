"""Fit the log-Gabor bank of one layer to its activations (rule fit_filters)."""

import json
import logging
from pathlib import Path

from gaborscope import explained, filterstore, fitting, identities, store
from gaborscope.stage import run_stage

log = logging.getLogger("gaborscope")


def main(smk):
    """Solve the layer, the penalty chosen on the validation split, and write it."""
    name, solver = smk.wildcards.layer, smk.params.solver
    layer = json.loads(Path(smk.input.layers).read_text(encoding="utf-8"))[name]
    fit = filterstore.read_statistics(smk.input.fit)
    validation = fitting.combine(filterstore.read_statistics(smk.input.validation).values())
    solution = fitting.solve_ridge(fit, validation, solver["penalties"], solver["folds"])
    table = explained.make_regressors(smk.params.regressors).table()
    total = fitting.combine(fit.values())
    described = {
        "layer": {**layer, "name": name, "box": smk.params.backbone},
        "regressors": smk.params.regressors,
        "table": table,
        "marginal": fitting.marginal_correlation(total),
        "shares": identities.shares(total, solution.penalty, table),
    }
    filterstore.write_filters(smk.output.filters, solution, described, store.provenance(smk))
    log.info(
        "explained variance on validation stimuli: %.3f (penalty %g)",
        solution.pooled,
        solution.penalty,
    )


if __name__ == "__main__":
    run_stage(main, snakemake)
