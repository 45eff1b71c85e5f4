"""What the page and the figure of one explained photograph show, as numbers, names and pictures."""

from __future__ import annotations

import base64
import dataclasses
import functools
import io
import math
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib
import numpy as np
from PIL import Image

from gaborscope.explanation.attribution import PARTITIONS, Attribution
from gaborscope.filters.loggabor import LogGaborBank
from gaborscope.scoring import fidelity
from gaborscope.scoring.metrics import cc
from gaborscope.stimuli import colour as colours
from gaborscope.stimuli import densities, geometry

UNSIGNED, SIGNED = "viridis", "PuOr_r"
WORDS = {
    "Y": "luminance", "U": "blue-yellow", "V": "red-cyan",
    "L": "luminance", "a": "red-green", "b": "yellow-blue",
    "L+M": "luminance", "L-M": "red-green", "S-(L+M)": "violet-lime",
    "R": "red", "G": "green", "B": "blue",
}  # fmt: skip
TITLES = {
    "band": "Bands (wavelength)",
    "orientation": "Orientations",
    "colour": "Colours",
    "layer": "Layers of the network",
}
N_FILTERS = 4  # named at each peak
ANY = "any"  # band or orientation: mechanisms that take all of them together
ALL = "all orientations"  # in the name of a filter
PATCH = 96  # px of the square that filters are drawn in


@dataclasses.dataclass(frozen=True)
class Content:
    """
    One photograph and what was found in it.

    Attributes
    ----------
    name : str
        Of the file.
    image : uint8 array (height, width, 3)
        As it was explained.
    size : (int, int)
        Height and width of the file's picture in px; larger than `image` if that was bounded.
    explanation, network : str
        What to call them.
    deep : float array (height, width) or None
        Density of the network; None where its weights are not at hand.
    explained, centre_bias : float array (height, width)
        Densities, sum 1.
    attribution : Attribution or None
        None where the explanation has no gradient by the image, which `missing` says.
    missing : str
    box : geometry.Box
        The network's input.
    bank : LogGaborBank
    channels : tuple of str
    space : str
        Colour space.
    layers : list of str
    origin : str
        What was fitted on the photograph, as a sentence; empty if nothing is known of it.
    beside : sequence of str
        Sentences on the fidelity of the explanation over test stimuli, beside its nulls.
    """

    name: str
    image: np.ndarray
    size: tuple[int, int]
    explanation: str
    network: str
    deep: np.ndarray | None
    explained: np.ndarray
    centre_bias: np.ndarray
    attribution: Attribution | None
    missing: str
    box: geometry.Box
    bank: LogGaborBank | None
    channels: tuple[str, ...]
    space: str
    layers: Sequence[str]
    origin: str = ""
    beside: Sequence[str] = ()

    @property
    def scale(self) -> float:
        """Px of the photograph's file in a px of the network's input."""
        placement = geometry.place(self.image.shape[:2], self.box)
        return self.size[1] / placement.width

    def wavelength(self, scale: int) -> float:
        """Wavelength of a scale of the bank in px of the photograph."""
        return float(self.bank.wavelengths_px[scale]) * self.scale if self.bank else math.nan

    def members(self, partition: str) -> dict[int, str]:
        """
        Return the names of the members of a partition that add something, by number.

        Parameters
        ----------
        partition : str
            One of `attribution.PARTITIONS`.

        Returns
        -------
        names : dict of int to str
        """
        if self.attribution is None:
            return {}
        own = self.attribution.maps[partition]
        kept = [member for member, values in own.items() if np.abs(values).max() > 1e-6]
        return {member: self._word(partition, member) for member in _at_end(kept)}

    def _word(self, partition, member):
        if partition == "layer":
            return self.layers[member]
        if member < 0:
            return self._without(partition)
        if partition == "band":
            return f"{self.wavelength(member):.0f} px"
        if partition == "colour":
            return WORDS.get(self.channels[member], self.channels[member])
        return f"{self.orientation(member):.0f}°"

    def _without(self, partition):
        """Name the regressors without a member: the low-pass residual, or mechanisms as well."""
        key = {"band": "scale", "orientation": "orientation"}.get(partition)
        if key is None or self.attribution is None:
            return "others"
        table = self.attribution.table
        others = set(table["kind"][table[key] < 0]) - {"residual", "position"}
        return ANY if others else "low-pass"

    def orientation(self, index: int) -> float:
        """Angle of a filter's wave vector in degrees: 0 are vertical stripes, 90 horizontal."""
        return float(np.degrees(self.bank.orientations[index])) if self.bank else math.nan

    def strongest(self, peak: int) -> list[dict[str, Any]]:
        """
        Return the filters that add or take away most at a peak, all kinds and layers together.

        Mechanisms that take all orientations of a band together count as one filter.

        Parameters
        ----------
        peak : int

        Returns
        -------
        filters : list of dict
            `name`, `bits`, `orientation`, `channel` (indices; orientation -1: all together), at
            most `N_FILTERS`.
        """
        if self.attribution is None:
            return []
        table, by_filter = self.attribution.table, dict[tuple[int, int, int], float]()
        keys = zip(
            *(table[key].tolist() for key in ("scale", "orientation", "colour")), strict=True
        )
        for key, bits in zip(keys, self.attribution.filters[peak].tolist(), strict=True):
            if key[0] >= 0 and key[2] >= 0:
                by_filter[key] = by_filter.get(key, 0.0) + bits
        strongest = sorted(by_filter.items(), key=lambda item: -abs(item[1]))[:N_FILTERS]
        return [
            {
                "name": f"{self._word('colour', key[2])}, {self.wavelength(key[0]):.0f} px, "
                + (f"{self.orientation(key[1]):.0f}°" if key[1] >= 0 else ALL),
                "bits": bits, "scale": key[0], "orientation": key[1], "channel": key[2],
            }
            for key, bits in strongest
        ]  # fmt: skip

    def measures(self) -> dict[str, float]:
        """
        Return how close the explained map is to the network's.

        Returns
        -------
        measures : dict of str to float
            `kl` and `kl_bias` in bits, `fidelity` (1 - kl / kl_bias), `cc`; empty without a map of
            the network.
        """
        if self.deep is None:
            return {}
        deep = np.log(self.deep)
        kl = fidelity.kl_bits(deep, np.log(self.explained))
        bias = fidelity.kl_bits(deep, np.log(self.centre_bias))
        close = 1 - kl / bias if bias > 0 else math.nan
        return {"kl": kl, "kl_bias": bias, "fidelity": close, "cc": cc(self.deep, self.explained)}

    def peaks(self) -> list[dict[str, Any]]:
        """
        Return the peaks of the explained map.

        Returns
        -------
        peaks : list of dict
            `number`, `x`, `y` (px of the photograph's file), `at_x`, `at_y` (shares of width and
            height), `times` (explained density over the uniform one), `start` (the same of an image
            of the mean colour), `added` (bits), `filters`.
        """
        found: list[dict[str, Any]] = []
        if self.attribution is None:
            return found
        height, width = self.attribution.explained.shape
        for number, (row, column) in enumerate(self.attribution.peaks):
            at_y, at_x = (row + 0.5) / height, (column + 0.5) / width
            bits, start = (
                float(values[row, column])
                for values in (self.attribution.explained, self.attribution.start)
            )
            found.append(
                {
                    "number": number + 1,
                    "x": round(at_x * self.size[1] - 0.5), "y": round(at_y * self.size[0] - 0.5),
                    "at_x": at_x, "at_y": at_y, "times": 2**bits, "start": 2**start,
                    "added": bits - start, "filters": self.strongest(number),
                }
            )  # fmt: skip
        return found

    def charts(self) -> list[dict[str, Any]]:
        """
        Return what each member of each partition adds at the peaks.

        Returns
        -------
        charts : list of dict
            `partition`, `title`, `names`, `values` (one list of bits by peak for each name).
        """
        charts = []
        for partition in PARTITIONS if self.attribution else ():
            names = self.members(partition)
            values = [
                [float(self.attribution.maps[partition][member][peak])
                 for peak in self.attribution.peaks]
                for member in names
            ] if self.attribution else []  # fmt: skip
            charts.append(
                {"partition": partition, "title": TITLES[partition],
                 "names": list(names.values()), "values": values}
            )  # fmt: skip
        return charts

    def largest(self) -> float:
        """Largest part at a peak in bits, of either sign: the end of all charts' scales."""
        values = [abs(v) for chart in self.charts() for own in chart["values"] for v in own]
        return max(values, default=1.0)

    def patch(self, orientation: int, channel: int) -> np.ndarray:
        """
        Draw a filter's even part in its colour.

        Parameters
        ----------
        orientation : int
            -1: the mean of all.
        channel : int

        Returns
        -------
        patch : uint8 array (row, column, 3)
            Three wavelengths wide, whatever the wavelength.
        """
        if self.bank is None:
            return np.full((PATCH, PATCH, 3), 127, np.uint8)
        known = tuple(sorted({**self.bank.parameters, "n_scales": 1}.items()))
        return _patch(known, orientation, channel, self.space)


@functools.lru_cache(maxsize=128)
def _patch(parameters, orientation, channel, space):
    """Draw a filter; its wavelength does not count, since it is drawn at one size."""
    bank = LogGaborBank(**{**dict(parameters), "min_wavelength_px": PATCH / 3})
    side = 2 * PATCH
    gains = bank.gains((side, side))
    gain = gains[orientation] if orientation >= 0 else gains.mean(axis=0)
    impulse = np.fft.fftshift(np.fft.ifft2(gain).real)
    middle = slice(side // 2 - PATCH // 2, side // 2 + PATCH // 2)
    values = impulse[middle, middle] / np.abs(impulse).max()
    shown = np.ones(3)
    if space == "yuv":
        shown = np.linalg.inv(colours.RGB_TO_YUV)[:, channel]
    elif space == "rgb":
        shown = np.eye(3)[channel]
    shown = shown / np.abs(shown).max()
    return np.rint(127.5 + 127.5 * values[..., None] * shown).astype(np.uint8)


def _at_end(members):
    """Put the members that stand for none behind the others."""
    return sorted(members, key=lambda member: (member < 0, member))


def shrunk(image: np.ndarray, side: int) -> np.ndarray:
    """
    Return an image whose larger side is at most so many px.

    Parameters
    ----------
    image : uint8 array (height, width, 3)
    side : int

    Returns
    -------
    image : uint8 array
        The same if it is small enough.
    """
    height, width = image.shape[:2]
    share = side / max(height, width)
    if share >= 1:
        return image
    return geometry.resize(image, (max(1, round(height * share)), max(1, round(width * share))))


def overlay(
    image: np.ndarray, values: np.ndarray, limit: float, signed: bool = False
) -> np.ndarray:
    """
    Lay a map over the grey photograph.

    Parameters
    ----------
    image : uint8 array (height, width, 3)
    values : float array (rows, columns)
        Of the same picture, at any size.
    limit : float
        Value of the last colour; a signed map begins at its negative, another one at 0.
    signed : bool

    Returns
    -------
    picture : uint8 array (height, width, 3)
    """
    at_size = densities.resize_bilinear(np.asarray(values, dtype=float), image.shape[:2])
    strength = np.clip(at_size / limit, -1 if signed else 0, 1)
    place = (strength + 1) / 2 if signed else strength
    tint = matplotlib.colormaps[SIGNED if signed else UNSIGNED](place)[..., :3]
    grey = (image @ np.array([0.299, 0.587, 0.114]) / 255)[..., None]
    grey = 0.25 + 0.6 * grey
    cover = 0.85 * np.clip(1.8 * np.abs(strength), 0, 1)[..., None]
    return np.rint(255 * ((1 - cover) * grey + cover * tint)).astype(np.uint8)


def embedded(picture: np.ndarray, kind: str = "JPEG") -> str:
    """Return a picture as a data URL."""
    buffer = io.BytesIO()
    options = {"quality": 85} if kind == "JPEG" else {}
    Image.fromarray(picture).save(buffer, kind, **options)
    text = base64.b64encode(buffer.getvalue()).decode("ascii")
    return f"data:image/{kind.lower()};base64,{text}"


def gradient(signed: bool) -> str:
    """Return the colours of a colour bar as CSS."""
    shades = matplotlib.colormaps[SIGNED if signed else UNSIGNED](np.linspace(0, 1, 9))
    stops = [matplotlib.colors.to_hex(shade) for shade in shades]
    return f"linear-gradient(to right, {', '.join(stops)})"


def tick_step(largest: float, most: int) -> float:
    """
    Return the distance of ticks on a scale.

    Parameters
    ----------
    largest : float
        End of the scale, above 0.
    most : int
        Ticks on each side of 0, at most.

    Returns
    -------
    step : float
        1, 2 or 5 times a power of ten.
    """
    power = 10.0 ** (math.floor(math.log10(largest)) - 1)
    steps = [power * factor for factor in (1, 2, 5, 10, 20, 50)]
    return next(step for step in steps if largest / step < most + 1)


def limits(content: Content) -> Mapping[str, float]:
    """
    Return the ends of the scales of a photograph's maps.

    Parameters
    ----------
    content : Content

    Returns
    -------
    limits : dict of str to float
        `density` of both maps, in multiples of the uniform density; `difference`; `part` of all
        maps of parts, in bits.
    """
    n = content.explained.size
    found = {"density": float(content.explained.max()) * n}
    if content.deep is not None:
        found["density"] = max(found["density"], float(content.deep.max()) * n)
        found["difference"] = max(1e-9, float(np.abs(content.explained - content.deep).max()) * n)
    if content.attribution is not None:
        values = [
            np.abs(values).max()
            for partition in ("band", "layer")
            for values in content.attribution.maps[partition].values()
        ]
        found["part"] = max(1e-9, float(max(values)))
    return found
