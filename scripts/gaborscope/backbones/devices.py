"""Devices and precision that networks run in."""

import torch

from gaborscope.errors import InputError


def device(wanted: str) -> torch.device:
    """
    Torch device for a config's `device`.

    Parameters
    ----------
    wanted : {"auto", "cpu", "cuda"}
        `auto` takes CUDA where there is one.

    Returns
    -------
    device : torch.device
        On CUDA float32 is then float32, in convolutions too, where PyTorch would round to TF32.

    Raises
    ------
    InputError
        If CUDA is asked for and none is found.
    """
    torch.backends.cudnn.allow_tf32 = False
    available = torch.cuda.is_available()
    if wanted == "cuda" and not available:
        raise InputError(
            "device: cuda is set but this machine shows no CUDA device; "
            "set device: auto, or send the job to a GPU node"
        )
    return torch.device("cuda" if available and wanted != "cpu" else "cpu")


def autocasts(precision: str, device: torch.device) -> bool:
    """
    Tell whether a network is trained in bf16 (forward and backward; weights stay float32).

    Parameters
    ----------
    precision : {"float32", "bf16", "auto"}
        `auto`: bf16 where the device multiplies in it natively.
    device : torch.device

    Returns
    -------
    autocasts : bool
    """
    if precision != "auto":
        return precision == "bf16"
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())
