"""
The workflow on a SLURM: whole runs, and what goes wrong on clusters.

`make test-cluster` runs these; `make test` does not. Jobs that ask for a GPU hold a stand-in one
and compute on the CPU (`device=cpu`).
"""

import contextlib
import hashlib
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import test_pipeline
import yaml

ROOT = Path(__file__).resolve().parents[2]
PROFILE = ROOT / "profiles" / "slurm"
GPU_RULES = {"train_backbone", "measure_layers", "dump_activations", "predict_backbone"}
WEIGHTS = "results/weights/cmrnet.safetensors"
LOG = "results/logs/train_backbone/cmrnet.log"


def settings(epochs=2):
    config = test_pipeline.tiny_config("")
    config["training"] = {**config["training"], "epochs": epochs, "patience": epochs}
    return config


def command(folder, *arguments, profile="--profile"):
    done = [sys.executable, "-m", "snakemake", *arguments, profile, str(PROFILE)]
    done += ["--snakefile", str(ROOT / "Snakefile"), "--directory", str(folder)]
    done += ["--configfile", str(folder / "settings.yaml"), "--config", "device=cpu"]
    # as in the profile, but for a cluster that answers at once
    done += ["--slurm-init-seconds-before-status-checks", "3", "--latency-wait", "10"]
    return [*done, "--seconds-between-status-checks", "3", "--slurm-no-account", "--cores", "8"]


def start(folder, *arguments, **more):
    log = open(folder / "snakemake.log", "a")
    return subprocess.Popen(
        command(folder, *arguments, **more), stdout=log, stderr=subprocess.STDOUT, cwd=ROOT,
        start_new_session=True,
    )  # fmt: skip


def finish(process, folder, timeout=900):
    """Wait for the end, which has to come."""
    try:
        status = process.wait(timeout)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        pytest.fail("hung:\n" + (folder / "snakemake.log").read_text()[-4000:])
    assert status == 0, (folder / "snakemake.log").read_text()[-6000:]


def slurm_jobs():
    """Return [(id, name of rule with wildcards, state)] of the jobs in the queue."""
    output = subprocess.check_output(["squeue", "-h", "-o", "%A|%k|%T"], text=True)
    return [line.split("|") for line in output.splitlines()]


def wait_for(rule, state="RUNNING", timeout=240):
    """Return the id of a job of a rule in a state, once there is one."""
    until = time.monotonic() + timeout
    while time.monotonic() < until:
        for job, comment, now in slurm_jobs():
            if rule in comment and now == state:
                return job
        time.sleep(0.5)
    pytest.fail(f"no job of {rule} came to be {state}: {slurm_jobs()}")


def wait_for_text(path, text, timeout=240):
    until = time.monotonic() + timeout
    while time.monotonic() < until:
        with contextlib.suppress(OSError):
            if text in path.read_text():
                return
        time.sleep(0.2)
    pytest.fail(f"{path} never said {text!r}")


def resources(asked):
    """Options that change what training asks for (they take the place of the profile's)."""
    return "--set-resources", f"train_backbone:{asked}", "train_backbone:slurm_partition=gpu"


def kill_matching(pattern):
    pids = subprocess.check_output(["pgrep", "-f", pattern], text=True).split()
    for pid in pids:
        os.kill(int(pid), signal.SIGKILL)


def digest(path):
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def local(folder, *targets):
    arguments = [sys.executable, "-m", "snakemake", *targets, "--cores", "2", "--snakefile"]
    arguments += [str(ROOT / "Snakefile"), "--directory", str(folder)]
    arguments += ["--configfile", str(folder / "settings.yaml"), "--config", "device=cpu"]
    done = subprocess.run(arguments, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr[-4000:]


@pytest.fixture(scope="session")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    test_pipeline.make_dataset(folder / "made")
    return folder / "made"


def make_run(folder, data, epochs=2):
    folder.mkdir(parents=True)
    config = settings(epochs)
    config["datasets"]["made"]["path"] = str(data)
    (folder / "settings.yaml").write_text(yaml.safe_dump(config))
    return folder


@pytest.fixture(scope="session")
def reference(data, tmp_path_factory):
    """The same workflow, run locally."""
    folder = make_run(tmp_path_factory.mktemp("local") / "run", data)
    local(folder)
    return folder


@pytest.fixture(scope="session")
def long_training(data, tmp_path_factory):
    """Prepared data, and the weights of a training that is long enough to be disturbed."""
    folder = make_run(tmp_path_factory.mktemp("long") / "run", data, epochs=60)
    local(folder, WEIGHTS)
    return folder


@pytest.fixture
def training(long_training, tmp_path):
    """A folder where everything is ready but the weights; the digest of the right ones."""
    folder = tmp_path / "run"
    shutil.copytree(long_training, folder, copy_function=shutil.copy2)
    right = digest(folder / WEIGHTS)
    (folder / WEIGHTS).unlink()
    (folder / LOG).unlink()
    return folder, right


@pytest.fixture(scope="session")
def finished(slurm, reference, data, tmp_path_factory):
    """The whole workflow on the cluster."""
    folder = make_run(tmp_path_factory.mktemp("slurm") / "run", data)
    finish(start(folder), folder, timeout=3000)
    return folder


def test_results_equal_those_of_a_local_run(finished, reference):
    for name in ("summary.csv", "shares.csv", "summary.validation.csv"):
        assert digest(finished / "results" / name) == digest(reference / "results" / name)


def test_gpus_are_held_by_the_rules_that_run_a_network_alone(finished):
    table = subprocess.check_output(
        ["sacct", "-X", "-n", "-P", "-o", "Comment%80,AllocTRES%80,State"], text=True
    )
    rows = [line.split("|") for line in table.splitlines() if "COMPLETED" in line]
    (finished / "sacct.txt").write_text(table)
    held = {
        row[0].split("_wildcards_")[0].removeprefix("rule_") for row in rows if "gpu=1" in row[1]
    }
    free = {
        row[0].split("_wildcards_")[0].removeprefix("rule_") for row in rows if "gpu" not in row[1]
    }
    assert held == GPU_RULES and not held & free and len(free) >= 5, table


def test_a_cancelled_job_is_run_again(slurm, training):
    folder, right = training
    process = start(folder, WEIGHTS, profile="--workflow-profile")
    job = wait_for("train_backbone")
    wait_for_text(folder / LOG, "epoch 3/")
    subprocess.run(["scancel", job], check=True)
    finish(process, folder)
    assert "going on from the checkpoint" in (folder / LOG).read_text()
    assert digest(folder / WEIGHTS) == right


def test_a_killed_process_of_a_job_is_run_again(slurm, training):
    folder, right = training
    process = start(folder, WEIGHTS)
    wait_for("train_backbone")
    wait_for_text(folder / LOG, "epoch 3/")
    kill_matching(rf"{folder}/.snakemake/scripts/.*train_backbone")
    finish(process, folder)
    assert "going on from the checkpoint" in (folder / LOG).read_text()
    assert digest(folder / WEIGHTS) == right


def test_a_killed_step_daemon_holds_its_job_until_the_time_limit_and_no_longer(slurm, training):
    """SLURM tells srun nothing when slurmstepd is killed: the limit of the job has to end it."""
    folder, right = training
    process = start(folder, WEIGHTS, *resources("runtime=attempt"))
    job = wait_for("train_backbone")
    wait_for_text(folder / LOG, "epoch 3/")
    kill_matching(rf"slurmstepd: \[{job}\.0\]")
    finish(process, folder)
    assert digest(folder / WEIGHTS) == right
    table = subprocess.check_output(
        ["sacct", "-X", "-n", "-P", "-j", job, "-o", "State"], text=True
    )
    assert "TIMEOUT" in table


def test_a_killed_snakemake_is_taken_up_again(slurm, training):
    folder, right = training
    process = start(folder, WEIGHTS)
    wait_for("train_backbone")
    wait_for_text(folder / LOG, "epoch 3/")
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    unlock = [sys.executable, str(ROOT / "scripts" / "unlock.py"), str(folder)]
    done = subprocess.run(unlock, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    finish(start(folder, WEIGHTS), folder)
    assert digest(folder / WEIGHTS) == right
    assert not [job for job in slurm_jobs() if job[2] == "RUNNING"]


def test_a_node_that_dies_is_waited_for(slurm, training):
    folder, right = training
    process = start(folder, WEIGHTS)
    wait_for("train_backbone")
    wait_for_text(folder / LOG, "epoch 3/")
    node = ["scontrol", "update", "nodename=gn1"]
    subprocess.run([*node, "state=down", "reason=test"], check=True)
    time.sleep(10)
    subprocess.run([*node, "state=resume"], check=False)  # where it has not come back by itself
    finish(process, folder)
    assert digest(folder / WEIGHTS) == right


def test_too_little_memory_is_asked_for_again_with_more(slurm, training):
    folder, right = training
    finish(start(folder, WEIGHTS, *resources("mem_mb=150*4**(attempt-1)")), folder)
    assert digest(folder / WEIGHTS) == right
    table = subprocess.check_output(
        ["sacct", "-X", "-n", "-P", "-o", "ReqMem,State", "-S", "now-30minutes"], text=True
    )
    assert "150M|FAILED" in table and "COMPLETED" in table, table


def test_two_hundred_blocks_are_submitted_swiftly(slurm, data, tmp_path):
    folder = make_run(tmp_path / "run", data)
    config = yaml.safe_load((folder / "settings.yaml").read_text())
    config["n_blocks"] = 2000
    config["datasets"]["made"] = {
        "type": "demo", "n_stimuli": 210, "height": 96, "width": 96, "n_observers": 2,
        "fixations_per_observer": 3, "seed": 1, "px_per_degree": 8,
    }  # fmt: skip
    (folder / "settings.yaml").write_text(yaml.safe_dump(config))
    started = time.monotonic()
    finish(start(folder, "--until", "prepare_dataset"), folder, timeout=1800)
    took = time.monotonic() - started
    blocks = len(list((folder / "results/data/made").glob("*.h5")))
    assert blocks > 190
    print(f"{blocks} blocks in {took:.0f} s: {took / blocks:.2f} s each")
