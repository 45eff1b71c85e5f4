"""From any predictor's output to a density."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gaborscope.errors import InputError
from gaborscope.stimuli import densities


@pytest.fixture
def density():
    values = np.random.default_rng(0).random((7, 11))
    return values / values.sum()


def test_the_same_density_comes_of_every_kind(density):
    kinds = {
        "density": 5 * density,
        "unit": density / density.max(),
        "log_density": np.log(density),
        "logits": np.log(density) + 1234,
    }
    for kind, values in kinds.items():
        pure = densities.to_density(values, kind, 0)
        np.testing.assert_allclose(pure, density, rtol=1e-12, err_msg=kind)
        logarithm = densities.to_log_density(values, kind, 0.1)
        expected = np.log(0.9 * density + 0.1 / density.size)
        np.testing.assert_allclose(logarithm, expected, rtol=1e-12, err_msg=kind)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32), st.sampled_from(["density", "logits", "unit"]), st.floats(1e-6, 1))
def test_a_mixed_density_is_positive_and_sums_to_1(seed, kind, weight):
    rng = np.random.default_rng(seed)
    values = np.where(rng.random((7, 11)) > 0.5, rng.random((7, 11)), 0)
    mixed = densities.to_density(values, kind, weight)
    assert mixed.dtype == np.float64
    assert mixed.min() >= weight / 77 * (1 - 1e-12)
    assert mixed.sum() == pytest.approx(1, abs=1e-12)
    logarithm = densities.to_log_density(values, kind, weight)
    np.testing.assert_allclose(np.exp(logarithm), mixed, rtol=1e-10)


def test_extreme_logits_neither_overflow_nor_lose_their_logarithm():
    logits = np.array([[1e4, 0.0, -1e4]])
    np.testing.assert_array_equal(densities.to_density(logits, "logits", 0), [[1, 0, 0]])
    logarithm = densities.to_log_density(logits, "logits", 0)
    np.testing.assert_allclose(logarithm, [[0, -1e4, -2e4]], atol=1e-9)


def test_huge_values_do_not_overflow_their_sum():
    uniform = densities.to_density(np.full((2, 3), 1e308), "density", 0)
    np.testing.assert_allclose(uniform, 1 / 6)


def test_a_map_of_zeros_is_uniform():
    np.testing.assert_allclose(densities.to_density(np.zeros((2, 3)), "unit", 0.2), 1 / 6)


def test_a_uniform_weight_of_1_forgets_the_map(density):
    for kind in ("density", "logits"):
        logarithm = densities.to_log_density(density, kind, 1)
        np.testing.assert_allclose(logarithm, -math.log(77), rtol=1e-14)


def test_a_density_with_zeros_has_no_logarithm_unmixed():
    with pytest.raises(InputError, match="0 at 1 pixels"):
        densities.to_log_density(np.array([[0.0, 1, 1]]), "density", 0)


@pytest.mark.parametrize(
    ("values", "kind", "weight", "text"),
    [
        ([[1, math.nan]], "density", 0, "holds nan at 1 of 2"),
        ([[1, math.inf]], "logits", 0, "holds inf"),
        ([[0, -math.inf]], "log_density", 0, "holds -inf"),
        ([[1, -0.1]], "density", 0, "minimum is -0.1"),
        ([[1, -0.1]], "unit", 0, "minimum is -0.1"),
        ([[0, 255]], "unit", 0, "maximum is 255"),
        ([[0, 0]], "log_density", 0, "must sum to 1, not to 2"),
        ([[2000, 0]], "log_density", 0, "must sum to 1"),
        ([0, 1], "density", 0, "shape"),
        ([[0, 1]], "heat", 0, "unknown kind of saliency map 'heat'"),
        ([[0, 1]], "density", 1.5, "between 0 and 1, got 1.5"),
    ],
)
def test_what_is_no_density_raises(values, kind, weight, text):
    for function in (densities.to_density, densities.to_log_density):
        with pytest.raises(InputError, match=text):
            function(values, kind, weight)


def test_a_log_density_of_the_right_size_is_left_alone(density):
    resized = densities.resize_log_density(np.log(density), (7, 11))
    np.testing.assert_allclose(resized, np.log(density), atol=1e-14)


@pytest.mark.parametrize("size", [(14, 22), (21, 11), (3, 5)])
def test_a_resized_log_density_sums_to_1(density, size):
    resized = densities.resize_log_density(np.log(density), size)
    assert resized.shape == size
    assert resized.dtype == np.float64
    assert np.exp(resized).sum() == pytest.approx(1, abs=1e-12)


def test_a_resized_linear_log_density_stays_linear_inside():
    ramp = np.tile(np.arange(8.0), (4, 1))
    resized = densities.resize_log_density(ramp, (8, 24))
    # pixel centres: column j lies at (j + 0.5) / 3 - 0.5 of the small map
    np.testing.assert_allclose(np.diff(resized[:, 1:-1], axis=1), 1 / 3, atol=1e-12)
