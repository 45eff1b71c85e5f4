"""
Files of imported saliency maps, listed with the standard library alone.

The Snakefile takes a digest per block from this module; `scoring.imported_maps` reads the maps.
"""

import functools
import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

from gaborscope.data.layouts.scan import one_form
from gaborscope.errors import InputError

IMAGE_EXTENSIONS = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff")
EXTENSIONS = (".npy", *IMAGE_EXTENSIONS)
HDF5_EXTENSIONS = (".h5", ".hdf5")


def location(name: str, path: str, root: str | Path) -> Path:
    """
    Absolute path of imported maps.

    Parameters
    ----------
    name : str
        Name of the predictor, for messages.
    path : str
        A folder or an HDF5 file; a relative one starts at `root`.
    root : str or Path

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
        f"maps '{name}': {source} is neither a folder nor an HDF5 file "
        f"({', '.join(HDF5_EXTENSIONS)}); correct its path in the config"
    )


def find(name: str, folder: Path, stimuli: Sequence[str]) -> dict[str, Path]:
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

    Returns
    -------
    files : dict of str to Path

    Raises
    ------
    InputError
        If a stimulus has no map, or more than one.
    """
    known = _maps_of(folder, folder.stat().st_mtime_ns)
    chosen = {}
    for stimulus in stimuli:
        key = one_form(stimulus)
        candidates = known.get(key, []) + known.get(os.path.splitext(key)[0], [])
        if len(candidates) != 1:
            fault = (
                f"the maps {candidates[0].name} and {candidates[1].name}"
                if candidates
                else "no map"
            )
            raise InputError(
                f"maps '{name}': the stimulus {stimulus!r} has {fault} in {folder}; there must be "
                f"one with the name of the stimulus and one of {', '.join(EXTENSIONS)}"
            )
        chosen[stimulus] = candidates[0]
    return chosen


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


def digest(name: str, path: str, root: str | Path, stimuli: Sequence[str]) -> str:
    """
    Digest of the maps of some stimuli: names, sizes and times of their files.

    Parameters
    ----------
    name, path, root
        See `location`.
    stimuli : sequence of str

    Returns
    -------
    digest : str
        64 hexadecimal digits.
    """
    source = location(name, path, root)
    files = find(name, source, stimuli) if source.is_dir() else {"": source}
    hashed = hashlib.sha256()
    for stimulus in sorted(files):
        status = files[stimulus].stat()
        line = f"{stimulus}\0{files[stimulus].name}\0{status.st_size}\0{status.st_mtime_ns}\n"
        hashed.update(line.encode())
    return hashed.hexdigest()
