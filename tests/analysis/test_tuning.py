"""Tuning of layers: closed forms, and layers of known tuning."""

import dataclasses

import numpy as np
import pytest
from helpers import SETTINGS, make_layer

from gaborscope.analysis import tuning

WAVELENGTHS = np.array([4.0, 8.0, 16.0])
ORIENTATIONS = np.arange(4) * np.pi / 4


def test_sensitivity_peaks_near_eight_cycles_per_degree():
    frequency = np.linspace(0.1, 40, 4000)
    sensitivity = tuning.contrast_sensitivity(frequency)
    assert sensitivity.max() == pytest.approx(1, abs=1e-4)
    assert frequency[sensitivity.argmax()] == pytest.approx(7.9, abs=0.2)
    # 2.6 * 0.0192 and the peak of 0.9809 of the published formula
    assert tuning.contrast_sensitivity(0) == pytest.approx(0.04992 / 0.9809, rel=1e-3)


def test_width_is_the_spread_in_octaves():
    shares = [[0, 1, 0], [0.5, 0, 0.5], [0.25, 0.5, 0.25], [0.5, -0.1, 0.5]]
    np.testing.assert_allclose(
        tuning.octaves(shares, WAVELENGTHS), [0, 1, np.sqrt(0.5), 1], atol=1e-12
    )


def test_concentration_is_one_for_one_axis_and_nought_for_all_or_opposite_ones():
    shares = [[1, 0, 0, 0], [1, 1, 1, 1], [1, 0, 1, 0], [1, 1, 0, 0]]
    np.testing.assert_allclose(
        tuning.concentration(shares, ORIENTATIONS), [1, 0, 0, np.sqrt(0.5)], atol=1e-12
    )


def test_maps_without_any_share_are_nan():
    assert np.isnan(tuning.octaves([[0, 0, -1]], WAVELENGTHS)).all()
    assert np.isnan(tuning.concentration([[0, 0, 0, 0]], ORIENTATIONS)).all()


@pytest.fixture
def filters():
    """Return two maps: scale 1, orientation 2, colour U; and scale 2, explained half as well."""
    by_map = {
        "scale": np.array([[0.0, 0.8, 0.0, 0.0], [0.0, 0.0, 0.3, 0.1]]),
        "orientation": np.array([[0, 0, 0.8, 0, 0], [0.1, 0.1, 0.1, 0, 0.1]]),
        "colour": np.array([[0.0, 0.8, 0.0, 0.0], [0.4, 0.0, 0.0, 0.0]]),
        "kind": np.array([[0.0, 0.8], [0.3, 0.1]]),
    }
    labels = {
        "scale": ["0", "1", "2", "none"],
        "orientation": ["0", "1", "2", "3", "none"],
        "colour": ["0", "1", "2", "none"],
        "kind": ["odd", "amplitude"],
    }
    shares = {key: (labels[key], map_shares.mean(axis=0)) for key, map_shares in by_map.items()}
    return {"map_shares": by_map, "shares": shares}


def rows_of(filters, name, px_per_degree=None):
    channels = ("Y", "U", "V")
    table_rows = tuning.rows(filters, WAVELENGTHS, ORIENTATIONS, channels, px_per_degree)
    return [row for row in table_rows if row["property"] == name]


def test_preferred_labels_weigh_maps_by_their_explained_variance(filters):
    rows = rows_of(filters, "wavelength")
    assert [row["wavelength_px"] for row in rows] == [4, 8, 16]
    np.testing.assert_allclose([row["preferred"] for row in rows], [0, 2 / 3, 1 / 3])
    np.testing.assert_allclose([row["share"] for row in rows], [0, 0.8 / 1.1, 0.3 / 1.1])
    rows = rows_of(filters, "colour")
    assert [row["label"] for row in rows] == ["Y", "U", "V"]
    np.testing.assert_allclose([row["preferred"] for row in rows], [1 / 3, 2 / 3, 0])
    rows = rows_of(filters, "symmetry")
    assert [(row["label"], row["preferred"]) for row in rows] == [
        ("odd", pytest.approx(1 / 3)), ("amplitude", pytest.approx(2 / 3)),
    ]  # fmt: skip


def test_frequencies_are_told_where_px_per_degree_are_known(filters):
    assert [row["cycles_per_degree"] for row in rows_of(filters, "wavelength", 32)] == [8, 4, 2]
    assert [row["cycles_per_degree"] for row in rows_of(filters, "wavelength")] == [None] * 3


def test_figures_of_the_layer_are_means_over_maps(filters):
    ((concentration,), (width,), (mean,)) = (
        [row["value"] for row in rows_of(filters, name)]
        for name in ("orientation_concentration", "bandwidth_octaves", "mean_wavelength_px")
    )
    # the second map has three equal orientations at 0, 45 and 90 degrees: length 1/3
    assert concentration == pytest.approx((0.8 + 0.4 / 3) / 1.2)
    assert width == pytest.approx(0)
    assert mean == pytest.approx(2 ** ((3 * 0.8 + 4 * 0.3) / 1.1))


def test_of_a_layer_wavelengths_are_told_in_px_of_the_stimulus(filters):
    bank = {**SETTINGS["bank"], "n_scales": 3, "n_orientations": 4}
    layer = dataclasses.replace(make_layer(4, 2), name="stem", box={"height": 32, "width": 48})
    given = {**filters, "regressors": {**SETTINGS, "bank": bank}, "layer": layer}
    rows = tuning.of_layer(given, np.array([[64, 96]]), 10.0)
    scales = [row for row in rows if row["property"] == "wavelength" and row["wavelength_px"]]
    assert [row["wavelength_px"] for row in scales] == pytest.approx(list(2 * WAVELENGTHS))
    assert {row["layer"] for row in rows} == {"stem"}


def test_shares_of_dead_maps_are_not_listed():
    given = {
        "layer": dataclasses.replace(make_layer(4, 3), name="stem"),
        "explained_variance": np.array([0.5, np.nan, 0.2]),
        "shares": {"kind": (["even", "odd"], None)},
        "map_shares": {"kind": np.array([[0.1, 0.4], [9.0, 9.0], [0.2, 0.0]])},
    }
    rows = tuning.map_rows(given)
    assert [(row["map"], row["label"], row["share"]) for row in rows] == [
        (0, "even", 0.1), (0, "odd", 0.4), (2, "even", 0.2), (2, "odd", 0.0),
    ]  # fmt: skip
