"""Faithfulness in the report: one figure and two tables for each explanation."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from gaborscope.report import drawing, styles
from gaborscope.store import paths as grammar
from gaborscope.store.tables import read_csv

SHOWN = ("correlation", "sign_agreement", "kl_deep", "kl_explained", "size_correlation")


def parts(paths: Sequence[str], folder: Path, dpi: int) -> list[dict[str, Any]]:
    """
    Draw the figures and lay out the tables.

    Parameters
    ----------
    paths : sequence of str
        `substitution.csv` and `interventions.summary.csv` alternate; each pair is in a folder
        `results/faithfulness/{model}/{dataset}/{explanation}`.
    folder : Path
        For the figures.
    dpi : int

    Returns
    -------
    content : list of dict
        Values for the template, for each explanation with a stimulus that was not trained on.
    """
    content = []
    for first, second in zip(paths[::2], paths[1::2], strict=True):
        model, dataset, explanation = grammar.parse("substitution", first).values()
        replaced, changed = read_csv(first), second
        if replaced.empty:  # every test stimulus was trained on
            continue
        figure = Path(folder) / f"faithfulness_{model}_{dataset}_{explanation}.png"
        drawing.keep(substitution_curves(replaced), figure, dpi, replaced)
        intact = replaced[(replaced["way"] == "intact") & (replaced["metric"] == "nss")]
        content.append(
            {
                "model": model,
                "dataset": dataset,
                "explanation": explanation,
                "figure": figure,
                "n": int(replaced["n"].max()),
                "intact": f"{intact['mean'].iloc[0]:z.3f}",
                "substitution": substitution_table(replaced),
                "interventions": intervention_table(read_csv(changed)),
            }
        )
    return content


def substitution_curves(table: pd.DataFrame) -> Figure:
    """
    Correlation with the intact network's map, layer by layer, for every substitute.

    Parameters
    ----------
    table : DataFrame
        As `substitution.csv`.

    Returns
    -------
    figure : matplotlib.figure.Figure
    """
    replaced = table[(table["metric"] == "cc_intact") & (table["way"] != "intact")]
    layers = list(dict.fromkeys(replaced["layer"]))
    size = (1.5 + 0.7 * len(layers), 2.9)
    figure, axes = plt.subplots(1, 2, figsize=size, sharey=True)
    for axis, way in zip(axes, ("alone", "cumulative"), strict=True):
        for place, (name, style) in enumerate(styles.SUBSTITUTES.items()):
            part = replaced[(replaced["way"] == way) & (replaced["substitute"] == name)]
            if part.empty:
                continue
            # side by side, so that no interval hides another
            x = [layers.index(layer) + 0.06 * (place - 2) for layer in part["layer"]]
            ends = part["ci_low"], part["ci_high"]
            axis.vlines(x, *ends, color=style.colour, linewidth=2, alpha=0.4)
            axis.plot(x, part["mean"], label=name, **style.lines())
        axis.set_xticks(np.arange(len(layers)), layers, rotation=50, ha="right", fontsize=7)
        axis.set_title(way, fontsize=9)
        axis.spines[["top", "right"]].set_visible(False)
    axes[0].set_ylabel("CC with the intact map")
    if axes[1].lines:
        axes[1].legend(fontsize=7, frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
    return figure


def substitution_table(table: pd.DataFrame) -> dict[str, Any]:
    """
    Lay out correlations with the intact network's map, one row per layer and way.

    Parameters
    ----------
    table : DataFrame
        As `substitution.csv`.

    Returns
    -------
    table : dict
        `columns`, `rows`.
    """
    kinds = [name for name in styles.SUBSTITUTES if name in set(table["substitute"])]
    cells = table.set_index(["layer", "way", "substitute", "metric"])[["mean", "ci_low", "ci_high"]]
    rows = []
    for way in ("alone", "cumulative"):
        for layer in dict.fromkeys(table.loc[table["way"] == way, "layer"]):
            wanted = [(layer, way, kind, "cc_intact") for kind in kinds]
            wanted.append((layer, way, "reconstruction", "nss"))
            texts = [interval(*cells.loc[key]) if key in cells.index else "" for key in wanted]
            rows.append((f"{layer}, {way}", texts))
    return {"columns": [*kinds, "NSS, reconstruction"], "rows": rows}


def intervention_table(table: pd.DataFrame) -> dict[str, Any]:
    """
    Lay out interventions, one row per kind.

    Parameters
    ----------
    table : DataFrame
        As `interventions.summary.csv`.

    Returns
    -------
    table : dict
        `columns`, `rows`.
    """
    cells = table.set_index(["kind", "measure"])[["mean", "ci_low", "ci_high"]]
    rows = [
        (
            kind,
            [
                interval(*cells.loc[kind, measure]) if (kind, measure) in cells.index else ""
                for measure in SHOWN
            ],
        )
        for kind in dict.fromkeys(table["kind"])
    ]
    return {"columns": [name.replace("_", " ") for name in SHOWN], "rows": rows}


def interval(mean: float, low: float, high: float) -> str:
    """Return a mean and its interval as text; "undefined" for nan."""
    return f"{mean:z.3f} [{low:z.3f}, {high:z.3f}]" if np.isfinite(mean) else "undefined"
