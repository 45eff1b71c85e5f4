"""Verdicts: which tests an explanation passes, with a sentence for each test."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from gaborscope.scoring import summaries
from gaborscope.scoring.fidelity import LEAST_NULL

METRICS = ("ig", "kl_deep")  # what decides: people, and the map of the network
# A deep model's map is worth an explanation if its NSS is at least so many times the centre bias's.
TWICE = 2.0
LIMIT = 0.05  # a test passes if its p is at most this
COLUMNS = (
    "model", "explanation", "dataset", "preset", "test", "metric", "against", "value", "ci_low",
    "ci_high", "passed", "sentence", "p", "p_holm",
)  # fmt: skip
NOT_RUN, NO_VERDICT = "not run", "no verdict"
STRENGTH = "deep_twice_centre_bias"  # name of the test of the deep model
SAW_ALL = "was trained on every test stimulus"
NONE_LEFT = "no test stimulus is left that the network was not trained on"
NOTHING_TO_ADD = f"less than {LEAST_NULL} bits of KL to the network, so layers have nothing to add"
SUBSTITUTES = ("mean", "other", "shuffled")  # controls in the place of a reconstruction
OVERALL = "overall"
OUTCOMES = ("passes", "fails", "in part", NOT_RUN)
# The tests that the overall verdict needs, by mode. Identities of single layers are those of mode
# direct, so that only there halves and seeds can agree.
NEEDED = (
    "above_centre_bias", "above_random_networks", "above_loggabor_fixations",
    "above_loggabor_equal", "above_noise_banks", "above_phase_scrambled_banks",
    "above_principal_components", "above_difference_of_gaussians", "above_pixel_pairs",
    "faithful_layers", "interventions",
)  # fmt: skip
NEEDED_OF_DIRECT = (*NEEDED, "halves_agree", "seeds_agree")
UNITS = {"ig": "bits of information gain", "kl_deep": "bits of KL to the deep map"}


def contest_rows(
    contest: Mapping[str, Any],
    scores: Mapping[tuple[str, str, str], pd.DataFrame],
    fidelity: Mapping[tuple[str, str, str], pd.DataFrame],
    n_resamples: int,
    seed: int,
) -> list[dict[str, Any]]:
    """
    Rows of one explanation against its rivals, on the test split.

    Parameters
    ----------
    contest : dict
        From `contests.plan`.
    scores : dict of (preset, predictor, dataset) to DataFrame
        Scores of people's fixations by stimulus, with a column `ig`.
    fidelity : dict of (model, predictor, dataset) to DataFrame
        By stimulus, with a column `kl_deep` in bits.
    n_resamples, seed : int
        Number of samples and seed of the bootstrap, see `summaries.compare`.

    Returns
    -------
    rows : list of dict
        Keys are `COLUMNS`, two rows for each rival or family of rivals. `value` is the advantage of
        the explanation: its information gain minus the rival's, the rival's KL to the deep map
        minus its own, or either minus the family's mean. Passed if it is above 0 with p <= .05.
    """
    model, predictor, rows = contest["model"], contest["predictor"], []
    for preset, name, dataset in scores:
        if name != predictor:
            continue
        where = {**_about(contest), "dataset": dataset, "preset": preset}

        def values(of, metric, dataset=dataset, preset=preset):
            key = (preset, of, dataset) if metric == "ig" else (model, of, dataset)
            table = (scores if metric == "ig" else fidelity)[key]
            sign = 1 if metric == "ig" else -1
            return sign * table[metric].reindex(scores[preset, predictor, dataset].index)

        for test, rivals, reason in contest["rivals"]:
            if not rivals:
                rows.append({**where, **not_run(test, reason)})
                continue
            if test == "layers_add" and -values(rivals[0], "kl_deep").mean() < LEAST_NULL:
                rows.append({**where, **not_run(test, f"{rivals[0]} leaves {NOTHING_TO_ADD}")})
                continue
            for metric in ("kl_deep",) if test == "layers_add" else METRICS:
                own = values(predictor, metric).to_numpy()
                advantages = np.stack([own - values(rival, metric).to_numpy() for rival in rivals])
                compared = summaries.compare(advantages, n_resamples, seed)
                row = _advantage(predictor, rivals, metric, compared, n_resamples)
                rows.append({**where, "test": test, "metric": metric, **row})
        deep, bias = scores[preset, model, dataset], scores[preset, "centre_bias", dataset]
        pair = deep["nss"].to_numpy(), bias["nss"].reindex(deep.index).to_numpy()
        rows.append({**where, **_strength(model, *pair, n_resamples, seed)})
    return rows


def _about(contest):
    return {"model": contest["model"], "explanation": contest["explanation"]}


def _advantage(predictor, rivals, metric, compared, n_resamples):
    passed = bool(compared.mean > 0 and compared.p <= LIMIT)
    against = rivals[0] if len(rivals) == 1 else f"{len(rivals)} draws: {rivals[0]} ..."
    if not compared.n:
        return {"against": against, **_blank(NONE_LEFT)}
    whom = rivals[0] if len(rivals) == 1 else f"the mean of {len(rivals)} draws ({rivals[0]} ...)"
    worse = compared.mean < 0 and compared.p <= LIMIT
    verb = "is better than" if passed else "is not shown to be better than"
    sentence = (
        f"{predictor} {'is worse than' if worse else verb} {whom}: {compared.mean:+.3f} "
        f"[{compared.ci_low:+.3f}, {compared.ci_high:+.3f}] {UNITS[metric]} over {compared.n} "
        f"stimuli, {p_words(compared.p, n_resamples)}"
    )
    if compared.draws > 1:
        sentence += f"; it beats {compared.beaten} of {compared.draws} draws"
        if compared.draws < summaries.ENOUGH_DRAWS:
            sentence += f" (their rank decides from {summaries.ENOUGH_DRAWS} draws on)"
    estimate = compared.mean, compared.ci_low, compared.ci_high
    return {"against": against, **_row(*estimate, passed, sentence + ".", compared.p)}


def p_words(p: float, n_resamples: int) -> str:
    """
    Return a p in words; at the least value that so many samples can give it is a bound.

    Parameters
    ----------
    p : float
    n_resamples : int

    Returns
    -------
    words : str
        Such as "p = 0.02" or "p <= 0.001".
    """
    return f"p {'<=' if p <= 2 / (n_resamples + 1) else '='} {p:.2g}"


def _strength(model, deep, bias, n_resamples, seed):
    """Return the row that says whether the deep model is good enough to be worth explaining."""
    ratio, low, high = summaries.ratio(deep, bias, n_resamples, seed)
    passed = bool(ratio >= TWICE)
    if np.isnan(deep).all() and not np.isnan(bias).all():
        sentence = f"{model} {SAW_ALL}, so it gets no verdict."
    elif np.isfinite(ratio):
        sentence = f"{model} has {ratio:.2f} times the centre bias's NSS [{low:.2f}, {high:.2f}]"
        sentence += "." if passed else ": less than twice, so mechanics only; it gets no verdict."
    else:
        sentence = (
            "The NSS of the centre bias is not clearly above 0, so there is no ratio to it, and "
            f"{model} gets no verdict."
        )
    row = _row(ratio, low, high, passed, sentence)
    return {"test": STRENGTH, "metric": "nss", "against": "centre_bias", **row}


def overall_row(rows: Sequence[Mapping[str, Any]], needed: Sequence[str]) -> dict[str, Any]:
    """
    Verdict on an explanation on one data set: it passes if every test that it needs does.

    Parameters
    ----------
    rows : sequence of dict
        All rows of the explanation on the data set.
    needed : sequence of str
        `NEEDED` or `NEEDED_OF_DIRECT`.

    Returns
    -------
    row : dict
        Without `model`, `explanation`, `dataset` and `preset`. A test that was not run is not
        passed. A model that is not twice as good as the centre bias gets no verdict. `p`: the
        largest of the tests, since all have to pass; nan if one was not run.
    """
    table = pd.DataFrame(list(rows))
    weak = table[(table["test"] == STRENGTH) & (table["passed"] == "false")]
    if len(weak):
        row = _row(np.nan, np.nan, np.nan, NO_VERDICT, f"No verdict: {weak.iloc[0]['sentence']}")
        return {"test": OVERALL, "metric": "", "against": "", **row}
    by_word = {}
    for test in needed:
        by_word.setdefault(outcome(table[table["test"] == test]), []).append(test)
    passed = set(by_word) == {"passes"}
    parts = [
        f"{word} {', '.join(by_word[word]).replace('_', ' ')}"
        for word in ("fails", "in part", NOT_RUN)
        if word in by_word
    ]
    sentence = (
        f"Passes all {len(needed)} tests that a verdict needs."
        if passed
        else f"Not shown, since every test has to pass: {'; '.join(parts)}."
    )
    p = table[table["test"].isin(needed)]["p"].max() if NOT_RUN not in by_word else np.nan
    return {
        "test": OVERALL, "metric": "", "against": "",
        **_row(np.nan, np.nan, np.nan, passed, sentence, p),
    }  # fmt: skip


def corrected(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """
    Fill in p corrected by Holm's method within each explanation and data set.

    Parameters
    ----------
    rows : sequence of dict
        Keys are `COLUMNS` but `p_holm`.

    Returns
    -------
    rows : list of dict
        The overall verdict has none: it is not one of the findings.
    """
    table = pd.DataFrame(list(rows), columns=[c for c in COLUMNS if c != "p_holm"])
    p = table["p"].where(table["test"] != OVERALL)
    groups = p.groupby([table["model"], table["explanation"], table["dataset"]])
    table["p_holm"] = groups.transform(lambda part: summaries.holm(part.to_numpy()))
    return table.to_dict("records")


def stability_rows(
    model: str,
    explanation: str,
    dataset: str,
    test: str,
    tables: Sequence[tuple[str, pd.DataFrame]],
    otherwise: str,
    least: float = 0.0,
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
    least : float
        The least p that the permutations can give.

    Returns
    -------
    rows : list of dict
        Keys are `COLUMNS`. `value`: agreement beyond chance, all layers pooled. Passed if its
        interval over maps lies above 0 and p of the permutations is below .05.
    """
    where = {"model": model, "explanation": explanation, "dataset": dataset, "preset": ""}
    if not tables:
        return [{**where, **not_run(test, otherwise)}]
    rows = []
    for against, table in tables:
        all_layers = table[table["layer"] == "all"].set_index("measure")
        pooled = all_layers.loc["identity"]
        if not pooled["maps"]:
            reason = "the fit split has a single block, or no layer two maps"
            rows.append({**where, **not_run(test, reason), "metric": "identity"})
            continue
        passed = bool(pooled["ci_low"] > 0 and pooled["p"] <= LIMIT)
        chance = "beyond chance" if passed else "not beyond chance"
        low, high, p = (float(pooled[key]) for key in ("ci_low", "ci_high", "p"))
        sentence = (
            f"{model}-{explanation}, {against}: identity of {int(pooled['maps'])} maps agrees "
            f"{chance}: {pooled['agreement']:.3f}, by chance {pooled['chance']:.3f}; the excess "
            f"over maps has the interval [{low:+.3f}, {high:+.3f}], permutations give p "
            f"{'<=' if p <= least else '='} {p:.2g}; both have to exclude chance."
        )
        row = _row(pooled["excess"], low, high, passed, sentence, p)
        rows.append({**where, "test": test, "metric": "identity", "against": against, **row})
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
        `layer, way, control, metric, difference, ci_low, ci_high, p`: reconstruction minus control,
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
        p = float(layers["p"].max())  # all layers have to be above, so the largest p is that of all
        row = _row(mean, low, high, above == len(layers), sentence, p)
        named = {"test": "faithful_layers", "metric": "cc_intact", "against": control}
        rows.append({**where, **named, **row})
    return rows or [{**where, **not_run("faithful_layers", NONE_LEFT)}]


def intervention_rows(
    model: str, explanation: str, dataset: str, table: pd.DataFrame | None, n_resamples: int
) -> list[dict[str, Any]]:
    """
    Row of one explanation whose leading notches were taken out of images.

    Parameters
    ----------
    model, explanation, dataset : str
    table : DataFrame or None
        As `interventions.summary.csv`. None if the test was not run.
    n_resamples : int
        Number of bootstrap samples behind the table.

    Returns
    -------
    rows : list of dict
        Keys are `COLUMNS`. `value`: change of the network's map, KL in bits, without a leading
        notch minus that without filters of equal energy which the explanation ranks in its lower
        half. Passed if it is above 0 with p <= .05. The sentence also says how the change compares
        with that by random phases of equal energy, which put new structure into the image.
    """
    where = {"model": model, "explanation": explanation, "dataset": dataset, "preset": ""}
    if table is None:
        return [{**where, **not_run("interventions", "no image was changed")}]
    cells = table.set_index(["kind", "measure"])
    effect = cells.loc["leading - lower_half", "kl_deep"]
    if not effect["n"] or not np.isfinite(effect["mean"]):
        any_left = (table["n"] > 0).any()
        reason = "no image holds energy enough to change" if any_left else NONE_LEFT
        return [{**where, **not_run("interventions", reason)}]
    p = float(effect["p"])
    mean, low, high = (float(effect[key]) / np.log(2) for key in ("mean", "ci_low", "ci_high"))
    passed = bool(mean > 0 and p <= LIMIT)
    verb = "more" if passed else "not shown to be more"
    phases = cells.loc["leading / random_phase", "kl_deep"]["mean"]
    beside = f"; {phases:.2f} times as much as random phases of equal energy"
    sentence = (
        f"Taking out what {model}-{explanation} rests on changes the map of {model} {verb} than "
        f"taking out equal energy of filters in the lower half of its ranking: {mean:+.4f} "
        f"[{low:+.4f}, {high:+.4f}] bits over {int(effect['n'])} stimuli, "
        f"{p_words(p, n_resamples)}{beside if np.isfinite(phases) else ''}."
    )
    named = {"test": "interventions", "metric": "kl_deep", "against": "lower_half"}
    return [{**where, **named, **_row(mean, low, high, passed, sentence, p)}]


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
    return {"test": test, "metric": "", "against": "", **_blank(reason)}


def _blank(reason):
    return _row(np.nan, np.nan, np.nan, NOT_RUN, f"Not run: {reason}.")


def _row(value, low, high, passed, sentence, p=np.nan):
    text = passed if isinstance(passed, str) else str(passed).lower()
    estimate = {"value": value, "ci_low": low, "ci_high": high}
    return {**estimate, "passed": text, "sentence": sentence, "p": p}


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
        `name`, `overall` (list of dict: `dataset, passed, sentence`), `outcomes` (list of (word,
        list of tests)), `rows` (list of dict).
    """
    sections = []
    for (model, explanation), group in table.groupby(["model", "explanation"], sort=False):
        words, judged = {}, group["test"] == OVERALL
        for test, rows in group[~judged].groupby("test", sort=False):
            words.setdefault(outcome(rows), []).append(test.replace("_", " "))
        sections.append(
            {
                "name": f"{model}-{explanation}",
                "overall": group[judged][["dataset", "passed", "sentence"]].to_dict("records"),
                "outcomes": [(word, words[word]) for word in OUTCOMES if word in words],
                "rows": group[~judged].to_dict("records"),
            }
        )
    return sections
