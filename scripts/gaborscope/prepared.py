"""A checked map with the passes over its pixels that several metrics share."""

import math
from functools import cached_property

import numpy as np

from gaborscope.errors import InputError

N_BINS = 1 << 14  # of the histogram: fits a core's cache, leaves few pixels to compare
BLOCK = 1 << 14  # pixels of one step of a pass: 128 KiB


class PreparedMap:
    """
    A checked map and the passes over its pixels that several metrics share, each made once.

    Passes go block by block through the map, so that what lies between is never larger than a
    core's cache.

    Attributes
    ----------
    size : (height, width)
    values : (height * width,) float64 array
        All ones if the map is constant, because that counts as uniform.
    minimum, maximum : float
        Of the map as given.
    constant : bool
        All pixels equal.
    """

    def __init__(self, values, name):
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
                f"the {name} holds {bad[0]} at {bad.size} of {self.values.size} pixels"
            )
        largest = max(abs(self.minimum), abs(self.maximum))
        if not math.isfinite(2 * largest * self.values.size):
            raise InputError(f"the {name} reaches {largest:g}, beyond what float64 can sum")
        self.range = self.maximum - self.minimum
        self.constant = self.range == 0
        if self.constant:
            self.values = np.ones(self.values.size)
        self._counts = {}

    def blocks(self):
        """Slices that cover the pixels."""
        return (slice(i, i + BLOCK) for i in range(0, self.values.size, BLOCK))

    def unit(self, pixels):
        """Min-max normalised values of some pixels; only where the map is not constant."""
        unit = self.values[pixels] - self.minimum
        unit /= self.range
        return unit

    @cached_property
    def _unit_mean(self):
        return sum(self.unit(block).sum() for block in self.blocks()) / self.values.size

    def centred(self, pixels):
        """Return unit values of some pixels minus the mean of all."""
        centred = self.unit(pixels)
        centred -= self._unit_mean
        return centred

    @cached_property
    def norm(self):
        """Root of the sum of squares of all centred values."""
        squares = 0.0
        for block in self.blocks():
            centred = self.centred(block)
            squares += np.dot(centred, centred)
        return math.sqrt(squares)

    @cached_property
    def _mass(self):
        if self.constant or self.minimum >= 0:
            return 0.0, self.values.sum()
        return self.minimum, self._unit_mean * self.values.size * self.range

    def density(self, pixels):
        """Values of some pixels divided by the sum of all; a negative minimum is taken off."""
        offset, total = self._mass
        density = self.values[pixels] - offset
        density /= total
        return density

    def unit_density(self, pixels):
        """Return unit values of some pixels divided by the sum of all; uniform if constant."""
        if self.constant:
            return self.density(pixels)
        density = self.unit(pixels)
        density /= self._unit_mean * self.values.size
        return density

    @cached_property
    def _bins(self):
        """Histogram bin of every pixel, and the histogram."""
        bins = np.empty(self.values.size, dtype=np.int16)
        histogram = np.zeros(N_BINS + 1, dtype=np.intp)
        for block in self.blocks():
            own = self._bin(self.unit(block))
            bins[block] = own
            histogram += np.bincount(own, minlength=N_BINS + 1)
        return bins, histogram

    @staticmethod
    def _bin(unit):
        """Bin of unit values; every step is monotone in floating point, so bins keep order."""
        return (unit * N_BINS).astype(np.intp)

    def count_above(self, thresholds, scale="values"):
        """
        Exact numbers of pixels above, and at or above, each threshold, without sorting the map.

        A histogram settles all pixels but those that share a bin with a threshold; only these few
        are compared. Not for constant maps.

        Parameters
        ----------
        thresholds : (n,) float array
            Between the minimum and the maximum.
        scale : {'values', 'unit'}
            Whether thresholds are on the scale of the map or of its unit values.

        Returns
        -------
        above, at_or_above : (n,) int arrays
        """
        key = scale, thresholds.tobytes()
        if key not in self._counts:
            self._counts[key] = self._count_above(thresholds, scale == "unit")
        return self._counts[key]

    def _count_above(self, thresholds, unit):
        bins, histogram = self._bins
        as_unit = thresholds if unit else (thresholds - self.minimum) / self.range
        threshold_bins = self._bin(as_unit)
        shared = np.zeros(N_BINS + 1, dtype=bool)
        shared[threshold_bins] = True
        settled = np.where(shared, 0, histogram)[::-1].cumsum()[::-1][threshold_bins]
        near = [np.flatnonzero(shared[bins[block]]) + block.start for block in self.blocks()]
        near = np.concatenate(near)
        near = np.sort(self.unit(near) if unit else self.values[near])
        above = settled + near.size - np.searchsorted(near, thresholds, side="right")
        at_or_above = settled + near.size - np.searchsorted(near, thresholds, side="left")
        return above, at_or_above


def prepare(values, name="saliency map"):
    """
    Check a map for any function of `metrics`, which then takes the result in its place.

    Parameters
    ----------
    values : (height, width) real array, or PreparedMap
        A PreparedMap is returned as it is.
    name : {'saliency map', 'density', 'baseline'}
        For the text of errors; the last two may not be negative.

    Returns
    -------
    prepared : PreparedMap

    Raises
    ------
    InputError
        If the array is not a real, finite, non-empty (height, width), or may not be negative.
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
