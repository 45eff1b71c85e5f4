"""Regressors of a stimulus in torch, as `filters.regressors` has them; for `differentiable`."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch

from gaborscope.explanation.torch_mechanisms import TorchMechanisms
from gaborscope.explanation.torch_responses import (
    AllPx,
    Bank,
    Responses,
    Target,
    root,
    separable,
    spectrum_of,
    tensors,
)
from gaborscope.filters import context, mechanisms, sampling
from gaborscope.filters import plan as plans
from gaborscope.filters import second_stage as second_stages
from gaborscope.filters.controls import ControlBank
from gaborscope.filters.loggabor import LogGaborBank
from gaborscope.filters.regressors import RESPONSE_KINDS, Regressors, position_terms
from gaborscope.stimuli import colour, geometry


class TorchRegressors:
    """The regressors of a stimulus on several grids, as `Regressors.compute`."""

    def __init__(
        self,
        regressors: Regressors,
        placement: geometry.Placement,
        targets: Sequence[Target],
        dtype: torch.dtype,
    ) -> None:
        self._of, self._dtype, self._targets = regressors, dtype, targets
        plain = LogGaborBank(**regressors.bank)
        self._bank: Bank = plain
        if regressors.control is not None:
            self._bank = ControlBank(regressors.control, plain, regressors.draw)
        shape = placement.height, placement.width
        n_channels = len(colour.CHANNELS[regressors.colour])
        every = list(targets)
        self._has_context = bool(set(mechanisms.OF_ALL_SCALES) & set(regressors.mechanisms))
        if self._has_context:
            every.append(context.target(float(plain.wavelengths_px[-1]), placement))
        handled = [sampling.handles(target, placement) for target in every]
        self._sampled = [t for t, is_handled in enumerate(handled) if is_handled]
        self._pooled = [t for t, is_handled in enumerate(handled) if not is_handled]
        common = self._bank, regressors.boundary, placement
        if self._sampled:
            chosen = tuple(every[t] for t in self._sampled)
            n_bare = int(self._sampled[-1] == len(targets))
            parts = self._parts() if len(chosen) > n_bare else frozenset(["amplitude"])
            self._plan = _Plan(*common, chosen, n_channels, parts, n_bare, dtype)
        if self._pooled:
            self._all_px = AllPx(self._bank, shape, regressors.boundary, dtype)
        self._matrices = [
            tensors(geometry.layer_sampling(grid, placement, pool, width), dtype)
            for grid, pool, width in every
        ]
        self._second = []
        if regressors.second_stage:
            self._second = self._second_banks(plain, shape)
        self._mechanisms = None
        if regressors.mechanisms:
            self._mechanisms = TorchMechanisms(
                regressors.mechanisms, *common, targets, n_channels, dtype
            )
        self._position = [_position(grid, placement, dtype) for grid, *_ in targets]

    def __call__(self, image: torch.Tensor) -> list[torch.Tensor]:
        """Return regressors (K, row, column) on every grid."""
        channels = _opponent(image, self._of.colour)
        parts = self._of_bank(channels)
        amplitude = parts.pop()["amplitude"] if self._has_context else None
        blocks = [[self._first(values)] for values in parts]
        if self._second:
            for block, second in zip(blocks, self._of_second_stage(channels[:1]), strict=True):
                block += second
        if self._mechanisms is not None:
            for block, beyond in zip(blocks, self._mechanisms(channels, amplitude), strict=True):
                block += beyond
        if self._of.position:
            for block, position in zip(blocks, self._position, strict=True):
                block.append(position)
        return [torch.cat(block) for block in blocks]

    def amplitude_around(self, image: torch.Tensor) -> torch.Tensor:
        """Return amplitudes (channel, filter, row, column) at `context.target`."""
        return self._of_bank(_opponent(image, self._of.colour))[-1]["amplitude"]

    def of_context(self, amplitude: torch.Tensor) -> list[torch.Tensor]:
        """
        Return the regressors of the mechanisms on every grid, from `amplitude_around` alone.

        Only where all mechanisms are of `mechanisms.OF_ALL_SCALES`.
        """
        assert self._mechanisms is not None
        nothing = amplitude.new_empty(0)
        return [torch.cat(block) for block in self._mechanisms(nothing, amplitude)]

    def _of_bank(self, channels):
        """Return by grid the pooled responses by kind; the last grid is that of the context."""
        parts: list[dict[str, torch.Tensor]] = [{} for _ in self._matrices]
        if self._sampled:
            for t, values in zip(self._sampled, self._plan(channels), strict=True):
                parts[t] = values
        if self._pooled:
            responses, residual = self._all_px(channels)
            planes = {"even": responses.real, "odd": responses.imag, "amplitude": responses.abs()}
            for t in self._pooled:
                values = {kind: separable(planes[kind], *self._matrices[t]) for kind in planes}
                parts[t] = values | {"residual": separable(residual, *self._matrices[t])}
        return parts

    def _parts(self):
        """Return the parts of responses that are needed on the points of lattices."""
        wanted = set(self._of.kinds)
        wanted |= {"amplitude"} if self._of.normalisation else set()
        return frozenset(wanted | ({"residual"} if self._of.residual else set()))

    def _first(self, values):
        """Return what comes from the bank alone, (K, row, column)."""
        kinds = [values[kind] for kind in RESPONSE_KINDS if kind in self._of.kinds]
        if self._of.normalisation:
            kinds.append(_normalised(values["amplitude"], self._bank.n_scales))
        by_channel = []
        if kinds:
            by_channel.append(torch.stack(kinds, dim=2).flatten(1, 2))
        if self._of.residual:
            by_channel.append(values["residual"][:, None])
        return torch.cat(by_channel, dim=1).flatten(0, 1)

    def _second_banks(self, plain, shape):
        """Return the first bank of the second stage, then a bank for every pair of scales."""
        pairs, parameters = second_stages.pairs(plain.n_scales), plain.parameters
        n_first = len({s for s, _ in pairs})
        n = len(second_stages.orientations(plain.n_orientations))
        banks = [LogGaborBank(**{**parameters, "n_scales": n_first})]
        for _, t in pairs:
            coarse = {"n_scales": 1, "n_orientations": n, "angular_sigma": None}
            wavelength = float(plain.wavelengths_px[t])
            banks.append(LogGaborBank(**{**parameters, **coarse, "min_wavelength_px": wavelength}))
        if self._of.control is not None:
            banks = [ControlBank(self._of.control, bank, self._of.draw) for bank in banks]
        return [AllPx(bank, shape, self._of.boundary, self._dtype) for bank in banks]

    def _of_second_stage(self, luminance):
        """Return lists of regressors, by grid."""
        first, *seconds = self._second
        amplitude = first(luminance)[0].abs()[0]
        amplitude = amplitude.unflatten(0, (-1, self._of.bank["n_orientations"])).mean(dim=1)
        blocks: list[list[torch.Tensor]] = [[] for _ in self._targets]
        for (s, _), second in zip(
            second_stages.pairs(self._of.bank["n_scales"]), seconds, strict=True
        ):
            responses = second(amplitude[s : s + 1])[0][0]
            planes = {"even": responses.real, "odd": responses.imag, "amplitude": responses.abs()}
            kept = [planes[kind] for kind in RESPONSE_KINDS if kind in self._of.kinds]
            for block, matrices in zip(blocks, self._matrices[: len(blocks)], strict=True):
                if kept:
                    block.append(separable(torch.stack(kept, dim=1), *matrices).flatten(0, 1))
        return blocks


def _position(grid, placement, dtype):
    """Return the terms of position on a grid, in units of half the content's size."""
    extents = placement.height, placement.width
    y, x = (
        (along + 0.5) / extent * 2 - 1
        for along, extent in zip(sampling.centres(grid, placement), extents, strict=True)
    )
    y, x = np.meshgrid(y, x, indexing="ij")
    return torch.as_tensor(np.stack(position_terms(x, y)).astype(np.float32), dtype=dtype)


def _normalised(amplitude, n_scales):
    """Return amplitudes divided by their scale's root mean square, at the cell and over all."""
    by_scale = amplitude.unflatten(1, (n_scales, -1))
    local = (by_scale**2).mean(dim=2, keepdim=True)
    energy = root(local.mean(dim=(2, 3, 4), keepdim=True))
    return (by_scale / (energy + root(local) + 1e-4)).flatten(1, 2)


class _Plan:
    """Pooled responses of a bank on several grids from the points of lattices, as `plan.Plan`."""

    def __init__(
        self,
        bank: Bank,
        boundary: str,
        placement: geometry.Placement,
        targets: tuple[Target, ...],
        n_channels: int,
        parts: frozenset[str],
        n_bare: int,
        dtype: torch.dtype,
    ) -> None:
        shape = placement.height, placement.width
        plan = plans.plan(bank, shape, boundary, placement, targets, n_channels, parts, n_bare)
        self._parts, self._n_targets, self._full = parts, len(targets), plan.full
        self._n_filters = bank.n_filters
        gains = dict(enumerate(bank.gains(plan.full)))
        gains[plans.RESIDUAL] = bank.residual_gain(plan.full)
        centres = [sampling.centres(grid, placement) for grid, *_ in targets]
        deviations = [geometry.deviation(width) for *_, width in targets]
        margin = math.inf
        if boundary != "periodic":
            margin = min((n - m) // 2 for n, m in zip(plan.full, shape, strict=True))
        self._stages = []
        for stage in plan.stages:
            window = np.ones((1, 1))
            if not stage.amplitude:  # all targets of the stage share the window on the spectrum
                t = (stage.points + stage.smoothed)[0][0]
                _, applied, _ = sampling.window_lattice(
                    targets[t][0], centres[t], deviations[t], shape, plan.full, margin
                )
                along_y, along_x = (
                    np.exp(-2 * (np.pi * applied * np.fft.fftfreq(n)) ** 2) for n in plan.full
                )
                window = along_y[:, None] * along_x
            responses = Responses(
                [gains[number] * window for number in stage.filters],
                stage.folded.lattice, shape, plan.full, dtype,
            )  # fmt: skip
            smoothed = [(t, tensors(pair, dtype)) for t, pair in stage.smoothed]
            averaged = [
                (t, tensors(sampling.windows(stage.folded.lattice, centres[t], deviations[t],
                                              shape), dtype))
                for t in stage.windows[0]
            ]  # fmt: skip
            self._stages.append((stage, responses, smoothed, averaged))

    def __call__(self, channels: torch.Tensor) -> list[dict[str, torch.Tensor]]:
        """Return by grid: even, odd, amplitude (channel, filter, row, column), residual."""
        found: list[dict[tuple[str, int], torch.Tensor]] = [{} for _ in range(self._n_targets)]
        spectrum = spectrum_of(channels, self._full)
        for stage, filters, smoothed, averaged in self._stages:
            responses = filters(spectrum)
            for t, (rows, columns) in stage.points:
                self._put(found[t], stage, responses[:, :, rows, columns], stage.faint.get(t, ()))
            for t, matrices in smoothed:
                pooled = separable(responses, *(m.to(responses.dtype) for m in matrices))
                self._put(found[t], stage, pooled, stage.faint[t])
            numbers = [i for i, number in enumerate(stage.filters) if number in stage.averaged]
            if numbers:
                amplitude = responses[:, numbers].abs()
                for t, matrices in averaged:
                    pooled = separable(amplitude, *matrices)
                    for k, i in enumerate(numbers):
                        found[t]["amplitude", stage.filters[i]] = pooled[:, k]
        return [self._by_kind(values) for values in found]

    def _put(self, values, stage, responses, faint):
        planes = {"even": responses.real, "odd": responses.imag}
        if stage.amplitude:
            planes["amplitude"] = responses.abs()
        nothing = torch.zeros_like(responses.real[:, 0])
        for i, number in enumerate(stage.filters):
            for kind, maps in planes.items():
                name = "residual" if number == plans.RESIDUAL else kind
                if name in self._parts and (name != "residual" or kind == "even"):
                    values[name, number] = maps[:, i]
        for number in faint:
            for kind in ("residual",) if number == plans.RESIDUAL else ("even", "odd"):
                if kind in self._parts:
                    values[kind, number] = nothing

    def _by_kind(self, values):
        kinds = {
            kind: torch.stack([values[kind, k] for k in range(self._n_filters)], dim=1)
            for kind in RESPONSE_KINDS
            if (kind, 0) in values
        }
        if ("residual", plans.RESIDUAL) in values:
            kinds["residual"] = values["residual", plans.RESIDUAL]
        return kinds


def _opponent(image: torch.Tensor, space: str) -> torch.Tensor:
    """Return the channels (3, height, width) of an image, as `colour.to_opponent`."""
    rgb = image / 255

    def by(values, matrix):
        return values @ torch.as_tensor(np.ascontiguousarray(matrix.T), dtype=values.dtype)

    if space == "rgb":
        channels = rgb
    elif space == "yuv":
        channels = by(rgb, colour.RGB_TO_YUV)
    else:
        curved = ((rgb.clamp(min=0.04045) + 0.055) / 1.055) ** 2.4
        xyz = by(torch.where(rgb <= 0.04045, rgb / 12.92, curved), colour.LINEAR_RGB_TO_XYZ)
        channels = _lab(xyz) if space == "lab" else _dkl(by(xyz, colour.XYZ_TO_LMS))
    return channels.movedim(-1, 0).contiguous()


def _lab(xyz):
    ratio = xyz / torch.as_tensor(colour.LINEAR_RGB_TO_XYZ.sum(axis=1), dtype=xyz.dtype)
    least = (6 / 29) ** 3
    low = ratio / (3 * (6 / 29) ** 2) + 4 / 29
    x, y, z = torch.where(ratio > least, ratio.clamp(min=least) ** (1 / 3), low).unbind(-1)
    return torch.stack([1.16 * y - 0.16, 5 * (x - y), 2 * (y - z)], dim=-1)


def _dkl(lms):
    white = colour.XYZ_TO_LMS @ colour.LINEAR_RGB_TO_XYZ.sum(axis=1)
    long, middle, short = (lms / torch.as_tensor(white, dtype=lms.dtype)).unbind(-1)
    luminance = (long + middle) / 2
    return torch.stack([luminance, long - middle, short - luminance], dim=-1)
