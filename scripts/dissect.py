"""Say of every layer how much is place, which colours and scales it is made of (rule dissect)."""

import logging
from pathlib import Path

import pandas as pd

from gaborscope import dissection, filterstore, geometry, store
from gaborscope.stage import run_stage
from gaborscope.statistics import combine

log = logging.getLogger("gaborscope")


def main(smk):
    """Write the three tables from filters and statistics."""
    block, tables = store.read_data(smk.input.data), {"position": [], "colour": [], "scale": []}
    for path in smk.input.filters:
        name, filters = Path(path).stem, filterstore.read_filters(path)
        fit, validation = (
            combine(
                filterstore.read_statistics(
                    [p for p in smk.input.get(split) if Path(p).parent.name == name],
                    filters["candidate"],
                ).values()
            )
            for split in ("fit", "validation")
        )
        ratio = dissection.enlargement(block, geometry.Box.of(filters["layer"]["box"]))
        found = {
            "position": dissection.position_rows(filters, fit),
            "colour": dissection.colour_rows(filters, fit, validation, filters["penalty"]),
            "scale": dissection.scale_rows(filters, ratio, block.facts.get("px_per_degree")),
        }
        for key, rows in found.items():
            tables[key] += [{"layer": name, **row} for row in rows]
    for key, rows in tables.items():
        columns = dissection.COLUMNS[key]
        with store.whole(smk.output.get(key)) as temporary:
            table = pd.DataFrame(rows, columns=columns)
            table.to_csv(temporary, index=False, float_format="%.6g")


if __name__ == "__main__":
    run_stage(main, snakemake)
