"""Files that pysaliency's `to_hdf5` writes: stimuli.hdf5 and fixations.hdf5, beside images."""

import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gaborscope.data.layouts import coordinates
from gaborscope.data.layouts.scan import IMAGE_EXTENSIONS, Scan, sha256, stamp
from gaborscope.errors import InputError

DEFAULT_FILES = {"stimuli": "stimuli.hdf5", "fixations": "fixations.hdf5"}


def files(folder: Path, settings: Mapping[str, Any]) -> list[Path]:
    """Return the paths of the two files; `stimuli` and `fixations` of the settings rename them."""
    return [folder / settings.get(key, default) for key, default in DEFAULT_FILES.items()]


def scan(folder: Path, settings: Mapping[str, Any], name: str) -> Scan:
    """
    Return the `Scan` of the two HDF5 files and of every image below the folder.

    The names of the stimuli stand in the HDF5 file, which the standard library cannot read. So
    `contents` needs h5py; it is called only if the files are new or have changed. Changes of
    images outside of the folder are not seen.
    """
    stimuli, fixations = files(folder, settings)
    tables: list[Any] = []
    for path in (stimuli, fixations):
        try:
            tables.append(stamp(path))
        except OSError:
            raise InputError(
                f"data set '{name}': there is no readable {path}; write it with pysaliency's "
                "to_hdf5, or name it by the key stimuli or fixations"
            ) from None
    for base, _, entries in sorted(os.walk(folder)):
        pictures = sorted(e for e in entries if e.lower().endswith(IMAGE_EXTENSIONS))
        tables += [(e, *stamp(os.path.join(base, e))) for e in pictures]
    tables += coordinates.checks(settings)
    return Scan({}, tables=tables, contents=lambda: _digests(stimuli, fixations, settings))


def _digests(stimuli, fixations, settings):
    try:
        from gaborscope.data.readers import pysaliency_hdf5
    except ImportError as error:
        raise InputError(
            f"reading {stimuli} needs h5py in the environment that Snakemake runs in ({error}); "
            "install it there"
        ) from None
    names, paths = pysaliency_hdf5.read_names(stimuli)
    points, ids = pysaliency_hdf5.read_fixations(fixations, len(names))
    pysaliency_hdf5.require_px(stimuli, fixations, names, paths, points, settings, ids)
    points = [rows[:, :3] if all(map(math.isnan, rows[:, 3])) else rows for rows in points]
    # reading embedded images would take long: a change of the file counts for all of them
    file_stamp = str(stamp(stimuli))
    try:
        return {
            name: ("" if len(rows) else "-")
            + sha256(file_stamp if path is None else str(stamp(path)), rows.tobytes().hex())
            for name, path, rows in zip(names, paths, points, strict=True)
        }
    except OSError as error:
        raise InputError(
            f"{stimuli} names the image {error.filename}, which cannot be read ({error.strerror}); "
            "put it where it was when the file was written"
        ) from None
