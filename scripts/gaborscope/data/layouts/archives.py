"""
Archives of published data sets, at their authors' addresses.

A digest is the MD5 that pysaliency 0.2.22 has checked for years; where there is none, the SHA-256
of the first fetch is kept and checked ever after (`downloads.fetch`).
"""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gaborscope.errors import InputError

RECORD = "downloads.json"  # in the folder of the data set, once all of it is in place
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
        Folder in the archive whose content is wanted; "" for all.
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
# What their authors hand out in another way than by a plain address.
BY_HAND = {
    "salicon": "its authors hand it out through Google Drive: follow http://salicon.net/"
    "challenge-2017/ in a browser, and unpack images.zip into 'images', fixations.zip into "
    "'fixations'",
}


def wanted(name: str, settings: Mapping[str, Any]) -> tuple[Archive, ...]:
    """
    Return the archives of a data set that is to be fetched.

    Raises
    ------
    InputError
        If the type has none.
    """
    kind = settings["type"]
    if kind in ARCHIVES:
        return ARCHIVES[kind]
    reason = BY_HAND.get(kind, "known are those of " + ", ".join(ARCHIVES))
    raise InputError(f"data set '{name}' of type {kind} cannot be downloaded; {reason}")


def pending(name: str, settings: Mapping[str, Any], root: str | Path) -> bool:
    """
    Return whether a data set that cannot be used yet is to be fetched (`download: true`).

    False if it was fetched completely before: then its fault is another.

    Raises
    ------
    InputError
        If the type cannot be fetched, or there is no path to fetch it into.
    """
    if not settings.get("download"):
        return False
    wanted(name, settings)
    if not settings.get("path"):
        raise InputError(f"data set '{name}' needs a path: the folder to download it into")
    return not (Path(root) / Path(settings["path"]).expanduser() / RECORD).exists()
