"""Match the maps of networks of several training seeds; compare identities (rule compare_seeds)."""

import itertools
import logging
from pathlib import Path

import numpy as np
import pandas as pd

from gaborscope.explanation import layers
from gaborscope.fitting.files import read_filters, read_statistics
from gaborscope.fitting.statistics import combine
from gaborscope.refutation import seeds, stability
from gaborscope.store.files import whole
from gaborscope.workflow.stage import run_stage

log = logging.getLogger("gaborscope")


def main(smk):
    """Describe every network's maps, match them pair by pair, and hold them against chance."""
    settings, described, fitted = smk.params.refutation, {}, {}
    for path in smk.input.filters:
        model, layer = Path(path).parents[2].name, Path(path).stem
        filters = read_filters(path)
        fitted[model, layer] = layers.fitted_layer(filters)
        files = [p for p in smk.input.fit if seeds.is_of(p, model, layer)]
        blocks = read_statistics(files, filters["candidate"])
        described[model, layer] = stability.describe(
            combine(blocks.values()),
            filters["penalty"],
            filters["table"],
            smk.params.rule,
            settings["profiles"],
        )
    tables = []
    for pair in itertools.chain(*(itertools.combinations(f, 2) for f in smk.params.families)):
        names = [layer for model, layer in fitted if model == pair[0]]
        files = [
            [p for p in smk.input.activations if Path(p).parents[1].name == model] for model in pair
        ]
        order, matched = seeds.match_layers([fitted[pair[0], name] for name in names], *files)
        found = {
            name: stability.similarities(
                described[pair[0], name], described[pair[1], name], order[name]
            )
            for name in names
        }
        rows = pd.DataFrame(stability.rows(found, settings["permutations"], smk.params.seed))
        rows["correlation"] = rows["layer"].map(
            {**matched, "all": np.nanmean(list(matched.values()))}
        )
        tables.append(rows.assign(model=pair[0], other=pair[1]))
        log.info("%s and %s: maps correlate by %s", *pair, matched)
    columns = ["model", "other", *stability.COLUMNS, "correlation"]
    with whole(smk.output.table) as temporary:
        pd.concat(tables)[columns].to_csv(temporary, index=False, float_format="%.6g")


if __name__ == "__main__":
    run_stage(main, snakemake)
