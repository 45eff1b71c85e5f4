"""
Stimuli and fixations of one block, as arrays, for each type of data set.

`catalogue` lists and checks the files with the standard library; `readers` has a module per type
that reads them.

Coordinates everywhere in Gaborscope: px of the stimulus, 0-based, x right, y down, the centre of
the upper left pixel at (0, 0). The pixel of a fixation is floor(x + 0.5), so x may be as low as
-0.5. Values up to, not including, the width are accepted, because some recorders count from the
edge of the pixel. The pixel therefore has to be clipped to width - 1.
"""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from gaborscope.data import catalogue
from gaborscope.data.readers import (
    cat2000,
    demo,
    folder,
    mit1003,
    osie,
    pysaliency,
    salicon,
    toronto,
)
from gaborscope.errors import InputError
from gaborscope.stimuli.block import StimulusBlock

log = logging.getLogger("gaborscope")

READERS = {
    "cat2000": cat2000,
    "demo": demo,
    "folder": folder,
    "mit1003": mit1003,
    "osie": osie,
    "pysaliency": pysaliency,
    "salicon": salicon,
    "toronto": toronto,
}


def load_block(
    settings: Mapping[str, Any], names: Sequence[str], root: str | Path
) -> StimulusBlock:
    """
    Return the `StimulusBlock` of the stimuli `names`; every image is decoded once as a check.

    Parameters
    ----------
    settings : dict
        The data set's entry of the config; see the `load` of each reader. `px_per_degree` or
        `sigma_px` in it replace both values that the reader of a published data set states; `exif`
        says what an EXIF orientation means (`images.open_image`).
    names : sequence of str
        From `catalogue.BlockIndex.stimuli`; the order is kept.
    root : str or path
        Folder that a relative `path` in the settings starts at.

    Raises
    ------
    InputError
        If an image cannot be read or a fixation lies outside its image. The message names file,
        row, value and size. If the fixation density that the settings state is wider than a
        stimulus.
    """
    if settings.get("type") not in READERS:
        raise InputError(
            f"data sets of type {settings.get('type')!r} are unknown; known are "
            + ", ".join(catalogue.TYPES)
        )
    block = READERS[settings["type"]].load(settings, list(names), root)
    _log_fixations(block)
    stated = {k: settings[k] for k in ("px_per_degree", "sigma_px") if settings.get(k) is not None}
    if stated:
        kept = {k: v for k, v in block.facts.items() if k not in ("px_per_degree", "sigma_px")}
        block.facts = {**kept, **stated}
        _check_width(block, *next(iter(stated.items())))
    if settings.get("exif"):
        block.facts["exif"] = settings["exif"]
    return block


def _log_fixations(block):
    """Say which stimuli have no fixation, and whether many fixations stand more than once."""
    seen = set(block.stimulus.tolist())
    empty = [name for index, name in enumerate(block.names) if index not in seen]
    if empty:
        more = ", ..." if len(empty) > 5 else ""
        log.warning(
            "%d of %d stimuli have no fixation: %s%s",
            len(empty), len(block.names), ", ".join(empty[:5]), more,
        )  # fmt: skip
    rows = np.column_stack([block.stimulus, block.subject, block.x, block.y])
    repeated = len(rows) - len(np.unique(rows, axis=0))
    if repeated > 0.1 * len(rows):
        log.warning(
            "%d of %d fixations repeat another (stimulus, observer, x, y) and count again; was a "
            "table joined twice?", repeated, len(rows),
        )  # fmt: skip


def _check_width(block, key, width):
    """Refuse a width of the fixation density that is wider than a stimulus, or below a px."""
    for name, (rows, columns) in zip(block.names, block.sizes, strict=True):
        if not 1 <= width <= max(rows, columns):
            raise InputError(
                f"{key} is {width:g}, so the fixation density is a Gaussian of {width:g} px, but "
                f"{name} has {columns} x {rows} px; state {key} in px of the stimuli"
            )
