"""Mechanisms of perception beyond linear filters and their energies, each a group of regressors."""

import functools
import itertools
from collections.abc import Sequence

import numpy as np

from gaborscope.filters import context, fourier, rectified, second_order
from gaborscope.filters.controls import ControlBank
from gaborscope.filters.lattice import Spectra
from gaborscope.filters.loggabor import LogGaborBank
from gaborscope.filters.scales import FINE_STEPS, STEPS, Scale, Windows
from gaborscope.stimuli import geometry

# By mechanism, the kinds of its regressors.
KINDS = {
    "local_normalisation": ("locally_normalised",),
    "centre_surround": ("surround", "rectified_surround"),
    "centre_surround_oriented": ("oriented_surround", "rectified_oriented_surround"),
    "competition": ("competition",),
    "half_waves": ("half_even", "half_odd"),
    "intensity": ("intensity",),
    "contrast": ("contrast",),
    "second_order": ("second_order",),
    "second_order_oriented": ("second_order_oriented",),
    "log_energy": ("log_energy",),
    "rarity": ("rarity",),
    "grouping": ("grouping",),
}
NAMES = tuple(KINDS)
# Mechanisms that relate all scales of an image, in one step behind the others.
OF_ALL_SCALES = ("log_energy", "rarity", "grouping")

Row = tuple[str, int, int, int, str]


def rows(
    names: Sequence[str], n_scales: int, n_orientations: int, channels: Sequence[str]
) -> list[Row]:
    """
    Describe the regressors, as `Regressors.table` does.

    Parameters
    ----------
    names : sequence of str
        Some of `NAMES`; their order does not count.
    n_scales, n_orientations : int
        Of the bank.
    channels : sequence of str
        Names of the colour channels.

    Returns
    -------
    rows : list of (kind, scale, orientation, colour, name)
        Mechanism by mechanism, in each channel by channel, in each scale by scale. Scale and
        orientation are those of the first filters; -1 where there is none, and for the channel
        where all take part.
    """
    return [
        row
        for name in NAMES
        if name in names
        for row in (
            _rarity(n_scales, channels)
            if name == "rarity"
            else [
                (kind, scale, orientation, c, f"{channel} {words}")
                for c, channel in enumerate(channels)
                for kind, scale, orientation, words in _of_channel(name, n_scales, n_orientations)
            ]
        )
    ]


def _rarity(n_scales, channels):
    """Return the rows of the rarities, each of a group of filters."""
    named = [*channels, "all channels"]  # -1 is the last of them
    return [
        ("rarity", s, -1, c, f"{named[c]} rarity {width:g} {'all scales' if s < 0 else f's{s}'}")
        for c, s in context.groups(n_scales, len(channels))
        for width in context.PLACES
    ]


def _of_channel(name, n_scales, n_orientations):
    """Return kind, scale, orientation and words of the regressors of one channel."""
    filters = list(itertools.product(range(n_scales), range(n_orientations)))
    if name == "local_normalisation":
        return [
            ("locally_normalised", s, o, f"locally normalised {width:g} s{s} o{o}")
            for s, o in filters
            for width in rectified.POOLS
        ]
    if name == "centre_surround_oriented":
        kinds = dict(zip(("surround", "rectified"), KINDS[name], strict=True))
        return [
            (kinds[what], s, o, f"oriented {what} {centre:g}-{surround:g} s{s} o{o}")
            for s, o in filters
            for what, centre, surround in rectified.ORIENTED
        ]
    if name == "half_waves":
        return [
            (f"half_{part}", s, o, f"half-wave {part} s{s} o{o}")
            for s, o in filters
            for part in ("even", "odd")
        ]
    if name == "centre_surround":
        return [
            (kind, s, -1, f"{kind.replace('_', ' ')} {centre:g}-{surround:g} s{s}")
            for s in range(n_scales)
            for centre, surround in rectified.PAIRS
            for kind in KINDS[name]
        ]
    if name == "competition":
        return [
            (name, s, -1, f"competition {centre:g}-{surround:g} s{s}")
            for s in range(n_scales)
            for centre, surround in rectified.PAIRS
        ]
    if name == "log_energy":
        return [
            (name, s, -1, f"log energy {width:g} s{s}")
            for s in range(n_scales)
            for width in context.AROUND
        ]
    if name == "grouping":
        return [
            (name, s, -1, f"grouping {part} {radius:g} s{s}")
            for s in range(n_scales)
            for radius in context.RADII
            for part in context.PARTS
        ]
    if name in ("intensity", "contrast"):
        return [(name, s, -1, f"{name} s{s}") for s in range(n_scales)]
    if name == "second_order":
        return [
            (name, s, -1, f"second order {words} s{s}")
            for s in range(n_scales)
            for words in second_order.MEAN.labels
        ]
    return [
        (name, s, o, f"second order {words} of s{s} o{o}")
        for s, o in filters
        for words in second_order.ORIENTED.labels
    ]


class Mechanisms:
    """
    Steps from the channels of an image to the pooled regressors of some mechanisms.

    Responses are taken at the points of a lattice for each scale, see `scales.Scale`; each
    mechanism is computed there, then interpolated and pooled as `pools` says.

    Parameters
    ----------
    names : sequence of str
        Some of `NAMES`.
    bank : LogGaborBank or ControlBank
    shape : (int, int)
        Height and width of the images in px.
    boundary : {"symmetric", "periodic"}
    placement : geometry.Placement
    targets : sequence of (geometry.Grid, pool, width)
    n_channels : int
    """

    def __init__(
        self,
        names: Sequence[str],
        bank: LogGaborBank | ControlBank,
        shape: tuple[int, int],
        boundary: str,
        placement: geometry.Placement,
        targets: Sequence[tuple[geometry.Grid, str, float]],
        n_channels: int,
    ) -> None:
        self._n_channels = n_channels
        plain = bank.bank if isinstance(bank, ControlBank) else bank
        self._wavelengths = [float(w) for w in plain.wavelengths_px]
        n_scales, self._n_orientations = plain.n_scales, plain.n_orientations
        self._slots, first = {}, 0
        for name in (name for name in NAMES if name in names):
            n = len(rows([name], n_scales, self._n_orientations, "c" * n_channels))
            self._slots[name] = slice(first, first + n)
            first += n
        self.n_regressors = first
        of_energies = set(names) - {"half_waves", "intensity", "contrast", *OF_ALL_SCALES}
        self._scales, self._fine, self._second, self._windows = [], [], {}, []
        if of_energies or "half_waves" in names:
            full = shape if boundary == "periodic" else fourier.padded_shape(shape, bank.margin_px)
            self._spectra, gains = Spectra(shape, full, n_channels), bank.gains(full)
            gains = gains.reshape(n_scales, self._n_orientations, *full)
            self._scales, self._fine = (
                [
                    Scale(self._spectra, bank, s, gains[s], shape, placement, targets, steps)
                    for s in range(n_scales if wanted else 0)
                ]
                for steps, wanted in ((STEPS, of_energies), (FINE_STEPS, "half_waves" in names))
            )
        for name, form in (
            ("second_order", second_order.MEAN),
            ("second_order_oriented", second_order.ORIENTED),
        ):
            if name in names:
                self._second[name] = second_order.SecondOrder(
                    form, bank, shape, placement, targets, [s.lattice for s in self._scales]
                )
        self._context = None
        if set(OF_ALL_SCALES) & set(names):
            self._context = context.Context(
                self._wavelengths[-1], placement, targets, n_scales, plain.orientations, n_channels
            )
        if {"intensity", "contrast"} & set(names):
            self._windows = [
                Windows(wavelength, shape, placement, targets, n_channels)
                for wavelength in self._wavelengths
            ]

    def run(
        self, channels: np.ndarray, amplitude: np.ndarray, blocks: Sequence[np.ndarray]
    ) -> None:
        """
        Compute and pool all regressors of an image.

        Parameters
        ----------
        channels : real array (channel, height, width)
        amplitude : float32 array (channel, filter, row, column)
            At `context.target`; read for `OF_ALL_SCALES` alone.
        blocks : list of float32 array (K, row, column)
            Arrays to write to, one per target, in the order of `rows`.
        """
        slots = {
            name: [
                block[where]
                if name in OF_ALL_SCALES
                else block[where].reshape(self._n_channels, -1, *block.shape[1:])
                for block in blocks
            ]
            for name, where in self._slots.items()
        }
        if self._scales or self._fine:
            self._spectra.analyse(channels)
        for s, scale in enumerate(self._fine):
            self._half_waves(s, scale, slots["half_waves"])
        for s, scale in enumerate(self._scales):
            self._of_scale(s, scale, slots)
        if self._context is not None:
            self._context.analyse(amplitude)
            for name in OF_ALL_SCALES:
                if name in slots:
                    self._context.put(name, slots[name])
        if self._windows:
            both = np.concatenate([channels, channels**2]).astype(np.float32)
            for s, windows in enumerate(self._windows):
                for name in ("intensity", "contrast"):
                    if name in slots:
                        windows.put(getattr(windows, name)(both), slots[name], s)

    def _half_waves(self, s, scale, slots):
        """Fill in the half-waves of one scale."""
        for o, response in enumerate(scale.responses()):
            for part, values in enumerate((response.real, response.imag)):
                index = 2 * (self._n_orientations * s + o) + part
                scale.put(np.maximum(values, 0), slots, index)

    def _of_scale(self, s, scale, slots):
        """Fill in the regressors of one scale that come from its energies."""
        n = self._n_orientations
        scale.analyse()
        for name, per_filter, maps in (
            ("local_normalisation", rectified.POOLS, rectified.normalised),
            ("centre_surround_oriented", rectified.ORIENTED, rectified.oriented_differences),
        ):
            for index, planes in enumerate(maps(scale)) if name in slots else ():
                scale.put(planes, slots[name], len(per_filter) * n * s + index)
        if {"centre_surround", "competition"} & set(slots):
            for pair, difference in enumerate(rectified.differences(scale)):
                index = len(rectified.PAIRS) * s + pair
                positive = np.maximum(difference, 0)
                if "centre_surround" in slots:
                    scale.put(difference, slots["centre_surround"], 2 * index)
                    scale.put(positive, slots["centre_surround"], 2 * index + 1)
                if "competition" in slots:
                    promoted = rectified.promoted(positive, scale.inside)
                    scale.put(promoted, slots["competition"], index)
        for name, second in self._second.items():
            second.run(s, scale, slots[name])


@functools.lru_cache(maxsize=4)
def mechanisms(
    names: tuple[str, ...],
    bank: LogGaborBank | ControlBank,
    shape: tuple[int, int],
    boundary: str,
    placement: geometry.Placement,
    targets: tuple[tuple[geometry.Grid, str, float], ...],
    n_channels: int,
) -> Mechanisms:
    """
    Make the steps, once in this process; parameters as for `Mechanisms`, hashable.

    Returns
    -------
    mechanisms : Mechanisms
    """
    return Mechanisms(names, bank, shape, boundary, placement, targets, n_channels)
