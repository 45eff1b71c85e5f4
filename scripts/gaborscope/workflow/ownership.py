"""
Record which process runs the workflow in a folder, so that a dead run can be recognised.

Snakemake's locks name the files in use, but not the process that uses them. Standard library, and
psutil, which Snakemake brings along.
"""

import json
import os
import socket
import subprocess
from pathlib import Path

import psutil

RECORD = Path(".snakemake") / "gaborscope" / "owner.json"


def claim(folder: str | Path = ".") -> None:
    """Record that this process runs the workflow in a folder."""
    path = Path(folder) / RECORD
    path.parent.mkdir(parents=True, exist_ok=True)
    owner = {"host": socket.gethostname(), "pid": os.getpid(), "started": _started(os.getpid())}
    temporary = path.with_name(f".{path.name}.tmp")
    temporary.write_text(json.dumps(owner), encoding="utf-8")
    os.replace(temporary, path)


def holder(folder: str | Path) -> str | None:
    """
    Return which process runs the workflow in a folder, as far as this machine can know.

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
        process = _running_in(folder)  # without a record, only a search can find a run
        return f"process {process} on this machine" if process else None
    if host != socket.gethostname():
        return f"process {pid} on {host}, which cannot be seen from here"
    alive = _started(pid)
    if alive is not None and alive == started:
        return f"process {pid} on this machine"
    process = _running_in(folder)  # a newer run that has not written its record yet
    return f"process {process} on this machine" if process else None


def cancel_jobs(folder: str | Path) -> list[str]:
    """
    Cancel the SLURM jobs of a dead run, since they write the same files as the next run.

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
    # the log of a job lies below the folder of its run; its working directory may be another
    folder, jobs = Path(folder).resolve(), []
    for line in done.stdout.splitlines():
        job, log = line[:20].strip(), line[20:].strip()
        if log and folder in Path(log).parents:
            jobs.append(job)
    if jobs:
        subprocess.run(["scancel", *jobs], timeout=60, check=False)
    return jobs


def _started(pid):
    """Time at which a process started, to 10 ms; None if it does not exist or is a zombie."""
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
        if "--mode" in command:  # a job on a cluster node, which may outlive its run
            continue
        if process.info["cwd"] and Path(process.info["cwd"]).resolve() == folder:
            return process.info["pid"]
    return None
