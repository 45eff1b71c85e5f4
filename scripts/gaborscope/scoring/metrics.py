"""
Saliency metrics under three presets: the official MIT code, pysaliency, and our recommendation.

`score` gives all metrics of a preset. The single functions take (saliency map, ground truth). No
metric draws random numbers: where the official code samples, its exact expectation is computed.

`mit` and `pysaliency` (with the settings of the MIT/Tuebingen benchmark) serve to compare with
published scores. `exact` is our recommendation. It departs from both where both are flawed, and
follows the better of the two elsewhere:

- AUC compares every fixation with the pixels that nobody fixated. Judd's AUC is too high by about
  1 / 2n. pysaliency counts fixated pixels among the negatives, so a perfect map scores below 1.
- Shuffled AUC takes all fixations on all other stimuli, at every threshold, as pysaliency does.
  The official code loses up to 0.08 by its eleven thresholds, and its value depends on the draw of
  ten stimuli.
- NSS counts every fixation, also repeated ones. Its standard deviation divides by N, because the
  pixels of a map are all there are, not a sample.
- KLD has no epsilons. With epsilons a density differs from itself, and an "impossible" fixation
  costs a finite amount that depends on them. Without, KLD is infinite where the predicted density
  is 0 and the observed one is not.
- SIM and IG take the density as it is. The official code first min-max normalises, and so does not
  score the predicted density; this changes IG by up to 0.9 bit.
- KLD, SIM and IG refuse a map with negative values, which is no density. They do not shift it.

Edge cases, decided for all presets:

- InputError is raised for a map or density that holds NaN or infinity or has the wrong size, and
  for a fixation that is not a whole pixel inside the map.
- A constant map (also all zeros) counts as the uniform density: every AUC is 0.5, NSS 0, CC 0.
- AUC, NSS and IG are nan without fixations, auc_shuffled without other fixations. CC, KLD and SIM
  are nan with an all-zero density, IG with an all-zero baseline. No nan is averaged silently.
- The logarithm of a density raises InputError where a density is needed, so it is never scored as
  a density.

Sources: github.com/cvzoya/saliency (code_forMetrics, MIT); github.com/matthias-k/pysaliency.
"""

from __future__ import annotations

import math
from functools import cached_property

import numpy as np

from gaborscope.errors import InputError
from gaborscope.scoring.prepared_map import BLOCK, PreparedMap, prepare
from gaborscope.stimuli.densities import SUM_TOLERANCE, log_sum_exp

METRICS = {
    "mit": (
        "auc_judd",
        "auc_judd_nojit",
        "auc_borji",
        "auc_shuffled",
        "nss",
        "cc",
        "kld",
        "sim",
        "ig",
    ),
    "pysaliency": ("auc", "auc_shuffled", "nss", "cc", "kld", "sim", "ig"),
    "exact": ("auc", "auc_shuffled", "nss", "cc", "kld", "sim", "ig"),
}

# Epsilon, added twice in KLD: MATLAB's eps for 'mit', pysaliency's rounded value for 'pysaliency'.
KLD_EPSILON = {"mit": 2.220446049250313e-16, "pysaliency": 2.2204e-16, "exact": 0.0}
IG_EPSILON = KLD_EPSILON["mit"]

# Presets that refuse a map with negative values: it has no KLD, and the official code returns a
# meaningless one.
NOT_NEGATIVE = ("mit", "exact")

# Thresholds of the official Borji and shuffled AUC. Their threshold 0 is left out: both rates are 1
# there, and every curve ends in that point anyway.
COARSE_THRESHOLDS = np.arange(10, 0, -1) * 0.1

NAN = float("nan")


def score(
    saliency_map: np.ndarray | PreparedMap,
    fixations: np.ndarray | FlatPixels,
    density: np.ndarray | PreparedMap | None,
    other_fixations: np.ndarray | FlatPixels | None,
    baseline: np.ndarray | PreparedMap | None,
    preset: str,
) -> dict[str, float]:
    """
    All metrics of a preset for one saliency map of one stimulus.

    Parameters
    ----------
    saliency_map : (height, width) real array
        Integers are converted to float64 first. For 'mit' and 'exact' not negative.
    fixations : (n, 2) integer array of x, y
        Pixels of the stimulus; n may be 0. 'mit' counts every fixated pixel once, the other
        presets count every fixation.
    density : (height, width) array, or None
        Fixation density (any positive sum); without it CC, KLD and SIM are nan.
    other_fixations : (m, 2) integer array of x, y, or None
        Fixations on other stimuli, the negatives of auc_shuffled; without them it is nan.
    baseline : (height, width) array, or None
        Density that IG is relative to, usually the centre bias; without it IG is nan.
    preset : {'mit', 'pysaliency', 'exact'}

    Returns
    -------
    scores : dict of float, keys in the order of METRICS[preset]
        AUCs and SIM in [0, 1], CC in [-1, 1], NSS in standard deviations, KLD in nats, IG in bits
        per fixation.

    Raises
    ------
    InputError
        If an input is malformed (see the docstring of this module) or the saliency map is a
        log-density. For 'mit' and 'exact' also if the map has negative values, which have no KLD.
    """
    _refuse_unknown(preset)
    salience = prepare(saliency_map)
    _refuse_log_density(salience)
    if preset in NOT_NEGATIVE:
        _refuse_negative(salience)
    truth = None if density is None else prepare(density, "density")
    reference = None if baseline is None else prepare(baseline, "baseline")
    other_pixels = _flat(() if other_fixations is None else other_fixations, salience)
    fixations = _flat(fixations, salience)
    if preset == "mit":
        if fixations.unique.size and not salience.constant:  # one pass counts for both AUCs
            fixated = np.sort(salience.values[fixations.unique])
            salience.count((fixated, "values"), (COARSE_THRESHOLDS, "unit"))
        scores = {
            "auc_judd": auc_judd(salience, fixations),
            "auc_judd_nojit": auc_judd_nojit(salience, fixations),
            "auc_borji": auc_borji(salience, fixations),
        }
    else:
        scores = {"auc": auc(salience, fixations, preset)}
    scores["auc_shuffled"] = auc_shuffled(salience, fixations, other_pixels, preset)
    # cc before nss: nss then reuses the norm that cc computes
    correlation = NAN if truth is None else cc(salience, truth)
    scores["nss"] = nss(salience, fixations, preset)
    scores["cc"] = correlation
    scores["kld"] = NAN if truth is None else kld(salience, truth, preset)
    scores["sim"] = NAN if truth is None else sim(salience, truth, preset)
    scores["ig"] = NAN if reference is None else ig(salience, fixations, reference, preset)
    return scores


def auc_judd(saliency_map: np.ndarray | PreparedMap, fixations: np.ndarray | FlatPixels) -> float:
    """
    AUC-Judd of the official code, as its expectation over the random breaking of ties.

    The official code breaks ties by a tiny random jitter. It then draws the curve through the n
    fixated values alone. This makes the AUC too high by fp_n / 2n, where fp_n is the false-alarm
    rate at the least salient fixation.

    The expectation has a closed form. It is the AUC of the unique fixated pixels against all other
    pixels, with ties as one half, plus E[fp_n] / 2n. If t fixated and u other pixels are tied at
    the lowest fixated value, u t / (t + 1) of the u are expected above the lowest fixated pixel.

    The official jitter is at most 1e-7, whatever the range of the map. It therefore also reorders
    maps with differences as small as that; this function does not.

    Parameters
    ----------
    saliency_map : (height, width) real array
    fixations : (n, 2) integer array of x, y

    Returns
    -------
    auc : float
        0.5 for a constant map; nan without fixations or if every pixel is fixated.
    """
    salience = prepare(saliency_map)
    pixels = _flat(fixations, salience).unique
    n, n_other = pixels.size, salience.values.size - pixels.size
    if n == 0 or n_other == 0:
        return NAN
    if salience.constant:
        return 0.5
    fixated = np.sort(salience.values[pixels])
    above, tied = _others_above(salience, fixated)
    without_last = 1 - (above + 0.5 * tied).mean() / n_other
    t = np.count_nonzero(fixated == fixated[0])
    last = (above[0] + tied[0] * t / (t + 1)) / n_other
    return float(without_last + last / (2 * n))


def auc_judd_nojit(
    saliency_map: np.ndarray | PreparedMap, fixations: np.ndarray | FlatPixels
) -> float:
    """
    AUC-Judd exactly as the official code computes it without jitter.

    If pixels without a fixation have the value of a fixation, they are counted as false alarms. So
    are later fixations of the same value. The AUC is therefore too low on maps with few levels.

    Parameters
    ----------
    saliency_map : (height, width) real array
    fixations : (n, 2) integer array of x, y

    Returns
    -------
    auc : float
        0.5 for a constant map; nan without fixations or if every pixel is fixated.
    """
    salience = prepare(saliency_map)
    pixels = _flat(fixations, salience).unique
    n, n_other = pixels.size, salience.values.size - pixels.size
    if n == 0 or n_other == 0:
        return NAN
    if salience.constant:
        return 0.5
    fixated = np.sort(salience.values[pixels])
    rank = np.arange(1, n + 1)
    at_or_above = salience.count_above(fixated)[1][::-1]
    return area_under_curve((at_or_above - rank) / n_other, rank / n)


def auc_borji(saliency_map: np.ndarray | PreparedMap, fixations: np.ndarray | FlatPixels) -> float:
    """
    AUC-Borji of the official code, as its expectation over the random negatives.

    It compares unique fixated pixels with all pixels at the 11 thresholds 0, 0.1, .. 1 of the
    min-max normalised map. So few thresholds make it depend on more than the order of the pixels.

    Parameters
    ----------
    saliency_map : (height, width) real array
    fixations : (n, 2) integer array of x, y

    Returns
    -------
    auc : float
        0.5 for a constant map; nan for fewer than two fixated pixels, as in the official code.
    """
    salience = prepare(saliency_map)
    pixels = _flat(fixations, salience).unique
    if pixels.size <= 1:
        return NAN
    if salience.constant:
        return 0.5
    _, at_or_above = salience.count_above(COARSE_THRESHOLDS, scale="unit")
    hits = _share_at_or_above(salience.unit(pixels), COARSE_THRESHOLDS)
    return area_under_curve(at_or_above / salience.values.size, hits)


def auc_shuffled(
    saliency_map: np.ndarray | PreparedMap,
    fixations: np.ndarray | FlatPixels,
    other_fixations: np.ndarray | FlatPixels,
    preset: str = "mit",
) -> float:
    """
    Shuffled AUC: fixations against fixations on other stimuli.

    A map that shows only the centre bias scores about 0.5.

    Parameters
    ----------
    saliency_map : (height, width) real array
    fixations, other_fixations : (n, 2) and (m, 2) integer arrays of x, y
        The official code takes the other fixations from 10 random stimuli, pysaliency from all.
    preset : {'mit', 'pysaliency', 'exact'}
        'mit': expectation of the official sampling, with the unique pixels of both sets and 11
        thresholds of the min-max normalised map. 'pysaliency', 'exact': all fixations of both
        sets, at every threshold; ties count one half.

    Returns
    -------
    auc : float
        0.5 for a constant map; nan where either set is empty.
    """
    _refuse_unknown(preset)
    salience = prepare(saliency_map)
    pixels, other_pixels = _flat(fixations, salience), _flat(other_fixations, salience)
    if pixels.every.size == 0 or other_pixels.every.size == 0:
        return NAN
    if salience.constant:
        return 0.5
    if preset != "mit":
        fixated, negatives = (
            salience.values[pixels.every],
            np.sort(salience.values[other_pixels.every]),
        )
        below = np.searchsorted(negatives, fixated, side="left")
        not_above = np.searchsorted(negatives, fixated, side="right")
        return float((below + not_above).mean() / (2 * negatives.size))
    hits = _share_at_or_above(salience.unit(pixels.unique), COARSE_THRESHOLDS)
    alarms = _share_at_or_above(salience.unit(other_pixels.unique), COARSE_THRESHOLDS)
    return area_under_curve(alarms, hits)


def auc(
    saliency_map: np.ndarray | PreparedMap,
    fixations: np.ndarray | FlatPixels,
    preset: str = "pysaliency",
) -> float:
    """
    AUC at every threshold: how often a fixation has a higher value than a negative.

    Parameters
    ----------
    saliency_map : (height, width) real array
    fixations : (n, 2) integer array of x, y
        Every fixation counts, also repeated ones.
    preset : {'pysaliency', 'exact'}
        Decides the negatives. 'pysaliency': all pixels, also the fixated ones, so that a perfect
        map scores 1 - n / 2N. 'exact': the pixels that nobody fixated. Ties count one half in both.

    Returns
    -------
    auc : float
        0.5 for a constant map; nan without fixations, for 'exact' also if every pixel is fixated.

    Raises
    ------
    InputError
        For 'mit', whose AUCs are `auc_judd` and `auc_borji`.
    """
    _refuse_unknown(preset)
    if preset == "mit":
        raise InputError("preset 'mit' has no auc; it has auc_judd, auc_judd_nojit and auc_borji")
    salience = prepare(saliency_map)
    pixels = _flat(fixations, salience).every
    if pixels.size == 0:
        return NAN
    if preset == "exact":
        pixels, repeats = np.unique(pixels, return_counts=True)
        n_other = salience.values.size - pixels.size
        if n_other == 0:
            return NAN
    if salience.constant:
        return 0.5
    if preset == "exact":
        order = np.argsort(salience.values[pixels])
        above, tied = _others_above(salience, salience.values[pixels][order])
        return float(1 - np.average(above + 0.5 * tied, weights=repeats[order]) / n_other)
    above, at_or_above = salience.count_above(salience.values[pixels])
    return float(1 - (above + at_or_above).mean() / (2 * salience.values.size))


def nss(
    saliency_map: np.ndarray | PreparedMap, fixations: np.ndarray | FlatPixels, preset: str = "mit"
) -> float:
    """
    Normalised scanpath saliency: mean z-score of the map at the fixations.

    Parameters
    ----------
    saliency_map : (height, width) real array
    fixations : (n, 2) integer array of x, y
    preset : {'mit', 'pysaliency', 'exact'}
        'mit' takes the unique pixels and a standard deviation with N - 1; 'pysaliency' and 'exact'
        take every fixation and a standard deviation with N.

    Returns
    -------
    nss : float
        In standard deviations; 0 for a constant map, nan without fixations.
    """
    _refuse_unknown(preset)
    salience = prepare(saliency_map)
    pixels = _chosen(fixations, salience, preset)
    if pixels.size == 0:
        return NAN
    if salience.constant:
        return 0.0
    freedom = salience.values.size - (preset == "mit")
    return float(salience.centred(pixels).mean() * math.sqrt(freedom) / salience.norm)


def cc(saliency_map: np.ndarray | PreparedMap, density: np.ndarray | PreparedMap) -> float:
    """
    Pearson correlation of the map with the fixation density, the same in all presets.

    Parameters
    ----------
    saliency_map, density : (height, width) arrays

    Returns
    -------
    cc : float in [-1, 1]
        0 if the map or the density is constant (pysaliency gives 0 for one order of the arguments
        and nan for the other); nan for an all-zero density.
    """
    salience, truth = _pair(saliency_map, density, "density")
    if truth.maximum == 0:
        return NAN
    if salience.constant or truth.constant:
        return 0.0
    return salience.correlation(truth)


def kld(
    saliency_map: np.ndarray | PreparedMap, density: np.ndarray | PreparedMap, preset: str = "mit"
) -> float:
    """
    Kullback-Leibler divergence KL(density || map) in nats: 0 for equal densities, lower is better.

    It is sum(Q ln(eps + Q / (P + eps))), where P is the map and Q the density, each divided by its
    sum. The epsilons make it finite where P is 0, and slightly negative (about -1e-12) where P and
    Q are equal. 'exact' has no epsilons.

    Parameters
    ----------
    saliency_map, density : (height, width) arrays
    preset : {'mit', 'pysaliency', 'exact'}
        'mit': as the official code, except that a constant map (also all zeros) counts as the
        uniform density. 'pysaliency': as its MIT settings; a map with negative values is shifted
        by its minimum. 'exact': sum(Q ln(Q / P)) over the pixels where Q > 0.

    Returns
    -------
    kld : float
        nan for an all-zero density; for 'exact' infinite where P is 0 and Q is not.

    Raises
    ------
    InputError
        If the map is a log-density, and for 'mit' and 'exact' if it has negative values. The
        official code would divide such a map by a sum that may be negative.
    """
    _refuse_unknown(preset)
    salience, truth = _pair(saliency_map, density, "density")
    _refuse_log_density(salience)
    if preset in NOT_NEGATIVE:
        _refuse_negative(salience)
    if truth.maximum == 0:
        return NAN
    if preset == "exact":
        return _exact_kld(salience, truth)
    epsilon, (offset, total), (_, truth_total) = KLD_EPSILON[preset], salience.mass, truth.mass
    divergence, buffer = 0.0, np.empty(BLOCK)
    for block in salience.blocks():
        expected = truth.values[block]
        # Q / (P + eps); the sums of both maps are part of the denominator
        ratio = buffer[: expected.size]
        np.subtract(salience.values[block], offset - epsilon * total, out=ratio)
        ratio *= truth_total / total
        np.divide(expected, ratio, out=ratio)
        ratio += epsilon
        divergence += np.dot(expected, np.log(ratio, out=ratio))
    return float(divergence / truth_total)


def _exact_kld(salience, truth):
    """Return sum(Q ln(Q / P)) over the pixels where Q > 0; infinite if P is 0 at one of them."""
    divergence = 0.0
    for block in salience.blocks():
        expected, predicted = truth.density(block), salience.density(block)
        if expected.min() == 0:
            seen = expected > 0
            expected, predicted = expected[seen], predicted[seen]
        if predicted.min(initial=1.0) == 0:
            return math.inf
        divergence += np.dot(expected, np.log(np.divide(expected, predicted, out=predicted)))
    return float(divergence)


def sim(
    saliency_map: np.ndarray | PreparedMap, density: np.ndarray | PreparedMap, preset: str = "mit"
) -> float:
    """
    Similarity: the mass that map and density have in common; symmetric.

    Parameters
    ----------
    saliency_map, density : (height, width) arrays
    preset : {'mit', 'pysaliency', 'exact'}
        'mit': map and density are min-max normalised, then divided by their sums. 'pysaliency':
        they are divided by their sums, after a map with negative values is shifted by its minimum.
        'exact': they are divided by their sums.

    Returns
    -------
    sim : float in [0, 1]
        A constant map or density counts as uniform; nan for an all-zero density.

    Raises
    ------
    InputError
        If the map is a log-density, or for 'exact' has negative values.
    """
    _refuse_unknown(preset)
    salience, truth = _pair(saliency_map, density, "density")
    _refuse_log_density(salience)
    if preset == "exact":
        _refuse_negative(salience)
    if truth.maximum == 0:
        return NAN
    (low, total), (truth_low, truth_total) = (
        (m.floor_and_mass if preset == "mit" else m.mass) for m in (salience, truth)
    )
    shared, buffers, ratio = 0.0, np.empty((2, BLOCK)), truth_total / total
    for block in salience.blocks():
        expected = truth.values[block]
        predicted, observed = (buffer[: expected.size] for buffer in buffers)
        np.subtract(salience.values[block], low, out=predicted)
        predicted *= ratio
        np.subtract(expected, truth_low, out=observed)
        shared += np.minimum(predicted, observed, out=predicted).sum()
    return float(shared / truth_total)


def ig(
    saliency_map: np.ndarray | PreparedMap,
    fixations: np.ndarray | FlatPixels,
    baseline: np.ndarray | PreparedMap,
    preset: str = "mit",
) -> float:
    """
    Information gain over a baseline density, in bits per fixation.

    Parameters
    ----------
    saliency_map : (height, width) real array
    fixations : (n, 2) integer array of x, y
    baseline : (height, width) array, not negative
    preset : {'mit', 'pysaliency', 'exact'}
        'mit': mean of log2(eps + P) - log2(eps + B) over unique fixated pixels. The map P and the
        baseline B are min-max normalised, then divided by their sums. 'pysaliency', 'exact': mean
        of log2 P - log2 B over all fixations, P and B divided by their sums. There is no epsilon,
        so the result is -inf if P is 0 at a fixation.

    Returns
    -------
    ig : float
        A constant map or baseline counts as uniform; nan without fixations or for an all-zero
        baseline.

    Raises
    ------
    InputError
        If the map is a log-density; for 'exact' if it has negative values; for 'pysaliency' and
        'exact' if the baseline is 0 at a fixation.
    """
    _refuse_unknown(preset)
    salience, reference = _pair(saliency_map, baseline, "baseline")
    _refuse_log_density(salience)
    if preset == "exact":
        _refuse_negative(salience)
    pixels = _chosen(fixations, salience, preset)
    if pixels.size == 0 or reference.maximum == 0:
        return NAN
    if preset == "mit":
        predicted = np.log2(IG_EPSILON + salience.unit_density(pixels))
        return float(np.mean(predicted - np.log2(IG_EPSILON + reference.unit_density(pixels))))
    expected = reference.density(pixels)
    if expected.min() == 0:
        raise InputError(
            f"the baseline is 0 at {np.count_nonzero(expected == 0)} of {pixels.size} fixations, "
            "so there is no information gain over it; mix it with a uniform density"
        )
    with np.errstate(divide="ignore"):  # log2(0) = -inf is wanted
        return float(np.mean(np.log2(salience.density(pixels)) - np.log2(expected)))


def area_under_curve(false_alarms: np.ndarray, hits: np.ndarray) -> float:
    """
    Area under a ROC curve by the trapezoid rule, from (0, 0) through the points to (1, 1).

    Parameters
    ----------
    false_alarms, hits : (n,) float arrays in [0, 1]
        Rates at falling thresholds.

    Returns
    -------
    area : float
    """
    x = np.concatenate(([0.0], false_alarms, [1.0]))
    y = np.concatenate(([0.0], hits, [1.0]))
    return float(np.sum(np.diff(x) * (y[1:] + y[:-1])) / 2)


def _others_above(salience, fixated):
    """Numbers of pixels without a fixation above, and equal to, each sorted fixated value."""
    above, at_or_above = salience.count_above(fixated)
    above_fixated = fixated.size - np.searchsorted(fixated, fixated, side="right")
    at_or_above_fixated = fixated.size - np.searchsorted(fixated, fixated, side="left")
    tied = at_or_above - above - (at_or_above_fixated - above_fixated)
    return above - above_fixated, tied


def _share_at_or_above(values, thresholds):
    """Share of the values at or above each threshold."""
    return np.mean(values[:, None] >= thresholds, axis=0)


class FlatPixels:
    """
    Fixations as flat pixel indices, already checked.

    Attributes
    ----------
    every : (n,) intp array
        One entry per fixation, in the order given.
    unique : (m,) intp array
        Each pixel once, ascending.
    """

    def __init__(self, every: np.ndarray) -> None:
        self.every = every

    @cached_property
    def unique(self) -> np.ndarray:
        """Each pixel once, ascending."""
        return np.unique(self.every)


def _flat(fixations, salience):
    """Flat pixel indices of the fixations; raises unless all are whole pixels inside the map."""
    if isinstance(fixations, FlatPixels):
        return fixations
    fixations = np.asarray(fixations)
    if fixations.size == 0:
        return FlatPixels(np.zeros(0, dtype=np.intp))
    if fixations.ndim != 2 or fixations.shape[1] != 2 or fixations.dtype.kind not in "uif":
        raise InputError(
            f"fixations must be an integer array of shape (n, 2) of x, y, got {fixations.dtype} "
            f"of shape {fixations.shape}"
        )
    height, width = salience.size
    if fixations.dtype.kind == "f":
        integral = (fixations == np.floor(fixations)).all(axis=1)
        if not integral.all():
            x, y = fixations[~integral][0]
            raise InputError(
                f"the fixation at x = {x}, y = {y} is not a whole pixel; use fixations.to_pixels"
            )
    outside = ((fixations < 0) | (fixations >= (width, height))).any(axis=1)
    if outside.any():
        x, y = fixations[outside][0]
        raise InputError(
            f"the fixation at x = {x}, y = {y} lies outside the {salience.name} of {width} x "
            f"{height} px (width x height)"
        )
    x, y = fixations.T.astype(np.intp)
    return FlatPixels(y * width + x)


def _chosen(fixations, salience, preset):
    """Flat pixels that a preset counts: for 'mit' each pixel once, else every fixation."""
    pixels = _flat(fixations, salience)
    return pixels.unique if preset == "mit" else pixels.every


def _pair(saliency_map, truth, name):
    """Prepare a map and its ground truth; raises unless they have the same size."""
    salience, truth = prepare(saliency_map), prepare(truth, name)
    if salience.size != truth.size:
        raise InputError(
            f"the saliency map has the size {salience.size} and the {name} {truth.size} "
            "(height, width); resize the saliency map first"
        )
    return salience, truth


def _refuse_unknown(preset):
    """Raise unless the preset is one of METRICS."""
    if preset not in METRICS:
        raise InputError(f"unknown preset {preset!r}; known are {', '.join(METRICS)}")


def _refuse_log_density(salience):
    """Raise if the map is a log-density, that is, if its exponential sums to 1."""
    if salience.minimum >= 0 or salience.maximum > SUM_TOLERANCE:
        return
    if salience.constant:
        logarithm = salience.minimum + math.log(salience.values.size)
    else:
        logarithm = log_sum_exp(salience.values)
    if abs(math.expm1(min(logarithm, 1.0))) <= SUM_TOLERANCE:
        raise InputError(
            f"the saliency map is the logarithm of a density (minimum {salience.minimum:g}, its "
            "exponential sums to 1); exponentiate it first and pass the density"
        )


def _refuse_negative(salience):
    """Raise if the map has negative values."""
    if salience.minimum < 0:
        raise InputError(
            f"the saliency map has negative values (minimum {salience.minimum:g}), so it is no "
            "density; exponentiate a log-density, or shift a z-scored map"
        )
