"""Anatomy: planted colours, positions and scales are recovered."""

import dataclasses

import numpy as np
import pytest
from helpers import SETTINGS, make_block, make_image, make_layer, shares_of

from gaborscope.analysis import anatomy
from gaborscope.explanation import layers
from gaborscope.filters.loggabor import LogGaborBank
from gaborscope.fitting.ridge import RidgePath
from gaborscope.fitting.statistics import Statistics, explained_variance
from gaborscope.stimuli import colour as colours
from gaborscope.stimuli.geometry import Grid, Placement

PLACED = {**SETTINGS, "position": True}
TABLE = layers.make_regressors(PLACED).table()
PLACEMENT = Placement((32, 48), 0, 0, 32, 48)
PIXELS = Grid((32, 48), (1.0, 1.0), (0.0, 0.0))


def filters_of(statistics, table=TABLE, settings=PLACED):
    """Fit a layer by ridge and return it in the form of `read_filters`."""
    weight, intercept = RidgePath(statistics).solve(1e-8)
    shares = shares_of(statistics, table)
    return {
        "table": table, "weight": weight, "regressors": settings, "intercept": intercept,
        "shares": {grouping: entry[:2] for grouping, entry in shares.items()},
        "explained_variance": explained_variance(statistics, weight, intercept)[0],
    }  # fmt: skip


def image_statistics(make_maps, settings=PLACED, n=6):
    """Return the statistics of a layer on the pixels of made images."""
    made, total = layers.make_regressors(settings), None
    for seed in range(n):
        image = make_image((32, 48), seed)
        (phi,) = made.compute(image, PLACEMENT, [(PIXELS, "point", 1.0)])
        phi = phi.reshape(len(phi), -1)
        maps = np.stack([m.ravel() for m in make_maps(image, phi)]).astype(np.float32)
        total = total or Statistics.empty(len(phi), len(maps))
        total.add(phi, maps)
    return total


@pytest.mark.parametrize("space", ["yuv", "rgb"])
@pytest.mark.parametrize("planted", [(0.6, -0.64, 0.48), (0.299, 0.587, 0.114), (0.0, 0.6, -0.8)])
def test_the_first_axis_is_the_colour_that_a_layer_was_made_of(space, planted):
    planted = np.array(planted) / np.linalg.norm(planted)
    bank = LogGaborBank(**SETTINGS["bank"])

    def maps(image, _):
        responses = bank.responses((image / 255.0) @ planted)
        return [responses[1].real, responses[4].imag, responses[2].real + responses[5].real]

    settings = {**PLACED, "colour": space}
    table = layers.make_regressors(settings).table()
    filters = filters_of(image_statistics(maps, settings), table, settings)
    axes, energy = anatomy.colour_axes(filters, image_statistics(maps, settings))
    assert abs(axes[0] @ planted) > 0.999
    assert energy[0] > 0.99
    np.testing.assert_allclose(axes @ axes.T, np.eye(3), atol=1e-9)


def test_two_planted_colours_span_the_first_two_axes():
    bank = LogGaborBank(**SETTINGS["bank"])
    planted = np.array([[1.0, -1.0, 0.0], [0.3, 0.6, 0.1]])

    def maps(image, _):
        return [
            bank.responses((image / 255.0) @ direction)[k].real
            for k, direction in enumerate(planted)
        ]

    statistics = image_statistics(maps)
    axes, energy = anatomy.colour_axes(filters_of(statistics), statistics)
    assert energy[2] < 1e-3
    normal = np.cross(*planted)
    assert abs(axes[2] @ normal) / np.linalg.norm(normal) > 0.999


def test_a_luminance_layer_lies_at_no_angle_to_luminance():
    bank = LogGaborBank(**SETTINGS["bank"])

    def maps(image, _):
        return [bank.responses(colours.to_opponent(image, "yuv")[0])[0].real]

    statistics = image_statistics(maps)
    rows = anatomy.colour_rows(filters_of(statistics), statistics, statistics, 1e-6)
    assert rows[0]["nearest"] == "Y" and rows[0]["angle_deg"] < 2
    assert [row["axis"] for row in rows] == [1, 2, 3]


def test_amplitudes_alone_explain_what_is_made_of_them_and_little_else():
    names = list(TABLE["name"])

    def maps_of(name):
        return lambda image, phi: [phi[names.index(name)]]

    amplitude = image_statistics(maps_of("U amplitude s1 o0"))
    odd = image_statistics(maps_of("U odd s1 o0"))
    assert anatomy.amplitude_only(TABLE, amplitude, amplitude, 1e-8) > 0.999
    assert anatomy.amplitude_only(TABLE, odd, odd, 1e-8) < 0.3


def half_place(image, phi):
    names = list(TABLE["name"])
    return [
        phi[names.index(name)] / phi[names.index(name)].std()
        for name in ("Y even s0 o1", "position centre")
    ]


def without_position(made, held_out, solver, penalty=1e-8):
    filters = {"table": TABLE, "penalty": penalty}
    return anatomy.without_position(filters, made, held_out, {"budget": None, **solver})


def test_without_position_a_map_of_place_is_not_explained_and_one_of_content_is():
    made, unseen = (image_statistics(half_place, n=n) for n in (12, 6))
    explained = without_position(made, {"validation": made, "test": unseen}, {"name": "ridge"})
    assert set(explained) == {"validation", "test"}
    # of two maps of equal variance one is content; responses explain some of the other by chance
    assert 0.5 < explained["test"] < 0.75


def test_without_position_is_the_fit_of_an_explanation_that_has_no_position():
    plain = layers.make_regressors(SETTINGS).table()

    def maps(image, phi):
        return [phi[3] * phi[20], phi[20] ** 2]

    with_terms, without = image_statistics(maps), image_statistics(maps, SETTINGS)
    fitted = RidgePath(without).solve(0.01)
    explained = without_position(with_terms, {"validation": with_terms}, {"name": "ridge"}, 0.01)
    assert len(plain["name"]) == len(TABLE["name"]) - 6
    assert explained["validation"] == pytest.approx(explained_variance(without, *fitted)[1])


def test_without_position_a_budget_chooses_anew():
    statistics = image_statistics(half_place)
    solver = {"name": "ols", "budget": 1}
    explained = without_position(statistics, {"validation": statistics}, solver)
    assert 0.5 < explained["validation"] < 0.75


def test_an_explanation_of_position_alone_has_nothing_without_it():
    alone = {"table": {"kind": np.array(["position"] * 6)}, "penalty": 1.0}
    statistics = Statistics.empty(6, 1)
    explained = anatomy.without_position(alone, statistics, {"validation": statistics}, {})
    assert np.isnan(explained["validation"])


def test_place_has_the_profile_of_the_planted_bump():
    index = list(TABLE["name"]).index("position centre")
    statistics = image_statistics(lambda image, phi: [phi[index]])
    rows = anatomy.position_rows(filters_of(statistics), statistics)
    assert rows[0]["share"] > 0.8  # on six images the responses explain some of it by chance
    means = np.array([row["mean"] for row in rows])
    radius = np.array([row["radius"] for row in rows])
    assert (np.diff(means) < 0).all()
    # a bump of standard deviation 0.5, up to a factor and a constant
    bump = np.exp(-(radius**2) / (2 * 0.5**2))
    np.testing.assert_allclose(np.polyfit(bump, means, 1)[0] * (bump - bump[0]),
                               means - means[0], atol=0.02)  # fmt: skip


def test_content_alone_has_no_place():
    names = list(TABLE["name"])
    statistics = image_statistics(lambda image, phi: [phi[names.index("Y even s0 o1")]])
    rows = anatomy.position_rows(filters_of(statistics), statistics)
    assert max(row["rms"] for row in rows) < 0.01
    # on six images position and the response are correlated a little
    assert abs(rows[0]["share"]) < 0.05


def test_without_position_there_are_no_rows():
    table = layers.make_regressors(SETTINGS).table()
    statistics = image_statistics(lambda image, phi: [phi[0]], SETTINGS)
    assert anatomy.position_rows(filters_of(statistics, table, SETTINGS), statistics) == []


@pytest.mark.parametrize("scale", [0, 1])
def test_the_preferred_wavelength_is_that_of_the_planted_scale(scale):
    rng = np.random.default_rng(0)
    phi = rng.normal(size=(len(TABLE["name"]), 4000))
    index = list(TABLE["name"]).index(f"V amplitude s{scale} o1")
    statistics = Statistics.empty(len(phi), 1)
    statistics.add(phi, phi[[index]])
    rows = anatomy.scale_rows(filters_of(statistics), 2.0, 24.0)
    assert [row["wavelength_px"] for row in rows] == [8.0, 16.0]
    assert [row["cycles_per_degree"] for row in rows] == [3.0, 1.5]
    assert rows[scale]["share"] > 0.97
    np.testing.assert_allclose(rows[0]["mean_px"], rows[scale]["wavelength_px"], rtol=0.03)


def test_tables_of_a_layer_have_their_columns_and_its_name():
    made = image_statistics(lambda image, phi: [phi[0] + phi[3], phi[1]], n=2)
    layer = dataclasses.replace(make_layer(4, 2), name="stem", box={"height": 32, "width": 48})
    filters = {**filters_of(made), "layer": layer, "penalty": 1e-8}
    block = make_block([(64, 96)])
    tables = anatomy.of_layer(filters, made, made, block)
    assert set(tables) == set(anatomy.COLUMNS)
    for key, rows in tables.items():
        assert rows and all(set(row) == set(anatomy.COLUMNS[key]) for row in rows)
        assert {row["layer"] for row in rows} == {"stem"}
    finest = LogGaborBank(**SETTINGS["bank"]).wavelengths_px[0]
    # the network sees the stimuli at half their size
    assert tables["scale"][0]["wavelength_px"] == pytest.approx(2 * finest)
