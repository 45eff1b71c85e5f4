"""Thresholds and closed forms of sums over pixels."""

import math

import numpy as np
import pytest

from gaborscope.fitting import ridge, shapley, statistics
from gaborscope.fitting.ridge import RidgePath, deal, solve
from gaborscope.fitting.statistics import Statistics


def collect(phi, activation):
    made = Statistics.empty(len(phi), len(activation))
    made.add(phi, activation)
    return made


@pytest.fixture
def maps(rng):
    """Two maps; the second has so much of the variance of the first as is asked for."""

    def made(share):
        first, second = rng.standard_normal((2, 400))
        first, second = ((v - v.mean()) / v.std() for v in (first, second))
        return np.stack([3 * first, 3 * np.sqrt(share) * second])

    return made


@pytest.mark.parametrize("share, alive", [(2e-8, True), (0.5e-8, False)])
def test_a_map_is_dead_below_1e_8_of_the_largest_variance(rng, maps, share, alive):
    phi, values = rng.standard_normal((2, 400)), maps(share)
    sums = collect(phi, values)
    per_map, _ = statistics.explained_variance(sums, np.zeros((2, 2)), values.mean(axis=1))
    assert np.isnan(per_map).tolist() == [False, not alive]
    squared = statistics.marginal_correlation(sums)
    assert (squared[1] > 0).all() == alive and (squared[0] > 0).all()
    shares = shapley.of_each_map(*shapley.map_shares(sums, 0.1, [[0], [1]]))
    assert np.isnan(shares[1]).all() != alive and not np.isnan(shares[0]).any()


@pytest.mark.parametrize("share, varies", [(2e-6, True), (0.5e-6, False)])
def test_a_regressor_is_constant_below_1e_6_of_the_largest_spread(rng, share, varies):
    phi = rng.standard_normal((2, 400))
    phi = (phi - phi.mean(axis=1, keepdims=True)) / phi.std(axis=1, keepdims=True)
    phi[1] *= share
    inverse = statistics.inverse_spread(collect(phi, phi[:1]))
    np.testing.assert_allclose(inverse, [1, varies / share], rtol=1e-9)


@pytest.mark.parametrize("ratio, varies", [(1e-2, True), (2.5e-3, False)])
def test_a_regressor_is_constant_below_5e_3_of_its_root_mean_square(rng, ratio, varies):
    phi = rng.standard_normal((2, 400))
    phi = (phi - phi.mean(axis=1, keepdims=True)) / phi.std(axis=1, keepdims=True)
    phi[1] = ratio * phi[1] + 1
    inverse = statistics.inverse_spread(collect(phi, phi[:1]))
    np.testing.assert_allclose(inverse, [1, varies / ratio], rtol=1e-6)


def test_standardised_sums_are_correlations_and_covariances_of_the_pixels(rng):
    phi = rng.standard_normal((3, 200)) * [[1.0], [20.0], [0.1]] + 2
    phi[1] += 5 * phi[0]
    values = rng.standard_normal((2, 200)) + phi[:2]
    correlation, cross, inverse = statistics.standardised(collect(phi, values))
    np.testing.assert_allclose(correlation, np.corrcoef(phi), atol=1e-10)
    covariance = np.cov(phi, values, bias=True)[:3, 3:]
    np.testing.assert_allclose(cross, covariance / phi.std(axis=1)[:, None], rtol=1e-8)
    np.testing.assert_allclose(inverse, 1 / phi.std(axis=1), rtol=1e-9)


def test_squared_error_holds_for_maps_of_another_number_than_regressors(rng):
    phi, values = rng.standard_normal((4, 90)) + 1, rng.standard_normal((2, 90)) - 3
    weight, intercept = rng.standard_normal((2, 4)), np.array([0.7, -1.5])
    residual = values - weight @ phi - intercept[:, None]
    error = collect(phi, values).squared_error(weight.tolist(), intercept)
    np.testing.assert_allclose(error, (residual**2).sum(axis=1), rtol=1e-9)


def test_variation_is_about_the_mean_and_never_negative(rng):
    values = rng.standard_normal((2, 70)) + [[0.0], [1e4]]
    total = collect(values, values).total_variation()
    np.testing.assert_allclose(total[0], ((values[0] - values[0].mean()) ** 2).sum())
    constant = np.full((1, 30), 0.1)  # rounding would make it -4e-17
    assert collect(constant, constant).total_variation()[0] >= 0


def test_sums_of_maps_alone_leave_those_of_the_regressors():
    sums = Statistics.empty(2, 1)
    sums.add_maps(np.ones((2, 1)), np.full((1, 1), 5.0), np.array([3.0]), 7)
    sums.add_maps(np.ones((2, 1)), np.full((1, 1), 5.0), np.array([3.0]), 7)
    assert (sums.n, sums.sum[0], sums.cov[0, 0], sums.cross[1, 0]) == (14, 6, 10, 2)
    assert not sums.gram.any() and not sums.sum_phi.any()


def test_the_best_penalty_is_chosen_beside_undefined_ones(monkeypatch):
    """A penalty whose explained variance is nan is never preferred to one that has a number."""
    rng = np.random.default_rng(3)
    phi = rng.standard_normal((3, 100))
    values = (phi[:1] + 0.1 * rng.standard_normal((1, 100))) * 1e150
    validation = collect(phi, values)
    first = solve({"a": collect(phi, values)}, validation, [10.0, 1e-3, 1.0], 2)
    assert first.penalty == 1e-3
    dead = collect(phi, np.zeros((1, 100)))
    assert solve({"a": dead}, dead, [10.0, 1.0], 2).penalty == 10.0
    told = iter([math.nan, 0.2, math.nan, 0.4, 0.3, 0.4])
    monkeypatch.setattr(ridge, "explained_variance", lambda *_: (np.zeros(1), next(told)))
    chosen = solve({"a": dead}, dead, [5.0, 4.0, 3.0, 2.0, 1.0], 2)
    assert chosen.penalty == 2.0 and [penalty for penalty, _ in chosen.path] == [5, 4, 3, 2, 1]


def test_sums_that_rounding_made_impossible_give_no_huge_weights(rng):
    """Two equal regressors whose product came out larger than their squares, as in float32."""
    phi = rng.standard_normal((1, 200)).repeat(2, axis=0)
    sums = collect(phi, phi[:1])
    sums.gram[0, 1] *= 1 + 1e-5
    sums.gram[1, 0] *= 1 + 1e-5
    sums.cross[1] *= 1 + 1e-8
    # an eigenvalue is below 0 by as much as this penalty
    penalty = statistics.standardised(sums)[0][0, 1] - 1
    assert penalty == pytest.approx(1e-5, rel=0.1)
    weight, _ = RidgePath(sums).solve(penalty)
    np.testing.assert_allclose(weight, [[0.5, 0.5]], rtol=2e-3)


def test_a_solution_s_figures_are_those_of_its_weights_on_the_validation_split(rng):
    phi = rng.standard_normal((3, 120))
    values = rng.standard_normal((2, 3)) @ phi + rng.standard_normal((2, 120))
    other = rng.standard_normal((3, 40))
    truth = 0.8 * values[:, :40] + 1
    solution = solve({"a": collect(phi, values)}, collect(other, truth), [0.5], 2)
    residual = truth - solution.weight @ other - solution.intercept[:, None]
    np.testing.assert_allclose(solution.residual_sd, np.sqrt((residual**2).mean(axis=1)))
    explained = 1 - (residual**2).sum(axis=1) / (truth.var(axis=1) * 40)
    np.testing.assert_allclose(solution.explained_variance, explained)
    assert solution.path == [(0.5, solution.pooled)]
    direct = RidgePath(collect(phi, values)).solve(0.5)
    np.testing.assert_allclose(solution.weight, direct[0])


def test_folds_are_no_more_than_blocks_and_cover_each_once(rng):
    phi = rng.standard_normal((2, 30))
    fit = {name: collect(i * phi, phi) for i, name in enumerate("cab", start=1)}
    dealt = list(deal(fit, statistics.combine(fit.values()), 7))
    assert [members for members, _ in dealt] == [["a"], ["b"], ["c"]]
    np.testing.assert_allclose(dealt[0][1].gram, (1 + 9) * phi @ phi.T)
    dealt = list(deal(fit, statistics.combine(fit.values()), 2))
    assert [members for members, _ in dealt] == [["a", "c"], ["b"]]


def test_shares_of_three_groups_are_means_over_orders_of_entry(rng):
    import itertools

    value = {c: float(rng.uniform()) for c in shapley.coalitions(3)}
    expected = np.zeros(3)
    for order in itertools.permutations(range(3)):
        for place, member in enumerate(order):
            before = tuple(sorted(order[:place]))
            expected[member] += (value[tuple(sorted((*before, member)))] - value[before]) / 6
    np.testing.assert_allclose(shapley.split(value, 3), expected)


def test_coalitions_are_all_subsets_smaller_ones_first():
    assert shapley.coalitions(3) == [(), (0,), (1,), (2,), (0, 1), (0, 2), (1, 2), (0, 1, 2)]


def test_pooled_shares_weigh_maps_by_their_variance():
    explained, variance = np.array([[1.0, 2.0], [0.5, 0.0]]), np.array([4.0, 6.0])
    np.testing.assert_allclose(shapley.pooled(explained, variance), [0.3, 0.05])


@pytest.mark.parametrize(
    ("value", "best", "expected"),
    [(0.2, 0.1, True), (0.1, 0.2, False), (0.1, np.nan, True), (np.nan, 0.1, False),
     (np.nan, np.nan, False)],
)  # fmt: skip
def test_an_explained_variance_that_is_nan_is_never_the_higher_one(value, best, expected):
    assert statistics.higher(value, best) is expected
