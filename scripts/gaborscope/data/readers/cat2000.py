"""CAT2000: twenty categories of natural and artificial images (Borji & Itti 2015)."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from gaborscope.data.layouts import cat2000 as layout
from gaborscope.data.layouts.scan import data_folder, stem
from gaborscope.data.readers.reading import (
    assemble,
    mapped_points,
    read_files,
    read_mats,
    unknown_observers,
)
from gaborscope.stimuli.block import StimulusBlock

FACTS = {
    "images": "2000 (training set) of 1920 x 1080 px, 100 in each of 20 categories",
    "observers": "18 per image, not told apart",
    "duration_s": 5.0,
    "task": "free viewing",
    "faults": "grey borders around other aspects; a pixel counts once; folders 'Output' hold no "
    "stimuli",
    "px_per_degree": 38.0,
    "source": "CAT2000: Borji, Itti 2015, arXiv 1505.03581",
    "licence": "none stated by the authors",
}


def load(settings: Mapping[str, Any], names: Sequence[str], root: str | Path) -> StimulusBlock:
    """
    Return stimuli and fixations of CAT2000's training set in the layout of its authors' archive.

    - 2000 images, 100 in each of 20 categories (Action, ..., Sketch), all 1920 x 1080 px with grey
      borders where the content has another aspect (JPEG);
    - 18 observers per image (6 more are held out by the benchmark), about 38 px per degree: 45.5 x
      31 degrees in all, 42 px per degree along x and 35 along y;
    - 5 s per stimulus;
    - task: free viewing;
    - known faults: FIXATIONLOCS does not tell observers apart, so that all are observer 0 and the
      gold standard is undefined; several fixations of a pixel count once; the data of single
      observers lie in a MATLAB container (allFixData.mat) that no free library reads; file names
      repeat in every category, so a stimulus is called {category}/{file}; folders 'Output' in the
      categories hold pictures of fixations, no stimuli; fixations on the grey borders are kept, as
      the authors do.

    The pixel is that of the map: MATLAB's (1, 1) is (0, 0) here. pysaliency reads allFixData.mat
    instead. Its version 1.1 subtracts the same 1 and drops a fixation that repeats the one before,
    as a map does.

    Licence: none stated by the authors, who distribute the data for research.

    References
    ----------
    Borji, A., Itti, L. (2015). CAT2000: a large scale fixation dataset for boosting saliency
    research. CVPR 2015 workshop, arXiv 1505.03581.
    """
    base = layout.base_folder(data_folder(settings, root))
    files = read_files(base / "Stimuli", names, settings)
    paths = [base / "FIXATIONLOCS" / f"{stem(name)}.mat" for name in names]
    maps = read_mats(paths, "a map of CAT2000's fixations", lambda found: found["fixLocs"])
    fixations = []
    for path, locations, size in zip(paths, maps, files[2], strict=True):
        points = mapped_points(locations, size, str(path))
        fixations.append((points, unknown_observers(points)))
    return assemble(names, files, fixations, dict(FACTS))
