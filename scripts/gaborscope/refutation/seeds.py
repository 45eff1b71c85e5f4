"""Match the maps of two networks that differ in their training seed, by their activations."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from gaborscope.explanation import layers as layer_tools
from gaborscope.explanation.layers import FittedLayer
from gaborscope.fitting.files import read_filters, read_statistics
from gaborscope.fitting.statistics import combine
from gaborscope.refutation import stability
from gaborscope.stimuli import geometry
from gaborscope.store import paths as grammar
from gaborscope.store.layers import read_layers

COLUMNS = ("model", "other", *stability.COLUMNS, "correlation")


@dataclasses.dataclass(frozen=True)
class Network:
    """
    One of several networks that differ only in their training seed, with its explanation.

    Attributes
    ----------
    name : str
    fitted : list of layers.FittedLayer
    described : dict of str to stability.Described
        By layer, from the whole fit split.
    """

    name: str
    fitted: list[FittedLayer]
    described: dict[str, stability.Described]


def read_network(
    name: str, filters: Sequence[str], statistics: Sequence[str], rule: str
) -> Network:
    """
    Describe every map of a network.

    Parameters
    ----------
    name : str
        Name of the model.
    filters, statistics : sequence of str
        Files of kind `filters` and `statistics`, see `store.paths`, of several models.
    rule : {"omp", "ols"}

    Returns
    -------
    network : Network
        Its layers are in the order of `filters`.
    """
    fitted, described = [], {}
    of_model = grammar.select("statistics", statistics, model=name)
    for layer, path in grammar.index("filters", filters, "layer", model=name).items():
        read = read_filters(path)
        blocks = read_statistics(of_model, layer, read["candidate"])
        fitted.append(layer_tools.fitted_layer(read))
        described[layer] = stability.describe(combine(blocks.values()), read["table"], rule)
    return Network(name, fitted, described)


def compare(
    first: Network,
    second: Network,
    activations: Sequence[str],
    n_resamples: int,
    seed: int,
) -> tuple[list[dict], dict[str, float]]:
    """
    Agreement of the identities of two networks; maps are paired by their activations.

    Parameters
    ----------
    first, second : Network
        Both have the same layers on the same grids.
    activations : sequence of str
        Activation files of both on the same blocks, perhaps of other networks too.
    n_resamples, seed : int
        See `stability.agreement`.

    Returns
    -------
    rows : list of dict
        Keys are `COLUMNS`.
    matched : dict of str to float
        By layer, mean correlation of partners.
    """
    pair = [
        grammar.select("activations", activations, model=network.name)
        for network in (first, second)
    ]
    order, matched = match_layers(first.fitted, *pair)
    similarities = {
        name: stability.similarities(described, second.described[name], order[name])
        for name, described in first.described.items()
    }
    correlation = {**matched, "all": np.nanmean(list(matched.values()))}
    rows = [
        {
            "model": first.name,
            "other": second.name,
            **row,
            "correlation": correlation[row["layer"]],
        }
        for row in stability.rows(similarities, n_resamples, seed)
    ]
    return rows, matched


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
