"""Tabulate position, colours and scales of every layer (rule dissect)."""

from gaborscope.analysis import anatomy, identities
from gaborscope.fitting.files import read_filters, read_statistics
from gaborscope.fitting.statistics import combine
from gaborscope.store import paths, tables
from gaborscope.store.blocks import read_data
from gaborscope.workflow.stage import run_stage


def main(smk):
    """Write the three tables from filters and statistics."""
    block, rows = read_data(smk.input.data), {key: [] for key in anatomy.COLUMNS}
    named = tables.read_csv(smk.input.identities)
    for name, path in paths.index("filters", smk.input.filters, "layer").items():
        filters = identities.with_shares(read_filters(path), named)
        fit, validation = (
            read_statistics(smk.input.get(split), name, filters["candidate"])
            for split in ("fit", "validation")
        )
        of_layer = anatomy.of_layer(
            filters, combine(fit.values()), combine(validation.values()), block
        )
        for key, of_table in of_layer.items():
            rows[key] += of_table
    for key, of_table in rows.items():
        tables.write_csv(smk.output.get(key), of_table, anatomy.COLUMNS[key])


if __name__ == "__main__":
    run_stage(main, snakemake)
