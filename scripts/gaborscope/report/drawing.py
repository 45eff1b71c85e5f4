"""Figures of the report: stimuli beside their maps, explained variance, shares, filters."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib
import pandas as pd
from matplotlib import font_manager
from matplotlib.figure import Figure

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np

from gaborscope.filters import loggabor
from gaborscope.report import styles
from gaborscope.stimuli import colour as stimuli_colour
from gaborscope.store.files import whole
from gaborscope.store.tables import write_csv

GREY = "0.35"
LEFT = -1.0  # below it a scale from 0 to 1 is cut, and what is cut is marked
SPAN = 4  # bits per pixel up to which a ratio of densities is drawn


def save(figure: Figure, path: str | Path, dpi: int, source: str | None = None) -> None:
    """
    Write a figure as PNG and close it.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
    path : str or Path
    dpi : int
    source : str, optional
        Text that is kept in the file.
    """
    # no software version or date in the file: equal inputs give equal bytes
    with whole(path) as temporary:
        figure.savefig(
            temporary, format="png", dpi=dpi, bbox_inches="tight",
            metadata={"Software": None, "Source": source},
        )  # fmt: skip
    plt.close(figure)


def keep(figure: Figure, path: str | Path, dpi: int, data: pd.DataFrame) -> Path:
    """
    Write a figure as PNG and SVG and the table behind it as CSV, and close the figure.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
    path : str or Path
        Of the PNG; the other two lie beside it.
    dpi : int
        Of the PNG, and of pictures within the SVG.
    data : DataFrame
        What is drawn.

    Returns
    -------
    path : Path
        Of the PNG.
    """
    path = Path(path)
    # ids from the content, no date: equal inputs give equal bytes
    with matplotlib.rc_context({"svg.hashsalt": path.stem}), whole(path.with_suffix(".svg")) as svg:
        figure.savefig(
            svg, format="svg", dpi=dpi, bbox_inches="tight",
            metadata={"Date": None, "Creator": None},
        )  # fmt: skip
    save(figure, path, dpi)
    write_csv(path.with_suffix(".csv"), data)
    return path


def colour_bar(axes: Any, image: Any, label: str) -> None:
    """
    Draw the colour bar of pictures that share a scale, to the right of the last.

    Parameters
    ----------
    axes : list of matplotlib.axes.Axes
        Of a figure whose layout is constrained.
    image : matplotlib.image.AxesImage
    label : str
        Quantity and unit.
    """
    bar = image.figure.colorbar(image, ax=axes, fraction=0.05, pad=0.01, shrink=0.85)
    bar.set_label(label, fontsize=10)
    bar.formatter.set_powerlimits((-2, 3))
    bar.ax.tick_params(labelsize=10)
    bar.ax.yaxis.get_offset_text().set_fontsize(10)


def whole_scale(axis: Any, values: Any, ends: Any) -> None:
    """
    Set the limits of a scale from 0 to 1 so that no value above is cut.

    Values below `LEFT` are marked at the edge, because they would shrink the span that matters.

    Parameters
    ----------
    axis : matplotlib.axes.Axes
        Values run along x.
    values : float array (n,)
        nan where undefined.
    ends : float array (n, 2)
        Intervals.
    """
    known = [float(v) for v in np.concatenate([np.ravel(values), np.ravel(ends)]) if np.isfinite(v)]
    low, high = min([-0.05, *known]), max([1.05, *known])
    low = max(low, LEFT)
    room = 0.03 * (high - low)
    axis.set_xlim(low - room, high + room)


def stimulus_panels(
    panels: Sequence[tuple[str, str, np.ndarray | tuple[Any, ...]]], colour_map: str
) -> Figure:
    """
    Draw one stimulus beside its maps.

    Parameters
    ----------
    panels : list of (str, str, array or tuple)
        Title, kind, content: "image" a uint8 array (y, x, 3); "fixations" the image and an int
        array (n, 2) of x, y; "density" a float array (y, x), all on one scale from 0; "activation"
        a float array (y, x), all on one scale, diverging about 0 if any value is negative;
        "ratio" a float array (y, x) of bits, diverging.
    colour_map : str

    Returns
    -------
    figure : matplotlib.figure.Figure
    """
    figure, axes = plt.subplots(
        1, len(panels), figsize=(2.5 * len(panels), 2.2), layout="constrained"
    )
    scales = {kind: _scale(panels, kind, colour_map) for kind in ("density", "activation")}
    scales["ratio"] = {"cmap": styles.SIGNED, "vmin": -SPAN, "vmax": SPAN}
    labels = {"density": "share per px", "activation": "activation", "ratio": "bits (log2)"}
    drawn: dict[str, list[Any]] = {kind: [] for kind in scales}
    for axis, (title, kind, content) in zip(np.atleast_1d(axes), panels, strict=True):
        axis.set_title(title, fontsize=11)
        axis.set_xticks([])
        axis.set_yticks([])
        if kind == "image":
            axis.imshow(content)
        elif kind == "fixations":
            image, points = content
            axis.imshow(image, alpha=0.5)
            axis.scatter(
                points[:, 0], points[:, 1], s=7, c=styles.COLOURS[0], marker="o",
                linewidths=0.4, edgecolors="white",
            )  # fmt: skip
        else:
            drawn[kind].append(axis.imshow(content, **scales[kind]))
    for kind, images in drawn.items():
        if images:
            colour_bar([image.axes for image in images], images[-1], labels[kind])
    return figure


def _scale(panels, kind, colour_map):
    """Return the one scale of all panels of a kind: from 0, or about 0 if any value is negative."""
    maps = [np.asarray(content) for _, own, content in panels if own == kind]
    top = max((float(np.abs(content).max()) for content in maps), default=1.0) or 1.0
    if any((content < 0).any() for content in maps):
        return {"cmap": styles.SIGNED, "vmin": -top, "vmax": top}
    return {"cmap": colour_map, "vmin": 0, "vmax": top}


def sparsity_curves(table: pd.DataFrame) -> Figure:
    """
    Draw the explained variance of every layer with few filters per map.

    Parameters
    ----------
    table : DataFrame
        Columns `layer, filters_per_map` (nan: all), `explained_variance`.

    Returns
    -------
    figure : matplotlib.figure.Figure
    """
    figure, axis = plt.subplots(figsize=(6.5, 3.2))
    few = table[table["filters_per_map"].notna()]
    budgets = sorted(few["filters_per_map"].astype(int).unique())
    for name, style in styles.ordered(list(dict.fromkeys(table["layer"]))).items():
        curve = table[table["layer"] == name].sort_values("filters_per_map")
        axis.plot(range(len(curve)), curve["explained_variance"], label=name, **style.lines())
    axis.set_xticks(range(len(budgets) + 1), [*map(str, budgets), "all"])
    axis.set_xlabel("filters per map")
    axis.set_ylabel("explained variance (share)")
    axis.legend(fontsize=7, frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
    axis.spines[["top", "right"]].set_visible(False)
    return figure


def normalised_dots(table: pd.DataFrame, preset: str, dataset: str) -> Figure:
    """
    Draw predictors between the centre bias (0) and the gold standard (1), one panel per metric.

    Parameters
    ----------
    table : DataFrame
        As `results/normalised.csv`.
    preset, dataset : str

    Returns
    -------
    figure : matplotlib.figure.Figure
    """
    part = table[(table["preset"] == preset) & (table["dataset"] == dataset)]
    metrics, names = (list(dict.fromkeys(part[key])) for key in ("metric", "predictor"))
    size = (1.2 + 1.35 * len(metrics), 0.8 + 0.24 * len(names))
    figure, axes = plt.subplots(1, len(metrics), figsize=size, sharey=True, squeeze=False)
    y = np.arange(len(names))[::-1]
    for axis, metric in zip(axes[0], metrics, strict=True):
        scores = part[part["metric"] == metric].set_index("predictor").loc[names]
        axis.hlines(y, scores["ci_low"], scores["ci_high"], color="0.6", linewidth=2)
        axis.plot(scores["normalised"], y, "o", color="black", markersize=3.5)
        below = scores["normalised"] < LEFT
        axis.plot(np.full(below.sum(), LEFT), y[below], "<", color="black", markersize=4)
        for place, style in ((0, ":"), (1, "--")):
            axis.axvline(place, color="0.3", linestyle=style, linewidth=0.7)
        whole_scale(axis, scores["normalised"], scores[["ci_low", "ci_high"]])
        axis.set_title(metric, fontsize=8)
        axis.tick_params(labelsize=7)
        axis.set_yticks(y, names)
        axis.spines[["top", "right"]].set_visible(False)
    return figure


def share_bars(
    layers: Sequence[str], shares: np.ndarray, labels: Sequence[str], title: str
) -> Figure:
    """
    Draw shares of explained variance per layer, as stacked bars.

    Parameters
    ----------
    layers : list of str
    shares : float array (layer, group)
    labels : list of str
    title : str

    Returns
    -------
    figure : matplotlib.figure.Figure
    """
    figure, axis = plt.subplots(figsize=(1.2 + 0.6 * len(layers), 2.6))
    bottom = np.zeros(len(layers))
    shades = plt.get_cmap("twilight" if title == "orientation" else "cividis")
    for group, label in enumerate(labels):
        tint = shades((group + 0.5) / (len(labels) + (0 if title == "orientation" else 0.5)))
        tint = "0.8" if label in ("no scale", "no orientation") else tint
        height = np.maximum(shares[:, group], 0)
        axis.bar(np.arange(len(layers)), height, 0.8, bottom=bottom, color=tint, label=label,
                 hatch=styles.HATCHES[group % len(styles.HATCHES)], edgecolor="white",
                 linewidth=0.3)  # fmt: skip
        bottom += height
    axis.set_xticks(np.arange(len(layers)), layers, rotation=40, ha="right", fontsize=8)
    axis.set_ylabel("share of explained variance")
    axis.set_title(f"by {title}", fontsize=9)
    axis.legend(fontsize=6, frameon=False, bbox_to_anchor=(1, 1), loc="upper left")
    axis.spines[["top", "right"]].set_visible(False)
    return figure


def dominant_filters(
    rows_by_layer: Mapping[str, Sequence[Mapping[str, Any]]],
    bank: loggabor.LogGaborBank,
    space: str,
    wavelengths: Sequence[str],
) -> Figure:
    """
    Draw the dominant filters of every layer as their even impulse responses.

    Parameters
    ----------
    rows_by_layer : dict of str to list of dict
        From `identities.dominant`.
    bank : loggabor.LogGaborBank
    space : str
        Colour space, which names the channels.
    wavelengths : list of str
        Label of each scale.

    Returns
    -------
    figure : matplotlib.figure.Figure
    """
    n = max(len(rows) for rows in rows_by_layer.values())
    figure, axes = plt.subplots(
        len(rows_by_layer), n, figsize=(1.25 * n, 1.45 * len(rows_by_layer)), squeeze=False
    )
    for line, (layer, rows) in zip(axes, rows_by_layer.items(), strict=True):
        for axis in line:
            axis.axis("off")
        for axis, row in zip(line, rows, strict=False):
            patch, label = _patch(
                row, bank, stimuli_colour.CHANNELS[space][row["colour"]], wavelengths
            )
            limit = np.abs(patch).max() or 1
            axis.imshow(patch, cmap="gray", vmin=-limit, vmax=limit)
            axis.set_title(f"{label}\nr² {row['r2']:.2f}", fontsize=6)
        line[0].text(
            -0.25, 0.5, layer, transform=line[0].transAxes, ha="right", va="center", fontsize=8
        )
    figure.subplots_adjust(hspace=0.6)
    return figure


def _patch(row, bank, channel, wavelengths):
    side = 96
    if row["scale"] < 0:
        impulse = np.fft.ifft2(bank.residual_gain((side, side))).real
        return np.fft.fftshift(impulse), f"{channel} low-pass residual"
    index = row["scale"] * bank.n_orientations + row["orientation"]
    impulse = np.fft.fftshift(np.fft.ifft2(bank.gains((side, side))[index]).real)
    wavelength = bank.wavelengths_px[row["scale"]]
    half = int(min(side // 2, max(6, 1.5 * wavelength)))
    middle = slice(side // 2 - half, side // 2 + half)
    degrees = np.degrees(bank.orientations[row["orientation"]])
    label = f"{channel} {row['kind']} {degrees:.0f}°\n{wavelengths[row['scale']]}"
    return impulse[middle, middle], label


def bank_of(settings: Mapping[str, Any]) -> loggabor.LogGaborBank:
    """
    Return the bank that an explanation's settings describe.

    Parameters
    ----------
    settings : dict
        Arguments of `LogGaborBank`.

    Returns
    -------
    bank : loggabor.LogGaborBank
    """
    return loggabor.LogGaborBank(**settings)


def title_of(name: str) -> str:
    """
    Return a photograph's name as it stands in the figure.

    Parameters
    ----------
    name : str

    Returns
    -------
    title : str
        Shortened if it is long; empty if the figure's font lacks a letter of it.
    """
    family = font_manager.FontProperties(weight="bold")
    letters = font_manager.get_font(font_manager.findfont(family)).get_charmap()
    if any(ord(letter) not in letters for letter in name):
        return ""
    return name if len(name) < 60 else f"{name[:57]}..."
