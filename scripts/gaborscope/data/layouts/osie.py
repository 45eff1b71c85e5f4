"""OSIE: stimuli/*.jpg and eye/fixations.mat."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gaborscope.data.layouts.scan import Scan, images, stamp
from gaborscope.errors import InputError


def scan(folder: Path, settings: Mapping[str, Any], name: str) -> Scan:
    """Return the `Scan` of the images; each depends on the table of all fixations."""
    stimuli = images(folder / "stimuli", name)
    table = folder / "eye" / "fixations.mat"
    try:
        return Scan(stimuli, shared=list(stamp(table)))
    except OSError:
        raise InputError(
            f"data set '{name}': there is no readable {table}; get it from OSIE's authors"
        ) from None
