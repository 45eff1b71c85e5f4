"""Points at which to take responses, so that pooling them equals pooling from all px."""

import math
from collections.abc import Sequence

import numpy as np

from gaborscope.filters.lattice import Lattice, covering
from gaborscope.stimuli import geometry

# STEPS: px between points at which amplitudes are taken to be averaged over a window, each with the
# shortest wavelength and the least standard deviation of the window (px) that allow it. Broad
# filters need wavelengths BROADER times as long. The average differs from that over all px by at
# most TOLERANCE of its mean, and on photographs by at most TOLERANCE of its standard deviation
# (root mean square over the cells; measured in docs/performance.md, tested in
# tests/filters/test_sampling.py).
STEPS = {4: (12.0, 2.3), 2: (3.0, 2.0)}
TOLERANCE, BROADER = 0.03, 4 / 3

# Points of a lattice beyond each side of the image; windows at the edges use them as well.
BEYOND = 2

# Gaussian windows on even and odd responses are applied to the spectrum if their standard deviation
# is at most this share of the mirrored margin. A wider window is split: it is applied to the
# spectrum up to this share, and the rest, at least one step wide, to the points of a lattice.
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
        Rows and columns of the cells whose centre lies in the content.
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

    All other targets are pooled from responses at all px: boxes, narrow Gaussians, points whose
    stride is not a whole number, and strips of an image without a cell.

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
    Distance in px between the points at which an amplitude is taken to be averaged.

    Parameters
    ----------
    wavelength : float
        Wavelength of the filter in px.
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
    Lattices that hold the centres of all cells, as coarse as possible.

    Parameters
    ----------
    grids : sequence of geometry.Grid
        Grids with whole numbers as strides.
    all_centres : sequence of (array, array)
        Centres of the cells of each grid, see `centres`.
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
        for index, cell_centres in enumerate(all_centres):
            phase = tuple(float(along[0] % step) for along in cell_centres)
            groups.setdefault(phase, []).append(index)
        # one lattice of half the step costs no more than several, down to a step of 2
        if len(groups) == 1 or step <= 2:
            break
        step //= 2
    return [
        (covering(step, phase, shape, BEYOND, full), indices) for phase, indices in groups.items()
    ]


def window_lattice(
    grid: geometry.Grid,
    cell_centres: tuple[np.ndarray, np.ndarray],
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
    cell_centres : (array, array)
        Centres of its cells, see `centres`.
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
        Standard deviations of the window applied to the spectrum, and of the window applied to
        the points of the lattice. `rest` is 0 if the lattice holds the centres of all cells.
    """
    most = SHARE_OF_MARGIN * margin
    step = _common_step(grid.stride, full)
    if deviation <= most and all(float(stride).is_integer() for stride in grid.stride):
        first = float(cell_centres[0][0]), float(cell_centres[1][0])
        return covering(step, first, shape), deviation, 0.0
    step = max(s for s in (1, 2, 4) if all(n % s == 0 for n in full) and (s == 1 or s <= most / 2))
    rest = max(float(step), math.sqrt(max(deviation**2 - most**2, 0.0)))
    rest = min(rest, deviation)
    applied = math.sqrt(deviation**2 - rest**2)
    return tiling(step, shape, full), applied, rest


def tiling(step: int, shape: tuple[int, int], full: tuple[int, int]) -> Lattice:
    """
    Return the lattice of the centres of squares of `step` px, with points beyond the image.

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


def places(lattice: Lattice, cell_centres: tuple[np.ndarray, np.ndarray]) -> tuple[slice, slice]:
    """
    Points of a lattice at which the centres of a grid lie.

    Parameters
    ----------
    lattice : Lattice
    cell_centres : (array, array)
        Centres of the grid's cells, see `centres`.

    Returns
    -------
    places : (slice, slice)
        Along y and x.
    """
    slices = []
    for along, first in zip(cell_centres, lattice.first, strict=True):
        start = round((along[0] - first) / lattice.step)
        stride = round((along[1] - along[0]) / lattice.step) if len(along) > 1 else 1
        slices.append(slice(start, start + stride * (len(along) - 1) + 1, stride))
    along_y, along_x = slices
    return along_y, along_x


def windows(
    lattice: Lattice,
    cell_centres: tuple[np.ndarray, np.ndarray],
    deviation: float,
    shape: tuple[int, int],
) -> tuple[np.ndarray, np.ndarray]:
    """
    Matrices of Gaussian windows that end at the image, over the points of a lattice.

    The weight of a point is the window's value there times the point's share of the image. The
    share is the sum of its weights in the cubic interpolation of all px of the image from the
    points: equal for points inside the image, 0 for points far beyond it, and between these for
    points near an edge.

    Parameters
    ----------
    lattice : Lattice
        With `BEYOND` points beyond the image on each side; without them all shares are 1.
    cell_centres : (array, array)
        Centres of the grid's cells, see `centres`.
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
    for axis, along in enumerate(cell_centres):
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
        Evenly spaced, rising; with fewer than four points the polynomial is of lower degree.
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
        rest = [j for j in range(n) if j != k]
        weight = np.prod([(place - j) / (k - j) for j in rest], axis=0) if rest else 1.0
        matrix[np.arange(len(pixels)), first + k] = weight
    return matrix


def _common_step(strides, full):
    """Return the largest power of two that divides all strides and sizes."""
    step = 1
    while all(n % (2 * step) == 0 for n in (*strides, *full)):
        step *= 2
    return step
