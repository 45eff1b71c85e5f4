"""Local normalisation, centre minus surround and competition of the energies of one scale."""

from collections.abc import Iterator

import numpy as np
from scipy import ndimage

from gaborscope.filters.scales import Scale

# Standard deviations of centre and surround, in wavelengths.
PAIRS = ((1.0, 3.0), (1.0, 8.0), (2.0, 8.0))
# The same of single filters, with what becomes of the difference; a centre of 0 is the cell itself.
ORIENTED = (("surround", 0.0, 2.0), ("rectified", 0.0, 2.0), ("rectified", 1.0, 8.0))
# Local normalisation: standard deviations of the pools (wavelengths), exponent, semi-saturation as
# a share of the whole image's energy, and its least value (units of the channel).
POOLS, EXPONENT, SATURATION, LEAST = (1.0, 4.0), 2, 0.5, 1e-3
# The cell itself, as a share of the pool's width, is left out of it.
OWN = 0.25
# Maps whose peaks lie below this (units of the channel) are not promoted; local maxima count from
# this share of the largest on.
FAINT, COUNTED = 1e-3, 0.1


def normalised(scale: Scale) -> Iterator[np.ndarray]:
    """
    Amplitudes divided by the energy around them.

    `A^n / (sigma^n + P^n)`: P is the root mean square of the amplitudes of all orientations of the
    scale and channel in a Gaussian of `POOLS` wavelengths around the cell, without the cell: a
    Gaussian of `OWN` times the width with the same peak is taken out. sigma is `SATURATION` times
    the root mean square over the whole image.

    Parameters
    ----------
    scale : Scale

    Yields
    ------
    planes : float32 array (channel, row, column)
        By orientation, then by pool.

    References
    ----------
    Heeger, D. J. (1992). Normalization of cell responses in cat striate cortex. Visual
    Neuroscience 9, 181-197.

    Carandini, M., Heeger, D. J. (2012). Normalization as a canonical neural computation. Nature
    Reviews Neuroscience 13, 51-62.
    """
    half = SATURATION * np.sqrt(scale.whole(scale.energy)) + LEAST
    factors = []
    for width in POOLS:
        around, cell = (scale.blurred(scale.energy, w) for w in (width, OWN * width))
        pool = np.sqrt(np.maximum(around - OWN**2 * cell, 0) / (1 - OWN**2))
        factors.append(1 / (half**EXPONENT + pool**EXPONENT))
    for amplitude in scale.amplitude:
        power = amplitude**EXPONENT
        for factor in factors:
            yield power * factor


def differences(scale: Scale) -> Iterator[np.ndarray]:
    """
    Centre minus surround of the root mean square of the amplitudes over the orientations.

    Parameters
    ----------
    scale : Scale

    Yields
    ------
    planes : float32 array (channel, row, column)
        By entry of `PAIRS`.
    """
    energy = np.sqrt(scale.energy)
    widths = {width for pair in PAIRS for width in pair}
    means = {width: scale.blurred(energy, width) for width in widths}
    for centre, surround in PAIRS:
        yield means[centre] - means[surround]


def oriented_differences(scale: Scale) -> Iterator[np.ndarray]:
    """
    Centre minus surround of each filter's amplitude, signed or rectified.

    Parameters
    ----------
    scale : Scale

    Yields
    ------
    planes : float32 array (channel, row, column)
        By orientation, then by entry of `ORIENTED`.
    """
    widths = {width for _, *pair in ORIENTED for width in pair if width}
    for amplitude in scale.amplitude:
        means = {width: scale.blurred(amplitude, width) for width in widths} | {0.0: amplitude}
        for what, centre, surround in ORIENTED:
            difference = means[centre] - means[surround]
            yield difference if what == "surround" else np.maximum(difference, 0)


def promoted(maps: np.ndarray, inside: tuple[slice, slice]) -> np.ndarray:
    """
    Competition within maps: few high peaks are promoted, many equal ones suppressed.

    `R / M (1 - m / M)^2`: M is the largest value of a map, m the mean of its other local maxima
    above `COUNTED` M.

    Parameters
    ----------
    maps : float32 array (channel, row, column)
        Not negative.
    inside : (slice, slice)
        Points that lie on the image.

    Returns
    -------
    maps : float32 array (channel, row, column)

    References
    ----------
    Itti, L., Koch, C., Niebur, E. (1998). A model of saliency-based visual attention for rapid
    scene analysis. IEEE Trans. Pattern Anal. Mach. Intell. 20, 1254-1259.
    """
    weights = []
    for one in maps[(slice(None), *inside)]:
        largest = float(one.max())
        peaks = one[(one == ndimage.maximum_filter(one, 3)) & (one > COUNTED * largest)]
        others = (float(peaks.sum()) - largest) / max(len(peaks) - 1, 1)
        weights.append((1 - others / (largest + FAINT)) ** 2 / (largest + FAINT))
    return maps * np.array(weights, np.float32)[:, None, None]
