"""Toronto: 'Original Image Set'/{1..120}.jpg and origfixdata.mat, in eyetrackingdata/fixdens."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gaborscope.data.layouts.scan import Scan, images, stamp
from gaborscope.errors import InputError

IMAGES = "Original Image Set"
TABLE = "origfixdata.mat"
N_STIMULI = 120


def base_folder(folder: Path) -> Path:
    """Return the folder that holds the images: `folder`, or the archive's folder below it."""
    for base in (folder, folder / "fixdens", folder / "eyetrackingdata" / "fixdens"):
        if (base / IMAGES).is_dir():
            return base
    return folder


def number(file: str) -> int | None:
    """Return the number of a stimulus (1 to 120) by its file name, or None for other files."""
    digits = re.fullmatch(r"([1-9]\d*)\.jpe?g", file, re.IGNORECASE)
    return int(digits[1]) if digits and int(digits[1]) <= N_STIMULI else None


def scan(folder: Path, settings: Mapping[str, Any], name: str) -> Scan:
    """Return the `Scan` of the numbered images; each depends on the table of all fixations."""
    base = base_folder(folder)
    stimuli = {
        f: image_stamp for f, image_stamp in images(base / IMAGES, name).items() if number(f)
    }
    try:
        shared = list(stamp(base / TABLE))
    except OSError:
        raise InputError(
            f"data set '{name}': there is no readable {base / TABLE}; unpack the authors' "
            "eyetrackingdata.zip"
        ) from None
    if not stimuli:
        raise InputError(f"data set '{name}': {base / IMAGES} has no image called 1.jpg to 120.jpg")
    return Scan(stimuli, shared=shared)
