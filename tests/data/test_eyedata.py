import numpy as np
import pytest

from gaborscope.data.readers import eyedata

# First and last sample (from 1) of each fixation as the authors' own checkFixations.m has them,
# run in GNU Octave 7.3 on the traces of `made_trace`, by seed and length. (600 such traces were
# compared once, all equal; these are kept.)
SPANS = {
    (0, 720): "1-90 107-208 228-259 275-362 376-456 473-576 593-625 655-720",
    (6, 720): (
        "1-47 65-138 149-180 195-220 231-248 267-298 312-367 420-445 454-526 539-609 "
        "624-670 707-720"
    ),
    (12, 720): "1-64 106-118 131-220 240-274 307-360 379-479 496-594 613-720",
    (1, 719): "1-48 62-105 119-162 177-260 275-297 321-411 425-456 474-507 527-608 620-632 648-719",
    (2, 300): "1-89 108-134 156-256 268-287",
    (3, 60): "1-60",
    (4, 30): "1-30",
    (5, 12): "1-12",
    (8, 300): "1-76 93-106 116-221 239-300",
    (14, 300): "1-16 34-91 113-129 139-279",
    (20, 300): "1-94 110-188 225-260 277-300",
    (9, 60): "1-43",
    (15, 60): "1-60",
    (21, 60): "1-1 11-32 48-60",
}


def made_trace(seed, n):
    """Fixations with jitter, minimum-jerk saccades, blinks (negative values) and gaps (nan)."""
    rng = np.random.default_rng(seed)
    place, samples = np.array([512.0, 384.0]), []
    while len(samples) < n:
        rest = int(rng.integers(3, 110))
        samples += list(place + rng.normal(0, rng.choice([0.3, 1, 2.5]), (rest, 2)))
        target = rng.uniform([-60, -60], [1084, 828])
        steps = int(rng.integers(4, 16))
        t = np.linspace(0, 1, steps + 1)[1:, None]
        path = 10 * t**3 - 15 * t**4 + 6 * t**5
        samples += list(place + (target - place) * path + rng.normal(0, 0.5, (steps, 2)))
        place = target
        if rng.random() < 0.12:
            samples += [(-2048.0, -2048.0)] * int(rng.integers(2, 30))
        if rng.random() < 0.1:
            samples += [(np.nan, np.nan)] * int(rng.integers(1, 12))
    return np.array(samples[:n])


@pytest.mark.parametrize(("seed", "n"), SPANS)
def test_fixations_are_those_of_the_authors_code(seed, n):
    trace = made_trace(seed, n)
    spans = [map(int, span.split("-")) for span in SPANS[seed, n].split()]
    expected = [np.nanmedian(trace[first - 1 : last], axis=0) for first, last in spans]
    np.testing.assert_allclose(eyedata.fixations(trace), expected, atol=1e-9)


def test_a_still_eye_is_one_fixation():
    np.testing.assert_array_equal(eyedata.fixations(np.full((500, 2), 7.0)), [[7, 7]])


def test_one_saccade_parts_two_fixations():
    t = np.clip((np.arange(400) - 200) / 8, 0, 1)[:, None]
    path = 10 * t**3 - 15 * t**4 + 6 * t**5
    trace = np.array([100.0, 50.0]) + np.array([300.0, 200.0]) * path
    np.testing.assert_allclose(eyedata.fixations(trace), [[100, 50], [400, 250]], atol=1e-9)


@pytest.mark.parametrize("n", [1, 2, 5, 6])
def test_a_trace_too_short_for_a_saccade_is_one_fixation(n):
    assert eyedata.fixations(np.arange(2.0 * n).reshape(n, 2) * 900).shape == (1, 2)


def test_a_trace_without_a_sample_has_no_place():
    assert np.isnan(eyedata.fixations(np.full((50, 2), np.nan))).all()
