"""Observers as predictors of each other, against plain loops over observers and pixels."""

import math

import numpy as np
import pytest

from gaborscope.errors import InputError
from gaborscope.scoring import gold_standard, metrics
from gaborscope.stimuli import fixations
from gaborscope.stimuli.centre_bias import uniform

SIZE = (14, 23)  # height, width
LARGE = (30, 43)
SIGMA = 2.5
WEIGHT = 0.05
PRESETS = list(metrics.METRICS)
HALVED = ("cc", "kld", "sim")
POOLED = ("auc_judd", "auc_judd_nojit")
BOTH = [gold_standard.score_gold_standard, gold_standard.score_one_observer]


@pytest.fixture
def people(rng):
    """Observers 7, 2, 5, 9 and 4 with 9, 4, 6, 3 and 5 fixations; some look twice at a pixel."""
    points, subjects = [], []
    for subject, n in ((7, 9), (2, 4), (5, 6), (9, 3), (4, 5)):
        seen = rng.integers((2, 2), (17 + subject % 5, 12), (n, 2))
        seen[1] = seen[0]
        points.append(seen)
        subjects += [subject] * n
    return np.concatenate(points), np.array(subjects)


@pytest.fixture
def others(rng):
    return rng.integers(0, SIZE[::-1], (30, 2))


@pytest.fixture
def baseline(rng):
    values = rng.uniform(0.5, 1.5, SIZE)
    return values / values.sum()


def mixed(points, temperature=1.0):
    """Blurred fixations with a share of the uniform density, tempered."""
    density = (1 - WEIGHT) * fixations.density(points, SIZE, SIGMA) + WEIGHT / np.prod(SIZE)
    density = density ** (1 / temperature)
    return density / density.sum()


def by_preset(preset):
    """Metrics of one density at some fixations, each from its own function."""

    def scored(density, points, others, baseline):
        scores = {
            "auc_shuffled": metrics.auc_shuffled(density, points, others, preset),
            "nss": metrics.nss(density, points, preset),
            "ig": metrics.ig(density, points, baseline, preset),
        }
        if preset == "mit":
            scores["auc_borji"] = metrics.auc_borji(density, points)
        else:
            scores["auc"] = metrics.auc(density, points, preset)
        return scores

    return scored


@pytest.mark.parametrize("temperature", [1.0, 1.7])
@pytest.mark.parametrize("preset", PRESETS)
def test_everybody_is_predicted_by_all_others_and_counts_by_fixations(
    people, others, baseline, preset, temperature
):
    points, subjects = people
    rows, weights = [], []
    for subject in np.unique(subjects):
        own = points[subjects == subject]
        density = mixed(points[subjects != subject], temperature)
        rows.append(by_preset(preset)(density, own, others, baseline))
        weights.append(len(np.unique(own, axis=0)) if preset == "mit" else len(own))
    found = gold_standard.score_gold_standard(
        points, subjects, SIZE, SIGMA, others, baseline, preset, WEIGHT, temperature
    )
    assert set(found) == set(metrics.METRICS[preset])
    for name in rows[0]:
        expected = np.average([row[name] for row in rows], weights=weights)
        # densities to the power of 1 / temperature and by the logarithm differ by rounding
        assert found[name] == pytest.approx(expected, abs=1e-9), name


@pytest.mark.parametrize("preset", PRESETS)
def test_maps_are_compared_between_alternate_halves_without_the_odd_observer(people, preset):
    points, subjects = people
    # sorted observers 2, 4, 5, 7, 9: halves 2 and 5, 4 and 7
    halves = [points[np.isin(subjects, half)] for half in ((2, 5), (4, 7))]
    found = gold_standard.score_gold_standard(
        points, subjects, SIZE, SIGMA, None, None, preset, WEIGHT
    )
    for name in HALVED:
        extra = () if name == "cc" else (preset,)
        pair = [
            getattr(metrics, name)(mixed(a), fixations.density(b, SIZE, SIGMA), *extra)
            for a, b in (halves, halves[::-1])
        ]
        assert found[name] == pytest.approx(np.mean(pair)), name


@pytest.mark.parametrize("temperature", [1.0, 1.7])
@pytest.mark.parametrize("preset", PRESETS)
def test_one_observer_predicts_all_others_and_counts_as_every_other(
    people, others, baseline, preset, temperature
):
    points, subjects = people
    rows = []
    for subject in np.unique(subjects):
        rest = points[subjects != subject]
        density = mixed(points[subjects == subject], temperature)
        row = by_preset(preset)(density, rest, others, baseline)
        truth = fixations.density(rest, SIZE, SIGMA)
        row["cc"] = metrics.cc(density, truth)
        row["kld"] = metrics.kld(density, truth, preset)
        row["sim"] = metrics.sim(density, truth, preset)
        rows.append(row)
    found = gold_standard.score_one_observer(
        points, subjects, SIZE, SIGMA, others, baseline, preset, WEIGHT, temperature
    )
    for name in rows[0]:
        assert found[name] == pytest.approx(np.mean([row[name] for row in rows]), abs=1e-9), name


@pytest.mark.parametrize("score", BOTH)
@pytest.mark.parametrize("preset", PRESETS)
def test_the_temperature_is_1_where_none_is_given(people, baseline, score, preset):
    arguments = *people, SIZE, SIGMA, None, baseline, preset, WEIGHT
    assert score(*arguments) == pytest.approx(score(*arguments, 1.0), nan_ok=True)


def rates_of_loops(maps, sets):
    """False-alarm rates of each fixation, ties counted half and in full, by loops over pixels."""
    seen = {tuple(pixel) for pixels in sets for pixel in pixels}
    never = [(x, y) for y in range(SIZE[0]) for x in range(SIZE[1]) if (x, y) not in seen]
    half, full = [], []
    for values, pixels in zip(maps, sets, strict=True):
        for x, y in {tuple(pixel) for pixel in pixels}:
            above = sum(values[j, i] > values[y, x] for i, j in never)
            equal = sum(values[j, i] == values[y, x] for i, j in never)
            half.append((above + equal / 2) / len(never))
            full.append((above + equal) / len(never))
    return half, full


def area_of(rates):
    """Area below the hits i / n over the sorted rates, with the corners (0, 0) and (1, 1)."""
    x = [0, *sorted(rates), 1]
    y = [0, *(np.arange(len(rates)) + 1) / len(rates), 1]
    return sum((x[i + 1] - x[i]) * (y[i + 1] + y[i]) / 2 for i in range(len(x) - 1))


@pytest.mark.parametrize("levels", [1000, 4])
def test_pooled_auc_is_that_of_all_fixations_each_in_the_map_of_its_observer(rng, levels):
    maps = [rng.integers(0, levels, SIZE).astype(float) for _ in range(3)]
    sets = [rng.integers(0, SIZE[::-1], (n, 2)) for n in (7, 5, 2)]
    sets[1][0] = sets[0][0]  # two observers at one pixel count twice
    sets[0][3] = sets[0][2]  # one observer twice at one pixel counts once
    found = gold_standard.pooled_auc_judd(maps, sets)
    assert found == pytest.approx(tuple(map(area_of, rates_of_loops(maps, sets))))


def test_a_constant_map_among_others_ties_with_every_pixel(rng):
    maps = [rng.random(SIZE), np.full(SIZE, 3.0)]
    sets = [rng.integers(0, SIZE[::-1], (n, 2)) for n in (4, 6)]
    found = gold_standard.pooled_auc_judd(maps, sets)
    assert found == pytest.approx(tuple(map(area_of, rates_of_loops(maps, sets))))


def test_constant_maps_alone_have_a_pooled_auc_of_one_half():
    sets = [np.array([[0, 0]]), np.array([[3, 4], [1, 1]])]
    assert gold_standard.pooled_auc_judd([np.ones(SIZE)] * 2, sets) == (0.5, 0.5)


def test_the_pooled_auc_of_one_map_is_judds_auc(rng):
    values = rng.permutation(np.prod(SIZE)).reshape(SIZE).astype(float)  # no ties
    pixels = rng.permutation(np.prod(SIZE))[:9]
    points = np.stack([pixels % SIZE[1], pixels // SIZE[1]], axis=1)
    pooled = gold_standard.pooled_auc_judd([values] * 2, [points[:6], points[6:]])
    expected = metrics.auc_judd(values, points), metrics.auc_judd_nojit(values, points)
    assert pooled == pytest.approx(expected)


@pytest.mark.parametrize("n", [0, 6])
def test_without_a_fixation_or_a_pixel_left_there_is_no_pooled_auc(n):
    every = np.array([[x, y] for x in range(3) for y in range(2)])[:n]
    values = np.arange(6.0).reshape(2, 3)
    assert np.isnan(gold_standard.pooled_auc_judd([values], [every])).all()


def test_judds_auc_of_the_gold_standard_is_the_pooled_one(people):
    points, subjects = people
    found = gold_standard.score_gold_standard(
        points, subjects, SIZE, SIGMA, None, None, "mit", WEIGHT
    )
    observers = np.unique(subjects)
    maps = [mixed(points[subjects != s]) for s in observers]
    sets = [points[subjects == s] for s in observers]
    expected = gold_standard.pooled_auc_judd(maps, sets)
    assert tuple(found[name] for name in POOLED) == pytest.approx(expected, abs=1e-9)


def test_an_observer_whose_metric_is_undefined_is_left_out_of_its_mean():
    points = np.array([[3, 3], [4, 9], [5, 5], [8, 8], [9, 3], [15, 9]])
    subjects = np.array([0, 0, 0, 1, 2, 2])
    found = gold_standard.score_gold_standard(
        points, subjects, SIZE, SIGMA, None, None, "mit", WEIGHT
    )
    own = [points[subjects == s] for s in (0, 2)]  # one pixel alone has no auc_borji
    rest = [points[subjects != s] for s in (0, 2)]
    values = [metrics.auc_borji(mixed(r), o) for r, o in zip(rest, own, strict=True)]
    assert found["auc_borji"] == pytest.approx((3 * values[0] + 2 * values[1]) / 5, abs=1e-9)


@pytest.mark.parametrize("score", BOTH)
@pytest.mark.parametrize("preset", PRESETS)
def test_what_needs_other_fixations_or_a_baseline_is_nan_without_them(people, score, preset):
    found = score(*people, SIZE, SIGMA, None, None, preset, WEIGHT)
    undefined = {name for name, value in found.items() if np.isnan(value)}
    assert undefined == {"auc_shuffled", "ig"}


@pytest.mark.parametrize("score", BOTH)
@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("n", [0, 3])
def test_a_single_observer_predicts_nobody(score, preset, n):
    points = np.arange(2 * n).reshape(n, 2)
    found = score(points, np.zeros(n), SIZE, SIGMA, None, None, preset, WEIGHT)
    assert tuple(found) == metrics.METRICS[preset] and np.isnan(list(found.values())).all()


@pytest.mark.parametrize("score", BOTH)
def test_two_observers_are_enough(people, score):
    points, subjects = people
    two = np.isin(subjects, (2, 9))
    found = score(points[two], subjects[two], SIZE, SIGMA, None, None, "exact", WEIGHT)
    assert np.isfinite([found[name] for name in ("auc", "nss", "cc", "kld", "sim")]).all()


@pytest.mark.parametrize("score", BOTH)
def test_each_fixation_needs_its_observer(people, score):
    points, subjects = people
    text = r"27 fixations need as many subjects, got subjects of shape \(26,\)"
    with pytest.raises(InputError, match=text):
        score(points, subjects[1:], SIZE, SIGMA, None, None, "exact", WEIGHT)
    with pytest.raises(InputError, match="unknown preset 'mti'; known are mit, pysaliency, exact"):
        score(points, subjects, SIZE, SIGMA, None, None, "mti", WEIGHT)


# People who agree, and who do not


def clusters(rng, n_observers, n_fixations, size=LARGE):
    """Fixations of observers who agree: around two places of the stimulus."""
    height, width = size
    places = np.array([[0.3 * width, 0.4 * height], [0.8 * width, 0.7 * height]])
    n = n_observers * n_fixations
    points = places[rng.integers(0, 2, n)] + 2.5 * rng.standard_normal((n, 2))
    pixels = np.clip(np.round(points), 0, (width - 1, height - 1)).astype(int)
    return pixels, np.repeat(np.arange(n_observers), n_fixations)


def test_pooled_auc_depends_on_ranks_within_each_map_alone(rng):
    maps = [rng.random(LARGE) for _ in range(3)]
    sets = [rng.integers(0, (43, 30), (8, 2)) for _ in range(3)]
    moved = [scale * saliency_map**3 for scale, saliency_map in zip((1, 50, 9), maps, strict=True)]
    assert gold_standard.pooled_auc_judd(maps, sets) == pytest.approx(
        gold_standard.pooled_auc_judd(moved, sets), abs=1e-12
    )


def test_pooled_auc_is_not_inflated_by_few_fixations_per_observer(rng):
    # a random map of the 9 fixations of one observer scores 0.5 + 1 / (2 * 9) in expectation
    maps = [rng.random(LARGE) for _ in range(40)]
    sets = [rng.integers(0, (43, 30), (9, 2)) for _ in range(40)]
    each = np.mean([metrics.auc_judd(*pair) for pair in zip(maps, sets, strict=True)])
    pooled, _ = gold_standard.pooled_auc_judd(maps, sets)
    standard_error = 0.29 / math.sqrt(360)
    assert each - pooled > 0.03
    assert abs(pooled - 0.5) < 4 * standard_error


@pytest.mark.parametrize("preset", metrics.METRICS)
def test_people_who_agree_predict_each_other_and_people_who_do_not_do_not(rng, preset):
    baseline = uniform(LARGE)
    agreed = clusters(rng, 8, 10)
    at_random = rng.integers(0, (43, 30), (80, 2)), agreed[1]
    first, second = (
        gold_standard.score_gold_standard(*people, LARGE, 3.0, None, baseline, preset, 0.01)
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
        gold_standard.score_gold_standard(*people, LARGE, 3.0, None, None, "mit", 0.01)
        for people in ((pixels, subjects), (pixels[order], subjects[order]))
    )
    assert first == pytest.approx(second, abs=1e-9, nan_ok=True)


def test_one_observer_predicts_worse_than_all_others_do(rng):
    people = clusters(rng, 8, 6)
    single, gold = (
        score(*people, LARGE, 3.0, None, uniform(LARGE), "exact", 0.01)
        for score in (gold_standard.score_one_observer, gold_standard.score_gold_standard)
    )
    for name in ("auc", "nss", "ig"):
        assert single[name] < gold[name]
