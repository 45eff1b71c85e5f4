"""The nonlinearity behind a layer, passed by a reconstruction in expectation."""

import math

import numpy as np
from scipy import special

# Standard deviations below 0 at which E[relu(a + e)] is taken for 0: it is below 1e-16 of one.
FAR = 8.5


def through_nonlinearity(
    linear: np.ndarray, residual_sd: np.ndarray, nonlinearity: str
) -> np.ndarray:
    """
    Return the expected output of a layer's nonlinearity for a reconstruction with Gaussian error.

    E[f(a + e)] with e of the residual's spread, which is not f(a): a rectifier passes the
    positive part of the error.

    Parameters
    ----------
    linear : float array (C, ...)
        Reconstructed input of the nonlinearity.
    residual_sd : float array (C,)
    nonlinearity : {"none", "relu", "relu6"}

    Returns
    -------
    output : float array, shape of `linear`

    Raises
    ------
    ValueError
        If the nonlinearity is unknown.
    """
    if nonlinearity == "none":
        return linear
    sd = np.maximum(residual_sd, 1e-12).reshape(-1, *[1] * (linear.ndim - 1)).astype(linear.dtype)
    if nonlinearity == "relu":
        return _expected_relu(linear, sd)
    if nonlinearity == "relu6":
        passed = _expected_relu(linear, sd)
        # maps that stay so far below 6 that rounding would swallow what is cut off
        near = (linear - 6 > -FAR * sd).reshape(len(linear), -1).any(axis=1)
        passed[near] -= _expected_relu(linear[near] - 6, sd[near])
        return passed
    raise ValueError(f"nonlinearity must be none, relu or relu6, got {nonlinearity!r}")


def plain(values: np.ndarray, nonlinearity: str) -> np.ndarray:
    """
    Return the output of a layer's nonlinearity.

    Parameters
    ----------
    values : float array
        Recorded input of the nonlinearity.
    nonlinearity : {"none", "relu", "relu6"}

    Returns
    -------
    output : float array
    """
    top = {"none": None, "relu": np.inf, "relu6": 6}[nonlinearity]
    return values if top is None else np.clip(values, 0, top)


def _expected_relu(linear, sd):
    ratio = linear / sd
    density = np.exp(-(ratio**2) / 2) / math.sqrt(2 * math.pi)
    return linear * special.ndtr(ratio) + sd * density
