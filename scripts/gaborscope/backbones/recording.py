"""Record layers of a network with forward hooks, and measure what their cells see."""

import contextlib
import dataclasses
import difflib
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import torch
from torch import nn

from gaborscope.errors import InputError
from gaborscope.stimuli import geometry
from gaborscope.stimuli.layer import Layer

# Number of cells measured in one pass, and number of passes.
CELLS, ROUNDS = 8, 4

# If the centroids of a layer scatter by more than this share of its stride, it has no fixed centre.
LARGEST_SPREAD = 0.15

# The input of these modules is recorded, not their output. Only this linear part can be identified;
# a reconstruction is passed through the nonlinearity afterwards.
NONLINEARITIES = {nn.ReLU: "relu", nn.ReLU6: "relu6"}


def find_modules(network: nn.Module, layers: Mapping[str, str]) -> dict[str, tuple[nn.Module, str]]:
    """
    Look up the modules of a layer table.

    Parameters
    ----------
    network : torch.nn.Module
    layers : dict of str to str
        Alias to module path.

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
    for alias, path in layers.items():
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


@contextlib.contextmanager
def recorder(network: nn.Module, layers: Mapping[str, str]) -> Iterator[dict[str, torch.Tensor]]:
    """
    Record the modules of a layer table: the input of nonlinearities, the output of all others.

    Parameters
    ----------
    network : torch.nn.Module
    layers : dict of str to str
        Alias to module path; "" is the network itself.

    Yields
    ------
    record : dict of str to tensor (n, channel, y, x)
        By alias, filled by each forward pass. The maps are copies, because nonlinearities may work
        in place. If a module returns several values, the first is recorded. Tokens are rearranged
        by `token_maps`.
    """
    record, handles, size = {}, [], []

    def begin(module, inputs):
        size[:] = inputs[0].shape[-2:]

    def before(alias):
        def hook(module, inputs):
            record[alias] = token_maps(inputs[0], size).clone()

        return hook

    def after(alias):
        def hook(module, inputs, output):
            first = output if torch.is_tensor(output) else output[0]
            record[alias] = token_maps(first, size).clone()

        return hook

    handles.append(network.register_forward_pre_hook(begin))

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


def token_maps(tokens: torch.Tensor, size: Sequence[int]) -> torch.Tensor:
    """
    Rearrange the tokens of a transformer to maps on the grid of their patches.

    Parameters
    ----------
    tokens : tensor
        (n, token, channel), patches row by row. Up to 8 tokens before them may belong to no patch;
        they are dropped. A tensor that has not this form is returned unchanged.
    size : (int, int)
        Height and width of the network's input in px.

    Returns
    -------
    maps : tensor (n, channel, y, x)
        Patches are square. Of the sizes that tile the input with so many tokens, the largest is
        taken.
    """
    if tokens.dim() != 3:
        return tokens
    height, width = size
    for extra in range(9):
        for patch in range(min(size), 0, -1):
            grid = (height // patch, width // patch)
            tiles = not (height % patch or width % patch)
            if tiles and grid[0] * grid[1] == tokens.shape[1] - extra:
                return tokens[:, extra:].transpose(1, 2).unflatten(2, grid)
    return tokens


def measure_layers(
    network: nn.Module,
    layers: Mapping[str, str],
    input_sizes: Sequence[tuple[int, int]],
    finest_stride: int,
    seed: int,
) -> dict[str, Layer]:
    """
    Measure the grid, channels and receptive field of each layer of a network.

    The centre of a cell is a centroid on the input. It is taken of the squared gradient of a random
    combination of the cell's channels with respect to a noise input. The stride is the ratio of
    input size to layer size. The offset is the mean of centroid - stride * index over central
    cells.

    If the centroids scatter by more than 0.15 strides, no offset can be measured: the centre
    depends on the phase of the cell (decoders) or on much of the image (context). The cells are
    then assumed to tile the input, with the offset `(stride - 1) / 2`. This is where a network
    trained on maps aligned to pixels puts its content. `centre` records which of the two was used.

    Parameters
    ----------
    network : torch.nn.Module
        In eval mode.
    layers : dict of str to str
    input_sizes : sequence of (int, int)
        Input sizes in use. Centres are measured at the first; the others only give their grids.
    finest_stride : int
        Layers with a smaller stride (in px) are averaged to this stride before they are stored.
    seed : int

    Returns
    -------
    measured : dict of str to Layer
        By alias.
    """
    generator = torch.Generator().manual_seed(seed)
    modules = find_modules(network, layers)
    device = next(network.parameters()).device
    lines = {alias: [] for alias in layers}
    for _ in range(ROUNDS):
        noise = torch.randn((CELLS, 3, *input_sizes[0]), generator=generator).to(device)
        noise.requires_grad_(True)
        with recorder(network, layers) as record:
            network(noise)
            shapes = {alias: tuple(maps.shape[1:]) for alias, maps in record.items()}
            for alias, maps in record.items():
                lines[alias].append(_gradient(maps, noise, generator))
    measured = {}
    for alias, (channels, *shape) in shapes.items():
        moments = _moments(lines[alias], shape, input_sizes[0])
        measured[alias] = _described(
            layers[alias], modules[alias][1], channels, shape, moments, input_sizes[0],
            finest_stride,
        )  # fmt: skip
    for size in input_sizes[1:]:
        with recorder(network, layers) as record, torch.no_grad():
            network(torch.zeros((1, 3, *size), device=device))
        for alias, maps in record.items():
            layer = measured[alias]
            shape = geometry.pooled_shape(maps.shape[2:], layer.pool)
            shapes_of = {**layer.shape, geometry.size_name(size): shape}
            measured[alias] = dataclasses.replace(layer, shape=shapes_of)
    return measured


def _gradient(maps, noise, generator):
    """Squared gradient (n, y, x) of one cell per noise image, summed over colours."""
    n, channels, height, width = maps.shape
    rows = torch.linspace(0.35, 0.65, n).mul(height - 1).round().long()
    columns = torch.linspace(0.35, 0.65, n).mul(width - 1).round().long()
    rows = rows[torch.randperm(n, generator=generator)]
    signs = torch.randn((n, channels), generator=generator).to(maps.device)
    picked = (maps[torch.arange(n), :, rows, columns] * signs).sum()
    gradient = torch.zeros_like(noise)
    if picked.requires_grad:
        computed = torch.autograd.grad(picked, noise, retain_graph=True, allow_unused=True)[0]
        gradient = gradient if computed is None else computed
    squared = gradient.double().pow(2).sum(1).cpu().numpy()
    return squared, (rows.numpy(), columns.numpy())


def _moments(rounds, shape, input_size):
    """
    Offset, its spread over cells and the width of the receptive field, for y and x.

    Cells that do not see the image (dead maps) are left out. If no cell sees it, the cells are
    assumed to tile the image.
    """
    offsets, spreads, widths = [], [], []
    for axis in (0, 1):
        pixels, stride = np.arange(input_size[axis]), input_size[axis] / shape[axis]
        cell_offsets, energy, spread = [], [], []
        for squared, cells in rounds:
            line = squared.sum(axis=2 - axis)
            alive = line.sum(axis=1) > 0
            line = line[alive]
            energy.append(line.sum(axis=1))
            line = line / energy[-1][:, None]
            centre = line @ pixels
            spread.append((line * (pixels[None, :] - centre[:, None]) ** 2).sum(axis=1))
            cell_offsets.append(centre - stride * cells[axis][alive])
        if not any(part.size for part in energy):
            offsets.append((stride - 1) / 2)
            spreads.append(stride)
            widths.append(0.0)
            continue
        offset, weight = np.concatenate(cell_offsets), np.concatenate(energy)
        offsets.append(float(np.average(offset, weights=weight)))
        spreads.append(float(offset.std()))
        widths.append(float(np.sqrt(12 * np.concatenate(spread).mean())))
    return offsets, spreads, widths


def _described(path, nonlinearity, channels, shape, moments, input_size, finest_stride):
    """Describe one layer as it is stored, after averaging to the finest stride."""
    strides = [extent / n for extent, n in zip(input_size, shape, strict=True)]
    pool = max(1, round(finest_stride / strides[0]))
    offsets, spreads, widths = moments
    tiled = max(s / t for s, t in zip(spreads, strides, strict=True)) > LARGEST_SPREAD
    used = [(stride - 1) / 2 for stride in strides] if tiled else offsets
    return Layer(
        module=path,
        nonlinearity=nonlinearity,
        channels=int(channels),
        shape={geometry.size_name(input_size): geometry.pooled_shape(shape, pool)},
        pool=pool,
        stride=tuple(stride * pool for stride in strides),
        centre="tiled" if tiled else "measured",
        offset_px=tuple(o + s * (pool - 1) / 2 for o, s in zip(used, strides, strict=True)),
        offset_measured_px=tuple(offsets),
        offset_spread_px=tuple(spreads),
        receptive_field_px=tuple(widths),
    )


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
