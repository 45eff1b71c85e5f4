"""Networks that have learned nothing, or in part: random weights, matching normalisations."""

from collections.abc import Collection, Iterable
from typing import Any

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from gaborscope.errors import InputError

# Modules that belong to the layer before them.
NORMS = (_BatchNorm, nn.GroupNorm, nn.LayerNorm, nn.modules.instancenorm._InstanceNorm)


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

    Raises
    ------
    InputError
        If it has none.
    """
    if not any(parameter.numel() for parameter in network.parameters()):
        raise InputError("the network has no weights, so that there is no random copy of it")
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
def layers_in_order(network: torch.nn.Module, x: torch.Tensor) -> list[list[str]]:
    """
    Layers of a network in the order in which a forward pass calls them first.

    A layer is a module with parameters of its own, together with the normalisations called between
    it and the next layer. Parameters of a module that is never called belong to the layer of the
    nearest module around it.

    Parameters
    ----------
    network : torch.nn.Module
        In eval mode.
    x : tensor (n, 3, height, width)

    Returns
    -------
    layers : list of list of str
        Paths of the modules of each layer; "" is the network itself.
    """
    names = {module: name for name, module in network.named_modules()}
    called: list[str] = []
    handles = [
        module.register_forward_pre_hook(lambda module, _: called.append(names[module]))
        for module in names
    ]
    network(x)
    for handle in handles:
        handle.remove()
    order = list(dict.fromkeys(called))
    members: dict[str, list[str]] = {name: [] for name in order}
    for name, module in network.named_modules():
        owner = name
        while owner not in members:
            owner = owner.rpartition(".")[0]
        if next(module.parameters(recurse=False), None) is not None:
            members[owner].append(name)
    layers: list[list[str]] = []
    for name in order:
        norm = isinstance(network.get_submodule(name), NORMS)
        if members[name] and norm and layers:
            layers[-1] += members[name]
        elif members[name]:
            layers.append(members[name])
    return layers


@torch.no_grad()
def restore(
    network: torch.nn.Module, trained: torch.nn.Module, x: torch.Tensor, side: str, share: float
) -> list[str]:
    """
    Give a random network the weights of a trained one in all but a share of its layers.

    Parameters
    ----------
    network : torch.nn.Module
        Random; changed in place. In eval mode.
    trained : torch.nn.Module
        The same network, trained.
    x : tensor (n, 3, height, width)
        Input that shows the order of the layers, see `layers_in_order`.
    side : {"output", "input"}
        End of the network from which on layers stay random.
    share : float in (0, 1)
        Share of the layers that stay random: at least one, at most all but one.

    Returns
    -------
    random : list of str
        Paths of the modules from the first random layer on: those whose inputs are others than in
        the trained network, or whose weights. A tensor that a random layer shares with an earlier
        one is random there too.

    Raises
    ------
    InputError
        If the network has no weights.

    References
    ----------
    Adebayo, J., Gilmer, J., Muelly, M., Goodfellow, I., Hardt, M., Kim, B. (2018). Sanity checks
    for saliency maps. NeurIPS 31.
    """
    layers = layers_in_order(network, x)
    if not layers:
        raise InputError("the network has no weights, so that there is no random copy of it")
    n = min(max(round(share * len(layers)), 1), len(layers) - 1)
    first = 0 if side == "input" else len(layers) - n
    chosen = {name for layer in layers[first : first + n] for name in layer}
    # a tensor that a chosen layer shares with another one is random in both
    random = {place for name in chosen for place in _places(network.get_submodule(name))}
    for module, learned in zip(network.modules(), trained.modules(), strict=True):
        for own, other in zip(_own_state(module), _own_state(learned), strict=True):
            if _place(own) not in random:
                own.copy_(other)
    touched = [
        any(not random.isdisjoint(_places(network.get_submodule(name))) for name in layer)
        for layer in layers
    ]
    return [name for layer in layers[touched.index(True) :] for name in layer]


def _own_state(module):
    return [*module.parameters(recurse=False), *module.buffers(recurse=False)]


def _places(module):
    return {_place(own) for own in _own_state(module)}


def _place(tensor):
    """Where a tensor lies in memory: that of two modules which share it."""
    return tensor.untyped_storage().data_ptr() or id(tensor)


@torch.no_grad()
def recalibrate(
    network: torch.nn.Module,
    batches: Iterable[torch.Tensor],
    within: Collection[str] | None = None,
) -> int:
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
    within : collection of str, optional
        Paths of modules; all other normalisations stay as they are.

    Returns
    -------
    n : int
        Number of normalisations that received an input. The others keep their old statistics.
    """
    network.eval()
    # typed as Any: the type _BatchNorm does not say that its statistics are tensors
    norms: list[Any] = [
        m
        for name, m in network.named_modules()
        if isinstance(m, _BatchNorm)
        and m.track_running_stats
        and (within is None or name in within)
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
