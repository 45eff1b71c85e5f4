"""What the report shows of the anatomy of explanations: explained bits, spectra."""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from gaborscope import drawing

SHADES = {
    "contrast": "0.45",
    "position": "#8c6d31",
    "colour": "#d6616b",
    "scale": "#3182bd",
    "orientation": "#31a354",
    "second_stage": "#756bb1",
    "unexplained": "0.88",
}


def content(files, folder, dpi):
    """
    Draw the figures and return what the template needs.

    Parameters
    ----------
    files : object
        The job's inputs. `bits`: paths `results/bits/{model}/{dataset}/{explanation}.csv`;
        `spectra`: at most one, `results/spectra.csv`.
    folder : Path
    dpi : int

    Returns
    -------
    content : dict
        `bits_figure`, `spectra_figure` (None without files), `bits_table` and `spectra_table`
        (`columns, rows`).
    """
    tables = {
        f"{Path(path).parents[1].name}-{Path(path).stem}": pd.read_csv(path).set_index("part")
        for path in files.bits
    }
    figure = None
    if tables:
        figure = folder / "bits.png"
        drawing.save(bits_bars(tables), figure, dpi)
    columns = [
        name
        for name in (*SHADES, "explained", "deep")
        if any(name in table.index for table in tables.values())
    ]
    rows = [(name, [_cell(table, part) for part in columns]) for name, table in tables.items()]
    found = {"bits_figure": figure, "bits_table": {"columns": columns, "rows": rows}}
    return {**found, **_spectra(files.spectra, folder, dpi)}


def _spectra(files, folder, dpi):
    """Figure and table of the spectra."""
    if not files:
        return {"spectra_figure": None, "spectra_table": None}
    table = pd.read_csv(files[0])
    path = folder / "spectra.png"
    drawing.save(spectra_lines(table), path, dpi)
    columns = {
        "explained variance, test": ("explained_variance", "test"),
        "position": ("kind", "position"),
        "amplitude": ("kind", "amplitude"),
        "normalised": ("kind", "normalised"),
        "mean wavelength, px": ("scale", "mean_wavelength"),
    }
    rows = []
    for predictor, own in table.groupby("predictor", sort=False):
        own = own.set_index(["grouping", "group"])
        cells = [_figure(own, key) for key in columns.values()]
        rows.append((predictor, cells))
    return {"spectra_figure": path, "spectra_table": {"columns": list(columns), "rows": rows}}


def _figure(table, key):
    if key not in table.index:
        return "not in the bank"
    row = table.loc[key]
    return f"{row['value']:.3g} [{row['ci_low']:.3g}, {row['ci_high']:.3g}]"


def spectra_lines(table):
    """
    Share of the variance of each predictor's log-density over wavelength.

    Parameters
    ----------
    table : DataFrame
        As `results/spectra.csv`.

    Returns
    -------
    figure : matplotlib.figure.Figure
        Over cycles per degree where they are known, else over px of the stimulus.
    """
    scales = table[(table["grouping"] == "scale") & table["wavelength_px"].notna()]
    known = scales["cycles_per_degree"].notna().all()
    figure, axis = plt.subplots(figsize=(6.5, 3.2))
    names = list(dict.fromkeys(scales["predictor"]))
    shades = plt.get_cmap("tab10" if len(names) <= 10 else "tab20")
    for number, name in enumerate(names):
        own = scales[scales["predictor"] == name]
        x = own["cycles_per_degree" if known else "wavelength_px"]
        axis.plot(x, own["value"], "o-", color=shades(number), markersize=3, linewidth=1,
                  label=name)  # fmt: skip
        axis.fill_between(x, own["ci_low"], own["ci_high"], color=shades(number), alpha=0.12,
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


def bits_bars(tables):
    """
    Information gain of each deep model over the centre bias, split by what carries it.

    Parameters
    ----------
    tables : dict of str to DataFrame
        By explained model, as `bits.summarise` makes them, with `part` as the index.

    Returns
    -------
    figure : matplotlib.figure.Figure
        Bars to the right of 0 for parts that add, to the left for those that take away; the line
        is the deep model's gain.
    """
    figure, axis = plt.subplots(figsize=(7.5, 1.3 + 0.45 * len(tables)))
    y = np.arange(len(tables))[::-1]
    for place, table in zip(y, tables.values(), strict=True):
        ends = {True: 0.0, False: 0.0}
        for name, shade in SHADES.items():
            if name not in table.index:
                continue
            value = table.loc[name, "bits"]
            axis.barh(place, value, 0.7, left=ends[value > 0], color=shade,
                      label=name.replace("_", " ") if place == y[0] else None)  # fmt: skip
            ends[value > 0] += value
        axis.plot([table.loc["deep", "bits"]] * 2, [place - 0.4, place + 0.4], color="black",
                  linewidth=1)  # fmt: skip
    axis.axvline(0, color="0.3", linewidth=0.7)
    axis.set_yticks(y, list(tables))
    axis.set_xlabel("bits per fixation above the centre bias")
    axis.legend(fontsize=7, frameon=False, ncols=4, loc="lower center", bbox_to_anchor=(0.5, 1))
    axis.spines[["top", "right"]].set_visible(False)
    return figure


def _cell(table, part):
    if part not in table.index:
        return "not in the bank"
    row = table.loc[part]
    return f"{row['bits']:.3f} [{row['ci_low']:.3f}, {row['ci_high']:.3f}], {row['share']:.0%}"
