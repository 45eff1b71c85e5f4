"""Least squares with weights that are not negative, from the Gram matrix."""

import numpy as np
from scipy import linalg

from gaborscope.fitting.statistics import Statistics, standardised

# A sign is wrong only beyond this share of the largest covariance.
TOLERANCE = 1e-10
# Steps without a decrease of the number of wrong signs, before weights are exchanged one by one.
PATIENCE = 3


def nonnegative(gram: np.ndarray, cross: np.ndarray, start: np.ndarray | None = None) -> np.ndarray:
    """
    Minimise w^T gram w / 2 - cross^T w over w >= 0, by block principal pivoting.

    A set of weights is guessed to be 0 and the others are solved for. Then all weights with a wrong
    sign are exchanged between the two sets. If that does not reduce the number of wrong signs, one
    weight is exchanged at a time, which ends after finitely many steps.

    Parameters
    ----------
    gram : float64 array (K, K)
        Positive definite.
    cross : float64 array (K,)
    start : bool array (K,), optional
        Weights that are guessed to be positive at first; None for no weight.

    Returns
    -------
    weight : float64 array (K,)
        Not negative.

    References
    ----------
    Portugal, L. F., Judice, J. J., Vicente, L. N. (1994). Math. Comput. 63, 625-643.
    """
    positive = np.zeros(len(cross), bool) if start is None else start.copy()
    tolerance = TOLERANCE * np.abs(cross).max(initial=0)
    fewest, patience = len(cross) + 1, PATIENCE
    for _ in range(20 * len(cross) + 1):
        weight, support = np.zeros(len(cross)), np.flatnonzero(positive)
        if len(support):
            weight[support] = linalg.solve(
                gram[np.ix_(support, support)], cross[support], assume_a="pos"
            )
        slope = gram[:, support] @ weight[support] - cross
        wrong = np.flatnonzero(np.where(positive, weight, slope) < -tolerance)
        if not len(wrong):
            break
        if len(wrong) < fewest:
            fewest, patience = len(wrong), PATIENCE
        elif patience:
            patience -= 1
        else:
            wrong = wrong[-1:]
        positive[wrong] ^= True
    return np.maximum(weight, 0)


class NonnegativePath:
    """
    Solutions without negative weights for one set of statistics and any penalty.

    All regressors are constrained, even and odd responses too. So a filter cannot enter with the
    opposite phase, and a map is a sum from which no regressor is subtracted.

    Parameters
    ----------
    statistics : Statistics
        Statistics of the pixels to fit.
    """

    def __init__(self, statistics: Statistics) -> None:
        self._mean_phi = statistics.sum_phi / statistics.n
        self._mean = statistics.sum / statistics.n
        self._correlation, self._cross, self._inverse = standardised(statistics)
        self._positive = [None] * self._cross.shape[1]

    def solve(self, penalty: float) -> tuple[np.ndarray, np.ndarray]:
        """
        Weights >= 0 that minimise mean squared error + penalty * squared standardised weights.

        Parameters
        ----------
        penalty : float
            Positive; in units of the correlation matrix's diagonal.

        Returns
        -------
        weight : float64 array (C, K)
            For the regressors as they are (not standardised).
        intercept : float64 array (C,)
            Positive or negative.
        """
        gram = self._correlation + penalty * np.eye(len(self._correlation))
        weight = np.zeros(self._cross.T.shape)
        for index, cross in enumerate(self._cross.T):
            weight[index] = nonnegative(gram, cross, self._positive[index])
            self._positive[index] = weight[index] > 0
        weight *= self._inverse
        return weight, self._mean - weight @ self._mean_phi
