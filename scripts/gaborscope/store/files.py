"""HDF5 files of the pipeline: written completely or not at all, with their origin and schema."""

import contextlib
import importlib.metadata
import io
import json
import os
import subprocess
import zlib
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
from gaborscope.errors import InputError, reading, require_file, unwritable
from gaborscope.store import checksums
from gaborscope.store import paths as grammar

VERSIONS = {
    "data": 2,
    "activations": 2,
    "saliency": 2,
    "statistics": 4,
    "filters": 4,
    "explained": 2,
    "fixation_bank": 2,
    "deep_bank": 1,
    "centre_bias": 1,
    "differentiation": 1,
    "concepts": 1,
    "export": 1,
}
PACKAGES = ("numpy", "scipy", "h5py", "opencv-python-headless", "pyfftw", "torch", "snakemake")
CODE = (":/scripts", ":/rules", ":/Snakefile", ":/config.yaml", ":/envs")  # what results come from


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
        inputs give equal bytes. `commit` ends in "-dirty" where the code has other changes.
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
    commit = _git("rev-parse", "HEAD")
    changed = commit and _git("status", "--porcelain", "--untracked-files=no", "--", *CODE)
    return f"{commit}-dirty" if changed else commit or "unknown"


def _git(*arguments):
    """Return what git says of the checkout; nothing where there is none, or no git."""
    folder = Path(__file__).resolve().parent
    # no locks: the checkout may be read-only, and many jobs ask at once
    command = ["git", "--no-optional-locks", "-C", str(folder), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError:
        return ""
    return done.stdout.strip()


def _versions():
    versions = {"gaborscope": __version__}
    for package in PACKAGES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            versions[package] = importlib.metadata.version(package)
    return versions


@contextlib.contextmanager
def whole(path: str | Path, note: bool = False) -> Iterator[Path]:
    """
    Temporary path to write to, renamed to `path` if the block ends without an error.

    Parameters
    ----------
    path : str or Path
    note : bool
        Whether the file gets a note with its checksum beside it, see `store.checksums`.

    Yields
    ------
    temporary : Path
        In the same folder; removed if the block fails, so that no half-written file stays.

    Raises
    ------
    InputError
        If the file cannot be written: the disk is full, the folder is read-only, ...
    """
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        if note:
            with whole(checksums.note_of(path)) as described:
                described.write_text(checksums.note(path, temporary), encoding="utf-8")
        with open(temporary, "rb") as handle:
            os.fsync(handle.fileno())
        _require_run(path)
        os.replace(temporary, path)
    except OSError as error:
        # an error of another file, such as one that is read meanwhile, is not ours to explain
        named = error.filename and Path(error.filename)
        if error.errno and named in (None, temporary, *path.parents):
            raise unwritable(path, error) from error
        raise
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


class _Output(io.RawIOBase):
    """
    The file that HDF5 writes to; `error` keeps the first error of writing.

    HDF5 hears of no error: it cannot close a file that it could not write, and takes the process
    down with it.
    """

    def __init__(self, path: Path, temporary: Path) -> None:
        self._path = path
        self.error: OSError | None = None
        self._file = open(temporary, "w+b", buffering=0)

    def __repr__(self) -> str:
        return str(self._path)  # in the messages of `put`

    def close(self):
        self._file.close()
        super().close()

    def seek(self, offset, whence=os.SEEK_SET):
        return self._file.seek(offset, whence)

    def tell(self):
        return self._file.tell()

    def readinto(self, buffer):
        return self._file.readinto(buffer)

    def truncate(self, size=None):
        self._attempt(self._file.truncate, size)
        return size

    def write(self, content):
        left = memoryview(content).cast("B")
        while len(left) and self.error is None:  # a nearly full disk takes a part
            left = left[self._attempt(self._file.write, left) or 0 :]
        return len(content)

    def _attempt(self, function, argument):
        try:
            return function(argument)
        except OSError as error:
            self.error = self.error or error


def _require_run(path):
    """Stop a job whose run was killed, once another run owns the folder (workflow/ownership.py)."""
    run, _, record = os.environ.get("GABORSCOPE_RUN", "").partition(":")
    try:
        owner = json.loads(Path(record).read_text(encoding="utf-8"))["run"] if run else run
    except (OSError, ValueError, KeyError, TypeError):
        return  # no record here, such as in a container that has the folder elsewhere
    if owner != run:
        raise InputError(f"{path} is not written: another run has taken over since this job began")


@contextlib.contextmanager
def create(path: str | Path, kind: str, origin: Mapping[str, Any]) -> Iterator[h5py.File]:
    """
    Open a new HDF5 file to write; it appears at `path` only when it is complete, with checksums.

    Parameters
    ----------
    path : str or Path
    kind : str
        Key of `VERSIONS`.
    origin : dict
        From `provenance`; becomes root attributes, beside `schema` and `file`, the path below
        the folder of the run.

    Yields
    ------
    file : h5py.File
    """
    with whole(path) as temporary:
        with contextlib.closing(_Output(Path(path), temporary)) as output:
            file = h5py.File(output, "w")
            try:
                file.attrs["schema"] = f"{kind}/{VERSIONS[kind]}"
                file.attrs["file"] = grammar.canonical(path) or ""
                for key, value in origin.items():
                    file.attrs[key] = value
                yield file
                parts = _chunks(file)
            finally:
                file.close()
            if output.error is not None:
                raise output.error
        checksums.seal(temporary, parts)


def _chunks(file):
    """Place and size of the chunks of all datasets that have any, see `read_row`."""
    found = []

    def visit(_, member):
        if isinstance(member, h5py.Dataset) and member.chunks:
            chunks = map(member.id.get_chunk_info, range(member.id.get_num_chunks()))
            found.extend((chunk.byte_offset, chunk.size) for chunk in chunks)

    file.flush()
    file.visititems(visit)
    return found


class SealedFile(h5py.File):
    """An HDF5 file with the checksums of the parts that are not checked yet, by their place."""

    parts: dict[int, int]


def read_row(file: SealedFile, name: str, row: int) -> np.ndarray:
    """
    Read and check one row of a dataset that has a chunk for each row.

    Parameters
    ----------
    file : SealedFile
        From `open_file`.
    name : str
        Of the dataset.
    row : int

    Returns
    -------
    values : array

    Raises
    ------
    InputError
        If the bytes are not those that were written.
    """
    dataset = file[name]
    values = dataset[row]
    at = dataset.id.get_chunk_info_by_coord((row, *[0] * (dataset.ndim - 1))).byte_offset
    if zlib.crc32(values) != file.parts.get(at):
        raise checksums.damaged(
            file.filename, f"is damaged: row {row} of {name} is not what was written"
        )
    return values


@contextlib.contextmanager
def open_file(path: str | Path, kind: str) -> Iterator[SealedFile]:
    """
    Open an HDF5 file to read and check it, but for the chunks that `read_row` checks.

    Parameters
    ----------
    path : str or Path
    kind : str

    Yields
    ------
    file : SealedFile

    Raises
    ------
    InputError
        If there is no such file, it is damaged or cut short, no HDF5 file, of another schema, or
        another file of results/ than its path says; and where the block that reads it meets a
        member that is missing or of another type than it needs.
    """
    expected = f"{kind}/{VERSIONS[kind]}"
    require_file(path)
    fault = f"{path} cannot be read as a file of {kind}", checksums.remedy(path)
    with reading(*fault):
        if not h5py.is_hdf5(path):
            raise checksums.damaged(path, "cannot be read as HDF5")
        parts = checksums.check_sealed(path)
        file = SealedFile(path, "r")
    with file:
        schema = file.attrs.get("schema", "none")
        if schema != expected:
            raise InputError(
                f"{path} has the schema {schema} where {expected} is needed; "
                f"{checksums.remedy(path)}, or use the version of the code that wrote it"
            )
        checksums.check_name(path, file.attrs.get("file"))
        file.parts = parts
        try:
            yield file
        # a member that is missing or of another type; any other error is not the file's
        except (KeyError, TypeError, AttributeError, OSError):
            with reading(*fault):
                raise


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
