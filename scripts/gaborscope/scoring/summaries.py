"""Means and ratios of scores over stimuli, with bootstrap intervals."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from gaborscope.errors import InputError
from gaborscope.store.tables import read_csv

LEVEL = 0.95
LOWER_IS_BETTER = ("kld",)
ENOUGH_DRAWS = 39  # with so many, the rank of a value among them has a p of .05 or below
SHARE_COLUMNS = (
    "preset", "predictor", "dataset", "metric", "share", "share_low", "share_high", "ratio",
    "ratio_low", "ratio_high",
)  # fmt: skip
DRAWS_AT_ONCE = 1 << 22  # indices drawn at once: bounds the memory, however many stimuli there are


def bootstrap_mean(
    values: np.ndarray, n_resamples: int, seed: int
) -> tuple[float, float, float, int]:
    """
    Mean over stimuli with its 95 % percentile bootstrap interval.

    Parameters
    ----------
    values : (n,) float array
        One score per stimulus. A nan (no fixations) is left out and not counted. An infinite score
        is counted: -inf makes the mean -inf.
    n_resamples : int
        Number of samples of the stimuli with replacement, at least 1.
    seed : int

    Returns
    -------
    mean, ci_low, ci_high : float
        nan if no score is left.
    n : int
        Number of scores that are not nan.
    """
    (values,) = _complete(values)
    means = resampled_means([values], n_resamples, seed)[0]
    low, high = interval(means)
    mean = float(values.mean()) if values.size else float("nan")
    return mean, low, high, int(values.size)


class Comparison(NamedTuple):
    """
    Mean advantage over one rival, or over a family of drawn ones.

    Attributes
    ----------
    mean, ci_low, ci_high : float
        With its 95 % interval; nan without a value.
    p : float
        Two-sided, of no advantage.
    n : int
        Number of stimuli.
    draws : int
        Number of rivals in the family.
    beaten : int
        Number of rivals whose own mean advantage is above 0.
    """

    mean: float
    ci_low: float
    ci_high: float
    p: float
    n: int
    draws: int
    beaten: int


def compare(advantages: np.ndarray, n_resamples: int, seed: int) -> Comparison:
    """
    Mean advantage over a family of rivals, resampled over stimuli and over rivals.

    Parameters
    ----------
    advantages : float array (rival, stimulus)
        Score minus the rival's, on the same stimuli. A stimulus with a nan is left out.
    n_resamples, seed : int
        Number of samples and seed of the nested bootstrap: each sample draws stimuli and, where
        there are several rivals, rivals, both with replacement.

    Returns
    -------
    comparison : Comparison
        `p` is twice the share of samples on the lesser side of 0, the observed value counted as
        one of them; at least 2 / (n_resamples + 1). With `ENOUGH_DRAWS` rivals it is at least that
        of the rank among them, 2 (1 + rivals not beaten) / (1 + rivals).
    """
    advantages = np.stack(_complete(*np.atleast_2d(advantages)))
    draws, n = advantages.shape
    by_rival = resampled_means(list(advantages), n_resamples, seed)
    if draws > 1:
        rng = np.random.default_rng([seed, draws])
        drawn = rng.integers(draws, size=(draws, n_resamples))
        by_rival = np.take_along_axis(by_rival, drawn, axis=0)
    resampled = by_rival.mean(axis=0)
    beaten = int((advantages.mean(axis=1) > 0).sum()) if n else 0
    p = p_value(resampled)
    if draws >= ENOUGH_DRAWS:
        p = max(p, min(1.0, 2 * (1 + draws - beaten) / (1 + draws)))
    mean = float(advantages.mean()) if n else float("nan")
    return Comparison(mean, *interval(resampled), p, n, draws, beaten)


def p_value(resampled: np.ndarray) -> float:
    """
    Two-sided p of the hypothesis that a mean is 0, from its bootstrap samples.

    Parameters
    ----------
    resampled : (n,) float array

    Returns
    -------
    p : float
        At least 2 / (n + 1); nan if any value is nan.
    """
    if np.isnan(resampled).any():
        return float("nan")
    tail = min((resampled <= 0).sum(), (resampled >= 0).sum())
    return min(1.0, 2 * (1 + float(tail)) / (1 + resampled.size))


def holm(p: np.ndarray) -> np.ndarray:
    """
    Correct several p for their number by Holm's method (Holm 1979).

    Parameters
    ----------
    p : (n,) float array
        nan for a test that was not run, which does not count.

    Returns
    -------
    corrected : (n,) float64 array
        In the order given, at most 1; nan where `p` is.
    """
    p = np.asarray(p, dtype=float)
    order = np.argsort(p, kind="stable")[: np.isfinite(p).sum()]
    corrected = np.full(p.shape, np.nan)
    steps = p[order] * np.arange(len(order), 0, -1)
    corrected[order] = np.minimum(np.maximum.accumulate(steps), 1.0)
    return corrected


def share_above_baseline(
    explained: np.ndarray,
    deep: np.ndarray,
    baseline: np.ndarray,
    n_resamples: int,
    seed: int,
    lower_is_better: bool = False,
) -> tuple[float, float, float]:
    """
    Share of the deep model's performance above chance level that the explained model reaches.

    It is (mean(explained) - mean(baseline)) / (mean(deep) - mean(baseline)), a ratio of means and
    not a mean of ratios, with a paired bootstrap over stimuli. The same formula holds where lower
    is better (KLD), because both differences change their sign.

    Parameters
    ----------
    explained, deep, baseline : (n,) float arrays
        Scores of the same stimuli in the same order; a stimulus with a nan in any is left out.
    n_resamples, seed : int
        As for `bootstrap_mean`; the three are resampled together.
    lower_is_better : bool
        Whether the score is one such as KLD.

    Returns
    -------
    share, ci_low, ci_high : float
        1 means all, 0 none; a negative share means a score below the baseline. nan if no stimulus
        is left, or if the deep model is not clearly better than the baseline, the interval of its
        advantage above 0: a share of nothing, or of a loss, has no meaning.

    Raises
    ------
    InputError
        If the arrays are not of equal length.
    """
    explained, deep, baseline = _complete(explained, deep, baseline)
    sign = -1 if lower_is_better else 1
    return _ratio_of_means(
        sign * (explained - baseline), sign * (deep - baseline), n_resamples, seed
    )


def ratio(
    explained: np.ndarray, deep: np.ndarray, n_resamples: int, seed: int
) -> tuple[float, float, float]:
    """
    Mean score of the explained model divided by the mean score of the deep model.

    Parameters
    ----------
    explained, deep : (n,) float arrays
        Scores of the same stimuli in the same order; a stimulus with a nan in either is left out.
    n_resamples, seed : int
        As for `bootstrap_mean`; both are resampled together.

    Returns
    -------
    ratio, ci_low, ci_high : float
        nan if no stimulus is left, or if the deep model's mean is not clearly positive, its
        interval above 0.

    Raises
    ------
    InputError
        If the arrays are not of equal length.
    """
    above, below = _complete(explained, deep)
    return _ratio_of_means(above, below, n_resamples, seed)


def _ratio_of_means(above, below, n_resamples, seed):
    """Ratio of means with its interval; nan unless the denominator's interval is above 0."""
    observed = np.array([above.mean(), below.mean()]) if above.size else np.zeros(2)
    above, below = resampled_means([above, below], n_resamples, seed)
    if not observed[1] > 0 or not interval(below)[0] > 0:
        return float("nan"), float("nan"), float("nan")
    with np.errstate(divide="ignore", invalid="ignore"):
        return float(observed[0] / observed[1]), *interval(above / below)


def _complete(*columns):
    """Columns as float arrays, without the rows that hold a nan in any column."""
    columns = [np.asarray(column, dtype=float) for column in columns]
    if any(column.ndim != 1 or column.shape != columns[0].shape for column in columns):
        raise InputError(
            "scores to compare need one value per stimulus and equal numbers of stimuli, got the "
            f"shapes {', '.join(str(column.shape) for column in columns)}"
        )
    known = ~np.isnan(columns).any(axis=0)
    return [column[known] for column in columns]


def resampled_means(columns: Sequence[np.ndarray], n_resamples: int, seed: int) -> np.ndarray:
    """
    Mean of every column in every bootstrap sample; all columns share the samples.

    Parameters
    ----------
    columns : sequence of (n,) float array
        Without nan.
    n_resamples, seed : int

    Returns
    -------
    means : float64 array (column, resample)
        nan where n is 0.
    """
    if n_resamples < 1:
        raise InputError(f"n_resamples must be at least 1, got {n_resamples}")
    n = columns[0].size
    means = np.full((len(columns), n_resamples), np.nan)
    if n == 0:
        return means
    rng = np.random.default_rng(seed)
    step = max(1, DRAWS_AT_ONCE // n)
    for start in range(0, n_resamples, step):
        stop = min(start + step, n_resamples)
        drawn = rng.integers(n, size=(stop - start, n))
        for column, row in zip(columns, means, strict=True):
            row[start:stop] = column[drawn].mean(axis=1)
    return means


def interval(resampled: np.ndarray) -> tuple[float, float]:
    """
    95 % percentile interval.

    Its ends are two of the resampled values, without interpolation, so that infinities stay exact.

    Parameters
    ----------
    resampled : (n,) float array

    Returns
    -------
    low, high : float
        nan if any resampled value is nan.
    """
    if np.isnan(resampled).any():
        return float("nan"), float("nan")
    ordered = np.sort(resampled)
    tail = (1 - LEVEL) / 2
    low, high = (math.ceil(ordered.size * share) - 1 for share in (tail, 1 - tail))
    return float(ordered[max(low, 0)]), float(ordered[high])


def read_tables(
    cells: Sequence[Sequence[str]], paths: Sequence[str]
) -> dict[tuple[str, str, str], pd.DataFrame]:
    """
    Read tables of scores by stimulus.

    Parameters
    ----------
    cells : sequence of (preset, predictor, dataset)
    paths : sequence of str
        For each cell, `results/scores/{preset}/{predictor}/{dataset}.csv`.

    Returns
    -------
    tables : dict of (preset, predictor, dataset) to DataFrame
        The index holds the names of the stimuli.
    """
    return {
        (preset, predictor, dataset): read_csv(path).set_index("stimulus")
        for (preset, predictor, dataset), path in zip(cells, paths, strict=True)
    }


def summary_rows(
    tables: Mapping[tuple[str, str, str], pd.DataFrame], n_resamples: int, seed: int
) -> list[dict[str, Any]]:
    """
    Mean score with interval for every preset, predictor, data set and metric.

    Parameters
    ----------
    tables : dict of (preset, predictor, dataset) to DataFrame
        Scores by stimulus.
    n_resamples, seed : int
        As for `bootstrap_mean`.

    Returns
    -------
    rows : list of dict
        `preset, predictor, dataset, metric, mean, ci_low, ci_high, n`.
    """
    rows = []
    for (preset, predictor, dataset), table in tables.items():
        for metric in table.columns:
            mean, low, high, n = bootstrap_mean(table[metric].to_numpy(), n_resamples, seed)
            rows.append(
                {
                    "preset": preset,
                    "predictor": predictor,
                    "dataset": dataset,
                    "metric": metric,
                    "mean": mean,
                    "ci_low": low,
                    "ci_high": high,
                    "n": n,
                }
            )
    return rows


def share_rows(
    tables: Mapping[tuple[str, str, str], pd.DataFrame],
    explained: Mapping[str, str],
    n_resamples: int,
    seed: int,
) -> list[dict[str, Any]]:
    """
    Share above the centre bias, and ratio to the deep model, of every explained model.

    Parameters
    ----------
    tables : dict of (preset, predictor, dataset) to DataFrame
    explained : dict of str to str
        Name of each explained model to the name of its deep model.
    n_resamples, seed : int

    Returns
    -------
    rows : list of dict
        Keys are `SHARE_COLUMNS`.
    """
    rows = []
    for (preset, predictor, dataset), table in tables.items():
        if predictor not in explained:
            continue
        deep = tables[preset, explained[predictor], dataset].loc[table.index]
        chance = tables[preset, "centre_bias", dataset].loc[table.index]
        for metric in table.columns:
            scores, deep_scores, chance_scores = (
                scored[metric].to_numpy() for scored in (table, deep, chance)
            )
            share = share_above_baseline(
                scores, deep_scores, chance_scores, n_resamples, seed, metric in LOWER_IS_BETTER
            )
            relative = ratio(scores, deep_scores, n_resamples, seed)
            rows.append(
                {
                    "preset": preset,
                    "predictor": predictor,
                    "dataset": dataset,
                    "metric": metric,
                    **dict(zip(("share", "share_low", "share_high"), share, strict=True)),
                    **dict(zip(("ratio", "ratio_low", "ratio_high"), relative, strict=True)),
                }
            )
    return rows
