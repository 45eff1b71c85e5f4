"""The report page: tables and figures of a run through one Jinja2 template."""

import base64
from pathlib import Path

import jinja2
import numpy as np

TEMPLATES = Path(__file__).resolve().parent / "templates"


def score_table(summary, preset, dataset):
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
        Number of stimuli, or a range where metrics differ.
    """
    part = summary[(summary["preset"] == preset) & (summary["dataset"] == dataset)]
    columns = list(dict.fromkeys(part["metric"]))
    rows = []
    for predictor in dict.fromkeys(part["predictor"]):
        own = part[part["predictor"] == predictor].set_index("metric").loc[columns]
        cells = [_interval(*row) for row in own[["mean", "ci_low", "ci_high"]].to_numpy()]
        rows.append((predictor, cells))
    counts = sorted(set(part["n"].astype(int)))
    return columns, rows, "–".join(str(n) for n in dict.fromkeys([counts[0], counts[-1]]))


def share_table(shares, preset, dataset, predictor):
    """
    Share above the centre bias and ratio to the deep model, both splits.

    Parameters
    ----------
    shares : DataFrame
        As `results/shares.csv`.
    preset, dataset, predictor : str

    Returns
    -------
    columns : list of str
        Metrics.
    rows : list of (str, list of str)
    """
    part = shares[
        (shares["preset"] == preset)
        & (shares["dataset"] == dataset)
        & (shares["predictor"] == predictor)
    ]
    columns, rows = list(dict.fromkeys(part["metric"])), []
    for split in ("validation", "test"):
        own = part[part["split"] == split].set_index("metric").loc[columns]
        for name, label in (("share", "share above centre bias"), ("ratio", "explained / deep")):
            values = own[[name, f"{name}_low", f"{name}_high"]].to_numpy()
            rows.append((f"{label}, {split} split", [_interval(*value) for value in values]))
    return columns, rows


def _interval(mean, low, high):
    if not np.isfinite(mean):
        return "undefined"
    return f"{mean:.3f} [{low:.3f}, {high:.3f}]"


def score_tables(summary, presets, datasets):
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


def share_tables(shares):
    """
    All tables of shares of the page.

    Parameters
    ----------
    shares : DataFrame
        As `results/shares.csv`.

    Returns
    -------
    tables : list of dict
        `preset, dataset, predictor, columns, rows`.
    """
    tables = []
    keys = ["preset", "dataset", "predictor"]
    for cell in dict.fromkeys(shares[keys].itertuples(index=False, name=None)):
        columns, rows = share_table(shares, *cell)
        tables.append({**dict(zip(keys, cell, strict=True)), "columns": columns, "rows": rows})
    return tables


def quantile_stimuli(scores, n):
    """
    Stimuli spread evenly over the quantiles of a score: chosen by rule, not by eye.

    Parameters
    ----------
    scores : Series
        Score by stimulus.
    n : int

    Returns
    -------
    names : list of str
        Lowest score first; quantiles (i + 0.5) / n.
    """
    ordered = scores.dropna().sort_values(kind="stable")
    if ordered.empty:
        return []
    places = ((np.arange(n) + 0.5) / n * len(ordered)).astype(int)
    return list(dict.fromkeys(ordered.index[np.minimum(places, len(ordered) - 1)]))


def embed(path):
    """
    Data address of a PNG file, so that the page is whole in one file.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    address : str
    """
    return "data:image/png;base64," + base64.b64encode(Path(path).read_bytes()).decode("ascii")


def render(content):
    """
    The page.

    Parameters
    ----------
    content : dict
        What the template `report.html` names.

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
