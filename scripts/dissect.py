"""Say of every layer how much is place, which colours and scales it is made of (rule dissect)."""

import logging
from pathlib import Path

import pandas as pd

from gaborscope.analysis import anatomy
from gaborscope.fitting.files import read_filters, read_statistics
from gaborscope.fitting.statistics import combine
from gaborscope.store.blocks import read_data
from gaborscope.store.files import whole
from gaborscope.workflow.stage import run_stage

log = logging.getLogger("gaborscope")


def main(smk):
    """Write the three tables from filters and statistics."""
    block, tables = read_data(smk.input.data), {"position": [], "colour": [], "scale": []}
    for path in smk.input.filters:
        name, filters = Path(path).stem, read_filters(path)
        fit, validation = (
            combine(
                read_statistics(
                    [p for p in smk.input.get(split) if Path(p).parent.name == name],
                    filters["candidate"],
                ).values()
            )
            for split in ("fit", "validation")
        )
        ratio = anatomy.enlargement(block, filters["layer"].input_box)
        found = {
            "position": anatomy.position_rows(filters, fit),
            "colour": anatomy.colour_rows(filters, fit, validation, filters["penalty"]),
            "scale": anatomy.scale_rows(filters, ratio, block.facts.get("px_per_degree")),
        }
        for key, rows in found.items():
            tables[key] += [{"layer": name, **row} for row in rows]
    for key, rows in tables.items():
        columns = anatomy.COLUMNS[key]
        with whole(smk.output.get(key)) as temporary:
            table = pd.DataFrame(rows, columns=columns)
            table.to_csv(temporary, index=False, float_format="%.6g")


if __name__ == "__main__":
    run_stage(main, snakemake)
