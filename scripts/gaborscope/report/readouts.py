"""Curves and products of a readout, of the map of each layer that has most of them."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from gaborscope.filters.terms import TERM_KINDS, Terms
from gaborscope.report import styles
from gaborscope.report.drawing import plt

AT = np.linspace(-1, 4, 101)  # standard deviations of an energy from its mean
COLUMNS = 3


def busiest(filters: Mapping[str, Any]) -> int:
    """
    Return the map of a layer whose terms weigh most, in standard deviations of the terms.

    Parameters
    ----------
    filters : dict
        Of a readout, from `read_filters`.

    Returns
    -------
    number : int
    """
    weight = np.abs(filters["weight"][:, np.isin(filters["table"]["kind"], TERM_KINDS)])
    # in units of what the linear fit leaves, so that layers of large activations do not win
    return int((weight.sum(axis=1) / np.maximum(filters["residual_sd"], 1e-12)).argmax())


def curves(filters: Mapping[str, Any], number: int) -> dict[str, np.ndarray]:
    """
    Curves of the energies that a readout bends for one map.

    Parameters
    ----------
    filters : dict
        Of a readout, from `read_filters`.
    number : int
        The map.

    Returns
    -------
    curves : dict of str to float64 array (point,)
        By the name of the energy, what it adds to the map at `AT`, in units of the activation; 0 at
        the energy's mean.
    """
    terms = Terms.from_json(filters["regressors"]["offered"])
    weight, names = filters["weight"][number].astype(float), filters["table"]["name"]
    n = len(names) - len(terms)
    found = {}
    for energy in dict.fromkeys(energy for energy, _ in terms.bends):
        bends = [
            (knot, weight[place])
            for place, (bent, knot) in enumerate(terms.bends, n)
            if bent == energy and weight[place]
        ]
        if bends:
            values = weight[energy] * terms.spread[energy] * AT
            for knot, slope in bends:
                values = values + slope * (np.maximum(AT - knot, 0) - max(-knot, 0))
            found[str(names[energy])] = values
    return found


def products(filters: Mapping[str, Any], number: int) -> list[tuple[str, float]]:
    """
    Products that a readout uses for one map.

    Parameters
    ----------
    filters : dict
        Of a readout, from `read_filters`.
    number : int
        The map.

    Returns
    -------
    products : list of (str, float)
        Names of both energies, and the weight of their product in standard deviations of both; the
        largest first.
    """
    weight, table = filters["weight"][number], filters["table"]
    used = np.flatnonzero((table["kind"] == "product") & (weight != 0))
    order = used[np.argsort(-np.abs(weight[used]))]
    return [(str(table["name"][place]), float(weight[place])) for place in order]


def curves_drawn(layers: Mapping[str, Mapping[str, Any]]) -> pd.DataFrame:
    """
    Return the table behind `figure_of`.

    Parameters
    ----------
    layers : dict of str to dict
        Filters of a readout by layer.

    Returns
    -------
    table : DataFrame
        `layer, map, energy, at_sd, adds`.
    """
    rows = []
    for name, filters in layers.items():
        number = busiest(filters)
        for label, values in curves(filters, number).items():
            rows += [(name, number, label, x, y) for x, y in zip(AT, values, strict=True)]
    return pd.DataFrame(rows, columns=["layer", "map", "energy", "at_sd", "adds"])


def figure_of(layers: Mapping[str, Mapping[str, Any]]) -> Figure:
    """
    Draw the curves of the busiest map of each layer.

    Parameters
    ----------
    layers : dict of str to dict
        Filters of a readout by layer.

    Returns
    -------
    figure : matplotlib.figure.Figure
    """
    n_rows = -(-len(layers) // COLUMNS)
    figure, axes = plt.subplots(n_rows, COLUMNS, figsize=(9, 2.6 * n_rows), squeeze=False)
    for axis in axes.flat[len(layers) :]:
        axis.set_axis_off()
    for axis, (name, filters) in zip(axes.flat, layers.items(), strict=False):
        number = busiest(filters)
        found = curves(filters, number)
        for label, style in styles.unordered(list(found)).items():
            axis.plot(AT, found[label], label=label, **style.lines(markevery=20, markersize=3))
        axis.axhline(0, color="0.8", linewidth=0.6, zorder=0)
        axis.set_title(f"{name}, map {number}", fontsize=9)
        axis.set_xlabel("energy (sd from its mean)", fontsize=7)
        axis.set_ylabel("adds to the map", fontsize=7)
        axis.tick_params(labelsize=7)
        axis.spines[["top", "right"]].set_visible(False)
        if axis.lines[1:]:
            axis.legend(fontsize=5, frameon=False)
    figure.tight_layout()
    return figure
