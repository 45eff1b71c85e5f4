"""How filters, windows and grids are put together: closed forms, and products written plainly."""

import math

import numpy as np
import pytest
from helpers import make_regressors
from scipy import ndimage

from gaborscope.filters import controls, fourier, pooling, regressors, sampling, second_stage
from gaborscope.filters.loggabor import LogGaborBank
from gaborscope.stimuli import geometry
from gaborscope.stimuli.geometry import Grid, Placement

BANK = LogGaborBank(3, 4, 4.0, 2.0, 0.6)

# Bank


@pytest.mark.parametrize("octaves, broad", [(1.45, False), (1.55, True)])
def test_a_bank_is_broad_beyond_an_octave_and_a_half(octaves, broad):
    # full width at half amplitude of a Gaussian on the logarithm of frequency
    ratio = math.exp(-octaves * math.log(2) / (2 * math.sqrt(2 * math.log(2))))
    assert LogGaborBank(1, 8, 4.0, 2.0, ratio, 0.3).broad is broad


@pytest.mark.parametrize("degrees, broad", [(58, False), (62, True)])
def test_a_bank_is_broad_beyond_60_degrees(degrees, broad):
    sigma = math.radians(degrees) / (2 * math.sqrt(2 * math.log(2)))
    assert LogGaborBank(1, 8, 4.0, 2.0, 0.7, sigma).broad is broad


def test_filters_of_a_scale_have_its_wavelength_and_the_margin_is_half_the_longest():
    assert [BANK.wavelength_px(number) for number in (0, 3, 4, 11)] == [4, 4, 8, 16]
    assert BANK.margin_px == 8 and LogGaborBank(1, 4, 5.0, 2.0, 0.6).margin_px == 3
    np.testing.assert_allclose(BANK.orientations, np.pi * np.array([0, 1, 2, 3]) / 4)


def test_lobes_are_as_wide_as_their_number_asks_for():
    assert LogGaborBank(1, 6, 4.0, 2.0, 0.6).angular_sigma == pytest.approx(math.pi / 6 / 1.2)


def test_banks_are_equal_by_their_parameters():
    same, other = LogGaborBank(3, 4, 4, 2, 0.6), LogGaborBank(3, 4, 4.0, 2.0, 0.61)
    assert BANK == same and hash(BANK) == hash(same) and other != BANK
    assert BANK != BANK.parameters


# Regressors


@pytest.mark.parametrize("top, left", [(0, 0), (6, 3)])
def test_positions_run_from_minus_1_to_1_over_the_content_in_x_and_y(top, left):
    placement = Placement((40, 60), top, left, 28, 54)
    grid = Grid((9, 14), (4.0, 4.0), (1.5, 2.5))
    shape = [len(along) for along in sampling.centres(grid, placement)]
    terms = regressors._position(grid, placement)
    assert terms.shape == (6, *shape)
    rows, columns = sampling.centres(grid, placement)
    for i, y_px in enumerate(rows):
        for j, x_px in enumerate(columns):
            x, y = (x_px + 0.5) / 54 * 2 - 1, (y_px + 0.5) / 28 * 2 - 1
            expected = [x, y, x * x, y * y, x * y, math.exp(-2 * (x * x + y * y))]
            np.testing.assert_allclose(terms[:, i, j], expected, atol=1e-6)


def test_centres_are_counted_from_the_corner_of_the_content():
    y, x = sampling.centres(
        Grid((9, 14), (4.0, 5.0), (1.5, 2.0)), Placement((40, 72), 6, 3, 28, 60)
    )
    np.testing.assert_allclose(y, 1.5 + 4 * np.arange(1, 8) - 6)
    np.testing.assert_allclose(x, 2.0 + 5 * np.arange(1, 13) - 3)


def test_normalised_amplitudes_are_divided_by_those_of_all_orientations():
    rng = np.random.default_rng(0)
    amplitude = rng.uniform(0.1, 1, (6, 5, 7))  # two scales of three orientations
    found = regressors._normalised(amplitude, 2)
    for scale in range(2):
        part = amplitude[3 * scale : 3 * scale + 3]
        local = np.sqrt((part**2).mean(axis=0))
        energy = np.sqrt((part**2).mean())
        expected = part / (energy + local + 1e-4)
        np.testing.assert_allclose(found[3 * scale : 3 * scale + 3], expected)


@pytest.mark.parametrize("kinds", [["amplitude", "even"], ["odd"], ["odd", "amplitude"]])
@pytest.mark.parametrize("second", [False, True])
def test_some_kinds_are_those_of_all_kinds_by_their_names(rng, kinds, second):
    bank = {"n_scales": 3, "n_orientations": 2, "min_wavelength_px": 4.0, "scale_factor": 2.0,
            "bandwidth_ratio": 0.6}  # fmt: skip
    image = rng.integers(0, 256, (24, 40, 3)).astype(np.uint8)
    placement = Placement((24, 40), 0, 0, 24, 40)
    targets = [(Grid((6, 10), (4.0, 4.0), (1.5, 1.5)), "box", 4.0)]
    settings = {"bank": bank, "position": True, "normalisation": True}
    made = []
    for wanted in (kinds, ["even", "odd", "amplitude"]):
        regressor = make_regressors(**settings, kinds=wanted)
        object.__setattr__(regressor, "second_stage", second)
        names = regressor.table()["name"].tolist()
        (maps,) = regressor.compute(image, placement, targets)
        assert len(maps) == len(names)
        made.append(dict(zip(names, maps, strict=True)))
    some, every = made
    assert set(some) < set(every)
    for name, values in some.items():
        np.testing.assert_allclose(values, every[name], atol=1e-6, err_msg=name)


# Second stage


def test_rows_of_the_second_stage_name_first_scale_step_and_orientation():
    bank = {"n_scales": 4, "n_orientations": 2}
    assert second_stage.rows(bank, ["even", "odd"], "Y")[::2] == [
        ("second_stage", 0, 0, 0, "Y second even +2 s0 o0"),
        ("second_stage", 0, 1, 0, "Y second even +2 s0 o1"),
        ("second_stage", 0, 0, 0, "Y second even +3 s0 o0"),
        ("second_stage", 0, 1, 0, "Y second even +3 s0 o1"),
        ("second_stage", 1, 0, 0, "Y second even +2 s1 o0"),
        ("second_stage", 1, 1, 0, "Y second even +2 s1 o1"),
    ]


@pytest.mark.parametrize("control", [None, *controls.CONTROLS])
def test_the_second_stage_is_the_bank_on_mean_amplitudes_of_the_bank(rng, control):
    bank = {"n_scales": 3, "n_orientations": 2, "min_wavelength_px": 3.0, "scale_factor": 2.0,
            "bandwidth_ratio": 0.6, "angular_sigma": None}  # fmt: skip
    image = rng.normal(size=(22, 36))

    def made(values, **changes):
        plain = LogGaborBank(**{**bank, **changes})
        used = plain if control is None else controls.ControlBank(control, plain)
        prepared = used.prepare(values.shape, "periodic")
        prepared.analyse(values)
        return np.concatenate([block.copy() for _, block in prepared.responses()])

    amplitude = np.abs(made(image, n_scales=1)).mean(axis=0)
    expected = made(amplitude, n_scales=1, min_wavelength_px=12.0)
    (found,) = second_stage.responses(image, bank, "periodic", control)
    np.testing.assert_allclose(found, expected, atol=1e-6)


# Control banks


def test_kernels_are_as_large_as_three_quarters_of_their_wavelength_on_each_side():
    pairs = controls.kernels("random", LogGaborBank(2, 2, 4.0, 2.5, 0.6))
    assert [pair.shape for pair in pairs] == [(7, 7)] * 2 + [(17, 17)] * 2


def test_random_filters_lie_under_a_window_of_a_quarter_of_the_wavelength():
    rng = np.random.default_rng(0)
    total = np.zeros((61, 61))
    for _ in range(300):
        pair = controls._noise(30, 5.0, rng)
        total += np.abs(pair) ** 2
    y, x = np.mgrid[-30:31, -30:31]
    variance = (total * x**2).sum() / total.sum(), (total * y**2).sum() / total.sum()
    # the square of a Gaussian has half its variance; 300 pairs leave an uncertainty of 2 %
    np.testing.assert_allclose(variance, 12.5, rtol=0.1)


def test_pairs_of_pixels_are_opposite_and_go_counter_clockwise_from_the_right():
    pairs = controls.kernels("pixel", LogGaborBank(1, 4, 2.5, 2.0, 0.6))
    places = []
    for pair in pairs:
        half = len(pair) // 2
        ((row, column),) = np.argwhere(pair.real)
        ((other_row, other_column),) = np.argwhere(pair.imag)
        assert (other_row, other_column) == (2 * half - row, 2 * half - column)
        places.append((int(row) - half, int(column) - half))
    assert places == [(0, 1), (-1, 1), (-1, 0), (-1, -1)]


def test_rings_are_two_fifths_of_the_wavelength_and_never_shared():
    for factor, expected in ((2.0, [1, 2, 4]), (1.04, [1, 2, 3])):
        rings = []
        for pair in controls.kernels("pixel", LogGaborBank(3, 4, 2.5, factor, 0.6))[::4]:
            half = len(pair) // 2
            ((row, column),) = np.argwhere(pair.real)
            rings.append(max(abs(int(row) - half), abs(int(column) - half)))
        assert rings == expected
    wide = controls.kernels(
        "pixel", LogGaborBank(1, 12, 2.5, 2.0, 0.6)
    )  # 12 pairs need a ring of radius 3
    assert max(abs(int(c) - len(wide[0]) // 2) for _, c in np.argwhere(wide[0].real)) == 3


@pytest.mark.parametrize(
    "control", [name for name in controls.CONTROLS if name != "phase_scrambled"]
)
def test_at_the_border_controls_see_the_mirrored_image(rng, control):
    image = rng.normal(size=(20, 33))
    prepared = controls.ControlBank(control, BANK).prepare(image.shape, "symmetric")
    prepared.analyse(image)
    kernels = controls.kernels(control, BANK)
    for (_, found), kernel in zip(prepared.responses(), kernels, strict=True):
        if len(kernel) // 2 > BANK.margin_px:
            continue
        expected = ndimage.convolve(image, kernel.real, mode="reflect")
        np.testing.assert_allclose(found[0].real, expected, atol=1e-5)


def test_the_residual_of_a_control_is_that_of_the_log_gabor_bank(rng):
    image = rng.normal(size=(20, 33))
    control = controls.ControlBank("pixel", BANK).prepare(image.shape)
    plain = BANK.prepare(image.shape)
    control.analyse(image)
    plain.analyse(image)
    np.testing.assert_allclose(control.residual(), plain.residual(), atol=1e-5)


# Pooling


@pytest.mark.parametrize("rows", [4, 40])
def test_responses_are_pooled_along_both_axes_by_the_matrices(rng, rows):
    shape = (24, 30)
    samplers = [
        (rng.random((rows, 24)).astype(np.float32), rng.random((7, 30)).astype(np.float32)),
        (rng.random((3, 24)).astype(np.float32), rng.random((5, 30)).astype(np.float32)),
    ]
    sampler = pooling.Sampler(samplers, shape)  # with 40 rows parts are separated first
    responses = (rng.normal(size=(2, *shape)) + 1j * rng.normal(size=(2, *shape))).astype("c8")
    maps = sampler.maps(2)
    sampler.responses(responses, maps)
    for pooled, (along_y, along_x) in zip(maps, samplers, strict=True):
        for number, response in enumerate(responses):
            parts = response.real, response.imag, np.abs(response)
            for column, part in enumerate(parts):
                expected = along_y @ part @ along_x.T
                np.testing.assert_allclose(
                    pooled[number, :, column], expected, rtol=1e-4, atol=1e-3
                )
    image = rng.normal(size=shape).astype(np.float32)
    for pooled, (along_y, along_x) in zip(sampler.plain(image), samplers, strict=True):
        np.testing.assert_allclose(pooled, along_y @ image @ along_x.T, rtol=1e-4, atol=1e-3)


def test_planes_are_pooled_along_both_axes_by_the_matrices(rng):
    samplers = [
        (rng.random((n, 20)).astype(np.float32), rng.random((m, 26)).astype(np.float32))
        for n, m in ((5, 3), (8, 6))
    ]
    pooler = pooling.Pooler(samplers, 4)
    pooler.planes[...] = rng.normal(size=(20, 4, 26))
    for pooled, (along_y, along_x) in zip(pooler.pool(), samplers, strict=True):
        for plane in range(4):
            expected = along_y @ pooler.planes[:, plane] @ along_x.T
            np.testing.assert_allclose(pooled[:, plane], expected, rtol=1e-4, atol=1e-4)


def test_joint_products_of_sparse_and_full_matrices_are_the_matrices(rng):
    narrow = geometry.sampling_matrix(600, tuple(np.arange(2.0, 600, 4)), "box", 4.0)
    full = rng.random((6, 600)).astype(np.float32)
    pixels = rng.random((600, 9)).astype(np.float32)
    for matrices in ([narrow, full], [full, narrow], [full, full + 1], [narrow]):
        products, rows = pooling.joint_products(matrices)
        lines = np.full((sum(len(m) for m in matrices), 9), np.nan, np.float32)
        for into, seen, matrix in products:
            lines[into] = matrix @ pixels[seen]
        for place, matrix in zip(rows, matrices, strict=True):
            np.testing.assert_allclose(lines[place], matrix @ pixels, rtol=1e-4)
    products, _ = pooling.joint_products([narrow])
    assert len(products) > 1 and sum(matrix.size for *_, matrix in products) < narrow.size / 4


# Sampling


@pytest.mark.parametrize(
    "wavelength, broad, deviation, full, step",
    [
        (12.0, False, 2.3, (48, 64), 4), (11.9, False, 2.3, (48, 64), 2),
        (12.0, False, 2.2, (48, 64), 2), (15.9, True, 9.0, (48, 64), 2),
        (16.0, True, 9.0, (48, 64), 4), (3.0, False, 2.0, (48, 64), 2),
        (2.9, False, 2.0, (48, 64), 1), (3.0, False, 1.9, (48, 64), 1),
        (99.0, False, 9.0, (46, 64), 2), (99.0, False, 9.0, (48, 63), 1),
    ],
)  # fmt: skip
def test_amplitudes_are_taken_at_as_few_points_as_are_allowed(
    wavelength, broad, deviation, full, step
):
    assert sampling.amplitude_step(wavelength, broad, deviation, full) == step


def test_a_window_narrower_than_a_third_of_the_margin_is_applied_to_the_spectrum():
    grid = Grid((12, 16), (4.0, 4.0), (1.5, 1.5))
    centres = np.arange(1.5, 48, 4), np.arange(1.5, 64, 4)
    shape, full = (48, 64), (64, 80)
    lattice, applied, rest = sampling.window_lattice(grid, centres, 3.0, shape, full, 9.0)
    assert (applied, rest, lattice.step) == (3.0, 0.0, 4)
    np.testing.assert_allclose(lattice.positions(0)[:12], centres[0])
    for stride, deviation in ((4.0, 3.1), (4.5, 3.0)):
        other = Grid((12, 16), (stride, stride), (1.5, 1.5))
        lattice, applied, rest = sampling.window_lattice(
            other, centres, deviation, shape, full, 9.0
        )
        assert rest > 0 and applied**2 + rest**2 == pytest.approx(deviation**2)
        assert lattice.step == 1 and rest >= 1 and applied <= 3


def test_a_wide_window_is_split_at_a_third_of_the_margin():
    grid, centres = Grid((3, 4), (16.0, 16.0), (7.5, 7.5)), (np.arange(7.5, 48, 16),) * 2
    lattice, applied, rest = sampling.window_lattice(grid, centres, 20.0, (48, 48), (64, 64), 24.0)
    assert applied == pytest.approx(8) and rest == pytest.approx(math.sqrt(400 - 64))
    assert lattice.step == 4


def test_window_weights_of_points_inside_are_those_of_the_gaussian():
    lattice = sampling.tiling(2, (40, 60), (64, 80))
    centres = np.array([20.0, 21.5]), np.array([30.0])
    along_y, along_x = sampling.windows(lattice, centres, 2.5, (40, 60))
    for axis, along in enumerate((along_y, along_x)):
        points = lattice.positions(axis)
        for row, centre in zip(along, centres[axis], strict=True):
            expected = np.exp(-((points - centre) ** 2) / (2 * 2.5**2))
            np.testing.assert_allclose(row, expected / expected.sum(), atol=1e-5)


def test_points_beyond_the_image_weigh_less_the_farther_they_lie():
    lattice = sampling.tiling(4, (48, 48), (64, 64))
    centres = np.array([0.0]), np.array([47.0])
    along_y, along_x = sampling.windows(lattice, centres, 30.0, (48, 48))
    points = lattice.positions(0)
    outside = np.flatnonzero(points < -0.5)
    inside = np.flatnonzero((points > 8) & (points < 40))
    assert np.abs(along_y[0, outside[:-1]]).max() < 0.1 * along_y[0, inside].min()
    np.testing.assert_allclose(along_x[0], along_y[0, ::-1], atol=1e-6)


# Transforms


def test_double_precision_keeps_gains_that_single_precision_leaves_out():
    gains = np.zeros((1, 8, 32))
    gains[0, :, 0], gains[0, :, 20] = 1, 1e-9
    single, double = (fourier.Transform((8, 32), precision) for precision in ("single", "double"))
    assert len(single.prepare(gains).parts) == 1
    assert len(double.prepare(gains).parts) == 2


@pytest.mark.parametrize("shape, margin, padded", [((10, 21), 3, (16, 32)), ((4, 4), 0, (4, 4))])
def test_padded_sizes_are_four_times_a_good_size(shape, margin, padded):
    assert fourier.padded_shape(shape, margin) == padded


def test_more_is_padded_after_than_before():
    padded, origin = fourier.mirror_pad(np.arange(6.0).reshape(2, 3), (5, 6))
    assert origin == (1, 1)
    assert padded[:, 1].tolist() == [0, 0, 3, 3, 0] and padded[1].tolist() == [0, 0, 1, 2, 2, 1]
