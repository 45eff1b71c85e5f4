"""Name the filters that each map consists of, and how far few of them go (rule identify)."""

import logging
from pathlib import Path

import numpy as np
import pandas as pd

from gaborscope import filterstore, geometry, identities, layers, sparse, store
from gaborscope.stage import progress, run_stage
from gaborscope.statistics import combine, explained_variance

log = logging.getLogger("gaborscope")


def main(smk):
    """Choose regressors map by map on the fit split and evaluate them on the validation split."""
    settings, curve, named = smk.params.identities, [], []
    block = store.read_data(smk.input.data[0])
    for path in progress(smk.input.filters, len(smk.input.filters)):
        name, filters = Path(path).stem, filterstore.read_filters(path)
        fit, validation = (
            filterstore.read_layer_statistics(smk.input.get(split), name, filters["candidate"])
            for split in ("fit", "validation")
        )
        validation = combine(validation.values())
        n, rule = settings["listed"], settings["rule"]
        longest = max(*settings["budgets"], n)
        chosen = sparse.sparse_path(combine(fit.values()), validation, longest, rule)
        figures = {k: chosen.explained_variance(k)[1] for k in sorted(settings["budgets"])}
        whole = explained_variance(validation, filters["weight"], filters["intercept"])
        figures[np.nan] = whole[1]
        curve += [
            {"layer": name, "filters_per_map": k, "explained_variance": value}
            for k, value in figures.items()
        ]
        bank, channels = layers.bank_and_channels(filters["regressors"])
        scale_px = geometry.enlargement(block.sizes, geometry.Box.of(filters["layer"]["box"]))
        named += [
            {"layer": name, **row}
            for row in identities.listed(
                chosen, filters["table"], bank, channels, n,
                scale_px, block.facts.get("px_per_degree"),
                identities.halves(fit, validation, chosen, n, rule),
            )
        ]  # fmt: skip
        log.info("%s: %s", name, ", ".join(f"{k}: {v:.3f}" for k, v in figures.items()))
    for target, rows in ((smk.output.identities, named), (smk.output.sparsity, curve)):
        with store.whole(target) as temporary:
            pd.DataFrame(rows).to_csv(temporary, index=False, float_format="%.6g")


if __name__ == "__main__":
    run_stage(main, snakemake)
