"""Record layers of a network with forward hooks."""

import contextlib
import difflib
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import nn

from gaborscope.backbones import layouts
from gaborscope.errors import InputError
from gaborscope.stimuli.layer import Layer

Entry = str | Mapping[str, Any] | Layer | layouts.Tap  # of a layer table
HALVES = (torch.bfloat16, torch.float16)

# The input of these modules is recorded, not their output. Only this linear part can be identified;
# a reconstruction is passed through the nonlinearity afterwards.
NONLINEARITIES = {nn.ReLU: "relu", nn.ReLU6: "relu6"}


def find_modules(
    network: nn.Module, layers: Mapping[str, Entry]
) -> dict[str, tuple[nn.Module, str]]:
    """
    Look up the modules of a layer table.

    Parameters
    ----------
    network : torch.nn.Module
    layers : dict of str to str, mapping or Layer
        By alias: the module path, or what `layouts.Tap.of` takes.

    Returns
    -------
    modules : dict of str to (torch.nn.Module, str)
        Module and nonlinearity ("none", "relu", "relu6").

    Raises
    ------
    InputError
        If a path names no module.
    """
    known = dict(network.named_modules(remove_duplicate=False))
    modules = {}
    for alias, entry in layers.items():
        path = layouts.Tap.of(entry).module
        if path not in known:
            names = [name for name in known if name]
            close = difflib.get_close_matches(path, names, 3)
            raise InputError(
                f"layer {alias}: the network has no module {path!r}; "
                + (f"close are {', '.join(close)}; " if close else "")
                + f"its modules are {', '.join(names)[:500]}"
            )
        modules[alias] = (known[path], NONLINEARITIES.get(type(known[path]), "none"))
    return modules


class Record(dict[str, torch.Tensor]):
    """
    Maps (n, channel, y, x) of the recorded layers, by alias.

    Attributes
    ----------
    taps : dict of str to layouts.Tap
        As given; after a pass of the network with the axes that were recognised.
    shapes : dict of str to tuple of int
        Of the tensors before they were brought to maps.
    calls : dict of str to int
        How often the module was called in the last pass.
    seen : layouts.Seen
        What the network saw in the last pass.
    """

    def __init__(self, layers: Mapping[str, Entry]) -> None:
        super().__init__()
        self.taps = {alias: layouts.Tap.of(entry) for alias, entry in layers.items()}
        self.shapes: dict[str, tuple[int, ...]] = {}
        self.calls: dict[str, int] = {}
        self.seen = layouts.Seen(0, 1, (0, 0))

    def begin(self, x: torch.Tensor) -> None:
        """Note the input of a pass; no module was called yet."""
        self.seen = layouts.Seen.of(x)
        self.calls.clear()

    def is_chosen(self, alias: str) -> bool:
        """Count a call of a layer's module; tell whether it is the call that is recorded."""
        number = self.calls.get(alias, 0)
        self.calls[alias] = number + 1
        return self.taps[alias].call in (None, number)

    def read(self, alias: str, tensor: torch.Tensor) -> torch.Tensor:
        """
        Bring the tensor of a layer to maps (n, channel, y, x), and note its axes.

        Raises
        ------
        InputError
            If it cannot be read as maps.
        """
        try:
            tap = layouts.recognised(self.taps[alias], tensor.shape, self.seen)
            maps = layouts.as_maps(tensor, tap, self.seen)
        except InputError as error:
            raise InputError(f"layer {alias}: {error}") from None
        self.taps[alias], self.shapes[alias] = tap, tuple(tensor.shape)
        return maps

    def write(self, alias: str, tensor: torch.Tensor, maps: torch.Tensor) -> torch.Tensor:
        """Return the tensor of a layer with other maps (n, channel, y, x) in it."""
        tap = layouts.recognised(self.taps[alias], tensor.shape, self.seen)
        return layouts.put_back(tensor, maps, tap, self.seen)


@contextlib.contextmanager
def recorder(network: nn.Module, layers: Mapping[str, Entry]) -> Iterator[Record]:
    """
    Record the modules of a layer table: the input of nonlinearities, the output of all others.

    Parameters
    ----------
    network : torch.nn.Module
    layers : dict of str to str, mapping or Layer
        By alias: the module path ("" is the network itself), or what `layouts.Tap.of` takes.

    Yields
    ------
    record : Record
        Filled by each forward pass. The maps are copies, because nonlinearities may work in place.
        Halves (bfloat16, float16) are recorded as float32. If a module returns several values, the
        first is recorded.
    """
    record, handles = Record(layers), []

    def keep(alias, tensor):
        if not record.is_chosen(alias):
            return
        maps = record.read(alias, tensor)
        record[alias] = maps.float() if maps.dtype in HALVES else maps.clone()

    def before(alias):
        return lambda module, inputs: keep(alias, inputs[0])

    def after(alias):
        def hook(module, inputs, output):
            keep(alias, output if torch.is_tensor(output) else output[0])

        return hook

    handles.append(
        network.register_forward_pre_hook(lambda module, inputs: record.begin(inputs[0]))
    )
    for alias, (module, nonlinearity) in find_modules(network, layers).items():
        if nonlinearity == "none":
            handles.append(module.register_forward_hook(after(alias)))
        else:
            handles.append(module.register_forward_pre_hook(before(alias)))
    try:
        yield record
    finally:
        for handle in handles:
            handle.remove()


def pool_maps(maps: torch.Tensor, factor: int) -> torch.Tensor:
    """
    Average maps over squares of cells.

    Parameters
    ----------
    maps : tensor (n, channel, y, x)
    factor : int
        Side of the square. A partial square at the edge is averaged over the cells it holds.

    Returns
    -------
    pooled : tensor (n, channel, ceil(y / factor), ceil(x / factor))
    """
    if factor == 1:
        return maps
    return nn.functional.avg_pool2d(maps, factor, ceil_mode=True, count_include_pad=False)
