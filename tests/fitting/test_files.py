"""Statistics and fitted layers on disk."""

import dataclasses

import h5py
import numpy as np
import pytest
from helpers import ORIGIN, SETTINGS, make_layer, make_regressors

from gaborscope.analysis import identities as identity_tools
from gaborscope.errors import InputError
from gaborscope.fitting.files import (
    read_filters,
    read_statistics,
    read_sums,
    write_filters,
    write_statistics,
)
from gaborscope.fitting.ridge import solve
from gaborscope.fitting.statistics import (
    Statistics,
    combine,
    marginal_correlation,
    summary_of_maps,
)
from gaborscope.store import paths


@pytest.fixture
def statistics():
    """Statistics by block; the third map is dead."""
    rng = np.random.default_rng(0)
    k = len(make_regressors().table()["kind"])
    mixing, by_block = rng.standard_normal((3, k)), {}
    for block in ("0", "1", "2"):
        phi = rng.standard_normal((k, 200))
        activation = mixing @ phi + rng.standard_normal((3, 200))
        activation[2] = 0
        by_block[block] = Statistics.empty(k, 3)
        by_block[block].add(phi, activation)
    return by_block


@pytest.fixture
def solution(statistics):
    fit = {block: statistics[block] for block in ("0", "1")}
    return solve(fit, statistics["2"], [1e-3, 0.1], 2)


@pytest.fixture
def described(statistics, solution):
    table, total = make_regressors().table(), combine(statistics.values())
    return {
        "layer": dataclasses.replace(make_layer(4, 3), name="fine"),
        "regressors": SETTINGS,
        "candidate": 3,
        "table": table,
        "marginal": marginal_correlation(total),
    }


def test_statistics_come_back_by_block(statistics, tmp_path):
    files = {}
    for block, sums in statistics.items():
        names = {"model": "m", "dataset": "d", "explanation": "e", "block": block}
        files[block] = tmp_path / paths.make("statistics", **names)
        write_statistics(files[block], {"fine/0": sums, "coarse/1": statistics["0"]}, ORIGIN)
    read = read_statistics(files.values(), "fine", 0)
    assert list(read) == ["0", "1", "2"]
    np.testing.assert_array_equal(read_sums(files["2"], "coarse/1").gram, statistics["0"].gram)
    for block, sums in statistics.items():
        for key in ("gram", "cross", "sum_phi", "sum", "cov", "n"):
            np.testing.assert_array_equal(getattr(read[block], key), getattr(sums, key))


def test_swapped_maps_of_concepts_are_read_only_where_they_are_asked_for(statistics, tmp_path):
    whole = statistics["0"]
    write_statistics(tmp_path / "0.h5", {"it": whole}, ORIGIN, swapped=2)
    every, own = (read_sums(tmp_path / "0.h5", "it", swapped) for swapped in (True, False))
    np.testing.assert_array_equal(every.gram, whole.gram)
    np.testing.assert_array_equal(own.gram, whole.gram[:-2, :-2])
    np.testing.assert_array_equal(own.cross, whole.cross[:-2])
    np.testing.assert_array_equal(own.sum_phi, whole.sum_phi[:-2])
    np.testing.assert_array_equal(own.cov, whole.cov)


def test_statistics_with_nan_are_refused(statistics, tmp_path):
    statistics["0"].cross[0, 0] = np.nan
    with pytest.raises(InputError, match="cross holds NaN"):
        write_statistics(tmp_path / "0.h5", {"fine/0": statistics["0"]}, ORIGIN)
    assert list(tmp_path.iterdir()) == []


def test_a_fitted_layer_comes_back(solution, described, tmp_path):
    write_filters(tmp_path / "fine.h5", solution, described, ORIGIN)
    filters = read_filters(tmp_path / "fine.h5")
    for key in ("weight", "intercept", "residual_sd"):
        np.testing.assert_array_equal(filters[key], getattr(solution, key).astype(np.float32))
    assert (filters["layer"], filters["regressors"]) == (described["layer"], SETTINGS)
    assert (filters["penalty"], filters["pooled"]) == (solution.penalty, solution.pooled)
    np.testing.assert_array_equal(filters["marginal"], described["marginal"].astype(np.float32))
    assert filters["candidate"] == 3 and type(filters["penalty"]) is float
    assert {*filters["table"]} == {*described["table"]}
    for key, column in described["table"].items():
        np.testing.assert_array_equal(filters["table"][key], column)


def test_dead_maps_are_still_nan_after_reading(solution, described, tmp_path):
    write_filters(tmp_path / "fine.h5", solution, described, ORIGIN)
    explained = read_filters(tmp_path / "fine.h5")["explained_variance"]
    np.testing.assert_array_equal(explained, solution.explained_variance)
    assert np.isnan(explained).tolist() == [False, False, True]


def test_out_of_fold_weights_are_given_for_fit_blocks_alone(solution, described, tmp_path):
    write_filters(tmp_path / "fine.h5", solution, described, ORIGIN)
    for block in ("0", "1"):
        filters = read_filters(tmp_path / "fine.h5", fold=block)
        expected = solution.folds[block][0].astype(np.float32)
        np.testing.assert_array_equal(filters["weight"], expected)
        np.testing.assert_array_equal(
            filters["intercept"], solution.folds[block][1].astype(np.float32)
        )
        # errors and shares are those of the whole fit
        np.testing.assert_array_equal(
            filters["residual_sd"], solution.residual_sd.astype(np.float32)
        )
    other = read_filters(tmp_path / "fine.h5", fold="2")
    np.testing.assert_array_equal(other["weight"], solution.weight.astype(np.float32))


def test_a_file_says_what_its_numbers_are(statistics, solution, described, tmp_path):
    write_statistics(tmp_path / "0.h5", {"fine/0": statistics["0"]}, ORIGIN)
    solution = dataclasses.replace(solution, path=[(1.0, 0.5), (2.0, np.nan), (4.0, 0.25)])
    write_filters(tmp_path / "fine.h5", solution, described, ORIGIN)
    with h5py.File(tmp_path / "0.h5") as file:
        said = {key: dict(data.attrs) for key, data in file["fine/0"].items()}
        assert said["gram"] == {"axes": "regressor, regressor", "unit": "summed products"}
        assert said["cross"]["axes"] == "regressor, channel"
        assert said["cov"]["axes"] == "channel, channel"
        assert (said["sum_phi"]["axes"], said["sum"]["axes"]) == ("regressor", "channel")
        assert said["n"] == {"axes": "", "unit": "pixels"}
    with h5py.File(tmp_path / "fine.h5") as file:
        assert file["path"][()].tolist() == [[1, 0.5], [4, 0.25]]  # nan has no place in a file
        assert file["weight"].dtype == file["fold/0/weight"].dtype == np.float32
        assert file["weight"].attrs["axes"] == "channel, regressor"
        assert file["dead"][()].tolist() == [False, False, True]
        assert file["explained_variance"][2] == 0
        assert set(file["fold"]) == {"0", "1"}
        assert file["regressor/kind"].asstr()[()].tolist() == described["table"]["kind"].tolist()


def test_equal_layers_give_equal_bytes(solution, described, tmp_path):
    for name in ("a.h5", "b.h5"):
        write_filters(tmp_path / name, solution, described, ORIGIN)
    assert (tmp_path / "a.h5").read_bytes() == (tmp_path / "b.h5").read_bytes()


def test_a_layer_of_dead_maps_can_be_written(statistics, described, tmp_path):
    for sums in statistics.values():
        sums.cross[:], sums.sum[:], sums.cov[:] = 0, 0, 0
    solution = solve(statistics, statistics["2"], [0.1, 1.0], 3)
    write_filters(tmp_path / "fine.h5", solution, described, ORIGIN)
    filters = read_filters(tmp_path / "fine.h5")
    assert np.isnan(filters["explained_variance"]).all() and np.isnan(filters["pooled"])


def test_the_dominant_filters_are_ranked_and_each_counts_once(described):
    rows = identity_tools.dominant(described, 5)
    assert len(rows) == 5
    values = [row["r2"] for row in rows]
    assert values == sorted(values, reverse=True)
    assert len({(row["scale"], row["orientation"], row["colour"]) for row in rows}) == 5
    assert values[0] == pytest.approx(described["marginal"].mean(axis=0).max())


def test_dead_maps_are_counted_and_not_averaged():
    row = summary_of_maps(np.array([0.2, np.nan, 0.6]), 0.5)
    assert row == {
        "explained_variance": 0.5, "mean_per_map": pytest.approx(0.4), "maps": 3, "dead_maps": 1,
    }  # fmt: skip
    assert np.isnan(summary_of_maps(np.array([np.nan]), np.nan)["mean_per_map"])
