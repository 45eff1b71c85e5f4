"""Densities from the output of any predictor: positive, sum 1, never exactly 0 if mixed."""

import math

import cv2
import numpy as np

from gaborscope.errors import InputError

KINDS = ("density", "log_density", "logits", "unit")

# How far the sum of a log-density's exponential may be from 1 (float16 files stay within it).
SUM_TOLERANCE = 1e-3


def to_density(values: np.ndarray, kind: str, uniform_weight: float) -> np.ndarray:
    """
    Density of a predictor's output: positive, sum 1, mixed with the uniform density.

    Parameters
    ----------
    values : (height, width) real array
        Output of the predictor for one stimulus.
    kind : {'density', 'log_density', 'logits', 'unit'}
        What `values` are: 'density' not negative and of any sum; 'log_density' the natural
        logarithm of a density, its exponential summing to 1 within 1e-3; 'logits' a logarithm up
        to a constant; 'unit' a map in 0..1, proportional to a density. A map of zeros as 'density'
        or 'unit' gives the uniform density.
    uniform_weight : float in [0, 1]
        Share of the uniform density in the mixture. The result can hold zeros only if it is 0.

    Returns
    -------
    density : (height, width) float64 array, sum 1, at least uniform_weight / (height * width)

    Raises
    ------
    InputError
        If a value is NaN or infinite or does not fit its kind, the array is not 2-D, or the kind
        or weight is unknown.
    """
    values = _checked(values, kind, uniform_weight)
    if kind in ("log_density", "logits"):
        pure = np.exp(values - values.max())
    else:
        largest = values.max()  # values are divided by it, so that their sum cannot overflow
        pure = values / largest if largest > 0 else np.ones_like(values)
    pure *= (1 - uniform_weight) / pure.sum()
    pure += uniform_weight / pure.size
    return pure


def to_log_density(values: np.ndarray, kind: str, uniform_weight: float) -> np.ndarray:
    """
    Natural logarithm of `to_density`, computed so that it does not underflow.

    Parameters
    ----------
    values, kind, uniform_weight
        As for `to_density`.

    Returns
    -------
    log_density : (height, width) float64 array, finite, its exponential summing to 1

    Raises
    ------
    InputError
        As `to_density`; also if the density is 0 at a pixel, which a positive uniform weight mends.
    """
    if kind in ("log_density", "logits"):
        values = _checked(values, kind, uniform_weight)
        log_uniform = -math.log(values.size)
        if uniform_weight == 0:
            return values - log_sum_exp(values)
        if uniform_weight == 1:
            return np.full(values.shape, log_uniform)
        pure = values - log_sum_exp(values)
        return np.logaddexp(
            pure + math.log1p(-uniform_weight), math.log(uniform_weight) + log_uniform
        )
    density = to_density(values, kind, uniform_weight)
    if density.min() == 0:
        raise InputError(
            f"the density is 0 at {np.count_nonzero(density == 0)} pixels and has no logarithm "
            "there; mix it with a uniform of positive weight"
        )
    return np.log(density)


def log_sum_exp(values: np.ndarray) -> float:
    """Logarithm of the sum of exponentials of an array of any shape, without overflow."""
    largest = np.max(values)
    return float(largest + np.log(np.sum(np.exp(values - largest))))


def resize_log_density(log_density: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """
    Log-density at another size: bilinear in the logarithm, then renormalised.

    Pixel centres are aligned as half-integers (the corners of both images coincide) and the
    border is replicated. There is no smoothing before shrinking.

    Parameters
    ----------
    log_density : (h, w) real array
    size : (height, width)
        Target size in px.

    Returns
    -------
    log_density : (height, width) float64 array, its exponential summing to 1

    Raises
    ------
    InputError
        If a value is NaN or infinite or a size is not positive.
    """
    values = resize_bilinear(_checked(log_density, "logits", 0), size)
    return values - log_sum_exp(values)


def of_network(
    values: np.ndarray, kind: str, size: tuple[int, int], uniform_weight: float
) -> np.ndarray:
    """
    Log-density on the pixels of a stimulus from a network's output at a lower resolution.

    Parameters
    ----------
    values : (h, w) real array
        Output of the network on the content of its input.
    kind : {'density', 'log_density', 'logits', 'unit'}
        See `to_density`. The two logarithms are resized as logarithms, the others as maps.
    size : (height, width)
        Size of the stimulus in px.
    uniform_weight : float

    Returns
    -------
    log_density : (height, width) float64 array, finite, its exponential summing to 1
    """
    if kind in ("log_density", "logits"):
        return to_log_density(resize_log_density(values, size), "logits", uniform_weight)
    resized = resize_bilinear(np.asarray(values, dtype=np.float64), size)
    return to_log_density(np.maximum(resized, 0), "density", uniform_weight)


def resize_bilinear(values: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """
    Array at another size by bilinear interpolation, without smoothing before shrinking.

    Parameters
    ----------
    values : (h, w) float64 array
    size : (height, width)
        Target size in px. Pixel centres are aligned as half-integers, the border is replicated.

    Returns
    -------
    resized : (height, width) float64 array
    """
    height, width = size
    if height < 1 or width < 1:
        raise InputError(f"a size must be (height, width) in whole positive px, got {tuple(size)}")
    if values.shape == (height, width):
        return values
    return cv2.resize(values, (int(width), int(height)), interpolation=cv2.INTER_LINEAR)


def _checked(values, kind, uniform_weight):
    """Return values as a 2-D float64 array; raise if they do not fit their kind."""
    if kind not in KINDS:
        raise InputError(f"unknown kind of saliency map {kind!r}; known are {', '.join(KINDS)}")
    if not 0 <= uniform_weight <= 1:
        raise InputError(f"uniform_weight must be between 0 and 1, got {uniform_weight}")
    values = np.asarray(values, dtype=np.float64)
    if values.ndim != 2 or values.size == 0:
        raise InputError(f"a saliency map must have the shape (height, width), got {values.shape}")
    smallest, largest = values.min(), values.max()  # NaN and infinity show here
    if not (math.isfinite(smallest) and math.isfinite(largest)):
        bad = values[~np.isfinite(values)]
        raise InputError(f"the saliency map holds {bad[0]} at {bad.size} of {values.size} pixels")
    if kind in ("density", "unit") and smallest < 0:
        raise InputError(
            f"a map of kind {kind!r} cannot be negative, but its minimum is {smallest:g}"
        )
    if kind == "unit" and largest > 1:
        raise InputError(f"a map of kind 'unit' must lie in 0..1, but its maximum is {largest:g}")
    if kind == "log_density":
        total = np.exp(min(log_sum_exp(values), 700.0))
        if abs(total - 1) > SUM_TOLERANCE:
            raise InputError(
                f"the exponential of a log-density must sum to 1, not to {total:g}; "
                "a logarithm up to a constant is of kind 'logits'"
            )
    return values
