"""Control banks: their filters, and responses that equal a convolution."""

import numpy as np
import pytest
from scipy import ndimage

from gaborscope.filters import controls
from gaborscope.filters.loggabor import LogGaborBank


@pytest.fixture
def bank():
    return LogGaborBank(2, 3, 4.0, 2.0, 0.6)


def test_random_filters_pass_no_mean_and_have_unit_energy(bank):
    for pair in controls.kernels("random", bank.wavelengths_px, 3):
        for part in (pair.real, pair.imag):
            assert part.sum() == pytest.approx(0, abs=1e-12)
            assert (part**2).sum() == pytest.approx(1)


def test_a_bank_of_random_filters_is_always_the_same(bank):
    first, second = (controls.kernels("random", bank.wavelengths_px, 3) for _ in range(2))
    for kernel, again in zip(first, second, strict=True):
        np.testing.assert_array_equal(kernel, again)


@pytest.mark.parametrize("control", controls.CONTROLS)
def test_responses_are_convolutions(bank, rng, control):
    image = rng.normal(size=(21, 34))
    prepared = controls.ControlBank(control, bank).prepare(image.shape, "periodic")
    prepared.analyse(image)
    by_filter = {filters.start: responses[0] for filters, responses in prepared.responses()}
    assert len(by_filter) == bank.n_filters
    for index, kernel in enumerate(controls.kernels(control, bank.wavelengths_px, 3)):
        even, odd = (
            ndimage.convolve(image, part, mode="wrap") for part in (kernel.real, kernel.imag)
        )
        np.testing.assert_allclose(by_filter[index], even + 1j * odd, atol=1e-5)


def test_an_unknown_control_is_refused():
    with pytest.raises(ValueError, match="control must be one of random, pixel, got 'noise'"):
        controls.kernels("noise", [3.0], 2)


@pytest.mark.parametrize("n_orientations", [4, 8])
def test_no_two_pixels_are_the_same(n_orientations):
    pairs = controls.kernels("pixel", [3.0, 6.0, 12.0], n_orientations)
    places = set()
    for pair in pairs:
        half = len(pair) // 2
        for part in (pair.real, pair.imag):
            ((row, column),) = np.argwhere(part)
            places.add((int(row) - half, int(column) - half))
    assert len(places) == 2 * len(pairs) and (0, 0) not in places
