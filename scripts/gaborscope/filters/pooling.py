"""Pooling: from pixels, or from points of a lattice, to the cells of several grids at once."""

import itertools
from collections.abc import Iterable, Sequence

import numpy as np


class Pooler:
    """
    Applies the sampling matrices of several grids to planes of pixels while they are in cache.

    Parameters
    ----------
    samplers : sequence of (float32 array (row, pixel), float32 array (column, pixel))
        Matrices along y and x for each grid, see `geometry.sampling_matrix`.
    n_planes : int
        Planes that are pooled together.
    """

    def __init__(self, samplers: Sequence[tuple[np.ndarray, np.ndarray]], n_planes: int) -> None:
        self.shapes = [(len(along_y), len(along_x)) for along_y, along_x in samplers]
        self._products, self._rows = joint_products([along_y for along_y, _ in samplers])
        self._along_x = [np.ascontiguousarray(along_x.T) for _, along_x in samplers]
        height, width = (matrix.shape[1] for matrix in samplers[0])
        #: buffer for the planes, (pixel row, plane, pixel column)
        self.planes = np.empty((height, n_planes, width), np.float32)
        self._lines = np.empty((sum(rows for rows, _ in self.shapes), n_planes, width), np.float32)

    def pool(self) -> list[np.ndarray]:
        """
        Pool `planes` to every grid.

        Returns
        -------
        pooled : list of float32 array (row, plane, column)
            One per grid.
        """
        self._along_columns(_flat(self.planes), _flat(self._lines))
        n, width = self._lines.shape[1:]
        pooled = []
        for rows, along_x in zip(self._rows, self._along_x, strict=True):
            # two-dimensional products: others are four times slower. Shapes without -1: a grid may
            # have no cell in the content of a long narrow stimulus
            size = (rows.stop - rows.start) * n
            product = self._lines[rows].reshape(size, width) @ along_x
            pooled.append(product.reshape(rows.stop - rows.start, n, along_x.shape[1]))
        return pooled

    def _along_columns(self, pixels, lines):
        for rows, pixel_rows, matrix in self._products:
            np.matmul(matrix, pixels[pixel_rows], out=lines[rows])


class Sampler:
    """
    Pools complex responses at all px to several grids while they are in cache.

    Parameters
    ----------
    samplers : sequence of (float32 array (row, pixel), float32 array (column, pixel))
        Matrices along y and x for each grid, see `geometry.sampling_matrix`.
    shape : (int, int)
        Height and width of the responses in px.
    """

    def __init__(
        self, samplers: Sequence[tuple[np.ndarray, np.ndarray]], shape: tuple[int, int]
    ) -> None:
        self.shapes = [(len(along_y), len(along_x)) for along_y, along_x in samplers]
        self._products, self._rows = joint_products([along_y for along_y, _ in samplers])
        self._along_x = [np.ascontiguousarray(along_x.T) for _, along_x in samplers]
        self._amplitude = np.empty(shape, np.float32)
        n_rows = sum(rows for rows, _ in self.shapes)
        self._lines = np.empty((n_rows, shape[1]), np.complex64)
        self._reduced = np.empty((n_rows, 3, shape[1]), np.float32)
        # with more rows than the stimulus has it is faster to separate even and odd first
        self._planes = np.empty((shape[0], 3, shape[1]), np.float32) if n_rows > shape[0] else None

    def maps(self, n: int) -> list[np.ndarray]:
        """Return room for the maps of n filters, (filter, row, 3, column) for every grid."""
        return [np.empty((n, rows, 3, columns), np.float32) for rows, columns in self.shapes]

    def responses(self, responses: Iterable[np.ndarray], maps: Sequence[np.ndarray]) -> None:
        """Pool a block of complex responses to even, odd and amplitude on every grid."""
        for index, response in enumerate(responses):
            if self._planes is not None:
                self._planes[:, 0] = response.real
                self._planes[:, 1] = response.imag
                np.abs(response, out=self._planes[:, 2])
                self._along_columns(_flat(self._planes), _flat(self._reduced))
            else:
                np.abs(response, out=self._amplitude)
                self._along_columns(response.view(np.float32), self._lines.view(np.float32))
                self._along_columns(self._amplitude, self._reduced[:, 2])
                self._reduced[:, 0] = self._lines.real
                self._reduced[:, 1] = self._lines.imag
            self._along_rows(self._reduced, [pooled[index] for pooled in maps])

    def plain(self, image: np.ndarray) -> list[np.ndarray]:
        """Return one real image pooled to every grid."""
        maps = [np.empty((rows, 1, columns), np.float32) for rows, columns in self.shapes]
        reduced = np.empty((len(self._reduced), 1, image.shape[1]), np.float32)
        self._along_columns(np.ascontiguousarray(image), _flat(reduced))
        self._along_rows(reduced, maps)
        return [pooled[:, 0] for pooled in maps]

    def _along_columns(self, pixels, lines):
        """Sample along y, for all grids."""
        for rows, pixel_rows, matrix in self._products:
            np.matmul(matrix, pixels[pixel_rows], out=lines[rows])

    def _along_rows(self, reduced, maps):
        """Sample along x, by two-dimensional products: others are four times slower."""
        n, width = reduced.shape[1:]
        for rows, pooled, along_x in zip(self._rows, maps, self._along_x, strict=True):
            # shapes without -1: a grid may have no cell in the content of a long narrow stimulus
            size = (rows.stop - rows.start) * n
            np.matmul(
                reduced[rows].reshape(size, width),
                along_x,
                out=pooled.reshape(size, along_x.shape[1]),
            )


def _flat(planes):
    return planes.reshape(len(planes), planes.shape[1] * planes.shape[2])


# HALF_SPEED_ROWS: rows at which a product runs at half of its best speed. CALL: cost of a call, in
# products of one row and one pixel. (Measured with 3 x 192 columns on 2 cores of an AMD EPYC.)
HALF_SPEED_ROWS, CALL = 9, 100


def joint_products(
    matrices: Sequence[np.ndarray],
) -> tuple[list[tuple[slice, slice, np.ndarray]], list[slice]]:
    """
    Few and small products that apply several sampling matrices to the same pixels.

    A matrix whose rows use few pixels each is cut into runs of rows, each with the pixels that it
    uses. All other matrices are joined into one.

    Returns
    -------
    products : list of (slice, slice, float32 array)
        Rows of the result, rows of pixels, matrix.
    rows : list of slice
        Rows of the result that belong to each matrix.
    """
    cut = [_runs(matrix) for matrix in matrices]
    joined = [index for index, runs in enumerate(cut) if len(runs) == 1]
    alone = [index for index, runs in enumerate(cut) if len(runs) > 1]
    rows, first = [slice(0)] * len(matrices), 0
    for index in joined + alone:
        rows[index] = slice(first, first + len(matrices[index]))
        first = rows[index].stop
    products = []
    if joined:
        together = np.concatenate([matrices[index] for index in joined])
        products.append((slice(0, len(together)), slice(None), together))
    for index in alone:
        start = rows[index].start
        for run, pixels in cut[index]:
            part = np.ascontiguousarray(matrices[index][run, pixels])
            products.append((slice(start + run.start, start + run.stop), pixels, part))
    return products, rows


def _runs(matrix):
    """Cut a sampling matrix into runs of rows with the pixels they use, if that saves time."""
    best, best_cost = [(slice(0, len(matrix)), slice(None))], np.inf
    for n in range(1, len(matrix) // 4 + 1):
        edges = np.linspace(0, len(matrix), n + 1).round().astype(int)
        runs, cost = [], 0
        for start, stop in itertools.pairwise(edges.tolist()):
            seen = np.flatnonzero(matrix[start:stop].any(axis=0))
            runs.append((slice(start, stop), slice(int(seen[0]), int(seen[-1]) + 1)))
            cost += len(seen) * (stop - start + HALF_SPEED_ROWS) + CALL
        if cost < best_cost:
            best, best_cost = runs, cost
    return best
