"""CAT2000: Stimuli/{category}/*.jpg and FIXATIONLOCS/{category}/*.mat, perhaps in trainSet/."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gaborscope.data.layouts.scan import Scan, nested, stamps, stem, subfolders
from gaborscope.errors import InputError


def base_folder(folder: Path) -> Path:
    """Return `folder`/trainSet where there is one, else `folder`."""
    inner = nested(folder, "trainSet")
    return inner if inner.is_dir() else folder


def scan(folder: Path, settings: Mapping[str, Any], name: str) -> Scan:
    """
    Return the `Scan` of the images, named {category}/{file} because numbers repeat.

    The folders 'Output' within the categories hold the authors' pictures of fixations, no stimuli.
    """
    base = base_folder(folder)
    for needed in ("Stimuli", "FIXATIONLOCS"):
        if not (base / needed).is_dir():
            raise InputError(
                f"data set '{name}': {base} has no folder '{needed}'; unpack the authors' "
                "trainSet.zip (the fixations of the test set are not public)"
            )
    stimuli = {}
    for category in subfolders(base / "Stimuli"):
        if category.lower() == "output":
            continue
        pictures = stamps(base / "Stimuli" / category, name)
        locations = base / "FIXATIONLOCS" / category
        tables = stamps(locations, name, (".mat",)) if locations.is_dir() else {}
        for picture, image_stamp in pictures.items():
            table = f"{stem(picture)}.mat"
            if table not in tables:
                raise InputError(
                    f"data set '{name}': there is no {locations / table} for the stimulus "
                    f"{category}/{picture}; unpack the authors' trainSet.zip again"
                )
            stimuli[f"{category}/{picture}"] = [image_stamp, tables[table]]
    if not stimuli:
        raise InputError(f"data set '{name}': {base / 'Stimuli'} has no category with an image")
    return Scan(stimuli)
