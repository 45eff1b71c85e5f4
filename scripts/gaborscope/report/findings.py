"""The summary of the report: sentences written from the numbers and their nulls, and warnings."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from gaborscope.data import seen
from gaborscope.refutation.verdicts import SAW_ALL, STRENGTH
from gaborscope.report import styles
from gaborscope.report.fidelity import FAMILY, GAINS, by_layers, null_beside

Tables = Mapping[str, pd.DataFrame]
ENDS = ("mean", "ci_low", "ci_high")
WIDEST = 1.0  # A share whose interval is wider says nothing, and is left out.


def interval(values: Iterable[float], digits: int = 2, sign: bool = False) -> str:
    """
    Return a value and the ends of its interval as text.

    Parameters
    ----------
    values : (float, float, float)
    digits : int
        Behind the point.
    sign : bool
        Whether a positive value has its sign.

    Returns
    -------
    text : str
        Such as "0.52 [0.50, 0.54]".
    """
    value, low, high = (f"{v:{'+' if sign else ''}z.{digits}f}" for v in values)
    return f"{value} [{low}, {high}]"


def gain(summary: pd.DataFrame, predictor: str, dataset: str, preset: str) -> np.ndarray | None:
    """
    Information gain of a predictor over the centre bias at people's fixations.

    Parameters
    ----------
    summary : DataFrame
        As `results/summary.csv`.
    predictor, dataset, preset : str

    Returns
    -------
    gain : float array (3,) or None
        Mean and interval in bits per fixation; None if it is not in the table or undefined.
    """
    rows = summary[
        (summary["predictor"] == predictor)
        & (summary["dataset"] == dataset)
        & (summary["preset"] == preset)
        & (summary["metric"] == "ig")
    ]
    if rows.empty or not np.isfinite(rows["mean"].iloc[0]):
        return None
    return rows.iloc[0][list(ENDS)].to_numpy(float)


def banners(
    summary: pd.DataFrame, models: Sequence[str], datasets: Sequence[str], preset: str
) -> list[str]:
    """
    Say of each deep model that it saw all test stimuli, or is not above the centre bias.

    Parameters
    ----------
    summary : DataFrame
        As `results/summary.csv`.
    models, datasets : sequence of str
    preset : str

    Returns
    -------
    sentences : list of str
    """
    said = []
    for model in models:
        for dataset in datasets:
            left, n = unseen(summary, model, dataset)
            if not left and n:
                said.append(
                    f"{model} {SAW_ALL} of {dataset} ({n} of {n}), so nothing is scored there: "
                    "give it stimuli that it has not seen."
                )
            found = gain(summary, model, dataset, preset)
            if found is None or found[1] > 0:
                continue
            verb = "is worse than" if found[2] < 0 else "is not shown to be better than"
            said.append(
                f"{model} {verb} the centre bias at predicting fixations on {dataset}: "
                f"{interval(found, sign=True)} bits per fixation. What explains it explains no "
                "prediction of where people look, and no percentage of its gain is given."
            )
    return said


def unseen(summary: pd.DataFrame, model: str, dataset: str) -> tuple[int, int]:
    """
    Count the test stimuli that a network is scored on.

    Parameters
    ----------
    summary : DataFrame
        As `results/summary.csv`.
    model, dataset : str

    Returns
    -------
    left, n : int
        Those that it was not trained on, and all that have fixations.
    """
    rows = summary[summary["dataset"] == dataset]
    by_predictor = rows.groupby("predictor")["n"].max()
    return int(by_predictor.get(model, 0)), int(by_predictor.get("centre_bias", 0))


def of_exposure(
    summary: pd.DataFrame,
    models: Sequence[str],
    datasets: Sequence[str],
    unknown: Iterable[str],
) -> list[str]:
    """
    Say which networks saw some test stimuli, and of which nobody says what they saw.

    Parameters
    ----------
    summary : DataFrame
        As `results/summary.csv`.
    models, datasets : sequence of str
    unknown : iterable of str
        Networks whose file of weights does not say what it was trained on.

    Returns
    -------
    sentences : list of str
        Without a point at the end.
    """
    said = [seen.said_of_unknown(model) for model in unknown]
    for model in models:
        for dataset in datasets:
            left, n = unseen(summary, model, dataset)
            if 0 < left < n:
                said.append(
                    f"{model} was trained on {n - left} of the {n} test stimuli of {dataset}; "
                    f"what is scored of it and its explanations is of the {left} that are left"
                )
    return said


def without_verdict(
    verdicts: pd.DataFrame, models: Sequence[str], datasets: Sequence[str]
) -> list[str]:
    """
    Say of each deep model that it has less than twice the centre bias's NSS, where it has.

    Parameters
    ----------
    verdicts : DataFrame
        As `results/verdicts.csv`.
    models, datasets : sequence of str

    Returns
    -------
    sentences : list of str
    """
    rows = verdicts[(verdicts["test"] == STRENGTH) & (verdicts["passed"] == "false")]
    rows = rows[rows["model"].isin(models) & rows["dataset"].isin(datasets)]
    rows = rows[~rows["sentence"].str.contains(SAW_ALL)].drop_duplicates(["model", "dataset"])
    return [f"On {row['dataset']}: {row['sentence']}" for _, row in rows.iterrows()]


def sentences(
    names: tuple[str, str, str, str],
    tables: Tables,
    roles: Mapping[str, Sequence[str]],
    synthetic: bool,
) -> list[str]:
    """
    Say in at most five sentences what was found of one explanation, and beside which nulls.

    Parameters
    ----------
    names : (str, str, str, str)
        Deep model, explained predictor, data set, preset.
    tables : dict of str to DataFrame
        `summary`, `fidelity`, `shares`, `verdicts`, as in `results/`.
    roles : dict of str to sequence of str
        By key of `styles.ROLES`, the predictors compared with the deep model on the data set.
    synthetic : bool
        Whether the fixations were generated.

    Returns
    -------
    sentences : list of str
    """
    model, predictor, dataset, preset = names
    fixations = "generated fixations" if synthetic else "fixations"
    said = []
    deep = gain(tables["summary"], model, dataset, preset)
    if deep is not None:
        verb = "better" if deep[1] > 0 else "worse" if deep[2] < 0 else "not shown to be better"
        does = f"predicts {fixations} {verb}" if deep[1] > 0 or deep[2] < 0 else f"is {verb}"
        at = "" if deep[1] > 0 or deep[2] < 0 else f" at predicting {fixations}"
        said.append(
            f"The network {model} {does} than the centre bias{at}: {interval(deep, sign=True)} "
            f"bits per fixation on {_count(tables['summary'], dataset)} test stimuli of {dataset}."
        )
    said += _closeness(predictor, model, tables["fidelity"], dataset, roles)
    own = gain(tables["summary"], predictor, dataset, preset)
    if own is not None and deep is not None:
        said.append(
            f"At {fixations} the explanation has {interval(own, sign=True)} bits above the centre "
            f"bias{_share(tables['shares'], predictor, dataset, preset)}."
        )
    said += _verdict(tables["verdicts"], predictor, dataset)
    return said


def _count(summary, dataset):
    return int(summary.loc[summary["dataset"] == dataset, "n"].max())


def _closeness(predictor, model, fidelity, dataset, roles):
    """Say how close the explanation is to the network, and how close what saw no layer is."""
    part = fidelity[fidelity["dataset"] == dataset].set_index(["predictor", "measure"])
    if (predictor, "fidelity") not in part.index:
        return []
    if not np.isfinite(part.loc[(predictor, "fidelity"), "mean"]):
        return []

    def of(name):
        return interval(part.loc[(name, "fidelity"), list(ENDS)])

    said = [
        f"The explanation {predictor} has a fidelity of {of(predictor)} to the maps of {model}, "
        "where 0 is the centre bias and 1 the network itself."
    ]
    beside = []
    banks = roles.get("no layer between", ())
    for null in null_beside(part, predictor, banks):
        same = len(banks) == 1 or (predictor, GAINS[1]) in part.index
        filters = "the same filters" if same else "log-Gabor filters"
        words = f"{filters} fitted to its maps with no layer between reach {of(null)}"
        found = {
            "closer": ", so the layers bring it closer",
            "farther": ", so the layers take it farther away",
            "not shown": ", so the layers are not shown to help",
        }
        words += found.get(by_layers(part, predictor), "")
        beside.append(words)
    for role, words in (
        ("wrong bank", "wrong filters"), ("random network", "random networks explained alike"),
        ("another training", "another training of the network"),
    ):  # fmt: skip
        values = [part["mean"][name, "fidelity"] for name in roles.get(role, ())]
        if len(values) > FAMILY:
            beside.append(f"{words} {min(values):z.2f} to {max(values):z.2f}")
        elif values:
            beside.append(f"{words} {', '.join(f'{value:z.2f}' for value in values)}")
    if beside:
        text = "; ".join(beside)
        said.append(f"{text[0].upper()}{text[1:]}.")
    return said


def _share(shares, predictor, dataset, preset):
    rows = shares[
        (shares["predictor"] == predictor)
        & (shares["dataset"] == dataset)
        & (shares["preset"] == preset)
        & (shares["metric"] == "ig")
        & (shares["split"] == "test")
    ]
    if rows.empty or not np.isfinite(rows["share"].iloc[0]):
        return ""
    values = rows.iloc[0][["share", "share_low", "share_high"]]
    if not values["share_high"] - values["share_low"] <= WIDEST:
        return ""
    share, low, high = (round(100 * v) for v in values)
    return f", {share} % [{low}, {high}] of the network's"


def _verdict(verdicts, predictor, dataset):
    """Say how many tests were passed, failed and not run."""
    own = verdicts[
        (verdicts["model"] + "-" + verdicts["explanation"] == predictor)
        & (verdicts["dataset"] == dataset)
    ]
    overall, tests = own[own["test"] == "overall"], own[own["test"] != "overall"]
    if overall.empty:
        return []
    by_test = tests.groupby("test")["passed"].agg(lambda rows: set(rows) - {"not run"})
    passed = sum(outcome == {"true"} for outcome in by_test)
    not_run = sum(not outcome for outcome in by_test)
    failed = len(by_test) - passed - not_run
    word = {"true": "It passes as a whole", "false": "It does not pass as a whole"}
    saw_all = overall["sentence"].astype(str).str.contains(SAW_ALL).iloc[0]
    reason = SAW_ALL if saw_all else "has less than twice the centre bias's NSS on people"
    none = f"It gets no verdict, since the network {reason}"
    return [
        f"{word.get(overall['passed'].iloc[0], none)}: of {len(by_test)} tests "
        f"that could refute it, {passed} passed, {failed} failed or passed in part, and {not_run} "
        f"{'was' if not_run == 1 else 'were'} not run."
    ]


def of_baselines(summary: pd.DataFrame, dataset: str, preset: str) -> list[str]:
    """
    Say what was found where no network is explained.

    Parameters
    ----------
    summary : DataFrame
        As `results/summary.csv`.
    dataset, preset : str

    Returns
    -------
    sentences : list of str
    """
    names = [
        name
        for name in dict.fromkeys(summary.loc[summary["dataset"] == dataset, "predictor"])
        if name not in ("centre_bias", "gold_standard")
    ]
    gains = {name: gain(summary, name, dataset, preset) for name in names}
    known = {name: found for name, found in gains.items() if found is not None}
    said = [
        f"{len(names)} predictors were scored on {_count(summary, dataset)} test stimuli of "
        f"{dataset}; no network is explained."
    ]
    if known:
        best = max(known, key=lambda name: known[name][0])
        above = sum(found[1] > 0 for found in known.values())
        said.append(
            f"{above} of them are clearly above the centre bias; the highest mean is that of "
            f"{best}, {interval(known[best], sign=True)} bits per fixation."
        )
    people = gain(summary, "gold_standard", dataset, preset)
    if people is not None:
        said.append(f"People as predictors of each other have {interval(people, sign=True)} bits.")
    return said


def glance(cells: Sequence[tuple[str, str, str]], tables: Tables, preset: str) -> dict[str, Any]:
    """
    Lay out the main figures of all explanations.

    Parameters
    ----------
    cells : sequence of (str, str, str)
        Deep model, explained predictor, data set.
    tables : dict of str to DataFrame
        See `sentences`.
    preset : str

    Returns
    -------
    table : dict
        `columns`, `rows`.
    """
    fidelity, verdicts = tables["fidelity"], tables["verdicts"]
    measured = fidelity.set_index(["predictor", "dataset", "measure"])[list(ENDS)]
    rows = []
    for model, predictor, dataset in cells:
        cell = [dataset]
        for measure in ("fidelity", "gain_by_layers"):
            key = (predictor, dataset, measure)
            known = key in measured.index and np.isfinite(measured.loc[key, "mean"])
            cell.append(interval(measured.loc[key]) if known else "undefined")
        for name in (predictor, model):
            found = gain(tables["summary"], name, dataset, preset)
            cell.append("undefined" if found is None else interval(found, sign=True))
        overall = verdicts[
            (verdicts["model"] + "-" + verdicts["explanation"] == predictor)
            & (verdicts["dataset"] == dataset)
            & (verdicts["test"] == "overall")
        ]["passed"]
        word = overall.iloc[0] if len(overall) else ""
        cell.append({"true": "passes", "false": "not shown"}.get(word, word or "not judged"))
        rows.append((predictor, cell))
    return {
        "columns": ["data set", "fidelity", "gain_by_layers", "bits", "bits of the network",
                    "verdict"],
        "rows": rows,
    }  # fmt: skip


def by_role(
    compared: Sequence[Sequence[str]], roles: Mapping[str, str], model: str, dataset: str
) -> dict[str, list[str]]:
    """
    Group the predictors that are compared with a deep model by what they are to it.

    Parameters
    ----------
    compared : sequence of (model, predictor, dataset, name)
        See `Plan.compared`.
    roles : dict of str to str
        By predictor, key of `styles.ROLES`.
    model, dataset : str

    Returns
    -------
    names : dict of str to list of str
        As `results/fidelity.csv` names them.
    """
    found: dict[str, list[str]] = {role: [] for role in styles.ROLES}
    for deep, predictor, where, name in compared:
        if (deep, where) == (model, dataset):
            found[roles[predictor]].append(name)
    return found
