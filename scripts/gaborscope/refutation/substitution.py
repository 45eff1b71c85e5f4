"""Replace the output of a layer by something else, and let the rest of the network run on."""

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
from gaborscope.refutation import faithfulness
from gaborscope.stimuli import densities, geometry
from gaborscope.stimuli.block import StimulusBlock
from gaborscope.stimuli.layer import Layer

CONTROLS = ("mean", "other", "shuffled", "resampled")


@contextlib.contextmanager
def substituter(
    network: torch.nn.Module, layers: Mapping[str, recording.Entry]
) -> Iterator[dict[str, torch.Tensor]]:
    """
    Replace the outputs of modules by other maps, while the context is open.

    For a nonlinearity the recorder takes its input, but here its output is replaced. For any other
    module, the recorded output is replaced. The output of a module that works in place is
    overwritten, since the network may go on with that very tensor.

    Parameters
    ----------
    network : torch.nn.Module
    layers : dict of str to str, mapping or Layer
        By alias, see `recording.recorder`.

    Yields
    ------
    places : dict of str to tensor (n, C, y, x)
        Empty at first. The maps that it holds when the network runs replace the outputs of these
        layers.
    """
    places, handles, record = {}, [], recording.Record(layers)

    def after(alias):
        def hook(module, inputs, output):
            if not record.is_chosen(alias) or alias not in places:
                return None
            is_tuple = not torch.is_tensor(output)
            first = record.write(alias, output[0] if is_tuple else output, places[alias])
            # not while gradients are computed: the module's backward pass needs its output as it is
            if getattr(module, "inplace", False) and not torch.is_grad_enabled():
                output.copy_(first)
                return output
            return (first, *output[1:]) if is_tuple else first

        return hook

    handles.append(
        network.register_forward_pre_hook(lambda module, inputs: record.begin(inputs[0]))
    )
    for alias, (module, _) in recording.find_modules(network, layers).items():
        handles.append(module.register_forward_hook(after(alias)))
    try:
        yield places
    finally:
        for handle in handles:
            handle.remove()


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
    return {fitted.name: fitted for fitted in layers}


def batches(
    backbone: Backbone,
    block: StimulusBlock,
    indices: Sequence[int],
    box: geometry.Box | tuple[int, int],
    batch_size: int = 8,
) -> Iterator[tuple[list[int], geometry.Placement, torch.Tensor]]:
    """
    Yield batches of network inputs; the stimuli of a batch share their placement.

    Parameters
    ----------
    backbone : Backbone
        On its device.
    block : StimulusBlock
    indices : sequence of int
        Indices of the stimuli. The substitute `other` of a stimulus is the previous stimulus in
        its batch.
    box : geometry.Box
    batch_size : int
        Largest number of stimuli in a batch.

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
    Return the output of a module from its recorded maps.

    Parameters
    ----------
    linear : tensor
    nonlinearity : {"none", "relu", "relu6"}

    Returns
    -------
    output : tensor
        Same shape as `linear`.
    """
    if nonlinearity == "none":
        return linear
    return functional.relu(linear) if nonlinearity == "relu" else functional.relu6(linear)


def region(
    layer: Layer, placement: geometry.Placement, shape: Sequence[int]
) -> tuple[slice, slice]:
    """
    Return the cells of a layer's grid that lie in the content.

    This is the grid before pooling: the recorded cells are means of these cells.

    Parameters
    ----------
    layer : Layer
    placement : geometry.Placement
    shape : (int, int)
        Rows and columns of the layer's grid before pooling.

    Returns
    -------
    rows, columns : slice
    """
    _, cells = cascade.grid_of(layer, placement)
    pool = layer.pool
    rows, columns = (
        slice(span.start * pool, min(span.stop * pool, n))
        for span, n in zip(cells, shape, strict=True)
    )
    return rows, columns


def enlarge(maps: torch.Tensor, layer: Layer, cells: tuple[slice, slice]) -> torch.Tensor:
    """
    Enlarge recorded maps to the layer's grid before pooling, by bilinear interpolation.

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
        On these cells; the recorded maps themselves if they were not pooled.
    """
    if layer.pool == 1:
        return maps
    height, width = (span.stop - span.start for span in cells)
    enlarged = functional.interpolate(
        maps, scale_factor=layer.pool, mode="bilinear", align_corners=False
    )
    return enlarged[:, :, :height, :width]


def shuffled(maps: torch.Tensor, names: Sequence[str], layer: str, seed: int) -> torch.Tensor:
    """
    Shuffle the cells of maps, all channels alike.

    Parameters
    ----------
    maps : tensor (n, C, row, column)
    names : sequence of str (n,)
        Names of the stimuli. The name, the layer and the seed decide the order of the cells.
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
    fitted: FittedLayer | cascade.CascadeLayer,
    placement: geometry.Placement,
    reconstruction: torch.Tensor,
    mean: torch.Tensor,
    names: Sequence[str],
    seed: int,
) -> dict[str, torch.Tensor]:
    """
    Return all substitutes for a layer's output, on the layer's grid before pooling.

    Outside the content, the real output stays.

    Parameters
    ----------
    linear : tensor (n, C, y, x)
        Recorded maps of stimuli that share their placement.
    fitted : layers.FittedLayer or cascade.CascadeLayer
    placement : geometry.Placement
    reconstruction : tensor (n, C, row, column)
        Output of the layer by the explanation, on the valid cells of the recorded grid.
    mean : tensor (C,)
        Mean of the layer's output over the fit split.
    names : sequence of str (n,)
    seed : int

    Returns
    -------
    replacements : dict of str to tensor (n, C, y, x)
        `real`, `reconstruction`, `mean` and `shuffled`. `other`, if there are two stimuli or more:
        the output for the previous stimulus. `resampled`, if the recorded grid is coarser: the
        real output averaged to the recorded grid and enlarged again, which is what a perfect
        reconstruction would give.
    """
    layer = fitted.layer
    real = nonlinear(linear, layer.nonlinearity)
    cells = region(layer, placement, real.shape[2:])
    inside = real[(slice(None), slice(None), *cells)]
    parts = {
        "reconstruction": enlarge(reconstruction, layer, cells),
        "mean": mean[None, :, None, None].expand_as(inside),
        "shuffled": shuffled(inside, names, fitted.name, seed),
    }
    if len(names) > 1:
        parts["other"] = inside.roll(1, dims=0)
    if layer.pool > 1:
        _, recorded = cascade.grid_of(layer, placement)
        pooled = recording.pool_maps(linear, layer.pool)
        pooled = nonlinear(pooled[(slice(None), slice(None), *recorded)], layer.nonlinearity)
        parts["resampled"] = enlarge(pooled, layer, cells)
    replacements = {"real": real}
    for name, values in parts.items():
        replacements[name] = real.clone()
        replacements[name][(slice(None), slice(None), *cells)] = values.to(real.dtype)
    return replacements


def cuts(
    network: torch.nn.Module, layers: Mapping[str, recording.Entry], x: torch.Tensor, seed: int
) -> set[str]:
    """
    Return the layers that every path from the image to the network's output goes through.

    Parameters
    ----------
    network : torch.nn.Module
        Its parameters need no gradient.
    layers : dict of str to str, mapping or Layer
        By alias, see `recording.recorder`.
    x : tensor (1, 3, y, x)
    seed : int

    Returns
    -------
    cut : set of str
        Layers of this kind: replaced by a constant, they leave the output without a gradient to
        the input.
    """
    with torch.no_grad(), recording.recorder(network, layers) as record:
        network(x)
    generator = torch.Generator().manual_seed(seed)
    nonlinearities = {a: n for a, (_, n) in recording.find_modules(network, layers).items()}
    cut = set()
    with substituter(network, layers) as places:
        for alias, maps in record.items():
            places.clear()
            places[alias] = nonlinear(maps, nonlinearities[alias])
            image = x.clone().requires_grad_(True)
            output = network(image)
            weight = torch.randn(output.shape, generator=generator).to(output.device)
            total = (output * weight).sum()
            gradient = None
            if total.requires_grad:
                (gradient,) = torch.autograd.grad(total, image, allow_unused=True)
            if gradient is None or not gradient.any():
                cut.add(alias)
    return cut


@dataclasses.dataclass
class Bench:
    """
    A network whose layers are replaced in turn.

    Attributes
    ----------
    backbone : Backbone
        On its device, in eval mode.
    layers : dict of str to layers.FittedLayer or cascade.CascadeLayer
    means : dict of str to sequence of float
        Mean of each layer's output, per channel.
    substitutes : sequence of str
        Substitutes to try besides `reconstruction`, of `CONTROLS`.
    seed : int
    """

    backbone: Backbone
    layers: Mapping[str, FittedLayer | cascade.CascadeLayer]
    means: Mapping[str, Sequence[float]]
    substitutes: Sequence[str]
    seed: int

    @property
    def modules(self) -> dict[str, recording.Entry]:
        """Where each layer is recorded."""
        return {name: fitted.layer for name, fitted in self.layers.items()}

    @torch.no_grad()
    def run(
        self,
        x: torch.Tensor,
        placement: geometry.Placement,
        names: Sequence[str],
        reconstructions: Mapping[str, np.ndarray],
    ) -> Iterator[tuple[str, str, str, torch.Tensor]]:
        """
        Replace every layer: alone, and together with all layers that the network runs before it.

        Parameters
        ----------
        x : tensor (n, 3, y, x)
            Network inputs of stimuli that share their placement.
        placement : geometry.Placement
        names : sequence of str (n,)
        reconstructions : dict of str to float array (n, C, row, column)

        Yields
        ------
        layer, way, substitute : str
            The intact network comes first; all three are then `intact`.
        maps : tensor (n, y, x)
            Saliency maps that the network returns.
        """
        network = self.backbone.network
        with recording.recorder(network, self.modules) as record:
            intact = self.backbone.maps(x)
        yield "intact", "intact", "intact", intact
        replacements = {}
        for name, linear in record.items():
            fitted = self.layers[name]
            replacements[name] = substitutes(
                linear,
                fitted,
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
                yield from self._replaced(kind, replacements, cut, places, x)

    def _replaced(self, kind, replacements, cut, places, x):
        """Replace the layers by one kind of substitute, in the order in which they run."""
        order, any_replaced = list(replacements), False
        for index, name in enumerate(order):
            alone = None
            any_replaced = any_replaced or kind in replacements[name]
            if kind in replacements[name]:
                alone = self._run(places, {name: replacements[name][kind]}, x)
                yield name, "alone", kind, alone
            if not any_replaced:
                continue
            if alone is not None and (index == 0 or name in cut):
                yield name, "cumulative", kind, alone
                continue
            # a layer without this substitute (`resampled`, if not pooled) keeps its real output
            together = {
                n: replacements[n].get(kind, replacements[n]["real"]) for n in order[: index + 1]
            }
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
        Means over the cells in the content; all cells have equal weight.
    """
    totals, counts = {}, {}
    with recording.recorder(
        backbone.network, {name: fitted.layer for name, fitted in layers.items()}
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


def rows(
    bench: Bench,
    model: ExplainedModel,
    block: StimulusBlock,
    indices: Sequence[int],
    preset: str,
    uniform_weight: float,
) -> Iterator[dict]:
    """
    Scores of some stimuli of a block with each layer replaced in each way.

    Parameters
    ----------
    bench : Bench
    model : ExplainedModel
        Its reconstructions take the place of layers.
    block : StimulusBlock
    indices : sequence of int
        Indices of the stimuli in the block.
    preset : str
        Definitions of the metrics.
    uniform_weight : float
        Share of the uniform density in every map scored.

    Yields
    ------
    row : dict
        Keys are `faithfulness.SUBSTITUTED`; of each stimulus the intact network comes first.
    """
    for batch, place, x in batches(bench.backbone, block, indices, model.box):
        names, judges = [block.names[index] for index in batch], []
        maps = [model.reconstruct(block.view(index))[0] for index in batch]
        stacked = {name: np.stack([of_one[name] for of_one in maps]) for name in bench.layers}
        for layer, way, kind, returned in bench.run(x, place, names, stacked):
            inside = returned[:, place.top : place.top + place.height].cpu().numpy()
            inside = inside[:, :, place.left : place.left + place.width]
            for row, index in enumerate(batch):
                size = block.size(index)
                density = np.exp(
                    densities.of_network(inside[row], bench.backbone.output, size, uniform_weight)
                )
                if kind == "intact":
                    judges.append(faithfulness.Judge(block, index, density, preset))
                labels = {"layer": layer, "way": way, "substitute": kind, "stimulus": names[row]}
                yield {**labels, **judges[row].score(density)}
