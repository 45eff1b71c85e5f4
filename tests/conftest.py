"""Fixtures that more than one test module needs."""

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def oracles():
    """Folder of values computed by other people's code."""
    root = Path(__file__).resolve().parents[1]
    folder = Path(os.environ.get("GABORSCOPE_SHARED", root.parent / "shared")) / "oracles"
    if not folder.is_dir():
        pytest.skip(f"no stored oracle values at {folder} (set GABORSCOPE_SHARED)")
    return folder
