"""
The last lines of a run: a table with intervals, the finding in a sentence, where to read on.

Standard library alone: they are printed by Snakemake itself, on hosts without anything else.
"""

import csv
import math
from collections.abc import Sequence
from pathlib import Path

from gaborscope.errors import InputError

# Banks fitted to the network's map, with no layer between, and the gain over each.
NULLS = {"loggabor_deep": "gain_by_layers", "loggabor_deep_same": "gain_by_layers_same"}
MOST_ROWS = 14
# Without a single model that is explained these say most; the first that is there is shown.
METRICS = ("ig", "nss", "auc_judd")
NO_VALUE = ("-", "undefined")


def lines(folder: str | Path) -> list[str]:
    """
    Return what a finished run found, for a terminal.

    Parameters
    ----------
    folder : str or Path
        The folder that holds `results`.

    Returns
    -------
    lines : list of str
        For each data set a table of at most `MOST_ROWS` rows and one sentence for each explanation,
        then the paths of the summary and of the report.

    Raises
    ------
    InputError
        If there is no summary table, or one of the tables lacks a column.
    """
    results = Path(folder).resolve() / "results"
    scores = _read(results / "summary.csv")
    if not scores:
        raise InputError(f"{results / 'summary.csv'} has no rows; run the workflow to its end")
    closeness = _read(results / "fidelity.csv", False)
    verdicts = _read(results / "verdicts.csv", False)
    said = []
    try:
        for dataset in dict.fromkeys(row["dataset"] for row in scores):
            part = [row for row in scores if row["dataset"] == dataset]
            near = {
                (row["predictor"], row["measure"]): row
                for row in closeness
                if row["dataset"] == dataset
            }
            judged = [row for row in verdicts if row["dataset"] == dataset]
            explained = list(dict.fromkeys((row["model"], row["explanation"]) for row in judged))
            said += ["", *_table(dataset, part, near, explained), ""]
            for model, explanation in explained:
                said.append(finding(model, explanation, near, judged))
    except (KeyError, ValueError) as error:
        raise InputError(
            f"a table of {results} cannot be read ({error}); run the workflow to its end"
        ) from None
    said += ["", f"summary  {results / 'summary.csv'}"]
    return [*said, f"report   {results / 'report' / 'index.html'}"]


def _read(path, needed=True):
    """Rows of a table as dicts of texts."""
    if not path.is_file():
        if needed:
            raise InputError(f"there is no {path}; run the workflow to its end")
        return []
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _table(dataset, scores, near, explained):
    """Lay out closeness to the network and one score on people, with intervals."""
    preset = scores[0]["preset"]
    scores = [row for row in scores if row["preset"] == preset]
    there = {row["metric"] for row in scores}
    metric = next((name for name in METRICS if name in there), scores[0]["metric"])
    people = {row["predictor"]: row for row in scores if row["metric"] == metric}
    wanted = list(people)
    if explained:
        models = dict.fromkeys(model for model, _ in explained)
        wanted = ["centre_bias"]
        for model in models:
            wanted += [f"{model}-{null}" for null in NULLS]
            wanted += [f"{name}-{explanation}" for name, explanation in explained if name == model]
            wanted += [model]
        wanted.append("gold_standard")
    known = [name for name in wanted if name in people or (name, "kl_deep") in near]
    shown = known[:MOST_ROWS]
    rows = [("", *(["bits from the network"] if near else []), f"{metric} on people")]
    for name in shown:
        cells = [_cell(near.get((name, "kl_deep")))] if near else []
        rows.append((name, *cells, _cell(people.get(name))))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    number = max(int(row["n"]) for row in scores)
    head = f"{dataset}, {number} test stimuli: means [95 % intervals], preset {preset}"
    table = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
    more = [f"and {len(known) - len(shown)} more in summary.csv"] if len(known) > len(shown) else []
    return [head, "", *table, *more]


def _cell(row):
    """Mean and interval; "undefined" for an empty one, a dash where there is no row."""
    if row is None:
        return "-"
    mean, low, high = (float(row[key] or "nan") for key in ("mean", "ci_low", "ci_high"))
    return f"{mean:.3f} [{low:.3f}, {high:.3f}]" if math.isfinite(mean) else "undefined"


def _against_layers(model, explanation, near):
    """
    Return a rival, what it is, and the ends of the interval of the advantage over it, if any.

    The rival is the bank with no layer between that has the explanation's own regressors, else the
    one that never changes; and the centre bias where there is neither, or nothing to gain.
    """
    name = f"{model}-{explanation}"
    for null, measure in reversed(NULLS.items()):
        if (name, measure) in near:
            if ends := _ends(near[name, measure]):
                return f"{model}-{null}", "a bank with no layer between", ends
            break
    return "centre_bias", "the centre bias", _ends(near.get((name, "fidelity")))


def _ends(row):
    """Return the interval of a row, None where there is no row or no value."""
    if row is None or not math.isfinite(float(row["mean"] or "nan")):
        return None
    return float(row["ci_low"]), float(row["ci_high"])


def finding(
    model: str,
    explanation: str,
    near: dict[tuple[str, str], dict[str, str]],
    verdicts: Sequence[dict[str, str]],
) -> str:
    """
    Say in one sentence how close an explanation is, beside its null, and what the tests decided.

    Parameters
    ----------
    model, explanation : str
    near : dict of (predictor, measure) to dict of str to str
        Rows of `results/fidelity.csv` of one data set.
    verdicts : sequence of dict of str to str
        Rows of `results/verdicts.csv` of the same data set.

    Returns
    -------
    sentence : str
    """
    name = f"{model}-{explanation}"
    own = _cell(near.get((name, "kl_deep")))
    if own in NO_VALUE:
        said = "is undefined" if own == "undefined" else "was not measured"
        words = f"How close {name} is to {model} {said}"
    else:
        words = f"{name} is {own} bits from the map of {model}"
        rival, what, ends = _against_layers(model, explanation, near)
        other = _cell(near.get((rival, "kl_deep")))
        if ends and other not in NO_VALUE:
            low, high = ends
            found = "closer" if low > 0 else "farther" if high < 0 else "not shown to be closer"
            words += f", {found} than {what} ({other})"
    overall = [
        row["passed"]
        for row in verdicts
        if (row["model"], row["explanation"], row["test"]) == (model, explanation, "overall")
    ]
    decided = {
        "true": "it passes all tests that a verdict needs",
        "false": "it does not pass all tests that a verdict needs",
        "no verdict": "it gets no verdict"
        if own == "undefined"
        else f"there is no verdict, as {model} has less than twice the centre bias's NSS on people",
    }.get(overall[0] if overall else "", "")
    return f"{words}; {decided}." if decided else f"{words}."
