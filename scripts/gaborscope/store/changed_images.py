"""Images made on which network and explanation part, with the maps of both: one HDF5 file."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from gaborscope.store.files import create, open_file, put, put_text

# By label, an image and the logarithms of the network's and of the explained density.
Shown = Mapping[str, tuple[np.ndarray, ...]]


def write(
    path: str | Path, stimuli: Iterable[tuple[str, Shown]], origin: Mapping[str, Any]
) -> None:
    """
    Write the images of some stimuli.

    Parameters
    ----------
    path : str or Path
    stimuli : iterable of (str, dict)
        Name of the stimulus; by label a uint8 array (height, width, 3) and two float arrays
        (height, width), natural logarithms of densities.
    origin : dict
        From `store.files.provenance`.
    """
    names = []
    with create(path, "differentiation", origin) as file:
        for index, (name, shown) in enumerate(stimuli):
            names.append(name)
            for label, (image, deep, explained) in shown.items():
                group = file.create_group(f"changed/{index}/{label}")
                put(group, "image", image, "y, x, channel", "RGB, 0..255", np.uint8)
                put(group, "deep", deep, "y, x", "natural logarithm", np.float32)
                put(group, "explained", explained, "y, x", "natural logarithm", np.float32)
        put_text(file, "name", names)


def read(path: str | Path) -> Iterator[tuple[str, dict[str, tuple[np.ndarray, ...]]]]:
    """
    Iterate over the stimuli of a file.

    Parameters
    ----------
    path : str or Path

    Yields
    ------
    name : str
    shown : dict of str to (uint8 array, float32 array, float32 array)
        As `write` takes them, by label in the order of the alphabet.
    """
    with open_file(path, "differentiation") as file:
        for index, name in enumerate(file["name"].asstr()[()]):
            groups = file[f"changed/{index}"]
            yield (
                str(name),
                {
                    label: tuple(group[key][()] for key in ("image", "deep", "explained"))
                    for label, group in groups.items()
                },
            )
