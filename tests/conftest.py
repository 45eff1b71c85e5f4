"""Fixtures that more than one test module needs, and the order in which workers take tests."""

import os
from pathlib import Path

WORKER = os.environ.get("PYTEST_XDIST_WORKER")
if WORKER:
    # One thread each, set before the libraries are loaded: threads that wait for each other starve
    # where other work shares the cores.
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ.setdefault(name, "1")

import numpy as np  # noqa: E402
import pytest  # noqa: E402

# The files that take longest, in the order in which parallel workers start them; a file is one
# worker's, who makes its runs once. The first makes the run that others look at; the second needs
# none, so nobody waits. Short files fill the end.
LONGEST = (
    "test_results",
    "test_own_models",
    "test_interruptions",
    "test_additions",
    "test_reruns",
    "test_baselines_alone",
    "test_places",
    "test_download_rule",
    "test_bad_input",
    "test_requests",
    "test_popout",
    "test_old_configs",
)


def pytest_collection_modifyitems(items):
    """Parallel workers start with what takes longest."""
    if WORKER:
        rank = {name: number for number, name in enumerate(LONGEST)}
        items.sort(key=lambda item: rank.get(item.path.stem, len(LONGEST)))


@pytest.fixture(scope="session")
def shared():
    """Folder with real data sets and oracles, which are not part of the repository."""
    beside = Path(__file__).resolve().parents[2] / "shared"
    folder = Path(os.environ.get("GABORSCOPE_SHARED", beside))
    if not folder.is_dir():
        pytest.skip(f"no real data: GABORSCOPE_SHARED is not set and there is no {folder}")
    return folder


@pytest.fixture(scope="session")
def oracles(shared):
    """Folder of values computed by other people's code."""
    folder = shared / "oracles"
    if not folder.is_dir():
        pytest.skip(f"no stored oracle values at {folder} (set GABORSCOPE_SHARED)")
    return folder


@pytest.fixture
def rng():
    """Random generator of a fixed seed."""
    return np.random.default_rng(1)
