"""Fourier transforms through FFTW: good sizes, mirror padding, planned and reused buffers."""

import functools

import numpy as np
import pyfftw

# Planning by estimate alone: measured plans differ from run to run in their last bits, and equal
# inputs must give equal bytes.
PLANNING = "FFTW_ESTIMATE"


@functools.cache
def good_size(minimum):
    """
    Smallest 5-smooth integer (2^a 3^b 5^c) that is not below `minimum`.

    Parameters
    ----------
    minimum : int
        At least 1.

    Returns
    -------
    size : int
    """
    size = max(int(minimum), 1)
    while True:
        rest = size
        for prime in (2, 3, 5):
            while rest % prime == 0:
                rest //= prime
        if rest == 1:
            return size
        size += 1


def padded_shape(shape, margin):
    """
    Shape of an image after mirror padding by at least `margin` px on each side.

    Parameters
    ----------
    shape : (int, int)
        Height and width in px.
    margin : int
        Least padding on each side, px.

    Returns
    -------
    padded : (int, int)
        5-smooth height and width.
    """
    return tuple(good_size(extent + 2 * margin) for extent in shape)


def mirror_pad(image, shape):
    """
    Image mirrored at its edges (the edge pixel repeated) to a larger shape.

    Parameters
    ----------
    image : array (height, width)
    shape : (int, int)
        Target height and width, not smaller than the image's.

    Returns
    -------
    padded : array (shape)
    origin : (int, int)
        Row and column of the image's first pixel in `padded`.
    """
    before = [(target - extent) // 2 for target, extent in zip(shape, image.shape, strict=True)]
    after = [
        target - extent - first
        for target, extent, first in zip(shape, image.shape, before, strict=True)
    ]
    padded = np.pad(image, list(zip(before, after, strict=True)), mode="symmetric")
    return padded, tuple(before)


class Transform:
    """
    Planned forward and inverse transforms of one shape, on buffers made once and reused.

    Not thread-safe: one instance belongs to one thread.

    Parameters
    ----------
    shape : (int, int)
        Height and width in px.
    precision : {"single", "double"}
        complex64 or complex128.
    """

    def __init__(self, shape, precision="single"):
        dtype = {"single": "complex64", "double": "complex128"}[precision]
        self.shape = tuple(shape)
        self._image = pyfftw.empty_aligned(self.shape, dtype)
        self._spectrum = pyfftw.empty_aligned(self.shape, dtype)
        self._product = pyfftw.empty_aligned(self.shape, dtype)
        self._response = pyfftw.empty_aligned(self.shape, dtype)
        options = {"axes": (0, 1), "flags": (PLANNING,), "threads": 1}
        self._forward = pyfftw.FFTW(self._image, self._spectrum, **options)
        self._inverse = pyfftw.FFTW(
            self._product, self._response, direction="FFTW_BACKWARD", **options
        )

    def analyse(self, image):
        """
        Spectrum of a real image, kept for the calls of `filtered` that follow.

        Parameters
        ----------
        image : array (shape), real
        """
        self._image[...] = image
        self._forward.execute()

    def filtered(self, gain):
        """
        Complex response `ifft2(spectrum * gain)` of the image analysed last.

        Parameters
        ----------
        gain : real array (shape)
            Transfer function on the frequencies of `numpy.fft.fftfreq`, divided by the number of
            pixels beforehand (`gain / size`): FFTW's inverse does not normalise.

        Returns
        -------
        response : complex array (shape)
            The inner buffer: overwritten by the next call.
        """
        np.multiply(self._spectrum, gain, out=self._product)
        self._inverse.execute()
        return self._response


@functools.lru_cache(maxsize=8)
def transform(shape, precision="single"):
    """
    Transform of a shape, planned at its first use in this process.

    Parameters
    ----------
    shape : (int, int)
    precision : {"single", "double"}

    Returns
    -------
    transform : Transform
    """
    return Transform(shape, precision)
