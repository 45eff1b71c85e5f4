"""Points, pixels, fixation maps and fixation densities."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gaborscope.errors import InputError
from gaborscope.stimuli import fixations

SIZE = (7, 11)  # height, width


@pytest.mark.parametrize(
    ("value", "pixel"),
    [(-0.5, 0), (0, 0), (0.49, 0), (0.5, 1), (1.5, 2), (2.5, 3), (10.4, 10), (10.99, 10)],
)
def test_pixel_is_the_floor_of_half_a_pixel_more(value, pixel):
    assert fixations.to_pixels([[value, 2]], SIZE).tolist() == [[pixel, 2]]


@pytest.mark.parametrize(
    "point", [(-0.51, 0), (11, 0), (0, 7), (0, -1), (math.nan, 0), (0, math.inf)]
)
def test_a_point_outside_the_stimulus_is_named(point):
    with pytest.raises(InputError, match=f"x = {point[0]:g}, y = {point[1]:g} lies outside"):
        fixations.to_pixels([(1, 1), point], SIZE)


def test_no_points_are_no_pixels():
    assert fixations.to_pixels([], SIZE).shape == (0, 2)


def test_points_of_another_shape_raise():
    with pytest.raises(InputError, match="shape"):
        fixations.to_pixels([[1, 2, 3]], SIZE)


def test_fixation_map_counts_repeated_fixations():
    counts = fixations.fixation_map([[10, 0], [3, 6], [10, 0]], SIZE)
    assert counts.shape == SIZE
    assert counts[0, 10] == 2
    assert counts[6, 3] == 1
    assert counts.sum() == 3


def test_density_is_the_sum_of_gaussians_at_every_pixel():
    points, sigma = np.array([[2, 5], [10, 0], [2, 5]]), 1.7
    y, x = np.indices(SIZE)
    expected = sum(np.exp(-((x - px) ** 2 + (y - py) ** 2) / (2 * sigma**2)) for px, py in points)
    expected /= expected.sum()
    np.testing.assert_allclose(fixations.density(points, SIZE, sigma), expected, rtol=1e-13)


def test_density_is_the_blurred_fixation_map():
    ndimage = pytest.importorskip("scipy.ndimage")
    points = np.random.default_rng(0).integers(0, (61, 43), (20, 2))
    blurred = ndimage.gaussian_filter(
        fixations.fixation_map(points, (43, 61)).astype(float), 3, mode="constant", truncate=9
    )
    density = fixations.density(points, (43, 61), 3)
    # the filter is cut at 9 sigma, where the Gaussian is 3e-18 of its peak
    np.testing.assert_allclose(density, blurred / blurred.sum(), atol=1e-15)


def test_density_of_points_is_that_of_their_pixels():
    density = fixations.density([[2.6, 4.4]], SIZE, 2.0)
    np.testing.assert_array_equal(density, fixations.density([[3, 4]], SIZE, 2.0))


def test_density_of_far_fixations_underflows_without_nan():
    density = fixations.density([[0, 0]], (50, 3000), 1.0)
    assert np.isfinite(density).all()
    assert density[-1, -1] == 0


def test_no_fixations_have_no_density():
    with pytest.raises(InputError, match="without fixations"):
        fixations.density(np.zeros((0, 2)), SIZE, 2.0)


@pytest.mark.parametrize("sigma", [0, -1, math.nan, math.inf])
def test_a_sigma_that_is_not_positive_raises(sigma):
    with pytest.raises(InputError, match="sigma_px must be a positive"):
        fixations.density([[0, 0]], SIZE, sigma)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32), st.floats(0.05, 50))
def test_density_sums_to_1_and_is_not_negative(seed, sigma):
    points = np.random.default_rng(seed).integers(0, (11, 7), (5, 2))
    density = fixations.density(points, SIZE, sigma)
    assert density.min() >= 0
    assert density.sum() == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize(
    ("facts", "value", "reason"),
    [
        ({"px_per_degree": 24, "sigma_px": 30}, 24, "1 degree"),
        ({"px_per_degree": None, "sigma_px": 30}, 30, "stated by the data set"),
        ({"px_per_degree": math.nan, "sigma_px": 30}, 30, "stated by the data set"),
        ({}, 24, "3 % of the width of 800 px"),
    ],
)
def test_sigma_says_where_it_is_from(facts, value, reason):
    sigma, sentence = fixations.sigma_px(600, 800, facts)
    assert sigma == value
    assert reason in sentence


def test_a_negative_px_per_degree_raises():
    with pytest.raises(InputError, match="px_per_degree must be a positive"):
        fixations.sigma_px(600, 800, {"px_per_degree": -3})
