"""Good transform sizes, mirror padding and planned transforms."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gaborscope.filters import fourier


def is_5_smooth(size):
    for prime in (2, 3, 5):
        while size % prime == 0:
            size //= prime
    return size == 1


@given(st.integers(1, 3000))
@settings(max_examples=60, deadline=None)
def test_a_good_size_is_the_smallest_5_smooth_one(minimum):
    size = fourier.good_size(minimum)
    assert size >= minimum
    assert is_5_smooth(size)
    assert not any(is_5_smooth(smaller) for smaller in range(minimum, size))


@pytest.mark.parametrize("shape", [(31, 47), (96, 128), (7, 100)])
def test_a_padded_shape_has_room_for_the_margin_on_both_sides(shape):
    padded = fourier.padded_shape(shape, 13)
    assert all(p >= s + 26 and is_5_smooth(p) for p, s in zip(padded, shape, strict=True))


def test_padding_repeats_the_edge_pixel_and_mirrors():
    padded, origin = fourier.mirror_pad(np.array([[1, 2, 3], [4, 5, 6]]), (2, 7))
    assert origin == (0, 2)
    np.testing.assert_array_equal(padded, [[2, 1, 1, 2, 3, 3, 2], [5, 4, 4, 5, 6, 6, 5]])


def test_an_image_of_the_padded_shape_is_copied():
    image = np.arange(6.0).reshape(2, 3)
    padded, origin = fourier.mirror_pad(image, (2, 3))
    assert origin == (0, 0)
    np.testing.assert_array_equal(padded, image)
    assert not np.shares_memory(padded, image)


def test_padding_wider_than_the_image_goes_on_mirroring():
    padded, (top, left) = fourier.mirror_pad(np.arange(6).reshape(2, 3), (12, 18))
    assert (top, left) == (5, 7)
    # with its mirror image a line repeats after twice its length
    np.testing.assert_array_equal(padded[:8], padded[4:])
    np.testing.assert_array_equal(padded[:, :12], padded[:, 6:])


@pytest.mark.parametrize("precision, tolerance", [("single", 1e-6), ("double", 1e-13)])
def test_filtering_by_one_returns_the_image(precision, tolerance):
    image = np.random.default_rng(0).standard_normal((13, 20))
    transform = fourier.Transform(image.shape, precision)
    transform.analyse(image)
    (response,) = transform.filtered(transform.prepare(np.ones((1, *image.shape))))
    # a round trip loses a few units in the last place of the image's largest value
    np.testing.assert_allclose(response, image, atol=tolerance * np.abs(image).max() * 3)


def test_a_transform_is_planned_once_for_a_shape():
    assert fourier.transform((9, 15)) is fourier.transform((9, 15))
    assert fourier.transform((9, 15)) is not fourier.transform((9, 15), "double")


@pytest.mark.parametrize("block", [1, 3])
@pytest.mark.parametrize("shape", [(12, 20), (15, 27), (16, 9)])
def test_columns_that_no_filter_passes_are_left_out_without_a_trace(shape, block):
    rng = np.random.default_rng(0)
    image = rng.standard_normal(shape)
    gains = rng.uniform(0, 2, (4, block, *shape))
    gains[0, :, :, shape[1] // 2 + 1 :] = 0  # one side of the spectrum
    gains[1, :, :, : shape[1] // 2 + 1] = 0  # the other
    gains[2] = 0
    transform = fourier.Transform(shape, "double", block)
    transform.analyse(image)
    prepared = [transform.prepare(part) for part in gains]
    for index in (3, 0, 1, 3, 2, 0):  # values left by one block must not reach the next
        expected = np.fft.ifft2(np.fft.fft2(image) * gains[index])
        np.testing.assert_allclose(transform.filtered(prepared[index]), expected, atol=1e-14)


@pytest.mark.parametrize("seed", range(5))
def test_values_of_an_earlier_block_never_reach_a_later_one(seed):
    rng = np.random.default_rng(seed)
    image, transform = rng.standard_normal((6, 100)), fourier.Transform((6, 100), "double")
    transform.analyse(image)
    for _ in range(12):  # each leaves out other columns, now and then all or none
        first, stop = np.sort(rng.integers(0, 101, 2))
        gains = rng.uniform(0, 2, (1, 6, 100))
        gains[..., first:stop] = 0
        expected = np.fft.ifft2(np.fft.fft2(image) * gains)
        found = transform.filtered(transform.prepare(gains))
        np.testing.assert_allclose(found, expected, atol=1e-13)


@pytest.mark.parametrize("precision, itemsize", [("single", 8), ("double", 16)])
@pytest.mark.parametrize("height", [12, 224, 256])
def test_lines_lie_an_odd_number_of_cache_lines_apart(height, precision, itemsize):
    stride = fourier.Transform((height, 10), precision).line_stride
    assert stride >= height * itemsize
    assert stride % 128 == 64


def test_half_a_spectrum_costs_half_the_lines():
    gains = np.ones((1, 20, 64))
    gains[..., 30:] = 0
    prepared = fourier.Transform((20, 64)).prepare(gains)
    assert prepared.parts == [slice(0, 32)]
    assert [step[1].shape for step in prepared.steps] == [(1, 32, 40)]


@pytest.mark.parametrize("shape, size", [((28, 40), 8), ((56, 80), 4), ((224, 320), 1)])
def test_small_images_are_filtered_in_larger_blocks(shape, size):
    assert fourier.block_size(shape, 8) == size


@given(st.integers(1, 60), st.integers(1, 60), st.integers(1, 24))
@settings(max_examples=60, deadline=None)
def test_a_block_divides_the_filters_that_may_share_it(height, width, n_filters):
    assert n_filters % fourier.block_size((height, width), n_filters) == 0


def test_measured_plans_differ_by_rounding_alone():
    image = np.random.default_rng(0).standard_normal((24, 30))
    gains = np.random.default_rng(1).uniform(0, 2, (2, 24, 30))
    responses = []
    for planning in ("estimate", "measure"):
        transform = fourier.Transform(image.shape, "single", 2, planning)
        transform.analyse(image)
        responses.append(transform.filtered(transform.prepare(gains)).copy())
    np.testing.assert_allclose(responses[1], responses[0], atol=1e-6 * np.abs(responses[0]).max())


def test_plans_by_estimate_give_equal_bytes_whatever_was_measured_before():
    image = np.random.default_rng(0).standard_normal((48, 60))
    gains = np.random.default_rng(1).uniform(0, 2, (1, 48, 60))
    responses = []
    for planning in ("estimate", "measure", "estimate"):
        transform = fourier.Transform(image.shape, "single", 1, planning)
        transform.analyse(image)
        responses.append(transform.filtered(transform.prepare(gains)).tobytes())
    assert responses[0] == responses[2]
