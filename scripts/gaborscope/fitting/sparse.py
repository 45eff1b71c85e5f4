"""Fits with few regressors per map, chosen one after the other from the Gram matrix."""

import dataclasses
import math
from collections.abc import Sequence

import numpy as np
from scipy import linalg

from gaborscope.fitting.statistics import DEAD, Statistics, standardised

# A regressor counts as dependent if the regressors chosen before leave less than this share
# of its variance unexplained.
INDEPENDENT = 1e-6


def select(
    correlation: np.ndarray,
    cross: np.ndarray,
    k: int,
    rule: str = "omp",
    first: Sequence[int] = (),
) -> list[int]:
    """
    Choose regressors of one map one after the other.

    `omp`, orthogonal matching pursuit, takes the regressor that correlates most with the rest of
    the map that is not explained yet. `ols`, orthogonal least squares, takes the regressor that
    leaves the smallest rest, after it is made orthogonal to the regressors chosen before.
    For a map made of few regressors that meet the exact recovery condition, both choose these
    regressors.

    Parameters
    ----------
    correlation : float64 array (K, K)
    cross : float64 array (K,)
        Covariance of the standardised regressors with the map.
    k : int
        Greatest number of regressors.
    rule : {"omp", "ols"}
    first : sequence of int
        Regressors that are chosen before all others, without those that depend on others of these.

    Returns
    -------
    chosen : list of int
        In the order of choice.

    References
    ----------
    Tropp, J. A. (2004). IEEE Trans. Inf. Theory 50, 2231-2242.
    Chen, S., Billings, S. A., Luo, W. (1989). Int. J. Control 50, 1873-1896.
    """
    left, explains = np.diag(correlation).copy(), cross.copy()
    directions = np.zeros((min(k, len(cross)), len(cross)))
    free, chosen, first = left > INDEPENDENT, [], list(first)
    for step in range(len(directions)):
        gain = explains**2 / np.maximum(left, INDEPENDENT) if rule == "ols" else explains**2
        gain[~free] = -1
        while first and not free[first[0]]:
            first.pop(0)
        best = first.pop(0) if first else int(gain.argmax())
        if gain[best] <= 0:
            break
        known = directions[:step]
        root = math.sqrt(left[best])
        direction = (correlation[best] - known[:, best] @ known) / root
        explains -= explains[best] / root * direction
        left -= direction**2
        directions[step] = direction
        chosen.append(best)
        free[best] = False
        free &= left > INDEPENDENT
    return chosen


class BudgetPath:
    """
    Solutions with at most k regressors per map for one set of statistics and any penalty.

    Parameters
    ----------
    statistics : Statistics
        Statistics of the pixels to fit.
    k : int
    rule : {"omp", "ols"}
        See `select`.
    """

    def __init__(self, statistics: Statistics, k: int, rule: str) -> None:
        self._mean_phi = statistics.sum_phi / statistics.n
        self._mean = statistics.sum / statistics.n
        self._correlation, self._cross, self._inverse = standardised(statistics)
        self._chosen = [select(self._correlation, cross, k, rule) for cross in self._cross.T]

    def solve(self, penalty: float, k: int | None = None) -> tuple[np.ndarray, np.ndarray]:
        """
        Ridge solution on the chosen regressors; the choice does not depend on the penalty.

        Parameters
        ----------
        penalty : float
            On standardised weights.
        k : int, optional
            Use the first k of the chosen regressors; None for all.

        Returns
        -------
        weight : float64 array (C, K)
            For the regressors as they are; at most k per row are not 0.
        intercept : float64 array (C,)
        """
        weight = np.zeros(self._cross.T.shape)
        for row, cross, order in zip(weight, self._cross.T, self._chosen, strict=True):
            chosen = order[:k]
            gram = self._correlation[np.ix_(chosen, chosen)] + penalty * np.eye(len(chosen))
            row[chosen] = linalg.solve(gram, cross[chosen], assume_a="pos") * self._inverse[chosen]
        return weight, self._mean - weight @ self._mean_phi


def solve_sparse(
    statistics: Statistics, k: int, rule: str = "omp", penalty: float = 1e-06
) -> tuple[np.ndarray, np.ndarray]:
    """
    Least squares with at most k regressors per map.

    Parameters
    ----------
    statistics : Statistics
        Statistics of the pixels to fit.
    k : int
    rule : {"omp", "ols"}
        See `select`.
    penalty : float
        Ridge penalty of the refit on the regressors chosen, on standardised weights.

    Returns
    -------
    weight : float64 array (C, K)
        For the regressors as they are; at most k per row are not 0.
    intercept : float64 array (C,)
    """
    return BudgetPath(statistics, k, rule).solve(penalty)


@dataclasses.dataclass
class SparsePath:
    """
    Regressors of every map in the order of choice, and the error for each number of them.

    Attributes
    ----------
    chosen : list of list of int
        By map.
    weights : list of float64 array
        By map: weights of all chosen regressors; regressors and maps are standardised.
    error : float64 array (C, k)
        Sum of squared errors on the split evaluated with the first 1, 2, ... k regressors.
    total : float64 array (C,)
        Sum of squared deviations on that split.
    """

    chosen: Sequence[Sequence[int]]
    weights: list[np.ndarray]
    error: np.ndarray
    total: np.ndarray

    def explained_variance(self, k: int) -> tuple[np.ndarray, float]:
        """
        Explained variance with at most k regressors per map.

        Parameters
        ----------
        k : int
            Not more than the path is long.

        Returns
        -------
        per_map : float64 array (C,)
            nan for dead maps.
        pooled : float
            Over the maps that are not dead.
        """
        alive = self.total > DEAD * max(self.total.max(initial=0), np.finfo(float).tiny)
        error, total = self.error[:, k - 1], self.total
        per_map = np.full(len(total), np.nan)
        per_map[alive] = 1 - error[alive] / total[alive]
        if not alive.any():
            return per_map, math.nan
        return per_map, float(1 - error[alive].sum() / total[alive].sum())


def sparse_path(
    fit: Statistics, validation: Statistics, k: int, rule: str = "omp", penalty: float = 1e-06
) -> SparsePath:
    """
    Choose regressors of each map one after the other and evaluate every number of them.

    Parameters
    ----------
    fit : Statistics
        Statistics to choose and to fit by.
    validation : Statistics
        Statistics to evaluate on.
    k : int
        Length of the path.
    rule : {"omp", "ols"}
        See `select`.
    penalty : float
        As in `solve_sparse`.

    Returns
    -------
    path : SparsePath
    """
    correlation, cross, _ = standardised(fit)
    chosen = [select(correlation, map_cross, k, rule) for map_cross in cross.T]
    return follow(fit, validation, chosen, k, penalty)


def follow(
    fit: Statistics,
    validation: Statistics,
    chosen: Sequence[Sequence[int]],
    k: int,
    penalty: float = 1e-06,
) -> SparsePath:
    """
    Evaluate regressors that were chosen already, fitted to other pixels.

    Parameters
    ----------
    fit, validation : Statistics
        Statistics to fit by, and to evaluate on.
    chosen : list of list of int
        By map, in the order of choice.
    k : int
        Length of the path.
    penalty : float
        As in `solve_sparse`.

    Returns
    -------
    path : SparsePath
    """
    correlation, cross, inverse = standardised(fit)
    mean_phi, mean = fit.sum_phi / fit.n, fit.sum / fit.n
    spread = np.sqrt(fit.total_variation() / fit.n)
    weights, error = [], np.empty((cross.shape[1], k))
    for c, (map_cross, order) in enumerate(zip(cross.T, chosen, strict=True)):
        standard = np.zeros(0)
        error[c] = squared_error(validation, c, [], standard, mean[c])
        for n in range(1, len(order) + 1):
            first = order[:n]
            gram = correlation[np.ix_(first, first)] + penalty * np.eye(n)
            standard = linalg.solve(gram, map_cross[first], assume_a="pos")
            weight = standard * inverse[first]
            # after the last choice the error stays the same
            error[c, n - 1 :] = squared_error(
                validation, c, first, weight, mean[c] - weight @ mean_phi[first]
            )
        weights.append(standard / spread[c] if spread[c] > 0 else standard)
    return SparsePath(chosen, weights, error, validation.total_variation())


def squared_error(
    statistics: Statistics,
    channel: int,
    index: Sequence[int],
    weight: np.ndarray,
    intercept: float,
) -> float:
    """
    Sum of squared errors of one map fitted by some regressors.

    Parameters
    ----------
    statistics : Statistics
        Statistics of the pixels to evaluate on.
    channel : int
        The map.
    index : sequence of int
        The regressors.
    weight : float64 array
        Of these regressors.
    intercept : float

    Returns
    -------
    error : float
    """
    predicted = weight @ statistics.sum_phi[index]
    return (
        statistics.cov[channel, channel]
        - 2 * weight @ statistics.cross[index, channel]
        + weight @ statistics.gram[np.ix_(index, index)] @ weight
        - 2 * intercept * (statistics.sum[channel] - predicted)
        + statistics.n * intercept**2
    )
