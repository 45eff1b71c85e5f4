"""Which precision networks are trained in."""

import torch


def autocasts(precision, device):
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
