"""Log energies around a place, how rare they are in their image, and contours around a place."""

import math
from collections.abc import Iterator, Sequence

import numpy as np

from gaborscope.filters import sampling, second_order
from gaborscope.filters.pooling import Pooler
from gaborscope.filters.scales import Target, separable, to_targets
from gaborscope.stimuli import geometry

# Distance of the points, at most, and standard deviation of the window that amplitudes are averaged
# over there, in longest wavelengths of the bank.
STEP, WINDOW = 0.375, 0.25
# Standard deviations of Gaussian means in longest wavelengths of the bank; 0 is the point itself.
AROUND, PLACES = (0.0, 0.5, 1.0, 2.0, 4.0), (0.0, 0.5, 1.0)
# Radii in longest wavelengths of the bank, and the window at that distance as a share of them.
RADII, TOLERANCE = (0.5, 1.0, 2.0), 0.4
PARTS = ("around", "both sides", "along")
# Added to the variances of log energies: a share of their mean, and the square of what is noise.
SHARE, NOISE = 0.02, 0.01**2


def target(longest: float, placement: geometry.Placement) -> Target:
    """
    Return where amplitudes are taken: points from edge to edge of the image, under a window.

    Parameters
    ----------
    longest : float
        Longest wavelength of the bank in px.
    placement : geometry.Placement

    Returns
    -------
    target : (geometry.Grid, pool, width)
    """
    extents = placement.height, placement.width
    counts = [math.ceil((extent - 1) / (STEP * longest)) + 1 for extent in extents]
    y, x = ((n - 1) / max(count - 1, 1) or 1.0 for n, count in zip(extents, counts, strict=True))
    grid = geometry.Grid((counts[0], counts[1]), (y, x), (placement.top, placement.left))
    return grid, "gaussian", geometry.box_width(WINDOW * longest)


class Context:
    """
    Regressors from `log(1 + E / second_order.FAINT)` of all filters, E the amplitudes at `target`.

    Parameters
    ----------
    longest : float
        Longest wavelength of the bank in px.
    placement : geometry.Placement
    targets : sequence of (geometry.Grid, pool, width)
    n_scales, n_channels : int
    orientations : float array (orientation,)
        Of the filters in radians, see `loggabor.LogGaborBank`.
    """

    def __init__(
        self,
        longest: float,
        placement: geometry.Placement,
        targets: Sequence[Target],
        n_scales: int,
        orientations: np.ndarray,
        n_channels: int,
    ) -> None:
        points = sampling.centres(target(longest, placement)[0], placement)
        self._windows = {
            width: [geometry.gaussian_matrix(along, along, width * longest) for along in points]
            for width in {*AROUND, *PLACES} - {0.0}
        }
        shape = placement.height, placement.width
        self._displaced = displaced(longest, orientations, points, shape)
        self._counts = n_scales, len(orientations)
        self._logs = np.empty((0,) * 5, np.float32)
        to_cells = to_targets(points, placement, targets)
        self._poolers = {
            "log_energy": Pooler(to_cells, n_channels * n_scales * len(AROUND)),
            "rarity": Pooler(to_cells, len(groups(n_scales, n_channels)) * len(PLACES)),
            "grouping": Pooler(to_cells, n_channels * n_scales * len(RADII) * len(PARTS)),
        }

    def analyse(self, amplitude: np.ndarray) -> None:
        """
        Take the amplitudes of an image.

        Parameters
        ----------
        amplitude : float32 array (channel, filter, row, column)
            At the points of `target`.
        """
        logs = np.log1p(np.maximum(amplitude, 0) / second_order.FAINT)
        # (scale, orientation, channel, row, column)
        by_scale = logs.reshape(len(logs), *self._counts, *logs.shape[2:]).transpose(1, 2, 0, 3, 4)
        self._logs = np.ascontiguousarray(by_scale)

    def energies(self) -> Iterator[np.ndarray]:
        """
        Log energies, averaged over the orientations and then around the place.

        Yields
        ------
        plane : float32 array (row, column)
            By channel, scale and window, as `log_energy` stands in `mechanisms.rows`.
        """
        means = self._logs.mean(axis=1).swapaxes(0, 1)
        around = [self._blurred(means, width) for width in AROUND]
        for c, s in np.ndindex(means.shape[:2]):
            yield from (planes[c, s] for planes in around)

    def rarities(self) -> Iterator[np.ndarray]:
        """
        How far the log energies of a place are from those of the whole image.

        `sqrt((v - m)' C^-1 (v - m))`: v are the log energies of a group of filters at the place, m
        and C their mean and covariance over the image. If they are normal, its square is twice the
        self-information of v in the image, up to a constant.

        Yields
        ------
        plane : float32 array (row, column)
            By group, see `groups`, then by window.

        References
        ----------
        Bruce, N. D. B., Tsotsos, J. K. (2005). Saliency based on information maximization. NIPS 18.

        Garcia-Diaz, A., Leboran, V., Fdez-Vidal, X. R., Pardo, X. M. (2012). On the relationship
        between optical variability, visual saliency, and eye fixations. J. Vision 12(6), 17.
        """
        places = [self._blurred(self._logs, width) for width in PLACES]
        n_scales, n_channels = self._logs.shape[0], self._logs.shape[2]
        for c, s in groups(n_scales, n_channels):
            scales = slice(None) if s < 0 else slice(s, s + 1)
            channels = slice(None) if c < 0 else slice(c, c + 1)
            for logs in places:
                yield _distance(logs[scales, :, channels].reshape(-1, *self._logs.shape[3:]))

    def groupings(self) -> Iterator[np.ndarray]:
        """
        Log energies of edges at a distance, as cells that group the contour of a figure have them.

        Of every filter, `l` is the Gaussian mean of its log energies at a distance r from the
        place. *Around*: at both places along its wave vector, where it sees edges that turn their
        side to the place. *Both sides*: the smaller of these two. *Along*: at right angles to its
        wave vector, where it sees edges that point to the place. Each is averaged over the
        orientations.

        Yields
        ------
        plane : float32 array (row, column)
            By channel, scale, radius and part.

        References
        ----------
        Craft, E., Schuetze, H., Niebur, E., von der Heydt, R. (2007). A neural model of
        figure-ground organization. J. Neurophysiology 97, 4310-4326.

        Russell, A. F., Mihalas, S., von der Heydt, R., Niebur, E., Etienne-Cummings, R. (2014). A
        model of proto-object based saliency. Vision Research 94, 1-15.
        """
        planes = []
        for of_orientations in self._displaced:
            parts = np.zeros((len(PARTS), *self._logs[:, 0].shape), np.float32)
            for o, matrices in enumerate(of_orientations):
                one, other, first, second = (separable(self._logs[:, o], *m) for m in matrices)
                parts += np.stack([(one + other) / 2, np.minimum(one, other), (first + second) / 2])
            planes.append(parts / len(of_orientations))
        # (channel, scale, radius, part, row, column)
        by_channel = np.stack(planes).transpose(3, 2, 0, 1, 4, 5)
        yield from by_channel.reshape(-1, *by_channel.shape[-2:])

    def put(self, name: str, slots: Sequence[np.ndarray]) -> None:
        """
        Pool the regressors of a mechanism to the cells of every target.

        Parameters
        ----------
        name : {"log_energy", "rarity", "grouping"}
        slots : list of float32 array (regressor, row, column)
            By target.
        """
        pooler = self._poolers[name]
        made = {"log_energy": self.energies, "rarity": self.rarities, "grouping": self.groupings}
        for index, plane in enumerate(made[name]()):
            pooler.planes[:, index] = plane
        for slot, pooled in zip(slots, pooler.pool(), strict=True):
            slot[...] = pooled.swapaxes(0, 1)

    def _blurred(self, planes, width):
        return separable(planes, *self._windows[width]) if width else planes


def displaced(
    longest: float,
    orientations: np.ndarray,
    inside: Sequence[np.ndarray],
    shape: tuple[int, int],
) -> list[list[list[tuple[np.ndarray, np.ndarray]]]]:
    """
    Matrices of Gaussian means at a distance from each point, in the four directions of a filter.

    Parameters
    ----------
    longest : float
        Longest wavelength of the bank in px.
    orientations : float array (orientation,)
        In radians, counter-clockwise as seen on the screen.
    inside : (array (row,), array (column,))
        Points in px; a window whose centre would lie beyond the image moves to its edge.
    shape : (int, int)
        Height and width of the image in px.

    Returns
    -------
    matrices : list of list of list of (array (row, row), array (column, column))
        By radius, orientation and direction: along the wave vector and against it, then at right
        angles to it, to both sides.
    """
    found = []
    for radius in RADII:
        by_orientation, deviation = [], TOLERANCE * radius * longest
        for orientation in orientations:
            wave = radius * longest * np.array([-np.sin(orientation), np.cos(orientation)])
            edge = radius * longest * np.array([np.cos(orientation), np.sin(orientation)])
            by_orientation.append(
                [_window(inside, step, deviation, shape) for step in (wave, -wave, edge, -edge)]
            )
        found.append(by_orientation)
    return found


def _window(inside, step, deviation, shape):
    """Return the matrices of Gaussian means a step from each point."""
    y, x = (
        geometry.gaussian_matrix(along, np.clip(along + by, 0, n - 1), deviation)
        for along, by, n in zip(inside, step, shape, strict=True)
    )
    return y, x


def groups(n_scales: int, n_channels: int) -> list[tuple[int, int]]:
    """
    Return the groups of filters whose rarity is taken, as (channel, scale); -1 stands for all.

    Each channel's scales and all of them, then each scale of all channels and all of everything.
    """
    return [(c, s) for c in (*range(n_channels), -1) for s in (*range(n_scales), -1)]


def _distance(logs):
    """Return the Mahalanobis distance of each point from the others, (row, column)."""
    values = logs.reshape(len(logs), -1).astype(np.float64)
    values -= values.mean(axis=1, keepdims=True)
    covariance = values @ values.T / values.shape[1]
    ridge = SHARE * np.trace(covariance) / len(values) + NOISE
    covariance[np.diag_indices_from(covariance)] += ridge
    square = (values * np.linalg.solve(covariance, values)).sum(axis=0)
    return np.sqrt(square).reshape(logs.shape[1:]).astype(np.float32)
