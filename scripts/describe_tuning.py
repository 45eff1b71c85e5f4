"""Tabulate the tuning of each layer (rule describe_tuning)."""

import logging

from gaborscope.analysis import identities, tuning
from gaborscope.fitting.files import read_filters
from gaborscope.store import tables
from gaborscope.store.blocks import read_data
from gaborscope.workflow.stage import run_stage

log = logging.getLogger("gaborscope")


def main(smk):
    """Write the tuning of every layer and the shares of every map."""
    block, rows, maps = read_data(smk.input.data[0]), [], []
    named = tables.read_csv(smk.input.identities)
    for path in smk.input.filters:
        filters = identities.with_shares(read_filters(path), named)
        rows += tuning.of_layer(filters, block.sizes, block.px_per_degree)
        maps += tuning.map_rows(filters)
    tables.write_csv(smk.output.tuning, rows, tuning.COLUMNS)
    tables.write_csv(smk.output.maps, maps)
    log.info("%d layers", len(smk.input.filters))


if __name__ == "__main__":
    run_stage(main, snakemake)
