"""A data set of any origin in a plain folder: stimuli/ and fixations.csv."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from gaborscope.data.layouts import folder as layout
from gaborscope.data.layouts.scan import data_folder, images, observer_number
from gaborscope.data.readers.reading import Selection, assemble, read_files
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
    rows, error = [[] for _ in names], None
    stimuli = images(folder / "stimuli", path.name)
    for fixation in layout.read_fixations(path, stimuli, settings, position):
        i = position[fixation.stimulus]
        error = error or _outside(path, fixation, files[2][i], settings)
        rows[i].append(fixation)
    if error:
        raise error
    selection, fixations = Selection(settings), []
    for name, size, found in zip(names, files[2], rows, strict=True):
        points = np.array([(fixation.x, fixation.y) for fixation in found]).reshape(-1, 2)
        subjects = np.array([observer_number(fixation.subject) for fixation in found], dtype=int)
        onset = np.array([fixation.onset for fixation in found], dtype=float)
        fixations.append(selection.take(points, subjects, size, f"{path}, {name}", onset=onset))
    selection.log()
    facts = {key: settings[key] for key in FACTS if settings.get(key) is not None}
    return assemble(names, files, fixations, facts)


def _outside(path, fixation, size, settings):
    """Return the error of a fixation beyond the right or lower edge, if that is one."""
    if settings.get("outside") == "drop" or fixation.onset < 0:
        return None
    (height, width), texts = size, fixation.text.split("\x1f")[1:]
    for column, value, text, limit in zip(
        "xy", fixation[3:5], texts, (width, height), strict=False
    ):
        if value >= limit:
            return InputError(
                f"{path}, line {fixation.line}: {column} = {text} lies outside the image, which is "
                f"{limit} px {'wide' if column == 'x' else 'high'}; coordinates are 0-based px, "
                "correct or remove the row, or leave out such rows by `outside: drop`"
            )
    return None
