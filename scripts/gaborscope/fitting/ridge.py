"""Fit activation maps as linear combinations of regressors, from sufficient statistics alone."""

import dataclasses
import math
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from scipy import linalg

from gaborscope.fitting.nonnegative import NonnegativePath
from gaborscope.fitting.readout import ReadoutPath
from gaborscope.fitting.sparse import BudgetPath
from gaborscope.fitting.statistics import (
    Statistics,
    combine,
    explained_variance,
    standardised,
)


class RidgePath:
    """
    Ridge solutions for one set of statistics and any penalty, from one eigendecomposition.

    Regressors are standardised before they are penalised (natural amplitudes fall as 1/f); the
    intercept is never penalised.

    Parameters
    ----------
    statistics : Statistics
        Statistics of the pixels to fit.
    """

    def __init__(self, statistics: Statistics) -> None:
        self._mean_phi = statistics.sum_phi / statistics.n
        self._mean = statistics.sum / statistics.n
        correlation, cross, self._inverse = standardised(statistics)
        self._eigenvalue, self._vector = linalg.eigh(correlation)
        self._eigenvalue = np.maximum(self._eigenvalue, 0)
        self._projected = self._vector.T @ cross

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
            For the regressors as they are (not standardised).
        intercept : float64 array (C,)
        """
        standard_weight = self._vector @ (self._projected / (self._eigenvalue + penalty)[:, None])
        weight = (standard_weight * self._inverse[:, None]).T
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
        Explained variance pooled over maps.
    path : list of (penalty, pooled explained variance)
    folds : dict of str to (weight, intercept)
        Out-of-fold solution for each fit block, fitted without the fold of that block.
    """

    weight: np.ndarray
    intercept: np.ndarray
    penalty: float
    residual_sd: np.ndarray
    explained_variance: np.ndarray
    pooled: float
    path: list[tuple[float, float]]
    folds: dict[str, tuple[np.ndarray, np.ndarray]]


def solve(
    fit: Mapping[str, Statistics],
    validation: Statistics,
    penalties: Sequence[float],
    folds: int,
    name: str = "ridge",
    budget: int | None = None,
    terms: tuple[int, int] | None = None,
) -> Solution:
    """
    Fit a layer: choose the penalty on the validation split and refit out of fold with it.

    Parameters
    ----------
    fit : dict of str to Statistics
        By fit block.
    validation : Statistics
        Sum over the validation blocks.
    penalties : sequence of float
        Candidates, positive.
    folds : int
        Greatest number of folds that the fit blocks are dealt out to.
    name : {"ridge", "nnls", "omp", "ols"}
        `ridge`: all regressors. `nnls`: all regressors, no negative weights. `omp`, `ols`: at
        most `budget` regressors per map.
    budget : int, optional
    terms : (int, int), optional
        Of a readout that adds terms behind the regressors: the number of regressors, and the
        largest number of terms per map. Only with `ridge`.

    Returns
    -------
    solution : Solution
    """

    def path_of(statistics):
        if terms is not None:
            return ReadoutPath(statistics, *terms)
        if name == "ridge":
            return RidgePath(statistics)
        if name == "nnls":
            return NonnegativePath(statistics)
        if budget is None:
            raise ValueError(f"{name} needs a budget: the number of regressors per map")
        return BudgetPath(statistics, budget, name)

    total = combine(fit.values())
    path_of_all = path_of(total)
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
        folds=_out_of_fold(fit, total, path_of, penalty, folds),
    )


def _out_of_fold(fit, total, path_of, penalty, n_folds):
    if min(n_folds, len(fit)) < 2:
        # with a single block nothing is left out of fold: it gets the weights of the whole fit
        solution = path_of(total).solve(penalty)
        return {block: solution for block in fit}
    folds = {}
    for members, rest in deal(fit, total, n_folds):
        solution = path_of(rest).solve(penalty)
        folds.update({block: solution for block in members})
    return folds


def deal(
    fit: Mapping[str, Statistics], total: Statistics, n_folds: int
) -> Iterator[tuple[list[str], Statistics]]:
    """
    Deal blocks out to folds.

    Parameters
    ----------
    fit : dict of str to Statistics
        By block; at least two.
    total : Statistics
        Sum over all blocks.
    n_folds : int
        Number of folds; fewer if there are fewer blocks.

    Yields
    ------
    members : list of str
        Blocks of a fold.
    rest : Statistics
        Sum over all other blocks.
    """
    blocks, n_folds = sorted(fit), min(n_folds, len(fit))
    for fold in range(n_folds):
        members = blocks[fold::n_folds]
        yield members, total - combine(fit[block] for block in members)
