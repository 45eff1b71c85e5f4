"""
What made an explained map: parts of its log-density by filter and by layer, place by place.

Integrated gradients (Sundararajan et al. 2017) on the straight line from the image's mean colour to
the image. By the chain rule the integral splits over the regressors that the gradient passes
through, so every part belongs to one filter in one layer, and all parts together are the whole.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence

import numpy as np
import torch

from gaborscope.explanation import layers as layer_tools
from gaborscope.explanation.differentiable import DifferentiableModel, Steps
from gaborscope.filters import mechanisms, second_stage
from gaborscope.stimuli import geometry

# Points of the Gauss-Legendre rule: more until the parts sum to the whole but for TOLERANCE.
POINTS = (10, 20, 40)
TOLERANCE = 0.01
# Points lie denser at the beginning of the line: amplitudes that are divided by the energy of the
# image change there most.
BEND = 7.0
DIFFERENCE = 1e-3  # of t, where slopes along the line are not known
EPSILON = 1e-4  # of normalised amplitudes, see `filters.regressors`
LINEAR_COLOURS = ("yuv", "rgb")
# Regressors whose way along the line is known from its two ends, in linear colours.
PROPORTIONAL = {"even", "odd", "amplitude", "residual", "normalised", "position"}
PROPORTIONAL |= {second_stage.KIND}
# Regressors that are known from amplitudes, which are proportional to the way along the line.
OF_AMPLITUDES = {kind for name in mechanisms.OF_ALL_SCALES for kind in mechanisms.KINDS[name]}
PARTITIONS = ("band", "orientation", "colour", "layer")


@dataclasses.dataclass(frozen=True)
class Attribution:
    """
    Parts of an explained log-density. All are in bits: log2 of density times number of px.

    Attributes
    ----------
    explained : float array (height, width)
        Of the image, as placed in the network's input; 0 is the uniform density.
    start : float array (height, width)
        Of an image that has the mean colour everywhere: centre bias and terms of position.
    maps : dict of str to dict of int to float array (height, width)
        By partition (`PARTITIONS`) and member, what it adds. Members are indices of scales,
        orientations, colour channels and layers; -1 are regressors that have none. The maps of each
        partition sum to `explained - start`.
    peaks : list of (int, int)
        Row and column of the highest peaks of `explained`, the highest first.
    filters : float array (peak, K)
        What each regressor adds at the peaks, over all layers.
    table : dict of str to array (K,)
        What the regressors are, see `Regressors.table`.
    error : float
        Completeness: largest difference between the sum of the parts and `explained - start`, over
        all px, relative to the largest `|explained - start|`.
    """

    explained: np.ndarray
    start: np.ndarray
    maps: dict[str, dict[int, np.ndarray]]
    peaks: list[tuple[int, int]]
    filters: np.ndarray
    table: dict[str, np.ndarray]
    error: float


def attribute(
    model: DifferentiableModel,
    image: np.ndarray,
    n_peaks: int = 3,
    points: Sequence[int] = POINTS,
) -> Attribution:
    """
    Split the explained log-density of an image.

    Parameters
    ----------
    model : DifferentiableModel
    image : uint8 array (height, width, 3)
        RGB, of any size.
    n_peaks : int
    points : sequence of int
        How many points of the line from the mean colour to the image the gradient is taken at. The
        next number is tried as long as `error` is above `TOLERANCE`.

    Returns
    -------
    attribution : Attribution
    """
    placement = geometry.place(image.shape[:2], model.model.box)
    content = geometry.content(image, placement)
    way = model.steps(placement)
    table = layer_tools.make_regressors(way.layers[0].settings).table()
    line = _line(way, content, table)
    start, explained = (way.normalised(_score(way, line(t)[0])) for t in (0.0, 1.0))
    peaks = highest_peaks(explained.numpy(), n_peaks)
    to_bits, uniform = 1 / math.log(2), math.log(explained.numel())
    gained, error = explained - start, math.inf
    for n in points:
        total = _Sums(way, _members(table, len(way.layers)), len(table["kind"]), peaks)
        nodes, weights = np.polynomial.legendre.leggauss(n)
        for node, weight in zip((nodes + 1) / 2, weights / 2, strict=True):
            t = math.expm1(BEND * node) / math.expm1(BEND)
            total.add(*line(t), weight * BEND * math.exp(BEND * node) / math.expm1(BEND))
        missed = torch.stack(list(total.maps["layer"].values())).sum(dim=0) - gained
        error = float(missed.abs().max() / gained.abs().max().clamp(min=1e-12))
        if error <= TOLERANCE:
            break
    return Attribution(
        explained=(explained.numpy() + uniform) * to_bits,
        start=(start.numpy() + uniform) * to_bits,
        maps={
            partition: {member: (values * to_bits).numpy() for member, values in own.items()}
            for partition, own in total.maps.items()
        },
        peaks=peaks,
        filters=total.filters.numpy() * to_bits,
        table=table,
        error=error,
    )


def highest_peaks(values: np.ndarray, n: int) -> list[tuple[int, int]]:
    """
    Return the highest local maxima that lie apart by at least a sixth of the larger side.

    Parameters
    ----------
    values : float array (height, width)
    n : int

    Returns
    -------
    peaks : list of (int, int)
        Row and column, the highest first; fewer than `n` where there are fewer. A maximum at the
        border counts.
    """
    padded = np.pad(values, 1, constant_values=-np.inf)
    around = [
        padded[1 + y : 1 + y + values.shape[0], 1 + x : 1 + x + values.shape[1]]
        for y in (-1, 0, 1)
        for x in (-1, 0, 1)
        if (y, x) != (0, 0)
    ]
    rows, columns = np.nonzero(values >= np.max(around, axis=0))
    order = np.argsort(-values[rows, columns], kind="stable")
    apart, kept = max(values.shape) / 6, list[tuple[int, int]]()
    for row, column in zip(rows[order].tolist(), columns[order].tolist(), strict=True):
        if all(math.hypot(row - y, column - x) >= apart for y, x in kept):
            kept.append((row, column))
        if len(kept) == n:
            break
    return kept


def _members(table, n_layers):
    """Return, by partition, the member of each regressor; of layers, all of them."""
    return {
        "band": table["scale"],
        "orientation": table["orientation"],
        "colour": table["colour"],
        "layer": np.arange(n_layers),
    }


def _line(
    way: Steps, content: np.ndarray, table: dict[str, np.ndarray]
) -> Callable[[float], tuple[list[torch.Tensor], list[torch.Tensor]]]:
    """Return the function that gives regressors of each target, and their slopes, on the line."""
    mean = np.rint(content.reshape(-1, 3).mean(axis=0)).astype(np.uint8)
    plain = np.ascontiguousarray(np.broadcast_to(mean, content.shape))
    settings = way.layers[0].settings
    kinds, names = set(table["kind"].tolist()), table["kind"]
    by_ends = settings["colour"] in LINEAR_COLOURS and kinds <= PROPORTIONAL | OF_AMPLITUDES
    if not by_ends or ("normalised" in kinds and "amplitude" not in kinds):
        first = torch.as_tensor(plain, dtype=way.dtype)
        return _computed_line(way, first, torch.as_tensor(content, dtype=way.dtype) - first)
    make = layer_tools.make_regressors(settings)
    ends = [make.compute(end, way.placement, way.targets) for end in (plain, content)]
    lows, highs = ([torch.as_tensor(phi, dtype=way.dtype) for phi in end] for end in ends)
    context = np.flatnonzero(np.isin(names, list(OF_AMPLITUDES))).tolist()
    if context:
        around = way.computing.amplitude_around(torch.as_tensor(content, dtype=way.dtype))
    divided = np.flatnonzero(names == "normalised").tolist()
    amplitudes = _amplitude_of(table, divided)
    changes = [high - low for low, high in zip(lows, highs, strict=True)]
    # a t / (e t + epsilon), where a / (e + epsilon) is known at the end
    wholes = [high[amplitudes] for high in highs]
    energies = [
        (whole / high[divided].clamp(min=1e-12) - EPSILON).clamp(min=0)
        for whole, high in zip(wholes, highs, strict=True)
    ]

    def between(t):
        found, slopes = [], []
        for low, change, whole, energy in zip(lows, changes, wholes, energies, strict=True):
            phi, slope = low + t * change, change.clone()
            if divided:
                below = energy * t + EPSILON
                phi[divided], slope[divided] = whole * t / below, whole * EPSILON / below**2
            found.append(phi)
            slopes.append(slope)
        if context:
            of_context = way.computing.of_context
            values, changing, *_ = torch.func.jvp(of_context, (t * around,), (around,))
            for phi, slope, own, by in zip(found, slopes, values, changing, strict=True):
                phi[context], slope[context] = own, by
        return found, slopes

    return between


def _computed_line(way, first, change):
    """Return the line where it has to be computed point by point."""

    @torch.no_grad()
    def computed(t):
        apart = DIFFERENCE * (t or 1.0)
        ends = [way.regressors(first + (t + side) * change) for side in (-apart, apart)]
        slopes = [(high - low) / (2 * apart) for low, high in zip(*ends, strict=True)]
        return way.regressors(first + t * change), slopes

    return computed


def _amplitude_of(table, divided):
    """Return the regressor that is the amplitude behind each normalised one."""
    keys = [table[name].tolist() for name in ("scale", "orientation", "colour")]
    amplitudes = {
        key: index
        for index, (*key, kind) in enumerate(zip(*keys, table["kind"].tolist(), strict=True))
        if kind == "amplitude"
        for key in (tuple(key),)
    }
    return [amplitudes[tuple(own[index] for own in keys)] for index in divided]


def _score(way, phi):
    """Return the score (height, width) of regressors by target."""
    score = 0
    for layer, target in enumerate(way.target_of):
        score = score + way.resampled(layer, way.readout(layer, phi[target]))
    return way.enlarged(score) + way.bias


class _Sums:
    """Parts of the log-density, summed over the points of the line."""

    def __init__(
        self,
        way: Steps,
        members: dict[str, np.ndarray],
        n_regressors: int,
        peaks: list[tuple[int, int]],
    ) -> None:
        self._way, self._peaks = way, peaks
        size = way.placement.height, way.placement.width
        self.maps = {
            partition: {
                int(member): torch.zeros(size, dtype=way.dtype)
                for member in sorted(set(own.tolist()))
            }
            for partition, own in members.items()
        }
        self._rows = [
            (partition, member) for partition in PARTITIONS for member in self.maps[partition]
        ]
        own = [members[key] == member for key, member in self._rows if key != "layer"]
        self._sorted = torch.as_tensor(np.stack(own), dtype=way.dtype)
        self.filters = torch.zeros((len(peaks), n_regressors), dtype=way.dtype)

    def add(self, phi, slopes, step):
        """Add the parts of a piece of the line of length `step` around a point of it."""
        way, score, parts = self._way, torch.zeros(()), []
        for layer, target in enumerate(way.target_of):
            leaf = phi[target].detach().requires_grad_()
            total = way.readout(layer, leaf)
            # a cell is read out by itself, so the gradient of the sum is that of each cell
            (gradient,) = torch.autograd.grad(total.sum(), leaf)
            parts.append(gradient.mul_(slopes[target]).mul_(step))
            score = score + way.resampled(layer, total.detach())
        share, chance = _mixture(way, way.enlarged(score) + way.bias)
        groups, by_layer = torch.zeros(()), []
        for layer, part in enumerate(parts):
            own = torch.cat([self._sorted @ part.flatten(1), part.flatten(1).sum(0)[None]])
            own = way.resampled(layer, own.unflatten(1, part.shape[1:]))
            groups = groups + own[:-1]
            by_layer.append(own[-1])
            self._at_peaks(layer, part, share, chance)
        in_px = way.enlarged(torch.cat([groups, torch.stack(by_layer)]))
        in_px = share * (in_px - (in_px * chance).sum(dim=(1, 2), keepdim=True))
        for (partition, member), values in zip(self._rows, in_px, strict=True):
            self.maps[partition][member] += values

    def _at_peaks(self, layer, part, share, chance):
        """Add what each regressor gives to the log-density at the peaks."""
        weights = -chance.expand(len(self._peaks), -1, -1).clone()
        for number, (row, column) in enumerate(self._peaks):
            weights[number, row, column] += 1
            weights[number] *= share[row, column]
        cells = self._way.transposed(layer, weights).flatten(1)
        self.filters += cells @ part.flatten(1).T


def _mixture(way, score):
    """Return the share of the log-density's slope that the score has, and its softmax."""
    chance = torch.softmax(score.flatten(), 0).view_as(score)
    pure = (1 - way.uniform_weight) * chance
    return pure / (pure + way.uniform_weight / chance.numel()), chance
