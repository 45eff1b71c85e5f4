"""Identities: a map made of known filters is called by their names."""

import dataclasses

import numpy as np
import pytest
from helpers import make_block, make_layer, shares_of

from gaborscope.analysis import identities as identity_tools
from gaborscope.explanation import layers
from gaborscope.fitting.ridge import RidgePath
from gaborscope.fitting.sparse import sparse_path
from gaborscope.fitting.statistics import Statistics, combine

SETTINGS = {
    "bank": {
        "n_scales": 3, "n_orientations": 4, "min_wavelength_px": 4.0, "scale_factor": 2.0,
        "bandwidth_ratio": 0.65, "angular_sigma": None,
    },
    "colour": "yuv", "kinds": ["even", "odd", "amplitude"], "residual": True,
    "normalisation": False, "position": True, "boundary": "symmetric",
}  # fmt: skip


@pytest.fixture
def table():
    return layers.make_regressors(SETTINGS).table()


def planted(rng, table, names):
    """Return statistics of a map that is a sum of the named regressors, and of a dead map."""
    n_regressors = len(table["name"])
    phi = rng.normal(size=(n_regressors, 3000))
    places = [list(table["name"]).index(name) for name in names]
    weights = np.linspace(2, 1, len(names))
    statistics = Statistics.empty(n_regressors, 2)
    dead = np.zeros((1, 3000))
    statistics.add(phi, np.concatenate([weights[None] @ phi[places], dead]))
    return statistics


def rows_of(rng, table, names, **known):
    statistics = planted(rng, table, names)
    path = sparse_path(statistics, statistics, 4)
    bank, channels = layers.bank_and_channels(SETTINGS)
    facts = {"scale_px": 2.5, "px_per_degree": None, **known}
    return identity_tools.listed(path, table, bank, channels, 3, **facts)


def test_a_planted_map_is_called_by_its_filters(rng, table):
    rows = rows_of(rng, table, ["U amplitude s1 o3", "Y odd s0 o1", "position centre"])
    assert [(row["name"], row["rank"], row["map"]) for row in rows] == [
        ("U amplitude s1 o3", 1, 0), ("Y odd s0 o1", 2, 0), ("position centre", 3, 0),
    ]  # fmt: skip
    first, second, place = rows
    assert (first["kind"], first["colour"], first["orientation_deg"]) == ("amplitude", "U", 135)
    assert first["wavelength_px"] == pytest.approx(8 * 2.5)
    assert second["orientation_deg"] == 45 and second["kind"] == "odd"
    assert place["wavelength_px"] is place["orientation_deg"] is place["colour"] is None
    assert rows[-1]["explained_variance"] == pytest.approx(1, abs=1e-4)
    assert first["weight"] == pytest.approx(2 / np.sqrt(4 + 2.25 + 1), abs=0.05)


def test_frequencies_are_told_where_px_per_degree_are_known(rng, table):
    (row, *_) = rows_of(rng, table, ["Y even s2 o0"], px_per_degree=32)
    assert row["cycles_per_degree"] == pytest.approx(32 / (16 * 2.5))
    (row, *_) = rows_of(rng, table, ["Y even s2 o0"])
    assert row["cycles_per_degree"] is None


def test_dead_maps_have_no_identity(rng, table):
    assert {row["map"] for row in rows_of(rng, table, ["Y even s2 o0"])} == {0}


def by_block(rng, table, weights, noise):
    """Return statistics by block of a map of two regressors; `weights` has a pair per block."""
    n, statistics = len(table["name"]), {}
    for block, pair in enumerate(weights):
        phi = rng.normal(size=(n, 2000))
        statistics[str(block)] = Statistics.empty(n, 1)
        maps = np.array(pair)[None] @ phi[[3, 20]] + noise * rng.normal(size=(1, 2000))
        statistics[str(block)].add(phi, maps)
    return statistics


def halves_of(rng, table, weights, noise=0.1):
    fit = by_block(rng, table, weights, noise)
    held_out = by_block(rng, table, weights[:1], noise)["0"]
    path = sparse_path(combine(fit.values()), held_out, 2)
    halves = identity_tools.halves(fit, held_out, path, 2, "omp")
    bank, channels = layers.bank_and_channels(SETTINGS)
    return identity_tools.listed(path, table, bank, channels, 2, 1.0, None, halves)


def test_halves_agree_on_what_is_the_same_in_all_blocks(rng, table):
    first, second = halves_of(rng, table, [(2, 1)] * 4)
    assert (first["halves"], second["halves"]) == (2, 2)
    assert first["weight_se"] < 0.02 and second["weight_se"] < 0.02
    for row in (first, second):
        assert row["explained_variance_low"] <= row["explained_variance_high"]
        assert row["explained_variance"] == pytest.approx(row["explained_variance_low"], abs=0.01)


def test_halves_that_differ_show_it(rng, table):
    # the second regressor enters in blocks 0 and 2 alone: the first half
    first, second = halves_of(rng, table, [(2, 1), (2, 0), (2, 1), (2, 0)])
    assert first["halves"] == 2 and second["halves"] == 1
    assert second["weight_se"] == pytest.approx(1 / np.sqrt(5) / 2, abs=0.02)


def test_one_block_has_no_halves(rng, table):
    rows = rows_of(rng, table, ["Y even s2 o0"])
    assert rows[0]["weight_se"] is rows[0]["halves"] is None
    statistics = planted(rng, table, ["Y even s2 o0"])
    path = sparse_path(statistics, statistics, 2)
    assert identity_tools.halves({"0": statistics}, statistics, path, 2, "omp") is None


def test_shares_of_maps_and_of_the_layer_name_the_planted_filters(rng, table):
    statistics = planted(rng, table, ["U amplitude s1 o3", "Y odd s0 o1"])
    by_grouping = shares_of(statistics, table)
    labels, layer, maps = by_grouping["scale"]
    # weights 2 and 1 give 4/5 and 1/5 of the variance, within the error of 3000 draws
    assert dict(zip(labels, layer, strict=True))["1"] == pytest.approx(0.8, abs=0.05)
    np.testing.assert_allclose(maps[0], layer)
    labels, layer, _ = by_grouping["luminance_scale"]
    assert dict(zip(labels, layer, strict=True))["0"] == pytest.approx(0.2, abs=0.05)
    assert "luminance_scale" not in shares_of(statistics, table, "rgb")


def test_shares_of_every_grouping_have_the_same_sum(rng, table):
    found = shares_of(planted(rng, table, ["U amplitude s1 o3", "Y odd s0 o1"]), table)
    np.testing.assert_allclose([layer.sum() for _, layer, _ in found.values()], 1, atol=1e-4)
    assert set(found) == {*identity_tools.GROUPINGS, "luminance_scale"}


def test_of_a_layer_few_filters_explain_what_the_planted_ones_do(rng, table):
    names = ["U amplitude s1 o3", "Y odd s0 o1"]
    blocks = {name: planted(rng, table, names) for name in ("00", "01", "07")}
    weight, intercept = RidgePath(blocks["00"]).solve(1e-6)
    layer = dataclasses.replace(make_layer(4, 2), name="stem")
    filters = {
        "layer": dataclasses.replace(layer, box={"height": 32, "width": 48}),
        "regressors": SETTINGS,
        "table": table, "weight": weight, "intercept": intercept,
    }  # fmt: skip
    fit, validation = {n: blocks[n] for n in ("00", "01")}, {"07": blocks["07"]}
    settings = {"listed": 1, "budgets": [2, 1], "rule": "omp"}
    block = make_block([(64, 96)])
    named, curve = identity_tools.of_layer(filters, fit, validation, settings, block)
    assert [(row["layer"], row["name"]) for row in named] == [("stem", names[0])]
    assert named[0]["wavelength_px"] == pytest.approx(2 * 8)
    figures = {row["filters_per_map"]: row["explained_variance"] for row in curve[:-1]}
    # weights 2 and 1 of independent regressors of unit variance
    assert list(figures) == [1, 2]
    assert figures[1] == pytest.approx(4 / 5, abs=0.05) and figures[2] == pytest.approx(1, abs=1e-3)
    assert np.isnan(curve[-1]["filters_per_map"])
    assert curve[-1]["explained_variance"] == pytest.approx(1, abs=1e-3)
