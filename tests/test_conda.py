"""
`--use-conda`, with a real conda where there is one, and with a stand-in (tests/standin/conda).

The stand-in shows that Snakemake's calls are answered, that each stage finds the library and all it
imports in an environment of exactly its file's pins, and that results do not change. Only a real
conda shows that the files can be solved from conda-forge.
"""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import test_pipeline
import yaml

ROOT = Path(__file__).resolve().parents[1]
pytestmark = pytest.mark.slow

ACTIVATE = """# stand-in for conda's: source activate PREFIX
export CONDA_PREFIX="$1" PATH="$1/bin:$PATH"
"""


def run(folder, *arguments, path=None):
    command = [sys.executable, "-m", "snakemake", "--cores", "2", "--use-conda", *arguments]
    command += ["--snakefile", str(ROOT / "Snakefile"), "--directory", str(folder)]
    command += ["--configfile", str(folder / "settings.yaml")]
    environment = {**os.environ, "STANDIN_CONDA_PREFIX": str(folder / "conda")}
    if path:
        environment["PATH"] = f"{path}:{environment['PATH']}"
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=ROOT)
    assert done.returncode == 0, (done.stdout + done.stderr)[-5000:]
    return done.stdout + done.stderr


def prepare(folder):
    test_pipeline.make_dataset(folder / "data")
    config = test_pipeline.tiny_config(folder / "data")
    (folder / "settings.yaml").write_text(yaml.safe_dump(config))


def test_stages_run_in_environments_of_their_own_pins(tmp_path, finished):
    prepare(tmp_path)
    (tmp_path / "conda" / "bin").mkdir(parents=True)
    (tmp_path / "conda" / "bin" / "activate").write_text(ACTIVATE)
    tools = tmp_path / "tools"
    tools.mkdir()
    script = (ROOT / "tests" / "standin" / "conda").read_text()
    (tools / "conda").write_text(script.replace("/usr/bin/env python3", sys.executable, 1))
    (tools / "conda").chmod(0o755)
    run(tmp_path, path=tools)
    made = [line.split() for line in (tmp_path / "conda" / "made.txt").read_text().splitlines()]
    assert len(made) == len({Path(prefix) for _, prefix in made}) >= 3
    assert "<html" in (tmp_path / "results" / "report" / "index.html").read_text()[:200].lower()
    assert digest(tmp_path) == digest(finished[0])


def digest(folder):
    return hashlib.sha256((folder / "results" / "summary.csv").read_bytes()).hexdigest()


@pytest.mark.skipif(not shutil.which("conda"), reason="no conda here: the files were not solved")
def test_a_real_conda_solves_the_environments(tmp_path):
    prepare(tmp_path)
    run(tmp_path, "results/summary.csv")
