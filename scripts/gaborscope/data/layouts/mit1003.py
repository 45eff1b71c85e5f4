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

    An image that nobody's eye data name, such as one that strayed into the folder, is no stimulus;
    nor is any other file (DATA holds each observer's order of trials and calibration besides).
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
    found = {image: [own, *records[stem(image)]] for image, own in stimuli.items()
             if stem(image) in records}  # fmt: skip
    if not found:
        raise InputError(
            f"data set '{name}': no image in {nested(folder, 'ALLSTIMULI')} has fixations of its "
            "name; unpack the authors' archives anew"
        )
    return Scan(found)


def eye_data(folder: Path, name: str = "?") -> dict[str, list[Any]] | None:
    """Return {stem of an image: [[observer, stamp], ...]}, or None without a folder DATA."""
    base = nested(folder, "DATA")
    if not base.is_dir():
        return None
    found = {}
    for observer in subfolders(base):
        for file, own in stamps(base / observer, name, (".mat",)).items():
            found.setdefault(stem(file), []).append([observer, own])
    return found


def point_maps(folder: Path, name: str = "?") -> dict[str, list[Any]] | None:
    """Return {stem of an image: [stamp]}, or None without a folder ALLFIXATIONMAPS."""
    base = nested(folder, "ALLFIXATIONMAPS")
    if not base.is_dir():
        return None
    return {
        stem(file).removesuffix(POINTS): [own]
        for file, own in stamps(base, name).items()
        if stem(file).endswith(POINTS)
    }
