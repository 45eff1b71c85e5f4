"""Fixtures of the tests that run the workflow."""

import copy
import os

import filelock
import pytest
import yaml
from pipeline import runs


@pytest.fixture(scope="session")
def finished(tmp_path_factory):
    """A finished run of the workflow: its folder, config, spare stimulus names, and job counts."""
    base = tmp_path_factory.getbasetemp()
    # parallel workers have a folder each, in one that they share: who comes first makes the run
    base = base.parent if os.environ.get("PYTEST_XDIST_WORKER") else base
    folder, record = base / "finished", base / "finished.yaml"
    with filelock.FileLock(base / "finished.lock"):
        if not record.exists():
            if folder.exists():
                pytest.fail("the run that the tests share has failed in another worker")
            spare = runs.make_dataset(folder / "data")
            _, jobs = runs.snakemake(folder, runs.tiny_config())
            record.write_text(yaml.safe_dump([spare, jobs]), encoding="utf-8")
        spare, jobs = yaml.safe_load(record.read_text(encoding="utf-8"))
    return folder, runs.tiny_config(), spare, jobs


@pytest.fixture
def run(finished, tmp_path):
    """A copy of the finished run with its data, free to be changed: folder, config, spares."""
    folder, config, spare, _ = finished
    return runs.copy_run(folder, tmp_path / "run"), copy.deepcopy(config), spare
