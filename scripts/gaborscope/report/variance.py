"""Explained variance of layers beside that of nulls, and the word that it allows for each layer."""

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from gaborscope.report import styles

# Share of held-out variance, without position, from which on the report calls a layer explained:
# below it, the bank leaves more over than it predicts.
FLOOR = 0.5
EXPLAINED = "explained"
PREDICTABLE = "linearly predictable from"  # the word below the floor
RANDOM = "random_networks"  # all other families are of wrong banks


def layers_beside(
    own: pd.DataFrame, nulls: Mapping[str, Sequence[pd.DataFrame]]
) -> list[dict[str, Any]]:
    """
    Explained variance of each layer on the test split, with and without position, beside nulls.

    Parameters
    ----------
    own : DataFrame
        As `results/explained_variance/{model}/{dataset}/{explanation}.csv`.
    nulls : dict of str to sequence of DataFrame
        The same of other banks and of random networks, by family.

    Returns
    -------
    layers : list of dict
        `layer`; `both`: explained variance with position and without (nan for a cascade, which is
        not fitted without); `nulls`: by family, (draw, 2) arrays of the same. Families without a
        member are left out.
    """
    members = {
        family: [_of_test(table) for table in tables] for family, tables in nulls.items() if tables
    }
    return [
        {
            "layer": layer,
            "both": both.to_numpy(),
            "nulls": {
                family: np.array([table.loc[layer].to_numpy() for table in tables])
                for family, tables in members.items()
            },
        }
        for layer, both in _of_test(own).iterrows()
    ]


def _of_test(table):
    test = table[table["split"] == "test"].set_index("layer")
    return test.reindex(columns=["explained_variance", "without_position"])


def decisive(both: np.ndarray) -> np.ndarray:
    """
    Return what decides on the word: without position, where there is such a figure.

    Parameters
    ----------
    both : float array (..., 2)
        Explained variance with position and without.

    Returns
    -------
    value : float array (...)
    """
    return np.where(np.isnan(both[..., 1]), both[..., 0], both[..., 1])


def words(layers: Sequence[Mapping[str, Any]], is_null: bool) -> dict[str, str]:
    """
    Return the word for each layer: "explained", or "linearly predictable from".

    Parameters
    ----------
    layers : list of dict
        From `layers_beside`.
    is_null : bool
        Whether the explanation itself is a wrong bank, or one of a random network.

    Returns
    -------
    words : dict of str to str
        By layer. "explained" if the bank predicts at least `FLOOR` of the variance, and more than
        every wrong bank that the run has. A cascade, whose regressors can span any small kernel,
        needs a wrong bank to be compared with. Of a null nothing is explained.
    """
    return {
        layer["layer"]: EXPLAINED if _group(layer) == EXPLAINED and not is_null else PREDICTABLE
        for layer in layers
    }


def _group(layer):
    """Return `EXPLAINED`, or why the layer is only predictable: `low`, `alone` or `matched`."""
    value, wrong = float(decisive(layer["both"])), _wrong_banks(layer)
    if not value >= FLOOR:
        return "low"
    if not len(wrong):
        return "alone" if np.isnan(layer["both"][1]) else EXPLAINED
    return "matched" if (wrong >= value).any() else EXPLAINED


def _wrong_banks(layer):
    values = [decisive(draws) for family, draws in layer["nulls"].items() if family != RANDOM]
    return np.concatenate([np.empty(0), *values])


def sentences(layers: Sequence[Mapping[str, Any]], is_null: bool) -> list[str]:
    """
    Say which layers are explained, which are only linearly predictable, and what nulls reach.

    Parameters
    ----------
    layers : list of dict
        From `layers_beside`.
    is_null : bool
        Whether the explanation itself is a wrong bank, or one of a random network.

    Returns
    -------
    sentences : list of str
    """
    if is_null:
        return [
            "This is a null (another bank, or a network with random weights): its layers are "
            f"{PREDICTABLE} its bank, none is called explained."
        ]
    refitted = any(np.isfinite(layer["both"][1]) for layer in layers)
    compared = any(len(_wrong_banks(layer)) for layer in layers)
    leads = {
        EXPLAINED: f"Explained by the bank (at least {FLOOR:.2f} of the variance of test stimuli"
        f"{' without position' if refitted else ''}, "
        f"{'more than by any wrong bank' if compared else 'the run has no wrong bank beside it'})",
        "low": f"Only {PREDICTABLE} the bank, less than {FLOOR:.2f}",
        "matched": f"Only {PREDICTABLE} the bank, since a wrong bank predicts as much",
        "alone": f"Only {PREDICTABLE} the bank, since a cascade can span any small kernel and the "
        "run has no wrong bank beside it",
    }
    lists: dict[str, list[str]] = {group: [] for group in leads}
    for layer in layers:
        group, value = _group(layer), float(decisive(layer["both"]))
        text = f"{value:z.2f}" if np.isfinite(value) else "undefined"
        if group == "matched":
            text += f"; wrong bank {_wrong_banks(layer).max():z.2f}"
        lists[group].append(f"{layer['layer']} ({text})")
    said = [f"{leads[group]}: {', '.join(names)}." for group, names in lists.items() if names]
    return said + [_random_sentence(layers)]


def _random_sentence(layers):
    values = {
        layer["layer"]: decisive(layer["nulls"][RANDOM]).mean()
        for layer in layers
        if RANDOM in layer["nulls"]
    }
    if not values:
        return "No random network is in this run to compare with."
    as_much = [
        f"{layer['layer']} ({values[layer['layer']]:z.2f})"
        for layer in layers
        if values[layer["layer"]] >= decisive(layer["both"])
    ]
    if as_much:
        return (
            "The same bank predicts as much of the random networks' layers in "
            f"{', '.join(as_much)}: there the figure says nothing about what was learned."
        )
    return "Of the random networks' layers the same bank predicts less, in every layer."


def table(layers: Sequence[Mapping[str, Any]], is_null: bool) -> dict[str, Any]:
    """
    Lay out explained variance with and without position, beside nulls.

    Parameters
    ----------
    layers, is_null
        As for `sentences`.

    Returns
    -------
    table : dict
        `columns` and `rows`. A cell of a family is the mean over its draws, with and without
        position.
    """
    families = list(layers[0]["nulls"]) if layers else []
    columns = ["with position", "without position", "the layer is"]
    for family in families:
        n = len(layers[0]["nulls"][family])
        columns.append(family.replace("_", " ") + (f" (mean of {n})" if n > 1 else ""))
    rows, said_of = [], words(layers, is_null)
    for layer in layers:
        explained = said_of[layer["layer"]] == EXPLAINED
        cells = [*map(_number, layer["both"]), EXPLAINED if explained else "linearly predictable"]
        for family in families:
            cells.append(" / ".join(map(_number, layer["nulls"][family].mean(axis=0))))
        rows.append((layer["layer"], cells))
    return {"columns": columns, "rows": rows}


def _number(value):
    return f"{value:z.3f}" if np.isfinite(value) else "–"


def bars(layers: Sequence[Mapping[str, Any]]) -> Figure:
    """
    Draw the explained variance of each layer on the test split, beside that of nulls.

    Parameters
    ----------
    layers : list of dict
        From `layers_beside`.

    Returns
    -------
    figure : matplotlib.figure.Figure
        Bars: with position (light) and without (dark). Dots: the draws of the nulls, by what
        decides. Dashed: `FLOOR`.
    """
    figure, axis = plt.subplots(figsize=(2.2 + 0.75 * len(layers), 2.8))
    both = np.array([layer["both"] for layer in layers])
    x, lowest = np.arange(len(layers)), [float(np.nanmin(both, initial=0))]
    for shift, column, shade, label in (
        (-0.2, 0, "0.8", "with position"),
        (0.2, 1, "0.45", "without position"),
    ):
        if np.isfinite(both[:, column]).any():
            axis.bar(x + shift, both[:, column], 0.38, color=shade, label=label,
                     hatch=styles.HATCHES[2 * column], edgecolor="white",
                     linewidth=0.3)  # fmt: skip
    for role, shift in (("wrong bank", 0.12), ("random network", 0.28)):
        points = [
            (place + shift, value)
            for place, layer in zip(x, layers, strict=True)
            for family, draws in layer["nulls"].items()
            if (family == RANDOM) == (role == "random network")
            for value in decisive(draws)
        ]
        if points:
            style = styles.ROLES[role]
            axis.plot(*zip(*points, strict=True), style.marker, color=style.colour, markersize=5,
                      markeredgecolor="white", markeredgewidth=0.5, label=role)  # fmt: skip
            lowest.append(min(value for _, value in points))
    axis.axhline(FLOOR, color="0.4", linestyle="--", linewidth=0.8, label="floor")
    axis.set_xticks(x, [layer["layer"] for layer in layers], rotation=40, ha="right", fontsize=8)
    axis.set_ylim(max(-1.0, min(lowest) - 0.03) if min(lowest) < 0 else 0, 1)
    axis.set_ylabel("explained variance (share), test split")
    axis.legend(fontsize=7, frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
    axis.spines[["top", "right"]].set_visible(False)
    return figure


def bars_drawn(layers: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """
    Return the table behind `bars`.

    Parameters
    ----------
    layers : list of dict
        From `layers_beside`.

    Returns
    -------
    table : DataFrame
        `layer, what, draw, with_position, without_position`; `what` is "explanation" or a family of
        nulls.
    """
    rows = []
    for layer in layers:
        draws = {"explanation": layer["both"][None], **layer["nulls"]}
        rows += [
            (layer["layer"], what, number, *both)
            for what, values in draws.items()
            for number, both in enumerate(values, 1)
        ]
    columns = ["layer", "what", "draw", "with_position", "without_position"]
    return pd.DataFrame(rows, columns=columns)
