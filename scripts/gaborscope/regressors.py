"""Regressors of a layer: log-Gabor responses of a stimulus, pooled to the layer's grid."""

import dataclasses

import numpy as np

from gaborscope import colour, geometry
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
    """

    bank: dict
    colour: str
    kinds: tuple
    residual: bool
    normalisation: bool
    position: bool
    boundary: str

    def table(self):
        """
        Describe each regressor.

        Returns
        -------
        table : dict of str to array (K,)
            `kind` (even, odd, amplitude, normalised, residual, position), `scale` and
            `orientation` (indices, -1 where there is none), `colour` (channel index, -1 for
            position), `name`.
        """
        rows = []
        channels = colour.CHANNELS[self.colour]
        kinds = [kind for kind in RESPONSE_KINDS if kind in self.kinds]
        kinds += ["normalised"] if self.normalisation else []
        for c, channel in enumerate(channels):
            for scale in range(self.bank["n_scales"]):
                for orientation in range(self.bank["n_orientations"]):
                    for kind in kinds:
                        name = f"{channel} {kind} s{scale} o{orientation}"
                        rows.append((kind, scale, orientation, c, name))
            if self.residual:
                rows.append(("residual", -1, -1, c, f"{channel} residual"))
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
        samplers = [geometry.layer_sampling(grid, placement, *how) for grid, *how in targets]
        bank = LogGaborBank(**self.bank)
        prepared = bank.prepare(content.shape[:2], self.boundary)
        sampler = _Sampler(samplers, content.shape[:2])
        parts = [[] for _ in samplers]
        for channel in colour.to_opponent(content, self.colour):
            prepared.analyse(channel)
            for pooled, part in zip(self._channel(prepared, bank, sampler), parts, strict=True):
                part.append(pooled)
        if self.position:
            for (grid, *_), part in zip(targets, parts, strict=True):
                part.append(_position(grid, placement))
        return [np.concatenate(part) for part in parts]

    def _channel(self, prepared, bank, sampler):
        """Yield the pooled responses of one colour channel, one array per target."""
        names = [k for k in ("even", "odd", "amplitude") if k in self.kinds]
        keep = [RESPONSE_KINDS.index(kind) for kind in names]
        pooled = sampler.maps(bank.n_filters)
        for filters, responses in prepared.responses():
            sampler.responses(responses, [maps[filters] for maps in pooled])
        residual = sampler.plain(prepared.residual()) if self.residual else None
        for target, maps in enumerate(pooled):  # (filter, row, 3, column)
            n_kinds = len(keep) + self.normalisation
            n_maps = bank.n_filters * n_kinds
            found = np.empty((n_maps + self.residual, maps.shape[1], maps.shape[3]), np.float32)
            by_filter = found[:n_maps].reshape(bank.n_filters, n_kinds, *found.shape[1:])
            for column, kind in enumerate(keep):
                by_filter[:, column] = maps[:, :, kind]
            if self.normalisation:
                by_filter[:, -1] = _normalised(maps[:, :, 2], bank.n_scales)
            if residual is not None:
                found[-1] = residual[target]
            yield found


class _Sampler:
    """Pools full-resolution responses to several grids while they are in cache."""

    def __init__(self, samplers, shape):
        self._shapes = [(len(along_y), len(along_x)) for along_y, along_x in samplers]
        # one product for all grids runs nearer the peak than one for each
        self._along_y = np.concatenate([along_y for along_y, _ in samplers])
        self._along_x = [np.ascontiguousarray(along_x.T) for _, along_x in samplers]
        self._planes = np.empty((shape[0], 3, shape[1]), np.float32)
        self._reduced = np.empty((len(self._along_y), 3, shape[1]), np.float32)

    def maps(self, n):
        """Return room for the maps of n filters, (filter, row, 3, column) for every grid."""
        return [np.empty((n, rows, 3, columns), np.float32) for rows, columns in self._shapes]

    def responses(self, responses, maps):
        """Pool a block of complex responses to even, odd and amplitude on every grid."""
        height, _, width = self._planes.shape
        for index, response in enumerate(responses):
            self._planes[:, 0] = response.real
            self._planes[:, 1] = response.imag
            np.abs(response, out=self._planes[:, 2])
            self._reduce(self._planes.reshape(height, -1), self._reduced)
            self._along(self._reduced, [pooled[index] for pooled in maps])

    def plain(self, image):
        """Return one real image on every grid."""
        maps = [np.empty((rows, 1, columns), np.float32) for rows, columns in self._shapes]
        reduced = np.empty((len(self._along_y), 1, image.shape[1]), np.float32)
        self._reduce(np.ascontiguousarray(image), reduced)
        self._along(reduced, maps)
        return [pooled[:, 0] for pooled in maps]

    def _reduce(self, planes, reduced):
        """Sample along y, for all grids at once."""
        np.matmul(self._along_y, planes, out=reduced.reshape(len(reduced), -1))

    def _along(self, reduced, maps):
        """Sample along x, for each grid its own rows."""
        first = 0
        for (rows, columns), pooled, along_x in zip(self._shapes, maps, self._along_x, strict=True):
            # shapes in full: a grid may have no cell in the content of a long narrow stimulus
            lines = reduced[first : first + rows]
            n = rows * lines.shape[1]
            np.matmul(lines.reshape(n, lines.shape[2]), along_x, out=pooled.reshape(n, columns))
            first += rows


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
