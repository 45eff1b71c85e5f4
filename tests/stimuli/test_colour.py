"""Opponent colour spaces against their standards."""

import numpy as np
import pytest

from gaborscope.stimuli import colour as colours


def channels_of(rgb, space):
    """Channels of one colour."""
    return colours.to_opponent(np.array(rgb, np.uint8).reshape(1, 1, 3), space)[:, 0, 0]


@pytest.mark.parametrize("space", ["yuv", "lab", "dkl"])
def test_grey_has_no_chroma(space):
    grey = np.repeat(np.arange(256, dtype=np.uint8).reshape(8, 32, 1), 3, axis=2)
    chroma = colours.to_opponent(grey, space)[1:]
    assert np.abs(chroma).max() < 2e-5  # published matrices are rounded to five digits


@pytest.mark.parametrize("space", ["yuv", "lab", "dkl"])
def test_luminance_runs_from_0_for_black_to_1_for_white(space):
    assert channels_of([0, 0, 0], space)[0] == pytest.approx(0, abs=1e-6)
    assert channels_of([255, 255, 255], space)[0] == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize(
    "rgb, expected",
    [
        ([255, 0, 0], [0.299, -0.147, 0.615]),
        ([0, 255, 0], [0.587, -0.289, -0.515]),
        ([0, 0, 255], [0.114, 0.436, -0.100]),
    ],
)
def test_primaries_have_the_yuv_of_bt601(rgb, expected):
    np.testing.assert_allclose(
        channels_of(rgb, "yuv"), expected, atol=5e-4
    )  # printed to three digits


@pytest.mark.parametrize(
    "rgb, expected",
    [
        ([255, 255, 255], [100, 0, 0]),
        ([255, 0, 0], [53.24, 80.09, 67.20]),
        ([0, 255, 0], [87.74, -86.18, 83.18]),
        ([0, 0, 255], [32.30, 79.19, -107.86]),
        ([119, 119, 119], [50.03, 0, 0]),
        ([10, 10, 10], [2.74, 0, 0]),
    ],
)
def test_colours_have_the_lab_of_the_textbook(rgb, expected):
    # printed to two digits; some tables round the white point, which shifts the second
    np.testing.assert_allclose(100 * channels_of(rgb, "lab"), expected, atol=0.02)


def test_dkl_luminance_of_grey_is_its_linear_light():
    np.testing.assert_allclose(
        channels_of([128, 128, 128], "dkl"), [((128 / 255 + 0.055) / 1.055) ** 2.4, 0, 0], atol=2e-5
    )


def test_dkl_axes_have_the_sign_of_their_names():
    red, blue = channels_of([255, 0, 0], "dkl"), channels_of([0, 0, 255], "dkl")
    assert red[1] > 0 > channels_of([0, 255, 0], "dkl")[1]
    assert blue[2] > 0 > channels_of([255, 255, 0], "dkl")[2]


@pytest.mark.parametrize(
    "rgb, xyz",  # of the primaries of sRGB, as printed in IEC 61966-2-1
    [
        ([255, 0, 0], [0.4124, 0.2126, 0.0193]),
        ([0, 255, 0], [0.3576, 0.7152, 0.1192]),
        ([0, 0, 255], [0.1805, 0.0722, 0.9505]),
    ],
)
def test_dkl_is_of_cones_relative_to_white(rgb, xyz):
    def cones(x, y, z):  # Hunt-Pointer-Estevez, Fairchild's Color Appearance Models, 9.30
        return np.array(
            [0.38971 * x + 0.68898 * y - 0.07868 * z, -0.22981 * x + 1.1834 * y + 0.04641 * z, z]
        )

    long, middle, short = cones(*xyz) / cones(0.9505, 1.0, 1.089)
    luminance = (long + middle) / 2
    expected = [luminance, long - middle, short - luminance]
    np.testing.assert_allclose(channels_of(rgb, "dkl"), expected, atol=3e-4)


def test_dkl_is_linear_in_linear_light():
    def light(values):  # encoded values of linear light
        return np.where(values <= 0.0031308, 12.92 * values, 1.055 * values ** (1 / 2.4) - 0.055)

    rng = np.random.default_rng(0)
    a, b = rng.random((2, 4, 5, 3)) / 2
    both, *parts = (colours.to_opponent(255 * light(x), "dkl") for x in (a + b, a, b))
    np.testing.assert_allclose(both, parts[0] + parts[1], atol=1e-5)  # float32 in and out


def test_linearise_undoes_the_gamma_at_both_ends():
    np.testing.assert_allclose(
        colours.linearise(np.array([0, 0.04045, 0.5, 1])), [0, 0.0031308, 0.2140411, 1], atol=1e-6
    )


def test_rgb_is_the_encoded_value():
    np.testing.assert_allclose(channels_of([255, 51, 0], "rgb"), [1, 0.2, 0], atol=1e-7)


@pytest.mark.parametrize("space", list(colours.CHANNELS))
def test_channels_are_float32_and_first(space):
    channels = colours.to_opponent(np.zeros((4, 7, 3), np.uint8), space)
    assert (channels.shape, channels.dtype) == ((3, 4, 7), np.float32)


def test_an_unknown_space_is_named():
    with pytest.raises(ValueError, match="'hsv'"):
        colours.to_opponent(np.zeros((2, 3, 3), np.uint8), "hsv")
