"""A list on disk, for what a stage needs again and again and what would not fit into memory."""

import os
import pickle
import tempfile
from array import array
from collections.abc import Iterable, Sequence
from typing import Any

from gaborscope.errors import InputError


class Scratch(Sequence):
    """
    List of objects in an unnamed temporary file (in TMPDIR), which goes with the process.

    An item is pickled when it is appended and unpickled at each access, so an item that is changed
    must be appended anew. In memory an item takes 8 bytes.

    Parameters
    ----------
    items : iterable, optional
        First items; taken one at a time.
    """

    def __init__(self, items: Iterable[Any] = ()) -> None:
        self._file = tempfile.TemporaryFile(buffering=1 << 20)
        self._ends, self._flushed = array("q", [0]), True
        for item in items:
            self.append(item)

    def append(self, item: Any) -> None:
        """
        Append an item.

        Parameters
        ----------
        item : object
            Anything that can be pickled.

        Raises
        ------
        InputError
            If the file cannot be written, for example because the disk is full.
        """
        content, self._flushed = pickle.dumps(item, pickle.HIGHEST_PROTOCOL), False
        self._write(lambda: self._file.write(content))
        self._ends.append(self._ends[-1] + len(content))

    def __len__(self) -> int:
        """Return the number of items."""
        return len(self._ends) - 1

    def __getitem__(self, index: Any) -> Any:
        """Return one item; threads may read at the same time."""
        if not 0 <= index < len(self):
            raise IndexError(index)
        if not self._flushed:
            self._write(self._file.flush)
            self._flushed = True
        start, end = self._ends[index], self._ends[index + 1]
        return pickle.loads(os.pread(self._file.fileno(), end - start, start))

    def _write(self, write):
        try:
            write()
        except OSError as error:
            raise InputError(
                f"the temporary folder {tempfile.gettempdir()} cannot be written to "
                f"({error.strerror}); make room there, or set TMPDIR to another folder"
            ) from error
