"""Fourier transforms through FFTW: good sizes, mirror padding, planned and reused buffers."""

import dataclasses
import functools
from typing import Any

import numpy as np
import pyfftw

# Measured plans differ from run to run in their last bits, and equal inputs must give equal bytes:
# planning is by estimate unless a caller asks for more.
PLANNING = {"estimate": "FFTW_ESTIMATE", "measure": "FFTW_MEASURE"}

# Gains up to this count as 0. It is below the rounding of a float32 product with a gain of 2.
NEGLIGIBLE = {"single": 1e-8, "double": 0.0}

# Most px in a block of filters that are transformed together. For small images a call costs as much
# as a transform; larger blocks do not fit the cache (benchmarks/loggabor.py --blocks).
BLOCK_PIXELS = 1 << 15

# Columns of the spectrum are kept or dropped in groups of this size, so that few plans are needed.
GROUP = 8

# Bytes that a cache moves at a time.
CACHE_LINE = 64


@functools.cache
def good_size(minimum: int) -> int:
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


def padded_shape(shape: tuple[int, int], margin: int) -> tuple[int, int]:
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
        5-smooth multiples of 4: lengths without that factor cost up to twice as much per px.
    """
    height, width = (4 * good_size(-(-(extent + 2 * margin) // 4)) for extent in shape)
    return height, width


def mirror_pad(image: np.ndarray, shape: tuple[int, int]) -> tuple[np.ndarray, tuple[int, int]]:
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
    if image.shape == tuple(shape):
        return image.copy(), (0, 0)
    before = [(target - extent) // 2 for target, extent in zip(shape, image.shape, strict=True)]
    after = [
        target - extent - first
        for target, extent, first in zip(shape, image.shape, before, strict=True)
    ]
    padded = np.pad(image, list(zip(before, after, strict=True)), mode="symmetric")
    return padded, tuple(before)


def block_size(shape: tuple[int, int], n_filters: int) -> int:
    """
    Return the number of filters to transform together.

    Parameters
    ----------
    shape : (int, int)
        Height and width in px.
    n_filters : int
        Filters that may share a block; the result divides it.

    Returns
    -------
    size : int
    """
    fits = max(1, BLOCK_PIXELS // (shape[0] * shape[1]))
    return max(size for size in range(1, n_filters + 1) if n_filters % size == 0 and size <= fits)


@dataclasses.dataclass(frozen=True)
class Prepared:
    """
    Gains of a block of filters, bound to the buffers of a transform.

    Attributes
    ----------
    parts : list of slice
        Columns of the spectrum that any of the filters passes.
    gap : (int, int)
        First column that none of them passes, and the next one that any passes.
    steps : list of (real array, real array, real array, pyfftw.FFTW)
        For each part: spectrum, gains divided by the number of px (FFTW's inverse does not
        normalise), room for their product, and the transform of the product along f_y.
    """

    parts: list[slice]
    gap: tuple[int, int]
    steps: list[tuple[Any, ...]]


class Transform:
    """
    Planned forward and inverse transforms of one shape, on buffers made once and reused.

    The inverse runs in two passes over a spectrum that is stored transposed. The first pass takes
    lines of constant f_x, which are contiguous, and skips lines that no filter of the block passes.
    The second runs along f_x and writes in image order. FFTW's plan for both axes, made without
    measuring, takes twice the time at 224x320 px.

    Between the passes, lines lie an odd number of cache lines apart. At other distances, such as
    28 cache lines (224 px), the values that the second pass reads together displace each other
    from the cache, and the pass takes 1.4 times as long.

    Not thread-safe: one instance belongs to one thread.

    Parameters
    ----------
    shape : (int, int)
        Height and width in px.
    precision : {"single", "double"}
        complex64 or complex128.
    block : int
        Number of filters applied together.
    planning : {"estimate", "measure"}
        Measured plans are faster at some sizes, but their last bits differ from run to run.
    """

    def __init__(
        self,
        shape: tuple[int, int],
        precision: str = "single",
        block: int = 1,
        planning: str = "estimate",
    ) -> None:
        dtype = {"single": "complex64", "double": "complex128"}[precision]
        height, width = self.shape = tuple(shape)
        self.block = block
        self._negligible = NEGLIGIBLE[precision]
        self._real = np.float32 if precision == "single" else np.float64
        self._image = pyfftw.empty_aligned(self.shape, dtype)
        self._spectrum = pyfftw.empty_aligned((width, height), dtype)
        self._product = pyfftw.zeros_aligned((block, width, height), dtype)
        stride = _spread(height, np.dtype(dtype).itemsize)
        self._lines = pyfftw.zeros_aligned((block, width, stride), dtype)[:, :, :height]
        self._responses = pyfftw.empty_aligned((block, height, width), dtype)
        self._planning = planning
        self._forward = self._plan(self._image, self._spectrum.T, (0, 1), "FFTW_FORWARD")
        self._across = self._plan(self._lines, self._responses.transpose(0, 2, 1), (1,))
        self._plans = {}
        self._gap = 0, width  # columns of `_lines` that are 0

    @property
    def line_stride(self) -> int:
        """Distance of the lines between the two passes, bytes."""
        return self._lines.strides[1]

    def _plan(self, source, target, axes, direction="FFTW_BACKWARD"):
        """Plan a transform between two buffers; their values are kept."""
        flags = (PLANNING[self._planning],)
        if self._planning == "estimate":
            return pyfftw.FFTW(source, target, axes, direction, flags, 1)
        held = source.copy(), target.copy()  # measuring uses the buffers
        plan = pyfftw.FFTW(source, target, axes, direction, flags, 1)
        source[...], target[...] = held
        # otherwise FFTW uses the measurements in later estimates, which changes their last bits
        pyfftw.forget_wisdom()
        return plan

    def analyse(self, image: np.ndarray) -> None:
        """
        Spectrum of a real image, kept for the calls of `filtered` that follow.

        Parameters
        ----------
        image : array (shape), real
        """
        self._image[...] = image
        self._forward.execute()

    def prepare(self, gains: np.ndarray) -> Prepared:
        """
        Bring the gains of a block of filters into the form that `filtered` takes.

        Parameters
        ----------
        gains : real array (block, height, width)
            Transfer functions on the frequencies of `numpy.fft.fftfreq`.

        Returns
        -------
        prepared : Prepared
            Bound to the buffers of this transform.
        """
        width = self.shape[1]
        passed = np.flatnonzero((np.abs(gains) > self._negligible).any(axis=(0, 1)))
        half = (width + 1) // 2
        below, above = passed[passed < half], passed[passed >= half]
        first = min(half, _grouped(int(below[-1]) + 1)) if below.size else 0
        stop = max(half, width - _grouped(width - int(above[0]))) if above.size else width
        parts = [slice(0, first), slice(stop, width)] if first < stop else [slice(0, width)]
        parts = [part for part in parts if part.start < part.stop]
        lines = gains.transpose(0, 2, 1) / (self.shape[0] * width)
        steps = [self._step(part, lines[:, part]) for part in parts]
        return Prepared(parts, (first, stop), steps)

    def filtered(self, prepared: Prepared) -> np.ndarray:
        """
        Complex responses `ifft2(spectrum * gain)` of the image analysed last.

        Parameters
        ----------
        prepared : Prepared
            Gains of a block of filters, from `prepare`.

        Returns
        -------
        responses : complex array (block, height, width)
            The inner buffer: overwritten by the next call.
        """
        self._clear(*prepared.gap)
        for spectrum, gains, product, transform in prepared.steps:
            np.multiply(spectrum, gains, out=product)
            transform.execute()
        self._across.execute()
        return self._responses

    def _clear(self, first, stop):
        """Set the columns from `first` to `stop` to 0, where the last block left other values."""
        held, end = self._gap
        if first < held:
            self._lines[:, first : min(held, stop)] = 0
        if stop > end:
            self._lines[:, max(end, first) : stop] = 0
        self._gap = first, stop

    def _step(self, part, lines):
        """Bind the product and the transform along f_y of some columns of the spectrum."""
        # as a real product: each gain once for the real and once for the imaginary part
        gains = np.repeat(lines.astype(self._real), 2, axis=2)
        spectrum = self._spectrum[part].view(self._real)
        return spectrum, gains, self._product[:, part].view(self._real), self._along(part)

    def _along(self, part):
        """Plan of the transforms along f_y of some columns, made when first used."""
        key = (part.start, part.stop)
        if key not in self._plans:
            source, target = self._product[:, part], self._lines[:, part]
            self._plans[key] = self._plan(source, target, (2,))
        return self._plans[key]


def _grouped(n):
    return -(-n // GROUP) * GROUP


def _spread(length, itemsize):
    """Length, not below `length`, of lines that an odd number of cache lines separates."""
    unit = CACHE_LINE // itemsize
    return unit * (-(-length // unit) | 1)


@functools.lru_cache(maxsize=8)
def transform(
    shape: tuple[int, int], precision: str = "single", block: int = 1, planning: str = "estimate"
) -> Transform:
    """
    Transform of a shape, planned at its first use in this process.

    Parameters
    ----------
    shape : (int, int)
    precision : {"single", "double"}
    block : int
    planning : {"estimate", "measure"}
        See `Transform`.

    Returns
    -------
    transform : Transform
    """
    return Transform(shape, precision, block, planning)
