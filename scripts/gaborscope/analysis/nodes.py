"""Responses of filters between those of a bank, interpolated from responses at nodes."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from gaborscope.explanation import layers as layer_tools
from gaborscope.filters import mechanisms
from gaborscope.filters.regressors import Regressors
from gaborscope.fitting import nonlinearity
from gaborscope.stimuli import geometry
from gaborscope.stimuli.block import StimulusBlock
from gaborscope.stimuli.layer import Layer
from gaborscope.store.layers import read_layers

# Nodes lie half a step of the bank apart in log wavelength and in orientation, and at three
# bandwidths: -ln(bandwidth_ratio) of the bank times these powers of WIDER. Between nodes, responses
# are those of a cubic (Catmull and Rom 1974) by wavelength and orientation, of a parabola by
# bandwidth.
STEPS, POWERS, WIDER = 2, (-1, 0, 1), 1.5
# Kinds that measure local energy; `global` is the amplitude over the energy of the whole image, and
# is named normalised.
ENERGIES = ("amplitude", "normalised", "global")
# Kinds that have a scale but are no response of a single filter: nothing lies between them.
FIXED = ("second_stage", *(kind for kinds in mechanisms.KINDS.values() for kind in kinds))
# Cells drawn from a stimulus, at most.
CELLS = 96
# Standard deviation of the surround, as a share of the longer side of the image.
SURROUND = 1 / 6


class Term(NamedTuple):
    """
    One filter of a map.

    Attributes
    ----------
    kind : int
        Index into `Nodes.kinds`; -1 for a regressor without a wavelength.
    colour : int
        Index of the channel; of a regressor without a wavelength its index into `Nodes.fixed`.
    place : (float, float, float)
        Wavelength, orientation and bandwidth, counted in nodes; the last from -1 to 1.
    """

    kind: int
    colour: int
    place: tuple[float, float, float] = (0.0, 0.0, 0.0)


@dataclasses.dataclass(frozen=True)
class Grid:
    """
    Nodes of a bank.

    Attributes
    ----------
    settings : mapping
        Settings of the regressors, as in the config.
    below : int
        Nodes below the shortest wavelength of the bank.
    """

    settings: Mapping[str, Any]
    below: int

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> Grid | None:
        """Return the nodes of a bank; None of a control, or of too few scales or orientations."""
        bank = settings["bank"]
        below = int(bank["min_wavelength_px"] / bank["scale_factor"] ** (1 / STEPS) > 2)
        grid = cls(settings, below)
        if settings.get("control") or bank["n_orientations"] < 3 or grid.shape[0] < 3:
            return None
        return grid

    @property
    def shape(self) -> tuple[int, int]:
        """Numbers of wavelengths and orientations."""
        bank = self.settings["bank"]
        return self.below + STEPS * bank["n_scales"], STEPS * bank["n_orientations"]

    def regressors(self, power: int) -> Regressors:
        """Return the regressors at the nodes of one bandwidth."""
        bank = self.settings["bank"]
        step = bank["scale_factor"] ** (1 / STEPS)
        finer = {
            "n_scales": self.shape[0],
            "n_orientations": self.shape[1],
            "min_wavelength_px": bank["min_wavelength_px"] / step**self.below,
            "scale_factor": step,
            "bandwidth_ratio": bank["bandwidth_ratio"] ** WIDER**power,
            "angular_sigma": bank["angular_sigma"] or math.pi / bank["n_orientations"] / 1.2,
        }
        plain = layer_tools.make_regressors(self.settings)
        return dataclasses.replace(
            plain,
            bank=finer,
            residual=False,
            position=False,
            second_stage=False,
            mechanisms=(),
            concepts=(),
        )

    def place(self, scale: int, orientation: int) -> tuple[float, float, float]:
        """Return the place of a filter of the bank."""
        return float(self.below + STEPS * scale), float(STEPS * orientation), 0.0

    def nearest(self, place: Sequence[float]) -> tuple[int, int]:
        """Return scale and orientation of the bank's filter that is nearest to a place."""
        bank = self.settings["bank"]
        scale = round((place[0] - self.below) / STEPS)
        return (
            min(max(scale, 0), bank["n_scales"] - 1),
            round(place[1] / STEPS) % bank["n_orientations"],
        )

    def properties(self, place: Sequence[float]) -> tuple[float, float, float]:
        """Return wavelength (px of the input), orientation (degrees) and bandwidth ratio."""
        bank = self.settings["bank"]
        octave = (place[0] - self.below) / STEPS
        return (
            bank["min_wavelength_px"] * bank["scale_factor"] ** octave,
            180 * place[1] / self.shape[1],
            bank["bandwidth_ratio"] ** WIDER ** place[2],
        )

    def ends(self) -> np.ndarray:
        """Return least and largest values (2, 3) of `properties` that a filter is moved to."""
        last = float(self.shape[0] - 1)
        return np.array(
            [self.properties((0.0, -math.inf, 1.0)), self.properties((last, math.inf, -1.0))]
        )


@dataclasses.dataclass(frozen=True)
class Samples:
    """
    Responses at the nodes and a layer's maps, at cells drawn from some stimuli.

    Attributes
    ----------
    grid : Grid
    kinds : list of str
        Kinds of response, in the order of their axis.
    responses : float32 array (bandwidth, colour, kind, wavelength, orientation, sample)
    fixed : float32 array (regressor, sample)
        Regressors without a wavelength, or of the kinds `FIXED`.
    fixed_index : int array (regressor,)
        Which regressors of the explanation these are.
    around : list of float32 array (n, n)
        By stimulus, weights of the mean over the surround of each of its n samples.
    blocks : list of int
        By stimulus, the block it was drawn from.
    maps : float32 array (C, sample)
    """

    grid: Grid
    kinds: list[str]
    responses: np.ndarray
    fixed: np.ndarray
    fixed_index: np.ndarray
    around: list[np.ndarray]
    blocks: list[int]
    maps: np.ndarray

    def stimuli(self, first: int, last: int) -> Samples:
        """Return the samples of some stimuli, in the order that they were drawn in; views."""
        ends = np.cumsum([0, *(len(weights) for weights in self.around)])
        part = slice(int(ends[first]), int(ends[last]))
        return dataclasses.replace(
            self,
            responses=self.responses[..., part],
            fixed=self.fixed[:, part],
            around=self.around[first:last],
            blocks=self.blocks[first:last],
            maps=self.maps[:, part],
        )

    def is_energy(self, term: Term) -> bool:
        """Whether a term measures local energy."""
        return term.kind >= 0 and self.kinds[term.kind] in ENERGIES

    def surround(self, values: np.ndarray) -> np.ndarray:
        """Return means of columns (column, sample) over the surround of each sample."""
        parts, first = [], 0
        for weights in self.around:
            parts.append(values[:, first : first + len(weights)] @ weights.T)
            first += len(weights)
        return np.concatenate(parts, axis=1)

    def columns(self, term: Term) -> np.ndarray:
        """
        Response of a filter and its derivatives by wavelength, orientation and bandwidth.

        Parameters
        ----------
        term : Term

        Returns
        -------
        columns : float32 array (4, sample)
            Derivatives are by the place in nodes; those of a regressor without a wavelength are 0.
        """
        if term.kind < 0:
            still = np.zeros((3, self.fixed.shape[1]), np.float32)
            return np.vstack([self.fixed[term.colour], still])
        n_wavelengths, n_orientations = self.grid.shape
        at_wavelength, w, dw = _cubic(term.place[0], n_wavelengths)
        around, o, do = _cubic(term.place[1])
        b, db = _parabola(term.place[2])
        if self.kinds[term.kind] == "odd":  # a turn by pi changes the sign of an odd response
            sign = 1 - 2 * (around // n_orientations % 2)
            o, do = o * sign, do * sign
        *shape, n = self.responses.shape
        near = np.ix_(np.arange(3), at_wavelength, around % n_orientations)
        rows = np.ravel_multi_index((near[0], term.colour, term.kind, *near[1:]), shape).ravel()
        block = self.responses.reshape(-1, n)[rows]
        weights = [
            np.einsum("b,w,o->bwo", *factors).ravel()
            for factors in ((b, w, o), (b, dw, o), (b, w, do), (db, w, o))
        ]
        return np.stack(weights).astype(np.float32) @ block


def _cubic(place: float, n: int | None = None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """
    Nodes around a place, and their weights in the value and in the slope of a cubic there.

    The parabolas of the two next nodes, weighted by how near they are, so that the slope has no
    jump. Of `n` nodes, those at the ends have the parabola of their neighbour.
    """
    before = math.floor(place)
    share = place - before
    middles = [before, before + 1]
    if n is not None:
        middles = [min(max(middle, 1), n - 2) for middle in middles]
    nodes = np.arange(middles[0] - 1, middles[1] + 2)
    value, slope = np.zeros(len(nodes)), np.zeros(len(nodes))
    for middle, part, change in ((middles[0], 1 - share, -1), (middles[1], share, 1)):
        own = slice(middle - middles[0], middle - middles[0] + 3)
        values, slopes = _parabola(place - middle)
        value[own] += part * values
        slope[own] += part * slopes + change * values
    return nodes, value, slope


def _parabola(at: float) -> tuple[np.ndarray, np.ndarray]:
    """Weights of the values at -1, 0 and 1 in the parabola through them, and in its slope."""
    value = np.array([at * (at - 1) / 2, 1 - at**2, at * (at + 1) / 2])
    return value, np.array([at - 0.5, -2 * at, at + 0.5])


def samples(
    filters: Mapping[str, Any],
    fit: Sequence[tuple[StimulusBlock, str | Path]],
    validation: Sequence[tuple[StimulusBlock, str | Path]],
    n_stimuli: int,
    seed: int,
) -> tuple[list[Samples], Samples] | None:
    """
    Draw the samples that the maps of a layer are named by.

    Parameters
    ----------
    filters : dict
        From `read_filters`.
    fit, validation : sequence of (StimulusBlock, path)
        Stimuli and activations of the blocks of both splits.
    n_stimuli : int
        Of the fit split, at most; half as many of the validation split. 0: none.
    seed : int

    Returns
    -------
    samples : (list of Samples, Samples) or None
        Of the fit split and, where it has two blocks, of its halves, which take the blocks in
        turn; of the validation split. None if there are none, or the bank has no filters between.
    """
    grid = Grid.of(filters["regressors"])
    if grid is None or n_stimuli < 2:
        return None
    dealt = [*fit[0::2], *fit[1::2]]
    whole = draw(grid, filters["layer"], dealt, n_stimuli, seed)
    held = draw(grid, filters["layer"], validation, n_stimuli // 2, seed)
    if whole is None or held is None:
        return None
    if len(fit) < 2:
        return [whole], held
    first = sum(block < len(fit[0::2]) for block in whole.blocks)
    if first in (0, len(whole.blocks)):
        return [whole], held
    halves = [whole.stimuli(0, first), whole.stimuli(first, len(whole.blocks))]
    return [whole, *halves], held


def draw(
    grid: Grid,
    layer: Layer,
    blocks: Sequence[tuple[StimulusBlock, str | Path]],
    n_stimuli: int,
    seed: int,
) -> Samples | None:
    """
    Draw samples of a layer.

    Parameters
    ----------
    grid : Grid
        Of the layer's regressors, with the pooling chosen.
    layer : Layer
    blocks : sequence of (StimulusBlock, path)
        Stimuli and activations; stimuli are taken from all blocks alike.
    n_stimuli : int
        At most, of all blocks together.
    seed : int

    Returns
    -------
    samples : Samples or None
        None if the blocks have no stimuli.
    """
    rng = np.random.default_rng(seed)
    banks = [grid.regressors(power) for power in POWERS]
    plain = layer_tools.make_regressors(grid.settings)
    table = plain.table()
    is_fixed = (table["scale"] < 0) | np.isin(table["kind"], FIXED)
    kinds = list(dict.fromkeys(table["kind"][~is_fixed].tolist()))
    after, name = layer.passed or "none", str(layer.name)
    responses, fixed, around, from_blocks, maps = [], [], [], [], []
    for number, (block, path) in enumerate(blocks):
        n = (n_stimuli * (number + 1)) // len(blocks) - (n_stimuli * number) // len(blocks)
        places = np.linspace(0, len(block.names) - 1, min(n, len(block.names)))
        wanted = {round(place) for place in places}
        for index, valid, input_size, activation in read_layers(path, [name]):
            if index not in wanted:
                continue
            placement = geometry.Placement(input_size, *valid)
            content = geometry.content(block.view(index), placement)
            target = layer_tools.target(layer, placement, grid.settings)
            rows, columns = target.grid.cells(placement)
            values = activation[name][:, rows, columns]
            n_cells = values[0].size
            cells = np.sort(rng.choice(n_cells, min(CELLS, n_cells), replace=False))
            at_nodes = []
            for bank in banks:
                (found,) = bank.compute(content, placement, [target])
                found = found.reshape(-1, *grid.shape, len(kinds), n_cells)
                at_nodes.append(_with_global(found, kinds, cells))
            responses.append(np.stack(at_nodes).transpose(0, 1, 4, 2, 3, 5))
            (found,) = plain.compute(content, placement, [target])
            fixed.append(found.reshape(len(found), n_cells)[is_fixed][:, cells])
            around.append(_around(values.shape[1:], target.grid.stride, placement, cells))
            from_blocks.append(number)
            maps.append(nonlinearity.plain(values.reshape(len(values), n_cells), after)[:, cells])
    if not maps:
        return None
    if "amplitude" in kinds and "normalised" in kinds:
        kinds.append("global")
    at_nodes = np.ascontiguousarray(np.concatenate(responses, axis=-1))  # rows are read one by one
    return Samples(
        grid, kinds, at_nodes, np.concatenate(fixed, axis=-1),
        np.flatnonzero(is_fixed), around, from_blocks, np.concatenate(maps, axis=-1),
    )  # fmt: skip


def _with_global(maps, kinds, cells):
    """Return responses at some cells, with amplitudes over the energy of the image behind them."""
    chosen = maps[..., cells]
    if "amplitude" not in kinds or "normalised" not in kinds:
        return chosen
    amplitude = maps[..., kinds.index("amplitude"), :]
    energy = np.sqrt((amplitude**2).mean(axis=(2, 3), keepdims=True))
    ratio = amplitude[..., cells] / (energy + 1e-4)
    return np.concatenate([chosen, ratio[..., None, :]], axis=3)


def _around(shape, stride, placement, cells):
    """Return weights (sample, sample) of Gaussian means over the samples around each."""
    deviation = SURROUND * max(placement.height, placement.width)
    away = 0.0
    for along, step in zip(np.unravel_index(cells, shape), stride, strict=True):
        away = away + (step * (along[:, None] - along)) ** 2
    weights = np.exp(-away / (2 * deviation**2))
    return (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)
