"""Refit identities and profiles on two halves of the fit split (rule compare_halves)."""

import logging
from pathlib import Path

import pandas as pd

from gaborscope.fitting.files import read_filters, read_statistics
from gaborscope.fitting.statistics import combine
from gaborscope.refutation import stability
from gaborscope.store.files import whole
from gaborscope.workflow.stage import run_stage

log = logging.getLogger("gaborscope")


def main(smk):
    """Describe every map by both halves and hold their agreement against chance."""
    settings, found = smk.params.refutation, {}
    for path in smk.input.filters:
        layer, filters = Path(path).stem, read_filters(path)
        files = [p for p in smk.input.fit if Path(p).parent.name == layer]
        blocks = read_statistics(files, filters["candidate"])
        halves = [
            stability.describe(
                combine(blocks[n] for n in sorted(blocks)[half::2] or blocks),
                filters["penalty"],
                filters["table"],
                smk.params.rule,
                settings["profiles"],
            )
            for half in (0, 1)
        ]
        if len(blocks) < 2:
            log.warning("%s: a single fit block has no halves", layer)
            halves[0].alive[:] = False
        found[layer] = stability.similarities(halves[0], halves[1])
    rows = stability.rows(found, settings["permutations"], smk.params.seed)
    table = pd.DataFrame(rows, columns=list(stability.COLUMNS))
    with whole(smk.output.table) as temporary:
        table.to_csv(temporary, index=False, float_format="%.6g")
    for row in table[table["layer"] == "all"].itertuples():
        log.info("%s: %.3f, by chance %.3f", row.measure, row.agreement, row.chance)


if __name__ == "__main__":
    run_stage(main, snakemake)
