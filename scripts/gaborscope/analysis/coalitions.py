"""Refit layers with only some dimensions of their regressors, from stored statistics."""

import dataclasses
import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
from scipy import linalg, sparse

from gaborscope.analysis.refits import Alternative
from gaborscope.explanation import layers as layer_tools
from gaborscope.explanation.layers import FittedLayer
from gaborscope.filters import mechanisms
from gaborscope.filters.regressors import CONCEPT, SWAPPED
from gaborscope.fitting import shapley
from gaborscope.fitting.ridge import RidgePath
from gaborscope.fitting.statistics import (
    Statistics,
    combine,
    explained_variance,
    inverse_spread,
    standardised,
)

# Dimensions that are groups of regressors, with their kinds. The part of explained bits that is
# called contrast is what is left without dimensions, so the mechanism has another name.
GROUPS = {
    "position": ("position",),
    "second_stage": ("second_stage",),
    **{
        "local_contrast" if name == "contrast" else name: kinds
        for name, kinds in mechanisms.KINDS.items()
    },
}
DIMENSIONS = ("position", "colour", "scale", "orientation", *list(GROUPS)[1:])
GROUP_OF = {kind: group for group, kinds in GROUPS.items() for kind in kinds}
# Dimensions of which all coalitions are refitted; of more, some: see `shapley.needed`.
MOST_EXACT = 7
TAGS = {"scale": re.compile(r" s\d+\b"), "orientation": re.compile(r" o\d+\b")}


@dataclasses.dataclass
class RestrictedLayer(FittedLayer):
    """
    A layer fitted to restricted regressors.

    Attributes
    ----------
    restriction : csr_array (K_S, K), float32
        Matrix from all regressors to the restricted ones, see `restriction`. The weight is
        (C, K_S).
    """

    restriction: sparse.csr_array = None

    def reconstruct(self, phi: np.ndarray) -> np.ndarray:
        """Return the reconstructed output from all regressors, see `FittedLayer`."""
        return self._plain().reconstruct(self._restricted(phi))

    def weighted_sum(self, phi: np.ndarray, weight: np.ndarray) -> np.ndarray:
        """Return the weighted sum of its maps from all regressors, see `FittedLayer`."""
        return self._plain().weighted_sum(self._restricted(phi), weight)

    def _plain(self):
        values = {f.name: getattr(self, f.name) for f in dataclasses.fields(FittedLayer)}
        return FittedLayer(**values)

    def _restricted(self, phi):
        flat = self.restriction @ phi.reshape(len(phi), -1)
        return flat.reshape(-1, *phi.shape[1:])


def restricted(statistics: Statistics, matrix: sparse.csr_array) -> Statistics:
    """
    Statistics of restricted regressors, exact and without the stimuli.

    Parameters
    ----------
    statistics : statistics.Statistics
    matrix : csr_array (K_S, K)

    Returns
    -------
    statistics : statistics.Statistics
        `P gram P^T`, `P cross`, `P sum_phi`, where P is the matrix; sums of the maps stay.
    """
    return Statistics(
        gram=matrix @ (matrix @ statistics.gram).T,
        cross=matrix @ statistics.cross,
        sum_phi=matrix @ statistics.sum_phi,
        sum=statistics.sum,
        cov=statistics.cov,
        n=statistics.n,
    )


def with_swapped(filters: Mapping[str, Any]) -> dict[str, Any]:
    """
    Put the swapped maps of concepts among the regressors of a fitted layer.

    Parameters
    ----------
    filters : dict
        From `read_filters`.

    Returns
    -------
    filters : dict
        The same but for `regressors` and `table`.
    """
    settings = {**filters["regressors"], "swapped": True}
    return {**filters, "regressors": settings, "table": layer_tools.table(settings)}


def names(table: Mapping[str, np.ndarray]) -> dict[str, tuple[str, ...]]:
    """
    List the coalitions of the dimensions that regressors vary along, larger ones first.

    All of up to `MOST_EXACT` dimensions; of more, those that Shapley values along some orders of
    the dimensions need. Then, for each concept with swapped maps, all dimensions with these in its
    place.

    Parameters
    ----------
    table : dict of str to array (K,)

    Returns
    -------
    coalitions : dict of str to tuple of str
        By label, such as "position+colour"; the coalition without dimensions is "none".
    """
    players = present(table)
    every = [tuple(players[m] for m in c) for c in shapley.needed(len(players), MOST_EXACT)]
    kinds = set(table["kind"].tolist())
    for concept in (player for player in players if player.startswith(CONCEPT)):
        swapped = concept.replace(CONCEPT, SWAPPED)
        if swapped in kinds:
            every.insert(0, tuple(swapped if player == concept else player for player in players))
    return {label(kept): kept for kept in reversed(every)}


def label(kept: Collection[str]) -> str:
    """Return the label of a coalition."""
    return "+".join(kept) or "none"


def refit(
    fitted: FittedLayer,
    fit: Mapping[str, Statistics],
    validation: Statistics,
    matrix: sparse.csr_array,
    penalties: Sequence[float],
    n_folds: int,
) -> tuple[RestrictedLayer, dict[str, RestrictedLayer]]:
    """
    Ridge fit of one layer on restricted regressors, and out-of-fold fits.

    Parameters
    ----------
    fitted : layers.FittedLayer
        The layer with all regressors.
    fit : dict of str to statistics.Statistics
        By fit block.
    validation : statistics.Statistics
        Statistics on which the penalty is chosen.
    matrix : csr_array (K_S, K)
    penalties : sequence of float
    n_folds : int

    Returns
    -------
    layer : RestrictedLayer
    folds : dict of str to RestrictedLayer
        By fit block, the layer fitted without it.
    """
    by_block = {name: restricted(part, matrix) for name, part in fit.items()}
    total, held_out = combine(by_block.values()), restricted(validation, matrix)
    tried = [(penalty, _ridge(total, penalty)) for penalty in penalties]
    scores = [np.nan_to_num(explained_variance(held_out, *s)[1], nan=-np.inf) for _, s in tried]
    penalty, solution = tried[int(np.argmax(scores))]
    error = held_out.squared_error(*solution)
    spread = np.sqrt(np.maximum(error, 0) / held_out.n).astype(np.float32)
    narrow = matrix.astype(np.float32)

    def layer_of(weight, intercept):
        return RestrictedLayer(
            fitted.name, fitted.layer, fitted.settings, weight.astype(np.float32),
            intercept.astype(np.float32), spread, narrow,
        )  # fmt: skip

    blocks, folds = sorted(by_block), {}
    n_folds = min(n_folds, len(blocks))
    for fold in range(n_folds if n_folds > 1 else 0):
        members = blocks[fold::n_folds]
        rest = total - combine(by_block[block] for block in members)
        out_of_fold = layer_of(*_ridge(rest, penalty))
        folds.update(dict.fromkeys(members, out_of_fold))
    return layer_of(*solution), folds


def _ridge(statistics, penalty):
    """Return weights and intercept of ridge on standardised regressors, for a single penalty."""
    correlation, cross, inverse = standardised(statistics)
    correlation[np.diag_indices_from(correlation)] += penalty
    try:
        factor = linalg.cho_factor(correlation)
    except linalg.LinAlgError:  # regressors are dependent, and rounding exceeds the penalty
        return RidgePath(statistics).solve(penalty)
    weight = (linalg.cho_solve(factor, cross) * inverse[:, None]).T
    return weight, (statistics.sum - weight @ statistics.sum_phi) / statistics.n


class Coalitions:
    """
    Coalitions of dimensions, for which layers are refitted one after the other.

    Parameters
    ----------
    labels : sequence of str
        Labels of the coalitions, from `names`.
    solver : dict
        `penalties` and `folds` of the explanation.
    """

    def __init__(self, labels: Collection[str], solver: Mapping[str, Any]) -> None:
        self.labels, self.solver = list(labels), solver
        self._layers = {coalition: [] for coalition in self.labels}
        self._folds = {coalition: {} for coalition in self.labels}

    def add_layer(
        self,
        filters: Mapping[str, Any],
        fit: Mapping[str, Statistics],
        validation: Mapping[str, Statistics],
    ) -> None:
        """
        Refit a layer in every coalition.

        Parameters
        ----------
        filters : dict
            From `read_filters`.
        fit, validation : dict of str to statistics.Statistics
            Statistics by block, of the chosen pooling.
        """
        fitted = layer_tools.fitted_layer(filters)
        inverse = inverse_spread(combine(fit.values()))
        held_out, every = combine(validation.values()), names(filters["table"])
        opponent = filters["regressors"]["colour"] != "rgb"
        for coalition in self.labels:
            matrix = restriction(filters["table"], every[coalition], inverse, opponent)
            layer, folds = refit(
                fitted, fit, held_out, matrix, self.solver["penalties"], self.solver["folds"]
            )
            self._layers[coalition].append(layer)
            for block, out_of_fold in folds.items():
                self._folds[coalition].setdefault(block, []).append(out_of_fold)

    def members(self) -> dict[str, Alternative]:
        """Return the coalitions as `refits.Alternative`, by label."""
        return {
            coalition: Alternative(self._layers[coalition], self._folds[coalition])
            for coalition in self.labels
        }


def present(table: Mapping[str, np.ndarray]) -> list[str]:
    """
    List the dimensions that regressors vary along.

    Parameters
    ----------
    table : dict of str to array (K,)
        From `Regressors.table`.

    Returns
    -------
    names : list of str
        Some of `DIMENSIONS`, in the same order; then concepts, such as "concept:faces".
    """
    varies = {
        **{group: np.isin(table["kind"], kinds).any() for group, kinds in GROUPS.items()},
        **{key: table[key].max() > 0 for key in ("colour", "scale", "orientation")},
    }
    kinds = dict.fromkeys(table["kind"].tolist())
    concepts = [kind for kind in kinds if kind.startswith(CONCEPT)]
    return [name for name in DIMENSIONS if varies[name]] + concepts


def restriction(
    table: Mapping[str, np.ndarray],
    kept: Collection[str],
    inverse: np.ndarray,
    opponent: bool = True,
) -> sparse.csr_array:
    """
    Linear map from all regressors to regressors of some dimensions only: `phi_S = P_S phi`.

    Without scale (or orientation), regressors that differ in it alone are summed. They are
    standardised first, so that no scale counts more for its power. Without colour, only the first
    channel (luminance) is left, or for rgb the sum of the three channels; what relates channels to
    each other is left out. Without one of `GROUPS`,
    the regressors of its kinds are left out; without a concept, its maps.

    Parameters
    ----------
    table : dict of str to array (K,)
        From `Regressors.table`.
    kept : collection of str
        Dimensions that are kept, of `DIMENSIONS` and kinds of concepts.
    inverse : float array (K,)
        Reciprocal standard deviation of each regressor, see `statistics.inverse_spread`.
    opponent : bool
        Whether the first channel is luminance; False for rgb.

    Returns
    -------
    restriction : csr_array (K_S, K)
        Float64; rows are in the order of their first regressor.
    """
    rows, members, row_of = [], [], {}
    for index, (kind, name) in enumerate(zip(table["kind"], table["name"], strict=True)):
        is_concept = str(kind).startswith((CONCEPT, SWAPPED))
        if GROUP_OF.get(str(kind), str(kind) if is_concept else None) not in (None, *kept):
            continue
        row_name, is_response = str(name), kind != "position" and not is_concept
        if "colour" not in kept and is_response:
            of_all = table["colour"][index] < 0  # channels together, such as their rarity
            if of_all or (opponent and table["colour"][index] > 0):
                continue
            row_name = row_name.partition(" ")[2]
        if is_response:
            for dimension, tag in TAGS.items():
                row_name = row_name if dimension in kept else tag.sub("", row_name)
        rows.append(row_of.setdefault(row_name, len(row_of)))
        members.append(index)
    shape = (len(row_of), len(table["name"]))
    return sparse.csr_array((inverse[members], (rows, members)), shape=shape)


def dealt_out(table: dict[str, np.ndarray], part: int, n_parts: int) -> list[str]:
    """
    Coalitions for one of several jobs that share all coalitions.

    Parameters
    ----------
    table : dict of str to array (K,)
        From `Regressors.table`.
    part : int
        From 0 to `n_parts` - 1.
    n_parts : int

    Returns
    -------
    labels : list of str
        Every `n_parts`-th of `names`, so that each job has as many large ones.
    """
    return list(names(table))[part::n_parts]
