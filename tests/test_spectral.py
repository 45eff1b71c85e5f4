"""Good transform sizes, mirror padding and planned transforms."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gaborscope import spectral


def is_5_smooth(size):
    for prime in (2, 3, 5):
        while size % prime == 0:
            size //= prime
    return size == 1


@given(st.integers(1, 3000))
@settings(max_examples=60, deadline=None)
def test_a_good_size_is_the_smallest_5_smooth_one(minimum):
    size = spectral.good_size(minimum)
    assert size >= minimum
    assert is_5_smooth(size)
    assert not any(is_5_smooth(smaller) for smaller in range(minimum, size))


@pytest.mark.parametrize("shape", [(31, 47), (96, 128), (7, 100)])
def test_a_padded_shape_has_room_for_the_margin_on_both_sides(shape):
    padded = spectral.padded_shape(shape, 13)
    assert all(p >= s + 26 and is_5_smooth(p) for p, s in zip(padded, shape, strict=True))


def test_padding_repeats_the_edge_pixel_and_mirrors():
    padded, origin = spectral.mirror_pad(np.array([[1, 2, 3], [4, 5, 6]]), (2, 7))
    assert origin == (0, 2)
    np.testing.assert_array_equal(padded, [[2, 1, 1, 2, 3, 3, 2], [5, 4, 4, 5, 6, 6, 5]])


def test_padding_wider_than_the_image_goes_on_mirroring():
    padded, (top, left) = spectral.mirror_pad(np.arange(6).reshape(2, 3), (12, 18))
    assert (top, left) == (5, 7)
    # with its mirror image a line repeats after twice its length
    np.testing.assert_array_equal(padded[:8], padded[4:])
    np.testing.assert_array_equal(padded[:, :12], padded[:, 6:])


@pytest.mark.parametrize("precision, tolerance", [("single", 1e-6), ("double", 1e-13)])
def test_filtering_by_one_returns_the_image(precision, tolerance):
    image = np.random.default_rng(0).standard_normal((13, 20))
    transform = spectral.Transform(image.shape, precision)
    transform.analyse(image)
    response = transform.filtered(np.full(image.shape, 1 / image.size))
    # a round trip loses a few units in the last place of the image's largest value
    np.testing.assert_allclose(response, image, atol=tolerance * np.abs(image).max() * 3)


def test_a_transform_is_planned_once_for_a_shape():
    assert spectral.transform((9, 15)) is spectral.transform((9, 15))
    assert spectral.transform((9, 15)) is not spectral.transform((9, 15), "double")
