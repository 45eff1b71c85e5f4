"""Identify activation maps as combinations of regressors, from sufficient statistics alone."""

import dataclasses
import itertools
import math

import numpy as np
from scipy import linalg, special

# Regressors whose standard deviation is below this share of the largest are constant (the colour
# channels of greyscale stimuli) and get the weight 0.
CONSTANT = 1e-6
# The same below this share of the root mean square: float32 products leave up to 7e-6 of the mean
# square in the place of a variance of 0.
ROUNDING = 5e-3
# A regressor of which less than this share is left beside those chosen adds nothing of its own.
INDEPENDENT = 1e-6
# Maps whose variance is below this share of the layer's largest are dead: counted, not averaged.
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
    def empty(cls, n_regressors, n_maps):
        """Return statistics of no pixels."""
        k, c = n_regressors, n_maps
        return cls(
            np.zeros((k, k)), np.zeros((k, c)), np.zeros(k), np.zeros(c), np.zeros((c, c)), 0
        )

    def add(self, phi, activation):
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

    def add_maps(self, cross, cov, total, n):
        """
        Add what the maps of one stimulus contribute; the regressors' own sums are added apart.

        Parameters
        ----------
        cross : float32 array (K, C)
            `phi @ activation.T`.
        cov : float32 array (C, C)
            `activation @ activation.T`.
        total : float64 array (C,)
        n : int
            Number of pixels.
        """
        self.cross += cross
        self.cov += cov
        self.sum += total
        self.n += n

    def __add__(self, other):
        """Return the statistics of both sets of pixels."""
        return Statistics(*(a + b for a, b in zip(self._parts(), other._parts(), strict=True)))

    def __sub__(self, other):
        """Return the statistics without the pixels of `other`, which must be among them."""
        return Statistics(*(a - b for a, b in zip(self._parts(), other._parts(), strict=True)))

    def _parts(self):
        return (self.gram, self.cross, self.sum_phi, self.sum, self.cov, self.n)

    def squared_error(self, weight, intercept):
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

    def total_variation(self):
        """Return the sum of squared deviations from these pixels' mean, float64 array (C,)."""
        return np.maximum(np.diag(self.cov) - self.sum**2 / self.n, 0)


def inverse_spread(statistics):
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


def explained_variance(statistics, weight, intercept):
    """
    Explained variance, 1 - SSE / SST, SST about the mean of the pixels it is evaluated on.

    Parameters
    ----------
    statistics : Statistics
        Of the split evaluated.
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


def standardised(statistics):
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


def select(correlation, cross, k, rule="omp"):
    """
    Choose regressors of one map one after the other.

    `omp`, orthogonal matching pursuit: next comes the one that correlates most with what is not
    explained yet. `ols`, orthogonal least squares: the one that leaves least unexplained, once it
    is made orthogonal to those chosen. Both find the true support of a map made of few regressors
    where these meet the exact recovery condition.

    Parameters
    ----------
    correlation : float64 array (K, K)
    cross : float64 array (K,)
        Covariance of the standardised regressors with the map.
    k : int
        At most this many.
    rule : {"omp", "ols"}

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
    free, chosen = left > INDEPENDENT, []
    for step in range(len(directions)):
        gain = explains**2 / np.maximum(left, INDEPENDENT) if rule == "ols" else explains**2
        gain[~free] = -1
        best = int(gain.argmax())
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


def solve_sparse(statistics, k, rule="omp", penalty=1e-6):
    """
    Least squares with at most k regressors per map.

    Parameters
    ----------
    statistics : Statistics
        Of the pixels to fit.
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
    correlation, cross, inverse = standardised(statistics)
    weight = np.zeros((cross.shape[1], len(cross)))
    for row, own in zip(weight, cross.T, strict=True):
        chosen = select(correlation, own, k, rule)
        gram = correlation[np.ix_(chosen, chosen)] + penalty * np.eye(len(chosen))
        row[chosen] = linalg.solve(gram, own[chosen], assume_a="pos") * inverse[chosen]
    intercept = statistics.sum / statistics.n - weight @ (statistics.sum_phi / statistics.n)
    return weight, intercept


@dataclasses.dataclass
class SparsePath:
    """
    Regressors of every map in the order of their choice, and how far each number of them goes.

    Attributes
    ----------
    chosen : list of list of int
        By map.
    weights : list of float64 array
        By map, of the regressors chosen, all of them together; standardised regressors and maps.
    error : float64 array (C, k)
        Sum of squared errors on the split evaluated with the first 1, 2, ... k regressors.
    total : float64 array (C,)
        Sum of squared deviations of that split.
    """

    chosen: list
    weights: list
    error: np.ndarray
    total: np.ndarray

    def explained_variance(self, k):
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


def sparse_path(fit, validation, k, rule="omp", penalty=1e-6):
    """
    Choose regressors of each map one after the other; evaluate every number of them.

    Parameters
    ----------
    fit : Statistics
        To choose and to fit by.
    validation : Statistics
        To evaluate on.
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
    correlation, cross, inverse = standardised(fit)
    mean_phi, mean = fit.sum_phi / fit.n, fit.sum / fit.n
    spread = np.sqrt(fit.total_variation() / fit.n)
    chosen, weights, error = [], [], np.empty((cross.shape[1], k))
    for c, own in enumerate(cross.T):
        order = select(correlation, own, k, rule)
        standard = np.zeros(0)
        error[c] = _error(validation, c, [], standard, mean[c])
        for n in range(1, len(order) + 1):
            first = order[:n]
            gram = correlation[np.ix_(first, first)] + penalty * np.eye(n)
            standard = linalg.solve(gram, own[first], assume_a="pos")
            weight = standard * inverse[first]
            # what is not chosen any more changes nothing
            error[c, n - 1 :] = _error(
                validation, c, first, weight, mean[c] - weight @ mean_phi[first]
            )
        chosen.append(order)
        weights.append(standard / spread[c] if spread[c] > 0 else standard)
    return SparsePath(chosen, weights, error, validation.total_variation())


def _error(statistics, channel, index, weight, intercept):
    """Sum of squared errors of one map from some regressors."""
    predicted = weight @ statistics.sum_phi[index]
    return (
        statistics.cov[channel, channel]
        - 2 * weight @ statistics.cross[index, channel]
        + weight @ statistics.gram[np.ix_(index, index)] @ weight
        - 2 * intercept * (statistics.sum[channel] - predicted)
        + statistics.n * intercept**2
    )


class RidgePath:
    """
    Ridge solutions of one set of statistics for any penalty, from one eigendecomposition.

    Regressors are standardised before they are penalised (natural amplitudes fall as 1/f); the
    intercept is never penalised.

    Parameters
    ----------
    statistics : Statistics
        Of the pixels to fit.
    """

    def __init__(self, statistics):
        self._mean_phi = statistics.sum_phi / statistics.n
        self._mean = statistics.sum / statistics.n
        correlation, cross, self._inverse = standardised(statistics)
        self._eigenvalue, self._vector = linalg.eigh(correlation)
        self._eigenvalue = np.maximum(self._eigenvalue, 0)
        self._projected = self._vector.T @ cross

    def solve(self, penalty):
        """
        Weights that minimise mean squared error + penalty * squared standardised weights.

        Parameters
        ----------
        penalty : float
            Positive; in units of the correlation matrix's diagonal.

        Returns
        -------
        weight : float64 array (C, K)
            For the regressors as they are (not standardised).
        intercept : float64 array (C,)
        """
        standardised = self._vector @ (self._projected / (self._eigenvalue + penalty)[:, None])
        weight = (standardised * self._inverse[:, None]).T
        return weight, self._mean - weight @ self._mean_phi


@dataclasses.dataclass
class Solution:
    """
    A fitted layer.

    Attributes
    ----------
    weight : float64 array (C, K)
    intercept : float64 array (C,)
    penalty : float
        Chosen on the validation split.
    residual_sd : float64 array (C,)
        Root mean squared error on the validation split.
    explained_variance : float64 array (C,)
        Per map on the validation split, nan where dead.
    pooled : float
        The same pooled over maps.
    path : list of (penalty, pooled explained variance)
    folds : dict of str to (weight, intercept)
        Out-of-fold solution for each fit block: fitted without that block's fold.
    """

    weight: np.ndarray
    intercept: np.ndarray
    penalty: float
    residual_sd: np.ndarray
    explained_variance: np.ndarray
    pooled: float
    path: list
    folds: dict


def solve_ridge(fit, validation, penalties, n_folds):
    """
    Ridge fit of a layer: penalty chosen on the validation split, out-of-fold refits with it.

    Parameters
    ----------
    fit : dict of str to Statistics
        By fit block.
    validation : Statistics
        Summed over the validation blocks.
    penalties : sequence of float
        Candidates, positive.
    n_folds : int
        Fit blocks are dealt out to this many folds at most.

    Returns
    -------
    solution : Solution
    """
    total = combine(fit.values())
    path_of_all = RidgePath(total)
    path = []
    for penalty in penalties:
        path.append((penalty, explained_variance(validation, *path_of_all.solve(penalty))[1]))
    penalty = max(path, key=lambda step: -math.inf if math.isnan(step[1]) else step[1])[0]
    weight, intercept = path_of_all.solve(penalty)
    per_map, pooled = explained_variance(validation, weight, intercept)
    error = validation.squared_error(weight, intercept)
    return Solution(
        weight=weight,
        intercept=intercept,
        penalty=float(penalty),
        residual_sd=np.sqrt(np.maximum(error, 0) / validation.n),
        explained_variance=per_map,
        pooled=pooled,
        path=path,
        folds=_out_of_fold(fit, total, penalty, n_folds),
    )


def combine(parts):
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


def _out_of_fold(fit, total, penalty, n_folds):
    blocks = sorted(fit)
    n_folds = min(n_folds, len(blocks))
    if n_folds < 2:
        # a single block leaves nothing to fit without it
        solution = RidgePath(total).solve(penalty)
        return {block: solution for block in blocks}
    folds = {}
    for fold in range(n_folds):
        members = blocks[fold::n_folds]
        rest = total - combine(fit[block] for block in members)
        solution = RidgePath(rest).solve(penalty)
        folds.update({block: solution for block in members})
    return folds


def group_shares(statistics, penalty, groups):
    """
    Shapley shares of groups of regressors in the pooled explained variance of a layer.

    Exact: the explained variance of every union of groups is computed from the Gram matrix by a
    refit, so correlated regressors share what they explain together. Shares add up to the
    explained variance of all groups.

    Parameters
    ----------
    statistics : Statistics
        Of the fit split; explained variance is evaluated on it as well.
    penalty : float
        Ridge penalty of every refit.
    groups : sequence of sequence of int
        Regressor indices of each group; a partition. 2^groups refits are made.

    Returns
    -------
    shares : float64 array (group,)

    References
    ----------
    Shapley, L. S. (1953); Lindeman, Merenda and Gold (1980) for its use on R^2.
    """
    correlation, cross, _ = standardised(statistics)
    total = statistics.total_variation().sum() / statistics.n
    if total <= 0:
        return np.full(len(groups), np.nan)
    value = {}
    for size in range(len(groups) + 1):
        for members in itertools.combinations(range(len(groups)), size):
            value[members] = _value(correlation, cross, penalty, members, groups) / total
    shares = np.zeros(len(groups))
    for members, explained in value.items():
        for group in members:
            without = tuple(m for m in members if m != group)
            weight = 1 / (len(groups) * math.comb(len(groups) - 1, len(without)))
            shares[group] += weight * (explained - value[without])
    return shares


def _value(correlation, cross, penalty, members, groups):
    """Return the variance that the regressors of some groups explain, summed over maps."""
    if not members:
        return 0.0
    index = np.concatenate([np.asarray(groups[member], dtype=int) for member in members])
    gram = correlation[np.ix_(index, index)]
    regular = gram + penalty * np.eye(len(index))
    weight = linalg.cho_solve(linalg.cho_factor(regular), cross[index])
    return float(2 * (weight * cross[index]).sum() - (weight * (gram @ weight)).sum())


def marginal_correlation(statistics):
    """
    Squared correlation of each regressor with each activation map.

    What a filter would explain alone: unlike a weight, it does not depend on which correlated
    filters stand beside it.

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
