"""Fits with all regressors and, for each map, few of the terms that a readout offers."""

import numpy as np
from scipy import linalg

from gaborscope.fitting import sparse
from gaborscope.fitting.statistics import Statistics, standardised


class ReadoutPath:
    """
    Ridge solutions on all regressors and at most k terms per map, for any penalty.

    Terms are chosen one after the other, each the one that leaves the smallest rest of what ridge
    on the regressors leaves (`sparse.select`, rule "ols"). Weights of regressors and chosen terms
    are then those of one ridge, by elimination of the block of the regressors.

    Parameters
    ----------
    statistics : Statistics
        Of regressors, followed by terms.
    n_regressors : int
        How many of them are regressors.
    k : int
        Largest number of terms per map.
    """

    def __init__(self, statistics: Statistics, n_regressors: int, k: int) -> None:
        self._mean_phi = statistics.sum_phi / statistics.n
        self._mean = statistics.sum / statistics.n
        self._correlation, self._cross, self._inverse = standardised(statistics)
        self._n, self._k = n_regressors, k
        eigenvalue, self._vector = linalg.eigh(self._correlation[:n_regressors, :n_regressors])
        self._eigenvalue = np.maximum(eigenvalue, 0)

    def solve(self, penalty: float) -> tuple[np.ndarray, np.ndarray]:
        """
        Weights that minimise mean squared error + penalty * squared standardised weights.

        Parameters
        ----------
        penalty : float
            Positive; in units of the correlation matrix's diagonal.

        Returns
        -------
        weight : float64 array (C, K)
            For regressors and terms as they are; at most k terms per row are not 0.
        intercept : float64 array (C,)
        """
        first, rest = slice(self._n), slice(self._n, None)
        shared = self._ridge(self._correlation[first, rest], penalty)
        left = self._correlation[rest, rest] - self._correlation[rest, first] @ shared
        explains = self._cross[rest] - shared.T @ self._cross[first]
        standard = np.zeros_like(self._cross)
        standard[first] = self._ridge(self._cross[first], penalty)
        for c, cross in enumerate(explains.T):
            chosen = sparse.select(left, cross, self._k, "ols")
            if not chosen:
                continue
            gram = left[np.ix_(chosen, chosen)] + penalty * np.eye(len(chosen))
            found = linalg.solve(gram, cross[chosen], assume_a="sym")
            standard[first, c] -= shared[:, chosen] @ found
            standard[self._n + np.array(chosen), c] = found
        weight = (standard * self._inverse[:, None]).T
        return weight, self._mean - weight @ self._mean_phi

    def _ridge(self, cross, penalty):
        """Return the ridge solutions on the regressors alone."""
        return self._vector @ ((self._vector.T @ cross) / (self._eigenvalue + penalty)[:, None])
