import base64
import json
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from gaborscope.errors import InputError
from gaborscope.workflow import ownership

UNLOCK = Path(__file__).resolve().parents[2] / "scripts" / "unlock.py"


@pytest.fixture
def locked(tmp_path):
    """A folder with a lock, as Snakemake leaves it."""
    (tmp_path / ".snakemake" / "locks").mkdir(parents=True)
    (tmp_path / ".snakemake" / "locks" / "0.input.lock").write_text("a\n")
    return tmp_path


def unlock(folder):
    done = subprocess.run([sys.executable, UNLOCK, folder], capture_output=True, text=True)
    left = list((folder / ".snakemake" / "locks").glob("*.lock"))
    return done.returncode, done.stdout + done.stderr, bool(left)


def write_owner(folder, **changes):
    ownership.claim(folder)
    path = folder / ownership.RECORD
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def test_a_living_owner_keeps_its_lock(locked):
    ownership.claim(locked)
    status, output, left = unlock(locked)
    assert status == 1 and left and f"process {os.getpid()} on this machine" in output


def test_the_lock_of_a_dead_owner_is_taken_away(locked):
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    write_owner(locked, pid=dead.pid)
    assert unlock(locked)[0] == 0 and not unlock(locked)[2]


def test_a_number_used_again_by_another_process_is_no_owner(locked):
    write_owner(locked, started=1.0)  # this process's number, another's start
    assert unlock(locked)[2] is False


def test_a_zombie_is_dead(locked):
    zombie = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    try:
        write_owner(locked, pid=zombie.pid, started=ownership._started(zombie.pid))
        assert unlock(locked)[2] is True
        zombie.kill()  # dead, and not waited for
        os.waitid(os.P_PID, zombie.pid, os.WEXITED | os.WNOWAIT)
        assert unlock(locked)[2] is False
    finally:
        zombie.wait()


def test_an_owner_on_another_machine_keeps_its_lock(locked):
    write_owner(locked, host="node3")
    status, output, left = unlock(locked)
    assert status == 1 and left and "on node3" in output and "--unlock" in output


@pytest.mark.parametrize("text", [None, "", "[]", "{"])
def test_without_a_record_a_run_in_the_folder_keeps_the_lock(locked, text):
    if text is not None:
        (locked / ownership.RECORD).parent.mkdir(parents=True)
        (locked / ownership.RECORD).write_text(text)
    script = locked / "snakemake"
    script.write_text("import time; print('up', flush=True); time.sleep(60)")
    run = subprocess.Popen([sys.executable, script], cwd=locked, stdout=subprocess.PIPE, text=True)
    try:
        run.stdout.readline()
        assert unlock(locked)[2] is True
    finally:
        run.kill()
        run.communicate()
    assert unlock(locked)[2] is False


def test_nothing_is_said_where_nothing_is_locked(tmp_path):
    assert unlock(tmp_path) == (0, "", False)


SLEEP = "import time; print('up', flush=True); time.sleep(60)"


@pytest.fixture
def job():
    """Start a process as a stage script of a run: with its mark, or known by its command line."""
    started = []

    def start(folder, run, mark=True, code=SLEEP):
        script = folder / ".snakemake" / "scripts" / "tmp_1.train_backbone.py"
        script.parent.mkdir(parents=True, exist_ok=True)
        script.write_text(code)
        marked = {ownership.MARK: f"{run}:{folder / ownership.RECORD}"} if mark else {}
        process = subprocess.Popen(
            [sys.executable, script if not mark else "-c", code], stdout=subprocess.PIPE,
            env={**os.environ, **marked},
        )  # fmt: skip
        process.stdout.readline()
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("with_lock", [True, False])
@pytest.mark.parametrize("mark", [True, False])
def test_what_a_killed_run_left_at_work_is_ended(locked, job, mark, with_lock):
    write_owner(locked, started=1.0)
    left = job(locked, "dead", mark)
    if not with_lock:
        (locked / ".snakemake" / "locks" / "0.input.lock").unlink()
    status, output, lock = unlock(locked)
    assert status == 0 and not lock and left.wait(10) == -signal.SIGTERM
    assert "ending 1 processes that a killed run has left" in output


def test_a_stopped_process_is_ended_too(locked, job):
    write_owner(locked, started=1.0)
    left = job(locked, "dead")
    left.send_signal(signal.SIGSTOP)
    assert unlock(locked)[0] == 0 and left.wait(10) == -signal.SIGTERM


def test_one_that_does_not_listen_is_killed(locked, job):
    write_owner(locked, started=1.0)
    deaf = job(locked, "dead", code=f"import signal; signal.signal(15, signal.SIG_IGN); {SLEEP}")
    assert ownership.end(ownership.leftovers(locked), patience=0.5) == []
    assert deaf.wait(10) == -signal.SIGKILL


def test_children_of_children_are_found(locked, job):
    write_owner(locked, started=1.0)
    spawn = "import subprocess, sys; p = subprocess.Popen([sys.executable, '-c', %r]); "
    job(locked, "dead", code=spawn % "import time; time.sleep(60)" + SLEEP)
    assert len(ownership.leftovers(locked)) == 2
    assert unlock(locked)[0] == 0 and ownership.leftovers(locked) == []


def test_a_living_run_and_another_folder_keep_their_processes(locked, job, tmp_path_factory):
    run = ownership.claim(locked).split(":")[0]
    other = tmp_path_factory.mktemp("other")
    (other / ownership.RECORD).parent.mkdir(parents=True)
    kept = [job(locked, run), job(other, "dead"), job(other, "dead", mark=False)]
    assert ownership.leftovers(locked) == [] and unlock(locked)[0] == 1
    assert [process.poll() for process in kept] == [None] * 3


def test_a_run_out_of_sight_keeps_its_processes(locked, job):
    write_owner(locked, host="node3", run="theirs")
    assert job(locked, "theirs") and ownership.leftovers(locked) == []
    write_owner(locked, namespace="pid:[1]", run="theirs")  # a container with this host's name
    assert ownership.leftovers(locked) == [] and "cannot be seen" in ownership.holder(locked)


def test_a_start_beside_what_a_killed_run_left_stops_and_names_it(locked, job):
    left = job(locked, "dead", mark=False)
    with pytest.raises(InputError, match=rf"^train_backbone \(process {left.pid}\): still at work"):
        ownership.claim(locked)


def test_a_start_beside_a_living_run_stops(tmp_path, job, monkeypatch):
    monkeypatch.setattr(ownership, "ENDING", 0)
    living = job(tmp_path / "elsewhere", "living")
    started = ownership._started(living.pid)
    write_owner(tmp_path, run="living", pid=living.pid, started=started)
    with pytest.raises(InputError, match=f"is in use by process {living.pid} on this machine"):
        ownership.claim(tmp_path)


def test_a_start_waits_for_a_run_that_is_ending(tmp_path, job):
    ending = job(tmp_path / "elsewhere", "ending")
    write_owner(tmp_path, run="ending", pid=ending.pid, started=ownership._started(ending.pid))
    with ThreadPoolExecutor() as pool:
        claim = pool.submit(ownership.claim, tmp_path)
        with pytest.raises(TimeoutError):
            claim.result(timeout=0.5)
        ending.kill()
        ending.wait()
        mark = claim.result()
    owner = json.loads((tmp_path / ownership.RECORD).read_text(encoding="utf-8"))
    assert owner["pid"] == os.getpid() and mark.startswith(owner["run"])


def test_temporary_files_of_killed_jobs_go_at_the_start_and_no_others(tmp_path):
    left = ["results/a/.b.h5.17.tmp", "results/checkpoints/.c.pt.tmp", ".snakemake/scripts/tmp1.py"]
    left += [".snakemake/gaborscope/.made.json.x1", ".snakemake/gaborscope/imports.json.17.tmp"]
    kept = [
        "results/a/b.h5",
        "results/checkpoints/c.pt",
        ".snakemake/gaborscope/made.json",
        ".x.tmp",
    ]
    for name in left + kept:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("")
    ownership.claim(tmp_path)
    assert not any((tmp_path / name).exists() for name in left)
    assert all((tmp_path / name).exists() for name in kept)


RUN = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # else ignored in the background
from gaborscope.workflow import ownership
ownership.claim(sys.argv[1])
ownership.note_when_asked_to_end(sys.argv[1])
try:
    print("up", flush=True)
    sys.stdin.read()
except KeyboardInterrupt:
    sys.stdin.read()
"""


def marked(folder, output):
    """Mark an output as begun, as Snakemake does: long names in several folders."""
    code = base64.urlsafe_b64encode(output.encode()).decode()
    parts = [code[i : i + 254] for i in range(0, len(code), 254)]
    marker = folder / ".snakemake" / "incomplete"
    marker = marker.joinpath(*(f"@{part}" for part in parts[:-1]), parts[-1])
    marker.parent.mkdir(parents=True, exist_ok=True)
    marker.write_text('{"external_jobid": null}')


def test_an_output_that_a_killed_job_had_removed_is_made_again(tmp_path):
    long = "results/" + "a" * 120 + "/" + "b" * 120
    for output in ("results/kept.h5", "results/gone.h5", "results/figures", f"{long}.h5"):
        (tmp_path / output).parent.mkdir(parents=True, exist_ok=True)
        marked(tmp_path, output)
    marked(tmp_path, "results/no/folder.h5")
    (tmp_path / ".snakemake" / "incomplete" / "notes.txt").write_text("no marker")
    (tmp_path / "results" / "kept.h5").write_text("half")
    restored = ownership.restore_begun(tmp_path)
    assert sorted(restored) == sorted([tmp_path / "results" / "gone.h5", tmp_path / f"{long}.h5"])
    assert (tmp_path / "results" / "kept.h5").read_text() == "half"
    assert (tmp_path / "results" / "gone.h5").stat().st_size == 0
    assert not (tmp_path / "results" / "figures").exists()
    assert not (tmp_path / "results" / "no").exists()
    assert ownership.restore_begun(tmp_path / "nowhere") == []


def test_unlock_waits_for_a_run_that_was_asked_to_end(locked):
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    library = {**os.environ, "PYTHONPATH": str(UNLOCK.parent)}
    run = subprocess.Popen([sys.executable, "-c", RUN, locked], env=library, **pipes)
    run.stdout.readline()
    assert "wait for it or stop it" in ownership.said_of_lock(locked)
    run.send_signal(signal.SIGINT)
    while not ownership.ending(locked):
        time.sleep(0.01)
    assert "has been asked to end" in ownership.said_of_lock(locked)
    waiting = subprocess.Popen([sys.executable, UNLOCK, locked], stdout=subprocess.PIPE, text=True)
    assert f"waiting for process {run.pid}" in waiting.stdout.readline()
    run.communicate()  # it ends
    assert waiting.communicate()[0].startswith("removed the lock") and waiting.returncode == 0


def test_a_locked_folder_is_said_to_be_held_or_left(locked):
    ownership.claim(locked)
    assert f"is in use by process {os.getpid()} on this machine" in ownership.said_of_lock(locked)
    write_owner(locked, started=1.0)
    assert "a run that was killed has left its lock" in ownership.said_of_lock(locked)
    assert ownership.said_of_lock(locked / "elsewhere") is None


def test_where_no_process_can_be_seen_nothing_is_ended(locked, monkeypatch):
    def no_proc(*arguments):
        raise FileNotFoundError("/proc/stat")

    write_owner(locked, started=1.0)
    monkeypatch.setattr(ownership.psutil, "process_iter", no_proc)
    assert ownership.leftovers(locked) == []


def test_jobs_that_a_dead_run_left_in_the_folder_are_cancelled(locked, monkeypatch):
    tools = locked / "tools"
    tools.mkdir()
    logs = [f"{locked}/results/logs/slurm/1.log", "/elsewhere/2.log", f"{locked}2/3.log", ""]
    lines = "\n".join(f"{job + 1:<20}{'None':<40}{'':<200}{log}" for job, log in enumerate(logs))
    (tools / "queue").write_text(lines)
    (tools / "squeue").write_text(f"#!/bin/sh\ncat {tools}/queue\n")
    (tools / "scancel").write_text(f"#!/bin/sh\necho $@ > {tools}/cancelled\n: > {tools}/queue\n")
    for tool in ("squeue", "scancel"):
        (tools / tool).chmod(0o755)
    write_owner(locked, started=1.0)
    monkeypatch.setenv("PATH", f"{tools}:{os.environ['PATH']}")
    with pytest.raises(InputError, match="SLURM job 1: still at work"):
        ownership.claim(locked)
    output = unlock(locked)[1]
    assert "cancelled 1 jobs" in output
    assert (tools / "cancelled").read_text() == "1\n"
