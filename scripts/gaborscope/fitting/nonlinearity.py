"""Expected output of the nonlinearity behind a layer for a reconstruction with an error."""

import math

import numpy as np
from scipy import special

# E[relu(a + e)] counts as 0 if a lies this many standard deviations below 0: it is then below 1e-16
# standard deviations.
FAR = 8.5


def through_nonlinearity(
    linear: np.ndarray, residual_sd: np.ndarray, nonlinearity: str
) -> np.ndarray:
    """
    Return the expected output of a layer's nonlinearity for a reconstruction with Gaussian error.

    E[f(a + e)], where e has the standard deviation of the residual. This is not f(a), because a
    rectifier passes the positive part of the error.

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
        # maps that come near 6; for the others the part cut off is below rounding
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
