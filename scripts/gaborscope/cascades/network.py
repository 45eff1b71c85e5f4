"""A cascade in torch: the same arithmetic as `cascade`, batched and differentiable."""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any, cast

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from gaborscope.explanation import cascade
from gaborscope.stimuli.geometry import Placement
from gaborscope.stimuli.layer import Layer


def pass_nonlinearity(
    linear: torch.Tensor, residual_sd: torch.Tensor, nonlinearity: str
) -> torch.Tensor:
    """
    Return the expected output of a nonlinearity, as `nonlinearity.through_nonlinearity` does.

    Parameters
    ----------
    linear : tensor (n, C, row, column)
    residual_sd : tensor (C,)
        Spread of the input around `linear`; if all are 0, the nonlinearity itself is applied.
    nonlinearity : {"none", "relu", "relu6"}

    Returns
    -------
    output : tensor (n, C, row, column)
    """
    if nonlinearity == "none":
        return linear
    if nonlinearity == "relu":
        return _expected_relu(linear, residual_sd)
    return _expected_relu(linear, residual_sd) - _expected_relu(linear - 6, residual_sd)


def _expected_relu(linear, residual_sd):
    if not residual_sd.any():
        return functional.relu(linear)
    return _ExpectedRelu.apply(linear, residual_sd.clamp(min=1e-12))


class _ExpectedRelu(torch.autograd.Function):
    """
    E[relu(a + e)] = a P(a / s) + s p(a / s), where e is normal with standard deviation s.

    P is the normal distribution function and p its density. The derivative by a is P(a / s), and
    the derivative by s is p(a / s). The forward pass keeps both for the backward pass.
    """

    @staticmethod
    def forward(ctx: Any, linear: torch.Tensor, sd: torch.Tensor) -> torch.Tensor:
        sd = sd[None, :, None, None]
        ratio = linear / sd
        density = torch.exp(ratio.square().mul_(-0.5)).mul_(1 / math.sqrt(2 * math.pi))
        share = torch.special.ndtr(ratio)
        ctx.save_for_backward(share, density)
        return torch.addcmul(linear * share, sd, density)

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        share, density = ctx.saved_tensors
        return gradient * share, (gradient * density).sum(dim=(0, 2, 3))


class EdgeFeatures(nn.Module):
    """
    Regressors that a layer takes from one of its parents, as `cascade.edge_regressors` does.

    Parameters
    ----------
    edge : cascade.Edge
    parent, child : Layer
    settings : dict
        See `cascade.edge_kernels`.
    """

    kernels: torch.Tensor
    basis: torch.Tensor | None

    def __init__(
        self, edge: cascade.Edge, parent: Layer, child: Layer, settings: Mapping[str, Any]
    ) -> None:
        super().__init__()
        self.edge, self.parent, self.child = edge, parent, child
        kernels, _ = cascade.edge_kernels(settings)
        self.register_buffer("kernels", torch.from_numpy(kernels)[:, None], persistent=False)
        basis = None if edge.basis is None else torch.from_numpy(np.asarray(edge.basis))
        self.register_buffer("basis", basis, persistent=False)
        self._along = {}

    @property
    def kinds(self) -> int:
        """Number of regressors that one filtered channel gives."""
        if self.edge.kind == "pointwise":
            return 1
        return len(self.kernels) + (2 if self.edge.kind == "global" else 1)

    def width(self, channels: int) -> int:
        """Return the number of regressors from a parent with this number of channels."""
        return self.edge.n_channels(channels) * self.kinds

    def weighted(
        self, maps: torch.Tensor, weight: torch.Tensor, placement: Placement
    ) -> torch.Tensor:
        """
        Weighted sum of the regressors, without computing them one by one.

        Filters are linear, so the weighted filters of a channel add up to one kernel, and all
        channels together are one convolution.

        Parameters
        ----------
        maps : tensor (n, C, row, column)
            Maps of the parent.
        weight : tensor (D, K)
            Weights of the regressors, in the order of `forward`.
        placement : geometry.Placement

        Returns
        -------
        total : tensor (n, D, row, column)
            On the child's cells.
        """
        maps = self._projected(maps)
        weight = weight.unflatten(1, (maps.shape[1], -1))
        if self.edge.kind == "pointwise":
            mixed = torch.einsum("dp,npyx->ndyx", weight[:, :, 0], maps)
            return self._sampled(mixed, placement)
        n_filters, _, side, _ = self.kernels.shape
        kernels = (weight[:, :, :n_filters] @ self.kernels.flatten(1)).unflatten(2, (side, side))
        itself = functional.pad(weight[:, :, n_filters, None, None], [side // 2] * 4)
        if cascade.filters_first(self.edge):
            total = functional.conv2d(maps, kernels + itself, padding=side // 2)
            total = self._sampled(total, placement)
        else:
            fine = self._sampled(maps, placement)
            total = functional.conv2d(fine, kernels + itself, padding=side // 2)
        if self.edge.kind == "global":
            mean = maps.mean(dim=(2, 3)) @ weight[:, :, n_filters + 1].T
            total = total + mean[:, :, None, None]
        return total

    def forward(self, maps: torch.Tensor, placement: Placement) -> torch.Tensor:
        """Return the regressors (n, K, row, column) of the child from the parent's maps."""
        maps = self._projected(maps)
        if self.edge.kind == "pointwise":
            return self._sampled(maps, placement)
        if cascade.filters_first(self.edge):
            phi = self._sampled(self._with_responses(maps).flatten(1, 2), placement)
            phi = phi.unflatten(1, (maps.shape[1], -1))
        else:
            phi = self._with_responses(self._sampled(maps, placement))
        if self.edge.kind == "global":
            mean = maps.mean(dim=(2, 3))[:, :, None, None, None]
            phi = torch.cat([phi, mean.expand(-1, -1, 1, *phi.shape[3:])], dim=2)
        return phi.flatten(1, 2)

    def at(self, cells: np.ndarray, maps: torch.Tensor, placement: Placement) -> torch.Tensor:
        """
        Regressors at some cells of the child.

        Parameters
        ----------
        cells : int array (cell,)
            Indices of cells of the child, counted row by row.
        maps : tensor (n, C, row, column)
            Maps of the parent.
        placement : geometry.Placement

        Returns
        -------
        phi : tensor (n, K, cell)
        """
        cells = torch.as_tensor(cells, device=maps.device)
        if self.edge.kind == "pointwise":
            return self(maps, placement).flatten(2)[:, :, cells]
        maps = self._projected(maps)
        if self._matrices(placement) is None or not cascade.filters_first(self.edge):
            fine = self._sampled(maps, placement)
            columns = fine.shape[3]
            windows = self._windows(fine, cells // columns, cells % columns)
            itself = fine.flatten(2)[:, :, cells]
        else:
            # linear interpolation: weighted windows around at most two by two cells of the parent
            along_y, along_x = (m.to(maps.device) for m in self._matrices(placement))
            near_y = _nonzero(along_y[cells // len(along_x)])
            near_x = _nonzero(along_x[cells % len(along_x)])
            windows = itself = torch.zeros((), device=maps.device)
            for y, weight_y in near_y:
                for x, weight_x in near_x:
                    weight = weight_y * weight_x
                    windows = windows + weight[:, None] * self._windows(maps, y, x)
                    itself = itself + weight * maps[:, :, y, x]
        parts = [self.kernels.flatten(1) @ windows.mT, itself[:, :, None]]
        if self.edge.kind == "global":
            parts.append(maps.mean(dim=(2, 3))[:, :, None, None].expand_as(parts[1]))
        return torch.cat(parts, dim=2).flatten(1, 2)

    def _windows(self, maps, y, x):
        """Return the window of the filters around each cell, tensor (n, C, cell, side * side)."""
        side = self.kernels.shape[2]
        padded = functional.pad(maps, [side // 2] * 4)
        return padded.unfold(2, side, 1).unfold(3, side, 1)[:, :, y, x].flatten(3)

    def _projected(self, maps):
        return maps if self.basis is None else torch.einsum("pc,ncyx->npyx", self.basis, maps)

    def _with_responses(self, maps):
        n, channels, height, width = maps.shape
        # grouped by channel: the backward pass is faster than with each channel as a stimulus
        kernels = self.kernels.repeat(channels, 1, 1, 1)
        responses = functional.conv2d(maps, kernels, padding=kernels.shape[2] // 2, groups=channels)
        responses = responses.view(n, channels, len(self.kernels), height, width)
        return torch.cat([responses, maps[:, :, None]], dim=2)

    def _matrices(self, placement):
        """Return the matrices (y, x) from parent to child cells; None where the grids are equal."""
        if placement not in self._along:
            along = cascade.resampling(self.edge, self.parent, self.child, placement)
            same = cascade.same_grid(along)
            self._along[placement] = None if same else [torch.from_numpy(m) for m in along]
        return self._along[placement]

    def _sampled(self, maps, placement):
        along = self._matrices(placement)
        if along is None:
            return maps
        along_y, along_x = (m.to(maps.device) for m in along)
        return torch.einsum("ry,ncyx->ncrx", along_y, maps) @ along_x.T


def _nonzero(rows):
    """Return columns and values of the nonzero elements of each row; a row has at most two."""
    value, column = rows.topk(min(2, rows.shape[1]), dim=1)
    return [(column[:, k], value[:, k]) for k in range(value.shape[1]) if value[:, k].any()]


def weighted_sum(
    weight: torch.Tensor,
    intercept: torch.Tensor,
    phi: torch.Tensor | None,
    features: Sequence[EdgeFeatures],
    parents: Sequence[torch.Tensor],
    placement: Placement,
) -> torch.Tensor:
    """
    Weighted sum of a layer's regressors.

    Parameters
    ----------
    weight : tensor (C, K)
        Weights of the regressors: first of the image, if it is read, then of each edge.
    intercept : tensor (C,)
    phi : tensor (n, regressor, row, column) or None
        Regressors of the image.
    features : sequence of EdgeFeatures
    parents : sequence of tensor (n, channel, row, column)
        Output of each edge's parent.
    placement : geometry.Placement

    Returns
    -------
    total : tensor (n, C, row, column)
    """
    total, first = intercept[None, :, None, None], 0
    if phi is not None:
        first = phi.shape[1]
        total = total + torch.einsum("ck,nkyx->ncyx", weight[:, :first], phi)
    for reader, maps in zip(features, parents, strict=True):
        last = first + reader.width(maps.shape[1])
        total = total + reader.weighted(maps, weight[:, first:last], placement)
        first = last
    return total


class CascadeNet(nn.Module):
    """
    A cascade with trainable weights and fixed filters.

    The trained weights hold for regressors and maps of unit variance, so one step size suits
    all of them.

    Parameters
    ----------
    model : cascade.Cascade
    """

    def __init__(self, model: cascade.Cascade) -> None:
        super().__init__()
        self.model = model
        self.weights, self.intercepts = nn.ParameterDict(), nn.ParameterDict()
        self.softness, self.features = nn.ParameterDict(), nn.ModuleDict()
        by_name = {layer.name: layer for layer in model.layers}
        for layer in model.layers:
            of_map = np.maximum(layer.map_sd, 1e-12)
            of_phi = np.divide(
                1,
                layer.regressor_sd,
                out=np.zeros_like(layer.regressor_sd),
                where=layer.regressor_sd > 0,
            )
            scale = np.outer(of_map, of_phi)
            standard = np.divide(layer.weight, scale, out=np.zeros_like(scale), where=scale > 0)
            self.weights[layer.name] = nn.Parameter(torch.tensor(standard, dtype=torch.float32))
            self.intercepts[layer.name] = nn.Parameter(
                torch.tensor(layer.intercept / of_map, dtype=torch.float32)
            )
            # factor of the residual, trained: better weights leave a smaller residual
            self.softness[layer.name] = nn.Parameter(torch.ones(len(layer.residual_sd)))
            buffers = {
                "scale": scale,
                "map_scale": of_map,
                "mask": layer.weight != 0,
                "residual": layer.residual_sd,
            }
            for key, values in buffers.items():
                tensor = torch.tensor(values, dtype=torch.float32)
                self.register_buffer(f"{key}_{layer.name}", tensor, persistent=key == "mask")
            self.features[layer.name] = nn.ModuleList(
                EdgeFeatures(edge, by_name[edge.parent].layer, layer.layer, model.edge_settings)
                for edge in layer.edges
            )

    def mask(self, name: str) -> torch.Tensor:
        """Return the mask of the weights that are kept, tensor (C, K) of 0 and 1."""
        return getattr(self, f"mask_{name}")

    def natural(self, name: str) -> tuple[torch.Tensor, torch.Tensor]:
        """Return weight (C, K) and intercept (C,) of a layer for regressors in natural units."""
        weight = self.weights[name] * self.mask(name) * getattr(self, f"scale_{name}")
        return weight, self.intercepts[name] * getattr(self, f"map_scale_{name}")

    def linear(
        self,
        name: str,
        phi: Mapping[str, torch.Tensor],
        outputs: Mapping[str, torch.Tensor],
        placement: Placement,
    ) -> torch.Tensor:
        """
        Weighted sum of a layer's regressors.

        Parameters
        ----------
        name : str
        phi : dict of str to tensor (n, K, row, column)
            Regressors of the image, by layer.
        outputs : dict of str to tensor
            Outputs of the layers before this one.
        placement : geometry.Placement

        Returns
        -------
        linear : tensor (n, C, row, column)
        """
        features = cast("Sequence[EdgeFeatures]", self.features[name])
        parents = [outputs[reader.edge.parent] for reader in features]
        weight, intercept = self.natural(name)
        return weighted_sum(weight, intercept, phi.get(name), features, parents, placement)

    def residual(self, name: str) -> torch.Tensor:
        """Return the standard deviation of a layer's error, for its nonlinearity, (C,)."""
        return getattr(self, f"residual_{name}") * self.softness[name].abs()

    def output(self, fitted: cascade.CascadeLayer, linear: torch.Tensor) -> torch.Tensor:
        """Return the expected output of a layer's nonlinearity."""
        return pass_nonlinearity(linear, self.residual(fitted.name), fitted.layer.nonlinearity)

    def forward(
        self, phi: Mapping[str, torch.Tensor], placement: Placement
    ) -> tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]]:
        """
        Reconstruct every layer.

        Parameters
        ----------
        phi : dict of str to tensor (n, K, row, column)
            Regressors of the image, by layer.
        placement : geometry.Placement
            Placement of all stimuli of the batch.

        Returns
        -------
        linear, outputs : dict of str to tensor (n, C, row, column)
        """
        linear, outputs = {}, {}
        for fitted in self.model.layers:
            # autocast may sum in bf16; nonlinearities are computed in float32
            linear[fitted.name] = self.linear(fitted.name, phi, outputs, placement).float()
            outputs[fitted.name] = self.output(fitted, linear[fitted.name])
        return linear, outputs

    @torch.no_grad()
    def export(self) -> cascade.Cascade:
        """
        Return the cascade with the trained weights.

        Returns
        -------
        model : cascade.Cascade
        """
        layers = []
        for layer in self.model.layers:
            weight, intercept = (part.cpu().numpy() for part in self.natural(layer.name))
            residual = self.residual(layer.name).cpu().numpy()
            layers.append(
                dataclasses.replace(layer, weight=weight, intercept=intercept, residual_sd=residual)
            )
        return dataclasses.replace(self.model, layers=layers)
