"""Saliency maps made outside the workflow as predictors: images, .npy, pysaliency's HDF5."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Self

import h5py
import numpy as np
from PIL import Image

from gaborscope.data import map_files
from gaborscope.errors import InputError
from gaborscope.stimuli import densities

KINDS = (*densities.KINDS, "map")


def read(
    name: str,
    path: Path,
    stimuli: Sequence[str],
    sizes: Sequence[tuple[int, int]] | np.ndarray,
    kind: str,
    resize: bool,
) -> Iterator[tuple[np.ndarray, str]]:
    """
    Read the map of each stimulus, with its kind as `densities.to_density` takes it.

    Parameters
    ----------
    name : str
        Name of the predictor, for messages.
    path : Path
        Folder or HDF5 file from `map_files.location`. In an HDF5 file each dataset is a map. Its
        name is the name of the stimulus or the end of the stimulus's path, as pysaliency's
        `export_model_to_hdf5` writes it.
    stimuli : sequence of str
    sizes : sequence of (height, width)
        Sizes of the stimuli in px.
    kind : {'density', 'log_density', 'logits', 'unit', 'map'}
        Meaning of the values, see `densities.to_density`. A 'map' is any real map; it is min-max
        scaled and then taken as proportional to a density.
    resize : bool
        Whether a map of another size than the stimulus is resized (bilinear). If not, it raises.

    Yields
    ------
    values : float64 array (height, width)
    kind : str
        One of `densities.KINDS`.

    Raises
    ------
    InputError
        If a map is missing, cannot be read, is not a grey map, has another size, or holds NaN or
        infinity.
    """
    reader = _Hdf5(name, path) if path.is_file() else _Folder(name, path, stimuli)
    with reader:
        for stimulus, size in zip(stimuli, sizes, strict=True):
            values = np.asarray(reader.read(stimulus))
            where = f"maps '{name}': the map of {stimulus!r}"
            if values.ndim != 2 or values.size == 0 or values.dtype.kind not in "buif":
                raise InputError(
                    f"{where} is a {values.dtype} array of shape {values.shape}; it must be real, "
                    "of shape (height, width)"
                )
            values = values.astype(float)
            if not np.isfinite(values).all():
                raise InputError(f"{where} holds NaN or infinity; write finite values")
            size = int(size[0]), int(size[1])
            if values.shape != size:
                if not resize:
                    raise InputError(
                        f"{where} is {values.shape[1]}x{values.shape[0]} px and the stimulus "
                        f"{size[1]}x{size[0]}; resize it, or set resize: true"
                    )
                values = _resized(values, kind, size)
            if kind == "map":
                spread = np.ptp(values)
                yield (values - values.min()) / (spread or 1), "unit"
            else:
                yield values, kind


def _resized(values, kind, size):
    if kind == "log_density":
        return densities.resize_log_density(values, size)
    return densities.resize_bilinear(values, size)


class _Folder:
    """Reader of maps that lie in one file per stimulus."""

    def __init__(self, name: str, path: Path, stimuli: Sequence[str]) -> None:
        self._name, self._files = name, map_files.find(name, path, stimuli)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        return None

    def read(self, stimulus):
        path = self._files[stimulus]
        try:
            if path.suffix.lower() == ".npy":
                return np.load(path, allow_pickle=False)
            with Image.open(path) as file:
                values = np.array(file.convert("RGB") if file.mode == "P" else file)
        except (OSError, SyntaxError, ValueError, EOFError) as error:
            raise InputError(
                f"maps '{self._name}': {path} cannot be read ({error}); replace the file"
            ) from None
        if values.ndim == 3:
            if (values[..., :3] != values[..., :1]).any():
                raise InputError(
                    f"maps '{self._name}': {path} is coloured; save the saliency map in grey, "
                    "without a colour map"
                )
            values = values[..., 0]
        return values


class _Hdf5:
    """Reader of maps that are datasets of one HDF5 file."""

    def __init__(self, name: str, path: Path) -> None:
        self._name, self._path = name, path

    def __enter__(self) -> Self:
        try:
            self._file = h5py.File(self._path, "r")
        except OSError as error:
            raise InputError(
                f"maps '{self._name}': {self._path} cannot be read as HDF5 ({error})"
            ) from None
        self._keys = []
        self._file.visititems(
            lambda key, item: self._keys.append(key) if isinstance(item, h5py.Dataset) else None
        )
        return self

    def __exit__(self, *error: object) -> None:
        self._file.close()

    def read(self, stimulus):
        keys = [key for key in self._keys if key == stimulus] or [
            key
            for key in self._keys
            if stimulus.endswith(f"/{key}") or key.endswith(f"/{stimulus}")
        ]
        if len(keys) != 1:
            maps = f"the maps {keys[0]} and {keys[1]}" if keys else "no map"
            raise InputError(
                f"maps '{self._name}': the stimulus {stimulus!r} has {maps} in {self._path}; it "
                "needs one"
            )
        return self._file[keys[0]][()]
