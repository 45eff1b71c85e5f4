"""A checked map that computes once what several metrics need of its pixels."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import cached_property

import cv2
import numpy as np

from gaborscope.errors import InputError

BLOCK = 1 << 15  # pixels of a block: 256 KiB of float64

EXACT_IN_FLOAT32 = 1 << 24  # whole numbers below it are exact in float32

# The bin of a pixel is the leading bits of float32(unit value + 1 / 256). This makes 8 octaves of
# 4096 bins each. The finest bins are at low values, where most pixels of a peaked map lie.
BIN_OFFSET = 2.0**-8
BIN_SHIFT = 11
FIRST_BIN = int(np.float32(BIN_OFFSET).view(np.int32)) >> BIN_SHIFT
N_BINS = (int(np.float32(1 + BIN_OFFSET).view(np.int32)) >> BIN_SHIFT) - FIRST_BIN + 2
EXTREME = 1e100  # a range above it or below 1 / EXTREME is scaled, so that squares stay finite


class PreparedMap:
    """
    A checked map that computes once what several metrics need of its pixels.

    Each pass goes through the map block by block, so that intermediate arrays fit in the cache of
    a core.

    Attributes
    ----------
    size : (height, width)
    values : (height * width,) float64 array
        Pixels of the map. All ones if the map is constant, because it counts as uniform. If the
        range is extreme, multiplied by a power of two, which changes no metric.
    minimum, maximum : float
        Smallest and largest value of the map as given.
    constant : bool
        Whether all pixels are equal.
    """

    def __init__(self, values: np.ndarray, name: str) -> None:
        values = np.asarray(values)
        if values.ndim != 2 or values.size == 0 or values.dtype.kind not in "buif":
            raise InputError(
                f"the {name} must be a real array of shape (height, width), got {values.dtype} "
                f"of shape {values.shape}"
            )
        self.name = name
        self.size = values.shape
        self.values = values.astype(np.float64, copy=False).ravel()
        self.minimum, self.maximum = float(self.values.min()), float(self.values.max())
        if not (math.isfinite(self.minimum) and math.isfinite(self.maximum)):
            bad = self.values[~np.isfinite(self.values)]
            raise InputError(
                f"the {name} holds {bad[0]} at {bad.size} of {self.values.size} pixels; it must be "
                "finite"
            )
        largest = max(abs(self.minimum), abs(self.maximum))
        if not math.isfinite(2 * largest * self.values.size):
            raise InputError(
                f"the {name} reaches {largest:g}, beyond what float64 can sum; divide it by a "
                "constant"
            )
        self._low, self.range = self.minimum, self.maximum - self.minimum
        self.constant = self.range == 0
        if self.constant:
            self.values, self._low = np.ones(self.values.size), 1.0
        elif not 1 / EXTREME < self.range < EXTREME:
            exponent = -math.frexp(self.range)[1]
            self.values = np.ldexp(self.values, exponent)
            self._low = math.ldexp(self._low, exponent)
            self.range = float(self.values.max()) - self._low
        self._counts = {}

    def blocks(self) -> Iterator[slice]:
        """Slices that together cover all pixels."""
        return (slice(i, i + BLOCK) for i in range(0, self.values.size, BLOCK))

    def above_minimum(
        self, pixels: np.ndarray | slice, out: np.ndarray | None = None
    ) -> np.ndarray:
        """Values of some pixels minus the minimum of the map."""
        values = self.values[pixels]
        return np.subtract(values, self._low, out=None if out is None else out[: values.size])

    def unit(self, pixels: np.ndarray | slice) -> np.ndarray:
        """Min-max normalised values of some pixels; not for constant maps."""
        unit = self.above_minimum(pixels)
        unit /= self.range
        return unit

    @cached_property
    def _sum(self):
        return float(self.values.sum())

    @cached_property
    def mass_above_minimum(self) -> float:
        """Sum of all values minus the minimum."""
        if self._low >= 0:
            above = self._sum - self.values.size * self._low
            if above > 1e-3 * self._sum:  # otherwise the difference has too few digits
                return above
        buffer = np.empty(BLOCK)
        return float(sum(self.above_minimum(block, buffer).sum() for block in self.blocks()))

    def centred(self, pixels: np.ndarray | slice, out: np.ndarray | None = None) -> np.ndarray:
        """Return values of some pixels minus the mean of the map."""
        mean = self._low + self.mass_above_minimum / self.values.size
        values = self.values[pixels]
        return np.subtract(values, mean, out=None if out is None else out[: values.size])

    @cached_property
    def norm(self) -> float:
        """Square root of the sum of squares of all centred values."""
        squares, buffer = 0.0, np.empty(BLOCK)
        for block in self.blocks():
            centred = self.centred(block, buffer)
            squares += np.dot(centred, centred)
        return math.sqrt(squares)

    def correlation(self, other: PreparedMap) -> float:
        """Pearson correlation with another map; the same pass sets the norms of both maps."""
        squares, other_squares, product, buffers = 0.0, 0.0, 0.0, np.empty((2, BLOCK))
        for block in self.blocks():
            centred = self.centred(block, buffers[0])
            other_centred = other.centred(block, buffers[1])
            squares += np.dot(centred, centred)
            other_squares += np.dot(other_centred, other_centred)
            product += np.dot(centred, other_centred)
        self.norm, other.norm = math.sqrt(squares), math.sqrt(other_squares)
        return float(np.clip(product / (self.norm * other.norm), -1, 1))

    @cached_property
    def mass(self) -> tuple[float, float]:
        """Offset that `density` subtracts from each pixel, and the sum of the differences."""
        if self.constant or self.minimum >= 0:
            return 0.0, self._sum
        return self._low, self.mass_above_minimum

    @cached_property
    def floor_and_mass(self) -> tuple[float, float]:
        """Offset that `unit_density` subtracts from each pixel, and the sum of the differences."""
        return self.mass if self.constant else (self._low, self.mass_above_minimum)

    def density(self, pixels: np.ndarray | slice) -> np.ndarray:
        """Values of some pixels divided by the sum of all, less a negative minimum of the map."""
        offset, total = self.mass
        return (self.values[pixels] - offset) / total

    def unit_density(self, pixels: np.ndarray | slice) -> np.ndarray:
        """Return unit values of some pixels over the sum of all; uniform for a constant map."""
        offset, total = self.floor_and_mass
        return (self.values[pixels] - offset) / total

    @cached_property
    def _bins(self):
        """Histogram bin of every pixel, and the histogram."""
        bins, buffer = np.empty(self.values.size, dtype=np.uint16), np.empty(BLOCK)
        for block in self.blocks():
            bins[block] = self._bin(self.above_minimum(block, buffer), self.range)
        if bins.size < EXACT_IN_FLOAT32:  # OpenCV is faster but counts in float32
            histogram = cv2.calcHist([bins[None]], [0], None, [N_BINS], [0, N_BINS]).ravel()
        else:
            histogram = np.bincount(bins, minlength=N_BINS)
        return bins, histogram.astype(np.intp)

    @staticmethod
    def _bin(above: np.ndarray, full: float) -> np.ndarray:
        """Bin of values above the minimum. Every step is monotone, so bins keep the order."""
        above *= 1 / full
        above += BIN_OFFSET
        bits = above.astype(np.float32).view(np.int32)
        bits >>= BIN_SHIFT
        bits -= FIRST_BIN
        return bits

    def count_above(
        self, thresholds: np.ndarray, scale: str = "values"
    ) -> tuple[np.ndarray, np.ndarray]:
        """
        Exact numbers of pixels above, and at or above, each threshold, without sorting the map.

        A histogram counts the pixels whose bin holds no threshold. The few pixels that share a bin
        with a threshold are compared one by one. Not for constant maps.

        Parameters
        ----------
        thresholds : (n,) float array
            Between the minimum and the maximum.
        scale : {'values', 'unit'}
            Whether thresholds are values of the map or unit values.

        Returns
        -------
        above, at_or_above : (n,) int arrays
        """
        key = scale, thresholds.tobytes()
        if key not in self._counts:
            self.count((thresholds, scale))
        return self._counts[key]

    def count(self, *requests: tuple[np.ndarray, str]) -> None:
        """
        Make several counts in one pass and store them for `count_above`.

        Parameters
        ----------
        *requests : (thresholds, scale)
        """
        bins, histogram = self._bins
        shared, threshold_bins = np.zeros(1 << 16, dtype=np.uint8), []  # cv2.LUT takes 65536
        for thresholds, scale in requests:
            if scale == "unit":
                indices = self._bin(thresholds.copy(), 1.0)
                # thresholds and pixels round differently: a tied pixel may lie in the next bin
                shared[np.minimum(indices + 1, N_BINS - 1)] = shared[np.maximum(indices - 1, 0)] = 1
            else:
                indices = self._bin(thresholds - self._low, self.range)
            shared[indices] = 1
            threshold_bins.append(indices)
        near = np.flatnonzero(cv2.LUT(bins[None], shared[None]).view(bool))
        settled = np.where(shared[:N_BINS], 0, histogram)[::-1].cumsum()[::-1]
        for (thresholds, scale), indices in zip(requests, threshold_bins, strict=True):
            values = self.unit(near) if scale == "unit" else self.values[near]
            beyond = _count_beyond(values, thresholds)
            self._counts[scale, thresholds.tobytes()] = tuple(settled[indices] + n for n in beyond)


def _count_beyond(values, thresholds):
    """Numbers of values above, and at or above, each threshold."""
    ladder, back = np.unique(thresholds, return_inverse=True)
    n = ladder.size
    places = np.searchsorted(ladder, values)  # number of thresholds below a value
    above = np.bincount(places, minlength=n + 1)[::-1].cumsum()[::-1][1:]
    equal = ladder[np.minimum(places, n - 1)] == values
    tied = np.bincount(places[equal], minlength=n)
    return above[back], (above + tied)[back]


def prepare(values: np.ndarray | PreparedMap, name: str = "saliency map") -> PreparedMap:
    """
    Check a map and prepare it; every function of `metrics` takes the result in place of the map.

    Parameters
    ----------
    values : (height, width) real array, or PreparedMap
        A PreparedMap is returned as it is.
    name : {'saliency map', 'density', 'baseline'}
        Used in error messages. A density or baseline must not be negative.

    Returns
    -------
    prepared : PreparedMap

    Raises
    ------
    InputError
        If the array is not real, finite, not empty and of shape (height, width), or if a density
        or baseline has negative values.
    """
    if isinstance(values, PreparedMap):
        return values
    prepared = PreparedMap(values, name)
    if name != "saliency map" and prepared.minimum < 0:
        raise InputError(
            f"the {name} has negative values (minimum {prepared.minimum:g}); "
            "if it is a logarithm, exponentiate it first"
        )
    return prepared
