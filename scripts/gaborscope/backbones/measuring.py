"""Measure by gradients what the cells of layers see, and whether they lie as assumed."""

import dataclasses
import logging
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import nn

from gaborscope.backbones import layouts
from gaborscope.backbones.recording import Entry, find_modules, recorder
from gaborscope.errors import InputError
from gaborscope.stimuli import geometry
from gaborscope.stimuli.layer import Layer

log = logging.getLogger(__name__)

# Number of cells measured in one pass, and number of passes: on central cells, on any, and on more
# of these where they leave a doubt.
CELLS, ROUNDS, CHECKS, DOUBTS = 8, 4, 2, 8

# Pixels of all frames that the network keeps for gradients at a time; one image at least. Eight of
# 144 x 192 px; at 288 x 384 px a ResNet-50 with transformers on it takes 1 GB per image.
PIXELS = 2**18

# If the centroids of a layer scatter by more than this share of its stride, it has no fixed centre.
LARGEST_SPREAD = 0.15

# Mean rank of the place where a cell should be, among all places by what it sees there: 0.5 by
# chance (with a standard deviation of 0.03 over all passes), 1 in a grid without doubt. Below the
# first the grid is contradicted; another reading has to reach the second.
LEAST_RANK, SURE_RANK = 0.65, 0.85

# The same of the network's map. Divided by its largest value, each pixel sees that one's place too.
LEAST_RANK_OF_MAP = 0.6

# Cells that see so large a share of the image see almost all of it alike: they have no place that
# could contradict the grid. Deep layers of our networks reach 0.88.
WHOLE = 0.75

# Cells are said to lie elsewhere than if they tiled the image from this share of their stride on,
# and from this number of standard errors.
DISPLACED, SURE = 0.75, 4

# Px by which the input is enlarged to count the cells that come with them, one after the other:
# for strides that are a power of two, three or five times one.
PROBES = (64, 96, 160)

# A map is said to be shifted from this share of the image on.
SHIFTED = 0.05


class Views(NamedTuple):
    """
    What some cells see: by axis, squared gradients summed over the other axis.

    Attributes
    ----------
    lines : (float64 array (cell, y), float64 array (cell, x))
    cells : (int array (cell,), int array (cell,))
        Rows and columns of the cells.
    """

    lines: tuple[np.ndarray, np.ndarray]
    cells: tuple[np.ndarray, np.ndarray]

    @classmethod
    def joined(cls, parts: Sequence["Views"]) -> "Views":
        """Join what several groups of cells see."""
        lines, cells = (
            (np.concatenate([y for y, _ in pairs]), np.concatenate([x for _, x in pairs]))
            for pairs in zip(*parts, strict=True)
        )
        return cls(lines, cells)


@dataclasses.dataclass
class Reading:
    """
    A layer read in one way: its cells, and what they see.

    Attributes
    ----------
    tap : layouts.Tap
    channels : int
    shape : (int, int)
        Rows and columns.
    size : (int, int)
        Height and width of the input in px.
    central, anywhere : Views
    apart : (int, int), optional
        Distance of the cells in px, where they do not tile the image.
    """

    tap: layouts.Tap
    channels: int
    shape: tuple[int, int]
    size: tuple[int, int]
    central: Views
    anywhere: Views
    apart: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        """Compute the moments of what the cells see, and the rank of their places."""
        tiling = [extent / n for extent, n in zip(self.size, self.shape, strict=True)]
        self.strides = tiling if self.apart is None else [float(px) for px in self.apart]
        axes = [self._moments(axis) for axis in (0, 1)]
        self.offsets, self.spreads, self.widths = (list(row) for row in zip(*axes, strict=True))
        self.ranks = [self._rank(axis) for axis in (0, 1)]

    @property
    def holds(self) -> bool:
        """Whether the cells see where the grid places them."""
        return min(self.ranks) >= LEAST_RANK

    @property
    def sees_all(self) -> bool:
        """Whether the cells see almost all of the image alike, along the axes that do not hold."""
        return all(
            rank >= LEAST_RANK or width >= WHOLE * extent
            for rank, width, extent in zip(self.ranks, self.widths, self.size, strict=True)
        )

    @property
    def scatter(self) -> float:
        """Largest standard deviation of the measured offset, in strides."""
        return max(s / t for s, t in zip(self.spreads, self.strides, strict=True))

    @property
    def displaced(self) -> tuple[float, float]:
        """How far the cells lie from where they would tile the image, in px along y and x."""
        return (
            self.offsets[0] - (self.strides[0] - 1) / 2,
            self.offsets[1] - (self.strides[1] - 1) / 2,
        )

    def lies_elsewhere(self, least: Sequence[float]) -> bool:
        """Whether the cells are displaced by so many px along an axis, beyond doubt."""
        n = len(self.central.cells[0])
        return any(
            abs(far) > max(px, spread, SURE * spread / n**0.5) and width < WHOLE * extent
            for far, px, spread, width, extent in zip(
                self.displaced, least, self.spreads, self.widths, self.size, strict=True
            )
        )

    def ordered(self, order: str) -> "Reading":
        """Return the reading with the same tokens in another order."""
        place = np.argsort(layouts.token_order(order, self.shape))
        before = layouts.token_order(self.tap.order, self.shape)
        central, anywhere = (
            Views(view.lines, np.unravel_index(place[before[cells]], self.shape))
            for view in (self.central, self.anywhere)
            for cells in [np.ravel_multi_index(view.cells, self.shape)]
        )
        tap = dataclasses.replace(self.tap, order=None if order == "rows" else order)
        return Reading(tap, self.channels, self.shape, self.size, central, anywhere, self.apart)

    def _moments(self, axis):
        """
        Offset, its spread over cells and the width of the receptive field.

        Cells that do not see the image (dead maps) are left out. If no cell sees it, the cells are
        assumed to tile the image.
        """
        line, stride = self.central.lines[axis], self.strides[axis]
        energy = line.sum(axis=1)
        alive = energy > 0
        if not alive.any():
            return (stride - 1) / 2, stride, 0.0
        line, energy = line[alive] / energy[alive, None], energy[alive]
        pixels = np.arange(self.size[axis])
        centre = line @ pixels
        variance = (line * (pixels[None, :] - centre[:, None]) ** 2).sum(axis=1)
        offset = centre - stride * self.central.cells[axis][alive]
        return (
            float(np.average(offset, weights=energy)),
            float(offset.std()),
            float(np.sqrt(12 * variance.mean())),
        )

    def _rank(self, axis):
        """
        Mean rank of each cell's own row (or column) among all, by how much the cell sees there.

        What a cell sees is taken relative to what all cells see on average, so that neither a
        common context nor the image's edges count.
        """
        line, n = self.anywhere.lines[axis], self.shape[axis]
        alive = line.sum(axis=1) > 0
        if n == 1 or not alive.any():
            return 1.0
        line = line[alive] / line[alive].sum(axis=1, keepdims=True)
        centres = self.offsets[axis] + self.strides[axis] * np.arange(n)
        deviation = max(self.strides[axis] / 2, self.widths[axis] / 8)
        window = geometry.gaussian_matrix(np.arange(self.size[axis]), centres, deviation)
        there = line @ window.T.astype(float)
        there = there / np.maximum(there.mean(axis=0), 1e-300)
        own = there[np.arange(len(there)), self.anywhere.cells[axis][alive]][:, None]
        return float((((there < own).sum(1) + ((there == own).sum(1) - 1) / 2) / (n - 1)).mean())


def measure_layers(
    network: nn.Module,
    layers: Mapping[str, Entry],
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

    Cells all over the grid are then held against it: what a cell sees must lie where the grid
    places the cell, rather than elsewhere. Where it does not, other ways to read the layer's tensor
    are tried: other axes, and for tokens other orders (`layouts.orders`). What is read otherwise
    than as (n, channel, y, x) is said in the log.

    Parameters
    ----------
    network : torch.nn.Module
        In eval mode.
    layers : dict of str to str, mapping or Layer
        By alias: the module path, or what `layouts.Tap.of` takes.
    input_sizes : sequence of (int, int)
        Input sizes. Centres are measured at the first; the others only give their grids. One that
        the network does not take is left out, and one at which a layer's grid stays as it was. The
        log says so.
    finest_stride : int
        Layers with a smaller stride (in px) are averaged to this stride before they are stored.
    seed : int

    Returns
    -------
    measured : dict of str to Layer
        By alias.

    Raises
    ------
    InputError
        If a layer cannot be read as maps, or its cells see other places than its grid says.
    """
    generator = torch.Generator().manual_seed(seed)
    modules = find_modules(network, layers)
    size = input_sizes[0]
    glance = _glance(network, layers, size)
    taps = {}
    for alias, tap in glance.taps.items():
        if glance.calls[alias] > 1 and tap.call is None:
            tap = dataclasses.replace(tap, call=glance.calls[alias] - 1)
            log.info(
                "layer %s: %s is called %d times in one pass; its last call is recorded, call: %d; "
                "a number from 0 chooses another", alias, tap.module, tap.call + 1, tap.call,
            )  # fmt: skip
        taps[alias] = tap
    measured, readings = {}, _read(network, taps, size, generator)
    for alias, apart in _distances(network, readings, size).items():
        readings[alias] = dataclasses.replace(readings[alias], apart=apart)
    for alias, reading in readings.items():
        if not reading.holds:
            reading = _other(network, alias, reading, layers[alias], glance, generator)
        _say(alias, reading, glance)
        measured[alias] = _described(reading, modules[alias][1], finest_stride)
    for other in input_sizes[1:]:
        _add_size(network, measured, other)
    return measured


def check_output(network: nn.Module, size: tuple[int, int], seed: int) -> None:
    """
    Hold the map that a network returns against the image, by what its pixels see.

    Parameters
    ----------
    network : torch.nn.Module
        In eval mode; it returns (n, 1, y, x) or (n, y, x).
    size : (int, int)
        Height and width of the input in px.
    seed : int

    What contradicts it is a warning in the log, and no error: a network that has learned little may
    see most of the image in every pixel.
    """
    generator = torch.Generator().manual_seed(seed)
    device = next(network.parameters()).device
    with torch.no_grad():
        dimensions = network(torch.zeros((1, 3, *size), device=device)).dim()
    taps = {"output": layouts.Tap("", "nyx" if dimensions == 3 else "ncyx")}
    central, shapes = _look(network, taps, size, generator, CHECKS, False)
    anywhere, _ = _look(network, taps, size, generator, 2 * CHECKS, True)
    (channels, shape), tap = shapes["output"], taps["output"]
    reading = Reading(tap, channels, shape, size, central["output"], anywhere["output"])
    if min(reading.ranks) < LEAST_RANK_OF_MAP and not reading.sees_all:
        log.warning(
            "what the pixels of the network's map see is not known to lie where they do: it "
            "scatters by %.0f px around their places; see that the network returns (n, 1, y, x), "
            "rows along y from the top, columns from the left", max(reading.spreads),
        )  # fmt: skip
    elif reading.lies_elsewhere([SHIFTED * extent for extent in size]):
        log.warning(
            "the network's map is shifted: what its pixels see lies %.0f px lower and %.0f px "
            "further right than they do", *reading.displaced,
        )  # fmt: skip


def _distances(network, readings, size):
    """Return the px between cells, of layers that do not tile the image, as far as they show it."""
    doubtful = {
        alias: reading.tap
        for alias, reading in readings.items()
        if "p" not in reading.tap.axes
        and (len(set(reading.strides)) > 1 or any(stride % 1 for stride in reading.strides))
    }
    found = {}
    for probe in PROBES:
        left = {alias: tap for alias, tap in doubtful.items() if alias not in found}
        found |= _apart(network, left, readings, probe) if left else {}
    for alias, apart in list(found.items()):
        shape = readings[alias].shape
        cells = zip(shape, apart, size, strict=True)
        if all(abs(n * px - extent) < DISPLACED * px for n, px, extent in cells):
            del found[alias]
            continue
        log.info(
            "layer %s: its %d x %d cells lie %d x %d px apart, so they do not tile the image; "
            "they are placed as measured", alias, *shape, *apart,
        )  # fmt: skip
    return found


def _apart(network, taps, readings, probe):
    """Return the px between cells, of layers where they divide those that the input grows by."""
    size = next(iter(readings.values())).size
    try:
        record = _glance(network, taps, tuple(extent + probe for extent in size), 1)
    except Exception:  # a network of one size may raise anything
        return {}
    found = {}
    for alias, maps in record.items():
        shape = readings[alias].shape
        more = [n - before for n, before in zip(maps.shape[2:], shape, strict=True)]
        if min(more) >= 1 and not any(probe % n for n in more):
            found[alias] = tuple(probe // n for n in more)
    return found


def _glance(network, layers, size, n=2):
    """Run the network on black images, and return the record."""
    device = next(network.parameters()).device
    with recorder(network, layers) as record, torch.no_grad():
        network(torch.zeros((n, 3, *size), device=device))
    return record


def _add_size(network, measured, size):
    """Add the shapes of all layers at an input size, where the network takes it and turns."""
    try:
        record = _glance(network, measured, size, 1)
    except Exception as error:  # the forward of a user's model may raise anything
        reason = (str(error).strip() or "no message").splitlines()[0]
        log.info(
            "the network does not take an input of %d x %d px (%s: %s); if there are stimuli of "
            "that shape, set input.orientation: landscape", *size, type(error).__name__, reason,
        )  # fmt: skip
        return
    shapes = {
        alias: geometry.pooled_shape(maps.shape[2:], measured[alias].pool)
        for alias, maps in record.items()
    }
    for alias, shape in shapes.items():
        first = next(iter(measured[alias].shape.values()))
        expected = [n / stride for n, stride in zip(size, measured[alias].stride, strict=True)]
        far = max(abs(n - wanted) for n, wanted in zip(shape, expected, strict=True))
        if shape == first and far >= 0.75:  # the grid did not turn with the input
            log.info(
                "layer %s has a grid of %d x %d at an input of %d x %d px too; if there are "
                "stimuli of that shape, set input.orientation: landscape", alias, *shape, *size,
            )  # fmt: skip
            return
    for alias, shape in shapes.items():
        layer = measured[alias]
        grids = {**layer.shape, geometry.size_name(size): shape}
        measured[alias] = dataclasses.replace(layer, shape=grids)


def _read(network, taps, size, generator):
    """Measure layers whose axes are known."""
    central, shapes = _look(network, taps, size, generator, ROUNDS, False)
    anywhere, _ = _look(network, taps, size, generator, CHECKS, True)
    readings = {}
    for alias, (channels, shape) in shapes.items():
        views = central[alias], anywhere[alias]
        readings[alias] = Reading(taps[alias], channels, shape, size, *views)
    doubtful = {alias: taps[alias] for alias in taps if min(readings[alias].ranks) < SURE_RANK}
    more, _ = _look(network, doubtful, size, generator, DOUBTS if doubtful else 0, True)
    for alias, views in more.items():
        both = Views.joined([readings[alias].anywhere, views])
        readings[alias] = dataclasses.replace(readings[alias], anywhere=both)
    return readings


def _look(network, taps, size, generator, rounds, anywhere):
    """Return what cells of each layer see, central ones or any, and channels and grid."""
    device = next(network.parameters()).device
    glance, found = _glance(network, taps, size, 1), {}
    step = max(1, min(CELLS, PIXELS // (glance.seen.frames * size[0] * size[1])))
    for _ in range(rounds):
        noise, picks = torch.randn((CELLS, 3, *size), generator=generator), {}
        for first in range(0, CELLS, step):
            x = noise[first : first + step].to(device).requires_grad_(True)
            with recorder(network, taps) as record:
                network(x)
            for alias, maps in record.items():
                if alias not in picks:
                    picks[alias] = _pick(maps.shape, generator, anywhere)
                chosen = [part[first : first + step] for part in picks[alias]]
                found.setdefault(alias, []).append(_seen(maps, x, *chosen))
    shapes = {alias: (maps.shape[1], tuple(maps.shape[2:])) for alias, maps in glance.items()}
    return {alias: Views.joined(parts) for alias, parts in found.items()}, shapes


def _pick(shape, generator, anywhere):
    """Draw a cell for each noise image, and a sign for each of its channels."""
    _, channels, height, width = shape
    if anywhere:
        cells = torch.randperm(height * width, generator=generator)
        cells = cells.repeat(-(-CELLS // len(cells)))[:CELLS]
        rows, columns = cells // width, cells % width
    else:
        rows = torch.linspace(0.35, 0.65, CELLS).mul(height - 1).round().long()
        columns = torch.linspace(0.35, 0.65, CELLS).mul(width - 1).round().long()
        rows = rows[torch.randperm(CELLS, generator=generator)]
    return rows, columns, torch.randn((CELLS, channels), generator=generator)


def _seen(maps, noise, rows, columns, signs):
    """Return what one cell per noise image sees, by its squared gradient, summed over colours."""
    picked = (maps[torch.arange(len(rows)), :, rows, columns] * signs.to(maps)).sum()
    gradient = torch.zeros_like(noise)
    if picked.requires_grad:
        computed = torch.autograd.grad(picked, noise, retain_graph=True, allow_unused=True)[0]
        gradient = gradient if computed is None else computed
    squared = gradient.double().pow(2).sum(1).cpu().numpy()
    return Views((squared.sum(axis=2), squared.sum(axis=1)), (rows.numpy(), columns.numpy()))


def _other(network, alias, reading, entry, glance, generator):
    """Return the reading of a contradicted layer that its cells speak for, or refuse the layer."""
    told, shape = layouts.Tap.of(entry), glance.shapes[alias]
    readings = [reading]
    if told.axes is None:
        others = [axes for axes in layouts.readings(shape, glance.seen) if axes != reading.tap.axes]
        for axes in others:
            tap = dataclasses.replace(reading.tap, axes=axes)
            readings += _read(network, {alias: tap}, reading.size, generator).values()
    for found in list(readings):
        if "p" in found.tap.axes:
            readings += map(found.ordered, layouts.orders(found.shape))
    sure = [found for found in readings if min(found.ranks) >= SURE_RANK]
    if sure:
        return min(sure, key=lambda found: found.scatter)
    if reading.sees_all:
        best = max(readings, key=lambda found: min(found.ranks))
        return best if best.holds else reading
    raise InputError(
        f"layer {alias} ({reading.tap.module or 'the output'}) is read as "
        f"{layouts.named(reading.tap.axes)} of the shape {shape}, but what its cells see lies "
        f"elsewhere: it scatters by {max(reading.spreads):.0f} px around their places, at a stride "
        f"of {reading.strides[0]:.3g} px"
        + (
            "; no other order of the tokens fits; choose another module"
            if "p" in reading.tap.axes
            else "; say its axes, such as {module: ..., axes: nyxc}, or choose another module"
        )
    )


def _say(alias, reading, glance):
    """Log how a layer is read, where it is not (n, channel, y, x), and where it has no place."""
    tap, shape = reading.tap, glance.shapes[alias]
    if tap.axes != "ncyx":
        words = f"layer {alias}: {shape} is read as {layouts.named(tap.axes)}"
        if "p" in tap.axes:
            patches = reading.shape[0] * reading.shape[1]
            left_out = shape[tap.axes.index("p") - len(tap.axes)] - patches
            words += f", {left_out} tokens without a patch left out" if left_out else ""
            words += f", patches on a grid of {reading.shape[0]} x {reading.shape[1]}"
            words += f" in the order {tap.order}, as measured" if tap.order else ", row by row"
        if "t" in tap.axes and tap.time is not None:
            words += f", time: {tap.time}"
        log.info("%s", words)
    if (
        reading.holds
        and reading.apart is None
        and reading.lies_elsewhere([DISPLACED * stride for stride in reading.strides])
    ):
        placed = (
            "placed as measured" if _as_measured(reading) else "taken to tile it, as they scatter"
        )
        log.info(
            "layer %s: what its cells see lies %.1f px lower and %.1f px further right than if "
            "they tiled the image; they are %s", alias, *reading.displaced, placed,
        )  # fmt: skip
    if not reading.holds:
        log.info(
            "layer %s: its cells see almost all of the image alike, so that no measurement shows "
            "where they lie; they are taken to tile it", alias,
        )  # fmt: skip


def _as_measured(reading):
    """Whether cells are placed where they were measured, and not so that they tile the image."""
    return reading.apart is not None or reading.scatter <= LARGEST_SPREAD


def _described(reading, nonlinearity, finest_stride):
    """Describe one layer as it is stored, after averaging to the finest stride."""
    strides, tap = reading.strides, reading.tap
    pool = max(1, round(finest_stride / strides[0]))
    tiled = not _as_measured(reading)
    used = [(stride - 1) / 2 for stride in strides] if tiled else reading.offsets
    return Layer(
        module=tap.module,
        nonlinearity=nonlinearity,
        channels=int(reading.channels),
        shape={geometry.size_name(reading.size): geometry.pooled_shape(reading.shape, pool)},
        pool=pool,
        stride=tuple(stride * pool for stride in strides),
        centre="tiled" if tiled else "measured",
        offset_px=tuple(o + s * (pool - 1) / 2 for o, s in zip(used, strides, strict=True)),
        offset_measured_px=tuple(reading.offsets),
        offset_spread_px=tuple(reading.spreads),
        receptive_field_px=tuple(reading.widths),
        axes=None if tap.axes == "ncyx" else tap.axes,
        time=tap.time,
        call=tap.call,
        order=tap.order,
    )
