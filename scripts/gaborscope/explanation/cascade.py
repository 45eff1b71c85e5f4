"""
A cascade: every layer from log-Gabor responses of the reconstructed layers before it.

Torch-free: what an explained model needs to run. `cascadenet` is the same in torch, for fitting.
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
    # what is cut off leaves a mean behind; an even filter passes none
    even = even - even.mean(axis=(1, 2), keepdims=True)
    kept = np.stack([even, cut[:, 1]], axis=1)
    lost = 1 - (kept**2).sum(axis=(1, 2, 3)) / (parts**2).sum(axis=(1, 2, 3))
    return kept.reshape(-1, *kept.shape[2:]).astype(np.float32), float(lost.max())


def edge_kernels(settings: Mapping[str, Any]) -> tuple[np.ndarray, float]:
    """
    Impulse responses of the bank that a layer applies to the layers before it.

    Log-Gabor filters have no end; they are cut at `radius` cells, and the mean of the even ones
    is taken away.

    Parameters
    ----------
    settings : dict
        `n_scales, n_orientations, min_wavelength_cells, scale_factor, bandwidth_ratio,
        radius` (cells), and `control` where another bank takes the place of the log-Gabors.

    Returns
    -------
    kernels : float32 array (2 * filter, side, side)
        Filter by filter the even and the odd one; correlated with a map (not flipped) they give
        the response, `side = 2 radius + 1`.
    lost : float
        Largest share of a filter's energy that the cut costs.
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
    # a response is a convolution, what follows are correlations
    return np.ascontiguousarray(kernels[:, ::-1, ::-1]), lost


def _control_kernels(settings):
    wavelengths = settings["min_wavelength_cells"] * settings["scale_factor"] ** np.arange(
        settings["n_scales"]
    )
    radius = settings["radius"]
    whole = np.zeros((2 * settings["n_scales"] * settings["n_orientations"], *[2 * radius + 1] * 2))
    pairs = controls.kernels(settings["control"], wavelengths, settings["n_orientations"])
    for index, pair in enumerate(pairs):
        own = min(radius, len(pair) // 2)
        near, cut = (slice(half - own, half + own + 1) for half in (radius, len(pair) // 2))
        whole[2 * index, near, near] = pair[cut, cut].real
        whole[2 * index + 1, near, near] = pair[cut, cut].imag
    return np.ascontiguousarray(whole[:, ::-1, ::-1], dtype=np.float32)


def n_kinds(edge: Edge, settings: Mapping[str, Any]) -> int:
    """
    Regressors that one channel of a parent gives.

    Parameters
    ----------
    edge : Edge
    settings : dict
        See `edge_kernels`.

    Returns
    -------
    n : int
        1 for a pointwise edge (the map itself); else the even and odd response of every filter
        and the map itself; one more, its mean, for a global edge.
    """
    if edge.kind == "pointwise":
        return 1
    n = 2 * settings["n_scales"] * settings["n_orientations"] + 1
    return n + 1 if edge.kind == "global" else n


@dataclasses.dataclass
class Edge:
    """
    What a layer reads of one layer before it.

    Attributes
    ----------
    parent : str
    kind : {"pointwise", "local", "global"}
    ratio, offset : (float, float)
        The layer's cell i reads around the parent's cell `ratio * i + offset`, y and x.
    basis : float32 array (principal channel, channel) or None
        Projection of the parent's channels; None: all channels as they are.
    variance : float
        Share of the parent's variance that the principal channels hold.
    """

    parent: str
    kind: str
    ratio: tuple[float, float]
    offset: tuple[float, float]
    basis: np.ndarray | None
    variance: float = 1.0

    def n_channels(self, parent_channels: int) -> int:
        """Return the number of channels that are filtered."""
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
        Whether it reads the image's regressors (they come first).
    edges : list of Edge
    weight : float32 array (C, K)
    intercept, residual_sd : float32 array (C,)
    regressor_sd : float32 array (K,)
        Standard deviation of each regressor on the fit split; 0 where it is constant.
    map_sd : float32 array (C,)
        Of each map on the fit split.
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
        """Lay the weights out as a file gives them: sums then run in one order, saved or not."""
        self.weight = np.ascontiguousarray(self.weight)

    @property
    def settings(self) -> dict[str, Any]:
        """How its maps are sampled where they are fused: as they are."""
        return POINT

    def output(self, linear: np.ndarray) -> np.ndarray:
        """
        Pass the layer's nonlinearity.

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
    Grid of a layer and its cells in the content.

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
    Ratio and offset of an edge on the grids that are recorded.

    Parameters
    ----------
    node : dict
        `ratio` and `offset` on the network's own grids, as `graph.measure_graph` gives them.
    parent, child : Layer
        Cells may have been averaged (`pool`).

    Returns
    -------
    ratio, offset : (float, float)
    """
    p, q = parent.pool, child.pool
    ratio = tuple(own * q / p for own in node["ratio"])
    offset = tuple(
        (own * (q - 1) / 2 + shift - (p - 1) / 2) / p
        for own, shift in zip(node["ratio"], node["offset"], strict=True)
    )
    return ratio, offset


def resampling(
    edge: Edge, parent: Layer, child: Layer, placement: geometry.Placement
) -> tuple[np.ndarray, np.ndarray]:
    """
    Matrices from the valid cells of one layer to those of another, along y and x.

    Parameters
    ----------
    edge : Edge
    parent, child : Layer
    placement : geometry.Placement

    Returns
    -------
    along_y, along_x : float32 array (child cell, parent cell)
        Linear interpolation at the cells that the child reads around.
    """
    (_, near), (_, own) = (grid_of(layer, placement) for layer in (parent, child))
    matrices = []
    for axis in (0, 1):
        index = np.arange(own[axis].start, own[axis].stop)
        position = edge.ratio[axis] * index + edge.offset[axis] - near[axis].start
        n = near[axis].stop - near[axis].start
        matrices.append(geometry.sampling_matrix(n, tuple(position.tolist()), "point", 1.0))
    along_y, along_x = matrices
    return along_y, along_x


def filters_first(edge: Edge) -> bool:
    """Return whether filters act on the parent's grid: where that is at least as fine."""
    return edge.ratio[0] > 0.99


def same_grid(along: Iterable[np.ndarray]) -> bool:
    """Return whether matrices of `resampling` change nothing."""
    return all(m.shape[0] == m.shape[1] and np.array_equal(m, np.eye(len(m))) for m in along)


def _filtered(maps, kernels):
    """Even and odd responses of maps, float32 (C, row, column) to (C, 2F, row, column)."""
    radius = kernels.shape[1] // 2
    flat = kernels.reshape(len(kernels), -1)
    found = np.empty((len(maps), len(kernels), *maps.shape[1:]), np.float32)
    for channel, values in enumerate(maps):
        windows = np.lib.stride_tricks.sliding_window_view(
            np.pad(values, radius), kernels.shape[1:]
        )
        found[channel] = (flat @ windows.reshape(-1, flat.shape[1]).T).reshape(found.shape[1:])
    return found


def edge_regressors(
    maps: np.ndarray,
    edge: Edge,
    parent: Layer,
    child: Layer,
    placement: geometry.Placement,
    settings: Mapping[str, Any],
) -> np.ndarray:
    """
    Regressors that a layer takes from one layer before it.

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
        On the child's valid cells, channel by channel: the responses, the map itself, its mean.
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
        whole = sampled(np.concatenate([_filtered(maps, kernels), maps[:, None]], axis=1))
    else:
        fine = sampled(maps)
        whole = np.concatenate([_filtered(fine, kernels), fine[:, None]], axis=1)
    if edge.kind == "global":
        mean = maps.mean(axis=(1, 2))[:, None, None, None]
        whole = np.concatenate([whole, np.broadcast_to(mean, (len(maps), 1, *whole.shape[2:]))], 1)
    return whole.reshape(-1, *whole.shape[2:]).astype(np.float32)


@dataclasses.dataclass
class Cascade:
    """
    All layers of a cascade with the banks that they use.

    Attributes
    ----------
    box : geometry.Box or (int, int)
        The explained network's input for landscape stimuli.
    image_settings : dict
        Of the regressors of the image, with their `pool`.
    edge_settings : dict
        See `edge_kernels`.
    layers : list of CascadeLayer
        Parents before children.
    """

    box: geometry.Box | tuple[int, int]
    image_settings: dict[str, Any]
    edge_settings: dict[str, Any]
    layers: list[CascadeLayer]

    @property
    def sinks(self) -> list[CascadeLayer]:
        """List of the layers that no other layer reads: those that are fused."""
        read = {edge.parent for own in self.layers for edge in own.edges}
        return [own for own in self.layers if own.name not in read]

    def image_regressors(
        self, image: np.ndarray
    ) -> tuple[dict[str, np.ndarray], geometry.Placement]:
        """
        Regressors of the image for every layer that reads it.

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
        """Return `image_regressors` of a stimulus already resized to its content."""
        regressors = layer_tools.make_regressors(self.image_settings)
        readers = [own for own in self.layers if own.image]
        wanted = [layer_tools.target(own.layer, placement, self.image_settings) for own in readers]
        unique = list(dict.fromkeys(wanted))
        computed = dict(zip(unique, regressors.compute(content, placement, unique), strict=True))
        return {own.name: computed[where] for own, where in zip(readers, wanted, strict=True)}

    def reconstruct(self, image: np.ndarray) -> tuple[dict[str, np.ndarray], geometry.Placement]:
        """
        Reconstruct every layer from an image alone.

        Parameters
        ----------
        image : uint8 array (height, width, 3)
            RGB.

        Returns
        -------
        outputs : dict of str to float32 array (C, row, column)
            The nonlinearity passed, on the valid cells of each layer.
        placement : geometry.Placement
        """
        phi, placement = self.image_regressors(image)
        known, outputs = {own.name: own.layer for own in self.layers}, {}
        for own in self.layers:
            parts = [phi[own.name]] if own.image else []
            parts += [
                edge_regressors(
                    outputs[edge.parent], edge, known[edge.parent], own.layer, placement,
                    self.edge_settings,
                )
                for edge in own.edges
            ]  # fmt: skip
            outputs[own.name] = own.output(_linear(own, parts))
        return outputs, placement


def _linear(own, parts):
    """Weighted sum of regressors and intercept, part by part."""
    shape = parts[0].shape[1:]
    total = np.repeat(own.intercept[:, None].astype(np.float32), math.prod(shape), axis=1)
    first = 0
    for part in parts:
        weight = own.weight[:, first : first + len(part)]
        total += weight @ part.reshape(len(part), -1)
        first += len(part)
    return total.reshape(-1, *shape)
