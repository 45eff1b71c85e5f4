"""Networks that have learned nothing: random weights, and normalisations that fit them."""

from collections.abc import Iterable
from typing import Any

import torch
from torch.nn.modules.batchnorm import _BatchNorm


def reinitialise(network: torch.nn.Module, seed: int) -> None:
    """
    Draw all weights of a network anew, whatever they were.

    Parameters
    ----------
    network : torch.nn.Module
        Changed in place. Modules that know how to initialise themselves (`reset_parameters`) do
        so; of the others each parameter's values are permuted, which keeps their distribution
        and takes away what they mean.
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
    Measure the statistics of batch normalisations on inputs, by cumulative average.

    Each batch is normalised by its own mean and variance, as in training, and the statistics kept
    are the plain averages over batches. Everything else, dropout too, stays in eval mode.

    Parameters
    ----------
    network : torch.nn.Module
        Changed in place; in eval mode afterwards.
    batches : iterable of tensor (n, 3, height, width)

    Returns
    -------
    n : int
        Normalisations that saw an input. The others keep the statistics that they had.
    """
    network.eval()
    # such modules have statistics, which their type does not tell
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
