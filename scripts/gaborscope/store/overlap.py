"""Reading ahead and writing behind, each in a second thread."""

import collections
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Self, TypeVar, cast

Item = TypeVar("Item")


def ahead(items: Iterable[Item], n: int = 2) -> Iterator[Item]:
    """
    Items of an iterable; a second thread makes up to n of them ahead.

    Parameters
    ----------
    items : iterable
    n : int

    Yields
    ------
    item
        In the order of `items`. An error of the iterable is raised in the place of its item.
    """
    iterator, end = iter(items), object()
    with ThreadPoolExecutor(1) as pool:
        pending = collections.deque(pool.submit(next, iterator, end) for _ in range(n))
        while (item := pending.popleft().result()) is not end:
            pending.append(pool.submit(next, iterator, end))
            yield cast("Item", item)


class Behind:
    """
    Calls that run in a second thread, in order, while the caller goes on.

    Leaving the context waits for all calls. An error of a call is raised by a later `call`, or
    when the context is left.

    Parameters
    ----------
    n : int
        Calls that may be pending. A further `call` waits for the first of them, which bounds the
        memory.
    """

    def __init__(self, n: int = 2) -> None:
        self._n, self._pending = n, collections.deque()

    def __enter__(self) -> Self:
        """Start the thread."""
        self._pool = ThreadPoolExecutor(1)
        return self

    def call(self, function: Callable[..., Any], *arguments: Any) -> None:
        """
        Have a function called in the second thread.

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
        """Wait for the pending calls, or drop them if the caller has failed."""
        self._pool.shutdown(wait=True, cancel_futures=kind is not None)
        while self._pending and kind is None:
            self._pending.popleft().result()
