"""Mechanisms of perception in torch, as `filters.mechanisms` has them; for `differentiable`."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch.nn import functional

from gaborscope.explanation.torch_responses import (
    AllPx,
    Bank,
    Pair,
    Responses,
    Target,
    root,
    separable,
    spectrum_of,
    tensors,
    transform_shape,
)
from gaborscope.filters import context, mechanisms, rectified, sampling, scales, second_order
from gaborscope.filters.controls import ControlBank
from gaborscope.filters.lattice import Spectra
from gaborscope.filters.loggabor import LogGaborBank
from gaborscope.stimuli import geometry

# What is computed here.
MECHANISMS = (
    "local_normalisation", "centre_surround", "centre_surround_oriented", "competition",
    "half_waves", "intensity", "contrast", "second_order", "second_order_oriented",
    "log_energy", "rarity", "grouping",
)  # fmt: skip
SECOND_ORDER = {
    "second_order": second_order.MEAN, "second_order_oriented": second_order.ORIENTED
}  # fmt: skip


class TorchMechanisms:
    """Mechanisms beyond the bank, as `mechanisms.Mechanisms`."""

    def __init__(
        self,
        names: Sequence[str],
        bank: Bank,
        boundary: str,
        placement: geometry.Placement,
        targets: Sequence[Target],
        n_channels: int,
        dtype: torch.dtype,
    ) -> None:
        self._names = [name for name in MECHANISMS if name in names]
        self._of = {
            name: getattr(self, f"_{name}") for name in MECHANISMS if name not in SECOND_ORDER
        }
        plain = bank.bank if isinstance(bank, ControlBank) else bank
        shape = placement.height, placement.width
        self._full = transform_shape(bank, shape, boundary)
        spectra, gains = Spectra(shape, self._full, n_channels), bank.gains(self._full)
        gains = gains.reshape(plain.n_scales, plain.n_orientations, *self._full)

        def of_steps(steps):
            made = [
                scales.Scale(spectra, bank, s, gains[s], shape, placement, targets, steps)
                for s in range(plain.n_scales)
            ]
            return [
                _Scale(scale, gains[s], placement, targets, self._full, dtype)
                for s, scale in enumerate(made)
            ]

        self._scales, self._fine = [], []
        if set(names) - {"half_waves", "intensity", "contrast", *mechanisms.OF_ALL_SCALES}:
            self._scales = of_steps(scales.STEPS)
        if "half_waves" in names:
            self._fine = of_steps(scales.FINE_STEPS)
        for name, form in SECOND_ORDER.items():
            if name in names:
                self._of[name] = _SecondOrder(
                    form, bank, shape, placement, targets, self._scales, dtype
                )
        if set(mechanisms.OF_ALL_SCALES) & set(names):
            longest = float(plain.wavelengths_px[-1])
            self._context = _Context(
                longest, placement, targets, plain.n_scales, plain.orientations, dtype
            )
        self._windows = [
            _Windows(float(wavelength), shape, placement, targets, dtype)
            for wavelength in (
                plain.wavelengths_px if {"intensity", "contrast"} & set(names) else ()
            )
        ]

    def __call__(
        self, channels: torch.Tensor, amplitude: torch.Tensor | None
    ) -> list[list[torch.Tensor]]:
        """Return lists of regressors (K, row, column) by grid, in the order of the table."""
        if amplitude is not None:
            self._context.analyse(amplitude)
        if self._scales or self._fine:
            spectrum = spectrum_of(channels, self._full)
        for scale in self._scales:
            scale.analyse(spectrum)
        self._half = [scale.responses(spectrum) for scale in self._fine]
        self._both = [window(channels) for window in self._windows]
        by_target: list[list[torch.Tensor]] = []
        for name in self._names:
            of_scales = self._of[name]()  # by scale: planes (channel, regressor, y, x), matrices
            pooled = [
                [separable(planes, *matrices) for planes, pools in of_scales
                 for matrices in [pools[t]]]
                for t in range(len(of_scales[0][1]))
            ]  # fmt: skip
            joined = [torch.cat(planes, dim=1).flatten(0, 1) for planes in pooled]
            by_target = by_target or [[] for _ in joined]
            for block, maps in zip(by_target, joined, strict=True):
                block.append(maps)
        return by_target

    def _local_normalisation(self):
        return [(_locally_normalised(scale), scale.pools) for scale in self._scales]

    def _centre_surround(self):
        made = []
        for scale in self._scales:
            differences = _differences(scale)
            both = torch.stack([differences, functional.relu(differences)], dim=2)
            made.append((both.flatten(1, 2), scale.pools))
        return made

    def _competition(self):
        return [
            (_promoted(functional.relu(_differences(scale)), scale.inside), scale.pools)
            for scale in self._scales
        ]

    def _centre_surround_oriented(self):
        made = []
        for scale in self._scales:
            planes = []
            for what, *widths in rectified.ORIENTED:
                centre, surround = (
                    scale.blurred(scale.amplitude, width) if width else scale.amplitude
                    for width in widths
                )
                difference = centre - surround
                planes.append(difference if what == "surround" else functional.relu(difference))
            made.append((torch.stack(planes, dim=2).flatten(1, 2), scale.pools))
        return made

    def _half_waves(self):
        made = []
        for scale, responses in zip(self._fine, self._half, strict=True):
            parts = torch.stack([responses.real, responses.imag], dim=2)
            made.append((functional.relu(parts).flatten(1, 2), scale.pools))
        return made

    def _intensity(self):
        return [
            (intensity[:, None], window.pools)
            for window, (intensity, _) in zip(self._windows, self._both, strict=True)
        ]

    def _log_energy(self):
        return self._context.energies()

    def _rarity(self):
        return self._context.rarities()

    def _grouping(self):
        return self._context.groupings()

    def _contrast(self):
        return [
            (contrast[:, None], window.pools)
            for window, (_, contrast) in zip(self._windows, self._both, strict=True)
        ]


class _Scale:
    """Responses of one scale at the points of a lattice, as `scales.Scale`."""

    def __init__(
        self,
        scale: scales.Scale,
        gains: np.ndarray,
        placement: geometry.Placement,
        targets: Sequence[Target],
        full: tuple[int, int],
        dtype: torch.dtype,
    ) -> None:
        self.inside, self._dtype, self._of = scale.inside, dtype, scale
        self.lattice, self.shape = scale.lattice, scale.shape
        self.responses = Responses(gains, self.lattice, self.shape, full, dtype)
        positions = [self.lattice.positions(axis) for axis in (0, 1)]
        self.pools = [tensors(p, dtype) for p in scales.to_targets(positions, placement, targets)]
        self._blurs: dict[float | None, Pair] = {}

    def analyse(self, spectrum):
        """Fill in amplitudes (channel, orientation, row, column) and their mean energy."""
        self.amplitude = self.responses(spectrum).abs()
        self.energy = (self.amplitude**2).mean(dim=1)

    def blurred(self, planes, deviation):
        """Gaussian means of planes, the deviation in wavelengths; None for the whole image."""
        if deviation not in self._blurs:
            means = self._of.whole
            if deviation is not None:

                def means(planes):
                    return self._of.blurred(planes, deviation)

            # rows of the means sum to 1: the matrix of an axis is what they make of its unit lines
            along = []
            for axis, n in enumerate(self.lattice.count):
                lines = np.broadcast_to(
                    np.expand_dims(np.eye(n, dtype=np.float32), 2 - axis), (n, *self.lattice.count)
                )
                made = means(np.ascontiguousarray(lines))
                along.append((made[:, :, 0] if axis == 0 else made[:, 0]).T)
            self._blurs[deviation] = tensors(along, self._dtype)
        return separable(planes, *self._blurs[deviation])


def _locally_normalised(scale):
    """Return amplitudes divided by the energy around them, as `rectified.normalised`."""
    half = rectified.SATURATION * root(scale.blurred(scale.energy, None)) + rectified.LEAST
    factors, own, power = [], rectified.OWN, rectified.EXPONENT
    for width in rectified.POOLS:
        around, cell = (scale.blurred(scale.energy, w) for w in (width, own * width))
        pool = root(functional.relu(around - own**2 * cell) / (1 - own**2))
        factors.append(1 / (half**power + pool**power))
    normalised = (scale.amplitude**power)[:, :, None] * torch.stack(factors, dim=1)[:, None]
    return normalised.flatten(1, 2)


def _differences(scale):
    """Return centre minus surround of the energies (channel, pair, row, column)."""
    energy = root(scale.energy)
    means = {width: scale.blurred(energy, width) for pair in rectified.PAIRS for width in pair}
    return torch.stack([means[one] - means[other] for one, other in rectified.PAIRS], dim=1)


def _promoted(maps, inside):
    """Let the peaks of maps (channel, pair, row, column) compete, as `rectified.promoted`."""
    within = maps[(..., *inside)]
    largest = within.amax(dim=(2, 3), keepdim=True)
    tops = functional.max_pool2d(within, 3, stride=1, padding=1)
    peaks = (within == tops) & (within > rectified.COUNTED * largest)
    total = (within * peaks).sum(dim=(2, 3), keepdim=True)
    count = (peaks.sum(dim=(2, 3), keepdim=True) - 1).clamp(min=1)
    others = (total - largest) / count
    full = largest + rectified.FAINT
    return maps * (1 - others / full) ** 2 / full


class _SecondOrder:
    """Log-Gabors over the logarithm of energies, as `second_order.SecondOrder`."""

    def __init__(
        self,
        form: second_order.Form,
        bank: Bank,
        shape: tuple[int, int],
        placement: geometry.Placement,
        targets: Sequence[Target],
        of_scales: Sequence[_Scale],
        dtype: torch.dtype,
    ) -> None:
        plain = bank.bank if isinstance(bank, ControlBank) else bank
        positions, matrices = second_order.points(
            float(plain.wavelengths_px[-1]), shape, [scale.lattice for scale in of_scales]
        )
        self._oriented, self._scales = form.oriented, of_scales
        self._low_pass = [tensors(pair, dtype) for pair in matrices]
        second = LogGaborBank(
            form.n_wavelengths, form.n_orientations, float(second_order.POINTS),
            second_order.FACTOR, plain.bandwidth_ratio,
        )  # fmt: skip
        if isinstance(bank, ControlBank):
            second = ControlBank(bank.control, second, bank.draw)
        points = len(positions[0]), len(positions[1])
        self._second = AllPx(second, points, "symmetric", dtype)
        self._pools = [
            tensors(pair, dtype) for pair in scales.to_targets(positions, placement, targets)
        ]

    def __call__(self) -> list[tuple[torch.Tensor, list[Pair]]]:
        """Return by scale planes (channel, regressor, row, column) and the ways to the grids."""
        made = []
        for scale, low_pass in zip(self._scales, self._low_pass, strict=True):
            first = scale.amplitude if self._oriented else root(scale.energy)[:, None]
            smooth = functional.relu(separable(first, *low_pass))
            maps = torch.log1p(smooth / second_order.FAINT)
            responses = self._second(maps.flatten(0, 1))[0]
            parts = torch.stack([responses.real, responses.imag, responses.abs()], dim=2)
            planes = parts.flatten(1, 2).unflatten(0, maps.shape[:2]).flatten(1, 2)
            made.append((planes, self._pools))
        return made


class _Context:
    """Log energies around a place, their rarity and groupings, as `context.Context`."""

    def __init__(
        self,
        longest: float,
        placement: geometry.Placement,
        targets: Sequence[Target],
        n_scales: int,
        orientations: np.ndarray,
        dtype: torch.dtype,
    ) -> None:
        points = sampling.centres(context.target(longest, placement)[0], placement)
        shape = placement.height, placement.width
        self._windows = {
            width: tensors(
                [geometry.gaussian_matrix(along, along, width * longest) for along in points], dtype
            )
            for width in {*context.AROUND, *context.PLACES} - {0.0}
        }
        self._displaced = [
            [[tensors(pair, dtype) for pair in directions] for directions in of_orientations]
            for of_orientations in context.displaced(longest, orientations, points, shape)
        ]
        self._pools = [
            tensors(pair, dtype) for pair in scales.to_targets(points, placement, targets)
        ]
        self._shape = n_scales, len(orientations)

    def analyse(self, amplitude: torch.Tensor) -> None:
        """Take amplitudes (channel, filter, row, column) at `context.target`."""
        logs = torch.log1p(functional.relu(amplitude) / second_order.FAINT)
        # (scale, orientation, channel, row, column)
        self._logs = logs.unflatten(1, self._shape).permute(1, 2, 0, 3, 4)

    def _blurred(self, planes, width):
        return separable(planes, *self._windows[width]) if width else planes

    def energies(self) -> list[tuple[torch.Tensor, list[Pair]]]:
        """Return by scale planes (channel, window, row, column) and the ways to the grids."""
        means = self._logs.mean(dim=1)
        around = torch.stack([self._blurred(means, width) for width in context.AROUND], dim=2)
        return [(planes, self._pools) for planes in around]

    def rarities(self) -> list[tuple[torch.Tensor, list[Pair]]]:
        """Return planes (1, group and window, row, column) and the ways to the grids."""
        logs = self._logs
        places, planes = [self._blurred(logs, width) for width in context.PLACES], []
        for c, s in context.groups(logs.shape[0], logs.shape[2]):
            of = slice(None) if s < 0 else slice(s, s + 1)
            channels = slice(None) if c < 0 else slice(c, c + 1)
            planes += [_distance(values[of, :, channels].flatten(0, 2)) for values in places]
        return [(torch.stack(planes)[None], self._pools)]

    def groupings(self) -> list[tuple[torch.Tensor, list[Pair]]]:
        """Return by scale planes (channel, radius and part, row, column), ways to the grids."""
        logs, planes = self._logs, []
        for of_orientations in self._displaced:
            parts = []
            for o, matrices in enumerate(of_orientations):
                one, other, first, second = (separable(logs[:, o], *pair) for pair in matrices)
                parts.append(
                    torch.stack(
                        [(one + other) / 2, torch.minimum(one, other), (first + second) / 2], dim=2
                    )
                )
            planes.append(torch.stack(parts).mean(dim=0))
        return [(of_scale, self._pools) for of_scale in torch.cat(planes, dim=2)]


def _distance(logs):
    """Return the Mahalanobis distance of each point from the others, (row, column)."""
    values = logs.flatten(1).double()
    values = values - values.mean(dim=1, keepdim=True)
    covariance = values @ values.T / values.shape[1]
    ridge = context.SHARE * covariance.trace() / len(values) + context.NOISE
    covariance = covariance + ridge * torch.eye(len(values), dtype=values.dtype)
    square = (values * torch.linalg.solve(covariance, values)).sum(dim=0)
    return root(square).to(logs.dtype).unflatten(0, logs.shape[1:])


class _Windows:
    """Gaussian means and standard deviations of the channels, as `scales.Windows`."""

    def __init__(
        self,
        wavelength: float,
        shape: tuple[int, int],
        placement: geometry.Placement,
        targets: Sequence[Target],
        dtype: torch.dtype,
    ) -> None:
        positions = [scales.evenly_spaced(n, max(1.0, wavelength / 2)) for n in shape]
        self.pools = [tensors(p, dtype) for p in scales.to_targets(positions, placement, targets)]
        self._narrow, self._wide = (
            tensors(
                [
                    geometry.gaussian_matrix(np.arange(n), np.clip(p, 0, n - 1), width * wavelength)
                    for n, p in zip(shape, positions, strict=True)
                ],
                dtype,
            )
            for width in (0.5, 1.0)
        )

    def __call__(self, channels: torch.Tensor) -> Pair:
        """Return intensity and contrast of the channels."""
        mean, square = (separable(values, *self._wide) for values in (channels, channels**2))
        variance = square - mean**2
        variance = torch.where(variance < 1e-6 * square, torch.zeros_like(variance), variance)
        return separable(channels, *self._narrow), root(variance)
