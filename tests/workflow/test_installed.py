"""A script that is started where the packages are missing says how they are installed."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("script", ["explain_image.py"])
def test_without_the_packages_a_script_says_how_they_are_installed(script):
    # -S: without what is installed
    command = [sys.executable, "-S", "-E", str(ROOT / "scripts" / script), "photo.jpg"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 1 and done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert "numpy" in line and f"run make install in {ROOT}" in line
    assert line.endswith(f"then .venv/bin/python scripts/{script}")
