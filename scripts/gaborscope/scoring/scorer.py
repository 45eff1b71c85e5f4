"""Score a predictor on the stimuli of a data set, one row per stimulus."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from gaborscope.scoring import gold_standard, metrics, prepared_map
from gaborscope.stimuli import centre_bias as centre_biases
from gaborscope.stimuli import fixations
from gaborscope.stimuli.block import StimulusBlock

# Predictors made of observers. They have no single map: each prediction leaves out the observers
# who are predicted.
PEOPLE = {
    "gold_standard": gold_standard.score_gold_standard,
    "one_observer": gold_standard.score_one_observer,
}

FEW = ("auc_judd", "nss", "cc", "kld", "ig")


def score_few(
    block: StimulusBlock, index: int, densities: Mapping[str, np.ndarray], centre_bias: np.ndarray
) -> dict[str, dict[str, float]]:
    """
    Score many densities of one stimulus by the metrics `FEW`.

    These are metrics of preset `mit` that need no other stimuli.

    Parameters
    ----------
    block : StimulusBlock
    index : int
    densities : dict of str to float array (height, width)
        By predictor.
    centre_bias : float array (height, width)
        Baseline of IG.

    Returns
    -------
    scores : dict of str to dict of str to float
        By predictor, then by metric; all nan for a stimulus without fixations.
    """
    size = block.size(index)
    pixels = fixations.to_pixels(block.points(index)[0], size)
    if not len(pixels):
        return {name: dict.fromkeys(FEW, float("nan")) for name in densities}
    truth = prepared_map.prepare(fixations.observed_density(block, index), "density")
    reference = prepared_map.prepare(centre_bias, "baseline")
    scores = {}
    for name, density in densities.items():
        salience = prepared_map.prepare(density)
        scores[name] = {
            "auc_judd": metrics.auc_judd(salience, pixels),
            "nss": metrics.nss(salience, pixels),
            "cc": metrics.cc(salience, truth),
            "kld": metrics.kld(salience, truth),
            "ig": metrics.ig(salience, pixels, reference),
        }
    return scores


class Scorer:
    """
    Scores of one preset on one data set.

    Parameters
    ----------
    preset : str
    blocks : sequence of StimulusBlock
        All blocks of the data set: the shuffled AUC needs the other stimuli.
    n_shuffle : int
        Number of other stimuli that preset `mit` draws for the shuffled AUC of a stimulus. Other
        presets take all other stimuli.
    seed : int
    """

    def __init__(
        self, preset: str, blocks: Sequence[StimulusBlock], n_shuffle: int, seed: int
    ) -> None:
        self.preset, self.seed = preset, seed
        self.n_shuffle = n_shuffle if preset == "mit" else None
        self.pixels, self.sizes = {}, {}
        for block in blocks:
            for index, name in enumerate(block.names):
                size = block.size(index)
                points, _ = block.points(index)
                self.sizes[name] = size
                self.pixels[name] = fixations.to_pixels(points, size)

    def others(self, name: str) -> list[str]:
        """
        Names of the other stimuli whose fixations are the negatives of the shuffled AUC.

        They are drawn by a seeded hash of both names. A stimulus that is added to the data set
        therefore changes the draws of few stimuli.

        Parameters
        ----------
        name : str

        Returns
        -------
        others : list of str
        """
        candidates = [other for other in sorted(self.pixels) if other != name]
        if self.n_shuffle is None:
            return candidates
        return sorted(
            candidates,
            key=lambda o: hashlib.sha256(f"{self.seed}\0{name}\0{o}".encode()).hexdigest(),
        )[: self.n_shuffle]

    def other_fixations(self, name: str) -> np.ndarray:
        """
        Fixations on the other stimuli, scaled to the size of this stimulus.

        Parameters
        ----------
        name : str

        Returns
        -------
        pixels : int array (n, 2)
            x, y.
        """
        height, width = self.sizes[name]
        parts = [np.zeros((0, 2), int)]
        for other in self.others(name):
            relative = centre_biases.relative(self.pixels[other], self.sizes[other])
            parts.append(np.floor(relative * (width, height)).astype(int))
        return np.concatenate(parts)

    def score(
        self, block: StimulusBlock, index: int, density: np.ndarray, centre_bias: np.ndarray
    ) -> dict[str, float]:
        """
        Score a density on one stimulus.

        Parameters
        ----------
        block : StimulusBlock
        index : int
        density, centre_bias : float array (height, width)

        Returns
        -------
        scores : dict of str to float
        """
        name = block.names[index]
        return metrics.score(
            density,
            self.pixels[name],
            fixations.observed_density(block, index) if len(self.pixels[name]) else None,
            self.other_fixations(name),
            centre_bias,
            self.preset,
        )

    def score_people(
        self,
        predictor: str,
        block: StimulusBlock,
        index: int,
        centre_bias: np.ndarray,
        uniform_weight: float,
        temperature: float = 1.0,
    ) -> dict[str, float]:
        """
        Score the observers of one stimulus as predictors of each other.

        Parameters
        ----------
        predictor : {'gold_standard', 'one_observer'}
        block : StimulusBlock
        index : int
        centre_bias : float array (height, width)
        uniform_weight : float
        temperature : float

        Returns
        -------
        scores : dict of str to float
            See the functions of `gold_standard`.
        """
        name, size = block.names[index], self.sizes[block.names[index]]
        points, subjects = block.points(index)
        sigma, _ = fixations.sigma_px(*size, block.facts)
        return PEOPLE[predictor](
            points,
            subjects,
            size,
            sigma,
            self.other_fixations(name),
            centre_bias,
            self.preset,
            uniform_weight,
            temperature,
        )


def predictions(
    predictor: str,
    block: StimulusBlock,
    index: int,
    density: np.ndarray | None,
    uniform_weight: float,
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """
    Yield the predictions for one stimulus, each with the fixations that it should predict.

    Parameters
    ----------
    predictor : str
    block : StimulusBlock
    index : int
    density : float array (height, width)
        Prediction of the predictor. Not used for the predictors of `PEOPLE`, where observers
        predict each other.
    uniform_weight : float

    Yields
    ------
    density : float array (height, width)
    pixels : int array (n, 2)
        x, y.
    """
    size = block.size(index)
    points, subjects = block.points(index)
    pixels = fixations.to_pixels(points, size)
    if predictor not in PEOPLE:
        if density is None:
            raise ValueError(f"{predictor} needs a density of its own")
        yield density, pixels
        return
    sigma, _ = fixations.sigma_px(*size, block.facts)
    observers = np.unique(subjects)
    for observer in observers if len(observers) > 1 else ():
        left_out = subjects == observer
        known = ~left_out if predictor == "gold_standard" else left_out
        yield gold_standard.density_of(pixels[known], size, sigma, uniform_weight), pixels[~known]
