"""Fixations in a trace of eye positions, found as MIT1003's authors find them."""

import numpy as np
from scipy.signal import lfilter

RATE = 240  # samples per second
WINDOW = 4  # samples
LIMIT = 34 * 6  # px/s per sample: 6 degrees per second at 34 px per degree
LEAST = 3  # samples above the limit that make a saccade
SEARCH = 25  # samples in which the deceleration has to follow
SHORTEST = 12  # samples (50 ms) between two saccades, else they are one


def fixations(trace: np.ndarray) -> np.ndarray:
    """
    Medians of the fixations in a trace of eye positions.

    Saccades are runs of samples whose smoothed speed rises fast, up to where the fall of speed that
    follows ends; fixations are what lies between. Speeds are means over four samples, the
    acceleration is the difference of their sums over two windows of five samples, one sample apart.
    A run without a fall of speed within 25 samples is none, unless it is the only one and lasts to
    the end of what can be told. Saccades at most 12 samples apart are one; so short a rest at the
    end of the trace belongs to the last saccade.

    Parameters
    ----------
    trace : float array (n, 2)
        x, y in px at 240 Hz; nan where the eye was lost.

    Returns
    -------
    points : float array (m, 2)
        m >= 1; the first is where the eye was when the stimulus came on.

    References
    ----------
    The procedure (acceleration criterion, constants, treatment of the ends) is that of
    checkFixations.m in the authors' DatabaseCode.zip, which this agrees with on made traces
    (tests/test_eyedata.py).
    """
    trace = np.asarray(trace, dtype=float)
    n = len(trace)
    saccades = _saccades(_acceleration(trace), n)
    edges = [(0, 0)] + saccades
    starts = [end for _, end in edges]
    ends = [start for start, _ in saccades] + [n]
    spans = [(a, b) for a, b in zip(starts, ends, strict=True) if b > a]
    with np.errstate(all="ignore"):
        return np.array([_median(trace[a:b]) for a, b in spans])


def _median(positions):
    """Median of each column without its nan; nan where nothing else is there."""
    columns = [column[~np.isnan(column)] for column in positions.T]
    return [np.median(column) if column.size else np.nan for column in columns]


def _acceleration(trace):
    """Change of the smoothed speed from each sample to the next, px/s per sample; 0 at the ends."""
    n = len(trace)
    result = np.zeros(n)
    steps = np.concatenate([[0.0], np.hypot(*np.diff(trace, axis=0).T)])
    smooth = lfilter(np.full(WINDOW, 1 / WINDOW), 1, steps)
    # window k covers the samples k .. k + 4; those from the second to the last but five count
    last = n - WINDOW - 1
    if last <= 1:
        return result
    sums = sum(smooth[i : i + last + 1] for i in range(WINDOW + 1)) / (WINDOW / RATE)
    result[1:last] = sums[2 : last + 1] - sums[1:last]
    return result


def _saccades(acceleration, n):
    """Return [(first sample, first sample after it)] of the saccades, in order."""
    rising = _runs(acceleration > LIMIT)
    rising = [(a, b) for a, b in rising if b - a >= LEAST]
    falling = acceleration < -LIMIT
    moving = np.flatnonzero(acceleration != 0)
    found = []
    for start, stop in rising:
        end = _end_of_fall(falling, stop, n)
        if end is None and len(rising) == 1 and stop - 1 == moving[-1]:
            end = n
        if end is not None:
            found.append((start, end))
    joined = found[:1]
    for (start, end), (_, before) in zip(found[1:], found, strict=False):
        # the last sample of a saccade is before - 1
        if start - (before - 1) <= SHORTEST:
            joined[-1] = (joined[-1][0], end)
        else:
            joined.append((start, end))
    if joined and n - joined[-1][1] <= SHORTEST:
        joined[-1] = (joined[-1][0], n)
    return joined


def _end_of_fall(falling, start, n):
    """Return the index after the first run of `falling` that ends soon after `start`, or None."""
    for shift in range(SEARCH):
        after = start + shift + 1
        if shift and after + 1 >= n:
            return None
        if falling[after - 1] and not falling[after]:
            return after
    return None


def _runs(mask):
    """Return [(first, after last)] of the runs of true values."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], mask, [False]])))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))
