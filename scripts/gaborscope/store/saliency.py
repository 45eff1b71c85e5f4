"""Log-densities of a predictor as HDF5 files: results/saliency/{predictor}/{dataset}/{block}.h5."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from gaborscope.store.files import create, open_file, put, put_text


def write_saliency(
    path: str | Path,
    names: Sequence[str],
    log_densities: Iterable[np.ndarray],
    origin: Mapping[str, Any],
) -> None:
    """
    Write the log-densities of one predictor on one block.

    Parameters
    ----------
    path : str or Path
    names : sequence of str
        Stimuli of the block.
    log_densities : iterable of float array (height, width)
        In the order of `names`, each of the size of its stimulus.
    origin : dict
    """
    with create(path, "saliency", origin) as file:
        put(file, "stimulus", np.arange(len(names)), "stimulus", "index in the block", np.int32)
        put_text(file, "name", names)
        group = file.create_group("log_density")
        for index, log_density in enumerate(log_densities):
            put(group, str(index), log_density, "y, x", "natural logarithm", np.float32)


def read_log_densities(path: str | Path) -> Iterator[tuple[int, np.ndarray]]:
    """
    Iterate over the log-densities of a saliency file.

    Parameters
    ----------
    path : str or Path

    Yields
    ------
    index : int
        Number of the stimulus in its block.
    log_density : float64 array (height, width)
        Natural logarithm, finite; exp sums to 1.
    """
    with open_file(path, "saliency") as file:
        for index in file["stimulus"][()]:
            values = file[f"log_density/{index}"][()].astype(float)
            yield int(index), values - np.log(np.exp(values).sum())


def read_names(path: str | Path) -> list[str]:
    """
    Names of the stimuli of a saliency file, in the order of its maps.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    names : list of str
    """
    with open_file(path, "saliency") as file:
        return list(file["name"].asstr()[()])


def read_saliency(path: str | Path) -> Iterator[tuple[int, np.ndarray]]:
    """
    Iterate over the densities of a saliency file.

    Parameters
    ----------
    path : str or Path

    Yields
    ------
    index : int
        Number of the stimulus in its block.
    density : float64 array (height, width)
        Positive, sum 1.
    """
    with open_file(path, "saliency") as file:
        for index in file["stimulus"][()]:
            density = np.exp(file[f"log_density/{index}"][()].astype(float))
            yield int(index), density / density.sum()


def read_density(path: str | Path, index: int) -> np.ndarray:
    """
    Density of one stimulus of a saliency file.

    Parameters
    ----------
    path : str or Path
    index : int
        Number of the stimulus in its block.

    Returns
    -------
    density : float64 array (height, width)
        Positive, sum 1.
    """
    with open_file(path, "saliency") as file:
        density = np.exp(file[f"log_density/{index}"][()].astype(float))
    return density / density.sum()
