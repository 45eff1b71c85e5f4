"""One pass over a block: regressors of each stimulus, summed with every layer's activations."""

import numpy as np

from gaborscope import geometry
from gaborscope import layers as layer_tools
from gaborscope.fitting import Statistics


def accumulate(block, activations, layers, settings):
    """
    Sufficient statistics of all layers over the stimuli of a block.

    The responses of a stimulus are computed once; layers of equal grids share the regressors and
    their Gram matrix. Cells whose centre lies in the padding are left out.

    Parameters
    ----------
    block : stimuli.StimulusBlock
    activations : iterable
        As `store.read_layers` yields them.
    layers : dict of str to dict
        As `recording.measure_layers` gives them.
    settings : dict
        Of the regressors, as in the config.

    Returns
    -------
    statistics : dict of str to list of fitting.Statistics
        By layer, one for each candidate of `pools`.
    """
    regressors = layer_tools.make_regressors(settings)
    n_regressors = len(regressors.table()["kind"])
    pools = settings["pools"]
    statistics = {
        name: [Statistics.empty(n_regressors, layer["channels"]) for _ in pools]
        for name, layer in layers.items()
    }
    for index, valid, input_size, maps in activations:
        placement = geometry.Placement(input_size, *valid)
        content = geometry.content(block.image(index), placement)
        by_target = {}
        for candidate, pool in enumerate(pools):
            for name, layer in layers.items():
                where = layer_tools.target(layer, input_size, {"pool": pool})
                by_target.setdefault(where, []).append((name, candidate))
        computed = regressors.compute(content, placement, list(by_target))
        for (grid, *_), names, phi in zip(by_target, by_target.values(), computed, strict=True):
            phi = phi.reshape(len(phi), -1)
            gram = phi @ phi.T
            cells = (slice(None), *grid.cells(placement))
            for name, candidate in names:
                flat = maps[name][cells].reshape(len(maps[name]), -1)
                statistics[name][candidate].add(phi, np.ascontiguousarray(flat), gram)
    return statistics
