"""Figures and tables of the report on the anatomy of explanations: bits, spectra, layers."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from gaborscope.analysis import bits
from gaborscope.filters.regressors import SWAPPED
from gaborscope.report import drawing, styles
from gaborscope.store import paths as grammar
from gaborscope.store.tables import read_csv

SHADES = {
    "contrast": "0.45",
    "position": "#8c6d31",
    "colour": "#d6616b",
    "scale": "#3182bd",
    "orientation": "#31a354",
    "second_stage": "#756bb1",
    "local_normalisation": "#e6550d",
    "centre_surround": "#9ecae1",
    "centre_surround_oriented": "#6baed6",
    "competition": "#fdae6b",
    "half_waves": "#a1d99b",
    "intensity": "#bdb76b",
    "local_contrast": "#c7a76c",
    "second_order": "#9e9ac8",
    "second_order_oriented": "#bcbddc",
    "log_energy": "#e6ab02",
    "rarity": "#a65628",
    "grouping": "#17becf",
    "unexplained": "0.88",
}
CONCEPTS = ("#e7298a", "#1b9e77", "#d95f02", "#7570b3")
PEOPLE = "people"  # whose bits are split where no network's are


def content(files: Any, folder: Path, dpi: int) -> dict[str, Any]:
    """
    Draw the figures and return the values for the template.

    Parameters
    ----------
    files : object
        The job's inputs. `bits`: paths `results/bits/{model}/{dataset}/{explanation}.csv`;
        `spectra`: at most one, `results/spectra.csv`; `anatomy`: the tables of rule dissect.
    folder : Path
    dpi : int

    Returns
    -------
    content : dict
        `bits_figure`, `spectra_figure` (None without files), `bits_sentences`, `bits_table` and
        `spectra_table` (`columns, rows`); `layer_figures`: name and path for each explained model.
    """
    tables = {_named(path): read_csv(path).set_index("part") for path in files.bits}
    of_bits = bits_content(tables, folder / "bits.png", dpi)
    layers = _layers(files.anatomy, folder, dpi)
    return {**of_bits, **_spectra(files.spectra, folder, dpi), "layer_figures": layers}


def bits_content(tables: Mapping[str, pd.DataFrame], path: Path, dpi: int) -> dict[str, Any]:
    """
    Draw explained bits, and lay out what they say.

    Parameters
    ----------
    tables : dict of str to DataFrame
        By explained model, or `PEOPLE`, as `bits.summarise` makes them, with `part` as the index.
    path : Path
        For the figure, a PNG.
    dpi : int

    Returns
    -------
    content : dict
        `bits_figure` (None without tables), `bits_sentences`, and `bits_table` (`columns, rows`).
    """
    columns = [
        name
        for name in (*_shades(tables), "explained", "deep", *_added(tables))
        if any(name in table.index for table in tables.values())
    ]
    if tables:
        drawing.keep(bits_bars(tables), path, dpi, _together(tables, "explained_model"))
    return {
        "bits_figure": path if tables else None,
        "bits_sentences": [
            sentence for name, table in tables.items() if (sentence := bits.sentence(name, table))
        ],
        "bits_table": {
            "columns": columns,
            "rows": [(n, [_cell(table, part) for part in columns]) for n, table in tables.items()],
        },
    }


def _named(path):
    """Return whose bits a table has: of an explained model, or of people."""
    found = grammar.parse("bits", path)
    return PEOPLE if found["model"] == "gold_standard" else "{model}-{explanation}".format(**found)


def _added(tables):
    """List the rows of what concepts, and their maps of other stimuli, add to all else."""
    parts = {part for table in tables.values() for part in table.index}
    return sorted(part for part in parts if part.startswith((bits.ADDED, SWAPPED)))


def _shades(tables):
    """Return the colour of each part; concepts stand before what is unexplained."""
    shades = {part: shade for part, shade in SHADES.items() if part != "unexplained"}
    others = ("explained", "deep", "fused", "unexplained", *shades, *_added(tables))
    parts = dict.fromkeys(part for table in tables.values() for part in table.index)
    for number, part in enumerate(part for part in parts if part not in others):
        shades[part] = CONCEPTS[number % len(CONCEPTS)]
    return {**shades, "unexplained": SHADES["unexplained"]}


def _layers(files, folder, dpi):
    """Draw the layers of each explanation, and return (name, path) of each figure."""
    tables = {}
    for path in files:
        wildcards = grammar.parse("anatomy", path)
        name = "{model}-{explanation}".format(**wildcards)
        tables.setdefault(name, {})[wildcards["table"]] = read_csv(path)
    figures = []
    for name, layer_tables in tables.items():
        path = folder / f"{name}_anatomy.png"
        drawing.keep(layer_panels(layer_tables), path, dpi, _together(layer_tables, "panel"))
        figures.append((name, path))
    return figures


def _spectra(files, folder, dpi):
    """Draw the spectra of all predictors, and return the figure and the table."""
    if not files:
        return {"spectra_figure": None, "spectra_table": None}
    table = read_csv(files[0])
    path = folder / "spectra.png"
    scales = table[(table["grouping"] == "scale") & table["wavelength_px"].notna()]
    drawing.keep(spectra_lines(table), path, dpi, scales)
    columns = {
        "explained variance, test": ("explained_variance", "test"),
        "position": ("kind", "position"),
        "amplitude": ("kind", "amplitude"),
        "normalised": ("kind", "normalised"),
        "mean wavelength, px": ("scale", "mean_wavelength"),
    }
    rows = []
    for predictor, group in table.groupby("predictor", sort=False):
        figures = group.set_index(["grouping", "group"])
        cells = [_figure(figures, key) for key in columns.values()]
        rows.append((predictor, cells))
    return {"spectra_figure": path, "spectra_table": {"columns": list(columns), "rows": rows}}


def _together(tables, name):
    """Return tables as one, with a first column that says which a row is of."""
    parts = [table.reset_index().assign(**{name: key}) for key, table in tables.items()]
    rows = pd.concat(parts, ignore_index=True).drop(columns="index", errors="ignore")
    return rows[[name, *rows.columns.drop(name)]]


def _figure(table, key):
    if key not in table.index:
        return "not in the bank"
    row = table.loc[key]
    if np.isnan(row["value"]):
        return "none named"
    return f"{row['value']:.3g} [{row['ci_low']:.3g}, {row['ci_high']:.3g}]"


def _cell(table, part):
    if part not in table.index:
        return "not in the bank"
    row = table.loc[part]
    if np.isnan(row["bits"]):
        return "undefined"
    # a line of a cell ends before the interval, not within it
    text = f"{row['bits']:z.3f} [{row['ci_low']:z.3f},\N{NO-BREAK SPACE}{row['ci_high']:z.3f}]"
    return text + (f", {row['share']:z.0%}" if np.isfinite(row["share"]) else "")


def bits_bars(tables: Mapping[str, pd.DataFrame]) -> Figure:
    """
    Draw the information gain of each deep model over the centre bias, split into its parts.

    Parameters
    ----------
    tables : dict of str to DataFrame
        By explained model, as `bits.summarise` makes them, with `part` as the index.

    Returns
    -------
    figure : matplotlib.figure.Figure
        Bars of parts that add bits go to the right of 0, bars of parts that cost bits to the left.
        The line is the deep model's gain.
    """
    figure, axis = plt.subplots(figsize=(7.5, 1.3 + 0.45 * len(tables)))
    y, named = np.arange(len(tables))[::-1], set()
    for place, table in zip(y, tables.values(), strict=True):
        ends = {True: 0.0, False: 0.0}
        for number, (name, shade) in enumerate(_shades(tables).items()):
            if name not in table.index:
                continue
            value = table.loc[name, "bits"]
            if np.isnan(value):  # every test stimulus was trained on
                continue
            axis.barh(place, value, 0.7, left=ends[value > 0], color=shade,
                      hatch=styles.HATCHES[number % len(styles.HATCHES)], edgecolor="white",
                      linewidth=0.3, label=name.replace("_", " ") if name not in named else None,
                      )  # fmt: skip
            named.add(name)
            ends[value > 0] += value
        axis.plot([table.loc["deep", "bits"]] * 2, [place - 0.4, place + 0.4], color="black",
                  linewidth=1)  # fmt: skip
    axis.axvline(0, color="0.3", linewidth=0.7)
    axis.set_yticks(y, list(tables))
    axis.set_xlabel("bits per fixation above the centre bias")
    if named:
        axis.legend(fontsize=7, frameon=False, ncols=4, loc="lower center", bbox_to_anchor=(0.5, 1))
    axis.spines[["top", "right"]].set_visible(False)
    return figure


def spectra_lines(table: pd.DataFrame) -> Figure:
    """
    Draw the share of each wavelength in the variance of each predictor's log-density.

    Parameters
    ----------
    table : DataFrame
        As `results/spectra.csv`.

    Returns
    -------
    figure : matplotlib.figure.Figure
        Over cycles per degree if they are known, else over px of the stimulus.
    """
    scales = table[(table["grouping"] == "scale") & table["wavelength_px"].notna()]
    known = scales["cycles_per_degree"].notna().all()
    figure, axis = plt.subplots(figsize=(6.5, 3.2))
    for name, style in styles.unordered(list(dict.fromkeys(scales["predictor"]))).items():
        curve = scales[scales["predictor"] == name]
        x = curve["cycles_per_degree" if known else "wavelength_px"]
        axis.plot(x, curve["value"], label=name, **style.lines())
        axis.fill_between(x, curve["ci_low"], curve["ci_high"], color=style.colour, alpha=0.12,
                          linewidth=0)  # fmt: skip
    axis.set_xscale("log")
    axis.set_xticks(x, [f"{value:.2g}" for value in x])
    axis.minorticks_off()
    axis.set_xlabel("cycles per degree" if known else "wavelength, px of the stimulus")
    axis.set_ylabel("share of variance")
    axis.axhline(0, color="0.3", linewidth=0.7)
    axis.legend(fontsize=7, frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
    axis.spines[["top", "right"]].set_visible(False)
    return figure


def layer_panels(tables: Mapping[str, pd.DataFrame]) -> Figure:
    """
    Draw position, colour and scale of every layer, in the order of depth.

    Parameters
    ----------
    tables : dict of str to DataFrame
        `position`, `colour`, `scale`, as rule dissect writes them.

    Returns
    -------
    figure : matplotlib.figure.Figure
        Three panels. Position: profile over the distance from the centre; the legend tells the
        share. Colour: axes as they look (grey plus and minus the axis), as wide as their energy.
        Scale: shares of the scales, and the mean wavelength.
    """
    layers = list(dict.fromkeys(tables["scale"]["layer"]))
    size = (13, 1.2 + 0.28 * len(layers))
    figure, (place, hues, scales) = plt.subplots(
        1, 3, figsize=size, width_ratios=(1, 0.8, 1.2), layout="constrained"
    )
    _profiles(place, tables["position"])
    _swatches(hues, tables["colour"], layers)
    _scales(scales, tables["scale"], layers)
    for axis in (place, hues, scales):
        axis.spines[["top", "right"]].set_visible(False)
        axis.tick_params(labelsize=7)
    return figure


def _profiles(axis, table):
    names = list(dict.fromkeys(table["layer"]))
    for name, style in styles.ordered(names).items():
        profile = table[table["layer"] == name]
        share = profile["share"].iloc[0]
        label = f"{name} ({share:z.0%})" if np.isfinite(share) else name
        axis.plot(
            profile["radius"], profile["rms"], label=label,
            **style.lines(markersize=3, markevery=0.2),
        )  # fmt: skip
    axis.set_xlabel("distance from the centre (1: middle of a side)", fontsize=8)
    axis.set_ylabel("position part, s.d. of the maps", fontsize=8)
    axis.set_title("place (share of variance)", fontsize=9)
    if names:
        axis.legend(fontsize=6, frameon=False, ncols=2)


def _swatches(axis, table, layers):
    for y, layer in enumerate(layers[::-1]):
        left = 0.0
        for row in table[table["layer"] == layer].itertuples():
            direction = np.array([row.first, row.second, row.third])
            if not np.isfinite(direction).all() or not np.isfinite(row.energy):
                continue
            both = (np.clip(0.5 + sign * 0.45 * direction, 0, 1) for sign in (1, -1))
            for half, tint in enumerate(both):  # an axis has no sign: draw both ends
                axis.barh(y + 0.2 - 0.4 * half, row.energy, 0.4, left=left, color=tint)
            if row.energy > 0.12:
                label = f"{row.nearest} {row.angle_deg:.0f}°"
                axis.text(left + row.energy / 2, y, label, fontsize=6, ha="center", va="center",
                          color="white")  # fmt: skip
            left += row.energy
    axis.set_yticks(range(len(layers)), layers[::-1])
    axis.set_xlabel("share of squared weights", fontsize=8)
    axis.set_title("axes of colour (nearest channel, angle)", fontsize=9)


def _scales(axis, table, layers):
    left = np.zeros(len(layers))
    n = int(table["scale"].max()) + 1
    for scale in range(n):
        rows = table[table["scale"] == scale].set_index("layer").loc[layers[::-1]]
        width = np.maximum(rows["share"].to_numpy(), 0)
        label = f"{rows['wavelength_px'].iloc[0]:.3g} px"
        axis.barh(range(len(layers)), width, 0.8, left=left, label=label,
                  color=plt.get_cmap("cividis")((scale + 0.5) / n),
                  hatch=styles.HATCHES[scale % len(styles.HATCHES)], edgecolor="white",
                  linewidth=0.3)  # fmt: skip
        left += width
    means = table.drop_duplicates("layer").set_index("layer").loc[layers[::-1], "mean_px"]
    for y, (end, mean) in enumerate(zip(left, means, strict=True)):
        axis.text(end + 0.01, y, f"{mean:.3g} px", fontsize=6, va="center")
    axis.set_yticks(range(len(layers)), layers[::-1])
    axis.set_xlabel("share of variance", fontsize=8)
    axis.set_title("scales (mean wavelength of the stimulus)", fontsize=9)
    axis.legend(fontsize=6, frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
