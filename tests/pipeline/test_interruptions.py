"""Runs that are killed, asked to end, or started twice."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import h5py
import psutil
import pytest
from pipeline.runs import (
    ROOT,
    contents,
    copy_run,
    environment,
    make_dataset,
    snakemake,
    write_config,
)

from gaborscope.workflow import ownership

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not shutil.which("make"), reason="no make here"),
]


def make_run(folder):
    """The one command that starts a run and goes on with it, `make run`, in this environment."""
    done = ["make", "--old-file", ".venv/run.stamp", "run", f"BIN={Path(sys.executable).parent}"]
    return [*done, f"OUT={folder}", f"CONFIG={folder / 'settings.yaml'}", "CORES=2"]


def start(folder, config):
    """Start the workflow in a process group of its own."""
    write_config(folder, config)
    with open(folder / "make.log", "a", encoding="utf-8") as log:
        return subprocess.Popen(
            make_run(folder), cwd=ROOT, stdout=log, stderr=log, start_new_session=True,
            env=environment(folder),
        )  # fmt: skip


def wait_for_log(folder, process, stage, text=""):
    """Wait until a stage is at work and has said something."""
    log = folder / "results" / "logs" / stage
    while True:
        logs = [path for path in (log.with_suffix(".log"), *log.rglob("*.log")) if path.exists()]
        if any(text in path.read_text(encoding="utf-8") for path in logs):
            return
        assert process.poll() is None, f"ended before {stage}"
        time.sleep(0.02)


def kill_during(folder, config, stage):
    """Start the workflow; SIGKILL it and all its children as soon as a stage is at work."""
    process = start(folder, config)
    wait_for_log(folder, process, stage)
    time.sleep(0.3)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def check_whole(folder):
    """Every file under its own name can be read: HDF5 with its schema, JSON, CSV with its rows."""
    for path in (folder / "results").rglob("*"):
        if path.suffix == ".h5" and not path.name.startswith("."):
            with h5py.File(path) as file:
                assert "schema" in file.attrs
        elif path.suffix == ".csv":
            assert path.read_text().endswith("\n") and len(path.read_text().splitlines()) > 1


def test_a_run_killed_again_and_again_ends_in_the_same_files(finished, tmp_path):
    folder, config, _, _ = finished
    make_dataset(tmp_path / "data")
    stages = ("train_backbone", "accumulate", "report")  # tests/torture.py kills at random
    for stage in stages:
        kill_during(tmp_path, config, stage)
        check_whole(tmp_path)
    assert start(tmp_path, config).wait() == 0
    said = (tmp_path / "make.log").read_text(encoding="utf-8")
    assert said.count("removed the lock of a run that was killed") == len(stages)
    killed, whole = contents(tmp_path), contents(folder)
    assert set(killed) == set(whole) and len(whole) > 70
    differ = [name for name in whole if killed[name] != whole[name]]
    assert not differ, "\n".join(differ)
    assert "Nothing to be done" in snakemake(tmp_path, config)[0]


def test_a_run_asked_to_end_during_training_keeps_a_checkpoint_and_no_lock(run, tmp_path):
    folder, config, _ = run
    undisturbed = copy_run(folder, tmp_path / "undisturbed")
    config["training"] |= {"epochs": 8, "patience": 8}
    weights = folder / "results" / "weights" / "cmrnet.safetensors"
    snakemake(undisturbed, config, str(weights.relative_to(folder)))
    right = (undisturbed / weights.relative_to(folder)).read_bytes()
    (folder / "results" / "logs" / "train_backbone" / "cmrnet.log").unlink()
    process = start(folder, config)
    wait_for_log(folder, process, "train_backbone", "epoch 2/")
    os.killpg(process.pid, signal.SIGTERM)  # as schedulers and a machine that shuts down do
    assert process.wait() != 0
    log = folder / "results" / "logs" / "train_backbone" / "cmrnet.log"
    locks = folder / ".snakemake" / "locks"
    for _ in range(3000):  # make may end before what it has started
        if "asked to stop" in log.read_text(encoding="utf-8") and not list(locks.glob("*.lock")):
            break
        time.sleep(0.1)
    assert "asked to stop" in log.read_text(encoding="utf-8") and not weights.exists()
    assert not list(locks.glob("*.lock"))
    snakemake(folder, config, str(weights.relative_to(folder)))
    assert "going on from the checkpoint" in log.read_text(encoding="utf-8")
    assert weights.read_bytes() == right


def test_what_a_killed_snakemake_leaves_at_work_is_never_taken_for_the_next_runs(run):
    folder, config, _ = run
    weights = folder / "results" / "weights" / "cmrnet.safetensors"
    right = weights.read_bytes()
    longer = {**config, "training": {**config["training"], "epochs": 400, "patience": 400}}
    (folder / "results" / "logs" / "train_backbone" / "cmrnet.log").unlink()
    process = start(folder, longer)
    wait_for_log(folder, process, "train_backbone", "epoch 1/400")
    (alone,) = (
        child
        for child in psutil.Process(process.pid).children(recursive=True)
        if child.cmdline()[1:3] == ["-m", "snakemake"]
    )
    alone.kill()
    process.wait()
    (training, *_) = ownership.leftovers(folder)  # and its shell
    output = snakemake(folder, config, check=False)[0]
    assert "has left its lock" in output and "unlock.py" in output
    snakemake(folder, config, "--unlock")
    output = snakemake(folder, config, check=False)[0]
    assert "train_backbone (process " in output and "still at work" in output
    assert training.is_running()
    subprocess.run([sys.executable, ROOT / "scripts" / "unlock.py", folder], check=True)
    assert ownership.leftovers(folder) == []
    snakemake(folder, config, str(weights.relative_to(folder)))
    assert weights.read_bytes() == right
