"""Shapley shares of groups of regressors in explained variance."""

import itertools
import math
from collections.abc import Mapping, Sequence

import numpy as np
from scipy import linalg

from gaborscope.fitting.statistics import DEAD, Statistics, standardised

SEED = 20261128  # of the order that `orders` starts from
MOST = 12  # groups whose shares in maps are exact


def split(value: Mapping[tuple[int, ...], float | np.ndarray], n: int) -> np.ndarray:
    """
    Shapley value of every member from the values of all coalitions.

    Parameters
    ----------
    value : dict of tuple of int to float or float array
        Value of each of the 2^n coalitions of 0 ... n - 1, each in ascending order.
    n : int

    Returns
    -------
    shares : float64 array (n, ...)
        Their sum is the value of all members minus the value of the empty coalition.

    References
    ----------
    Shapley, L. S. (1953). In: Contributions to the Theory of Games II, 307-317.
    """
    shares = np.zeros((n, *np.shape(value[()])))
    for members, worth in value.items():
        for member in members:
            without = tuple(m for m in members if m != member)
            weight = 1 / (n * math.comb(n - 1, len(without)))
            shares[member] += weight * (worth - value[without])
    return shares


def coalitions(n: int) -> list[tuple[int, ...]]:
    """Return all coalitions of n members as tuples, smaller ones first."""
    return [c for size in range(n + 1) for c in itertools.combinations(range(n), size)]


def orders(n: int) -> list[tuple[int, ...]]:
    """
    Orders of n members in which every member stands twice at every place.

    The shifts of one drawn order, and each of them backwards; the same at every call.

    Parameters
    ----------
    n : int

    Returns
    -------
    orders : list of tuple of int
        2n permutations of 0 ... n - 1.
    """
    drawn = np.random.default_rng(SEED).permutation(n).tolist()
    shifts = [tuple(drawn[k:] + drawn[:k]) for k in range(n)]
    return [order for shift in shifts for order in (shift, shift[::-1])]


def along(orders: Sequence[Sequence[int]]) -> list[tuple[int, ...]]:
    """Return the coalitions that arise as members join in each of some orders, smaller first."""
    found = {tuple(sorted(order[:k])) for order in orders for k in range(len(order) + 1)}
    return sorted(found, key=lambda members: (len(members), members))


def split_along(
    value: Mapping[tuple[int, ...], float | np.ndarray], orders: Sequence[Sequence[int]]
) -> np.ndarray:
    """
    Estimate Shapley values: mean gain as a member joins, over some orders.

    Parameters
    ----------
    value : dict of tuple of int to float or float array
        Values of the coalitions of `along`.
    orders : sequence of sequence of int

    Returns
    -------
    shares : float64 array (n, ...)
        Their sum is the value of all members minus the value of the empty coalition.

    References
    ----------
    Castro, J., Gomez, D., Tejada, J. (2009). Polynomial calculation of the Shapley value based on
    sampling. Computers and Operations Research 36, 1726-1730.
    """
    shares = np.zeros((len(orders[0]), *np.shape(value[()])))
    for order in orders:
        for k, member in enumerate(order):
            before, after = (tuple(sorted(order[:m])) for m in (k, k + 1))
            shares[member] += (value[after] - value[before]) / len(orders)
    return shares


def needed(n: int, most: int) -> list[tuple[int, ...]]:
    """Return all coalitions of up to `most` members; of more, those `along` some `orders`."""
    return coalitions(n) if n <= most else along(orders(n))


def shared(value: Mapping[tuple[int, ...], float | np.ndarray], n: int, most: int) -> np.ndarray:
    """
    Shapley value of every member from the values of the coalitions `needed`.

    Parameters
    ----------
    value : dict of tuple of int to float or float array
    n, most : int
        As for `needed`.

    Returns
    -------
    shares : float64 array (n, ...)
        Exact up to `most` members, else estimated by `split_along`.
    """
    return split(value, n) if n <= most else split_along(value, orders(n))


def map_shares(
    statistics: Statistics, penalty: float, groups: Sequence[Sequence[int] | np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """
    Shapley shares of groups of regressors in the variance of each map.

    Exact up to `MOST` groups: for every union of groups the explained variance is computed by a
    refit from the Gram matrix. Of more groups, shares are estimated from some unions. So correlated
    regressors share the variance that they explain together.

    Parameters
    ----------
    statistics : Statistics
        Statistics of the fit split; explained variance is evaluated on it as well.
    penalty : float
        Ridge penalty of every refit.
    groups : sequence of sequence of int
        Regressor indices of each group; a partition. Up to 2^groups refits are made.

    Returns
    -------
    explained : float64 array (group, C)
        Variance that each group explains, in squared units of the maps.
    variance : float64 array (C,)
        Variance of each map.
    """
    correlation, cross, _ = standardised(statistics)
    value = {
        members: _explained(correlation, cross, penalty, [groups[m] for m in members])
        for members in needed(len(groups), MOST)
    }
    return shared(value, len(groups), MOST), statistics.total_variation() / statistics.n


def pooled(explained: np.ndarray, variance: np.ndarray) -> np.ndarray:
    """
    Shares in the pooled variance of a layer.

    Parameters
    ----------
    explained : float64 array (group, C)
    variance : float64 array (C,)
        Both from `map_shares`.

    Returns
    -------
    shares : float64 array (group,)
        nan if all maps are dead.
    """
    total = variance.sum()
    return explained.sum(axis=1) / total if total > 0 else np.full(len(explained), np.nan)


def of_each_map(explained: np.ndarray, variance: np.ndarray) -> np.ndarray:
    """
    Shares in the variance of every map.

    Parameters
    ----------
    explained : float64 array (group, C)
    variance : float64 array (C,)
        Both from `map_shares`.

    Returns
    -------
    shares : float64 array (C, group)
        nan for dead maps.
    """
    alive = variance > DEAD * max(variance.max(initial=0), np.finfo(float).tiny)
    shares = np.full(explained.T.shape, np.nan)
    shares[alive] = (explained[:, alive] / variance[alive]).T
    return shares


def group_shares(
    statistics: Statistics, penalty: float, groups: Sequence[Sequence[int] | np.ndarray]
) -> np.ndarray:
    """
    Shapley shares of groups of regressors in the pooled explained variance of a layer.

    Shares add up to the explained variance of all groups.

    Parameters
    ----------
    statistics, penalty, groups
        See `map_shares`.

    Returns
    -------
    shares : float64 array (group,)

    References
    ----------
    Lindeman, R. H., Merenda, P. F., Gold, R. Z. (1980), for the use on R^2.
    """
    return pooled(*map_shares(statistics, penalty, groups))


def _explained(correlation, cross, penalty, groups):
    """Return the variance of each map that the regressors of some groups explain."""
    if not groups:
        return np.zeros(cross.shape[1])
    index = np.concatenate([np.asarray(group, dtype=int) for group in groups])
    gram = correlation[np.ix_(index, index)]
    regular = gram + penalty * np.eye(len(index))
    weight = linalg.cho_solve(linalg.cho_factor(regular), cross[index])
    return 2 * (weight * cross[index]).sum(axis=0) - (weight * (gram @ weight)).sum(axis=0)
