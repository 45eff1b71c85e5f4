"""Control banks for comparison with log-Gabors: as many filters, of the same scales."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator

import numpy as np
from scipy import fft
from scipy.sparse import linalg

from gaborscope.filters import fourier
from gaborscope.filters.loggabor import LogGaborBank

CONTROLS = (
    "random",
    "pixel",
    "noise",
    "phase_scrambled",
    "principal_components",
    "difference_of_gaussians",
    "pixel_pairs",
)
DRAWN = ("noise", "phase_scrambled")  # controls with a bank for every `draw`
# Controls whose filters reach farther than log-Gabors: they see twice the mirrored margin.
WIDE = ("phase_scrambled", "principal_components", "difference_of_gaussians")
SEED = 20211107  # seed of the random filters: a bank is always the same
# Power of photographs at the vertical frequency f, over that at the horizontal one. Without a
# difference, principal components would come in pairs that are free to turn into each other.
VERTICAL_POWER = 1.25
# Surround over centre (standard deviations): nearly a Laplacian, and about that of ganglion cells.
SURROUNDS = 1.6, 5.0


@functools.lru_cache(maxsize=16)
def kernels(control: str, bank: LogGaborBank, draw: int = 0) -> tuple[np.ndarray, ...]:
    """
    Pairs of filters that replace the even and the odd filter of a log-Gabor.

    All but `pixel` and `phase_scrambled` have energy 1; all but `pixel` have mean 0.

    `random`: white noise under a Gaussian window with a standard deviation of a quarter of the
    wavelength. `noise`: the same, another bank for every draw.

    `phase_scrambled`: the amplitude spectrum of the log-Gabor, with the phases of white noise under
    a Gaussian window with a standard deviation of half the wavelength, another for every draw. As
    with a log-Gabor, even and odd filter are a Hilbert pair. Here they are cut at three of the
    longest wavelengths; `ControlBank` takes them from their spectrum.

    `principal_components`: of image patches whose power falls as 1/f^2, as that of photographs
    does, under a Gaussian window with a standard deviation of half the wavelength and without
    their mean. They follow from the spectrum alone, so no images are needed. Neighbours in the
    order of their variance are a pair.

    `difference_of_gaussians`: centre minus surround, without orientation. The pairs of a scale pass
    wavelengths best that lie evenly between this scale and the next. The surround is 1.6 times as
    wide as the centre in one filter of a pair, 5 times in the other.

    `pixel`: two pixels on opposite sides of the centre, on a square ring at about 2/5 of the
    wavelength. Pairs are evenly spread over the ring. With wavelengths of 2.5 and 5 px and four
    orientations these are the eight neighbours, and eight pixels of the ring around them.

    `pixel_pairs`: the difference of these two pixels, and that of the first and the centre: what
    `pixel` with the centre spans, without the mean.

    Parameters
    ----------
    control : str
        One of `CONTROLS`.
    bank : LogGaborBank
        Bank that is replaced.
    draw : int
        Number of the bank, of the controls in `DRAWN`.

    Returns
    -------
    kernels : tuple of complex128 array (side, side)
        Ordered by scale, within a scale by orientation. Real and imaginary part are the two
        filters of a pair. Sides are odd. Shared: not to be written to.

    Raises
    ------
    ValueError
        If the control is unknown.

    References
    ----------
    Field, D. J. (1987). J. Opt. Soc. Am. A 4, 2379-2394.

    Marr, D., Hildreth, E. (1980). Theory of edge detection. Proc. R. Soc. B 207, 187-217.

    Croner, L. J., Kaplan, E. (1995). Receptive fields of P and M ganglion cells across the primate
    retina. Vision Res. 35, 7-24.

    Hancock, P. J. B., Baddeley, R. J., Smith, L. S. (1992). The principal components of natural
    images. Network 3, 61-70.
    """
    if control not in CONTROLS:
        raise ValueError(f"control must be one of {', '.join(CONTROLS)}, got {control!r}")
    if control == "phase_scrambled":
        return _impulse_responses(bank, draw)
    n, pairs, ring = bank.n_orientations, [], 0
    rng = np.random.default_rng(SEED if control == "random" else [SEED, draw])
    for wavelength in bank.wavelengths_px:
        # a ring has 4 pairs per px of its radius; each scale has a wider ring than the one before
        ring = max(round(0.4 * wavelength), math.ceil(n / 4), ring + 1)
        radius = max(math.ceil(0.75 * wavelength), ring)
        if control in ("random", "noise"):
            pairs += [_noise(radius, wavelength / 4, rng) for _ in range(n)]
        elif control == "principal_components":
            pairs += _components(wavelength, n)
        elif control == "difference_of_gaussians":
            pairs += _centre_surround(wavelength, bank.scale_factor, n)
        else:
            paired = _pixels if control == "pixel" else _differences
            pairs += [paired(radius, ring, round(4 * ring * index / n)) for index in range(n)]
    return tuple(pairs)


def _noise(radius, sd, rng):
    y, x = np.mgrid[-radius : radius + 1, -radius : radius + 1]
    window = np.exp(-(x**2 + y**2) / (2 * sd**2))
    parts = []
    for _ in range(2):
        noise = window * rng.normal(size=window.shape)
        noise -= window * (noise.sum() / window.sum())
        parts.append(noise / np.sqrt((noise**2).sum()))
    return parts[0] + 1j * parts[1]


def _pixels(radius, ring, place):
    """Return two opposite pixels, `place` steps counter-clockwise from the right of a ring."""
    pair = np.zeros((2 * radius + 1, 2 * radius + 1), complex)
    column = min(ring, max(-ring, 2 * ring - place))  # along the right, the top, the left side
    row = -min(ring, place, 4 * ring - place)
    pair[radius + row, radius + column] += 1
    pair[radius - row, radius - column] += 1j
    return pair


def _differences(radius, ring, place):
    """Return a pixel minus the opposite one, and minus the centre."""
    pixels = _pixels(radius, ring, place)
    pair = pixels.real * (1 + 1j) - pixels.imag
    pair[radius, radius] -= 1j
    return pair / math.sqrt(2)


def _components(wavelength, n_pairs):
    """Return the leading principal components of patches, two by two."""
    sd = wavelength / 2
    radius = max(math.ceil(2.5 * sd), math.ceil(math.sqrt(n_pairs)))
    side = 2 * radius + 1
    y, x = np.mgrid[-radius : radius + 1, -radius : radius + 1]
    window = np.exp(-(x**2 + y**2) / (2 * sd**2)).ravel()
    mean = window / np.linalg.norm(window)  # orthogonal to it, a filter under the window has mean 0
    # correlations within a patch do not see that the plane of the images is periodic
    f_y, f_x = np.fft.fftfreq(2 * side)[:, None], np.fft.rfftfreq(2 * side)
    power = 1 / np.maximum(f_x**2 + f_y**2 / VERTICAL_POWER, (1 / (2 * side)) ** 2)

    def covariance(patch):
        patch = patch.ravel()
        inner = (window * (patch - mean * (mean @ patch))).reshape(side, side)
        spectrum = power * fft.rfft2(inner, (2 * side, 2 * side))
        outer = window * fft.irfft2(spectrum, (2 * side, 2 * side))[:side, :side].ravel()
        return outer - mean * (mean @ outer)

    operator = linalg.LinearOperator((side**2, side**2), covariance, dtype=float)
    start = np.random.default_rng(SEED).normal(size=side**2)
    variance, patches = linalg.eigsh(operator, 2 * n_pairs, v0=start)
    filters = window * patches[:, np.argsort(-variance)].T
    filters /= np.linalg.norm(filters, axis=1, keepdims=True)
    # an eigenvector has no sign: the first large value is made positive
    large = np.abs(filters) > 0.5 * np.abs(filters).max(axis=1, keepdims=True)
    filters *= np.sign(filters[np.arange(len(filters)), large.argmax(axis=1)])[:, None]
    filters = filters.reshape(-1, side, side)
    return list(filters[::2] + 1j * filters[1::2])


def _centre_surround(wavelength, scale_factor, n_pairs):
    """Return differences of Gaussians, from the wavelength of a scale to that of the next."""
    radius = math.ceil(wavelength * scale_factor)
    along = np.arange(-radius, radius + 1)

    def gaussian(sd):
        line = np.exp(-(along**2) / (2 * sd**2))
        return np.outer(line, line) / line.sum() ** 2

    pairs = []
    for passed in wavelength * scale_factor ** (np.arange(n_pairs) / n_pairs):
        parts = []
        for ratio in SURROUNDS:
            # exp(-2 (pi c f)^2) - exp(-2 (pi c ratio f)^2) has its maximum at 1 / passed
            centre = passed * math.sqrt(math.log(ratio) / (ratio**2 - 1)) / math.pi
            part = gaussian(centre) - gaussian(ratio * centre)
            parts.append(part / np.linalg.norm(part))
        pairs.append(parts[0] + 1j * parts[1])
    return pairs


def _impulse_responses(bank, draw):
    """Return the filters with scrambled phases on a plane of six of the longest wavelengths."""
    side = 2 * math.ceil(3 * bank.wavelengths_px[-1]) + 1
    responses = fft.ifft2(_scrambled(bank, (side, side), draw))
    return tuple(fft.fftshift(responses, axes=(1, 2)))


def _scrambled(bank, shape, draw):
    """Return the gains of a bank with the phases of windowed noise, a Hilbert pair each."""
    rng, gains = np.random.default_rng([SEED, draw]), bank.gains(shape).astype(complex)
    for number, gain in enumerate(gains):
        wavelength = bank.wavelength_px(number)
        noise = _noise(math.ceil(1.5 * wavelength), wavelength / 2, rng).real
        gain *= np.exp(1j * np.angle(_spectrum(noise, shape)))
    return gains


def _spectrum(kernel, shape):
    """Return the transfer function of a kernel; one larger than the image wraps around."""
    canvas = np.zeros(shape, complex)
    radius = len(kernel) // 2
    rows, columns = (np.arange(-radius, radius + 1) % extent for extent in shape)
    np.add.at(canvas, np.ix_(rows, columns), kernel)
    return fft.fft2(canvas)


class ControlBank:
    """
    Control bank with the part of `LogGaborBank`'s interface that regressors need.

    Parameters
    ----------
    control : str
        One of `CONTROLS`, see `kernels`.
    bank : LogGaborBank
        Bank that is replaced; its scales, orientations and wavelengths are kept.
    draw : int
        Number of the bank, of the controls in `DRAWN`.
    """

    def __init__(self, control: str, bank: LogGaborBank, draw: int = 0) -> None:
        self.control, self.bank, self.draw = control, bank, draw
        self.n_scales, self.n_filters = bank.n_scales, bank.n_filters
        self.margin_px = bank.margin_px * (2 if control in WIDE else 1)

    def __eq__(self, other: object) -> bool:
        """Tell whether both are the same bank."""
        if not isinstance(other, ControlBank):
            return False
        return self._key == other._key

    def __hash__(self) -> int:
        """Return the hash of control, bank and draw."""
        return hash(self._key)

    @property
    def _key(self):
        return self.control, self.bank, self.draw

    @property
    def broad(self) -> bool:
        """Whether filters pass more than an octave and a half, or 60 degrees, at half amplitude."""
        return self.control != "phase_scrambled" or self.bank.broad

    def wavelength_px(self, number: int) -> float:
        """Wavelength in px of one filter, or the shortest that filters pass without limit."""
        return self.bank.wavelength_px(number) if self.control == "phase_scrambled" else 2.0

    def gains(self, shape: tuple[int, int]) -> np.ndarray:
        """
        Transfer functions of all filters.

        Parameters
        ----------
        shape : (int, int)
            Height and width in px.

        Returns
        -------
        gains : complex64 array (filter, height, width)
            On the frequencies of `numpy.fft.fftfreq`.
        """
        if self.control == "phase_scrambled":
            return _scrambled(self.bank, shape, self.draw).astype(np.complex64)
        pairs = kernels(self.control, self.bank, self.draw)
        return np.stack([_spectrum(pair, shape).astype(np.complex64) for pair in pairs])

    def residual_gain(self, shape: tuple[int, int]) -> np.ndarray:
        """Transfer function of the low-pass residual, the same as of the log-Gabor bank."""
        return self.bank.residual_gain(shape)

    def prepare(self, shape: tuple[int, int], boundary: str = "symmetric") -> PreparedControl:
        """
        Transfer functions for images of one shape, cached.

        Parameters
        ----------
        shape : (int, int)
        boundary : {"symmetric", "periodic"}

        Returns
        -------
        prepared : PreparedControl
        """
        return _prepared(self, tuple(shape), boundary)


class PreparedControl:
    """
    Control bank for images of one shape, like `loggabor.PreparedBank` but not optimised.

    Parameters
    ----------
    control : ControlBank
    shape : (int, int)
    boundary : {"symmetric", "periodic"}
    """

    def __init__(self, control: ControlBank, shape: tuple[int, int], boundary: str) -> None:
        self.shape = self._full = shape
        if boundary == "symmetric":
            self._full = fourier.padded_shape(shape, control.margin_px)
        self._transfer = control.gains(self._full)
        self._lowpass = control.residual_gain(self._full).astype(np.float32)
        self._window = slice(0), slice(0)

    def analyse(self, image: np.ndarray) -> None:
        """
        Compute the spectrum of an image, which later responses and residuals are taken from.

        Parameters
        ----------
        image : real array (shape)
        """
        padded, origin = fourier.mirror_pad(image, self._full)
        rows, columns = (
            slice(first, first + extent) for first, extent in zip(origin, self.shape, strict=True)
        )
        self._window = rows, columns
        self._spectrum = fft.fft2(padded.astype(np.float32))

    def responses(self) -> Iterator[tuple[slice, np.ndarray]]:
        """
        Responses to the image analysed last, filter by filter.

        Yields
        ------
        filters : slice
        responses : complex64 array (1, height, width)
        """
        for index, transfer in enumerate(self._transfer):
            yield slice(index, index + 1), fft.ifft2(self._spectrum * transfer)[self._window][None]

    def residual(self) -> np.ndarray:
        """
        Low-pass residual of the image analysed, the same as of the log-Gabor bank.

        Returns
        -------
        residual : float32 array (shape)
        """
        return fft.ifft2(self._spectrum * self._lowpass)[self._window].real


@functools.lru_cache(maxsize=4)
def _prepared(control, shape, boundary):
    return PreparedControl(control, shape, boundary)
