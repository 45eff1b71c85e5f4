"""Mechanisms: each is what its formula says, and is found where it is planted."""

import functools
import math

import numpy as np
import pytest
from helpers import SETTINGS, make_image

from gaborscope.explanation import layers
from gaborscope.filters import mechanisms, rectified, second_order
from gaborscope.filters.loggabor import LogGaborBank
from gaborscope.fitting.ridge import RidgePath
from gaborscope.fitting.statistics import Statistics, explained_variance
from gaborscope.stimuli import colour as colours
from gaborscope.stimuli.geometry import Grid, Placement
from gaborscope.workflow import combinations

SHAPE = (48, 64)
BANK = {
    "n_scales": 2, "n_orientations": 3, "min_wavelength_px": 4.0, "scale_factor": 2.0,
    "bandwidth_ratio": 0.65, "angular_sigma": None,
}  # fmt: skip
ONE_SCALE = {**BANK, "n_scales": 1}
PLAIN = {**SETTINGS, "bank": BANK, "kinds": ["amplitude"], "residual": False, "position": True}
PIXELS = Grid(SHAPE, (1.0, 1.0), (0.0, 0.0))
WHOLE = Placement(SHAPE, 0, 0, *SHAPE)
POINTS = [(PIXELS, "point", 1.0)]


def maps_of(image, names=mechanisms.NAMES, targets=POINTS, placement=WHOLE, **changes):
    """Regressors by name, one dictionary per target."""
    regressors = layers.make_regressors({**PLAIN, "mechanisms": names, **changes})
    labels = regressors.table()["name"].tolist()
    return [
        dict(zip(labels, maps, strict=True))
        for maps in regressors.compute(image, placement, targets)
    ]


def texture(seed, n_channels=1):
    """Noise of a 1/f spectrum under a slow envelope, as photographs have it, uint8."""
    rng = np.random.default_rng(seed)
    f = np.hypot(np.fft.fftfreq(SHAPE[0])[:, None], np.fft.fftfreq(SHAPE[1]))
    f[0, 0] = 1
    noise = np.fft.ifft2(np.fft.fft2(rng.normal(size=(n_channels, *SHAPE))) / f).real
    slow = np.fft.ifft2(np.fft.fft2(rng.normal(size=SHAPE)) / f**2).real
    values = 128 + 25 * noise / noise.std() * np.exp(0.7 * slow / slow.std())
    image = np.clip(values, 0, 255).astype(np.uint8).transpose(1, 2, 0)
    return np.repeat(image, 3 // n_channels, axis=2)


@functools.cache
def found():
    """Return an image and all its regressors at every pixel."""
    image = texture(0, 3)
    return image, maps_of(image)[0]


@functools.cache
def responses():
    """Responses of the bank at every pixel, complex (channel, scale, orientation, y, x)."""
    channels = colours.to_opponent(found()[0], "yuv")
    bank = LogGaborBank(**BANK)
    return np.stack([bank.responses(c, precision="double") for c in channels]).reshape(
        3, 2, 3, *SHAPE
    )


def blur(plane, deviation):
    """Gaussian means of all pixels that end at the image."""
    for _ in range(2):
        place = np.arange(plane.shape[0])
        weight = np.exp(-((place[:, None] - place) ** 2) / (2 * deviation**2))
        plane = (weight / weight.sum(axis=1, keepdims=True) @ plane).T
    return plane


def assert_close(map_, expected, tolerance=0.03):
    """Root mean square difference, as a share of the spread."""
    error = np.sqrt(((map_ - expected) ** 2).mean())
    assert error < tolerance * expected.std()


@pytest.mark.parametrize("scale, wavelength", [(0, 4.0), (1, 8.0)])
@pytest.mark.parametrize("channel, letter", [(0, "Y"), (2, "V")])
def test_each_mechanism_is_its_formula_at_every_pixel(channel, letter, scale, wavelength):
    image, maps = found()
    z = responses()[channel, scale]
    amplitude, orientation = np.abs(z), 2
    energy = (amplitude**2).mean(axis=0)
    root, end = np.sqrt(energy), f"s{scale}"
    for width in (1, 4):
        around = blur(energy, width * wavelength) - blur(energy, width * wavelength / 4) / 16
        pool = np.maximum(around, 0) / (1 - 1 / 16)
        half = 0.5 * math.sqrt(energy.mean()) + 1e-3
        expected = amplitude[orientation] ** 2 / (half**2 + pool)
        assert_close(maps[f"{letter} locally normalised {width} {end} o{orientation}"], expected)
    for centre, surround in ((1, 3), (1, 8), (2, 8)):
        pair = f"{centre}-{surround} {end}"
        difference = blur(root, centre * wavelength) - blur(root, surround * wavelength)
        positive = np.maximum(difference, 0)
        assert_close(maps[f"{letter} surround {pair}"], difference, 0.05)
        assert_close(maps[f"{letter} rectified surround {pair}"], positive, 0.08)
        peaks = local_maxima(positive)
        weight = (1 - np.mean(peaks[1:] or 0) / (peaks[0] + 1e-3)) ** 2 / (peaks[0] + 1e-3)
        assert_close(maps[f"{letter} competition {pair}"], weight * positive, 0.15)
    own = amplitude[orientation]
    difference = own - blur(own, 2 * wavelength)
    assert_close(maps[f"{letter} oriented surround 0-2 {end} o{orientation}"], difference)
    difference = blur(own, wavelength) - blur(own, 8 * wavelength)
    name = f"{letter} oriented rectified 1-8 {end} o{orientation}"
    assert_close(maps[name], np.maximum(difference, 0), 0.08)
    for part, response in (("even", z.real), ("odd", z.imag)):
        half_wave = np.maximum(response[orientation], 0)
        assert_close(maps[f"{letter} half-wave {part} {end} o{orientation}"], half_wave, 0.06)
    luminance = colours.to_opponent(image, "yuv")[channel].astype(float)
    assert_close(maps[f"{letter} intensity {end}"], blur(luminance, wavelength / 2), 0.05)
    variance = blur(luminance**2, wavelength) - blur(luminance, wavelength) ** 2
    assert_close(maps[f"{letter} contrast {end}"], np.sqrt(variance), 0.05)


def local_maxima(plane):
    """Positive values that no neighbour exceeds, largest first."""
    padded = np.pad(plane, 1, constant_values=-np.inf)
    near = [padded[1 + y : 49 + y, 1 + x : 65 + x] for y in (-1, 0, 1) for x in (-1, 0, 1)]
    is_peak = (plane == np.max(near, axis=0)) & (plane > 0.1 * plane.max())
    return sorted(plane[is_peak].tolist(), reverse=True)


@pytest.mark.parametrize("oriented", [False, True])
def test_second_order_filters_the_logarithm_of_energies(oriented):
    _, maps = found()
    amplitude = np.abs(responses()[0, 0])
    first = amplitude[1] if oriented else np.sqrt((amplitude**2).mean(axis=0))
    step = 1.5 * 8 / 4
    first = np.log1p(blur(first, step * 2 / 3) / 0.005)
    form = second_order.ORIENTED if oriented else second_order.MEAN
    bank = LogGaborBank(form.n_wavelengths, form.n_orientations, 12.0, 2.0, 0.65)
    end = "of s0 o1" if oriented else "s0"
    for number, response in enumerate(bank.responses(first)):
        scale, o = divmod(number, form.n_orientations)
        words = f"x{1.5 * 2**scale:g} o{o} {end}"
        for part, expected in (
            ("even", response.real), ("odd", response.imag), ("amplitude", np.abs(response)),
        ):  # fmt: skip
            map_ = maps[f"Y second order {part} {words}"]
            assert np.corrcoef(map_.ravel(), expected.ravel())[0, 1] > 0.9, words


def log_energies():
    """Log energies at every pixel as the formula says, (channel, scale, orientation, y, x)."""
    amplitude = np.abs(responses())
    small = [blur(plane, 2.0) for plane in amplitude.reshape(-1, *SHAPE)]
    return np.log1p(np.stack(small).reshape(amplitude.shape) / 0.005)


@pytest.mark.parametrize("width", [0, 0.5, 1, 2, 4])
def test_log_energies_are_means_around_the_place(width):
    _, maps = found()
    for c, s in ((0, 1), (2, 0)):
        own = log_energies()[c, s].mean(axis=0)
        expected = blur(own, width * 8) if width else own
        error = np.sqrt(((maps[f"{'YUV'[c]} log energy {width} s{s}"] - expected) ** 2).mean())
        # the means of a wide window hardly vary
        assert error < 0.12 * own.std() and expected.std() < own.std() + 1e-9


@pytest.mark.parametrize("width", [0, 0.5, 1])
def test_rarity_is_the_distance_from_the_energies_of_the_whole_image(width):
    _, maps = found()
    logs = log_energies()
    for name, group in (
        ("Y rarity {} s1", logs[0, 1]),
        ("U rarity {} all scales", logs[1]),
        ("all channels rarity {} s0", logs[:, 0]),
        ("all channels rarity {} all scales", logs),
    ):
        v = np.stack([blur(p, width * 8) if width else p for p in group.reshape(-1, *SHAPE)])
        v = v.reshape(len(v), -1)
        v -= v.mean(axis=1, keepdims=True)
        covariance = v @ v.T / v.shape[1]
        covariance += (0.02 * np.trace(covariance) / len(v) + 1e-4) * np.eye(len(v))
        expected = np.sqrt(np.einsum("ip,ij,jp->p", v, np.linalg.inv(covariance), v))
        found_ = maps[name.format(width)]
        assert np.corrcoef(found_.ravel(), expected)[0, 1] > 0.9, name
        assert found_.mean() == pytest.approx(expected.mean(), rel=0.1), name


@pytest.mark.parametrize("radius", [0.5, 1, 2])
def test_grouping_takes_edges_at_a_distance(radius):
    _, maps = found()
    logs, r = log_energies()[0, 1], 8 * radius
    step = np.round(r * np.array([-math.sin(math.pi / 3), math.cos(math.pi / 3)])).astype(int)
    means = np.stack([blur(plane, 0.4 * r) for plane in logs])

    def moved(o, dy, dx):
        y = np.clip(np.arange(SHAPE[0]) + dy, 0, SHAPE[0] - 1)
        x = np.clip(np.arange(SHAPE[1]) + dx, 0, SHAPE[1] - 1)
        return means[o][np.ix_(y, x)]

    waves = [(0, round(r)), tuple(step), (step[0], -step[1])]  # orientations of 0, 60, 120 degrees
    ends = [(moved(o, *w), moved(o, -w[0], -w[1])) for o, w in enumerate(waves)]
    sides = [(moved(o, w[1], -w[0]), moved(o, -w[1], w[0])) for o, w in enumerate(waves)]
    for part, expected in (
        ("around", np.mean(ends, axis=(0, 1))),
        ("both sides", np.min(ends, axis=1).mean(axis=0)),
        ("along", np.mean(sides, axis=(0, 1))),
    ):
        map_ = maps[f"Y grouping {part} {radius:g} s1"]
        assert np.corrcoef(map_.ravel(), expected.ravel())[0, 1] > 0.97, part
        assert map_.mean() == pytest.approx(expected.mean(), rel=0.02), part


def test_a_ring_is_grouped_at_its_centre_and_a_star_is_not():
    y, x = np.mgrid[:64, :96] - np.array([32, 48])[:, None, None]
    distance, angle = np.hypot(y, x), np.arctan2(y, x)
    at = np.exp(-((distance - 16) ** 2) / 18)
    ring = at * np.cos(2 * math.pi * (distance - 16) / 4)
    star = at * np.cos(24 * angle)
    around = {}
    for name, pattern in (("ring", ring), ("star", star)):
        image = np.repeat((128 + 100 * pattern).astype(np.uint8)[..., None], 3, axis=2)
        grid, place = Grid((64, 96), (1.0, 1.0), (0.0, 0.0)), Placement((64, 96), 0, 0, 64, 96)
        bank = {**BANK, "n_orientations": 8}
        (maps,) = maps_of(image, ["grouping"], [(grid, "point", 1.0)], place, bank=bank)
        around[name] = [maps[f"Y grouping {part} 2 s0"][32, 48] for part in ("around", "along")]
    assert around["ring"][0] > 1.5 * around["ring"][1]
    assert around["star"][1] > 1.5 * around["star"][0]


def test_the_one_odd_patch_of_a_texture_is_rare():
    image = texture(3)
    image[20:28, 30:38] = 128 + 110 * ((np.indices((8, 8)).sum(axis=0) % 4 < 2)[..., None] - 0.5)
    (maps,) = maps_of(image, ["rarity"])
    rare = maps["all channels rarity 0 all scales"]
    y, x = np.unravel_index(rare.argmax(), SHAPE)
    assert 16 <= y < 32 and 26 <= x < 42


def test_a_constant_image_has_nothing_but_intensity():
    image = np.full((*SHAPE, 3), 90, np.uint8)
    for name, map_ in maps_of(image)[0].items():
        if "intensity" not in name and "position" not in name:
            assert np.abs(map_).max() < 1e-3, name
        elif name.startswith("Y intensity"):
            np.testing.assert_allclose(map_, 90 / 255, atol=1e-4)


def test_one_peak_is_promoted_and_many_equal_ones_are_suppressed():
    alone, many = np.zeros((2, 1, 40, 40), np.float32)
    alone[0, 20, 20] = many[0, 20, 20] = 0.5
    many[0, 5::10, 5::10] = 0.49
    everywhere = (slice(0, 40), slice(0, 40))
    assert rectified.promoted(alone, everywhere).max() == pytest.approx(1, abs=0.01)
    assert rectified.promoted(many, everywhere).max() < 0.01


@pytest.mark.parametrize("bank", [BANK, {**BANK, "n_scales": 1, "n_orientations": 1}])
def test_the_table_has_a_row_for_every_map_and_the_workflow_counts_them(bank):
    settings = {**PLAIN, "bank": bank, "mechanisms": mechanisms.NAMES, "concepts": []}
    regressors = layers.make_regressors(settings)
    (maps,) = regressors.compute(make_image(SHAPE), WHOLE, [(PIXELS, "gaussian", 8.0)])
    table = regressors.table()
    n = len(maps)
    assert {len(column) for column in table.values()} == {n}
    assert n == len(set(table["name"])) == combinations._n_regressors(settings)
    assert np.isfinite(maps).all() and (np.abs(maps).max(axis=(1, 2)) > 0).all()
    assert set(table["kind"]) == {"amplitude", "position", *sum(mechanisms.KINDS.values(), ())}
    assert set(combinations.MECHANISMS) == set(mechanisms.NAMES)
    assert table["scale"].max() == bank["n_scales"] - 1
    assert list(table["kind"][-6:]) == ["position"] * 6


@pytest.mark.parametrize("name", mechanisms.NAMES)
def test_one_mechanism_alone_is_the_same_and_leaves_the_other_regressors(name):
    image, maps = found()
    (alone,) = maps_of(image, [name])
    (none,) = maps_of(image, [])
    assert set(none) < set(alone) < set(maps)
    for label, map_ in alone.items():
        np.testing.assert_array_equal(map_, none.get(label, maps[label]))


@pytest.mark.parametrize("target", [POINTS[0], (PIXELS, "gaussian", 24.0), (PIXELS, "box", 8.0)])
def test_mechanisms_of_all_scales_need_no_amplitudes_among_the_regressors(target):
    image, _ = found()
    names = mechanisms.OF_ALL_SCALES
    (plain,) = maps_of(image, names, [target])
    (linear,) = maps_of(image, names, [target], kinds=["even"], residual=True)
    own = [label for label in plain if any(name in label for name in ("energy", "rarity", "group"))]
    assert len(own) > 50 and set(own) < set(linear)
    for label in own:  # amplitudes that others average too may lie on a finer lattice
        assert_close(linear[label], plain[label], 0.1)


@pytest.mark.parametrize("pool, width", [("gaussian", 8.0), ("gaussian", 24.0), ("box", 8.0)])
def test_regressors_are_pooled_to_the_cells_of_a_layer(pool, width):
    image, at_pixels = found()
    coarse = Grid((12, 16), (4.0, 4.0), (1.5, 1.5))
    (pooled,) = maps_of(image, targets=[(coarse, pool, width)])
    matrices = layers.geometry.layer_sampling(coarse, WHOLE, pool, width)
    for name, map_ in pooled.items():
        without = ("position", "second order", "competition", "rarity", "grouping")
        if not any(word in name for word in without):
            expected = matrices[0] @ at_pixels[name] @ matrices[1].T
            error = np.sqrt(((map_ - expected) ** 2).mean())
            # at the shortest wavelength there are but two points to it
            most = 0.3 if " s0" in name else 0.1
            assert error < most * expected.std(), name


@pytest.mark.parametrize("control", ["noise", "pixel", "phase_scrambled"])
def test_control_banks_have_mechanisms_of_their_own(control):
    image, _ = found()
    coarse = [(Grid((12, 16), (4.0, 4.0), (1.5, 1.5)), "gaussian", 8.0)]
    (plain,) = maps_of(image, targets=coarse, bank=ONE_SCALE)
    (maps,) = maps_of(image, targets=coarse, control=control, bank=ONE_SCALE)
    assert list(maps) == list(plain)
    for name in maps:
        assert np.isfinite(maps[name]).all()
        same = "intensity" in name or "contrast" in name or "position" in name
        assert np.array_equal(maps[name], plain[name]) == same, name


@pytest.mark.parametrize("boundary", ["symmetric", "periodic"])
@pytest.mark.parametrize("shape", [(32, 32), (33, 47), (1, 40), (40, 8)])
def test_small_and_odd_images_are_taken(shape, boundary):
    grid = Grid((-(-shape[0] // 4), -(-shape[1] // 4)), (4.0, 4.0), (0.0, 0.0))
    targets = [(grid, "point", 1.0), (grid, "gaussian", 8.0)]
    for maps in maps_of(
        make_image(shape), targets=targets, placement=Placement(shape, 0, 0, *shape),
        boundary=boundary,
    ):  # fmt: skip
        assert all(np.isfinite(map_).all() for map_ in maps.values())


def test_a_layer_without_a_cell_in_the_content_has_those_of_its_nearest_cell():
    placement = Placement((64, 64), 0, 20, 64, 4)
    grid = Grid((2, 2), (32.0, 32.0), (10.0, 10.0))
    for pool in ("point", "gaussian"):
        (maps,) = maps_of(make_image((64, 4)), targets=[(grid, pool, 64.0)], placement=placement)
        assert {map_.shape for map_ in maps.values()} == {(2, 1)}
        assert all(np.isfinite(map_).all() for map_ in maps.values())


CELLS = Grid((12, 16), (4.0, 4.0), (1.5, 1.5))


def planted(what, image):
    """One map on the cells, written from the formula with other constants than the library's."""
    luminance = colours.to_opponent(image, "yuv")[0]
    amplitude = np.abs(LogGaborBank(**ONE_SCALE).responses(luminance))
    own = amplitude[1]
    if what == "normalised":
        energy = (amplitude**2).mean(axis=0)
        map_ = own / (np.sqrt(blur(energy, 10.0)) + 0.7 * np.sqrt(energy.mean()))
    else:
        map_ = blur(own, 4.0) - blur(own, 15.0)
        map_ = map_ if what == "surround" else np.maximum(map_, 0)
    along_y, along_x = layers.geometry.layer_sampling(CELLS, WHOLE, "gaussian", 7.0)
    return along_y @ map_ @ along_x.T


@pytest.mark.parametrize("what, names", [
    ("normalised", ["local_normalisation"]),
    ("surround", ["centre_surround", "centre_surround_oriented"]),
    ("rectified", ["centre_surround", "centre_surround_oriented"]),
])  # fmt: skip
def test_a_planted_mechanism_is_found(what, names):
    explained = []
    for chosen in ([], names):
        regressors = layers.make_regressors({**PLAIN, "bank": ONE_SCALE, "mechanisms": chosen})
        n = len(regressors.table()["name"])
        sums = [Statistics.empty(n, 1) for _ in range(2)]
        for seed in range(15):
            image = texture(seed)
            (phi,) = regressors.compute(image, WHOLE, [(CELLS, "gaussian", 8.0)])
            sums[seed % 3 == 0].add(phi.reshape(n, -1), planted(what, image).reshape(1, -1))
        explained.append(explained_variance(sums[1], *RidgePath(sums[0]).solve(1e-5))[1])
    assert explained[0] < 0.92 and explained[1] > 0.95, explained
