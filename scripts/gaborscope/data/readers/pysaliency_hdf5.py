"""The HDF5 files that pysaliency writes by `to_hdf5`: names, images, fixations."""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

os.environ.setdefault("HDF5_USE_FILE_LOCKING", "FALSE")

import h5py
import numpy as np

from gaborscope.errors import InputError, reading

LARGEST = 1 << 28  # values of one dataset


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
            size = int(file.attrs["size"])
            return [f"stimulus_{i:05d}.png" for i in range(size)], [None] * size
        if _kind(file) != "FileStimuli":
            raise ValueError(f"it holds {_kind(file)}, not stimuli")
        relative = [_text(entry) for entry in file["filenames"][()]]
        names = [entry.replace("\\", "/").rsplit("/", 1)[-1] for entry in relative]
        if len(set(names)) < len(names):
            names = [os.path.normpath(entry) for entry in relative]
        return names, [Path(path).parent / entry for entry in relative]

    names, paths = _open(path, "stimuli", read)
    if not names:
        raise InputError(f"{path} holds no stimulus; write it again with pysaliency")
    return names, paths


def read_fixations(path: str | Path, n_stimuli: int) -> list[np.ndarray]:
    """
    Return [float64 array (n, 3) of x, y, observer] per stimulus, x and y as in the file.

    Raises
    ------
    InputError
        If the file is not pysaliency's file of fixations, or numbers a stimulus that is missing.
    """
    x, y, stimulus, subject = _open(path, "fixations", _checked_columns)
    wrong = stimulus[(stimulus < 0) | (stimulus >= n_stimuli)]
    if len(wrong):
        raise InputError(
            f"{path} has fixations on stimulus {wrong[0]}, but there are {n_stimuli}; do the "
            "two files belong together?"
        )
    order = np.argsort(stimulus, kind="stable")
    rows = np.column_stack([x, y, subject]).astype(float)[order]
    bounds = np.searchsorted(stimulus[order], np.arange(n_stimuli + 1))
    return [rows[a:b] for a, b in zip(bounds[:-1], bounds[1:], strict=True)]


def _checked_columns(file):
    columns = x, *_ = _columns(file)
    if any(column.shape != (len(x),) for column in columns):
        raise ValueError("its columns differ in length")
    return columns


def _columns(file):
    kind = _kind(file)
    if kind == "Fixations":
        x, y, n = (np.asarray(file[key][()]) for key in ("x", "y", "n"))
        key = "subjects" if "subjects" in file else "subject"
        return x, y, n.astype(int), np.asarray(file[key][()]) if key in file else np.zeros(len(x))
    if kind == "FixationTrains":
        keys = ("train_xs", "train_ys", "train_ns", "train_subjects")
        xs, ys, n, subject = (np.asarray(file[key][()]) for key in keys)
    elif kind in ("ScanpathFixations", "Scanpaths"):
        group = file["scanpaths"] if kind == "ScanpathFixations" else file
        xs, ys, n = (np.asarray(group[key][()]) for key in ("xs", "ys", "n"))
        attributes = group["scanpath_attributes"]
        subject = np.zeros(len(n))
        if "subject" in attributes and attributes["subject"].dtype.kind in "iuf":
            subject = np.asarray(attributes["subject"][()])
    else:
        raise ValueError(f"it holds {kind}, not fixations")
    train, place = np.nonzero(~np.isnan(xs))  # shorter trains are filled up with nan
    return xs[train, place], ys[train, place], n[train].astype(int), subject[train]


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
    fault = f"{path} is not a file of {content} that pysaliency wrote"
    with reading(fault, "write it again with to_hdf5"), h5py.File(path, "r") as file:
        file.visititems(_check_member)
        return read(file)


def _check_member(name, member):
    """Raise if a dataset is too large, or its values lie in other files."""
    if not isinstance(member, h5py.Dataset):
        return
    if (member.size or 0) > LARGEST:
        raise ValueError(f"{name} has the shape {member.shape}")
    if member.external or member.is_virtual:
        raise ValueError(f"{name} refers to other files")


def _kind(file):
    return _text(file.attrs["type"])


def _text(value):
    return value.decode("utf-8") if isinstance(value, bytes) else str(value)
