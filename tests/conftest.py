"""Fixtures shared by several test files."""

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def shared():
    """Folder with the real data sets, which are not part of the repository."""
    beside = Path(__file__).resolve().parents[1].parent / "shared"
    folder = Path(os.environ.get("GABORSCOPE_SHARED", beside))
    if not folder.is_dir():
        pytest.skip(f"no real data: GABORSCOPE_SHARED is not set and there is no {folder}")
    return folder
