"""Uniform and centre bias."""

import dataclasses
import math

import numpy as np
import pytest
from helpers import make_block

from gaborscope.errors import InputError
from gaborscope.stimuli import centre_bias as centre_biases
from gaborscope.stimuli import fixations
from gaborscope.stimuli.centre_bias import GRID, CentreBias, relative, select_sigma, uniform

SIZE = (30, 43)  # height, width


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def test_uniform_has_the_same_value_everywhere():
    np.testing.assert_array_equal(uniform((4, 5)), np.full((4, 5), 0.05))


def test_relative_coordinates_put_the_middle_pixel_in_the_middle():
    points = relative([[3, 1], [0, 0]], (3, 7))
    np.testing.assert_allclose(points, [[0.5, 0.5], [1 / 14, 1 / 6]])


def test_centre_bias_on_its_own_grid_is_the_sum_of_gaussians(rng):
    points = rng.random((7, 2))
    bias = CentreBias({"a": points[:3], "b": points[3:]}, (0.1, 0.15), 0)
    y, x = (np.indices(GRID) + 0.5) / np.array(GRID)[:, None, None]
    expected = sum(
        np.exp(-0.5 * (((x - px) / 0.1) ** 2 + ((y - py) / 0.15) ** 2)) for px, py in points
    )
    density = bias.density(GRID)
    np.testing.assert_allclose(density, expected / expected.sum(), rtol=1e-12)


def test_centre_bias_at_a_stimulus_size_is_its_fixation_density(rng):
    size = (150, 211)
    pixels = rng.integers(0, (211, 150), (40, 2))
    points = {"a": relative(pixels, size)}
    density = CentreBias(points, (12 / 211, 12 / 150), 0).density(size)
    expected = fixations.density(pixels, size, 12)
    # within: bilinear interpolation errs by (cell / sigma)^2 / 8 = 0.2 % of the local peak along x
    # and along y; at the border, where the outermost half cell is constant, by up to half a cell's
    # slope, 0.3 cell / sigma = 4 %
    inside = np.s_[1:-1, 1:-1]
    np.testing.assert_allclose(density[inside], expected[inside], atol=0.01 * expected.max())
    np.testing.assert_allclose(density, expected, atol=0.04 * expected.max())


def test_fixations_are_looked_up_in_the_cell_they_lie_in_also_on_the_last_border(rng):
    bias = CentreBias({"a": rng.random((9, 2))}, (0.2, 0.25), 0.01)
    density, (rows, columns) = bias.density(GRID), GRID
    for x, column in ((0, 0), (1.6 / columns, 1), (1 - 1e-9, columns - 1), (1, columns - 1)):
        for y, row in ((0, 0), (2.2 / rows, 2), (1 - 1e-9, rows - 1), (1, rows - 1)):
            found = bias.log_likelihood({"other": np.array([[x, y]])})
            assert found == pytest.approx(math.log(density[row, column] * density.size))
    both = {"b": np.array([[0, 0], [1, 1]]), "c": np.array([[0.5, 0.5]]), "none": np.zeros((0, 2))}
    alone = [bias.log_likelihood({"b": p[None]}) for points in both.values() for p in points]
    assert bias.log_likelihood(both) == pytest.approx(np.mean(alone))


def test_leaving_a_stimulus_out_equals_never_having_had_it(rng):
    points = {name: rng.random((n, 2)) for name, n in (("a", 5), ("b", 9), ("c", 0))}
    bias = CentreBias(points, (0.05, 0.06), 0.01)
    without = {name: array for name, array in points.items() if name != "b"}
    expected = CentreBias(without, (0.05, 0.06), 0.01).density(SIZE)
    np.testing.assert_allclose(bias.density(SIZE, exclude="b"), expected, rtol=1e-9)


def test_a_stimulus_without_fixations_or_of_another_split_leaves_nothing_out(rng):
    points = {"a": rng.random((5, 2)), "c": np.zeros((0, 2))}
    bias = CentreBias(points, (0.05, 0.06), 0.01)
    for name in ("c", "unseen"):
        np.testing.assert_array_equal(bias.density(SIZE, exclude=name), bias.density(SIZE))


@pytest.mark.parametrize("size", [(1, 1), (30, 43), (200, 131)])
def test_centre_bias_sums_to_1_at_every_size(rng, size):
    bias = CentreBias({"a": rng.random((5, 2))}, (0.05, 0.06), 0.01)
    density = bias.density(size)
    assert density.shape == size
    assert density.sum() == pytest.approx(1, abs=1e-12)
    assert density.min() >= 0.01 / density.size * (1 - 1e-12)


def test_many_fixations_are_summed_piece_by_piece(rng, monkeypatch):
    points = {"a": rng.random((50, 2))}
    expected = CentreBias(points, (0.05, 0.06), 0).density(SIZE)
    monkeypatch.setattr(centre_biases, "POINTS_AT_ONCE", 7)
    density = CentreBias(points, (0.05, 0.06), 0).density(SIZE)
    np.testing.assert_allclose(density, expected, rtol=1e-12)


def test_the_sigma_that_made_the_fixations_is_selected(rng):
    def draw(n):
        points = 0.5 + rng.standard_normal((n, 2)) * (0.1, 0.2)
        return points[((points > 0) & (points < 1)).all(axis=1)]

    fit = {"a": np.array([[0.5, 0.5]])}  # one fixation: the density is the Gaussian itself
    validation = {"b": draw(1500), "c": draw(1500)}
    candidates = [(0.05, 0.1), (0.1, 0.2), (0.2, 0.4), (0.1, 0.1)]
    sigma, log_likelihoods = select_sigma(fit, validation, candidates, 0)
    assert sigma == (0.1, 0.2)
    assert len(log_likelihoods) == 4


def test_log_likelihood_of_the_uniform_is_zero(rng):
    bias = CentreBias({"a": rng.random((5, 2))}, (0.05, 0.06), 1)
    assert bias.log_likelihood({"b": rng.random((9, 2))}) == pytest.approx(0, abs=1e-12)


def test_log_likelihood_predicts_a_fitted_stimulus_without_itself(rng):
    points = {"a": rng.random((5, 2)), "b": rng.random((4, 2))}
    left_out = CentreBias(points, (0.05, 0.06), 0.01).log_likelihood({"a": points["a"]})
    without = CentreBias({"b": points["b"]}, (0.05, 0.06), 0.01)
    assert left_out == pytest.approx(without.log_likelihood({"a": points["a"]}), rel=1e-9)


@pytest.mark.parametrize(
    ("points", "sigma", "text"),
    [
        ({"a": [[0.5, 1.01]]}, (0.1, 0.1), "y = 1.01 of stimulus 'a' lies outside"),
        ({"a": [[math.nan, 0.5]]}, (0.1, 0.1), "x = nan"),
        ({"a": np.zeros((0, 2))}, (0.1, 0.1), "none of 1 stimuli has a fixation"),
        ({}, (0.1, 0.1), "none of 0 stimuli"),
        ({"a": [[0.5, 0.5]]}, (0.1, 0.001), "at least 1/128 and 1/96"),
        ({"a": [[0.5, 0.5]]}, (math.nan, 0.1), "at least 1/128"),
    ],
)
def test_a_centre_bias_that_cannot_be_built_says_why(points, sigma, text):
    with pytest.raises(InputError, match=text):
        CentreBias(points, sigma, 0.01)


def test_the_only_stimulus_cannot_be_left_out():
    bias = CentreBias({"a": [[0.5, 0.5]]}, (0.1, 0.1), 0.01)
    with pytest.raises(InputError, match="only the stimulus 'a' has fixations"):
        bias.density(SIZE, exclude="a")


def pool_of(rng):
    """Blocks of two data sets of other sizes and biases, as of one pool: by split."""
    made = {}
    for split, n in (("fit", 3), ("validation", 2)):
        blocks = []
        for member, size, centre in (("left", (60, 80), 0.2), ("right", (90, 70), 0.8)):
            block = make_block([size] * n, n_points=20, seed=n)
            x = np.clip(rng.normal(centre, 0.05, len(block.x)), 0, 0.99) * size[1]
            blocks.append(dataclasses.replace(block, x=x.astype(np.float32)).in_pool(member))
        made[split] = blocks
    return made["fit"], made["validation"]


def test_each_member_of_a_pool_has_its_own_centre_bias(rng):
    fit, validation = pool_of(rng)
    pooled = centre_biases.centre_bias(fit, validation, [0.1, 0.2], 0.01)
    assert list(pooled.members) == ["left", "right"]
    for block, held_out in zip(fit, validation, strict=True):
        alone = centre_biases.of_one([block], [held_out], [0.1, 0.2], 0.01)
        for name in (*block.names, f"{block.member}/new.png"):  # left out, if it was fitted to
            np.testing.assert_array_equal(pooled.density(GRID, name), alone.density(GRID, name))
        np.testing.assert_array_equal(
            centre_biases.kept(pooled)["centre_biases"][block.member], alone.density(GRID)
        )
    column = np.arange(GRID[1]) / GRID[1]
    of = {name: bias.density(GRID).sum(axis=0) @ column for name, bias in pooled.members.items()}
    assert of["left"] < 0.35 and of["right"] > 0.65


def test_without_a_data_set_the_centre_bias_of_a_pool_is_the_mean(rng):
    fit, validation = pool_of(rng)
    pooled = centre_biases.centre_bias(fit, validation, [0.1], 0.01)
    left, right = (bias.density((30, 40)) for bias in pooled.members.values())
    np.testing.assert_allclose(pooled.density((30, 40)), (left + right) / 2, rtol=1e-12)
    assert pooled.density((30, 40)).sum() == pytest.approx(1)
    kept = centre_biases.kept(pooled)
    np.testing.assert_array_equal(kept["centre_bias"], pooled.density(GRID))


def test_a_stimulus_of_no_member_is_refused(rng):
    pooled = centre_biases.centre_bias(*pool_of(rng), [0.1], 0.01)
    with pytest.raises(InputError, match="'other/a.png' is of none of left, right"):
        pooled.density(GRID, exclude="other/a.png")


def test_one_data_set_keeps_one_centre_bias(rng):
    block = make_block([(20, 30), (30, 20)], n_points=20)
    bias = centre_biases.centre_bias([block], [block], [0.1], 0.01)
    assert isinstance(bias, CentreBias) and centre_biases.kept(bias)["centre_biases"] == {}
