"""A test passes where its interval lies above zero; a test that cannot run says so."""

import numpy as np
import pandas as pd
import pytest

from gaborscope.refutation import stability, verdicts

RIVALS = [
    ["above_centre_bias", "centre_bias", ""],
    ["above_random_network", "blank-direct", ""],
    ["above_pixel_bank", None, "no explanation has it"],
]
CONTEST = {"model": "net", "explanation": "direct", "rivals": RIVALS}


def tables(rng, deep=2.4):
    names = [f"s{i}" for i in range(60)]
    noise = rng.normal(0, 0.2, 60)

    def scores(mean):
        return pd.DataFrame({"nss": mean + noise, "cc": mean / 4 + noise / 4}, index=names)

    by_name = {"net": deep, "net-direct": 1.8, "centre_bias": 1.0}
    by_key = {("mit", name, "made"): scores(mean) for name, mean in by_name.items()}
    jitter = rng.normal(0, 0.3, (60, 2))
    by_key["mit", "blank-direct", "made"] = by_key["mit", "net-direct", "made"] + jitter
    return by_key


@pytest.fixture
def rows(rng):
    return pd.DataFrame(verdicts.contest_rows(CONTEST, tables(rng), 500, 1))


def row_of(rows, test, metric="nss"):
    return rows[(rows["test"] == test) & (rows["metric"] == metric)].iloc[0]


def test_a_difference_whose_interval_excludes_zero_passes(rows):
    for metric, difference in (("nss", 0.8), ("cc", 0.2)):
        row = row_of(rows, "above_centre_bias", metric)
        assert row["passed"] == "true" and row["value"] == pytest.approx(difference)
        assert "net-direct is above centre_bias in" in row["sentence"]


def test_a_difference_within_its_interval_does_not_pass(rows):
    row = row_of(rows, "above_random_network")
    assert row["ci_low"] < 0 and row["passed"] == "false"
    assert "is not above blank-direct" in row["sentence"]


def test_what_was_not_run_is_said_with_its_reason(rows):
    row = row_of(rows, "above_pixel_bank", "")
    assert row["passed"] == "not run" and np.isnan(row["value"])
    assert row["sentence"] == "Not run: no explanation has it."


def test_rivals_scored_in_another_order_are_paired_by_stimulus(rng):
    turned = tables(rng)
    turned["mit", "centre_bias", "made"] = turned["mit", "centre_bias", "made"][::-1]
    verdict_rows = pd.DataFrame(verdicts.contest_rows(CONTEST, turned, 200, 1))
    row = row_of(verdict_rows, "above_centre_bias")
    assert row["ci_low"] == pytest.approx(row["ci_high"])  # noise is shared, the difference exact


@pytest.mark.parametrize("deep, passed", [(2.4, "true"), (1.5, "false")])
def test_a_weak_deep_model_leaves_mechanics_only(rng, deep, passed):
    verdict_rows = pd.DataFrame(verdicts.contest_rows(CONTEST, tables(rng, deep), 200, 1))
    row = row_of(verdict_rows, "deep_twice_centre_bias")
    assert row["passed"] == passed
    assert ("mechanics only" in row["sentence"]) == (passed == "false")


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
    assert words["not run"] == ["above pixel bank"]
    part = rows[rows["test"] == "above_centre_bias"].copy()
    part.loc[part.index[0], "passed"] = "false"
    assert verdicts.outcome(part) == "in part"


def test_reconstructions_have_to_be_above_each_substitute_in_every_layer():
    names = ["layer", "way", "control", "metric", "difference", "ci_low", "ci_high"]
    values = [
        ("stem", "alone", "mean", "cc_intact", 0.4, 0.3, 0.5),
        ("late", "alone", "mean", "cc_intact", 0.2, 0.1, 0.3),
        ("stem", "alone", "other", "cc_intact", 0.1, -0.1, 0.3),
        ("late", "alone", "other", "cc_intact", 0.2, 0.1, 0.3),
        ("late", "alone", "other", "nss", -1.0, -2.0, -0.5),
        ("late", "cumulative", "mean", "cc_intact", -0.3, -0.4, -0.2),
        ("late", "alone", "resampled", "cc_intact", -0.3, -0.4, -0.2),
    ]
    table = pd.DataFrame(values, columns=names)
    mean, other = verdicts.faithfulness_rows("net", "direct", "made", table)
    assert (mean["against"], mean["passed"], mean["value"]) == ("mean", "true", 0.2)
    assert (other["against"], other["passed"], other["value"]) == ("other", "false", 0.1)
    assert "in 1 of 2 layers" in other["sentence"]
    (row,) = verdicts.faithfulness_rows("net", "direct", "made", None)
    assert row["passed"] == "not run"
