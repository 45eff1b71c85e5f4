"""
Where each type of data set keeps its files: their names, sizes and times.

A module per type offers `scan(folder, settings, name)`, which returns a `Scan`. `catalogue` makes
an index of it whenever the workflow is parsed, so these modules need the standard library alone.
`readers` turns the same files into arrays.
"""

import dataclasses
import hashlib
import logging
import os
import re
import unicodedata
import zlib
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from gaborscope.data.layouts import archives
from gaborscope.errors import InputError

log = logging.getLogger("gaborscope")

IMAGE_EXTENSIONS = (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff")
# What programs write where there is no value, in lower case.
MISSING = ("", ".", "-", "nan", "na", "n/a", "null", "none", "missing")


@dataclasses.dataclass
class Scan:
    """
    Names, sizes and times of the files of a data set.

    Attributes
    ----------
    stimuli : dict of str to list
        Stimulus name to the stamps (size, time of change) of the files of this stimulus alone.
    shared : list
        Stamps of the files on which every stimulus depends.
    tables : list
        Stamps of the files that hold a part for each stimulus; `contents` separates the parts.
    contents : callable, optional
        Returns {stimulus name: digest of its part of `tables`}; a digest begins with "-", or is
        left out, where the stimulus has no fixation. It may be slow: the catalogue calls it only
        if it has no index of the same files yet.
    """

    stimuli: Mapping[str, Sequence[Any]]
    shared: list[Any] = dataclasses.field(default_factory=list)
    tables: list[Any] = dataclasses.field(default_factory=list)
    contents: Callable[[], dict[str, str]] | None = None


def sha256(*parts: str) -> str:
    """Return the SHA-256 of texts, joined by a character that no name or number contains."""
    return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()


def one_form(text: str) -> str:
    """
    Return a name in Unicode's composed form (NFC), in which names are compared.

    A file system and a spreadsheet may write the same letter with an accent in two ways.
    """
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def observer(text: str) -> str:
    """
    Return the id of an observer in one form: without blanks around it, in NFC, 1.0 as 1.

    pandas writes whole numbers as 1.0 where a column has gaps. Other ids stay as they are: `01` and
    `1`, `S1` and `s1` are two observers.
    """
    text = one_form(text).strip().strip("\u200b\ufeff")
    whole = re.fullmatch(r"([+-]?\d+)\.0*", text)
    return whole[1] if whole else text


def observer_number(text: str) -> int:
    """Return the number of an observer: the CRC-32 of the id in one form, without the top bit."""
    return zlib.crc32(observer(text).encode()) & 0x7FFFFFFF


def say_alike(where: str | Path, observers: Iterable[str]) -> None:
    """Log pairs of ids that differ in case, blanks, zeros, or what cannot be seen alone."""
    alike: dict[str, str] = {}
    for subject in observers:
        seen = unicodedata.normalize("NFKC", subject).casefold()
        seen = "".join(c for c in seen if not c.isspace() and unicodedata.category(c) != "Cf")
        other = alike.setdefault(re.sub(r"(?<!\d)0+(?=\d)", "", seen), subject)
        if other != subject:
            log.warning(
                "%s: %r and %r are two observers; write one id if they are one",
                where, other, subject,
            )  # fmt: skip


def data_folder(settings: Mapping[str, Any], root: str | Path, name: str = "?") -> Path:
    """
    Return the folder of a data set on disk; a relative `path` is relative to `root`.

    Raises
    ------
    InputError
        If `path` is missing from the settings or is no folder.
    """
    path = settings.get("path")
    if not isinstance(path, str) or not path:
        raise InputError(
            f"data set '{name}' of type {settings['type']} needs a path: the folder it lies in"
        )
    folder = Path(root) / Path(path).expanduser()
    if not folder.is_dir():
        raise InputError(
            f"data set '{name}': there is no folder {folder}; correct its path in the config "
            f"(a relative one starts at {root}){archives.otherwise(settings)}"
        )
    return folder


def nested(folder: str | Path, *names: str) -> Path:
    """
    Return the folder `names` below `folder`, or a folder of the same name inside of it.

    Archives are unpacked in both ways: ALLSTIMULI/x.jpeg and ALLSTIMULI/ALLSTIMULI/x.jpeg.
    """
    outer = Path(folder, *names)
    inner = outer / outer.name
    return inner if inner.is_dir() else outer


def stamp(path: str | Path) -> tuple[int, int]:
    """
    Return (size, time of change in ns) of a file.

    Raises
    ------
    OSError
        If the file does not exist.
    """
    status = os.stat(path)
    return status.st_size, status.st_mtime_ns


def stamps(
    folder: str | Path, name: str, extensions: Collection[str] = IMAGE_EXTENSIONS
) -> dict[str, tuple[int, int]]:
    """
    Return {file name: stamp} of the files directly in a folder that have one of the extensions.

    Hidden files (.DS_Store, ._x.jpg) and other files (Thumbs.db) are ignored.

    Raises
    ------
    InputError
        If a name has characters that cannot be printed.
    OSError
        If the folder cannot be read.
    """
    by_name = {}
    with os.scandir(folder) as entries:
        for entry in entries:
            extension = os.path.splitext(entry.name)[1].lower()
            if entry.name.startswith(".") or extension not in extensions:
                continue
            if not entry.name.isprintable():  # such as a name that is not UTF-8
                raise InputError(
                    f"data set '{name}': the name {entry.name!r} in {folder} has characters that "
                    "cannot be printed; rename the file"
                )
            if entry.is_file():
                status = entry.stat()
                by_name[entry.name] = (status.st_size, status.st_mtime_ns)
    return by_name


def images(folder: str | Path, name: str) -> dict[str, tuple[int, int]]:
    """
    Return {file name: stamp} of the images directly in a folder; at least one is needed.

    Raises
    ------
    InputError
        If the folder cannot be read or holds no image.
    """
    folder = Path(folder)
    try:
        by_name = stamps(folder, name)
    except OSError:
        raise InputError(
            f"data set '{name}': {folder.parent} has no readable folder '{folder.name}'; put the "
            "images there"
        ) from None
    if not by_name:
        raise InputError(
            f"data set '{name}': {folder} holds no image; accepted are "
            + ", ".join(extension[1:] for extension in IMAGE_EXTENSIONS)
            + (" (its subfolders are not read)" if subfolders(folder) else "")
        )
    forms: dict[str, str] = {}
    for file in by_name:
        if (other := forms.setdefault(one_form(file).strip(), file)) != file:
            blanks = one_form(other) != one_form(file)
            differ = " but for blanks around it" if blanks else ", in two forms of Unicode"
            raise InputError(
                f"data set '{name}': two images in {folder} have the name {file.strip()!r}"
                f"{differ}; remove or rename one"
            )
    return by_name


def subfolders(folder: str | Path) -> list[str]:
    """Return the sorted names of the folders in a folder, without hidden ones."""
    with os.scandir(folder) as entries:
        return sorted(e.name for e in entries if e.is_dir() and not e.name.startswith("."))


def stem(name: str) -> str:
    """Return a file name without its extension (the folder before it stays)."""
    return os.path.splitext(name)[0]
