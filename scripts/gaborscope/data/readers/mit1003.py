"""MIT1003: photographs of everyday scenes (Judd et al. 2009)."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from gaborscope.data.layouts import coordinates
from gaborscope.data.layouts import mit1003 as layout
from gaborscope.data.layouts.scan import data_folder, nested, stem
from gaborscope.data.readers import eyedata
from gaborscope.data.readers.reading import (
    Selection,
    assemble,
    mapped_points,
    read_files,
    read_mats,
    unknown_observers,
)
from gaborscope.errors import InputError
from gaborscope.stimuli.block import StimulusBlock
from gaborscope.stimuli.images import read_image

FACTS = {
    "images": "1003, longer side 1024 px, the other 405 to 1024 px, landscape and portrait",
    "observers": "15",
    "duration_s": 3.0,
    "task": "free viewing",
    "faults": "central first fixations and those outside are left out, as the authors do",
    "px_per_degree": 34.0,
    "source": "MIT1003: Judd, Ehinger, Durand, Torralba 2009, ICCV",
    "licence": "none stated by the authors",
}


def load(settings: Mapping[str, Any], names: Sequence[str], root: str | Path) -> StimulusBlock:
    """
    Return stimuli and fixations of MIT1003 in the layout of its authors' archives.

    - 1003 photographs of indoor and outdoor scenes, landscape and portrait, the longer side
      1024 px, the other 405 to 1024 px (JPEG);
    - 15 observers, 34 px per degree of visual angle by the authors' code (others take 35);
    - 3 s per stimulus, a memory test on some of them at the end;
    - task: free viewing;
    - known faults: every trial begins with a fixation of the central cross, which is left out here
      as by the authors; blinks are negative coordinates and some fixations lie outside of the
      image: both are left out and counted in the log; names of variables in the files are cut to
      63 characters; the folders also hold the order of trials, calibrations, and files of the
      operating system; an image without eye data is not a stimulus.

    With the folder DATA (eye positions at 240 Hz) fixations are detected as by the authors' code
    (`eyedata`). The number of an observer is the place of its folder in sorted order. The pixel is
    that of the authors' programs, floor(v) - 1, because MATLAB's indices count from 1. pysaliency
    takes floor(v), one pixel to the right and below; it keeps the second fixation where the first
    is outside, as here.

    With ALLFIXATIONMAPS instead, the fixated pixels of x_fixPts.jpg are taken. Observers are not
    told apart (all are 0) and several fixations of a pixel count once. The map is a JPEG, so a
    pixel is fixated if it is above the middle of the range.

    Licence: none stated by the authors, who distribute the data for research.

    References
    ----------
    Judd, T., Ehinger, K., Durand, F., Torralba, A. (2009). Learning to predict where humans look.
    ICCV 2009, 2106-2113. Facts are those of the paper and of README.txt in DatabaseCode.zip.
    """
    folder = data_folder(settings, root)
    files = read_files(nested(folder, "ALLSTIMULI"), names, settings)
    records = layout.eye_data(folder)
    facts: dict[str, Any] = dict(FACTS)
    if records is None:
        if settings.get("drop_first"):
            raise InputError(
                f"{folder} has maps of fixations, in which none is the first; remove drop_first, "
                "or unpack the authors' folder DATA"
            )
        facts["observers"] += ", not told apart"
        facts["faults"] = "JPEG maps of the pixels fixated, once each, by any observer"
        base = nested(folder, "ALLFIXATIONMAPS")
        per_stimulus = [
            _mapped(base, stem(n), size) for n, size in zip(names, files[2], strict=True)
        ]
    else:
        base = nested(folder, "DATA")
        observers = sorted({observer for trials in records.values() for observer, _ in trials})
        trials = [[(o, stem(n)) for o, _ in records.get(stem(n), [])] for n in names]
        paths = [base / o / f"{trial}.mat" for of_stimulus in trials for o, trial in of_stimulus]
        traces = read_mats(paths, "a trial of MIT1003", _trace)
        per_stimulus = [
            _tracked([(observers.index(o), next(traces)) for o, _ in of_stimulus])
            for of_stimulus in trials
        ]
    sizes = dict(zip(names, files[2], strict=True))
    points = {name: found[0] for name, found in zip(names, per_stimulus, strict=True)}
    coordinates.require_px(base, points, sizes.get, settings)
    # eyedata has left out the first fixations already, as the authors do
    selection = Selection({**settings, "drop_first": False}, outside="drop")
    fixations = [
        selection.take(points[name], subjects, sizes[name], f"{base}, {name}")
        for name, (_, subjects) in zip(names, per_stimulus, strict=True)
    ]
    selection.log()
    return assemble(names, files, fixations, facts)


def _mapped(base, name, size):
    path = next((p for p in sorted(base.iterdir()) if p.stem == name + layout.POINTS), None)
    if path is None:
        raise InputError(f"there is no fixation map of {name} in {base}; unpack the archive again")
    points = mapped_points(read_image(path)[..., 0] > 127, size, str(path))
    return points, unknown_observers(points)


def _tracked(traces):
    points, subject = [np.empty((0, 2))], []
    for observer, trace in traces:
        # the authors' pixel is floor(v) - 1; here it is floor(x + 0.5), so x = v - 1.5
        fixated = eyedata.fixations(trace).reshape(-1, 2)[1:] - 1.5
        points.append(fixated)
        subject += [observer] * len(fixated)
    return np.concatenate(points), subject


def _trace(variables):
    """Return the eye positions (n, 2) of a trial: the only variable, named by the stimulus."""
    (trial,) = [value for key, value in variables.items() if not key.startswith("__")]
    data = np.asarray(np.atleast_1d(trial.DATA)[0].eyeData, dtype=float)
    data = np.atleast_2d(data)
    if data.ndim > 2 or data.shape[1] not in (0, 2, 3):
        raise ValueError(f"its eyeData has the shape {data.shape}")
    return data[:, :2].reshape(-1, 2)
