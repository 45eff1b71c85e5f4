"""Weights of a backbone as safetensors, with what they were trained on; no pickle."""

import json
import pickle
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch

from gaborscope.errors import InputError
from gaborscope.store.files import whole

KEY = "gaborscope"


def write_weights(
    path: str | Path, state_dict: Mapping[str, torch.Tensor], description: Mapping[str, Any]
) -> None:
    """
    Write weights.

    Parameters
    ----------
    path : str or Path
    state_dict : dict of str to tensor
    description : dict
        JSON-able: `trained_on`, `history`, provenance.
    """
    tensors = {key: value.contiguous() for key, value in state_dict.items()}
    # one key: safetensors writes several in an order that changes from file to file
    metadata = {KEY: json.dumps(description, sort_keys=True)}
    with whole(path) as temporary:
        # not save_file: what that makes only its owner can read
        temporary.write_bytes(safetensors.torch.save(tensors, metadata=metadata))


def read_weights(path: str | Path) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """
    Read weights.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    state_dict : dict of str to tensor
    description : dict
        As it was written; of a file that others wrote, its metadata.

    Raises
    ------
    InputError
        If the file is no safetensors file.
    """
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            state_dict = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    except (safetensors.SafetensorError, OSError) as error:
        raise InputError(f"{path} is not a whole safetensors file ({error})") from error
    return state_dict, json.loads(metadata[KEY]) if KEY in metadata else metadata


def load_into(network: torch.nn.Module, path: str | Path) -> dict[str, Any]:
    """
    Load weights into a network, every tensor by name and shape.

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
        Naming the first missing and the first unexpected tensor, or the first of another shape.
    """
    state_dict, description = read_weights(path)
    fit_into(network, state_dict, path)
    return description


def read_pickle(path: str | Path) -> dict[str, Any]:
    """
    Read weights that `torch.save` wrote; nothing but tensors is unpickled.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    state_dict : dict
        As it was saved: it may wrap the tensors.

    Raises
    ------
    InputError
        If the file is none of these, or would run code.
    """
    try:
        found = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, pickle.UnpicklingError, zipfile.BadZipFile) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise InputError(f"{path} is no whole file of weights alone ({reason})") from error
    if not isinstance(found, dict):
        raise InputError(f"{path} holds a {type(found).__name__}, not a dictionary of tensors")
    return found


def fit_into(
    network: torch.nn.Module, state_dict: Mapping[str, torch.Tensor], path: str | Path
) -> None:
    """
    Load a state dict into a network, every tensor by name and shape.

    Parameters
    ----------
    network : torch.nn.Module
    state_dict : dict of str to tensor
    path : str or Path
        Where it comes from, for the text of errors.

    Raises
    ------
    InputError
        Naming the first missing and the first unexpected tensor, or the first of another shape.
    """
    wanted = network.state_dict()
    missing = sorted(set(wanted) - set(state_dict))
    unexpected = sorted(set(state_dict) - set(wanted))
    if missing or unexpected:
        raise InputError(
            f"{path} does not fit the network: first missing tensor "
            f"{missing[0] if missing else 'none'}, first unexpected "
            f"{unexpected[0] if unexpected else 'none'}"
        )
    for key, value in state_dict.items():
        if value.shape != wanted[key].shape:
            raise InputError(
                f"{path}: {key} has the shape {tuple(value.shape)}, "
                f"the network needs {tuple(wanted[key].shape)}"
            )
    network.load_state_dict(state_dict)


def half(state_dict: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """
    State dict with kernels rounded to float16.

    Parameters
    ----------
    state_dict : dict of str to tensor

    Returns
    -------
    rounded : dict of str to tensor
        What has one dimension (biases, statistics of normalisations) stays as it is: it is small,
        and variances may leave the range of float16.

    Raises
    ------
    ValueError
        If a kernel does not fit float16.
    """
    rounded = {}
    for key, value in state_dict.items():
        wide = value.is_floating_point() and value.dim() > 1
        rounded[key] = value.half() if wide else value
        if not torch.isfinite(rounded[key]).all():
            raise ValueError(f"{key} reaches {float(value.abs().max()):g}, beyond float16")
    return rounded
