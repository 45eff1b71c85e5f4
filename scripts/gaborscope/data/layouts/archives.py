"""
Archives of published data sets, at their authors' addresses.

Where pysaliency 0.2.22 checks an MD5, the same MD5 is checked here. For the other archives the
SHA-256 of the first download is kept and checked from then on (`downloads.fetch`).
"""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gaborscope.errors import InputError

RECORD = "downloads.json"  # written into the folder of the data set when all is in place
_JUDD = "http://people.csail.mit.edu/tjudd/WherePeopleLook"


@dataclasses.dataclass(frozen=True)
class Archive:
    """
    A zip file.

    Attributes
    ----------
    url : str
    md5 : str or None
        Hexadecimal, where it is known.
    inside : str
        Folder in the archive whose content is unpacked; "" for all.
    """

    url: str
    md5: str | None = None
    inside: str = ""


ARCHIVES = {
    "mit1003": (
        Archive(f"{_JUDD}/ALLSTIMULI.zip", "0d7df8b954ecba69b6796e77b9afe4b6"),
        Archive(f"{_JUDD}/DATA.zip", "ea19d74ad0a0144428c53e9d75c2d71c"),
    ),
    "cat2000": (
        Archive("http://saliency.mit.edu/trainSet.zip", "56ad5c77e6c8f72ed9ef2901628d6e48"),
    ),
    "toronto": (
        Archive(
            "http://www-sop.inria.fr/members/Neil.Bruce/eyetrackingdata.zip",
            "38d5c02217060d4d2d1a4649cc632af1",
        ),
    ),
    "osie": (
        Archive(
            "https://github.com/NUS-VIP/predicting-human-gaze-beyond-pixels/archive/refs/heads/"
            "master.zip",
            inside="predicting-human-gaze-beyond-pixels-master/data",
        ),
    ),
}
# Data sets without a plain address: how to get them by hand.
BY_HAND = {
    "salicon": "its authors hand it out through Google Drive: follow http://salicon.net/"
    "challenge-2017/ in a browser, and unpack images.zip into 'images', fixations.zip into "
    "'fixations'",
}


def wanted(name: str, settings: Mapping[str, Any]) -> tuple[Archive, ...]:
    """
    Return the archives to download for a data set.

    Raises
    ------
    InputError
        If the type has no archives.
    """
    kind = settings["type"]
    if kind in ARCHIVES:
        return ARCHIVES[kind]
    reason = BY_HAND.get(kind, "types with a download are " + ", ".join(ARCHIVES))
    raise InputError(f"data set '{name}' of type {kind} cannot be downloaded; {reason}")


def otherwise(settings: Mapping[str, Any]) -> str:
    """
    Say how a published data set that is not on disk comes there.

    Parameters
    ----------
    settings : dict
        Of the data set; `type` and, optionally, `download`.

    Returns
    -------
    words : str
        End of a sentence; "" for data that nobody hands out.
    """
    kind = settings["type"]
    if kind in BY_HAND:
        return f"; {BY_HAND[kind]}"
    if kind not in ARCHIVES or settings.get("download"):
        return ""
    return ", or add download: true, and its authors' archives are fetched into that folder"


def pending(name: str, settings: Mapping[str, Any], root: str | Path) -> bool:
    """
    Return whether an unusable data set has still to be downloaded (`download: true`).

    False if it was downloaded completely before: then something else makes it unusable.

    Raises
    ------
    InputError
        If the type cannot be downloaded, or the settings have no path to download it into.
    """
    if not settings.get("download"):
        return False
    wanted(name, settings)
    if not settings.get("path"):
        raise InputError(f"data set '{name}' needs a path: the folder to download it into")
    return not (Path(root) / Path(settings["path"]).expanduser() / RECORD).exists()
