"""Take bands, orientations and colours out of an image, or random parts of equal energy."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from gaborscope.explanation import layers as layer_tools
from gaborscope.filters import fourier, loggabor
from gaborscope.stimuli import colour as colours

NOTCH_FAMILIES = ("band", "orientation", "colour")  # `faithfulness.families` of the config
STEPS = 14  # halvings in the search for the depth, which is exact to 1 part in 16,000


def from_opponent(channels: np.ndarray, space: str) -> np.ndarray:
    """
    Return the RGB image of channels in a colour space: the inverse of `colour.to_opponent`.

    Parameters
    ----------
    channels : float array (3, height, width)
    space : {"yuv", "lab", "dkl", "rgb"}

    Returns
    -------
    image : float64 array (height, width, 3)
        Gamma-encoded. Values lie in 0..255, or outside it for colours that RGB cannot show.
    """
    values = np.moveaxis(np.asarray(channels, dtype=float), 0, -1)
    if space == "rgb":
        return 255 * values
    if space == "yuv":
        return 255 * values @ np.linalg.inv(colours.RGB_TO_YUV).T
    xyz = _xyz_of_lab(values) if space == "lab" else _xyz_of_dkl(values)
    return 255 * _encode(xyz @ np.linalg.inv(colours.LINEAR_RGB_TO_XYZ).T)


def _xyz_of_lab(values):
    lightness, a, b = np.moveaxis(values, -1, 0)
    y = (lightness + 0.16) / 1.16
    cube = np.stack([y + a / 5, y, y - b / 2], axis=-1)
    ratio = np.where(cube > 6 / 29, cube**3, 3 * (6 / 29) ** 2 * (cube - 4 / 29))
    return ratio * colours.LINEAR_RGB_TO_XYZ.sum(axis=1)


def _xyz_of_dkl(values):
    luminance, red_green, blue = np.moveaxis(values, -1, 0)
    lms = np.stack(
        [luminance + red_green / 2, luminance - red_green / 2, blue + luminance], axis=-1
    )
    white = colours.XYZ_TO_LMS @ colours.LINEAR_RGB_TO_XYZ.sum(axis=1)
    return (lms * white) @ np.linalg.inv(colours.XYZ_TO_LMS).T


def _encode(linear):
    """Return gamma-encoded sRGB of linear light; the linear part of the curve goes on below 0."""
    curved = 1.055 * np.maximum(linear, 0.0031308) ** (1 / 2.4) - 0.055
    return np.where(linear <= 0.0031308, 12.92 * linear, curved)


@dataclasses.dataclass(frozen=True)
class Notch:
    """
    A part of the spectrum that is taken out of an image.

    Attributes
    ----------
    family : {"band", "orientation", "colour", "filter"}
    channel : int
        Index of a channel of the opponent space.
    scale : int or None
        Index of a scale of the bank. The number of scales means the frequencies below the coarsest
        scale; None means all.
    orientation : int or None
        Index of an orientation; None means all.
    """

    family: str
    channel: int
    scale: int | None = None
    orientation: int | None = None

    def cells(self, bank: loggabor.LogGaborBank) -> np.ndarray:
        """Return the cells that the notch takes out, bool array (3, cell); see `partition`."""
        mask = np.zeros((3, bank.n_filters + 1), bool)
        oriented = mask[self.channel, :-1].reshape(bank.n_scales, bank.n_orientations)
        scales = slice(None) if self.scale is None else slice(self.scale, self.scale + 1)
        orientations = slice(None) if self.orientation is None else self.orientation
        oriented[scales, orientations] = True
        mask[self.channel, -1] = self.orientation is None and self.scale in (None, bank.n_scales)
        return mask

    def described(self, bank: loggabor.LogGaborBank, channels: Sequence[str]) -> dict[str, Any]:
        """
        Return a description of the notch, as columns of a table.

        Parameters
        ----------
        bank : loggabor.LogGaborBank
        channels : sequence of str

        Returns
        -------
        row : dict
            `notch` (in words), `family`, `colour`, `wavelength_px` (of the network's input) and
            `orientation_deg`, which are nan if the notch takes all of them.
        """
        name, wavelength, degrees = channels[self.channel], np.nan, np.nan
        if self.scale == bank.n_scales:
            name += f" above {bank.wavelengths_px[-1] * bank.scale_factor**0.5:.3g} px"
        elif self.scale is not None:
            wavelength = bank.wavelengths_px[self.scale]
            name += f" {wavelength:.3g} px"
        if self.orientation is not None:
            degrees = float(np.degrees(bank.orientations[self.orientation]))
            name += f" {degrees:.3g} deg"
        return {
            "notch": name,
            "family": self.family,
            "colour": channels[self.channel],
            "wavelength_px": wavelength,
            "orientation_deg": degrees,
        }


def candidates(bank: loggabor.LogGaborBank, families: Sequence[str]) -> list[Notch]:
    """
    List all notches of the given families.

    Parameters
    ----------
    bank : loggabor.LogGaborBank
    families : sequence of str
        `band`: one scale of a channel, all orientations. `orientation`: one orientation of a
        channel, all scales. `colour`: a channel except its mean. `filter`: one scale and
        orientation of a channel, or its frequencies below the coarsest scale.

    Returns
    -------
    notches : list of Notch
    """
    notches = []
    for channel in range(3):
        if "band" in families:
            notches += [Notch("band", channel, scale=s) for s in range(bank.n_scales + 1)]
        if "orientation" in families:
            notches += [
                Notch("orientation", channel, orientation=o) for o in range(bank.n_orientations)
            ]
        if "colour" in families:
            notches.append(Notch("colour", channel))
        if "filter" in families:
            notches += [
                Notch("filter", channel, scale, orientation)
                for scale in range(bank.n_scales)
                for orientation in range(bank.n_orientations)
            ]
            notches.append(Notch("filter", channel, scale=bank.n_scales))
    return notches


def partition(bank: loggabor.LogGaborBank, shape: tuple[int, int]) -> np.ndarray:
    """
    Divide the frequencies of a spectrum among cells, one cell for each frequency except 0.

    Parameters
    ----------
    bank : loggabor.LogGaborBank
    shape : (int, int)
        Rows and columns of the discrete spectrum.

    Returns
    -------
    index : int array (shape)
        Index of the cell: `scale * n_orientations + orientation` of the nearest filter, where
        wavelengths are compared by their logarithm. Frequencies more than half a step below the
        coarsest scale have the index `n_filters`, without orientation. Frequency 0 has -1. A
        frequency and its opposite have the same index.
    """
    radius, angle = loggabor.frequencies(shape)
    with np.errstate(divide="ignore"):
        steps = np.log(1 / (radius * bank.min_wavelength_px)) / np.log(bank.scale_factor)
    steps[0, 0] = bank.n_scales
    scale = np.clip(np.rint(steps), 0, bank.n_scales).astype(int)
    turn = np.pi / bank.n_orientations
    orientation = np.rint(np.mod(angle, np.pi) / turn).astype(int) % bank.n_orientations
    index = np.where(
        scale == bank.n_scales, bank.n_filters, scale * bank.n_orientations + orientation
    )
    # with an even length, the highest frequency stands for both signs: make both halves agree
    opposite = np.roll(index[::-1, ::-1], (1, 1), axis=(0, 1))
    index = np.minimum(index, opposite)
    index[0, 0] = -1
    return index


class Notcher:
    """
    An image divided into the cells of a bank.

    Parameters
    ----------
    content : uint8 array (height, width, 3)
        RGB.
    settings : dict
        Settings of the regressors: `bank` and `colour`.
    """

    def __init__(self, content: np.ndarray, settings: Mapping[str, Any]) -> None:
        self.content, self.space = content, settings["colour"]
        self.bank, _ = layer_tools.bank_and_channels(settings)
        self.channels = colours.to_opponent(content, self.space).astype(float)
        full = fourier.padded_shape(content.shape[:2], self.bank.margin_px)
        padded = []
        for channel in self.channels:
            mirrored, origin = fourier.mirror_pad(channel, full)
            padded.append(mirrored)
        self.spectra = np.fft.fft2(np.stack(padded))
        self.index = partition(self.bank, full)
        self._window = tuple(
            slice(first, first + extent)
            for first, extent in zip(origin, content.shape[:2], strict=True)
        )
        self._round_trip = from_opponent(self.channels, self.space)

    def component(self, cells: np.ndarray, factor: np.ndarray | complex = 1) -> np.ndarray:
        """
        Part of the image that lies in some cells.

        Parameters
        ----------
        cells : bool array (3, cell)
        factor : complex array (shape of the spectrum), optional

        Returns
        -------
        component : float64 array (3, height, width)
            In the opponent space. All cells together give the image without the mean of the padded
            image.
        """
        # frequency 0 has the index -1, so it reads the last entry, which is False
        taken = np.pad(cells, ((0, 0), (0, 1)))[:, self.index]
        parts = np.fft.ifft2(self.spectra * taken * factor).real
        return parts[(slice(None), *self._window)]

    def without(self, component: np.ndarray, depth: float = 1.0) -> np.ndarray:
        """
        Return the image minus a component.

        Parameters
        ----------
        component : float array (3, height, width)
        depth : float
            Factor of the component.

        Returns
        -------
        image : float64 array (height, width, 3)
            RGB, not clipped to 0..255.
        """
        changed = from_opponent(self.channels - depth * component, self.space)
        return self.content + (changed - self._round_trip)

    def energy(self, component: np.ndarray, depth: float = 1.0) -> float:
        """Return the mean squared change of the image (RGB, clipped) minus a component."""
        return energy(clipped(self.without(component, depth)), self.content)

    def depth_of(self, component: np.ndarray, target: float, most: float = 1.0) -> float:
        """
        Find the depth at which a component takes a given energy out of the image.

        Parameters
        ----------
        component : float array (3, height, width)
        target : float
            See `energy`.
        most : float
            Largest depth.

        Returns
        -------
        depth : float
            `most` if that depth takes out less than the target.
        """
        low, high = 0.0, most
        if self.energy(component, most) <= target:
            return most
        for _ in range(STEPS):
            middle = (low + high) / 2
            low, high = (middle, high) if self.energy(component, middle) < target else (low, middle)
        return (low + high) / 2

    def random_cells(
        self, spared: np.ndarray, target: float, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        """
        Draw cells at random, as many as are needed to hold a given energy.

        Parameters
        ----------
        spared : bool array (3, cell)
            Cells that are not drawn.
        target : float
            See `energy`.
        rng : numpy.random.Generator

        Returns
        -------
        component : float64 array (3, height, width)
            Component of the drawn cells. It holds less than `target` only if all cells do that may
            be drawn.
        cells : bool array (3, cell)
            The drawn cells.
        """
        order = rng.permutation(np.flatnonzero(~spared))
        held = np.cumsum(self._held().ravel()[order])
        n = int(np.searchsorted(held, target)) + 1
        while True:
            cells = np.zeros(spared.size, bool)
            cells[order[:n]] = True
            cells = cells.reshape(spared.shape)
            component = self.component(cells)
            if n >= len(order) or self.energy(component) >= target:
                return component, cells
            n = min(len(order), n + max(1, n // 8))

    def _held(self):
        """Estimate the energy of every cell; exact in a linear space without clipping."""
        n_cells = self.bank.n_filters + 1
        power = np.abs(self.spectra) ** 2 / self.index.size**2
        kept = self.index >= 0
        energies = np.stack(
            [
                np.bincount(self.index[kept], channel_power[kept], minlength=n_cells)
                for channel_power in power
            ]
        )
        middle = self.channels.mean(axis=(1, 2))[:, None, None]
        for channel in range(3):
            step = np.zeros((3, 1, 1))
            step[channel] = 1e-3
            change = from_opponent(middle + step, self.space) - from_opponent(middle, self.space)
            energies[channel] *= (change**2).mean() / 1e-6
        return energies

    def random_phases(self, cells: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """
        Return the component of some cells with random phases, scaled to its former energy.

        Parameters
        ----------
        cells : bool array (3, cell)
        rng : numpy.random.Generator

        Returns
        -------
        component : float64 array (3, height, width)
            All channels have the same phase shifts.
        """
        noise = np.fft.fft2(rng.standard_normal(self.index.shape))
        original = self.component(cells)
        scrambled = self.component(cells, noise / np.abs(noise))
        norm = np.sqrt((scrambled**2).sum())
        return scrambled * (np.sqrt((original**2).sum()) / norm if norm > 0 else 0)


def clipped(image: np.ndarray) -> np.ndarray:
    """Return an RGB image rounded and clipped to 0..255, uint8."""
    return np.clip(np.rint(image), 0, 255).astype(np.uint8)


def energy(image: np.ndarray, other: np.ndarray) -> float:
    """Mean squared difference of two RGB images, per value."""
    return float(((np.asarray(image, float) - np.asarray(other, float)) ** 2).mean())
