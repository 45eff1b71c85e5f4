"""
Fidelity: how close a predictor comes to the deep model that is explained.

A score on people's fixations measures how well a map predicts people. It does not say whether the
map is the network's: a bank fitted to fixations, which never saw the network, may score as well.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from gaborscope.scoring import metrics, summaries
from gaborscope.stimuli import fixations
from gaborscope.stimuli.block import StimulusBlock

COLUMNS = ("stimulus", "kl_deep", "cc_deep", "partial_cc_deep")
SUMMARY_COLUMNS = ("predictor", "dataset", "measure", "mean", "ci_low", "ci_high", "n")
# Where the null without layers comes this close to the deep model (bits), layers have nothing to
# add that could be measured.
LEAST_NULL = 0.02
# A residual below this share of a map's norm is rounding: files hold the logarithm as float32.
ROUNDING = 1e-5


def kl_bits(log_deep: np.ndarray, log_density: np.ndarray) -> float:
    """
    Kullback-Leibler divergence KL(deep || predictor) over the pixels of a stimulus.

    It is sum_p deep_p log2(deep_p / predictor_p): how many bits a fixation drawn from the deep
    model's density costs more when it is coded by the predictor's. It is not the KLD of
    `scoring.metrics`, whose first argument is people's density.

    Parameters
    ----------
    log_deep, log_density : float array (height, width)
        Natural logarithms of two densities, both finite; exp of each sums to 1.

    Returns
    -------
    kl : float
        Bits, 0 for equal densities. Never negative but for rounding.
    """
    return float(np.sum(np.exp(log_deep) * (log_deep - log_density)) / np.log(2))


def partial_correlation(x: np.ndarray, y: np.ndarray, given: Sequence[np.ndarray]) -> float:
    """
    Correlation of two maps over pixels, without what other maps predict of both.

    It is the Pearson correlation of the residuals of `x` and `y` after least squares on a constant
    and the maps in `given`.

    Parameters
    ----------
    x, y : float array (height, width)
    given : sequence of float array (height, width)
        They may be constant or depend on each other.

    Returns
    -------
    correlation : float in [-1, 1]
        nan where a residual is 0 but for rounding: where `x` or `y` is a sum of constant and
        `given`.
    """
    known = np.column_stack([_centred(values) for values in given])
    known = known[:, np.any(known != 0, axis=0)]
    both = np.column_stack([_centred(x), _centred(y)])
    residuals = both - known @ np.linalg.lstsq(known, both, rcond=ROUNDING)[0]
    norms = np.linalg.norm(residuals, axis=0)
    if norms.min() < ROUNDING:
        return float("nan")
    return float(np.clip(residuals[:, 0] @ residuals[:, 1] / norms.prod(), -1, 1))


def _centred(values):
    """Deviations from the mean, flat, of norm 1; zeros for a constant map."""
    flat = np.ravel(values)
    centred = flat - flat.mean()
    norm = np.linalg.norm(centred)
    return centred / norm if norm > 1e-9 * np.linalg.norm(flat) else np.zeros_like(centred)


class Comparison:
    """
    A predictor beside the deep model, gathered block by block.

    Parameters
    ----------
    seen : collection of str
        Stimuli that a network was trained on: their measures are nan.
    """

    def __init__(self, seen: Collection[str] = frozenset()) -> None:
        self.seen = seen
        self._rows: dict[str, list[tuple]] = {}

    def add(
        self,
        split: str,
        block: StimulusBlock,
        predicted: Iterable[tuple[int, np.ndarray]],
        deep: Iterable[tuple[int, np.ndarray]],
        centre_biases: Iterable[tuple[int, np.ndarray]],
    ) -> None:
        """
        Compare the maps of all stimuli of a block.

        Parameters
        ----------
        split : str
        block : StimulusBlock
        predicted, deep, centre_biases : iterable of (int, float array (height, width))
            Index of each stimulus in the block and its log-density, as `read_log_densities` yields
            them; all in the same order.
        """
        rows = self._rows.setdefault(split, [])
        for (index, x), (_, y), (_, bias) in zip(predicted, deep, centre_biases, strict=True):
            name = block.names[index]
            measured = (float("nan"),) * 3
            if name not in self.seen:
                measured = compare(block, index, x, y, bias)
            rows.append((name, *measured))

    def table(self, split: str) -> pd.DataFrame:
        """
        Measures by stimulus.

        Parameters
        ----------
        split : str

        Returns
        -------
        table : DataFrame
            Columns `COLUMNS`, sorted by stimulus.
        """
        return pd.DataFrame(self._rows[split], columns=COLUMNS).sort_values("stimulus")


def compare(
    block: StimulusBlock,
    index: int,
    log_density: np.ndarray,
    log_deep: np.ndarray,
    log_bias: np.ndarray,
) -> tuple[float, float, float]:
    """
    Compare a predictor with the deep model on one stimulus, on the stimulus's own pixels.

    Parameters
    ----------
    block : StimulusBlock
    index : int
    log_density, log_deep, log_bias : float array (height, width)
        Log-densities of the predictor, the deep model and the centre bias.

    Returns
    -------
    kl_deep : float
        KL(deep || predictor) in bits, see `kl_bits`.
    cc_deep : float
        Pearson correlation of the two densities; 0 if one is constant.
    partial_cc_deep : float
        Their partial correlation given people's fixation density and the centre bias: what they
        share of the deep model that people and centre do not give. nan for a stimulus without
        fixations, and for a predictor that is a mixture of these two densities and a uniform.
    """
    density, deep = np.exp(log_density), np.exp(log_deep)
    kl, cc = kl_bits(log_deep, log_density), metrics.cc(density, deep)
    if not len(block.points(index)[0]):
        return kl, cc, float("nan")
    people = fixations.observed_density(block, index)
    return kl, cc, partial_correlation(density, deep, [people, np.exp(log_bias)])


def summary_rows(
    tables: Mapping[tuple[str, str, str], pd.DataFrame],
    names: Mapping[tuple[str, str], str],
    null: str,
    same: str,
    other_regressors: Collection[str],
    n_resamples: int,
    seed: int,
) -> list[dict[str, Any]]:
    """
    Mean measures of every predictor with bootstrap intervals over stimuli.

    - `kl_deep`, `cc_deep`, `partial_cc_deep`: means, see `compare`.
    - `fidelity`: 1 - mean KL(deep || predictor) / mean KL(deep || centre bias). 1 is the deep model
      itself, 0 the centre bias; below 0 is farther away than that.
    - `gain_by_layers`: the same with the bank that was fitted straight to the deep model in the
      place of the centre bias. nan if there is no such bank, and if its mean KL is below
      `LEAST_NULL`, so that there is nothing to gain.
    - `gain_by_layers_same`: the same with a bank that has the regressors of the explanation; only
      where there is one, and not of explanations that have others.

    The ratios are ratios of means, numerator and denominator resampled together.

    Parameters
    ----------
    tables : dict of (model, predictor, dataset) to DataFrame
        By stimulus, with the stimuli as index. Every model and data set has `centre_bias`.
    names : dict of (model, predictor) to str
        Name of the predictor in the rows.
    null, same : str
        Explanations that the predictors of the null, and of the one with the regressors of the
        explanation, have in their names.
    other_regressors : collection of str
        Predictors that explain by other regressors than that one has.
    n_resamples, seed : int
        As for `summaries.bootstrap_mean`.

    Returns
    -------
    rows : list of dict
        Keys are `SUMMARY_COLUMNS`.
    """
    rows = []
    for (model, predictor, dataset), table in tables.items():

        def add(measure, mean, low, high, n, key=(names[model, predictor], dataset)):
            values = (*key, measure, mean, low, high, n)
            rows.append(dict(zip(SUMMARY_COLUMNS, values, strict=True)))

        for measure in COLUMNS[1:]:
            add(measure, *summaries.bootstrap_mean(table[measure].to_numpy(), n_resamples, seed))
        for measure, rival, least in (
            ("fidelity", "centre_bias", 0.0),
            ("gain_by_layers", f"{model}-{null}", LEAST_NULL),
            ("gain_by_layers_same", f"{model}-{same}", LEAST_NULL),
        ):
            against = tables.get((model, rival, dataset))
            own = predictor not in other_regressors
            if measure == "gain_by_layers_same" and (against is None or not own):
                continue
            add(measure, *_reduction(table, against, least, n_resamples, seed))
    return rows


def _reduction(table, against, least, n_resamples, seed):
    """1 - mean KL / mean KL of another predictor, with interval and number of stimuli."""
    undefined = (float("nan"),) * 3
    if against is None:
        return *undefined, 0
    pair = np.stack([table["kl_deep"], against["kl_deep"].loc[table.index]])
    pair = pair[:, ~np.isnan(pair).any(axis=0)]
    n = pair.shape[1]
    if n == 0 or pair[1].mean() < least:
        return *undefined, n
    return *summaries.ratio(pair[1] - pair[0], pair[1], n_resamples, seed), n
