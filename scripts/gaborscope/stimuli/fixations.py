"""Fixations in stimulus pixels, and the fixation maps and densities derived from them."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from gaborscope.errors import InputError
from gaborscope.stimuli.block import StimulusBlock


def to_pixels(points: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """
    Pixels that hold the given points.

    Coordinates are 0-based with whole numbers at pixel centres, so pixel = floor(v + 0.5): a half
    rounds up, never to even. Data sets with 1-based coordinates subtract 1 before or after.

    Parameters
    ----------
    points : (n, 2) float array
        x (right) and y (down) in px of the stimulus. Values in [extent - 0.5, extent) lie half a
        pixel too far, as some eye trackers report them, and count as the last pixel.
    size : (height, width)
        Size of the stimulus in px.

    Returns
    -------
    pixels : (n, 2) int64 array of x, y

    Raises
    ------
    InputError
        If a value is not finite or outside [-0.5, extent), or the shape is not (n, 2).
    """
    height, width = _checked_size(size)
    points = np.asarray(points, dtype=np.float64)
    if points.size == 0:
        return np.zeros((0, 2), dtype=np.int64)
    if points.ndim != 2 or points.shape[1] != 2:
        raise InputError(f"fixations must have the shape (n, 2) of x, y, got {points.shape}")
    extent = np.array([width, height], dtype=np.float64)
    inside = (points >= -0.5) & (points < extent)  # false for NaN
    if not inside.all():
        x, y = points[np.flatnonzero(~inside.all(axis=1))[0]]
        raise InputError(
            f"fixation at x = {x:g}, y = {y:g} lies outside its stimulus of {width} x {height} px "
            "(width x height); coordinates are 0-based px, x right and y down"
        )
    return np.minimum(np.floor(points + 0.5), extent - 1).astype(np.int64)


def fixation_map(pixels: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """
    Fixation map: how many fixations fell on each pixel.

    Parameters
    ----------
    pixels : (n, 2) array of x, y
        Whole pixels, or points that `to_pixels` accepts.
    size : (height, width)

    Returns
    -------
    counts : (height, width) int64 array
        Repeated fixations count each time (the official MIT code counts them once).
    """
    height, width = _checked_size(size)
    pixels = to_pixels(pixels, size)
    flat = pixels[:, 1] * width + pixels[:, 0]
    return np.bincount(flat, minlength=height * width).reshape(height, width)


def density(points: np.ndarray, size: tuple[int, int], sigma_px: float) -> np.ndarray:
    """
    Fixation density: the fixation map blurred by an untruncated Gaussian, sum 1.

    Exact: a sum of separable Gaussians is one matrix product of their profiles along y and x, so
    there is no kernel to truncate. Mass that falls outside of the stimulus is lost (zero padding),
    not reflected, and what remains is normalised.

    Parameters
    ----------
    points : (n, 2) array of x, y
        Whole pixels, or points that `to_pixels` accepts; n >= 1.
    size : (height, width)
    sigma_px : float
        Standard deviation in px of the stimulus, positive.

    Returns
    -------
    density : (height, width) float64 array, not negative, sum 1
        Far from all fixations it underflows to exactly 0.

    Raises
    ------
    InputError
        If there are no fixations, a fixation lies outside, or `sigma_px` is not positive.
    """
    height, width = _checked_size(size)
    if not (math.isfinite(sigma_px) and sigma_px > 0):
        raise InputError(f"sigma_px must be a positive number of pixels, got {sigma_px}")
    pixels = to_pixels(points, size)
    if len(pixels) == 0:
        raise InputError("a stimulus without fixations has no fixation density")
    blurred = sum_of_gaussians(
        pixels, np.arange(width, dtype=float), np.arange(height, dtype=float), sigma_px, sigma_px
    )
    return blurred / blurred.sum()


def sum_of_gaussians(
    centres: np.ndarray, x: np.ndarray, y: np.ndarray, sigma_x: float, sigma_y: float
) -> np.ndarray:
    """
    Sum of equal axis-parallel Gaussians of peak 1, on the grid of `y` and `x`.

    Parameters
    ----------
    centres : (n, 2) array of x, y
    x, y : (width,) and (height,) float arrays
        Positions of the columns and rows, in the unit of `centres` and of the sigmas.
    sigma_x, sigma_y : float
        Standard deviations, positive.

    Returns
    -------
    total : (height, width) float64 array
    """
    along_x = np.exp(-0.5 * ((x - centres[:, :1]) / sigma_x) ** 2)
    along_y = np.exp(-0.5 * ((y - centres[:, 1:]) / sigma_y) ** 2)
    return along_y.T @ along_x


def sigma_px(height: int, width: int, facts: Mapping[str, Any]) -> tuple[float, str]:
    """
    Width (standard deviation) of the Gaussian of a fixation density, and the reason for it.

    Parameters
    ----------
    height, width : int
        Size of the stimulus in px.
    facts : mapping
        May hold `px_per_degree` or `sigma_px` (absent, None or NaN count as unknown).

    Returns
    -------
    sigma : float
        In px: 1 degree of visual angle where `px_per_degree` is known, else `sigma_px`, else 3 %
        of the stimulus's width.
    sentence : str
        Says which of the three was used.

    Raises
    ------
    InputError
        If the fact used is not a positive number.
    """
    _checked_size((height, width))
    for name, reason in (
        ("px_per_degree", "1 degree of visual angle"),
        ("sigma_px", "the width stated by the data set"),
    ):
        value = facts.get(name)
        if value is None or math.isnan(value):
            continue
        if not (math.isfinite(value) and value > 0):
            raise InputError(f"{name} must be a positive number of pixels, got {value}")
        return float(value), f"The Gaussian of the fixation density is {value:g} px, {reason}."
    value = 0.03 * width
    return value, (
        f"The Gaussian of the fixation density is {value:g} px, 3 % of the width of {width} px, "
        "because px_per_degree is unknown."
    )


def _checked_size(size):
    """Return height and width as ints; raise unless they are positive whole numbers."""
    height, width = size
    if height != int(height) or width != int(width) or height < 1 or width < 1:
        raise InputError(f"a size must be (height, width) in whole positive px, got {tuple(size)}")
    return int(height), int(width)


def observed_density(block: StimulusBlock, index: int) -> np.ndarray:
    """
    Fixation density of all observers on one stimulus of a block.

    Parameters
    ----------
    block : StimulusBlock
    index : int

    Returns
    -------
    density : (height, width) float64 array, sum 1
        Uniform for a stimulus without fixations.
    """
    size = block.size(index)
    points, _ = block.points(index)
    if not len(points):
        return np.full(size, 1 / (size[0] * size[1]))
    return density(points, size, sigma_px(*size, block.facts)[0])
