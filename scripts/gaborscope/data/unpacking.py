"""Unpack zip files safely: no file outside of the folder, no incomplete file in place."""

import logging
import os
import re
import shutil
import stat
import zipfile
from pathlib import Path, PurePosixPath

from gaborscope.errors import InputError, reading

log = logging.getLogger("gaborscope")

RATIO = 200  # an archive of more than 1 GB that unpacks to more times its size is a bomb
DEEPEST = 50  # folders in one another
SPARE = 1 << 26  # bytes left free on the disk
CHUNK = 1 << 20
_LEFT_OUT = re.compile(r"(^|/)(__MACOSX|\.svn|\.git)(/|$)|(^|/)(\.DS_Store|Thumbs\.db|\._[^/]*)$")


def unpack(archive: str | Path, folder: str | Path, inside: str = "") -> None:
    """
    Unpack a zip file into a folder.

    Everything is first unpacked into a hidden folder. Then each file or folder at its top is
    renamed into its place, so that a file under its final name is complete. A folder that exists
    already is merged.

    Parameters
    ----------
    archive : str or Path
    folder : str or Path
    inside : str
        Folder in the archive whose content is unpacked; "" for all.

    Raises
    ------
    InputError
        If the file is damaged, encrypted or not a zip file, an entry would lie outside of the
        folder, is a link, has the name of another one or a name that the disk cannot take, or the
        disk is too full. Nothing is put in place then. Also if a file lies where a folder should.
    """
    archive, folder = Path(archive), Path(folder)
    under_way = folder / f".unpacking-{archive.name}"
    folder.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(under_way, ignore_errors=True)
    try:
        with (
            reading(f"{archive} is not a complete zip file", "remove it and run again"),
            zipfile.ZipFile(archive) as file,
        ):
            entries = _entries(file, archive, inside)
            size = sum(entry.file_size for entry, _ in entries)
            if size > max(RATIO * archive.stat().st_size, 1 << 30):
                raise ValueError(f"it would unpack to {size / 1e9:.0f} GB")
            _need_space(size, archive, folder)
            for entry, name in entries:
                _extract(file, entry, under_way / name)
        with reading(f"{archive} cannot be unpacked into {folder}", "move what is in its way"):
            for path in sorted(under_way.iterdir()):
                _put(path, folder / path.name)
            under_way.rmdir()
    finally:
        shutil.rmtree(under_way, ignore_errors=True)
    log.info("unpacked %d files of %s into %s", len(entries), archive.name, folder)


def _entries(file, archive, inside):
    """Return [(entry, its name below the folder)] of the files to unpack; check every entry."""
    prefix = f"{inside.strip('/')}/" if inside else ""
    entries, seen = [], set()
    for entry in file.infolist():
        name = entry.orig_filename  # not cut at a zero character
        path = PurePosixPath(name)
        # backslashes and drive letters have a meaning on other systems alone: refused
        if path.is_absolute() or ".." in path.parts or "\\" in name or ":" in name or "\0" in name:
            raise InputError(
                f"{archive} has the entry {name!r}, which would lie outside of its folder; the "
                "archive is not to be trusted, and nothing was unpacked"
            )
        if stat.S_ISLNK(entry.external_attr >> 16):
            raise InputError(
                f"{archive} has the entry {name!r}, a link; the archive is not to be trusted, and "
                "nothing was unpacked"
            )
        if entry.is_dir() or not name.startswith(prefix) or _LEFT_OUT.search(name):
            continue
        if name in seen:
            raise ValueError(f"it has two entries {name!r}")
        if len(path.parts) > DEEPEST:
            raise ValueError(f"it has folders more than {DEEPEST} deep")
        seen.add(name)
        entries.append((entry, name[len(prefix) :]))
    if not entries:
        raise InputError(f"{archive} holds no file{f' in {inside}' if inside else ''}")
    return entries


def _extract(file, entry, path):
    path.parent.mkdir(parents=True, exist_ok=True)
    left = entry.file_size  # bytes to come; an entry longer than it states is an error
    # x: on some file systems names that differ in case alone are one
    with file.open(entry) as source, open(path, "xb") as target:
        while chunk := source.read(min(CHUNK, left + 1)):
            left -= len(chunk)
            if left < 0:
                raise zipfile.BadZipFile(f"{entry.filename} is longer than it says")
            target.write(chunk)
    if left:
        raise zipfile.BadZipFile(f"{entry.filename} is shorter than it says")


def _need_space(size, archive, folder):
    free = shutil.disk_usage(folder).free
    if size + SPARE > free:
        raise InputError(
            f"{archive} holds {size / 1e6:.0f} MB and {folder} has only {free / 1e6:.0f} MB of "
            "free space; make room, or choose a path on another disk"
        )


def _put(source, target):
    """Rename a file or folder into its place; merge it into a folder that is there."""
    if source.is_dir() and target.is_dir():
        for entry in sorted(source.iterdir()):
            _put(entry, target / entry.name)
        source.rmdir()
    else:
        os.replace(source, target)
