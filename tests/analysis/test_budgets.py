"""Few filters per map: weights of every budget, their folds, their tables."""

import numpy as np
import pandas as pd
import pytest
from helpers import make_fitted

from gaborscope.analysis import budgets
from gaborscope.analysis.refits import Alternative
from gaborscope.fitting import sparse
from gaborscope.fitting.statistics import Statistics, combine, explained_variance
from gaborscope.scoring.scorer import FEW

N = 12


@pytest.fixture
def blocks(rng):
    """Return statistics of five blocks; each of two maps is four regressors and noise."""
    weight, by_block = np.zeros((2, N)), {}
    weight[0, [0, 3, 5, 7]], weight[1, [1, 3, 8, 11]] = (4, 3, 2, 1), (1, -2, 3, -4)
    for name in "01234":
        phi = rng.standard_normal((N, 300))
        by_block[name] = Statistics.empty(N, 2)
        by_block[name].add(phi, weight @ phi + rng.standard_normal((2, 300)))
    return by_block


@pytest.fixture
def refitted(blocks, rng):
    fit = {name: statistics for name, statistics in blocks.items() if name != "4"}
    return budgets.of_layer(
        make_fitted("fine", 4, 2, "relu", rng), fit, blocks["4"], [1, 4], "omp", 2
    )


def test_every_budget_is_what_the_solver_finds_with_it(blocks, refitted):
    total = combine(statistics for name, statistics in blocks.items() if name != "4")
    for k in (1, 4):
        weight, intercept = sparse.solve_sparse(total, k, "omp", budgets.PENALTY)
        np.testing.assert_allclose(refitted[k][0].weight, weight, rtol=1e-5)
        np.testing.assert_allclose(refitted[k][0].intercept, intercept, rtol=1e-4, atol=1e-6)
        error = blocks["4"].squared_error(weight, intercept) / blocks["4"].n
        np.testing.assert_allclose(refitted[k][0].residual_sd, np.sqrt(error), rtol=1e-5)


def test_a_block_is_out_of_its_own_fold(blocks, refitted):
    rest = combine([blocks["1"], blocks["3"]])  # two folds: 0 and 2, 1 and 3
    weight, _ = sparse.solve_sparse(rest, 4, "omp", budgets.PENALTY)
    np.testing.assert_allclose(refitted[4][1]["0"].weight, weight, rtol=1e-5)
    assert refitted[4][1]["0"] is refitted[4][1]["2"] and sorted(refitted[4][1]) == list("0123")


def test_alternatives_are_the_budgets_and_the_whole(refitted, rng):
    whole = Alternative([make_fitted("fine", 4, 2, "relu", rng)])
    members = budgets.members([refitted, refitted], whole)
    assert list(members) == ["1", "4", "all"] and members["all"] is whole
    assert members["4"].layers == [refitted[4][0]] * 2
    assert members["1"].folds["3"] == [refitted[1][1]["3"]] * 2


def test_explained_variance_grows_with_the_budget(blocks, refitted):
    whole = refitted[4][0]
    rows = budgets.variance_rows([refitted], [whole], [{"test": blocks["4"]}])
    table = pd.DataFrame(rows).set_index(["filters_per_map", "layer"])["mean"]
    expected = explained_variance(blocks["4"], whole.weight, whole.intercept)[1]
    assert table[4, "fine"] == pytest.approx(expected) == table["all", "mean"]
    assert 0 < table[1, "fine"] < table[4, "fine"]


def test_score_rows_name_the_budget_the_deep_model_and_the_centre_bias(rng):
    rows = [
        {"stimulus": f"s{i}", "predictor": name, **dict.fromkeys(FEW, level + 0.1 * i)}
        for i in range(4)
        for name, level in (("8", 3.0), ("deep", 5.0), ("centre_bias", 1.0))
    ]
    table = pd.DataFrame(budgets.score_rows(pd.DataFrame(rows), "test", 100, 1))
    assert set(table["filters_per_map"]) == {"8", "deep", "centre_bias"}
    nss_row = table[(table["filters_per_map"] == "8") & (table["metric"] == "nss")].iloc[0]
    assert nss_row["mean"] == pytest.approx(3.15) and nss_row["share"] == pytest.approx(0.5)
    assert (nss_row["share_low"], nss_row["share_high"]) == pytest.approx((0.5, 0.5))


def test_layers_added_one_by_one_are_those_of_the_functions(blocks, refitted, monkeypatch):
    fitted = refitted[4][0]
    monkeypatch.setattr(budgets.layer_tools, "fitted_layer", lambda filters: filters["fitted"])
    fit = {name: blocks[name] for name in "012"}
    few = budgets.FewFilters([1, 4], "omp", 2)
    few.add_layer({"fitted": fitted}, fit, {"3": blocks["3"]}, {"4": blocks["4"]})
    expected = budgets.of_layer(fitted, fit, blocks["3"], [1, 4], "omp", 2)
    members = few.members(Alternative([fitted]))
    for k in (1, 4):
        np.testing.assert_array_equal(members[str(k)].layers[0].weight, expected[k][0].weight)
    held_out = [{"validation": blocks["3"], "test": blocks["4"]}]
    pd.testing.assert_frame_equal(
        pd.DataFrame(few.variance_rows()),
        pd.DataFrame(budgets.variance_rows([expected], [fitted], held_out)),
    )
