"""Interventions on an explanation and a network that differ: which is which, and what is whose."""

import numpy as np
import pandas as pd
import pytest

from gaborscope.filters.loggabor import LogGaborBank
from gaborscope.refutation import interventions, notches
from gaborscope.stimuli.block import StimulusBlock

BANK = {
    "n_scales": 2,
    "n_orientations": 3,
    "min_wavelength_px": 3.0,
    "scale_factor": 2.0,
    "bandwidth_ratio": 0.6,
    "angular_sigma": None,
}
SETTINGS = {"bank": BANK, "colour": "yuv"}
SIZE = (20, 34)  # height, width
ALL = np.ones((3, 7), bool)  # every cell of the bank


@pytest.fixture
def image(rng):
    return rng.integers(30, 220, (*SIZE, 3)).astype(np.uint8)


def explained(image):
    """A density that reads red light."""
    weight = 1.0 + image[..., 0]
    return weight / weight.sum()


def network(image):
    """A density that reads the square of green light, on the left more than on the right."""
    weight = (1.0 + image[..., 1]) ** 2 / np.arange(1, image.shape[1] + 1)
    return weight / weight.sum()


def pairs(rng):
    made = rng.uniform(0.5, 2, (4, *SIZE))
    made /= made.sum(axis=(1, 2), keepdims=True)
    return (made[0], made[1]), (made[2], made[3])


def kl(p, q):
    return sum(a * np.log(a / b) for a, b in zip(p.ravel(), q.ravel(), strict=True))


def test_divergence_is_kl_from_the_first_to_the_second():
    p, q = np.array([[0.5, 0.5]]), np.array([[0.9, 0.1]])
    assert interventions.divergence(p, q) == pytest.approx(np.log(5 / 3))
    expected = 0.9 * np.log(1.8) + 0.1 * np.log(0.2)
    assert interventions.divergence(q, p) == pytest.approx(expected)


def test_each_measure_is_of_its_own_model_and_from_before_to_after(rng):
    before, after = pairs(rng)
    pixels = np.stack([rng.integers(0, SIZE[1], 40), rng.integers(0, SIZE[0], 40)], axis=1)
    found = interventions.compare(before, after, pixels)
    assert found["kl_explained"] == pytest.approx(kl(before[0], after[0]))
    assert found["kl_deep"] == pytest.approx(kl(before[1], after[1]))
    assert found["cc_deep"] == pytest.approx(np.corrcoef(before[1].ravel(), after[1].ravel())[0, 1])
    changes = [(after[i] - before[i]) for i in (0, 1)]
    expected = np.corrcoef(changes[0].ravel(), changes[1].ravel())[0, 1]
    assert found["correlation"] == pytest.approx(expected)
    once = {(x, y) for x, y in pixels}
    same = [np.sign(changes[0][y, x]) == np.sign(changes[1][y, x]) for x, y in once]
    assert found["sign_agreement"] == pytest.approx(np.mean(same))


def test_signs_are_those_of_the_fixated_pixels_x_to_the_right():
    predicted, measured = np.ones((2, 3)), -np.ones((2, 3))
    measured[1, 2] = 1
    assert interventions.sign_agreement(predicted, measured, np.array([[2, 1]])) == 1
    assert interventions.sign_agreement(predicted, measured, np.array([[2, 0], [2, 1]])) == 0.5


def test_pixels_outside_do_not_count_and_repeated_ones_count_once():
    predicted, measured = np.ones((2, 3)), np.array([[1, -1, 1], [1, 1, -1]])
    pixels = np.array([[0, 0], [0, 0], [1, 0], [3, 0], [0, 2], [-1, 0], [0, -1], [2, 1]])
    found = interventions.sign_agreement(predicted, measured, pixels)
    assert found == pytest.approx(1 / 3)  # of (0, 0), (1, 0) and (2, 1)
    assert np.isnan(interventions.sign_agreement(predicted, measured, pixels[3:7]))


def test_a_change_of_either_sign_disagrees_with_none():
    predicted, pixels = np.array([[1.0, 0.0]]), np.array([[0, 0], [1, 0]])
    assert interventions.sign_agreement(predicted, np.zeros((1, 2)), pixels) == 0.5


def test_correlations_are_pearsons_and_undefined_for_a_constant(rng):
    first, second = rng.standard_normal((2, 4, 6)) + [[[5.0]], [[-3.0]]]
    expected = np.corrcoef(first.ravel(), second.ravel())[0, 1]
    assert interventions.correlation(first, second) == pytest.approx(expected)
    assert np.isnan(interventions.correlation(first, np.full((4, 6), 2.0)))


def taken_out(image, notch):
    """The image without a notch, from the library's parts."""
    notcher = notches.Notcher(image, SETTINGS)
    return notches.clipped(notcher.without(notcher.component(notch.cells(notcher.bank))))


def test_notches_are_ranked_by_the_mean_change_of_the_explanation_from_whole_to_notched(rng):
    images = [rng.integers(30, 220, (*SIZE, 3)).astype(np.uint8) for _ in range(2)]
    table = interventions.rank(images, explained, SETTINGS, ("colour", "band"))
    assert list(dict.fromkeys(table["family"])) == ["colour", "band"]
    for _, part in table.groupby("family"):
        assert part["contribution"].is_monotonic_decreasing
    assert len(table) == 3 + 3 * 3
    for row in table.itertuples():
        scale = None if row.scale < 0 else row.scale
        changed = [taken_out(i, notches.Notch(row.family, row.channel, scale)) for i in images]
        pairs = list(zip(images, changed, strict=True))
        wanted = np.mean([kl(explained(a), explained(b)) for a, b in pairs])
        assert row.contribution == pytest.approx(wanted)
        energies = [((a.astype(float) - b) ** 2).mean() for a, b in pairs]
        assert row.energy == pytest.approx(np.mean(energies))


def test_leading_notches_come_back_from_the_table_with_what_they_take_all_of(image):
    table = interventions.rank([image], explained, SETTINGS, notches.NOTCH_FAMILIES)
    leading = interventions.leading(table, 2)
    assert [notch.family for _, notch in leading] == [
        family for family in notches.NOTCH_FAMILIES for _ in range(2)
    ]
    bank = LogGaborBank(**BANK)
    for words, notch in leading:
        assert notch.described(bank, ["Y", "U", "V"])["notch"] == words
        assert (notch.scale is None) == (notch.family != "band")
        assert (notch.orientation is None) == (notch.family != "orientation")


def test_rows_predict_by_the_explanation_and_measure_by_the_network(image):
    chosen = [("first", notches.Notch("band", 0, scale=1)), ("second", notches.Notch("colour", 1))]
    pixels, key = np.array([[33, 2], [4, 19], [7, 7]]), (3, "a.png")
    models = explained, network
    rows = interventions.intervene(image, pixels, SETTINGS, chosen, ALL, models, 2, key)
    assert [row["notch"] for row in rows] == ["first"] * 5 + ["second"] * 5
    assert [row["family"] for row in rows] == ["band"] * 5 + ["colour"] * 5
    assert [row["kind"] for row in rows[:5]] == [
        "leading", "lower_half", "random_phase", "lower_half", "random_phase",
    ]  # fmt: skip
    notcher = notches.Notcher(image, SETTINGS)
    changed = next(interventions.changed_images(notcher, chosen[0][1], ALL, 2, [3, 0, 0]))[1]
    before, after = (tuple(model(i) for model in models) for i in (image, changed))
    for name, value in interventions.compare(before, after, pixels).items():
        assert rows[0][name] == pytest.approx(value), name
    assert rows[0]["kl_explained"] != pytest.approx(rows[0]["kl_deep"])


NOTCH = ("a", notches.Notch("band", 0, scale=1))


def random_energies(image, key, chosen=(NOTCH,), n=2):
    models = explained, network
    rows = interventions.intervene(image, np.zeros((0, 2)), SETTINGS, chosen, ALL, models, n, key)
    return [row["kl_deep"] for row in rows]


def test_random_changes_depend_on_seed_stimulus_and_notch_and_on_nothing_else(image):
    first = random_energies(image, (1, "a.png"))
    assert random_energies(image, (1, "a.png")) == first
    for other in ((2, "a.png"), (1, "b.png")):
        energies = random_energies(image, other)
        assert energies[0] == first[0] and not set(energies[1:]) & set(first[1:])
    twice = random_energies(image, (1, "a.png"), (NOTCH, NOTCH))
    assert twice[:5] == first and not set(twice[6:]) & set(first[1:])
    assert len(set(first)) == 5  # every draw is another


@pytest.mark.parametrize("contrast, changed", [(1.0, True), (0.004, False)])
def test_a_notch_of_less_than_half_a_grey_level_is_skipped(image, contrast, changed):
    content = np.rint(128 + contrast * (image.astype(float) - 128)).astype(np.uint8)
    notcher = notches.Notcher(content, SETTINGS)
    found = list(interventions.changed_images(notcher, notches.Notch("colour", 0), ALL, 1, [0]))
    assert bool(found) == changed


def test_the_facts_of_a_change_are_its_depth_energy_and_what_is_clipped(image):
    notcher, notch = notches.Notcher(image, SETTINGS), notches.Notch("band", 0, scale=0)
    component = notcher.component(notch.cells(notcher.bank))
    others = notcher.component(~notch.cells(notcher.bank))
    target = min(notcher.energy(component), notcher.energy(others) / 2)
    for kind, changed, facts in interventions.changed_images(notcher, notch, ALL, 1, [5]):
        energy = ((changed.astype(float) - image) ** 2).mean()
        assert facts["energy"] == pytest.approx(energy)
        # the depth is exact to 1 part in 16,000, pixels are whole numbers
        assert energy == pytest.approx(target, rel=0.01)
        if kind == "leading":
            whole = notcher.without(component, facts["depth"])
            full = ((whole - image) ** 2).mean()
            assert facts["clipped"] == pytest.approx(1 - energy / full)
            assert 0 < facts["depth"] <= 1


def test_a_notch_that_holds_most_of_the_energy_is_taken_out_in_part():
    x = np.arange(SIZE[1])
    rng = np.random.default_rng(0)
    grating = 128 + 60 * np.cos(2 * np.pi * x / 6) + rng.normal(0, 6, SIZE)
    content = np.repeat(np.clip(np.rint(grating), 0, 255)[..., None], 3, 2).astype(np.uint8)
    notcher, notch = notches.Notcher(content, SETTINGS), notches.Notch("band", 0, scale=1)
    rest = notcher.energy(notcher.component(~notch.cells(notcher.bank)))
    _, _, facts = next(interventions.changed_images(notcher, notch, ALL, 1, [0]))
    assert facts["energy"] == pytest.approx(rest / 2, rel=0.02)  # pixels are whole numbers
    assert facts["depth"] < 0.5


def test_fixations_are_those_of_the_image_as_the_network_sees_it():
    height, width = 30, 60
    image = np.zeros((height, width, 3), np.uint8)
    image[:, : width // 2] = 200
    block = StimulusBlock(
        names=["a.png"], paths=[""], sha256=["0" * 64], sizes=np.array([[height, width]]),
        x=np.array([0, 59, 30, 10], np.float32), y=np.array([0, 29, 15, 29], np.float32),
        stimulus=np.zeros(4, np.int32), subject=np.zeros(4, np.int32), facts={}, images=[image],
    )  # fmt: skip
    content, pixels = interventions.content_of(block, 0, (15, 30))
    assert content.shape == (15, 30, 3)
    # half as large: pixel p covers p / 2, so its centre (p + 0.5) / 2 lies in pixel floor of it
    assert pixels.tolist() == [[0, 0], [29, 14], [15, 7], [5, 14]]
    assert content[7, 3, 0] == 200 and content[7, 26, 0] == 0


def test_the_first_scale_and_orientation_are_no_notch_of_all():
    rows = [
        {"notch": "a", "family": "orientation", "channel": 2, "scale": -1, "orientation": 0},
        {"notch": "b", "family": "band", "channel": 1, "scale": 0, "orientation": -1},
    ]
    assert interventions.leading(pd.DataFrame(rows), 1) == [
        ("a", notches.Notch("orientation", 2, orientation=0)),
        ("b", notches.Notch("band", 1, scale=0)),
    ]


def test_notches_that_change_nothing_stay_in_the_order_of_the_candidates(image):
    table = interventions.rank([image], lambda _: np.full(SIZE, 1 / 680), SETTINGS, ["band"])
    assert not table["contribution"].any()
    wanted = notches.candidates(LogGaborBank(**BANK), ["band"])
    assert list(zip(table["channel"], table["scale"], strict=True)) == [
        (notch.channel, notch.scale) for notch in wanted
    ]
