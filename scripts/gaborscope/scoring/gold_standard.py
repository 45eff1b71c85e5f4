"""Scores of observers as predictors of each other: gold standard and single observer."""

from collections.abc import Sequence

import numpy as np

from gaborscope.errors import InputError
from gaborscope.scoring import calibration, metrics
from gaborscope.scoring.prepared_map import PreparedMap, prepare
from gaborscope.stimuli import densities, fixations


def score_gold_standard(
    points: np.ndarray,
    subjects: np.ndarray,
    size: tuple[int, int],
    sigma_px: float,
    other_fixations: np.ndarray | None,
    baseline: np.ndarray | None,
    preset: str,
    uniform_weight: float,
    temperature: float = 1.0,
) -> dict[str, float]:
    """
    Scores of the observers of one stimulus as predictors of each other.

    AUC, NSS and IG *leave one observer out*: the density of all other observers is scored at the
    fixations of the observer left out. This is an upper bound for predictors that do not know the
    observer. NSS, IG, auc, auc_borji and auc_shuffled are means over observers, weighted by the
    number of fixations of each (for 'mit' the number of unique fixated pixels). An observer whose
    metric is nan is left out of its mean. auc_judd and auc_judd_nojit are pooled, see
    `pooled_auc_judd`.

    CC, KLD and SIM compare *split halves*, which is no upper bound. The observers, sorted by
    subject, go alternately into two equal halves. If their number is odd, the last one is dropped.
    The density of each half is scored against that of the other half, and the two scores are
    averaged.

    Parameters
    ----------
    points : (n, 2) array of x, y
        Fixations on the stimulus, whole pixels or points that `fixations.to_pixels` accepts.
    subjects : (n,) array
        Observer of each fixation.
    size : (height, width)
    sigma_px : float
        Standard deviation of the Gaussian that blurs fixations to densities.
    other_fixations, baseline
        As for `metrics.score`; may be None.
    preset : {'mit', 'pysaliency', 'exact'}
    uniform_weight : float in [0, 1]
        Share of the uniform density that is mixed into the predicting densities. The predicted
        densities are left as they are.
    temperature : float
        Temperature of the predicting densities, see `calibration.temper`.

    Returns
    -------
    scores : dict of float, keys as of `metrics.score`
        All nan for fewer than two observers.

    Raises
    ------
    InputError
        As `metrics.score`, and if the numbers of points and subjects differ.
    """
    names, pixels, subjects = _checked(points, subjects, size, preset)
    observers = np.unique(subjects)
    if len(observers) < 2:
        return dict.fromkeys(names, float("nan"))

    def predict(chosen):
        density = density_of(pixels[chosen], size, sigma_px, uniform_weight)
        return prepare(calibration.temper(density, temperature))

    fixation_sets = [pixels[subjects == observer] for observer in observers]
    maps = [predict(subjects != observer) for observer in observers]
    if preset == "mit":
        fixation_sets = [np.unique(array, axis=0) for array in fixation_sets]
    weights = np.array([len(array) for array in fixation_sets])
    reference = None if baseline is None else prepare(baseline, "baseline")
    per_observer = [
        metrics.score(prediction, left_out, None, other_fixations, reference, preset)
        for prediction, left_out in zip(maps, fixation_sets, strict=True)
    ]
    scores = {name: _weighted_mean([row[name] for row in per_observer], weights) for name in names}
    if preset == "mit":
        scores["auc_judd"], scores["auc_judd_nojit"] = pooled_auc_judd(maps, fixation_sets)

    even = len(observers) // 2 * 2
    halves = [np.isin(subjects, observers[start:even:2]) for start in (0, 1)]
    truths = [fixations.density(pixels[half], size, sigma_px) for half in halves]
    predictions = [predict(half) for half in halves]
    for name, metric in (("cc", metrics.cc), ("kld", metrics.kld), ("sim", metrics.sim)):
        extra = () if name == "cc" else (preset,)
        both = zip(predictions, truths[::-1], strict=True)
        scores[name] = float(np.mean([metric(*pair, *extra) for pair in both]))
    return scores


def score_one_observer(
    points: np.ndarray,
    subjects: np.ndarray,
    size: tuple[int, int],
    sigma_px: float,
    other_fixations: np.ndarray | None,
    baseline: np.ndarray | None,
    preset: str,
    uniform_weight: float,
    temperature: float = 1.0,
) -> dict[str, float]:
    """
    Scores of a single observer as predictor of all others on one stimulus, mean over observers.

    The density of one observer's fixations is scored by all metrics against the fixations and the
    density of all other observers. It shows how well a recording of one person predicts others.

    Parameters
    ----------
    points, subjects, size, sigma_px, other_fixations, baseline, preset, uniform_weight, temperature
        As for `score_gold_standard`.

    Returns
    -------
    scores : dict of float, keys as of `metrics.score`
        Means over observers with equal weights. An observer whose metric is nan is left out of its
        mean. All nan for fewer than two observers.

    Raises
    ------
    InputError
        As `score_gold_standard`.
    """
    names, pixels, subjects = _checked(points, subjects, size, preset)
    observers = np.unique(subjects)
    if len(observers) < 2:
        return dict.fromkeys(names, float("nan"))
    reference = None if baseline is None else prepare(baseline, "baseline")
    rows = []
    for observer in observers:
        predicting = subjects == observer
        density = density_of(pixels[predicting], size, sigma_px, uniform_weight)
        prediction = calibration.temper(density, temperature)
        truth = fixations.density(pixels[~predicting], size, sigma_px)
        rows.append(
            metrics.score(
                prediction, pixels[~predicting], truth, other_fixations, reference, preset
            )
        )
    equal = np.ones(len(rows))
    return {name: _weighted_mean([row[name] for row in rows], equal) for name in names}


def density_of(
    points: np.ndarray, size: tuple[int, int], sigma_px: float, uniform_weight: float
) -> np.ndarray:
    """
    Fixation density of some observers, made to predict others: mixed with a uniform density.

    Parameters
    ----------
    points : (n, 2) array of x, y
    size : (height, width)
    sigma_px, uniform_weight : float

    Returns
    -------
    density : float64 array (height, width), positive, sum 1
    """
    blurred = fixations.density(points, size, sigma_px)
    return densities.to_density(blurred, "density", uniform_weight)


def _checked(points, subjects, size, preset):
    """Check the arguments; return names of the metrics, fixated pixels, and subjects."""
    if preset not in metrics.METRICS:
        raise InputError(f"unknown preset {preset!r}; known are {', '.join(metrics.METRICS)}")
    pixels, subjects = fixations.to_pixels(points, size), np.asarray(subjects)
    if subjects.shape != (len(pixels),):
        raise InputError(
            f"{len(pixels)} fixations need as many subjects, got subjects of shape {subjects.shape}"
        )
    return metrics.METRICS[preset], pixels, subjects


def pooled_auc_judd(
    saliency_maps: Sequence[np.ndarray | PreparedMap], fixation_sets: Sequence[np.ndarray]
) -> tuple[float, float]:
    """
    Judd's AUC of all observers together, with another saliency map for each observer.

    Judd's AUC of n fixations is too high by about 1 / 2n. With some nine fixations per observer, a
    mean over observers would therefore lie far above the score that a predictor reaches when all
    fixations are scored at once. Here all fixations make one curve. The false-alarm rate of a
    fixation is the share of the never fixated pixels that lie above it in the map of its observer.
    The n rates are sorted, and the hits are i / n.

    The result equals Judd's AUC if all observers have the same map, there are no ties, and no
    pixel is fixated by two observers.

    Parameters
    ----------
    saliency_maps : sequence of (height, width) arrays or PreparedMap
        One per observer, of equal size.
    fixation_sets : sequence of (n, 2) integer arrays of x, y
        One per observer; a pixel counts once per observer.

    Returns
    -------
    auc_judd, auc_judd_nojit : float
        Pixels equal to a fixated one are counted as half a false alarm in the first and as a false
        alarm in the second. 0.5 if all maps are constant; nan without fixations or if every pixel
        is fixated.
    """
    maps = [prepare(saliency_map) for saliency_map in saliency_maps]
    width = maps[0].size[1]
    sets = [np.unique(array[:, 1] * width + array[:, 0]) for array in fixation_sets]
    fixated = np.unique(np.concatenate(sets))
    n_other = maps[0].values.size - fixated.size
    if fixated.size == 0 or n_other == 0:
        return float("nan"), float("nan")
    if all(saliency_map.constant for saliency_map in maps):
        return 0.5, 0.5
    halves, fulls = [], []
    for saliency_map, fixated_pixels in zip(maps, sets, strict=True):
        if saliency_map.constant:
            above, at_or_above = (
                np.zeros(fixated_pixels.size),
                np.full(fixated_pixels.size, n_other),
            )
        else:
            values = saliency_map.values[fixated_pixels]
            above, at_or_above = saliency_map.count_above(values)
            among = np.sort(saliency_map.values[fixated])
            above = above - (among.size - np.searchsorted(among, values, side="right"))
            at_or_above = at_or_above - (among.size - np.searchsorted(among, values, side="left"))
        halves.append((above + at_or_above) / (2 * n_other))
        fulls.append(at_or_above / n_other)
    half, full = (
        metrics.area_under_curve(rates, np.arange(1, rates.size + 1) / rates.size)
        for rates in (np.sort(np.concatenate(halves)), np.sort(np.concatenate(fulls)))
    )
    return half, full


def _weighted_mean(values, weights):
    """Weighted mean of the values that are not nan; nan if none is left."""
    values = np.asarray(values)
    known = ~np.isnan(values)
    if not known.any():
        return float("nan")
    return float(np.average(values[known], weights=weights[known]))
