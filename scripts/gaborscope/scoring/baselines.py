"""What predictors are compared with: chance, bounds and classical models, each by its name."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from gaborscope.errors import InputError
from gaborscope.scoring import classical
from gaborscope.stimuli import fixations
from gaborscope.stimuli.block import Predicts, StimulusBlock
from gaborscope.stimuli.centre_bias import centre_bias, relative_points, uniform


def make(
    name: str,
    fit: Sequence[StimulusBlock],
    validation: Sequence[StimulusBlock],
    settings: Mapping[str, Any],
    seed: int,
    bank: Predicts | None = None,
) -> Callable[[StimulusBlock, int], tuple[np.ndarray, str]]:
    """
    Predictor of a name.

    - `uniform`: the same everywhere.
    - `centre_bias`: the fixations on the other stimuli of the fit split, blurred; the width chosen
      on the validation split.
    - `gold_standard`: all observers of the stimulus itself. For showing; scores leave the observer
      out that is predicted (`goldstandard`).
    - `one_observer`: the first observer of the stimulus. For showing; scores are means over all of
      them as predictors of the others (`goldstandard`).
    - `shuffled_stimulus`: all observers of *another* stimulus, drawn from the fit split.
    - `itti_koch`, `gbvs`, `spectral_residual`, `sun`: see `classical`. The statistics of `sun` are
      those of stimuli of the fit split.
    - `loggabor_fixations`, `loggabor_equal`: banks fitted to fixations, see `fixationbank`.

    Parameters
    ----------
    name : str
    fit, validation : sequence of StimulusBlock
        Empty for predictors that are not fitted.
    settings : dict
        `sigmas`, `uniform_weight` of the centre bias; `n_stimuli` of sun.
    seed : int
    bank : fixation_bank.FixationBank, optional
        For those two; then `name` only says which of them it is.

    Returns
    -------
    predict : function of (StimulusBlock, index)
        Returns an array (height, width) and its kind, see `densities.to_density`.

    Raises
    ------
    InputError
        If there is no such predictor.
    """
    if name == "centre_bias":
        bias = centre_bias(fit, validation, settings["sigmas"], settings["uniform_weight"])
        return lambda block, i: (bias.density(block.size(i), exclude=block.names[i]), "density")
    if name == "shuffled_stimulus":
        return shuffled_stimulus(relative_points(fit), seed)
    if name == "sun":
        statistics = classical.sun_statistics(_some_images(fit, settings["n_stimuli"]))
        return lambda block, i: (classical.sun(block.image(i), *statistics), "unit")
    if bank is not None:
        return lambda block, i: (bank.predict(block.image(i)), "logits")
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
    Predict a stimulus by the fixations of all observers on another one.

    Parameters
    ----------
    points : dict of str to float array (n, 2)
        Relative fixations by stimulus.
    seed : int
        With the name of the stimulus it draws the other, so that no draw depends on others.

    Returns
    -------
    predict : function of (StimulusBlock, index)
    """
    candidates = sorted(name for name, own in points.items() if len(own))

    def drawn(name):
        others = [other for other in candidates if other != name]
        if not others:
            raise InputError(f"no stimulus but {name!r} has a fixation to predict it by")
        key = f"{seed}\0{name}\0"
        return min(others, key=lambda o: hashlib.sha256((key + o).encode()).hexdigest())

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
    """Images of `n` stimuli, spread evenly over those of the blocks."""
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
