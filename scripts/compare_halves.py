"""Choose identities on two halves of the fit split (rule compare_halves)."""

import logging

import pandas as pd

from gaborscope.fitting.files import read_filters, read_statistics
from gaborscope.refutation import stability
from gaborscope.store import paths, tables
from gaborscope.workflow.stage import run_stage

log = logging.getLogger("gaborscope")


def main(smk):
    """Describe every map by both halves and compare their agreement with chance."""
    settings, similarities = smk.params.refutation, {}
    for layer, path in paths.index("filters", smk.input.filters, "layer").items():
        filters = read_filters(path)
        blocks = read_statistics(smk.input.fit, layer, filters["candidate"])
        if len(blocks) < 2:
            log.warning("%s: a single fit block has no halves", layer)
        halves = stability.halves(blocks, filters["table"], smk.params.rule)
        similarities[layer] = stability.similarities(*halves)
    rows = stability.rows(similarities, settings["permutations"], smk.params.seed)
    table = pd.DataFrame(rows, columns=list(stability.COLUMNS))
    tables.write_csv(smk.output.table, table)
    for row in table[table["layer"] == "all"].itertuples():
        log.info("%s: %.3f, by chance %.3f", row.measure, row.agreement, row.chance)


if __name__ == "__main__":
    run_stage(main, snakemake)
