"""The convex fusion: derivatives, convexity and planted weights."""

import numpy as np
import pytest

from gaborscope.errors import InputError
from gaborscope.explanation import fusion
from gaborscope.explanation.model import grid_shape

N_FEATURES = 4
SCALES = np.array([1.0, 20.0, 0.05, 2.0])


@pytest.fixture
def rng():
    return np.random.default_rng(2)


def softmax(score):
    p = np.exp(score - score.max())
    return p / p.sum()


def made(rng, n, weight, cells=150):
    """Make stimuli with the fused density of known weights as target."""
    batches = []
    for _ in range(n):
        features = (rng.standard_normal((cells, N_FEATURES)) * SCALES).astype(np.float32)
        batches.append((features, softmax(features.astype(float) @ weight)))
    return batches


def noisy(rng, n, weight, points=30):
    """Make stimuli as `made` does, with targets drawn from the density."""
    return [
        (features, rng.multinomial(points, target) / points)
        for features, target in made(rng, n, weight)
    ]


def test_the_objective_is_the_cross_entropy(rng):
    batches, weight = noisy(rng, 3, np.zeros(4)), rng.standard_normal(4) / SCALES
    expected = np.mean([-t @ np.log(softmax(f.astype(float) @ weight)) for f, t in batches])
    value, _, curvature = fusion.objective(batches, weight)
    assert value == pytest.approx(expected, rel=1e-6)  # scores are float32
    assert curvature is None


def test_the_gradient_is_that_of_finite_differences(rng):
    batches, weight = noisy(rng, 3, np.zeros(4)), 0.5 * rng.standard_normal(4) / SCALES
    _, gradient, _ = fusion.objective(batches, weight)
    for index, scale in enumerate(SCALES):
        step = np.zeros(4)
        step[index] = 0.02 / scale  # large, because scores are float32
        up, down = (fusion.objective(batches, weight + s * step)[0] for s in (1, -1))
        # error of second order in the step, plus rounding of 1e-6 / 0.04
        assert scale**-1 * gradient[index] == pytest.approx((up - down) / 0.04, abs=5e-4)


def test_the_hessian_is_that_of_finite_differences(rng):
    batches, weight = noisy(rng, 3, np.zeros(4)), 0.5 * rng.standard_normal(4) / SCALES
    _, _, curvature = fusion.objective(batches, weight, hessian=True)
    unit = curvature / np.outer(SCALES, SCALES)
    for index, scale in enumerate(SCALES):
        step = np.zeros(4)
        step[index] = 0.02 / scale
        up, down = (fusion.objective(batches, weight + s * step)[1] for s in (1, -1))
        np.testing.assert_allclose(unit[index], (up - down) / 0.04 / SCALES, atol=2e-3)


def test_the_objective_is_convex_along_a_line(rng):
    batches = noisy(rng, 3, np.zeros(4))
    start, direction = rng.standard_normal((2, 4)) / SCALES
    values = [fusion.objective(batches, start + t * direction)[0] for t in np.linspace(-2, 2, 21)]
    assert (np.diff(values, 2) > -1e-5).all()  # float32 scores


def test_a_shift_of_all_features_of_a_stimulus_changes_nothing(rng):
    batches, weight = noisy(rng, 2, np.zeros(4)), rng.standard_normal(4) / SCALES
    shifted = [(features + np.float32(3), target) for features, target in batches]
    assert fusion.objective(shifted, weight)[0] == pytest.approx(
        fusion.objective(batches, weight)[0], abs=1e-4
    )


def test_a_large_mean_of_a_feature_costs_no_digits(rng):
    weight = rng.standard_normal(4)
    targets = [target for _, target in made(rng, 2, weight)]
    # quarters: at 30,000 float32 still holds them exactly
    features = [np.float32(rng.integers(-8, 9, (150, 4)) / 4) for _ in targets]
    shifted = [values + np.float32(30_000) for values in features]
    plain, moved = (
        fusion.objective(list(zip(values, targets, strict=True)), weight, hessian=True)
        for values in (features, shifted)
    )
    for one, other in zip(plain, moved, strict=True):
        np.testing.assert_allclose(other, one, rtol=1e-4, atol=1e-5)  # scores are float32


def test_a_penalty_whose_validation_loss_is_nan_is_never_chosen(rng):
    fit = noisy(rng, 2, np.zeros(4))
    lost = [(features, np.full_like(target, np.nan)) for features, target in fit]
    with pytest.raises(InputError, match="diverged with each of the penalties"):
        fusion.fit(lambda: fit, lambda: lost, 4, [0.1, 1.0])


def test_the_fit_recovers_the_weights_of_a_log_linear_density(rng):
    weight = np.array([1.0, -0.5, 0.3, 0.0]) / SCALES
    fit, validation = made(rng, 5, weight), made(rng, 2, weight)
    fitted = fusion.fit(lambda: fit, lambda: validation, 4, [1e-7, 1e-4, 1e-2], tolerance=1e-9)
    assert fitted.penalty == 1e-7
    np.testing.assert_allclose(fitted.weight * SCALES, weight * SCALES, atol=2e-3)


def test_the_chosen_penalty_has_the_lowest_validation_value(rng):
    weight = np.array([0.3, -0.1, 0.0, 0.0]) / SCALES
    fit, validation = noisy(rng, 2, weight, points=8), noisy(rng, 4, weight, points=200)
    fitted = fusion.fit(lambda: fit, lambda: validation, 4, [1e-4, 1e-2, 0.1, 1.0, 10.0])
    assert fitted.penalty == min(fitted.path, key=lambda step: step[2])[0]
    assert fitted.penalty > 1e-4  # a smaller one overfits eight points a stimulus
    held_out, _, _ = fusion.objective(validation, fitted.weight)
    assert held_out == pytest.approx(min(step[2] for step in fitted.path))


def test_smaller_penalties_fit_the_fit_split_more_closely(rng):
    fit = noisy(rng, 3, np.array([1.0, 0.5, 0.0, 0.2]) / SCALES)
    fitted = fusion.fit(lambda: fit, lambda: fit, 4, [1e-4, 1e-2, 1.0])
    penalties, values, _ = zip(*fitted.path, strict=True)
    assert penalties == (1.0, 1e-2, 1e-4)
    assert (np.diff(values) < 0).all()


def test_a_feature_without_spread_gets_the_weight_zero(rng):
    weight = np.array([1.0, -0.5, 0.3, 0.0]) / SCALES
    fit = made(rng, 3, weight)
    for features, _ in fit:
        features[:, 3] = 7.0
    fitted = fusion.fit(lambda: fit, lambda: fit, 4, [1e-5])
    assert fitted.weight[3] == pytest.approx(0, abs=1e-6)


def test_the_penalty_does_not_depend_on_the_unit_of_a_feature(rng):
    weight = np.array([1.0, -0.5, 0.3, 0.2]) / SCALES
    fit = noisy(rng, 3, weight)
    scaled = [(features * np.float32([1, 8, 1, 1]), target) for features, target in fit]
    plain = fusion.fit(lambda: fit, lambda: fit, 4, [0.1], tolerance=1e-9)
    other = fusion.fit(lambda: scaled, lambda: scaled, 4, [0.1], tolerance=1e-9)
    np.testing.assert_allclose(
        other.weight * [1, 8, 1, 1] * SCALES, plain.weight * SCALES, atol=1e-4
    )


def test_progress_is_one_sentence_a_penalty(rng):
    fit, heard = noisy(rng, 2, np.zeros(4)), []
    fusion.fit(lambda: fit, lambda: fit, 4, [0.1, 1.0], progress=heard.append)
    assert [sentence.split(":")[0] for sentence in heard] == ["penalty 1", "penalty 0.1"]


@pytest.mark.parametrize(
    "size, stride, expected",
    [((96, 128), 4, (24, 32)), ((93, 61), 4, (23, 15)), ((3, 90), 8, (2, 11))],
)
def test_the_fusion_grid_tiles_the_content(size, stride, expected):
    assert grid_shape(*size, stride) == expected


@pytest.fixture
def problem(rng):
    """Features and targets of ten small stimuli."""
    batches = []
    for _ in range(10):
        features = rng.normal(size=(30, 6)).astype(np.float32)
        score = features @ np.array([1, -1, 0.5, 0, 0, 2.0])
        target = np.exp(score + 0.3 * rng.normal(size=30))
        batches.append((features, target / target.sum()))
    return lambda: iter(batches)


@pytest.mark.parametrize("start", [np.zeros(6), np.full(6, 3.0)])
def test_a_warm_start_changes_the_cost_not_the_outcome(problem, start):
    cold = fusion.fit(problem, problem, 6, [0.1, 0.01], tolerance=1e-9)
    warm = fusion.fit(problem, problem, start, [0.1, 0.01], tolerance=1e-9)
    np.testing.assert_allclose(warm.weight, cold.weight, atol=1e-3)
    assert warm.penalty == cold.penalty


def test_a_start_at_which_rounding_leaves_no_positive_curvature_is_left(rng):
    batches = [
        (1e3 * rng.normal(size=(30, 60)).astype(np.float32), rng.dirichlet(np.ones(30)))
        for _ in range(2)
    ]
    fused = fusion.fit(lambda: iter(batches), lambda: iter(batches), rng.normal(size=60), [0.1])
    uniform = np.log(30)
    assert np.isfinite(fused.weight).all() and fused.path[0][1] < uniform


def test_a_constant_feature_weighs_nothing(problem):
    def batches():
        for features, target in problem():
            yield np.column_stack([features, np.ones(30, np.float32)]), target

    fused = fusion.fit(batches, batches, np.ones(7), [0.1])
    assert abs(fused.weight[-1]) < 1e-8
