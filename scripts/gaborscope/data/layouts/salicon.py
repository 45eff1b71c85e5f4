"""SALICON: images/{train,val}/*.jpg and fixations/{train,val}/*.mat."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gaborscope.data.layouts.scan import Scan, images, nested, stamps, stem
from gaborscope.errors import InputError

PARTS = ("train", "val")


def part_folders(folder: Path) -> list[tuple[Path, Path]]:
    """
    Return [(folder of images, folder of fixations)] of the parts whose fixations are there.

    Either in parts (images/train, fixations/train, ...) or all images in one folder.
    """
    pictures, tables = nested(folder, "images"), nested(folder, "fixations")
    found = [
        (pictures / part, tables / part)
        for part in PARTS
        if (pictures / part).is_dir() and (tables / part).is_dir()
    ]
    return found or [(pictures, tables)]


def scan(folder: Path, settings: Mapping[str, Any], name: str) -> Scan:
    """Return the `Scan` of the images of each part (the test part has no public fixations)."""
    found = {}
    for pictures, tables in part_folders(folder):
        try:
            known = stamps(tables, name, (".mat",))
        except OSError:
            raise InputError(
                f"data set '{name}': there is no readable folder {tables}; unpack the authors' "
                "fixations.zip into 'fixations' and images.zip into 'images'"
            ) from None
        for picture, own in images(pictures, name).items():
            table = f"{stem(picture)}.mat"
            if table not in known:
                raise InputError(
                    f"data set '{name}': there is no {tables / table} for the stimulus {picture}; "
                    "unpack the authors' fixations.zip anew"
                )
            found[picture] = [own, known[table]]
    return Scan(found)
