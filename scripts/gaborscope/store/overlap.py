"""Work done beside the caller's: what is read ahead, what is written behind."""

import collections
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Self, TypeVar, cast

Item = TypeVar("Item")


def ahead(items: Iterable[Item], n: int = 2) -> Iterator[Item]:
    """
    Items of an iterable, made up to n ahead in a thread of their own.

    Parameters
    ----------
    items : iterable
    n : int

    Yields
    ------
    item
        In the same order; an error of the iterable is raised where its item would have come.
    """
    iterator, end = iter(items), object()
    with ThreadPoolExecutor(1) as pool:
        pending = collections.deque(pool.submit(next, iterator, end) for _ in range(n))
        while (item := pending.popleft().result()) is not end:
            pending.append(pool.submit(next, iterator, end))
            yield cast("Item", item)


class Behind:
    """
    Calls that run in a thread of their own, in order, while the caller goes on.

    Leaving the context waits for all of them; an error of a call is raised there or by a later
    call.

    Parameters
    ----------
    n : int
        Calls that may wait; one more waits for the first of them, so that memory stays flat.
    """

    def __init__(self, n: int = 2) -> None:
        self._n, self._pending = n, collections.deque()

    def __enter__(self) -> Self:
        """Start the thread."""
        self._pool = ThreadPoolExecutor(1)
        return self

    def call(self, function: Callable[..., Any], *arguments: Any) -> None:
        """
        Run a function behind the caller's back.

        Parameters
        ----------
        function : callable
        *arguments
            Must not be changed afterwards.
        """
        self._pending.append(self._pool.submit(function, *arguments))
        while len(self._pending) > self._n:
            self._pending.popleft().result()

    def __exit__(self, kind: type[BaseException] | None, *error: Any) -> None:
        """Wait for what is left; drop it where the caller has failed."""
        self._pool.shutdown(wait=True, cancel_futures=kind is not None)
        while self._pending and kind is None:
            self._pending.popleft().result()
