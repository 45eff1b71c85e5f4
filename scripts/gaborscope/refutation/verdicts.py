"""Verdicts: which tests an explanation passes, with a sentence for each test."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from gaborscope.scoring import summaries

METRICS = ("nss", "cc")
# Shares of a deep model count only if its NSS is at least this many times that of the centre bias.
TWICE = 2.0
LIMIT = 0.05  # agreement is beyond chance if its p is below this
COLUMNS = (
    "model", "explanation", "dataset", "preset", "test", "metric", "against", "value", "ci_low",
    "ci_high", "passed", "sentence",
)  # fmt: skip
NOT_RUN = "not run"
SUBSTITUTES = ("mean", "other", "shuffled")  # controls in the place of a reconstruction


def contest_rows(
    contest: Mapping[str, Any],
    tables: Mapping[tuple[str, str, str], pd.DataFrame],
    n_resamples: int,
    seed: int,
) -> list[dict[str, Any]]:
    """
    Rows of one explanation against its rivals, on the test split.

    Parameters
    ----------
    contest : dict
        From `contests.plan`.
    tables : dict of (preset, predictor, dataset) to DataFrame
        Scores by stimulus.
    n_resamples, seed : int
        Number of samples and seed of the bootstrap over stimuli.

    Returns
    -------
    rows : list of dict
        Keys are `COLUMNS`. `value`: paired difference explanation - rival. Passed if its 95 %
        interval lies above 0.
    """
    model, explanation = contest["model"], contest["explanation"]
    predictor, rows = f"{model}-{explanation}", []
    for preset, name, dataset in tables:
        if name != predictor:
            continue
        scores = tables[preset, predictor, dataset]
        where = {"model": model, "explanation": explanation, "dataset": dataset, "preset": preset}
        for test, rival, otherwise in contest["rivals"]:
            if rival is None:
                rows.append({**where, **not_run(test, otherwise)})
                continue
            rival_scores = tables[preset, rival, dataset]
            for metric in METRICS:
                difference = (
                    scores[metric] - rival_scores[metric].reindex(scores.index)
                ).to_numpy()
                row = _difference(predictor, rival, metric, difference, n_resamples, seed)
                rows.append({**where, "test": test, "metric": metric, "against": rival, **row})
        deep, bias = tables[preset, model, dataset], tables[preset, "centre_bias", dataset]
        pair = deep["nss"].to_numpy(), bias["nss"].reindex(deep.index).to_numpy()
        rows.append({**where, **_strength(model, *pair, n_resamples, seed)})
    return rows


def _difference(predictor, rival, metric, difference, n_resamples, seed):
    mean, low, high, n = summaries.bootstrap_mean(difference, n_resamples, seed)
    passed = bool(low > 0)
    verb = "is above" if passed else "is not above"
    sentence = (
        f"{predictor} {verb} {rival} in {metric.upper()}: {mean:+.3f} [{low:+.3f}, {high:+.3f}] "
        f"over {n} stimuli."
    )
    return _row(mean, low, high, passed, sentence)


def _strength(model, deep, bias, n_resamples, seed):
    """Return the row that says whether the deep model is good enough for its shares to count."""
    ratio, low, high = summaries.ratio(deep, bias, n_resamples, seed)
    passed = bool(ratio >= TWICE)
    sentence = f"{model} has {ratio:.2f} times the centre bias's NSS [{low:.2f}, {high:.2f}]" + (
        "." if passed else ": less than twice, so mechanics only; shares of it do not count."
    )
    row = _row(ratio, low, high, passed, sentence)
    return {"test": "deep_twice_centre_bias", "metric": "nss", "against": "centre_bias", **row}


def stability_rows(
    model: str,
    explanation: str,
    dataset: str,
    test: str,
    tables: Sequence[tuple[str, pd.DataFrame]],
    otherwise: str,
) -> list[dict[str, Any]]:
    """
    Rows on the agreement of one explanation with another fit of the same explanation.

    Parameters
    ----------
    model, explanation, dataset : str
    test : {"halves_agree", "seeds_agree"}
    tables : list of (str, DataFrame)
        Name of the other fit, and the table of `stability.rows`. Empty if the test was not run.
    otherwise : str
        Reason why the test was not run.

    Returns
    -------
    rows : list of dict
        Keys are `COLUMNS`. `value`: agreement beyond chance, all layers pooled.
    """
    where = {"model": model, "explanation": explanation, "dataset": dataset, "preset": ""}
    if not tables:
        return [{**where, **not_run(test, otherwise)}]
    rows = []
    for against, table in tables:
        all_layers = table[table["layer"] == "all"].set_index("measure")
        shown = [m for m in all_layers.index if m == "identity" or m.startswith("profile_")]
        for measure in shown:
            pooled = all_layers.loc[measure]
            if not pooled["maps"]:
                reason = "the fit split has a single block, or no layer two maps"
                rows.append({**where, **not_run(test, reason), "metric": measure})
                continue
            passed = bool(pooled["ci_low"] > 0 and pooled["p"] < LIMIT)
            chance = "beyond chance" if passed else "not beyond chance"
            sentence = (
                f"{model}-{explanation}, {against}: {measure.replace('_', ' by ')} of "
                f"{int(pooled['maps'])} maps agrees {chance}: {pooled['agreement']:.3f}, by chance "
                f"{pooled['chance']:.3f}, p = {pooled['p']:.3g}."
            )
            row = _row(pooled["excess"], pooled["ci_low"], pooled["ci_high"], passed, sentence)
            rows.append({**where, "test": test, "metric": measure, "against": against, **row})
    return rows


def faithfulness_rows(
    model: str, explanation: str, dataset: str, table: pd.DataFrame | None
) -> list[dict[str, Any]]:
    """
    Rows of one explanation whose reconstructions have replaced the network's layers.

    Parameters
    ----------
    model, explanation, dataset : str
    table : DataFrame or None
        `layer, way, control, metric, difference, ci_low, ci_high`: reconstruction minus control,
        paired over test stimuli. None if the test was not run.

    Returns
    -------
    rows : list of dict
        Keys are `COLUMNS`; one row for each of `SUBSTITUTES`. `value` and its interval are of the
        layer with the least difference. The difference is in CC with the map of the intact network,
        for layers replaced alone. Passed if the intervals of all layers lie above 0.
    """
    where = {"model": model, "explanation": explanation, "dataset": dataset, "preset": ""}
    if table is None:
        return [{**where, **not_run("faithful_layers", "no layer was replaced")}]
    rows = []
    alone = table[(table["way"] == "alone") & (table["metric"] == "cc_intact")]
    for control in SUBSTITUTES:
        layers = alone[alone["control"] == control]
        if layers.empty:
            continue
        above, least = int((layers["ci_low"] > 0).sum()), layers.loc[layers["difference"].idxmin()]
        mean, low, high = (float(least[key]) for key in ("difference", "ci_low", "ci_high"))
        sentence = (
            f"{model}-{explanation} in the place of one layer keeps the map better than {control} "
            f"in {above} of {len(layers)} layers (CC with the intact map); least in "
            f"{least['layer']}: {mean:+.3f} [{low:+.3f}, {high:+.3f}]."
        )
        row = _row(mean, low, high, above == len(layers), sentence)
        named = {"test": "faithful_layers", "metric": "cc_intact", "against": control}
        rows.append({**where, **named, **row})
    return rows


def not_run(test: str, reason: str) -> dict[str, Any]:
    """
    Row of a test that could not be run.

    Parameters
    ----------
    test, reason : str

    Returns
    -------
    row : dict
    """
    blank = _row(np.nan, np.nan, np.nan, NOT_RUN, f"Not run: {reason}.")
    return {"test": test, "metric": "", "against": "", **blank}


def _row(value, low, high, passed, sentence):
    text = passed if passed == NOT_RUN else str(passed).lower()
    return {"value": value, "ci_low": low, "ci_high": high, "passed": text, "sentence": sentence}


def outcome(rows: pd.DataFrame) -> str:
    """
    Return the outcome of a test, from all of its rows.

    Parameters
    ----------
    rows : DataFrame
        Rows of one test of one explanation.

    Returns
    -------
    outcome : {"passes", "fails", "in part", "not run"}
        Rows that were not run are ignored, unless no row was run.
    """
    results = set(rows["passed"]) - {NOT_RUN}
    if not results:
        return NOT_RUN
    return {"true": "passes", "false": "fails"}[results.pop()] if len(results) == 1 else "in part"


def content(table: pd.DataFrame) -> list[dict[str, Any]]:
    """
    Verdicts as the report shows them.

    Parameters
    ----------
    table : DataFrame
        As `results/verdicts.csv`.

    Returns
    -------
    sections : list of dict
        `name`, `outcomes` (list of (word, list of tests)), `rows` (list of dict).
    """
    sections = []
    for (model, explanation), group in table.groupby(["model", "explanation"], sort=False):
        words = {}
        for test, rows in group.groupby("test", sort=False):
            words.setdefault(outcome(rows), []).append(test.replace("_", " "))
        order = ("passes", "fails", "in part", NOT_RUN)
        sections.append(
            {
                "name": f"{model}-{explanation}",
                "outcomes": [(word, words[word]) for word in order if word in words],
                "rows": group.to_dict("records"),
            }
        )
    return sections
