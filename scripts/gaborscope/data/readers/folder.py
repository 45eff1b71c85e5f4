"""A data set of any origin in a plain folder: stimuli/ and fixations.csv."""

import math
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from gaborscope.data.layouts import folder as layout
from gaborscope.data.layouts.scan import data_folder
from gaborscope.data.readers.reading import assemble, read_files
from gaborscope.errors import InputError
from gaborscope.stimuli.block import StimulusBlock

FACTS = ("px_per_degree", "sigma_px", "task", "duration_s", "source", "licence")


def load(settings: Mapping[str, Any], names: Sequence[str], root: str | Path) -> StimulusBlock:
    """
    Return stimuli and fixations from the folder `path`/stimuli and from `path`/fixations.csv.

    The number of an observer is the CRC-32 of the text of its id, without the top bit. So an
    observer has the same number in every block. The facts px_per_degree, sigma_px, task,
    duration_s, source and licence are taken from the settings, as far as they are given.
    """
    folder = data_folder(settings, root)
    files = read_files(folder / "stimuli", names, settings)
    position = {name: i for i, name in enumerate(names)}
    path = folder / "fixations.csv"
    points, subjects = [[] for _ in names], [[] for _ in names]
    for line, stimulus, subject, x, y in layout.read_fixation_rows(path):
        i = position.get(stimulus)
        if i is None:
            continue
        height, width = files[2][i]
        points[i].append(
            (_coordinate(path, line, "x", x, width), _coordinate(path, line, "y", y, height))
        )
        subjects[i].append(zlib.crc32(subject.encode()) & 0x7FFFFFFF)
    return assemble(
        names,
        files,
        [(np.array(p, float).reshape(-1, 2), s) for p, s in zip(points, subjects, strict=True)],
        {key: settings[key] for key in FACTS if settings.get(key) is not None},
    )


def _coordinate(path, line, column, text, limit):
    """Return `text` as a number; raise unless -0.5 <= number < limit."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not -0.5 <= value < math.inf:
        raise layout.number_error(path, line, column, text)
    if value >= limit:
        extent = "wide" if column == "x" else "high"
        raise InputError(
            f"{path}, line {line}: {column} = {text} lies outside the image, which is {limit} px "
            f"{extent}; coordinates are 0-based px; correct or remove the row"
        )
    return value
