import numpy as np
import pytest

from gaborscope.data import generated
from gaborscope.data.layouts.demo import FIXED, demo_name, index
from gaborscope.errors import InputError

SETTINGS = {
    "type": "demo",
    "n_stimuli": 60,
    "height": 72,
    "width": 100,
    "n_observers": 4,
    "fixations_per_observer": 6,
    "seed": 1,
    "px_per_degree": 8,
}
SEARCH, TEXTURES = [demo_name(i) for i in range(4)], [demo_name(i) for i in (4, 5)]
SEARCH += [demo_name(i, FIXED) for i in range(3)]
KINDS = SEARCH + TEXTURES


@pytest.fixture(scope="module")
def many():
    """Sixty stimuli, ten of each kind."""
    return [generated.generate(demo_name(i), SETTINGS) for i in range(60)]


def around(stimulus, target, radius):
    y, x = np.indices(stimulus.density.shape)
    return np.hypot(x - target["x"], y - target["y"]) <= radius


@pytest.mark.parametrize("name", KINDS)
def test_the_same_name_and_seed_give_the_same_stimulus(name):
    first = generated.generate(name, SETTINGS)
    for other in KINDS:
        generated.generate(other, SETTINGS)
    second = generated.generate(name, {**SETTINGS, "n_stimuli": 7})
    assert first.truth == second.truth
    for field in ("image", "density", "x", "y", "subject"):
        np.testing.assert_array_equal(getattr(first, field), getattr(second, field))


@pytest.mark.parametrize("name", KINDS)
def test_another_seed_gives_another_stimulus(name):
    first, second = (generated.generate(name, {**SETTINGS, "seed": seed}) for seed in (1, 2))
    assert (first.image != second.image).mean() > 0.2


@pytest.mark.parametrize("name", KINDS)
def test_images_are_rgb_bytes_of_the_size_asked_for(name):
    image = generated.generate(name, SETTINGS).image
    assert image.shape == (72, 100, 3) and image.dtype == np.uint8


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("size", [(48, 48, 4), (49, 121, 9.5), (130, 57, 8)])
def test_any_size_of_at_least_five_degrees_works(name, size):
    height, width, px_per_degree = size
    settings = {**SETTINGS, "height": height, "width": width, "px_per_degree": px_per_degree}
    assert generated.generate(name, settings).image.shape == (height, width, 3)


def test_densities_are_positive_and_sum_to_one(many):
    for stimulus in many:
        assert stimulus.density.min() > 0
        assert stimulus.density.sum() == pytest.approx(1, abs=1e-12)


def test_the_pixel_of_every_fixation_is_in_the_image(many):
    for stimulus in many:
        x, y = (np.floor(v + np.float32(0.5)) for v in (stimulus.x, stimulus.y))
        assert x.min() >= 0 and x.max() < 100 and y.min() >= 0 and y.max() < 72


def test_every_observer_makes_at_least_one_fixation(many):
    for stimulus in many:
        assert set(stimulus.subject) == set(range(4))


def test_the_number_of_fixations_per_observer_has_the_mean_asked_for(many):
    counts = np.concatenate([np.bincount(stimulus.subject) for stimulus in many])
    # 240 draws of 1 + Poisson(5): the standard error is 0.14; the number must also vary
    assert counts.mean() == pytest.approx(6, abs=0.6) and counts.std() > 1.5


def test_fixations_follow_the_stated_density():
    settings = {**SETTINGS, "n_observers": 40, "fixations_per_observer": 500}
    stimulus = generated.generate("orientation_0000", settings)
    x, y = (np.floor(v + np.float32(0.5)).astype(int) for v in (stimulus.x, stimulus.y))
    counts = np.zeros((72, 100))
    np.add.at(counts, (y, x), 1)
    # Cells of 12 x 10 px; each count within five standard deviations of n p.
    observed, expected = (
        a.reshape(6, 12, 10, 10).sum(axis=(1, 3))
        for a in (counts, stimulus.density * stimulus.x.size)
    )
    assert np.all(np.abs(observed - expected) < 5 * np.sqrt(expected) + 3)


def test_observers_differ_in_their_shares():
    weights = generated._observer_weights(1, 10)
    assert weights[:, 0].std() > 0.02 and 0.55 < weights[:, 0].mean() < 0.75


def test_an_observer_stays_the_same_when_more_are_added():
    np.testing.assert_array_equal(
        generated._observer_weights(1, 3), generated._observer_weights(1, 9)[:3]
    )


def test_most_of_the_density_lies_at_the_targets(many):
    for stimulus in many:
        near = np.zeros(stimulus.density.shape, dtype=bool)
        for target in stimulus.truth["targets"]:
            near |= around(stimulus, target, 3 * target["sigma_px"])
        assert stimulus.density[near].sum() > 0.55


def test_knowing_the_targets_beats_the_centre_bias_by_a_bit_per_fixation(many):
    centre = 0.9 * generated._centre_density((72, 100)) + 0.1 / 7200
    gains = [np.sum(s.density * np.log2(s.density / centre)) for s in many]
    assert np.mean(gains) > 1


def test_odd_items_are_spread_evenly_over_the_stimulus():
    names = [f"orientation_{i:04d}" for i in range(200)]
    settings = {**SETTINGS, "n_observers": 1}
    targets = [generated.generate(name, settings).truth["targets"][0] for name in names]
    x, y = np.array([[t["x"] / 100, t["y"] / 72] for t in targets]).T
    # 200 uniform draws: the mean within 0.5 +- 4 x 0.02, the deviation near 0.29
    assert abs(x.mean() - 0.5) < 0.08 and abs(y.mean() - 0.5) < 0.08
    assert x.std() > 0.24 and y.std() > 0.24


@pytest.mark.parametrize("name", SEARCH)
def test_a_search_display_has_one_target_among_several_items(name):
    truth = generated.generate(name, SETTINGS).truth
    assert len(truth["targets"]) == 1 and truth["n_items"] > 3


@pytest.mark.parametrize("name", TEXTURES)
def test_a_texture_names_the_feature_of_each_target(name):
    truth = generated.generate(name, SETTINGS).truth
    assert 1 <= len(truth["targets"]) == len(truth["feature"]) <= 3


def test_a_colour_singleton_is_given_away_by_neither_luma_nor_saturation():
    items, _ = generated._colour_items(np.random.default_rng(0), 30, 7, 30.0, 8)
    saturation = [np.hypot(*item.colour[1:]) for item in items]
    np.testing.assert_allclose(saturation, saturation[0])
    common_luma = [item.luma for i, item in enumerate(items) if i != 7]
    assert min(common_luma) - 0.06 <= items[7].luma <= max(common_luma) + 0.06


def test_a_bar_has_the_orientation_of_its_wave_vector():
    canvas = np.zeros((61, 61, 3))
    # Wave vector 30 degrees counter-clockwise from the x axis on the screen.
    generated._Item("bar", 20, np.radians(30), np.array([1.0, 0, 0])).paint(canvas, 30, 30)
    power = np.abs(np.fft.fft2(canvas[..., 0])) ** 2
    fy, fx = np.meshgrid(np.fft.fftfreq(61), np.fft.fftfreq(61), indexing="ij")
    # The mean direction of the spectrum, angles doubled because f and -f are one orientation.
    angle = np.angle(np.sum(power * np.hypot(fx, fy) * np.exp(2j * np.arctan2(-fy, fx)))) / 2
    assert np.degrees(angle) == pytest.approx(30, abs=1)


def test_items_are_drawn_at_their_place_to_a_fraction_of_a_pixel():
    canvas = np.zeros((40, 50, 3))
    generated._Item("disc", 6, 0.0, np.array([1.0, 0, 0])).paint(canvas, 20.3, 15.75)
    y, x = np.indices((40, 50))
    weight = canvas[..., 0] / canvas[..., 0].sum()
    assert [np.sum(weight * x), np.sum(weight * y)] == pytest.approx([20.3, 15.75], abs=0.02)


def test_saturation_at_the_gamut_touches_the_cube_of_colours():
    for hue in np.linspace(0, 6, 13):
        saturation = generated._gamut(0.45, hue)
        rgb = generated._yuv_to_rgb(
            np.array([0.45, saturation * np.cos(hue), saturation * np.sin(hue)])
        )
        assert min(rgb.min(), 1 - rgb.max()) == pytest.approx(0, abs=1e-9)


def test_an_unknown_kind_is_named():
    with pytest.raises(InputError, match="no stimulus 'faces_0001'; its kinds are orientation"):
        generated.generate("faces_0001", SETTINGS)


def test_a_missing_setting_is_named():
    with pytest.raises(InputError, match="needs seed"):
        generated.generate("noise_0005", {k: v for k, v in SETTINGS.items() if k != "seed"})


def test_a_set_can_be_of_some_kinds_alone():
    settings = {**SETTINGS, "kinds": ["colour", "fixed_scale"], "n_stimuli": 4}
    names = ["colour_0000", "colour_0002", "fixed_scale_0001", "fixed_scale_0003"]
    assert list(index("made", settings)) == names
    # a stimulus depends on its name alone
    assert (
        index("made", settings)["colour_0000"]
        == index("made", SETTINGS | {"kinds": ["colour"]})["colour_0000"]
    )
    with pytest.raises(InputError, match="no kind 'color'; its kinds are orientation"):
        index("made", {**SETTINGS, "kinds": ["color"]})


def test_what_is_odd_is_the_same_in_every_display_of_a_fixed_kind():
    truths = [generated.generate(demo_name(i, FIXED), SETTINGS).truth for i in range(9)]
    assert {t["odd_orientation"] for t in truths[::3]} == {np.pi / 4}
    assert {t["odd_hue"] for t in truths[1::3]} == {np.pi / 2}
    assert {t["odd_wavelength_px"] for t in truths[2::3]} == {4.0}
