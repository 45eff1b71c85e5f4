"""Names of maps: which filters count, between those of the bank or among them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np
from scipy import linalg

from gaborscope.analysis import continuous
from gaborscope.analysis.continuous import LEAST, MOST, OF_THE_REST
from gaborscope.analysis.nodes import FIXED, Grid, Samples, Term
from gaborscope.fitting import shapley, sparse
from gaborscope.fitting.statistics import Statistics, standardised

REFINED = ("refined_wavelength_px", "refined_orientation_deg", "refined_bandwidth_ratio")
# Wavelength, orientation (never open) and bandwidth ratio.
LEAST_POSSIBLE, LARGEST_POSSIBLE = (0.0, -np.inf, 0.0), (np.inf, np.inf, 1.0)
COLUMNS = (
    "share",
    *(f"{name}{end}" for name in REFINED for end in ("", "_low", "_high")),
    "refined_explained_variance",
)


@dataclasses.dataclass
class Named:
    """
    A filter that a map is named by.

    Attributes
    ----------
    regressor : int
        Regressor of the explanation that is nearest.
    share : float
        Shapley share of this filter in the map's variance, among the filters it is named by.
    explained_variance : float or None
        Of validation samples, by the refined filters up to this one.
    grid : Grid or None
        Nodes that the place counts in; None where nothing was refined.
    places : list of (float, float, float)
        Where the filter lies by all samples of the fit split, and by each half of them.
    """

    regressor: int
    share: float = np.nan
    explained_variance: float | None = None
    grid: Grid | None = None
    places: Sequence[Sequence[float]] = ()

    def columns(self, scale_px: float) -> dict[str, float | None]:
        """
        Return the values of `COLUMNS`.

        Parameters
        ----------
        scale_px : float
            px of the stimulus per px of the network's input.

        Returns
        -------
        columns : dict of str to float or None
            None where nothing was refined, or there are no halves. `_low` and `_high` are the
            least and the largest of both halves and the whole. Where one of these lies at the end
            of what filters are moved to, the best filter may lie beyond, and the interval is open:
            its end is `LEAST_POSSIBLE` or `LARGEST_POSSIBLE`. An orientation lies in [0, 180),
            its `_low` may lie below 0 and its `_high` above 180.
        """
        values = dict.fromkeys(COLUMNS)
        values |= {"share": self.share, "refined_explained_variance": self.explained_variance}
        if self.grid is None or not self.places:
            return values
        by_place = np.array([self.grid.properties(place) for place in self.places])
        ends = self.grid.ends()
        open_low, open_high = by_place.min(axis=0) <= ends[0], by_place.max(axis=0) >= ends[1]
        by_place[:, 0] *= scale_px
        by_place[:, 1] -= 180 * np.floor(by_place[0, 1] / 180)
        low = np.where(open_low, LEAST_POSSIBLE, by_place.min(axis=0))
        high = np.where(open_high, LARGEST_POSSIBLE, by_place.max(axis=0))
        for number, name in enumerate(REFINED):
            values[name] = float(by_place[0, number])
            if len(by_place) > 1:
                values[f"{name}_low"] = float(low[number])
                values[f"{name}_high"] = float(high[number])
        return values


def between(
    fit: Sequence[Samples],
    held: Samples,
    table: Mapping[str, np.ndarray],
    rule: str,
    maps: Sequence[int],
) -> list[list[Named]]:
    """
    Name maps by filters between those of the bank.

    Parameters
    ----------
    fit : sequence of Samples
        Of the fit split, and of its halves where it has two blocks.
    held : Samples
        Of the validation split.
    table : dict of str to array (K,)
        From `Regressors.table`.
    rule : {"omp", "ols"}
    maps : sequence of int
        Which maps.

    Returns
    -------
    named : list of list of Named
        By map of these. Of two filters that are nearest to the same regressor the first is kept.
    """
    candidates = continuous.Candidates(fit[0])
    known = {
        key: index
        for index, key in enumerate(zip(*(table[k].tolist() for k in _KEYS), strict=True))
        if key[0] not in FIXED
    }
    by_map = []
    for index in maps:
        whole, *parts = (continuous.Fit(samples, index) for samples in fit)
        on_validation = continuous.Fit(held, index)
        terms = continuous.name(whole, on_validation, candidates, rule)
        kept = dict[int, Term]()
        for term in terms:
            kept.setdefault(_regressor(fit[0], term, known), term)
        terms = list(kept.values())
        moved = [terms, *(part.refine(terms, 4) for part in parts)]
        by_map.append(
            [
                Named(
                    regressor,
                    explained_variance=whole.explained(on_validation, terms[: rank + 1]),
                    grid=fit[0].grid if terms[rank].kind >= 0 else None,
                    places=[others[rank].place for others in moved],
                )
                for rank, regressor in enumerate(kept)
            ]
        )
    return by_map


def evenly(n: int, most: int) -> list[int]:
    """Return at most so many of n maps, spread evenly."""
    return np.linspace(0, n - 1, min(n, most)).round().astype(int).tolist()


_KEYS = ("kind", "scale", "orientation", "colour")


def _regressor(samples, term, known):
    """Return the regressor of the explanation that is nearest to a filter."""
    if term.kind < 0:
        return int(samples.fixed_index[term.colour])
    kind = samples.kinds[term.kind]
    kind = "normalised" if kind == "global" else kind
    return known[(kind, *samples.grid.nearest(term.place), term.colour)]


def needed(
    fit: Statistics, held_out: Statistics, chosen: Sequence[Sequence[int]]
) -> list[list[int]]:
    """
    Name maps by filters of the bank, from statistics alone.

    The filters chosen first are taken out one by one, the weakest first, until each that is left
    lowers the error on the validation split by more than `LEAST` and `OF_THE_REST`.

    Parameters
    ----------
    fit, held_out : statistics.Statistics
    chosen : list of list of int
        By map, regressors in the order of choice; more than `MOST` are not tried.

    Returns
    -------
    named : list of list of int
        By map.
    """
    correlation, cross, inverse = standardised(fit)
    mean_phi, mean = fit.sum_phi / fit.n, fit.sum / fit.n

    def error(regressors, c):
        gram = correlation[np.ix_(regressors, regressors)] + 1e-6 * np.eye(len(regressors))
        weight = linalg.solve(gram, cross[regressors, c], assume_a="pos") * inverse[regressors]
        intercept = mean[c] - weight @ mean_phi[regressors]
        return sparse.squared_error(held_out, c, regressors, weight, intercept)

    total = held_out.total_variation()
    return [_needed(error, list(order[:MOST]), c, total[c]) for c, order in enumerate(chosen)]


def _needed(error, kept, c, total):
    """Return those of some regressors that a map needs on the validation split."""
    while kept:
        whole = error(kept, c)
        without = [error([k for k in kept if k != one], c) if kept[1:] else total for one in kept]
        weakest = int(np.argmin(without))
        if without[weakest] - whole > max(LEAST * total, OF_THE_REST * whole):
            break
        del kept[weakest]
    return kept


def shares_of(fit: Statistics, named: Sequence[Sequence[int]]) -> list[np.ndarray]:
    """
    Shares of named filters: their Shapley values in the variance that they explain together.

    Parameters
    ----------
    fit : statistics.Statistics
        Of the fit split, on which the shares are evaluated too.
    named : list of list of int
        By map, the regressors it is named by.

    Returns
    -------
    shares : list of float64 array
        By map, shares of its variance; nan where it is dead.

    References
    ----------
    Lindeman, R. H., Merenda, P. F., Gold, R. Z. (1980).
    """
    correlation, cross, _ = standardised(fit)
    variance, shares = fit.total_variation() / fit.n, []
    for c, places in enumerate(named):
        worth = {}
        for members in shapley.coalitions(len(places)):
            some = [places[member] for member in members]
            gram = correlation[np.ix_(some, some)] + 1e-6 * np.eye(len(some))
            weight = linalg.solve(gram, cross[some, c], assume_a="pos") if some else np.zeros(0)
            worth[members] = float(weight @ cross[some, c])
        alive = variance[c] > 0
        shares.append(shapley.split(worth, len(places)) / (variance[c] if alive else np.nan))
    return shares


def ordered(fit: Statistics, named: Sequence[Sequence[int]], k: int, rule: str) -> list[list[int]]:
    """
    Regressors of every map: those it is named by, then others one by one.

    Parameters
    ----------
    fit : statistics.Statistics
    named : list of list of int
        By map; regressors that depend on others are left out.
    k : int
        Regressors of a map in all.
    rule : {"omp", "ols"}

    Returns
    -------
    chosen : list of list of int
    """
    correlation, cross, _ = standardised(fit)
    return [
        sparse.select(correlation, cross[:, c], k, rule, first) for c, first in enumerate(named)
    ]
