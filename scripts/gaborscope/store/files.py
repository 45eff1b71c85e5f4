"""HDF5 files of the pipeline: written completely or not at all, with their origin and schema."""

import contextlib
import importlib.metadata
import json
import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy.typing as npt

# Locks fail on many network file systems and are not needed: a file has one writer and gets its
# name when it is complete.
os.environ.setdefault("HDF5_USE_FILE_LOCKING", "FALSE")
import h5py
import numpy as np

from gaborscope import __version__
from gaborscope.errors import InputError

VERSIONS = {
    "data": 1,
    "activations": 1,
    "saliency": 1,
    "statistics": 2,
    "filters": 2,
    "explained": 1,
    "fixation_bank": 1,
}
PACKAGES = ("numpy", "scipy", "h5py", "opencv-python-headless", "pyfftw", "torch", "snakemake")


def provenance(smk: Any) -> dict[str, str]:
    """
    Origin of a file: wildcards and parameters of the running job, its code and packages.

    Parameters
    ----------
    smk : the `snakemake` object of a stage script

    Returns
    -------
    attributes : dict of str to str
        `wildcards`, `params`, `code`, `commit`, `versions`, `seed`. No times, no host names: equal
        inputs give equal bytes.
    """
    params = {key: value for key, value in smk.params.items() if key != "code"}
    return {
        "wildcards": json.dumps(dict(smk.wildcards.items()), sort_keys=True),
        "params": json.dumps(params, sort_keys=True, default=str),
        "code": str(smk.params.get("code", "")),
        "commit": _commit(),
        "versions": json.dumps(_versions(), sort_keys=True),
        "seed": str(smk.params.get("seed", "")),
    }


def _commit():
    folder = Path(__file__).resolve().parent
    command = ["git", "-C", str(folder), "rev-parse", "HEAD"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError:
        return "unknown"
    return done.stdout.strip() or "unknown"


def _versions():
    versions = {"gaborscope": __version__}
    for package in PACKAGES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            versions[package] = importlib.metadata.version(package)
    return versions


@contextlib.contextmanager
def whole(path: str | Path) -> Iterator[Path]:
    """
    Temporary path to write to, renamed to `path` if the block ends without an error.

    Parameters
    ----------
    path : str or Path

    Yields
    ------
    temporary : Path
        In the same folder; removed if the block fails, so that no half-written file stays.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        yield temporary
        with open(temporary, "rb") as handle:
            os.fsync(handle.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def create(path: str | Path, kind: str, origin: Mapping[str, Any]) -> Iterator[h5py.File]:
    """
    Open a new HDF5 file to write; it appears at `path` only when it is complete.

    Parameters
    ----------
    path : str or Path
    kind : str
        Key of `VERSIONS`.
    origin : dict
        From `provenance`; becomes root attributes.

    Yields
    ------
    file : h5py.File
    """
    with whole(path) as temporary, h5py.File(temporary, "w") as file:
        file.attrs["schema"] = f"{kind}/{VERSIONS[kind]}"
        for key, value in origin.items():
            file.attrs[key] = value
        yield file


@contextlib.contextmanager
def open_file(path: str | Path, kind: str) -> Iterator[h5py.File]:
    """
    Open an HDF5 file to read and check its schema.

    Parameters
    ----------
    path : str or Path
    kind : str

    Yields
    ------
    file : h5py.File

    Raises
    ------
    InputError
        If the file is not an HDF5 file or has another schema.
    """
    expected = f"{kind}/{VERSIONS[kind]}"
    if not Path(path).is_file():
        raise InputError(f"there is no file {path}; correct the path")
    try:
        file = h5py.File(path, "r")
    except OSError as error:
        raise InputError(f"{path} cannot be read as HDF5 ({error}); remove it and run again") from (
            error
        )
    with file:
        schema = file.attrs.get("schema", "none")
        if schema != expected:
            raise InputError(
                f"{path} has the schema {schema} where {expected} is needed; "
                "remove it and run again, or use the version of the code that wrote it"
            )
        yield file


def put(
    group: h5py.Group,
    name: str,
    values: npt.ArrayLike,
    axes: str,
    unit: str,
    dtype: npt.DTypeLike | None = None,
    **options: Any,
) -> h5py.Dataset:
    """
    Write one dataset with its axes and unit; values that are not finite raise.

    Parameters
    ----------
    group : h5py.Group
    name : str
    values : array
    axes, unit : str
        Names of the axes, separated by commas, and unit of the values.
    dtype : optional
        Type on disk; by default the type of `values`.
    **options
        For `h5py.Group.create_dataset`.

    Returns
    -------
    dataset : h5py.Dataset

    Raises
    ------
    InputError
        If a value is NaN or infinite, or too large for the float type asked for.
    """
    values = np.asarray(values)
    if values.dtype.kind == "f":
        if not np.isfinite(values).all():
            raise InputError(f"{group.file.filename}: {name} holds NaN or infinity; not written")
        largest = np.abs(values).max(initial=0)
        if dtype is not None and largest > np.finfo(dtype).max:
            raise InputError(
                f"{group.file.filename}: {name} reaches {largest:.3g}, more than "
                f"{np.dtype(dtype)} holds ({np.finfo(dtype).max:.6g}); scale the values down"
            )
    dataset = group.create_dataset(name, data=values, dtype=dtype, **options)
    dataset.attrs["axes"] = axes
    dataset.attrs["unit"] = unit
    return dataset


def put_text(
    group: h5py.Group, name: str, values: Sequence[str] | np.ndarray, axes: str = "stimulus"
) -> None:
    """
    Write a list of strings.

    Parameters
    ----------
    group : h5py.Group
    name : str
    values : sequence of str
    axes : str
    """
    dataset = group.create_dataset(name, data=np.array(values, dtype=h5py.string_dtype()))
    dataset.attrs["axes"] = axes
    dataset.attrs["unit"] = "text"
