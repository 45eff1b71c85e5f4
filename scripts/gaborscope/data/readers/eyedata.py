"""Fixations in a trace of eye positions, detected as by the code of MIT1003's authors."""

import numpy as np
from scipy.signal import lfilter

RATE = 240  # samples per second
WINDOW = 4  # samples
LIMIT = 34 * 6  # px/s per sample: 6 degrees per second at 34 px per degree
LEAST = 3  # samples above the limit that a saccade has at least
SEARCH = 25  # samples in which the deceleration has to follow
SHORTEST = 12  # samples (50 ms) between two saccades, else they are one


def fixations(trace: np.ndarray) -> np.ndarray:
    """
    Medians of the fixations in a trace of eye positions.

    A saccade begins with a run of samples whose smoothed speed rises fast, and ends where the
    following fall of speed ends. Fixations are the samples between saccades. Speeds are means over
    four samples. The acceleration is the difference between the sums of speed over two windows of
    five samples, one sample apart. A run without a fall of speed within 25 samples is no saccade,
    unless it is the only run and lasts to the last sample that has an acceleration. Saccades at
    most 12 samples apart are joined. A rest that short at the end of the trace belongs to the last
    saccade.

    Parameters
    ----------
    trace : float array (n, 2)
        x, y in px at 240 Hz; nan where the eye was lost.

    Returns
    -------
    points : float array (m, 2)
        m >= 1; the first is the position of the eye when the stimulus came on.

    References
    ----------
    The procedure (acceleration criterion, constants, treatment of the ends) is that of
    checkFixations.m in the authors' DatabaseCode.zip. Both give the same fixations on constructed
    traces (tests/data/test_eyedata.py).
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
    """Return the median of each column without nan; nan for a column of nan alone."""
    columns = [column[~np.isnan(column)] for column in positions.T]
    return [np.median(column) if column.size else np.nan for column in columns]


def _acceleration(trace):
    """Return the change of the smoothed speed per sample, px/s; 0 at both ends."""
    n = len(trace)
    result = np.zeros(n)
    steps = np.concatenate([[0.0], np.hypot(*np.diff(trace, axis=0).T)])
    smooth = lfilter(np.full(WINDOW, 1 / WINDOW), 1, steps)
    # window k covers the samples k .. k + 4; results run from sample 1 to the last but five
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
    saccades = []
    for start, stop in rising:
        end = _end_of_fall(falling, stop, n)
        if end is None and len(rising) == 1 and stop - 1 == moving[-1]:
            end = n
        if end is not None:
            saccades.append((start, end))
    joined = saccades[:1]
    for (start, end), (_, previous_end) in zip(saccades[1:], saccades, strict=False):
        # `end` is the first sample after a saccade, so the last one of a saccade is end - 1
        if start - (previous_end - 1) <= SHORTEST:
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
