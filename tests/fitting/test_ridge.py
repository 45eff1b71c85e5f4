"""Fits from sufficient statistics against direct computations and planted answers."""

import numpy as np
import pytest

from gaborscope.fitting.nonlinearity import through_nonlinearity
from gaborscope.fitting.ridge import RidgePath, solve
from gaborscope.fitting.shapley import group_shares
from gaborscope.fitting.sparse import solve_sparse, sparse_path
from gaborscope.fitting.statistics import (
    Statistics,
    combine,
    explained_variance,
    marginal_correlation,
)

SCALES = np.array([1.0, 0.01, 30.0, 2.0, 0.3])  # natural amplitudes differ by orders of magnitude


@pytest.fixture
def rng():
    return np.random.default_rng(5)


def collect(phi, activation):
    """Statistics of arrays (K, n) and (C, n)."""
    statistics = Statistics.empty(len(phi), len(activation))
    statistics.add(phi, activation)
    return statistics


def planted(rng, n=400, noise=0.0):
    """Regressors of different scales and means, three maps made of them."""
    phi = (rng.standard_normal((5, n)) + 0.5) * SCALES[:, None]
    weight = rng.standard_normal((3, 5)) / SCALES
    intercept = rng.standard_normal(3)
    activation = weight @ phi + intercept[:, None] + noise * rng.standard_normal((3, n))
    return phi, activation, weight, intercept


def test_the_fit_recovers_the_weights_that_made_the_activation(rng):
    phi, activation, weight, intercept = planted(rng)
    fitted, offset = RidgePath(collect(phi, activation)).solve(1e-9)
    np.testing.assert_allclose(fitted * SCALES, weight * SCALES, atol=1e-4)
    np.testing.assert_allclose(offset, intercept, atol=1e-4)


def test_the_fit_recovers_planted_weights_from_float32_products(rng):
    phi, activation, weight, _ = planted(rng)
    fitted, _ = RidgePath(collect(np.float32(phi), np.float32(activation))).solve(1e-7)
    # float32 products of 400 terms round at about 1e-6 of their sum
    np.testing.assert_allclose(fitted * SCALES, weight * SCALES, atol=1e-4)


@pytest.mark.parametrize("penalty", [1e-3, 0.1, 10.0])
def test_the_path_is_the_direct_solution_of_the_standardised_normal_equations(rng, penalty):
    phi, activation, *_ = planted(rng, noise=0.5)
    phi[1] += 0.02 * phi[0]  # correlated
    mean, sd = phi.mean(axis=1), phi.std(axis=1)
    z = (phi - mean[:, None]) / sd[:, None]
    centred = activation - activation.mean(axis=1, keepdims=True)
    n = phi.shape[1]
    beta = np.linalg.solve(z @ z.T / n + penalty * np.eye(5), z @ centred.T / n).T
    weight, offset = RidgePath(collect(phi, activation)).solve(penalty)
    np.testing.assert_allclose(weight, beta / sd, rtol=1e-9)
    np.testing.assert_allclose(offset, activation.mean(axis=1) - beta / sd @ mean, rtol=1e-8)


@pytest.mark.parametrize("factor", [1e-3, 50.0])
def test_rescaling_a_regressor_changes_no_prediction(rng, factor):
    phi, activation, *_ = planted(rng, noise=0.5)
    weight, _ = RidgePath(collect(phi, activation)).solve(0.1)
    phi[2] *= factor
    rescaled, _ = RidgePath(collect(phi, activation)).solve(0.1)
    np.testing.assert_allclose(rescaled[:, 2] * factor, weight[:, 2], rtol=1e-6)
    np.testing.assert_allclose(rescaled[:, 0], weight[:, 0], rtol=1e-6)


def test_statistics_of_blocks_add_up_and_subtract(rng):
    phi, activation, *_ = planted(rng)
    parts = [collect(phi[:, :150], activation[:, :150]), collect(phi[:, 150:], activation[:, 150:])]
    total = collect(phi, activation)
    for result, expected in ((parts[0] + parts[1], total), (total - parts[1], parts[0])):
        assert result.n == expected.n
        for key in ("gram", "cross", "sum_phi", "sum", "cov"):
            np.testing.assert_allclose(
                getattr(result, key), getattr(expected, key), rtol=1e-9, atol=1e-9
            )


def test_adding_leaves_the_parts_as_they_were(rng):
    phi, activation, *_ = planted(rng)
    part = collect(phi, activation)
    before = part.gram.copy()
    combine([part, part, part])
    np.testing.assert_array_equal(part.gram, before)


def test_squared_error_is_that_of_the_residuals(rng):
    phi, activation, *_ = planted(rng, noise=1.0)
    weight, intercept = rng.standard_normal((3, 5)) / SCALES, rng.standard_normal(3)
    residual = activation - weight @ phi - intercept[:, None]
    error = collect(phi, activation).squared_error(weight, intercept)
    np.testing.assert_allclose(error, (residual**2).sum(axis=1), rtol=1e-9)


def test_explained_variance_is_one_minus_residual_over_total_variance(rng):
    phi, activation, *_ = planted(rng, noise=1.0)
    weight, intercept = RidgePath(collect(phi[:, :200], activation[:, :200])).solve(0.01)
    other, truth = phi[:, 200:], activation[:, 200:]
    error = ((truth - weight @ other - intercept[:, None]) ** 2).sum(axis=1)
    total = ((truth - truth.mean(axis=1, keepdims=True)) ** 2).sum(axis=1)
    per_map, pooled = explained_variance(collect(other, truth), weight, intercept)
    np.testing.assert_allclose(per_map, 1 - error / total, rtol=1e-9)
    assert pooled == pytest.approx(1 - error.sum() / total.sum(), rel=1e-9)


def test_the_mean_explains_nothing(rng):
    phi, activation, *_ = planted(rng)
    per_map, pooled = explained_variance(
        collect(phi, activation), np.zeros((3, 5)), activation.mean(axis=1)
    )
    np.testing.assert_allclose([*per_map, pooled], 0, atol=1e-12)


def test_dead_maps_are_nan_and_do_not_enter_the_pooled_figure(rng):
    phi, activation, weight, intercept = planted(rng, noise=1.0)
    activation[1] = 3.0
    per_map, pooled = explained_variance(collect(phi, activation), weight, intercept)
    assert np.isnan(per_map).tolist() == [False, True, False]
    alive = [0, 2]
    _, expected = explained_variance(
        collect(phi, activation[alive]), weight[alive], intercept[alive]
    )
    assert pooled == pytest.approx(expected)


def test_a_layer_of_dead_maps_has_no_explained_variance(rng):
    phi = rng.standard_normal((2, 50))
    per_map, pooled = explained_variance(
        collect(phi, np.zeros((3, 50))), np.zeros((3, 2)), np.zeros(3)
    )
    assert np.isnan(per_map).all() and np.isnan(pooled)


@pytest.mark.parametrize("value", [0.0, 5.0, 0.3])
def test_constant_regressors_get_the_weight_zero(rng, value):
    phi, activation, *_ = planted(rng, noise=0.5)
    phi[3] = value
    weight, _ = RidgePath(collect(np.float32(phi), np.float32(activation))).solve(1e-6)
    assert (weight[:, 3] == 0).all()
    assert (weight[:, [0, 1, 2, 4]] != 0).all()


@pytest.mark.parametrize("value", [0.0, 5.0, 0.3])
def test_constant_regressors_explain_nothing_alone(rng, value):
    phi, activation, *_ = planted(rng, noise=0.5)
    phi[3] = value
    squared = marginal_correlation(collect(np.float32(phi), np.float32(activation)))
    assert (squared[:, 3] == 0).all()


@pytest.mark.parametrize("value", [0.0, 5.0, 0.3])
def test_constant_regressors_have_no_share(rng, value):
    phi, activation, *_ = planted(rng, noise=0.5)
    phi[3] = value
    statistics = collect(np.float32(phi), np.float32(activation))
    shares = group_shares(statistics, 1e-6, [[0, 1], [2, 4], [3]])
    assert shares[2] == pytest.approx(0, abs=1e-12)


def test_shares_add_up_to_the_explained_variance_of_all_groups(rng):
    phi, activation, *_ = planted(rng, noise=1.0)
    phi[1] += 0.02 * phi[0]
    statistics = collect(phi, activation)
    shares = group_shares(statistics, 0.05, [[0, 3], [1], [2, 4]])
    _, pooled = explained_variance(statistics, *RidgePath(statistics).solve(0.05))
    assert shares.sum() == pytest.approx(pooled, rel=1e-9)


def test_a_planted_group_gets_its_share(rng):
    phi = rng.standard_normal((4, 4000))
    activation = (2 * phi[0] + phi[1] + phi[2])[None]  # variances 4 + 1, 1 and 0
    shares = group_shares(collect(phi, activation), 1e-9, [[0, 1], [2], [3]])
    # correlations of 4000 independent draws are of the order of 0.016
    np.testing.assert_allclose(shares, [5 / 6, 1 / 6, 0], atol=0.03)


def test_two_copies_of_a_regressor_share_what_they_explain(rng):
    phi = rng.standard_normal((2, 300))
    phi = np.vstack([phi, phi[1]])
    activation = (phi[0] + 3 * phi[1])[None]
    shares = group_shares(collect(phi, activation), 1e-6, [[0], [1], [2]])
    assert shares[1] == pytest.approx(shares[2], rel=1e-6)


def test_shares_of_a_dead_layer_are_nan(rng):
    phi = rng.standard_normal((2, 50))
    assert np.isnan(group_shares(collect(phi, np.zeros((1, 50))), 0.1, [[0], [1]])).all()


def test_marginal_correlation_is_the_squared_correlation(rng):
    phi, activation, *_ = planted(rng, noise=1.0)
    expected = np.corrcoef(activation, phi)[:3, 3:] ** 2
    np.testing.assert_allclose(marginal_correlation(collect(phi, activation)), expected, atol=1e-9)


def blocks_of(rng, n_blocks, noise=1.0):
    """Statistics by fit block and of a validation block, all with the same true weights."""
    phi, activation, *_ = planted(rng, n=60 * (n_blocks + 1), noise=noise)
    parts = [
        collect(phi[:, first : first + 60], activation[:, first : first + 60])
        for first in range(0, phi.shape[1], 60)
    ]
    return {str(index): part for index, part in enumerate(parts[:-1])}, parts[-1]


def test_the_penalty_is_the_best_of_the_path_on_the_validation_split(rng):
    fit, validation = blocks_of(rng, 3, noise=4.0)
    solution = solve(fit, validation, [1e-4, 1e-2, 1.0, 100.0], 3)
    best = max(solution.path, key=lambda step: step[1])
    assert (solution.penalty, solution.pooled) == best
    assert [penalty for penalty, _ in solution.path] == [1e-4, 1e-2, 1.0, 100.0]


def test_residual_spread_is_the_root_mean_squared_error_of_validation(rng):
    fit, validation = blocks_of(rng, 4)
    solution = solve(fit, validation, [1e-6], 2)
    # unit noise; 60 pixels leave an uncertainty of a tenth
    np.testing.assert_allclose(solution.residual_sd, 1, atol=0.35)


def test_the_solution_out_of_fold_does_not_know_its_block(rng):
    fit, validation = blocks_of(rng, 5)
    plain = solve(fit, validation, [0.01], 5)
    strange = collect(rng.standard_normal((5, 60)), 100 * rng.standard_normal((3, 60)))
    other = solve({**fit, "2": strange}, validation, [0.01], 5)
    # subtraction of sums leaves rounding, relative to the largest sum
    np.testing.assert_allclose(
        other.folds["2"][0] * SCALES, plain.folds["2"][0] * SCALES, atol=1e-8
    )
    assert np.abs((other.folds["1"][0] - plain.folds["1"][0]) * SCALES).max() > 0.1


def test_blocks_are_dealt_out_to_the_folds_evenly(rng):
    fit, validation = blocks_of(rng, 5)
    folds = solve(fit, validation, [0.01], 2).folds
    assert sorted(folds) == sorted(fit)
    np.testing.assert_array_equal(folds["0"][0], folds["2"][0])
    np.testing.assert_array_equal(folds["1"][0], folds["3"][0])
    assert (folds["0"][0] != folds["1"][0]).all()


def test_a_single_block_is_fitted_with_itself(rng):
    fit, validation = blocks_of(rng, 1)
    solution = solve(fit, validation, [0.01], 7)
    np.testing.assert_array_equal(solution.folds["0"][0], solution.weight)


@pytest.mark.parametrize(
    "nonlinearity, function",
    [
        ("none", lambda a: a),
        ("relu", lambda a: np.maximum(a, 0)),
        ("relu6", lambda a: np.clip(a, 0, 6)),
    ],
)
def test_the_nonlinearity_is_passed_in_expectation(rng, nonlinearity, function):
    linear = np.array([[-2.0, -0.1, 0.0, 1.5, 5.8, 9.0], [-1.0, 0.2, 2.0, 5.0, 6.0, 7.0]])
    sd = np.array([0.5, 1.5])
    drawn = linear[..., None] + sd[:, None, None] * rng.standard_normal(100_000)
    output = through_nonlinearity(linear, sd, nonlinearity)
    # a mean of 1e5 draws of spread 1.5 is uncertain by 0.005
    np.testing.assert_allclose(output, function(drawn).mean(axis=-1), atol=0.02)


@pytest.mark.parametrize("nonlinearity, top", [("relu", np.inf), ("relu6", 6)])
def test_without_error_the_nonlinearity_is_plain(nonlinearity, top):
    linear = np.linspace(-3, 9, 26).reshape(1, 2, 13)
    output = through_nonlinearity(linear, np.zeros(1), nonlinearity)
    np.testing.assert_allclose(output, np.clip(linear, 0, top), atol=1e-9)


def test_an_unknown_nonlinearity_is_named():
    with pytest.raises(ValueError, match="'gelu'"):
        through_nonlinearity(np.zeros((1, 2)), np.ones(1), "gelu")


def test_a_sparse_path_explains_what_the_same_solution_explains(rng):
    phi = rng.normal(size=(9, 600)) @ np.diag(rng.uniform(0.5, 2, 600))
    phi[4:] += 0.5 * phi[:5]
    maps = rng.normal(size=(3, 9)) @ phi + rng.normal(size=(3, 600)) + 2
    fit, held_out = Statistics.empty(9, 3), Statistics.empty(9, 3)
    fit.add(phi[:, :400], maps[:, :400])
    held_out.add(phi[:, 400:], maps[:, 400:])
    path = sparse_path(fit, held_out, 6)
    for k in (1, 3, 6):
        solution = solve_sparse(fit, k)
        expected, pooled = explained_variance(held_out, *solution)
        np.testing.assert_allclose(path.explained_variance(k)[0], expected, atol=1e-9)
        assert path.explained_variance(k)[1] == pytest.approx(pooled)
        for row, chosen in zip(solution[0], path.chosen, strict=True):
            assert set(np.flatnonzero(row)) == set(chosen[:k])


def test_a_sparse_path_ends_where_nothing_is_left_to_choose(rng):
    phi = rng.normal(size=(2, 200))
    statistics = Statistics.empty(2, 2)
    statistics.add(phi, np.concatenate([phi[:1], np.zeros((1, 200))]))
    path = sparse_path(statistics, statistics, 5)
    assert path.chosen[0][0] == 0
    np.testing.assert_allclose(path.explained_variance(5)[0], [1, np.nan], atol=1e-5)
