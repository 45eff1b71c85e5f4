"""Accumulate the statistics that layers are fitted to, in one pass over a block."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from gaborscope.explanation import layers as layer_tools
from gaborscope.fitting import nonlinearity
from gaborscope.fitting.statistics import Statistics
from gaborscope.stimuli import geometry
from gaborscope.stimuli.block import StimulusBlock
from gaborscope.stimuli.layer import Layer


def accumulate(
    block: StimulusBlock,
    activations: Iterable[Any],
    layers: Mapping[str, Layer],
    settings: Mapping[str, Any],
) -> dict[str, list[Statistics]]:
    """
    Return the sufficient statistics of all layers over the stimuli of a block.

    The responses to a stimulus are computed once. Layers with equal grids share the regressors and
    their Gram matrix. Cells with a centre in the padding are left out.

    Parameters
    ----------
    block : StimulusBlock
    activations : iterable
        As `read_layers` yields them.
    layers : dict of str to Layer
    settings : dict
        Settings of the regressors, as in the config.

    Returns
    -------
    statistics : dict of str to list of statistics.Statistics
        By layer, then one for each entry of `pools`.
    """
    regressors = layer_tools.make_regressors(settings)
    n_regressors = len(regressors.table()["kind"])
    pools = settings["pools"]
    statistics = {
        name: [Statistics.empty(n_regressors, layer.channels) for _ in pools]
        for name, layer in layers.items()
    }
    shared, after = {}, settings["activation"] == "output"
    for index, valid, input_size, maps in activations:
        placement = geometry.Placement(input_size, *valid)
        content = geometry.content(block.image(index), placement)
        by_target = {}
        for candidate, pool in enumerate(pools):
            for name, layer in layers.items():
                where = layer_tools.target(layer, placement, {"pool": pool})
                by_target.setdefault(where, []).append((name, candidate))
        moments = {}
        computed = regressors.compute(content, placement, list(by_target))
        for where, members, phi in zip(by_target, by_target.values(), computed, strict=True):
            phi = phi.reshape(len(phi), -1)
            cells = (slice(None), *where.grid.cells(placement))
            for name, _ in members:
                if name not in moments:  # the cells do not depend on the pooling
                    values = maps[name][cells].reshape(len(maps[name]), -1)
                    passed = layers[name].nonlinearity if after else "none"
                    moments[name] = _squares(nonlinearity.plain(values, passed))
            flat = [moments[name][0] for name, _ in members]
            cross = _rows(np.concatenate(flat) @ phi.T, flat)
            for (name, candidate), products in zip(members, cross, strict=True):
                statistics[name][candidate].add_maps(products.T, *moments[name][1:])
            key = tuple(members)
            if key not in shared:
                shared[key] = np.zeros((n_regressors, n_regressors)), np.zeros(n_regressors)
            gram, total = shared[key]
            gram += phi @ phi.T
            total += phi.sum(axis=1)
    for members, (gram, total) in shared.items():
        for name, candidate in members:
            statistics[name][candidate].gram += gram
            statistics[name][candidate].sum_phi += total
    return statistics


def _squares(values):
    """Return values, products of all pairs of maps, sums of the maps, and the number of pixels."""
    values = np.ascontiguousarray(values)
    return values, values @ values.T, values.sum(axis=1), values.shape[1]


def _rows(array, parts):
    """Split the rows of an array: the first piece has as many rows as the first part, and so on."""
    return np.split(array, np.cumsum([len(part) for part in parts])[:-1])
