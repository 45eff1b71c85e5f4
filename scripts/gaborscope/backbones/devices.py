"""Device and number format that networks run in."""

import torch

from gaborscope.errors import InputError


def device(wanted: str) -> torch.device:
    """
    Return the torch device for the setting `device` of the config.

    Parameters
    ----------
    wanted : {"auto", "cpu", "cuda"}
        `auto` takes CUDA if the machine has it, otherwise the CPU.

    Returns
    -------
    device : torch.device
        As a side effect, convolutions on CUDA compute in float32. PyTorch would round to TF32.

    Raises
    ------
    InputError
        If CUDA is asked for and the machine has none.
    """
    torch.backends.cudnn.allow_tf32 = False
    available = torch.cuda.is_available()
    if wanted == "cuda" and not available:
        raise InputError(
            "device: cuda is set but this machine shows no CUDA device; "
            "set device: auto, or send the job to a GPU node"
        )
    return torch.device("cuda" if available and wanted != "cpu" else "cpu")


def move(network: torch.nn.Module, device: torch.device, layout: torch.memory_format) -> None:
    """
    Move a network to a device and bring its kernels into a memory layout.

    Parameters
    ----------
    network : torch.nn.Module
    device : torch.device
    layout : torch.memory_format
        Of kernels of two dimensions; those of Conv3d (which have no such layout) stay as they are.
    """
    network.to(device)
    for tensor in (*network.parameters(), *network.buffers()):
        if tensor.dim() == 4:
            tensor.data = tensor.data.contiguous(memory_format=layout)


def autocasts(precision: str, device: torch.device) -> bool:
    """
    Return whether a network is trained in bf16.

    bf16 is used in the forward and the backward pass; weights stay float32.

    Parameters
    ----------
    precision : {"float32", "bf16", "auto"}
        `auto` takes bf16 if the device multiplies in it natively.
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
