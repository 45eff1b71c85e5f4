"""Sum up what each layer is tuned to (rule describe_tuning)."""

import logging
from pathlib import Path

import numpy as np
import pandas as pd

from gaborscope.analysis import tuning
from gaborscope.explanation import layers
from gaborscope.fitting.files import read_filters
from gaborscope.stimuli import geometry
from gaborscope.store.blocks import read_data
from gaborscope.store.files import whole
from gaborscope.workflow.stage import run_stage

log = logging.getLogger("gaborscope")


def main(smk):
    """Write the tuning of every layer and the shares of every map."""
    block, rows, maps = read_data(smk.input.data[0]), [], []
    for path in smk.input.filters:
        name, filters = Path(path).stem, read_filters(path)
        bank, channels = layers.bank_and_channels(filters["regressors"])
        scale_px = geometry.enlargement(block.sizes, filters["layer"].input_box)
        found = tuning.rows(
            filters,
            bank.wavelengths_px * scale_px,
            bank.orientations,
            channels,
            block.facts.get("px_per_degree"),
        )
        rows += [{"layer": name, **row} for row in found]
        for grouping, values in filters["map_shares"].items():
            labels = filters["shares"][grouping][0]
            alive = np.flatnonzero(~np.isnan(filters["explained_variance"]))
            maps += [
                {"layer": name, "map": index, "grouping": grouping, "label": label, "share": share}
                for index in alive
                for label, share in zip(labels, values[index], strict=True)
            ]
    columns = list(tuning.COLUMNS)
    for target, table in (
        (smk.output.tuning, pd.DataFrame(rows, columns=columns)),
        (smk.output.maps, pd.DataFrame(maps)),
    ):
        with whole(target) as temporary:
            table.to_csv(temporary, index=False, float_format="%.5g")
    log.info("%d layers", len(smk.input.filters))


if __name__ == "__main__":
    run_stage(main, snakemake)
