"""
What a data set consists of, found in seconds and from the standard library alone.

The Snakefile asks this module at every parse, on every node: which stimuli there are, which block
each belongs to, and a digest per block that changes when, and only when, that block's stimuli or
fixations do. A data set that cannot be used stops the workflow here, before any job starts.
`datasets.load_block` reads the same files into arrays.
"""

import csv
import functools
import hashlib
import json
import os
import tempfile
from pathlib import Path

from gaborscope.errors import InputError

TYPES = ("demo", "folder", "osie")
IMAGE_EXTENSIONS = (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff")
FIXATION_COLUMNS = ("stimulus", "subject", "x", "y")
DEMO_KINDS = ("orientation", "colour", "size", "frequency", "leaves", "noise")
SPLITS = ("fit", "validation", "test")

# What the generated data set needs to know, with the least value of each that makes sense.
_DEMO_LEAST = {
    "n_stimuli": 1,
    "height": 48,
    "width": 48,
    "n_observers": 1,
    "fixations_per_observer": 1,
    "seed": 0,
    "px_per_degree": 4,
}
_CACHE_VERSION = 1  # raise it when the meaning of a digest changes


# ---------------------------------------------------------------------------------------------
# Blocks and splits


def block_of(name, n_blocks):
    """
    Return the number of the block that a stimulus belongs to, in 0 .. n_blocks - 1.

    It depends on the name alone: adding a stimulus moves no other.

    Parameters
    ----------
    name : str
        Stimulus name (the file name, with its extension).
    n_blocks : int
        A positive multiple of 10.
    """
    _check_n_blocks(n_blocks)
    return _name_hash(name) % n_blocks


def block_name(i, n_blocks):
    """Return the name of block `i`: its number, zero-padded to equal width (at least two)."""
    return f"{i:0{max(2, len(str(n_blocks - 1)))}d}"


def split_of_block(i, n_blocks):
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


def blocks(index, n_blocks):
    """
    Return {'fit': [...], 'validation': [...], 'test': [...]}: names of blocks that hold a stimulus.

    Parameters
    ----------
    index : dict
        Stimulus name -> digest, from `index`.
    n_blocks : int
        A positive multiple of 10.
    """
    found = {split: [] for split in SPLITS}
    for i in sorted({block_of(name, n_blocks) for name in index}):
        found[split_of_block(i, n_blocks)].append(block_name(i, n_blocks))
    return found


def require_splits(name, blocks, needed, n_stimuli=None):
    """
    Raise if a split that the workflow needs holds no stimulus.

    Parameters
    ----------
    name : str
        Name of the data set, for the message.
    blocks : dict
        Split -> block names, from `blocks`.
    needed : sequence of str
        Of 'fit', 'validation', 'test'.
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


def block_stimuli(index, block, n_blocks):
    """Return the sorted names of the stimuli of one block (`block` as `block_name` writes it)."""
    return sorted(n for n in index if block_name(block_of(n, n_blocks), n_blocks) == block)


def block_digest(index, block, n_blocks):
    """Return the digest of one block: its stimuli's names and digests (64 hexadecimal digits)."""
    return _digest_of(index, block_stimuli(index, block, n_blocks))


def block_digests(index, n_blocks):
    """Return {block name: digest} of all blocks that hold a stimulus, in one pass."""
    members = {}
    for name in sorted(index):
        members.setdefault(block_name(block_of(name, n_blocks), n_blocks), []).append(name)
    return {block: _digest_of(index, members[block]) for block in sorted(members)}


def _digest_of(index, names):
    return _sha256(*(part for name in names for part in (name, index[name])))


@functools.cache
def _name_hash(name):
    return int(hashlib.sha256(name.encode()).hexdigest(), 16)


def _check_n_blocks(n_blocks):
    if type(n_blocks) is not int or n_blocks <= 0 or n_blocks % 10:
        raise InputError(f"n_blocks must be a positive multiple of 10, got {n_blocks!r}")


def _sha256(*parts):
    # A separator that no name or number contains keeps ("ab", "c") apart from ("a", "bc").
    return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()


# ---------------------------------------------------------------------------------------------
# The index of a data set


def index(name, settings, root, cache_folder=None):
    """
    Return {stimulus name: digest} of a data set, after checking that it can be used.

    A digest changes with the stimulus file's size or time of change and with what is known of its
    fixations: for `folder` its own rows (subject, x, y as written, in their order), for `osie` the
    size and time of eye/fixations.mat, for `demo` the settings of the generator (not the number of
    stimuli: more of them leave the others as they are).

    Parameters
    ----------
    name : str
        Name of the data set in the config, for messages and the cache file.
    settings : dict
        The data set's entry of the config: `type` (demo, folder or osie), `path`, ...
    root : str or path
        What a relative `path` is relative to.
    cache_folder : str or path, optional
        Where the index is kept, keyed by the raw files' names, sizes and times. A folder that
        cannot be written only means that nothing is kept; a damaged cache is ignored.

    Returns
    -------
    index : dict of str to str, sorted by name

    Raises
    ------
    InputError
        In one sentence: an unknown type, a missing path, file, folder or column, no stimuli, a
        fixation of an unknown stimulus, or a coordinate that is no number or below -0.5. (Whether
        a fixation lies beyond the right or lower edge is known only to `datasets.load_block`.)
    """
    kind = settings.get("type")
    if kind not in TYPES:
        raise InputError(
            f"data set '{name}' has the type {kind!r}, which is unknown; known are "
            + ", ".join(TYPES)
        )
    if kind == "demo":
        return _demo_index(name, settings)
    folder = data_folder(settings, root, name)
    stimuli = _stimulus_files(folder, name)
    fixations = folder / ("fixations.csv" if kind == "folder" else "eye/fixations.mat")
    try:
        status = fixations.stat()
    except OSError:
        raise InputError(_missing_fixations(name, kind, fixations)) from None
    stamp = (status.st_size, status.st_mtime_ns)
    state = [_CACHE_VERSION, kind, str(settings["path"]), stamp, sorted(stimuli.items())]
    key = _sha256(json.dumps(state))
    cache = Path(cache_folder) / f"{name}.json" if cache_folder is not None else None
    found = _read_cache(cache, key)
    if found is None:
        rows = _row_digests(fixations, stimuli) if kind == "folder" else {}
        common = json.dumps(stamp) if kind == "osie" else ""
        found = {
            stimulus: _sha256(json.dumps(stimuli[stimulus]), common, rows.get(stimulus, ""))
            for stimulus in sorted(stimuli)
        }
        _write_cache(cache, key, found)
    return found


def data_folder(settings, root, name="?"):
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
            f"(a relative one starts at {root})"
        )
    return folder


def _stimulus_files(folder, name):
    """Return {file name: (size, mtime_ns)} of the images directly in `folder`/stimuli."""
    found = {}
    try:
        with os.scandir(folder / "stimuli") as entries:
            for entry in entries:
                if entry.name.startswith(".") or not _is_image_name(entry.name):
                    continue
                if not entry.name.isprintable():  # also what a name that is no UTF-8 turns into
                    raise InputError(
                        f"data set '{name}': the name {entry.name!r} in {folder / 'stimuli'} has "
                        "characters that cannot be printed; rename the file"
                    )
                if entry.is_file():
                    status = entry.stat()
                    found[entry.name] = (status.st_size, status.st_mtime_ns)
    except OSError:
        raise InputError(
            f"data set '{name}': {folder} has no readable folder 'stimuli'; put the images there"
        ) from None
    if not found:
        raise InputError(
            f"data set '{name}': {folder / 'stimuli'} holds no image; accepted are "
            + ", ".join(extension[1:] for extension in IMAGE_EXTENSIONS)
        )
    return found


def _is_image_name(name):
    return os.path.splitext(name)[1].lower() in IMAGE_EXTENSIONS


def _missing_fixations(name, kind, path):
    if kind == "folder":
        return (
            f"data set '{name}': there is no readable {path}; write one with the header "
            f"'{','.join(FIXATION_COLUMNS)}' and a row per fixation"
        )
    return f"data set '{name}': there is no readable {path}; OSIE's authors distribute it"


# ---------------------------------------------------------------------------------------------
# fixations.csv


def read_fixation_rows(path):
    """
    Yield (line number, stimulus, subject, x, y) of each row of a fixations.csv.

    Comma-separated UTF-8 with or without byte order mark, any line ends, columns in any order,
    further columns and empty lines ignored. The line number counts from 1 at the header; the
    other four are text, as written.

    Raises
    ------
    InputError
        If the file has no header, lacks a column, has too short a row or is no such text.
    """
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, skipinitialspace=True)
            header = next((row for row in reader if row), None)
            if header is None:
                raise InputError(
                    f"{path} is empty; it needs the header '{','.join(FIXATION_COLUMNS)}'"
                )
            columns = [_column(path, header, wanted) for wanted in FIXATION_COLUMNS]
            stimulus, subject, x, y = columns
            least = max(columns) + 1
            for row in reader:
                if len(row) < least:
                    if not row:
                        continue
                    raise InputError(
                        f"{path}, line {reader.line_num}: the row has {len(row)} values where the "
                        f"header has {len(header)}; complete or remove it"
                    )
                yield reader.line_num, row[stimulus], row[subject], row[x], row[y]
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path} is no comma-separated UTF-8 text ({error}); save it so") from None
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}); check its rights") from None


def number_error(path, line, column, text):
    """Return the InputError for a coordinate that is no usable number (see `index`)."""
    try:
        negative = float(text) < -0.5
    except ValueError:
        negative = False
    fault = "lies outside the image" if negative and text != "-inf" else "is not a finite number"
    return InputError(
        f"{path}, line {line}: {column} = {text!r} {fault}; coordinates are 0-based px from the "
        "upper left pixel, correct or remove the row"
    )


def _column(path, header, wanted):
    names = [column.strip() for column in header]
    if wanted not in names:
        raise InputError(
            f"{path} has no column '{wanted}': its header is '{','.join(header)}'; "
            f"'{','.join(FIXATION_COLUMNS)}' are needed, separated by commas"
        )
    return names.index(wanted)


def _row_digests(path, stimuli):
    """Return {stimulus: digest of its rows}; every row is checked."""
    rows = {}
    infinity = float("inf")
    for line, stimulus, subject, x, y in read_fixation_rows(path):
        if stimulus not in stimuli:
            raise InputError(
                f"{path}, line {line}: there is no stimulus {stimulus!r} in "
                f"{path.parent / 'stimuli'}; the column takes a file name with its extension"
            )
        for column, text in (("x", x), ("y", y)):
            try:
                usable = -0.5 <= float(text) < infinity
            except ValueError:
                usable = False
            if not usable:
                raise number_error(path, line, column, text)
        rows.setdefault(stimulus, []).append(f"{subject}\x1f{x}\x1f{y}")
    if not rows:
        raise InputError(f"{path} has a header but no fixation; add a row per fixation")
    return {stimulus: _sha256(*lines) for stimulus, lines in rows.items()}


# ---------------------------------------------------------------------------------------------
# The generated data set


def demo_name(i):
    """Return the name of the i-th generated stimulus, such as 'colour_0001': the kinds in turn."""
    return f"{DEMO_KINDS[i % len(DEMO_KINDS)]}_{i:04d}"


def check_demo_settings(settings, name="demo"):
    """Raise an InputError unless `settings` hold every number that the generator needs."""
    for key, least in _DEMO_LEAST.items():
        value = settings.get(key)
        whole = key not in ("fixations_per_observer", "px_per_degree")
        kinds = int if whole else (int, float)
        if isinstance(value, bool) or not isinstance(value, kinds) or not least <= value < 1e9:
            raise InputError(
                f"data set '{name}' of type demo needs {key}, "
                f"a {'whole ' if whole else ''}number from {least} up, got {value!r}"
            )
    if min(settings["height"], settings["width"]) < 5 * settings["px_per_degree"]:
        raise InputError(
            f"data set '{name}' of type demo: {settings['height']} x {settings['width']} px at "
            f"{settings['px_per_degree']} px per degree is less than 5 degrees; enlarge height and "
            "width, or lower px_per_degree"
        )


def _demo_index(name, settings):
    check_demo_settings(settings, name)
    shared = json.dumps({k: settings[k] for k in sorted(_DEMO_LEAST) if k != "n_stimuli"})
    names = sorted(demo_name(i) for i in range(settings["n_stimuli"]))
    return {stimulus: _sha256(shared, stimulus) for stimulus in names}


# ---------------------------------------------------------------------------------------------
# The cache


def _read_cache(path, key):
    if path is None:
        return None
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
        if kept["key"] == key and kept["check"] == _sha256(json.dumps(kept["index"])):
            return kept["index"]
    except (OSError, ValueError, KeyError, TypeError):
        return None  # absent, damaged or of another version: it is made anew
    return None


def _write_cache(path, key, found):
    if path is None:
        return
    kept = {"key": key, "check": _sha256(json.dumps(found)), "index": found}
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        with open(handle, "w", encoding="utf-8") as file:
            json.dump(kept, file)
        os.replace(temporary, path)
    except OSError:
        if temporary is not None and os.path.exists(temporary):
            os.unlink(temporary)  # no cache is no fault: the next parse builds the index again
