"""Where densities end: bounds that are taken or refused, mixtures, sizes that are not square."""

import math

import cv2
import numpy as np
import pytest

from gaborscope.errors import InputError
from gaborscope.stimuli import densities

SIZE = (3, 5)


@pytest.fixture
def logits(rng):
    return rng.normal(0, 2, SIZE)


@pytest.mark.parametrize("weight", [0.0, 1e-9, 0.3, 1.0])
@pytest.mark.parametrize("kind", ["density", "unit", "logits"])
def test_a_mixture_is_the_pure_density_and_the_uniform_by_their_weights(rng, kind, weight):
    values = rng.uniform(0.1, 1, SIZE)
    pure = np.exp(values) if kind == "logits" else values
    expected = (1 - weight) * pure / pure.sum() + weight / 15
    np.testing.assert_allclose(densities.to_density(values, kind, weight), expected, rtol=1e-12)
    logarithm = densities.to_log_density(values, kind, weight)
    np.testing.assert_allclose(logarithm, np.log(expected), rtol=1e-12)


@pytest.mark.parametrize("kind", ["density", "unit", "logits"])
def test_weights_of_0_and_1_are_taken(kind):
    values = np.array([[0.0, 1.0]])
    assert densities.to_density(values, kind, 1).tolist() == [[0.5, 0.5]]
    assert densities.to_density(values, kind, 0).sum() == pytest.approx(1)


@pytest.mark.parametrize("weight", [-1e-9, 1 + 1e-9, math.nan])
@pytest.mark.parametrize("function", [densities.to_density, densities.to_log_density])
def test_weights_beyond_0_and_1_are_refused(function, weight):
    with pytest.raises(InputError, match="uniform_weight must be between 0 and 1, got"):
        function(np.ones(SIZE), "density", weight)


def test_a_unit_map_may_reach_0_and_1_and_nothing_beyond():
    assert densities.to_density(np.array([[0.0, 1.0]]), "unit", 0).tolist() == [[0, 1]]
    for values in ([[0.0, 1.0000001]], [[-1e-7, 1.0]]):
        with pytest.raises(InputError, match="kind 'unit'"):
            densities.to_density(np.array(values), "unit", 0)


@pytest.mark.parametrize("kind", ["density", "log_density", "logits"])
def test_other_kinds_may_exceed_1_and_logarithms_may_be_negative(kind):
    values = np.array([[3.0, 4.0]]) if kind != "log_density" else np.log([[0.25, 0.75]])
    assert densities.to_density(values, kind, 0).sum() == pytest.approx(1)


@pytest.mark.parametrize(
    "error, taken", [(9e-4, True), (-9e-4, True), (2e-3, False), (-2e-3, False)]
)
def test_a_log_density_sums_to_1_within_a_thousandth(logits, error, taken):
    values = logits - densities.log_sum_exp(logits) + math.log1p(error)
    if taken:
        density = densities.to_density(values, "log_density", 0)
        np.testing.assert_allclose(density, np.exp(values) / (1 + error))
        logarithm = densities.to_log_density(values, "log_density", 0)
        np.testing.assert_allclose(logarithm, np.log(density))
    else:
        with pytest.raises(InputError, match="must sum to 1.*of kind 'logits'"):
            densities.to_density(values, "log_density", 0)


def test_the_logarithm_of_a_sum_is_that_of_the_sum(logits):
    assert densities.log_sum_exp(logits) == pytest.approx(np.log(np.exp(logits).sum()))
    assert densities.log_sum_exp(np.full(SIZE, 1000.0)) == pytest.approx(1000 + math.log(15))


def test_maps_are_resized_in_height_and_width(rng):
    values = rng.random((4, 6))
    resized = densities.resize_bilinear(values, (8, 3))
    assert resized.shape == (8, 3)
    np.testing.assert_allclose(resized, cv2.resize(values, (3, 8)))
    assert densities.resize_bilinear(values, (4, 6)) is values


@pytest.mark.parametrize("size", [(0, 5), (5, 0), (-1, 5)])
def test_a_size_of_no_pixels_is_refused(size):
    with pytest.raises(InputError, match="size must be"):
        densities.resize_bilinear(np.ones(SIZE), size)
    assert densities.resize_bilinear(np.ones(SIZE), (1, 1)).shape == (1, 1)


@pytest.mark.parametrize("kind", ["log_density", "logits"])
def test_logarithms_of_a_network_are_resized_as_logarithms(logits, kind):
    values = logits - densities.log_sum_exp(logits)
    found = densities.of_network(values, kind, (6, 4), 0.1)
    resized = np.exp(cv2.resize(values, (4, 6)))
    expected = 0.9 * resized / resized.sum() + 0.1 / 24
    np.testing.assert_allclose(np.exp(found), expected)


@pytest.mark.parametrize("kind", ["density", "unit"])
def test_maps_of_a_network_are_resized_as_maps(rng, kind):
    values = rng.random(SIZE)
    found = densities.of_network(values, kind, (6, 4), 0.1)
    resized = cv2.resize(values, (4, 6))
    np.testing.assert_allclose(np.exp(found), 0.9 * resized / resized.sum() + 0.1 / 24)


@pytest.mark.parametrize("shape", [(0, 4), (4, 0), (3,), (2, 2, 2)])
def test_what_is_no_map_of_pixels_is_refused(shape):
    with pytest.raises(InputError, match="must have the shape"):
        densities.to_density(np.ones(shape), "density", 0)


def test_the_first_value_that_is_not_finite_is_said_with_their_number():
    values = np.array([[1, -math.inf, 2], [math.nan, 3, 4]])
    with pytest.raises(InputError, match="holds -inf at 2 of 6 pixels"):
        densities.to_density(values, "logits", 0)


def test_a_map_that_is_given_stays_as_it_was(rng):
    values = rng.random(SIZE)
    before = values.copy()
    for kind in ("density", "unit", "logits"):
        densities.to_density(values, kind, 0.5)
        densities.to_log_density(values, kind, 0.5)
    np.testing.assert_array_equal(values, before)


@pytest.mark.parametrize("dtype", [np.uint8, np.int64, np.float16, np.float32, ">f8"])
def test_maps_of_any_type_are_computed_in_double_precision(rng, dtype):
    values = rng.integers(0, 2, SIZE).astype(dtype)
    assert values.any() and not values.all()
    for kind in ("density", "unit", "logits"):
        for function in (densities.to_density, densities.to_log_density):
            found = function(values, kind, 0.3)
            assert found.dtype == np.float64
            np.testing.assert_array_equal(found, function(values.astype(float), kind, 0.3))


def test_float32_logits_lose_nothing_beyond_their_own_rounding():
    values = np.linspace(-20, 20, 1000, dtype=np.float32).reshape(20, 50)
    exact = values.astype(float) - np.log(np.exp(values.astype(float)).sum())
    np.testing.assert_allclose(densities.to_log_density(values, "logits", 0), exact, rtol=1e-13)
    resized = densities.resize_log_density(values, (20, 50))
    np.testing.assert_allclose(resized, exact, rtol=1e-13)
