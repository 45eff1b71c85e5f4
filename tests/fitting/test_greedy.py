"""Greedy choices of regressors against naive least squares on the pixels themselves."""

import numpy as np
import pytest

from gaborscope.fitting import sparse
from gaborscope.fitting.ridge import solve
from gaborscope.fitting.sparse import BudgetPath, follow, select, solve_sparse, sparse_path
from gaborscope.fitting.statistics import Statistics, standardised


def collect(phi, activation):
    statistics = Statistics.empty(len(phi), len(activation))
    statistics.add(phi, activation)
    return statistics


def correlated(seed, n=300, k=8, maps=5):
    """Regressors that share much of their variance, and maps made of some of them with noise."""
    rng = np.random.default_rng(seed)
    shared = rng.standard_normal((3, n))
    phi = rng.standard_normal((k, 3)) @ shared + 0.4 * rng.standard_normal((k, n))
    phi = phi * rng.uniform(0.1, 10, (k, 1)) + 1
    weight = rng.standard_normal((maps, k)) / phi.std(axis=1) * rng.integers(0, 2, (maps, k))
    return phi, weight @ phi + rng.standard_normal((maps, n)) + 2


def squared_error(columns, target):
    """Sum of squares that least squares on some columns leaves of a centred map."""
    if not len(columns):
        return (target**2).sum()
    solution = np.linalg.lstsq(np.stack(columns, axis=1), target, rcond=None)[0]
    return ((target - np.stack(columns, axis=1) @ solution) ** 2).sum()


def chosen_naively(phi, target, k, rule):
    """Choose regressors by fitting the pixels anew at every step."""
    z = (phi - phi.mean(axis=1, keepdims=True)) / phi.std(axis=1, keepdims=True)
    target = target - target.mean()
    chosen = []
    while len(chosen) < k:
        free = [j for j in range(len(z)) if j not in chosen]
        if rule == "ols":
            left = [squared_error(z[[*chosen, j]], target) for j in free]
            chosen.append(free[int(np.argmin(left))])
        else:
            rest = target
            if chosen:
                basis = z[chosen].T
                rest = target - basis @ np.linalg.lstsq(basis, target, rcond=None)[0]
            chosen.append(free[int(np.argmax(np.abs(z[free] @ rest)))])
    return chosen


def choices(phi, maps, k, rule):
    correlation, cross, _ = standardised(collect(phi, maps))
    return [select(correlation, column, k, rule) for column in cross.T]


@pytest.mark.parametrize("rule", ["omp", "ols"])
@pytest.mark.parametrize("seed", range(4))
def test_the_choice_is_that_of_least_squares_on_the_pixels(rule, seed):
    phi, maps = correlated(seed)
    expected = [chosen_naively(phi, row, 8, rule) for row in maps]
    assert choices(phi, maps, 8, rule) == expected


def test_the_two_rules_choose_differently_where_regressors_correlate():
    phi, maps = correlated(0)
    assert choices(phi, maps, 4, "omp") != choices(phi, maps, 4, "ols")


def test_matching_pursuit_is_the_rule_where_none_is_named():
    phi, maps = correlated(0)
    correlation, cross, _ = standardised(collect(phi, maps))
    default = [select(correlation, column, 4) for column in cross.T]
    assert default == choices(phi, maps, 4, "omp")
    statistics = collect(phi, maps)
    omp = solve_sparse(statistics, 4, "omp")[0]
    np.testing.assert_array_equal(solve_sparse(statistics, 4)[0], omp)
    assert sparse_path(statistics, statistics, 4).chosen == default


def test_choosing_leaves_the_sums_as_they_were():
    phi, maps = correlated(0)
    correlation, cross, _ = standardised(collect(phi, maps))
    before = correlation.copy(), cross.copy()
    select(correlation, cross[:, 0], 8)
    np.testing.assert_array_equal(correlation, before[0])
    np.testing.assert_array_equal(cross, before[1])


def test_no_more_are_chosen_than_there_are():
    phi, maps = correlated(1, k=3)
    assert [sorted(order) for order in choices(phi, maps, 7, "omp")] == [[0, 1, 2]] * 5


@pytest.mark.parametrize("rule", ["omp", "ols"])
@pytest.mark.parametrize("left, taken", [(3e-3, True), (3e-4, False)])
def test_a_copy_is_chosen_only_beyond_a_millionth_of_its_variance(rng, rule, left, taken):
    first, noise = rng.standard_normal((2, 500))
    # the copy has the variance left^2 of its own: 9e-6 is above, 9e-8 below 1e-6
    phi = np.stack([first, first + left * noise])
    (order,) = choices(phi, (first + noise)[None], 2, rule)
    assert (len(order) == 2) == taken


def test_a_map_that_no_regressor_correlates_with_gets_none():
    assert select(np.eye(3), np.zeros(3), 2) == []


def test_a_regressor_of_no_variance_is_never_chosen():
    correlation, cross = np.diag([1.0, 0.0, 1.0]), np.array([0.1, 5.0, 0.2])
    assert select(correlation, cross, 3, "omp") == [2, 0]
    assert select(correlation, cross, 3, "ols") == [2, 0]


def refitted(phi, maps, chosen, penalty):
    """Ridge on the chosen regressors of each map, from the pixels; weights and intercepts."""
    mean, sd = phi.mean(axis=1), phi.std(axis=1)
    z = (phi - mean[:, None]) / sd[:, None]
    n, weight = phi.shape[1], np.zeros((len(maps), len(phi)))
    for row, target, order in zip(weight, maps, chosen, strict=True):
        part = z[order]
        gram = part @ part.T / n + penalty * np.eye(len(order))
        row[order] = np.linalg.solve(gram, part @ (target - target.mean()) / n) / sd[order]
    return weight, maps.mean(axis=1) - weight @ mean


@pytest.mark.parametrize("rule", ["omp", "ols"])
@pytest.mark.parametrize("penalty", [1e-6, 0.3])
def test_the_budget_s_solution_is_ridge_on_what_was_chosen(rule, penalty):
    phi, maps = correlated(2)
    chosen = [chosen_naively(phi, row, 3, rule) for row in maps]
    path = BudgetPath(collect(phi, maps), 3, rule)
    for k in (3, 1):
        expected = refitted(phi, maps, [order[:k] for order in chosen], penalty)
        for values, wanted in zip(path.solve(penalty, k), expected, strict=True):
            np.testing.assert_allclose(values, wanted, rtol=1e-7, atol=1e-12)
    np.testing.assert_array_equal(path.solve(penalty)[0], path.solve(penalty, 3)[0])


def test_the_refit_of_few_regressors_has_a_penalty_of_a_millionth():
    phi, maps = correlated(2)
    expected = BudgetPath(collect(phi, maps), 3, "omp").solve(1e-6)
    np.testing.assert_array_equal(solve_sparse(collect(phi, maps), 3)[0], expected[0])
    path = sparse_path(collect(phi, maps), collect(phi, maps), 3)
    for c, order in enumerate(path.chosen):
        sd = phi[order].std(axis=1) / maps[c].std()
        np.testing.assert_allclose(path.weights[c], expected[0][c, order] * sd, rtol=1e-9)


@pytest.mark.parametrize("rule", ["omp", "ols"])
def test_a_path_s_errors_are_those_of_the_residuals_on_the_other_pixels(rule):
    phi, maps = correlated(3, n=400)
    fit, other = (phi[:, :250], maps[:, :250]), (phi[:, 250:], maps[:, 250:])
    path = sparse_path(collect(*fit), collect(*other), 5, rule, 0.01)
    chosen = [chosen_naively(*pair, 5, rule) for pair in ((fit[0], row) for row in fit[1])]
    assert [list(order) for order in path.chosen] == chosen
    assert path.error.shape == (5, 5)
    for k in range(1, 6):
        weight, intercept = refitted(*fit, [order[:k] for order in chosen], 0.01)
        residual = other[1] - weight @ other[0] - intercept[:, None]
        np.testing.assert_allclose(path.error[:, k - 1], (residual**2).sum(axis=1), rtol=1e-7)
    deviation = other[1] - other[1].mean(axis=1, keepdims=True)
    np.testing.assert_allclose(path.total, (deviation**2).sum(axis=1), rtol=1e-9)


def test_weights_of_a_path_are_those_of_standardised_regressors_and_maps():
    phi, maps = correlated(4)
    path = follow(collect(phi, maps), collect(phi, maps), [[3, 1]] * 5, 2, 1e-9)
    z, y = ((v - v.mean(axis=1, keepdims=True)) / v.std(axis=1, keepdims=True) for v in (phi, maps))
    expected = np.linalg.lstsq(z[[3, 1]].T, y.T, rcond=None)[0].T
    np.testing.assert_allclose(path.weights, expected, rtol=1e-6)


def test_a_map_of_no_regressor_is_predicted_by_its_mean_on_the_fit_pixels(rng):
    phi, maps = rng.standard_normal((3, 60)), rng.standard_normal((2, 60)) + 5
    fit, other = collect(phi[:, :40], maps[:, :40]), collect(phi[:, 40:], maps[:, 40:])
    path = follow(fit, other, [[], [2]], 3)
    expected = ((maps[0, 40:] - maps[0, :40].mean()) ** 2).sum()
    np.testing.assert_allclose(path.error[0], expected, rtol=1e-9)
    assert path.weights[0].size == 0
    # after the last choice the error stays the same
    assert path.error[1, 0] == path.error[1, 1] == path.error[1, 2] != expected


def test_a_map_without_spread_keeps_finite_weights(rng):
    phi = rng.standard_normal((2, 50))
    flat = collect(phi, np.zeros((1, 50)))
    assert np.isfinite(follow(flat, flat, [[0]], 1).weights[0]).all()


@pytest.mark.parametrize("share, alive", [(2e-8, True), (0.5e-8, False)])
def test_maps_of_a_path_are_dead_below_1e_8_of_the_largest(share, alive):
    error, total = np.array([[5.0, 1.0], [0.0, 0.0]]), np.array([10.0, 10 * share])
    per_map, pooled = sparse.SparsePath([[0], [0]], [], error, total).explained_variance(2)
    assert per_map[0] == pytest.approx(0.9)
    assert np.isnan(per_map[1]) != alive
    assert pooled == pytest.approx(1 - 1 / total[: 1 + alive].sum(), rel=1e-12)


def test_pooled_figures_of_a_path_are_sums_over_maps():
    path = sparse.SparsePath([], [], np.array([[4.0, 2.0], [9.0, 6.0]]), np.array([8.0, 12.0]))
    assert path.explained_variance(1)[1] == pytest.approx(1 - 13 / 20)
    np.testing.assert_allclose(path.explained_variance(2)[0], [0.75, 0.5])


def test_a_path_of_dead_maps_explains_nothing_that_counts():
    path = sparse.SparsePath([], [], np.zeros((2, 1)), np.zeros(2))
    per_map, pooled = path.explained_variance(1)
    assert np.isnan(per_map).all() and np.isnan(pooled)


def test_each_solver_s_name_stands_for_that_solver():
    optimize = pytest.importorskip("scipy.optimize")
    phi, maps = correlated(0)
    statistics, penalty = collect(phi, maps), 1e-7
    sd = phi.std(axis=1)
    z = (phi - phi.mean(axis=1, keepdims=True)) / sd[:, None]
    centred = maps - maps.mean(axis=1, keepdims=True)
    expected = {
        "ridge": np.linalg.lstsq(z.T, centred.T, rcond=None)[0].T / sd,
        "nnls": np.stack([optimize.nnls(z.T, row)[0] for row in centred]) / sd,
    }
    for rule in ("omp", "ols"):
        chosen = [chosen_naively(phi, row, 4, rule) for row in maps]
        expected[rule] = refitted(phi, maps, chosen, penalty)[0]
    for name, weight in expected.items():
        solution = solve({"a": statistics}, statistics, [penalty], 2, name, 4)
        # the penalty of 1e-7 moves weights of such correlated regressors by about 1e-5
        np.testing.assert_allclose(solution.weight * sd, weight * sd, atol=1e-4, err_msg=name)
    assert not np.allclose(expected["omp"], expected["ols"])


@pytest.mark.parametrize("name", ["omp", "ols"])
def test_a_budget_that_is_missing_is_asked_for(name):
    phi, maps = correlated(0)
    statistics = collect(phi, maps)
    with pytest.raises(ValueError, match=f"{name} needs a budget"):
        solve({"a": statistics}, statistics, [0.1], 2, name)
