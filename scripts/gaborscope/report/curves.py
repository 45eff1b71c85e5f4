"""Figures of the tuning of layers, and of scores with few filters per map."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from gaborscope.analysis import tuning
from gaborscope.report import styles
from gaborscope.report.drawing import GREY, plt

SHOWN = {
    "auc_judd": "AUC-Judd",
    "nss": "NSS",
    "cc": "CC",
    "kld": "KLD (less is better)",
    "ig": "IG",
}


def tuning_beside_people(table: pd.DataFrame) -> Figure:
    """
    Shares of each layer by wavelength, beside human contrast sensitivity.

    The contrast sensitivity is drawn only if `why_without_people` has nothing against it.

    Parameters
    ----------
    table : DataFrame
        As `results/tuning/{model}/{dataset}/{explanation}.csv`.

    Returns
    -------
    figure : matplotlib.figure.Figure
    """
    shares = shares_drawn(table)
    known = shares["cycles_per_degree"].notna().all()
    figure, axis = plt.subplots(figsize=(6.5, 3.2))
    for name, style in styles.ordered(list(dict.fromkeys(shares["layer"]))).items():
        part = shares[shares["layer"] == name]
        x = part["cycles_per_degree"] if known else 1 / part["wavelength_px"]
        axis.plot(x, part["share"], label=name, **style.lines())
    axis.set_xscale("log")
    axis.set_xticks(x, [f"{value:.2g}" for value in x])  # those of the bank, as plain numbers
    axis.minorticks_off()
    axis.set_ylim(bottom=min(0, float(shares["share"].min())))
    axis.set_xlabel("cycles/degree" if known else "cycles/px of the stimulus")
    axis.set_ylabel("share of explained variance")
    if not why_without_people(table):
        people = axis.twinx()
        f = np.geomspace(
            shares["cycles_per_degree"].min() / 2, shares["cycles_per_degree"].max() * 2, 200
        )
        people.plot(f, tuning.contrast_sensitivity(f), "--", color=GREY, linewidth=1)
        people.set_ylim(bottom=0)
        people.set_ylabel("contrast sensitivity, relative (dashed)", color=GREY)
        people.spines["top"].set_visible(False)
    axis.spines["top"].set_visible(False)
    axis.legend(fontsize=7, frameon=False, loc="center left", bbox_to_anchor=(1.15, 0.5))
    return figure


def shares_drawn(table: pd.DataFrame) -> pd.DataFrame:
    """
    Return the rows that `tuning_beside_people` draws.

    Parameters
    ----------
    table : DataFrame
        As for `tuning_beside_people`.

    Returns
    -------
    rows : DataFrame
        Of luminance, if the colour space has a channel of it.
    """
    luminance = table[table["property"] == "luminance_wavelength"]
    return luminance if len(luminance) else table[table["property"] == "wavelength"]


def why_without_people(table: pd.DataFrame) -> str:
    """
    Say why the shares of layers cannot be read against human contrast sensitivity.

    Parameters
    ----------
    table : DataFrame
        As for `tuning_beside_people`.

    Returns
    -------
    sentence : str
        Empty if they can be: they are of luminance, px per degree are known, and the frequencies of
        the bank reach the peak of the curve.
    """
    shares = shares_drawn(table)
    lead = "Human contrast sensitivity is not drawn"
    if (shares["property"] != "luminance_wavelength").any():
        return f"{lead}: it is known for luminance, and the colour space has no channel of it."
    if shares["cycles_per_degree"].isna().any():
        return f"{lead}: px per degree are not known."
    if tuning.reaches_peak(shares["cycles_per_degree"]):
        return ""
    low, high = shares["cycles_per_degree"].min(), shares["cycles_per_degree"].max()
    return (
        f"{lead}: it peaks at {tuning.PEAK:.1f} cycles/degree, and the filters lie between "
        f"{low:.2g} and {high:.2g}, where the curve does not peak."
    )


def sparsity_scores(table: pd.DataFrame) -> Figure:
    """
    Scores of an explanation that is fused anew with few filters per map, on both held-out splits.

    Parameters
    ----------
    table : DataFrame
        As `results/sparsity_scores/{model}/{dataset}/{explanation}.csv`.

    Returns
    -------
    figure : matplotlib.figure.Figure
    """
    fused = table[table["layer"] == "fused"]
    budgets = [
        name
        for name in dict.fromkeys(fused["filters_per_map"])
        if name not in ("deep", "centre_bias")
    ]
    figure, axes = plt.subplots(1, len(SHOWN), figsize=(2.5 * len(SHOWN), 2.4))
    x = np.arange(len(budgets))
    for axis, (metric, title) in zip(axes, SHOWN.items(), strict=True):
        for split, shade, marker in (("validation", "0.65", "s"), ("test", "0.1", "o")):
            part = fused[(fused["metric"] == metric) & (fused["split"] == split)]
            part = part.set_index("filters_per_map")
            scores = part.loc[budgets]
            error = np.abs(scores[["ci_low", "ci_high"]].to_numpy().T - scores["mean"].to_numpy())
            axis.errorbar(
                x, scores["mean"], error, fmt=f"{marker}-", color=shade, markersize=3, linewidth=1,
                label=split,
            )  # fmt: skip
            for name, style in (("deep", "--"), ("centre_bias", ":")):
                axis.axhline(part.loc[name, "mean"], color=shade, linestyle=style, linewidth=0.8)
        axis.set_xticks(x, budgets, fontsize=7)
        axis.set_title(title, fontsize=9)
        axis.set_xlabel("filters per map", fontsize=8)
        axis.tick_params(axis="y", labelsize=7)
        axis.spines[["top", "right"]].set_visible(False)
    axes[0].legend(fontsize=6, frameon=False)
    figure.tight_layout()
    return figure
