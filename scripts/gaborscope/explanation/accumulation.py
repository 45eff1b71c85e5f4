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
    chosen: Mapping[str, Mapping[str, Any]] | None = None,
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
    chosen : dict of str to dict, optional
        Of a readout: by layer, its `pool` and `offered` (see `readouts.choose`). The pool stands in
        the place of the `pools` of the settings.

    Returns
    -------
    statistics : dict of str to list of statistics.Statistics
        By layer, then one for each entry of `pools`.
    """
    regressors = layer_tools.make_regressors(settings)
    candidates = (
        [{name: {"pool": pool} for name in layers} for pool in settings["pools"]]
        if chosen is None
        else [chosen]
    )
    sizes = {
        name: len(layer_tools.table({**settings, **candidates[0][name]})["kind"]) for name in layers
    }
    statistics = {
        name: [Statistics.empty(sizes[name], layer.channels) for _ in candidates]
        for name, layer in layers.items()
    }
    shared, after = {}, settings["activation"] == "output"
    for index, valid, input_size, maps in activations:
        placement = geometry.Placement(input_size, *valid)
        content = geometry.content(block.view(index), placement)
        by_target = {}
        for candidate, options in enumerate(candidates):
            for name, layer in layers.items():
                where = layer_tools.target(layer, placement, options[name])
                by_target.setdefault(where, []).append((name, candidate))
        moments = {}
        computed = regressors.compute(content, placement, list(by_target))
        for where, members, phi in _groups(by_target, computed, chosen):
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
                shared[key] = np.zeros((len(phi), len(phi))), np.zeros(len(phi))
            gram, total = shared[key]
            gram += phi @ phi.T
            total += phi.sum(axis=1)
    for members, (gram, total) in shared.items():
        for name, candidate in members:
            statistics[name][candidate].gram += gram
            statistics[name][candidate].sum_phi += total
    return statistics


def _groups(by_target, computed, chosen):
    """Yield target, members and regressors (K, pixel) of the layers that share them."""
    for (where, members), phi in zip(by_target.items(), computed, strict=True):
        phi = phi.reshape(len(phi), -1)
        if chosen is None:
            yield where, members, phi
            continue
        for member in members:  # each layer has terms of its own
            yield where, [member], layer_tools.expanded(phi, chosen[member[0]])


def _squares(values):
    """Return values, products of all pairs of maps, sums of the maps, and the number of pixels."""
    values = np.ascontiguousarray(values)
    return values, values @ values.T, values.sum(axis=1), values.shape[1]


def _rows(array, parts):
    """Split the rows of an array: the first piece has as many rows as the first part, and so on."""
    return np.split(array, np.cumsum([len(part) for part in parts])[:-1])
