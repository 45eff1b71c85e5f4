"""What predictors are judged against: uniform, centre bias, and other people (gold standard)."""

import math

import numpy as np

from gaborscope import densities, fixations, metrics
from gaborscope.errors import InputError
from gaborscope.prepared import prepare

# Cells (rows, columns) of the relative grid on which a centre bias is computed: a centre bias is
# some 20 cells wide, so bilinear interpolation from it costs nothing that matters.
GRID = (96, 128)

POINTS_AT_ONCE = 1 << 14  # keeps memory flat in the number of fixations


def uniform(size):
    """
    Return the uniform density.

    Parameters
    ----------
    size : (height, width)

    Returns
    -------
    density : (height, width) float64 array, sum 1
    """
    height, width = size
    return np.full((height, width), 1 / (height * width))


def relative(pixels, size):
    """
    Relative coordinates of pixels, comparable between stimuli of different sizes.

    Parameters
    ----------
    pixels : (n, 2) array of x, y
        0-based px.
    size : (height, width)

    Returns
    -------
    points : (n, 2) float64 array
        ((x + 0.5) / width, (y + 0.5) / height), within (0, 1).
    """
    height, width = size
    return (np.asarray(pixels, dtype=float).reshape(-1, 2) + 0.5) / (width, height)


class CentreBias:
    """
    Density of the fixations on the other stimuli of the fit split, in relative coordinates.

    The sum of Gaussians over all fixations is made once, on a fixed grid; leaving a stimulus out
    subtracts its own. Mass outside of the stimulus is lost and the rest normalised, as for a
    fixation density.

    Parameters
    ----------
    points : mapping of stimulus name to (n, 2) float array
        Relative fixations in [0, 1], see `relative`; n may be 0.
    sigma : (sigma_x, sigma_y)
        Standard deviations relative to the stimulus' width and height; at least a cell of `GRID`,
        1 / 128 and 1 / 96.
    uniform_weight : float in [0, 1]
        Of the uniform that the density is mixed with.

    Raises
    ------
    InputError
        If there are no fixations, one lies outside [0, 1], or a sigma is below its cell.
    """

    def __init__(self, points, sigma, uniform_weight):
        rows, columns = GRID
        self.sigma = tuple(float(value) for value in sigma)
        if len(self.sigma) != 2 or not (
            1 / columns <= self.sigma[0] < math.inf and 1 / rows <= self.sigma[1] < math.inf
        ):
            raise InputError(
                f"sigma of a centre bias must be (sigma_x, sigma_y) relative to width and height, "
                f"at least 1/{columns} and 1/{rows}, got {self.sigma}"
            )
        self.uniform_weight = uniform_weight
        self._points = {name: _checked_relative(name, array) for name, array in points.items()}
        everything = np.concatenate([np.zeros((0, 2)), *self._points.values()])
        self._n_points = len(everything)
        if self._n_points == 0:
            raise InputError(f"none of {len(self._points)} stimuli has a fixation for centre bias")
        self._total = self._gaussians(everything)

    def _gaussians(self, points):
        rows, columns = GRID
        x, y = (np.arange(columns) + 0.5) / columns, (np.arange(rows) + 0.5) / rows
        total = np.zeros(GRID)
        for start in range(0, len(points), POINTS_AT_ONCE):
            some = points[start : start + POINTS_AT_ONCE]
            total += fixations.sum_of_gaussians(some, x, y, *self.sigma)
        return total

    def density(self, size, exclude=None):
        """
        Centre bias at a stimulus' own size.

        Parameters
        ----------
        size : (height, width)
            In px.
        exclude : str, optional
            Name of the stimulus to be predicted, whose own fixations are left out. A name that is
            not of the fit split has none to leave out.

        Returns
        -------
        density : (height, width) float64 array, sum 1

        Raises
        ------
        InputError
            If no other stimulus has a fixation.
        """
        total = self._total
        own = self._points.get(exclude, ())
        if len(own) == self._n_points:
            raise InputError(f"no stimulus but {exclude!r} has a fixation for the centre bias")
        if len(own):
            # the difference of two nearly equal sums may fall below 0 by rounding
            total = np.maximum(total - self._gaussians(own), 0)
        bilinear = densities.resize_bilinear(total, size)
        return densities.to_density(bilinear, "density", self.uniform_weight)

    def log_likelihood(self, points):
        """
        Mean log-likelihood of fixations, in nats per fixation above the uniform density.

        Parameters
        ----------
        points : mapping of stimulus name to (n, 2) float array
            Relative fixations; those of a stimulus of the fit split are predicted without it.

        Returns
        -------
        mean : float
            Over fixations; -inf where one has density 0.
        """
        rows, columns = GRID
        shared = self.density(GRID)
        total, n = 0.0, 0
        for name, array in points.items():
            array = _checked_relative(name, array)
            density = self.density(GRID, exclude=name) if name in self._points else shared
            cells = np.minimum((array * (columns, rows)).astype(int), (columns - 1, rows - 1))
            with np.errstate(divide="ignore"):  # log(0) = -inf is the answer
                total += np.log(density[cells[:, 1], cells[:, 0]] * density.size).sum()
            n += len(array)
        if n == 0:
            raise InputError("no validation stimulus has a fixation to choose the centre bias by")
        return float(total / n)


def select_sigma(fit, validation, candidates, uniform_weight):
    """
    Width of the centre bias with the highest log-likelihood per validation fixation.

    Parameters
    ----------
    fit, validation : mapping of stimulus name to (n, 2) float array
        Relative fixations.
    candidates : sequence of (sigma_x, sigma_y)
        As for `CentreBias`.
    uniform_weight : float in [0, 1]

    Returns
    -------
    sigma : (sigma_x, sigma_y)
        The first of the best candidates.
    log_likelihoods : list of float
        Of each candidate, in nats per fixation above the uniform density.
    """
    log_likelihoods = [
        CentreBias(fit, sigma, uniform_weight).log_likelihood(validation) for sigma in candidates
    ]
    if not log_likelihoods:
        raise InputError("there are no candidate sigmas to choose the centre bias from")
    return candidates[int(np.argmax(log_likelihoods))], log_likelihoods


def score_gold_standard(
    points, subjects, size, sigma_px, other_fixations, baseline, preset, uniform_weight
):
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
    preset : {'mit', 'pysaliency'}
    uniform_weight : float in [0, 1]
        Of the uniform that predicting densities are mixed with (the predicted are not).

    Returns
    -------
    scores : dict of float, keys as of `metrics.score`
        All nan for fewer than two observers.

    Raises
    ------
    InputError
        As `metrics.score`, and if points and subjects are not of equal number.
    """
    if preset not in metrics.METRICS:
        raise InputError(f"unknown preset {preset!r}; known are {', '.join(metrics.METRICS)}")
    pixels, subjects = fixations.to_pixels(points, size), np.asarray(subjects)
    if subjects.shape != (len(pixels),):
        raise InputError(f"{len(pixels)} fixations need as many subjects, got {subjects.shape}")
    names = metrics.METRICS[preset]
    observers = np.unique(subjects)
    if len(observers) < 2:
        return dict.fromkeys(names, float("nan"))

    def predict(chosen):
        density = fixations.density(pixels[chosen], size, sigma_px)
        return prepare(densities.to_density(density, "density", uniform_weight))

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


def pooled_auc_judd(saliency_maps, fixation_sets):
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
    return tuple(
        metrics.area_under_curve(rates, np.arange(1, rates.size + 1) / rates.size)
        for rates in (np.sort(np.concatenate(halves)), np.sort(np.concatenate(fulls)))
    )


def _weighted_mean(values, weights):
    """Weighted mean of the values that are not nan; nan if none is left."""
    values = np.asarray(values)
    known = ~np.isnan(values)
    if not known.any():
        return float("nan")
    return float(np.average(values[known], weights=weights[known]))


def _checked_relative(name, points):
    """Relative points as an (n, 2) float array, if they lie in [0, 1]."""
    points = np.asarray(points, dtype=float).reshape(-1, 2)
    outside = ~((points >= 0) & (points <= 1)).all(axis=1)  # also true for NaN
    if outside.any():
        x, y = points[outside][0]
        raise InputError(
            f"relative fixation at x = {x:g}, y = {y:g} of stimulus {name!r} lies outside 0..1; "
            "use baselines.relative"
        )
    return points
