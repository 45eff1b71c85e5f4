"""
Stimuli and fixations of one block as arrays, a module per type of data set.

Each module offers `load(settings, names, root)`, which returns a `StimulusBlock`. Its docstring
states the five facts of the data set (images, observers, viewing time, task, known faults) and its
licence. The same facts stand in `facts` of the block and in the file written from it.
"""

import hashlib
import logging
import struct
import warnings
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy.io import loadmat

from gaborscope.data import apart
from gaborscope.errors import InputError, reading
from gaborscope.stimuli.block import StimulusBlock
from gaborscope.stimuli.images import open_image

log = logging.getLogger("gaborscope")

LARGEST_MAT = 1 << 30  # bytes that the variables of a MATLAB file may unpack to
AGAIN = "fetch it again from its authors"


def read_files(
    folder: str | Path, names: Sequence[str], settings: Mapping[str, Any]
) -> tuple[list[str], list[str], list[tuple[int, int]]]:
    """
    Return absolute paths, SHA-256 and sizes of the stimuli, each decoded in full.

    `settings` may say by `exif` what an EXIF orientation means. The log says of how many stimuli
    `open_image` had to decide something, and names the first.
    """
    paths = [str(Path(folder, name).absolute()) for name in names]
    shapes, noted = [], {}
    for path in paths:
        image, notes = open_image(path, settings.get("exif"))
        shapes.append(image.shape[:2])
        for note in notes:
            noted.setdefault(note, []).append(path)
    for note, those in noted.items():
        log.info("%d of %d images (first %s): %s", len(those), len(paths), those[0], note)
    return paths, [hashlib.sha256(Path(path).read_bytes()).hexdigest() for path in paths], shapes


def read_mats(
    paths: Sequence[str | Path], what: str, extract: Callable[[dict[str, Any]], Any]
) -> Iterator[Any]:
    """
    Return the part of each MATLAB file that `extract` takes; any fault is reported in one sentence.

    scipy crashes or hangs on some damaged files, so the files are read in a child process.

    Parameters
    ----------
    paths : sequence of Path
    what : str
        Content of a file, for the message, such as "OSIE's table of fixations".
    extract : callable
        Takes the dict of variables (squeezed, structs as objects).

    Yields
    ------
    part : object
        Of each file, in order.

    Raises
    ------
    InputError
        If a file cannot be read or has other content.
    """

    def read(path):
        with (
            reading(f"{path} is not {what}", AGAIN),
            warnings.catch_warnings(action="ignore"),
        ):
            _check_unpacked(path)
            return extract(loadmat(path, squeeze_me=True, struct_as_record=False))

    parts = apart.each(read, paths, 4 * LARGEST_MAT)
    for path in paths:
        with reading(f"{path} is not {what}", AGAIN):
            part = next(parts)
        yield part


def read_mat(path: str | Path, what: str, extract: Callable[[dict[str, Any]], Any]) -> Any:
    """Return the part of one MATLAB file that `extract` takes, see `read_mats`."""
    (part,) = read_mats([path], what, extract)
    return part


def _check_unpacked(path):
    """
    Unpack the variables of a MATLAB file of version 5, and keep nothing of them.

    scipy does not check their sums, and a wrong bit can end the process.
    """
    data, n_unpacked, at = memoryview(Path(path).read_bytes()), 0, 128
    order = {b"IM": "<", b"MI": ">"}.get(bytes(data[126:128]))
    while order and at + 8 <= len(data):
        kind, size = struct.unpack_from(f"{order}II", data, at)
        packed, stream = data[at + 8 : at + 8 + size], zlib.decompressobj()
        while kind == 15 and not stream.eof:  # 15: compressed
            part = stream.decompress(packed, 1 << 20)
            packed, n_unpacked = stream.unconsumed_tail, n_unpacked + len(part)
            if n_unpacked > LARGEST_MAT:
                raise ValueError(f"it unpacks to more than {LARGEST_MAT >> 20} MB")
            if not (part or stream.eof):
                raise ValueError("it is cut short")
        at += 8 + size


def mapped_points(locations: np.ndarray, size: tuple[int, int], where: str) -> np.ndarray:
    """
    Points of a binary map of fixation locations.

    Parameters
    ----------
    locations : (height, width) array
        Not zero where somebody fixated; MATLAB's (1, 1) is the pixel (0, 0).
    size : (height, width)
        Size of the stimulus in px.
    where : str
        File of the map, for the message.

    Returns
    -------
    points : float64 array (n, 2)
        x, y, row by row.

    Raises
    ------
    InputError
        If the map does not have the size of the stimulus, or a value is no finite number.
    """
    locations = np.asarray(locations)
    if locations.shape != tuple(size):
        raise InputError(
            f"{where} is a map of shape {locations.shape}, but the stimulus has {size[1]} x "
            f"{size[0]} px (width x height); fetch both again from the authors"
        )
    if locations.dtype.kind not in "buif" or not np.isfinite(locations).all():
        raise InputError(
            f"{where} holds values that are not finite numbers; fetch it again from the authors"
        )
    y, x = np.nonzero(locations)
    return np.column_stack([x, y]).astype(float)


def inside(points: np.ndarray, size: tuple[int, int], least: float = -0.5) -> np.ndarray:
    """Return which points lie in the stimulus: least <= value < extent (false for nan)."""
    extent = np.array([size[1], size[0]], dtype=float)
    return np.asarray(((points >= least) & (points < extent)).all(axis=1))


def check_inside(
    points: np.ndarray,
    size: tuple[int, int],
    where: str,
    shift: float = 0.0,
    least: float = -0.5,
) -> None:
    """
    Raise an InputError that names the first point outside of the stimulus.

    Parameters
    ----------
    points : float array (n, 2)
    size : (height, width)
    where : str
        File and stimulus, for the message.
    shift : float
        Difference of a value in the file and in `points`, added in the message.
    least : float
        Smallest value inside.
    """
    wrong = np.flatnonzero(~inside(points, size, least))
    if wrong.size:
        x, y = points[wrong[0]] + shift
        fault = "has no place in" if np.isnan(x + y) else "lies outside"
        raise InputError(
            f"{where}, fixation {wrong[0]}: x = {x:g}, y = {y:g} {fault} the image of {size[1]} "
            f"x {size[0]} px; is the image of the size its authors distribute? `outside: drop` "
            "leaves out such fixations"
        )


class Selection:
    """
    Which fixations of a block are taken, by the settings of the data set.

    - `drop_first: true` leaves out the first fixation of each observer on each stimulus, by onset
      where there is one, else by order;
    - fixations with a negative onset, which began before the stimulus came on, are left out;
    - `outside: drop` leaves out fixations outside of the stimulus, and places that are nan because
      the eye was lost; `outside: error` stops at the first one.

    A first fixation is one whether or not it lies outside or began early. A lost eye is none.

    Parameters
    ----------
    settings : dict
        The data set's entry of the config.
    outside : {'error', 'drop'}
        What holds where the settings do not say.
    """

    def __init__(self, settings: Mapping[str, Any], outside: str = "error") -> None:
        self._drop_first = bool(settings.get("drop_first"))
        self._drop_outside = settings.get("outside", outside) == "drop"
        self._n = {"all": 0, "lost": 0, "outside": 0, "early": 0, "first": 0}

    def take(
        self,
        points: np.ndarray,
        subjects: np.ndarray | Sequence[int],
        size: tuple[int, int],
        where: str,
        shift: float = 0.0,
        least: float = -0.5,
        onset: np.ndarray | None = None,
    ) -> tuple[np.ndarray, np.ndarray]:
        """
        Return the fixations of one stimulus that are taken.

        Parameters
        ----------
        points : float array (n, 2)
            In the order of looking, for each observer.
        subjects : int array (n,)
        size : (height, width)
        where, shift, least
            See `check_inside`.
        onset : float array (n,), optional
            nan where it is unknown.

        Returns
        -------
        points : float array (m, 2)
        subjects : int array (m,)

        Raises
        ------
        InputError
            If a fixation lies outside, or is nan, and such ones are not left out.
        """
        subjects = np.asarray(subjects, dtype=int)
        onset = np.full(len(points), np.nan) if onset is None else onset
        lost = np.isnan(points).any(axis=1)
        early = ~lost & (onset < 0)
        first = np.zeros(len(points), dtype=bool)
        if self._drop_first:
            order = np.flatnonzero(~lost)
            if not np.isnan(onset[order]).any():  # else the order of the file is all that is known
                order = order[np.argsort(onset[order], kind="stable")]
            first[order[np.unique(subjects[order], return_index=True)[1]]] = True
        outside = ~lost & ~inside(points, size, least)
        if not self._drop_outside:
            check_inside(points[~early], size, where, shift, least)
        self._n["all"] += len(points)
        kept = np.ones(len(points), dtype=bool)
        for kind, wrong in (
            ("lost", lost), ("outside", outside), ("early", early), ("first", first),
        ):  # fmt: skip
            self._n[kind] += int((kept & wrong).sum())
            kept &= ~wrong
        return points[kept], subjects[kept]

    def log(self) -> None:
        """Say how many fixations were left out, and why."""
        reasons = {
            "lost": "without coordinates (blinks)",
            "outside": "outside of their images",
            "early": "begun before the stimulus",
            "first": "each observer's first",
        }
        left_out = [f"{self._n[kind]} {why}" for kind, why in reasons.items() if self._n[kind]]
        if left_out:
            log.info("left out of %d fixations: %s", self._n["all"], ", ".join(left_out))


def assemble(
    names: Sequence[str],
    files: tuple[list[str], list[str], list[tuple[int, int]]],
    fixations: Sequence[tuple[np.ndarray, Sequence[int] | np.ndarray]],
    facts: dict[str, Any],
    images: list[np.ndarray] | None = None,
) -> StimulusBlock:
    """
    Put the parts of a block together.

    Parameters
    ----------
    names : list of str
    files : (paths, sha256, shapes)
        As `read_files` returns them.
    fixations : sequence of (points float array (n, 2), subject int array (n,))
        One pair per stimulus, 0-based px.
    facts : dict
    images : list of uint8 array, optional
        Images to embed.

    Returns
    -------
    block : StimulusBlock
    """
    paths, digests, shapes = files
    sizes = np.array(shapes, dtype=np.int32).reshape(-1, 2)
    counts = [len(points) for points, _ in fixations]
    points = np.concatenate([np.empty((0, 2)), *(points for points, _ in fixations)])
    stimulus = np.repeat(np.arange(len(names), dtype=np.int32), counts)
    subjects = [np.asarray(subject, dtype=np.int32) for _, subject in fixations]
    return StimulusBlock(
        names=list(names),
        paths=paths,
        sha256=digests,
        sizes=sizes,
        x=single(points[:, 0], sizes[stimulus, 1]),
        y=single(points[:, 1], sizes[stimulus, 0]),
        stimulus=stimulus,
        subject=np.concatenate([np.empty(0, np.int32), *subjects]),
        facts=facts,
        images=images,
    )


def single(values: np.ndarray, limits: np.ndarray) -> np.ndarray:
    """
    Return coordinates as float32, in the same pixel floor(v + 0.5) and below their limit.

    Rounding up to float32 may cross the edge of a pixel; such a value is taken one step lower.
    """
    values = np.asarray(values, dtype=np.float64)
    rounded = values.astype(np.float32)
    crossed = np.floor(rounded.astype(np.float64) + 0.5) > np.floor(values + 0.5)
    rounded = np.where(crossed, np.nextafter(rounded, np.float32(-np.inf)), rounded)
    below = np.nextafter(np.asarray(limits, dtype=np.float32), np.float32(0))
    return np.minimum(rounded, below).astype(np.float32)


def unknown_observers(points: np.ndarray) -> np.ndarray:
    """Return observer 0 for every point: the file does not tell observers apart."""
    return np.zeros(len(points), dtype=np.int32)
