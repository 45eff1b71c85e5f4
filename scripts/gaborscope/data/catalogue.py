"""
Index of a data set, made in seconds with the standard library alone.

The Snakefile uses this module at every parse, on every node. It tells which stimuli there are and
which block each belongs to, and gives a digest per block. The digest changes if, and only if, the
stimuli or fixations of that block change. A data set that cannot be used raises here, before any
job starts.

`layouts` knows where each type keeps its files; `loading.load_block` reads them into arrays.
"""

import contextlib
import hashlib
import json
import logging
import os
import sqlite3
import tempfile
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
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

log = logging.getLogger(__name__)

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
UNORDERED = ("cat2000", "demo", "toronto")  # whose fixations have no order
SPLITS = ("fit", "validation", "test")
USES = {
    "fit": "there is no centre bias to compare with and nothing to train on",
    "validation": "nothing can be chosen",
    "test": "nothing can be scored",
}
_CACHE_VERSION = 3  # increase it when the meaning of a digest changes


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


def splits(blocks: Iterable[str], n_blocks: int) -> dict[str, list[str]]:
    """
    Return {'fit': [...], 'validation': [...], 'test': [...]}: sorted names of blocks by split.

    Parameters
    ----------
    blocks : iterable of str
        Names of the blocks that hold a stimulus, as `block_name` writes them.
    n_blocks : int
        A positive multiple of 10.
    """
    by_split = {split: [] for split in SPLITS}
    for block in sorted(blocks):
        by_split[split_of_block(int(block), n_blocks)].append(block)
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
        Split -> block names, from `splits`.
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


def block_stimuli(index: Iterable[str], n_blocks: int) -> dict[str, list[str]]:
    """Return {block name: sorted names of its stimuli} of all blocks that hold a stimulus."""
    _check_n_blocks(n_blocks)
    members = {}
    for name in sorted(index):
        members.setdefault(_name_hash(name) % n_blocks, []).append(name)
    return {block_name(i, n_blocks): members[i] for i in sorted(members)}


def _name_hash(name):
    return int(hashlib.sha256(name.encode()).hexdigest(), 16)


def _check_n_blocks(n_blocks):
    if type(n_blocks) is not int or n_blocks <= 0 or n_blocks % 10:
        raise InputError(f"n_blocks must be a positive multiple of 10, got {n_blocks!r}")


# ---------------------------------------------------------------------------------------------
# The index of a data set


def index(name: str, settings: Mapping[str, Any], root: str | Path) -> dict[str, str]:
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
        Name of the data set in the config, for messages.
    settings : dict
        The data set's entry of the config: `type` (of TYPES), `path`, ...
    root : str or path
        Folder that a relative `path` starts at.

    Returns
    -------
    index : dict of str to str, sorted by name
        A digest begins with "-" where the stimulus is known to have no fixation.

    Raises
    ------
    InputError
        If the type is unknown; a path, file, folder or column is missing; there are no stimuli; a
        fixation belongs to an unknown stimulus; or a coordinate is not a number or below -0.5.
        `loading.load_block` checks the right and lower edge, because it knows the image size.
    """
    return _look(name, settings, root)[1]()


def _look(name, settings, root):
    """Return a key of names, sizes and times of the raw files, and what makes the index."""
    kind = settings.get("type")
    if kind not in TYPES:
        raise InputError(
            f"data set '{name}' has the type {kind!r}, which is unknown; known are "
            + ", ".join(TYPES)
        )
    if settings.get("drop_first") and kind in UNORDERED:
        raise InputError(
            f"data set '{name}' of type {kind} has fixations without order, so that none is the "
            "first; remove drop_first"
        )
    if kind == "demo":
        return sha256(json.dumps(settings, sort_keys=True)), lambda: demo.index(name, settings)
    scan = LAYOUTS[kind].scan(data_folder(settings, root, name), settings, name)
    state = [kind, str(settings["path"]), scan.shared, scan.tables, sorted(scan.stimuli.items())]
    return sha256(json.dumps(state)), lambda: _digests(scan)


def _digests(scan):
    contents = scan.contents() if scan.contents else {}
    common = json.dumps(scan.shared) if scan.shared else ""
    none = "-" if scan.contents else ""
    parts = {name: contents.get(name, none) for name in sorted(scan.stimuli or contents)}
    return {
        name: ("-" if part.startswith("-") else "")
        + sha256(json.dumps(scan.stimuli.get(name)), common, part)
        for name, part in parts.items()
    }


# ---------------------------------------------------------------------------------------------
# The index by block, kept in a file


class BlockIndex:
    """
    Sizes and digests of the blocks of a data set; the names of a block are read when asked for.

    The index is made of the raw files, and kept in a file of SQLite. Where it is kept, a process
    reads the blocks it needs, not all stimuli. The file is written beside and renamed, and never
    changed: it is read without locks, which network file systems may not have. If it cannot be
    written, nothing is kept; a damaged one is made anew.

    Parameters
    ----------
    name, settings, root
        As for `index`.
    n_blocks : int
        A positive multiple of 10.
    cache_folder : str or path, optional
        Folder where the index is kept.
    trust : bool
        Take the kept index as it is, without a look at the raw files, and never write one. For the
        jobs of a run, whose main process has looked at the files. The name of the index has a
        digest of the settings, so a job finds that of its own settings alone.

    Attributes
    ----------
    sizes : dict of str to int
        Stimuli by block, of all blocks that hold one, sorted.
    digests : dict of str to str
        By block; changes if, and only if, the stimuli or fixations of this block change.

    Raises
    ------
    InputError
        As `index`; also if `n_blocks` is not a positive multiple of 10.
    """

    def __init__(
        self,
        name: str,
        settings: Mapping[str, Any],
        root: str | Path,
        n_blocks: int,
        cache_folder: str | Path | None = None,
        trust: bool = False,
    ) -> None:
        _check_n_blocks(n_blocks)
        self._of = (name, settings, root)
        self._n_blocks = n_blocks
        self._names: dict[str, list[str]] = {}
        self._file: Path | None = None
        self._writes = not trust
        if cache_folder is not None:
            # resolved: Snakemake spells its folder in another way in a job
            decisive = [_CACHE_VERSION, dict(settings), str(Path(root).resolve()), n_blocks]
            key = sha256(json.dumps(decisive, sort_keys=True))[:16]
            self._file = Path(cache_folder) / f"{name}.{key}.sqlite"
        if not (trust and self._take(None)):
            key, make = _look(*self._of)
            if not self._take(key):
                self._keep(key, make)

    def stimuli(self, block: str) -> list[str]:
        """Return the sorted names of the stimuli of one block (as `block_name` writes it)."""
        if block not in self.sizes:
            return []
        if not self._names:
            row = _rows(self._file, "SELECT stimuli FROM block WHERE name = ?", block)
            with contextlib.suppress(ValueError, TypeError, AttributeError, IndexError):
                digests = json.loads(row[0][0])
                if _digest_of(digests.items()) == self.digests[block]:
                    return list(digests)
            self._keep(*_look(*self._of))
        return self._names.get(block, [])

    def _take(self, key: str | None) -> bool:
        """Take sizes and digests of a kept index, if it is whole and of these raw files."""
        kept = _rows(self._file, "SELECT key, total FROM whole")
        rows = _rows(self._file, "SELECT name, size, digest FROM block ORDER BY name")
        if not rows or not kept or key not in (None, kept[0][0]):
            return False
        if kept[0][1] != sha256(json.dumps(rows, default=repr)):
            return False
        self.sizes = {block: size for block, size, _ in rows}
        self.digests = {block: digest for block, _, digest in rows}
        return True

    def _keep(self, key: str, make: Callable[[], dict[str, str]]) -> None:
        """Make the index and write it, if there is a folder to write it to."""
        index = make()
        _require_fixations(self._of[0], index, self._n_blocks)
        self._names = block_stimuli(index, self._n_blocks)
        digests = {b: {name: index[name] for name in names} for b, names in self._names.items()}
        rows = [(b, len(names), _digest_of(digests[b].items())) for b, names in self._names.items()]
        self.sizes = {block: size for block, size, _ in rows}
        self.digests = {block: digest for block, _, digest in rows}
        total = sha256(json.dumps(rows))
        if not self._writes:  # else no main process would look at this index before the next job
            return
        _write(self._file, (key, total), [(*row, json.dumps(digests[row[0]])) for row in rows])


def _require_fixations(name, index, n_blocks):
    """Raise if a split has stimuli, but no fixation on any of them; name stimuli without any."""
    lacking = {split: [] for split in SPLITS}
    for stimulus, digest in index.items():
        split = split_of_block(block_of(stimulus, n_blocks), n_blocks)
        lacking[split].append(digest.startswith("-"))
    for split in SPLITS:
        if lacking[split] and all(lacking[split]):
            raise InputError(
                f"data set '{name}': no stimulus of the {split} split has a fixation, so that "
                f"{USES[split]}; add fixations, or choose another n_blocks (a multiple of 10)"
            )
    without = [stimulus for stimulus, digest in index.items() if digest.startswith("-")]
    if without:
        log.warning(
            "data set '%s': %d of %d stimuli have no fixation, so that people have no score on "
            "them: %s%s; if they should have, look how the table of fixations spells their names",
            name, len(without), len(index), ", ".join(without[:3]), ", ..." * (len(without) > 3),
        )  # fmt: skip


def _digest_of(digests):
    return sha256(*(part for pair in digests for part in pair))


def _rows(path, query, *values):
    """Return the rows of a query; none where the file is absent or damaged."""
    if path is None:
        return []
    try:
        # immutable: nothing is locked, and nothing is written beside the file
        address = f"{path.absolute().as_uri()}?mode=ro&immutable=1"
        with contextlib.closing(sqlite3.connect(address, uri=True)) as database:
            return database.execute(query, values).fetchall()
    except (OSError, sqlite3.Error):
        return []


def _write(path, whole, rows):
    if path is None:
        return
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        os.close(handle)
        with contextlib.closing(sqlite3.connect(temporary, isolation_level=None)) as database:
            database.execute("PRAGMA journal_mode = OFF")
            database.execute("BEGIN")
            database.execute("CREATE TABLE whole (key TEXT, total TEXT)")
            database.execute("INSERT INTO whole VALUES (?, ?)", whole)
            database.execute(
                "CREATE TABLE block (name TEXT PRIMARY KEY, size INT, digest TEXT, stimuli TEXT)"
            )
            database.executemany("INSERT INTO block VALUES (?, ?, ?, ?)", rows)
            database.execute("COMMIT")
        os.replace(temporary, path)
    except (OSError, sqlite3.Error):  # not an error: the next process makes the index again
        if temporary is not None:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
