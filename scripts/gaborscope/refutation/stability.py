"""Agreement of identities beyond chance, between halves of the fit split or between seeds."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy.optimize import linear_sum_assignment

from gaborscope.fitting import sparse
from gaborscope.fitting.statistics import DEAD, Statistics, combine, standardised
from gaborscope.scoring import summaries

PROPERTIES = ("kind", "scale", "orientation", "colour")
WORST = -2.0  # stands for the correlation of a dead map, so that it is matched last
ROUNDING = 1e-12  # a map whose variance is below this share of its mean square counts as constant
COLUMNS = (
    "layer", "measure", "agreement", "chance", "excess", "ci_low", "ci_high", "p", "maps"
)  # fmt: skip


@dataclasses.dataclass
class Described:
    """
    Identities of the maps of a layer, by one fit.

    Attributes
    ----------
    identity : int array (C, 4)
        Kind, scale, orientation and colour of the first filter of each map; -1 for a property that
        the filter lacks, and for a map without a filter. All position terms count as one filter.
    alive : bool array (C,)
    """

    identity: np.ndarray
    alive: np.ndarray


def describe(statistics: Statistics, table: Mapping[str, np.ndarray], rule: str) -> Described:
    """
    First identity of every map of a layer.

    Parameters
    ----------
    statistics : statistics.Statistics
    table : dict of str to array (K,)
        From `Regressors.table`.
    rule : {"omp", "ols"}
        See `sparse.select`.

    Returns
    -------
    described : Described
    """
    correlation, cross, _ = standardised(statistics)
    codes = [np.unique(table["kind"], return_inverse=True)[1]]
    codes += [np.asarray(table[key]) for key in PROPERTIES[1:]]
    identity = np.full((cross.shape[1], len(PROPERTIES)), -1)
    total = statistics.total_variation()
    alive = total > DEAD * max(total.max(initial=0), np.finfo(float).tiny)
    for index in np.flatnonzero(alive):
        for first in sparse.select(correlation, cross[:, index], 1, rule):
            identity[index] = [code[first] for code in codes]
    return Described(identity, alive)


def similarities(
    first: Described, second: Described, order: np.ndarray | None = None
) -> dict[str, np.ndarray]:
    """
    Similarity of every map of one fit with every map of another fit.

    Parameters
    ----------
    first, second : Described
        The same layer in both fits.
    order : int array (C,), optional
        For each map of the first fit its partner in the second; by default the map of equal index.

    Returns
    -------
    similarities : dict of str to float64 array (n, n)
        Partners are on the diagonal; pairs with a dead map are left out. `identity`: 1 if all four
        properties are equal, else 0. `kind`, `scale`, `orientation`, `colour`: 1 if this property
        is equal, else 0.
    """
    order = np.arange(len(second.alive)) if order is None else order
    kept = first.alive & second.alive[order]
    first_identity, second_identity = first.identity[kept], second.identity[order][kept]
    equal = first_identity[:, None] == second_identity[None]
    by_measure = {"identity": equal.all(axis=2).astype(float)}
    for column, name in enumerate(PROPERTIES):
        by_measure[name] = equal[..., column].astype(float)
    return by_measure


def agreement(layers: Sequence[np.ndarray], n_resamples: int, seed: int) -> dict[str, Any]:
    """
    Agreement of partners, compared with that of random partners within each layer.

    Parameters
    ----------
    layers : sequence of float array (n, n)
        By layer, similarity of every map with every other; partners are on the diagonal. A layer
        of fewer than two maps is left out, since it has no other partners to compare with.
    n_resamples : int
        Permutations within layers, and bootstrap samples of the maps.
    seed : int

    Returns
    -------
    row : dict
        `agreement`: mean over partners. `chance`: exact expectation of the agreement over all
        permutations. `excess`, `ci_low`, `ci_high`: agreement minus chance, with a bootstrap 95 %
        interval over maps. `p`: share of permutations that agree as much or more; the partners
        themselves count as one of them. `maps`: number of maps.
    """
    layers = [np.asarray(part, dtype=float) for part in layers if len(part) > 1]
    partners = np.concatenate([np.diag(part) for part in layers] or [np.empty(0)])
    by_chance = np.concatenate([part.mean(axis=1) for part in layers] or [np.empty(0)])
    excess, low, high, n = summaries.bootstrap_mean(partners - by_chance, n_resamples, seed)
    rng, reached = np.random.default_rng(seed), 1
    for _ in range(n_resamples):
        drawn = [part[np.arange(len(part)), rng.permutation(len(part))].sum() for part in layers]
        reached += sum(drawn) >= partners.sum() - 1e-9
    mean = (lambda values: float(values.mean())) if n else (lambda values: float("nan"))
    return {
        "agreement": mean(partners),
        "chance": mean(by_chance),
        "excess": excess,
        "ci_low": low,
        "ci_high": high,
        "p": reached / (n_resamples + 1) if n else float("nan"),
        "maps": n,
    }


def halves(
    blocks: dict[str, Statistics], table: Mapping[str, np.ndarray], rule: str
) -> tuple[Described, Described]:
    """
    Describe every map of a layer by two disjoint halves of the fit split.

    Parameters
    ----------
    blocks : dict of str to statistics.Statistics
        By fit block. The blocks, in the order of their names, go alternately to the two halves.
    table : dict of str to array (K,)
        From `Regressors.table`.
    rule : {"omp", "ols"}

    Returns
    -------
    first, second : Described
        With a single block, both describe this block, and no map counts as alive.
    """
    described = [
        describe(combine(blocks[name] for name in sorted(blocks)[half::2] or blocks), table, rule)
        for half in (0, 1)
    ]
    if len(blocks) < 2:
        described[0].alive[:] = False
    return described[0], described[1]


def rows(
    by_layer: Mapping[str, Mapping[str, np.ndarray]], n_resamples: int, seed: int
) -> list[dict[str, Any]]:
    """
    Table of agreement: every layer, and all of them together.

    Parameters
    ----------
    by_layer : dict of str to dict of str to float array (n, n)
        By layer, the result of `similarities`.
    n_resamples, seed : int

    Returns
    -------
    rows : list of dict
        Keys are `COLUMNS`. The layer `all` pools the maps; they are permuted within their layers.
    """
    records = []
    measures = list(next(iter(by_layer.values())))
    for layer, measured in [*by_layer.items(), ("all", None)]:
        for measure in measures:
            parts = (
                [part[measure] for part in by_layer.values()]
                if measured is None
                else [measured[measure]]
            )
            row = agreement(parts, n_resamples, seed)
            records.append({"layer": layer, "measure": measure, **row})
    return records


class Correlation:
    """
    Correlation of every map of one network with every map of another, from sums over cells.

    Parameters
    ----------
    n_first, n_second : int
        Maps.
    """

    def __init__(self, n_first: int, n_second: int) -> None:
        self._n = 0
        self._sums = [np.zeros(n_first), np.zeros(n_second)]
        self._squares = [np.zeros(n_first), np.zeros(n_second)]
        self._products = np.zeros((n_first, n_second))

    def add(self, first: np.ndarray, second: np.ndarray) -> None:
        """
        Add the maps of one stimulus.

        Parameters
        ----------
        first, second : float arrays (C, row, column)
            On the same cells.
        """
        flat = [maps.reshape(len(maps), -1).astype(float) for maps in (first, second)]
        self._n += flat[0].shape[1]
        for cells, sums, squares in zip(flat, self._sums, self._squares, strict=True):
            sums += cells.sum(axis=1)
            squares += (cells**2).sum(axis=1)
        self._products += flat[0] @ flat[1].T

    def value(self) -> np.ndarray:
        """
        Pearson's correlations.

        Returns
        -------
        correlation : float64 array (n_first, n_second)
            nan for a map that does not vary.
        """
        n = max(self._n, 1)
        means = [sums / n for sums in self._sums]
        covariance = self._products / n - np.outer(*means)
        variance = []
        for squares, mean in zip(self._squares, means, strict=True):
            map_variance = squares / n - mean**2
            variance.append(np.where(map_variance > ROUNDING * squares / n, map_variance, np.nan))
        return covariance / np.sqrt(np.outer(*variance))


def match(correlation: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """
    Match the maps of two networks one to one, with the highest total correlation.

    Parameters
    ----------
    correlation : float array (C, C)

    Returns
    -------
    order : int array (C,)
        For each map of the first network its partner in the second (Hungarian method).
    matched : float array (C,)
        Correlation of partners; nan if a map does not vary.
    """
    rows, order = linear_sum_assignment(np.nan_to_num(correlation, nan=WORST), maximize=True)
    return order, correlation[rows, order]
