"""
Networks whose filters are known: written from the formula of the bank, not with its code.

As a model of one's own: `factory: tests/planted/networks.py:planted`, `options: {name: even_grid}`.
`NETWORKS` names them; each is drawn from its seed. All take RGB in 0..1.
"""

import dataclasses
import itertools
import math

import numpy as np
import torch
from torch import nn
from torch.nn import functional

# The bank of the shipped config: wavelengths in px of the input, radians.
WAVELENGTHS = (3.0, 6.0, 12.0, 24.0)
N_ORIENTATIONS = 8
ANGULAR_SIGMA = math.pi / N_ORIENTATIONS / 1.2
RATIO = 0.65
# BT.601
YUV = ((0.299, 0.587, 0.114), (-0.14713, -0.28886, 0.436), (0.615, -0.51499, -0.10001))
CHANNELS = "YUV"
MARGIN = 32  # px mirrored beside the image
STRIDE = 4


@dataclasses.dataclass(frozen=True)
class Filter:
    """One log-Gabor: wavelength in px of the input, orientation in radians."""

    kind: str
    wavelength: float
    orientation: float
    colour: int
    ratio: float = RATIO

    def far_from(self, other):
        """Whether the two are told apart: a step of the grid, or another kind or colour."""
        if (self.kind, self.colour) != (other.kind, other.colour):
            return True
        octaves, degrees = distance(self, other)
        return octaves >= 1 or degrees >= 180 / N_ORIENTATIONS - 1e-6


def distance(first, second):
    """Octaves and degrees between two filters."""
    turn = (first.orientation - second.orientation) % math.pi
    return (
        abs(math.log2(first.wavelength / second.wavelength)),
        math.degrees(min(turn, math.pi - turn)),
    )


@dataclasses.dataclass(frozen=True)
class Recipe:
    """How a network is drawn."""

    kinds: tuple = ("amplitude",)  # of the filters of its first layer
    filters: int = 1  # to a map of the first layer
    grid: bool = False
    colours: str = "Y"
    normalised: str = ""  # global, local, heeger
    # of Heeger's form: pool in wavelengths, exponent, semi-saturation (0: half the whole image's)
    heeger: tuple = (2.0, 2, 0.0)
    second: str = ""  # second layer: surround, rectified (surround), product, maximum
    third: bool = False
    maps: int = 6
    noise: float = 0.1  # share of a map's variance

    @property
    def pool(self):
        """Linear responses are sampled at points, energies pooled."""
        linear = set(self.kinds) & {"even", "odd"}
        return "point" if linear else "gaussian"


LINEAR, ALL = ("even", "odd"), ("even", "odd", "amplitude")
NETWORKS = {
    "even_grid": Recipe(("even",), grid=True),
    "odd": Recipe(("odd",), 2),
    "linear4": Recipe(LINEAR, 4),
    "linear6_colour": Recipe(LINEAR, 6, colours="YUV"),
    "amplitude_grid": Recipe(grid=True),
    "amplitude": Recipe(),
    "amplitude2_colour": Recipe(filters=2, colours="YUV"),
    "amplitude4_grid": Recipe(filters=4, grid=True),
    "amplitude4": Recipe(filters=4),
    "amplitude4_colour": Recipe(filters=4, colours="YUV"),
    "amplitude6": Recipe(filters=6, colours="YUV"),
    "mixed4": Recipe(ALL, 4),
    "mixed5_colour": Recipe(ALL, 5, colours="YUV"),
    "global": Recipe(normalised="global"),
    "global4": Recipe(filters=4, colours="YUV", normalised="global"),
    "local": Recipe(normalised="local"),
    "local4": Recipe(filters=4, colours="YUV", normalised="local"),
    "surround": Recipe(second="surround"),
    "surround4": Recipe(filters=4, colours="YUV", second="surround"),
    "product": Recipe(second="product", colours="YUV"),
    "product4": Recipe(filters=2, second="product", colours="YUV"),
    "maximum": Recipe(second="maximum", colours="YUV"),
    "maximum4": Recipe(filters=2, second="maximum"),
    "three_layers": Recipe(filters=2, colours="YUV", second="product", third=True),
    "three_layers4": Recipe(filters=4, grid=True, second="surround", third=True),
    "heeger": Recipe(normalised="heeger"),
    "heeger4": Recipe(filters=4, colours="YUV", normalised="heeger", heeger=(4.0, 1, 0.0)),
    "heeger_fixed": Recipe(normalised="heeger", heeger=(1.0, 1, 0.05)),
    "heeger_fixed4": Recipe(filters=4, normalised="heeger", heeger=(3.0, 2, 0.1)),
    "rectified": Recipe(second="rectified"),
    "rectified4": Recipe(filters=4, colours="YUV", second="rectified"),
}


def draw(recipe, seed):
    """Filters and weights of every map of the first layer."""
    rng, maps = np.random.default_rng(seed), []
    while len(maps) < recipe.maps:
        chosen = []
        while len(chosen) < recipe.filters:
            found = _draw_filter(recipe, rng)
            if all(found.far_from(other) for other in chosen):
                chosen.append(found)
        signs = rng.choice([-1, 1], len(chosen)) if not recipe.second else np.ones(len(chosen))
        maps.append((chosen, signs * rng.uniform(1, 2, len(chosen))))
    return maps


def _draw_filter(recipe, rng):
    kind, colour = rng.choice(recipe.kinds), CHANNELS.index(rng.choice(list(recipe.colours)))
    kind = "normalised" if recipe.normalised else str(kind)
    if recipe.grid:
        wavelength = float(rng.choice(WAVELENGTHS))
        return Filter(kind, wavelength, math.pi * rng.integers(N_ORIENTATIONS) / 8, colour)
    wavelength = math.exp(rng.uniform(*np.log((WAVELENGTHS[0], WAVELENGTHS[-1]))))
    return Filter(kind, wavelength, rng.uniform(0, math.pi), colour, rng.uniform(0.57, 0.74))


def gain(shape, wavelength, ratio, orientation):
    """Transfer function (height, width) of a one-sided log-Gabor."""
    f_y = torch.fft.fftfreq(shape[0], dtype=torch.float64)[:, None]
    f_x = torch.fft.fftfreq(shape[1], dtype=torch.float64)[None]
    radius = torch.sqrt(f_y**2 + f_x**2)
    radius[0, 0] = 1
    radial = torch.exp(-(torch.log(radius * wavelength) ** 2) / (2 * math.log(ratio) ** 2))
    radial[0, 0] = 0
    away = torch.atan2(-f_y, f_x) - orientation
    away = torch.remainder(away + math.pi, 2 * math.pi) - math.pi
    floor = math.exp(-((math.pi / 2) ** 2) / (2 * ANGULAR_SIGMA**2))
    lobe = (torch.exp(-(away**2) / (2 * ANGULAR_SIGMA**2)) - floor) / (1 - floor)
    return 2 * radial * torch.where(away.abs() < math.pi / 2, lobe, 0.0)


def cell_means(extent, stride, deviation):
    """Weights (cell, px) of Gaussian means around the middle of each cell; if 0, of one px."""
    middle = (stride - 1) / 2 if deviation else stride // 2
    away = torch.arange(extent)[None] - torch.arange(extent // stride)[:, None] * stride - middle
    weight = torch.exp(-(away**2) / (2 * deviation**2)) if deviation else (away == 0).float()
    return weight / weight.sum(dim=1, keepdim=True)


def pooled(maps, stride, deviation):
    """Means of maps (..., y, x) over cells."""
    along = [cell_means(extent, stride, deviation).to(maps.dtype) for extent in maps.shape[-2:]]
    return along[0] @ maps @ along[1].T


class Planted(nn.Module):
    """A network of planted filters; `calibrate` it before use, on the photographs it will see."""

    def __init__(self, recipe, seed):
        super().__init__()
        self.recipe, self.seed, self.calibrating = recipe, seed, False
        self.filters = draw(recipe, seed)
        self.first, self.second, self.third = nn.Identity(), nn.Identity(), nn.Identity()
        self.pairs = list(itertools.combinations(range(recipe.maps), 2))[
            :: 3 if recipe.maps > 4 else 1
        ]
        self.register_buffer("spread", torch.ones(recipe.maps, recipe.filters))
        alone = recipe.second in ("", "surround", "rectified")
        n_second = recipe.maps if alone else len(self.pairs)
        for name, n in (("first", recipe.maps), ("second", n_second), ("third", n_second)):
            self.register_buffer(f"sd_{name}", torch.ones(n))
        rng = np.random.default_rng(seed + 1)
        readout = rng.choice([-0.5, 1], n_second) * rng.uniform(0.5, 1, n_second)
        self.readout = nn.Parameter(torch.as_tensor(readout / np.abs(readout).sum()).float())
        self._gains = {}

    @property
    def layers(self):
        """Names of the layers."""
        return ["first", *["second"] * bool(self.recipe.second), *["third"] * self.recipe.third]

    def truth(self):
        """By layer, the filters of every map."""
        first = [chosen for chosen, _ in self.filters]
        second = first
        if self.recipe.second in ("product", "maximum"):
            second = [list(dict.fromkeys(first[a] + first[b])) for a, b in self.pairs]
        return {name: first if name == "first" else second for name in self.layers}

    def calibrate(self, images):
        """Scale filters and maps to unit variance on these images, RGB in 0..1 (n, 3, y, x)."""
        self.calibrating = True
        with torch.no_grad():
            self(images)
        self.calibrating = False

    def forward(self, x):
        """Logits (n, 1, y, x)."""
        maps = self._recorded("first", self._first(x), x)
        if self.recipe.second:
            maps = pooled(maps, 2, 1.0)
            maps = self._recorded("second", self._second(maps), x)
        if self.recipe.third:
            maps = pooled(functional.relu(maps - 0.5), 1, 1.0)
            maps = self._recorded("third", maps, x)
        logits = (self.readout[:, None, None] * maps).sum(dim=1, keepdim=True)
        logits = functional.interpolate(pooled(logits, 1, 1.0), x.shape[2:], mode="bilinear")
        return 4 * logits

    def _first(self, x):
        matrix = torch.tensor(YUV, dtype=x.dtype)
        channels = torch.einsum("ij,njyx->niyx", matrix, x)
        spectrum = torch.fft.fft2(functional.pad(channels, (MARGIN,) * 4, mode="reflect"))
        shape = tuple(spectrum.shape[2:])
        maps = []
        for number, (chosen, weights) in enumerate(self.filters):
            responses = torch.stack([self._response(f, spectrum, shape) for f in chosen], dim=1)
            if self.calibrating:
                self.spread[number] = responses.std(dim=(0, 2, 3))
            scale = torch.as_tensor(weights, dtype=x.dtype) / self.spread[number]
            maps.append((responses * scale[:, None, None]).sum(dim=1))
        return torch.stack(maps, dim=1)

    def _response(self, planted, spectrum, shape):
        wanted = spectrum[:, planted.colour]
        complex_response = self._filtered(wanted, shape, planted.wavelength, planted.ratio,
                                          planted.orientation)  # fmt: skip
        if planted.kind in ("even", "odd"):
            linear = complex_response.real if planted.kind == "even" else complex_response.imag
            return pooled(linear, STRIDE, 0 if self.recipe.pool == "point" else 2.0)
        deviation = 0 if self.recipe.pool == "point" else 2.0
        amplitude = complex_response.abs()
        if planted.kind == "normalised":
            ring = [
                self._filtered(wanted, shape, planted.wavelength, planted.ratio, angle)
                for angle in (math.pi * np.arange(3) / 3).tolist()
            ]
            energy = torch.stack([part.abs() ** 2 for part in ring]).mean(dim=0)
            whole = energy.mean(dim=(1, 2), keepdim=True)
            if self.recipe.normalised == "heeger":
                amplitude = self._heeger(amplitude, energy, whole, planted.wavelength)
            elif self.recipe.normalised == "local":
                energy = pooled(energy, 1, planted.wavelength)
                amplitude = amplitude / (energy.sqrt() + 0.5 * whole.sqrt() + 1e-4)
            else:
                amplitude = amplitude / (whole.sqrt() + 1e-3)
        return pooled(amplitude, STRIDE, deviation)

    def _heeger(self, amplitude, energy, whole, wavelength):
        """`A^n / (s^n + P^n)`; P leaves out the cell, that is a quarter of the pool's width."""
        width, exponent, saturation = self.recipe.heeger
        around = [pooled(energy, 1, width * wavelength * part) for part in (1, 0.25)]
        pool = ((around[0] - around[1] / 16) / (1 - 1 / 16)).clamp(min=0).sqrt()
        half = saturation if saturation else 0.5 * whole.sqrt() + 1e-4
        return amplitude**exponent / (half**exponent + pool**exponent)

    def _filtered(self, spectrum, shape, *parameters):
        key = (shape, *parameters)
        if key not in self._gains:
            self._gains[key] = gain(shape, *parameters).float()
        response = torch.fft.ifft2(spectrum * self._gains[key])
        return response[..., MARGIN:-MARGIN, MARGIN:-MARGIN]

    def _second(self, maps):
        if self.recipe.second in ("surround", "rectified"):
            difference = pooled(maps, 1, 0.5) - pooled(maps, 1, 2.5)
            return difference if self.recipe.second == "surround" else difference.clamp(min=0)
        first, other = ([pair[place] for pair in self.pairs] for place in (0, 1))
        if self.recipe.second == "product":
            return maps[:, first] * maps[:, other]
        return torch.maximum(maps[:, first], maps[:, other])

    def _recorded(self, name, maps, x):
        """Scale to unit variance, add noise that depends on the image alone, and record."""
        spread = getattr(self, f"sd_{name}")
        if self.calibrating:
            spread[:] = maps.std(dim=(0, 2, 3))
        maps = maps / spread[:, None, None]
        noise = []
        for image in x.detach():
            key = int((image * 255).round().long().sum()) * 1000 + self.seed + len(name)
            generator = torch.Generator().manual_seed(key)
            noise.append(torch.randn(maps.shape[1:], generator=generator))
        maps = maps + math.sqrt(self.recipe.noise) * torch.stack(noise)
        return getattr(self, name)(maps)


def planted(name, seed=None, noise=None):
    """Make the network of a name; without `seed` it is the name's place in the list."""
    recipe = NETWORKS[name] if noise is None else dataclasses.replace(NETWORKS[name], noise=noise)
    return Planted(recipe, 100 + list(NETWORKS).index(name) if seed is None else seed)
