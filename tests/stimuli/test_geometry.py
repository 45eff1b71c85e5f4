"""Placement in the input box, grids of layers, and sampling on them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gaborscope.stimuli import geometry
from gaborscope.stimuli.geometry import Grid, Placement, place, sampling_matrix

SIDES = st.integers(1, 3000)
BOXES = st.tuples(st.integers(16, 400), st.integers(16, 400))


@given(SIDES, SIDES, BOXES)
@settings(max_examples=150, deadline=None)
def test_content_never_leaves_the_box(height, width, box):
    p = place((height, width), box)
    assert p.top >= 0 and p.left >= 0 and p.height >= 1 and p.width >= 1
    assert p.top + p.height <= p.input_size[0]
    assert p.left + p.width <= p.input_size[1]


@given(SIDES, SIDES, BOXES)
@settings(max_examples=150, deadline=None)
def test_content_is_as_large_as_fits_and_keeps_its_aspect(height, width, box):
    p = place((height, width), box)
    assert p.height == p.input_size[0] or p.width == p.input_size[1]
    ratio = min(p.input_size[0] / height, p.input_size[1] / width)
    # whole pixels, at least one
    assert abs(p.height - height * ratio) <= 0.5 or p.height == 1
    assert abs(p.width - width * ratio) <= 0.5 or p.width == 1


@given(SIDES, SIDES, BOXES)
@settings(max_examples=100, deadline=None)
def test_a_turned_stimulus_is_placed_as_the_turned_placement(height, width, box):
    if height == width:
        return
    p, turned = place((height, width), box), place((width, height), box)
    assert turned.input_size == p.input_size[::-1]
    assert (turned.height, turned.width) == (p.width, p.height)
    assert (turned.top, turned.left) == (p.left, p.top)


def test_a_portrait_stimulus_fills_the_box_turned_upright():
    assert place((800, 600), (96, 128)) == Placement((128, 96), 0, 0, 128, 96)


def test_padding_is_shared_by_both_sides():
    assert place((100, 400), (96, 128)).valid == (32, 0, 32, 128)


def test_stimuli_are_grouped_by_the_input_size_they_need():
    groups = geometry.group_by_input([(60, 80), (80, 60), (30, 31)], (48, 64))
    assert {size: [index for index, _ in group] for size, group in groups.items()} == {
        (48, 64): [0, 2],
        (64, 48): [1],
    }


def test_an_image_of_the_right_size_is_not_resized():
    image = np.zeros((5, 7, 3), np.uint8)
    assert geometry.resize(image, (5, 7)) is image


def test_shrinking_by_a_whole_number_averages_areas():
    image = np.random.default_rng(0).integers(0, 256, (6, 9, 3), dtype=np.uint8)
    expected = image.reshape(2, 3, 3, 3, 3).mean(axis=(1, 3))
    # rounded to whole grey values
    np.testing.assert_allclose(geometry.resize(image, (2, 3)), expected, atol=0.51)


def test_cells_are_those_whose_centre_lies_in_the_content():
    grid = Grid((6, 8), (8.0, 8.0), (3.5, 3.5))  # centres 3.5, 11.5, ...
    rows, columns = grid.cells(Placement((48, 64), 13, 0, 20, 64))
    assert (rows, columns) == (slice(2, 4), slice(0, 8))  # 19.5 and 27.5 lie in 13..32


@pytest.mark.parametrize("top, first", [(12, 1), (13, 2)])
def test_a_centre_on_the_border_of_two_pixels_belongs_to_the_later_one(top, first):
    # the centre of cell 1 is 11.5, the border of pixels 11 and 12
    rows, _ = Grid((6, 8), (8.0, 8.0), (3.5, 3.5)).cells(Placement((48, 64), top, 0, 20, 64))
    assert rows.start == first


def test_content_between_two_cells_has_the_nearest():
    rows, _ = Grid((3, 4), (16.0, 16.0), (0.0, 0.0)).cells(Placement((48, 64), 20, 0, 4, 64))
    assert rows == slice(1, 2)


def test_a_gaussian_narrower_than_a_pixel_takes_the_nearest_ones():
    row = sampling_matrix(3, (1.5,), "gaussian", 0.25)[0]
    np.testing.assert_allclose(row, [0, 0.5, 0.5], atol=1e-7)


@given(
    st.integers(1, 60),
    st.lists(st.floats(-20, 80), min_size=1, max_size=6),
    st.sampled_from(["point", "box", "gaussian"]),
    st.floats(0.1, 90),
)
@settings(max_examples=100, deadline=None)
def test_rows_sum_to_one_and_are_not_negative(n, centres, pool, width):
    matrix = sampling_matrix(n, tuple(centres), pool, width)
    assert matrix.shape == (len(centres), n)
    assert matrix.min() >= 0
    # float32 rounding of up to 60 weights
    np.testing.assert_allclose(matrix.sum(axis=1), 1, atol=1e-5)


def test_point_sampling_at_whole_pixels_picks_them():
    np.testing.assert_array_equal(
        sampling_matrix(7, (0.0, 3.0, 6.0), "point", 1.0), np.eye(7)[[0, 3, 6]]
    )


def test_point_sampling_between_pixels_interpolates():
    np.testing.assert_allclose(sampling_matrix(4, (1.25,), "point", 1.0), [[0, 0.75, 0.25, 0]])


@pytest.mark.parametrize("width, centre", [(1, 10), (3, 10), (5, 10), (2, 10.5), (4, 9.5)])
def test_a_box_averages_as_many_pixels_as_it_is_wide(width, centre):
    row = sampling_matrix(21, (float(centre),), "box", float(width))[0]
    inside = np.abs(np.arange(21) - centre) < width / 2
    np.testing.assert_allclose(row, inside / width, atol=1e-7)


def test_a_box_cut_by_the_edge_is_renormalised():
    np.testing.assert_allclose(sampling_matrix(6, (0.0,), "box", 5.0)[0], [1 / 3] * 3 + [0] * 3)


@pytest.mark.parametrize("width", [3.0, 6.5, 12.0])
@pytest.mark.parametrize("centre", [50.0, 50.3])
def test_a_gaussian_has_the_variance_of_the_box(width, centre):
    row = sampling_matrix(101, (centre,), "gaussian", width)[0].astype(float)
    pixels = np.arange(101)
    assert row @ pixels == pytest.approx(centre, abs=1e-3)
    # sampled at whole pixels, and its tails below 1e-7 are dropped
    assert row @ (pixels - centre) ** 2 == pytest.approx(width**2 / 12, rel=1e-3)


def test_an_unknown_pooling_is_named():
    with pytest.raises(ValueError, match="'max'"):
        sampling_matrix(4, (1.0,), "max", 2.0)


def test_layer_sampling_counts_pixels_from_the_content():
    grid = Grid((6, 8), (8.0, 8.0), (4.0, 4.0))
    along_y, along_x = geometry.layer_sampling(grid, Placement((48, 64), 10, 3, 30, 50), "point", 1)
    # centres 12, 20, 28, 36 less the 10 px above the content; 4, 12, ... less 3 px
    np.testing.assert_array_equal(along_y.argmax(axis=1), [2, 10, 18, 26])
    np.testing.assert_array_equal(along_x.argmax(axis=1), [1, 9, 17, 25, 33, 41, 49])


@pytest.mark.parametrize("factor, expected", [(1, (5, 9)), (2, (3, 5)), (4, (2, 3))])
def test_a_partial_cell_is_kept_when_cells_are_averaged(factor, expected):
    assert geometry.pooled_shape((5, 9), factor) == expected
