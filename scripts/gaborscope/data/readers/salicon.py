"""SALICON: photographs of MS COCO, looked at through a mouse (Jiang et al. 2015)."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from gaborscope.data.layouts import coordinates
from gaborscope.data.layouts import salicon as layout
from gaborscope.data.layouts.scan import data_folder, stem
from gaborscope.data.readers.reading import Selection, assemble, read_files, read_mats
from gaborscope.stimuli.block import StimulusBlock

FACTS = {
    "images": "10,000 (train) and 5,000 (val) of 640 x 480 px",
    "observers": "some 50 per image, numbered within each image",
    "duration_s": 5.0,
    "task": "free viewing, mouse-contingent: no eye was tracked",
    "faults": "mouse, not gaze; observers cannot be followed from image to image; 1-based",
    "sigma_px": 19.0,
    "source": "SALICON: Jiang, Huang, Duan, Zhao 2015, CVPR",
    "licence": "CC BY 4.0 (fixations); images: terms of Flickr, see MS COCO",
}


def load(settings: Mapping[str, Any], names: Sequence[str], root: str | Path) -> StimulusBlock:
    """
    Return stimuli and fixations of SALICON in the layout of its authors' archives.

    - 10,000 training and 5,000 validation photographs of MS COCO, 640 x 480 px (JPEG); the
      fixations of the 5,000 test photographs are not public;
    - about 50 crowdsourced observers per image; degrees of visual angle are unknown, so densities
      are blurred by the authors' 19 px;
    - 5 s per stimulus;
    - task: free viewing of a blurred image that is sharp around the mouse;
    - known faults: the mouse stands for the eye, but it is slower and goes less to the borders;
      coordinates are 1-based; the number of an observer is its place in the file of one image, so
      equal numbers in two images are different people; an observer without a fixation has an empty
      array, one with a single fixation loads as one row; the releases of 2015 and 2017 differ in
      the fixations, and the files do not tell which one they are, so state it; in the release of
      2017 a few locations lie outside of the image: they are left out and counted in the log.

    The `fixations` of each observer are used, not the `location` of every sample of the mouse.
    Every part is used whose folders images/{part} and fixations/{part} exist. Move the folders of
    other parts away.

    Licence: Creative Commons Attribution 4.0 for the annotations; the images stand under the terms
    of Flickr, see MS COCO.

    References
    ----------
    Jiang, M., Huang, S., Duan, J., Zhao, Q. (2015). SALICON: saliency in context. CVPR 2015,
    1072-1080.
    """
    folder = data_folder(settings, root)
    parts = layout.part_folders(folder)
    places = {name: _place(parts, name) for name in names}
    files = read_files("", [places[name][0] for name in names], settings)
    paths = [places[name][1] for name in names]
    fixated = read_mats(paths, "SALICON's fixations of an image", _observers)
    tables = dict(zip(names, fixated, strict=True))
    sizes = dict(zip(names, files[2], strict=True))
    points = {name: np.concatenate([np.empty((0, 2)), *tables[name]]) for name in names}
    coordinates.require_px(folder, points, sizes.get, settings)
    selection, fixations = Selection(settings, outside="drop"), []
    for name in names:
        subject = np.repeat(
            np.arange(len(tables[name])), [len(fixated) for fixated in tables[name]]
        )
        where = str(places[name][1])
        fixations.append(selection.take(points[name], subject, sizes[name], where, shift=1))
    selection.log()
    return assemble(names, files, fixations, dict(FACTS))


def _place(parts, name):
    """Return the paths of a stimulus and of its fixations."""
    for pictures, tables in parts:
        if (pictures / name).exists():
            return pictures / name, tables / f"{stem(name)}.mat"
    return Path(parts[0][0], name), Path(parts[0][1], f"{stem(name)}.mat")


def _observers(variables):
    """Return [0-based points (n, 2) of each observer]."""
    return [
        np.asarray(observer.fixations, dtype=float).reshape(-1, 2) - 1
        for observer in np.atleast_1d(variables["gaze"])
    ]
