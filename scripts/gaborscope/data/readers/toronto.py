"""Toronto: photographs of a town, indoors and outdoors (Bruce & Tsotsos 2006)."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from gaborscope.data.layouts import toronto as layout
from gaborscope.data.layouts.scan import data_folder
from gaborscope.data.readers.reading import (
    assemble,
    mapped_points,
    read_files,
    read_mat,
    unknown_observers,
)
from gaborscope.errors import InputError
from gaborscope.stimuli.block import StimulusBlock

FACTS = {
    "images": "120 of 681 x 511 px",
    "observers": "20, not told apart",
    "duration_s": 4.0,
    "task": "free viewing",
    "faults": "a pixel counts once; the observers' own files are not in px of the image",
    "source": "Toronto: Bruce, Tsotsos 2006, NIPS 18 (eyetrackingdata.zip)",
    "licence": "none stated by the authors",
}


def load(settings: Mapping[str, Any], names: Sequence[str], root: str | Path) -> StimulusBlock:
    """
    Return stimuli and fixations of the Toronto data in the layout of its authors' archive.

    - 120 photographs of indoor and outdoor scenes, all 681 x 511 px (JPEG);
    - 20 observers; px of the image per degree are not stated, so densities are blurred by 3 % of
      the width unless the config gives px_per_degree or sigma_px;
    - 4 s per stimulus, a grey screen between them;
    - task: free viewing;
    - known faults: origfixdata.mat holds a binary map per image, which does not tell observers
      apart (all are 0, the gold standard is undefined), and several fixations of a pixel count
      once; the files of single observers (Raw/*.fix) are in other units and not read; many scenes
      have no object of special interest.

    The pixel is that of the map: MATLAB's (1, 1) is (0, 0) here, as in pysaliency.

    Licence: none stated by the authors, who distribute the data for research.

    References
    ----------
    Bruce, N. D. B., Tsotsos, J. K. (2006). Saliency based on information maximization. NIPS 18,
    155-162.
    """
    base = layout.base_folder(data_folder(settings, root))
    files = read_files(base / layout.IMAGES, names, settings)
    path = base / layout.TABLE
    maps = read_mat(path, "Toronto's maps of fixations", lambda variables: list(variables["white"]))
    fixations = []
    for name, size in zip(names, files[2], strict=True):
        number = layout.number(name)
        if number is None or number > len(maps):
            raise InputError(f"{path} holds {len(maps)} maps and none for {name}; fetch it again")
        points = mapped_points(np.asarray(maps[number - 1]), size, f"{path}, map {number}")
        fixations.append((points, unknown_observers(points)))
    return assemble(names, files, fixations, dict(FACTS))
