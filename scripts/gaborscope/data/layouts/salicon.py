"""SALICON: images/{train,val}/*.jpg and fixations/{train,val}/*.mat."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gaborscope.data.layouts.scan import Scan, images, nested, stamps, stem
from gaborscope.errors import InputError

PARTS = ("train", "val")


def part_folders(folder: Path) -> list[tuple[Path, Path]]:
    """
    Return [(folder of images, folder of fixations)], a pair for each part that has both.

    Without parts (images/train, fixations/train, ...) it is the one pair images, fixations.
    """
    pictures, tables = nested(folder, "images"), nested(folder, "fixations")
    pairs = [
        (pictures / part, tables / part)
        for part in PARTS
        if (pictures / part).is_dir() and (tables / part).is_dir()
    ]
    return pairs or [(pictures, tables)]


def scan(folder: Path, settings: Mapping[str, Any], name: str) -> Scan:
    """Return the `Scan` of the images of each part (the test part has no public fixations)."""
    stimuli = {}
    for pictures, tables in part_folders(folder):
        try:
            known = stamps(tables, name, (".mat",))
        except OSError:
            raise InputError(
                f"data set '{name}': there is no readable folder {tables}; unpack the authors' "
                "fixations.zip into 'fixations' and images.zip into 'images'"
            ) from None
        for picture, image_stamp in images(pictures, name).items():
            table = f"{stem(picture)}.mat"
            if table not in known:
                raise InputError(
                    f"data set '{name}': there is no {tables / table} for the stimulus {picture}; "
                    "unpack the authors' fixations.zip again"
                )
            stimuli[picture] = [image_stamp, known[table]]
    return Scan(stimuli)
