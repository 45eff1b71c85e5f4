"""
The generated data set, in which the conspicuous places are known.

There are search displays (one odd item among many, by orientation, colour, size or spatial
frequency) and two naturalistic textures (dead leaves, 1/f noise) with a few conspicuous places.
The fixations of simulated observers are drawn from a stated density, so that every later stage can
be compared with the truth. Nothing here was recorded from people.

A stimulus is determined by the seed and its name: any block can be made alone, and more stimuli
leave the others as they are. Sizes are in degrees of visual angle times
`px_per_degree`; orientation is the angle of the wave vector, in [0, pi), counter-clockwise on the
screen (so a vertical bar or grating has orientation 0).
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from gaborscope.data.layouts.demo import FIXED, KINDS
from gaborscope.data.layouts.demo import check_settings as check_demo_settings
from gaborscope.errors import InputError

# Shares of the fixations at the conspicuous places, around the centre, and anywhere.
SHARES = {"targets": 0.65, "centre": 0.20, "uniform": 0.15}
# Standard deviation of the centre bias in units of the stimulus's height and width.
CENTRE_SPREAD = 0.22
# Observers differ: the shares of each are SHARES times lognormal factors of this deviation.
OBSERVER_SPREAD = 0.25
# Standard deviation (degrees) of gaze around the place it aims at, besides the place's extent.
GAZE_SPREAD_DEGREES = 0.5


@dataclass
class Stimulus:
    """
    A generated stimulus with its simulated fixations and the truth behind both.

    Attributes
    ----------
    image : uint8 array (height, width, 3)
        RGB.
    density : float64 array (height, width), sum 1
        Density that the fixations were drawn from, averaged over the observers.
    x, y : float32 arrays (F,)
        0-based px; the pixel is floor(x + 0.5).
    subject : int32 array (F,)
        Index of the observer, not decreasing.
    truth : dict
        `kind`, and `targets`: list of {x, y, sigma_px, share} of the conspicuous places, `share`
        being their share of the fixations. For search displays also `n_items`, and the value of
        the odd and of the common items (`odd_`, `common_`): `orientation` (rad), `hue` (rad in
        the U-V plane), `radius_px` or `wavelength_px`. For textures also `feature` of each target.
    """

    image: np.ndarray
    density: np.ndarray
    x: np.ndarray
    y: np.ndarray
    subject: np.ndarray
    truth: dict[str, Any]


def generate(name: str, settings: Mapping[str, Any]) -> Stimulus:
    """
    Return the generated `Stimulus` of this name, the same whenever and wherever it is made.

    Parameters
    ----------
    name : str
        As `layouts.demo.demo_name` makes it: the kind, an underscore and a number.
    settings : dict
        `height`, `width` (px, at least 48), `px_per_degree` (at least 4), `n_observers`,
        `fixations_per_observer` (mean; each observer makes 1 + a Poisson number), `seed`,
        `n_stimuli` and `kinds` (not used here).

    Raises
    ------
    InputError
        If a setting is missing or out of range, or the name is of no known kind.
    """
    check_demo_settings(settings)
    kind = name.rpartition("_")[0]
    if kind not in KINDS + FIXED:
        raise InputError(
            f"the generated data set has no stimulus {name!r}; its kinds are "
            + ", ".join(KINDS + FIXED)
        )
    shape = (settings["height"], settings["width"])
    px_per_degree = settings["px_per_degree"]
    rng = _generator(settings["seed"], name)
    if kind in _PAINT_TEXTURE:
        canvas, targets, truth = _PAINT_TEXTURE[kind](rng, shape, px_per_degree)
    else:
        canvas, targets, truth = _search_display(kind, rng, shape, px_per_degree)
    uniform = np.full(shape, 1 / np.prod(shape))
    components = np.stack([_target_density(shape, targets), _centre_density(shape), uniform])
    weights = _observer_weights(settings["seed"], settings["n_observers"])
    for target in targets:
        target["share"] *= float(weights[:, 0].mean())
    x, y, subject = _fixations(rng, components, weights, settings["fixations_per_observer"])
    image = np.rint(255 * np.clip(_yuv_to_rgb(canvas), 0, 1)).astype(np.uint8)
    density = np.tensordot(weights.mean(axis=0), components, 1)
    return Stimulus(image, density, x, y, subject, {"kind": kind, "targets": targets, **truth})


# ---------------------------------------------------------------------------------------------
# Search displays


def _search_display(kind, rng, shape, px_per_degree):
    """Return (canvas in YUV, targets, truth) of a jittered grid with one odd item."""
    cell = min(rng.uniform(2.7, 4.6) * px_per_degree, min(shape) / 3)
    centres = _jittered_grid(rng, shape, cell)
    n = len(centres)
    odd = int(rng.integers(n))
    kept = rng.random(n) < rng.uniform(0.7, 1.0)
    kept[odd] = True
    canvas = _background(rng, shape, px_per_degree)
    items, truth = _ITEMS[kind](rng, n, odd, cell, px_per_degree)
    for i in np.flatnonzero(kept):
        items[i].paint(canvas, *centres[i])
    x, y = centres[odd]
    sigma = float(np.hypot(GAZE_SPREAD_DEGREES * px_per_degree, 0.6 * items[odd].radius))
    truth["n_items"] = int(kept.sum())
    return canvas, [{"x": float(x), "y": float(y), "sigma_px": sigma, "share": 1.0}], truth


def _jittered_grid(rng, shape, cell):
    """Return x, y of the items (n, 2): a grid over the stimulus, each item shifted a little."""
    rows, columns = (int(side // cell) for side in shape)
    step_y, step_x = shape[0] / rows, shape[1] / columns
    y, x = np.meshgrid(
        (np.arange(rows) + 0.5) * step_y - 0.5, (np.arange(columns) + 0.5) * step_x - 0.5,
        indexing="ij",
    )  # fmt: skip
    shift = rng.uniform(-0.1, 0.1, (rows * columns, 2)) * cell
    return np.stack([x.ravel(), y.ravel()], axis=1) + shift


def _background(rng, shape, px_per_degree):
    """Return a YUV canvas of low saturation: plain, shaded or a faint 1/f texture."""
    canvas = np.empty((*shape, 3))
    canvas[..., 0] = rng.uniform(0.38, 0.62)
    canvas[..., 1:] = rng.normal(0, 0.015, 2)
    style = rng.integers(3)
    if style == 1:
        y, x = np.indices(shape)
        ramp = x / shape[1] * rng.uniform(-1, 1) + y / shape[0] * rng.uniform(-1, 1)
        canvas[..., 0] += 0.1 * (ramp - ramp.mean())
    elif style == 2:
        canvas[..., 0] += rng.uniform(0.015, 0.045) * _one_over_f(rng, shape, 1.0)
    return canvas


@dataclass
class _Item:
    """A bar, disc, ring or Gabor patch; lengths in px, colour as a step from the background."""

    form: str
    radius: float  # half the length, or the radius
    orientation: float  # orientation of the wave vector: a bar is long at right angles to it
    colour: np.ndarray  # (3,) YUV, added where the item is
    luma: float | None = None  # if given, Y is set to this and U, V to `colour`, not added
    wavelength: float = 0.0
    phase: float = 0.0

    def paint(self, canvas, x, y):
        """Draw the item on `canvas` (height, width, 3), centred at (x, y), with smooth edges."""
        part, u, v = _window(canvas, x, y, 1.5 * self.radius)
        cover = self._cover(u, v)[..., None]
        if self.luma is None:
            part += cover * self.colour
        else:
            wanted = np.array([self.luma, self.colour[1], self.colour[2]])
            part += cover * (wanted - part)

    def _cover(self, u, v):
        across = u * np.cos(self.orientation) - v * np.sin(self.orientation)
        along = u * np.sin(self.orientation) + v * np.cos(self.orientation)
        distance = np.hypot(u, v)
        if self.form == "gabor":
            wave = np.cos(2 * np.pi * across / self.wavelength + self.phase)
            return np.exp(-0.5 * (distance / (0.5 * self.radius)) ** 2) * wave
        if self.form == "bar":
            thick = max(1.5, 0.28 * self.radius)
            return _edge(thick - np.abs(across)) * _edge(self.radius - np.abs(along))
        if self.form == "square":
            side = 0.85 * self.radius
            return _edge(side - np.abs(across)) * _edge(side - np.abs(along))
        if self.form == "ring":
            thick = max(1.0, 0.17 * self.radius)
            return _edge(thick - np.abs(distance - self.radius + thick))
        return _edge(self.radius - distance)


def _window(canvas, x, y, radius):
    """Return a view of the canvas around (x, y), and each pixel's distance to it along x and y."""
    reach = int(np.ceil(radius)) + 2
    rows = slice(max(0, int(y) - reach), int(y) + reach + 1)
    columns = slice(max(0, int(x) - reach), int(x) + reach + 1)
    part = canvas[rows, columns]
    v, u = np.indices(part.shape[:2], dtype=float)
    return part, u + columns.start - x, v + rows.start - y


def _edge(inside_px):
    """Return the covered share of a pixel whose centre lies `inside_px` within a straight edge."""
    return np.clip(inside_px + 0.5, 0, 1)


def _contrast(rng):
    """Return a YUV step of either polarity, sometimes with a tint."""
    tint = rng.normal(0, 0.05, 2) if rng.random() < 0.4 else np.zeros(2)
    return np.array([rng.choice([-1, 1]) * rng.uniform(0.18, 0.34), *tint])


def _orientation_items(rng, n, odd, cell, px_per_degree):
    common = rng.uniform(0, np.pi)
    other = (common + rng.choice([-1, 1]) * rng.uniform(np.radians(40), np.pi / 2)) % np.pi
    angles = np.full(n, common) + rng.normal(0, np.radians(3), n)
    angles[odd] = other
    colour, radius = _contrast(rng), cell * rng.uniform(0.3, 0.4)
    items = [_Item("bar", radius, angle, colour) for angle in angles]
    return items, {"odd_orientation": float(other), "common_orientation": float(common)}


def _colour_items(rng, n, odd, cell, px_per_degree):
    common = rng.uniform(0, 2 * np.pi)
    other = (common + rng.choice([-1, 1]) * rng.uniform(np.radians(80), np.pi)) % (2 * np.pi)
    luma = rng.uniform(0.42, 0.58)
    # The same saturation for both hues, small enough for the screen to show.
    saturation = rng.uniform(0.6, 0.95) * min(_gamut(luma, common), _gamut(luma, other))
    form = str(rng.choice(["disc", "square", "bar"]))
    radius, angle = cell * rng.uniform(0.24, 0.34), rng.uniform(0, np.pi)
    hues = np.full(n, common)
    hues[odd] = other
    items = [
        _Item(
            form, radius, angle + rng.normal(0, 0.05),
            saturation * np.array([0, np.cos(hue), np.sin(hue)]),
            luma=luma + rng.uniform(-0.03, 0.03),
        )
        for hue in hues
    ]  # fmt: skip
    return items, {"odd_hue": float(other), "common_hue": float(common)}


def _size_items(rng, n, odd, cell, px_per_degree):
    common = cell * rng.uniform(0.17, 0.22)
    other = common * rng.uniform(1.75, 2.1)
    if rng.random() < 0.25:
        common, other = other * 0.85, common * 0.85
    form = str(rng.choice(["disc", "ring", "square", "bar"]))
    colour, angle = _contrast(rng), rng.uniform(0, np.pi)
    radii = common * rng.uniform(0.95, 1.05, n)
    radii[odd] = other
    items = [_Item(form, radius, angle + rng.normal(0, 0.05), colour) for radius in radii]
    return items, {"odd_radius_px": float(other), "common_radius_px": float(common)}


def _frequency_items(rng, n, odd, cell, px_per_degree):
    fine = max(3.0, px_per_degree * rng.uniform(0.36, 0.5))
    coarse = fine * rng.uniform(1.9, 2.4)
    common, other = (fine, coarse) if rng.random() < 0.5 else (coarse, fine)
    wavelengths = np.full(n, common)
    wavelengths[odd] = other
    shared = rng.random() < 0.6  # whether all patches have the same orientation
    angles = np.full(n, rng.uniform(0, np.pi)) if shared else rng.uniform(0, np.pi, n)
    colour, radius = np.array([rng.uniform(0.22, 0.36), 0, 0]), cell * rng.uniform(0.4, 0.46)
    items = [
        _Item("gabor", radius, angle, colour, wavelength=wavelength, phase=phase)
        for angle, wavelength, phase in zip(
            angles, wavelengths, rng.uniform(0, 2 * np.pi, n), strict=True
        )
    ]
    return items, {"odd_wavelength_px": float(other), "common_wavelength_px": float(common)}


# The odd item of every display of a fixed kind: orientation, hue (along V, red) and wavelength.
ODD_ORIENTATION, ODD_HUE, ODD_WAVELENGTH_DEGREES = np.pi / 4, np.pi / 2, 0.5


def _fixed_orientation_items(rng, n, odd, cell, px_per_degree):
    """Return bars of all orientations except those near the orientation of the odd bar."""
    angles = ODD_ORIENTATION + rng.uniform(np.radians(35), np.radians(145), n)
    angles[odd] = ODD_ORIENTATION
    colour, radius = _contrast(rng), cell * rng.uniform(0.3, 0.4)
    items = [_Item("bar", radius, angle % np.pi, colour) for angle in angles]
    return items, {"odd_orientation": float(ODD_ORIENTATION)}


def _fixed_colour_items(rng, n, odd, cell, px_per_degree):
    """Return discs of equal saturation and all hues except those near the hue of the odd disc."""
    hues = (ODD_HUE + rng.uniform(np.radians(80), np.radians(280), n)) % (2 * np.pi)
    hues[odd] = ODD_HUE
    luma = rng.uniform(0.42, 0.58)
    saturation = rng.uniform(0.6, 0.95) * min(_gamut(luma, hue) for hue in hues)
    radius = cell * rng.uniform(0.24, 0.34)
    items = [
        _Item(
            "disc", radius, 0.0, saturation * np.array([0, np.cos(hue), np.sin(hue)]),
            luma=luma + rng.uniform(-0.03, 0.03),
        )
        for hue in hues
    ]  # fmt: skip
    return items, {"odd_hue": float(ODD_HUE)}


def _fixed_scale_items(rng, n, odd, cell, px_per_degree):
    """Return Gabor patches of all orientations, two to three times coarser than the odd one."""
    fine = ODD_WAVELENGTH_DEGREES * px_per_degree
    wavelengths = fine * rng.uniform(2, 3, n)
    wavelengths[odd] = fine
    colour, radius = np.array([rng.uniform(0.22, 0.36), 0, 0]), cell * rng.uniform(0.4, 0.46)
    items = [
        _Item("gabor", radius, angle, colour, wavelength=wavelength, phase=phase)
        for angle, wavelength, phase in zip(
            rng.uniform(0, np.pi, n), wavelengths, rng.uniform(0, 2 * np.pi, n), strict=True
        )
    ]
    return items, {"odd_wavelength_px": float(fine)}


_ITEMS = {
    "orientation": _orientation_items,
    "colour": _colour_items,
    "size": _size_items,
    "frequency": _frequency_items,
    "fixed_orientation": _fixed_orientation_items,
    "fixed_colour": _fixed_colour_items,
    "fixed_scale": _fixed_scale_items,
}


# ---------------------------------------------------------------------------------------------
# Textures


def _leaves(rng, shape, px_per_degree):
    """Return a dead-leaves image (occluding ellipses) with one to three conspicuous leaves."""
    canvas = np.empty((*shape, 3))
    canvas[...] = (rng.uniform(0.35, 0.6), *rng.normal(0, 0.02, 2))
    tint, spread = rng.normal(0, 0.02, 2), rng.uniform(0.07, 0.13)
    n = int(1.1 * shape[0] * shape[1] / px_per_degree**2)  # enough to hide most of the background
    # With radii distributed as 1/r^3 between two bounds the texture looks alike at all scales.
    least, most = 0.5 * px_per_degree, 3.0 * px_per_degree
    radii = 1 / np.sqrt(rng.uniform(1 / most**2, 1 / least**2, n))
    places = rng.uniform(-0.5, np.array(shape[::-1]) - 0.5, (n, 2))
    for radius, (x, y) in zip(np.sort(radii)[::-1], places, strict=True):
        colour = (0.48 + rng.normal(0, spread), *(tint + rng.normal(0, 0.016, 2)))
        _paint_leaf(rng, canvas, x, y, radius, colour)
    targets, features = _places(rng, shape, 1.1 * px_per_degree, 1.7 * px_per_degree), []
    hue = rng.uniform(0, 2 * np.pi)
    for target in targets:
        vivid = rng.random() < 0.65
        features.append("colour" if vivid else "luminance")
        if vivid:
            luma, hue = rng.uniform(0.42, 0.58), hue + rng.uniform(-0.3, 0.3)
            saturation = rng.uniform(0.75, 0.95) * _gamut(luma, hue)
            colour = (luma, saturation * np.cos(hue), saturation * np.sin(hue))
        else:
            colour = (rng.choice([0.04, 0.96]), *tint)
        _paint_leaf(rng, canvas, target["x"], target["y"], target["radius"], colour)
    return canvas, _as_targets(targets, px_per_degree), {"feature": features}


def _paint_leaf(rng, canvas, x, y, radius, colour):
    """Paint one opaque ellipse with a soft shading across it."""
    part, u, v = _window(canvas, x, y, radius)
    angle, aspect = rng.uniform(0, np.pi), rng.uniform(0.55, 1)
    across = (u * np.cos(angle) - v * np.sin(angle)) / aspect
    along = u * np.sin(angle) + v * np.cos(angle)
    cover = _edge(aspect * (radius - np.hypot(across, along)))[..., None]
    painted = np.broadcast_to(np.asarray(colour, dtype=float), part.shape).copy()
    painted[..., 0] += rng.uniform(-0.05, 0.05) * along / radius
    part += cover * (painted - part)


def _noise(rng, shape, px_per_degree):
    """Return 1/f colour noise with one to three patches of higher contrast or of another hue."""
    slope = rng.uniform(0.9, 1.3)
    texture = np.stack([_one_over_f(rng, shape, slope) for _ in range(3)], axis=-1)
    canvas = texture * np.array([rng.uniform(0.05, 0.09), 0.014, 0.014])
    canvas += (rng.uniform(0.4, 0.6), *rng.normal(0, 0.02, 2))
    fine = _one_over_f(rng, shape, 0.5 * slope)
    targets, features = _places(rng, shape, 1.2 * px_per_degree, 2.0 * px_per_degree), []
    y, x = np.indices(shape)
    for target in targets:
        distance = np.hypot(x - target["x"], y - target["y"])
        window = np.exp(-0.5 * (distance / (0.6 * target["radius"])) ** 4)
        if rng.random() < 0.5:
            features.append("contrast")
            canvas[..., 0] += window * rng.uniform(0.16, 0.22) * fine
        else:
            features.append("colour")
            hue = rng.uniform(0, 2 * np.pi)
            step = rng.uniform(0.7, 0.95) * _gamut(0.5, hue)
            canvas[..., 1:] += step * window[..., None] * np.array([np.cos(hue), np.sin(hue)])
    return canvas, _as_targets(targets, px_per_degree), {"feature": features}


_PAINT_TEXTURE = {"leaves": _leaves, "noise": _noise}


def _places(rng, shape, least_radius, most_radius):
    """Return one to three places, uniform over the stimulus and apart from each other."""
    places = []
    for _ in range(int(rng.integers(1, 4))):
        radius = rng.uniform(least_radius, most_radius)
        for _ in range(20):  # a crowded stimulus simply keeps the last try
            x, y = (rng.uniform(radius, side - 1 - radius) for side in shape[::-1])
            apart = [np.hypot(x - p["x"], y - p["y"]) - p["radius"] - radius for p in places]
            if min(apart, default=1) > 0.5 * radius:
                break
        places.append({"x": float(x), "y": float(y), "radius": float(radius)})
    return places


def _as_targets(places, px_per_degree):
    """Return the places as targets that share the fixations equally."""
    gaze = GAZE_SPREAD_DEGREES * px_per_degree
    return [
        {
            "x": place["x"],
            "y": place["y"],
            "sigma_px": float(np.hypot(gaze, 0.5 * place["radius"])),
            "share": 1 / len(places),
        }
        for place in places
    ]


def _one_over_f(rng, shape, slope):
    """Return periodic Gaussian noise, amplitude falling as 1/f^slope, mean 0, deviation 1."""
    fy = np.fft.fftfreq(shape[0])[:, None]
    fx = np.fft.rfftfreq(shape[1])[None, :]
    frequency = np.hypot(fy, fx)
    frequency[0, 0] = np.inf
    # Below two cycles per stimulus a single blob would dominate.
    gain = np.maximum(frequency, 2 / max(shape)) ** -slope
    noise = np.fft.irfft2(np.fft.rfft2(rng.standard_normal(shape)) * gain, shape)
    return noise / noise.std()


# ---------------------------------------------------------------------------------------------
# Colour


def _yuv_to_rgb(yuv):
    """Return RGB of a YUV canvas (BT.601, gamma-encoded values, U = 0.492 (B - Y))."""
    y, u, v = np.moveaxis(yuv, -1, 0)
    red, blue = y + v / 0.877, y + u / 0.492
    return np.stack([red, (y - 0.299 * red - 0.114 * blue) / 0.587, blue], axis=-1)


def _gamut(luma, hue):
    """Return the largest saturation |(U, V)| at which all of R, G, B lie within 0 .. 1."""
    step = _yuv_to_rgb(np.array([0.0, np.cos(hue), np.sin(hue)]))
    return float(np.min(np.where(step > 0, 1 - luma, luma) / np.maximum(np.abs(step), 1e-9)))


# ---------------------------------------------------------------------------------------------
# Observers


def _generator(*parts):
    digest = hashlib.sha256(":".join(map(str, parts)).encode()).digest()
    return np.random.default_rng(int.from_bytes(digest[:16], "big"))


def _gaussian(shape, x, y, sigma_x, sigma_y):
    row = np.exp(-0.5 * ((np.arange(shape[1]) - x) / sigma_x) ** 2)
    column = np.exp(-0.5 * ((np.arange(shape[0]) - y) / sigma_y) ** 2)
    return np.outer(column / column.sum(), row / row.sum())


def _target_density(shape, targets):
    return sum(
        t["share"] * _gaussian(shape, t["x"], t["y"], t["sigma_px"], t["sigma_px"]) for t in targets
    )


def _centre_density(shape):
    height, width = shape
    spread = CENTRE_SPREAD * width, CENTRE_SPREAD * height
    return _gaussian(shape, (width - 1) / 2, (height - 1) / 2, *spread)


def _observer_weights(seed, n_observers):
    """Return shares (observer, component), rows of sum 1, the same for every stimulus."""
    base = np.array(list(SHARES.values()))
    spread = [
        _generator(seed, "observer", i).normal(0, OBSERVER_SPREAD, base.size)
        for i in range(n_observers)
    ]
    weights = base * np.exp(np.array(spread))
    return weights / weights.sum(axis=1, keepdims=True)


def _fixations(rng, components, weights, mean_number):
    """
    Return x, y (float32) and subject (int32) of fixations drawn from the observers' mixtures.

    A pixel is drawn from the density, then a place in it, at least 0.01 px from its edges. So
    floor(x + 0.5) gives the pixel that was drawn, in float32 too.
    """
    n_components, _, width = components.shape
    cumulative = np.cumsum(components.reshape(n_components, -1), axis=1)
    subject = np.repeat(np.arange(len(weights)), 1 + rng.poisson(mean_number - 1, len(weights)))
    edges = np.cumsum(weights, axis=1)[subject]
    component = (rng.random((subject.size, 1)) > edges[:, :-1]).sum(axis=1)
    u = rng.random(subject.size) * cumulative[component, -1]
    pixel = np.empty(subject.size, dtype=int)
    for i in range(n_components):
        drawn = component == i
        pixel[drawn] = np.searchsorted(cumulative[i], u[drawn], side="right")
    pixel = np.minimum(pixel, cumulative.shape[1] - 1)
    within = rng.uniform(-0.49, 0.49, (2, subject.size))
    x, y = pixel % width + within[0], pixel // width + within[1]
    return x.astype(np.float32), y.astype(np.float32), subject.astype(np.int32)
