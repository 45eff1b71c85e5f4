"""Paired differences, normalised scores and ranks against direct computations."""

import math

import numpy as np
import pandas as pd
import pytest

from gaborscope.scoring import comparisons, summaries

N = 40


@pytest.fixture
def tables():
    rng = np.random.default_rng(0)
    difficulty = rng.normal(0, 1, N)
    means = {"centre_bias": 1.0, "weak": 1.2, "good": 2.0, "gold_standard": 3.0}
    tables = {}
    for predictor, mean in means.items():
        nss = mean + difficulty + rng.normal(0, 0.1, N)
        frame = pd.DataFrame({"nss": nss, "kld": 5 - nss}, index=[f"s{i}" for i in range(N)])
        tables["exact", predictor, "osie"] = frame
    return tables


def row(rows, **wanted):
    (match,) = (r for r in rows if all(r[key] == value for key, value in wanted.items()))
    return match


def test_all_pairs_are_compared(tables):
    rows = comparisons.difference_rows(tables, 100, 1)
    assert len(rows) == 6 * 2
    assert tuple(rows[0]) == comparisons.DIFFERENCE_COLUMNS


def test_a_paired_difference_is_sharper_than_the_means(tables):
    compared = row(
        comparisons.difference_rows(tables, 1000, 1), predictor="weak", other="good", metric="nss"
    )
    weak, good = (tables["exact", name, "osie"]["nss"].to_numpy() for name in ("weak", "good"))
    difference = weak - good
    assert compared["difference"] == pytest.approx(difference.mean())
    assert compared["effect_size"] == pytest.approx(difference.mean() / difference.std(ddof=1))
    assert compared["ci_low"] < -0.8 < compared["ci_high"] < 0
    _, low, high, _ = summaries.bootstrap_mean(weak, 1000, 1)
    assert compared["ci_high"] - compared["ci_low"] < 0.3 * (high - low)


def test_pairs_are_matched_by_name_not_by_row(tables):
    expected = comparisons.difference_rows(tables, 100, 1)
    key = "exact", "good", "osie"
    shuffled = {**tables, key: tables[key].sample(frac=1, random_state=1)}
    again = comparisons.difference_rows(shuffled, 100, 1)
    for first, second in zip(expected, again, strict=True):
        assert first["difference"] == pytest.approx(second["difference"], abs=1e-12)


def test_a_stimulus_undefined_for_one_is_left_out_of_its_pairs_alone(tables):
    tables["exact", "weak", "osie"].loc["s3", "nss"] = math.nan
    rows = comparisons.difference_rows(tables, 100, 1)
    assert row(rows, predictor="weak", other="good", metric="nss")["n"] == N - 1
    assert row(rows, predictor="weak", other="good", metric="kld")["n"] == N
    assert row(rows, predictor="good", other="gold_standard", metric="nss")["n"] == N


def test_an_infinite_score_has_no_effect_size(tables):
    tables["exact", "weak", "osie"].loc["s3", "nss"] = -math.inf
    compared = row(
        comparisons.difference_rows(tables, 100, 1), predictor="weak", other="good", metric="nss"
    )
    assert compared["difference"] == -math.inf
    assert math.isnan(compared["effect_size"])


@pytest.mark.parametrize(
    "differences, expected", [([0.0, 0.0], 0.0), ([2.0, 2.0], math.nan), ([1.0], math.nan)]
)
def test_effect_sizes_without_spread_are_decided(differences, expected):
    value = comparisons.effect_size(np.array(differences))
    assert value == pytest.approx(expected, nan_ok=True)


def test_the_centre_bias_is_0_and_the_gold_standard_1(tables):
    rows = comparisons.normalised_rows(tables, 200, 1)
    for metric in ("nss", "kld"):
        chance = row(rows, predictor="centre_bias", metric=metric)
        gold = row(rows, predictor="gold_standard", metric=metric)
        assert (chance["normalised"], chance["ci_low"], chance["ci_high"]) == (0, 0, 0)
        assert (gold["normalised"], gold["ci_low"], gold["ci_high"]) == (1, 1, 1)
        good = row(rows, predictor="good", metric=metric)
        assert good["ci_low"] < 0.5 < good["ci_high"]
    assert row(rows, predictor="good", metric="kld")["bound"] == "split halves"
    assert row(rows, predictor="good", metric="nss")["bound"] == "leave one observer out"


def test_ranks_count_from_the_best_and_kld_from_the_least(tables):
    rows = comparisons.rank_rows(tables, 200, 1)
    for metric in ("nss", "kld"):
        ranks = {r["predictor"]: r["rank"] for r in rows if r["metric"] == metric}
        assert ranks == {"gold_standard": 1, "good": 2, "weak": 3, "centre_bias": 4}
    assert row(rows, predictor="good", metric="nss")["rank_low"] == 2


def test_equal_predictors_share_a_rank(tables):
    tables["exact", "twin", "osie"] = tables["exact", "good", "osie"]
    rows = comparisons.rank_rows(tables, 50, 1)
    for name in ("good", "twin"):
        assert row(rows, predictor=name, metric="nss")["rank"] == 2.5


def test_uncertain_ranks_have_wide_intervals(tables):
    rng = np.random.default_rng(1)
    for name in ("a", "b", "c"):
        frame = pd.DataFrame(
            {"nss": rng.normal(2, 1, N), "kld": 1.0}, index=[f"s{i}" for i in range(N)]
        )
        tables["exact", name, "osie"] = frame
    rows = comparisons.rank_rows(tables, 300, 1)
    low, high = (row(rows, predictor="a", metric="nss")[key] for key in ("rank_low", "rank_high"))
    assert high - low >= 1


@pytest.mark.parametrize(
    "make", [comparisons.difference_rows, comparisons.normalised_rows, comparisons.rank_rows]
)
def test_equal_seeds_give_equal_tables(tables, make):
    assert make(tables, 50, 3) == make(tables, 50, 3)
    if make is not comparisons.rank_rows:  # ranks are whole numbers and may well agree
        assert make(tables, 50, 3) != make(tables, 50, 4)


def test_data_sets_and_presets_are_not_mixed(tables):
    others = {("mit", name, "crowd"): table + 1 for (_, name, _), table in tables.items()}
    rows = comparisons.difference_rows({**tables, **others}, 50, 1)
    assert {(r["preset"], r["dataset"]) for r in rows} == {("exact", "osie"), ("mit", "crowd")}
    assert len(rows) == 24
