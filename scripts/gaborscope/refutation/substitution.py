"""Put something else in the place of a layer's output and let the rest of the network run on."""

import contextlib
import dataclasses
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np
import torch
from torch.nn import functional

from gaborscope.backbones import recording
from gaborscope.backbones.backbone import Backbone
from gaborscope.explanation import cascade
from gaborscope.explanation.layers import FittedLayer
from gaborscope.explanation.model import ExplainedModel
from gaborscope.stimuli import geometry
from gaborscope.stimuli.block import StimulusBlock
from gaborscope.stimuli.layer import Layer

CONTROLS = ("mean", "other", "shuffled", "resampled")


@contextlib.contextmanager
def substituter(
    network: torch.nn.Module, layers: Mapping[str, str]
) -> Iterator[dict[str, torch.Tensor]]:
    """
    Let other maps take the place of the outputs of modules, while the context is open.

    Of a nonlinearity that is its output, of all else the very thing that is recorded. One that
    works in place is written into, since a network may go on with what it gave it.

    Parameters
    ----------
    network : torch.nn.Module
    layers : dict of str to str
        Alias to module path.

    Yields
    ------
    places : dict of str to tensor (n, C, y, x)
        Empty; what it holds when the network runs is put in the place of those layers' outputs.
    """
    places, handles, size = {}, [], []

    def begin(module, inputs):
        size[:] = inputs[0].shape[-2:]

    def after(alias):
        def hook(module, inputs, output):
            if alias not in places:
                return None
            whole = not torch.is_tensor(output)
            first = _in_place_of(output[0] if whole else output, places[alias], size)
            # not where gradients are asked for: the module's own needs its output unchanged
            if getattr(module, "inplace", False) and not torch.is_grad_enabled():
                output.copy_(first)
                return output
            return (first, *output[1:]) if whole else first

        return hook

    handles.append(network.register_forward_pre_hook(begin))
    for alias, (module, _) in recording.find_modules(network, layers).items():
        handles.append(module.register_forward_hook(after(alias)))
    try:
        yield places
    finally:
        for handle in handles:
            handle.remove()


def _in_place_of(output, maps, size):
    """Return maps as a module would have; tokens of no place stay as they are."""
    if output.dim() != 3:
        return maps.to(output.dtype)
    extra = output.shape[1] - maps.shape[2] * maps.shape[3]
    tokens = maps.flatten(2).transpose(1, 2).to(output.dtype)
    return torch.cat([output[:, :extra], tokens], dim=1)


def layers_of(model: ExplainedModel) -> dict[str, FittedLayer | cascade.CascadeLayer]:
    """
    Layers of an explained model that can be reconstructed.

    Parameters
    ----------
    model : ExplainedModel

    Returns
    -------
    layers : dict of str to layers.FittedLayer or cascade.CascadeLayer
    """
    layers = model.layers if model.cascade is None else model.cascade.layers
    return {own.name: own for own in layers}


def batches(
    backbone: Backbone,
    block: StimulusBlock,
    indices: Sequence[int],
    box: geometry.Box | tuple[int, int],
    batch_size: int = 8,
) -> Iterator[tuple[list[int], geometry.Placement, torch.Tensor]]:
    """
    Network inputs of some stimuli of a block, in batches of one placement and about equal size.

    Parameters
    ----------
    backbone : Backbone
        On its device.
    block : StimulusBlock
    indices : sequence of int
        Of the stimuli; each one's `other` is the one before it in its batch.
    box : geometry.Box
    batch_size : int
        At most.

    Yields
    ------
    index : list of int
    placement : geometry.Placement
    x : tensor (n, 3, y, x)
    """
    device, groups = next(backbone.network.parameters()).device, {}
    for index in indices:
        groups.setdefault(geometry.place(block.sizes[index], box), []).append(index)
    for placement, group in groups.items():
        for part in np.array_split(group, -(-len(group) // batch_size)):
            contents = [backbone.content(block.image(i), placement) for i in part]
            x = backbone.batch(contents, [placement] * len(part))
            yield part.tolist(), placement, x.to(device)


def nonlinear(linear: torch.Tensor, nonlinearity: str) -> torch.Tensor:
    """
    Return the output of a module from what is recorded of it.

    Parameters
    ----------
    linear : tensor
    nonlinearity : {"none", "relu", "relu6"}

    Returns
    -------
    output : tensor
        Of the same shape.
    """
    if nonlinearity == "none":
        return linear
    return functional.relu(linear) if nonlinearity == "relu" else functional.relu6(linear)


def region(
    layer: Layer, placement: geometry.Placement, shape: Sequence[int]
) -> tuple[slice, slice]:
    """
    Cells of a layer's own grid that lie in the content: those that the recorded ones are means of.

    Parameters
    ----------
    layer : Layer
    placement : geometry.Placement
    shape : (int, int)
        Rows and columns of the layer's own grid.

    Returns
    -------
    rows, columns : slice
    """
    _, cells = cascade.grid_of(layer, placement)
    pool = layer.pool
    rows, columns = (
        slice(own.start * pool, min(own.stop * pool, n))
        for own, n in zip(cells, shape, strict=True)
    )
    return rows, columns


def enlarge(maps: torch.Tensor, layer: Layer, cells: tuple[slice, slice]) -> torch.Tensor:
    """
    Bring recorded maps to a layer's own grid: bilinear where the recorded ones are means of cells.

    Parameters
    ----------
    maps : tensor (n, C, row, column)
        On the valid cells of the recorded grid.
    layer : Layer
    cells : (slice, slice)
        From `region`.

    Returns
    -------
    maps : tensor (n, C, row, column)
        On these cells.
    """
    if layer.pool == 1:
        return maps
    height, width = (own.stop - own.start for own in cells)
    whole = functional.interpolate(
        maps, scale_factor=layer.pool, mode="bilinear", align_corners=False
    )
    return whole[:, :, :height, :width]


def shuffled(maps: torch.Tensor, names: Sequence[str], layer: str, seed: int) -> torch.Tensor:
    """
    Shuffle the cells of maps, all channels alike.

    Parameters
    ----------
    maps : tensor (n, C, row, column)
    names : sequence of str (n,)
        Of the stimuli; with the layer's name and the seed they decide the order.
    layer : str
    seed : int

    Returns
    -------
    maps : tensor (n, C, row, column)
    """
    flat = maps.flatten(2).clone()
    for row, name in enumerate(names):
        key = [seed, zlib.crc32(name.encode()), zlib.crc32(layer.encode())]
        order = np.random.default_rng(key).permutation(flat.shape[2])
        flat[row] = flat[row][:, torch.from_numpy(order).to(flat.device)]
    return flat.view_as(maps)


@torch.no_grad()
def substitutes(
    linear: torch.Tensor,
    own: FittedLayer | cascade.CascadeLayer,
    placement: geometry.Placement,
    reconstruction: torch.Tensor,
    mean: torch.Tensor,
    names: Sequence[str],
    seed: int,
) -> dict[str, torch.Tensor]:
    """
    Everything that may be put in the place of a layer's output, on its own grid.

    Outside the content the layer's real output stays.

    Parameters
    ----------
    linear : tensor (n, C, y, x)
        As recorded, of stimuli of one placement.
    own : layers.FittedLayer or cascade.CascadeLayer
    placement : geometry.Placement
    reconstruction : tensor (n, C, row, column)
        Output of the layer as the explanation has it, on the valid cells of the recorded grid.
    mean : tensor (C,)
        Of the layer's output over the fit split.
    names : sequence of str (n,)
    seed : int

    Returns
    -------
    found : dict of str to tensor (n, C, y, x)
        `real`, `reconstruction`, `mean`, `shuffled`; `other` (the output for the stimulus before)
        where there are two stimuli or more; `resampled` (the real one averaged to the recorded
        grid and brought back: what a perfect reconstruction would be) where that is coarser.
    """
    layer = own.layer
    real = nonlinear(linear, layer.nonlinearity)
    cells = region(layer, placement, real.shape[2:])
    inside = real[(slice(None), slice(None), *cells)]
    parts = {
        "reconstruction": enlarge(reconstruction, layer, cells),
        "mean": mean[None, :, None, None].expand_as(inside),
        "shuffled": shuffled(inside, names, own.name, seed),
    }
    if len(names) > 1:
        parts["other"] = inside.roll(1, dims=0)
    if layer.pool > 1:
        _, recorded = cascade.grid_of(layer, placement)
        pooled = recording.pool_maps(linear, layer.pool)
        pooled = nonlinear(pooled[(slice(None), slice(None), *recorded)], layer.nonlinearity)
        parts["resampled"] = enlarge(pooled, layer, cells)
    found = {"real": real}
    for name, values in parts.items():
        found[name] = real.clone()
        found[name][(slice(None), slice(None), *cells)] = values.to(real.dtype)
    return found


def cuts(
    network: torch.nn.Module, layers: Mapping[str, str], x: torch.Tensor, seed: int
) -> set[str]:
    """
    Tell the layers that the network's output depends on alone: earlier ones reach it through them.

    Parameters
    ----------
    network : torch.nn.Module
        Its parameters need no gradient.
    layers : dict of str to str
        Alias to module path.
    x : tensor (1, 3, y, x)
    seed : int

    Returns
    -------
    cut : set of str
        Replaced by a constant, they leave the output without a gradient to the input.
    """
    with torch.no_grad(), recording.recorder(network, layers) as record:
        network(x)
    generator = torch.Generator().manual_seed(seed)
    nonlinearities = {a: n for a, (_, n) in recording.find_modules(network, layers).items()}
    found = set()
    with substituter(network, layers) as places:
        for alias, maps in record.items():
            places.clear()
            places[alias] = nonlinear(maps, nonlinearities[alias])
            own = x.clone().requires_grad_(True)
            output = network(own)
            weight = torch.randn(output.shape, generator=generator).to(output.device)
            total = (output * weight).sum()
            gradient = None
            if total.requires_grad:
                (gradient,) = torch.autograd.grad(total, own, allow_unused=True)
            if gradient is None or not gradient.any():
                found.add(alias)
    return found


@dataclasses.dataclass
class Bench:
    """
    A network whose layers are replaced, one way after the other.

    Attributes
    ----------
    backbone : Backbone
        On its device, in eval mode.
    layers : dict of str to layers.FittedLayer or cascade.CascadeLayer
    means : dict of str to sequence of float
        Of each layer's output, per channel.
    substitutes : sequence of str
        Which to try besides `reconstruction`; of `CONTROLS`.
    seed : int
    """

    backbone: Backbone
    layers: Mapping[str, FittedLayer | cascade.CascadeLayer]
    means: Mapping[str, Sequence[float]]
    substitutes: Sequence[str]
    seed: int

    @property
    def modules(self) -> dict[str, str]:
        """Module path of each layer."""
        return {name: own.layer.module for name, own in self.layers.items()}

    @torch.no_grad()
    def run(
        self,
        x: torch.Tensor,
        placement: geometry.Placement,
        names: Sequence[str],
        reconstructions: Mapping[str, np.ndarray],
    ) -> Iterator[tuple[str, str, str, torch.Tensor]]:
        """
        Replace every layer of some stimuli, alone and with all that the network runs before it.

        Parameters
        ----------
        x : tensor (n, 3, y, x)
            Of stimuli of one placement.
        placement : geometry.Placement
        names : sequence of str (n,)
        reconstructions : dict of str to float array (n, C, row, column)

        Yields
        ------
        layer, way, substitute : str
            First of all the intact network, `intact` all three.
        maps : tensor (n, y, x)
            What the network returned.
        """
        network = self.backbone.network
        with recording.recorder(network, self.modules) as record:
            intact = self.backbone.maps(x)
        yield "intact", "intact", "intact", intact
        found = {}
        for name, linear in record.items():
            own = self.layers[name]
            found[name] = substitutes(
                linear,
                own,
                placement,
                torch.as_tensor(reconstructions[name], device=x.device),
                torch.as_tensor(self.means[name], dtype=torch.float32, device=x.device),
                names,
                self.seed,
            )
        with torch.enable_grad():
            cut = cuts(network, self.modules, x[:1], self.seed)
        with substituter(network, self.modules) as places:
            for kind in ("reconstruction", *self.substitutes):
                yield from self._replaced(kind, found, cut, places, x)

    def _replaced(self, kind, found, cut, places, x):
        """Replace by one kind; layers in the order that the network runs them in."""
        order, before = list(found), False
        for index, name in enumerate(order):
            alone = None
            before = before or kind in found[name]
            if kind in found[name]:
                alone = self._run(places, {name: found[name][kind]}, x)
                yield name, "alone", kind, alone
            if not before:
                continue
            if alone is not None and (index == 0 or name in cut):
                yield name, "cumulative", kind, alone
                continue
            # where one of them has no such substitute (no averaging), its real output stays
            together = {n: found[n].get(kind, found[n]["real"]) for n in order[: index + 1]}
            yield name, "cumulative", kind, self._run(places, together, x)

    def _run(self, places, maps, x):
        places.clear()
        places.update(maps)
        replaced = self.backbone.maps(x)
        places.clear()
        return replaced


@torch.no_grad()
def mean_outputs(
    backbone: Backbone,
    layers: Mapping[str, FittedLayer | cascade.CascadeLayer],
    batches: Iterable[tuple[Sequence[int], geometry.Placement, torch.Tensor]],
) -> dict[str, list[float]]:
    """
    Mean of each layer's output over cells and stimuli, per channel.

    Parameters
    ----------
    backbone : Backbone
    layers : dict of str to layers.FittedLayer or cascade.CascadeLayer
    batches : iterable of (list of int, geometry.Placement, tensor (n, 3, y, x))
        See `batches`.

    Returns
    -------
    means : dict of str to list of float
        Of the cells in the content, every cell of equal weight.
    """
    totals, counts = {}, {}
    with recording.recorder(
        backbone.network, {name: own.layer.module for name, own in layers.items()}
    ) as record:
        for _, placement, x in batches:
            backbone.network(x)
            for name, linear in record.items():
                layer = layers[name].layer
                real = nonlinear(linear, layer.nonlinearity)
                cells = region(layer, placement, real.shape[2:])
                inside = real[(slice(None), slice(None), *cells)].double()
                totals[name] = totals.get(name, 0) + inside.sum(dim=(0, 2, 3)).cpu()
                counts[name] = counts.get(name, 0) + inside[:, 0].numel()
    return {name: (totals[name] / counts[name]).tolist() for name in totals}
