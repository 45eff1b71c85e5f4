"""The nonlinearity behind a layer, passed by a reconstruction in expectation."""

import math

import numpy as np
from scipy import special


def through_nonlinearity(linear, residual_sd, nonlinearity):
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
        return _expected_relu(linear, sd) - _expected_relu(linear - 6, sd)
    raise ValueError(f"nonlinearity must be none, relu or relu6, got {nonlinearity!r}")


def _expected_relu(linear, sd):
    ratio = linear / sd
    density = np.exp(-(ratio**2) / 2) / math.sqrt(2 * math.pi)
    return linear * special.ndtr(ratio) + sd * density
