"""Weights of an explanation with few filters per map, for every budget and out of fold too."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from gaborscope.analysis import refits
from gaborscope.analysis.refits import Alternative
from gaborscope.explanation import layers as layer_tools
from gaborscope.fitting import sparse, statistics
from gaborscope.fitting.ridge import deal
from gaborscope.fitting.statistics import Statistics, combine

# Ridge penalty of the refit on few regressors; the weights are standardised.
PENALTY = 1e-6
WHOLE = "all"


def of_layer(
    fitted: layer_tools.FittedLayer,
    fit: Mapping[str, statistics.Statistics],
    validation: statistics.Statistics,
    budgets: Sequence[int],
    rule: str,
    n_folds: int,
) -> dict[int, tuple[layer_tools.FittedLayer, dict[str, layer_tools.FittedLayer]]]:
    """
    Refit a layer with every budget, which is the largest number of filters per map.

    Parameters
    ----------
    fitted : layers.FittedLayer
    fit : dict of str to Statistics
        By fit block.
    validation : Statistics
        Gives the spread of the residual.
    budgets : sequence of int
    rule : {"omp", "ols"}
        Rule by which regressors are chosen, once per fold and as many as the largest budget.
        Smaller budgets take the first of them.
    n_folds : int
        Largest number of out-of-fold refits.

    Returns
    -------
    refitted : dict of int to (layers.FittedLayer, dict of str to layers.FittedLayer)
        By budget: the layer fitted to all blocks; by fit block, the layer fitted without it.
    """
    total = combine(fit.values())
    paths: dict[int | None, sparse.BudgetPath] = {
        None: sparse.BudgetPath(total, max(budgets), rule)
    }
    folds = list(deal(fit, total, n_folds)) if min(n_folds, len(fit)) > 1 else []
    for number, (_, rest) in enumerate(folds):
        paths[number] = sparse.BudgetPath(rest, max(budgets), rule)
    refitted = {}
    for k in budgets:
        weight, intercept = paths[None].solve(PENALTY, k)
        error = np.maximum(validation.squared_error(weight, intercept), 0)
        spread = np.sqrt(error / validation.n)
        without = {}
        for number, (members, _) in enumerate(folds):
            out_of_fold = layer_tools.with_weights(fitted, *paths[number].solve(PENALTY, k), spread)
            without.update(dict.fromkeys(members, out_of_fold))
        refitted[k] = layer_tools.with_weights(fitted, weight, intercept, spread), without
    return refitted


def members(by_layer: Sequence[Mapping[int, Any]], whole: Alternative) -> dict[str, Alternative]:
    """
    Alternatives to an explanation, one per budget, and the explanation itself.

    Parameters
    ----------
    by_layer : list of dict
        From `of_layer`, layer by layer.
    whole : refits.Alternative
        The explanation itself.

    Returns
    -------
    members : dict of str to refits.Alternative
        By the number of filters per map; "all" last.
    """
    alternatives = {}
    for k in by_layer[0]:
        layers = [refitted[k][0] for refitted in by_layer]
        folds = {
            block: [refitted[k][1][block] for refitted in by_layer] for block in by_layer[0][k][1]
        }
        alternatives[str(k)] = Alternative(layers, folds)
    return {**alternatives, WHOLE: whole}


def variance_rows(
    by_layer: Sequence[Mapping[Any, Any]],
    whole: Sequence[layer_tools.FittedLayer],
    held_out: Sequence[Mapping[str, statistics.Statistics]],
) -> list[dict[str, Any]]:
    """
    Explained variance of every layer with every budget.

    Parameters
    ----------
    by_layer : list of dict
        From `of_layer`, layer by layer.
    whole : list of layers.FittedLayer
        The layers with all filters.
    held_out : list of dict of str to Statistics
        By split, layer by layer.

    Returns
    -------
    rows : list of dict
        `filters_per_map, split, layer, metric, mean`; layer "mean" is the mean over layers.
    """
    rows = []
    for k in [*by_layer[0], WHOLE]:
        for split in held_out[0]:
            explained = {}
            for refitted, fitted, parts in zip(by_layer, whole, held_out, strict=True):
                layer = fitted if k == WHOLE else refitted[k][0]
                solution = layer.weight, layer.intercept
                explained[fitted.name] = statistics.explained_variance(parts[split], *solution)[1]
            explained["mean"] = float(np.nanmean(list(explained.values())))
            rows += [
                {
                    "filters_per_map": k,
                    "split": split,
                    "layer": name,
                    "metric": "explained_variance",
                    "mean": value,
                }
                for name, value in explained.items()
            ]
    return rows


def score_rows(
    scores: pd.DataFrame, split: str, n_resamples: int, seed: int
) -> list[dict[str, Any]]:
    """
    Mean scores of every budget, of the deep model and of the centre bias on one split.

    Parameters
    ----------
    scores : DataFrame
        From `refits.score`; the deep model is called "deep".
    split : str
    n_resamples, seed : int
        Number of samples and seed of the bootstrap over stimuli.

    Returns
    -------
    rows : list of dict
        Keys of `variance_rows`, and `ci_low, ci_high, share, share_low, share_high, n`. `layer` is
        "fused"; `filters_per_map` can also be "deep" or "centre_bias".
    """
    rows = refits.summary(scores, "deep", n_resamples, seed)
    return [
        {"filters_per_map": row.pop("predictor"), "split": split, "layer": "fused", **row}
        for row in rows
    ]


class FewFilters:
    """
    An explanation with few filters per map, its layers refitted one after the other.

    Parameters
    ----------
    budgets : sequence of int
        Filters per map.
    rule : {"omp", "ols"}
    n_folds : int
        Out-of-fold refits, at most.
    """

    def __init__(self, budgets: Sequence[int], rule: str, n_folds: int) -> None:
        self._settings = budgets, rule, n_folds
        self._by_layer, self._whole, self._held_out = [], [], []

    def add_layer(
        self,
        filters: dict,
        fit: dict[str, Statistics],
        validation: dict[str, Statistics],
        test: dict[str, Statistics],
    ) -> None:
        """
        Refit a layer with every budget.

        Parameters
        ----------
        filters : dict
            From `read_filters`.
        fit, validation, test : dict of str to statistics.Statistics
            By block, of the pooling chosen.
        """
        fitted = layer_tools.fitted_layer(filters)
        held_out = {"validation": combine(validation.values()), "test": combine(test.values())}
        self._by_layer.append(of_layer(fitted, fit, held_out["validation"], *self._settings))
        self._whole.append(fitted)
        self._held_out.append(held_out)

    def members(self, whole: Alternative) -> dict[str, Alternative]:
        """Return the explanation with every budget, and without a budget, see `members`."""
        return members(self._by_layer, whole)

    def variance_rows(self) -> list[dict]:
        """Return the explained variance of every layer with every budget, see `variance_rows`."""
        return variance_rows(self._by_layer, self._whole, self._held_out)
