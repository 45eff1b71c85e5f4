"""People as predictors of each other: the gold standard."""

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
    Scores of people as predictors of each other on one stimulus.

    AUC, NSS, IG: *leave one observer out*, the density of all other observers scored at the
    fixations of the one left out; an upper bound for predictors that know no observer. NSS, IG,
    auc, auc_borji and auc_shuffled are means over observers weighted by their numbers of fixations
    (of unique fixated pixels for 'mit'; an observer whose metric is nan is left out of its mean).
    auc_judd and auc_judd_nojit are pooled, see `pooled_auc_judd`.

    CC, KLD, SIM: *split halves*, which is no leave-one-out and no upper bound: the observers,
    sorted by subject, go alternately into two equal halves (the last is dropped if they are odd),
    and the density of one half is scored against that of the other; mean of both directions.

    Parameters
    ----------
    points : (n, 2) array of x, y
        Fixations on the stimulus, whole pixels or points that `fixations.to_pixels` accepts.
    subjects : (n,) array
        Whose each fixation is.
    size : (height, width)
    sigma_px : float
        Of the densities.
    other_fixations, baseline
        As for `metrics.score`; may be None.
    preset : {'mit', 'pysaliency', 'exact'}
    uniform_weight : float in [0, 1]
        Of the uniform that predicting densities are mixed with (the predicted are not).
    temperature : float
        Of the predicting densities, see `calibration.temper`.

    Returns
    -------
    scores : dict of float, keys as of `metrics.score`
        All nan for fewer than two observers.

    Raises
    ------
    InputError
        As `metrics.score`, and if points and subjects are not of equal number.
    """
    names, pixels, subjects = _checked(points, subjects, size, preset)
    observers = np.unique(subjects)
    if len(observers) < 2:
        return dict.fromkeys(names, float("nan"))

    def predict(chosen):
        density = density_of(pixels[chosen], size, sigma_px, uniform_weight)
        return prepare(calibration.temper(density, temperature))

    own = [pixels[subjects == observer] for observer in observers]
    maps = [predict(subjects != observer) for observer in observers]
    if preset == "mit":
        own = [np.unique(array, axis=0) for array in own]
    weights = np.array([len(array) for array in own])
    reference = None if baseline is None else prepare(baseline, "baseline")
    per_observer = [
        metrics.score(prediction, left_out, None, other_fixations, reference, preset)
        for prediction, left_out in zip(maps, own, strict=True)
    ]
    scores = {name: _weighted_mean([row[name] for row in per_observer], weights) for name in names}
    if preset == "mit":
        scores["auc_judd"], scores["auc_judd_nojit"] = pooled_auc_judd(maps, own)

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
    Scores of one observer as predictor of all others on one stimulus, mean over observers.

    The density of one observer's fixations, all metrics against the fixations and the density of
    all others: what a single person's recording is worth.

    Parameters
    ----------
    points, subjects, size, sigma_px, other_fixations, baseline, preset, uniform_weight, temperature
        As for `score_gold_standard`.

    Returns
    -------
    scores : dict of float, keys as of `metrics.score`
        Means over observers, each with equal weight (an observer whose metric is nan is left out
        of its mean). All nan for fewer than two observers.

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
        own = subjects == observer
        density = density_of(pixels[own], size, sigma_px, uniform_weight)
        prediction = calibration.temper(density, temperature)
        truth = fixations.density(pixels[~own], size, sigma_px)
        rows.append(
            metrics.score(prediction, pixels[~own], truth, other_fixations, reference, preset)
        )
    equal = np.ones(len(rows))
    return {name: _weighted_mean([row[name] for row in rows], equal) for name in names}


def density_of(
    points: np.ndarray, size: tuple[int, int], sigma_px: float, uniform_weight: float
) -> np.ndarray:
    """
    Density by which some people predict others.

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
    """Return names of the metrics, whole pixels, and subjects, if they fit together."""
    if preset not in metrics.METRICS:
        raise InputError(f"unknown preset {preset!r}; known are {', '.join(metrics.METRICS)}")
    pixels, subjects = fixations.to_pixels(points, size), np.asarray(subjects)
    if subjects.shape != (len(pixels),):
        raise InputError(f"{len(pixels)} fixations need as many subjects, got {subjects.shape}")
    return metrics.METRICS[preset], pixels, subjects


def pooled_auc_judd(
    saliency_maps: Sequence[np.ndarray | PreparedMap], fixation_sets: Sequence[np.ndarray]
) -> tuple[float, float]:
    """
    Judd's AUC where each observer's fixations have a saliency map of their own.

    Judd's AUC is optimistic by about 1 / 2n, so a mean over observers with some nine fixations each
    would lie far above what any predictor, scored at all fixations at once, could reach. Here each
    fixation has its false-alarm rate in its own observer's map, the share of the pixels that
    nobody fixated that lie above it; all n rates, sorted, make one curve with hits i / n. With one
    map for all observers, no ties and no pixel shared by two observers this is Judd's AUC.

    Parameters
    ----------
    saliency_maps : sequence of (height, width) arrays or PreparedMap
        One per observer, of equal size.
    fixation_sets : sequence of (n, 2) integer arrays of x, y
        One per observer; a pixel counts once per observer.

    Returns
    -------
    auc_judd, auc_judd_nojit : float
        Pixels tied with a fixation count as one half, and as false alarms. 0.5 if all maps are
        constant; nan without fixations or if every pixel is fixated.
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
    for saliency_map, own in zip(maps, sets, strict=True):
        if saliency_map.constant:
            above, at_or_above = np.zeros(own.size), np.full(own.size, n_other)
        else:
            values = saliency_map.values[own]
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
