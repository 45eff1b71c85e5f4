"""Weights of a backbone as safetensors, with a description of their training; no pickle."""

import io
import json
import logging
import pickle
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors.torch
import torch

from gaborscope.backbones import checkpoints
from gaborscope.errors import InputError, reading
from gaborscope.store import checksums, paths
from gaborscope.store.files import whole

log = logging.getLogger(__name__)


def write_weights(
    path: str | Path, state_dict: Mapping[str, torch.Tensor], description: Mapping[str, Any]
) -> None:
    """
    Write weights as a safetensors file.

    Parameters
    ----------
    path : str or Path
    state_dict : dict of str to tensor
        Of tensors that are one, the first name is written.
    description : dict
        `trained_on`, `history` and provenance; must be convertible to JSON.
    """
    tensors = _apart(state_dict)
    # a single key, because safetensors writes several keys in random order
    described = {**description, **checksums.STAMP, "file": paths.canonical(path) or ""}
    metadata = {checksums.METADATA: json.dumps(described, sort_keys=True)}
    with whole(path) as temporary:
        # not save_file: only the owner could read the file
        content = safetensors.torch.save(tensors, metadata=metadata)
        temporary.write_bytes(checksums.stamp(content))


def _apart(state_dict):
    """
    Return tensors that share no memory, as the format demands.

    A tensor with several names keeps the first; `load_into` gives it to all.
    """
    second, tensors, storages = checkpoints.aliases(state_dict), {}, set()
    for key, value in state_dict.items():
        if key in second:
            continue
        tensors[key] = value.contiguous()
        storage = tensors[key].untyped_storage().data_ptr()
        if storage in storages:
            tensors[key] = tensors[key].clone()
        storages.add(storage)
    return tensors


def read_weights(path: str | Path) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """
    Read weights from a safetensors file.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    state_dict : dict of str to tensor
    description : dict
        Description that `write_weights` stored; for a file of another program its metadata.

    Raises
    ------
    InputError
        If the file is missing, damaged, or not a complete safetensors file.
    """
    content, description = checksums.read_safetensors(path)
    with reading(f"{path} is not a complete safetensors file", "get or make it anew"):
        return safetensors.torch.load(content), description


def write_checkpoint(path: str | Path, state: Mapping[str, Any]) -> None:
    """
    Write the state of a training, whole or not at all.

    Parameters
    ----------
    path : str or Path
    state : dict
        What `torch.load` reads with `weights_only=True`.
    """
    content = io.BytesIO()  # torch's own writing hides the reason where the disk is full
    torch.save(dict(state), content)
    with whole(path) as temporary:
        temporary.write_bytes(content.getbuffer())
        checksums.seal(temporary)


def read_checkpoint(path: str | Path, device: Any = "cpu") -> dict[str, Any]:
    """
    Read and check the state of a training.

    Parameters
    ----------
    path : str or Path
    device : torch.device or str

    Returns
    -------
    state : dict

    Raises
    ------
    InputError
        If the file is damaged.
    """
    with reading(f"{path} cannot be read as a checkpoint", "delete it and run again"):
        checksums.check_sealed(path)
        return torch.load(path, map_location=device, weights_only=True)


def load_into(network: torch.nn.Module, path: str | Path) -> dict[str, Any]:
    """
    Load weights from a file into a network; every tensor must fit by name and shape.

    Parameters
    ----------
    network : torch.nn.Module
    path : str or Path

    Returns
    -------
    description : dict

    Raises
    ------
    InputError
        If a tensor is missing, unexpected or of another shape; the message names the first.
    """
    state_dict, description = read_weights(path)
    fit_into(network, state_dict, path)
    return description


def read_pickle(path: str | Path) -> dict[str, Any]:
    """
    Read weights that `torch.save` wrote; no code of the file runs.

    Beside tensors a checkpoint may hold what trainings keep there: numbers and arrays of NumPy,
    arguments (`argparse.Namespace`, configs), paths, dates. A file that asks for anything else is
    refused.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    state_dict : dict
        As it was saved; the tensors may lie in a dictionary inside it, see `checkpoints.match`.

    Raises
    ------
    InputError
        If the file is of another kind or damaged, or if reading it would run code.
    """
    fault = f"{path} is no complete file of weights alone"
    with reading(fault, "fetch it again, or save model.state_dict() anew"):
        try:
            with torch.serialization.safe_globals(checkpoints.SAFE):
                state_dict = torch.load(path, map_location="cpu", weights_only=True)
        except (pickle.UnpicklingError, RuntimeError) as error:
            if "weights" not in str(error).lower():
                raise
            # not torch's own words: they advise to run the code that the file holds
            asked = re.search(r"GLOBAL ([\w.]+)", str(error))
            if "TorchScript" in str(error):
                raise InputError(
                    f"{path} is a TorchScript file, a network with its weights; give it as "
                    "factory: torchscript:FILE, or save model.state_dict()"
                ) from None
            if "Unsupported operand" in str(error) or asked is None:
                raise ValueError("it is damaged, or not written by torch.save") from None
            raise InputError(
                f"{path} holds more than tensors (it asks for {asked[1]}), and reading it could "
                "run code; save the tensors alone: torch.save(model.state_dict(), FILE)"
            ) from None
    if not isinstance(state_dict, dict):
        raise InputError(f"{path} holds a {type(state_dict).__name__}, not a dictionary of tensors")
    return state_dict


def fit_into(
    network: torch.nn.Module,
    state_dict: Mapping[str, Any],
    path: str | Path,
    prefix: Mapping[str, str] | None = None,
) -> int:
    """
    Load weights into a network; every tensor must fit by name and shape.

    Parameters
    ----------
    network : torch.nn.Module
    state_dict : dict
        Of tensors by name, or what a checkpoint holds around it, see `checkpoints.match`.
    path : str or Path
        File of the state dict, for messages.
    prefix : dict of str to str, optional
        See `checkpoints.match`.

    Returns
    -------
    n : int
        Tensors that were loaded.

    Raises
    ------
    InputError
        If a tensor is missing, unexpected, of another shape, or not finite; the message counts
        them, or names the first.
    """
    wanted = network.state_dict()
    tensors, said = checkpoints.match(network, state_dict, path, prefix)
    for key, value in tensors.items():
        if not isinstance(value, torch.Tensor) or value.layout != torch.strided or value.is_meta:
            raise InputError(f"{path}: {key} is no tensor of values; save model.state_dict()")
        if value.is_complex() or value.is_quantized:
            raise InputError(f"{path}: {key} is of {value.dtype}; save it as float32")
        if value.shape != wanted[key].shape:
            raise InputError(
                f"{path}: {key} has the shape {tuple(value.shape)}, "
                f"but the network needs {tuple(wanted[key].shape)}"
            )
        if not torch.isfinite(value).all():
            raise InputError(f"{path}: {key} holds NaN or infinity; train or fetch it again")
    for second, first in checkpoints.aliases(wanted).items():
        if second in tensors and not torch.equal(
            tensors[second], tensors.get(first, tensors[second])
        ):
            raise InputError(
                f"{path}: {first} and {second} are one tensor of the network, but differ in the "
                "file; build the network as its authors do"
            )
    if said:
        log.info("%s: %s", path, said)
    network.load_state_dict(tensors, strict=False)
    return len(tensors)


def half(state_dict: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """
    Return a state dict with kernels rounded to float16.

    Parameters
    ----------
    state_dict : dict of str to tensor

    Returns
    -------
    rounded : dict of str to tensor
        Tensors of one dimension (biases, statistics of normalisations) stay unchanged: they are
        small, and variances may exceed the range of float16.

    Raises
    ------
    ValueError
        If a value of a kernel exceeds the range of float16.
    """
    rounded = {}
    for key, value in state_dict.items():
        wide = value.is_floating_point() and value.dim() > 1
        rounded[key] = value.half() if wide else value
        if not torch.isfinite(rounded[key]).all():
            raise ValueError(f"{key} reaches {float(value.abs().max()):g}, beyond float16")
    return rounded
