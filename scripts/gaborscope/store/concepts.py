"""Maps of concepts as HDF5 files: results/concepts/{concept}/{dataset}/{block}.h5."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from gaborscope.stimuli import concepts
from gaborscope.store.files import create, open_file, put, put_text, read_row


def write_concept(
    path: str | Path,
    names: Sequence[str],
    maps: Iterable[np.ndarray],
    origin: Mapping[str, Any],
) -> None:
    """
    Write the maps of one concept on the stimuli of one block.

    Parameters
    ----------
    path : str or Path
    names : sequence of str
        Stimuli of the block.
    maps : iterable of uint8, uint16 or float32 array (rows, columns)
        In the order of `names`, see `stimuli.concepts.checked`.
    origin : dict
    """
    with create(path, "concepts", origin) as file:
        put_text(file, "name", names)
        group = file.create_group("map")
        for index, values in enumerate(maps):
            one = values[None]  # a chunk for each map, which is read and checked alone
            put(group, str(index), one, "map, y, x", "values of a map", chunks=one.shape)


def reader(
    paths: Sequence[str | Path], n_stimuli: int, swapped: bool = False
) -> Callable[[int], list[np.ndarray]]:
    """
    Return a function that reads the maps of concepts on one stimulus of a block.

    Parameters
    ----------
    paths : sequence of str or Path
        Files of one block, one per concept.
    n_stimuli : int
        Stimuli of the block.
    swapped : bool
        Whether the maps of another stimulus follow: of the next one of the block, after the last
        one the first. In a block of one stimulus they are 0.

    Returns
    -------
    maps : function of int
        Takes the index of a stimulus. Returns a float32 array (rows, columns) for each file, see
        `stimuli.concepts.scaled`.
    """

    def read(index):
        maps = []
        for path in paths:
            with open_file(path, "concepts") as file:
                maps.append(concepts.scaled(read_row(file, f"map/{index}", 0)))
        return maps

    def read_both(index):
        own = read(index)
        if n_stimuli > 1:
            return own + read((index + 1) % n_stimuli)
        return own + [np.zeros_like(values) for values in own]

    return read_both if swapped else read
