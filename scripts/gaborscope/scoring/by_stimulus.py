"""Scores of one predictor on one data set, one row per stimulus, by split."""

from collections.abc import Collection, Iterable

import numpy as np
import pandas as pd

from gaborscope.scoring import calibration
from gaborscope.scoring.scorer import PEOPLE, Scorer
from gaborscope.stimuli.block import StimulusBlock


class PredictorScores:
    """
    Scores of a predictor, gathered block by block.

    Parameters
    ----------
    predictor : str
        Name of the predictor. For one of `scorer.PEOPLE`, the mutual predictions of people are
        scored, not the given densities.
    scorer : scorer.Scorer
    seen : collection of str
        Stimuli that the network behind the predictor was trained on: their scores are nan.
    uniform_weight : float
        Share of the uniform density in the predictions of people.
    temperature : float
        Temperature applied to densities before they are scored; 1 changes nothing.
    """

    def __init__(
        self,
        predictor: str,
        scorer: Scorer,
        seen: Collection[str] = frozenset(),
        uniform_weight: float = 0.0,
        temperature: float = 1.0,
    ) -> None:
        self.predictor, self.scorer, self.seen = predictor, scorer, seen
        self.uniform_weight, self.temperature = uniform_weight, temperature
        self._rows: dict[str, list[dict]] = {}

    def add(
        self,
        split: str,
        block: StimulusBlock,
        densities: Iterable[tuple[int, np.ndarray]],
        centre_biases: Iterable[tuple[int, np.ndarray]],
    ) -> None:
        """
        Score all stimuli of a block.

        Parameters
        ----------
        split : str
        block : StimulusBlock
        densities, centre_biases : iterable of (int, float array (height, width))
            Index of each stimulus in the block and its density, sum 1, as `read_saliency` yields
            them; both in the same order.

        Raises
        ------
        ValueError
            If there are more densities than centre biases, or fewer.
        """
        rows = self._rows.setdefault(split, [])
        for (index, density), (_, centre_bias) in zip(densities, centre_biases, strict=True):
            scores = self._score(block, index, density, centre_bias)
            name = block.names[index]
            if name in self.seen:
                scores = dict.fromkeys(scores, float("nan"))
            rows.append({"stimulus": name, **scores})

    def _score(self, block, index, density, centre_bias):
        """Scores of one stimulus by metric."""
        if self.predictor in PEOPLE:
            return self.scorer.score_people(
                self.predictor, block, index, centre_bias, self.uniform_weight, self.temperature
            )
        tempered = calibration.temper(density, self.temperature)
        return self.scorer.score(block, index, tempered, centre_bias)

    def table(self, split: str) -> pd.DataFrame:
        """
        Scores of a split.

        Parameters
        ----------
        split : str

        Returns
        -------
        table : DataFrame
            `stimulus` and one column per metric, sorted by stimulus.
        """
        return pd.DataFrame(self._rows[split]).sort_values("stimulus")

    def names(self) -> list[str]:
        """Return the stimuli scored, in the order in which they came, split by split."""
        return [row["stimulus"] for rows in self._rows.values() for row in rows]

    def left_out(self) -> list[str]:
        """Return the stimuli whose scores are nan because the network was trained on them."""
        return [name for name in self.names() if name in self.seen]

    def negatives(self) -> dict[str, list[str]] | str:
        """Return by stimulus the stimuli whose fixations are its shuffled negatives, if drawn."""
        if self.scorer.n_shuffle is None:
            return "all other stimuli"
        return {name: self.scorer.others(name) for name in self.names()}
