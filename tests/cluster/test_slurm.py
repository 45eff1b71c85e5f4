"""
The workflow on a SLURM: whole runs, and what goes wrong on clusters.

`make test-cluster` runs these; `make test` does not. Jobs that ask for a GPU hold a stand-in one
and compute on the CPU (`device=cpu`).
"""

import contextlib
import hashlib
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml
from pipeline import runs

ROOT = Path(__file__).resolve().parents[2]
PROFILE = ROOT / "profiles" / "slurm"
# of the demo, those that run a network
GPU_RULES = {"train_backbone", "measure_layers", "dump_activations", "predict_backbone"}
GPU_RULES |= {"measure_means", "substitute", "intervene"}
WEIGHTS = "results/weights/cmrnet.safetensors"
LOG = "results/logs/train_backbone/cmrnet.log"
# threads that wait for each other starve where other work shares the cores
ONE_THREAD = ("--set-threads", "train_backbone=1", "fit_fusion=1")
SCRIPT = r"python\S* {}/.snakemake/scripts/.*train_backbone"


def settings(epochs=2):
    config = runs.tiny_config("")
    config["training"] = {**config["training"], "epochs": epochs, "patience": epochs}
    return config


def command(folder, *arguments, profile="--profile"):
    done = [sys.executable, "-m", "snakemake", *arguments, profile, str(PROFILE)]
    done += ["--snakefile", str(ROOT / "Snakefile"), "--directory", str(folder)]
    done += ["--configfile", str(folder / "settings.yaml"), "--config", "device=cpu"]
    # as in the profile, but for a cluster that answers at once and has few cores
    done += [*ONE_THREAD]
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


def signal_matching(pattern, number=signal.SIGKILL):
    """Send a signal to the processes of a command line; return their ids."""
    pids = subprocess.check_output(["pgrep", "-f", pattern], text=True).split()
    for pid in pids:
        os.kill(int(pid), number)
    return [int(pid) for pid in pids]


def wake_when_asked_to_end(pid):
    """Let a stopped process go on once SIGTERM waits for it (SLURM may have woken it itself)."""
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        while True:
            status = Path(f"/proc/{pid}/status").read_text()
            pending = [int(line.split()[1], 16) for line in status.splitlines() if "Pnd:" in line]
            if any(mask >> (signal.SIGTERM - 1) & 1 for mask in pending):
                break
            time.sleep(0.1)
        os.kill(pid, signal.SIGCONT)


def accounting(job):
    """Return [State, AllocTRES, ReqMem] of a finished job."""
    options = ["-X", "-n", "-P", "-j", job, "-o", "State,AllocTRES,ReqMem"]
    return subprocess.check_output(["sacct", *options], text=True).strip().split("|")


def submitted(folder):
    """Ids of the jobs that a run has submitted, in order."""
    logs = sorted((folder / ".snakemake" / "log").glob("*.snakemake.log"))
    text = "".join(path.read_text() for path in logs)
    return re.findall(r"submitted with SLURM jobid (\d+)", text)


def digest(path):
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def local(folder, *targets):
    arguments = [sys.executable, "-m", "snakemake", *targets, "--cores", "2", "--snakefile"]
    arguments += [str(ROOT / "Snakefile"), "--directory", str(folder)]
    arguments += ["--configfile", str(folder / "settings.yaml"), "--config", "device=cpu"]
    arguments += [*ONE_THREAD]
    done = subprocess.run(arguments, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr[-4000:]


@pytest.fixture(scope="session")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    runs.make_dataset(folder / "made")
    return folder / "made"


def make_run(folder, data, epochs=2):
    folder.mkdir(parents=True)
    config = settings(epochs)
    config["datasets"]["made"]["path"] = str(data)
    (folder / "settings.yaml").write_text(yaml.safe_dump(config))
    return folder


def make_demo(folder):
    """Folder of the workflow as config.yaml has it, the one of `make demo`."""
    folder.mkdir(parents=True)
    (folder / "settings.yaml").write_text("{}")
    return folder


@pytest.fixture(scope="session")
def reference(tmp_path_factory):
    """The demo, run locally."""
    folder = make_demo(tmp_path_factory.mktemp("local") / "run")
    local(folder)
    return folder


@pytest.fixture(scope="session")
def long_training(data, tmp_path_factory):
    """Prepared data, and the weights of a training that is long enough to be disturbed."""
    folder = make_run(tmp_path_factory.mktemp("long") / "run", data, epochs=30)
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
def finished(slurm, tmp_path_factory):
    """The demo on the cluster."""
    folder = make_demo(tmp_path_factory.mktemp("slurm") / "run")
    started = time.monotonic()
    finish(start(folder), folder, timeout=4000)
    took = time.monotonic() - started
    print(f"\nthe demo in {len(submitted(folder))} SLURM jobs: {took / 60:.1f} min")
    return folder


def test_results_equal_those_of_a_local_run(finished, reference):
    tables = sorted(path.relative_to(reference) for path in reference.rglob("results/**/*.csv"))
    assert len(tables) > 10
    for name in tables:
        assert digest(finished / name) == digest(reference / name), name


def test_gpus_are_held_by_the_rules_that_run_a_network_alone(finished):
    options = ["-X", "-n", "-P", "-o", "Comment%80,AllocTRES%80,State"]
    table = subprocess.check_output(
        ["sacct", *options, "-j", ",".join(submitted(finished))], text=True
    )
    rows = [line.split("|") for line in table.splitlines() if "COMPLETED" in line]
    rules = {True: set(), False: set()}
    for comment, held, _ in rows:
        rules["gpu=1" in held].add(comment.split("_wildcards_")[0].removeprefix("rule_"))
    print(f"\n{len(rows)} jobs; with a GPU {sorted(rules[True])}; without {sorted(rules[False])}")
    assert rules[True] == GPU_RULES and not rules[True] & rules[False], table
    assert len(rules[False]) >= 10 and len(rows) == len(submitted(finished))


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
    signal_matching(SCRIPT.format(folder))
    finish(process, folder)
    assert "going on from the checkpoint" in (folder / LOG).read_text()
    assert digest(folder / WEIGHTS) == right


def test_a_killed_step_daemon_holds_its_job_until_the_time_limit_and_no_longer(slurm, training):
    """SLURM tells srun nothing when slurmstepd is killed: the limit of the job has to end it."""
    folder, right = training
    process = start(folder, WEIGHTS, *resources("runtime=attempt"))
    job = wait_for("train_backbone")
    wait_for_text(folder / LOG, "epoch 3/")
    signal_matching(rf"slurmstepd: \[{job}\.0\]")
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
    jobs = [accounting(job) for job in submitted(folder)]
    assert [job[2] for job in jobs[:2]] == ["150M", "600M"], jobs
    assert jobs[0][0] in ("FAILED", "OUT_OF_MEMORY") and jobs[-1][0] == "COMPLETED", jobs


def test_too_little_time_is_asked_for_again_with_more(slurm, training):
    """The training is held until its limit of a minute has come, then let do as it is told."""
    folder, right = training
    process = start(folder, WEIGHTS, *resources("runtime=20*attempt-19"))
    job = wait_for("train_backbone")
    wait_for_text(folder / LOG, "epoch 3/")
    (pid,) = signal_matching(SCRIPT.format(folder), signal.SIGSTOP)
    wake_when_asked_to_end(pid)
    wait_for_text(folder / LOG, "asked to stop")
    finish(process, folder)
    assert "going on from the checkpoint" in (folder / LOG).read_text()
    assert digest(folder / WEIGHTS) == right
    states = [accounting(job)[0] for job in submitted(folder)]
    assert states == ["TIMEOUT", "COMPLETED"] and submitted(folder)[0] == job


# All jobs of a rule have to be released at once, or they wait for ever; of an array whose commands
# exceed 128 kB every task runs the first job (plugin 2.8.0).
ARRAY = ("--slurm-array-jobs", "prepare_dataset", "--slurm-array-limit", "15", "--jobs", "1000")
ARRAY += ("--max-jobs-per-timespan", "1000/1s")


def many_blocks(folder, n_stimuli):
    """Folder of a workflow of nearly as many blocks as it has, small, stimuli."""
    folder.mkdir(parents=True)
    config = settings()
    config["n_blocks"] = 2000
    config["datasets"]["made"] = {
        "type": "demo", "n_stimuli": n_stimuli, "height": 96, "width": 96, "n_observers": 2,
        "fixations_per_observer": 3, "seed": 1, "px_per_degree": 8,
    }  # fmt: skip
    (folder / "settings.yaml").write_text(yaml.safe_dump(config))
    return folder


@pytest.mark.parametrize(
    ("options", "n_stimuli", "least"), [((), 240, 200), (ARRAY, 60, 50)], ids=["single", "array"]
)
def test_many_blocks_are_submitted_and_done(slurm, tmp_path, options, n_stimuli, least):
    folder = many_blocks(tmp_path / "run", n_stimuli)
    started = time.monotonic()
    finish(start(folder, "--until", "prepare_dataset", *options), folder, timeout=3000)
    took = time.monotonic() - started
    blocks = len(list((folder / "results/data/made").glob("*.h5")))
    (run,) = re.findall(r"SLURM run ID: (\S+)", (folder / "snakemake.log").read_text())
    table = subprocess.check_output(
        ["sacct", "-X", "-n", "-P", "--name", run, "-o", "ElapsedRaw,Submit,State"], text=True
    )
    rows = [line.split("|") for line in table.splitlines()]
    assert blocks >= least and [row[2] for row in rows] == ["COMPLETED"] * blocks
    used = [
        float(re.findall(r"used ([\d.]+) s", path.read_text())[-1])
        for path in (folder / "results/logs/prepare_dataset").rglob("*.log")
    ]
    elapsed = sum(float(row[0]) for row in rows)
    print(
        f"\n{blocks} jobs in {took:.0f} s, submitted from {min(row[1] for row in rows)} to "
        f"{max(row[1] for row in rows)}; a job holds its place for {elapsed / blocks:.1f} s, its "
        f"script takes {sum(used) / blocks:.1f} s of CPU"
    )
