"""
A cascade reconstructs every layer from log-Gabor responses of the reconstructed layers before it.

This module needs no torch, so an explained model runs without it. `cascades.network` is the same
computation in torch, for fitting.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from gaborscope.explanation import layers as layer_tools
from gaborscope.filters import controls
from gaborscope.filters.loggabor import LogGaborBank
from gaborscope.fitting.nonlinearity import through_nonlinearity
from gaborscope.stimuli import geometry
from gaborscope.stimuli.layer import Layer

POINT = {"pool": {"kind": "point", "width": 1.0}}


@functools.lru_cache(maxsize=8)
def _kernels(n_scales, n_orientations, wavelength, factor, ratio, radius):
    bank = LogGaborBank(n_scales, n_orientations, wavelength, factor, ratio)
    side = 8 * radius + 1
    impulse = np.zeros((side, side))
    impulse[side // 2, side // 2] = 1
    responses = bank.responses(impulse, boundary="periodic", precision="double")
    near = slice(side // 2 - radius, side // 2 + radius + 1)
    parts = np.stack([responses.real, responses.imag], axis=1)
    cut = parts[:, :, near, near]
    even = cut[:, 0]
    # a cut even filter has a mean, a log-Gabor filter has none
    even = even - even.mean(axis=(1, 2), keepdims=True)
    kept = np.stack([even, cut[:, 1]], axis=1)
    lost = 1 - (kept**2).sum(axis=(1, 2, 3)) / (parts**2).sum(axis=(1, 2, 3))
    return kept.reshape(-1, *kept.shape[2:]).astype(np.float32), float(lost.max())


def edge_kernels(settings: Mapping[str, Any]) -> tuple[np.ndarray, float]:
    """
    Return the kernels that a layer applies to the layers before it.

    They are impulse responses of a log-Gabor bank. Log-Gabor filters extend without limit. They are
    cut at `radius` cells, and the mean of the even kernels is subtracted.

    Parameters
    ----------
    settings : dict
        `n_scales, n_orientations, min_wavelength_cells, scale_factor, bandwidth_ratio,
        radius` (cells). With the keys `control` and `draw` another bank replaces the log-Gabors.

    Returns
    -------
    kernels : float32 array (2 * filter, side, side)
        For each filter the even, then the odd kernel; `side = 2 radius + 1`. They are correlated
        with a map (not flipped) to give the response.
    lost : float
        Largest share of energy that a filter loses by the cut.
    """
    if settings.get("control") is not None:
        return _control_kernels(settings), 0.0
    kernels, lost = _kernels(
        settings["n_scales"],
        settings["n_orientations"],
        settings["min_wavelength_cells"],
        settings["scale_factor"],
        settings["bandwidth_ratio"],
        settings["radius"],
    )
    # a response is a convolution; flipped kernels make it a correlation
    return np.ascontiguousarray(kernels[:, ::-1, ::-1]), lost


def _control_kernels(settings):
    names = "n_scales", "n_orientations", "min_wavelength_cells", "scale_factor", "bandwidth_ratio"
    bank, radius = LogGaborBank(*(settings[name] for name in names)), settings["radius"]
    kernels = np.zeros((2 * bank.n_filters, *[2 * radius + 1] * 2))
    pairs = controls.kernels(settings["control"], bank, settings.get("draw", 0))
    for index, pair in enumerate(pairs):
        reach = min(radius, len(pair) // 2)
        near, cut = (slice(half - reach, half + reach + 1) for half in (radius, len(pair) // 2))
        kept = pair[cut, cut]
        if kept.size < pair.size and settings["control"] != "pixel":
            kept = kept - kept.mean()
        kernels[2 * index, near, near] = kept.real
        kernels[2 * index + 1, near, near] = kept.imag
    return np.ascontiguousarray(kernels[:, ::-1, ::-1], dtype=np.float32)


def n_kinds(edge: Edge, settings: Mapping[str, Any]) -> int:
    """
    Return the number of regressors that one channel of a parent gives.

    Parameters
    ----------
    edge : Edge
    settings : dict
        See `edge_kernels`.

    Returns
    -------
    n : int
        1 for a pointwise edge: the map. For a local edge also the even and the odd response of
        every filter. For a global edge also the mean of the map.
    """
    if edge.kind == "pointwise":
        return 1
    n = 2 * settings["n_scales"] * settings["n_orientations"] + 1
    return n + 1 if edge.kind == "global" else n


@dataclasses.dataclass
class Edge:
    """
    Connection from one layer (the parent) to a layer that is reconstructed from it.

    Attributes
    ----------
    parent : str
        Name of the layer that is read.
    kind : {"pointwise", "local", "global"}
        See `n_kinds`.
    ratio, offset : (float, float)
        For y and x: cell i of the reading layer is centred on cell `ratio * i + offset` of the
        parent.
    basis : float32 array (principal channel, channel) or None
        Projection of the parent's channels to principal channels. None takes all channels.
    variance : float
        Share of the parent's variance in the principal channels.
    """

    parent: str
    kind: str
    ratio: tuple[float, float]
    offset: tuple[float, float]
    basis: np.ndarray | None
    variance: float = 1.0

    def n_channels(self, parent_channels: int) -> int:
        """Return the number of channels that the kernels are applied to."""
        return parent_channels if self.basis is None else len(self.basis)


@dataclasses.dataclass
class CascadeLayer:
    """
    One layer of a cascade.

    Attributes
    ----------
    name : str
    layer : Layer
    image : bool
        Whether it reads the regressors of the image, which come before the regressors of the edges.
    edges : list of Edge
    weight : float32 array (C, K)
    intercept, residual_sd : float32 array (C,)
    regressor_sd : float32 array (K,)
        Standard deviation of each regressor on the fit split; 0 where it is constant.
    map_sd : float32 array (C,)
        Standard deviation of each map on the fit split.
    """

    name: str
    layer: Layer
    image: bool
    edges: list[Edge]
    weight: np.ndarray
    intercept: np.ndarray
    residual_sd: np.ndarray
    regressor_sd: np.ndarray
    map_sd: np.ndarray

    def __post_init__(self) -> None:
        """Make the weights contiguous, as read from a file, so that sums have the same rounding."""
        self.weight = np.ascontiguousarray(self.weight)

    @property
    def settings(self) -> dict[str, Any]:
        """Pooling of its maps for the fusion: none, cells are read as points."""
        return POINT

    def output(self, linear: np.ndarray) -> np.ndarray:
        """
        Apply the nonlinearity of the layer.

        Parameters
        ----------
        linear : float32 array (C, row, column)

        Returns
        -------
        output : float32 array (C, row, column)
        """
        passed = through_nonlinearity(linear, self.residual_sd, self.layer.nonlinearity)
        return passed.astype(np.float32)


def grid_of(
    layer: Layer, placement: geometry.Placement
) -> tuple[geometry.Grid, tuple[slice, slice]]:
    """
    Return the grid of a layer and the cells with a centre in the content.

    Parameters
    ----------
    layer : Layer
    placement : geometry.Placement

    Returns
    -------
    grid : geometry.Grid
    cells : (slice, slice)
    """
    grid = layer.grid(placement)
    return grid, grid.cells(placement)


def between(
    node: Mapping[str, Any], parent: Layer, child: Layer
) -> tuple[tuple[float, float], tuple[float, float]]:
    """
    Return ratio and offset of an edge on the recorded grids.

    Parameters
    ----------
    node : dict
        `ratio` and `offset` on the grids of the network, as `cascades.graph.measure_graph` gives
        them.
    parent, child : Layer

    Returns
    -------
    ratio, offset : (float, float)
    """
    p, q = parent.pool, child.pool
    ratio = tuple(step * q / p for step in node["ratio"])
    offset = tuple(
        (step * (q - 1) / 2 + shift - (p - 1) / 2) / p
        for step, shift in zip(node["ratio"], node["offset"], strict=True)
    )
    return ratio, offset


def resampling(
    edge: Edge, parent: Layer, child: Layer, placement: geometry.Placement
) -> tuple[np.ndarray, np.ndarray]:
    """
    Return the matrices that resample valid cells of a parent to cells of a child, for y and x.

    Parameters
    ----------
    edge : Edge
    parent, child : Layer
    placement : geometry.Placement

    Returns
    -------
    along_y, along_x : float32 array (child cell, parent cell)
        Linear interpolation of the parent at the centres of the child's cells.
    """
    (_, parent_cells), (_, child_cells) = (grid_of(layer, placement) for layer in (parent, child))
    matrices = []
    for axis in (0, 1):
        index = np.arange(child_cells[axis].start, child_cells[axis].stop)
        position = edge.ratio[axis] * index + edge.offset[axis] - parent_cells[axis].start
        n = parent_cells[axis].stop - parent_cells[axis].start
        matrices.append(geometry.sampling_matrix(n, tuple(position.tolist()), "point", 1.0))
    along_y, along_x = matrices
    return along_y, along_x


def filters_first(edge: Edge) -> bool:
    """Return whether filters act on the parent's grid, which they do if it is at least as fine."""
    return edge.ratio[0] > 0.99


def same_grid(along: Iterable[np.ndarray]) -> bool:
    """Return whether both matrices of `resampling` are identities."""
    return all(m.shape[0] == m.shape[1] and np.array_equal(m, np.eye(len(m))) for m in along)


def _filtered(maps, kernels):
    """Filter float32 maps (C, row, column) to even and odd responses (C, 2F, row, column)."""
    radius = kernels.shape[1] // 2
    flat = kernels.reshape(len(kernels), -1)
    responses = np.empty((len(maps), len(kernels), *maps.shape[1:]), np.float32)
    for channel, values in enumerate(maps):
        windows = np.lib.stride_tricks.sliding_window_view(
            np.pad(values, radius), kernels.shape[1:]
        )
        responses[channel] = (flat @ windows.reshape(-1, flat.shape[1]).T).reshape(
            responses.shape[1:]
        )
    return responses


def edge_regressors(
    maps: np.ndarray,
    edge: Edge,
    parent: Layer,
    child: Layer,
    placement: geometry.Placement,
    settings: Mapping[str, Any],
) -> np.ndarray:
    """
    Return the regressors of one edge.

    Parameters
    ----------
    maps : float32 array (C, row, column)
        Reconstructed output of the parent on its valid cells.
    edge : Edge
    parent, child : Layer
    placement : geometry.Placement
    settings : dict
        See `edge_kernels`.

    Returns
    -------
    phi : float32 array (K, row, column)
        On the child's valid cells. For each channel in turn: the responses, the map, its mean (see
        `n_kinds`).
    """
    if edge.basis is not None:
        maps = np.tensordot(edge.basis, maps, axes=1)
    along = resampling(edge, parent, child, placement)

    def sampled(values):
        return values if same_grid(along) else along[0] @ values @ along[1].T

    if edge.kind == "pointwise":
        return np.ascontiguousarray(sampled(maps), dtype=np.float32)
    kernels, _ = edge_kernels(settings)
    if filters_first(edge):
        phi = sampled(np.concatenate([_filtered(maps, kernels), maps[:, None]], axis=1))
    else:
        fine = sampled(maps)
        phi = np.concatenate([_filtered(fine, kernels), fine[:, None]], axis=1)
    if edge.kind == "global":
        mean = maps.mean(axis=(1, 2))[:, None, None, None]
        phi = np.concatenate([phi, np.broadcast_to(mean, (len(maps), 1, *phi.shape[2:]))], 1)
    return phi.reshape(-1, *phi.shape[2:]).astype(np.float32)


@dataclasses.dataclass
class Cascade:
    """
    All layers of a cascade with the banks that they use.

    Attributes
    ----------
    box : geometry.Box or (int, int)
        Input of the explained network for landscape stimuli.
    image_settings : dict
        Settings of the regressors of the image, with their `pool`.
    edge_settings : dict
        See `edge_kernels`.
    layers : list of CascadeLayer
        Parents before children.
    """

    box: geometry.Box | tuple[int, int]
    image_settings: dict[str, Any]
    edge_settings: dict[str, Any]
    layers: list[CascadeLayer]

    def fused(self, which: str) -> list[CascadeLayer]:
        """
        Return the layers that are fused into the saliency map.

        Parameters
        ----------
        which : {"sinks", "all"}
            The layers that no other layer reads, or all.
        """
        return self.sinks if which == "sinks" else self.layers

    @property
    def sinks(self) -> list[CascadeLayer]:
        """Return the layers that no other layer reads."""
        read = {edge.parent for fitted in self.layers for edge in fitted.edges}
        return [fitted for fitted in self.layers if fitted.name not in read]

    def image_regressors(
        self, image: np.ndarray
    ) -> tuple[dict[str, np.ndarray], geometry.Placement]:
        """
        Return the regressors of an image for every layer that reads the image.

        Parameters
        ----------
        image : uint8 array (height, width, 3)

        Returns
        -------
        phi : dict of str to float32 array (K, row, column)
        placement : geometry.Placement
        """
        placement = geometry.place(image.shape[:2], self.box)
        return self.content_regressors(geometry.content(image, placement), placement), placement

    def content_regressors(
        self, content: np.ndarray, placement: geometry.Placement
    ) -> dict[str, np.ndarray]:
        """Return `image_regressors` of an image that is already resized to its content."""
        regressors = layer_tools.make_regressors(self.image_settings)
        readers = [fitted for fitted in self.layers if fitted.image]
        targets = [
            layer_tools.target(fitted.layer, placement, self.image_settings) for fitted in readers
        ]
        unique = list(dict.fromkeys(targets))
        computed = dict(zip(unique, regressors.compute(content, placement, unique), strict=True))
        return {
            fitted.name: computed[target] for fitted, target in zip(readers, targets, strict=True)
        }

    def reconstruct(self, image: np.ndarray) -> tuple[dict[str, np.ndarray], geometry.Placement]:
        """
        Reconstruct every layer from an image.

        Parameters
        ----------
        image : uint8 array (height, width, 3)
            RGB.

        Returns
        -------
        outputs : dict of str to float32 array (C, row, column)
            Outputs after the nonlinearity, on the valid cells of each layer.
        placement : geometry.Placement
        """
        phi, placement = self.image_regressors(image)
        known, outputs = {fitted.name: fitted.layer for fitted in self.layers}, {}
        for fitted in self.layers:
            parts = [phi[fitted.name]] if fitted.image else []
            parts += [
                edge_regressors(
                    outputs[edge.parent], edge, known[edge.parent], fitted.layer, placement,
                    self.edge_settings,
                )
                for edge in fitted.edges
            ]  # fmt: skip
            outputs[fitted.name] = fitted.output(_linear(fitted, parts))
        return outputs, placement


def _linear(fitted, parts):
    """Weighted sum of the regressors in all parts, plus the intercept."""
    shape = parts[0].shape[1:]
    total = np.repeat(fitted.intercept[:, None].astype(np.float32), math.prod(shape), axis=1)
    first = 0
    for part in parts:
        weight = fitted.weight[:, first : first + len(part)]
        total += weight @ part.reshape(len(part), -1)
        first += len(part)
    return total.reshape(-1, *shape)
