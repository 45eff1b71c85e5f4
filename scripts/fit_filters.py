"""Fit the log-Gabor bank of one layer to its activations (rule fit_filters)."""

import dataclasses
import logging

from gaborscope.explanation import layers
from gaborscope.fitting.files import read_statistics, write_filters
from gaborscope.fitting.ridge import solve
from gaborscope.fitting.statistics import combine, higher, marginal_correlation
from gaborscope.store import tables
from gaborscope.store.files import provenance
from gaborscope.store.layers import read_layer_table
from gaborscope.workflow.stage import run_stage

log = logging.getLogger("gaborscope")


def main(smk):
    """Fit the layer, choose pooling and penalty on the validation split, and write it."""
    name, solver, settings = smk.wildcards.layer, smk.params.solver, dict(smk.params.regressors)
    layer = read_layer_table(smk.input.layers)[name]
    pools, terms, best = settings.pop("pools"), smk.input.get("terms"), None
    if terms:
        chosen = tables.read_json(terms)[name]
        pools, settings["offered"] = [chosen["pool"]], chosen["offered"]
        n_regressors = len(layers.make_regressors(settings).table()["kind"])
        solver = {**solver, "terms": (n_regressors, smk.params.terms)}
    for candidate, pool in enumerate(pools):
        fit = read_statistics(smk.input.fit, name, candidate)
        held_out = read_statistics(smk.input.validation, name, candidate).values()
        solution = solve(fit, combine(held_out), **solver)
        log.info(
            "%s pooling: explained variance on validation stimuli %.3f (penalty %g)",
            pool["kind"],
            solution.pooled,
            solution.penalty,
        )
        if best is None or higher(solution.pooled, best[0].pooled):
            best = (solution, candidate, pool, combine(fit.values()))
    if best is None:
        raise ValueError("there is no pooling to choose; give at least one")
    solution, candidate, pool, total = best
    fitted = dataclasses.replace(
        layers.as_fitted(layer, settings), name=name, box=dict(smk.params.backbone)
    )
    described = {
        "layer": fitted,
        "regressors": {**settings, "pool": pool},
        "candidate": candidate,
        "table": layers.table(settings),
        "marginal": marginal_correlation(total),
    }
    write_filters(smk.output.filters, solution, described, provenance(smk))


if __name__ == "__main__":
    run_stage(main, snakemake)
