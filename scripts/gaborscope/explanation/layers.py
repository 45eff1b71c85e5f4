"""Layers of an explanation: their grids, weights and reconstruction."""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from gaborscope.filters.loggabor import LogGaborBank
from gaborscope.filters.regressors import Regressors
from gaborscope.filters.terms import Terms
from gaborscope.fitting.nonlinearity import through_nonlinearity
from gaborscope.stimuli import colour as colours
from gaborscope.stimuli import geometry
from gaborscope.stimuli.block import StimulusBlock
from gaborscope.stimuli.layer import Layer, Sampling


def make_regressors(settings: Mapping[str, Any]) -> Regressors:
    """
    Make the regressors from the settings of an explanation.

    Parameters
    ----------
    settings : dict
        `bank, colour, kinds, residual, normalisation, position, boundary` of the config;
        `control`, `draw`, `second_stage`, `mechanisms`, `concepts` and `swapped` are optional.

    Returns
    -------
    regressors : Regressors
    """
    return Regressors(
        bank=dict(settings["bank"]),
        colour=settings["colour"],
        kinds=tuple(settings["kinds"]),
        residual=settings["residual"],
        normalisation=settings["normalisation"],
        position=settings["position"],
        boundary=settings["boundary"],
        control=settings.get("control"),
        draw=settings.get("draw", 0),
        second_stage=settings.get("second_stage", False),
        mechanisms=tuple(settings.get("mechanisms", ())),
        concepts=tuple(settings.get("concepts", ())),
        swapped=settings.get("swapped", False),
    )


def expanded(phi: np.ndarray, settings: Mapping[str, Any]) -> np.ndarray:
    """
    Put the terms of a layer's readout behind its regressors.

    Parameters
    ----------
    phi : float32 array (K, ...)
    settings : dict
        Of a layer; `offered` is optional, see `filters.terms.Terms.to_json`.

    Returns
    -------
    expanded : float32 array (K + terms, ...)
    """
    terms = settings.get("offered")
    return phi if terms is None else Terms.from_json(terms).expand(phi)


def table(settings: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """
    Describe the regressors of a layer, and behind them the terms of its readout.

    Parameters
    ----------
    settings : dict
        Of a layer, as for `make_regressors` and `expanded`.

    Returns
    -------
    table : dict of str to array (K,)
        See `Regressors.table`.
    """
    regressors, terms = make_regressors(settings).table(), settings.get("offered")
    return regressors if terms is None else Terms.from_json(terms).table(regressors)


def bank_and_channels(settings: Mapping[str, Any]) -> tuple[LogGaborBank, tuple[str, ...]]:
    """
    Return the bank and the names of the colour channels from the settings of an explanation.

    Parameters
    ----------
    settings : dict
        As for `make_regressors`.

    Returns
    -------
    bank : loggabor.LogGaborBank
    channels : tuple of str
    """
    return LogGaborBank(**settings["bank"]), colours.CHANNELS[settings["colour"]]


def target(layer: Layer, placement: geometry.Placement, settings: Mapping[str, Any]) -> Sampling:
    """
    Return the grid of a layer and how regressors are pooled to it.

    Parameters
    ----------
    layer : Layer
    placement : geometry.Placement
    settings : dict
        `pool`: `kind`, and `width` in strides of the layer.

    Returns
    -------
    target : Sampling
    """
    pool = settings["pool"]
    return Sampling(layer.grid(placement), pool["kind"], float(pool["width"] * layer.stride[0]))


class Reconstructed(Protocol):
    """A layer that an explanation reconstructs, from the image or in a cascade."""

    @property
    def name(self) -> str:
        """Name in the config."""
        ...

    @property
    def layer(self) -> Layer:
        """Measured layer of the network."""
        ...


@dataclasses.dataclass
class FittedLayer:
    """
    One layer of an explanation.

    Attributes
    ----------
    name : str
    layer : Layer
    settings : dict
        Settings of the regressors, as in the config, with the chosen `pool`.
    weight : float32 array (C, K)
    intercept, residual_sd : float32 array (C,)
    """

    name: str
    layer: Layer
    settings: Mapping[str, Any]
    weight: np.ndarray
    intercept: np.ndarray
    residual_sd: np.ndarray

    def reconstruct(self, phi: np.ndarray) -> np.ndarray:
        """
        Reconstruct the output of the layer, after its nonlinearity.

        Parameters
        ----------
        phi : float32 array (K, row, column)

        Returns
        -------
        maps : float32 array (C, row, column)
        """
        flat = phi.reshape(len(phi), -1)
        linear = self.weight @ flat + self.intercept[:, None]
        maps = through_nonlinearity(linear, self.residual_sd, self.layer.nonlinearity)
        return maps.reshape(-1, *phi.shape[1:]).astype(np.float32)

    def weighted_sum(self, phi: np.ndarray, weight: np.ndarray) -> np.ndarray:
        """
        Return the weighted sum of the layer's reconstructed maps.

        Maps of weight 0 are not computed.

        Parameters
        ----------
        phi : float32 array (K, row, column)
        weight : float array (C,)

        Returns
        -------
        total : float32 array (row, column)
        """
        if self.layer.nonlinearity == "none":
            return sums_of_sums([self], phi, [weight])[0]
        kept = np.flatnonzero(weight)
        subset = dataclasses.replace(
            self,
            weight=self.weight[kept],
            intercept=self.intercept[kept],
            residual_sd=self.residual_sd[kept],
        )
        maps = subset.reconstruct(phi).reshape(len(kept), phi[0].size)
        total = np.asarray(weight)[kept].astype(np.float32) @ maps
        return total.reshape(phi.shape[1:]).astype(np.float32)


def sums_of_sums(
    layers: Sequence[FittedLayer], phi: np.ndarray, weights: Sequence[np.ndarray]
) -> np.ndarray:
    """
    Return the weighted sum of the reconstructed maps of each layer without making the maps.

    Parameters
    ----------
    layers : sequence of FittedLayer
        Layers without a nonlinearity and with the same regressors.
    phi : float32 array (K, row, column)
    weights : sequence of float array (C,)
        One per layer.

    Returns
    -------
    totals : float32 array (layer, row, column)
    """
    pairs = [
        (fitted, np.asarray(weight, np.float32))
        for fitted, weight in zip(layers, weights, strict=True)
    ]
    combined = np.stack([weight @ fitted.weight for fitted, weight in pairs])
    offset = np.array([weight @ fitted.intercept for fitted, weight in pairs], np.float32)
    totals = combined @ phi.reshape(len(phi), -1) + offset[:, None]
    return totals.reshape(len(layers), *phi.shape[1:])


def as_fitted(layer: Layer, settings: Mapping[str, Any]) -> Layer:
    """
    Return the description of a layer as an explanation fits it.

    Parameters
    ----------
    layer : Layer
    settings : dict
        Settings of the explanation. `activation` says whether the input or the output of the
        layer's nonlinearity is fitted.

    Returns
    -------
    layer : Layer
        If the output is fitted, `nonlinearity` is "none" and `passed` names the nonlinearity.
    """
    if settings["activation"] == "input":
        return layer
    return dataclasses.replace(layer, nonlinearity="none", passed=layer.nonlinearity)


def fitted_layer(filters: Mapping[str, Any]) -> FittedLayer:
    """
    Make a layer of an explanation from the content of its filters file.

    Parameters
    ----------
    filters : dict
        From `fitting.files.read_filters`.

    Returns
    -------
    fitted : FittedLayer
    """
    return FittedLayer(
        name=filters["layer"].name,
        layer=filters["layer"],
        settings=filters["regressors"],
        weight=filters["weight"],
        intercept=filters["intercept"],
        residual_sd=filters["residual_sd"],
    )


def with_weights(
    fitted: FittedLayer,
    weight: np.ndarray,
    intercept: np.ndarray,
    residual_sd: np.ndarray | None = None,
) -> FittedLayer:
    """
    Return a copy of a layer with other weights.

    Parameters
    ----------
    fitted : FittedLayer
    weight : float array (C, K)
    intercept : float array (C,)
    residual_sd : float array (C,), optional
        None keeps the values of the layer.

    Returns
    -------
    other : FittedLayer
    """
    spread = fitted.residual_sd if residual_sd is None else residual_sd
    return dataclasses.replace(
        fitted,
        weight=weight.astype("float32"),
        intercept=intercept.astype("float32"),
        residual_sd=spread.astype("float32"),
    )


def reconstruct(
    image: np.ndarray, box: geometry.Box | tuple[int, int], layers: Sequence[FittedLayer]
) -> tuple[dict[str, np.ndarray], geometry.Placement]:
    """
    Reconstruct the layers of a network from an image.

    Parameters
    ----------
    image : uint8 array (height, width, 3), or view
        RGB; with the maps of the explanation's concepts behind it, see `StimulusBlock.view`.
    box : (int, int)
        Height and width of the network's input for landscape stimuli.
    layers : sequence of FittedLayer
        Layers of one explanation.

    Returns
    -------
    maps : dict of str to float32 array (C, row, column)
        On the cells with a centre in the content.
    placement : geometry.Placement
    """
    phi, placement = shared_regressors(image, box, layers)
    maps = {
        fitted.name: fitted.reconstruct(regressors)
        for fitted, regressors in zip(layers, phi, strict=True)
    }
    return maps, placement


def reconstruct_block(
    block: StimulusBlock, box: geometry.Box, layers: Sequence[FittedLayer]
) -> Iterator[tuple[int, dict[str, np.ndarray]]]:
    """
    Reconstruct the layers of a network on every stimulus of a block.

    Parameters
    ----------
    block : StimulusBlock
    box : geometry.Box
        The network's input for landscape stimuli.
    layers : sequence of FittedLayer
        Layers of one explanation.

    Yields
    ------
    index : int
        Index of the stimulus in the block.
    maps : dict of str to float32 array (C, row, column)
        On all cells of each layer, see `whole_maps`.
    """
    for index in range(len(block.names)):
        maps, placement = reconstruct(block.view(index), box, layers)
        yield (
            index,
            {fitted.name: whole_maps(maps[fitted.name], fitted, placement) for fitted in layers},
        )


def weighted_sums(
    image: np.ndarray,
    box: geometry.Box | tuple[int, int],
    layers: Sequence[FittedLayer],
    weights: Sequence[np.ndarray],
) -> tuple[dict[str, np.ndarray], geometry.Placement]:
    """
    Return the weighted sum of the reconstructed maps of each layer.

    Maps of weight 0 are not computed.

    Parameters
    ----------
    image : uint8 array (height, width, 3), or view
        RGB; with the maps of the explanation's concepts behind it, see `StimulusBlock.view`.
    box : (int, int)
        Height and width of the network's input for landscape stimuli.
    layers : sequence of FittedLayer
        Layers of one explanation.
    weights : sequence of float array (C,)
        One per layer.

    Returns
    -------
    sums : dict of str to float32 array (row, column)
    placement : geometry.Placement
    """
    phi, placement = shared_regressors(image, box, layers)
    sums = {
        fitted.name: fitted.weighted_sum(regressors, weight)
        for fitted, regressors, weight in zip(layers, phi, weights, strict=True)
    }
    return sums, placement


def shared_regressors(
    image: np.ndarray, box: geometry.Box | tuple[int, int], layers: Sequence[FittedLayer]
) -> tuple[list[np.ndarray], geometry.Placement]:
    """
    Return the regressors of each layer on one image.

    Layers with the same grid and pooling share one computation.

    Parameters
    ----------
    image : uint8 array (height, width, 3), or view
        RGB; with the maps of the explanation's concepts behind it, see `StimulusBlock.view`.
    box : (int, int)
        Height and width of the network's input for landscape stimuli.
    layers : sequence of FittedLayer
        Layers with the same settings of the regressors; their grids and pooling may differ.

    Returns
    -------
    phi : list of float32 array (K, row, column)
        One per layer; layers with the same grid and pooling have the same array, unless their
        readouts have terms of their own.
    placement : geometry.Placement
    """
    placement = geometry.place(image.shape[:2], box)
    return regressors_at(image, placement, layers), placement


def regressors_at(
    image: np.ndarray, placement: geometry.Placement, layers: Sequence[FittedLayer]
) -> list[np.ndarray]:
    """Return the regressors of each layer, as `shared_regressors`, where the image is placed."""
    content = geometry.content(image, placement)
    targets = [target(fitted.layer, placement, fitted.settings) for fitted in layers]
    unique = list(dict.fromkeys(targets))
    computed = make_regressors(layers[0].settings).compute(content, placement, unique)
    phi = dict(zip(unique, computed, strict=True))
    by_layer = zip(targets, layers, strict=True)
    return [expanded(phi[key], fitted.settings) for key, fitted in by_layer]


def valid_maps(
    maps: Mapping[str, np.ndarray], layers: Sequence[Reconstructed], placement: geometry.Placement
) -> dict[str, np.ndarray]:
    """
    Cut maps to the cells with a centre in the content.

    Parameters
    ----------
    maps : dict of str to array (C, y, x)
        On all cells of each layer, as in files.
    layers : sequence of FittedLayer
    placement : geometry.Placement

    Returns
    -------
    maps : dict of str to array (C, row, column)
    """
    cut = {}
    for fitted in layers:
        grid = fitted.layer.grid(placement)
        cut[fitted.name] = maps[fitted.name][(slice(None), *grid.cells(placement))]
    return cut


def whole_maps(
    maps: np.ndarray, fitted: Reconstructed, placement: geometry.Placement
) -> np.ndarray:
    """
    Extend maps to all cells of a layer, with 0 on cells with a centre outside the content.

    Parameters
    ----------
    maps : float32 array (C, row, column)
    fitted : FittedLayer
    placement : geometry.Placement

    Returns
    -------
    maps : float32 array (C, y, x)
    """
    grid = fitted.layer.grid(placement)
    padded = np.zeros((len(maps), *grid.shape), np.float32)
    padded[(slice(None), *grid.cells(placement))] = maps
    return padded
