"""
Checksums of files: no flipped bit passes as a result.

- An HDF5 file ends in its CRC-32. HDF5 does not look behind its own end, so other programs read the
  file as ever. The maps of a stimulus in a file of activations have a CRC-32 of their own, checked
  when they are read: a job that needs one layer does not read the whole file.
- A safetensors file has the CRC-32 of the whole file in its metadata, computed with zeros in the
  place of these digits.
- Every other file has a note beside it, `.NAME.sha256`, as `sha256sum` writes and checks it from
  the folder of the run.

Each also says which file of results/ it is, so that a file does not pass for another one.
CRC-32 finds every change of one or two bits in files below 512 MB, and any burst of 32 bits.
"""

import hashlib
import json
import logging
import os
import struct
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from gaborscope.errors import InputError, reading, require_file
from gaborscope.store import paths as grammar

log = logging.getLogger(__name__)

CHUNK = 1 << 20

# Digits of the checksum of a safetensors file before it is known. They are looked for as they stand
# in the header, which holds JSON inside of JSON.
_DIGITS = "00000000"
_MARK = rb"\"crc32\": \""
STAMP = {"crc32": _DIGITS}
METADATA = "gaborscope"

# The end of a sealed HDF5 file: parts that are checked when they are read, each by its place, size
# and CRC-32; then the number of them, the length of the content, the CRC-32 of the content without
# the parts, that of all of this before it, and a name.
_PART = struct.Struct("<QQI")
_COUNTS = struct.Struct("<QQI")
_CHECK = struct.Struct("<I20s")
_NAME = b"gaborscope crc32/1 \n"
_END = _COUNTS.size + _CHECK.size


def damaged(path: str | Path, reason: str) -> InputError:
    """
    Error of a file that is not as it was written.

    Parameters
    ----------
    path : str or Path
    reason : str
        What is wrong with the file, after its name.

    Returns
    -------
    error : InputError
    """
    return InputError(f"{path} {reason}; {remedy(path)}")


def remedy(path: str | Path) -> str:
    """
    Remedy of a file that is not as it was written.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    remedy : str
        A file of results/ is made again by the run; any other is the user's own.
    """
    return "delete it and run again" if grammar.canonical(path) else "get or make it anew"


def seal(path: str | Path, parts: Iterable[tuple[int, int]] = ()) -> None:
    """
    Append its checksums to a complete file of a format that allows it: HDF5, checkpoints of torch.

    Parameters
    ----------
    path : str or Path
    parts : iterable of (int, int)
        Place and size of parts that are checked when they are read, not when the file is opened.
    """
    with open(path, "r+b") as file:
        length = file.seek(0, os.SEEK_END)
        table = [
            (at, size, _crc(file, at, at + size))
            for at, size in sorted((int(at), int(size)) for at, size in parts)
        ]
        end = b"".join(_PART.pack(*part) for part in table)
        end += _COUNTS.pack(len(table), length, _crc_between(file, table, length))
        file.seek(length)
        file.write(end + _CHECK.pack(zlib.crc32(end), _NAME))


def check_sealed(path: str | Path) -> dict[int, int]:
    """
    Check a sealed file but for the parts that are checked when they are read.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    parts : dict of int to int
        CRC-32 of each of these parts by its place in the file.

    Raises
    ------
    InputError
        If the file has no checksums, or they are not those of its content.
    """
    with open(path, "rb") as file:
        total = file.seek(0, os.SEEK_END)
        file.seek(max(0, total - _END))
        end = file.read()
        if not end.endswith(_NAME) or len(end) < _END:
            raise damaged(
                path,
                "has no checksums at its end: it is cut short, damaged, changed by another "
                "program, or written by an older version",
            )
        n_parts, length, crc = _COUNTS.unpack_from(end)
        size = n_parts * _PART.size
        table: list[tuple[int, int, int]] = []
        if length + size + _END == total:
            file.seek(length)
            end = file.read()
            table = list(_PART.iter_unpack(end[:size]))
        (check, _) = _CHECK.unpack(end[-_CHECK.size :])
        if check != zlib.crc32(end[: -_CHECK.size]) or crc != _crc_between(file, table, length):
            raise damaged(path, "is damaged: its checksum is not that of its content")
    return {at: crc for at, _, crc in table}


def _crc_between(file, table, length):
    """CRC-32 of the content without the parts."""
    crc, position = 0, 0
    for at, size, _ in [*table, (length, 0, 0)]:
        crc, position = _crc(file, position, at, crc), at + size
    return crc


def _crc(file, start, stop, crc=0):
    file.seek(start)
    while start < stop and (chunk := file.read(min(CHUNK, stop - start))):
        crc, start = zlib.crc32(chunk, crc), start + len(chunk)
    return crc


def stamp(content: bytes) -> bytes:
    """
    Enter the checksum into a safetensors file whose description has `STAMP`.

    Parameters
    ----------
    content : bytes
        The file.

    Returns
    -------
    content : bytes
    """
    at = content.index(_MARK) + len(_MARK)
    digits = f"{zlib.crc32(content):08x}".encode()
    return content[:at] + digits + content[at + len(digits) :]


def read_safetensors(path: str | Path) -> tuple[bytes, dict[str, Any]]:
    """
    Read and check a safetensors file. Needs neither torch nor safetensors.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    content : bytes
        The file.
    metadata : dict
        Description that the workflow stored; for a file of another program its metadata.

    Raises
    ------
    InputError
        If the file is missing, damaged, or another file of results/ than its path says. A file
        elsewhere may lack a checksum: then it is one of another program.
    """
    content = read_bytes(path)
    marked = content.find(_MARK)
    if marked < 0 and grammar.canonical(path):
        raise damaged(
            path, "is damaged or written by an older version: there is no checksum in its header"
        )
    if marked >= 0:
        at = marked + len(_MARK)
        view, behind = memoryview(content), at + len(_DIGITS)
        crc = zlib.crc32(view[behind:], zlib.crc32(_DIGITS.encode(), zlib.crc32(view[:at])))
        if view[at:behind] != f"{crc:08x}".encode():
            raise damaged(path, "is damaged: its checksum is not that of its content")
    with reading(f"{path} is not a complete safetensors file", "get or make it anew"):
        (length,) = struct.unpack_from("<Q", content)
        metadata = json.loads(content[8 : 8 + length].decode()).get("__metadata__", {})
        described = json.loads(metadata.get(METADATA, "{}"))
        written_as = described.pop("file", None)
    check_name(path, written_as)
    described = {key: value for key, value in described.items() if key not in STAMP}
    return content, described if METADATA in metadata else metadata


def check_name(path: str | Path, written_as: str | None) -> None:
    """
    Refuse a file of results/ that was copied over another one.

    Parameters
    ----------
    path : str or Path
    written_as : str or None
        Path that the file was written to, as `paths.canonical` gives it.

    Raises
    ------
    InputError
        If both are paths of results/, and differ. A copy outside of results/ may have any name.
    """
    own = grammar.canonical(path)
    if own and written_as and own != written_as:
        raise damaged(path, f"is another file: it was written as {written_as}")


def read_bytes(path: str | Path) -> bytes:
    """
    Read a whole file.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    content : bytes

    Raises
    ------
    InputError
        If there is no such file, or it cannot be read.
    """
    require_file(path)
    with reading(f"{path} cannot be read", "check its rights and the disk"):
        return Path(path).read_bytes()


def note_of(path: str | Path) -> Path:
    """
    Path of the note with the checksum of a file.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    note : Path
        In the same folder, hidden.
    """
    return Path(path).with_name(f".{Path(path).name}.sha256")


def note(path: str | Path, content: Path) -> str:
    """
    Text of the note of a file.

    Parameters
    ----------
    path : str or Path
        Name that the file gets.
    content : Path
        Where its content is.

    Returns
    -------
    text : str
        SHA-256 and path below the folder of the run, as `sha256sum` writes them.
    """
    with open(content, "rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return _note_line(path, digest)


def _note_line(path, digest):
    return f"{digest}  {grammar.canonical(path) or Path(path).name}\n"


def read_noted(path: str | Path) -> bytes:
    """
    Read a file and check it against its note.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    content : bytes

    Raises
    ------
    InputError
        If there is no such file, or it is not the one that its note describes. A file without a
        note is taken; the log says so.
    """
    content, beside = read_bytes(path), note_of(path)
    if not beside.is_file():
        log.warning("%s is taken unchecked, because there is no %s beside it", path, beside.name)
        return content
    if read_bytes(beside) != _note_line(path, hashlib.sha256(content).hexdigest()).encode():
        raise InputError(
            f"{path} is damaged or was changed: it is not the file that {beside.name} beside it "
            f"describes; {remedy(path)}, or delete that note to have it taken as it is"
        )
    return content
