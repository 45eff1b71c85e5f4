"""Fixtures that more than one test module needs."""

import os
from pathlib import Path

import numpy as np
import pytest


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
