"""The HDF5 files that pysaliency writes by `to_hdf5`: names, images, fixations."""

import logging
import math
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("HDF5_USE_FILE_LOCKING", "FALSE")

import h5py
import numpy as np

from gaborscope.data import apart
from gaborscope.data.layouts import coordinates
from gaborscope.data.layouts.scan import MISSING, observer, observer_number, one_form, say_alike
from gaborscope.errors import InputError, reading

log = logging.getLogger("gaborscope")

LARGEST = 1 << 28  # bytes of one dataset
AGAIN = "write it again with to_hdf5"
RATIO = 1100  # bytes that one stored byte may unpack to; gzip reaches 1032


def read_names(path: str | Path) -> tuple[list[str], Sequence[Path | None]]:
    """
    Return names and image files of the stimuli in a file that pysaliency wrote.

    Returns
    -------
    names : list of str
    paths : list of Path, or of None for embedded images

    Raises
    ------
    InputError
        If the file is not pysaliency's file of stimuli.
    """

    def read(file):
        if _kind(file) == "Stimuli":
            size = int(_attribute(file, "size"))
            if size > len(file):
                raise ValueError(f"it holds {len(file)} of {size} stimuli")
            return [f"stimulus_{i:05d}.png" for i in range(size)], [None] * size
        if _kind(file) != "FileStimuli":
            raise ValueError(f"it holds {_kind(file)}, not stimuli")
        relative = [_text(entry) for entry in file["filenames"][()]]
        names = [entry.replace("\\", "/").rsplit("/", 1)[-1] for entry in relative]
        if len(set(names)) < len(names):
            names = [os.path.normpath(entry) for entry in relative]
        paths, first = [_existing(Path(path).parent, entry) for entry in relative], {}
        for n, place in enumerate(paths):
            if (other := first.setdefault(os.path.abspath(place), n)) != n:
                raise ValueError(
                    f"its stimuli {other} ({relative[other]!r}) and {n} ({relative[n]!r}) are one "
                    "image"
                )
        return names, paths

    names, paths = _open(path, "stimuli", read)
    if not names:
        raise InputError(f"{path} holds no stimulus; write it again with pysaliency")
    return names, paths


def read_fixations(path: str | Path, n_stimuli: int) -> tuple[list[np.ndarray], dict[int, str]]:
    """
    Return the fixations of each stimulus, and the ids of the observers.

    Returns
    -------
    rows : list of float64 array (n, 4)
        x, y, observer, time; x and y as in the file, nan where the time is not stated.
    ids : dict of int to str
        The id of each observer in the file by the number in the rows.

    Raises
    ------
    InputError
        If the file is not pysaliency's file of fixations, or numbers a stimulus that is missing.
    """
    (x, y, stimulus, subject, time), ids = _open(path, "fixations", _checked_columns)
    wrong = stimulus[(stimulus < 0) | (stimulus >= n_stimuli)]
    if len(wrong):
        raise InputError(
            f"{path} has fixations on stimulus {wrong[0]}, but there are {n_stimuli}; do the "
            "two files belong together?"
        )
    order = np.argsort(stimulus, kind="stable")
    rows = np.column_stack([x, y, subject, time]).astype(float)[order]
    bounds = np.searchsorted(stimulus[order], np.arange(n_stimuli + 1))
    return [rows[a:b] for a, b in zip(bounds[:-1], bounds[1:], strict=True)], ids


def _checked_columns(file):
    x, y, n, (subject, ids), time = _columns(file)
    columns = x, y, n, subject, time
    if any(column.shape != (len(x),) for column in columns):
        raise ValueError("its columns differ in length")
    return columns, ids


def _numbers(group, key):
    """Return a dataset of real numbers."""
    found = np.asarray(group[key][()])
    if found.dtype.kind not in "iuf":
        raise ValueError(f"{key} holds {found.dtype}, not numbers")
    return found


def _whole(group, key):
    """Return a dataset of whole numbers."""
    found = _numbers(group, key)
    if (wrong := found[(found != np.floor(found)) | np.isinf(found)]).size:  # nan too
        raise ValueError(f"{key} holds {wrong[0]:g}, which is no whole number")
    return found.astype(int)


def _times(group, shape, *keys):
    """Return the dataset of times of a shape, nan where there is none."""
    for key in keys:
        if key in group:
            found = _numbers(group, key).astype(float)
            if found.shape != shape:
                raise ValueError(f"{key} has the shape {found.shape}, the fixations {shape}")
            return found
    return np.full(shape, np.nan)


def require_px(
    path: Path,
    table: Path,
    names: Sequence[str],
    images: Sequence[Path | None],
    points: Sequence[np.ndarray],
    settings: Mapping[str, Any],
    ids: Mapping[int, str] | None = None,
) -> None:
    """
    Raise an InputError if the fixations cannot be px of the images.

    Parameters
    ----------
    path, table : Path
        The files of stimuli and of fixations.
    names, images
        As `read_names` returns them.
    points
        As `read_fixations` returns them.
    settings : dict
        See `coordinates.require_px`.
    ids
        As `read_fixations` returns them; then each observer is checked too.
    """
    taken = [rows[~(rows[:, 3] < 0)] for rows in points]  # those before the stimulus are not
    by_name = {name: rows[:, :2].tolist() for name, rows in zip(names, taken, strict=True)}
    observers = None
    if ids is not None:
        observers = {number: coordinates.Observer() for number in ids}
        for name, rows in zip(names, taken, strict=True):
            for x, y, number, _ in rows.tolist():
                observers[number].add(x, y, name)
        observers = {ids[number]: observer for number, observer in observers.items()}
    if images[0] is not None:
        places = {name: Path(image) for name, image in zip(names, images, strict=True) if image}
        coordinates.require_px(
            table,
            by_name,
            lambda name: coordinates.image_size(places[name], settings),
            settings,
            observers,
        )
        return
    number = {name: str(index) for index, name in enumerate(names)}

    def check(file):
        sizes = lambda name: file[number[name]].shape[:2]  # noqa: E731
        coordinates.require_px(table, by_name, sizes, settings, observers)

    _open(path, "stimuli", check)


def _existing(folder, entry):
    """Return the path of an image; its name may stand in another form of Unicode on the disk."""
    path = folder / entry
    if entry.isascii() or path.exists():
        return path
    alike = (p for p in path.parent.glob("*") if one_form(p.name) == one_form(path.name))
    return next(alike, path)


def _observers(ids, where):
    """
    Return the number of the observer of each fixation, and {number: id}, of numbers or texts.

    Whole numbers below 10^9 stay as they are where all ids are such; else every number is the
    checksum of the id, as of the ids in fixations.csv.
    """
    values, place = np.unique(np.asarray(ids), return_inverse=True)
    texts = [observer(_text(value)) for value in values.tolist()]
    if any(text.lower() in MISSING for text in texts):
        raise ValueError("a fixation has no observer")
    say_alike(where, texts)
    whole = all(re.fullmatch(r"0|[1-9]\d{0,8}", text) for text in texts)
    numbers = [int(text) if whole else observer_number(text) for text in texts]
    if len(set(numbers)) < len(set(texts)):
        raise ValueError("two ids of observers have the same checksum")
    return np.array(numbers, dtype=int)[place], dict(zip(numbers, texts, strict=True))


def _columns(file):
    kind, length = _kind(file), None
    if kind == "Fixations":
        x, y, n = _numbers(file, "x"), _numbers(file, "y"), _whole(file, "n")
        return x, y, n, _subjects(file, len(x)), _times(file, x.shape, "t")
    if kind == "FixationTrains":
        xs, ys = _numbers(file, "train_xs"), _numbers(file, "train_ys")
        n, times = _whole(file, "train_ns"), _times(file, xs.shape, "train_ts")
        subject, ids = _observers(file["train_subjects"][()], file.filename)
    elif kind in ("ScanpathFixations", "Scanpaths"):
        group = file["scanpaths"] if kind == "ScanpathFixations" else file
        xs, ys, n = _numbers(group, "xs"), _numbers(group, "ys"), _whole(group, "n")
        subject, ids = _subjects(group["scanpath_attributes"], len(n))
        times = _times(group.get("fixation_attributes", {}), xs.shape, "ts", "t")
        length = _whole(group, "length") if "length" in group else None
    else:
        raise ValueError(f"it holds {kind}, not fixations")
    if xs.shape != ys.shape or not n.shape == subject.shape == (len(xs),):
        raise ValueError("its columns differ in length")
    # shorter trains are filled up with nan; nan before the end is a lost eye
    known = ~(np.isnan(xs) & np.isnan(ys))
    known = np.maximum.accumulate(known[:, ::-1], axis=1)[:, ::-1]
    if length is not None:
        if length.shape != n.shape or ((length < 0) | (length > xs.shape[1])).any():
            raise ValueError(f"length does not fit scanpaths of up to {xs.shape[1]} fixations")
        known &= np.arange(xs.shape[1]) < length[:, None]
    at = np.nonzero(known)
    return xs[at], ys[at], n[at[0]], (subject[at[0]], ids), times[at]


def _subjects(group, n):
    for key in ("subjects", "subject"):
        if key in group:
            return _observers(group[key][()], group.file.filename)
    log.warning("%s does not tell observers apart: all are taken as one", group.file.filename)
    return np.zeros(n, dtype=int), {0: "0"}


def read_embedded(path: str | Path, numbers: Iterable[int]) -> list[np.ndarray]:
    """
    Return the embedded images of some stimuli, each uint8 (height, width, 3).

    Raises
    ------
    InputError
        If one of them is not an image.
    """

    def read(file):
        return [_rgb(file[str(number)][()]) for number in numbers]

    return _open(path, "stimuli", read)


def _rgb(image):
    image = np.asarray(image)
    if image.dtype != np.uint8 or image.ndim not in (2, 3):
        raise ValueError(f"an image is {image.dtype} of shape {image.shape}")
    if image.ndim == 2 or image.shape[2] == 1:
        return np.repeat(image.reshape(*image.shape[:2], 1), 3, axis=2)
    if image.shape[2] == 4 and (image[..., 3] < 255).any() or image.shape[2] not in (3, 4):
        raise ValueError("an image has transparent pixels, or channels other than RGB")
    return np.ascontiguousarray(image[..., :3])


def _open(path, content, read):
    """Return what `read` takes from a file, in a child process: HDF5 crashes on some of them."""
    fault = f"{path} is not a file of {content} that pysaliency wrote"

    def within(path):
        with reading(fault, AGAIN), h5py.File(path, "r") as file:
            file.visititems(_check_member)
            return read(file)

    with reading(fault, AGAIN):
        # HDF5 takes as much memory as a text says to be long
        most = (1 << 30) + 100 * os.path.getsize(path)
        return next(apart.each(within, [path], most))


def _check_member(name, member):
    """Raise if a dataset is too large, or its values lie in other files."""
    if not isinstance(member, h5py.Dataset):
        return
    limit = min(LARGEST, (1 << 20) + RATIO * member.id.get_storage_size())
    if (member.size or 0) * member.dtype.itemsize > limit:
        raise ValueError(f"{name} has the shape {member.shape}, but not as many values")
    if member.external or member.is_virtual:
        raise ValueError(f"{name} refers to other files")


def _attribute(file, name):
    """Return an attribute of the file, unless it is larger than a word or a number can be."""
    found = file.attrs.get_id(name)
    if found.dtype.itemsize * math.prod(found.shape) > 1000 or found.get_storage_size() > 1000:
        raise ValueError(f"its attribute {name} is too large")
    return file.attrs[name]


def _kind(file):
    return _text(_attribute(file, "type"))


def _text(value):
    return value.decode("utf-8") if isinstance(value, bytes) else str(value)
