"""Gather the tables of record of a run, with its commit and config (rule record)."""

import logging
from pathlib import Path

import pandas as pd

from gaborscope.store import paths, tables
from gaborscope.store.files import provenance
from gaborscope.workflow.stage import run_stage

log = logging.getLogger("gaborscope")


def main(smk):
    """Write the tables of the whole run as they are, those of its explanations as one."""
    folder = Path(smk.output.record)
    for path in smk.input.tables:
        tables.write_csv(folder / Path(path).name, tables.read_csv(path, dtype={"passed": str}))
    for kind in ("explained_variance", "bits"):
        parts = []
        for path in smk.input.get(kind):
            named = paths.parse(kind, path)
            parts.append(tables.read_csv(path))
            for place, name in enumerate(("model", "dataset", "explanation")):
                parts[-1].insert(place, name, named[name])
        if parts:
            tables.write_csv(folder / f"{kind}.csv", pd.concat(parts))
    origin = provenance(smk)
    described = {key: origin[key] for key in ("commit", "versions", "params")}
    tables.write_json(folder / "run.json", described, sort_keys=True)
    log.info("%d files", len(list(folder.glob("*.csv"))))


if __name__ == "__main__":
    run_stage(main, snakemake)
