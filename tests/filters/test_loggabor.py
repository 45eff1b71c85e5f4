"""The log-Gabor bank compared with its definition, which is written out here again."""

import numpy as np
import pytest

from gaborscope.filters.loggabor import LogGaborBank, angular_gain, frequencies, radial_gain

# scales, orientations, finest wavelength, ratio of wavelengths, bandwidth ratio
BANK = (3, 4, 3.0, 1.8, 0.6)
SHAPES = [(20, 34), (25, 35), (37, 31), (1, 16), (16, 27)]


def closed_form(image, scales, orientations, shortest, factor, ratio, sigma=None):
    """Responses by the definition: one filter after the other, double precision, no library."""
    height, width = image.shape
    f_y, f_x = np.meshgrid(np.fft.fftfreq(height), np.fft.fftfreq(width), indexing="ij")
    radius = np.sqrt(f_x**2 + f_y**2)
    sigma = np.pi / orientations / 1.2 if sigma is None else sigma
    floor = np.exp(-((np.pi / 2) ** 2) / (2 * sigma**2))
    spectrum, responses = np.fft.fft2(image), []
    for scale in range(scales):
        centre = 1 / (shortest * factor**scale)
        with np.errstate(divide="ignore"):
            radial = np.exp(-(np.log(radius / centre) ** 2) / (2 * np.log(ratio) ** 2))
        for orientation in range(orientations):
            angle = np.arctan2(-f_y, f_x) - np.pi * orientation / orientations
            distance = (angle + np.pi) % (2 * np.pi) - np.pi
            lobe = (np.exp(-(distance**2) / (2 * sigma**2)) - floor) / (1 - floor)
            gain = 2 * radial * np.where(np.abs(distance) < np.pi / 2, lobe, 0)
            responses.append(np.fft.ifft2(spectrum * gain))
    return np.array(responses)


def grating(shape, wavelength, orientation):
    """Cosine grating whose wave vector has this angle, counter-clockwise on the screen."""
    y, x = np.mgrid[: shape[0], : shape[1]]
    along = x * np.cos(orientation) - y * np.sin(orientation)  # y points down in arrays
    return np.cos(2 * np.pi * along / wavelength)


@pytest.fixture
def rng():
    return np.random.default_rng(3)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("precision, tolerance", [("single", 1e-6), ("double", 1e-12)])
@pytest.mark.parametrize("sigma", [None, 0.5])
def test_periodic_responses_are_the_closed_form(rng, shape, precision, tolerance, sigma):
    image = rng.standard_normal(shape)
    expected = closed_form(image, *BANK, sigma)
    responses = LogGaborBank(*BANK, sigma).responses(image, "periodic", precision)
    # FFT rounding is relative to the largest value
    np.testing.assert_allclose(responses, expected, rtol=0, atol=tolerance * np.abs(expected).max())


@pytest.mark.parametrize("shape, padded", [((25, 35), (36, 48)), ((31, 20), (48, 32))])
def test_symmetric_responses_are_those_of_the_mirrored_image(rng, shape, padded):
    image, bank = rng.standard_normal(shape), LogGaborBank(*BANK)
    assert bank.margin_px == 5  # half of 3.0 * 1.8 ** 2 = 9.72 px; `padded` is the next good size
    before = [(p - s) // 2 for p, s in zip(padded, shape, strict=True)]
    widths = [(b, p - s - b) for b, p, s in zip(before, padded, shape, strict=True)]
    mirrored = closed_form(np.pad(image, widths, mode="symmetric"), *BANK)
    expected = mirrored[:, before[0] : before[0] + shape[0], before[1] : before[1] + shape[1]]
    responses = bank.responses(image, "symmetric", "double")
    np.testing.assert_allclose(responses, expected, atol=1e-12)


def test_responses_are_complex64_of_the_shape_of_the_image(rng):
    responses = LogGaborBank(*BANK).responses(rng.random((15, 22)))
    assert responses.dtype == np.complex64
    assert responses.shape == (12, 15, 22)


def test_filters_are_ordered_scale_by_scale():
    bank = LogGaborBank(*BANK)
    gains = bank.gains((65, 97)).reshape(3, 4, 65, 97)
    radius, _ = frequencies((65, 97))
    mean_radius = (gains * radius).sum(axis=(2, 3)) / gains.sum(axis=(2, 3))
    assert (np.diff(mean_radius.mean(axis=1)) < 0).all()  # finest first
    assert (np.ptp(mean_radius, axis=1) < 0.1 * mean_radius.min(axis=1)).all()


@pytest.mark.parametrize("ratio", [0.4, 0.55, 0.75])
def test_radial_gain_is_symmetric_in_log_frequency(ratio):
    octaves = np.array([0.3, 1.0, 1.7])
    above, below = 0.1 * 2.0**octaves, 0.1 * 2.0**-octaves
    np.testing.assert_allclose(radial_gain(above, 0.1, ratio), radial_gain(below, 0.1, ratio))


def test_radial_gain_is_one_at_its_centre_and_zero_at_frequency_zero():
    np.testing.assert_array_equal(radial_gain(np.array([0.0, 0.2]), 0.2, 0.65), [0, 1])


@pytest.mark.parametrize("ratio, octaves", [(0.745, 1.0), (0.555, 2.0)])
def test_bandwidth_at_half_amplitude_is_as_documented(ratio, octaves):
    half = radial_gain(np.array([0.1 * 2 ** (octaves / 2)]), 0.1, ratio)
    assert half[0] == pytest.approx(0.5, abs=0.01)  # "about" one and two octaves


def test_angular_gain_is_one_at_its_peak_and_continuous_at_a_quarter_turn():
    quarter = np.pi / 2
    gain = angular_gain(np.array([0, quarter - 1e-9, quarter, -quarter, 3.0]), 0.6)
    np.testing.assert_allclose(gain, [1, 0, 0, 0, 0], atol=1e-8)


@pytest.mark.parametrize("orientations", [3, 4, 5])
def test_gains_are_one_sided(orientations):
    bank = LogGaborBank(2, orientations, 3.0, 2.0, 0.6)
    gains = bank.gains((31, 45))  # odd: every frequency has its opposite
    opposite = np.roll(gains[:, ::-1, ::-1], 1, axis=(1, 2))
    # so the spectrum of a response lies in a half plane: Im z is the Hilbert transform of Re z
    assert (gains * opposite).max() < 1e-14


def test_a_cosine_grating_has_a_cosine_as_even_and_a_sine_as_odd_response():
    x = np.arange(32)
    image = np.repeat(np.cos(2 * np.pi * x / 4)[None], 20, axis=0)
    response = LogGaborBank(2, 4, 4.0, 2.0, 0.6).responses(image, "periodic", "double")[0]
    expected = np.exp(2j * np.pi * x / 4) * np.ones((20, 1))
    np.testing.assert_allclose(response, expected, atol=1e-12)


@pytest.mark.parametrize("scale", range(3))
@pytest.mark.parametrize("orientation", range(6))
def test_a_grating_is_answered_most_by_its_own_filter(scale, orientation):
    bank = LogGaborBank(3, 6, 4.0, 2.0, 0.6)
    image = grating((67, 80), bank.wavelengths_px[scale], bank.orientations[orientation])
    amplitude = np.abs(bank.responses(image))[:, 20:-20, 20:-20].mean(axis=(1, 2))
    assert amplitude.argmax() == scale * 6 + orientation


def test_a_bar_that_rises_to_the_right_is_oriented_at_three_quarters_of_a_half_turn():
    size = 48
    image = np.zeros((size, size + 5))
    for i in range(size):
        image[size - 1 - i, i : i + 3] = 1  # from bottom left to top right
    bank = LogGaborBank(1, 4, 6.0, 2.0, 0.6)
    energy = (np.abs(bank.responses(image)) ** 2).sum(axis=(1, 2))
    # the wave vector stands across the bar: 135 degrees counter-clockwise
    assert bank.orientations[energy.argmax()] == pytest.approx(3 * np.pi / 4)


def test_a_mirrored_image_turns_every_orientation_to_its_mirror_image(rng):
    image = rng.standard_normal((33, 45))
    bank = LogGaborBank(2, 5, 3.0, 2.0, 0.6)
    plain = np.abs(bank.responses(image, "periodic", "double")).reshape(2, 5, 33, 45)
    mirrored = np.abs(bank.responses(image[:, ::-1], "periodic", "double")).reshape(2, 5, 33, 45)
    opposite = [(5 - o) % 5 for o in range(5)]
    np.testing.assert_allclose(mirrored[:, opposite], plain[..., ::-1], atol=1e-12)


def test_a_constant_image_has_no_response():
    responses = LogGaborBank(*BANK).responses(np.full((19, 28), 7.0))
    assert np.abs(responses).max() < 7e-6  # single precision of the value 7


def test_the_residual_is_in_quadrature_with_the_coarsest_scale_below_its_centre():
    bank = LogGaborBank(*BANK)
    radius, _ = frequencies((40, 63))
    centre = 1 / bank.wavelengths_px[-1]
    total = bank.residual_gain((40, 63)) ** 2 + radial_gain(radius, centre, BANK[4]) ** 2
    np.testing.assert_allclose(total[radius < centre], 1, atol=1e-12)
    assert (bank.residual_gain((40, 63))[radius >= centre] == 0).all()


def test_the_residual_keeps_the_mean(rng):
    image = rng.random((21, 30))
    prepared = LogGaborBank(*BANK).prepare(image.shape, "periodic", "double")
    prepared.analyse(image)
    assert prepared.residual().mean() == pytest.approx(image.mean(), rel=1e-12)


def test_parameters_rebuild_the_bank():
    bank = LogGaborBank(*BANK)
    assert LogGaborBank(**bank.parameters).parameters == bank.parameters
    assert bank.angular_sigma == pytest.approx(np.pi / 4 / 1.2)


@pytest.mark.parametrize(
    "parameters, named",
    [
        ((0, 4, 3.0, 2.0, 0.6), "n_scales"),
        ((3, 0, 3.0, 2.0, 0.6), "n_orientations"),
        ((3, 4, 2.0, 2.0, 0.6), "min_wavelength_px"),
        ((3, 4, 3.0, 1.0, 0.6), "scale_factor"),
        ((3, 4, 3.0, 2.0, 1.0), "bandwidth_ratio"),
        ((3, 4, 3.0, 2.0, 0.6, 0.0), "angular_sigma"),
    ],
)
def test_a_parameter_out_of_range_is_named(parameters, named):
    with pytest.raises(ValueError, match=named):
        LogGaborBank(*parameters)


@pytest.mark.parametrize("centre, ratio", [(0.0, 0.6), (-0.1, 0.6), (0.1, 0.0), (0.1, 1.0)])
def test_radial_gain_refuses_what_has_no_logarithm(centre, ratio):
    with pytest.raises(ValueError, match="centre_frequency must be positive"):
        radial_gain(np.array([0.1]), centre, ratio)


@pytest.mark.parametrize("shape", [(5,), (4, 5, 3), (0, 7)])
def test_an_image_that_is_not_two_dimensional_is_refused(shape):
    with pytest.raises(ValueError, match="two-dimensional"):
        LogGaborBank(*BANK).responses(np.zeros(shape))


def test_an_unknown_boundary_is_named():
    with pytest.raises(ValueError, match="'reflect'"):
        LogGaborBank(*BANK).responses(np.zeros((6, 8)), "reflect")
