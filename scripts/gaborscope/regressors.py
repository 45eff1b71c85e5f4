"""Regressors of a layer: log-Gabor responses of a stimulus, pooled to the layer's grid."""

import dataclasses
import functools
import itertools

import numpy as np

from gaborscope import colour, geometry, secondstage
from gaborscope.controls import ControlBank
from gaborscope.loggabor import LogGaborBank

RESPONSE_KINDS = ("even", "odd", "amplitude")
POSITION_TERMS = ("x", "y", "xx", "yy", "xy", "centre")


@dataclasses.dataclass(frozen=True)
class Regressors:
    """
    Which regressors an explanation has.

    Attributes
    ----------
    bank : mapping
        Arguments of `LogGaborBank`; wavelengths in px of the network's input.
    colour : {"yuv", "lab", "dkl", "rgb"}
    kinds : sequence of {"even", "odd", "amplitude"}
        Parts of the response that enter.
    residual : bool
        Whether the low-pass residual of each channel enters.
    normalisation : bool
        Whether amplitudes divided by the pooled energy of their scale and channel enter as well
        (surround suppression).
    position : bool
        Whether low-order polynomials of position and a centre Gaussian enter.
    boundary : {"symmetric", "periodic"}
    control : {"random", "pixel"}, optional
        Another bank in the place of the log-Gabors, see `controls`.
    second_stage : bool
        Whether amplitudes of the first colour channel, filtered again at coarser scales, enter,
        see `secondstage`.
    """

    bank: dict
    colour: str
    kinds: tuple
    residual: bool
    normalisation: bool
    position: bool
    boundary: str
    control: str | None = None
    second_stage: bool = False

    def table(self):
        """
        Describe each regressor.

        Returns
        -------
        table : dict of str to array (K,)
            `kind` (even, odd, amplitude, normalised, residual, second_stage, position), `scale`
            and `orientation` (indices, -1 where there is none), `colour` (channel index, -1 for
            position), `name`.
        """
        rows = []
        channels = colour.CHANNELS[self.colour]
        kinds = self._response_kinds()
        kinds += ["normalised"] if self.normalisation else []
        for c, channel in enumerate(channels):
            for scale in range(self.bank["n_scales"]):
                for orientation in range(self.bank["n_orientations"]):
                    for kind in kinds:
                        name = f"{channel} {kind} s{scale} o{orientation}"
                        rows.append((kind, scale, orientation, c, name))
            if self.residual:
                rows.append(("residual", -1, -1, c, f"{channel} residual"))
        if self.second_stage:
            rows += secondstage.rows(self.bank, self._response_kinds(), channels[0])
        if self.position:
            rows += [("position", -1, -1, -1, f"position {term}") for term in POSITION_TERMS]
        kind, scale, orientation, channel, name = zip(*rows, strict=True)
        return {
            "kind": np.array(kind),
            "scale": np.array(scale, dtype=np.int32),
            "orientation": np.array(orientation, dtype=np.int32),
            "colour": np.array(channel, dtype=np.int32),
            "name": np.array(name),
        }

    def compute(self, content, placement, targets):
        """
        Regressors of one stimulus on several grids, its responses computed once.

        Parameters
        ----------
        content : uint8 array (placement.height, placement.width, 3)
            The stimulus, resized, without padding.
        placement : geometry.Placement
        targets : sequence of (geometry.Grid, pool, width)
            Grids with the pooling of each, see `geometry.sampling_matrix`.

        Returns
        -------
        maps : list of float32 array (K, row, column)
            One per target, on the cells whose centre lies in the content.
        """
        bank = LogGaborBank(**self.bank)
        if self.control is not None:
            bank = ControlBank(self.control, bank)
        prepared = bank.prepare(content.shape[:2], self.boundary)
        sampler = _sampler(placement, tuple(targets))
        n_channel = bank.n_filters * (len(self.kinds) + self.normalisation) + self.residual
        channels = colour.to_opponent(content, self.colour)
        n_first = n_channel * len(channels)
        n = n_first + self._n_second() + self.position * len(POSITION_TERMS)
        maps = [np.empty((n, *shape), np.float32) for shape in sampler.shapes]
        pooled = sampler.maps(bank.n_filters)
        for number, channel in enumerate(channels):
            prepared.analyse(channel)
            own = slice(number * n_channel, (number + 1) * n_channel)
            self._channel(prepared, bank, sampler, pooled, [found[own] for found in maps])
        if self.second_stage:
            self._second(channels[0], sampler, [found[n_first:] for found in maps])
        if self.position:
            for (grid, *_), found in zip(targets, maps, strict=True):
                found[-len(POSITION_TERMS) :] = _position(grid, placement)
        return maps

    def _response_kinds(self):
        return [kind for kind in RESPONSE_KINDS if kind in self.kinds]

    def _n_second(self):
        """Return the number of regressors of the second stage."""
        if not self.second_stage:
            return 0
        return len(secondstage.rows(self.bank, self._response_kinds(), ""))

    def _second(self, channel, sampler, found):
        """Fill in the pooled responses of the second stage, one array per target."""
        keep = [RESPONSE_KINDS.index(kind) for kind in self._response_kinds()]
        first = 0
        for responses in secondstage.responses(channel, self.bank, self.boundary, self.control):
            pooled = sampler.maps(len(responses))  # (orientation, row, 3, column) each
            sampler.responses(responses, pooled)
            last = first + len(responses) * len(keep)
            for maps, target in zip(pooled, found, strict=True):
                kept = maps[:, :, keep].swapaxes(1, 2)
                target[first:last] = kept.reshape(last - first, maps.shape[1], maps.shape[3])
            first = last

    def _channel(self, prepared, bank, sampler, pooled, found):
        """Fill in the pooled responses of one colour channel, one array per target."""
        keep = [RESPONSE_KINDS.index(kind) for kind in self._response_kinds()]
        for filters, responses in prepared.responses():
            sampler.responses(responses, [maps[filters] for maps in pooled])
        residual = sampler.plain(prepared.residual()) if self.residual else None
        n_kinds = len(keep) + self.normalisation
        n_maps = bank.n_filters * n_kinds
        for target, maps in enumerate(pooled):  # (filter, row, 3, column)
            by_filter = found[target][:n_maps].reshape(
                bank.n_filters, n_kinds, maps.shape[1], maps.shape[3]
            )
            for column, kind in enumerate(keep):
                by_filter[:, column] = maps[:, :, kind]
            if self.normalisation:
                by_filter[:, -1] = _normalised(maps[:, :, 2], bank.n_scales)
            if residual is not None:
                found[target][-1] = residual[target]


class _Sampler:
    """Pools full-resolution responses to several grids while they are in cache."""

    def __init__(self, samplers, shape):
        self.shapes = [(len(along_y), len(along_x)) for along_y, along_x in samplers]
        self._products, self._rows = _products([along_y for along_y, _ in samplers])
        self._along_x = [np.ascontiguousarray(along_x.T) for _, along_x in samplers]
        self._amplitude = np.empty(shape, np.float32)
        n_rows = sum(rows for rows, _ in self.shapes)
        self._lines = np.empty((n_rows, shape[1]), np.complex64)
        self._reduced = np.empty((n_rows, 3, shape[1]), np.float32)
        # more rows than the stimulus has: it is less work to take even and odd apart first
        self._planes = np.empty((shape[0], 3, shape[1]), np.float32) if n_rows > shape[0] else None

    def maps(self, n):
        """Return room for the maps of n filters, (filter, row, 3, column) for every grid."""
        return [np.empty((n, rows, 3, columns), np.float32) for rows, columns in self.shapes]

    def responses(self, responses, maps):
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

    def plain(self, image):
        """Return one real image on every grid."""
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
        """Sample along x; two-dimensional products, others are four times slower."""
        n, width = reduced.shape[1:]
        for rows, pooled, along_x in zip(self._rows, maps, self._along_x, strict=True):
            # shapes in full: a grid may have no cell in the content of a long narrow stimulus
            size = (rows.stop - rows.start) * n
            np.matmul(
                reduced[rows].reshape(size, width),
                along_x,
                out=pooled.reshape(size, along_x.shape[1]),
            )


def _flat(planes):
    return planes.reshape(len(planes), planes.shape[1] * planes.shape[2])


@functools.lru_cache(maxsize=8)
def _sampler(placement, targets):
    samplers = [geometry.layer_sampling(grid, placement, *how) for grid, *how in targets]
    return _Sampler(samplers, (placement.height, placement.width))


# Rows that a product must have to run at half of its best speed, and the cost of a call in
# products of one row and one pixel (with 3 x 192 columns; 2 cores of an AMD EPYC).
HALF_SPEED_ROWS, CALL = 9, 100


def _products(matrices):
    """
    Products that apply several sampling matrices to the same pixels, few and small ones.

    A matrix that looks at few pixels at a time is cut into runs of rows, each with its own pixels;
    the others are joined.

    Returns
    -------
    products : list of (slice, slice, float32 array)
        Rows of the outcome, rows of pixels, matrix.
    rows : list of slice
        Rows of the outcome that belong to each matrix.
    """
    cut = [_runs(matrix) for matrix in matrices]
    joined = [index for index, runs in enumerate(cut) if len(runs) == 1]
    alone = [index for index, runs in enumerate(cut) if len(runs) > 1]
    rows, first = [None] * len(matrices), 0
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
    """Cut a sampling matrix into runs of rows with the pixels they look at, where that pays."""
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


def _normalised(amplitude, n_scales):
    """Return amplitudes over the root mean square of their scale, in space and orientation."""
    by_scale = amplitude.reshape(n_scales, -1, *amplitude.shape[1:])
    energy = np.sqrt((by_scale**2).mean(axis=(1, 2, 3), keepdims=True))
    local = np.sqrt((by_scale**2).mean(axis=1, keepdims=True))
    return (by_scale / (energy + local + 1e-4)).reshape(amplitude.shape)


def _position(grid, placement):
    """Return the position terms on the valid cells, in units of half the content's size."""
    axes = []
    for axis, cells, first, extent in zip(
        (0, 1),
        grid.cells(placement),
        (placement.top, placement.left),
        (placement.height, placement.width),
        strict=True,
    ):
        centres = grid.offset[axis] + grid.stride[axis] * np.arange(cells.start, cells.stop)
        axes.append((centres - first + 0.5) / extent * 2 - 1)
    y, x = np.meshgrid(*axes, indexing="ij")
    terms = [x, y, x**2, y**2, x * y, np.exp(-(x**2 + y**2) / (2 * 0.5**2))]
    return np.stack(terms).astype(np.float32)
