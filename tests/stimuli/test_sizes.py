"""Which extent is which: boxes, placements, grids and relative coordinates that are not square."""

import numpy as np
import pytest

from gaborscope.errors import InputError
from gaborscope.stimuli import centre_bias, colour, fixations, geometry
from gaborscope.stimuli.block import StimulusBlock
from gaborscope.stimuli.geometry import Box, Grid, Placement


def test_a_padded_box_stands_in_both_orientations_its_own_first():
    assert Box(32, 48).sizes == [(32, 48), (48, 32)]
    assert Box(40, 40).sizes == [(40, 40)]


def test_a_box_takes_what_its_entry_says():
    entry = {"height": 64, "width": 96, "fit": "nearest", "multiple": 8, "output": "logits"}
    assert Box.of(entry) == Box(64, 96, "nearest", 8)
    assert Box.of({"height": 64, "width": 96}) == Box(64, 96, "pad", 1)


def test_sizes_to_stretch_to_have_up_to_a_fifth_more_area():
    sizes = Box(64, 96, "nearest", 8).sizes
    assert sizes[0] == (64, 96) and len(set(sizes)) == len(sizes)
    # in units of 8 px: 8 x 12 = 96; sides from round(7/9 * 8) = 6 to round(13/12 * 12) = 13
    expected = {
        (8 * a, 8 * b) for a in range(6, 14) for b in range(6, 14) if 96 <= 1.08 * a * b <= 115.2
    }
    assert set(sizes[1:]) == expected - {(64, 96)} and (96, 64) in expected
    turned = Box(96, 64, "nearest", 8).sizes
    assert turned[0] == (96, 64) and set(turned) == set(sizes)


@pytest.mark.parametrize("size", [(40, 60), (60, 40), (50, 50), (30, 90), (90, 30)])
def test_the_nearest_size_is_that_of_the_nearest_aspect_and_is_filled(size):
    box = Box(64, 96, "nearest", 8)
    placed = geometry.place(size, box)
    aspect = size[1] / size[0]
    away = {s: abs(np.log(s[1] / s[0] / aspect)) for s in box.sizes}
    assert away[placed.input_size] == pytest.approx(min(away.values()))
    assert placed.valid == (0, 0, *placed.input_size)


def test_content_is_the_image_at_the_size_of_its_place():
    image = np.zeros((20, 30, 3), np.uint8)
    image[:10], image[:, 15:, 1] = 100, 200
    placed = geometry.place((20, 30), Box(32, 60))
    assert placed == Placement((32, 60), 0, 6, 32, 48)
    made = geometry.content(image, placed)
    assert made.shape == (32, 48, 3)
    assert made[2, 2].tolist() == [100, 100, 100] and made[30, 2].tolist() == [0, 0, 0]
    assert made[30, 45].tolist() == [0, 200, 0]


def test_shrinking_averages_and_enlarging_interpolates():
    ramp = np.tile(np.arange(8, dtype=np.float32), (4, 1))
    np.testing.assert_allclose(geometry.resize(ramp, (2, 4)), [[0.5, 2.5, 4.5, 6.5]] * 2)
    larger = geometry.resize(ramp, (4, 16))
    np.testing.assert_allclose(larger[0, 1:-1], np.arange(0.25, 7, 0.5))


def test_the_enlargement_is_the_median_over_stimuli_of_their_width_over_the_inputs():
    sizes = np.array([(64, 96), (32, 48), (320, 480)])
    assert geometry.enlargement(sizes, Box(32, 48)) == pytest.approx(2)


def test_cells_of_rows_and_columns_are_counted_each_with_their_own_stride():
    grid = Grid((10, 12), (4.0, 5.0), (1.0, 2.0))
    rows, columns = grid.cells(Placement((40, 60), 8, 10, 20, 31))
    # centres 9 ... 25 of rows 2 ... 6; 12 ... 37 of columns 2 ... 7
    assert (rows, columns) == (slice(2, 7), slice(2, 8))


@pytest.mark.parametrize(
    "left, extent, cell", [(13, 2, 1), (16, 2, 1), (18, 2, 2), (14, 8, 2), (13, 7, 1), (33, 6, 3)]
)
def test_content_without_a_centre_has_the_cell_nearest_to_its_middle(left, extent, cell):
    grid = Grid((1, 4), (50.0, 10.0), (5.0, 2.0))  # centres 2, 12, 22, 32
    _, columns = grid.cells(Placement((10, 40), 0, left, 10, extent))
    middle = left + (extent - 1) / 2
    assert columns == slice(cell, cell + 1)
    assert abs(2 + 10 * cell - middle) == min(abs(2 + 10 * c - middle) for c in range(4))


def test_a_box_narrower_than_a_pixel_is_one_pixel_wide():
    centres = (2.0, 4.5, 6.2)
    narrow, one = (geometry.sampling_matrix(9, centres, "box", width) for width in (0.3, 1.0))
    np.testing.assert_array_equal(narrow, one)
    np.testing.assert_allclose(one[1], [0, 0, 0, 0, 0.5, 0.5, 0, 0, 0])
    np.testing.assert_allclose(one[2], [0, 0, 0, 0, 0, 0, 0.8, 0.2, 0], atol=1e-7)


def test_gaussian_tails_below_a_ten_millionth_are_cut():
    (row,) = geometry.gaussian_matrix(np.arange(40.0), np.array([20.0]), 2.0)
    reach = 2 * np.sqrt(2 * np.log(1e7))
    inside = np.abs(np.arange(40) - 20) < reach
    assert (row[inside] > 0).all() and not row[~inside].any()


def test_names_of_sizes_have_the_height_first():
    assert geometry.size_name((32, 48)) == "32x48"


def test_middles_of_pixels_are_relative_to_width_and_height():
    found = centre_bias.relative(np.array([[0, 0], [9, 3]]), (4, 10))
    np.testing.assert_allclose(found, [[0.05, 0.125], [0.95, 0.875]])


def block_of(size, x, y):
    n = len(x)
    return StimulusBlock(
        names=["a"], paths=[""], sha256=["0" * 64], sizes=np.array([size]),
        x=np.asarray(x, np.float32), y=np.asarray(y, np.float32), stimulus=np.zeros(n, np.int32),
        subject=np.zeros(n, np.int32), facts={}, images=None,
    )  # fmt: skip


def test_the_centre_bias_is_as_wide_in_px_along_x_as_along_y(rng):
    size = (30, 60)
    block = block_of(size, rng.normal(30, 6, 200).clip(0, 59), rng.normal(15, 6, 200).clip(0, 29))
    other = block_of(size, rng.normal(30, 6, 200).clip(0, 59), rng.normal(15, 6, 200).clip(0, 29))
    other.names = ["b"]
    bias = centre_bias.centre_bias([block], [other], [0.05], 0.2)
    # 0.05 of the width of 60 px are 3 px, 0.1 of the height
    assert bias.sigma == pytest.approx((0.05, 0.1)) and bias.uniform_weight == 0.2
    assert bias.density(size).min() >= 0.2 / 1800


def test_the_centre_bias_is_fitted_on_the_one_split_and_chosen_on_the_other(rng):
    narrow = block_of((30, 60), np.full(50, 30.0), np.full(50, 15.0))
    wide = block_of((30, 60), rng.uniform(0, 59, 200), rng.uniform(0, 29, 200))
    wide.names = ["b"]
    bias = centre_bias.centre_bias([narrow], [wide], [0.03, 0.3], 0.01)
    assert bias.sigma[0] == 0.3
    y, x = np.unravel_index(bias.density((30, 60)).argmax(), (30, 60))
    assert abs(y - 14.5) <= 1 and abs(x - 29.5) <= 1  # all its fixations lie in the middle


def test_points_of_blocks_are_those_of_their_pixels_by_name():
    found = centre_bias.relative_points([block_of((4, 10), [9.4, 0.6], [3.4, 0.0])])
    np.testing.assert_allclose(found["a"], [[0.95, 0.875], [0.15, 0.125]])


@pytest.mark.parametrize("size", [(0, 5), (5, 0), (2.5, 5), (5, 2.5), (-3, 5)])
def test_a_size_that_is_not_whole_and_positive_is_refused(size):
    for function in (lambda: fixations.to_pixels([[0, 0]], size),
                     lambda: fixations.sigma_px(*size, {})):  # fmt: skip
        with pytest.raises(InputError, match="a size must be"):
            function()


def test_blocks_without_px_per_degree_blur_by_3_percent_of_the_width():
    block = block_of((40, 100), [30.0], [20.0])
    expected = fixations.density([[30, 20]], (40, 100), 3.0)
    np.testing.assert_allclose(fixations.observed_density(block, 0), expected)
    nobody = fixations.observed_density(block_of((4, 10), [], []), 0)
    np.testing.assert_allclose(nobody, np.full((4, 10), 1 / 40))


def test_gaussians_are_summed_with_a_width_for_each_axis():
    x, y = np.arange(7.0), np.arange(4.0)
    total = fixations.sum_of_gaussians(np.array([[5.0, 1.0], [2, 3]]), x, y, 2.0, 0.5)
    expected = sum(
        np.exp(-((x - cx) ** 2) / 8 - ((y[:, None] - cy) ** 2) / 0.5) for cx, cy in ((5, 1), (2, 3))
    )
    np.testing.assert_allclose(total, expected)


def test_channels_of_every_space_are_named_and_luminance_comes_first_but_for_rgb():
    assert colour.CHANNELS == {
        "yuv": ("Y", "U", "V"), "lab": ("L", "a", "b"), "dkl": ("L+M", "L-M", "S-(L+M)"),
        "rgb": ("R", "G", "B"),
    }  # fmt: skip
    grey, red, blue = (np.full((1, 1, 3), c, np.uint8) for c in (128, (200, 60, 60), (60, 60, 200)))
    for space in ("yuv", "lab", "dkl"):
        assert space in colour.LUMINANCE_FIRST
        luminance, *chroma = colour.to_opponent(grey, space).ravel()
        assert luminance > 0.1 and np.abs(chroma).max() < 1e-3
    assert "rgb" not in colour.LUMINANCE_FIRST
    assert colour.to_opponent(red, "lab")[1, 0, 0] > 0 > colour.to_opponent(blue, "lab")[2, 0, 0]
    assert colour.to_opponent(red, "dkl")[1, 0, 0] > 0 < colour.to_opponent(blue, "dkl")[2, 0, 0]
