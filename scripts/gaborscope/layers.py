"""Layers as an explanation sees them: their grids, their weights, their reconstruction."""

import dataclasses

import numpy as np

from gaborscope import fitting, geometry
from gaborscope.regressors import Regressors
from gaborscope.store import size_name


def make_regressors(settings):
    """
    Regressors of an explanation's settings.

    Parameters
    ----------
    settings : dict
        `bank, colour, kinds, residual, normalisation, position, boundary` of the config.

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
    )


def target(layer, input_size, settings):
    """
    Grid of a layer and how regressors are pooled to it.

    Measured offsets are rounded to half a px: in a network they are multiples of it, and layers
    of equal grids then share their regressors.

    Parameters
    ----------
    layer : dict
        `shape, stride, offset_px`, as `recording.measure_layers` gives them.
    input_size : (int, int)
    settings : dict
        `pool`: `kind` and `width` (strides of the layer).

    Returns
    -------
    target : (geometry.Grid, str, float)
        Grid, kind of pooling, its width in px.
    """
    grid = geometry.Grid(
        shape=tuple(layer["shape"][size_name(input_size)]),
        stride=tuple(layer["stride"]),
        offset=tuple(round(2 * offset) / 2 for offset in layer["offset_px"]),
    )
    pool = settings["pool"]
    return grid, pool["kind"], float(pool["width"] * layer["stride"][0])


@dataclasses.dataclass
class FittedLayer:
    """
    One layer of an explanation.

    Attributes
    ----------
    name : str
    layer : dict
        As `recording.measure_layers` gives it.
    settings : dict
        Of the regressors, as in the config, with the `pool` chosen.
    weight : float32 array (C, K)
    intercept, residual_sd : float32 array (C,)
    """

    name: str
    layer: dict
    settings: dict
    weight: np.ndarray
    intercept: np.ndarray
    residual_sd: np.ndarray

    def reconstruct(self, phi):
        """
        Reconstructed output of the layer, its nonlinearity passed.

        Parameters
        ----------
        phi : float32 array (K, row, column)

        Returns
        -------
        maps : float32 array (C, row, column)
        """
        flat = phi.reshape(len(phi), -1)
        linear = self.weight @ flat + self.intercept[:, None]
        maps = fitting.through_nonlinearity(linear, self.residual_sd, self.layer["nonlinearity"])
        return maps.reshape(-1, *phi.shape[1:]).astype(np.float32)


def fitted_layer(filters):
    """
    Layer of an explanation from its file.

    Parameters
    ----------
    filters : dict
        From `filterstore.read_filters`.

    Returns
    -------
    fitted : FittedLayer
    """
    return FittedLayer(
        name=filters["layer"]["name"],
        layer=filters["layer"],
        settings=filters["regressors"],
        weight=filters["weight"],
        intercept=filters["intercept"],
        residual_sd=filters["residual_sd"],
    )


def reconstruct(image, box, layers):
    """
    Reconstruct the layers of a network from an image alone.

    Parameters
    ----------
    image : uint8 array (height, width, 3)
        RGB.
    box : (int, int)
        Height and width of the network's input for landscape stimuli.
    layers : sequence of FittedLayer
        Of one explanation.

    Returns
    -------
    maps : dict of str to float32 array (C, row, column)
        On the cells whose centre lies in the content.
    placement : geometry.Placement
    """
    placement = geometry.place(image.shape[:2], box)
    content = geometry.content(image, placement)
    regressors = make_regressors(layers[0].settings)
    wanted = [target(fitted.layer, placement.input_size, fitted.settings) for fitted in layers]
    unique = list(dict.fromkeys(wanted))
    phi = dict(zip(unique, regressors.compute(content, placement, unique), strict=True))
    maps = {
        fitted.name: fitted.reconstruct(phi[where])
        for fitted, where in zip(layers, wanted, strict=True)
    }
    return maps, placement


def valid_maps(maps, layers, placement):
    """
    Cut maps to the cells whose centre lies in the content.

    Parameters
    ----------
    maps : dict of str to array (C, y, x)
        On all cells of each layer, as files hold them.
    layers : sequence of FittedLayer
    placement : geometry.Placement

    Returns
    -------
    maps : dict of str to array (C, row, column)
    """
    cut = {}
    for fitted in layers:
        grid, *_ = target(fitted.layer, placement.input_size, fitted.settings)
        cut[fitted.name] = maps[fitted.name][(slice(None), *grid.cells(placement))]
    return cut


def whole_maps(maps, fitted, placement):
    """
    Put maps on all cells of a layer, 0 where the centre does not lie in the content.

    Parameters
    ----------
    maps : float32 array (C, row, column)
    fitted : FittedLayer
    placement : geometry.Placement

    Returns
    -------
    maps : float32 array (C, y, x)
    """
    grid, *_ = target(fitted.layer, placement.input_size, fitted.settings)
    whole = np.zeros((len(maps), *grid.shape), np.float32)
    whole[(slice(None), *grid.cells(placement))] = maps
    return whole
