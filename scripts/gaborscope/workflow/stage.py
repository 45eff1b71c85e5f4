"""What every stage script shares: its log, its threads, and how it fails."""

import logging
import resource
import sys
import time
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from threadpoolctl import threadpool_limits
from tqdm import tqdm

from gaborscope.errors import REMEDIES, InputError, unwritable

Item = TypeVar("Item")


def run_stage(main: Callable[[Any], None], smk: Any) -> None:
    """
    Run a stage: log to its file and to the terminal, limit threads, fail in one sentence.

    The last line of the log states CPU time and memory; benchmarks/scaling_plan.py reads it.

    Parameters
    ----------
    main : callable
        Takes the `snakemake` object.
    smk : the `snakemake` object of the script
    """
    before = time.process_time()
    # a log that cannot be written must not bury the reason in tracebacks
    logging.raiseExceptions = False
    handlers: list[logging.Handler] = [logging.StreamHandler(sys.stderr)]
    if len(smk.log):
        try:
            handlers.append(logging.FileHandler(str(smk.log[0]), mode="w"))
        except OSError as error:
            sys.exit(f"error: {unwritable(smk.log[0], error)}")
    name = " ".join([smk.rule, *dict(smk.wildcards.items()).values()])
    logging.basicConfig(level=logging.INFO, format=f"[{name}] %(message)s", handlers=handlers)
    log = logging.getLogger("gaborscope")
    try:
        # not smk.threads, which Snakemake lowers to --cores: other threads, other last digits
        with threadpool_limits(smk.params.get("threads", 1)):
            main(smk)
        log.info("%s", cost(before))
    except InputError as error:
        log.error("error: %s", error)
        sys.exit(1)
    except Exception as error:
        if isinstance(error, OSError) and error.errno in REMEDIES:
            log.error("error: %s", unwritable(error.filename or smk.output[0], error))
        else:
            log.exception("unexpected error")
        sys.exit(1)


def cost(before: float) -> str:
    """
    Return a sentence with the CPU time and the memory that this process has used so far.

    Child processes that have ended count: their CPU time, and their memory where it is more.

    Parameters
    ----------
    before : float
        CPU seconds used before the work began: starting Python and importing.

    Returns
    -------
    sentence : str
    """
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    seconds = sum(usage.ru_utime + usage.ru_stime for usage in usages)
    # ru_maxrss is in kilobytes, on macOS in bytes
    memory = max(u.ru_maxrss for u in usages) / (1 << 20 if sys.platform == "darwin" else 1 << 10)
    return (
        f"used {seconds:.2f} s of CPU, {before:.2f} s of them to start, "
        f"and at most {memory:.0f} MB of memory"
    )


def progress(stimuli: Iterable[Item], total: int | None) -> Iterable[Item]:
    """
    Iterate with a progress bar, on a terminal and for stages longer than some seconds.

    Parameters
    ----------
    stimuli : iterable
    total : int

    Returns
    -------
    stimuli : iterable
        The same items.
    """
    # without a terminal (a cluster's log file) a bar is noise: disable=None
    return tqdm(
        stimuli, total=total, unit=" stimuli", delay=8, mininterval=2, leave=False, disable=None
    )
