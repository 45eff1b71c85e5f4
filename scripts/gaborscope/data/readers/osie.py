"""OSIE: photographs rich in objects (Xu et al. 2014)."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from gaborscope.data.layouts import coordinates
from gaborscope.data.layouts.scan import data_folder
from gaborscope.data.readers.reading import Selection, assemble, read_files, read_mat
from gaborscope.errors import InputError
from gaborscope.stimuli.block import StimulusBlock

FACTS = {
    "images": "700 of 800 x 600 px",
    "observers": "15",
    "duration_s": 3.0,
    "task": "free viewing",
    "faults": "1-based coordinates, a tenth of them ending in .5; central first fixations are kept",
    "px_per_degree": 24.0,
    "source": "OSIE: Xu et al. 2014, Journal of Vision 14(1):28",
    "licence": "MIT",
}


def load(settings: Mapping[str, Any], names: Sequence[str], root: str | Path) -> StimulusBlock:
    """
    Return stimuli and fixations of OSIE in the layout of its authors: stimuli/, eye/fixations.mat.

    - 700 photographs of everyday scenes rich in semantics, all 800 x 600 px (JPEG);
    - 15 observers, 98,321 fixations (111 to 179 per stimulus), about 24 px per degree of visual
      angle, the sigma with which the authors blur;
    - 3 s per stimulus;
    - task: free viewing;
    - known faults: coordinates are 1-based with one decimal, and a tenth of them ends in exactly
      .5. The authors' pixel is floor(v + 0.5) - 1; rounding half to even, or truncating the raw
      numbers, is off by one for many. Stored here is x = v - 1, so that floor(x + 0.5) is the
      authors' pixel. For an observer with one fixation the file may hold a scalar. 6.5 % of the
      fixations are shorter than 80 ms; the first fixation lies within 2 degrees of the centre in
      19 % of the trials, later ones in 3 %; none is left out here. Stimuli 1279 and 1374 are the
      same photograph, saved twice (mean difference 0.002 of 255).

    The number of an observer is its index in the file, 0 .. 14. A stimulus without an entry in
    the file is an error. An entry without an image is ignored, so a part of the set can be used.

    Licence: MIT, (c) 2014 NUS VIP - Visual Information Processing Lab.

    References
    ----------
    Xu, J., Jiang, M., Wang, S., Kankanhalli, M. S., Zhao, Q. (2014). Predicting human gaze beyond
    pixels. Journal of Vision 14(1):28. Counts and faults were measured on the file.
    """
    folder = data_folder(settings, root)
    files = read_files(folder / "stimuli", names, settings)
    path = folder / "eye" / "fixations.mat"
    entries = read_mat(path, "OSIE's table of fixations", _entries)
    coordinates.require_px(
        path,
        {image: [(x - 1, y - 1) for o in entry for x, y in zip(*o, strict=False)]
         for image, entry in entries.items()},
        lambda image: coordinates.image_size(folder / "stimuli" / image, settings),
        settings,
    )  # fmt: skip
    selection, fixations = Selection(settings), []
    for name, size in zip(names, files[2], strict=True):
        if name not in entries:
            raise InputError(
                f"{path} has no entry for the stimulus {name}; remove the image, or use the type "
                "folder for other images"
            )
        points, subject = [np.empty((0, 2))], []
        for j, (x, y) in enumerate(entries[name]):
            where = f"{path}, {name}, observer {j}"
            if x.size != y.size:
                raise InputError(
                    f"{where} has {x.size} fix_x but {y.size} fix_y; fetch the file again"
                )
            zero_based = np.column_stack([x, y]) - 1
            taken = selection.take(zero_based, [j] * len(zero_based), size, where, shift=1)
            points.append(taken[0])
            subject += taken[1].tolist()
        fixations.append((np.concatenate(points), subject))
    selection.log()
    return assemble(names, files, fixations, dict(FACTS))


def _entries(variables):
    """Return {stimulus name: [(x, y) of each observer]}, float64 arrays, 1-based as in the file."""
    return {
        str(entry.img): [
            (
                np.asarray(observer.fix_x, dtype=float).ravel(),
                np.asarray(observer.fix_y, dtype=float).ravel(),
            )
            for observer in np.atleast_1d(entry.subjects)
        ]
        for entry in np.atleast_1d(variables["fixations"])
    }
