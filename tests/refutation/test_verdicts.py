"""A test passes where its interval lies above zero; a test that cannot run says so."""

import numpy as np
import pandas as pd
import pytest

from gaborscope.refutation import stability, verdicts

RIVALS = [
    ["above_centre_bias", ["centre_bias"], ""],
    ["above_random_networks", ["blank-direct"], ""],
    ["above_pixel_pairs", [], "no explanation has it"],
]
CONTEST = {"model": "net", "explanation": "direct", "predictor": "net-direct", "rivals": RIVALS}


def tables(rng, deep=2.4):
    """Scores on people and distances to the deep map of four predictors."""
    names = [f"s{i}" for i in range(60)]
    noise = rng.normal(0, 0.2, 60)

    def scored(mean):
        return pd.DataFrame({"nss": mean + noise, "ig": mean / 2 + noise}, index=names)

    def far(mean):
        return pd.DataFrame({"kl_deep": mean + noise}, index=names)

    jitter = rng.normal(0, 0.3, (60, 1))
    means = {"net": deep, "net-direct": 1.8, "centre_bias": 1.0, "blank-direct": 1.8}
    scores = {("mit", name, "made"): scored(mean) for name, mean in means.items()}
    means = {"net-direct": 0.3, "centre_bias": 0.9, "blank-direct": 0.3}
    fidelity = {("net", name, "made"): far(mean) for name, mean in means.items()}
    scores["mit", "blank-direct", "made"] += jitter
    fidelity["net", "blank-direct", "made"] += jitter
    return scores, fidelity


@pytest.fixture
def rows(rng):
    return pd.DataFrame(verdicts.contest_rows(CONTEST, *tables(rng), 500, 1))


def row_of(rows, test, metric="ig"):
    return rows[(rows["test"] == test) & (rows["metric"] == metric)].iloc[0]


def test_an_advantage_beyond_chance_passes_in_people_and_in_the_deep_map(rows):
    for metric, advantage in (("ig", 0.4), ("kl_deep", 0.6)):
        row = row_of(rows, "above_centre_bias", metric)
        assert row["passed"] == "true" and row["value"] == pytest.approx(advantage)
        assert row["p"] == pytest.approx(2 / 501)
        assert "net-direct is better than centre_bias: +" in row["sentence"]
        assert "p <= 0.004" in row["sentence"]


def test_an_advantage_within_its_interval_does_not_pass(rows):
    row = row_of(rows, "above_random_networks")
    assert row["ci_low"] < 0 and row["passed"] == "false" and row["p"] > 0.05
    assert "is not shown to be better than blank-direct" in row["sentence"]


def test_what_was_not_run_is_said_with_its_reason(rows):
    row = row_of(rows, "above_pixel_pairs", "")
    assert row["passed"] == "not run" and np.isnan(row["value"]) and np.isnan(row["p"])
    assert row["sentence"] == "Not run: no explanation has it."


def test_a_network_trained_on_every_test_stimulus_is_compared_with_nothing(rng):
    scores, fidelity = tables(rng)
    for table in (*scores.values(), *fidelity.values()):
        table.loc[:] = np.nan
    scores["mit", "centre_bias", "made"] = tables(rng)[0]["mit", "centre_bias", "made"]
    rows = pd.DataFrame(verdicts.contest_rows(CONTEST, scores, fidelity, 50, 1))
    for metric in verdicts.METRICS:
        row = row_of(rows, "above_centre_bias", metric)
        assert row["passed"] == "not run" and "trained on" in row["sentence"]
    weak = row_of(rows, "deep_twice_centre_bias", "nss")["sentence"]
    assert weak == "net was trained on every test stimulus, so it gets no verdict."
    assert not rows["sentence"].str.contains("nan").any()


def test_rivals_scored_in_another_order_are_paired_by_stimulus(rng):
    scores, fidelity = tables(rng)
    for turned, key in ((scores, ("mit", "centre_bias", "made")),
                        (fidelity, ("net", "centre_bias", "made"))):  # fmt: skip
        turned[key] = turned[key][::-1]
    verdict_rows = pd.DataFrame(verdicts.contest_rows(CONTEST, scores, fidelity, 200, 1))
    for metric in verdicts.METRICS:
        row = row_of(verdict_rows, "above_centre_bias", metric)
        assert row["ci_low"] == pytest.approx(row["ci_high"])  # noise is shared


@pytest.mark.parametrize("deep, passed", [(2.4, "true"), (1.5, "false")])
def test_a_weak_deep_model_leaves_mechanics_only(rng, deep, passed):
    verdict_rows = verdicts.contest_rows(CONTEST, *tables(rng, deep), 200, 1)
    row = row_of(pd.DataFrame(verdict_rows), "deep_twice_centre_bias", "nss")
    assert row["passed"] == passed
    assert ("mechanics only" in row["sentence"]) == (passed == "false")
    overall = verdicts.overall_row(verdict_rows, ["above_centre_bias"])
    assert overall["passed"] == {"true": "true", "false": "no verdict"}[passed]


def test_a_family_of_draws_is_one_rival(rng):
    scores, fidelity = tables(rng)
    draws = [f"blank{i}-direct" for i in range(5)]
    for number, name in enumerate(draws):
        for kept, key, column in ((scores, "mit", "ig"), (fidelity, "net", "kl_deep")):
            table = kept[key, "net-direct", "made"].copy()
            table[column] += 0.1 * (number - 1)  # two draws are not worse than it in ig
            kept[key, name, "made"] = table
    contest = {**CONTEST, "rivals": [["above_random_networks", draws, ""]]}
    first, second, _ = verdicts.contest_rows(contest, scores, fidelity, 500, 1)
    assert (first["metric"], second["metric"]) == ("ig", "kl_deep")
    assert first["value"] == pytest.approx(-0.1) and second["value"] == pytest.approx(0.1)
    assert first["against"] == "5 draws: blank0-direct ..."
    assert "beats 1 of 5 draws (their rank decides from 39 draws on)" in first["sentence"]
    # draws differ more than stimuli, so the interval is that of draws
    assert second["ci_low"] < 0 < second["ci_high"] and second["passed"] == "false"


def test_layers_add_something_only_by_their_distance_to_the_deep_map(rng):
    scores, fidelity = tables(rng)
    contest = {**CONTEST, "rivals": [["layers_add", ["centre_bias"], ""]]}
    rows = verdicts.contest_rows(contest, scores, fidelity, 200, 1)
    assert [(row["test"], row["metric"]) for row in rows] == [
        ("layers_add", "kl_deep"), ("deep_twice_centre_bias", "nss"),
    ]  # fmt: skip
    assert "layers_add" not in verdicts.NEEDED_OF_DIRECT


def test_layers_are_not_tested_where_a_bank_without_them_leaves_nothing_to_add(rng):
    scores, fidelity = tables(rng)
    fidelity["net", "centre_bias", "made"]["kl_deep"] *= (
        0.019 / fidelity["net", "centre_bias", "made"]["kl_deep"].mean()
    )
    contest = {**CONTEST, "rivals": [["layers_add", ["centre_bias"], ""]]}
    row, _ = verdicts.contest_rows(contest, scores, fidelity, 200, 1)
    assert (row["test"], row["passed"]) == ("layers_add", "not run")
    assert "centre_bias leaves less than 0.02 bits" in row["sentence"]


def test_a_family_of_39_draws_that_are_all_beaten_passes(rng):
    scores, fidelity = tables(rng)
    draws = [f"blank{i}-direct" for i in range(39)]
    for name in draws:
        for kept, key, column, step in ((scores, "mit", "ig", -1), (fidelity, "net", "kl_deep", 1)):
            kept[key, name, "made"] = kept[key, "net-direct", "made"].copy()
            kept[key, name, "made"][column] += step
    contest = {**CONTEST, "rivals": [["above_random_networks", draws, ""]]}
    rows = verdicts.contest_rows(contest, scores, fidelity, 500, 1)[:2]
    assert [(row["p"], row["passed"]) for row in rows] == [(pytest.approx(0.05), "true")] * 2


def decided(**outcomes):
    rows = [
        {"test": test, "passed": passed, "p": p, "sentence": "."}
        for test, (passed, p) in outcomes.items()
    ]
    return verdicts.overall_row(rows, ["a_test", "b_test"])


def test_the_verdict_needs_every_test_and_one_that_was_not_run_is_not_passed():
    row = decided(a_test=("true", 0.01), b_test=("true", 0.04), layers_add=("false", 0.9))
    assert (row["passed"], row["p"]) == ("true", 0.04)
    assert row["sentence"] == "Passes all 2 tests that a verdict needs."
    row = decided(a_test=("true", 0.01), b_test=("not run", np.nan))
    assert row["passed"] == "false" and np.isnan(row["p"])
    assert row["sentence"].endswith("has to pass: not run b test.")
    row = decided(a_test=("false", 0.2))
    assert row["sentence"].endswith("has to pass: fails a test; not run b test.")


def test_p_is_corrected_within_each_explanation_and_data_set():
    def row(explanation, p, test="a_test"):
        given = dict.fromkeys(verdicts.COLUMNS[:-1], "")
        return {**given, "explanation": explanation, "test": test, "p": p}

    rows = [row("x", 0.01), row("x", 0.03), row("x", np.nan), row("y", 0.03),
            row("x", 0.001, "overall")]  # fmt: skip
    found = [r["p_holm"] for r in verdicts.corrected(rows)]
    assert found[:2] == [0.02, 0.03] and np.isnan(found[2]) and found[3] == 0.03
    assert np.isnan(found[4])


def agreeing(similarity):
    table = pd.DataFrame(stability.rows({"a": {"identity": similarity}}, 200, 0))
    return verdicts.stability_rows("net", "direct", "made", "halves_agree", [("x", table)], "")


def test_agreement_beyond_chance_passes_and_chance_does_not(rng):
    (row,) = agreeing(np.eye(12))
    assert row["passed"] == "true" and "agrees beyond chance: 1.000" in row["sentence"]
    (row,) = agreeing((rng.random((80, 80)) < 0.2).astype(float))
    assert row["passed"] == "false" and "not beyond chance" in row["sentence"]


def test_agreement_without_maps_or_tables_was_not_run():
    (row,) = agreeing(np.ones((1, 1)))
    assert row["passed"] == "not run"
    (row,) = verdicts.stability_rows("net", "few", "made", "seeds_agree", [], "one seed")
    assert row["passed"] == "not run" and row["sentence"] == "Not run: one seed."


def test_the_report_says_plainly_what_passes_fails_and_was_not_run(rows):
    (section,) = verdicts.content(rows)
    words = dict(section["outcomes"])
    assert section["name"] == "net-direct"
    assert "above centre bias" in words["passes"]
    assert words["not run"] == ["above pixel pairs"]
    part = rows[rows["test"] == "above_centre_bias"].copy()
    part.loc[part.index[0], "passed"] = "false"
    assert verdicts.outcome(part) == "in part"


def test_reconstructions_have_to_be_above_each_substitute_in_every_layer():
    names = ["layer", "way", "control", "metric", "difference", "ci_low", "ci_high", "p"]
    values = [
        ("stem", "alone", "mean", "cc_intact", 0.4, 0.3, 0.5, 0.02),
        ("late", "alone", "mean", "cc_intact", 0.2, 0.1, 0.3, 0.02),
        ("stem", "alone", "other", "cc_intact", 0.1, -0.1, 0.3, 0.3),
        ("late", "alone", "other", "cc_intact", 0.2, 0.1, 0.3, 0.02),
        ("late", "alone", "other", "nss", -1.0, -2.0, -0.5, 0.3),
        ("late", "cumulative", "mean", "cc_intact", -0.3, -0.4, -0.2, 0.3),
        ("late", "alone", "resampled", "cc_intact", -0.3, -0.4, -0.2, 0.3),
    ]
    table = pd.DataFrame(values, columns=names)
    mean, other = verdicts.faithfulness_rows("net", "direct", "made", table)
    assert (mean["against"], mean["passed"], mean["value"]) == ("mean", "true", 0.2)
    assert (other["against"], other["passed"], other["value"]) == ("other", "false", 0.1)
    assert (mean["p"], other["p"]) == (0.02, 0.3)  # of the layer that is least sure
    assert "in 1 of 2 layers" in other["sentence"]
    (row,) = verdicts.faithfulness_rows("net", "direct", "made", None)
    assert row["passed"] == "not run"


def changed(mean, p, n=10, ratio=0.9):
    rows = [("leading - lower_half", mean, p, n), ("leading / random_phase", ratio, np.nan, n)]
    names = ["kind", "mean", "p", "n"]
    table = pd.DataFrame(rows, columns=names)
    table["measure"], table["ci_low"], table["ci_high"] = "kl_deep", mean - 0.1, mean + 0.1
    (row,) = verdicts.intervention_rows("net", "direct", "made", table, 2000)
    return row


@pytest.mark.parametrize(
    "mean, p, passed",
    [(0.2, 0.01, "true"), (0.2, 0.06, "false"), (-0.2, 0.01, "false"), (np.nan, 1, "not run")],
)
def test_what_an_explanation_rests_on_has_to_change_the_network_s_map_most(mean, p, passed):
    row = changed(mean, p)
    assert (row["test"], row["passed"]) == ("interventions", passed)
    if passed != "not run":
        assert (row["p"], row["against"]) == (p, "lower_half")
        assert row["value"] == pytest.approx(mean / np.log(2))  # bits, of nats in the table
        assert f"{row['value']:+.4f} [" in row["sentence"] and "] bits over" in row["sentence"]
        assert "0.90 times as much as random phases" in row["sentence"]
    assert "random phases" not in changed(0.2, 0.01, ratio=np.nan)["sentence"]
    assert changed(0.2, 0.01, n=0)["passed"] == "not run"
    (row,) = verdicts.intervention_rows("net", "direct", "made", None, 2000)
    assert row["passed"] == "not run"
