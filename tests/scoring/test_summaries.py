"""Means and ratios with their bootstrap intervals."""

import math
import types

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gaborscope.errors import InputError
from gaborscope.scoring import summaries


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def test_interval_of_a_normal_sample_is_two_standard_errors_wide(rng):
    values = rng.standard_normal(400)
    mean, low, high, n = summaries.bootstrap_mean(values, 4000, seed=1)
    error = values.std() / math.sqrt(400)
    assert n == 400
    assert mean == pytest.approx(values.mean())
    # a percentile of 4000 resamples is itself uncertain by about 0.05 standard errors
    assert low == pytest.approx(mean - 1.96 * error, abs=0.2 * error)
    assert high == pytest.approx(mean + 1.96 * error, abs=0.2 * error)


def test_interval_covers_the_true_mean_about_95_times_of_100(rng):
    covered = []
    for i in range(300):
        _, low, high, _ = summaries.bootstrap_mean(rng.standard_normal(80), 400, seed=i)
        covered.append(low <= 0 <= high)
    # 300 draws of 0.94 have a standard deviation of 0.014
    assert 0.89 < np.mean(covered) < 0.99


def test_nan_scores_are_left_out_and_not_counted(rng):
    values = rng.random(30)
    with_nan = np.insert(values, [3, 9, 30], math.nan)
    expected = summaries.bootstrap_mean(values, 200, seed=1)
    assert summaries.bootstrap_mean(with_nan, 200, seed=1) == expected
    assert expected[3] == 30


def test_minus_infinity_is_a_score():
    mean, low, high, n = summaries.bootstrap_mean([1.0, -math.inf, 2.0], 500, seed=1)
    assert (mean, low, n) == (-math.inf, -math.inf, 3)
    assert high <= 2


def test_no_scores_have_no_mean():
    for values in ([], [math.nan, math.nan]):
        *rest, n = summaries.bootstrap_mean(values, 100, seed=1)
        assert n == 0
        assert np.isnan(rest).all()


def test_one_score_is_its_own_interval():
    assert summaries.bootstrap_mean([0.7], 100, seed=1) == (0.7, 0.7, 0.7, 1)


def test_the_seed_decides_the_interval(rng):
    values = rng.random(30)
    first, again, other = (summaries.bootstrap_mean(values, 200, seed=s) for s in (1, 1, 2))
    assert first == again != other


def test_a_share_is_a_ratio_of_means():
    explained, deep, baseline = [2.0, 4.0], [3.0, 6.0], [1.0, 1.0]
    share, low, high = summaries.share_above_baseline(explained, deep, baseline, 500, seed=1)
    assert share == pytest.approx((3 - 1) / (4.5 - 1))
    assert low == pytest.approx(1 / 2)  # twice the first stimulus
    assert high == pytest.approx(3 / 5)  # twice the second


def test_a_share_is_the_same_for_a_metric_where_lower_is_better(rng):
    explained, deep, baseline = rng.random((3, 20)) + [[1], [2], [0]]
    better = summaries.share_above_baseline(explained, deep, baseline, 300, seed=1)
    lower = summaries.share_above_baseline(
        -explained, -deep, -baseline, 300, seed=1, lower_is_better=True
    )
    assert better == pytest.approx(lower, rel=1e-12)


@pytest.mark.parametrize("gain", [-0.5, 0.0, 0.05])
def test_there_is_no_share_of_a_gain_that_is_not_clearly_above_0(rng, gain):
    baseline, noise = rng.standard_normal((2, 30))
    deep = baseline + gain + noise - noise.mean()
    for sign in (1, -1):
        columns = sign * deep, sign * deep, sign * baseline
        shares = summaries.share_above_baseline(*columns, 300, 1, lower_is_better=sign < 0)
        assert np.isnan(shares).all()
    assert np.isnan(summaries.ratio(deep - baseline, deep - baseline, 300, seed=1)).all()
    clear = summaries.share_above_baseline(deep + 1, deep + 1, baseline, 300, seed=1)
    assert clear == pytest.approx((1, 1, 1))


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32), st.floats(-1, 2))
def test_a_constant_share_has_no_uncertainty_because_stimuli_are_paired(seed, share):
    rng = np.random.default_rng(seed)
    baseline, gain = 10 * rng.random(15), 0.1 + rng.random(15)
    shares = summaries.share_above_baseline(
        baseline + share * gain, baseline + gain, baseline, 100, seed=1
    )
    assert shares == pytest.approx((share,) * 3, abs=1e-9)


def test_a_stimulus_with_nan_in_any_column_is_left_out_of_all(rng):
    columns = rng.random((3, 12)) + [[1], [2], [0]]
    expected = summaries.share_above_baseline(*columns[:, 3:], 100, seed=1)
    for row in range(3):
        columns[row, row] = math.nan
    assert summaries.share_above_baseline(*columns, 100, seed=1) == expected


def test_a_ratio_is_the_ratio_of_means():
    observed, low, high = summaries.ratio([1.0, 3.0], [2.0, 4.0], 500, seed=1)
    assert observed == pytest.approx(4 / 6)
    assert (low, high) == pytest.approx((1 / 2, 3 / 4))


def test_a_ratio_to_nothing_is_nan():
    assert np.isnan(summaries.ratio([math.nan], [1.0], 100, seed=1)).all()
    assert np.isnan(summaries.share_above_baseline([1.0], [2.0], [2.0], 100, seed=1)[0])


def test_resamples_are_drawn_in_pieces_of_bounded_size(rng, monkeypatch):
    values = rng.random(30)
    expected = summaries.bootstrap_mean(values, 1001, seed=1)
    monkeypatch.setattr(summaries, "DRAWS_AT_ONCE", 1000)
    drawn, generator = [], np.random.default_rng(1)

    def integers(n, size):
        drawn.append((n, *size))
        return generator.integers(n, size=size)

    counting = types.SimpleNamespace(integers=integers)
    monkeypatch.setattr(summaries.np.random, "default_rng", lambda seed: counting)
    assert summaries.bootstrap_mean(values, 1001, seed=1) == pytest.approx(expected)
    assert drawn == [(30, 33, 30)] * 30 + [(30, 11, 30)]  # of at most 1000
    drawn.clear()
    summaries.bootstrap_mean(np.arange(2500.0), 3, seed=1)
    assert drawn == [(2500, 1, 2500)] * 3


@pytest.mark.parametrize(
    "columns", [([1.0], [1.0, 2.0]), ([[1.0]], [[1.0]])], ids=["unequal", "two_dimensional"]
)
def test_columns_that_do_not_match_raise(columns):
    with pytest.raises(InputError, match="equal numbers of stimuli"):
        summaries.ratio(*columns, 100, seed=1)


def test_no_resamples_raise():
    with pytest.raises(InputError, match="n_resamples must be at least 1, got 0"):
        summaries.bootstrap_mean([1.0], 0, seed=1)


def tables(rng):
    """Scores by stimulus of a deep model, its explanation and the centre bias."""
    names = [f"s{i}" for i in range(20)]
    base, gain = rng.random(20), rng.random(20)
    parts = {"centre_bias": 0 * gain, "net": gain, "net-direct": 0.75 * gain}
    return {
        ("mit", predictor, "demo"): pd.DataFrame(
            {"nss": base + part, "kld": 3 - base - part}, index=names
        )
        for predictor, part in parts.items()
    }


def test_a_summary_has_a_row_for_every_predictor_and_metric(rng):
    rows = summaries.summary_rows(tables(rng), 200, seed=1)
    assert [(row["predictor"], row["metric"]) for row in rows] == [
        (predictor, metric)
        for predictor in ("centre_bias", "net", "net-direct")
        for metric in ("nss", "kld")
    ]
    assert list(rows[0]) == "preset predictor dataset metric mean ci_low ci_high n".split()


def test_a_summary_row_is_the_bootstrap_of_its_column(rng):
    scores = tables(rng)
    rows = summaries.summary_rows(scores, 200, seed=1)
    expected = summaries.bootstrap_mean(scores["mit", "net", "demo"]["kld"], 200, seed=1)
    assert tuple(rows[3][key] for key in ("mean", "ci_low", "ci_high", "n")) == expected


def test_shares_are_of_explained_models_alone_and_of_every_metric(rng):
    rows = summaries.share_rows(tables(rng), {"net-direct": "net"}, 200, seed=1)
    assert [(row["predictor"], row["metric"]) for row in rows] == [
        ("net-direct", "nss"),
        ("net-direct", "kld"),
    ]
    for row in rows:
        for key in ("share", "share_low", "share_high"):
            assert row[key] == pytest.approx(0.75)  # equal for all stimuli, so for all resamples


def test_shares_pair_stimuli_by_name(rng):
    scores = tables(rng)
    expected = summaries.share_rows(scores, {"net-direct": "net"}, 200, seed=1)
    scores["mit", "net", "demo"] = scores["mit", "net", "demo"].iloc[::-1]
    assert summaries.share_rows(scores, {"net-direct": "net"}, 200, seed=1) == expected


def test_one_rival_is_compared_by_the_paired_bootstrap(rng):
    advantage = rng.normal(0.3, 1, 50)
    found = summaries.compare(advantage, 500, seed=3)
    assert found[:3] == summaries.bootstrap_mean(advantage, 500, seed=3)[:3]
    assert (found.n, found.draws, found.beaten) == (50, 1, 1)
    means = summaries.resampled_means([advantage], 500, seed=3)[0]
    assert found.p == pytest.approx(2 * (1 + (means <= 0).sum()) / 501)


def test_a_stimulus_without_a_value_in_any_rival_is_left_out():
    advantages = np.array([[1.0, np.nan, 3.0], [1.0, 100.0, 5.0]])
    found = summaries.compare(advantages, 50, seed=1)
    assert (found.n, found.mean) == (2, 2.5)
    nothing = summaries.compare(np.full((2, 3), np.nan), 50, seed=1)
    assert nothing.n == 0 and np.isnan([nothing.mean, nothing.ci_low, nothing.p]).all()


def test_rivals_are_drawn_as_well_as_stimuli(rng):
    # rivals differ by sd 1, stimuli not at all: variance of a mean of 8 drawn rivals
    advantages = np.repeat(rng.normal(0, 1, (8, 1)), 30, axis=1)
    found = summaries.compare(advantages, 4000, seed=1)
    spread = advantages[:, 0].std() / np.sqrt(8)
    assert found.ci_high - found.ci_low == pytest.approx(2 * 1.96 * spread, rel=0.1)
    # and the other way round
    found = summaries.compare(np.repeat(rng.normal(0, 1, (1, 30)), 8, axis=0), 4000, seed=1)
    one = summaries.compare(np.repeat(rng.normal(0, 1, (1, 30)), 1, axis=0), 4000, seed=1)
    assert (found.ci_high - found.ci_low) == pytest.approx(one.ci_high - one.ci_low, rel=0.5)


@pytest.mark.parametrize("draws, p", [(38, 2 / 101), (39, 2 * 3 / 40)])
def test_the_rank_among_draws_decides_from_39_draws_on(draws, p):
    advantages = np.ones((draws, 20))
    advantages[:2] = -0.1  # two draws are not beaten, but the mean of all is far below
    found = summaries.compare(advantages, 100, seed=1)
    assert found.beaten == draws - 2 and found.p == pytest.approx(p)


@pytest.mark.parametrize(
    "values, p",
    [([1, 1, 1], 0.5), ([1, 1, -1], 1.0), ([-1] * 9, 0.2), ([0.0, 0.0], 1.0), ([np.nan, 1], None)],
)
def test_p_is_two_sided_and_never_0(values, p):
    found = summaries.p_value(np.array(values, float))
    assert np.isnan(found) if p is None else found == pytest.approx(p)


def test_holm_multiplies_the_least_p_by_the_number_of_tests_and_never_falls():
    found = summaries.holm(np.array([0.04, 0.01, np.nan, 0.03]))
    assert found[[0, 1, 3]] == pytest.approx([0.06, 0.03, 0.06]) and np.isnan(found[2])
    assert summaries.holm(np.array([0.9, 0.8])).tolist() == [1.0, 1.0]
    assert summaries.holm(np.array([])).size == 0
