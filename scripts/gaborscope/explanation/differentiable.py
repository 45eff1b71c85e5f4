"""
An explained model in torch: what its `predict` computes, with a gradient by the image.

Points of lattices, windows and matrices are taken from the numpy path, so that both compute the
same numbers. Imported where a gradient is wanted alone: predicting needs no torch.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from gaborscope.errors import InputError
from gaborscope.explanation import layers as layer_tools
from gaborscope.explanation.layers import FittedLayer
from gaborscope.explanation.model import (
    ExplainedModel,
    fusion_resampling,
    grid_shape,
    log_centre_bias,
)
from gaborscope.filters import (
    context,
    fourier,
    mechanisms,
    rectified,
    sampling,
    scales,
    second_order,
)
from gaborscope.filters import plan as plans
from gaborscope.filters import second_stage as second_stages
from gaborscope.filters.controls import ControlBank
from gaborscope.filters.lattice import NEGLIGIBLE, Lattice, Spectra
from gaborscope.filters.loggabor import LogGaborBank
from gaborscope.filters.regressors import RESPONSE_KINDS, Regressors, position_terms
from gaborscope.filters.terms import TERM_KINDS, Terms
from gaborscope.stimuli import colour, densities, geometry

# What is computed here. Regressors of other kinds are refused.
MECHANISMS = (
    "local_normalisation", "centre_surround", "centre_surround_oriented", "competition",
    "half_waves", "intensity", "contrast", "second_order", "second_order_oriented",
    "log_energy", "rarity", "grouping",
)  # fmt: skip
KINDS = {
    *RESPONSE_KINDS, "normalised", "residual", second_stages.KIND, "position", *TERM_KINDS,
    *itertools.chain.from_iterable(mechanisms.KINDS[name] for name in MECHANISMS),
}  # fmt: skip
FIELDS = {
    "bank", "colour", "kinds", "residual", "normalisation", "position", "boundary", "control",
    "draw", "second_stage", "mechanisms",
}  # fmt: skip
SECOND_ORDER = {
    "second_order": second_order.MEAN, "second_order_oriented": second_order.ORIENTED
}  # fmt: skip
NONLINEARITIES = ("none", "relu", "relu6")
TOGETHER = 8  # filters whose common frequencies are cut out: neighbours are of one scale
TINY = 1e-30  # below it, a square root has no slope

Target = tuple[geometry.Grid, str, float]
Bank = LogGaborBank | ControlBank
Pair = tuple[torch.Tensor, torch.Tensor]


class DifferentiableModel:
    """
    An explained model of mode direct whose log-density has a gradient by the image.

    Parameters
    ----------
    model : ExplainedModel
    dtype : torch.dtype
        float32 or float64.

    Raises
    ------
    InputError
        If the model computes what is not computed here: a cascade, or regressors of other kinds.
    """

    def __init__(self, model: ExplainedModel, dtype: torch.dtype = torch.float32) -> None:
        _refuse(model)
        self.model, self.dtype = model, dtype
        self._steps: dict[geometry.Placement, _Steps] = {}

    def density(self, image: torch.Tensor) -> torch.Tensor:
        """
        Log-density of an image, as `ExplainedModel.predict` computes it.

        Parameters
        ----------
        image : tensor (height, width, 3)
            RGB in 0..255, of any real values, at the size that a stimulus has in the network's
            input, see `geometry.content`.

        Returns
        -------
        log_density : tensor (height, width)
            Natural logarithm; exp sums to 1.

        Raises
        ------
        InputError
            If the image has another size than in the network's input.
        """
        size = (image.shape[0], image.shape[1])
        placement = geometry.place(size, self.model.box)
        if size != (placement.height, placement.width):
            raise InputError(
                f"an image of {size[0]} x {size[1]} px is {placement.height} x {placement.width} "
                "px in the network's input; resize it by geometry.content before its gradient"
            )
        if placement not in self._steps:
            self._steps[placement] = _Steps(self.model, placement, self.dtype)
        return self._steps[placement].log_density(image.to(self.dtype))


def _refuse(model):
    """Raise an InputError if a model computes what is not computed here."""
    remedy = "take an explanation of mode direct without it"
    if model.cascade is not None:
        raise InputError(f"an explanation that is a cascade has no gradient by the image; {remedy}")
    strange = {field.name for field in dataclasses.fields(Regressors)} - FIELDS
    for fitted in model.fitted:
        regressors = layer_tools.make_regressors(fitted.settings)
        kinds = {str(kind) for kind in layer_tools.table(fitted.settings)["kind"]}
        used = {name for name in strange if getattr(regressors, name)}
        unknown = sorted(kinds - KINDS) or sorted(used)
        if fitted.layer.nonlinearity not in NONLINEARITIES:
            unknown.append(fitted.layer.nonlinearity)
        if unknown:
            raise InputError(
                f"layer {fitted.name} of the explanation has {', '.join(unknown)}, which has no "
                f"gradient by the image here; {remedy}"
            )


class _Steps:
    """All constants of one placement, and the way from an image to its log-density."""

    def __init__(
        self, model: ExplainedModel, placement: geometry.Placement, dtype: torch.dtype
    ) -> None:
        self.dtype, self.layers = dtype, model.fitted
        self.uniform_weight = model.uniform_weight
        settings = self.layers[0].settings
        targets = [
            layer_tools.target(fitted.layer, placement, fitted.settings) for fitted in self.layers
        ]
        unique = list(dict.fromkeys(targets))
        self._target_of = [unique.index(target) for target in targets]
        self._regressors = _Regressors(
            layer_tools.make_regressors(settings), placement, unique, dtype
        )
        size = placement.height, placement.width
        shape = grid_shape(*size, model.settings["stride"])
        bias = model.weight[-1] * log_centre_bias(model.centre_bias, shape).reshape(shape)
        self._bias = torch.as_tensor(bias, dtype=dtype)
        smoothing = model.settings["smoothing"]
        self._along: list[Pair] = []
        for fitted in self.layers:
            grid = fitted.layer.grid(placement)
            along = [
                fusion_resampling(grid, placement, axis, shape[axis], smoothing) for axis in (0, 1)
            ]
            self._along.append(_tensors(along, dtype))
        # resizing is linear: the matrix of an axis is what it makes of the identity
        self._up = _tensors(
            [
                densities.resize_bilinear(np.eye(n), (to, n))
                for n, to in zip(shape, size, strict=True)
            ],
            dtype,
        )
        weights = np.split(
            model.weight[:-1], np.cumsum([len(fitted.weight) for fitted in self.layers])[:-1]
        )
        self._readouts = [
            _Readout(fitted, weight, dtype)
            for fitted, weight in zip(self.layers, weights, strict=True)
        ]

    def log_density(self, image):
        phi = self._regressors(image)
        score = self._bias
        for index, readout, along in zip(self._target_of, self._readouts, self._along, strict=True):
            score = score + _separable(readout(phi[index]), *along)
        score = _separable(score, *self._up)
        pure = score - torch.logsumexp(score.flatten(), 0)
        share = self.uniform_weight
        if share == 0:
            return pure
        uniform = math.log(share) - math.log(score.numel())
        return torch.logaddexp(pure + math.log1p(-share), torch.full_like(pure, uniform))


class _Readout:
    """The weighted sum of a layer's reconstructed maps, from its regressors."""

    def __init__(self, fitted: FittedLayer, weight: np.ndarray, dtype: torch.dtype) -> None:
        kept = np.flatnonzero(weight)
        values = [weight, fitted.weight, fitted.intercept, fitted.residual_sd]
        self._fused, self._weight, self._intercept, sd = _tensors(
            [value[kept] for value in values], dtype
        )
        self._sd = sd.clamp(min=1e-12)[:, None]
        self._nonlinearity = fitted.layer.nonlinearity
        offered = fitted.settings.get("offered")
        self._terms = None if offered is None else Terms.from_json(offered)

    def __call__(self, phi: torch.Tensor) -> torch.Tensor:
        """Return the sum (row, column) of regressors (K, row, column)."""
        flat = phi.flatten(1)
        if self._terms is not None:
            flat = _expanded(flat, self._terms)
        if self._nonlinearity == "none":
            total = (self._fused @ self._weight) @ flat + self._fused @ self._intercept
        else:
            linear = self._weight @ flat + self._intercept[:, None]
            maps = _expected_relu(linear, self._sd)
            if self._nonlinearity == "relu6":
                maps = maps - _expected_relu(linear - 6, self._sd)
            total = self._fused @ maps
        return total.unflatten(0, phi.shape[1:])


def _expanded(phi, terms):
    """Put the terms of a readout behind the regressors, as `Terms.expand`."""
    standard = {e: (phi[e] - mean) / terms.spread[e] for e, mean in terms.mean.items()}
    bends = [functional.relu(standard[energy] - knot) for energy, knot in terms.bends]
    products = [standard[one] * standard[other] for one, other in terms.products]
    added = bends + products
    return torch.cat([phi, torch.stack(added)]) if added else phi


def _expected_relu(linear, sd):
    ratio = linear / sd
    density = torch.exp(-(ratio**2) / 2) / math.sqrt(2 * math.pi)
    return linear * torch.special.ndtr(ratio) + sd * density


class _Regressors:
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
            self._all_px = _AllPx(self._bank, shape, regressors.boundary, dtype)
        self._matrices = [
            _tensors(geometry.layer_sampling(grid, placement, pool, width), dtype)
            for grid, pool, width in every
        ]
        self._second = []
        if regressors.second_stage:
            self._second = self._second_banks(plain, shape)
        self._mechanisms = None
        if regressors.mechanisms:
            self._mechanisms = _Mechanisms(
                regressors.mechanisms, *common, targets, n_channels, dtype
            )
        self._position = [_position(grid, placement, dtype) for grid, *_ in targets]

    def __call__(self, image: torch.Tensor) -> list[torch.Tensor]:
        """Return regressors (K, row, column) on every grid."""
        channels = _opponent(image, self._of.colour)
        parts: list[dict[str, torch.Tensor]] = [{} for _ in self._matrices]
        if self._sampled:
            for t, values in zip(self._sampled, self._plan(channels), strict=True):
                parts[t] = values
        if self._pooled:
            responses, residual = self._all_px(channels)
            planes = {"even": responses.real, "odd": responses.imag, "amplitude": responses.abs()}
            for t in self._pooled:
                values = {kind: _separable(planes[kind], *self._matrices[t]) for kind in planes}
                parts[t] = values | {"residual": _separable(residual, *self._matrices[t])}
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
        return [_AllPx(bank, shape, self._of.boundary, self._dtype) for bank in banks]

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
            for block, matrices in zip(blocks, self._matrices, strict=False):
                if kept:
                    block.append(_separable(torch.stack(kept, dim=1), *matrices).flatten(0, 1))
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
    energy = _root(local.mean(dim=(2, 3, 4), keepdim=True))
    return (by_scale / (energy + _root(local) + 1e-4)).flatten(1, 2)


class _Responses:
    """
    Complex responses of filters at the points of a lattice, as `lattice.Folded`.

    They are the inverse transform at these points alone, from the frequencies that filters pass.
    """

    def __init__(
        self,
        gains: Sequence[np.ndarray] | np.ndarray,
        lattice: Lattice,
        shape: tuple[int, int],
        full: tuple[int, int],
        dtype: torch.dtype,
    ) -> None:
        wide, self._parts = _complex(dtype), []
        for first in range(0, len(gains), TOGETHER):
            some = np.stack(list(gains[first : first + TOGETHER]))
            passed = (np.abs(some) > NEGLIGIBLE).any(axis=0)
            passed[0, 0] = True  # so that there is something
            used, waves = [passed.any(axis=1), passed.any(axis=0)], []
            for axis, n in enumerate(full):
                places = lattice.positions(axis) + (n - shape[axis]) // 2
                frequency = np.fft.fftfreq(n)[used[axis]]
                waves.append(np.exp(2j * np.pi * np.outer(places, frequency)) / n)
            # (f_y, filter, f_x), so that each axis is one product of two matrices
            gain = torch.as_tensor(some[:, used[0]][:, :, used[1]].swapaxes(0, 1).copy())
            gain = gain.to(wide if gain.is_complex() else dtype)
            index = [torch.as_tensor(np.flatnonzero(along)) for along in used]
            self._parts.append((gain, index, [torch.as_tensor(w).to(wide) for w in waves]))

    def __call__(self, spectrum: torch.Tensor) -> torch.Tensor:
        """Return responses (channel, filter, row, column) of spectra (channel, f_y, f_x)."""
        responses = []
        for gain, (rows, columns), (along_y, along_x) in self._parts:
            passed = spectrum[:, rows][:, :, columns].swapaxes(0, 1)[:, :, None] * gain[:, None]
            lines = (passed.flatten(0, 2) @ along_x.T).unflatten(0, passed.shape[:3])
            points = (along_y @ lines.flatten(1)).unflatten(1, lines.shape[1:])
            responses.append(points.movedim(0, 2))
        return torch.cat(responses, dim=1)


def _spectrum(channels, full):
    """Return the spectra of mirrored images (channel, height, width)."""
    index = []
    for extent, wide in zip(channels.shape[1:], full, strict=True):
        before = (wide - extent) // 2
        index.append(
            torch.as_tensor(
                np.pad(np.arange(extent), (before, wide - extent - before), mode="symmetric")
            )
        )
    rows, columns = index
    return torch.fft.fft2(channels[:, rows][:, :, columns])


def _full(bank, shape, boundary):
    """Return the size of the transforms in px."""
    return shape if boundary == "periodic" else fourier.padded_shape(shape, bank.margin_px)


class _AllPx:
    """Responses of a bank and its residual at all px."""

    def __init__(
        self,
        bank: Bank,
        shape: tuple[int, int],
        boundary: str,
        dtype: torch.dtype,
    ) -> None:
        self._full, self._shape = _full(bank, shape, boundary), shape
        gains = np.concatenate([bank.gains(self._full), bank.residual_gain(self._full)[None]])
        self._gains = torch.as_tensor(gains)
        self._gains = self._gains.to(_complex(dtype) if self._gains.is_complex() else dtype)

    def __call__(self, channels: torch.Tensor) -> Pair:
        """Return responses (channel, filter, y, x) and residuals (channel, y, x)."""
        inside = [
            slice((wide - n) // 2, (wide - n) // 2 + n)
            for n, wide in zip(self._shape, self._full, strict=True)
        ]
        spectra = _spectrum(channels, self._full)[:, None] * self._gains
        responses = torch.fft.ifft2(spectra)[(..., *inside)]
        return responses[:, :-1], responses[:, -1].real


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
            responses = _Responses(
                [gains[number] * window for number in stage.filters],
                stage.folded.lattice, shape, plan.full, dtype,
            )  # fmt: skip
            smoothed = [(t, _tensors(pair, dtype)) for t, pair in stage.smoothed]
            averaged = [
                (t, _tensors(sampling.windows(stage.folded.lattice, centres[t], deviations[t],
                                              shape), dtype))
                for t in stage.windows[0]
            ]  # fmt: skip
            self._stages.append((stage, responses, smoothed, averaged))

    def __call__(self, channels: torch.Tensor) -> list[dict[str, torch.Tensor]]:
        """Return by grid: even, odd, amplitude (channel, filter, row, column), residual."""
        found: list[dict[tuple[str, int], torch.Tensor]] = [{} for _ in range(self._n_targets)]
        spectrum = _spectrum(channels, self._full)
        for stage, filters, smoothed, averaged in self._stages:
            responses = filters(spectrum)
            for t, (rows, columns) in stage.points:
                self._put(found[t], stage, responses[:, :, rows, columns], stage.faint.get(t, ()))
            for t, matrices in smoothed:
                pooled = _separable(responses, *(m.to(responses.dtype) for m in matrices))
                self._put(found[t], stage, pooled, stage.faint[t])
            numbers = [i for i, number in enumerate(stage.filters) if number in stage.averaged]
            if numbers:
                amplitude = responses[:, numbers].abs()
                for t, matrices in averaged:
                    pooled = _separable(amplitude, *matrices)
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
        self.responses = _Responses(gains, self.lattice, self.shape, full, dtype)
        positions = [self.lattice.positions(axis) for axis in (0, 1)]
        self.pools = [_tensors(p, dtype) for p in scales.to_targets(positions, placement, targets)]
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
            self._blurs[deviation] = _tensors(along, self._dtype)
        return _separable(planes, *self._blurs[deviation])


class _Mechanisms:
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
        self._full = _full(bank, shape, boundary)
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
            spectrum = _spectrum(channels, self._full)
        for scale in self._scales:
            scale.analyse(spectrum)
        self._half = [scale.responses(spectrum) for scale in self._fine]
        self._both = [window(channels) for window in self._windows]
        by_target: list[list[torch.Tensor]] = []
        for name in self._names:
            of_scales = self._of[name]()  # by scale: planes (channel, regressor, y, x), matrices
            pooled = [
                [_separable(planes, *matrices) for planes, pools in of_scales
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


def _locally_normalised(scale):
    """Return amplitudes divided by the energy around them, as `rectified.normalised`."""
    half = rectified.SATURATION * _root(scale.blurred(scale.energy, None)) + rectified.LEAST
    factors, own, power = [], rectified.OWN, rectified.EXPONENT
    for width in rectified.POOLS:
        around, cell = (scale.blurred(scale.energy, w) for w in (width, own * width))
        pool = _root(functional.relu(around - own**2 * cell) / (1 - own**2))
        factors.append(1 / (half**power + pool**power))
    normalised = (scale.amplitude**power)[:, :, None] * torch.stack(factors, dim=1)[:, None]
    return normalised.flatten(1, 2)


def _differences(scale):
    """Return centre minus surround of the energies (channel, pair, row, column)."""
    energy = _root(scale.energy)
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
        self._low_pass = [_tensors(pair, dtype) for pair in matrices]
        second = LogGaborBank(
            form.n_wavelengths, form.n_orientations, float(second_order.POINTS),
            second_order.FACTOR, plain.bandwidth_ratio,
        )  # fmt: skip
        if isinstance(bank, ControlBank):
            second = ControlBank(bank.control, second, bank.draw)
        points = len(positions[0]), len(positions[1])
        self._second = _AllPx(second, points, "symmetric", dtype)
        self._pools = [
            _tensors(pair, dtype) for pair in scales.to_targets(positions, placement, targets)
        ]

    def __call__(self) -> list[tuple[torch.Tensor, list[Pair]]]:
        """Return by scale planes (channel, regressor, row, column) and the ways to the grids."""
        made = []
        for scale, low_pass in zip(self._scales, self._low_pass, strict=True):
            first = scale.amplitude if self._oriented else _root(scale.energy)[:, None]
            smooth = functional.relu(_separable(first, *low_pass))
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
            width: _tensors(
                [geometry.gaussian_matrix(along, along, width * longest) for along in points], dtype
            )
            for width in {*context.AROUND, *context.PLACES} - {0.0}
        }
        self._displaced = [
            [[_tensors(pair, dtype) for pair in directions] for directions in of_orientations]
            for of_orientations in context.displaced(longest, orientations, points, shape)
        ]
        self._pools = [
            _tensors(pair, dtype) for pair in scales.to_targets(points, placement, targets)
        ]
        self._shape = n_scales, len(orientations)

    def analyse(self, amplitude: torch.Tensor) -> None:
        """Take amplitudes (channel, filter, row, column) at `context.target`."""
        logs = torch.log1p(functional.relu(amplitude) / second_order.FAINT)
        # (scale, orientation, channel, row, column)
        self._logs = logs.unflatten(1, self._shape).permute(1, 2, 0, 3, 4)

    def _blurred(self, planes, width):
        return _separable(planes, *self._windows[width]) if width else planes

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
                one, other, first, second = (_separable(logs[:, o], *pair) for pair in matrices)
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
    return _root(square).to(logs.dtype).unflatten(0, logs.shape[1:])


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
        self.pools = [_tensors(p, dtype) for p in scales.to_targets(positions, placement, targets)]
        self._narrow, self._wide = (
            _tensors(
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
        mean, square = (_separable(values, *self._wide) for values in (channels, channels**2))
        variance = square - mean**2
        variance = torch.where(variance < 1e-6 * square, torch.zeros_like(variance), variance)
        return _separable(channels, *self._narrow), _root(variance)


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


def _root(values):
    """Return the square root, without slope at 0."""
    return torch.where(values > TINY, values.clamp(min=TINY).sqrt(), torch.zeros_like(values))


def _separable(planes: torch.Tensor, along_y: torch.Tensor, along_x: torch.Tensor) -> torch.Tensor:
    """Apply matrices along y and x to planes (..., y, x)."""
    return along_y @ planes @ along_x.T


def _tensors(arrays: Sequence[np.ndarray], dtype: torch.dtype) -> Any:
    return tuple(torch.as_tensor(np.ascontiguousarray(a), dtype=dtype) for a in arrays)


def _complex(dtype: torch.dtype) -> torch.dtype:
    return torch.complex64 if dtype == torch.float32 else torch.complex128
