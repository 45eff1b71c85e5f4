"""Weights of a backbone as safetensors, with a description of their training; no pickle."""

import io
import json
import pickle
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors.torch
import torch

from gaborscope.errors import InputError, reading
from gaborscope.store import checksums, paths
from gaborscope.store.files import whole


def write_weights(
    path: str | Path, state_dict: Mapping[str, torch.Tensor], description: Mapping[str, Any]
) -> None:
    """
    Write weights as a safetensors file.

    Parameters
    ----------
    path : str or Path
    state_dict : dict of str to tensor
    description : dict
        `trained_on`, `history` and provenance; must be convertible to JSON.
    """
    tensors = {key: value.contiguous() for key, value in state_dict.items()}
    # a single key, because safetensors writes several keys in random order
    described = {**description, **checksums.STAMP, "file": paths.canonical(path) or ""}
    metadata = {checksums.METADATA: json.dumps(described, sort_keys=True)}
    with whole(path) as temporary:
        # not save_file: only the owner could read the file
        content = safetensors.torch.save(tensors, metadata=metadata)
        temporary.write_bytes(checksums.stamp(content))


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
    Read weights that `torch.save` wrote; only tensors are unpickled, no code runs.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    state_dict : dict
        As it was saved; the tensors may lie in a dictionary inside it.

    Raises
    ------
    InputError
        If the file is of another kind or damaged, or if reading it would run code.
    """
    fault = f"{path} is no complete file of weights alone"
    with reading(fault, "fetch it again, or save model.state_dict() anew"):
        try:
            state_dict = torch.load(path, map_location="cpu", weights_only=True)
        except (pickle.UnpicklingError, RuntimeError) as error:
            if "weights" not in str(error).lower():
                raise
            # not torch's own words: they advise to run the code that the file holds
            asked = re.search(r"GLOBAL ([\w.]+)", str(error))
            if asked is None:
                raise ValueError("it is damaged, or holds more than tensors") from None
            raise InputError(
                f"{path} holds more than tensors (it asks for {asked[1]}), and reading it could "
                "run code; save the tensors alone: torch.save(model.state_dict(), FILE)"
            ) from None
    if not isinstance(state_dict, dict):
        raise InputError(f"{path} holds a {type(state_dict).__name__}, not a dictionary of tensors")
    return state_dict


def fit_into(
    network: torch.nn.Module, state_dict: Mapping[str, torch.Tensor], path: str | Path
) -> None:
    """
    Load a state dict into a network; every tensor must fit by name and shape.

    Parameters
    ----------
    network : torch.nn.Module
    state_dict : dict of str to tensor
    path : str or Path
        File of the state dict, for error messages.

    Raises
    ------
    InputError
        If a tensor is missing, unexpected, of another shape, or not finite; the message names the
        first.
    """
    wanted = network.state_dict()
    missing = sorted(set(wanted) - set(state_dict))
    unexpected = sorted(set(state_dict) - set(wanted), key=str)
    if missing or unexpected:
        raise InputError(
            f"{path} does not fit the network: first missing tensor "
            f"{missing[0] if missing else 'none'}, first unexpected "
            f"{unexpected[0] if unexpected else 'none'}"
        )
    for key, value in state_dict.items():
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
    network.load_state_dict(state_dict)


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
