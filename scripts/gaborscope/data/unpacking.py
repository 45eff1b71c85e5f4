"""Unpack zip files safely: no file outside of the folder, no incomplete file in place."""

import logging
import os
import re
import shutil
import stat
import zipfile
import zlib
from pathlib import Path, PurePosixPath

from gaborscope.errors import InputError

log = logging.getLogger("gaborscope")

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
        If the file is damaged or not a zip file, an entry would lie outside of the folder or is a
        link, or the disk is too full. Nothing is put in place then.
    """
    archive, folder = Path(archive), Path(folder)
    under_way = folder / f".unpacking-{archive.name}"
    folder.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(under_way, ignore_errors=True)
    try:
        with zipfile.ZipFile(archive) as file:
            entries = _entries(file, archive, inside)
            _need_space(sum(entry.file_size for entry, _ in entries), archive, folder)
            for entry, name in entries:
                _extract(file, entry, under_way / name)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        shutil.rmtree(under_way, ignore_errors=True)
        raise InputError(
            f"{archive} is not a complete zip file ({error}); remove it and run again"
        ) from None
    except BaseException:
        shutil.rmtree(under_way, ignore_errors=True)
        raise
    for entry in sorted(under_way.iterdir()):
        _put(entry, folder / entry.name)
    under_way.rmdir()
    log.info("unpacked %d files of %s into %s", len(entries), archive.name, folder)


def _entries(file, archive, inside):
    """Return [(entry, its name below the folder)] of the files to unpack; check every entry."""
    prefix = f"{inside.strip('/')}/" if inside else ""
    entries = []
    for entry in file.infolist():
        name = entry.filename
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
        entries.append((entry, name[len(prefix) :]))
    if not entries:
        raise InputError(f"{archive} holds no file{f' in {inside}' if inside else ''}")
    return entries


def _extract(file, entry, path):
    path.parent.mkdir(parents=True, exist_ok=True)
    left = entry.file_size  # bytes to come; an entry longer than it states is an error
    with file.open(entry) as source, open(path, "wb") as target:
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
