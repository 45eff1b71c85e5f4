"""Where network and explanation part: test stimuli of large disagreement, and images made to it."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from gaborscope.analysis import bits
from gaborscope.report import drawing, styles
from gaborscope.store import changed_images
from gaborscope.store import paths as grammar
from gaborscope.store.tables import read_csv

EACH = 2  # stimuli of most, median and least disagreement that are shown
KINDS = ("network", "explanation", "noise", "network - noise", "explanation - noise")
MEASURES = ("kl_deep", "kl_explained", "log2_ratio")
# Intervals over fewer stimuli are not to be relied on; `workflow.small_splits` says so of a split.
FEW = 20
# A change that moves another training by less than this share is one training's own.
OWN = 0.1


def ranked(measures: pd.DataFrame, gains: Sequence[pd.DataFrame] = ()) -> pd.DataFrame:
    """
    Rank stimuli by the disagreement of network and explanation.

    Parameters
    ----------
    measures : DataFrame
        `stimulus, kl_deep, cc_deep`, as compare_with_deep writes them. Stimuli without a measure,
        which the network has seen, are left out.
    gains : sequence of DataFrame
        Information gain by stimulus of the coalitions of dimensions, as score_coalitions writes it;
        none where bits are not split.

    Returns
    -------
    table : DataFrame
        `shown, stimulus, kl_deep, cc_deep`, largest `kl_deep` first, and with gains the bits of
        `bits.parts`. `shown` is `most`, `median` or `least` for the stimuli that are shown: the
        first, the middle and the last `EACH` (fewer of few stimuli); else empty.
    """
    table = measures.dropna(subset="kl_deep")[["stimulus", "kl_deep", "cc_deep"]]
    table = table.sort_values("kl_deep", ascending=False, kind="stable", ignore_index=True)
    places = np.full(len(table), "", dtype=object)
    each = max(1, min(EACH, len(table) // 3))
    middle = max(0, (len(table) - each) // 2)
    places[middle : middle + each] = "median"
    places[len(table) - each :] = "least"
    places[:each] = "most"
    table.insert(0, "shown", places)
    if gains:
        by_part = bits.parts(bits.join(gains))
        table = table.merge(by_part, "left", left_on="stimulus", right_index=True)
    return table


def disagreement(
    rows: Sequence[tuple[str, np.ndarray, np.ndarray, np.ndarray, np.ndarray]], colour_map: str
) -> Figure:
    """
    Draw stimuli beside the maps of network and explanation, and where these differ.

    Parameters
    ----------
    rows : sequence of (str, uint8 array, int array, float array, float array)
        Title, image, fixations (n, 2) as x and y, deep and explained density.
    colour_map : str

    Returns
    -------
    figure : matplotlib.figure.Figure
    """
    figure, axes = _grid(len(rows), ("fixations", "network", "explanation", "log2 of their ratio"))
    for line, (title, image, points, deep, explained) in zip(axes, rows, strict=True):
        line[0].imshow(image)
        line[0].scatter(
            points[:, 0], points[:, 1], s=6, c=styles.COLOURS[0], linewidths=0.3, edgecolors="white"
        )
        line[0].set_ylabel(title, fontsize=10)
        top = max(deep.max(), explained.max())
        for axis, density in zip(line[1:3], (deep, explained), strict=True):
            shown = axis.imshow(density, cmap=colour_map, vmin=0, vmax=top)
        drawing.colour_bar(list(line[1:3]), shown, "share per px")
        ratio = np.log2(deep / explained)
        span = {"cmap": styles.SIGNED, "vmin": -drawing.SPAN, "vmax": drawing.SPAN}
        drawing.colour_bar([line[3]], line[3].imshow(ratio, **span), "bits (log2)")
    return figure


def changes(shown: Mapping[str, tuple[np.ndarray, ...]], level: float, colour_map: str) -> Figure:
    """
    Draw an image, its changes amplified, and both maps before and after.

    Parameters
    ----------
    shown : dict of str to (uint8 array, float array, float array)
        See `store.changed_images`.
    level : float
        Whose changes are drawn.
    colour_map : str

    Returns
    -------
    figure : matplotlib.figure.Figure
    """
    labels = ["original", *(f"{level:g} {kind}" for kind in KINDS[:3])]
    factor = 40 / level
    titles = ("image", f"change times {factor:.3g}", "network", "explanation")
    figure, axes = _grid(len(labels), titles)
    original, *maps = shown["original"]
    for line, label in zip(axes, labels, strict=True):
        image, *after = shown[label]
        line[0].imshow(image)
        change = 127.5 + factor * (image.astype(float) - original)
        line[1].imshow(np.clip(change, 0, 255).astype(np.uint8))
        line[0].set_ylabel(_words(label.rpartition(" ")[2]), fontsize=7)
        for axis, density, before in zip(line[2:], after, maps, strict=True):
            top = np.exp(before.max())
            image = axis.imshow(np.exp(density), cmap=colour_map, vmin=0, vmax=top)
            drawing.colour_bar([axis], image, "share per px")
    return figure


def _words(kind):
    """Say what a change was made for."""
    if kind == "training":
        return "moves this training, another one of the network in the explanation's place"
    return f"moves the {kind}" if kind in KINDS[:2] else kind


def _grid(n_rows, titles):
    """Return a figure with a grid of axes without ticks, titles above."""
    size = (2.4 * len(titles), 1.75 * max(n_rows, 1))
    figure, axes = plt.subplots(
        max(n_rows, 1), len(titles), figsize=size, squeeze=False, layout="constrained"
    )
    for axis in axes.flat:
        axis.set_xticks([])
        axis.set_yticks([])
    for axis, title in zip(axes[0], titles, strict=True):
        axis.set_title(title, fontsize=11)
    return figure, axes[:n_rows]


def differentiation(
    summaries: Sequence[str], images: Sequence[str], settings: Mapping[str, Any], folder: Path
) -> list[dict[str, Any]]:
    """
    Draw the figures of changed images and lay out their tables.

    Parameters
    ----------
    summaries, images : sequence of str
        `.summary.csv` and `.h5` of rule differentiate, in one order.
    settings : dict
        `colour_map, dpi`.
    folder : Path
        For the figures.

    Returns
    -------
    content : list of dict
        Values for the template, for each explanation.
    """
    content = []
    for first, second in zip(summaries, images, strict=True):
        model, dataset, explanation = grammar.parse("differentiation_summary", first).values()
        summary, figures = read_csv(first), []
        stem = f"differentiation_{model}_{dataset}_{explanation}"
        for number, (name, shown) in enumerate(changed_images.read(second)):
            path = Path(folder) / f"{stem}_{number}.png"
            figure = changes(shown, float(summary["level"].max()), settings["colour_map"])
            drawing.keep(figure, path, settings["dpi"], summary.assign(shown=name))
            figures.append({"name": name, "path": path})
        content.append(
            {
                "model": model,
                "dataset": dataset,
                "explanation": explanation,
                "n": int(summary["n"].max()) if len(summary) else 0,
                "sentences": sentences(summary),
                "table": table(summary),
                "figures": figures,
            }
        )
    return content


def sentences(summary: pd.DataFrame) -> list[str]:
    """
    Say how far changes move both maps, and what it means, at each level.

    Parameters
    ----------
    summary : DataFrame
        See `differentiation.summarise`.

    Returns
    -------
    sentences : list of str
    """
    said = []
    cells = summary.set_index(["level", "kind", "measure"])
    if len(summary) and (n := int(summary["n"].max())) < FEW:
        said.append(
            f"This is of {n} stimuli. Intervals of fewer than {FEW} are not to be relied on."
        )
    for level in dict.fromkeys(summary["level"]):
        moved = {
            (kind, measure): _interval(
                *cells.loc[(level, kind, measure), ["mean", "ci_low", "ci_high"]]
            )
            for kind in KINDS[:3]
            for measure in MEASURES[:2]
        }
        said.append(
            f"At {level:g} grey level{'s' if level != 1 else ''} the change that was made to move "
            f"the network's map alone moves it by {moved['network', 'kl_deep']} bits, and the "
            f"explanation's by {moved['network', 'kl_explained']}. The one that was made to move "
            f"the explanation's alone moves it by {moved['explanation', 'kl_explained']}, and "
            f"the network's by {moved['explanation', 'kl_deep']}. Noise moves the network's by "
            f"{moved['noise', 'kl_deep']}, and the explanation's by "
            f"{moved['noise', 'kl_explained']}. {_meaning(cells, level)}"
        )
        if (level, "training", "kl_other") in cells.index:
            one, other = (
                _interval(*cells.loc[(level, "training", measure), ["mean", "ci_low", "ci_high"]])
                for measure in ("kl_deep", "kl_other")
            )
            said.append(
                "Two trainings of one network part as well. A change that was made to move the map "
                f"of this training alone moves it by {one} bits, and that of the other by {other}."
            )
        measures = ("kl_deep", "kl_other")
        own, other = (cells["mean"].get((level, "network", measure)) for measure in measures)
        if other is not None and np.isfinite(other):
            own, other = (cells.loc[(level, "network", measure)] for measure in measures)
            moved = _interval(*other[["mean", "ci_low", "ci_high"]])
            said.append(
                "The change that moves this training's map and not the explanation's moves the "
                f"other training's by {moved} bits. "
                + (
                    "That is less than a tenth as far: what the explanation does not see there is "
                    "almost wholly this training's own."
                    if other["ci_high"] < OWN * own["ci_low"]
                    else "Part of what the explanation does not see there is common to both."
                )
            )
    return said


def _meaning(cells, level):
    """Say whether the two changes part the maps more than noise does."""
    apart = cells.loc[(level, "network - noise", "log2_ratio"), "ci_low"] > 0
    reverse = cells.loc[(level, "explanation - noise", "log2_ratio"), "ci_high"] < 0
    if apart and reverse:
        return "Both are shown: each rests on something that the other does not see."
    if apart:
        return "The network rests on something that the explanation does not see."
    if reverse:
        return "The explanation rests on something that the network does not see."
    return "Neither is shown: no change parts the maps more than noise does."


def table(summary: pd.DataFrame) -> dict[str, Any]:
    """
    Lay out the sizes, one row per level and kind of change.

    Parameters
    ----------
    summary : DataFrame
        See `differentiation.summarise`.

    Returns
    -------
    table : dict
        `columns`, `rows`.
    """
    cells = summary.set_index(["level", "kind", "measure"])[["mean", "ci_low", "ci_high"]]
    rows = [
        (
            f"{level:g}, {_words(kind)}",
            [
                _interval(*cells.loc[(level, kind, "kl_other" if other else measure)])
                for measure in MEASURES
                for other in [kind == "training" and measure == "kl_explained"]
            ],
        )
        for level in dict.fromkeys(summary["level"])
        for kind in (*KINDS, "training")
        if (level, kind, "kl_deep") in cells.index
    ]
    columns = ["network moved (bits)", "explanation moved (bits)", "log2 of the ratio"]
    return {"columns": columns, "rows": rows}


def _interval(mean, low, high):
    return f"{mean:.2g} [{low:.2g}, {high:.2g}]" if np.isfinite(mean) else "undefined"
