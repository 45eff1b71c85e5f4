"""Match the maps of two networks that differ in their training seed, by their activations."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from gaborscope.explanation import layers as layer_tools
from gaborscope.refutation import stability
from gaborscope.stimuli import geometry
from gaborscope.store.layers import read_layers


def is_of(path: str | Path, model: str, layer: str) -> bool:
    """
    Return whether a file of statistics belongs to a model and layer.

    Parameters
    ----------
    path : str or Path
        `results/statistics/{model}/{dataset}/{explanation}/{layer}/{block}.h5`.
    model, layer : str

    Returns
    -------
    is_of : bool
    """
    return Path(path).parent.name == layer and Path(path).parents[3].name == model


def match_layers(
    fitted: Sequence[layer_tools.FittedLayer], first: Sequence[str], second: Sequence[str]
) -> tuple[dict[str, np.ndarray], dict[str, float]]:
    """
    Match the maps of every layer of two networks by the correlation of their activations.

    Parameters
    ----------
    fitted : sequence of layers.FittedLayer
        Layers of the first network; the second network has the same layers on the same grids.
    first, second : sequence of str
        Activation files of the two networks, of the same blocks.

    Returns
    -------
    order : dict of str to int array (C,)
        By layer, for each map of the first network its partner in the second.
    matched : dict of str to float
        By layer, mean correlation of partners. Maps that do not vary are left out.
    """
    names = [layer.name for layer in fitted]
    sums = {
        layer.name: stability.Correlation(layer.layer.channels, layer.layer.channels)
        for layer in fitted
    }
    pairs = zip(sorted(first), sorted(second), strict=True)
    for paths in pairs:
        readers = [read_layers(path, names) for path in paths]
        for (_, valid, size, first_maps), (_, _, _, second_maps) in zip(*readers, strict=True):
            placement = geometry.Placement(size, *valid)
            cut = [
                layer_tools.valid_maps(maps, fitted, placement)
                for maps in (first_maps, second_maps)
            ]
            for name in names:
                sums[name].add(cut[0][name], cut[1][name])
    order, matched = {}, {}
    for name, layer_sums in sums.items():
        order[name], correlation = stability.match(layer_sums.value())
        alive = correlation[~np.isnan(correlation)]
        matched[name] = float(alive.mean()) if len(alive) else float("nan")
    return order, matched
