"""Maps of a predictor as other programs read them: results/export/{predictor}/{dataset}/."""

import contextlib
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from gaborscope.errors import InputError
from gaborscope.store.files import create, put, whole

FORMATS = ("hdf5", "npy", "png")


def write(
    folder: str | Path,
    formats: Sequence[str],
    names: Sequence[str],
    log_densities: Iterable[np.ndarray],
    origin: Mapping[str, Any],
) -> None:
    """
    Write the maps of one predictor on one data set.

    Parameters
    ----------
    folder : str or Path
    formats : sequence of str
        Of `FORMATS`. hdf5: `log_density.h5`, a dataset for each stimulus, called like it, which
        pysaliency's `HDF5Model` opens. npy, png: a folder of this name with a file for each
        stimulus, called like it but for its ending. npy holds the log-density, png the density in
        256 steps from 0 to its maximum.
    names : sequence of str
        Stimuli; a slash in a name is one in the path of its map too.
    log_densities : iterable of float array (height, width)
        In the order of `names`: natural logarithm, exp sums to 1.
    origin : dict
        From `files.provenance`.

    Raises
    ------
    InputError
        If two stimuli would have one map in a folder, since their names differ in the ending alone.
    """
    folder = Path(folder)
    folders = [form for form in FORMATS if form in formats and form != "hdf5"]
    stems = _stems(names, folders)
    with contextlib.ExitStack() as stack:
        file = None
        if "hdf5" in formats:
            file = stack.enter_context(create(folder / "log_density.h5", "export", origin))
        for name, stem, log_density in zip(names, stems, log_densities, strict=True):
            log_density = np.asarray(log_density, dtype=np.float32)
            if file is not None:
                put(file, name, log_density, "y, x", "natural logarithm")
            for form in folders:
                with whole(folder / form / f"{stem}.{form}") as path, open(path, "wb") as handle:
                    _WRITERS[form](handle, log_density)


def _stems(names, folders):
    stems = [os.path.splitext(name)[0] for name in names]
    first: dict[str, str] = {}
    for name, stem in zip(names, stems, strict=True):
        other = first.setdefault(stem, name)
        if folders and other != name:
            raise InputError(
                f"the stimuli {other} and {name} differ in their ending alone, so a folder of maps "
                "cannot tell them apart; rename one, or set `export: {formats: [hdf5]}`"
            )
    return stems


def _write_png(handle, log_density):
    steps = np.rint(255 * np.exp(log_density - log_density.max()))
    Image.fromarray(steps.astype(np.uint8)).save(handle, format="PNG")


_WRITERS = {"npy": np.save, "png": _write_png}
