"""Score a predictor on the stimuli of a data set, one row per stimulus."""

import bisect
import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence

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


class OtherStimuli:
    """
    Seeded draws of other stimuli.

    They are drawn by a seeded hash of both names, among the `NEAREST` stimuli that follow on a ring
    of hashed names. So a draw costs the same however many stimuli there are, and a stimulus that is
    added changes the draws of few. Up to NEAREST others, all are in.

    Parameters
    ----------
    names : iterable of str
    seed : int
    """

    NEAREST = 1024

    def __init__(self, names: Iterable[str], seed: int) -> None:
        self.seed = seed
        self._ring = sorted((_hash(name), name) for name in names)

    def of(self, name: str) -> list[str]:
        """Return others of a stimulus in the order in which they are drawn."""
        start = bisect.bisect(self._ring, (_hash(name), name))
        following = self._ring[start : start + self.NEAREST]
        if len(following) < self.NEAREST:
            following += self._ring[: min(start, self.NEAREST - len(following))]
        others = [other for _, other in following if other != name]
        return sorted(others, key=lambda other: _hash(f"{self.seed}\0{name}\0{other}"))


def _hash(text):
    return hashlib.sha256(text.encode()).hexdigest()


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
        self.preset = preset
        self.n_shuffle = n_shuffle if preset == "mit" else None
        self.pixels, self.sizes = {}, {}
        for block in blocks:
            for index, name in enumerate(block.names):
                size = block.size(index)
                points, _ = block.points(index)
                self.sizes[name] = size
                self.pixels[name] = fixations.to_pixels(points, size)
        self._names = sorted(self.pixels)
        self._others = OtherStimuli(self._names, seed)
        parts = [self._placed(self.pixels[n], self.sizes[n]) for n in self._names]
        # fixations of all stimuli one after another with the extents of their frames, and where
        # those of each begin
        self._placements = np.concatenate([np.zeros((0, 4)), *parts])
        self._starts = np.cumsum([0, *map(len, parts)])

    def _placed(self, pixels, size):
        """
        Return (x, y, width, height) of fixations in the frame that they are scaled from.

        The frame is the unit square, where a pixel is its centre. pysaliency scales the number of
        the column and of the row instead, so preset `pysaliency` does.
        """
        if self.preset == "pysaliency":
            return np.column_stack([pixels, np.full(pixels.shape, size[::-1])])
        return np.column_stack([centre_biases.relative(pixels, size), np.ones(pixels.shape)])

    def others(self, name: str) -> list[str]:
        """
        Names of the other stimuli whose fixations are the negatives of the shuffled AUC.

        All other stimuli without `n_shuffle`, else draws of `OtherStimuli`.

        Parameters
        ----------
        name : str

        Returns
        -------
        others : list of str
        """
        if self.n_shuffle is None:
            return [other for other in self._names if other != name]
        return self._others.of(name)[: self.n_shuffle]

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
        if self.n_shuffle is None:
            begin, end = self._bounds(name)
            placed = np.delete(self._placements, slice(begin, end), axis=0)
        else:
            parts = [self._placements[slice(*self._bounds(other))] for other in self.others(name)]
            placed = np.concatenate([np.zeros((0, 4)), *parts])
        return np.floor(placed[:, :2] * ((width, height) / placed[:, 2:])).astype(int)

    def _bounds(self, name):
        """Rows of `_placements` of a stimulus: from, to."""
        place = bisect.bisect_left(self._names, name)
        return self._starts[place], self._starts[place + 1]

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
