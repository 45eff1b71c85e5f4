"""HDF5 files of the pipeline: who wrote them, with what, and how they are read back."""

import contextlib
import importlib.metadata
import json
import os
import subprocess
from pathlib import Path

# Locks do not work on many network file systems; files here have one writer and are renamed whole.
os.environ.setdefault("HDF5_USE_FILE_LOCKING", "FALSE")

import h5py
import numpy as np

from gaborscope.errors import InputError
from gaborscope.stimuli import geometry
from gaborscope.stimuli.block import StimulusBlock

VERSIONS = {
    "data": 1,
    "activations": 1,
    "saliency": 1,
    "statistics": 1,
    "filters": 2,
    "explained": 1,
    "fixation_bank": 1,
}
PACKAGES = ("numpy", "scipy", "h5py", "opencv-python-headless", "pyfftw", "torch", "snakemake")
FACTS = (
    "images", "observers", "task", "duration_s", "faults", "px_per_degree", "sigma_px", "source",
    "licence",
)  # fmt: skip


def provenance(smk):
    """
    Origin of a file: what the running job was asked for, with which code and packages.

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
    found = {}
    for package in PACKAGES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found[package] = importlib.metadata.version(package)
    return found


@contextlib.contextmanager
def whole(path):
    """
    Path to write to, renamed to `path` once the block has ended well: no half-written file.

    Parameters
    ----------
    path : str or Path

    Yields
    ------
    temporary : Path
        In the same folder; removed if the block fails.
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
def create(path, kind, origin):
    """
    HDF5 file to write, of a kind, whole or not there at all.

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
def open_file(path, kind):
    """
    HDF5 file to read, its schema checked.

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
        If the file is no HDF5 file or of another schema.
    """
    expected = f"{kind}/{VERSIONS[kind]}"
    try:
        file = h5py.File(path, "r")
    except OSError as error:
        raise InputError(f"{path} cannot be read as HDF5 ({error}); remove it and run again") from (
            error
        )
    with file:
        found = file.attrs.get("schema", "none")
        if found != expected:
            raise InputError(
                f"{path} has the schema {found} where {expected} is needed; "
                "remove it and run again, or use the version of the code that wrote it"
            )
        yield file


def put(group, name, values, axes, unit, dtype=None, **options):
    """
    Write one dataset with its axes and unit; refuse what is not finite.

    Parameters
    ----------
    group : h5py.Group
    name : str
    values : array
    axes, unit : str
        What the axes are, comma-separated, and the unit of the values.
    dtype : optional
        Type on disk; that of `values` by default.
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
                f"{np.dtype(dtype)} holds ({np.finfo(dtype).max:.6g}); normalise what is recorded"
            )
    dataset = group.create_dataset(name, data=values, dtype=dtype, **options)
    dataset.attrs["axes"] = axes
    dataset.attrs["unit"] = unit
    return dataset


def put_text(group, name, values, axes="stimulus"):
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


# --- data ---------------------------------------------------------------------------------------


def write_data(path, block, origin):
    """
    Write the stimuli and fixations of one block.

    Parameters
    ----------
    path : str or Path
    block : StimulusBlock
    origin : dict
    """
    with create(path, "data", origin) as file:
        for key in FACTS:
            if block.facts.get(key) is not None:
                file.attrs[key] = block.facts[key]
        stimulus = file.create_group("stimulus")
        put_text(stimulus, "name", block.names)
        put_text(stimulus, "path", block.paths)
        put_text(stimulus, "sha256", block.sha256)
        put(stimulus, "size", block.sizes, "stimulus, (height, width)", "px", np.int32)
        if block.images is not None:
            images = stimulus.create_group("image")
            for index, image in enumerate(block.images):
                put(images, str(index), image, "y, x, rgb", "0..255", np.uint8)
        fixation = file.create_group("fixation")
        for key in ("x", "y"):
            put(fixation, key, getattr(block, key), "fixation", "px", np.float32)
        for key in ("stimulus", "subject"):
            put(fixation, key, getattr(block, key), "fixation", "index", np.int32)


def read_data(path):
    """
    Read the stimuli and fixations of one block.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    block : StimulusBlock
    """
    with open_file(path, "data") as file:
        images = None
        if "image" in file["stimulus"]:
            images = [
                file[f"stimulus/image/{index}"][()] for index in range(len(file["stimulus/name"]))
            ]
        return StimulusBlock(
            names=list(file["stimulus/name"].asstr()[()]),
            paths=list(file["stimulus/path"].asstr()[()]),
            sha256=list(file["stimulus/sha256"].asstr()[()]),
            sizes=file["stimulus/size"][()],
            x=file["fixation/x"][()],
            y=file["fixation/y"][()],
            stimulus=file["fixation/stimulus"][()],
            subject=file["fixation/subject"][()],
            facts={key: file.attrs[key] for key in FACTS if key in file.attrs},
            images=images,
        )


# --- activations and reconstructions ------------------------------------------------------------


def read_blocks(paths):
    """
    Stimulus blocks of some files.

    Parameters
    ----------
    paths : sequence of str

    Returns
    -------
    blocks : dict of str to StimulusBlock
        By the file's name.
    """
    return {Path(path).stem: read_data(path) for path in paths}


class LayerWriter:
    """
    Writes maps of layers stimulus by stimulus, grouped by input size.

    Parameters
    ----------
    path : str or Path
    groups : dict of (int, int) to list of (int, geometry.Placement)
        From `geometry.group_by_input`.
    layers : dict of str to dict
        As `recording.measure_layers` gives them.
    origin : dict
    """

    def __init__(self, path, groups, layers, origin):
        self._stack = contextlib.ExitStack()
        self._arguments = (path, groups, layers, origin)
        self._rows = {
            index: (geometry.size_name(size), row)
            for size, group in groups.items()
            for row, (index, _) in enumerate(group)
        }

    def __enter__(self):
        """Create the file and its datasets."""
        path, groups, layers, origin = self._arguments
        self._file = self._stack.enter_context(create(path, "activations", origin))
        for size, members in sorted(groups.items()):
            index, placements = zip(*members, strict=True)
            valid = [placement.valid for placement in placements]
            group = self._file.create_group(geometry.size_name(size))
            put(group, "stimulus", index, "stimulus", "index in the block", np.int32)
            put(group, "valid", valid, "stimulus, (top, left, height, width)", "px", np.int32)
            for name, layer in layers.items():
                _create_layer(group, name, layer, len(index))
        return self

    def __exit__(self, *error):
        """Finish the file, or remove it after an error."""
        return self._stack.__exit__(*error)

    def put(self, index, layer, maps):
        """
        Write the maps of one stimulus.

        Parameters
        ----------
        index : int
            Stimulus in the block.
        layer : str
        maps : float array (channel, y, x)

        Raises
        ------
        InputError
            If a value is not finite or does not fit float16.
        """
        largest = np.abs(maps).max(initial=0)
        if not largest <= np.finfo(np.float16).max:
            raise InputError(
                f"layer {layer}: an activation is {largest:.3g}; float16 files hold finite values "
                "up to 65504, so record a normalised layer instead"
            )
        size, row = self._rows[index]
        self._file[size][layer][row] = maps.astype(np.float16)

    def put_batch(self, index, layer, maps):
        """
        Write the maps of several stimuli.

        Parameters
        ----------
        index : sequence of int
            Stimuli in the block.
        layer : str
        maps : float array (n, channel, y, x)
        """
        for stimulus, values in zip(index, maps, strict=True):
            self.put(stimulus, layer, values)


def _create_layer(group, name, layer, n):
    shape = (layer["channels"], *layer["shape"][group.name.strip("/")])
    dataset = group.create_dataset(name, (n, *shape), np.float16, chunks=(1, *shape))
    dataset.attrs["axes"] = "stimulus, channel, y, x"
    dataset.attrs["unit"] = "activation"
    for key in ("module", "nonlinearity"):
        dataset.attrs[key] = layer[key]
    for key in ("stride", "offset_px", "receptive_field_px"):
        dataset.attrs[key] = np.asarray(layer[key], dtype=float)


def read_layers(path, layers):
    """
    Iterate over the stimuli of an activation or reconstruction file.

    Parameters
    ----------
    path : str or Path
    layers : sequence of str

    Yields
    ------
    index : int
        Stimulus in its block.
    valid : (int, int, int, int)
        Top, left, height, width of the content in px.
    size : (int, int)
        Input size.
    maps : dict of str to float32 array (channel, y, x)
    """
    with open_file(path, "activations") as file:
        for name in sorted(file):
            group = file[name]
            size = tuple(int(extent) for extent in name.split("x"))
            for row, index in enumerate(group["stimulus"][()]):
                valid = tuple(int(v) for v in group["valid"][row])
                maps = {layer: group[layer][row].astype(np.float32) for layer in layers}
                yield int(index), valid, size, maps


def layer_names(path):
    """
    Layers of an activation or reconstruction file.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    names : list of str
    """
    with open_file(path, "activations") as file:
        group = next(iter(file.values()), {})
        return [name for name in group if name not in ("stimulus", "valid")]


# --- saliency maps ------------------------------------------------------------------------------


def write_saliency(path, names, log_densities, origin):
    """
    Write the log-densities of one predictor on one block.

    Parameters
    ----------
    path : str or Path
    names : sequence of str
        Stimuli of the block.
    log_densities : iterable of float array (height, width)
        In the order of `names`, at each stimulus's own size.
    origin : dict
    """
    with create(path, "saliency", origin) as file:
        put(file, "stimulus", np.arange(len(names)), "stimulus", "index in the block", np.int32)
        put_text(file, "name", names)
        group = file.create_group("log_density")
        for index, log_density in enumerate(log_densities):
            put(group, str(index), log_density, "y, x", "natural logarithm", np.float32)


def read_saliency(path):
    """
    Iterate over the densities of a saliency file.

    Parameters
    ----------
    path : str or Path

    Yields
    ------
    index : int
        Stimulus in its block.
    density : float64 array (height, width)
        Positive, sum 1.
    """
    with open_file(path, "saliency") as file:
        for index in file["stimulus"][()]:
            density = np.exp(file[f"log_density/{index}"][()].astype(float))
            yield int(index), density / density.sum()


def read_density(path, index):
    """
    Density of one stimulus of a saliency file.

    Parameters
    ----------
    path : str or Path
    index : int
        Stimulus in its block.

    Returns
    -------
    density : float64 array (height, width)
        Positive, sum 1.
    """
    with open_file(path, "saliency") as file:
        density = np.exp(file[f"log_density/{index}"][()].astype(float))
    return density / density.sum()
