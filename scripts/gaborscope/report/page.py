"""The report page: tables and figures of a run through one Jinja2 template."""

import base64
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import pandas as pd
from PIL import Image

from gaborscope.report import templating, words

FIGURES = "../figures"  # as seen from the page
MOST_SVG = 150_000  # bytes up to which a figure is drawn from its SVG
QUALITY = 85  # of pictures in the page; the files beside it lose nothing
# What the columns of tables are, by the head of the column.
DEFINITIONS = {
    "auc": "Area under the ROC curve of fixated against other pixels; .5 is chance, 1 the best.",
    "auc_judd": "AUC of fixated against all other pixels (MIT code); .5 is chance, 1 the best.",
    "auc_judd_nojit": "AUC-Judd without the jitter of equal values; .5 is chance, 1 the best.",
    "auc_borji": "AUC of fixated against random pixels (MIT code); .5 is chance, 1 the best.",
    "auc_shuffled": "AUC of fixated pixels against fixations on other stimuli: the centre bias "
    "gains nothing. .5 is chance.",
    "nss": "Normalised scanpath saliency: mean of the standardised map at fixations, in standard "
    "deviations; 0 is chance, higher is better.",
    "cc": "Pearson correlation of the map with the fixation density; 1 is the best.",
    "kld": "Kullback-Leibler divergence of the fixation density from the map, in nats; lower is "
    "better, 0 the best.",
    "sim": "Overlap of map and fixation density, both with sum 1; 1 is the best.",
    "ig": "Information gain over the centre bias, in bits per fixation; 0 is the centre bias, "
    "higher is better.",
    "kl_deep": "KL(deep || predictor), in bits: what is lost if the predictor's map stands for the "
    "network's; 0 is the network itself, lower is better.",
    "cc_deep": "Pearson correlation with the network's map; 1 is the best.",
    "partial_cc_deep": "Correlation with the network's map given people's fixation density and the "
    "centre bias: what is the network's own.",
    "fidelity": "1 - KL(deep || predictor) / KL(deep || centre bias), a ratio of means; 0 is the "
    "centre bias, 1 the network itself.",
    "gain_by_layers": "1 - KL(deep || predictor) / KL(deep || loggabor_deep), the bank that never "
    "changes, fitted straight to the network's map; above 0: closer than that bank.",
    "gain_by_layers_same": "The same with loggabor_deep_same, which has the explanation's own "
    "regressors; above 0: the layers help.",
    "is": "What the predictor is to the network: an explanation, or a null that saw less.",
    "bits": "Information gain of the explanation over the centre bias at fixations, bits per "
    "fixation.",
    "bits of the network": "Information gain of the network over the centre bias at fixations, "
    "bits per fixation.",
    "verdict": "Whether every test that could refute the explanation was passed.",
    "data set": "Whose test split the figures are of.",
    "temperature": "Its inverse is the power that makes the density likeliest (validation split).",
    "the map is": "Identified as its filters: they explain at least half of it, in a layer that is "
    "explained. Linearly predictable from them: less. Not predicted: no better than its mean.",
    "with position": "Explained variance of the layer's maps on test stimuli (share).",
    "without position": "The same, fitted anew without the terms of position.",
    "the layer is": "Explained: at least half of the variance, and more than by any wrong bank.",
    "p": "Two-sided p of the test; with ≤, the least that so many samples can give.",
    "p Holm": "p corrected for the number of tests of the explanation on the data set (Holm).",
    "passed": "Whether the advantage is above 0 with p ≤ .05.",
    "bits:contrast": "Bits that luminance contrast explains, whatever its scale and orientation.",
    "bits:position": "Bits of the place in the image.",
    "bits:unexplained": "Bits of the network that no coalition of dimensions has.",
    "bits:explained": "Bits of all dimensions together.",
    "bits:deep": "Bits of the network: the sum of all parts.",
    "layers:reconstruction": "The layer as explained. Alone and cumulative are equal where all "
    "that the rest of the network reads goes through this layer.",
    "layers:resampled": "The layer's own output on the grid on which it was explained; blank where "
    "nothing that is replaced was explained on a coarser grid.",
    "layers:mean": "The layer's mean output over the fit split.",
    "layers:other": "The layer's output for another stimulus: the same map at every layer that all "
    "of the network goes through, that of the other stimulus.",
    "layers:shuffled": "The layer's own output with its cells shuffled.",
}

COMPARISONS = ("differences", "normalised", "ranks")  # tables that rule compare makes


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


def verdict_tables(
    sections: Sequence[Mapping[str, Any]], floors: tuple[float, float]
) -> list[dict[str, Any]]:
    """
    Verdicts with a table of their rows.

    Parameters
    ----------
    sections : list of dict
        From `refutation.verdicts.content`.
    floors : (float, float)
        The least p of a bootstrap over stimuli, and of permutations.

    Returns
    -------
    sections : list of dict
        The same with `table`. A p that is the least possible is given as a bound.
    """
    found = []
    for section in sections:
        rows = []
        for row in section["rows"]:
            floor = floors[row["test"] in ("halves_agree", "seeds_agree")]
            p, holm = words.p_value(row["p"], floor), words.p_value(row["p_holm"], 0)
            if p.startswith("≤"):
                holm = f"≤ {holm}"  # a multiple of a bound is one
            cells = [row["dataset"], row["passed"], p, holm, row["sentence"]]
            rows.append((row["test"].replace("_", " "), cells))
        columns = ["data set", "passed", "p", "p Holm", "what was found"]
        found.append({**section, "table": {"columns": columns, "rows": rows}})
    return found


def best_median_worst(values: pd.Series) -> list[tuple[str, Any]]:
    """
    Choose the best, the median and the worst by rule.

    Parameters
    ----------
    values : Series
        Higher is better; nan is left out.

    Returns
    -------
    chosen : list of (str, label)
        Fewer than three if there are fewer values; equal values keep their order.
    """
    ordered = values.dropna().sort_values(ascending=False, kind="stable").index
    if not len(ordered):
        return []
    places = {"best": 0, "median": (len(ordered) - 1) // 2, "worst": len(ordered) - 1}
    chosen: dict[Any, str] = {}
    for word, place in places.items():
        chosen.setdefault(ordered[place], word)
    return [(word, label) for label, word in chosen.items()]


def embed(path: str | Path) -> str:
    """
    Return a figure as a data URL, so that the page needs no other file.

    Parameters
    ----------
    path : str or Path
        Of a PNG.

    Returns
    -------
    address : str
        The SVG beside it, if there is one that holds no picture and is not large; otherwise the
        PNG, as WebP where that is smaller.
    """
    svg = Path(path).with_suffix(".svg")
    if svg.is_file():
        content = svg.read_bytes()
        if len(content) < MOST_SVG and b"<image" not in content:
            return _address("svg+xml", content)
    content, packed = Path(path).read_bytes(), io.BytesIO()
    with Image.open(io.BytesIO(content)) as picture:
        picture.convert("RGB").save(packed, format="webp", quality=QUALITY, method=4)
    if packed.tell() < len(content):
        return _address("webp", packed.getvalue())
    return _address("png", content)


def _address(kind, content):
    return f"data:image/{kind};base64," + base64.b64encode(content).decode("ascii")


def beside(path: str | Path, suffix: str) -> str:
    """
    Return the address, as seen from the page, of a file that lies beside a figure.

    Parameters
    ----------
    path : str or Path
        Of the figure.
    suffix : str
        Such as ".csv".

    Returns
    -------
    address : str
    """
    return f"{FIGURES}/{quote(Path(path).with_suffix(suffix).name)}"


def define(name: str, kind: str = "") -> str:
    """
    Return what a column means, for its hover text and the list of terms.

    Parameters
    ----------
    name : str
        Head of the column.
    kind : str
        Kind of table, where a head means something else there.

    Returns
    -------
    definition : str
        Empty if there is none.
    """
    return DEFINITIONS.get(f"{kind}:{name}", DEFINITIONS.get(name, ""))


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
        What lies between the comments `now` and `/now` changes from run to run: date, commit,
        software, times. All else is the same for equal inputs.
    """
    environment = templating.environment()
    environment.globals.update(embed=embed, beside=beside, define=define, definitions=DEFINITIONS)
    return environment.get_template("report.html").render(**content)
