"""Closed forms of what a nonlinearity passes of a reconstruction with an error."""

import numpy as np
import pytest
from scipy import integrate, stats

from gaborscope.fitting.nonlinearity import plain, through_nonlinearity


def expected(function, mean, sd):
    """Integrate a function of a Gaussian variable, piecewise between its bends."""
    bends = [mean - 12 * sd, *(b for b in (0, 6) if abs(b - mean) < 12 * sd), mean + 12 * sd]
    return sum(
        integrate.quad(
            lambda v: function(v) * stats.norm.pdf(v, mean, sd), low, high, epsabs=1e-13
        )[0]
        for low, high in zip(bends, bends[1:], strict=False)
    )


@pytest.mark.parametrize("mean", [-3.0, -0.4, 0.0, 2.5, 5.0, 6.0, 7.3, 14.0])
@pytest.mark.parametrize("sd", [0.3, 2.0])
def test_relu6_passes_what_the_integral_says(mean, sd):
    output = through_nonlinearity(np.array([[mean]]), np.array([sd]), "relu6")
    wanted = expected(lambda v: min(max(v, 0), 6), mean, sd)
    assert output[0, 0] == pytest.approx(wanted, abs=1e-10)


def test_a_rectified_error_about_zero_passes_its_spread_over_the_root_of_2_pi():
    output = through_nonlinearity(np.zeros((2, 3)), np.array([1.0, 4.0]), "relu")
    np.testing.assert_allclose(output, np.outer([1, 4], np.ones(3)) / np.sqrt(2 * np.pi))


def test_relu6_is_odd_about_its_middle():
    away = np.array([[0.0, 0.5, 2.9, 3.0, 7.0]])
    above, below = (
        through_nonlinearity(3 + sign * away, np.array([1.1]), "relu6") for sign in (1, -1)
    )
    np.testing.assert_allclose(above + below, 6, atol=1e-12)


def test_every_map_has_the_spread_of_its_own_also_near_6():
    linear, sd = np.array([[[5.5, 0.0]], [[-1.0, 1.0]], [[5.5, 9.0]]]), np.array([0.1, 1.0, 3.0])
    together = through_nonlinearity(linear, sd, "relu6")
    for index in range(3):
        alone = through_nonlinearity(linear[index : index + 1], sd[index : index + 1], "relu6")
        np.testing.assert_allclose(together[index : index + 1], alone, rtol=1e-12)


@pytest.mark.parametrize("nonlinearity, top", [("relu", np.inf), ("relu6", 6)])
def test_a_spread_of_0_gives_the_plain_output_without_nan(nonlinearity, top):
    linear = np.array([[-2.0, 0.0, 3.0, 6.0, 8.0]])
    with np.errstate(all="raise", under="ignore"):
        output = through_nonlinearity(linear, np.zeros(1), nonlinearity)
    # a spread of 1e-12 stands for 0
    np.testing.assert_allclose(output, np.clip(linear, 0, top), atol=1e-11)


def test_without_a_nonlinearity_the_error_averages_out():
    linear = np.array([[-2.0, 7.0]])
    np.testing.assert_array_equal(through_nonlinearity(linear, np.array([9.0]), "none"), linear)


@pytest.mark.parametrize("nonlinearity", ["none", "relu", "relu6"])
def test_the_output_has_the_precision_of_its_input(nonlinearity):
    linear = np.ones((2, 3), np.float32)
    assert through_nonlinearity(linear, np.ones(2), nonlinearity).dtype == np.float32


@pytest.mark.parametrize(
    "nonlinearity, wanted",
    [
        ("none", [-7.0, -0.5, 0.0, 3.0, 6.0, 11.0]),
        ("relu", [0.0, 0.0, 0.0, 3.0, 6.0, 11.0]),
        ("relu6", [0.0, 0.0, 0.0, 3.0, 6.0, 6.0]),
    ],
)
def test_plain_nonlinearities_bend_at_0_and_6(nonlinearity, wanted):
    values = np.array([-7.0, -0.5, 0.0, 3.0, 6.0, 11.0])
    np.testing.assert_array_equal(plain(values, nonlinearity), wanted)
