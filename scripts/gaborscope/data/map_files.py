"""
Where other people's saliency maps lie, found from the standard library alone.

The Snakefile asks this module for a digest per block; `imported` reads the maps.
"""

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

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
        Of the predictor, for messages.
    path : str
        A folder or an HDF5 file; a relative one starts at `root`.
    root : str or Path

    Returns
    -------
    path : Path

    Raises
    ------
    InputError
        If there is neither a folder nor an HDF5 file.
    """
    found = Path(root) / Path(path).expanduser()
    if found.is_dir() or (found.is_file() and found.suffix.lower() in HDF5_EXTENSIONS):
        return found
    raise InputError(
        f"maps '{name}': {found} is neither a folder nor an HDF5 file "
        f"({', '.join(HDF5_EXTENSIONS)}); correct its path in the config"
    )


def find(name: str, folder: Path, stimuli: Sequence[str]) -> dict[str, Path]:
    """
    File of each stimulus's map.

    A map is called like its stimulus, with another extension or one more
    (`photo.png`, `photo.npy` or `photo.jpg.npy` for the stimulus `photo.jpg`).

    Parameters
    ----------
    name : str
        Of the predictor, for messages.
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
    known = {}
    for place, _, files in os.walk(folder):
        for file in files:
            stem, extension = os.path.splitext(file)
            if extension.lower() in EXTENSIONS:
                key = (Path(place).relative_to(folder) / stem).as_posix()
                known.setdefault(key, []).append(Path(place) / file)
    found = {}
    for stimulus in stimuli:
        own = known.get(stimulus, []) + known.get(os.path.splitext(stimulus)[0], [])
        if len(own) != 1:
            what = f"the maps {own[0].name} and {own[1].name}" if own else "no map"
            raise InputError(
                f"maps '{name}': the stimulus {stimulus!r} has {what} in {folder}; there must be "
                f"one, called like it, with one of {', '.join(EXTENSIONS)}"
            )
        found[stimulus] = own[0]
    return found


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
    where = location(name, path, root)
    files = find(name, where, stimuli) if where.is_dir() else {"": where}
    found = hashlib.sha256()
    for stimulus in sorted(files):
        status = files[stimulus].stat()
        line = f"{stimulus}\0{files[stimulus].name}\0{status.st_size}\0{status.st_mtime_ns}\n"
        found.update(line.encode())
    return found.hexdigest()
