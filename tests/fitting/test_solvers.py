"""Solvers beside ridge: weights that are not negative, and few of them; shares of single maps."""

import numpy as np
import pytest
from scipy import optimize

from gaborscope.fitting import nonnegative, shapley
from gaborscope.fitting.nonnegative import NonnegativePath
from gaborscope.fitting.ridge import RidgePath, solve
from gaborscope.fitting.sparse import BudgetPath
from gaborscope.fitting.statistics import Statistics, combine, explained_variance


def collect(phi, activation):
    statistics = Statistics.empty(len(phi), len(activation))
    statistics.add(phi, activation)
    return statistics


@pytest.fixture
def data(rng):
    """Correlated regressors, 9 of them, and 3 maps of mixed signs with noise, by block."""
    mixing = rng.standard_normal((9, 9)) + 2 * np.eye(9)
    weight = rng.standard_normal((3, 9))
    blocks = {}
    for name in "0123":
        phi = mixing @ rng.standard_normal((9, 80)) + 1
        blocks[name] = phi, weight @ phi + 3 * rng.standard_normal((3, 80)) - 2
    return blocks


def statistics_of(blocks):
    return {name: collect(*pair) for name, pair in blocks.items()}


@pytest.mark.parametrize("penalty", [1e-8, 1e-3, 1.0])
@pytest.mark.parametrize("warm", [False, True])
def test_weights_that_are_not_negative_are_the_least_squares_ones(rng, penalty, warm):
    a = rng.standard_normal((40, 17)) @ rng.standard_normal((17, 17))
    gram, cross = a.T @ a / 40, a.T @ rng.standard_normal(40) / 40
    start = rng.uniform(size=17) > 0.5 if warm else None
    weight = nonnegative.nonnegative(gram + penalty * np.eye(17), cross, start)
    root = np.linalg.cholesky(gram + penalty * np.eye(17))
    expected, _ = optimize.nnls(root.T, np.linalg.solve(root, cross))
    np.testing.assert_allclose(weight, expected, atol=1e-6 * expected.max())


def test_signs_that_are_exchanged_all_at_once_without_end_are_exchanged_one_by_one():
    gram = np.array([[1, -0.79, 0.97], [-0.79, 1, -0.66], [0.97, -0.66, 1]])
    cross = np.array([3.0, -4, 1])
    np.testing.assert_allclose(nonnegative.nonnegative(gram, cross), [3, 0, 0], atol=1e-12)


def test_where_ridge_is_not_negative_both_agree(data):
    phi, _ = data["0"]
    statistics = collect(phi, np.linspace(0.5, 2, 9)[None] @ phi)
    for penalty in (1e-6, 1e-9):
        ridge = RidgePath(statistics).solve(penalty)
        nonnegative_path = NonnegativePath(statistics).solve(penalty)
        for values, expected in zip(nonnegative_path, ridge, strict=True):
            np.testing.assert_allclose(values, expected, rtol=1e-5)


def test_no_weight_is_negative_and_the_mean_is_kept(data):
    total = combine(statistics_of(data).values())
    weight, intercept = NonnegativePath(total).solve(0.01)
    assert (weight >= 0).all() and (weight == 0).any() and (weight > 0).any()
    mean = (weight @ total.sum_phi) / total.n + intercept
    np.testing.assert_allclose(mean, total.sum / total.n)


def test_an_opposite_regressor_takes_over_what_has_the_wrong_sign(data):
    phi, activation = data["0"]
    free = RidgePath(collect(phi, activation)).solve(0.01)[0]
    both = NonnegativePath(collect(np.concatenate([phi, -phi]), activation)).solve(0.01)[0]
    np.testing.assert_allclose(both[:, :9] - both[:, 9:], free, rtol=1e-6, atol=1e-9)


def test_constant_regressors_get_no_weight(data):
    phi, activation = data["0"]
    phi = np.concatenate([phi, np.ones((1, 80))])
    for path in (NonnegativePath(collect(phi, activation)),
                 BudgetPath(collect(phi, activation), 3, "omp")):  # fmt: skip
        assert (path.solve(1e-4)[0][:, -1] == 0).all()


@pytest.mark.parametrize("name", ["omp", "ols"])
def test_a_budget_is_kept_in_and_out_of_fold(data, name):
    blocks = statistics_of(data)
    solution = solve(blocks, blocks["3"], [1e-6, 1e-2, 1.0], 2, name, 3)
    supports = [solution.weight, *(weight for weight, _ in solution.folds.values())]
    assert [(np.count_nonzero(weight, axis=1) <= 3).all() for weight in supports] == [True] * 5
    assert sorted(solution.folds) == sorted(blocks)


@pytest.mark.parametrize("name, budget", [("nnls", None), ("omp", 4), ("ridge", None)])
def test_out_of_fold_solutions_are_those_without_the_block(data, name, budget):
    blocks = statistics_of(data)
    solution = solve(blocks, blocks["3"], [0.01], 4, name, budget)
    rest = {block: sums for block, sums in blocks.items() if block != "1"}
    alone = solve(rest, blocks["3"], [0.01], 2, name, budget)
    np.testing.assert_allclose(solution.folds["1"][0], alone.weight, rtol=1e-6, atol=1e-9)


def test_shares_of_single_maps_add_up_to_what_each_explains(data):
    total = combine(statistics_of(data).values())
    groups = [[0, 4], [1, 2, 3], [5, 6, 7, 8]]
    explained, variance = shapley.map_shares(total, 0.05, groups)
    per_map, pooled = explained_variance(total, *RidgePath(total).solve(0.05))
    shares = shapley.of_each_map(explained, variance)
    np.testing.assert_allclose(shares.sum(axis=1), per_map, rtol=1e-8)
    assert shapley.pooled(explained, variance).sum() == pytest.approx(pooled)


def test_a_map_made_of_one_group_is_that_group_s(rng):
    phi = rng.standard_normal((4, 3000))
    maps = np.stack([phi[0] + phi[1], phi[3], np.zeros(3000)])
    shares = shapley.of_each_map(*shapley.map_shares(collect(phi, maps), 1e-9, [[0, 1], [2, 3]]))
    np.testing.assert_allclose(shares, [[1, 0], [0, 1], [np.nan, np.nan]], atol=0.01)


def test_a_game_is_split_as_shapley_says():
    """The glove game: one left, two right gloves; a pair is worth 1."""
    value = {c: float(0 in c and len(c) > 1) for c in shapley.coalitions(3)}
    np.testing.assert_allclose(shapley.split(value, 3), [2 / 3, 1 / 6, 1 / 6])


def test_every_member_stands_twice_at_every_place_of_the_orders():
    orders = np.array(shapley.orders(9))
    for place in orders.T:
        assert np.bincount(place).tolist() == [2] * 9
    assert len(shapley.along(shapley.orders(9))) <= 2 * 9 * 8 + 2


def test_values_of_many_members_are_estimated_and_still_add_up(rng):
    """Of a sum of single worths and worths of pairs, orders both ways give the exact values."""
    n = 9
    single, pair = rng.normal(size=(n, 4)), rng.normal(size=(n, n, 4))
    value = {
        c: single[list(c)].sum(axis=0) + sum(pair[a, b] for a in c for b in c if a < b)
        for c in shapley.needed(n, 7)
    }
    exact = [
        single[m] + sum(pair[min(m, o), max(m, o)] for o in range(n) if o != m) / 2
        for m in range(n)
    ]
    found = shapley.shared(value, n, 7)
    np.testing.assert_allclose(found, exact, atol=1e-12)
    np.testing.assert_allclose(found.sum(axis=0), value[tuple(range(n))], atol=1e-12)
    assert shapley.needed(7, 7) == shapley.coalitions(7)
