"""Gather tables of record of a run, with its commit and config (rules record, record_ablation)."""

import datetime
import json
import logging
import os
import platform
from pathlib import Path

import pandas as pd

from gaborscope.store import files, paths, tables
from gaborscope.workflow.stage import run_stage

log = logging.getLogger("gaborscope")


def main(smk):
    """Write the tables of the whole run as they are, those of its explanations as one."""
    folder = Path(smk.output.record)
    for path in smk.input.tables:
        tables.write_csv(folder / Path(path).name, tables.read_csv(path, dtype={"passed": str}))
    for kind in ("explained_variance", "bits", "identities", "differentiation_summary"):
        parts = []
        for path in smk.input.get(kind, ()):
            named = paths.parse(kind, path)
            parts.append(tables.read_csv(path))
            for place, name in enumerate(("model", "dataset", "explanation")):
                parts[-1].insert(place, name, named[name])
        if parts:
            table = pd.concat(parts)
            # what a map is not named by is many rows, and no result
            table = table[table["named"]] if kind == "identities" else table
            tables.write_csv(folder / f"{kind.removesuffix('_summary')}.csv", table)
    tables.write_json(folder / "run.json", _described(smk), sort_keys=True)
    log.info("%d files", len(list(folder.glob("*.csv"))))


def _described(smk):
    """Describe the run: config, date, processor, and the commits that its files say made them."""
    origin, commits = files.provenance(smk), set()
    for path in smk.input.get("explained", ()):
        with files.open_file(path, "explained") as file:
            commits.add(file.attrs["commit"])
    finished = max(os.path.getmtime(path) for path in smk.input.tables)
    return {
        **json.loads(origin["params"]),
        "commits": sorted(commits or {origin["commit"]}),
        "versions": json.loads(origin["versions"]),
        "date": datetime.datetime.fromtimestamp(finished, datetime.UTC).date().isoformat(),
        "processor": _processor(),
    }


def _processor():
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        return next(line.split(": ")[1] for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):  # not Linux, or a processor that does not say
        return platform.processor() or platform.machine()


if __name__ == "__main__":
    run_stage(main, snakemake)
