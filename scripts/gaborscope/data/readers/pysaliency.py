"""Data sets in the format of pysaliency: an HDF5 file of stimuli and one of fixations."""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from gaborscope.data.layouts import pysaliency as layout
from gaborscope.data.layouts.scan import data_folder
from gaborscope.data.readers import pysaliency_hdf5
from gaborscope.data.readers.reading import Selection, assemble, read_files
from gaborscope.errors import InputError
from gaborscope.stimuli.block import StimulusBlock

FACTS = ("px_per_degree", "sigma_px", "task", "duration_s", "source", "licence")


def load(settings: Mapping[str, Any], names: Sequence[str], root: str | Path) -> StimulusBlock:
    """
    Return stimuli and fixations that pysaliency wrote by `to_hdf5`.

    Stimuli: `FileStimuli` (paths relative to the HDF5 file; a stimulus is called by its file name,
    or by its path where names repeat) or `Stimuli` (images in the file, called stimulus_00000.png,
    ...; grey ones become RGB). Fixations: `Fixations`, `FixationTrains`, `ScanpathFixations` or
    `Scanpaths`. The pixel is that of pysaliency, floor(v), for every data set; stored is
    x = v - 0.5, so that floor(x + 0.5) is the same pixel. Times (t, train_ts) order the fixations
    of an observer, and those with a negative time began before the stimulus. The facts
    px_per_degree, sigma_px, task, duration_s, source and licence are taken from the settings, as
    far as they are given.
    """
    folder = data_folder(settings, root)
    path, table = layout.files(folder, settings)
    known, places = pysaliency_hdf5.read_names(path)
    position = {name: i for i, name in enumerate(known)}
    missing = [name for name in names if name not in position]
    if missing:
        raise InputError(f"{path} has no stimulus {missing[0]}; was it changed meanwhile?")
    numbers = [position[name] for name in names]
    images = None
    if places[0] is None:
        images = pysaliency_hdf5.read_embedded(path, numbers)
        digests = [hashlib.sha256(image.tobytes()).hexdigest() for image in images]
        files = ([""] * len(names), digests, [image.shape[:2] for image in images])
    else:
        files = read_files("", [str(places[number]) for number in numbers], settings)
    points, _ = pysaliency_hdf5.read_fixations(table, len(known))
    pysaliency_hdf5.require_px(path, table, known, places, points, settings)
    selection, fixations = Selection(settings), []
    for name, number, size in zip(names, numbers, files[2], strict=True):
        found = points[number]
        where = f"{table}, {name}"
        taken, subjects = selection.take(
            found[:, :2], found[:, 2], size, where, least=0.0, onset=found[:, 3]
        )
        fixations.append((taken - 0.5, subjects))
    selection.log()
    facts = {key: settings[key] for key in FACTS if settings.get(key) is not None}
    facts.setdefault("source", f"pysaliency: {path.name}, {table.name}")
    return assemble(names, files, fixations, facts, images=images)
