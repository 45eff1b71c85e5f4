"""
An explained model in torch: what its `predict` computes, with a gradient by the image.

Points of lattices, windows and matrices are taken from the numpy path, so that both compute the
same numbers. Imported where a gradient is wanted alone: predicting needs no torch.
"""

from __future__ import annotations

import dataclasses
import functools
import itertools
import math

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
from gaborscope.explanation.torch_mechanisms import MECHANISMS
from gaborscope.explanation.torch_regressors import TorchRegressors
from gaborscope.explanation.torch_responses import Pair, separable, tensors
from gaborscope.filters import mechanisms
from gaborscope.filters import second_stage as second_stages
from gaborscope.filters.regressors import RESPONSE_KINDS, Regressors
from gaborscope.filters.terms import TERM_KINDS, Terms
from gaborscope.stimuli import densities, geometry

# What is computed here. Regressors of other kinds are refused.
KINDS = {
    *RESPONSE_KINDS, "normalised", "residual", second_stages.KIND, "position", *TERM_KINDS,
    *itertools.chain.from_iterable(mechanisms.KINDS[name] for name in MECHANISMS),
}  # fmt: skip
FIELDS = {
    "bank", "colour", "kinds", "residual", "normalisation", "position", "boundary", "control",
    "draw", "second_stage", "mechanisms",
}  # fmt: skip
NONLINEARITIES = ("none", "relu", "relu6")
KEPT = 4  # sizes of images whose constants are kept


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
        self._steps: dict[geometry.Placement, Steps] = {}

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
        return self.steps(placement).log_density(image.to(self.dtype))

    def steps(self, placement: geometry.Placement) -> Steps:
        """
        Return the way from an image to its log-density where it is placed; the last ones are kept.

        Parameters
        ----------
        placement : geometry.Placement

        Returns
        -------
        steps : Steps
        """
        if placement not in self._steps:
            while len(self._steps) >= KEPT:
                del self._steps[next(iter(self._steps))]
            self._steps[placement] = Steps(self.model, placement, self.dtype)
        return self._steps[placement]


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


class Steps:
    """
    All constants of one placement, and the way from an image to its log-density.

    Parameters
    ----------
    model : ExplainedModel
    placement : geometry.Placement
    dtype : torch.dtype
    """

    def __init__(
        self, model: ExplainedModel, placement: geometry.Placement, dtype: torch.dtype
    ) -> None:
        self.dtype, self.layers, self.placement = dtype, model.fitted, placement
        self.uniform_weight = model.uniform_weight
        targets = [
            layer_tools.target(fitted.layer, placement, fitted.settings) for fitted in self.layers
        ]
        self.targets = list(dict.fromkeys(targets))
        self.target_of = [self.targets.index(target) for target in targets]
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
            self._along.append(tensors(along, dtype))
        # resizing is linear: the matrix of an axis is what it makes of the identity
        self._up = tensors(
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

    @functools.cached_property
    def computing(self) -> TorchRegressors:
        """What computes the regressors of all layers."""
        settings = self.layers[0].settings
        return TorchRegressors(
            layer_tools.make_regressors(settings), self.placement, self.targets, self.dtype
        )

    def regressors(self, image: torch.Tensor) -> list[torch.Tensor]:
        """
        Return the regressors of an image on each of `targets`.

        Parameters
        ----------
        image : tensor (height, width, 3)
            RGB in 0..255, as placed.

        Returns
        -------
        phi : list of tensor (K, row, column)
        """
        return self.computing(image)

    def readout(self, layer: int, phi: torch.Tensor) -> torch.Tensor:
        """
        Return what a layer gives to the score, on the layer's own cells.

        Parameters
        ----------
        layer : int
        phi : tensor (K, row, column)
            Regressors of its target; each cell is read out by itself.

        Returns
        -------
        total : tensor (row, column)
        """
        return self._readouts[layer](phi)

    def resampled(self, layer: int, maps: torch.Tensor) -> torch.Tensor:
        """
        Resample maps of a layer's cells to the fusion grid, which is linear.

        Parameters
        ----------
        layer : int
        maps : tensor (..., row, column)

        Returns
        -------
        maps : tensor (..., fusion row, fusion column)
        """
        return separable(maps, *self._along[layer])

    def enlarged(self, maps: torch.Tensor) -> torch.Tensor:
        """Return maps (..., height, width) of maps on the fusion grid, which is linear."""
        return separable(maps, *self._up)

    def transposed(self, layer: int, weights: torch.Tensor) -> torch.Tensor:
        """
        Return weights of a layer's cells that give the sums which weights of px give.

        Parameters
        ----------
        layer : int
        weights : tensor (..., height, width)

        Returns
        -------
        weights : tensor (..., row, column)
            The transpose of `resampled`, then `enlarged`.
        """
        up, along = ([matrix.T for matrix in pair] for pair in (self._up, self._along[layer]))
        return separable(separable(weights, *up), *along)

    def log_density(self, image: torch.Tensor) -> torch.Tensor:
        """Return the log-density (height, width) of an image (height, width, 3)."""
        phi = self.regressors(image)
        score = self._bias
        for layer, target in enumerate(self.target_of):
            score = score + self.resampled(layer, self.readout(layer, phi[target]))
        return self.normalised(self.enlarged(score))

    @property
    def bias(self) -> torch.Tensor:
        """What the centre bias gives to the score, (height, width)."""
        return self.enlarged(self._bias)

    def normalised(self, score: torch.Tensor) -> torch.Tensor:
        """Return the log-density of a score (height, width)."""
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
        self._fused, self._weight, self._intercept, sd = tensors(
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
