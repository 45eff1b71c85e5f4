"""Metrics against closed forms, invariants, the official code and pysaliency."""

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gaborscope.errors import InputError
from gaborscope.scoring import metrics

REGULAR = [f"s{i}_{kind}" for i in range(3) for kind in ("center", "specres", "loo")]
PYSALIENCY_NAMES = {
    "auc": "auc_uniform",
    "auc_shuffled": "sauc_10img",
    "nss": "nss",
    "cc": "cc",
    "kld": "kld_mit",
    "sim": "sim",
    "ig": "ig_min0",
}
few = settings(max_examples=25, deadline=None)

# --- expected scores where the sources differ, fail, or return meaningless values -----------------

CHANCE = {"auc_judd": 0.5, "auc_judd_nojit": 0.5, "auc_borji": 0.5, "auc_shuffled": 0.5}
CHANCE |= {"auc": 0.5, "nss": 0, "cc": 0}
NO_FIXATIONS = dict.fromkeys(
    ["auc_judd", "auc_judd_nojit", "auc_borji", "auc_shuffled", "auc", "nss", "ig"], math.nan
)
NO_DENSITY = {"cc": math.nan, "kld": math.nan, "sim": math.nan}
# scores of a map that is 0 at a fixation: without an epsilon the likelihood is 0
IMPOSSIBLE = {"pysaliency": {"ig": -math.inf}, "exact": {"ig": -math.inf, "kld": math.inf}}
DEFINED = {}  # every score is finite; cases in EQUAL also agree with official code and pysaliency


def everywhere(expected, **other):
    return {preset: expected for preset in metrics.METRICS} | other


# case: (expected scores by preset, or the text of the error; the reason)
EDGE_CASES = {
    "e_const3": (
        everywhere(CHANCE),
        "a constant map says nothing about place and scores as chance, as in pysaliency; official: "
        "nan, and noise where its jitter makes up an order",
    ),
    "e_zeros": (
        everywhere(CHANCE),
        "all zeros is a constant map: the uniform density; official KLD 27, SIM 0, else nan",
    ),
    "e_nan_unfixated": (
        "holds nan at 1 of 4800",
        "a NaN is a fault of the predictor; official AUCs are finite and wrong, the rest nan, "
        "pysaliency's AUC 0",
    ),
    "e_nan_fixated": ("holds nan at 1 of 4800", "as above; it shifts every threshold"),
    "e_allnan": ("holds nan at 4800 of 4800", "as above"),
    "e_inf": (
        "holds inf at 1 of 4800",
        "no density has an infinite value, and min-max makes every other pixel 0",
    ),
    "e_nofix": (
        everywhere(NO_FIXATIONS | NO_DENSITY),
        "without fixations there is no score: nan, not averaged; official KLD and SIM are 0 "
        "(the best and the worst value), pysaliency takes the zero density for uniform",
    ),
    "e_nofix_dens": (
        everywhere(NO_FIXATIONS),
        "scores of the density are defined, those of fixations are nan; pysaliency raises",
    ),
    "e_noshuf": (
        everywhere({"auc_shuffled": math.nan}),
        "no negatives, no shuffled AUC: nan; pysaliency divides by zero",
    ),
    "e_onefix": (
        everywhere(DEFINED, mit={"auc_borji": math.nan}),
        "the official code gives no AUC-Borji for fewer than two fixations; the rest is defined",
    ),
    "e_twofix": (everywhere(DEFINED), "few fixations are noisy, not undefined"),
    "e_dupfix": (
        everywhere(DEFINED),
        "mit counts a pixel once, as the official binary map; the others count every fixation",
    ),
    "e_zerodens": (
        everywhere(NO_DENSITY),
        "an all-zero density is the absence of one: nan; official KLD and SIM are 0, pysaliency "
        "takes it for uniform",
    ),
    "e_constdens": (
        everywhere({"cc": 0}),
        "CC is 0 if the map or the density is constant; official and pysaliency give nan here; SIM "
        "takes the density for uniform, the official one is nan",
    ),
    "e_negative": (
        everywhere(
            DEFINED,
            mit="negative values .minimum -0.000427",
            exact="negative values .minimum -0.000427",
        ),
        "no density has negative values: official KLD is -33; pysaliency shifts by the minimum",
    ),
    "e_allnegative": (
        everywhere(
            DEFINED,
            mit="negative values .minimum -1.003",
            exact="negative values .minimum -1.003",
        ),
        "official KLD looks right by accident (a negative over a negative sum)",
    ),
    "e_log_density": (
        "logarithm of a density",
        "the logarithm is another map than the density: every score but the AUCs would change",
    ),
    "e_halfsize": (
        "size .30, 40. and the density .60, 80.|outside the saliency map of 40 x 30",
        "the user decides how to resize; official resizes silently, pysaliency's functions read "
        "wrong pixels",
    ),
    "e_doublesize": ("size .120, 160. and the density .60, 80.", "as above"),
    "e_uint8vals_as_double": (
        everywhere(DEFINED, exact={"kld": math.inf}),
        "256 levels give many ties, which count one half",
    ),
    "e_uint8class": (
        everywhere(DEFINED, exact={"kld": math.inf}),
        "integers become float64 first; MATLAB's integer arithmetic saturates (AUC 0.007, IG -Inf)",
    ),
    "e_8levels": (
        everywhere(DEFINED, **IMPOSSIBLE),
        "ties broken at random, in expectation",
    ),
    "e_sparse_zero_map": (
        everywhere(DEFINED, **IMPOSSIBLE),
        "some fixations lie at zeros, where the likelihood is 0; mit's epsilon keeps IG finite",
    ),
    "e_tinyscale_density": (
        everywhere(DEFINED, **IMPOSSIBLE),
        "the scale of a map means nothing",
    ),
    "e_tinyscale_1e-6": (
        everywhere(DEFINED, **IMPOSSIBLE),
        "as above; the official jitter of 1e-7 is not small against this map and reorders it",
    ),
    "e_perfect_binary": (
        everywhere(DEFINED, exact={"auc": 1, "kld": math.inf}),
        "a perfect map scores AUC 1 only under exact: pysaliency counts fixated pixels among the "
        "negatives, and auc_judd_nojit counts later tied fixations as false alarms",
    ),
    "e_identical_density": (
        everywhere({"cc": 1, "sim": 1}, exact={"cc": 1, "sim": 1, "kld": 0}),
        "equal densities: KLD is 0 under exact, and below 1e-9 with epsilons",
    ),
}
# Edge cases where our scores equal those of the official code and pysaliency.
EQUAL = [
    "e_dupfix",
    "e_8levels",
    "e_sparse_zero_map",
    "e_perfect_binary",
    "e_identical_density",
    "e_constdens",
    "e_onefix",
    "e_twofix",
    "e_tinyscale_density",
    "e_tinyscale_1e-6",
    "e_uint8vals_as_double",
]


@pytest.fixture(scope="module")
def tiny(oracles):
    with np.load(oracles / "metrics_tiny.npz") as archive:
        arrays = {name: archive[name] for name in archive.files}
    arrays["values"] = json.loads(str(arrays["values_json"]))
    return arrays


def arguments(tiny, case):
    points = np.stack([tiny[f"{case}/fx"], tiny[f"{case}/fy"]], axis=1).astype(int)
    others = np.stack([tiny[f"{case}/ox"], tiny[f"{case}/oy"]], axis=1).astype(int)
    density = tiny["D_stack"][int(tiny[f"{case}/D_index"])]
    return tiny[f"{case}/S"], points, density, others, tiny["baseline"]


def stored(tiny, case, source, name, key="value"):
    value = tiny["values"][case][source][name][key]
    return float("nan") if value is None else float(value)


def some_case(seed, height=9, width=13):
    rng = np.random.default_rng(seed)
    fixations = rng.integers(0, (width, height), size=(rng.integers(1, 30), 2))
    others = rng.integers(0, (width, height), size=(40, 2))
    levels = rng.integers(0, rng.choice([4, 1000]), size=(height, width))
    return rng, levels, fixations, others


# --- closed forms ---------------------------------------------------------------------------------


def test_exact_auc_is_the_share_of_pairs_in_the_right_order():
    rng, levels, fixations, _ = some_case(3)
    positives = levels[fixations[:, 1], fixations[:, 0]]
    pairs = positives[:, None] - levels.ravel()[None, :]
    expected = np.mean((pairs > 0) + 0.5 * (pairs == 0))
    assert metrics.auc(levels, fixations) == pytest.approx(expected, abs=1e-14)


def test_auc_of_exact_takes_every_fixation_against_pixels_that_nobody_fixated():
    rng, levels, fixations, _ = some_case(8)
    fixations = np.concatenate([fixations, fixations[:3]])
    positives = levels[fixations[:, 1], fixations[:, 0]]
    free = np.ones(levels.shape, bool)
    free[fixations[:, 1], fixations[:, 0]] = False
    pairs = positives[:, None] - levels[free][None, :]
    expected = np.mean((pairs > 0) + 0.5 * (pairs == 0))
    assert metrics.auc(levels, fixations, "exact") == pytest.approx(expected, abs=1e-14)


def test_a_perfect_map_scores_1_under_exact_alone():
    perfect = np.zeros((6, 9))
    points = [[1, 2], [5, 5], [8, 0]]
    for x, y in points:
        perfect[y, x] = 1
    assert metrics.auc(perfect, points, "exact") == 1
    assert metrics.auc(perfect, points) == pytest.approx(1 - 3 / (2 * 54))


def test_mit_has_no_auc_without_a_name():
    with pytest.raises(InputError, match="preset 'mit' has no auc"):
        metrics.auc(np.eye(3, 4), [[0, 0]], "mit")


def test_exact_kld_is_the_sum_over_seen_pixels_and_infinite_where_they_are_called_impossible():
    observed = np.array([[0.5, 0.5, 0.0], [0.0, 0.0, 0.0]])
    predicted = np.array([[0.25, 0.25, 0.25], [0.25, 0.0, 0.0]])
    assert metrics.kld(predicted, observed, "exact") == pytest.approx(math.log(2), abs=1e-15)
    assert metrics.kld(observed, predicted, "exact") == math.inf
    assert metrics.kld(observed, observed, "exact") == 0


def test_shuffled_auc_of_pysaliency_is_the_share_of_pairs_in_the_right_order():
    rng, levels, fixations, others = some_case(4)
    pairs = levels[fixations[:, 1], fixations[:, 0]][:, None] - levels[others[:, 1], others[:, 0]]
    expected = np.mean((pairs > 0) + 0.5 * (pairs == 0))
    value = metrics.auc_shuffled(levels, fixations, others, "pysaliency")
    assert value == pytest.approx(expected, abs=1e-14)


def test_auc_judd_of_one_fixation_is_one_minus_half_its_false_alarm_rate():
    # the curve is (0, 0), (fp, 1), (1, 1), so its area is fp / 2 + 1 - fp
    levels = np.arange(4 * 5, dtype=float).reshape(4, 5)
    above = 20 - 1 - levels[2, 3]
    expected = 1 - above / 19 / 2
    assert metrics.auc_judd(levels, [[3, 2]]) == pytest.approx(expected, abs=1e-15)
    assert metrics.auc_judd_nojit(levels, [[3, 2]]) == pytest.approx(expected, abs=1e-15)


def test_auc_judd_is_the_mean_over_random_orders_of_tied_pixels():
    rng = np.random.default_rng(0)
    levels = rng.integers(0, 3, size=(4, 5)).astype(float)
    fixations = np.array([[0, 0], [3, 1], [2, 2], [4, 3]])
    runs = [
        metrics.auc_judd_nojit(levels + 0.5 * rng.random(levels.shape), fixations)
        for _ in range(3000)
    ]
    standard_error = np.std(runs) / math.sqrt(len(runs))
    assert abs(metrics.auc_judd(levels, fixations) - np.mean(runs)) < 4 * standard_error


def test_auc_judd_without_ties_equals_the_official_code_without_jitter():
    rng = np.random.default_rng(1)
    saliency_map = rng.random((17, 23))
    fixations = rng.integers(0, (23, 17), size=(12, 2))
    with_jitter = metrics.auc_judd(saliency_map, fixations)
    assert with_jitter == pytest.approx(metrics.auc_judd_nojit(saliency_map, fixations), abs=1e-14)


def test_a_map_of_two_levels_has_a_known_auc_borji():
    saliency_map = np.zeros((4, 6))
    saliency_map[:2] = 1  # half of the pixels, with three of the four fixations
    fixations = [[0, 0], [1, 1], [5, 0], [2, 3]]
    # the curve is (0, 0), (0.5, 0.75), (1, 1)
    assert metrics.auc_borji(saliency_map, fixations) == pytest.approx(0.625, abs=1e-15)


def test_nss_is_the_mean_z_score():
    saliency_map = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 9.0]])
    expected = (9 - 4) / np.std(saliency_map, ddof=1)
    assert metrics.nss(saliency_map, [[2, 1]]) == pytest.approx(expected, rel=1e-14)
    expected = (9 - 4) / np.std(saliency_map)
    assert metrics.nss(saliency_map, [[2, 1]], "pysaliency") == pytest.approx(expected, rel=1e-14)


def test_repeated_fixations_count_once_for_mit_and_each_time_for_pysaliency():
    saliency_map = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 9.0]])
    once, twice = [[2, 1], [0, 0]], [[2, 1], [2, 1], [0, 0]]
    for metric in (metrics.auc_judd, metrics.auc_judd_nojit, metrics.auc_borji, metrics.nss):
        assert metric(saliency_map, once) == metric(saliency_map, twice)
    for metric in (metrics.auc, lambda s, f: metrics.nss(s, f, "pysaliency")):
        assert metric(saliency_map, once) < metric(saliency_map, twice)


@pytest.mark.parametrize("preset", metrics.METRICS)
def test_kld_of_two_halves_is_the_logarithm_of_two(preset):
    saliency_map, density = np.ones((4, 6)), np.zeros((4, 6))
    density[:, :3] = 5
    # epsilon 2e-16 over P = 1/24 changes the result by 1e-14
    assert metrics.kld(saliency_map, density, preset) == pytest.approx(math.log(2), abs=1e-13)


def test_sim_of_pysaliency_is_the_shared_mass():
    saliency_map, density = np.zeros((4, 6)), np.zeros((4, 6))
    saliency_map[:, :4], density[:, 2:] = 3, 7
    assert metrics.sim(saliency_map, density, "pysaliency") == pytest.approx(0.5, abs=1e-15)


def test_ig_over_the_uniform_is_the_logarithm_of_the_density_ratio():
    saliency_map = np.ones((4, 6))
    saliency_map[:, :3] = 3  # 1.5 times the uniform density
    value = metrics.ig(saliency_map, [[0, 0], [2, 3]], np.ones((4, 6)), "pysaliency")
    assert value == pytest.approx(math.log2(1.5), abs=1e-14)


# --- official code and pysaliency -----------------------------------------------------------------


@pytest.mark.parametrize("case", REGULAR + EQUAL)
def test_mit_preset_equals_the_official_code(tiny, case):
    scores = metrics.score(*arguments(tiny, case), "mit")
    official = {"auc_judd_nojit": "judd_nojit", "nss": "nss", "kld": "kld", "ig": "ig"}
    if case != "e_constdens":  # the official CC and SIM are nan, ours are not
        official |= {"cc": "cc", "sim": "sim"}
    for name, oracle_name in official.items():
        expected = stored(tiny, case, "official", oracle_name)
        assert scores[name] == pytest.approx(expected, abs=1e-9), name
    for name, oracle_name in {"auc_borji": "borji", "auc_shuffled": "shuffled"}.items():
        expected = stored(tiny, case, "ref", oracle_name)
        assert scores[name] == pytest.approx(expected, abs=1e-9, nan_ok=True), name


@pytest.mark.parametrize("case", REGULAR + EQUAL)
def test_pysaliency_preset_equals_pysaliency(tiny, case):
    scores = metrics.score(*arguments(tiny, case), "pysaliency")
    for name, oracle_name in PYSALIENCY_NAMES.items():
        if case == "e_constdens" and name == "cc":  # nan there, ours 0
            continue
        expected = stored(tiny, case, "pysaliency", oracle_name)
        assert scores[name] == pytest.approx(expected, abs=1e-9), name


# The official jitter is 1e-7 in the units of the map, so it also swaps pixels that differ by less.
# On these maps this concerns few of the n (N - n) pairs; the tolerance allows three. The maps "loo"
# are left out: they sum to 1, and the jitter reorders hundreds of pairs among their low values.
@pytest.mark.parametrize(
    "case",
    [name for name in REGULAR if not name.endswith("loo")]
    + ["e_8levels", "e_sparse_zero_map", "e_perfect_binary", "e_identical_density", "e_dupfix"],
)
def test_auc_judd_is_the_mean_of_the_official_code_with_jitter(tiny, case):
    saliency_map, fixations, *_ = arguments(tiny, case)
    mean = stored(tiny, case, "official", "judd_jit")
    standard_error = stored(tiny, case, "official", "judd_jit", "sd") / math.sqrt(40)
    n = len(np.unique(fixations, axis=0))
    tolerance = 4 * standard_error + 3 / (n * (saliency_map.size - n))
    assert abs(metrics.auc_judd(saliency_map, fixations) - mean) < tolerance


def test_uint8_maps_score_as_their_float_values(tiny):
    case = arguments(tiny, "e_uint8class")
    assert case[0].dtype == np.uint8
    assert metrics.score(*case, "mit") == metrics.score(case[0].astype(float), *case[1:], "mit")


# --- edge cases, all decided ----------------------------------------------------------------------


@pytest.mark.parametrize("preset", metrics.METRICS)
@pytest.mark.parametrize("case", EDGE_CASES)
def test_edge_case_scores_as_decided(tiny, case, preset):
    decided, _ = EDGE_CASES[case]
    expected = decided if isinstance(decided, str) else decided[preset]
    if isinstance(expected, str):
        with pytest.raises(InputError, match=expected) as caught:
            metrics.score(*arguments(tiny, case), preset)
        assert "\n" not in str(caught.value)  # one sentence
        return
    scores = metrics.score(*arguments(tiny, case), preset)
    for name, value in scores.items():
        if name in expected:
            assert value == pytest.approx(expected[name], abs=1e-12, nan_ok=True), name
        else:
            assert math.isfinite(value), name


def test_every_case_of_the_oracle_is_regular_or_decided(tiny):
    assert set(tiny["cases"].tolist()) == set(REGULAR) | set(EDGE_CASES)


def test_a_constant_map_scores_as_the_uniform_density_of_pysaliency(tiny):
    expected = {name: stored(tiny, "e_const3", "pysaliency", name) for name in ("kld_mit", "sim")}
    for case in ("e_const3", "e_zeros"):
        scores = metrics.score(*arguments(tiny, case), "pysaliency")
        assert scores["kld"] == pytest.approx(expected["kld_mit"], abs=1e-9)
        assert scores["sim"] == pytest.approx(expected["sim"], abs=1e-9)
        ig = stored(tiny, case, "pysaliency", "ig_min0")
        assert scores["ig"] == pytest.approx(ig, abs=1e-9)
    mit = [metrics.score(*arguments(tiny, case), "mit") for case in ("e_const3", "e_zeros")]
    assert mit[0] == mit[1]


def test_negative_maps_of_pysaliency_are_shifted_by_their_minimum(tiny):
    for case in ("e_negative", "e_allnegative"):
        scores = metrics.score(*arguments(tiny, case), "pysaliency")
        for name in ("auc", "nss", "cc", "kld", "sim"):
            expected = stored(tiny, case, "pysaliency", PYSALIENCY_NAMES[name])
            assert scores[name] == pytest.approx(expected, abs=1e-9), name


def test_a_log_density_is_never_scored_as_its_density(tiny):
    density, *rest = arguments(tiny, "s0_loo")
    logarithm = arguments(tiny, "e_log_density")[0]
    for preset in metrics.METRICS:
        with pytest.raises(InputError, match="logarithm of a density"):
            metrics.score(logarithm, *rest, preset)
        direct = metrics.score(density, *rest, preset)
        for name, value in metrics.score(np.exp(logarithm), *rest, preset).items():
            # the stored map is log(density + 1e-12); of exact zeros this changes KLD and IG only
            if name not in ("kld", "ig"):
                assert value == pytest.approx(direct[name], abs=1e-4), name
    for wrong in (metrics.kld, metrics.sim):
        with pytest.raises(InputError, match="logarithm of a density"):
            wrong(logarithm, rest[1])
    with pytest.raises(InputError, match="baseline has negative values"):
        metrics.score(density, *rest[:3], logarithm, "mit")
    with pytest.raises(InputError, match="density has negative values"):
        metrics.score(density, rest[0], logarithm, *rest[2:], "mit")


@pytest.mark.parametrize("preset", metrics.METRICS)
def test_the_logarithm_of_the_uniform_density_is_refused_too(preset):
    with pytest.raises(InputError, match="logarithm of a density"):
        metrics.score(np.full((9, 13), -math.log(117)), [[0, 0]], None, None, None, preset)


@pytest.mark.parametrize(
    ("fixations", "text"),
    [
        ([[13, 0]], "x = 13, y = 0 lies outside"),
        ([[2, 3], [-1, 0]], "x = -1, y = 0 lies outside"),
        ([[0, 9]], "x = 0, y = 9 lies outside"),
        ([[0.5, 2]], "x = 0.5, y = 2.0 is not a whole pixel"),
        ([[math.nan, 2]], "not a whole pixel"),
        ([[math.inf, 2]], "outside"),
        ([1, 2, 3], "shape"),
    ],
)
@pytest.mark.parametrize("preset", metrics.METRICS)
def test_a_malformed_fixation_is_named(fixations, text, preset):
    with pytest.raises(InputError, match=text):
        metrics.score(np.eye(9, 13), fixations, None, None, None, preset)


@pytest.mark.parametrize(
    ("saliency_map", "text"),
    [
        (np.zeros(5), "shape"),
        (np.zeros((0, 4)), "shape"),
        (np.zeros((2, 3), dtype=complex), "complex128"),
        (np.array([["a"]]), "real array"),
        (np.array([[-1e308, 1e308]]), "beyond what float64 can sum"),
    ],
)
def test_a_malformed_map_is_named(saliency_map, text):
    with pytest.raises(InputError, match=text):
        metrics.score(saliency_map, [[0, 0]], None, None, None, "mit")


def test_an_unknown_preset_is_named():
    with pytest.raises(InputError, match="unknown preset 'tuebingen'"):
        metrics.score(np.eye(3, 4), [[0, 0]], None, None, None, "tuebingen")
    with pytest.raises(InputError, match="unknown preset"):
        metrics.nss(np.eye(3, 4), [[0, 0]], "MIT")


@pytest.mark.parametrize("preset", metrics.METRICS)
def test_what_is_not_given_is_nan(preset):
    _, levels, fixations, _ = some_case(5)
    scores = metrics.score(levels, fixations, None, None, None, preset)
    assert tuple(scores) == metrics.METRICS[preset]
    missing = {name for name, value in scores.items() if math.isnan(value)}
    assert missing == {"auc_shuffled", "cc", "kld", "sim", "ig"}


def test_a_map_whose_every_pixel_is_fixated_has_no_auc_judd():
    all_pixels = np.argwhere(np.ones((3, 2)))
    assert math.isnan(metrics.auc_judd(np.eye(2, 3), all_pixels))
    assert math.isnan(metrics.auc_judd_nojit(np.eye(2, 3), all_pixels))
    assert math.isnan(metrics.auc(np.eye(2, 3), all_pixels, "exact"))


def test_zeros_at_fixations_give_minus_infinite_ig_and_zeros_of_the_baseline_raise():
    saliency_map = np.eye(3, 4)
    assert metrics.ig(saliency_map, [[3, 0]], np.ones((3, 4)), "pysaliency") == -math.inf
    with pytest.raises(InputError, match="baseline is 0 at 1 of 2"):
        metrics.ig(np.ones((3, 4)), [[3, 0], [1, 1]], saliency_map, "pysaliency")
    assert math.isnan(metrics.ig(saliency_map, [[3, 0]], np.zeros((3, 4)), "pysaliency"))


def test_inputs_are_left_as_they_were():
    rng, levels, fixations, others = some_case(6)
    given_arrays = [rng.random((9, 13)), fixations, rng.random((9, 13)), others, np.ones((9, 13))]
    before = [array.copy() for array in given_arrays]
    for preset in metrics.METRICS:
        metrics.score(*given_arrays, preset)
    for array, copy in zip(given_arrays, before, strict=True):
        np.testing.assert_array_equal(array, copy)


# --- invariants -----------------------------------------------------------------------------------


@few
@given(st.integers(0, 2**32))
def test_exact_aucs_depend_on_the_order_of_pixels_alone(seed):
    rng, levels, fixations, others = some_case(seed)
    table = np.cumsum(rng.random(1000) + 1e-3) ** 3  # strictly increasing
    for metric in (
        metrics.auc_judd,
        metrics.auc_judd_nojit,
        metrics.auc,
        lambda s, f: metrics.auc(s, f, "exact"),
        lambda s, f: metrics.auc_shuffled(s, f, others, "pysaliency"),
        lambda s, f: metrics.auc_shuffled(s, f, others, "exact"),
    ):
        assert metric(levels, fixations) == pytest.approx(
            metric(table[levels], fixations), abs=1e-12
        )


@few
@given(st.integers(0, 2**32), st.floats(1e-3, 1e3), st.floats(-1e3, 1e3))
def test_nss_and_cc_are_invariant_under_positive_affine_maps(seed, gain, offset):
    rng, levels, fixations, _ = some_case(seed)
    density = rng.random(levels.shape)
    moved = gain * levels + offset
    assert metrics.cc(moved, density) == pytest.approx(metrics.cc(levels, density), abs=1e-9)
    for preset in metrics.METRICS:
        before, after = (metrics.nss(s, fixations, preset) for s in (levels, moved))
        assert after == pytest.approx(before, abs=1e-9)


@few
@given(st.integers(0, 2**32), st.sampled_from(list(metrics.METRICS)))
def test_kld_is_not_negative_and_zero_for_equal_densities(seed, preset):
    rng, levels, _, _ = some_case(seed)
    density = rng.random(levels.shape) ** 8
    assert metrics.kld(levels, density, preset) >= -1e-9
    assert abs(metrics.kld(3 * density, density, preset)) < 1e-9


@few
@given(st.integers(0, 2**32), st.sampled_from(list(metrics.METRICS)))
def test_sim_is_symmetric_and_between_0_and_1(seed, preset):
    rng, levels, _, _ = some_case(seed)
    density = rng.random(levels.shape) ** 8
    value = metrics.sim(levels, density, preset)
    assert 0 <= value <= 1 + 1e-12
    assert metrics.sim(density, levels, preset) == pytest.approx(value, abs=1e-12)


@few
@given(st.integers(0, 2**32), st.sampled_from(list(metrics.METRICS)))
def test_scores_do_not_depend_on_the_order_of_fixations(seed, preset):
    rng, levels, fixations, others = some_case(seed)
    rest = (rng.random(levels.shape), others, rng.random(levels.shape), preset)
    before = metrics.score(levels + 1, fixations, *rest)
    after = metrics.score(levels + 1, rng.permutation(fixations), *rest)
    assert after == pytest.approx(before, abs=1e-12, nan_ok=True)
