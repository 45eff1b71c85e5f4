"""
Saliency metrics under three presets: the official MIT code, pysaliency, and our recommendation.

`score` gives all of a preset; the single functions take (saliency map, ground truth). No metric
draws random numbers: where the official code samples, its exact expectation is computed.

`mit` and `pysaliency` (with the MIT/Tuebingen benchmark's settings) exist to be comparable. `exact`
departs from both where both are flawed, and follows the better of the two elsewhere:

- AUC: every fixation against the pixels that nobody fixated. Judd's curve is optimistic by about
  1 / 2n; pysaliency counts fixated pixels among the negatives, so a perfect map stays below 1.
- Shuffled AUC: all fixations on all other stimuli at every threshold, as pysaliency. The official
  eleven thresholds lose up to 0.08, and ten stimuli make the value depend on the draw.
- NSS: every fixation (a place looked at twice was looked at twice), and the standard deviation
  with N: the pixels are all there are, not a sample.
- KLD: without epsilons, which make a density differ from itself and turn "impossible" into a
  finite number that depends on them; infinite where a density is 0 and the observed one is not.
- SIM and IG: of the density as it is. Min-max normalising first, as the official code does, scores
  another density than the one predicted (by up to 0.9 bit).
- KLD, SIM and IG refuse a map with negative values instead of shifting it: it is no density.

Decided, for all presets:

- A map or density with NaN or infinity, of the wrong size, or a fixation that is not a whole pixel
  inside the map raises InputError.
- A constant map (also all zeros) counts as the uniform density: every AUC is 0.5, NSS 0, CC 0.
- Without fixations AUC, NSS and IG are nan; without other fixations auc_shuffled, with an all-zero
  density CC, KLD and SIM, with an all-zero baseline IG are nan. Nothing is averaged silently.
- A logarithm of a density raises wherever a density is meant, so it is never scored as one.

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

# Added twice in KLD: MATLAB's eps, and the rounded value that pysaliency's MIT settings spell out.
KLD_EPSILON = {"mit": 2.220446049250313e-16, "pysaliency": 2.2204e-16, "exact": 0.0}
IG_EPSILON = KLD_EPSILON["mit"]

# Where KLD has no meaning for a map with negative values, or the official code returns nonsense.
NOT_NEGATIVE = ("mit", "exact")

# Of the official Borji and shuffled AUC, without their 0: there both rates are 1, as at the end.
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
        Integer classes are converted to float64 first. For 'mit' and 'exact' not negative.
    fixations : (n, 2) integer array of x, y
        Pixels of the stimulus; n may be 0. 'mit' counts a pixel fixated twice once, the others
        count every fixation.
    density : (height, width) array, or None
        Fixation density (any positive sum); without it CC, KLD and SIM are nan.
    other_fixations : (m, 2) integer array of x, y, or None
        Fixations on other stimuli, the negatives of auc_shuffled; without them it is nan.
    baseline : (height, width) array, or None
        Density that IG is measured against, usually the centre bias; without it IG is nan.
    preset : {'mit', 'pysaliency', 'exact'}

    Returns
    -------
    scores : dict of float, keys in the order of METRICS[preset]
        AUCs and SIM in [0, 1], CC in [-1, 1], NSS in standard deviations, KLD in nats, IG in bits
        per fixation.

    Raises
    ------
    InputError
        For anything malformed (see the module's text); for a saliency map that is a log-density;
        for 'mit' and 'exact' also for a map with negative values, which KLD cannot rate.
    """
    _refuse_unknown(preset)
    salience = prepare(saliency_map)
    _refuse_log_density(salience)
    if preset in NOT_NEGATIVE:
        _refuse_negative(salience)
    truth = None if density is None else prepare(density, "density")
    reference = None if baseline is None else prepare(baseline, "baseline")
    others = _flat(() if other_fixations is None else other_fixations, salience)
    fixations = _flat(fixations, salience)
    if preset == "mit":
        if fixations.unique.size and not salience.constant:  # one pass for both thresholds
            fixated = np.sort(salience.values[fixations.unique])
            salience.count((fixated, "values"), (COARSE_THRESHOLDS, "unit"))
        scores = {
            "auc_judd": auc_judd(salience, fixations),
            "auc_judd_nojit": auc_judd_nojit(salience, fixations),
            "auc_borji": auc_borji(salience, fixations),
        }
    else:
        scores = {"auc": auc(salience, fixations, preset)}
    scores["auc_shuffled"] = auc_shuffled(salience, fixations, others, preset)
    # the correlation first: NSS needs the norm that its pass computes
    correlation = NAN if truth is None else cc(salience, truth)
    scores["nss"] = nss(salience, fixations, preset)
    scores["cc"] = correlation
    scores["kld"] = NAN if truth is None else kld(salience, truth, preset)
    scores["sim"] = NAN if truth is None else sim(salience, truth, preset)
    scores["ig"] = NAN if reference is None else ig(salience, fixations, reference, preset)
    return scores


def auc_judd(saliency_map: np.ndarray | PreparedMap, fixations: np.ndarray | FlatPixels) -> float:
    """
    AUC by Judd of the official code: its expectation over the random breaking of ties.

    The official code adds a tiny jitter to break ties and then draws the curve through the n
    fixated values alone, which makes it optimistic by fp_n / 2n, fp_n the false-alarm rate at the
    least salient fixation. Both have a closed form: the AUC with ties as one half of the unique
    fixated against all other pixels, plus E[fp_n] / 2n, where of t fixated and u other pixels tied
    at the lowest fixated value u t / (t + 1) are expected above the lowest one. (The official
    jitter is absolute, 1e-7, and also reorders maps whose values are not large beside it; this
    does not.)

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
    AUC by Judd exactly as the official code with its jitter off.

    Every other pixel tied with a fixation, and every later tied fixation, counts as a false alarm:
    biased down on maps with few levels.

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
    AUC by Borji of the official code: the exact expectation over its random negatives.

    Unique fixated pixels against all pixels, on the 11 thresholds 0, 0.1, .. 1 of the min-max
    normalised map: coarse, so not invariant under monotone maps.

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
    Shuffled AUC: fixations against fixations on other stimuli, which cancels the centre bias.

    Parameters
    ----------
    saliency_map : (height, width) real array
    fixations, other_fixations : (n, 2) and (m, 2) integer arrays of x, y
        The official code takes the others from 10 random stimuli, pysaliency from all.
    preset : {'mit', 'pysaliency', 'exact'}
        'mit': exact expectation of the official sampling; unique pixels on both sides, 11
        thresholds of the min-max normalised map. 'pysaliency', 'exact': all fixations of both
        sides as given, every threshold, ties one half.

    Returns
    -------
    auc : float
        0.5 for a constant map; nan where either set is empty.
    """
    _refuse_unknown(preset)
    salience = prepare(saliency_map)
    pixels, others = _flat(fixations, salience), _flat(other_fixations, salience)
    if pixels.every.size == 0 or others.every.size == 0:
        return NAN
    if salience.constant:
        return 0.5
    if preset != "mit":
        fixated, negatives = salience.values[pixels.every], np.sort(salience.values[others.every])
        below = np.searchsorted(negatives, fixated, side="left")
        not_above = np.searchsorted(negatives, fixated, side="right")
        return float((below + not_above).mean() / (2 * negatives.size))
    hits = _share_at_or_above(salience.unit(pixels.unique), COARSE_THRESHOLDS)
    alarms = _share_at_or_above(salience.unit(others.unique), COARSE_THRESHOLDS)
    return area_under_curve(alarms, hits)


def auc(
    saliency_map: np.ndarray | PreparedMap,
    fixations: np.ndarray | FlatPixels,
    preset: str = "pysaliency",
) -> float:
    """
    AUC at every threshold: the share of pairs of a fixation and a negative in the right order.

    Parameters
    ----------
    saliency_map : (height, width) real array
    fixations : (n, 2) integer array of x, y
        Every fixation counts, also repeated ones.
    preset : {'pysaliency', 'exact'}
        The negatives. 'pysaliency': all pixels, fixated ones among them, so that a perfect map
        scores 1 - n / 2N. 'exact': the pixels that nobody fixated. Ties are one half in both.

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
        'mit': unique pixels, standard deviation with N - 1. 'pysaliency', 'exact': every fixation,
        with N.

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
        0 if either is constant (in pysaliency the order decides between 0 and nan); nan for an
        all-zero density.
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

    sum(Q ln(eps + Q / (P + eps))), P the map and Q the density, each divided by its sum. The
    epsilons make it finite where P is 0 and up to about 1e-12 negative where P and Q are equal;
    'exact' has none.

    Parameters
    ----------
    saliency_map, density : (height, width) arrays
    preset : {'mit', 'pysaliency', 'exact'}
        'mit': official code, but a constant map, also all zeros, is the uniform density.
        'pysaliency': its MIT settings; a map with negative values is shifted by its minimum.
        'exact': sum(Q ln(Q / P)) over the pixels where Q > 0.

    Returns
    -------
    kld : float
        nan for an all-zero density; for 'exact' infinite where P is 0 and Q is not.

    Raises
    ------
    InputError
        If the map is a log-density, or for 'mit' and 'exact' has negative values at all: the
        official code would divide by a sum that may be negative, and return nonsense.
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
        # Q / (P + eps), both sums in the denominator
        ratio = buffer[: expected.size]
        np.subtract(salience.values[block], offset - epsilon * total, out=ratio)
        ratio *= truth_total / total
        np.divide(expected, ratio, out=ratio)
        ratio += epsilon
        divergence += np.dot(expected, np.log(ratio, out=ratio))
    return float(divergence / truth_total)


def _exact_kld(salience, truth):
    """Return sum(Q ln(Q / P)) over the pixels where Q > 0; infinite where P is 0 there."""
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
    Similarity: the mass that map and density share, symmetric.

    Parameters
    ----------
    saliency_map, density : (height, width) arrays
    preset : {'mit', 'pysaliency', 'exact'}
        'mit': each is min-max normalised, then divided by its sum. 'pysaliency': divided by its
        sum only, shifted by its minimum first where that is negative. 'exact': divided by its sum.

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
        own, other = (buffer[: expected.size] for buffer in buffers)
        np.subtract(salience.values[block], low, out=own)
        own *= ratio
        np.subtract(expected, truth_low, out=other)
        shared += np.minimum(own, other, out=own).sum()
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
        'mit': mean over unique fixated pixels of log2(eps + P) - log2(eps + B), both min-max
        normalised and then divided by their sums. 'pysaliency', 'exact': mean over all fixations
        of log2 P - log2 B, both divided by their sums, without epsilon: -inf where P is 0.

    Returns
    -------
    ig : float
        A constant map or baseline counts as uniform; nan without fixations or for an all-zero
        baseline.

    Raises
    ------
    InputError
        If the map is a log-density, for 'exact' has negative values, or but for 'mit' the baseline
        is 0 at a fixation.
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
    with np.errstate(divide="ignore"):  # log2(0) = -inf is the answer
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
    """Non-fixated pixels above and tied with each of the sorted unique fixated values."""
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
    Checked fixations as flat pixel indices.

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
    """Flat pixel indices of the fixations, if all are whole pixels inside the map."""
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
        whole = (fixations == np.floor(fixations)).all(axis=1)
        if not whole.all():
            x, y = fixations[~whole][0]
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
    """Flat pixels that a preset counts: each once for 'mit', else every fixation."""
    pixels = _flat(fixations, salience)
    return pixels.unique if preset == "mit" else pixels.every


def _pair(saliency_map, truth, name):
    """Both prepared, if they are of equal size."""
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
    """Raise if the exponential of the map sums to 1, that is, if it is a log-density."""
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
            f"the saliency map has negative values (minimum {salience.minimum:g}) and as a density "
            "no meaning; exponentiate a log-density, shift a z-scored map, so that it is one"
        )
