"""
Call what reads a file of others in a child process, which a damaged file may end.

Some libraries crash, or run for ever, on a file with a few wrong bytes. Standard library alone.
"""

import contextlib
import faulthandler
import logging
import multiprocessing
import os
import resource
import signal
import warnings
from collections.abc import Callable, Iterator, Sequence
from logging.handlers import QueueHandler
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, TypeVar

Item = TypeVar("Item")
Value = TypeVar("Value")

# A fork starts in some ms, with all modules that this process has imported.
FORK = multiprocessing.get_context("fork")
SECONDS = 60  # of CPU that a child may use for one item


def each(
    function: Callable[[Item], Value], items: Sequence[Item], memory: int | None = None
) -> Iterator[Value]:
    """
    Call a function for each item, all in one child process.

    Parameters
    ----------
    function : callable
        Its values are pickled. What it logs is logged here; what it prints is lost.
    items : sequence
    memory : int, optional
        Bytes that the child may need beside what this process has; where there is Linux's /proc.

    Yields
    ------
    value
        Of each item, in order.

    Raises
    ------
    ValueError
        If the child is ended by an item, or needs more than `SECONDS` of CPU for it. The item is
        the one whose value is waited for. What the function raises is raised here.
    """
    receiver, sender = FORK.Pipe(duplex=False)
    child = FORK.Process(target=_send, args=(function, items, sender, memory))
    with warnings.catch_warnings(action="ignore"):  # Python 3.12 warns of threads, such as BLAS's
        child.start()
    sender.close()
    try:
        for _ in items:
            try:
                value, error = _receive(receiver)
            except EOFError:
                child.join()
                slow = child.exitcode == -signal.SIGXCPU
                reason = f"needs more than {SECONDS} s" if slow else "crashes"
                raise ValueError(f"the library that reads it {reason}") from None
            if error:
                raise error
            yield value
    finally:
        receiver.close()
        child.kill()
        child.join()


def _receive(receiver: Connection) -> tuple[Any, Exception | None]:
    """Return the next value and error; what was logged before them is logged here."""
    while isinstance(found := receiver.recv(), logging.LogRecord):
        logging.getLogger(found.name).handle(found)
    return found


class _Sent(QueueHandler):
    queue: Any

    def enqueue(self, record):
        self.queue.send(record)


def _send(
    function: Callable[[Item], Value], items: Sequence[Item], sender: Any, memory: int | None
) -> None:
    faulthandler.disable()
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    logging.getLogger().handlers = [_Sent(sender)]
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)
    if memory is not None:
        with contextlib.suppress(OSError):
            pages = int(Path("/proc/self/statm").read_text().split()[0])
            _limit(resource.RLIMIT_AS, pages * resource.getpagesize() + memory)
    for item in items:
        used = resource.getrusage(resource.RUSAGE_SELF)
        _limit(resource.RLIMIT_CPU, int(used.ru_utime + used.ru_stime) + 1 + SECONDS)
        try:
            value, error = function(item), None
        except Exception as raised:
            value, error = None, raised
        sender.send((value, error))


def _limit(kind: int, most: int) -> None:
    """Set a limit, unless this process has a lower one."""
    hard = resource.getrlimit(kind)[1]
    if hard == resource.RLIM_INFINITY or most < hard:
        resource.setrlimit(kind, (most, hard))
