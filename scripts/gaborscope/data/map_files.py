"""
Files of imported saliency maps, listed with the standard library alone.

The Snakefile takes a digest per block from this module; `scoring.imported_maps` reads the maps.
"""

import functools
import hashlib
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from gaborscope.data.layouts.scan import one_form
from gaborscope.errors import InputError, require_file

IMAGE_EXTENSIONS = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff")
EXTENSIONS = (".npy", *IMAGE_EXTENSIONS)
HDF5_EXTENSIONS = (".h5", ".hdf5")


def location(name: str, path: str, root: str | Path, section: str = "maps") -> Path:
    """
    Absolute path of imported maps.

    Parameters
    ----------
    name : str
        Name of the predictor, for messages.
    path : str
        A folder or an HDF5 file; a relative one starts at `root`.
    root : str or Path
    section : str
        Section of the config, for messages.

    Returns
    -------
    path : Path

    Raises
    ------
    InputError
        If the path is neither a folder nor an HDF5 file.
    """
    source = Path(root) / Path(path).expanduser()
    if source.is_dir() or (source.is_file() and source.suffix.lower() in HDF5_EXTENSIONS):
        return source
    raise InputError(
        f"{section} '{name}': {source} is neither a folder nor an HDF5 file "
        f"({', '.join(HDF5_EXTENSIONS)}); correct its path in the config"
    )


def find(name: str, folder: Path, stimuli: Sequence[str], section: str = "maps") -> dict[str, Path]:
    """
    File of each stimulus's map.

    A map has the name of its stimulus with another extension, or with a further one
    (`photo.png`, `photo.npy` or `photo.jpg.npy` for the stimulus `photo.jpg`).

    Parameters
    ----------
    name : str
        Name of the predictor, for messages.
    folder : Path
    stimuli : sequence of str
    section : str
        Section of the config, for messages.

    Returns
    -------
    files : dict of str to Path

    Raises
    ------
    InputError
        If a stimulus has no map, or more than one, or shares it with another stimulus.
    """
    require_apart(name, folder, stimuli, section)
    known, chosen = _maps_of(folder, folder.stat().st_mtime_ns), {}
    for stimulus in stimuli:
        candidates = _candidates(known, stimulus)
        if len(candidates) != 1:
            fault = (
                f"the maps {candidates[0].name} and {candidates[1].name}"
                if candidates
                else "no map"
            )
            raise InputError(
                f"{section} '{name}': the stimulus {stimulus!r} has {fault} in {folder}; there "
                f"must be one with the name of the stimulus and one of {', '.join(EXTENSIONS)}"
                + ("" if candidates else _nearest(folder, stimulus))
            )
        chosen[stimulus] = candidates[0]
    return chosen


def require_apart(name: str, folder: Path, stimuli: Iterable[str], section: str = "maps") -> None:
    """
    Raise if one map has the name of two stimuli, such as a.png of a.jpg and a.tif.

    Parameters
    ----------
    name : str
        Name of the predictor, for messages.
    folder : Path
    stimuli : iterable of str
        All stimuli of a data set.
    section : str
        Section of the config, for messages.

    Raises
    ------
    InputError
    """
    known = _maps_of(folder, folder.stat().st_mtime_ns)
    owners: dict[Path, str] = {}
    for stimulus in stimuli:
        candidates = _candidates(known, stimulus)
        if len(candidates) == 1 and owners.setdefault(candidates[0], stimulus) != stimulus:
            other, extension = owners[candidates[0]], candidates[0].suffix
            raise InputError(
                f"{section} '{name}': {candidates[0]} is the map of two stimuli, {other!r} and "
                f"{stimulus!r}; give each a map with its whole name, {other}{extension} and "
                f"{stimulus}{extension}"
            )


def _candidates(known, stimulus):
    """Files that have the name of a stimulus."""
    key = one_form(stimulus)
    return known.get(key, []) + known.get(os.path.splitext(key)[0], [])


def _nearest(folder, stimulus):
    """Return "; there is x.mat" if a file has the name in another case, form or folder."""
    stem = os.path.splitext(os.path.basename(one_form(stimulus)))[0].casefold()
    for place, folders, files in os.walk(folder):
        folders.sort()
        for entry in sorted(files) + folders:
            names = one_form(entry).casefold()
            if stem in (names, os.path.splitext(names)[0], names.partition(".")[0]):
                kind = "the folder " if entry in folders else ""
                return f"; there is {kind}{(Path(place) / entry).relative_to(folder)}"
    return ""


@functools.lru_cache(maxsize=4)
def _maps_of(folder, changed):
    """Return {name without extension: paths}; listed once for all blocks of a plan."""
    known = {}
    for place, _, files in os.walk(folder):
        for file in files:
            stem, extension = os.path.splitext(file)
            if extension.lower() in EXTENSIONS:
                key = one_form((Path(place).relative_to(folder) / stem).as_posix())
                known.setdefault(key, []).append(Path(place) / file)
    return known


def digest(
    name: str, path: str, root: str | Path, stimuli: Sequence[str], section: str = "maps"
) -> str:
    """
    Digest of the maps of some stimuli: names, sizes and times of their files.

    Parameters
    ----------
    name, path, root, section
        See `location`.
    stimuli : sequence of str

    Returns
    -------
    digest : str
        64 hexadecimal digits.
    """
    source = location(name, path, root, section)
    files = find(name, source, stimuli, section) if source.is_dir() else {"": source}
    hashed = hashlib.sha256()
    for stimulus in sorted(files):
        try:
            status = require_file(files[stimulus], "map")
        except InputError as error:
            raise InputError(f"{section} '{name}': {error}") from None
        line = f"{stimulus}\0{files[stimulus].name}\0{status.st_size}\0{status.st_mtime_ns}\n"
        hashed.update(line.encode())
    return hashed.hexdigest()
