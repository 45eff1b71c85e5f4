"""Responses on a lattice equal the responses at all px, taken at the points of the lattice."""

import numpy as np
import pytest

from gaborscope.filters import fourier
from gaborscope.filters.lattice import Folded, Spectra, covering
from gaborscope.filters.loggabor import LogGaborBank

SHAPE, FULL = (28, 48), (36, 60)


@pytest.fixture
def bank():
    return LogGaborBank(2, 3, 4.0, 2.0, 0.6)


def take(bank, channels, lattice, full=FULL, gains=None):
    """Responses of all filters on a lattice, (filter, channel, row, column)."""
    spectra = Spectra(channels.shape[1:], full, len(channels))
    folded = Folded(spectra, lattice, bank.gains(full) if gains is None else gains)
    spectra.analyse(channels)
    folded.analyse()
    return np.stack([folded.responses(k).copy() for k in range(len(folded))])


def at_all_px(bank, channel, full=FULL):
    """Complex responses at all px of the padded image, float64, and the first px of the image."""
    padded, origin = fourier.mirror_pad(channel, full)
    return np.fft.ifft2(np.fft.fft2(padded) * bank.gains(full)), origin


@pytest.mark.parametrize("step", [1, 2, 4])
@pytest.mark.parametrize("phase", [(0, 0), (1, 3)])
def test_points_at_whole_px_are_the_response_there(bank, rng, step, phase):
    channels = rng.normal(size=(2, *SHAPE))
    lattice = covering(step, phase, SHAPE)
    at_points = take(bank, channels, lattice)
    for c, channel in enumerate(channels):
        responses, (top, left) = at_all_px(bank, channel)
        rows = top + lattice.positions(0).astype(int)
        columns = left + lattice.positions(1).astype(int)
        expected = responses[:, rows][:, :, columns]
        np.testing.assert_allclose(at_points[:, c], expected, atol=5e-6)  # float32


@pytest.mark.parametrize("step", [2, 4])
def test_points_between_px_are_trigonometric_interpolation(bank, rng, step):
    channel = rng.normal(size=SHAPE)
    lattice = covering(step, (0.5, 1.25), SHAPE)
    at_points = take(bank, channel[None], lattice)[:, 0]
    responses, (top, left) = at_all_px(bank, channel)
    spectrum = np.fft.fft2(responses)
    for axis, (n, first) in enumerate(zip(FULL, (top, left), strict=True)):
        wave = np.exp(2j * np.pi * np.outer(first + lattice.positions(axis), np.fft.fftfreq(n)))
        spectrum = np.moveaxis(np.tensordot(spectrum, wave / n, (axis + 1, 1)), -1, axis + 1)
    np.testing.assert_allclose(at_points, spectrum, atol=5e-6)


def test_points_beyond_the_image_show_the_mirrored_margin(bank, rng):
    channel = rng.normal(size=SHAPE)
    lattice = covering(2, (0, 0), SHAPE, beyond=1)
    assert (lattice.first, lattice.count) == ((-2.0, -2.0), (16, 26))
    responses, (top, left) = at_all_px(bank, channel)
    expected = responses[:, top - 2 : top + 30 : 2, left - 2 : left + 50 : 2]
    np.testing.assert_allclose(take(bank, channel[None], lattice)[:, 0], expected, atol=5e-6)


def test_complex_gains_are_folded_too(bank, rng):
    channel = rng.normal(size=SHAPE)
    turn = np.exp(0.7j)
    lattice = covering(2, (0, 1), SHAPE)
    plain = take(bank, channel[None], lattice)
    turned = take(bank, channel[None], lattice, gains=bank.gains(FULL) * turn)
    np.testing.assert_allclose(turned, plain * turn, atol=5e-6)


def test_a_gain_that_passes_nothing_has_no_response(bank, rng):
    lattice = covering(2, (0, 0), SHAPE)
    at_points = take(bank, rng.normal(size=(1, *SHAPE)), lattice, gains=np.zeros((1, *FULL)))
    assert (at_points == 0).all()


@pytest.mark.parametrize("shape, full", [((28, 48), (36, 60)), ((3, 7), (24, 40))])
def test_the_margin_is_the_mirrored_image(rng, shape, full):
    channel = rng.normal(size=shape)
    spectra = Spectra(shape, full, 1)
    spectra.analyse(channel[None])
    padded, origin = fourier.mirror_pad(channel, full)
    assert spectra.origin == origin
    np.testing.assert_allclose(spectra.values[0].T, np.fft.fft2(padded), atol=1e-4)


def test_a_lattice_covers_the_image_and_no_more():
    lattice = covering(4, (1.5, 7.5), (28, 47))
    assert lattice.first == (1.5, -0.5)
    np.testing.assert_array_equal(lattice.positions(0), [1.5, 5.5, 9.5, 13.5, 17.5, 21.5, 25.5])
    assert lattice.positions(1)[-1] == 43.5  # the image ends at 46.5


def test_a_lattice_goes_beyond_the_image_where_there_is_room():
    assert covering(4, (1.5, 1.5), (28, 48), 2, (36, 60)).count == (9, 14)
    assert covering(4, (1.5, 1.5), (28, 48), 2, (28, 48)).count == (7, 12)
