"""Pooled responses of a bank on several grids at once, from as few points as they need."""

import dataclasses
import functools
import math
from collections.abc import Collection, Mapping, Sequence

import numpy as np

from gaborscope.filters import fourier, sampling
from gaborscope.filters.controls import ControlBank
from gaborscope.filters.lattice import Folded, Spectra
from gaborscope.filters.loggabor import LogGaborBank
from gaborscope.filters.pooling import Pooler
from gaborscope.stimuli import geometry


class Plan:
    """
    Steps from the channels of an image to the pooled responses of a bank on several grids.

    - Pooling by points is exact: the response at the centre of a cell, by trigonometric
      interpolation if the centre lies between px.
    - Gaussian windows on even and odd responses, and on the residual, are applied to the spectrum
      and so extend into the mirrored margin. A window too wide for the margin is applied to the
      spectrum in part (`sampling.window_lattice`).
    - Gaussian windows on amplitudes end at the image. Amplitudes are taken at every second or
      fourth px where that keeps their averages within `sampling.TOLERANCE`.

    Parameters
    ----------
    bank : LogGaborBank or ControlBank
    shape : (int, int)
        Height and width of the images in px.
    boundary : {"symmetric", "periodic"}
    placement : geometry.Placement
    targets : sequence of (geometry.Grid, pool, width)
        Only targets that `sampling.handles` accepts.
    n_channels : int
    parts : collection of {"even", "odd", "amplitude", "residual"}
        Parts of the responses to compute.
    n_bare : int
        The last so many targets, under Gaussian windows, take amplitudes alone.

    Attributes
    ----------
    full : (int, int)
        Height and width of the transforms in px.
    stages : list of _Stage
        One per lattice.
    """

    def __init__(
        self,
        bank: LogGaborBank | ControlBank,
        shape: tuple[int, int],
        boundary: str,
        placement: geometry.Placement,
        targets: Sequence[tuple[geometry.Grid, str, float]],
        n_channels: int,
        parts: Collection[str],
        n_bare: int = 0,
    ) -> None:
        full = shape if boundary == "periodic" else fourier.padded_shape(shape, bank.margin_px)
        self.full = full
        self._spectra = Spectra(shape, full, n_channels)
        self._shape, self._parts, self._bank = shape, parts, bank
        margin = math.inf if boundary == "periodic" else min(self._spectra.origin)
        self._targets = targets
        self._centres = [sampling.centres(grid, placement) for grid, *_ in targets]
        self._gains = {k: _single(gain) for k, gain in enumerate(bank.gains(full))}
        self._linear = self._gains if {"even", "odd"} & set(parts) else {}
        if "residual" in parts:
            self._linear = {**self._linear, RESIDUAL: _single(bank.residual_gain(full))}
        kinds = [pool for _, pool, _ in targets]
        self.stages = self._points([i for i, kind in enumerate(kinds) if kind == "point"])
        averaged = [i for i, kind in enumerate(kinds) if kind == "gaussian"]
        whole = [i for i in averaged if i < len(kinds) - n_bare]
        if members := averaged if "amplitude" in parts else averaged[len(whole) :]:
            self._average(members)
        if whole and self._linear:
            self.stages += self._windows(whole, margin)

    def run(self, channels: np.ndarray, slots: Sequence[Mapping[str, np.ndarray]]) -> None:
        """
        Pool the responses to an image.

        Parameters
        ----------
        channels : real array (channel, height, width)
        slots : list of dict of str to float32 array
            Arrays to write to, for every target: even, odd, amplitude (channel, filter, row,
            column), residual (channel, row, column).
        """
        self._spectra.analyse(channels)
        for stage in self.stages:
            stage.run(slots)

    def _points(self, members):
        """Return the stages that take responses at the centres of cells."""
        grids = [self._targets[i][0] for i in members]
        cell_centres = [self._centres[i] for i in members]
        lattices = sampling.point_lattices(grids, cell_centres, self._shape, self._spectra.full)
        wanted = {**self._gains, **self._linear}
        stages = []
        for lattice, indices in lattices if members else []:
            stage = _Stage(Folded(self._spectra, lattice, list(wanted.values())), list(wanted))
            for i in (members[index] for index in indices):
                stage.points.append((i, sampling.places(lattice, self._centres[i])))
            stages.append(stage)
        return stages

    def _average(self, members):
        """Give each filter's amplitude to a stage that is fine enough, or to a new stage."""
        narrowest = min(geometry.deviation(self._targets[i][2]) for i in members)
        by_step = {}
        for k in self._gains:
            wavelength, broad = self._bank.wavelength_px(k), self._bank.broad
            step = sampling.amplitude_step(wavelength, broad, narrowest, self._spectra.full)
            near = [stage for stage in self.stages if stage.folded.lattice.step <= step]
            if near:
                near[0].averaged.add(k)
            else:
                by_step.setdefault(step, set()).add(k)
        for step, filters in by_step.items():
            lattice = sampling.tiling(step, self._shape, self._spectra.full)
            folded = Folded(self._spectra, lattice, [self._gains[k] for k in sorted(filters)])
            self.stages.append(_Stage(folded, sorted(filters), averaged=filters))
        for stage in self.stages:
            if stage.averaged:
                lattice = stage.folded.lattice
                matrices = [
                    sampling.windows(
                        lattice,
                        self._centres[i],
                        geometry.deviation(self._targets[i][2]),
                        self._shape,
                    )
                    for i in members
                ]
                stage.windows = members, Pooler(matrices, len(self._spectra.values))

    def _windows(self, members, margin):
        """Return the stages that take even and odd responses and residuals under windows."""
        groups = {}
        for i in members:
            grid, _, width = self._targets[i]
            deviation = geometry.deviation(width)
            lattice, applied, rest = sampling.window_lattice(
                grid, self._centres[i], deviation, self._shape, self.full, margin
            )
            groups.setdefault((lattice, applied), []).append((i, rest, self._faint(deviation)))
        stages = []
        for (lattice, applied), group in groups.items():
            nowhere = frozenset.intersection(*(faint for *_, faint in group))
            wanted = {k: gain for k, gain in self._linear.items() if k not in nowhere}
            low_pass = self._low_pass(applied)
            folded = Folded(self._spectra, lattice, list(wanted.values()), low_pass)
            stage = _Stage(folded, list(wanted), amplitude=False)
            for i, rest, faint in group:
                stage.faint[i] = faint
                if rest:
                    matrices = sampling.windows(lattice, self._centres[i], rest, self._shape)
                    stage.smoothed.append((i, matrices))
                else:
                    stage.points.append((i, sampling.places(lattice, self._centres[i])))
            stages.append(stage)
        return stages

    def _low_pass(self, deviation):
        """Return the spectrum of a Gaussian window, its factors along y and x."""
        return [np.exp(-2 * (np.pi * deviation * np.fft.fftfreq(n)) ** 2) for n in self.full]

    def _faint(self, deviation):
        """Return the filters whose even and odd responses a window reduces to almost 0."""
        along_y, along_x = self._low_pass(deviation)
        window = (along_y[:, None] * along_x).astype(np.float32)
        return frozenset(
            k for k, gain in self._linear.items() if (np.abs(gain) * window).max() < FAINT
        )


RESIDUAL = -1  # number of the residual in the lists of filters

# Even and odd responses count as 0 if a window leaves less than FAINT of the gain (peak 2).
# The rest would be rounding errors, which standardising would turn into a regressor.
FAINT, NOTHING = 1e-4, np.zeros((1, 1, 1), np.complex64)


@dataclasses.dataclass
class _Stage:
    """
    Responses on one lattice and their ways to the targets.

    Numbers of filters stand in `filters` and `averaged`. Numbers of targets stand in `points`,
    `smoothed`, `faint` and `windows`.
    """

    folded: Folded
    filters: list
    amplitude: bool = True
    points: list = dataclasses.field(default_factory=list)
    smoothed: list = dataclasses.field(default_factory=list)
    averaged: set = dataclasses.field(default_factory=set)
    faint: dict = dataclasses.field(default_factory=dict)
    windows: tuple = ((), None)

    def run(self, slots):
        """Compute all responses, pool them and write them into the slots of the targets."""
        self.folded.analyse()
        for target, numbers in self.faint.items():
            for number in numbers:
                self._put(slots[target], number, NOTHING)
        for index, number in enumerate(self.filters):
            responses = self.folded.responses(index)
            for target, (rows, columns) in self.points:
                if number not in self.faint.get(target, ()):
                    self._put(slots[target], number, responses[:, rows, columns])
            for target, (along_y, along_x) in self.smoothed:
                if number not in self.faint[target]:
                    self._put(slots[target], number, _smooth(responses, along_y, along_x))
            if number in self.averaged:
                members, pooler = self.windows
                np.abs(responses, out=pooler.planes.transpose(1, 0, 2))
                for target, pooled in zip(members, pooler.pool(), strict=True):
                    slots[target]["amplitude"][:, number] = pooled.swapaxes(0, 1)

    def _put(self, slots, number, responses):
        if number == RESIDUAL:
            slots["residual"][...] = responses.real
            return
        if "even" in slots:
            slots["even"][:, number] = responses.real
        if "odd" in slots:
            slots["odd"][:, number] = responses.imag
        if self.amplitude and "amplitude" in slots:
            slots["amplitude"][:, number] = np.abs(responses)


def _smooth(responses, along_y, along_x):
    """Apply windows to complex responses (channel, row, column)."""
    n, rows, columns = responses.shape
    lines = np.matmul(along_y, np.ascontiguousarray(responses).view(np.float32))
    lines = lines.view(np.complex64).reshape(n * len(along_y), columns)
    parts = [part.copy() @ along_x.T for part in (lines.real, lines.imag)]
    return (parts[0] + 1j * parts[1]).reshape(n, len(along_y), len(along_x))


def _single(gain):
    return gain.astype(np.complex64 if np.iscomplexobj(gain) else np.float32)


@functools.lru_cache(maxsize=4)
def plan(
    bank: LogGaborBank | ControlBank,
    shape: tuple[int, int],
    boundary: str,
    placement: geometry.Placement,
    targets: tuple[tuple[geometry.Grid, str, float], ...],
    n_channels: int,
    parts: frozenset[str],
    n_bare: int = 0,
) -> Plan:
    """
    Plan, made at its first use in this process; parameters as for `Plan`, hashable.

    Returns
    -------
    plan : Plan
    """
    return Plan(bank, shape, boundary, placement, targets, n_channels, parts, n_bare)
