"""Measure by gradients which recorded layers each layer of a network reads, and how far."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from gaborscope.backbones import recording
from gaborscope.errors import InputError

# An edge is global where a cell reads at least this share of the parent's grid along both axes.
WHOLE = 0.95


class _Cut:
    """Forward hooks that record every layer and pass on a copy of it, at which gradients stop."""

    def __init__(self, network: nn.Module, layers: Mapping[str, recording.Entry]) -> None:
        self.values, self.leaves, self.record = {}, {}, recording.Record(layers)
        begin = network.register_forward_pre_hook(lambda _, inputs: self.record.begin(inputs[0]))
        self._handles, self._chosen = [begin], set()
        for alias, (module, nonlinearity) in recording.find_modules(network, layers).items():
            before, after = self._before(alias, nonlinearity), self._after(alias, nonlinearity)
            self._handles.append(module.register_forward_pre_hook(before))
            self._handles.append(module.register_forward_hook(after))

    def _before(self, alias, nonlinearity):
        def hook(module, inputs):
            if not self.record.is_chosen(alias):
                self._chosen.discard(alias)
                return None
            self._chosen.add(alias)
            if nonlinearity == "none":
                return None
            # a copy: the nonlinearity may work in place
            self.values[alias] = inputs[0]
            return (inputs[0].clone(), *inputs[1:])

        return hook

    def _after(self, alias, nonlinearity):
        def hook(module, inputs, output):
            if alias not in self._chosen:
                return None
            first = output if torch.is_tensor(output) else output[0]
            if nonlinearity == "none":
                self.values[alias] = first
            self.leaves[alias] = first.detach().clone().requires_grad_(True)
            return self.leaves[alias] if first is output else (self.leaves[alias], *output[1:])

        return hook

    def remove(self):
        for handle in self._handles:
            handle.remove()


def measure_graph(
    network: nn.Module,
    layers: Mapping[str, recording.Entry],
    input_size: tuple[int, int],
    seed: int,
) -> dict[str, dict[str, Any]]:
    """
    Measure the parents of every recorded layer, and which of a parent's cells one cell reads.

    Every recorded layer is cut from the layers after it. The gradient of a layer's middle cell, by
    the image and by the layers before it, then shows what the layer reads directly.

    Parameters
    ----------
    network : torch.nn.Module
        In eval mode.
    layers : dict of str to str, mapping or Layer
        By alias, see `recording.recorder`.
    input_size : (int, int)
    seed : int

    Returns
    -------
    graph : dict of str to dict
        By alias, in the order of execution. `image`: bool, whether the layer reads the image
        itself. `parents`: by alias of the parent, a dict of `kind`, `ratio` and `offset`. `kind` is
        "pointwise" (a cell reads one cell, or the two of an interpolation), "local", or "global"
        (a cell reads the whole map). `ratio` and `offset` are (y, x): cell i reads around the
        parent's cell `ratio * i + offset`.

    Raises
    ------
    InputError
        If a layer reads neither the image nor a recorded layer.
    """
    generator = torch.Generator().manual_seed(seed)
    device = next(network.parameters()).device
    image = torch.randn((1, 3, *input_size), generator=generator).to(device).requires_grad_(True)
    for module in network.modules():
        if isinstance(module, (nn.ReLU, nn.ReLU6)):
            module.inplace = False
    cut = _Cut(network, layers)
    try:
        network(image)
    finally:
        cut.remove()
    graph = {}
    for alias, raw in cut.values.items():
        value = cut.record.read(alias, raw)
        earlier = {name: leaf for name, leaf in cut.leaves.items() if name in graph}
        height, width = value.shape[2:]
        cell = value[0, :, height // 2, width // 2]
        signs = torch.randn(cell.shape, generator=generator).to(device)
        gradients = torch.autograd.grad(
            (cell * signs).sum(), [image, *earlier.values()], retain_graph=True, allow_unused=True
        )
        parents = {
            name: _edge(cut.record.read(name, gradient), value.shape[2:])
            for name, gradient in zip(earlier, gradients[1:], strict=True)
            if gradient is not None and gradient.abs().sum() > 0
        }
        reads_image = gradients[0] is not None and bool(gradients[0].abs().sum() > 0)
        if not parents and not reads_image:
            raise InputError(
                f"layer {alias} ({cut.record.taps[alias].module}) depends neither on the image nor "
                "on a layer before it; leave it out of the layer table"
            )
        graph[alias] = {"image": reads_image, "parents": parents}
    return graph


def _edge(gradient, shape):
    """Return kind, ratio and offset of an edge, from the gradient of the layer's middle cell."""
    energy = gradient.double().pow(2).sum(dim=(0, 1)).cpu()
    spans, offsets, ratios = [], [], []
    for axis in (0, 1):
        line = energy.sum(dim=1 - axis)
        index = torch.nonzero(line > 0).flatten()
        spans.append(int(index[-1] - index[0]) + 1)
        ratios.append(len(line) / shape[axis])
        # the middle of the window, not its centroid, which depends on the weights
        middle = float(index[0] + index[-1]) / 2
        offsets.append(middle - ratios[-1] * (shape[axis] // 2))
    if all(s >= WHOLE * n and n > 4 for s, n in zip(spans, energy.shape, strict=True)):
        return {"kind": "global", "ratio": ratios, "offset": _tiled(ratios)}
    # an interpolation or an average between grids reads two cells along an axis
    reach = [1 if ratio == 1 else max(2, round(ratio)) for ratio in ratios]
    kind = "pointwise" if all(s <= r for s, r in zip(spans, reach, strict=True)) else "local"
    # where the layer is finer, several of its cells read one parent cell: the offset is computed
    offsets = [
        offset if ratio >= 1 else tiled
        for offset, ratio, tiled in zip(offsets, ratios, _tiled(ratios), strict=True)
    ]
    return {"kind": kind, "ratio": ratios, "offset": offsets}


def _tiled(ratios):
    return [(ratio - 1) / 2 for ratio in ratios]
