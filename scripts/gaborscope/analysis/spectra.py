"""Log-Gabor spectra: the filters that the log-density of any predictor is made of."""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import cv2
import numpy as np
from scipy import stats

from gaborscope.analysis import fixation_bank, naming
from gaborscope.analysis import identities as identity_tools
from gaborscope.explanation import layers as layer_tools
from gaborscope.fitting import sparse
from gaborscope.fitting.ridge import RidgePath
from gaborscope.fitting.statistics import DEAD, Statistics, combine, standardised
from gaborscope.stimuli import densities, geometry
from gaborscope.stimuli.block import StimulusBlock
from gaborscope.store.saliency import read_density

FOLDS = 10  # largest number of groups of the jackknife


def cell_logarithm(density: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """
    Logarithm of a density on coarse cells, minus its mean.

    The mean is subtracted since it depends on the constant that normalises the density. This
    constant differs between stimuli and says nothing about the places in a stimulus.

    Parameters
    ----------
    density : float array (height, width)
        Positive.
    shape : (int, int)
        Rows and columns of cells.

    Returns
    -------
    logarithm : float32 array (cell,)
        Logarithm of the mean density of each cell, row by row; mean 0.
    """
    cells = cv2.resize(density.astype(float), shape[::-1], interpolation=cv2.INTER_AREA)
    logarithm = np.log(cells).ravel()
    return (logarithm - logarithm.mean()).astype(np.float32)


def regressors(
    image: np.ndarray, settings: Mapping[str, Any]
) -> tuple[np.ndarray, tuple[int, int]]:
    """
    Regressors of a stimulus on coarse cells, minus their mean over the stimulus.

    Parameters
    ----------
    image : uint8 array (height, width, 3)
    settings : dict
        `spectra` of the config.

    Returns
    -------
    phi : float32 array (K, cell)
    shape : (int, int)
        Rows and columns of cells.
    """
    features, shape = fixation_bank.features(image, settings)
    return np.ascontiguousarray((features - features.mean(axis=0)).T), shape


def accumulate(
    block: StimulusBlock,
    predictions: Iterable[Sequence[np.ndarray]],
    settings: Mapping[str, Any],
    table: Mapping[str, np.ndarray],
) -> Statistics:
    """
    Statistics of a block, in which each predictor takes the place of a map of a layer.

    Parameters
    ----------
    block : StimulusBlock
    predictions : iterable of list of float array (height, width)
        For each stimulus of the block, the densities of all predictors.
    settings : dict
        `spectra` of the config.
    table : dict of str to array (K,)
        Table of the regressors.

    Returns
    -------
    statistics : statistics.Statistics

    Raises
    ------
    ValueError
        If there is no prediction.
    """
    total = None
    for index, of_stimulus in enumerate(predictions):
        phi, shape = regressors(block.image(index), settings)
        targets = np.stack([cell_logarithm(density, shape) for density in of_stimulus])
        total = total or Statistics.empty(len(table["name"]), len(targets))
        total.add(phi, targets)
    if total is None:
        raise ValueError("a block without stimuli has no statistics")
    return total


def predictions(
    block: StimulusBlock,
    saliency: dict[str, str],
    computed: dict[str, Callable[[StimulusBlock, int], tuple]],
    predictors: Sequence[str],
    uniform_weight: float,
) -> Iterator[list[np.ndarray]]:
    """
    Densities of all predictors, stimulus by stimulus.

    Parameters
    ----------
    block : StimulusBlock
    saliency : dict of str to str
        By predictor its saliency file of the block.
    computed : dict of str to callable
        Predictors that have no such file, see `baselines.make`.
    predictors : sequence of str
        All of them, in the order wanted.
    uniform_weight : float
        Mixed into what is computed.

    Yields
    ------
    densities : list of float64 array (height, width)
        Each of the stimulus's size, sum 1.
    """

    def density(predictor, index):
        if predictor in saliency:
            return read_density(saliency[predictor], index)
        values, kind = computed[predictor](block, index)
        return densities.to_density(values, kind, uniform_weight)

    for index in range(len(block.names)):
        yield [density(predictor, index) for predictor in predictors]


def names_of(settings: dict, sizes: np.ndarray) -> dict:
    """
    Name the scales, orientations and colours for the table of spectra.

    Parameters
    ----------
    settings : dict
        `spectra` of the config.
    sizes : int array (S, 2)
        Height and width of the stimuli in px.

    Returns
    -------
    names : dict
        `wavelengths` (float array (scale,), px of the stimulus at the median enlargement),
        `orientations` (radians), `channels`.
    """
    box = (settings["input"]["height"], settings["input"]["width"])
    ratio = float(np.median([geometry.place(size, box).width / size[1] for size in sizes]))
    bank, channels = layer_tools.bank_and_channels(settings)
    return {
        "wavelengths": bank.wavelengths_px / ratio,
        "orientations": bank.orientations,
        "channels": channels,
    }


def choose_penalty(fit: Statistics, validation: Statistics, penalties: Sequence[float]) -> float:
    """
    Choose the penalty with the highest mean explained variance on the validation split.

    All predictors have the same penalty.

    Parameters
    ----------
    fit, validation : statistics.Statistics
    penalties : sequence of float

    Returns
    -------
    penalty : float
    """
    path = RidgePath(fit)
    means = [np.nanmean(variance_of(validation, path.solve(p)[0])) for p in penalties]
    return float(penalties[int(np.argmax(np.nan_to_num(means, nan=-np.inf)))])


def variance_of(statistics: Statistics, weight: np.ndarray) -> np.ndarray:
    """
    Explained variance of each predictor's log-density.

    Parameters
    ----------
    statistics : statistics.Statistics
        Statistics of the evaluated split.
    weight : float array (predictor, K)

    Returns
    -------
    explained : float64 array (predictor,)
        1 - SSE / SST; nan if the log-density is constant on every stimulus.
    """
    total = statistics.total_variation()
    alive = total > DEAD * statistics.n
    error = statistics.squared_error(weight, np.zeros(len(weight)))
    return np.where(alive, 1 - error / np.where(alive, total, 1), np.nan)


def named_by(fit: Statistics, validation: Statistics) -> list[list[int]]:
    """
    Name the log-density of each predictor by filters of the bank.

    Parameters
    ----------
    fit, validation : statistics.Statistics

    Returns
    -------
    named : list of list of int
        By predictor, regressors, see `naming.needed`.
    """
    correlation, cross, _ = standardised(fit)
    chosen = [sparse.select(correlation, own, naming.MOST, "ols") for own in cross.T]
    return naming.needed(fit, validation, chosen)


def spectrum(
    fit: Statistics,
    held_out: Mapping[str, Statistics],
    penalty: float,
    table: Mapping[str, np.ndarray],
    wavelengths: np.ndarray,
    named: Sequence[Sequence[int]],
) -> dict[tuple[str, str], np.ndarray]:
    """
    Compute the spectra of all predictors.

    Parameters
    ----------
    fit : statistics.Statistics
    held_out : dict of str to statistics.Statistics
        By split.
    penalty : float
    table : dict of str to array (K,)
    wavelengths : float array (scale,)
        px of the stimulus.
    named : list of list of int
        By predictor, the regressors that its log-density is named by.

    Returns
    -------
    figures : dict of (str, str) to float64 array (predictor,)
        By grouping and group. The grouping `explained_variance` has a group per split. The
        groupings of `identities.GROUPINGS` have shares of the fit split's variance, see
        `naming.shares_of`. `scale` has a further group `mean_wavelength`: the geometric mean of the
        wavelengths, weighted by the positive shares of the scales.
    """
    shares = np.zeros((len(named), len(table["name"])))
    shares[fit.total_variation() <= DEAD * fit.n] = np.nan
    for own, places, values in zip(shares, named, naming.shares_of(fit, named), strict=True):
        own[list(places)] = values
    weight, _ = RidgePath(fit).solve(penalty)
    figures = {
        ("explained_variance", split): variance_of(statistics, weight)
        for split, statistics in held_out.items()
    }
    for grouping in identity_tools.GROUPINGS:
        labels = list(dict.fromkeys(table[grouping].tolist()))
        for label in labels:
            of_group = shares[:, table[grouping] == label].sum(axis=1)
            figures[grouping, "none" if label == -1 else str(label)] = of_group
    scales = np.array([np.maximum(figures["scale", str(s)], 0) for s in range(len(wavelengths))])
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = (np.log(wavelengths) @ scales) / scales.sum(axis=0)
    figures["scale", "mean_wavelength"] = np.exp(mean)
    return figures


def with_intervals(
    fit: Sequence[Statistics],
    held_out: Mapping[str, Statistics],
    penalty: float,
    table: Mapping[str, np.ndarray],
    wavelengths: np.ndarray,
) -> dict[tuple[str, str], np.ndarray]:
    """
    Values of `spectrum` with 95 % intervals by the jackknife over groups of fit blocks.

    Parameters
    ----------
    fit : list of statistics.Statistics
        By block.
    held_out, penalty, table, wavelengths
        See `spectrum`.

    Returns
    -------
    figures : dict of (str, str) to float64 array (3, predictor)
        Value and both ends of its interval: value -+ t s, `s^2 = (g - 1) / g sum (f_i - mean)^2`.
        f_i is the value without group i of g groups of blocks. The interval shows the uncertainty
        of the *fit*; the held-out stimuli are always the same. The ends are nan for a single block.
    """
    total, g = combine(fit), min(FOLDS, len(fit))
    named = named_by(total, held_out["validation"])
    of_all_blocks = spectrum(total, held_out, penalty, table, wavelengths, named)
    if g < 2:
        return {
            key: np.stack([value, value * np.nan, value * np.nan])
            for key, value in of_all_blocks.items()
        }
    without = [
        spectrum(total - combine(fit[fold::g]), held_out, penalty, table, wavelengths, named)
        for fold in range(g)
    ]
    reach = stats.t.ppf(0.975, g - 1) * math.sqrt(g - 1)
    figures = {}
    for key, value in of_all_blocks.items():
        spread = reach * np.std([other[key] for other in without], axis=0)
        figures[key] = np.stack([value, value - spread, value + spread])
    return figures


def rows(
    figures: Mapping[tuple[str, str], np.ndarray],
    predictors: Sequence[str],
    dataset: str,
    names: Mapping[str, Any],
    per_degree: float | None,
) -> list[dict[str, Any]]:
    """
    Rows of `results/spectra.csv`.

    Parameters
    ----------
    figures : dict of (str, str) to float64 array (3, predictor)
        From `with_intervals`.
    predictors : sequence of str
    dataset : str
    names : dict
        `wavelengths` (px of the stimulus), `orientations` (radians), `channels`.
    per_degree : float or None
        px of the stimulus per degree; None if not known.

    Returns
    -------
    rows : list of dict
        `predictor, dataset, grouping, group, wavelength_px, cycles_per_degree, value, ci_low,
        ci_high`.
    """
    records = []
    for place, predictor in enumerate(predictors):
        for (grouping, group), values in figures.items():
            value, low, high = values[:, place]
            wavelength = None
            if grouping == "scale" and group.isdigit():
                wavelength = names["wavelengths"][int(group)]
            records.append(
                {
                    "predictor": predictor,
                    "dataset": dataset,
                    "grouping": grouping,
                    "group": _named(grouping, group, names),
                    "wavelength_px": wavelength,
                    "cycles_per_degree": per_degree / wavelength
                    if per_degree and wavelength
                    else None,
                    "value": value,
                    "ci_low": low,
                    "ci_high": high,
                }
            )
    return records


def _named(grouping, group, names):
    """Return the name of a group in the table: degrees of an orientation, letter of a channel."""
    if grouping == "orientation" and group.isdigit():
        return f"{math.degrees(names['orientations'][int(group)]):g}"
    if grouping == "colour" and group.isdigit():
        return names["channels"][int(group)]
    return group
