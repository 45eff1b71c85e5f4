"""Responses of one scale at the points of a lattice, and their ways to the cells of layers."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from gaborscope.filters import sampling
from gaborscope.filters.controls import ControlBank
from gaborscope.filters.lattice import Folded, Spectra, covering
from gaborscope.filters.loggabor import LogGaborBank
from gaborscope.filters.pooling import Pooler
from gaborscope.stimuli import geometry

# px between points, each with the shortest wavelength that allows it if windows are wide: for maps
# of amplitudes, and for rectified responses, which have overtones.
STEPS, FINE_STEPS = {8: 24.0, 4: 12.0, 2: 3.0}, {4: 24.0, 2: 6.0}
# Points to a wavelength where cells are points that lie between those of the lattice.
DENSE = 6
# Means over windows of more than WIDE steps of a lattice are taken at points SPARSE standard
# deviations apart and interpolated between them.
WIDE, SPARSE = 3, 0.5

Target = tuple[geometry.Grid, str, float]


class Scale:
    """
    Responses of one scale of a bank at the points of a lattice.

    Parameters
    ----------
    spectra : lattice.Spectra
    bank : LogGaborBank or ControlBank
    scale : int
    gains : array (orientation, height, width)
        Transfer functions of the scale's filters.
    shape : (int, int)
        Height and width of the images in px.
    placement : geometry.Placement
    targets : sequence of (geometry.Grid, pool, width)
    steps : mapping
        `STEPS` or `FINE_STEPS`.

    Attributes
    ----------
    lattice : lattice.Lattice
    wavelength : float
        px.
    amplitude : float32 array (orientation, channel, row, column)
        Of the image analysed last, filled in by `analyse`.
    energy : float32 array (channel, row, column)
        Mean of the squared amplitudes over the orientations.
    inside : (slice, slice)
        Points of the lattice that lie on the image.
    """

    def __init__(
        self,
        spectra: Spectra,
        bank: LogGaborBank | ControlBank,
        scale: int,
        gains: np.ndarray,
        shape: tuple[int, int],
        placement: geometry.Placement,
        targets: Sequence[Target],
        steps: Mapping[int, float],
    ) -> None:
        plain = bank.bank if isinstance(bank, ControlBank) else bank
        self.wavelength = float(plain.wavelengths_px[scale])
        shortest = bank.wavelength_px(scale * len(gains)) / (sampling.BROADER if bank.broad else 1)
        self.lattice = _lattice(shortest, steps, placement, targets, shape, spectra.full)
        self.shape, self._folded = shape, Folded(spectra, self.lattice, list(gains))
        n_channels = len(spectra.values)
        self.amplitude = np.empty((len(gains), n_channels, *self.lattice.count), np.float32)
        self.energy = np.empty((n_channels, *self.lattice.count), np.float32)
        positions = [self.lattice.positions(axis) for axis in (0, 1)]
        self.inside = tuple(
            slice(*np.searchsorted(along, (-0.5, extent - 0.5)).tolist())
            for along, extent in zip(positions, shape, strict=True)
        )
        self._centres = clipped(positions, shape)
        self._pooler = Pooler(to_targets(positions, placement, targets), n_channels)
        self._blurs = {}

    def analyse(self) -> None:
        """Fill in `amplitude` and `energy` of the image analysed last."""
        self.energy.fill(0)
        for amplitude, response in zip(self.amplitude, self.responses(), strict=True):
            np.abs(response, out=amplitude)
            self.energy += amplitude**2
        self.energy /= len(self.amplitude)

    def responses(self) -> Iterator[np.ndarray]:
        """
        Complex responses (channel, row, column) of the filters to the image analysed last.

        Yields
        ------
        response : complex64 array (channel, row, column)
            A view that the next one overwrites.
        """
        self._folded.analyse()
        for o in range(len(self._folded)):
            yield self._folded.responses(o)

    def blurred(self, planes: np.ndarray, deviation: float) -> np.ndarray:
        """
        Gaussian means that end at the image, at the points of the lattice.

        Beyond the image they go on as at its edge.

        Parameters
        ----------
        planes : float32 array (..., row, column)
        deviation : float
            Standard deviation in wavelengths.

        Returns
        -------
        means : float32 array (..., row, column)
        """
        if deviation not in self._blurs:
            self._blurs[deviation] = self._blur(deviation * self.wavelength)
        for matrices in self._blurs[deviation]:
            planes = separable(planes, *matrices)
        return planes

    def whole(self, planes: np.ndarray) -> np.ndarray:
        """Means over the whole image, float32 array (..., 1, 1)."""
        if None not in self._blurs:
            nowhere = (np.zeros(1), np.zeros(1))
            far = 1e6 * max(self.shape)  # a window so wide that all weights are equal
            self._blurs[None] = sampling.windows(self.lattice, nowhere, far, self.shape)
        return separable(planes, *self._blurs[None])

    def _blur(self, deviation):
        """Return the matrices of a Gaussian mean, along y and x: one pair, or down and up."""
        if deviation <= WIDE * self.lattice.step:
            return [sampling.windows(self.lattice, self._centres, deviation, self.shape)]
        sparse = [evenly_spaced(extent, SPARSE * deviation) for extent in self.shape]
        inside = clipped(sparse, self.shape)
        up = [
            sampling.interpolation(points, centres).astype(np.float32)
            for points, centres in zip(sparse, self._centres, strict=True)
        ]
        return [sampling.windows(self.lattice, inside, deviation, self.shape), up]

    def put(self, planes: np.ndarray, slots: Sequence[np.ndarray], index: int) -> None:
        """
        Pool one regressor of each channel to the cells of every target.

        Parameters
        ----------
        planes : float32 array (channel, row, column)
        slots : list of float32 array (channel, regressor, row, column)
            By target.
        index : int
            Which regressor.
        """
        _put(self._pooler, planes, slots, index)


class Windows:
    """
    Gaussian means of the channels themselves and of their squares, at one scale.

    Points lie half a wavelength apart.

    Parameters
    ----------
    wavelength : float
        px.
    shape : (int, int)
        Height and width of the images in px.
    placement : geometry.Placement
    targets : sequence of (geometry.Grid, pool, width)
    n_channels : int
    """

    def __init__(
        self,
        wavelength: float,
        shape: tuple[int, int],
        placement: geometry.Placement,
        targets: Sequence[Target],
        n_channels: int,
    ) -> None:
        positions = [evenly_spaced(extent, max(1.0, wavelength / 2)) for extent in shape]
        self._pooler = Pooler(to_targets(positions, placement, targets), n_channels)
        self._narrow, self._wide = (
            [
                geometry.gaussian_matrix(np.arange(n), np.clip(p, 0, n - 1), width * wavelength)
                for n, p in zip(shape, positions, strict=True)
            ]
            for width in (0.5, 1.0)
        )

    def intensity(self, both: np.ndarray) -> np.ndarray:
        """
        Local mean of each channel: a Gaussian of half a wavelength.

        Parameters
        ----------
        both : float32 array (2 * channel, height, width)
            The channels, then their squares.

        Returns
        -------
        planes : float32 array (channel, row, column)

        References
        ----------
        Kuemmerer, M., Wallis, T. S. A., Gatys, L. A., Bethge, M. (2017). Understanding low- and
        high-level contributions to fixation prediction. ICCV, 4789-4798.
        """
        return separable(both[: len(both) // 2], *self._narrow)

    def contrast(self, both: np.ndarray) -> np.ndarray:
        """
        Local standard deviation of each channel: `sqrt(G * i^2 - (G * i)^2)`, G of one wavelength.

        Parameters
        ----------
        both : float32 array (2 * channel, height, width)
            The channels, then their squares.

        Returns
        -------
        planes : float32 array (channel, row, column)

        References
        ----------
        Kuemmerer, M., Wallis, T. S. A., Gatys, L. A., Bethge, M. (2017). ICCV, 4789-4798.
        """
        mean, square = np.split(separable(both, *self._wide), 2)
        variance = square - mean**2
        # below this, the difference of the two is rounding
        variance[variance < 1e-6 * square] = 0
        return np.sqrt(variance)

    def put(self, planes: np.ndarray, slots: Sequence[np.ndarray], index: int) -> None:
        """Pool one regressor of each channel, see `Scale.put`."""
        _put(self._pooler, planes, slots, index)


def _put(pooler, planes, slots, index):
    pooler.planes.transpose(1, 0, 2)[...] = planes
    for slot, pooled in zip(slots, pooler.pool(), strict=True):
        slot[:, index] = pooled.swapaxes(0, 1)


def _lattice(shortest, steps, placement, targets, shape, full):
    """Return the coarsest lattice of a scale that every target's cells can be pooled from."""
    wide = [
        t
        for t in targets
        if t[1] == "gaussian" and geometry.deviation(t[2]) >= sampling.STEPS[2][1]
    ]
    other = [t for t in targets if t not in wide]
    points = [sampling.centres(t[0], placement) for t in other if t[1] == "point"]
    phase = next(((float(y[0]), float(x[0])) for y, x in points if len(y) and len(x)), None)
    for step in (*steps, 1):
        if any(extent % step for extent in full):
            continue
        on_it = len(points) == len(other) and all(
            not ((along - first) % step).any()
            for centres in points
            for along, first in zip(centres, phase or (0, 0), strict=True)
        )
        if step == 1 or (shortest >= steps[step] and (on_it or shortest >= DENSE * step)):
            break
    return covering(step, phase or ((step - 1) / 2,) * 2, shape, sampling.BEYOND, full)


def to_targets(
    positions: Sequence[np.ndarray], placement: geometry.Placement, targets: Sequence[Target]
) -> list[tuple[np.ndarray, np.ndarray]]:
    """
    Matrices that interpolate values at some points and pool them to the cells of grids.

    Parameters
    ----------
    positions : (array (point,), array (point,))
        Evenly spaced rows and columns of the points in px.
    placement : geometry.Placement
    targets : sequence of (geometry.Grid, pool, width)

    Returns
    -------
    matrices : list of (float32 array (row, point), float32 array (column, point))
    """
    extents, matrices = (placement.height, placement.width), []
    for grid, pool, width in targets:
        if pool == "point":
            pair = [
                sampling.interpolation(points, np.clip(centres, 0, extent - 1))
                for points, centres, extent in zip(
                    positions, sampling.centres(grid, placement), extents, strict=True
                )
            ]
        else:
            pair = [
                matrix @ sampling.interpolation(points, np.arange(extent))
                for matrix, points, extent in zip(
                    geometry.layer_sampling(grid, placement, pool, width),
                    positions, extents, strict=True,
                )
            ]  # fmt: skip
        along_y, along_x = (matrix.astype(np.float32) for matrix in pair)
        matrices.append((along_y, along_x))
    return matrices


def clipped(
    positions: Sequence[np.ndarray], shape: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns of points, those beyond the image moved to its edge."""
    y, x = (np.clip(along, 0, n - 1) for along, n in zip(positions, shape, strict=True))
    return y, x


def evenly_spaced(extent: int, step: float) -> np.ndarray:
    """Points centred on a line of px, the outermost on its ends or beyond them."""
    n = int(np.ceil((extent - 1) / step)) + 1
    return (extent - 1) / 2 + step * (np.arange(n) - (n - 1) / 2)


def separable(planes: np.ndarray, along_y: np.ndarray, along_x: np.ndarray) -> np.ndarray:
    """
    Apply matrices along y and x.

    Parameters
    ----------
    planes : float32 array (..., y, x)
    along_y : float32 array (row, y)
    along_x : float32 array (column, x)

    Returns
    -------
    planes : float32 array (..., row, column)
    """
    lines = np.matmul(along_y, planes)
    flat = lines.reshape(-1, lines.shape[-1]) @ along_x.T
    return flat.reshape(*lines.shape[:-1], len(along_x))
