"""Temperature that corrects the confidence of a predictor's densities, by maximum likelihood."""

from pathlib import Path

import numpy as np

from gaborscope.errors import InputError
from gaborscope.store import tables

N_LEVELS = 4096  # bins of log-density; the error of their means is below 1e-6 nats
LEAST, LARGEST = 1 / 32, 32.0  # bounds of the inverse temperature


class Likelihood:
    """
    Likelihood of fixations under tempered densities.

    A tempered density is p ** (1 / temperature), normalised to sum 1. Each prediction is stored as
    a histogram of its logarithm, so that trying a temperature needs no pass over the maps.
    """

    def __init__(self) -> None:
        self._levels, self._shares, self._seen, self._n = [], [], [], []

    def add(self, density: np.ndarray, pixels: np.ndarray) -> None:
        """
        Add a prediction and the fixations that it should have predicted.

        Parameters
        ----------
        density : float array (height, width)
            Positive, sum 1.
        pixels : int array (n, 2)
            x, y; n may be 0.
        """
        if not len(pixels):
            return
        log_density = np.log(density)
        flat = log_density.ravel()
        low, high = flat.min(), flat.max()
        scale = N_LEVELS / (high - low) if high > low else 0.0
        bins = np.minimum(((flat - low) * scale).astype(np.int32), N_LEVELS - 1)
        counts = np.bincount(bins, minlength=N_LEVELS)
        total = np.bincount(bins, weights=flat, minlength=N_LEVELS)
        used = counts > 0
        self._levels.append(total[used] / counts[used])
        self._shares.append(counts[used])
        self._seen.append(log_density[pixels[:, 1], pixels[:, 0]].sum())
        self._n.append(len(pixels))

    def per_fixation(self, temperature: float) -> float:
        """
        Mean log-likelihood per fixation, in nats.

        Parameters
        ----------
        temperature : float

        Returns
        -------
        mean : float
        """
        return self._moments(1 / temperature)[0] / sum(self._n)

    def fit(self) -> float:
        """
        Return the temperature of highest likelihood.

        The log-likelihood is concave in the inverse temperature, so Newton steps reach its only
        maximum.

        Returns
        -------
        temperature : float
            Between 1/32 and 32. If all predictions are uniform, every temperature is equally
            likely, and 1 is returned.

        Raises
        ------
        InputError
            If there are no fixations.
        """
        if not self._n:
            raise InputError(
                "no validation stimulus has a fixation, so no temperature can be fitted; add "
                "fixations to the validation split"
            )
        inverse = 1.0
        for _ in range(60):
            _, slope, curvature = self._moments(inverse)
            if curvature < 1e-9 * sum(self._n):
                return 1.0
            # a step changes it at most by a factor of two: Newton overshoots where curvature varies
            updated = np.clip(inverse + slope / curvature, inverse / 2, inverse * 2)
            updated = float(np.clip(updated, LEAST, LARGEST))
            if abs(updated - inverse) < 1e-9 * inverse:
                break
            inverse = updated
        return 1 / inverse

    def _moments(self, inverse):
        """Log-likelihood, its slope, and minus its curvature, over the inverse temperature."""
        value, slope, curvature = 0.0, 0.0, 0.0
        for levels, shares, seen, n in zip(
            self._levels, self._shares, self._seen, self._n, strict=True
        ):
            top = levels.max()
            weights = shares * np.exp(inverse * (levels - top))
            total = weights.sum()
            mean = weights @ levels / total
            value += inverse * seen - n * (inverse * top + np.log(total))
            slope += seen - n * mean
            curvature += n * (weights @ (levels - mean) ** 2 / total)
        return value, slope, curvature


def temper(density: np.ndarray, temperature: float) -> np.ndarray:
    """
    Density to the power of 1 / temperature, normalised.

    Parameters
    ----------
    density : float array (height, width)
        Positive, sum 1.
    temperature : float
        Positive; 1 changes nothing, a higher one makes the density flatter.

    Returns
    -------
    density : float64 array (height, width), sum 1
    """
    if temperature == 1:
        return density
    log_density = np.log(density) / temperature
    tempered = np.exp(log_density - log_density.max())
    return tempered / tempered.sum()


def read_temperature(path: str | Path) -> float:
    """
    Read a fitted temperature.

    Parameters
    ----------
    path : str or Path
        `results/calibration/{predictor}/{dataset}.json`.

    Returns
    -------
    temperature : float
    """
    return tables.read_json(path)["temperature"]
