"""Identities: a map made of known filters is called by their names."""

import numpy as np
import pytest

from gaborscope import fitting, identities, layers

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
    """Statistics of a map that consists of the regressors called by these names."""
    n_regressors = len(table["name"])
    phi = rng.normal(size=(n_regressors, 3000))
    places = [list(table["name"]).index(name) for name in names]
    weights = np.linspace(2, 1, len(names))
    statistics = fitting.Statistics.empty(n_regressors, 2)
    dead = np.zeros((1, 3000))
    statistics.add(phi, np.concatenate([weights[None] @ phi[places], dead]))
    return statistics


def rows_of(rng, table, names, **known):
    statistics = planted(rng, table, names)
    path = fitting.sparse_path(statistics, statistics, 4)
    bank, channels = layers.bank_and_channels(SETTINGS)
    facts = {"scale_px": 2.5, "px_per_degree": None, **known}
    return identities.listed(path, table, bank, channels, 3, **facts)


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
