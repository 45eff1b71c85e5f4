"""
Index of a data set, made in seconds with the standard library alone.

The Snakefile uses this module at every parse, on every node. It tells which stimuli there are and
which block each belongs to, and gives a digest per block. The digest changes if, and only if, the
stimuli or fixations of that block change. A data set that cannot be used raises here, before any
job starts.

`layouts` knows where each type keeps its files; `loading.load_block` reads them into arrays.
"""

import functools
import hashlib
import json
import os
import tempfile
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from gaborscope.data.layouts import (
    cat2000,
    demo,
    folder,
    mit1003,
    osie,
    pysaliency,
    salicon,
    toronto,
)
from gaborscope.data.layouts.scan import data_folder, sha256
from gaborscope.errors import InputError

LAYOUTS = {
    "cat2000": cat2000,
    "folder": folder,
    "mit1003": mit1003,
    "osie": osie,
    "pysaliency": pysaliency,
    "salicon": salicon,
    "toronto": toronto,
}
TYPES = ("demo", *LAYOUTS)
SPLITS = ("fit", "validation", "test")
_CACHE_VERSION = 2  # increase it when the meaning of a digest changes


# ---------------------------------------------------------------------------------------------
# Blocks and splits


def block_of(name: str, n_blocks: int) -> int:
    """
    Return the number of the block that a stimulus belongs to, in 0 .. n_blocks - 1.

    The number depends on the name alone, so that adding a stimulus moves no other one.

    Parameters
    ----------
    name : str
        Stimulus name (the file name, with its extension).
    n_blocks : int
        A positive multiple of 10.
    """
    _check_n_blocks(n_blocks)
    return _name_hash(name) % n_blocks


def block_name(i: int, n_blocks: int) -> str:
    """Return the name of block `i`: its number, zero-padded to equal width (at least two)."""
    return f"{i:0{max(2, len(str(n_blocks - 1)))}d}"


def split_of_block(i: int, n_blocks: int) -> str:
    """
    Return the split of block `i`: the first 70 % are fit, the next 10 % validation, the rest test.

    Raises
    ------
    InputError
        If `n_blocks` is not a positive multiple of 10, or there is no block `i`.
    """
    _check_n_blocks(n_blocks)
    if not 0 <= i < n_blocks:
        raise InputError(f"there is no block {i} among {n_blocks}; blocks count from 0")
    tenth = i * 10 // n_blocks
    return "fit" if tenth < 7 else "validation" if tenth < 8 else "test"


def blocks(index: Iterable[str], n_blocks: int) -> dict[str, list[str]]:
    """
    Return {'fit': [...], 'validation': [...], 'test': [...]}: names of blocks that hold a stimulus.

    Parameters
    ----------
    index : dict
        Stimulus name -> digest, from `index`.
    n_blocks : int
        A positive multiple of 10.
    """
    by_split = {split: [] for split in SPLITS}
    for i in sorted({block_of(name, n_blocks) for name in index}):
        by_split[split_of_block(i, n_blocks)].append(block_name(i, n_blocks))
    return by_split


def require_splits(
    name: str,
    blocks: Mapping[str, Collection[str]],
    needed: Sequence[str],
    n_stimuli: int | None = None,
) -> None:
    """
    Raise if a split that the workflow needs holds no stimulus.

    Parameters
    ----------
    name : str
        Name of the data set, for the message.
    blocks : dict
        Split -> block names, from `blocks`.
    needed : sequence of str
        Splits that must hold a stimulus: some of 'fit', 'validation', 'test'.
    n_stimuli : int, optional
        Size of the data set, for the message.
    """
    empty = [split for split in needed if not blocks[split]]
    if empty:
        size = "" if n_stimuli is None else f" with its {n_stimuli} stimuli"
        splits = " and the ".join(f"{split} split" for split in empty)
        raise InputError(
            f"data set '{name}'{size} leaves the {splits} empty (stimuli go to blocks by a hash of "
            "their name); add stimuli or choose another n_blocks (a multiple of 10)"
        )


def block_stimuli(index: Iterable[str], block: str, n_blocks: int) -> list[str]:
    """Return the sorted names of the stimuli of one block (`block` as `block_name` writes it)."""
    return sorted(n for n in index if block_name(block_of(n, n_blocks), n_blocks) == block)


def block_sizes(index: Iterable[str], n_blocks: int) -> dict[str, int]:
    """Return {block name: number of stimuli} of all blocks that hold a stimulus."""
    counts = {}
    for name in index:
        block = block_name(block_of(name, n_blocks), n_blocks)
        counts[block] = counts.get(block, 0) + 1
    return counts


def block_digests(index: Mapping[str, str], n_blocks: int) -> dict[str, str]:
    """Return {block name: digest} of all blocks that hold a stimulus, in one pass."""
    members = {}
    for name in sorted(index):
        members.setdefault(block_name(block_of(name, n_blocks), n_blocks), []).append(name)
    return {block: _digest_of(index, members[block]) for block in sorted(members)}


def _digest_of(index, names):
    return sha256(*(part for name in names for part in (name, index[name])))


@functools.cache
def _name_hash(name):
    return int(hashlib.sha256(name.encode()).hexdigest(), 16)


def _check_n_blocks(n_blocks):
    if type(n_blocks) is not int or n_blocks <= 0 or n_blocks % 10:
        raise InputError(f"n_blocks must be a positive multiple of 10, got {n_blocks!r}")


# ---------------------------------------------------------------------------------------------
# The index of a data set


def index(
    name: str, settings: Mapping[str, Any], root: str | Path, cache_folder: str | Path | None = None
) -> dict[str, str]:
    """
    Return {stimulus name: digest} of a data set, after checking that it can be used.

    A digest changes with the files of the stimulus (their size or time of change) and with its
    fixations. Fixations are compared by the size and time of their file. Where fixations.csv or a
    file of pysaliency holds the fixations of all stimuli, the rows of the stimulus are compared
    (subject, x, y, in their order). For `demo` a digest changes with the settings of the generator,
    but not with the number of stimuli, because more stimuli leave the others as they are.

    Parameters
    ----------
    name : str
        Name of the data set in the config, for messages and the cache file.
    settings : dict
        The data set's entry of the config: `type` (of TYPES), `path`, ...
    root : str or path
        Folder that a relative `path` starts at.
    cache_folder : str or path, optional
        Folder where the index is kept, keyed by names, sizes and times of the raw files. If it
        cannot be written, nothing is kept. A damaged cache is ignored.

    Returns
    -------
    index : dict of str to str, sorted by name

    Raises
    ------
    InputError
        If the type is unknown; a path, file, folder or column is missing; there are no stimuli; a
        fixation belongs to an unknown stimulus; or a coordinate is not a number or below -0.5.
        `loading.load_block` checks the right and lower edge, because it knows the image size.
    """
    kind = settings.get("type")
    if kind not in TYPES:
        raise InputError(
            f"data set '{name}' has the type {kind!r}, which is unknown; known are "
            + ", ".join(TYPES)
        )
    if kind == "demo":
        return demo.index(name, settings)
    scan = LAYOUTS[kind].scan(data_folder(settings, root, name), settings, name)
    state = [_CACHE_VERSION, kind, str(settings["path"]), scan.shared, scan.tables]
    key = sha256(json.dumps([*state, sorted(scan.stimuli.items())]))
    cache = Path(cache_folder) / f"{name}.json" if cache_folder is not None else None
    digests = _read_cache(cache, key)
    if digests is None:
        contents = scan.contents() if scan.contents else {}
        common = json.dumps(scan.shared) if scan.shared else ""
        digests = {
            stimulus: sha256(
                json.dumps(scan.stimuli.get(stimulus)), common, contents.get(stimulus, "")
            )
            for stimulus in sorted(scan.stimuli or contents)
        }
        _write_cache(cache, key, digests)
    return digests


# ---------------------------------------------------------------------------------------------
# The cache


def _read_cache(path, key):
    if path is None:
        return None
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
        if kept["key"] == key and kept["check"] == sha256(json.dumps(kept["index"])):
            return kept["index"]
    except (OSError, ValueError, KeyError, TypeError):
        return None  # absent, damaged or of another version: the index is made again
    return None


def _write_cache(path, key, digests):
    if path is None:
        return
    kept = {"key": key, "check": sha256(json.dumps(digests)), "index": digests}
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        with open(handle, "w", encoding="utf-8") as file:
            json.dump(kept, file)
        os.replace(temporary, path)
    except OSError:
        if temporary is not None and os.path.exists(temporary):
            os.unlink(
                temporary
            )  # not an error: without a cache the next parse makes the index again
