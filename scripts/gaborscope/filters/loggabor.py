"""The log-Gabor bank: gains in the frequency domain and complex (even + i odd) responses."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from gaborscope.filters import fourier


def radial_gain(
    frequency: np.ndarray, centre_frequency: float, bandwidth_ratio: float
) -> np.ndarray:
    """
    Gain of a log-Gabor filter along the radial frequency axis.

    A Gaussian on the logarithm of frequency: 1 at the centre frequency and 0 at frequency 0,
    so a response carries no mean luminance.

    Parameters
    ----------
    frequency : float array, any shape
        Radial frequency in cycles per pixel, not negative.
    centre_frequency : float
        Peak of the gain in cycles per pixel. Above about 1/3 the upper flank is cut by the
        Nyquist limit.
    bandwidth_ratio : float in (0, 1)
        sigma / centre_frequency, constant over scales (not octaves): 0.75 is about one octave
        wide at half amplitude, 0.55 about two.

    Returns
    -------
    gain : float64 array, shape of `frequency`, in [0, 1]

    Raises
    ------
    ValueError
        If `centre_frequency` is not positive or `bandwidth_ratio` not between 0 and 1.

    References
    ----------
    Field, D. J. (1987). J. Opt. Soc. Am. A 4, 2379-2394.
    """
    if centre_frequency <= 0 or not 0 < bandwidth_ratio < 1:
        raise ValueError(
            "centre_frequency must be positive and bandwidth_ratio between 0 and 1, "
            f"got {centre_frequency} and {bandwidth_ratio}"
        )
    frequency = np.asarray(frequency, dtype=float)
    gain = np.zeros_like(frequency)
    passed = frequency > 0  # log(0) is the reason the mean is excluded
    distance = np.log(frequency[passed] / centre_frequency)
    gain[passed] = np.exp(-(distance**2) / (2 * math.log(bandwidth_ratio) ** 2))
    return gain


def angular_gain(difference: np.ndarray, angular_sigma: float) -> np.ndarray:
    """
    Gain of a log-Gabor filter along the orientation axis.

    A Gaussian lowered so that it reaches 0 at a quarter turn and rescaled to 1 at its peak:
    continuous and exactly one-sided, which makes the response analytic (its imaginary part is
    the odd response). Kovesi's raised cosine is another choice; over an even number of
    orientations it makes the even and odd responses linearly dependent.

    Parameters
    ----------
    difference : float array, any shape
        Angle between frequency and filter orientation in radians, within (-pi, pi].
    angular_sigma : float
        Standard deviation of the Gaussian in radians, positive.

    Returns
    -------
    gain : float64 array, shape of `difference`, in [0, 1]
    """
    floor = math.exp(-((math.pi / 2) ** 2) / (2 * angular_sigma**2))
    lobe = (np.exp(-(difference**2) / (2 * angular_sigma**2)) - floor) / (1 - floor)
    return np.where(np.abs(difference) < math.pi / 2, lobe, 0.0)


def frequencies(shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """
    Radial frequency and orientation of every point of the discrete spectrum.

    Parameters
    ----------
    shape : (int, int)
        Height and width in px.

    Returns
    -------
    radius : float64 array (height, width)
        Cycles per pixel, in the order of `numpy.fft.fftfreq`.
    angle : float64 array (height, width)
        Angle of the wave vector in radians, counter-clockwise as seen on the screen:
        `atan2(-f_y, f_x)`, since y points down in arrays.
    """
    f_y = np.fft.fftfreq(shape[0])[:, None]
    f_x = np.fft.fftfreq(shape[1])[None, :]
    return np.hypot(f_y, f_x), np.arctan2(-f_y, f_x + 0 * f_y)


class LogGaborBank:
    """
    Bank of log-Gabor filters, scales by orientations.

    The response of a filter is `z = ifft2(fft2(image) * gain)` with
    `gain = 2 radial(f) angular(d)`, one-sided: Re z is the even response, Im z the odd one, |z|
    the amplitude. Filters are ordered scale by scale (finest first), within a scale by
    orientation.

    Parameters
    ----------
    n_scales, n_orientations : int
        At least 1 each. Orientations are `pi * o / n_orientations`.
    min_wavelength_px : float
        Wavelength of the finest scale in px, above 2 (the Nyquist limit).
    scale_factor : float
        Ratio of the wavelengths of neighbouring scales, above 1.
    bandwidth_ratio : float in (0, 1)
        See `radial_gain`.
    angular_sigma : float, optional
        Standard deviation over orientation in radians; default `(pi / n_orientations) / 1.2`.

    Raises
    ------
    ValueError
        If a parameter lies outside its range.

    References
    ----------
    Field, D. J. (1987). J. Opt. Soc. Am. A 4, 2379-2394.
    """

    def __init__(
        self,
        n_scales: int,
        n_orientations: int,
        min_wavelength_px: float,
        scale_factor: float,
        bandwidth_ratio: float,
        angular_sigma: float | None = None,
    ) -> None:
        _check_bank(n_scales, n_orientations, min_wavelength_px, scale_factor, bandwidth_ratio)
        if angular_sigma is None:
            angular_sigma = (math.pi / n_orientations) / 1.2
        if angular_sigma <= 0:
            raise ValueError(f"angular_sigma must be positive, got {angular_sigma}")
        self.n_scales = int(n_scales)
        self.n_orientations = int(n_orientations)
        self.min_wavelength_px = float(min_wavelength_px)
        self.scale_factor = float(scale_factor)
        self.bandwidth_ratio = float(bandwidth_ratio)
        self.angular_sigma = float(angular_sigma)

    @property
    def parameters(self) -> dict[str, Any]:
        """Mapping of the constructor's arguments, as plain numbers."""
        return {
            "n_scales": self.n_scales,
            "n_orientations": self.n_orientations,
            "min_wavelength_px": self.min_wavelength_px,
            "scale_factor": self.scale_factor,
            "bandwidth_ratio": self.bandwidth_ratio,
            "angular_sigma": self.angular_sigma,
        }

    def __eq__(self, other: object) -> bool:
        """Tell whether both are the same bank."""
        return isinstance(other, LogGaborBank) and self.parameters == other.parameters

    def __hash__(self) -> int:
        """Return the hash of the parameters."""
        return hash(tuple(self.parameters.values()))

    @property
    def n_filters(self) -> int:
        """Number of filters, scales times orientations."""
        return self.n_scales * self.n_orientations

    @property
    def wavelengths_px(self) -> np.ndarray:
        """Wavelength of each scale in px, float64 array (scale,)."""
        return self.min_wavelength_px * self.scale_factor ** np.arange(self.n_scales)

    @property
    def broad(self) -> bool:
        """Whether filters pass more than an octave and a half, or 60 degrees, at half amplitude."""
        half = math.sqrt(2 * math.log(2))
        octaves = -2 * half * math.log(self.bandwidth_ratio) / math.log(2)
        return octaves > 1.5 or 2 * half * self.angular_sigma > math.pi / 3

    def wavelength_px(self, number: int) -> float:
        """Wavelength of one filter in px."""
        return float(self.wavelengths_px[number // self.n_orientations])

    @property
    def orientations(self) -> np.ndarray:
        """Orientation of each filter of a scale in radians, float64 array (orientation,)."""
        return math.pi * np.arange(self.n_orientations) / self.n_orientations

    @property
    def margin_px(self) -> int:
        """Mirror padding on each side in px: half of the largest wavelength."""
        return math.ceil(self.wavelengths_px[-1] / 2)

    def gains(self, shape: tuple[int, int]) -> np.ndarray:
        """
        Transfer functions of all filters.

        Parameters
        ----------
        shape : (int, int)
            Height and width in px.

        Returns
        -------
        gains : float64 array (filter, height, width), in [0, 2]
            On the frequencies of `numpy.fft.fftfreq`.
        """
        radius, angle = frequencies(shape)
        lobes = []
        for orientation in self.orientations:
            difference = np.angle(np.exp(1j * (angle - orientation)))
            lobes.append(angular_gain(difference, self.angular_sigma))
        gains = np.empty((self.n_filters, *shape))
        for scale, wavelength in enumerate(self.wavelengths_px):
            radial = 2 * radial_gain(radius, 1 / wavelength, self.bandwidth_ratio)
            for index, lobe in enumerate(lobes):
                np.multiply(radial, lobe, out=gains[scale * self.n_orientations + index])
        return gains

    def residual_gain(self, shape: tuple[int, int]) -> np.ndarray:
        """
        Transfer function of the low-pass residual: the frequencies below the coarsest scale.

        `sqrt(1 - radial(f)^2)` of the coarsest scale below its centre frequency and 0 above: 1 at
        frequency 0, continuous, and in quadrature with the coarsest scale.

        Parameters
        ----------
        shape : (int, int)

        Returns
        -------
        gain : float64 array (height, width), in [0, 1]
        """
        radius, _ = frequencies(shape)
        centre = 1 / self.wavelengths_px[-1]
        coarsest = radial_gain(radius, centre, self.bandwidth_ratio)
        return np.where(radius < centre, np.sqrt(np.maximum(1 - coarsest**2, 0)), 0.0)

    def responses(
        self, image: np.ndarray, boundary: str = "symmetric", precision: str = "single"
    ) -> np.ndarray:
        """
        Complex responses of all filters to one image.

        Parameters
        ----------
        image : real array (height, width)
        boundary : {"symmetric", "periodic"}
            `symmetric`: mirror padding by half of the largest wavelength on each side, to a
            5-smooth size. `periodic`: no padding, the image wraps around.
        precision : {"single", "double"}
            complex64 or complex128.

        Returns
        -------
        responses : complex64 (or complex128) array (filter, height, width)

        Raises
        ------
        ValueError
            If the image is not two-dimensional or the boundary is unknown.
        """
        image = np.asarray(image)
        if image.ndim != 2 or image.size == 0:
            raise ValueError(f"image must be two-dimensional, got the shape {image.shape}")
        prepared = self.prepare(image.shape, boundary, precision)
        dtype = np.complex64 if precision == "single" else np.complex128
        responses = np.empty((self.n_filters, *image.shape), dtype)
        prepared.analyse(image)
        for filters, block in prepared.responses():
            responses[filters] = block
        return responses

    def prepare(
        self,
        shape: tuple[int, int],
        boundary: str = "symmetric",
        precision: str = "single",
        planning: str = "estimate",
    ) -> PreparedBank:
        """
        Gains and planned transforms for images of one shape, cached.

        Parameters
        ----------
        shape : (int, int)
        boundary : {"symmetric", "periodic"}
        precision : {"single", "double"}
        planning : {"estimate", "measure"}
            See `fourier.Transform`.

        Returns
        -------
        prepared : PreparedBank
        """
        if boundary not in ("symmetric", "periodic"):
            raise ValueError(f"boundary must be 'symmetric' or 'periodic', got {boundary!r}")
        parameters = tuple(self.parameters.values())
        return _prepared(parameters, tuple(shape), boundary, precision, planning)


class PreparedBank:
    """
    Bank for images of one shape; responses come block by block, without large arrays.

    Parameters
    ----------
    bank : LogGaborBank
    shape : (int, int)
        Height and width of the images in px.
    boundary : {"symmetric", "periodic"}
    precision : {"single", "double"}
    planning : {"estimate", "measure"}
    """

    def __init__(
        self,
        bank: LogGaborBank,
        shape: tuple[int, int],
        boundary: str,
        precision: str,
        planning: str,
    ) -> None:
        self.shape = shape
        self._full = shape
        if boundary == "symmetric":
            self._full = fourier.padded_shape(shape, bank.margin_px)
        # the orientations of a scale share a block: their gains reach equally far in frequency
        block = fourier.block_size(self._full, bank.n_orientations)
        self._transform = fourier.transform(self._full, precision, block, planning)
        self._single = fourier.transform(self._full, precision, 1, planning)
        gains = bank.gains(self._full).reshape(-1, block, *self._full)
        self._gains = [self._transform.prepare(part) for part in gains]
        self._residual = self._single.prepare(bank.residual_gain(self._full)[None])
        self._window = (slice(None), slice(0, shape[0]), slice(0, shape[1]))
        self._padded: np.ndarray | None = None

    @property
    def padded_shape(self) -> tuple[int, int]:
        """Height and width of the transforms in px."""
        return self._full

    @property
    def block(self) -> int:
        """Number of filters in a block of responses."""
        return self._transform.block

    def analyse(self, image: np.ndarray) -> None:
        """
        Compute the spectrum of an image, which later responses and residuals are taken from.

        Parameters
        ----------
        image : real array (shape)
        """
        self._padded, origin = fourier.mirror_pad(image, self._full)
        rows, columns = (
            slice(first, first + extent) for first, extent in zip(origin, self.shape, strict=True)
        )
        self._window = (slice(None), rows, columns)
        self._transform.analyse(self._padded)

    def responses(self) -> Iterator[tuple[slice, np.ndarray]]:
        """
        Complex responses of all filters to the image analysed last, block by block.

        Yields
        ------
        filters : slice
            Numbers of the filters in the bank.
        responses : complex array (filter, height, width)
            A view that the next block overwrites.
        """
        for number, gains in enumerate(self._gains):
            first = number * self._transform.block
            filters = slice(first, first + self._transform.block)
            yield filters, self._transform.filtered(gains)[self._window]

    def residual(self) -> np.ndarray:
        """
        Low-pass residual of the image analysed last, a view that the next call overwrites.

        Returns
        -------
        residual : real array (shape)
        """
        if self._single is not self._transform and self._padded is not None:
            self._single.analyse(self._padded)
        return self._single.filtered(self._residual)[self._window][0].real


@functools.lru_cache(maxsize=4)
def _prepared(parameters, shape, boundary, precision, planning):
    return PreparedBank(LogGaborBank(*parameters), shape, boundary, precision, planning)


def clear_cache() -> None:
    """Forget the banks prepared in this process."""
    _prepared.cache_clear()


def _check_bank(n_scales, n_orientations, min_wavelength_px, scale_factor, bandwidth_ratio):
    if n_scales < 1 or n_orientations < 1:
        raise ValueError(
            f"n_scales and n_orientations must be at least 1, got {n_scales} and {n_orientations}"
        )
    if min_wavelength_px <= 2:
        raise ValueError(
            f"min_wavelength_px must be above 2 (Nyquist limit), got {min_wavelength_px}"
        )
    if scale_factor <= 1:
        raise ValueError(f"scale_factor must be above 1, got {scale_factor}")
    if not 0 < bandwidth_ratio < 1:
        raise ValueError(f"bandwidth_ratio must lie between 0 and 1, got {bandwidth_ratio}")
