"""Explained variance of every layer on held-out stimuli (rule evaluate_filters)."""

import logging
from pathlib import Path

import numpy as np
import pandas as pd

from gaborscope.fitting.files import read_filters, read_layer_statistics
from gaborscope.fitting.statistics import combine, explained_variance
from gaborscope.store.files import whole
from gaborscope.workflow.stage import run_stage

log = logging.getLogger("gaborscope")


def main(smk):
    """Evaluate each layer on the validation and test statistics."""
    rows = []
    for path in smk.input.filters:
        name = Path(path).stem
        filters = read_filters(path)
        for split in ("validation", "test"):
            blocks = read_layer_statistics(smk.input.get(split), name, filters["candidate"])
            statistics = combine(blocks.values())
            per_map, pooled = explained_variance(
                statistics, filters["weight"], filters["intercept"]
            )
            rows.append(
                {
                    "layer": name,
                    "split": split,
                    "explained_variance": pooled,
                    "mean_per_map": np.nanmean(per_map) if (~np.isnan(per_map)).any() else np.nan,
                    "maps": len(per_map),
                    "dead_maps": int(np.isnan(per_map).sum()),
                    "pool": filters["regressors"]["pool"]["kind"],
                    "penalty": filters["penalty"],
                }
            )
            log.info("%s: explained variance %.3f (%s)", name, pooled, split)
    with whole(smk.output.table) as temporary:
        pd.DataFrame(rows).to_csv(temporary, index=False, float_format="%.6g")


if __name__ == "__main__":
    run_stage(main, snakemake)
