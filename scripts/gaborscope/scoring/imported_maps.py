"""Saliency maps made outside the workflow as predictors: images, .npy, pysaliency's HDF5."""

import logging
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Self

os.environ.setdefault("HDF5_USE_FILE_LOCKING", "FALSE")  # see store.files

import h5py
import numpy as np

from gaborscope.data import map_files
from gaborscope.data.layouts.scan import one_form
from gaborscope.errors import InputError, reading
from gaborscope.stimuli import concepts, densities
from gaborscope.stimuli.images import read_grey

log = logging.getLogger("gaborscope")

KINDS = (*densities.KINDS, "map")
LARGEST = 1 << 28  # px of a map that is resized
UNIT_LIMIT = 1 + 1e-6  # of kind unit: what float32 rounds to above 1 counts as 1


def read(
    name: str,
    path: Path,
    stimuli: Sequence[str],
    sizes: Sequence[tuple[int, int]] | np.ndarray,
    kind: str,
    resize: bool,
    others: Sequence[str] = (),
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
    others : sequence of str
        Further stimuli of the data set, none of which may have the same map in an HDF5 file.

    Yields
    ------
    values : float64 array (height, width)
    kind : str
        One of `densities.KINDS`.

    Raises
    ------
    InputError
        If a map is missing, cannot be read, is not a grey map, has another size (with `resize`, if
        height and width are exchanged), or holds NaN or infinity.
    """
    constant = []
    with _reader(name, path, stimuli, others) as reader:
        for stimulus, size in zip(stimuli, sizes, strict=True):
            where = f"maps '{name}': the map of {stimulus!r}"
            stored = reader.read(stimulus)
            values = _checked(stored, where, (int(size[0]), int(size[1])), resize)
            is_constant = _is_constant(values, stored.dtype)  # resizing would add rounding errors
            if is_constant:
                constant.append(stimulus)
            if values.shape != tuple(size):
                values = _resized(values, kind, (int(size[0]), int(size[1])))
            least = values.min()
            with np.errstate(over="ignore"):
                spread = values.max() - least
            if kind == "map" and is_constant:
                yield np.zeros_like(values), "unit"
            elif kind == "map":
                if not np.isfinite(spread):
                    raise InputError(f"{where} reaches {values.max():g}; scale its values down")
                yield (values - least) / spread, "unit"
            elif kind == "unit" and values.max() <= UNIT_LIMIT:
                yield np.minimum(values, 1), kind
            else:
                yield values, kind
    if constant:
        log.info(
            "maps '%s': %d of %d maps are constant (first that of %s)",
            name, len(constant), len(stimuli), constant[0],
        )  # fmt: skip


def concept(
    name: str,
    path: Path,
    stimuli: Sequence[str],
    sizes: Sequence[tuple[int, int]] | np.ndarray,
    others: Sequence[str] = (),
) -> Iterator[np.ndarray]:
    """
    Read the map of a concept on each stimulus.

    Parameters
    ----------
    name : str
        Name of the concept, for messages.
    path, stimuli, sizes, others
        See `read`.

    Yields
    ------
    values : uint8, uint16 or float32 array (rows, columns)
        At the map's own size, see `stimuli.concepts.scaled`.

    Raises
    ------
    InputError
        If a map is missing, cannot be read, or is none of a concept.
    """
    empty = []
    with _reader(name, path, stimuli, others, "concepts") as reader:
        for stimulus, (height, width) in zip(stimuli, sizes, strict=True):
            where, size = f"concepts '{name}': the map of {stimulus!r}", (int(height), int(width))
            stored = reader.read(stimulus)
            checked = _checked(stored, where, size, resize=True)
            yield concepts.checked(checked.astype(stored.dtype), where, size)
            if not checked.any():
                empty.append(stimulus)
    log.info("concepts '%s': %d of %d stimuli have nothing of it", name, len(empty), len(stimuli))


def _reader(name, path, stimuli, others, section="maps"):
    """Return the reader of a folder or an HDF5 file of maps."""
    if path.is_file():
        return _Hdf5(name, path, others, section)
    return _Folder(name, path, stimuli, section)


def log_densities(
    name: str,
    path: Path,
    stimuli: Sequence[str],
    sizes: Sequence[tuple[int, int]] | np.ndarray,
    kind: str,
    resize: bool,
    uniform_weight: float,
    others: Sequence[str] = (),
) -> Iterator[np.ndarray]:
    """
    Read the map of each stimulus as a log-density.

    Parameters
    ----------
    name, path, stimuli, sizes, kind, resize
        See `read`.
    uniform_weight : float
        See `densities.to_density`.
    others : sequence of str
        See `read`.

    Yields
    ------
    log_density : float64 array (height, width)

    Raises
    ------
    InputError
        As `read`; also if the values do not fit their kind.
    """
    maps = read(name, path, stimuli, sizes, kind, resize, others)
    for stimulus, (values, meaning) in zip(stimuli, maps, strict=True):
        try:
            yield densities.to_log_density(values, meaning, uniform_weight)
        except InputError as error:
            raise InputError(f"maps '{name}': the map of {stimulus!r}: {error}") from None


def _checked(values, where, size, resize):
    """Return an array, or a dataset that is not read yet, as float64; raise if it is no map."""
    shape = values.shape
    if shape is None or len(shape) != 2 or 0 in shape or values.dtype.kind not in "buif":
        raise InputError(
            f"{where} is a {values.dtype} array of shape {shape}; it must be real, of shape "
            "(height, width)"
        )
    if getattr(values, "external", None) or getattr(values, "is_virtual", False):
        raise InputError(f"{where} refers to other files; write its values into this one")
    sizes = f"{where} is {shape[1]}x{shape[0]} px and the stimulus {size[1]}x{size[0]}"
    if shape == size[::-1] and shape != size:
        raise InputError(
            f"{sizes}: it lies on its side, perhaps because one of them follows the EXIF "
            "orientation of the photograph and the other does not; turn the map"
        )
    if shape != size and not resize:
        raise InputError(f"{sizes}; resize it, or set resize: true")
    if shape[0] * shape[1] > LARGEST:
        raise InputError(f"{sizes}, and more than {LARGEST} px; make it smaller")
    with reading(f"{where} cannot be read", "write it again"), np.errstate(over="ignore"):
        values = np.array(values, dtype=np.float64)
    if not np.isfinite(values).all():
        raise InputError(f"{where} holds NaN or infinity; write finite values")
    return values


def _is_constant(values, dtype):
    """Return whether values differ by no more than rounding errors of their type."""
    relative = 4 * np.finfo(dtype).eps if dtype.kind == "f" and dtype.itemsize > 2 else 0
    least, largest = values.min(), values.max()
    return largest / 2 - least / 2 <= relative / 2 * max(-least, largest)


def _resized(values, kind, size):
    if kind == "log_density":
        return densities.resize_log_density(values, size)
    return densities.resize_bilinear(values, size)


def read_file(path: Path, who: str = "") -> np.ndarray:
    """
    Read one map, as it is stored.

    Parameters
    ----------
    path : Path
        An image, or an array that `numpy.save` wrote.
    who : str
        Beginning of messages.

    Returns
    -------
    values : array

    Raises
    ------
    InputError
        If the file cannot be read.
    """
    if path.suffix.lower() != ".npy":
        return read_grey(path)
    with reading(f"{who}{path} cannot be read", "write it by numpy.save"):
        return np.lib.format.open_memmap(path, mode="r")


class _Folder:
    """Reader of maps that lie in one file per stimulus."""

    def __init__(self, name: str, path: Path, stimuli: Sequence[str], section: str) -> None:
        self._who = f"{section} '{name}'"
        self._files = map_files.find(name, path, stimuli, section)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        return None

    def read(self, stimulus):
        return read_file(self._files[stimulus], f"{self._who}: ")


class _Hdf5:
    """Reader of maps that are datasets of one HDF5 file."""

    def __init__(self, name: str, path: Path, others: Sequence[str], section: str) -> None:
        self._who, self._path, self._others = f"{section} '{name}'", path, others
        self._owners: dict[str, str] = {}

    def __enter__(self) -> Self:
        self._keys: list[str] = []
        self._alike: dict[str, list[str]] = {}
        fault = f"{self._who}: {self._path} cannot be read as HDF5"
        with reading(fault, "write the file again"):
            self._file = h5py.File(self._path, "r")
            self._file.visititems(
                lambda key, item: self._keys.append(key) if isinstance(item, h5py.Dataset) else None
            )
        for key in self._keys:
            self._alike.setdefault(os.path.basename(one_form(key)), []).append(key)
        for other in self._others:
            if len(keys := self._keys_of(other)) == 1:
                self._owners[keys[0]] = other
        return self

    def __exit__(self, *error: object) -> None:
        self._file.close()

    def read(self, stimulus):
        keys = self._keys_of(stimulus)
        if len(keys) != 1:
            maps = f"the maps {keys[0]} and {keys[1]}" if keys else "no map"
            raise InputError(
                f"{self._who}: the stimulus {stimulus!r} has {maps} in {self._path}; it "
                f"needs one{'' if keys else self._nearest(stimulus)}"
            )
        other = self._owners.setdefault(keys[0], stimulus)
        if other != stimulus:
            raise InputError(
                f"{self._who}: {keys[0]} in {self._path} is the map of two stimuli, "
                f"{other!r} and {stimulus!r}; call each map by the whole name of its stimulus"
            )
        return self._file[keys[0]]

    def _keys_of(self, stimulus):
        """Names of the datasets that may be the map of a stimulus."""
        name = one_form(stimulus)
        forms = {key: one_form(key) for key in self._alike.get(os.path.basename(name), ())}
        return [key for key, form in forms.items() if form == name] or [
            key
            for key, form in forms.items()
            if name.endswith(f"/{form}") or form.endswith(f"/{name}")
        ]

    def _nearest(self, name):
        """Return "; there is x" if a map has the name in another case or without extension."""
        stem = os.path.splitext(os.path.basename(name))[0].casefold()
        for key in self._keys:
            base = os.path.basename(one_form(key)).casefold()
            if stem in (base, os.path.splitext(base)[0]):
                return f"; there is {key}, which is not {name}"
        return ""
