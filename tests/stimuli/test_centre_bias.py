"""Uniform, centre bias and gold standard."""

import math

import numpy as np
import pytest

from gaborscope.errors import InputError
from gaborscope.scoring import gold_standard, metrics
from gaborscope.stimuli import centre_bias as centre_biases
from gaborscope.stimuli import densities, fixations
from gaborscope.stimuli.centre_bias import GRID, CentreBias, relative, select_sigma, uniform

SIZE = (30, 43)  # height, width


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def clusters(rng, n_observers, n_fixations, size=SIZE):
    """Fixations of observers who agree: around two places of the stimulus."""
    height, width = size
    places = np.array([[0.3 * width, 0.4 * height], [0.8 * width, 0.7 * height]])
    n = n_observers * n_fixations
    points = places[rng.integers(0, 2, n)] + 2.5 * rng.standard_normal((n, 2))
    pixels = np.clip(np.round(points), 0, (width - 1, height - 1)).astype(int)
    return pixels, np.repeat(np.arange(n_observers), n_fixations)


# --- uniform and centre bias ----------------------------------------------------------------------


def test_uniform_has_the_same_value_everywhere():
    np.testing.assert_array_equal(uniform((4, 5)), np.full((4, 5), 0.05))


def test_relative_coordinates_put_the_middle_pixel_in_the_middle():
    points = relative([[3, 1], [0, 0]], (3, 7))
    np.testing.assert_allclose(points, [[0.5, 0.5], [1 / 14, 1 / 6]])


def test_centre_bias_on_its_own_grid_is_the_sum_of_gaussians(rng):
    points = rng.random((7, 2))
    bias = CentreBias({"a": points[:3], "b": points[3:]}, (0.1, 0.15), 0)
    y, x = (np.indices(GRID) + 0.5) / np.array(GRID)[:, None, None]
    expected = sum(
        np.exp(-0.5 * (((x - px) / 0.1) ** 2 + ((y - py) / 0.15) ** 2)) for px, py in points
    )
    density = bias.density(GRID)
    np.testing.assert_allclose(density, expected / expected.sum(), rtol=1e-12)


def test_centre_bias_at_a_stimulus_size_is_its_fixation_density(rng):
    size = (150, 211)
    pixels = rng.integers(0, (211, 150), (40, 2))
    points = {"a": relative(pixels, size)}
    density = CentreBias(points, (12 / 211, 12 / 150), 0).density(size)
    expected = fixations.density(pixels, size, 12)
    # within: bilinear interpolation errs by (cell / sigma)^2 / 8 = 0.2 % of the local peak along x
    # and along y; at the border, where the outermost half cell is constant, by up to half a cell's
    # slope, 0.3 cell / sigma = 4 %
    inside = np.s_[1:-1, 1:-1]
    np.testing.assert_allclose(density[inside], expected[inside], atol=0.01 * expected.max())
    np.testing.assert_allclose(density, expected, atol=0.04 * expected.max())


def test_leaving_a_stimulus_out_equals_never_having_had_it(rng):
    points = {name: rng.random((n, 2)) for name, n in (("a", 5), ("b", 9), ("c", 0))}
    bias = CentreBias(points, (0.05, 0.06), 0.01)
    without = {name: array for name, array in points.items() if name != "b"}
    expected = CentreBias(without, (0.05, 0.06), 0.01).density(SIZE)
    np.testing.assert_allclose(bias.density(SIZE, exclude="b"), expected, rtol=1e-9)


def test_a_stimulus_without_fixations_or_of_another_split_leaves_nothing_out(rng):
    points = {"a": rng.random((5, 2)), "c": np.zeros((0, 2))}
    bias = CentreBias(points, (0.05, 0.06), 0.01)
    for name in ("c", "unseen"):
        np.testing.assert_array_equal(bias.density(SIZE, exclude=name), bias.density(SIZE))


@pytest.mark.parametrize("size", [(1, 1), (30, 43), (200, 131)])
def test_centre_bias_sums_to_1_at_every_size(rng, size):
    bias = CentreBias({"a": rng.random((5, 2))}, (0.05, 0.06), 0.01)
    density = bias.density(size)
    assert density.shape == size
    assert density.sum() == pytest.approx(1, abs=1e-12)
    assert density.min() >= 0.01 / density.size * (1 - 1e-12)


def test_many_fixations_are_summed_piece_by_piece(rng, monkeypatch):
    points = {"a": rng.random((50, 2))}
    expected = CentreBias(points, (0.05, 0.06), 0).density(SIZE)
    monkeypatch.setattr(centre_biases, "POINTS_AT_ONCE", 7)
    density = CentreBias(points, (0.05, 0.06), 0).density(SIZE)
    np.testing.assert_allclose(density, expected, rtol=1e-12)


def test_the_sigma_that_made_the_fixations_is_selected(rng):
    def draw(n):
        points = 0.5 + rng.standard_normal((n, 2)) * (0.1, 0.2)
        return points[((points > 0) & (points < 1)).all(axis=1)]

    fit = {"a": np.array([[0.5, 0.5]])}  # one fixation: the density is the Gaussian itself
    validation = {"b": draw(1500), "c": draw(1500)}
    candidates = [(0.05, 0.1), (0.1, 0.2), (0.2, 0.4), (0.1, 0.1)]
    sigma, log_likelihoods = select_sigma(fit, validation, candidates, 0)
    assert sigma == (0.1, 0.2)
    assert len(log_likelihoods) == 4


def test_log_likelihood_of_the_uniform_is_zero(rng):
    bias = CentreBias({"a": rng.random((5, 2))}, (0.05, 0.06), 1)
    assert bias.log_likelihood({"b": rng.random((9, 2))}) == pytest.approx(0, abs=1e-12)


def test_log_likelihood_predicts_a_fitted_stimulus_without_itself(rng):
    points = {"a": rng.random((5, 2)), "b": rng.random((4, 2))}
    left_out = CentreBias(points, (0.05, 0.06), 0.01).log_likelihood({"a": points["a"]})
    without = CentreBias({"b": points["b"]}, (0.05, 0.06), 0.01)
    assert left_out == pytest.approx(without.log_likelihood({"a": points["a"]}), rel=1e-9)


@pytest.mark.parametrize(
    ("points", "sigma", "text"),
    [
        ({"a": [[0.5, 1.01]]}, (0.1, 0.1), "y = 1.01 of stimulus 'a' lies outside"),
        ({"a": [[math.nan, 0.5]]}, (0.1, 0.1), "x = nan"),
        ({"a": np.zeros((0, 2))}, (0.1, 0.1), "none of 1 stimuli has a fixation"),
        ({}, (0.1, 0.1), "none of 0 stimuli"),
        ({"a": [[0.5, 0.5]]}, (0.1, 0.001), "at least 1/128 and 1/96"),
        ({"a": [[0.5, 0.5]]}, (math.nan, 0.1), "at least 1/128"),
    ],
)
def test_a_centre_bias_that_cannot_be_built_says_why(points, sigma, text):
    with pytest.raises(InputError, match=text):
        CentreBias(points, sigma, 0.01)


def test_the_only_stimulus_cannot_be_left_out():
    bias = CentreBias({"a": [[0.5, 0.5]]}, (0.1, 0.1), 0.01)
    with pytest.raises(InputError, match="only the stimulus 'a' has fixations"):
        bias.density(SIZE, exclude="a")


# --- gold standard --------------------------------------------------------------------------------


def test_pooled_auc_of_one_map_is_judds(rng):
    saliency_map = rng.random(SIZE)
    pixels = np.stack(np.unravel_index(rng.permutation(30 * 43)[:36], SIZE), axis=1)[:, ::-1]
    pooled = gold_standard.pooled_auc_judd([saliency_map] * 4, np.split(pixels, 4))
    assert pooled[0] == pytest.approx(metrics.auc_judd(saliency_map, pixels), abs=1e-12)
    assert pooled[1] == pytest.approx(metrics.auc_judd_nojit(saliency_map, pixels), abs=1e-12)


def test_pooled_auc_depends_on_ranks_within_each_map_alone(rng):
    maps = [rng.random(SIZE) for _ in range(3)]
    sets = [rng.integers(0, (43, 30), (8, 2)) for _ in range(3)]
    moved = [scale * saliency_map**3 for scale, saliency_map in zip((1, 50, 9), maps, strict=True)]
    assert gold_standard.pooled_auc_judd(maps, sets) == pytest.approx(
        gold_standard.pooled_auc_judd(moved, sets), abs=1e-12
    )


def test_pooled_auc_is_not_inflated_by_few_fixations_per_observer(rng):
    # a random map of the 9 fixations of one observer scores 0.5 + 1 / (2 * 9) in expectation
    maps = [rng.random(SIZE) for _ in range(40)]
    sets = [rng.integers(0, (43, 30), (9, 2)) for _ in range(40)]
    each = np.mean([metrics.auc_judd(*pair) for pair in zip(maps, sets, strict=True)])
    pooled, _ = gold_standard.pooled_auc_judd(maps, sets)
    standard_error = 0.29 / math.sqrt(360)
    assert each - pooled > 0.03
    assert abs(pooled - 0.5) < 4 * standard_error


def test_pooled_auc_without_fixations_or_other_pixels_is_nan():
    nothing = np.zeros((0, 2), dtype=int)
    everything = np.argwhere(np.ones((3, 2)))
    for pixels in (nothing, everything):
        assert np.isnan(gold_standard.pooled_auc_judd([np.eye(2, 3)], [pixels])).all()
    assert gold_standard.pooled_auc_judd([np.ones((2, 3))], [everything[:2]]) == (0.5, 0.5)


@pytest.mark.parametrize("preset", metrics.METRICS)
def test_gold_standard_is_the_weighted_mean_over_observers_left_out(rng, preset):
    pixels, subjects = clusters(rng, 3, 5)
    pixels, subjects = pixels[:-3], subjects[:-3]  # the last observer has fewer fixations
    elsewhere, baseline = rng.integers(0, (43, 30), (60, 2)), uniform(SIZE)
    gold = gold_standard.score_gold_standard(
        pixels, subjects, SIZE, 3.0, elsewhere, baseline, preset, 0.01
    )
    assert tuple(gold) == metrics.METRICS[preset]
    total = {name: 0.0 for name in ("nss", "ig", "auc_shuffled")}
    weights = 0
    for observer in range(3):
        observed = pixels[subjects == observer]
        density = fixations.density(pixels[subjects != observer], SIZE, 3.0)
        saliency_map = densities.to_density(density, "density", 0.01)
        scores = metrics.score(saliency_map, observed, None, elsewhere, baseline, preset)
        weight = len(np.unique(observed, axis=0)) if preset == "mit" else len(observed)
        weights += weight
        for name in total:
            total[name] += weight * scores[name]
    for name, value in total.items():
        assert gold[name] == pytest.approx(value / weights, abs=1e-12), name


def test_gold_standard_of_two_observers_compares_the_one_with_the_other(rng):
    pixels, subjects = clusters(rng, 2, 12)
    gold = gold_standard.score_gold_standard(pixels, subjects, SIZE, 3.0, None, None, "mit", 0)
    a, b = (fixations.density(pixels[subjects == i], SIZE, 3.0) for i in (0, 1))
    assert gold["cc"] == pytest.approx(metrics.cc(a, b), abs=1e-12)
    assert gold["sim"] == pytest.approx(metrics.sim(a, b), abs=1e-12)
    both = (metrics.kld(a, b) + metrics.kld(b, a)) / 2
    assert gold["kld"] == pytest.approx(both, abs=1e-12)


def test_split_halves_are_equal_and_drop_the_last_odd_observer(rng):
    pixels, subjects = clusters(rng, 5, 6)
    subjects = np.array(["s3", "s1", "s9", "s2", "s4"])[subjects]
    gold = gold_standard.score_gold_standard(pixels, subjects, SIZE, 3.0, None, None, "mit", 0.01)
    kept = subjects != "s9"
    even = gold_standard.score_gold_standard(
        pixels[kept], subjects[kept], SIZE, 3.0, None, None, "mit", 0.01
    )
    for name in ("cc", "kld", "sim"):
        assert gold[name] == even[name]
    assert gold["nss"] != even["nss"]
    first = np.isin(subjects, ["s1", "s3"])
    second = np.isin(subjects, ["s2", "s4"])
    truth = [fixations.density(pixels[half], SIZE, 3.0) for half in (first, second)]
    prediction = [densities.to_density(half, "density", 0.01) for half in truth]
    expected = metrics.cc(prediction[0], truth[1]) + metrics.cc(prediction[1], truth[0])
    assert gold["cc"] == pytest.approx(expected / 2, abs=1e-12)


@pytest.mark.parametrize("preset", metrics.METRICS)
def test_people_who_agree_predict_each_other_and_people_who_do_not_do_not(rng, preset):
    baseline = uniform(SIZE)
    agreed = clusters(rng, 8, 10)
    at_random = rng.integers(0, (43, 30), (80, 2)), agreed[1]
    first, second = (
        gold_standard.score_gold_standard(*people, SIZE, 3.0, None, baseline, preset, 0.01)
        for people in (agreed, at_random)
    )
    area = metrics.METRICS[preset][0]
    assert first[area] > 0.85
    assert abs(second[area] - 0.5) < 0.1
    assert first["nss"] > 1 > second["nss"]
    assert first["ig"] > 0.5 > second["ig"]
    assert first["cc"] > 0.8 > second["cc"]


def test_gold_standard_does_not_depend_on_the_order_of_fixations(rng):
    pixels, subjects = clusters(rng, 4, 6)
    order = rng.permutation(len(pixels))
    first, second = (
        gold_standard.score_gold_standard(*people, SIZE, 3.0, None, None, "mit", 0.01)
        for people in ((pixels, subjects), (pixels[order], subjects[order]))
    )
    assert first == pytest.approx(second, abs=1e-9, nan_ok=True)


@pytest.mark.parametrize("preset", metrics.METRICS)
@pytest.mark.parametrize("n", [0, 3])
def test_fewer_than_two_observers_have_no_gold_standard(preset, n):
    points = np.zeros((n, 2), dtype=int)
    scores = gold_standard.score_gold_standard(
        points, np.zeros(n), SIZE, 3.0, None, None, preset, 0.01
    )
    assert tuple(scores) == metrics.METRICS[preset]
    assert np.isnan(list(scores.values())).all()


def test_one_subject_per_fixation_is_needed():
    with pytest.raises(InputError, match="2 fixations need as many subjects"):
        gold_standard.score_gold_standard([[1, 1], [2, 2]], [0], SIZE, 3.0, None, None, "mit", 0.01)


@pytest.mark.parametrize("preset", metrics.METRICS)
def test_one_observer_is_the_mean_over_observers_as_predictors_of_the_others(rng, preset):
    pixels, subjects = clusters(rng, 3, 5)
    elsewhere, baseline = rng.integers(0, (43, 30), (60, 2)), uniform(SIZE)
    scores = gold_standard.score_one_observer(
        pixels, subjects, SIZE, 3.0, elsewhere, baseline, preset, 0.01
    )
    rows = []
    for observer in range(3):
        by_observer = subjects == observer
        prediction = densities.to_density(
            fixations.density(pixels[by_observer], SIZE, 3.0), "density", 0.01
        )
        truth = fixations.density(pixels[~by_observer], SIZE, 3.0)
        rows.append(
            metrics.score(prediction, pixels[~by_observer], truth, elsewhere, baseline, preset)
        )
    for name in metrics.METRICS[preset]:
        assert scores[name] == pytest.approx(np.mean([row[name] for row in rows]), abs=1e-12), name


def test_one_observer_predicts_worse_than_all_others_do(rng):
    people = clusters(rng, 8, 6)
    single, gold = (
        score(*people, SIZE, 3.0, None, uniform(SIZE), "exact", 0.01)
        for score in (gold_standard.score_one_observer, gold_standard.score_gold_standard)
    )
    for name in ("auc", "nss", "ig"):
        assert single[name] < gold[name]


def test_a_single_observer_predicts_nobody():
    scores = gold_standard.score_one_observer([[1, 1]], [0], SIZE, 3.0, None, None, "exact", 0.01)
    assert np.isnan(list(scores.values())).all()
