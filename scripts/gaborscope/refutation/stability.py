"""Agreement of identities beyond chance, between halves of the fit split or training seeds."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy.optimize import linear_sum_assignment

from gaborscope.fitting import shapley, sparse
from gaborscope.fitting.statistics import DEAD, Statistics, standardised
from gaborscope.scoring import summaries

PROPERTIES = ("kind", "scale", "orientation", "colour")
WORST = -2.0  # correlation that a dead map is given, so that it is matched last
ROUNDING = 1e-12  # a map whose variance is below this share of its square does not vary
COLUMNS = (
    "layer", "measure", "agreement", "chance", "excess", "ci_low", "ci_high", "p", "maps"
)  # fmt: skip


@dataclasses.dataclass
class Described:
    """
    What the maps of a layer are, by one fit.

    Attributes
    ----------
    identity : int array (C, 4)
        Kind, scale, orientation and colour of the first filter of each map, -1 where it has none.
        A regressor of position counts as position, whatever its term.
    profiles : dict of str to float64 array (C, group)
        By grouping, Shapley shares of each map, cut at 0 and made to sum to 1.
    alive : bool array (C,)
    """

    identity: np.ndarray
    profiles: dict[str, np.ndarray]
    alive: np.ndarray


def describe(
    statistics: Statistics,
    penalty: float,
    table: Mapping[str, np.ndarray],
    rule: str,
    groupings: Sequence[str],
) -> Described:
    """
    First identity and Shapley profile of every map of a layer.

    Parameters
    ----------
    statistics : statistics.Statistics
    penalty : float
        Of the refits behind the profile.
    table : dict of str to array (K,)
        From `Regressors.table`.
    rule : {"omp", "ols"}
        See `sparse.select`.
    groupings : sequence of str
        Of `kind`, `scale`, `orientation`, `colour`; 2^groups refits each.

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
    profiles = {}
    for grouping in groupings:
        labels = np.unique(table[grouping])
        groups = [np.flatnonzero(table[grouping] == label) for label in labels]
        shares = shapley.of_each_map(*shapley.map_shares(statistics, penalty, groups))
        shares = np.maximum(shares, 0)
        profiles[grouping] = shares / np.maximum(shares.sum(axis=1, keepdims=True), 1e-300)
    return Described(identity, profiles, alive)


def similarities(
    first: Described, second: Described, order: np.ndarray | None = None
) -> dict[str, np.ndarray]:
    """
    How alike the maps of two fits are, every map of one with every map of the other.

    Parameters
    ----------
    first, second : Described
        Of one layer.
    order : int array (C,), optional
        Of the second's maps, the partner of each of the first's; as they are if not given.

    Returns
    -------
    similarities : dict of str to float64 array (n, n)
        Partners on the diagonal; pairs with a dead map are left out. `identity`: 1 where all
        four properties are equal, else 0; each property alone likewise; `profile_*`: overlap
        sum_g min(p_g, q_g), in [0, 1].
    """
    order = np.arange(len(second.alive)) if order is None else order
    kept = first.alive & second.alive[order]
    mine, other = first.identity[kept], second.identity[order][kept]
    equal = mine[:, None] == other[None]
    found = {"identity": equal.all(axis=2).astype(float)}
    for column, name in enumerate(PROPERTIES):
        found[name] = equal[..., column].astype(float)
    for name, profile in first.profiles.items():
        pair = profile[kept][:, None], second.profiles[name][order][kept][None]
        found[f"profile_{name}"] = np.minimum(*pair).sum(axis=2)
    return found


def agreement(layers: Sequence[np.ndarray], n_resamples: int, seed: int) -> dict[str, Any]:
    """
    Agreement of partners, held against partners drawn at random within each layer.

    Parameters
    ----------
    layers : sequence of float array (n, n)
        By layer, similarity of every map with every other; partners on the diagonal. A layer of
        fewer than two maps has no chance to be held against and is left out.
    n_resamples : int
        Permutations within layers, and bootstrap samples of the maps.
    seed : int

    Returns
    -------
    row : dict
        `agreement`: mean over partners; `chance`: its exact expectation over all permutations;
        `excess`, `ci_low`, `ci_high`: their difference with its bootstrap 95 % interval over
        maps; `p`: share of permutations that agree as much or more, the identity counted
        along; `maps`.
    """
    layers = [np.asarray(own, dtype=float) for own in layers if len(own) > 1]
    own = np.concatenate([np.diag(part) for part in layers] or [np.empty(0)])
    by_chance = np.concatenate([part.mean(axis=1) for part in layers] or [np.empty(0)])
    excess, low, high, n = summaries.bootstrap_mean(own - by_chance, n_resamples, seed)
    rng, reached = np.random.default_rng(seed), 1
    for _ in range(n_resamples):
        drawn = [part[np.arange(len(part)), rng.permutation(len(part))].sum() for part in layers]
        reached += sum(drawn) >= own.sum() - 1e-9
    mean = (lambda values: float(values.mean())) if n else (lambda values: float("nan"))
    return {
        "agreement": mean(own),
        "chance": mean(by_chance),
        "excess": excess,
        "ci_low": low,
        "ci_high": high,
        "p": reached / (n_resamples + 1) if n else float("nan"),
        "maps": n,
    }


def rows(
    by_layer: Mapping[str, Mapping[str, np.ndarray]], n_resamples: int, seed: int
) -> list[dict[str, Any]]:
    """
    Table of agreement: every layer, and all of them together.

    Parameters
    ----------
    by_layer : dict of str to dict of str to float array (n, n)
        By layer, what `similarities` gives.
    n_resamples, seed : int

    Returns
    -------
    rows : list of dict
        Keys are `COLUMNS`; layer `all` pools the maps, which are permuted within their layers.
    """
    found = []
    measures = list(next(iter(by_layer.values())))
    for layer, own in [*by_layer.items(), ("all", None)]:
        for measure in measures:
            parts = [part[measure] for part in by_layer.values()] if own is None else [own[measure]]
            row = agreement(parts, n_resamples, seed)
            found.append({"layer": layer, "measure": measure, **row})
    return found


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
        for own, sums, squares in zip(flat, self._sums, self._squares, strict=True):
            sums += own.sum(axis=1)
            squares += (own**2).sum(axis=1)
        self._products += flat[0] @ flat[1].T

    def value(self) -> np.ndarray:
        """
        Pearson's correlations.

        Returns
        -------
        correlation : float64 array (n_first, n_second)
            nan of a map that does not vary.
        """
        n = max(self._n, 1)
        means = [sums / n for sums in self._sums]
        covariance = self._products / n - np.outer(*means)
        variance = []
        for squares, mean in zip(self._squares, means, strict=True):
            own = squares / n - mean**2
            variance.append(np.where(own > ROUNDING * squares / n, own, np.nan))
        return covariance / np.sqrt(np.outer(*variance))


def match(correlation: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """
    One-to-one matching of the maps of two networks of highest total correlation.

    Parameters
    ----------
    correlation : float array (C, C)

    Returns
    -------
    order : int array (C,)
        Partner in the second of each map of the first (Hungarian method).
    matched : float array (C,)
        Correlation of partners, nan where a map does not vary.
    """
    rows, order = linear_sum_assignment(np.nan_to_num(correlation, nan=WORST), maximize=True)
    return order, correlation[rows, order]
