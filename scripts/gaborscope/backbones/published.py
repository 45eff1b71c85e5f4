"""Published weights of UNISAL and MSI-Net, converted to state dicts of our networks."""

import dataclasses
import logging
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from gaborscope.backbones import tensorflow, user_models, weights
from gaborscope.backbones.msinet import MSINet
from gaborscope.data import downloads
from gaborscope.errors import InputError

log = logging.getLogger(__name__)

SALICON = {"type": "salicon", "prefix": "COCO_train2014"}  # the 10,000 training stimuli


@dataclasses.dataclass(frozen=True)
class Source:
    """
    A file of weights that its authors published.

    Attributes
    ----------
    url : str
        Address of the file.
    name : str
        Path of the file in the cache.
    git_blob : str or None
        SHA-1 of the content in the authors' Git repository. If None, the SHA-256 of the first
        download is stored, and later downloads are checked against it.
    trained_on : tuple of dict
        See `scoring.exposure`.
    licence : str
    """

    url: str
    name: str
    git_blob: str | None
    trained_on: tuple[dict[str, Any], ...]
    licence: str


SOURCES = {
    # git_blob: the file in commit 0440df7
    "unisal": Source(
        "https://github.com/rdroste/unisal/raw/master/training_runs/pretrained_unisal/"
        "weights_best.pth",
        "unisal/weights_best.pth",
        "f06b52c56405bbf11b40cf1b4307573aa4035bea",
        ({"type": "dhf1k"}, {"type": "hollywood2"}, {"type": "ucfsports"}, SALICON),
        "Apache-2.0",
    ),
    # a SavedModel whose weights are constants of the graph
    "msinet": Source(
        "https://huggingface.co/alexanderkroner/MSI-Net/resolve/main/saved_model.pb",
        "msinet/saved_model.pb",
        None,
        (SALICON,),
        "MIT",
    ),
}

# End of the names of MSI-Net's variables in TensorFlow; any prefix may come before it.
VARIABLE = re.compile(r"(?:^|/)((?:conv\d|aspp|decoder)/conv\d(?:_\d)?/(?:kernel|bias))(?::0)?$")


def fetch(name: str) -> Path:
    """
    Return the path of the published weights of a backbone, downloaded unless in the cache.

    Parameters
    ----------
    name : str

    Returns
    -------
    path : Path

    Raises
    ------
    InputError
        If the backbone has no published weights, or the file cannot be downloaded or has another
        content than expected.
    """
    if name not in SOURCES:
        raise InputError(
            f"there are no published weights of {name}, only of {', '.join(SOURCES)}; "
            "set weights: train, or a path"
        )
    source = SOURCES[name]
    return downloads.fetch(
        source.url, downloads.cache_folder() / source.name, git_blob=source.git_blob
    )


def read(name: str, path: str | Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """
    Read a file of weights of any supported format.

    Parameters
    ----------
    name : str
        Name of the backbone. For `msinet` files of TensorFlow are read as well.
    path : str or Path

    Returns
    -------
    content : dict
        Tensors by name, or what a checkpoint holds around them.
    description : dict
        Metadata of a safetensors file; empty for other files.

    Raises
    ------
    InputError
        If the file cannot be read, or does not fit the backbone.
    """
    path = Path(path)
    if not path.exists() and not path.with_name(f"{path.name}.index").exists():
        raise InputError(f"there are no weights at {path}; relative paths start at the repository")
    if path.suffix == ".safetensors":
        return weights.read_weights(path)
    if name == "msinet" and path.suffix not in (".pt", ".pth"):
        return msinet_state_dict(tensorflow.read_tensors(path), str(path)), {}
    return weights.read_pickle(path), {}


def msinet_variables() -> dict[str, tuple[int, ...]]:
    """
    Names and shapes of MSI-Net's 46 variables in TensorFlow.

    Returns
    -------
    shapes : dict of str to tuple of int
        Kernels (height, width, in, out), biases (out,).
    """
    with torch.device("meta"):
        state_dict = MSINet().state_dict()
    return {_tensorflow_name(key): _hwio(value.shape) for key, value in state_dict.items()}


def _tensorflow_name(key):
    key = key.removeprefix("encoder.").replace(".weight", ".kernel")
    return key.replace(".", "/")


def _hwio(shape):
    return tuple(shape) if len(shape) == 1 else (*shape[2:], shape[1], shape[0])


def msinet_state_dict(
    variables: Mapping[str, np.ndarray], source: str = "the variables"
) -> dict[str, torch.Tensor]:
    """
    State dict of MSI-Net from its TensorFlow variables.

    Parameters
    ----------
    variables : dict of str to float array
        By name, with or without a prefix and ":0". Variables other than the 46 of MSI-Net are
        ignored. Kernels are (height, width, in, out).
    source : str
        Name of the file, for error messages.

    Returns
    -------
    state_dict : dict of str to float32 tensor

    Raises
    ------
    InputError
        If one of the 46 is missing, appears twice with different values, has another shape, or
        holds a value that is not finite.
    """
    shapes, arrays = msinet_variables(), {}
    for name, value in variables.items():
        match = VARIABLE.search(name)
        if match is None or match[1] not in shapes:
            continue
        if match[1] in arrays and not np.array_equal(arrays[match[1]], value):
            raise InputError(f"{source} holds {match[1]} twice with different values")
        arrays[match[1]] = np.asarray(value)
    missing = [name for name in shapes if name not in arrays]
    if missing:
        unexpected = next((name for name in variables if VARIABLE.search(name) is None), "none")
        raise InputError(
            f"{source} does not fit msinet: {len(missing)} of {len(shapes)} tensors are missing, "
            f"the first is {missing[0]}, the first unexpected {unexpected}; is it a file of "
            "MSI-Net's authors?"
        )
    for name, shape in shapes.items():
        if arrays[name].shape != shape:
            raise InputError(
                f"{source}: {name} has the shape {arrays[name].shape}, but msinet needs {shape}"
            )
        if not np.isfinite(arrays[name]).all():
            raise InputError(f"{source}: {name} holds values that are not finite")
    return {_torch_name(name): _oihw(arrays[name]) for name in shapes}


def _torch_name(name):
    stage, layer, kind = name.split("/")
    prefix = "encoder." if stage.startswith("conv") else ""
    return f"{prefix}{stage}.{layer}.{'weight' if kind == 'kernel' else 'bias'}"


def _oihw(value):
    value = np.asarray(value, dtype=np.float32)
    if value.ndim == 4:
        value = value.transpose(3, 2, 0, 1)
    return torch.from_numpy(np.array(value, order="C"))  # a copy, so that the tensor is writable


def load_into(
    network: nn.Module,
    name: str,
    wanted: str,
    trained_on: list | None,
    prefix: Mapping[str, str] | None = None,
) -> dict[str, object]:
    """
    Load the weights that a config asks for into a network, every tensor by name and shape.

    Parameters
    ----------
    network : torch.nn.Module
    name : str
        Backbone whose format the file may have, see `read`.
    wanted : str
        "published", or a path; relative ones refer to the repository.
    trained_on : list of dict or None
        What the config says of a file; None: what the file says of itself.
    prefix : dict of str to str, optional
        See `checkpoints.match`.

    Returns
    -------
    origin : dict
        `trained_on` (None where nobody says), `sha256` of the file, and `source`, the address, of
        published weights, for which `trained_on` is what their authors say.

    Raises
    ------
    InputError
        If there are no such weights, or they do not fit the network.
    """
    path = fetch(name) if wanted == "published" else user_models.absolute(wanted)
    content, description = read(name, path)
    n = weights.fit_into(network, content, path, prefix)
    origin: dict[str, object] = {"trained_on": trained_on}
    if wanted == "published":
        source = SOURCES[name]
        origin = {"trained_on": list(source.trained_on), "source": source.url}
    elif trained_on is None:
        origin["trained_on"] = description.get("trained_on")
    if path.is_file():
        origin["sha256"] = downloads.digests(path)["sha256"]
    log.info("%d tensors of %s fit %s", n, path, name)
    return origin
