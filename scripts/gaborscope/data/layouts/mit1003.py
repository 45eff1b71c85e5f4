"""MIT1003: ALLSTIMULI/*.jpeg with DATA/{observer}/*.mat or ALLFIXATIONMAPS/*_fixPts.jpg."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gaborscope.data.layouts.scan import Scan, images, nested, stamps, stem, subfolders
from gaborscope.errors import InputError

POINTS = "_fixPts"


def scan(folder: Path, settings: Mapping[str, Any], name: str) -> Scan:
    """
    Return the `Scan` of the images that have fixations.

    An image without eye data is not a stimulus. Other files are ignored, such as each observer's
    order of trials and calibration in DATA.
    """
    stimuli = images(nested(folder, "ALLSTIMULI"), name)
    records = eye_data(folder, name)
    if records is None:
        records = point_maps(folder, name)
    if records is None:
        raise InputError(
            f"data set '{name}': {folder} has neither a folder 'DATA' (eye data, preferred) nor "
            "'ALLFIXATIONMAPS'; unpack one of the authors' archives there"
        )
    fixated = {image: [image_stamp, *records[stem(image)]] for image, image_stamp in stimuli.items()
             if stem(image) in records}  # fmt: skip
    if not fixated:
        raise InputError(
            f"data set '{name}': no image in {nested(folder, 'ALLSTIMULI')} has fixations under "
            "its name; unpack the authors' archives again"
        )
    return Scan(fixated)


def eye_data(folder: Path, name: str = "?") -> dict[str, list[Any]] | None:
    """Return {stem of an image: [[observer, stamp], ...]}, or None without a folder DATA."""
    base = nested(folder, "DATA")
    if not base.is_dir():
        return None
    trials = {}
    for observer in subfolders(base):
        for file, trial_stamp in stamps(base / observer, name, (".mat",)).items():
            trials.setdefault(stem(file), []).append([observer, trial_stamp])
    return trials


def point_maps(folder: Path, name: str = "?") -> dict[str, list[Any]] | None:
    """Return {stem of an image: [stamp]}, or None without a folder ALLFIXATIONMAPS."""
    base = nested(folder, "ALLFIXATIONMAPS")
    if not base.is_dir():
        return None
    return {
        stem(file).removesuffix(POINTS): [map_stamp]
        for file, map_stamp in stamps(base, name).items()
        if stem(file).endswith(POINTS)
    }
