"""Quantities of a map that several metrics share."""

import numpy as np
import pytest

from gaborscope.errors import InputError
from gaborscope.scoring import metrics
from gaborscope.scoring import prepared_map as prepared_module
from gaborscope.scoring.prepared_map import prepare


def test_counts_agree_with_comparing_every_pixel():
    rng = np.random.default_rng(2)
    for saliency_map in (
        rng.random((31, 47)),
        np.exp(20 * rng.standard_normal((31, 47))),  # nearly all pixels share the lowest bin
        rng.integers(0, 5, (31, 47)).astype(float),
        1e9 + rng.random((31, 47)),
    ):
        prepared = prepare(saliency_map)
        thresholds = np.concatenate([rng.choice(saliency_map.ravel(), 20), [saliency_map.max()]])
        above, at_or_above = prepared.count_above(thresholds)
        np.testing.assert_array_equal(above, [(saliency_map > t).sum() for t in thresholds])
        np.testing.assert_array_equal(at_or_above, [(saliency_map >= t).sum() for t in thresholds])


def test_counts_of_unit_thresholds_agree_with_comparing_every_pixel():
    saliency_map = np.random.default_rng(3).integers(0, 41, (31, 47)).astype(float)
    thresholds = np.arange(10, 0, -1) * 0.1
    _, at_or_above = prepare(saliency_map).count_above(thresholds, scale="unit")
    unit = (saliency_map - saliency_map.min()) / np.ptp(saliency_map)
    np.testing.assert_array_equal(at_or_above, [(unit >= t).sum() for t in thresholds])


def test_maps_with_more_pixels_than_float32_counts_are_counted_too(monkeypatch):
    saliency_map = np.random.default_rng(5).random((31, 47))
    thresholds = saliency_map[::7, 3]
    expected = prepare(saliency_map).count_above(thresholds)
    monkeypatch.setattr(prepared_module, "EXACT_IN_FLOAT32", 1)
    counts = prepare(saliency_map).count_above(thresholds)
    for counted, right in zip(counts, expected, strict=True):
        np.testing.assert_array_equal(counted, right)


@pytest.mark.parametrize("scale", [1e-300, 1e-120, 1e150, 1e290])
@pytest.mark.parametrize("preset", metrics.METRICS)
def test_scores_do_not_depend_on_the_scale_of_a_map_however_extreme(scale, preset):
    rng = np.random.default_rng(6)
    saliency_map, density, baseline = rng.random((3, 31, 47)) + 0.1
    points = rng.integers(0, 31, (3, 20, 2))
    rest = (points[0], density, points[1], baseline, preset)
    expected = metrics.score(saliency_map, *rest)
    assert metrics.score(scale * saliency_map, *rest) == pytest.approx(expected, abs=1e-9)


def test_passes_agree_with_whole_array_arithmetic():
    saliency_map = np.random.default_rng(4).standard_normal((150, 211))  # more than one block
    prepared = prepare(saliency_map)
    unit = ((saliency_map - saliency_map.min()) / np.ptp(saliency_map)).ravel()
    everything = slice(None)
    assert sum(len(prepared.values[block]) for block in prepared.blocks()) == saliency_map.size
    np.testing.assert_allclose(prepared.unit(everything), unit, rtol=1e-13)
    centred = saliency_map.ravel() - saliency_map.mean()
    np.testing.assert_allclose(prepared.centred(everything), centred, atol=1e-13)
    np.testing.assert_allclose(prepared.density(everything), unit / unit.sum(), rtol=1e-12)
    np.testing.assert_allclose(prepared.unit_density(everything), unit / unit.sum(), rtol=1e-12)
    assert prepared.norm == pytest.approx(np.linalg.norm(centred), rel=1e-12)


def test_a_positive_map_keeps_its_offset_in_its_density_but_not_in_its_unit_density():
    prepared = prepare(np.array([[1.0, 2.0, 3.0]]))
    np.testing.assert_allclose(prepared.density(slice(None)), [1 / 6, 1 / 3, 1 / 2])
    np.testing.assert_allclose(prepared.unit_density(slice(None)), [0, 1 / 3, 2 / 3])


@pytest.mark.parametrize("value", [0, 3, -2])
def test_a_constant_map_is_uniform(value):
    prepared = prepare(np.full((2, 5), value))
    assert prepared.constant
    np.testing.assert_allclose(prepared.density(slice(None)), 0.1)
    np.testing.assert_allclose(prepared.unit_density(slice(None)), 0.1)


def test_a_prepared_map_is_prepared_already():
    prepared = prepare(np.eye(2, 3))
    assert prepare(prepared) is prepared


@pytest.mark.parametrize("name", ["density", "baseline"])
def test_a_negative_truth_is_named(name):
    with pytest.raises(InputError, match=f"the {name} has negative values .minimum -0.5"):
        prepare(np.array([[1, -0.5]]), name)
