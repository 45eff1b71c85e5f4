"""Where responses are taken so that what is pooled from them is what all px would give."""

import math
from collections.abc import Sequence

import numpy as np

from gaborscope.filters.lattice import Lattice, covering
from gaborscope.stimuli import geometry

# Amplitudes that are averaged over a window are taken at every second or fourth px from these
# wavelengths and standard deviations of the window on (px); of broad filters from wavelengths that
# are BROADER times as long. The average differs from that of all px by at most TOLERANCE of its
# mean, and on photographs of its standard deviation (root mean square over the cells; measured in
# docs/performance.md, tested in tests/test_sampling.py).
STEPS = {4: (12.0, 2.3), 2: (3.0, 2.0)}
TOLERANCE, BROADER = 0.03, 4 / 3

# Points of a lattice on each side of the image, of what the windows at its edges are made too.
BEYOND = 2

# A Gaussian window on even and odd responses is applied to the spectrum as far as the mirrored
# margin allows: up to a standard deviation of this share of it. What a wider window has beyond that
# is applied to the points of a lattice, at least one deviation of which is a step.
SHARE_OF_MARGIN = 1 / 3


def centres(grid: geometry.Grid, placement: geometry.Placement) -> tuple[np.ndarray, np.ndarray]:
    """
    Centres of a layer's cells in px of the content.

    Parameters
    ----------
    grid : geometry.Grid
    placement : geometry.Placement

    Returns
    -------
    centres : (float64 array (row,), float64 array (column,))
        Of the cells whose centre lies in the content, y and x.
    """
    y, x = (
        grid.offset[axis] + grid.stride[axis] * np.arange(cells.start, cells.stop) - first
        for axis, cells, first in zip(
            (0, 1), grid.cells(placement), (placement.top, placement.left), strict=True
        )
    )
    return y, x


def handles(target: tuple[geometry.Grid, str, float], placement: geometry.Placement) -> bool:
    """
    Whether a target's regressors come from the points of lattices.

    Others are pooled from responses at all px: boxes, narrow Gaussians, points of broken stride,
    strips of an image without any cell.

    Parameters
    ----------
    target : (geometry.Grid, str, float)
        Grid, kind of pooling, its width in px.
    placement : geometry.Placement

    Returns
    -------
    handles : bool
    """
    grid, pool, width = target
    inside = all(
        -0.5 <= along[0] and along[-1] < extent - 0.5
        for along, extent in zip(
            centres(grid, placement), (placement.height, placement.width), strict=True
        )
    )
    if pool == "point":
        return inside and all(float(stride).is_integer() for stride in grid.stride)
    return inside and pool == "gaussian" and geometry.deviation(width) >= STEPS[2][1]


def amplitude_step(wavelength: float, broad: bool, deviation: float, full: tuple[int, int]) -> int:
    """
    Px between the points at which an amplitude is taken that is averaged over windows.

    Parameters
    ----------
    wavelength : float
        Of the filter in px.
    broad : bool
        Whether the filter passes more than an octave and a half, or 60 degrees.
    deviation : float
        Standard deviation of the narrowest window in px.
    full : (int, int)
        Size of the transforms in px, which a step has to divide.

    Returns
    -------
    step : int
    """
    for step, (shortest, narrowest) in STEPS.items():
        fine = wavelength >= (BROADER if broad else 1) * shortest and deviation >= narrowest
        if fine and all(extent % step == 0 for extent in full):
            return step
    return 1


def point_lattices(
    grids: Sequence[geometry.Grid],
    all_centres: Sequence[tuple[np.ndarray, np.ndarray]],
    shape: tuple[int, int],
    full: tuple[int, int],
) -> list[tuple[Lattice, list[int]]]:
    """
    Lattices that hold the centres of all cells, as coarse as they may be.

    Parameters
    ----------
    grids : sequence of geometry.Grid
        Whose strides are whole numbers.
    all_centres : sequence of (array, array)
        Their `centres`.
    shape, full : (int, int)
        Size of the image and of the transforms in px.

    Returns
    -------
    lattices : list of (Lattice, list of int)
        Each with the indices of its grids.
    """
    step = _common_step([stride for grid in grids for stride in grid.stride], full)
    while True:
        groups = {}
        for index, own in enumerate(all_centres):
            phase = tuple(float(along[0] % step) for along in own)
            groups.setdefault(phase, []).append(index)
        # one lattice of half the step costs no more than several, down to a step of 2
        if len(groups) == 1 or step <= 2:
            break
        step //= 2
    return [(covering(step, phase, shape, BEYOND, full), own) for phase, own in groups.items()]


def window_lattice(
    grid: geometry.Grid,
    own: tuple[np.ndarray, np.ndarray],
    deviation: float,
    shape: tuple[int, int],
    full: tuple[int, int],
    margin: float,
) -> tuple[Lattice, float, float]:
    """
    Lattice on which even and odd responses under a Gaussian window are taken.

    Parameters
    ----------
    grid : geometry.Grid
    own : (array, array)
        Its `centres`.
    deviation : float
        Standard deviation of the window in px.
    shape, full : (int, int)
        Size of the image and of the transforms in px.
    margin : float
        Mirrored px beside the image; infinite where it wraps around.

    Returns
    -------
    lattice : Lattice
    applied, rest : float
        Standard deviations of the windows that are applied to the spectrum, and to the points of
        the lattice (0: the lattice holds the centres of all cells).
    """
    most = SHARE_OF_MARGIN * margin
    step = _common_step(grid.stride, full)
    if deviation <= most and all(float(stride).is_integer() for stride in grid.stride):
        return covering(step, (float(own[0][0]), float(own[1][0])), shape), deviation, 0.0
    step = max(s for s in (1, 2, 4) if all(n % s == 0 for n in full) and (s == 1 or s <= most / 2))
    rest = max(float(step), math.sqrt(max(deviation**2 - most**2, 0.0)))
    rest = min(rest, deviation)
    applied = math.sqrt(deviation**2 - rest**2)
    return tiling(step, shape, full), applied, rest


def tiling(step: int, shape: tuple[int, int], full: tuple[int, int]) -> Lattice:
    """
    Return the lattice in the middle of squares of `step` px, with some points beside the image.

    Parameters
    ----------
    step : int
    shape, full : (int, int)
        Size of the image and of the transforms in px.

    Returns
    -------
    lattice : Lattice
    """
    return covering(step, ((step - 1) / 2,) * 2, shape, BEYOND, full)


def places(lattice: Lattice, own: tuple[np.ndarray, np.ndarray]) -> tuple[slice, slice]:
    """
    Where the centres of a grid lie among the points of a lattice.

    Parameters
    ----------
    lattice : Lattice
    own : (array, array)
        Centres, see `centres`.

    Returns
    -------
    places : (slice, slice)
        Along y and x.
    """
    found = []
    for along, first in zip(own, lattice.first, strict=True):
        start = round((along[0] - first) / lattice.step)
        stride = round((along[1] - along[0]) / lattice.step) if len(along) > 1 else 1
        found.append(slice(start, start + stride * (len(along) - 1) + 1, stride))
    along_y, along_x = found
    return along_y, along_x


def windows(
    lattice: Lattice, own: tuple[np.ndarray, np.ndarray], deviation: float, shape: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """
    Matrices of Gaussian windows that end at the image, over the points of a lattice.

    A point weighs as much as the window there, times the share of px of the image that cubic
    interpolation of what the points hold would take from it: 1 inside the image, 0 beyond, and
    between these where the image ends between two points.

    Parameters
    ----------
    lattice : Lattice
        With `BEYOND` points beside the image; without, weights are taken at the points alone.
    own : (array, array)
        Centres, see `centres`.
    deviation : float
        Standard deviation in px.
    shape : (int, int)
        Height and width of the image in px.

    Returns
    -------
    along_y : float32 array (row, point)
    along_x : float32 array (column, point)
    """
    matrices = []
    for axis, along in enumerate(own):
        points = lattice.positions(axis)
        share = 1.0
        if points[0] < -0.5 and points[-1] > shape[axis] - 0.5:
            share = interpolation(points, np.arange(shape[axis])).sum(axis=0)
        matrix = geometry.gaussian_matrix(points, along, deviation) * share
        matrices.append((matrix / matrix.sum(axis=1, keepdims=True)).astype(np.float32))
    return tuple(matrices)


def interpolation(points: np.ndarray, pixels: np.ndarray) -> np.ndarray:
    """
    Matrix of the cubic polynomial through the four points nearest to each px.

    Parameters
    ----------
    points : float array (point,)
        Evenly spaced, rising; of fewer than four points the polynomial is of lower degree.
    pixels : array (pixel,)

    Returns
    -------
    matrix : float64 array (pixel, point)
        Rows sum to 1.
    """
    n = min(4, len(points))
    step = points[1] - points[0] if len(points) > 1 else 1.0
    before = np.floor((pixels - points[0]) / step).astype(int) - (n // 2 - 1)
    first = np.clip(before, 0, len(points) - n)
    matrix = np.zeros((len(pixels), len(points)))
    place = (pixels - points[first]) / step
    for k in range(n):
        others = [j for j in range(n) if j != k]
        weight = np.prod([(place - j) / (k - j) for j in others], axis=0) if others else 1.0
        matrix[np.arange(len(pixels)), first + k] = weight
    return matrix


def _common_step(strides, full):
    """Largest power of two that divides strides and sizes."""
    step = 1
    while all(n % (2 * step) == 0 for n in (*strides, *full)):
        step *= 2
    return step
