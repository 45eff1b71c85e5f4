"""Few terms behind all regressors: against ridge on exactly these, and against noise."""

import numpy as np
import pytest

from gaborscope.fitting import ridge
from gaborscope.fitting.readout import ReadoutPath
from gaborscope.fitting.statistics import Statistics, explained_variance

N, TERMS = 6, 20


def sums(phi, maps):
    statistics = Statistics.empty(len(phi), len(maps))
    statistics.add(phi, maps)
    return statistics


@pytest.fixture
def data(rng):
    """Six regressors, twenty terms that lean on them; map 0 has terms 3 and 11, map 1 none."""
    regressors = rng.normal(size=(N, 3000))
    terms = rng.normal(size=(TERMS, 3000)) + rng.normal(size=(TERMS, N)) @ regressors
    maps = rng.normal(size=(2, N)) @ regressors + 0.1 * rng.normal(size=(2, 3000)) + 5
    maps[0] += 2 * terms[3] - terms[11]
    return np.concatenate([regressors, terms]), maps


def test_a_map_gets_the_terms_that_it_has(data):
    weight, _ = ReadoutPath(sums(*data), N, 2).solve(1e-6)
    assert np.flatnonzero(weight[0, N:]).tolist() == [3, 11]
    np.testing.assert_allclose(weight[0, [N + 3, N + 11]], [2, -1], atol=0.02)


@pytest.mark.parametrize("penalty", [1e-6, 0.1])
def test_weights_are_those_of_ridge_on_regressors_and_chosen_terms(data, penalty):
    phi, maps = data
    weight, intercept = ReadoutPath(sums(phi, maps), N, 2).solve(penalty)
    for c in (0, 1):
        kept = np.flatnonzero(weight[c])
        expected, constant = ridge.RidgePath(sums(phi[kept], maps[c : c + 1])).solve(penalty)
        np.testing.assert_allclose(weight[c, kept], expected[0], rtol=1e-6, atol=1e-9)
        np.testing.assert_allclose(intercept[c], constant[0], rtol=1e-6)


def test_no_map_has_more_terms_than_it_may(data):
    weight, _ = ReadoutPath(sums(*data), N, 3).solve(1e-4)
    assert (weight[:, N:] != 0).sum(axis=1).max() == 3
    assert (weight[:, :N] != 0).all()


def test_a_fit_with_terms_has_folds_and_a_penalty_of_its_own(data):
    phi, maps = data
    fit = {str(part): sums(phi[:, part::3], maps[:, part::3]) for part in range(2)}
    held_out = sums(phi[:, 2::3], maps[:, 2::3])
    solution = ridge.solve(fit, held_out, [1e-6, 1.0], 2, terms=(N, 2))
    linear = ridge.solve(
        {k: sums(phi[:N, int(k) :: 3], maps[:, int(k) :: 3]) for k in fit},
        sums(phi[:N, 2::3], maps[:, 2::3]), [1e-6, 1.0], 2,
    )  # fmt: skip
    assert solution.penalty == 1e-6 and set(solution.folds) == {"0", "1"}
    assert solution.explained_variance[0] > 0.99 > 0.9 > linear.explained_variance[0]
    per_map, _ = explained_variance(held_out, solution.weight, solution.intercept)
    np.testing.assert_allclose(per_map, solution.explained_variance)
