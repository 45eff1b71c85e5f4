"""Name the filters that each map consists of, and how far few of them go (rule identify)."""

import logging
from pathlib import Path

import numpy as np
import pandas as pd

from gaborscope.analysis import identities as identity_tools
from gaborscope.explanation import layers
from gaborscope.fitting import sparse
from gaborscope.fitting.files import read_filters, read_layer_statistics
from gaborscope.fitting.statistics import combine, explained_variance
from gaborscope.stimuli import geometry
from gaborscope.store import files as store_files
from gaborscope.store.blocks import read_data
from gaborscope.workflow.stage import progress, run_stage

log = logging.getLogger("gaborscope")


def main(smk):
    """Choose regressors map by map on the fit split and evaluate them on the validation split."""
    settings, curve, named = smk.params.identities, [], []
    block = read_data(smk.input.data[0])
    for path in progress(smk.input.filters, len(smk.input.filters)):
        name, filters = Path(path).stem, read_filters(path)
        fit, validation = (
            read_layer_statistics(smk.input.get(split), name, filters["candidate"])
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
        scale_px = geometry.enlargement(block.sizes, filters["layer"].input_box)
        named += [
            {"layer": name, **row}
            for row in identity_tools.listed(
                chosen, filters["table"], bank, channels, n,
                scale_px, block.facts.get("px_per_degree"),
                identity_tools.halves(fit, validation, chosen, n, rule),
            )
        ]  # fmt: skip
        log.info("%s: %s", name, ", ".join(f"{k}: {v:.3f}" for k, v in figures.items()))
    for target, rows in ((smk.output.identities, named), (smk.output.sparsity, curve)):
        with store_files.whole(target) as temporary:
            pd.DataFrame(rows).to_csv(temporary, index=False, float_format="%.6g")


if __name__ == "__main__":
    run_stage(main, snakemake)
