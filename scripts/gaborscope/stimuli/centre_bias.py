"""Two densities that predictors are compared with: the uniform density and the centre bias."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from gaborscope.errors import InputError
from gaborscope.stimuli import densities, fixations
from gaborscope.stimuli.block import AFTER_MEMBER, StimulusBlock

# Cells (rows, columns) of the relative grid on which a centre bias is computed. A centre bias is
# about 20 cells wide, so bilinear interpolation between the cells changes it little.
GRID = (96, 128)
POINTS_AT_ONCE = 1 << 14  # bounds the memory, however many fixations there are


def uniform(size: tuple[int, int]) -> np.ndarray:
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


def relative(pixels: np.ndarray, size: tuple[int, int]) -> np.ndarray:
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

    The sum of Gaussians over all fixations is computed once, on the grid `GRID`. To leave a
    stimulus out, the Gaussians of its fixations are subtracted. Mass outside of the stimulus is
    lost and the rest normalised, as for a fixation density.

    Parameters
    ----------
    points : mapping of stimulus name to (n, 2) float array
        Relative fixations in [0, 1], see `relative`; n may be 0.
    sigma : (sigma_x, sigma_y)
        Standard deviations as shares of the stimulus's width and height; each at least one cell of
        `GRID`, 1 / 128 and 1 / 96.
    uniform_weight : float in [0, 1]
        Share of the uniform density in the mixture.
    fitted : (float array of shape GRID, int), optional
        `total` and `n_points` of a centre bias fitted before; `points` need then hold the stimuli
        that will be left out, no others.

    Attributes
    ----------
    total : float64 array of shape GRID
        Sum of the Gaussians.
    n_points : int
        Fixations in it.

    Raises
    ------
    InputError
        If there are no fixations, a fixation lies outside [0, 1], or a sigma is below its cell.
    """

    def __init__(
        self,
        points: Mapping[str, np.ndarray],
        sigma: tuple[float, float],
        uniform_weight: float,
        fitted: tuple[np.ndarray, int] | None = None,
    ) -> None:
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
        if fitted is not None:
            self.total, self.n_points = fitted
            return
        all_points = np.concatenate([np.zeros((0, 2)), *self._points.values()])
        self.n_points = len(all_points)
        if self.n_points == 0:
            raise InputError(
                f"none of {len(self._points)} stimuli has a fixation, so there is no centre bias; "
                "add stimuli with fixations to the fit split"
            )
        self.total = self._gaussians(all_points)

    @property
    def width(self) -> str:
        """Its width in words."""
        return f"sigma {self.sigma[0]:.3f} of the width"

    def _gaussians(self, points):
        rows, columns = GRID
        x, y = (np.arange(columns) + 0.5) / columns, (np.arange(rows) + 0.5) / rows
        total = np.zeros(GRID)
        for start in range(0, len(points), POINTS_AT_ONCE):
            chunk = points[start : start + POINTS_AT_ONCE]
            total += fixations.sum_of_gaussians(chunk, x, y, *self.sigma)
        return total

    def density(self, size: tuple[int, int], exclude: str | None = None) -> np.ndarray:
        """
        Centre bias on the pixels of a stimulus.

        Parameters
        ----------
        size : (height, width)
            In px.
        exclude : str, optional
            Name of the stimulus to be predicted: its fixations are left out. A name outside the
            fit split changes nothing.

        Returns
        -------
        density : (height, width) float64 array, sum 1

        Raises
        ------
        InputError
            If only the excluded stimulus has fixations.
        """
        total = self.total
        excluded = () if exclude is None else self._points.get(exclude, ())
        if len(excluded) == self.n_points:
            raise InputError(
                f"only the stimulus {exclude!r} has fixations, so that no centre bias is left "
                "without it; add stimuli with fixations to the fit split"
            )
        if len(excluded):
            # rounding may bring the difference of two nearly equal sums below 0
            total = np.maximum(total - self._gaussians(excluded), 0)
        bilinear = densities.resize_bilinear(total, size)
        return densities.to_density(bilinear, "density", self.uniform_weight)

    def log_likelihood(self, points: Mapping[str, np.ndarray]) -> float:
        """
        Mean log-likelihood of fixations, in nats per fixation above the uniform density.

        Parameters
        ----------
        points : mapping of stimulus name to (n, 2) float array
            Relative fixations. A stimulus of the fit split is predicted from the other stimuli.

        Returns
        -------
        mean : float
            Mean over fixations; -inf if a fixation has density 0.
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
            raise InputError(
                "no validation stimulus has a fixation, so the centre bias gets no width; "
                "add stimuli with fixations to the validation split"
            )
        return float(total / n)


class PooledCentreBias:
    """
    The centre bias of each member of a pool of several data sets.

    Parameters
    ----------
    members : mapping of str to CentreBias
        By data set; the names of stimuli have the data set before them, see
        `StimulusBlock.in_pool`.
    """

    def __init__(self, members: Mapping[str, CentreBias]) -> None:
        self.members = dict(members)

    @property
    def width(self) -> str:
        """The width of each in words."""
        return ", ".join(f"{bias.width} ({name})" for name, bias in self.members.items())

    def density(self, size: tuple[int, int], exclude: str | None = None) -> np.ndarray:
        """
        Centre bias of the data set of a stimulus, or the mean over all data sets.

        Parameters
        ----------
        size : (height, width)
            In px.
        exclude : str, optional
            Name of a stimulus of a member: the centre bias of this member, without the fixations on
            the stimulus, see `CentreBias.density`. Without it, the mean of all members'.

        Returns
        -------
        density : (height, width) float64 array, sum 1

        Raises
        ------
        InputError
            If the stimulus is of no member, or the only one of its member that has fixations.
        """
        if exclude is None:
            every = [bias.density(size) for bias in self.members.values()]
            return np.mean(every, axis=0)
        member = exclude.partition(AFTER_MEMBER)[0]
        if member not in self.members:
            raise InputError(
                f"the stimulus {exclude!r} is of none of {', '.join(self.members)}; its name must "
                f"begin with its data set and {AFTER_MEMBER!r}"
            )
        return self.members[member].density(size, exclude)


def kept(bias: CentreBias | PooledCentreBias) -> dict[str, Any]:
    """
    Return what a model that is fitted with a centre bias keeps of it.

    Parameters
    ----------
    bias : CentreBias or PooledCentreBias

    Returns
    -------
    kept : dict
        `centre_bias`, a float64 array of shape `GRID` with sum 1, of a pool the mean; and
        `centre_biases`, such an array for each member of a pool.
    """
    members = bias.members if isinstance(bias, PooledCentreBias) else {}
    return {
        "centre_bias": bias.density(GRID),
        "centre_biases": {name: own.density(GRID) for name, own in members.items()},
    }


def select_sigma(
    fit: Mapping[str, np.ndarray],
    validation: Mapping[str, np.ndarray],
    candidates: Sequence[tuple[float, float]],
    uniform_weight: float,
) -> tuple[tuple[float, float], list[float]]:
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
        The best candidate; of equally good ones the first.
    log_likelihoods : list of float
        Value of each candidate, in nats per fixation above the uniform density.
    """
    log_likelihoods = [
        CentreBias(fit, sigma, uniform_weight).log_likelihood(validation) for sigma in candidates
    ]
    if not log_likelihoods:
        raise InputError("there are no candidate sigmas to choose the centre bias from")
    return candidates[int(np.argmax(log_likelihoods))], log_likelihoods


def _checked_relative(name, points):
    """Return relative points as an (n, 2) float array; raise if one lies outside [0, 1]."""
    points = np.asarray(points, dtype=float).reshape(-1, 2)
    outside = ~((points >= 0) & (points <= 1)).all(axis=1)  # also true for NaN
    if outside.any():
        x, y = points[outside][0]
        raise InputError(
            f"relative fixation at x = {x:g}, y = {y:g} of stimulus {name!r} lies outside 0..1; "
            "use centre_bias.relative"
        )
    return points


def relative_points(blocks: Sequence[StimulusBlock]) -> dict[str, np.ndarray]:
    """
    Fixations of stimuli in relative coordinates.

    Parameters
    ----------
    blocks : sequence of StimulusBlock

    Returns
    -------
    points : dict of str to float64 array (n, 2)
        Stimulus name to x, y in 0..1.
    """
    points_by_name = {}
    for block in blocks:
        for index, name in enumerate(block.names):
            size = block.size(index)
            points, _ = block.points(index)
            points_by_name[name] = relative(fixations.to_pixels(points, size), size)
    return points_by_name


def centre_bias(
    fit: Sequence[StimulusBlock],
    validation: Sequence[StimulusBlock],
    sigmas: Sequence[float],
    uniform_weight: float,
) -> CentreBias | PooledCentreBias:
    """
    Centre bias of the fit split, or that of each data set where the blocks are of a pool.

    Parameters
    ----------
    fit, validation, sigmas, uniform_weight
        See `of_one`.

    Returns
    -------
    centre_bias : CentreBias or PooledCentreBias
    """
    names = dict.fromkeys(block.member for block in fit if block.member is not None)
    if not names:
        return of_one(fit, validation, sigmas, uniform_weight)
    members = {}
    for name in names:
        own, held_out = (
            [block for block in split if block.member == name] for split in (fit, validation)
        )
        members[name] = of_one(own, held_out, sigmas, uniform_weight)
    return PooledCentreBias(members)


def of_one(
    fit: Sequence[StimulusBlock],
    validation: Sequence[StimulusBlock],
    sigmas: Sequence[float],
    uniform_weight: float,
) -> CentreBias:
    """
    Centre bias of the fit split, its width chosen by likelihood on the validation split.

    Parameters
    ----------
    fit, validation : sequence of StimulusBlock
        Of one data set.
    sigmas : sequence of float
        Candidate standard deviations along x, as shares of the stimulus's width. The one along y
        is scaled by the aspect of the first stimulus, so that the Gaussian is round on it.
    uniform_weight : float

    Returns
    -------
    centre_bias : CentreBias
    """
    height, width = (int(extent) for extent in fit[0].sizes[0])
    candidates = [(sigma, sigma * width / height) for sigma in sigmas]
    points = relative_points(fit)
    held_out = relative_points(validation)
    chosen, _ = select_sigma(points, held_out, candidates, uniform_weight)
    return CentreBias(points, chosen, uniform_weight)
