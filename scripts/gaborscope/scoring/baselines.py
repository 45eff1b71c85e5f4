"""Baselines by name: chance levels, upper bounds and classical saliency models."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from gaborscope.errors import InputError
from gaborscope.scoring import classical
from gaborscope.scoring.scorer import OtherStimuli
from gaborscope.stimuli import fixations
from gaborscope.stimuli.block import StimulusBlock
from gaborscope.stimuli.centre_bias import (
    CentreBias,
    PooledCentreBias,
    centre_bias,
    relative_points,
    uniform,
)
from gaborscope.store import paths as grammar
from gaborscope.store.files import create, open_file, put, put_text


def make(
    name: str,
    fit: Sequence[StimulusBlock],
    validation: Sequence[StimulusBlock],
    settings: Mapping[str, Any],
    seed: int,
    bank: Any = None,
    bias: CentreBias | None = None,
) -> Callable[[StimulusBlock, int], tuple[np.ndarray, str]]:
    """
    Return the baseline predictor with a given name.

    - `uniform`: the same density at every pixel.
    - `centre_bias`: blurred fixations on the other stimuli of the fit split. The width of the blur
      is chosen on the validation split.
    - `gold_standard`: density of all observers of the stimulus itself. Only to be shown: scores
      leave out the observer who is predicted (see `gold_standard`).
    - `one_observer`: density of the first observer of the stimulus. Only to be shown: scores are
      means over all observers, each as predictor of the others (see `gold_standard`).
    - `shuffled_stimulus`: density of all observers of *another* stimulus of the fit split.
    - `itti_koch`, `gbvs`, `spectral_residual`, `sun`: see `classical`. The statistics of `sun` come
      from stimuli of the fit split.
    - `loggabor_fixations`, `loggabor_equal`: banks fitted to fixations, see
      `analysis.fixation_bank`.

    Parameters
    ----------
    name : str
    fit, validation : sequence of StimulusBlock
        Empty for predictors that are not fitted.
    settings : dict
        Keys `sigmas` and `uniform_weight` for the centre bias, `n_stimuli` for `sun`.
    seed : int
    bank : fixation_bank.FixationBank, optional
        Fitted bank, only for `loggabor_fixations` and `loggabor_equal`. A stimulus of a pool is
        predicted with the centre bias of its data set.
    bias : CentreBias, optional
        Fitted centre bias; without it, one is fitted.

    Returns
    -------
    predict : function of (StimulusBlock, index)
        Returns an array (height, width) and its kind, see `densities.to_density`.

    Raises
    ------
    InputError
        If no baseline has this name.
    """
    if name == "centre_bias":
        fitted = bias or centre_bias(
            fit, validation, settings["sigmas"], settings["uniform_weight"]
        )
        return lambda block, i: (fitted.density(block.size(i), exclude=block.names[i]), "density")
    if name == "shuffled_stimulus":
        return shuffled_stimulus(relative_points(fit), seed)
    if name == "sun":
        statistics = classical.sun_statistics(_some_images(fit, settings["n_stimuli"]))
        return lambda block, i: (classical.sun(block.image(i), *statistics), "unit")
    if bank is not None:
        return lambda block, i: (bank.on(block.member).predict(block.view(i)), "logits")
    if name in CLASSICAL:
        return lambda block, i: (CLASSICAL[name](block.image(i)), "unit")
    if name not in SIMPLE:
        known = (*SIMPLE, *CLASSICAL, "centre_bias", "shuffled_stimulus", "sun")
        raise InputError(f"there is no baseline {name!r}; known are {', '.join(known)}")
    return lambda block, i: (SIMPLE[name](block, i), "density")


def shuffled_stimulus(
    points: Mapping[str, np.ndarray], seed: int
) -> Callable[[StimulusBlock, int], tuple[np.ndarray, str]]:
    """
    Return a predictor that takes the fixations of all observers on another stimulus.

    Parameters
    ----------
    points : dict of str to float array (n, 2)
        Relative fixations by stimulus.
    seed : int
        The other stimulus is drawn from the seed and the name of the predicted stimulus. So no
        draw depends on the draws before it.

    Returns
    -------
    predict : function of (StimulusBlock, index)
    """
    candidates = OtherStimuli([name for name, fixated in points.items() if len(fixated)], seed)

    def drawn(name):
        others = candidates.of(name)
        if not others:
            raise InputError(
                f"no stimulus of the fit split other than {name!r} has fixations, so no "
                "stimulus can predict this one; add stimuli with fixations"
            )
        return others[0]

    def predict(block, index):
        height, width = size = block.size(index)
        pixels = np.floor(points[drawn(block.names[index])] * (width, height)).astype(int)
        pixels = np.minimum(pixels, (width - 1, height - 1))
        sigma, _ = fixations.sigma_px(height, width, block.facts)
        return fixations.density(pixels, size, sigma), "density"

    return predict


def first_observer(block: StimulusBlock, index: int) -> np.ndarray:
    """
    Fixation density of the first observer on one stimulus.

    Parameters
    ----------
    block : StimulusBlock
    index : int

    Returns
    -------
    density : float64 array (height, width), sum 1
        Uniform for a stimulus without fixations.
    """
    size = block.size(index)
    points, subjects = block.points(index)
    if not len(points):
        return uniform(size)
    sigma, _ = fixations.sigma_px(size[0], size[1], block.facts)
    return fixations.density(points[subjects == subjects.min()], size, sigma)


def _some_images(blocks, n):
    """Images of `n` stimuli, spread evenly over the stimuli of all blocks."""
    places = [(block, index) for block in blocks for index in range(len(block.names))]
    chosen = np.unique(np.linspace(0, len(places) - 1, min(n, len(places))).round().astype(int))
    return (places[i][0].image(places[i][1]) for i in chosen)


CLASSICAL = {
    "itti_koch": classical.itti_koch,
    "gbvs": classical.gbvs,
    "spectral_residual": classical.spectral_residual,
}
SIMPLE = {
    "uniform": lambda block, index: uniform(block.size(index)),
    "gold_standard": fixations.observed_density,
    "one_observer": first_observer,
}


def write_centre_bias(
    path: str | Path, bias: CentreBias, blocks: Sequence[str], origin: Mapping[str, Any]
) -> None:
    """
    Write a fitted centre bias.

    Parameters
    ----------
    path : str or Path
    bias : CentreBias
    blocks : sequence of str
        Names of the blocks that it is fitted to.
    origin : dict
    """
    with create(path, "centre_bias", origin) as file:
        put(file, "total", bias.total, "row, column", "fixations")
        file.attrs["n_points"] = bias.n_points
        file.attrs["sigma"] = bias.sigma
        file.attrs["uniform_weight"] = bias.uniform_weight
        put_text(file, "block", np.array(blocks), "block")


def read_centre_bias(path: str | Path, name: str, block: StimulusBlock) -> CentreBias:
    """
    Read a fitted centre bias for the stimuli of one block.

    Parameters
    ----------
    path : str or Path
    name : str
        Name of the block. If it is one of those fitted to, each stimulus of it can be left out.
    block : StimulusBlock

    Returns
    -------
    bias : CentreBias
    """
    with open_file(path, "centre_bias") as file:
        own = name.rpartition("-")[2] in file["block"].asstr()[()]  # osie-00 in a pool
        return CentreBias(
            relative_points([block]) if own else {},
            tuple(file.attrs["sigma"]),
            float(file.attrs["uniform_weight"]),
            (file["total"][()], int(file.attrs["n_points"])),
        )


def read_centre_biases(
    paths: Sequence[str | Path], name: str, block: StimulusBlock
) -> CentreBias | PooledCentreBias:
    """
    Read the centre bias of the data set of all fits, or those of the members of a pool.

    Parameters
    ----------
    paths : sequence of str or Path
        `results/centre_bias/{dataset}.h5` of one data set, or of every member of a pool.
    name, block
        See `read_centre_bias`.

    Returns
    -------
    bias : CentreBias or PooledCentreBias
    """
    biases = {
        dataset: read_centre_bias(path, name, block)
        for dataset, path in grammar.index("centre_bias", map(str, paths), "dataset").items()
    }
    return next(iter(biases.values())) if len(biases) == 1 else PooledCentreBias(biases)


def make_all(
    settings: dict[str, dict],
    fit: Sequence[StimulusBlock],
    validation: Sequence[StimulusBlock],
    uniform_weight: float,
    seed: int,
    banks: dict[str, Any],
) -> dict[str, Callable[[StimulusBlock, int], tuple]]:
    """
    Predictors of several names.

    Parameters
    ----------
    settings : dict of str to dict
        Entries of the config's `baselines`, by name.
    fit, validation : sequence of StimulusBlock
    uniform_weight : float
    seed : int
    banks : dict of str to FixationBank
        Fitted banks, for the predictors that are a bank fitted to fixations.

    Returns
    -------
    predictors : dict of str to callable
        See `make`.
    """
    return {
        name: make(
            name,
            fit,
            validation,
            {**entry, "uniform_weight": uniform_weight},
            seed,
            banks.get(name),
        )
        for name, entry in settings.items()
    }
