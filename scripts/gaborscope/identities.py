"""What a layer is made of: shares of explained variance and its dominant filters."""

import numpy as np

from gaborscope import shapley

GROUPINGS = ("scale", "orientation", "colour", "kind")


def shares(statistics, penalty, table):
    """
    Shapley shares of explained variance by scale, orientation, colour and kind.

    Parameters
    ----------
    statistics : statistics.Statistics
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
        found[grouping] = (names, shapley.group_shares(statistics, penalty, groups))
    return found


def dominant(filters, n):
    """
    Rank the filters of a layer that explain most alone, one per scale, orientation and colour.

    Each filter counts with the best of its kinds (even, odd, amplitude); its figure is the squared
    correlation with a map, averaged over the layer's maps. A rank, not a decomposition: filters
    that stand side by side share what they explain. Of the first stage only.

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
        if key in seen or table["kind"][index] in ("position", "second_stage"):
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


def listed(path, table, bank, channels, n, scale_px, px_per_degree):
    """
    Identity of every map: its filters in the order of their choice.

    Parameters
    ----------
    path : sparse.SparsePath
    table : dict of str to array (K,)
        From `Regressors.table`.
    bank : loggabor.LogGaborBank
    channels : sequence of str
        Names of the colour channels.
    n : int
        Filters listed per map, at most.
    scale_px : float
        px of the stimulus per px of the network's input.
    px_per_degree : float or None
        Of the stimuli, where it is known.

    Returns
    -------
    rows : list of dict
        `map`, `rank` (from 1), `kind`, `wavelength_px` (of the stimulus; of a second stage that of
        its first), `cycles_per_degree`, `orientation_deg` (of a second stage its own), `colour`,
        `name`, `weight` (standardised, of the whole path), `explained_variance` (with the filters
        up to this one, on the split evaluated). What a regressor has not, or what is not known,
        is None; dead maps have no rows.
    """
    variance = [path.explained_variance(k)[0] for k in range(1, n + 1)]
    rows = []
    for index, (chosen, weights) in enumerate(zip(path.chosen, path.weights, strict=True)):
        if np.isnan(variance[0][index]):
            continue
        for rank, (regressor, weight) in enumerate(zip(chosen[:n], weights, strict=False)):
            row = {"map": index, "rank": rank + 1, "kind": str(table["kind"][regressor])}
            scale, orientation, colour = (
                int(table[key][regressor]) for key in ("scale", "orientation", "colour")
            )
            wavelength = bank.wavelengths_px[scale] * scale_px if scale >= 0 else None
            known = wavelength and px_per_degree
            rows.append(
                {
                    **row,
                    "wavelength_px": wavelength,
                    "cycles_per_degree": px_per_degree / wavelength if known else None,
                    "orientation_deg": (
                        float(np.degrees(bank.orientations[orientation]))
                        if orientation >= 0
                        else None
                    ),
                    "colour": channels[colour] if colour >= 0 else None,
                    "name": str(table["name"][regressor]),
                    "weight": float(weight),
                    "explained_variance": float(variance[rank][index]),
                }
            )
    return rows
