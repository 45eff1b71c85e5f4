"""What a layer is made of: shares of explained variance and its dominant filters."""

import numpy as np

from gaborscope import fitting

GROUPINGS = ("scale", "orientation", "colour", "kind")


def shares(statistics, penalty, table):
    """
    Shapley shares of explained variance by scale, orientation, colour and kind.

    Parameters
    ----------
    statistics : fitting.Statistics
        Of the fit split.
    penalty : float
    table : dict of str to array (K,)
        From `Regressors.table`.

    Returns
    -------
    shares : dict of str to (list of str, float64 array)
        For each grouping labels and shares; regressors without a scale (orientation, colour) form
        a group of their own, labelled "none".
    """
    found = {}
    for grouping in GROUPINGS:
        values = table[grouping]
        labels = list(dict.fromkeys(values.tolist()))
        groups = [np.flatnonzero(values == label) for label in labels]
        names = ["none" if label == -1 else str(label) for label in labels]
        found[grouping] = (names, fitting.group_shares(statistics, penalty, groups))
    return found


def dominant(filters, n):
    """
    Rank the filters of a layer that explain most alone, one per scale, orientation and colour.

    Each filter counts with the best of its kinds (even, odd, amplitude); its figure is the squared
    correlation with a map, averaged over the layer's maps. A rank, not a decomposition: filters
    that stand side by side share what they explain.

    Parameters
    ----------
    filters : dict
        From `filterstore.read_filters`.
    n : int

    Returns
    -------
    rows : list of dict
        `name`, `kind`, `scale`, `orientation`, `colour`, `r2`, best first.
    """
    mean = filters["marginal"].mean(axis=0)
    table, seen, rows = filters["table"], set(), []
    for index in np.argsort(-mean):
        key = tuple(int(table[part][index]) for part in ("scale", "orientation", "colour"))
        if key in seen or table["kind"][index] == "position":
            continue
        seen.add(key)
        rows.append(
            {
                "name": str(table["name"][index]),
                "kind": str(table["kind"][index]),
                "scale": key[0],
                "orientation": key[1],
                "colour": key[2],
                "r2": float(mean[index]),
            }
        )
        if len(rows) == n:
            break
    return rows
