"""Control banks for comparison with log-Gabors: as many filters, of the same extent."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator, Sequence

import numpy as np
from scipy import fft

from gaborscope.filters import fourier
from gaborscope.filters.loggabor import LogGaborBank

CONTROLS = ("random", "pixel")
SEED = 20211107  # seed of the random filters: a bank is always the same


def kernels(
    control: str, wavelengths: Sequence[float] | np.ndarray, n_orientations: int
) -> list[np.ndarray]:
    """
    Pairs of filters that replace the even and the odd filter of a log-Gabor.

    `random`: white noise under a Gaussian window with a standard deviation of a quarter of the
    wavelength; mean 0, energy 1.

    `pixel`: two pixels on opposite sides of the centre, on a square ring at about 2/5 of the
    wavelength. Pairs are evenly spread over the ring. With wavelengths of 2.5 and 5 px and four
    orientations these are the eight neighbours, and eight pixels of the ring around them.

    Parameters
    ----------
    control : {"random", "pixel"}
    wavelengths : sequence of float
        Wavelength of each scale in px.
    n_orientations : int

    Returns
    -------
    kernels : list of complex128 array (side, side)
        Ordered by scale, within a scale by orientation. Real and imaginary part are the two
        filters of a pair. Sides are odd.

    Raises
    ------
    ValueError
        If the control is unknown.
    """
    if control not in CONTROLS:
        raise ValueError(f"control must be one of {', '.join(CONTROLS)}, got {control!r}")
    rng, pairs, ring = np.random.default_rng(SEED), [], 0
    for wavelength in wavelengths:
        # a ring has 4 pairs per px of its radius; each scale has a wider ring than the one before
        ring = max(round(0.4 * wavelength), math.ceil(n_orientations / 4), ring + 1)
        radius = max(math.ceil(0.75 * wavelength), ring)
        for index in range(n_orientations):
            if control == "random":
                pairs.append(_noise(radius, wavelength / 4, rng))
            else:
                pairs.append(_pixels(radius, ring, round(4 * ring * index / n_orientations)))
    return pairs


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


class ControlBank:
    """
    Control bank with the part of `LogGaborBank`'s interface that regressors need.

    Parameters
    ----------
    control : {"random", "pixel"}
    bank : LogGaborBank
        Bank that is replaced; its scales, orientations and wavelengths are kept.
    """

    def __init__(self, control: str, bank: LogGaborBank) -> None:
        self.control, self.bank = control, bank
        self.n_scales, self.n_filters = bank.n_scales, bank.n_filters
        self.margin_px = bank.margin_px

    def __eq__(self, other: object) -> bool:
        """Tell whether both are the same bank."""
        if not isinstance(other, ControlBank):
            return False
        return self.control == other.control and self.bank == other.bank

    def __hash__(self) -> int:
        """Return the hash of control and bank."""
        return hash((self.control, self.bank))

    broad = True  # filters pass all frequencies

    def wavelength_px(self, number: int) -> float:
        """Return the shortest wavelength in px that a filter passes, the same for all filters."""
        return 2.0

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
        transfers = []
        for kernel in kernels(self.control, self.bank.wavelengths_px, self.bank.n_orientations):
            # a kernel larger than a small image wraps around
            canvas = np.zeros(shape, complex)
            radius = len(kernel) // 2
            rows = np.arange(-radius, radius + 1) % shape[0]
            columns = np.arange(-radius, radius + 1) % shape[1]
            np.add.at(canvas, np.ix_(rows, columns), kernel)
            transfers.append(fft.fft2(canvas).astype(np.complex64))
        return np.stack(transfers)

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
        return _prepared(self.control, tuple(self.bank.parameters.values()), shape, boundary)


class PreparedControl:
    """
    Control bank for images of one shape, like `loggabor.PreparedBank` but not optimised.

    Parameters
    ----------
    control : {"random", "pixel"}
    bank : LogGaborBank
    shape : (int, int)
    boundary : {"symmetric", "periodic"}
    """

    def __init__(
        self, control: str, bank: LogGaborBank, shape: tuple[int, int], boundary: str
    ) -> None:
        self.shape = self._full = shape
        if boundary == "symmetric":
            self._full = fourier.padded_shape(shape, bank.margin_px)
        self._transfer = ControlBank(control, bank).gains(self._full)
        self._lowpass = bank.residual_gain(self._full).astype(np.float32)
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
def _prepared(control, parameters, shape, boundary):
    return PreparedControl(control, LogGaborBank(*parameters), tuple(shape), boundary)
