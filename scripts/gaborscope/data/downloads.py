"""
Downloads: checked by a digest, resumed after an interruption, kept and not fetched twice.

A file under its final name is complete and checked. While it is fetched, its part lies in the same
folder as `.NAME.part`.
"""

import contextlib
import dataclasses
import fcntl
import hashlib
import http.client
import json
import logging
import os
import re
import shutil
import time
import urllib.error
import urllib.request
from pathlib import Path

from tqdm import tqdm

from gaborscope.errors import InputError

log = logging.getLogger(__name__)

CHUNK = 1 << 18  # bytes read at once
SPARE = 1 << 26  # bytes left free on the disk
ATTEMPTS = 4  # connections per call of `fetch`, as long as each brings some bytes
PAUSE_S = 1.0
AGENT = "gaborscope"


def cache_folder() -> Path:
    """
    Folder for fetched files, shared by all runs of a user.

    Returns
    -------
    folder : Path
        $GABORSCOPE_CACHE, else $XDG_CACHE_HOME/gaborscope, else ~/.cache/gaborscope.
    """
    if os.environ.get("GABORSCOPE_CACHE"):
        return Path(os.environ["GABORSCOPE_CACHE"])
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "gaborscope"


def digests(path: str | Path) -> dict[str, str]:
    """
    Digests of a file.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    digests : dict of str to str
        `sha256`, `md5`, and `git_blob`, the name that Git gives a file of this content (SHA-1).
    """
    path = Path(path)
    hashes = {
        "sha256": hashlib.sha256(),
        "md5": hashlib.md5(usedforsecurity=False),
        "git_blob": hashlib.sha1(b"blob %d\0" % path.stat().st_size),
    }
    with open(path, "rb") as handle:
        while chunk := handle.read(CHUNK):
            for digest in hashes.values():
                digest.update(chunk)
    return {kind: digest.hexdigest() for kind, digest in hashes.items()}


def fetch(
    url: str,
    path: str | Path,
    sha256: str | None = None,
    git_blob: str | None = None,
    md5: str | None = None,
    timeout_s: float = 30.0,
) -> Path:
    """
    Fetch a file unless it is there, and check it.

    An interrupted download is resumed if the server supports ranges and still has the same file.
    If no SHA-256 is given, the SHA-256 of the first download is kept in the same folder as
    `NAME.sha256`. Every later use, also after a new download, is checked against it.

    Parameters
    ----------
    url : str
        http or https.
    path : str or Path
        Path of the file after the call.
    sha256, git_blob, md5 : str, optional
        Digests that the file must have, hexadecimal, as far as they are known.
    timeout_s : float
        Longest wait for the server.

    Returns
    -------
    path : Path

    Raises
    ------
    InputError
        If the server cannot be reached, the transfer breaks off, a digest differs, or the disk is
        too full. The part of a broken transfer is kept; a file with another digest is removed.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    note = path.with_name(f"{path.name}.sha256")
    with _locked(path.parent):
        if sha256 is None and note.exists():
            found = re.match(r"[0-9a-f]{64}\b", note.read_text(encoding="utf-8", errors="replace"))
            if found is None:
                raise InputError(f"{note} does not begin with a SHA-256; remove it and run again")
            sha256 = found[0]
        wanted = {"sha256": sha256, "md5": md5, "git_blob": git_blob}
        if path.exists():
            _check(path, wanted, f"{path}, fetched from {url} before,", "remove it and run again")
            return path
        part = path.with_name(f".{path.name}.part")
        _transfer(url, part, path, timeout_s)
        try:
            actual = _check(part, wanted, f"the file from {url}", "it was removed; check the URL")
        except InputError:
            _forget(part)
            raise
        if sha256 is None:
            note.write_text(f"{actual['sha256']}  {path.name}\n", encoding="utf-8")
        os.replace(part, path)
        _forget(part)
    log.info("fetched %s (%.1f MB) from %s", path, path.stat().st_size / 1e6, url)
    return path


def _check(path, wanted, label, remedy):
    actual = digests(path)
    for kind, digest in wanted.items():
        if digest is not None and actual[kind] != digest.lower():
            raise InputError(
                f"{label} is not the expected file: its {kind} is {actual[kind]}, not "
                f"{digest.lower()}; {remedy}"
            )
    return actual


@contextlib.contextmanager
def _locked(folder):
    """Wait until no other process fetches into the same folder."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):  # some file systems have no locks
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _forget(part):
    part.unlink(missing_ok=True)
    _state_file(part).unlink(missing_ok=True)


def _state_file(part):
    return part.with_name(f"{part.name}.json")


def _transfer(url, part, path, timeout_s):
    """Fetch a complete file into `part`, starting after the bytes that are there."""
    for attempt in range(1, ATTEMPTS + 1):
        received_before = part.stat().st_size if part.exists() else 0
        try:
            _receive(url, part, timeout_s)
            return
        except urllib.error.HTTPError as error:
            raise InputError(
                f"{url} answers {error.code} ({error.reason}); {_remedy(path)}"
            ) from None
        except (OSError, http.client.HTTPException) as error:
            # URLError, a silent server, a broken connection
            received = part.stat().st_size if part.exists() else 0
            reason = getattr(error, "reason", None) or error
            if received > received_before and attempt < ATTEMPTS:
                log.info("%s broke off after %d bytes (%s): resuming", url, received, reason)
                time.sleep(PAUSE_S)
                continue
            if received:
                raise InputError(
                    f"{url} broke off after {received} bytes ({reason}); run again to resume there"
                ) from None
            raise InputError(f"{url} cannot be reached ({reason}); {_remedy(path)}") from None


def _remedy(path):
    return f"check the connection, or fetch the file by other means and save it as {path}"


@dataclasses.dataclass
class _Reply:
    """Facts from the headers of a response."""

    first: int  # byte that the body begins with
    total: int | None  # length of the whole file
    validator: str | None  # text of the server that changes with the file (ETag or date)


def _receive(url, part, timeout_s):
    """Open one connection and append the bytes that it sends."""
    state = _read_state(part, url)
    have = part.stat().st_size if state else 0
    headers = {"User-Agent": AGENT, "Accept-Encoding": "identity"}
    if have:
        headers |= {"Range": f"bytes={have}-", "If-Range": state["validator"]}
    request = urllib.request.Request(url, headers=headers)
    try:
        response = urllib.request.urlopen(request, timeout=timeout_s)
    except urllib.error.HTTPError as error:
        if error.code != 416 or not have:
            raise
        _forget(part)  # 416: the server has no bytes beyond the part; begin again
        return _receive(url, part, timeout_s)
    with response:
        if response.headers.get_content_type() == "text/html":
            raise InputError(
                f"{url} gives a web page, not a file; open it in a browser, fetch the file and "
                f"save it as {part.with_name(part.name.removeprefix('.').removesuffix('.part'))}"
            )
        reply = _read_headers(response)
        if reply.first != have:
            _forget(part)
            have = 0
        if reply.first not in (0, have):
            raise http.client.HTTPException(f"sent bytes from {reply.first}, not from {have}")
        _need_space(part, url, have, reply.total)
        _write_state(part, url, reply.validator)
        _append(response, part, have, reply.total, url)


def _read_headers(response):
    headers = response.headers
    span = re.match(r"bytes (\d+)-\d+/(\d+|\*)", headers.get("Content-Range", ""))
    first, length = 0, headers.get("Content-Length")
    total = int(length) if length and length.isdigit() else None
    if response.status == 206 and span:
        first = int(span[1])
        total = int(span[2]) if span[2] != "*" else None
    tag = headers.get("ETag", "")
    weak = not tag or tag.startswith("W/")
    return _Reply(first, total, headers.get("Last-Modified") if weak else tag)


def _need_space(part, url, have, total):
    free = shutil.disk_usage(part.parent).free
    if total is not None and total - have + SPARE > free:
        raise InputError(
            f"{url} has {total / 1e6:.0f} MB and {part.parent} only {free / 1e6:.0f} MB of free "
            "space; make room, or set GABORSCOPE_CACHE to a folder on another disk"
        )


def _append(response, part, have, total, url):
    bar = tqdm(
        initial=have, total=total, unit="B", unit_scale=True, desc=Path(url).name[:30],
        delay=3, mininterval=2, leave=False, disable=None,
    )  # fmt: skip
    with open(part, "ab") as handle, bar:
        while chunk := response.read(CHUNK):
            handle.write(chunk)
            have += len(chunk)
            if total is None:  # the server does not say how much will come
                _need_space(part, url, 0, 0)
            bar.update(len(chunk))
        handle.flush()
        os.fsync(handle.fileno())
    if total is not None and have != total:
        raise http.client.HTTPException(f"only {have} of {total} bytes arrived")


def _read_state(part, url):
    """Return the saved state of a part; if it cannot be resumed, remove it and return None."""
    try:
        state = json.loads(_state_file(part).read_text(encoding="utf-8"))
        usable = part.stat().st_size > 0 and state["url"] == url and bool(state["validator"])
        usable = usable and isinstance(state["validator"], str)
    except (OSError, ValueError, KeyError, TypeError):
        usable = False
    if not usable:
        _forget(part)
        return None
    return state


def _write_state(part, url, validator):
    text = json.dumps({"url": url, "validator": validator})
    _state_file(part).write_text(text, encoding="utf-8")
