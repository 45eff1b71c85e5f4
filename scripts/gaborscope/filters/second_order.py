"""Second order: log-Gabors over the logarithm of energies (filter, rectify, filter)."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from gaborscope.filters import sampling
from gaborscope.filters.controls import ControlBank
from gaborscope.filters.lattice import Lattice
from gaborscope.filters.loggabor import LogGaborBank
from gaborscope.filters.pooling import Pooler
from gaborscope.filters.scales import Scale, Target, clipped, evenly_spaced, separable, to_targets
from gaborscope.stimuli import geometry

# Shortest second wavelength, in longest wavelengths of the bank; each is FACTOR times the last.
SHORTEST, FACTOR = 1.5, 2.0
# Points to the shortest second wavelength, and standard deviation of the low pass in points.
POINTS, LOW_PASS = 4, 2 / 3
# Energies below this (units of the channel) count as none.
FAINT = 0.005
PARTS = ("even", "odd", "amplitude")


@dataclasses.dataclass(frozen=True)
class Form:
    """Number of second wavelengths and orientations, and whether first filters are averaged."""

    n_wavelengths: int
    n_orientations: int
    oriented: bool

    @property
    def labels(self) -> list[str]:
        """Words for the regressors of one first map: part, wavelength, orientation."""
        return [
            f"{part} x{SHORTEST * FACTOR**w:g} o{o}"
            for w in range(self.n_wavelengths)
            for o in range(self.n_orientations)
            for part in PARTS
        ]


MEAN, ORIENTED = Form(3, 4, oriented=False), Form(2, 2, oriented=True)


def points(
    longest: float, shape: tuple[int, int], lattices: Sequence[Lattice]
) -> tuple[list[np.ndarray], list[tuple[np.ndarray, np.ndarray]]]:
    """
    Points a quarter of the shortest second wavelength apart, and the means of amplitudes there.

    Parameters
    ----------
    longest : float
        Longest wavelength of the bank in px.
    shape : (int, int)
        Height and width of the images in px.
    lattices : sequence of Lattice
        By scale, where its amplitudes are taken.

    Returns
    -------
    positions : list of float array (point,)
        Rows and columns in px.
    matrices : list of (float32 array (row, point), float32 array (column, point))
        By scale, from the lattice to means over small windows at the points.
    """
    step = SHORTEST * longest / POINTS
    positions = [evenly_spaced(extent, step) for extent in shape]
    centres = clipped(positions, shape)
    return positions, [
        sampling.windows(lattice, centres, LOW_PASS * step, shape) for lattice in lattices
    ]


class SecondOrder:
    """
    Log-Gabors over `log(1 + E / FAINT)`, E the amplitudes of a scale averaged over a small window.

    E is taken at points a quarter of the shortest second wavelength apart, the second filters at
    the same points, mirrored at the edges.

    Parameters
    ----------
    form : Form
    bank : LogGaborBank or ControlBank
        A control bank replaces the second filters too.
    shape : (int, int)
        Height and width of the images in px.
    placement : geometry.Placement
    targets : sequence of (geometry.Grid, pool, width)
    lattices : sequence of Lattice
        By scale, where its amplitudes are taken.

    References
    ----------
    Landy, M. S., Graham, N. (2004). Visual perception of texture. The Visual Neurosciences,
    1106-1118.
    """

    def __init__(
        self,
        form: Form,
        bank: LogGaborBank | ControlBank,
        shape: tuple[int, int],
        placement: geometry.Placement,
        targets: Sequence[Target],
        lattices: Sequence[Lattice],
    ) -> None:
        self.form = form
        plain = bank.bank if isinstance(bank, ControlBank) else bank
        positions, self._low_pass = points(float(plain.wavelengths_px[-1]), shape, lattices)
        second = LogGaborBank(
            form.n_wavelengths, form.n_orientations, float(POINTS), FACTOR, plain.bandwidth_ratio
        )
        if isinstance(bank, ControlBank):
            second = ControlBank(bank.control, second, bank.draw)
        self._bank = second.prepare((len(positions[0]), len(positions[1])))
        self._pooler = Pooler(to_targets(positions, placement, targets), second.n_filters * 3)

    def run(self, s: int, scale: Scale, slots: Sequence[np.ndarray]) -> None:
        """
        Fill in the regressors of one first scale.

        Parameters
        ----------
        s : int
            Its number.
        scale : Scale
        slots : list of float32 array (channel, regressor, row, column)
            By target.
        """
        first = scale.amplitude if self.form.oriented else np.sqrt(scale.energy)[None]
        maps = np.log1p(np.maximum(separable(first, *self._low_pass[s]), 0) / FAINT)
        planes = self._pooler.planes
        n = planes.shape[1]
        for o, of_filter in enumerate(maps):
            for c, one in enumerate(of_filter):
                self._bank.analyse(one)
                for filters, responses in self._bank.responses():
                    part = slice(3 * filters.start, 3 * filters.stop)
                    where = planes[:, part].transpose(1, 0, 2)
                    where[0::3], where[1::3] = responses.real, responses.imag
                    where[2::3] = np.abs(responses)
                start = n * (len(maps) * s + o)
                for slot, pooled in zip(slots, self._pooler.pool(), strict=True):
                    slot[c, start : start + n] = pooled.swapaxes(0, 1)
