"""Sums over pixels and stimuli that determine every linear fit, and values computed from them."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable
from typing import Self

import numpy as np

# Regressors whose standard deviation is below this share of the largest are constant (the colour
# channels of greyscale stimuli) and get the weight 0.
CONSTANT = 1e-6
# They are also constant if it is below this share of their root mean square: with float32 products
# a variance of 0 comes out as up to 7e-6 of the mean square.
ROUNDING = 5e-3
# Maps whose variance is below this share of the layer's largest are dead. Tables state their number
# and leave them out of means.
DEAD = 1e-8


@dataclasses.dataclass
class Statistics:
    """
    Sums over pixels and stimuli that determine every linear fit of a layer.

    Attributes
    ----------
    gram : float64 array (K, K)
        Sum of phi phi^T.
    cross : float64 array (K, C)
        Sum of phi a^T.
    sum_phi : float64 array (K,)
    sum : float64 array (C,)
        Sum of a.
    cov : float64 array (C, C)
        Sum of a a^T.
    n : int
        Number of pixels summed.
    """

    gram: np.ndarray
    cross: np.ndarray
    sum_phi: np.ndarray
    sum: np.ndarray
    cov: np.ndarray
    n: int

    @classmethod
    def empty(cls, n_regressors: int, n_maps: int) -> Self:
        """Return statistics of no pixels."""
        k, c = n_regressors, n_maps
        return cls(
            np.zeros((k, k)), np.zeros((k, c)), np.zeros(k), np.zeros(c), np.zeros((c, c)), 0
        )

    def first(self, n: int) -> Self:
        """Return the statistics of the first regressors alone."""
        return dataclasses.replace(
            self, gram=self.gram[:n, :n], cross=self.cross[:n], sum_phi=self.sum_phi[:n]
        )

    def add(self, phi: np.ndarray, activation: np.ndarray) -> None:
        """
        Add one stimulus: float32 products, float64 sums.

        Parameters
        ----------
        phi : float32 array (K, pixel)
        activation : float32 array (C, pixel)
        """
        self.gram += phi @ phi.T
        # pairwise sums in float32, four times as fast as in float64 and as exact as the products
        self.sum_phi += phi.sum(axis=1)
        total = activation.sum(axis=1)
        self.add_maps(phi @ activation.T, activation @ activation.T, total, phi.shape[1])

    def add_maps(self, cross: np.ndarray, cov: np.ndarray, total: np.ndarray, n: int) -> None:
        """
        Add the sums of one stimulus with its maps; sums of regressors alone are added elsewhere.

        Parameters
        ----------
        cross : float32 array (K, C)
            `phi @ activation.T`.
        cov : float32 array (C, C)
            `activation @ activation.T`.
        total : float64 array (C,)
            Sum of the activation over pixels.
        n : int
            Number of pixels.
        """
        self.cross += cross
        self.cov += cov
        self.sum += total
        self.n += n

    def __add__(self, other: Statistics) -> Statistics:
        """Return the statistics of both sets of pixels."""
        return Statistics(*(a + b for a, b in zip(self._parts(), other._parts(), strict=True)))

    def __sub__(self, other: Statistics) -> Statistics:
        """Return the statistics without the pixels of `other`, which must be among them."""
        return Statistics(*(a - b for a, b in zip(self._parts(), other._parts(), strict=True)))

    def _parts(self):
        return (self.gram, self.cross, self.sum_phi, self.sum, self.cov, self.n)

    def squared_error(self, weight: np.ndarray, intercept: np.ndarray) -> np.ndarray:
        """
        Sum of squared errors of a linear reconstruction on these pixels.

        Parameters
        ----------
        weight : float array (C, K)
        intercept : float array (C,)

        Returns
        -------
        error : float64 array (C,)
        """
        weight = np.asarray(weight, dtype=float)
        predicted = weight @ self.sum_phi
        return (
            np.diag(self.cov)
            - 2 * np.einsum("ck,kc->c", weight, self.cross)
            + np.einsum("ck,kl,cl->c", weight, self.gram, weight, optimize=True)
            - 2 * intercept * (self.sum - predicted)
            + self.n * intercept**2
        )

    def total_variation(self) -> np.ndarray:
        """
        Return the sum of squared deviations from these pixels' mean, float64 array (C,).

        0 where it is below the rounding of the sums (`ROUNDING`): a constant map.
        """
        square = np.diag(self.cov)
        variation = square - self.sum**2 / self.n
        return np.where(variation > ROUNDING**2 * square, variation, 0)


def higher(value: float, best: float) -> bool:
    """Return whether an explained variance is the higher one; one that is nan never is."""
    return value > best or (math.isnan(best) and not math.isnan(value))


def combine(parts: Iterable[Statistics]) -> Statistics:
    """
    Sum of statistics.

    Parameters
    ----------
    parts : iterable of Statistics
        At least one.

    Returns
    -------
    total : Statistics
    """
    parts = iter(parts)
    total = next(parts)
    for part in parts:
        total = total + part
    return total


def inverse_spread(statistics: Statistics) -> np.ndarray:
    """
    Reciprocal standard deviation of each regressor.

    Parameters
    ----------
    statistics : Statistics

    Returns
    -------
    inverse : float64 array (K,)
        0 where the regressor is constant.
    """
    square = np.diag(statistics.gram) / statistics.n
    variance = square - (statistics.sum_phi / statistics.n) ** 2
    spread = np.sqrt(np.maximum(variance, 0))
    floor = np.maximum(CONSTANT * spread.max(initial=0), ROUNDING * np.sqrt(square))
    return np.divide(1, spread, out=np.zeros_like(spread), where=spread > floor)


def explained_variance(
    statistics: Statistics, weight: np.ndarray, intercept: np.ndarray
) -> tuple[np.ndarray, float]:
    """
    Explained variance, 1 - SSE / SST, SST about the mean of the pixels it is evaluated on.

    Parameters
    ----------
    statistics : Statistics
        Statistics of the split to evaluate on.
    weight : float array (C, K)
    intercept : float array (C,)

    Returns
    -------
    per_map : float64 array (C,)
        nan for dead maps (variance below 1e-8 of the layer's largest).
    pooled : float
        1 - sum SSE / sum SST over the maps that are not dead; nan if all are dead.
    """
    error = statistics.squared_error(weight, intercept)
    total = statistics.total_variation()
    alive = total > DEAD * max(total.max(initial=0), np.finfo(float).tiny)
    per_map = np.full(len(total), np.nan)
    per_map[alive] = 1 - error[alive] / total[alive]
    if not alive.any():
        return per_map, math.nan
    return per_map, float(1 - error[alive].sum() / total[alive].sum())


def standardised(statistics: Statistics) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """
    Correlation of the regressors and their covariance with the maps.

    Parameters
    ----------
    statistics : Statistics

    Returns
    -------
    correlation : float64 array (K, K)
        Rows and columns of constant regressors are 0.
    cross : float64 array (K, C)
        Covariance of the standardised regressors with the maps.
    inverse : float64 array (K,)
        See `inverse_spread`.
    """
    n = statistics.n
    mean_phi, mean = statistics.sum_phi / n, statistics.sum / n
    inverse = inverse_spread(statistics)
    covariance = statistics.gram / n - np.outer(mean_phi, mean_phi)
    correlation = covariance * np.outer(inverse, inverse)
    cross = (statistics.cross / n - np.outer(mean_phi, mean)) * inverse[:, None]
    return correlation, cross, inverse


def marginal_correlation(statistics: Statistics) -> np.ndarray:
    """
    Squared correlation of each regressor with each activation map.

    This is the share that a filter would explain alone. Unlike a weight it does not depend on the
    other, correlated filters.

    Parameters
    ----------
    statistics : Statistics

    Returns
    -------
    squared : float64 array (C, K), in [0, 1]
        0 where the regressor or the map is constant.
    """
    n = statistics.n
    mean_phi = statistics.sum_phi / n
    covariance = statistics.cross / n - np.outer(mean_phi, statistics.sum / n)
    variance = statistics.total_variation() / n
    alive = variance > DEAD * max(variance.max(initial=0), np.finfo(float).tiny)
    inverse = np.divide(1, np.sqrt(variance), out=np.zeros_like(variance), where=alive)
    squared = (covariance * np.outer(inverse_spread(statistics), inverse)) ** 2
    return np.clip(squared.T, 0, 1)


def summary_of_maps(per_map: np.ndarray, pooled: float) -> dict[str, float | int]:
    """
    Explained variance of a layer in the columns of results/explained_variance.

    Parameters
    ----------
    per_map : float array (C,)
        nan where a map is dead.
    pooled : float
        Explained variance of all maps together, see `explained_variance`.

    Returns
    -------
    row : dict
        `explained_variance` (pooled), `mean_per_map` (over living maps; nan if there are none),
        `maps`, `dead_maps`.
    """
    dead = np.isnan(per_map)
    return {
        "explained_variance": pooled,
        "mean_per_map": np.nan if dead.all() else np.nanmean(per_map),
        "maps": len(per_map),
        "dead_maps": int(dead.sum()),
    }
