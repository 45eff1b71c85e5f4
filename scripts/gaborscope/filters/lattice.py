"""Responses on a lattice coarser than the pixels: the spectrum is folded before it is inverted."""

import dataclasses
from collections.abc import Sequence

import numpy as np
import pyfftw

from gaborscope.filters import fourier

# Gains up to this count as 0 (their peak is 2): they would add about the rounding of float32 to a
# response.
NEGLIGIBLE = 1e-6

# Most points of a lattice for which all channels are transformed together: their buffers then stay
# in the cache.
TOGETHER_PIXELS = 1 << 16


@dataclasses.dataclass(frozen=True)
class Lattice:
    """
    Evenly spaced points of an image.

    Attributes
    ----------
    step : int
        Distance of neighbouring points in px, along both axes.
    first : (float, float)
        Row and column of the first point in px of the image; any real number.
    count : (int, int)
        Points along y and x.
    """

    step: int
    first: tuple[float, float]
    count: tuple[int, int]

    def positions(self, axis: int) -> np.ndarray:
        """Rows (axis 0) or columns (axis 1) of the points in px, float64 array (count[axis],)."""
        return self.first[axis] + self.step * np.arange(self.count[axis])


def covering(
    step: int,
    phase: tuple[float, float],
    shape: tuple[int, int],
    beyond: int = 0,
    full: tuple[int, int] | None = None,
) -> Lattice:
    """
    Lattice of all points that lie on an image, given the step and one point.

    Parameters
    ----------
    step : int
    phase : (float, float)
        Row and column of any point of the lattice, in px.
    shape : (int, int)
        Height and width of the image in px, which reaches from -0.5 to height - 0.5.
    beyond : int
        Points to add on every side; fewer if `full` has no room for them.
    full : (int, int), optional
        Height and width in px after which the image repeats.

    Returns
    -------
    lattice : Lattice
    """
    first = [(p + 0.5) % step - 0.5 for p in phase]
    count = [
        max(1, int(np.ceil((extent - 0.5 - p) / step)))
        for extent, p in zip(shape, first, strict=True)
    ]
    if full is not None:
        room = (wide // step - n for wide, n in zip(full, count, strict=True))
        beyond = max(0, min(beyond, *(n // 2 for n in room)))
    y, x = (p - beyond * step for p in first)
    rows, columns = (n + 2 * beyond for n in count)
    return Lattice(step, (y, x), (rows, columns))


class Spectra:
    """
    Spectra of the channels of an image, padded, stored transposed: (channel, f_x, f_y).

    Not thread-safe: one instance belongs to one thread.

    Parameters
    ----------
    shape : (int, int)
        Height and width of the image in px.
    full : (int, int)
        Height and width after mirror padding; equal to `shape` for none.
    n_channels : int
    """

    def __init__(self, shape: tuple[int, int], full: tuple[int, int], n_channels: int) -> None:
        self.full = full
        self.origin = tuple((wide - extent) // 2 for wide, extent in zip(full, shape, strict=True))
        self._mirror = [
            _mirrored(extent, wide, first)
            for extent, wide, first in zip(shape, full, self.origin, strict=True)
        ]
        self._image = pyfftw.zeros_aligned(full, "complex64")
        self.values = pyfftw.empty_aligned((n_channels, *full[::-1]), "complex64")
        flags = (fourier.PLANNING["estimate"],)
        self._plans = [
            pyfftw.FFTW(self._image, spectrum.T, (0, 1), "FFTW_FORWARD", flags, 1)
            for spectrum in self.values
        ]

    def analyse(self, channels: np.ndarray) -> None:
        """
        Take the spectra of an image.

        Parameters
        ----------
        channels : real array (channel, height, width)
        """
        rows, columns = self._mirror
        for channel, plan in zip(channels, self._plans, strict=True):
            self._image.real[...] = channel.take(columns, axis=1).take(rows, axis=0)
            plan.execute()


def _mirrored(extent, wide, first):
    """Return the pixel at each place of a line mirrored at both ends, the edge pixel repeated."""
    index = (np.arange(wide) - first) % (2 * extent)
    return np.minimum(index, 2 * extent - 1 - index)


class Folded:
    """
    Responses of several filters on the points of a lattice.

    A response sampled every d px has the spectrum `sum_j Z(k + j N / d)`. So the spectrum is cut
    into d x d parts, each is multiplied by its part of the gain, and the products are added. The
    inverse transform of the sum, with 1/d of the size, is exact at the points. At points between
    pixels it is trigonometric interpolation. A lattice that does not start on a pixel is reached
    by a phase factor.

    Parameters
    ----------
    spectra : Spectra
    lattice : Lattice
        Its step divides both sides of the spectra.
    gains : sequence of array (height, width)
        Transfer functions on the frequencies of `numpy.fft.fftfreq`, real or complex.
    low_pass : (array (height,), array (width,)), optional
        Two factors that every gain is multiplied by.
    """

    def __init__(
        self,
        spectra: Spectra,
        lattice: Lattice,
        gains: Sequence[np.ndarray] | np.ndarray,
        low_pass: Sequence[np.ndarray] | None = None,
    ) -> None:
        self.lattice, self._spectra = lattice, spectra
        rows, columns = (extent // lattice.step for extent in spectra.full)
        n = len(spectra.values) if rows * columns <= TOGETHER_PIXELS else 1
        self._product = pyfftw.zeros_aligned((n, columns, rows), "complex64")
        self._lines = pyfftw.empty_aligned((n, columns, rows), "complex64")
        self._responses = pyfftw.empty_aligned(
            (len(spectra.values), lattice.count[0], columns), "complex64"
        )
        self._room = pyfftw.empty_aligned(self._product.size, "complex64")
        flags, backward = (fourier.PLANNING["estimate"],), "FFTW_BACKWARD"
        self._along = pyfftw.FFTW(self._product, self._lines, (2,), backward, flags, 1)
        lines = self._lines[:, :, : lattice.count[0]]
        self._across = [
            pyfftw.FFTW(
                lines, self._responses[k : k + n].transpose(0, 2, 1), (1,), backward, flags, 1
            )
            for k in range(0, len(spectra.values), n)
        ]
        self._phases = [
            np.exp(2j * np.pi * np.fft.fftfreq(full) * (first + origin)).astype(np.complex64)
            for full, first, origin in zip(spectra.full, lattice.first, spectra.origin, strict=True)
        ]
        parts = [self._cut(gain, low_pass) for gain in gains]
        self._used = _passed(parts, spectra.full[1])
        self._shifted = pyfftw.zeros_aligned(spectra.values.shape, "complex64")
        groups = range(0, len(spectra.values), n)
        self._bound = [
            [self._bind(of_filter, self._shifted[k : k + n]) for k in groups] for of_filter in parts
        ]

    def __len__(self) -> int:
        """Return the number of filters."""
        return len(self._bound)

    @property
    def n_bytes(self) -> int:
        """Number of bytes of all gains."""
        return sum(gain.nbytes for (group, *_) in self._bound for _, gain, *_ in group)

    def analyse(self) -> None:
        """Take the spectra of the image analysed last, shifted to the lattice's first point."""
        along_y, along_x = self._phases
        for run in self._used:
            moved = self._shifted[:, run]
            np.multiply(self._spectra.values[:, run], along_y, out=moved)
            moved *= along_x[run, None]

    def responses(self, index: int) -> np.ndarray:
        """
        Responses of one filter at the points of the lattice.

        Parameters
        ----------
        index : int
            Index of the filter among `gains`.

        Returns
        -------
        responses : complex64 array (channel, row, column)
            A view that the next call overwrites.
        """
        for across, (first, *further) in zip(self._across, self._bound[index], strict=True):
            self._product.fill(0)
            source, gain, target, _ = first
            np.multiply(source, gain, out=target)
            for source, gain, target, room in further:
                np.multiply(source, gain, out=room)
                target += room
            self._along.execute()
            across.execute()
        return self._responses[:, :, : self.lattice.count[1]]

    def _bind(self, parts, spectra):
        """Return views of the buffers for each part of a gain: source, gain, target, room."""
        bound = []
        for columns, rows, folded_columns, folded_rows, gain in parts:
            source = spectra[:, columns, rows].view(gain.dtype)
            target = self._product[:, folded_columns, folded_rows].view(gain.dtype)
            room = self._room.view(gain.dtype)[: source.size].reshape(source.shape)
            bound.append((source, gain, target, room))
        return bound

    def _cut(self, gain, low_pass):
        """Return the parts of a gain that are not 0: source, target and gain; largest first."""
        height, width = self._spectra.full
        step, lines = self.lattice.step, gain.T
        if low_pass is not None:
            lines = lines * low_pass[0] * low_pass[1][:, None]
        passed = np.abs(lines) > NEGLIGIBLE
        parts, (rows, columns) = [], (height // step, width // step)
        for left in range(0, width, columns):
            for top in range(0, height, rows):
                block = passed[left : left + columns, top : top + rows]
                x, y = np.flatnonzero(block.any(axis=1)), np.flatnonzero(block.any(axis=0))
                if not x.size:
                    continue
                x, y = slice(int(x[0]), int(x[-1]) + 1), slice(int(y[0]), int(y[-1]) + 1)
                source = (
                    slice(left + x.start, left + x.stop),
                    slice(top + y.start, top + y.stop),
                )
                values = lines[source] / (height * width)
                if np.iscomplexobj(values):
                    values = values.astype(np.complex64)
                else:  # as a real product: once for the real and once for the imaginary part
                    values = np.repeat(values.astype(np.float32), 2, axis=1)
                parts.append((*source, x, y, values))
        if not parts:  # the gain is 0 everywhere
            corner = slice(0, 1)
            parts.append((corner, corner, corner, corner, np.zeros((1, 2), np.float32)))
        return sorted(parts, key=lambda part: -part[-1].size)


def _passed(parts, width):
    """Return the columns of the spectrum that any filter passes, in as few slices as possible."""
    passed = np.zeros(width + 2, int)
    for columns, *_ in (part for of_filter in parts for part in of_filter):
        passed[1:-1][columns] = 1
    edges = np.flatnonzero(np.diff(passed))
    return [slice(int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True)]
