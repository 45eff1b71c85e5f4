"""
Who runs the workflow in a folder: written down at its start, so that a dead run can be told.

Snakemake's locks say which files are in use, not by whom. Standard library, and psutil, which
Snakemake brings along.
"""

import json
import os
import socket
import subprocess
from pathlib import Path

import psutil

RECORD = Path(".snakemake") / "gaborscope" / "owner.json"


def claim(folder: str | Path = ".") -> None:
    """Write down this process as the one that runs the workflow in a folder."""
    path = Path(folder) / RECORD
    path.parent.mkdir(parents=True, exist_ok=True)
    owner = {"host": socket.gethostname(), "pid": os.getpid(), "started": _started(os.getpid())}
    temporary = path.with_name(f".{path.name}.tmp")
    temporary.write_text(json.dumps(owner), encoding="utf-8")
    os.replace(temporary, path)


def holder(folder: str | Path) -> str | None:
    """
    Return who holds a folder, as far as can be told from here.

    Parameters
    ----------
    folder : str or Path

    Returns
    -------
    holder : str or None
        A few words such as "process 17 on this machine" or "process 17 on node3, which cannot be
        seen from here"; None if the owner is known to be dead.
    """
    folder = Path(folder).resolve()
    try:
        owner = json.loads((folder / RECORD).read_text(encoding="utf-8"))
        host, pid, started = owner["host"], int(owner["pid"]), owner["started"]
    except (OSError, ValueError, KeyError, TypeError):
        process = _running_in(folder)  # a run that died before it wrote its name down, or never did
        return f"process {process} on this machine" if process else None
    if host != socket.gethostname():
        return f"process {pid} on {host}, which cannot be seen from here"
    alive = _started(pid)
    if alive is not None and alive == started:
        return f"process {pid} on this machine"
    process = _running_in(folder)  # a newer one that has not come to writing yet
    return f"process {process} on this machine" if process else None


def cancel_jobs(folder: str | Path) -> list[str]:
    """
    Cancel the SLURM jobs that a dead run has left in a folder; they would write what the next does.

    Parameters
    ----------
    folder : str or Path

    Returns
    -------
    jobs : list of str
        Their ids; empty where there is no SLURM.
    """
    query = ["squeue", "--noheader", "--me", "--Format=JobID:20,STDOUT:1000"]
    try:
        done = subprocess.run(query, capture_output=True, text=True, timeout=60, check=True)
    except (OSError, subprocess.SubprocessError):
        return []
    # a job of Snakemake's is known by its log below the folder; it runs where sbatch was called
    folder, jobs = Path(folder).resolve(), []
    for line in done.stdout.splitlines():
        job, log = line[:20].strip(), line[20:].strip()
        if log and folder in Path(log).parents:
            jobs.append(job)
    if jobs:
        subprocess.run(["scancel", *jobs], timeout=60, check=False)
    return jobs


def _started(pid):
    """Time at which a process started, to 10 ms; None if there is none or it is a dead one."""
    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return None
        return round(process.create_time(), 2)
    except psutil.Error:
        return None


def _running_in(folder):
    """Return the process that runs Snakemake in a folder, or None."""
    for process in psutil.process_iter(["pid", "cmdline", "cwd", "status"]):
        command = process.info["cmdline"] or []
        if process.info["status"] == psutil.STATUS_ZOMBIE:
            continue
        if not any("snakemake" in Path(part).name for part in command[:4]):
            continue
        if "--mode" in command:  # a job, on a cluster node: it outlives the run it belongs to
            continue
        if process.info["cwd"] and Path(process.info["cwd"]).resolve() == folder:
            return process.info["pid"]
    return None
