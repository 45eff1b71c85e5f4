import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

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


def test_jobs_that_a_dead_run_left_in_the_folder_are_cancelled(locked, monkeypatch):
    tools = locked / "tools"
    tools.mkdir()
    logs = [f"{locked}/results/logs/slurm/1.log", "/elsewhere/2.log", f"{locked}2/3.log", ""]
    lines = "\n".join(f"{job + 1:<20}{log}" for job, log in enumerate(logs))
    (tools / "squeue").write_text(f"#!/bin/sh\ncat <<END\n{lines}\nEND\n")
    (tools / "scancel").write_text(f"#!/bin/sh\necho $@ > {tools}/cancelled\n")
    for tool in ("squeue", "scancel"):
        (tools / tool).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}:{os.environ['PATH']}")
    write_owner(locked, started=1.0)
    output = unlock(locked)[1]
    assert "cancelled 1 jobs" in output
    assert (tools / "cancelled").read_text() == "1\n"
