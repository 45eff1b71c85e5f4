"""The report page: tables and figures of a run through one Jinja2 template."""

import base64
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
import pandas as pd

COMPARISONS = ("differences", "normalised", "ranks")  # tables that rule compare makes
TEMPLATES = Path(__file__).resolve().parent / "templates"


def score_table(
    summary: pd.DataFrame, preset: str, dataset: str
) -> tuple[list[str], list[tuple[str, list[str]]], str]:
    """
    Scores of a preset and data set, one row per predictor.

    Parameters
    ----------
    summary : DataFrame
        As `results/summary.csv`.
    preset, dataset : str

    Returns
    -------
    columns : list of str
    rows : list of (str, list of str)
        Predictor and "mean [low, high]" per metric.
    n : str
        Number of stimuli; a range if it differs between metrics.
    """
    part = summary[(summary["preset"] == preset) & (summary["dataset"] == dataset)]
    columns = list(dict.fromkeys(part["metric"]))
    rows = []
    for predictor in dict.fromkeys(part["predictor"]):
        scores = part[part["predictor"] == predictor].set_index("metric").loc[columns]
        cells = [_interval(*row) for row in scores[["mean", "ci_low", "ci_high"]].to_numpy()]
        rows.append((predictor, cells))
    counts = sorted(set(part["n"].astype(int)))
    return columns, rows, "–".join(str(n) for n in dict.fromkeys([counts[0], counts[-1]]))


def share_table(
    shares: pd.DataFrame,
    preset: str,
    dataset: str,
    predictor: str,
    nulls: Mapping[str, Sequence[str]] | None = None,
) -> tuple[list[str], list[tuple[str, list[str]]]]:
    """
    Share above the centre bias and ratio to the deep model, both splits; then shares of nulls.

    Parameters
    ----------
    shares : DataFrame
        As `results/shares.csv`.
    preset, dataset, predictor : str
    nulls : dict of str to sequence of str, optional
        By family, predictors that are other banks and random networks.

    Returns
    -------
    columns : list of str
        Metrics.
    rows : list of (str, list of str)
        Of several nulls of a family, "mean [least, largest]" on the test split.
    """
    part = shares[(shares["preset"] == preset) & (shares["dataset"] == dataset)]
    own = part[part["predictor"] == predictor]
    columns, rows = list(dict.fromkeys(own["metric"])), []
    for split in ("validation", "test"):
        by_metric = own[own["split"] == split].set_index("metric").loc[columns]
        for name, label in (("share", "share above centre bias"), ("ratio", "explained / deep")):
            values = by_metric[[name, f"{name}_low", f"{name}_high"]].to_numpy()
            rows.append((f"{label}, {split} split", [_interval(*value) for value in values]))
    test = part[part["split"] == "test"]
    for family, names in (nulls or {}).items():
        drawn = test[test["predictor"].isin(names)].pivot(
            index="predictor", columns="metric", values="share"
        )
        if len(drawn):
            label = f"share of {family.replace('_', ' ')}, test split"
            label += f": mean [least, largest] of {len(drawn)}" if len(drawn) > 1 else ""
            draws = drawn[columns].to_numpy().T
            ends = zip(draws.mean(axis=1), draws.min(axis=1), draws.max(axis=1), strict=True)
            cells = [_interval(*end) if len(drawn) > 1 else _single(end[0]) for end in ends]
            rows.append((label, cells))
    return columns, rows


def _single(value):
    return f"{value:z.3f}" if np.isfinite(value) else "undefined"


def _interval(mean, low, high, digits=3):
    if not np.isfinite(mean):
        return "undefined"
    return f"{mean:z.{digits}f} [{low:z.{digits}f}, {high:z.{digits}f}]"


def score_tables(
    summary: Mapping[str, pd.DataFrame], presets: Sequence[str], datasets: Sequence[str]
) -> list[dict[str, Any]]:
    """
    All score tables of the page.

    Parameters
    ----------
    summary : dict of str to DataFrame
        By split.
    presets, datasets : sequence of str

    Returns
    -------
    tables : list of dict
        `preset, dataset, split, columns, rows, n`.
    """
    tables = []
    for preset in presets:
        for dataset in datasets:
            for split in ("test", "validation"):
                columns, rows, n = score_table(summary[split], preset, dataset)
                tables.append(
                    {
                        "preset": preset,
                        "dataset": dataset,
                        "split": split,
                        "columns": columns,
                        "rows": rows,
                        "n": n,
                    }
                )
    return tables


def calibrated_tables(
    summary: pd.DataFrame, presets: Sequence[str], datasets: Sequence[str]
) -> list[dict[str, Any]]:
    """
    Score tables of calibrated predictors.

    Parameters
    ----------
    summary : DataFrame
        As `results/summary.calibrated.csv`.
    presets, datasets : sequence of str

    Returns
    -------
    tables : list of dict
        `preset, dataset, columns, rows, n`; the first column is the temperature.
    """
    tables = []
    for preset in presets:
        for dataset in datasets:
            columns, rows, n = score_table(summary, preset, dataset)
            calibrated = summary[summary["dataset"] == dataset].drop_duplicates("predictor")
            temperature = calibrated.set_index("predictor")["temperature"]
            rows = [(name, [f"{temperature[name]:.3f}", *cells]) for name, cells in rows]
            columns = ["temperature", *columns]
            tables.append(
                {"preset": preset, "dataset": dataset, "columns": columns, "rows": rows, "n": n}
            )
    return tables


def comparison_tables(
    table: pd.DataFrame,
    value: str,
    low: str,
    high: str,
    presets: Sequence[str],
    datasets: Sequence[str],
    digits: int = 3,
) -> list[dict[str, Any]]:
    """
    Tables of a value with its interval, one row per predictor.

    Parameters
    ----------
    table : DataFrame
        As `results/normalised.csv` or `results/ranks.csv`.
    value, low, high : str
        Names of the columns of the value and of its interval.
    presets, datasets : sequence of str
    digits : int

    Returns
    -------
    tables : list of dict
        `preset, dataset, columns, rows`.
    """
    tables = []
    for preset in presets:
        for dataset in datasets:
            part = table[(table["preset"] == preset) & (table["dataset"] == dataset)]
            columns, rows = list(dict.fromkeys(part["metric"])), []
            for predictor in dict.fromkeys(part["predictor"]):
                by_metric = part[part["predictor"] == predictor].set_index("metric").loc[columns]
                cells = by_metric[[value, low, high]].to_numpy()
                intervals = [_interval(mean, start, end, digits) for mean, start, end in cells]
                rows.append((predictor, intervals))
            tables.append({"preset": preset, "dataset": dataset, "columns": columns, "rows": rows})
    return tables


def difference_tables(
    differences: pd.DataFrame,
    pairs: Sequence[tuple[str, str]],
    presets: Sequence[str],
    datasets: Sequence[str],
) -> list[dict[str, Any]]:
    """
    Tables of paired differences, one row per pair.

    Parameters
    ----------
    differences : DataFrame
        As `results/differences.csv`.
    pairs : sequence of (str, str)
        Predictor and the predictor to compare it with. Pairs not in the table are left out.
    presets, datasets : sequence of str

    Returns
    -------
    tables : list of dict
        `preset, dataset, columns, rows`; a cell is "difference [low, high], d = effect size".
    """
    tables = []
    for preset in presets:
        for dataset in datasets:
            part = differences[
                (differences["preset"] == preset) & (differences["dataset"] == dataset)
            ]
            columns, rows = list(dict.fromkeys(part["metric"])), []
            for pair in pairs:
                by_metric = _difference(part, *pair)
                if by_metric is not None:
                    cells = [_difference_cell(*by_metric.loc[metric]) for metric in columns]
                    rows.append((f"{pair[0]} − {pair[1]}", cells))
            tables.append({"preset": preset, "dataset": dataset, "columns": columns, "rows": rows})
    return tables


def comparison_content(
    tables: Mapping[str, pd.DataFrame],
    pairs: Sequence[tuple[str, str]],
    presets: Sequence[str],
    datasets: Sequence[str],
) -> dict[str, list[dict[str, Any]]]:
    """
    All tables of predictors against each other.

    Parameters
    ----------
    tables : dict of str to DataFrame
        `differences`, `normalised` and `ranks`, as in `results/`.
    pairs, presets, datasets
        See `difference_tables`.

    Returns
    -------
    content : dict of str to list of dict
        `difference_tables`, `normalised_tables`, `rank_tables`.
    """
    shown = presets, datasets
    normalised, ranks = tables["normalised"], tables["ranks"]
    ends = ("rank", "rank_low", "rank_high")
    return {
        "difference_tables": difference_tables(tables["differences"], pairs, *shown),
        "normalised_tables": comparison_tables(
            normalised, "normalised", "ci_low", "ci_high", *shown
        ),
        "rank_tables": comparison_tables(ranks, *ends, *shown, digits=1),
    }


def _difference(part, predictor, other):
    """Return predictor - other by metric, also if other - predictor is stored; None if neither."""
    names = ["difference", "ci_low", "ci_high", "effect_size"]
    stored = part[(part["predictor"] == predictor) & (part["other"] == other)]
    if len(stored):
        return stored.set_index("metric")[names]
    stored = part[(part["predictor"] == other) & (part["other"] == predictor)]
    if len(stored):
        turned = -stored.set_index("metric")[["difference", "ci_high", "ci_low", "effect_size"]]
        return turned.set_axis(names, axis=1)
    return None


def _difference_cell(difference, low, high, effect):
    text = _interval(difference, low, high)
    return f"{text}, d = {effect:.2f}" if np.isfinite(effect) else text


def share_tables(
    shares: pd.DataFrame, nulls: Mapping[str, Mapping[str, Sequence[str]]], hidden: Sequence[str]
) -> list[dict[str, Any]]:
    """
    All tables of shares of the page.

    Parameters
    ----------
    shares : DataFrame
        As `results/shares.csv`.
    nulls : dict of str to dict of str to sequence of str
        By predictor, see `share_table`.
    hidden : sequence of str
        Predictors that get no table of their own.

    Returns
    -------
    tables : list of dict
        `preset, dataset, predictor, columns, rows`.
    """
    tables = []
    keys = ["preset", "dataset", "predictor"]
    shown = shares[~shares["predictor"].isin(hidden)]
    cells = dict.fromkeys(shown[keys].itertuples(index=False, name=None))
    for preset, dataset, predictor in cells:
        columns, rows = share_table(shares, preset, dataset, predictor, nulls.get(predictor))
        cell = {"preset": preset, "dataset": dataset, "predictor": predictor}
        tables.append({**cell, "columns": columns, "rows": rows})
    return tables


def quantile_stimuli(scores: pd.Series, n: int) -> list[str]:
    """
    Choose stimuli by rule, not by eye: spread evenly over the quantiles of a score.

    Parameters
    ----------
    scores : Series
        Score by stimulus.
    n : int

    Returns
    -------
    names : list of str
        At the quantiles (i + 0.5) / n, lowest score first.
    """
    ordered = scores.dropna().sort_values(kind="stable")
    if ordered.empty:
        return []
    places = ((np.arange(n) + 0.5) / n * len(ordered)).astype(int)
    return list(dict.fromkeys(ordered.index[np.minimum(places, len(ordered) - 1)]))


def embed(path: str | Path) -> str:
    """
    Return a PNG file as a data URL, so that the page needs no other file.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    address : str
    """
    return "data:image/png;base64," + base64.b64encode(Path(path).read_bytes()).decode("ascii")


def render(content: Mapping[str, Any]) -> str:
    """
    Render the page.

    Parameters
    ----------
    content : dict
        Values for the names in the template `report.html`.

    Returns
    -------
    html : str
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.globals["embed"] = embed
    return environment.get_template("report.html").render(**content)
