"""A cascade in torch: the same arithmetic as `cascade`, batched and differentiable."""

import dataclasses
import math

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from gaborscope import cascade


def pass_nonlinearity(linear, residual_sd, nonlinearity):
    """
    Return the expected output of a nonlinearity, as `nonlinearity.through_nonlinearity`.

    Parameters
    ----------
    linear : tensor (n, C, row, column)
    residual_sd : tensor (C,)
        0: the nonlinearity itself.
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
    sd = residual_sd.clamp(min=1e-12)[None, :, None, None]
    ratio = linear / sd
    density = torch.exp(-(ratio**2) / 2) / math.sqrt(2 * math.pi)
    return linear * torch.special.ndtr(ratio) + sd * density


class EdgeFeatures(nn.Module):
    """
    Regressors that a layer takes from one before it, as `cascade.edge_regressors`.

    Parameters
    ----------
    edge : cascade.Edge
    parent, child : dict
        Layers, as `recording.measure_layers` gives them.
    settings : dict
        See `cascade.edge_kernels`.
    """

    def __init__(self, edge, parent, child, settings):
        super().__init__()
        self.edge, self.parent, self.child = edge, parent, child
        kernels, _ = cascade.edge_kernels(settings)
        self.register_buffer("kernels", torch.from_numpy(kernels)[:, None], persistent=False)
        basis = None if edge.basis is None else torch.from_numpy(np.asarray(edge.basis))
        self.register_buffer("basis", basis, persistent=False)
        self._along = {}

    def forward(self, maps, placement):
        """Map (n, C, row, column) of the parent to (n, K, row, column) of the child."""
        if self.basis is not None:
            maps = torch.einsum("pc,ncyx->npyx", self.basis, maps)
        if self.edge.kind == "pointwise":
            return self._sampled(maps, placement)
        if cascade.filters_first(self.edge):
            whole = self._sampled(self._with_responses(maps).flatten(1, 2), placement)
            whole = whole.unflatten(1, (maps.shape[1], -1))
        else:
            whole = self._with_responses(self._sampled(maps, placement))
        if self.edge.kind == "global":
            mean = maps.mean(dim=(2, 3))[:, :, None, None, None]
            whole = torch.cat([whole, mean.expand(-1, -1, 1, *whole.shape[3:])], dim=2)
        return whole.flatten(1, 2)

    def _with_responses(self, maps):
        n, channels, height, width = maps.shape
        # one group per channel: faster backwards than one channel per stimulus
        kernels = self.kernels.repeat(channels, 1, 1, 1)
        found = functional.conv2d(maps, kernels, padding=kernels.shape[2] // 2, groups=channels)
        found = found.view(n, channels, len(self.kernels), height, width)
        return torch.cat([found, maps[:, :, None]], dim=2)

    def _sampled(self, maps, placement):
        if placement not in self._along:
            along = cascade.resampling(self.edge, self.parent, self.child, placement)
            same = cascade.same_grid(along)
            self._along[placement] = None if same else [torch.from_numpy(m) for m in along]
        along = self._along[placement]
        if along is None:
            return maps
        along_y, along_x = (m.to(maps.device) for m in along)
        return torch.einsum("ry,ncyx->ncrx", along_y, maps) @ along_x.T


class CascadeNet(nn.Module):
    """
    A cascade whose weights can be trained; its filters cannot.

    What is trained is each weight for regressors and maps of unit variance, so that one step size
    suits all.

    Parameters
    ----------
    model : cascade.Cascade
    """

    def __init__(self, model):
        super().__init__()
        self.model = model
        self.weights, self.intercepts = nn.ParameterDict(), nn.ParameterDict()
        self.softness, self.features = nn.ParameterDict(), nn.ModuleDict()
        known = {own.name: own for own in model.layers}
        for own in model.layers:
            of_map = np.maximum(own.map_sd, 1e-12)
            of_phi = np.divide(
                1, own.regressor_sd, out=np.zeros_like(own.regressor_sd), where=own.regressor_sd > 0
            )
            scale = np.outer(of_map, of_phi)
            standard = np.divide(own.weight, scale, out=np.zeros_like(scale), where=scale > 0)
            self.weights[own.name] = nn.Parameter(torch.tensor(standard, dtype=torch.float32))
            self.intercepts[own.name] = nn.Parameter(
                torch.tensor(own.intercept / of_map, dtype=torch.float32)
            )
            # how soft the nonlinearity is may change with what is left unexplained
            self.softness[own.name] = nn.Parameter(torch.ones(len(own.residual_sd)))
            buffers = {
                "scale": scale,
                "map_scale": of_map,
                "mask": own.weight != 0,
                "residual": own.residual_sd,
            }
            for key, values in buffers.items():
                tensor = torch.tensor(values, dtype=torch.float32)
                self.register_buffer(f"{key}_{own.name}", tensor, persistent=key == "mask")
            self.features[own.name] = nn.ModuleList(
                EdgeFeatures(edge, known[edge.parent].layer, own.layer, model.edge_settings)
                for edge in own.edges
            )

    def mask(self, name):
        """Return the mask of the weights that are kept, tensor (C, K) of 0 and 1."""
        return getattr(self, f"mask_{name}")

    def natural(self, name):
        """Weight (C, K) and intercept (C,) of a layer for the regressors as they are."""
        weight = self.weights[name] * self.mask(name) * getattr(self, f"scale_{name}")
        return weight, self.intercepts[name] * getattr(self, f"map_scale_{name}")

    def regressors(self, name, phi, outputs, placement):
        """
        All regressors of one layer.

        Parameters
        ----------
        name : str
        phi : dict of str to tensor (n, K, row, column)
            Of the image.
        outputs : dict of str to tensor
            Of the layers before it.
        placement : geometry.Placement

        Returns
        -------
        parts : list of tensor (n, K, row, column)
        """
        features = self.features[name]
        parts = [phi[name]] if name in phi else []
        return parts + [one(outputs[one.edge.parent], placement) for one in features]

    def linear(self, name, parts):
        """Weighted sum of a layer's regressors, tensor (n, C, row, column)."""
        weight, intercept = self.natural(name)
        total, first = intercept[None, :, None], 0
        for part in parts:
            own = weight[:, first : first + part.shape[1]]
            total = total + own @ part.flatten(2)
            first += part.shape[1]
        return total.unflatten(2, parts[0].shape[2:])

    def residual(self, name):
        """Spread that a layer's nonlinearity is averaged over, tensor (C,)."""
        return getattr(self, f"residual_{name}") * self.softness[name].abs()

    def output(self, own, linear):
        """Pass a layer's nonlinearity."""
        return pass_nonlinearity(linear, self.residual(own.name), own.layer["nonlinearity"])

    def forward(self, phi, placement):
        """
        Reconstruct every layer.

        Parameters
        ----------
        phi : dict of str to tensor (n, K, row, column)
        placement : geometry.Placement
            Of all stimuli of the batch.

        Returns
        -------
        linear, outputs : dict of str to tensor (n, C, row, column)
        """
        linear, outputs = {}, {}
        for own in self.model.layers:
            parts = self.regressors(own.name, phi, outputs, placement)
            # sums of bf16 products, where autocast makes them; nonlinearities are float32
            linear[own.name] = self.linear(own.name, parts).float()
            outputs[own.name] = self.output(own, linear[own.name])
        return linear, outputs

    @torch.no_grad()
    def export(self):
        """
        Write the weights back.

        Returns
        -------
        model : cascade.Cascade
        """
        layers = []
        for own in self.model.layers:
            weight, intercept = (part.cpu().numpy() for part in self.natural(own.name))
            residual = self.residual(own.name).cpu().numpy()
            layers.append(
                dataclasses.replace(own, weight=weight, intercept=intercept, residual_sd=residual)
            )
        return dataclasses.replace(self.model, layers=layers)
