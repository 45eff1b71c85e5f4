"""Which baseline is which, where temperatures end, and whose entries say what was seen."""

import hashlib

import numpy as np
import pytest
from helpers import make_block

from gaborscope.errors import InputError
from gaborscope.scoring import baselines, calibration, classical, exposure, metrics
from gaborscope.stimuli import fixations
from gaborscope.stimuli.centre_bias import relative_points


@pytest.mark.parametrize("name", ["itti_koch", "gbvs", "spectral_residual"])
def test_a_classical_model_is_called_by_its_name(name):
    block = make_block([(40, 56)])
    values, kind = baselines.make(name, [], [], {}, 1)(block, 0)
    assert kind == "unit"
    np.testing.assert_array_equal(values, getattr(classical, name)(block.image(0)))


def test_simple_baselines_are_those_of_their_names():
    block = make_block([(20, 31)])
    made = {n: baselines.make(n, [], [], {}, 1)(block, 0) for n in baselines.SIMPLE}
    points, subjects = block.points(0)
    np.testing.assert_allclose(made["uniform"][0], np.full((20, 31), 1 / 620))
    everyone = fixations.density(points, (20, 31), 6.0)
    np.testing.assert_allclose(made["gold_standard"][0], everyone)
    first = fixations.density(points[subjects == 0], (20, 31), 6.0)
    np.testing.assert_allclose(made["one_observer"][0], first)
    assert {kind for _, kind in made.values()} == {"density"}


@pytest.mark.parametrize("facts", [{"px_per_degree": 6.0}, {}])
def test_another_stimulus_s_fixations_come_to_the_same_relative_places(facts):
    fit, shown = make_block([(40, 60)] * 4), make_block([(30, 90)], seed=9, facts=facts)
    shown.names = ["t"]
    found, kind = baselines.make("shuffled_stimulus", [fit], [], {}, 3)(shown, 0)
    order = sorted(fit.names, key=lambda n: hashlib.sha256(f"3\0t\0{n}".encode()).hexdigest())
    relative = relative_points([fit])[order[0]]
    pixels = np.stack([np.floor(relative[:, 0] * 90), np.floor(relative[:, 1] * 30)], axis=1)
    sigma = facts.get("px_per_degree", 0.03 * 90)
    np.testing.assert_allclose(found, fixations.density(pixels, (30, 90), sigma))
    assert kind == "density"


def test_a_shuffled_fixation_at_the_far_corner_stays_in_the_image():
    block = make_block([(10, 20)])
    block.names = ["t"]
    predict = baselines.shuffled_stimulus({"a": np.array([[1.0, 1.0]])}, 1)
    density, _ = predict(block, 0)
    assert np.unravel_index(density.argmax(), density.shape) == (9, 19)


def test_the_centre_bias_leaves_the_predicted_stimulus_out():
    fit, validation = make_block([(20, 30)] * 3), make_block([(20, 30)], seed=4)
    settings = {"sigmas": [0.1], "uniform_weight": 0.01}
    predict = baselines.make("centre_bias", [fit], [validation], settings, 1)
    without = make_block([(20, 30)] * 3)
    kept = without.stimulus != 1
    for key in ("x", "y", "stimulus", "subject"):
        setattr(without, key, getattr(without, key)[kept])
    other = baselines.make("centre_bias", [without], [validation], settings, 1)
    np.testing.assert_allclose(predict(fit, 1)[0], other(fit, 1)[0], atol=1e-12)
    assert not np.allclose(predict(fit, 1)[0], predict(fit, 0)[0])


def test_images_for_statistics_are_spread_evenly_over_all_blocks():
    blocks = [make_block([(8, 9)] * 4, seed=0), make_block([(8, 9)] * 5, seed=7)]
    every = [block.image(i) for block in blocks for i in range(len(block.names))]
    found = list(baselines._some_images(blocks, 3))
    assert len(found) == 3
    for image, index in zip(found, (0, 4, 8), strict=True):
        np.testing.assert_array_equal(image, every[index])


def test_a_negative_map_has_no_exact_information_gain():
    density, pixels = np.full((2, 3), 1 / 6), np.array([[0, 1]])
    with pytest.raises(InputError, match="negative values"):
        metrics.ig(density - 0.2, pixels, density, "exact")
    assert np.isfinite(metrics.ig(density - 0.2 * np.eye(2, 3), pixels, density, "mit"))


def test_an_impossible_fixation_costs_infinitely_many_bits_without_a_warning(recwarn):
    values = np.array([[0.0, 0.5, 0.5]])
    assert metrics.ig(values, np.array([[0, 0]]), np.full((1, 3), 1 / 3), "exact") == -np.inf
    assert not recwarn.list


# Temperatures


def tempered_likelihood(density, pixels, temperature):
    power = density ** (1 / temperature)
    return np.log((power / power.sum())[pixels[:, 1], pixels[:, 0]]).mean()


def test_the_likelihood_is_that_of_the_tempered_densities_of_all_stimuli(rng):
    likelihood, exact, n = calibration.Likelihood(), 0.0, 0
    for size, count in (((6, 9), 4), ((11, 5), 7)):
        density = rng.uniform(0.1, 1, size)
        density /= density.sum()
        pixels = np.stack(
            [rng.integers(0, size[1], count), rng.integers(0, size[0], count)], axis=1
        )
        likelihood.add(density, pixels)
        exact += count * tempered_likelihood(density, pixels, 1.7)
        n += count
    # levels of the histogram leave errors below 1e-6 nats
    assert likelihood.per_fixation(1.7) == pytest.approx(exact / n, abs=1e-5)


def test_certain_predictions_are_sharpened_to_the_bound():
    density = np.array([[0.6, 0.4]])
    likelihood = calibration.Likelihood()
    likelihood.add(density, np.array([[0, 0]] * 3))
    assert likelihood.fit() == pytest.approx(1 / 32)


def test_the_fitted_temperature_of_two_pixels_has_a_closed_form():
    likelihood = calibration.Likelihood()
    likelihood.add(np.array([[0.9, 0.1]]), np.array([[0, 0]] * 2 + [[1, 0]]))
    # 0.9^b / (0.9^b + 0.1^b) = 2/3, so b = log 2 / log 9
    assert likelihood.fit() == pytest.approx(np.log(9) / np.log(2), rel=1e-6)


def test_tempering_is_a_power(rng):
    density = rng.dirichlet(np.ones(12)).reshape(3, 4)
    expected = density ** (1 / 2.5)
    np.testing.assert_allclose(calibration.temper(density, 2.5), expected / expected.sum())


# Exposure


@pytest.mark.parametrize("kind", ["folder", "demo", "pysaliency"])
def test_data_sets_of_any_images_are_told_apart_by_their_names(kind):
    entry = {"type": kind, "dataset": "mine"}
    assert exposure.seen([entry], "mine", kind, ["a"]) == {"a"}
    assert exposure.seen([entry], "other", kind, ["a"]) == set()


def test_what_is_another_data_set_s_does_not_end_the_list():
    entries = [
        {"type": "osie", "prefix": "1"}, {"type": "folder", "dataset": "other"},
        {"type": "folder", "dataset": "mine", "prefix": "b"},
        {"type": "folder", "dataset": "mine", "prefix": "c"},
    ]  # fmt: skip
    assert exposure.seen(entries, "mine", "folder", ["a", "b", "c"]) == {"b", "c"}


def test_a_shuffled_part_has_as_many_as_it_says_of_the_sorted_names():
    names = [f"{i:02}" for i in range(9)]
    order = np.arange(9)
    np.random.RandomState(5).shuffle(order)
    entry = {"type": "osie", "shuffled": [5, 4]}
    expected = {names[i] for i in order[:4]}
    assert exposure.seen([entry], "d", "osie", names[::-1]) == expected
