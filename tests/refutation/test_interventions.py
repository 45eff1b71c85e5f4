"""Notches take out their band and nothing else; predicted and measured changes are compared."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
from helpers import make_block, make_image, make_layer

from gaborscope.explanation import layers
from gaborscope.explanation.model import ExplainedModel
from gaborscope.filters.loggabor import LogGaborBank
from gaborscope.refutation import interventions, notches
from gaborscope.stimuli.colour import CHANNELS, to_opponent

BANK = {
    "n_scales": 3,
    "n_orientations": 4,
    "min_wavelength_px": 3.0,
    "scale_factor": 2.0,
    "bandwidth_ratio": 0.6,
    "angular_sigma": None,
}
SETTINGS = {
    "bank": BANK,
    "colour": "yuv",
    "kinds": ["even"],
    "residual": False,
    "normalisation": False,
    "position": False,
    "boundary": "symmetric",
    "pool": {"kind": "point", "width": 1.0},
}
SIZE = (40, 56)
ALL = np.ones((3, 13), bool)  # every cell of the bank


def toy_model(filters, gain):
    """Return an explained model whose log-density is a weighted sum of even filter responses."""
    layer = dataclasses.replace(make_layer(1, 1), shape={"40x56": SIZE})
    weight = np.zeros((1, 3 * LogGaborBank(**BANK).n_filters), np.float32)
    weight[0, filters] = gain
    fitted = layers.FittedLayer("only", layer, SETTINGS, weight, np.zeros(1, np.float32),
                                np.zeros(1, np.float32))  # fmt: skip
    return ExplainedModel(
        box=SIZE,
        layers=[fitted],
        settings={"stride": 1, "smoothing": 0.0},
        weight=np.array([1.0, 0.0]),
        centre_bias=np.full((4, 4), 1 / 16),
        uniform_weight=1e-3,
    )


def toy_network(filter_index, gain):
    """Return a network that is one filter of the bank, without the code of explained models."""
    bank = LogGaborBank(**BANK)

    def predict(image):
        response = bank.responses(to_opponent(image, "yuv")[0])[filter_index].real
        score = gain * response.astype(float)
        density = np.exp(score - score.max())
        return (1 - 1e-3) * density / density.sum() + 1e-3 / density.size

    return predict


@pytest.mark.parametrize("space", list(CHANNELS))
def test_opponent_channels_lead_back_to_the_image(space):
    image = make_image((13, 17))
    back = notches.from_opponent(to_opponent(image, space), space)
    np.testing.assert_allclose(back, image, atol=0.02)  # float32 through cube roots and powers


@pytest.mark.parametrize("shape", [(48, 80), (45, 64), (27, 25)])
def test_every_frequency_but_0_has_one_cell_as_its_opposite_has(shape):
    bank = LogGaborBank(**BANK)
    index = notches.partition(bank, shape)
    assert index[0, 0] == -1 and (index.ravel()[1:] >= 0).all()
    assert index.max() == bank.n_filters
    opposite = np.roll(index[::-1, ::-1], (1, 1), axis=(0, 1))
    np.testing.assert_array_equal(index, opposite)


@pytest.mark.parametrize("scale", [0, 1, 2])
@pytest.mark.parametrize("orientation", [0, 1, 3])
def test_the_cell_of_a_filters_centre_is_that_of_the_filter(scale, orientation):
    bank = LogGaborBank(**BANK)
    shape = (240, 320)
    radius = 1 / bank.wavelengths_px[scale]
    angle = bank.orientations[orientation]
    row = round(-radius * np.sin(angle) * shape[0]) % shape[0]
    column = round(radius * np.cos(angle) * shape[1]) % shape[1]
    index = notches.partition(bank, shape)[row, column]
    assert index == scale * bank.n_orientations + orientation


def test_a_notch_removes_exactly_its_band():
    # these gratings are periodic when mirrored to 96 x 108, so no energy leaks to other cells
    bank = {**BANK, "n_scales": 5, "n_orientations": 8}
    y, x = np.mgrid[:48, :54]
    across = 40 * np.cos(np.pi * 18 * (2 * x + 1) / 108)  # 6 px
    down = 40 * np.cos(np.pi * 8 * (2 * y + 1) / 96)  # 12 px
    image = np.rint(128 + across + down).astype(np.uint8)
    notcher = notches.Notcher(np.repeat(image[..., None], 3, 2), {**SETTINGS, "bank": bank})
    assert notcher.index.shape == (96, 108)
    for notch, left in (
        (notches.Notch("band", 0, scale=1), down),
        (notches.Notch("orientation", 0, orientation=4), across),
        (notches.Notch("colour", 0), 0 * across),
        (notches.Notch("band", 1, scale=1), across + down),
        (notches.Notch("band", 0, scale=5), across + down),
    ):
        without = notcher.without(notcher.component(notch.cells(notcher.bank)))
        # pixels are rounded to whole grey levels
        np.testing.assert_allclose(without, np.repeat((128 + left)[..., None], 3, 2), atol=0.6)


@pytest.mark.parametrize("space", list(CHANNELS))
def test_all_cells_together_are_the_image_without_its_mean(space):
    image = make_image(SIZE)
    notcher = notches.Notcher(image, {**SETTINGS, "colour": space})
    every = np.ones((3, notcher.bank.n_filters + 1), bool)
    without = notcher.without(notcher.component(every))
    np.testing.assert_allclose(without, np.broadcast_to(without[:1, :1], without.shape), atol=1e-3)


@pytest.mark.parametrize("space", list(CHANNELS))
def test_random_changes_have_the_energy_of_the_notch(space):
    image = make_image(SIZE, seed=3)
    notcher = notches.Notcher(image, {**SETTINGS, "colour": space})
    for notch in (notches.Notch("band", 0, scale=1), notches.Notch("colour", 0)):
        changes = list(notches_of(notcher, notch))
        assert [kind for kind, *_ in changes] == ["leading", "lower_half", "random_phase"]
        energies = [facts["energy"] for *_, facts in changes]
        np.testing.assert_allclose(energies, energies[0], rtol=0.02)  # pixels are whole numbers
        assert len({changed.tobytes() for _, changed, _ in changes}) == 3


def notches_of(notcher, notch, key=(1, 2, 3)):
    return interventions.changed_images(notcher, notch, ALL, 1, key)


def test_random_cells_spare_those_of_the_notch():
    notcher = notches.Notcher(make_image(SIZE), SETTINGS)
    notch_cells = notches.Notch("band", 0, scale=1).cells(notcher.bank)
    _, cells = notcher.random_cells(notch_cells, 30.0, np.random.default_rng(0))
    assert cells.any() and not (cells & notch_cells).any()


def test_random_phases_stay_in_the_band():
    notcher = notches.Notcher(make_image(SIZE), SETTINGS)
    notch_cells = notches.Notch("band", 0, scale=1).cells(notcher.bank)
    component, scrambled = (
        notcher.component(notch_cells),
        notcher.random_phases(notch_cells, np.random.default_rng(0)),
    )
    assert abs(interventions.correlation(component[0], scrambled[0])) < 0.3
    np.testing.assert_allclose((scrambled**2).sum(), (component**2).sum())
    assert np.abs(scrambled[1:]).max() < 1e-9


def test_nothing_is_taken_out_of_a_grey_image_by_its_colour():
    image = np.repeat(make_image(SIZE)[..., :1], 3, axis=2)
    notcher = notches.Notcher(image, SETTINGS)
    assert list(notches_of(notcher, notches.Notch("colour", 1))) == []


def test_of_a_network_that_is_the_bank_the_predicted_change_is_the_measured_one():
    filter_index, gain = 1 * 4 + 2, 3.0
    model, network = toy_model([filter_index], gain), toy_network(filter_index, gain)
    block = make_block([SIZE])
    content, pixels = interventions.content_of(block, 0, model.box)
    np.testing.assert_allclose(model.predict(content), network(content), rtol=1e-4)
    notch = notches.Notch("band", 0, scale=1)
    rows = interventions.intervene(
        content,
        pixels,
        SETTINGS,
        [("Y 6 px", notch)],
        ALL,
        (model.predict, network),
        2,
        (1, "s0.png"),
    )
    assert len(rows) == 5
    for row in rows:
        assert row["correlation"] > 1 - 1e-6 and row["sign_agreement"] == 1
        assert row["kl_deep"] == pytest.approx(row["kl_explained"], rel=1e-3) and row["kl_deep"] > 0


def test_the_leading_notches_are_what_the_explanation_reads():
    model = toy_model([1 * 4 + 2], 3.0)  # luminance, 6 px, 90 degrees
    contents = [make_image(SIZE, seed) for seed in range(2)]
    table = interventions.rank(contents, model.predict, SETTINGS, notches.NOTCH_FAMILIES)
    chosen = dict(interventions.leading(table, 1))
    assert list(chosen) == ["Y 6 px", "Y 90 deg", "Y"]
    assert chosen["Y 6 px"] == notches.Notch("band", 0, scale=1)
    unread = table[table["colour"] != "Y"]
    # taking colour out changes luminance only by the rounding of pixels
    assert unread["contribution"].max() < 0.02 * table["contribution"].max()


def test_the_lower_half_is_what_the_explanation_reads_least_per_energy():
    model = toy_model([1 * 4 + 2], 3.0)  # luminance, 6 px, 90 degrees
    contents = [make_image(SIZE, seed) for seed in range(2)]
    table = interventions.rank(contents, model.predict, SETTINGS, ("band", "filter"))
    single = table[table["family"] == "filter"]
    assert len(single) == 3 * 13
    assert tuple(single.iloc[0][["channel", "scale", "orientation"]]) == (0, 1, 2)
    lower = interventions.lower_half(table, LogGaborBank(**BANK))
    ranked = single[single["energy"] >= interventions.LEAST_ENERGY]
    assert lower.sum() == len(ranked) // 2 and not lower[0, 1 * 4 + 2]
    # a filter is ranked by its change per energy, not by the energy that it happens to hold
    per_energy = (ranked["contribution"] / ranked["energy"]).to_numpy()
    for row, rate in zip(ranked.itertuples(), per_energy, strict=True):
        orientation = row.orientation if row.orientation >= 0 else None
        notch = notches.Notch("filter", row.channel, row.scale, orientation)
        cells = notch.cells(LogGaborBank(**BANK))
        assert (lower & cells).any() == (rate < np.median(per_energy))
    assert {family for family in dict(interventions.leading(table, 1)).values()} == {
        notches.Notch("band", 0, scale=1)
    }


def test_the_lower_half_outside_of_the_notch_is_what_is_taken_out():
    notcher = notches.Notcher(make_image(SIZE), SETTINGS)
    notch, lower = notches.Notch("band", 0, scale=1), np.zeros((3, 13), bool)
    lower[0, 4:12] = True  # two bands, of which one is the notch
    kinds = {kind: changed for kind, changed, _ in
             interventions.changed_images(notcher, notch, lower, 1, [1])}  # fmt: skip
    difference = to_opponent(kinds["lower_half"], "yuv") - to_opponent(notcher.content, "yuv")
    index = notches.partition(notcher.bank, SIZE)
    spectrum = np.abs(np.fft.fft2(difference[0]))
    power = [np.sum(spectrum[(index >= first) & (index < first + 4)] ** 2) for first in (0, 4, 8)]
    assert power[2] > 5 * max(power[:2])


def test_an_unchanged_map_has_no_effect_and_an_opposite_one_disagrees():
    rng = np.random.default_rng(0)
    before = rng.uniform(1, 2, (5, 7))
    before /= before.sum()
    change = rng.standard_normal((5, 7)) * 1e-3
    change -= change.mean()
    pixels = np.array([[0, 0], [6, 4], [6, 4], [9, 1]])
    opposite = interventions.compare((before, before), (before + change, before - change), pixels)
    assert opposite["correlation"] == pytest.approx(-1) and opposite["sign_agreement"] == 0
    unchanged = interventions.compare((before, before), (before, before), pixels)
    assert unchanged["kl_deep"] == 0 and np.isnan(unchanged["correlation"])
    assert unchanged["sign_agreement"] == 1


def test_a_notch_is_described_in_words():
    bank = LogGaborBank(**BANK)
    row = notches.Notch("orientation", 2, orientation=3).described(bank, CHANNELS["yuv"])
    assert row["notch"] == "V 135 deg" and np.isnan(row["wavelength_px"])
    assert pd.Series(notches.Notch("band", 0, scale=3).described(bank, CHANNELS["yuv"]))[
        "notch"
    ].startswith("Y above 17 px")


def test_the_maps_of_concepts_stay_as_they_are_while_images_change(rng):
    model = toy_model([1 * 4 + 2], 3.0)
    layer = model.layers[0]
    layer.settings = {**layer.settings, "concepts": ["faces"]}
    layer.weight = np.hstack([layer.weight, np.full((len(layer.weight), 1), 2, np.float32)])
    block, faces = make_block([SIZE]), rng.random(SIZE).astype(np.float32)
    block.concepts = lambda _: [faces]
    content, _ = interventions.content_of(block, 0, model.box)
    assert content.shape == (*SIZE, 4)
    seen, explained = [], interventions.explained_by(model)

    def watched(image, maps):
        seen.append((image.dtype, image.shape, np.array_equal(maps[0], faces)))
        return explained(image, maps)

    table = interventions.rank([content], watched, SETTINGS, ("band",))
    interventions.intervene(
        content, np.zeros((1, 2), int), SETTINGS, interventions.leading(table, 1), ALL,
        (watched, lambda image: model.predict(image, {"faces": faces})), 1, (1, "a"),
    )  # fmt: skip
    assert len(seen) > 5 and set(seen) == {(np.dtype(np.uint8), (*SIZE, 3), True)}
