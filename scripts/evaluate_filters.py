"""Explained variance of every layer on held-out stimuli (rule evaluate_filters)."""

import logging

from gaborscope.analysis.anatomy import without_position
from gaborscope.fitting.files import read_filters, read_statistics
from gaborscope.fitting.statistics import combine, explained_variance, summary_of_maps
from gaborscope.store import paths, tables
from gaborscope.workflow.stage import run_stage

log = logging.getLogger("gaborscope")


def main(smk):
    """Evaluate each layer on the validation and test statistics."""
    rows = []
    for name, path in paths.index("filters", smk.input.filters, "layer").items():
        filters = read_filters(path)
        statistics = {
            split: combine(
                read_statistics(smk.input.get(split), name, filters["candidate"]).values()
            )
            for split in ("fit", "validation", "test")
        }
        fit = statistics.pop("fit")
        content = without_position(filters, fit, statistics, smk.params.solver)
        for split, held_out in statistics.items():
            per_map, pooled = explained_variance(held_out, filters["weight"], filters["intercept"])
            rows.append(
                {
                    "layer": name,
                    "split": split,
                    **summary_of_maps(per_map, pooled),
                    "pool": filters["regressors"]["pool"]["kind"],
                    "penalty": filters["penalty"],
                    "without_position": content[split],
                }
            )
            log.info(
                "%s: explained variance %.3f, without position %.3f (%s)",
                name,
                pooled,
                content[split],
                split,
            )
    tables.write_csv(smk.output.table, rows)


if __name__ == "__main__":
    run_stage(main, snakemake)
