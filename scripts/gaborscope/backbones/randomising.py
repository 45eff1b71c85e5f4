"""Make networks that have learned nothing: random weights with matching normalisations."""

from collections.abc import Iterable
from typing import Any

import torch
from torch.nn.modules.batchnorm import _BatchNorm


def reinitialise(network: torch.nn.Module, seed: int) -> None:
    """
    Replace all weights of a network by random ones.

    Modules with a method `reset_parameters` are initialised by it. In the other modules the values
    of each parameter are permuted: their distribution stays, and what was learned is lost.

    Parameters
    ----------
    network : torch.nn.Module
        Changed in place.
    seed : int
    """
    generator = torch.Generator().manual_seed(seed)
    torch.manual_seed(seed)
    with torch.no_grad():
        for module in network.modules():
            if hasattr(module, "reset_parameters"):
                module.reset_parameters()  # type: ignore[operator]
                continue
            for parameter in module.parameters(recurse=False):
                order = torch.randperm(parameter.numel(), generator=generator)
                parameter.copy_(parameter.flatten()[order].view_as(parameter))


@torch.no_grad()
def recalibrate(network: torch.nn.Module, batches: Iterable[torch.Tensor]) -> int:
    """
    Set the running statistics of batch normalisations to averages over some inputs.

    Each batch is normalised by the mean and variance of that batch, as in training. The running
    statistics become the plain averages over batches. All other modules, also dropout, stay in
    eval mode.

    Parameters
    ----------
    network : torch.nn.Module
        Changed in place; in eval mode afterwards.
    batches : iterable of tensor (n, 3, height, width)

    Returns
    -------
    n : int
        Number of normalisations that received an input. The others keep their old statistics.
    """
    network.eval()
    # typed as Any: the type _BatchNorm does not say that its statistics are tensors
    norms: list[Any] = [
        m for m in network.modules() if isinstance(m, _BatchNorm) and m.track_running_stats
    ]
    before = [
        (norm.momentum, norm.running_mean.clone(), norm.running_var.clone()) for norm in norms
    ]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None
        norm.train()
    for x in batches if norms else ():
        network(x)
    network.eval()
    for norm, (momentum, mean, variance) in zip(norms, before, strict=True):
        norm.momentum = momentum
        if not int(norm.num_batches_tracked):
            norm.running_mean.copy_(mean)
            norm.running_var.copy_(variance)
    return sum(int(norm.num_batches_tracked) > 0 for norm in norms)
