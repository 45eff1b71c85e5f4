"""
Record which process runs the workflow in a folder, and find what a dead run has left at work there.

Snakemake's locks name the files in use, but not the process that uses them; and when it is killed
alone, its jobs go on. Every process of a run carries the run's id in its environment (MARK), also
on the nodes of a cluster. Standard library, and psutil, which Snakemake brings along.
"""

import base64
import contextlib
import fcntl
import json
import os
import signal
import socket
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import psutil

from gaborscope.errors import InputError
from gaborscope.workflow import slurm

RECORD = Path(".snakemake") / "gaborscope" / "owner.json"
# "ID:RECORD", the id of the run and the file that names it as long as the folder is its own;
# store/files.py compares them before a file appears.
MARK = "GABORSCOPE_RUN"
# What another way of counting the time since the machine's start may differ by, in seconds.
CLOCK = 5
# How long a run that ends may live on after it has given back its locks, in seconds.
ENDING = 10


def claim(folder: str | Path = ".") -> str:
    """
    Make this process the owner of a folder, and remove the temporary files of those before it.

    Parameters
    ----------
    folder : str or Path
        Snakemake holds its lock there already.

    Returns
    -------
    mark : str
        Value of the environment variable MARK for all that this run starts.

    Raises
    ------
    InputError
        If another run is alive in the folder, or has left processes or jobs at work.
    """
    folder = Path(folder).resolve()
    path = folder / RECORD
    path.parent.mkdir(parents=True, exist_ok=True)
    run = uuid.uuid4().hex
    with _one_at_a_time(path.with_suffix(".lock")):
        owner = _owner(folder)
        if owner and owner["pid"] != os.getpid() and not _ends(owner):
            raise InputError(f"{folder} is in use by {_named(owner)}; wait for it or stop it")
        require_rest(folder)
        _require_none([f"SLURM job {job.id}" for job in slurm.jobs(folder)], folder)
        _write(path, {"run": run, **_this_process()})
    _remove_temporary_files(folder)
    return f"{run}:{path}"


def require_rest(folder: str | Path = ".") -> None:
    """
    Stop where processes of a killed run are at work in a folder, also if there is nothing to run.

    Parameters
    ----------
    folder : str or Path

    Raises
    ------
    InputError
        If there are such processes; the sentence names them.
    """
    _require_none([_described(process) for process in leftovers(folder)], folder)


def _require_none(left, folder):
    if left:
        folder = Path(folder).resolve()
        raise InputError(
            f"{', '.join(left)}: still at work in {folder} for a run that was killed; "
            f"`python scripts/unlock.py {folder}` ends that, as `make run` does"
        )


def note_when_asked_to_end(folder: str | Path = ".") -> None:
    """Write into the record when SIGTERM or Ctrl-C arrives, beside what they do anyway."""
    path = Path(folder).resolve() / RECORD
    for number in (signal.SIGTERM, signal.SIGINT):
        before = signal.getsignal(number)
        if not callable(before):
            continue

        def note(received, frame, before=before):
            with contextlib.suppress(OSError, ValueError, AttributeError):
                _write(path, {**json.loads(path.read_text(encoding="utf-8")), "ending": True})
            before(received, frame)

        signal.signal(number, note)


def restore_begun(folder: str | Path = ".") -> list[Path]:
    """
    Put an empty file in the place of every output that a killed job had begun to make anew.

    Snakemake removes the outputs of a job before it starts, and keeps a marker until it has ended.
    At the next start it makes them again where they are there, but half-written; where they are
    gone, and what was made of them before is up to date, it would leave them missing for ever.

    Parameters
    ----------
    folder : str or Path
        No run is alive there.

    Returns
    -------
    restored : list of Path
        Outputs that were missing; `--rerun-incomplete` (profiles/default) makes them anew.
    """
    folder, restored = Path(folder), []
    begun = folder / ".snakemake" / "incomplete"
    for marker in sorted(begun.rglob("*")):
        parts = [part.lstrip("@") for part in marker.relative_to(begun).parts]
        with contextlib.suppress(ValueError, OSError):  # another file, or a folder that is gone
            output = folder / base64.urlsafe_b64decode("".join(parts)).decode()
            # an output without an ending is a folder; another output of its job is a file
            if marker.is_file() and output.suffix and not output.exists():
                output.touch()
                restored.append(output)
    return restored


def locks(folder: str | Path) -> list[Path]:
    """Return the files of Snakemake's lock in a folder."""
    return list((Path(folder) / ".snakemake" / "locks").glob("*.lock"))


def said_of_lock(folder: str | Path = ".") -> str | None:
    """
    Return a sentence about a folder that is locked: who holds it, or how to take the lock away.

    Parameters
    ----------
    folder : str or Path

    Returns
    -------
    sentence : str or None
        None where there is no lock.
    """
    folder = Path(folder).resolve()
    if not locks(folder):
        return None
    owner = _owner(folder)
    if owner and (not _here(owner) or _alive(owner)):
        end = "has been asked to end" if owner.get("ending") else "wait for it or stop it"
        return f"{folder} is in use by {_named(owner)}: {end}"
    return (
        f"a run that was killed has left its lock in {folder}: "
        f"`python scripts/unlock.py {folder}` takes it away, as `make run` does"
    )


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
    owner = _owner(folder)
    if owner and (not _here(owner) or _alive(owner)):
        return _named(owner)
    # without a record, or before a newer run has written its own, only a search can find it
    process = _running_in(folder)
    return f"process {process} on this machine" if process else None


def ending(folder: str | Path) -> bool:
    """Return whether the owner of a folder is alive on this machine and has been asked to end."""
    owner = _owner(Path(folder).resolve())
    return bool(owner and owner.get("ending") and _alive(owner))


def leftovers(folder: str | Path) -> list[psutil.Process]:
    """
    Return the processes on this machine that dead runs have left at work in a folder.

    Parameters
    ----------
    folder : str or Path

    Returns
    -------
    processes : list of psutil.Process
        Stage scripts, their shells and all they have started. They carry the id of a run that
        does not own the folder, or whose owner is dead. Those of another user, or of a system that
        hides the environment, are known by their stage script. An owner out of sight (another
        host, another container) keeps what is its own.
    """
    folder = Path(folder).resolve()
    owner = _owner(folder)
    living = owner.get("run") if owner and (not _here(owner) or _alive(owner)) else None
    found = []
    with contextlib.suppress(psutil.Error, OSError):  # no /proc: nothing can be seen
        own = {os.getpid(), *(process.pid for process in psutil.Process().parents())}
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error, OSError):
                if process.pid not in own and _left_by_a_dead_run(process, folder, living):
                    found.append(process)
    return found


def end(processes: list[psutil.Process], patience: float = 30) -> list[str]:
    """
    End processes: ask first, since a training then saves its checkpoint, and kill after a while.

    Parameters
    ----------
    processes : list of psutil.Process
        A number that another process has taken over since is left alone.
    patience : float
        Seconds to wait for those that were asked.

    Returns
    -------
    alive : list of str
        Those that cannot be ended, as "train_backbone (process 17 of user ann)".
    """
    for stop in (psutil.Process.terminate, psutil.Process.kill):
        for process in processes:
            with contextlib.suppress(psutil.Error):
                stop(process)
                process.resume()  # a stopped process gets no SIGTERM before
        until = time.monotonic() + patience
        while (processes := [process for process in processes if _works(process)]) and (
            time.monotonic() < until
        ):
            time.sleep(0.1)
    return [_described(process) for process in processes]


def _this_process():
    pid = os.getpid()
    return {
        "host": socket.gethostname(),
        "namespace": _namespace(),
        "pid": pid,
        "started": _started(pid),
    }


def _namespace():
    """Space of process numbers: two containers may have one host name, but not one of these."""
    try:
        return os.readlink("/proc/self/ns/pid")
    except OSError:
        return ""


def _owner(folder):
    """Content of the record, None without a whole one."""
    try:
        owner = json.loads((folder / RECORD).read_text(encoding="utf-8"))
        started = float(owner["started"] or 0)
        return {**owner, "host": owner["host"], "pid": int(owner["pid"]), "started": started}
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _here(owner):
    """Return whether this process would see the owner if it were alive."""
    return owner["host"] == socket.gethostname() and owner.get("namespace", "") in (
        "",
        _namespace(),
    )


def _alive(owner):
    """Return whether an owner is seen alive, which one out of sight is not."""
    if not _here(owner):
        return False
    started = _started(owner["pid"])
    return started is not None and abs(started - owner["started"]) < CLOCK


def _ends(owner):
    """Wait a little for an owner that has given its locks back to end; return whether it has."""
    last = time.monotonic() + ENDING
    while _alive(owner):
        if time.monotonic() > last:
            return False
        time.sleep(0.1)
    return True


def _named(owner):
    if _here(owner):
        return f"process {owner['pid']} on this machine"
    return f"process {owner['pid']} on {owner['host']}, which cannot be seen from here"


def _write(path, content):
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    temporary.write_text(json.dumps(content), encoding="utf-8")
    os.replace(temporary, path)


@contextlib.contextmanager
def _one_at_a_time(path: Path) -> Iterator[None]:
    """Let one process after another pass, where the file system can lock."""
    with open(path, "w", encoding="utf-8") as handle:
        with contextlib.suppress(OSError):
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _started(pid):
    """Time at which a process started; None if it does not exist, is a zombie or is not seen."""
    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return None
        return round(process.create_time(), 2)
    except (psutil.Error, OSError):
        return None


def _works(process):
    """Return whether a process still is what it was: not ended, and no zombie either."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except (psutil.Error, OSError):
        return False


def _left_by_a_dead_run(process, folder, living):
    if not _works(process):
        return False
    try:
        run, _, record = process.environ().get(MARK, "").partition(":")
    except (psutil.Error, OSError):
        run, record = "", ""
    if run:
        return run != living and _same(Path(record).parents[2], folder)
    scripts = folder / ".snakemake" / "scripts"
    return not living and any(scripts in Path(part).parents for part in process.cmdline())


def _same(one, other):
    try:
        return one == other or one.samefile(other)
    except OSError:
        return False


def _described(process):
    """Name a process by its stage script, if it is seen, and by its user, if that is another."""
    name, user = "process", ""
    with contextlib.suppress(psutil.Error, OSError):
        name = process.name()
        for part in process.cmdline():
            if ".snakemake/scripts/" in part:
                name = Path(part.split()[-1]).stem.rpartition(".")[2]
        if process.uids().real != os.getuid():
            user = f" of user {process.username()}"
    return f"{name} (process {process.pid}{user})"


def _running_in(folder):
    """Return the process that runs Snakemake in a folder, or None."""
    with contextlib.suppress(psutil.Error, OSError):
        for process in psutil.process_iter(["pid", "cmdline", "cwd", "status"]):
            command = process.info["cmdline"] or []
            if process.info["status"] == psutil.STATUS_ZOMBIE:
                continue
            if not any(Path(part).name == "snakemake" for part in command[:4]):
                continue
            if "--mode" in command:  # a job on a cluster node, which may outlive its run
                continue
            if process.info["cwd"] and Path(process.info["cwd"]).resolve() == folder:
                return process.info["pid"]
    return None


def _remove_temporary_files(folder):
    """Remove what killed jobs have left half-written; nobody else is at work in the folder."""
    own = folder / ".snakemake"
    left = [*(own / "scripts").glob("tmp*"), *(own / "gaborscope").glob(".*")]
    left += (own / "gaborscope").glob("*.tmp")
    left += (folder / "results").rglob(".*.tmp")
    for path in left:
        with contextlib.suppress(OSError):
            path.unlink()
