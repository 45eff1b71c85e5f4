"""How close to the network: sentences, one figure and one table for each deep model."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from gaborscope.report import drawing, styles
from gaborscope.report.faithfulness import interval

MEASURES = ("kl_deep", "cc_deep", "partial_cc_deep", "fidelity", "gain_by_layers")
# Over the bank that never changes, and over one with the regressors of the explanation.
GAINS = ("gain_by_layers", "gain_by_layers_same")
# So many predictors of one role share a row of the figure.
FAMILY = 4


def content(
    table: pd.DataFrame,
    compared: Sequence[Sequence[str]],
    roles: Mapping[str, str],
    folder: Path,
    dpi: int,
) -> list[dict[str, Any]]:
    """
    Draw the figures and lay out sentences and tables.

    Parameters
    ----------
    table : DataFrame
        As `results/fidelity.csv`.
    compared : sequence of (model, predictor, dataset, name)
        See `Plan.compared`.
    roles : dict of str to str
        By predictor, key of `styles.ROLES`.
    folder : Path
        For the figures.
    dpi : int

    Returns
    -------
    content : list of dict
        Values for the template, for each deep model and data set.
    """
    parts = []
    for model, dataset in dict.fromkeys((model, dataset) for model, _, dataset, _ in compared):
        names = {
            predictor: name
            for deep, predictor, where, name in compared
            if (deep, where) == (model, dataset)
        }
        by_role = {
            role: [names[predictor] for predictor in names if roles[predictor] == role]
            for role in styles.ROLES
        }
        part = table[table["dataset"] == dataset].set_index(["predictor", "measure"])
        path = Path(folder) / f"fidelity_{model}_{dataset}.png"
        drawing.keep(fidelity_dots(part, by_role), path, dpi, dots_drawn(part, by_role))
        parts.append(
            {
                "model": model,
                "dataset": dataset,
                "n": int(part["n"].max()),
                "sentences": sentences(part, by_role, model),
                "figure": path,
                "table": {"columns": ["is", *_shown(part)], "rows": _rows(part, by_role)},
            }
        )
    return parts


def in_short(table: pd.DataFrame, model: str, explanation: str) -> list[str]:
    """
    Say the fidelity of an explanation over test stimuli, beside its nulls.

    Parameters
    ----------
    table : DataFrame
        As `results/fidelity.csv`, or some of its rows.
    model, explanation : str

    Returns
    -------
    sentences : list of str
        One for each data set that the explanation was compared on.
    """
    table = table[table["measure"] == "fidelity"]
    said = []
    for dataset, part in table.groupby("dataset", sort=False):
        values = part.set_index("predictor")
        own = f"{model}-{explanation}"
        if own not in values.index or not np.isfinite(values.loc[own, "mean"]):
            continue
        drawn = rf"{re.escape(model)}_random\d*-{re.escape(explanation)}"
        random = values[values.index.str.fullmatch(drawn)]["mean"]
        banks = values[values.index.str.startswith(f"{model}-loggabor_deep")]["mean"]
        nulls = []
        if len(random):
            ends = dict.fromkeys(f"{value:.2f}" for value in (random.min(), random.max()))
            nulls.append(
                f"{' to '.join(ends)} where {len(random)} random network"
                f"{'s are' if len(random) > 1 else ' is'} explained so"
            )
        if len(banks):
            nulls.append(f"{banks.max():.2f} by the best bank that has no layer between")
        beside = f"it is {', and '.join(nulls)}" if nulls else "no null was made to compare with"
        mean, low, high = values.loc[own, ["mean", "ci_low", "ci_high"]]
        said.append(
            f"Over {int(values.loc[own, 'n'])} test stimuli of {dataset} the fidelity of this "
            f"explanation is {mean:.2f} [{low:.2f}, {high:.2f}]; {beside}."
        )
    return said


def by_layers(part: pd.DataFrame, name: str) -> str:
    """
    Say whether the layers bring an explanation closer to the network than a bank without them.

    Parameters
    ----------
    part : DataFrame
        As for `sentences`.
    name : str
        The explanation.

    Returns
    -------
    found : {"closer", "farther", "not shown", ""}
        By the interval of the gain over the bank with the explanation's own regressors, where there
        is one, else of the gain over the bank that never changes; "" where it is undefined.
    """
    for measure in reversed(GAINS):
        if (name, measure) in part.index:
            low, high = part.loc[(name, measure), ["ci_low", "ci_high"]]
            if not np.isfinite(low):
                return ""
            return "closer" if low > 0 else "farther" if high < 0 else "not shown"
    return ""


def null_beside(part: pd.DataFrame, name: str, nulls: Sequence[str]) -> list[str]:
    """
    Return the bank with no layer between that an explanation is held against.

    Parameters
    ----------
    part : DataFrame
        As for `sentences`.
    name : str
        The explanation.
    nulls : sequence of str
        The bank that never changes, then that with the regressors of the explanation, if there are.

    Returns
    -------
    null : list of str
        At most one: the second, unless the explanation has other regressors than that one.
    """
    return list(nulls[-1:] if (name, GAINS[1]) in part.index else nulls[:1])


def sentences(part: pd.DataFrame, by_role: Mapping[str, Sequence[str]], model: str) -> list[str]:
    """
    Say for each explanation how close it is, beside the nulls and the ceiling.

    Parameters
    ----------
    part : DataFrame
        Rows of `results/fidelity.csv` of one data set, by predictor and measure.
    by_role : dict of str to sequence of str
        By key of `styles.ROLES`, the names of predictors.
    model : str

    Returns
    -------
    sentences : list of str
    """
    said = []
    for name in by_role["explanation"]:
        words = f"{name} has fidelity {_said(part, name, 'fidelity')} to {model}"
        for null in null_beside(part, name, by_role["no layer between"]):
            words += f". {null}, with no layer between, has {_said(part, null, 'fidelity')}"
            words += {
                "closer": ": the layers of the network bring the explanation closer",
                "farther": ": the layers of the network take the explanation farther away",
                "not shown": ": the layers of the network are not shown to help",
            }.get(by_layers(part, name), "")
        gains = [
            f"{_said(part, name, measure)} over {null}"
            for measure, null in zip(GAINS, by_role["no layer between"], strict=False)
            if np.isfinite(part["mean"].get((name, measure), float("nan")))
        ]
        if gains:
            words += f". The gain by layers is {', '.join(gains)}"
        said.append(f"{words}.")
    lead = {
        "another training": "The ceiling, another training of the same network, reaches",
        "no layer between": "Banks fitted straight to its densities, with no layer between, reach",
        "wrong bank": "Explanations by other banks reach",
        "random network": "Explanations of random networks reach",
        "random in part": "Explanations of networks that are random in part reach",
        "no network": "Predictors that never saw the network reach",
    }
    for role, words in lead.items():
        if np.isfinite([part["mean"][name, "fidelity"] for name in by_role[role]]).any():
            values = [_short(part, name) for name in by_role[role]]
            if len(values) > FAMILY and role in ("random network", "wrong bank"):
                means = [part["mean"][name, "fidelity"] for name in by_role[role]]
                values = [f"{min(means):z.2f} to {max(means):z.2f} ({len(means)} of them)"]
            said.append(f"{words} {', '.join(values)}.")
    if not by_role["another training"]:
        said.append(
            "There is no ceiling: no other training of the same network is among the models "
            "(like, seed)."
        )
    return said


def fidelity_dots(part: pd.DataFrame, by_role: Mapping[str, Sequence[str]]) -> Figure:
    """
    Draw the fidelity of every predictor; large families share a row.

    Parameters
    ----------
    part, by_role
        As for `sentences`.

    Returns
    -------
    figure : matplotlib.figure.Figure
    """
    rows = []
    for role, names in by_role.items():
        if len(names) > FAMILY and role in ("random network", "wrong bank"):
            rows.append((f"{len(names)} of: {role}", role, names))
        else:
            rows += [(name, role, [name]) for name in names]
    figure, axis = plt.subplots(figsize=(6.5, 0.9 + 0.26 * len(rows)))
    for y, (_, role, names) in enumerate(reversed(rows)):
        style = styles.ROLES[role]
        values = part.loc[[(name, "fidelity") for name in names]]
        if len(names) == 1:
            axis.hlines(y, values["ci_low"], values["ci_high"], color=style.colour, linewidth=2)
        inside = np.maximum(values["mean"], drawing.LEFT)
        for value, place in zip(values["mean"], inside, strict=True):
            marker = "<" if value < drawing.LEFT else style.marker
            axis.plot(place, y, color=style.colour, marker=marker, markersize=5)
    labels = [f"{label}\n({role})" for label, role, _ in reversed(rows)]
    axis.set_yticks(range(len(rows)), labels, fontsize=7)
    shown = part.xs("fidelity", level="measure")
    drawing.whole_scale(axis, shown["mean"], shown[["ci_low", "ci_high"]])
    for place, line in ((0, ":"), (1, "--")):
        axis.axvline(place, color="0.5", linestyle=line, linewidth=0.8)
    axis.set_xlabel("fidelity (dotted, 0: the centre bias; dashed, 1: the network itself)")
    axis.spines[["top", "right"]].set_visible(False)
    return figure


def dots_drawn(part: pd.DataFrame, by_role: Mapping[str, Sequence[str]]) -> pd.DataFrame:
    """
    Return the table behind `fidelity_dots`.

    Parameters
    ----------
    part, by_role
        As for `sentences`.

    Returns
    -------
    table : DataFrame
        `predictor, role, mean, ci_low, ci_high, n`.
    """
    rows = part.xs("fidelity", level="measure")
    roles = {name: role for role, names in by_role.items() for name in names}
    rows = rows.loc[list(roles), ["mean", "ci_low", "ci_high", "n"]].reset_index()
    rows.insert(1, "role", rows["predictor"].map(roles))
    return rows


def _shown(part):
    """Measures of the table: the gain over equal regressors only where there is such a bank."""
    return [*MEASURES, *(m for m in GAINS[1:] if m in part.index.get_level_values("measure"))]


def _rows(part, by_role):
    """Rows of the table: what the predictor is, and every measure with its interval."""
    rows = []
    for role, names in by_role.items():
        for name in names:
            columns = ["mean", "ci_low", "ci_high"]
            cells = [
                interval(*part.loc[(name, m), columns]) if (name, m) in part.index else ""
                for m in _shown(part)
            ]
            rows.append((name, [role, *cells]))
    return rows


def _said(part, name, measure):
    mean, low, high = part.loc[(name, measure), ["mean", "ci_low", "ci_high"]]
    return f"{mean:z.2f} [{low:z.2f}, {high:z.2f}]"


def _short(part, name):
    return f"{part['mean'][name, 'fidelity']:z.2f} ({name})"
