"""
What SLURM knows of a run: its jobs in the queue, and which of them can never start.

Standard library alone; every function does nothing where there is no SLURM.
"""

from __future__ import annotations

import logging
import re
import shutil
import subprocess
import threading
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from gaborscope.errors import InputError

# Reasons of pending jobs for which waiting is of no use, and what to change then.
HOPELESS = {
    "PartitionConfig": "`cores` and `resources`, or its partition in `set-resources`",
    "PartitionTimeLimit": "`runtime` in `resources`, or its partition in `set-resources`",
    "PartitionNodeLimit": "its `nodes` in `set-resources`",
    "BadConstraints": "its `constraint` in `set-resources`",
    "InvalidAccount": "`slurm_account` in `default-resources`",
    "InvalidQOS": "`slurm-qos`",
    "AccountNotAllowed": "`slurm_account` in `default-resources`",
    "QOSNotAllowed": "`slurm-qos`",
}
# Columns of squeue's answer: id, reason, comment, log.
COLUMNS = ((0, 20), (20, 60), (60, 260), (260, None))
# Reasons that someone has to take away first.
HELD = ("ReqNodeNotAvail", "PartitionDown", "PartitionInactive", "NodeDown", "JobHeld")
# States of a node on which no job starts until someone has looked at it.
OUT_OF_SERVICE = ("down", "drain", "fail", "maint", "unk", "inval")


# Unit of each amount of a node, and the setting that lowers what is asked for.
UNITS = {
    "cpus": ("CPUs", "set `cores` to {most}"),
    "mem_mb": ("MB of memory", "set `mem_mb` in `resources` to {most}"),
    "gpus": ("GPUs", "give it a `slurm_partition` with GPUs in `set-resources`"),
    "runtime": ("minutes", "set `runtime` in `resources` to {most}"),
}


class Node(NamedTuple):
    """
    What the nodes of one kind give, in one partition.

    Attributes
    ----------
    partition : str
    cpus, mem_mb, gpus, runtime : int
        CPUs, MB, GPUs, and minutes that a job may run there; a huge number where there is no limit.
    state : str
        As sinfo has it, "drained" for example.
    names : str
    """

    partition: str
    cpus: int
    mem_mb: int
    gpus: int
    runtime: int
    state: str
    names: str


class Job(NamedTuple):
    """
    A job in the queue.

    Attributes
    ----------
    id, reason, comment : str
        Its number; why it waits, "None" for one that runs; what Snakemake has called it.
    """

    id: str
    reason: str
    comment: str


def jobs(folder: str | Path, *options: str) -> list[Job]:
    """
    Return the jobs of this user that log into a folder.

    Parameters
    ----------
    folder : str or Path
    *options : str
        Further options of squeue, such as "--states=PENDING".

    Returns
    -------
    jobs : list of Job
        Empty where SLURM is absent or does not answer.
    """
    folder, found = Path(folder).resolve(), []
    fields = "--Format=JobID:20,Reason:40,Comment:200,STDOUT:1000"
    for line in _ask("squeue", "--noheader", "--me", *options, fields):
        job, reason, comment, log = (line[start:end].strip() for start, end in COLUMNS)
        # the log of a job lies below the folder of its run; its working directory may be another
        if log and folder in Path(log).parents:
            found.append(Job(job, reason, comment))
    return found


def cancel(folder: str | Path) -> list[str]:
    """
    Cancel the jobs of a dead run, since they write the same files as the next run.

    Parameters
    ----------
    folder : str or Path

    Returns
    -------
    ids : list of str
        Of the jobs, once they have left the queue (or after a minute).
    """
    ids = [job.id for job in jobs(folder)]
    if ids:
        subprocess.run(["scancel", *ids], timeout=60, check=False)
        until = time.monotonic() + 60
        while jobs(folder) and time.monotonic() < until:
            time.sleep(1)
    return ids


def nodes() -> tuple[list[Node], str]:
    """
    Return what the nodes of each partition give, and the name of the default partition.

    Returns
    -------
    nodes : list of Node
        One for each kind of node in each partition; empty where sinfo is absent or fails.
    default : str
        Empty if there is none.
    """
    found, default = [], ""
    for line in _ask("sinfo", "--noheader", "--exact", "--format=%P|%c|%m|%G|%l|%T|%N|%a|%B"):
        fields = line.strip().split("|")
        if len(fields) != 9:
            continue
        name, cpus, memory, gres, limit, state, names, available, most = fields
        if name.endswith("*"):
            name = default = name[:-1]
        gpus = sum(int(n) for n in re.findall(r"gpu(?::[^:,()]+)?:(\d+)", gres))
        state = state if available == "up" else f"{state}, the partition {available}"
        cores = min(_number(cpus), _number(most) or _number(cpus))  # MaxCPUsPerNode
        found.append(Node(name, cores, _number(memory), gpus, _minutes(limit), state, names))
    return found, default


def require_startable(asked: Iterable[tuple[str, int, Mapping[str, Any]]]) -> list[str]:
    """
    Stop where a job asks for what no node of its partition can give.

    Parameters
    ----------
    asked : iterable of (str, int, mapping)
        Of each job its rule, threads and resources as Snakemake has them, caps applied.

    Returns
    -------
    warnings : list of str
        Sentences about rules for which all fitting nodes are out of service.

    Raises
    ------
    InputError
        With the rules, and the settings to change.
    """
    known, default = nodes()
    if not known:
        return []
    faults: dict[str, dict[str, None]] = {}  # rules by fault, each once and in order
    warnings: dict[str, dict[str, None]] = {}
    for rule, threads, resources in asked:
        partitions = str(resources.get("slurm_partition") or default).split(",")
        needs = _needs(threads, resources)
        outcomes = [_unmet(partition, needs, known) for partition in partitions]
        if all(fault for fault, _ in outcomes):
            faults.setdefault(outcomes[0][0], {})[rule] = None
        elif all(fault or warning for fault, warning in outcomes):
            warning = next(warning for _, warning in outcomes if warning)
            warnings.setdefault(warning, {})[rule] = None
    if faults:
        said = "; ".join(f"{', '.join(rules)}: {fault}" for fault, rules in faults.items())
        raise InputError(f"no job was submitted, because some could never start: {said}")
    return [f"{', '.join(rules)}: {warning}" for warning, rules in warnings.items()]


def watch(folder: str | Path, log: logging.Logger, pause: float = 20) -> threading.Event:
    """
    Say, once for each job, why it does not start; cancel it where waiting is of no use.

    Parameters
    ----------
    folder : str or Path
        Of the run, whose process ends the watch.
    log : logging.Logger
    pause : float
        Seconds between two looks at the queue.

    Returns
    -------
    ended : threading.Event
        Ends the watch once it is set.
    """
    ended = threading.Event()

    def look():
        said = set()
        while not ended.wait(pause):
            for job in jobs(folder, "--states=PENDING"):
                if job.id not in said and (sentence := _said_of(job)):
                    said.add(job.id)
                    log.error(sentence)
                    if job.reason in HOPELESS:
                        subprocess.run(["scancel", job.id], timeout=60, check=False)

    threading.Thread(target=look, daemon=True).start()
    return ended


def _said_of(job):
    name = job.comment.removeprefix("rule_").replace("_wildcards_", " ")
    if job.reason in HOPELESS:
        return (
            f"{name} (SLURM job {job.id}) can never start ({job.reason}) and is cancelled: change "
            f"{HOPELESS[job.reason]} in the profile"
        )
    if job.reason.startswith(HELD):
        return (
            f"{name} (SLURM job {job.id}) waits, and SLURM says {job.reason}: see `sinfo -R` and "
            f"`scontrol show job {job.id}`"
        )
    return None


def _ask(*command):
    if not shutil.which(command[0]):
        return []
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    except (OSError, subprocess.SubprocessError):
        return []
    return done.stdout.splitlines()


def _needs(threads, resources):
    """Return what a job asks one node for, by the field of Node."""

    def amount(name):
        value = resources.get(name)
        return value if isinstance(value, int) else 0

    cpus = amount("cpus_per_task") or threads
    memory = amount("mem_mb") or amount("mem_mb_per_cpu") * cpus
    return {"cpus": cpus, "mem_mb": memory, "gpus": amount("gpu"), "runtime": amount("runtime")}


def _unmet(partition, needs, known):
    """Return (what no node of a partition gives, why its jobs wait), each a text or None."""
    here = [node for node in known if node.partition == partition]
    if not here:
        names = ", ".join(dict.fromkeys(node.partition for node in known))
        return (
            f"there is no partition {partition!r} but {names}; change `slurm_partition` in the "
            "profile"
        ), None
    for field, amount in needs.items():
        most = max(getattr(node, field) for node in here)
        if most < amount:
            unit, remedy = UNITS[field]
            return (
                f"{amount} {unit} asked for, and no node of the partition {partition} gives more "
                f"than {most}; {remedy.format(most=most)} in the profile"
            ), None
    fitting = [node for node in here if all(getattr(node, key) >= n for key, n in needs.items())]
    if not fitting:
        wanted = ", ".join(f"{amount} {UNITS[field][0]}" for field, amount in needs.items())
        return (
            f"{wanted} asked for at once, and no node of the partition {partition} gives all that; "
            "lower `cores` or `resources` in the profile"
        ), None
    if all(node.state.startswith(OUT_OF_SERVICE) or "," in node.state for node in fitting):
        states = ", ".join(f"{node.names}: {node.state.rstrip('*')}" for node in fitting)
        return None, f"no node of the partition {partition} is in service ({states}); jobs wait"
    return None, None


def _number(text):
    """Leading number of sinfo's text, which marks a mixture by a plus."""
    found = re.match(r"\d+", text)
    return int(found[0]) if found else 0


def _minutes(text):
    """Minutes of a time limit as sinfo prints it: days-hours:minutes:seconds, or infinite."""
    found = re.fullmatch(r"(?:(\d+)-)?(?:(\d+):)?(\d+):(\d+)", text.strip())
    if not found:
        return 1 << 40  # infinite, n/a
    days, hours, minutes, seconds = (int(part or 0) for part in found.groups())
    return days * 1440 + hours * 60 + minutes + (seconds > 0)
