"""Regressors: each map is the one that its row of the table describes."""

import numpy as np
import pytest
from helpers import SETTINGS, make_image, make_regressors

from gaborscope.errors import InputError
from gaborscope.filters.loggabor import LogGaborBank
from gaborscope.stimuli import colour as colours
from gaborscope.stimuli import concepts, geometry
from gaborscope.stimuli.geometry import Grid, Placement

PLACEMENT = Placement((32, 48), 2, 0, 28, 48)
FINE = Grid((8, 12), (4.0, 4.0), (1.5, 1.5))
COARSE = Grid((4, 6), (8.0, 8.0), (3.5, 3.5))
PIXELS = Grid((32, 48), (1.0, 1.0), (0.0, 0.0))


@pytest.fixture
def content():
    return make_image((28, 48))


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"residual": False},
        {"position": True},
        {"normalisation": True},
        {"normalisation": True, "position": True, "kinds": ["amplitude"]},
        {"kinds": ["odd", "even"], "residual": False, "colour": "rgb"},
    ],
)
def test_the_table_has_a_row_for_every_map(content, changes):
    regressors = make_regressors(**changes)
    (maps,) = regressors.compute(content, PLACEMENT, [(FINE, "gaussian", 8.0)])
    table = regressors.table()
    assert {len(column) for column in table.values()} == {len(maps)}
    assert len(set(table["name"])) == len(maps)
    assert maps.dtype == np.float32


@pytest.mark.parametrize("channel", [0, 1, 2])
@pytest.mark.parametrize("scale", [0, 1])
@pytest.mark.parametrize("orientation", [0, 1, 2])
def test_the_table_names_the_filter_that_a_grating_drives_most(channel, scale, orientation):
    y, x = np.mgrid[:28, :48]
    angle, wavelength = np.pi * orientation / 3, 4.0 * 2**scale
    wave = np.cos(2 * np.pi * (x * np.cos(angle) - y * np.sin(angle)) / wavelength)
    image = np.full((28, 48, 3), 128, np.uint8)
    image[..., channel] = np.rint(128 + 100 * wave)
    regressors = make_regressors(colour="rgb")
    (maps,) = regressors.compute(image, PLACEMENT, [(FINE, "gaussian", 8.0)])
    table = regressors.table()
    amplitude = np.where(table["kind"] == "amplitude", maps.mean(axis=(1, 2)), -1)
    best = amplitude.argmax()
    assert table["name"][best] == f"{'RGB'[channel]} amplitude s{scale} o{orientation}"
    channel_and_filter = tuple(table[key][best] for key in ("colour", "scale", "orientation"))
    assert channel_and_filter == (channel, scale, orientation)


def test_point_samples_at_whole_pixels_are_the_responses_of_the_bank(content):
    regressors = make_regressors()
    (maps,) = regressors.compute(content, PLACEMENT, [(PIXELS, "point", 1.0)])
    table = regressors.table()
    bank = LogGaborBank(**SETTINGS["bank"])
    parts = {"even": np.real, "odd": np.imag, "amplitude": np.abs}
    for index, channel in enumerate(colours.to_opponent(content, "yuv")):
        responses = bank.responses(channel, "symmetric")
        for kind, part in parts.items():
            rows = (table["colour"] == index) & (table["kind"] == kind)
            assert (table["scale"][rows] == np.repeat([0, 1], 3)).all()
            assert (table["orientation"][rows] == np.tile([0, 1, 2], 2)).all()
            # one more float32 product by a matrix of ones and zeros
            np.testing.assert_allclose(maps[rows], part(responses), atol=1e-6)


def test_a_box_averages_the_responses_at_full_resolution(content):
    regressors = make_regressors()
    (full,) = regressors.compute(content, PLACEMENT, [(PIXELS, "point", 1.0)])
    (pooled,) = regressors.compute(content, PLACEMENT, [(FINE, "box", 8.0)])
    # cell (2, 5) looks at pixel (9.5, 21.5) of the input, (7.5, 21.5) of the content
    along = [(np.abs(np.arange(n) - c) < 4) / 8 for n, c in ((28, 7.5), (48, 21.5))]
    expected = np.einsum("kyx,y,x->k", full, *along)
    np.testing.assert_allclose(pooled[:, 2, 5], expected, atol=2e-6)  # float32 sums of 64 pixels


def test_targets_computed_together_equal_targets_computed_alone(content):
    regressors = make_regressors(normalisation=True, position=True)
    targets = [(FINE, "gaussian", 8.0), (COARSE, "point", 1.0), (FINE, "box", 4.0)]
    together = regressors.compute(content, PLACEMENT, targets)
    for target, maps in zip(targets, together, strict=True):
        (alone,) = regressors.compute(content, PLACEMENT, [target])
        # products of another number of rows may sum in another order
        np.testing.assert_allclose(maps, alone, atol=1e-6)


def test_only_cells_in_the_content_have_regressors(content):
    fine, coarse = make_regressors().compute(
        content, PLACEMENT, [(FINE, "point", 1.0), (COARSE, "point", 1.0)]
    )
    # centres 1.5 and 29.5 of the fine grid lie on the border and beyond: rows 2..29 are content
    assert fine.shape[1:] == (7, 12)
    assert coarse.shape[1:] == (4, 6)


def test_amplitudes_do_not_depend_on_the_phase_of_a_grating():
    y, x = np.mgrid[:28, :48]
    amplitudes = []
    for phase in (0, 0.7, 1.9):
        wave = np.rint(128 + 100 * np.cos(2 * np.pi * x / 8 + phase)).astype(np.uint8)
        image = np.repeat(wave[..., None], 3, axis=2)
        regressors = make_regressors(boundary="periodic")
        (maps,) = regressors.compute(image, PLACEMENT, [(FINE, "point", 1.0)])
        amplitudes.append(maps[regressors.table()["name"] == "Y amplitude s1 o0"])
    # the 48 px hold 6 periods; grey values are rounded to 1/255
    np.testing.assert_allclose(amplitudes[1], amplitudes[0], atol=2 / 255)
    np.testing.assert_allclose(amplitudes[2], amplitudes[0], atol=2 / 255)


def test_a_grey_image_has_no_response_in_the_chromatic_channels():
    image = np.repeat(make_image((28, 48))[..., :1], 3, axis=2)
    regressors = make_regressors()
    (maps,) = regressors.compute(image, PLACEMENT, [(FINE, "gaussian", 8.0)])
    assert np.abs(maps[regressors.table()["colour"] > 0]).max() < 2e-5  # rounded matrix of BT.601


def test_normalised_amplitudes_do_not_depend_on_contrast():
    def normalised(contrast):
        image = (128 + contrast * (make_image((28, 48)) / 255.0 - 0.5)).astype(np.float32)
        regressors = make_regressors(normalisation=True)
        (maps,) = regressors.compute(image, PLACEMENT, [(FINE, "gaussian", 8.0)])
        return maps[regressors.table()["kind"] == "normalised"]

    # the constant that keeps a blank image finite is 1e-4, a few thousandths of the amplitudes
    np.testing.assert_allclose(normalised(200), normalised(100), rtol=0.02, atol=1e-3)


def test_normalised_amplitudes_of_a_blank_image_are_zero():
    regressors = make_regressors(normalisation=True)
    image = np.full((28, 48, 3), 90, np.uint8)
    (maps,) = regressors.compute(image, PLACEMENT, [(FINE, "point", 1.0)])
    normalised = maps[regressors.table()["kind"] == "normalised"]
    assert (
        np.isfinite(normalised).all() and np.abs(normalised).max() < 0.01
    )  # 1e-7 of rounding over 1e-4


def test_position_terms_are_polynomials_from_the_centre_of_the_content(content):
    regressors = make_regressors(position=True)
    (maps,) = regressors.compute(content, PLACEMENT, [(PIXELS, "point", 1.0)])
    x, y, xx, yy, xy, centre = maps[regressors.table()["kind"] == "position"]
    np.testing.assert_allclose(x[0], (np.arange(48) + 0.5) / 24 - 1, atol=1e-6)
    np.testing.assert_allclose(y[:, 0], (np.arange(28) + 0.5) / 14 - 1, atol=1e-6)
    np.testing.assert_allclose(xx, x**2, atol=1e-6)
    np.testing.assert_allclose(yy, y**2, atol=1e-6)
    np.testing.assert_allclose(xy, x * y, atol=1e-6)
    assert list(regressors.table()["name"][-6:]) == [
        f"position {term}" for term in ("x", "y", "xx", "yy", "xy", "centre")
    ]
    np.testing.assert_allclose(centre, np.exp(-2 * (x**2 + y**2)), atol=1e-6)


@pytest.mark.parametrize("height, width", [(28, 48), (320, 48), (48, 320)])
def test_sampling_in_runs_of_rows_equals_sampling_by_whole_matrices(height, width):
    placement = Placement((height, width), 0, 0, height, width)
    # boxes, and points whose stride is not a whole number, are pooled from all px
    targets = [
        (Grid((height // 4, width // 4), (4.0, 4.0), (1.5, 1.5)), "box", 8.0),
        (Grid((height // 8, width // 8), (8.0, 8.0), (3.5, 3.5)), "box", 48.0),
        (Grid((height // 5, width // 5), (4.75, 4.75), (1.5, 1.5)), "point", 5.0),
    ]
    image = make_image((height, width), 3)
    regressors = make_regressors(colour="rgb", kinds=["even"])
    maps = regressors.compute(image, placement, targets)
    residual = regressors.table()["kind"] == "residual"
    for (grid, *pooling), target_maps in zip(targets, maps, strict=True):
        along_y, along_x = geometry.layer_sampling(grid, placement, *pooling)
        bank = LogGaborBank(**SETTINGS["bank"])
        prepared = bank.prepare((height, width))
        prepared.analyse(colours.to_opponent(image, "rgb")[1])
        responses = np.concatenate([part.real.copy() for _, part in prepared.responses()])
        channel = target_maps[regressors.table()["colour"] == 1]
        np.testing.assert_allclose(channel[:-1], along_y @ responses @ along_x.T, atol=2e-6)
        expected = along_y @ prepared.residual() @ along_x.T
        np.testing.assert_allclose(target_maps[residual][1], expected, atol=2e-6)


@pytest.mark.parametrize("pool, width", [("point", 1.0), ("box", 4.0), ("gaussian", 8.0)])
def test_maps_of_concepts_are_pooled_like_all_others_and_lie_behind_them(content, rng, pool, width):
    maps = list(rng.random((4, 28, 48)).astype(np.float32))
    targets = [(FINE, pool, width), (COARSE, pool, width)]
    changes = {"position": True, "mechanisms": ("intensity",)}
    plain = make_regressors(**changes)
    view = concepts.behind(content, maps)
    regressors = make_regressors(**changes, concepts=("faces", "text"), swapped=True)
    table = regressors.table()
    assert table["kind"][-4:].tolist() == [
        "concept:faces", "concept:text", "swapped:faces", "swapped:text"
    ]  # fmt: skip
    of_both = (each.compute(view, PLACEMENT, targets) for each in (plain, regressors))
    for target, without, found in zip(targets, *of_both, strict=True):
        assert len(found) == len(table["name"])
        np.testing.assert_array_equal(found[:-4], without)
        along_y, along_x = geometry.layer_sampling(target[0], PLACEMENT, pool, width)
        expected = [along_y @ values @ along_x.T for values in maps]
        np.testing.assert_allclose(found[-4:], expected, atol=1e-6)


@pytest.mark.parametrize("n", [0, 1, 3])
def test_as_many_maps_as_concepts_must_be_there(content, n):
    view = concepts.behind(content, [np.zeros((28, 48), np.float32)] * n)
    with pytest.raises(InputError, match=r"a map of each of its concepts \(faces, text\)"):
        make_regressors(concepts=("faces", "text")).compute(view, PLACEMENT, [(FINE, "box", 4.0)])
