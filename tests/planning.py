"""
Plan many configs in one process: the jobs of each rule, as a dry run counts them.

    python tests/planning.py CONFIG...

prints one JSON object per config. Starting Snakemake anew for each would take most of the time.
"""

import json
import sys
import tempfile
from collections import Counter
from pathlib import Path

from snakemake.api import SnakemakeApi
from snakemake.settings.types import (
    ConfigSettings,
    DAGSettings,
    OutputSettings,
    ResourceSettings,
)

ROOT = Path(__file__).resolve().parents[1]


def plan(configfile, folder, snakefile=ROOT / "Snakefile"):
    """
    Count the jobs of each rule that a config needs in an empty folder.

    Parameters
    ----------
    configfile, folder, snakefile : Path

    Returns
    -------
    jobs : dict of str to int
        By rule, sorted.
    """
    with SnakemakeApi(OutputSettings(dryrun=True)) as api:
        opened = api.workflow(
            resource_settings=ResourceSettings(cores=2),
            config_settings=ConfigSettings(configfiles=[configfile]),
            snakefile=snakefile,
            workdir=folder,
        )
        opened.dag(DAGSettings())
        # what `snakemake --dry-run` does before it prints; there is no public name for it
        workflow = opened._workflow
        workflow._prepare_dag(forceall=False, ignore_incomplete=True, lock_warn_only=True)
        workflow._build_dag()
        jobs = Counter(job.rule.name for job in workflow.dag.needrun_jobs())
    return dict(sorted(jobs.items()))


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as empty:
        for name in sys.argv[1:]:
            print(json.dumps(plan(Path(name), Path(empty))), flush=True)
