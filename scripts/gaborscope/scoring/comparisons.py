"""Predictors against each other: paired differences, normalised scores, ranks."""

import itertools
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from gaborscope.scoring import summaries

# For these metrics the gold standard compares two halves of the observers. It leaves no observer
# out and is no upper bound.
SPLIT_HALVES = ("cc", "kld", "sim")

DIFFERENCE_COLUMNS = (
    "preset", "dataset", "metric", "predictor", "other", "difference", "ci_low", "ci_high",
    "effect_size", "n",
)  # fmt: skip
NORMALISED_COLUMNS = (
    "preset", "predictor", "dataset", "metric", "normalised", "ci_low", "ci_high", "n", "bound",
)  # fmt: skip
RANK_COLUMNS = (
    "preset", "predictor", "dataset", "metric", "rank", "rank_low", "rank_high", "n"
)  # fmt: skip


def effect_size(differences: np.ndarray) -> float:
    """
    Cohen's d of paired differences: their mean over their standard deviation (n - 1).

    Parameters
    ----------
    differences : (n,) float array
        Without nan.

    Returns
    -------
    d : float
        0 if all differences are 0; nan if they all have another equal value, or if there are fewer
        than two.
    """
    if differences.size < 2:
        return float("nan")
    mean, spread = differences.mean(), differences.std(ddof=1)
    if spread > 1e-12 * abs(mean):
        return float(mean / spread)
    return 0.0 if mean == 0 else float("nan")


def difference_rows(
    tables: Mapping[tuple[str, str, str], pd.DataFrame], n_resamples: int, seed: int
) -> list[dict[str, Any]]:
    """
    Paired differences between all pairs of predictors.

    Parameters
    ----------
    tables : dict of (preset, predictor, dataset) to DataFrame
        Scores by stimulus.
    n_resamples, seed : int
        Number of samples and seed of the bootstrap over stimuli.

    Returns
    -------
    rows : list of dict
        Keys are `DIFFERENCE_COLUMNS`: mean over stimuli of score(predictor) - score(other) with its
        95 % interval, Cohen's d, and the number of stimuli where both scores are defined. For KLD
        a negative difference is in favour of `predictor`.
    """
    rows = []
    for (preset, dataset), by_predictor in _by_cell(tables).items():
        for first, second in itertools.combinations(by_predictor, 2):
            for metric in by_predictor[first].columns:
                pair = _aligned([by_predictor[first], by_predictor[second]], metric)
                difference = pair[:, 0] - pair[:, 1]
                mean, low, high, n = summaries.bootstrap_mean(difference, n_resamples, seed)
                finite = difference[np.isfinite(difference)]
                d = effect_size(finite) if finite.size == n else float("nan")
                values = preset, dataset, metric, first, second, mean, low, high, d, n
                rows.append(dict(zip(DIFFERENCE_COLUMNS, values, strict=True)))
    return rows


def normalised_rows(
    tables: Mapping[tuple[str, str, str], pd.DataFrame], n_resamples: int, seed: int
) -> list[dict[str, Any]]:
    """
    Score of every predictor on a scale from the centre bias (0) to the gold standard (1).

    This is (score - centre_bias) / (gold_standard - centre_bias), a ratio of means over stimuli
    with a paired bootstrap.

    Parameters
    ----------
    tables, n_resamples, seed
        As for `difference_rows`.

    Returns
    -------
    rows : list of dict
        Keys are `NORMALISED_COLUMNS`; `bound` says how the gold standard of the metric is made.
    """
    rows = []
    for (preset, dataset), by_predictor in _by_cell(tables).items():
        for predictor, table in by_predictor.items():
            for metric in table.columns:
                columns = [table, by_predictor["gold_standard"], by_predictor["centre_bias"]]
                values = _aligned(columns, metric)
                explained, deep, baseline = values.T
                share = summaries.share_above_baseline(
                    explained, deep, baseline, n_resamples, seed,
                    lower_is_better=metric in summaries.LOWER_IS_BETTER,
                )  # fmt: skip
                bound = "split halves" if metric in SPLIT_HALVES else "leave one observer out"
                values = preset, predictor, dataset, metric, *share, len(values), bound
                rows.append(dict(zip(NORMALISED_COLUMNS, values, strict=True)))
    return rows


def rank_rows(
    tables: Mapping[tuple[str, str, str], pd.DataFrame], n_resamples: int, seed: int
) -> list[dict[str, Any]]:
    """
    Rank of every predictor by its mean score.

    Rank 1 is the best. Predictors with equal means share the mean of their ranks.

    Parameters
    ----------
    tables, n_resamples, seed
        As for `difference_rows`.

    Returns
    -------
    rows : list of dict
        Keys are `RANK_COLUMNS`. The interval comes from the ranks in bootstrap samples of the
        stimuli where the scores of all predictors are defined.
    """
    rows = []
    for (preset, dataset), by_predictor in _by_cell(tables).items():
        for metric in next(iter(by_predictor.values())).columns:
            values = _aligned(list(by_predictor.values()), metric)
            sign = 1 if metric in summaries.LOWER_IS_BETTER else -1
            drawn = summaries.resampled_means(list(values.T), n_resamples, seed)
            resampled = _ranks(sign * drawn.T)
            observed = _ranks(sign * values.mean(axis=0)[None])[0] if len(values) else None
            for place, predictor in enumerate(by_predictor):
                if observed is None:
                    rank = (float("nan"),) * 3
                else:
                    rank = (observed[place], *summaries.interval(resampled[:, place]))
                row = preset, predictor, dataset, metric, *map(float, rank), len(values)
                rows.append(dict(zip(RANK_COLUMNS, row, strict=True)))
    return rows


def _by_cell(tables):
    """Return {(preset, dataset): {predictor: table}}."""
    cells = {}
    for (preset, predictor, dataset), table in tables.items():
        cells.setdefault((preset, dataset), {})[predictor] = table
    return cells


def _aligned(tables, metric):
    """Scores (stimulus, table) of the stimuli that have no nan in any table."""
    index = tables[0].index
    values = np.stack([table.loc[index, metric].to_numpy(float) for table in tables], axis=1)
    return values[~np.isnan(values).any(axis=1)]


def _ranks(values):
    """Ranks along the last axis: lowest value 1, values equal to 12 decimals share a mean rank."""
    values = np.round(values, 12)
    below = (values[..., None, :] < values[..., :, None]).sum(axis=-1)
    equal = (values[..., None, :] == values[..., :, None]).sum(axis=-1)
    return below + (equal + 1) / 2
