"""The temperature of highest likelihood."""

import numpy as np
import pytest
from helpers import make_block

from gaborscope.errors import InputError
from gaborscope.scoring import calibration, gold_standard
from gaborscope.scoring.scorer import PEOPLE, Scorer, predictions
from gaborscope.stimuli import fixations
from gaborscope.store import tables

SIZE = (40, 60)


def drawn(density, n, rng):
    flat = rng.choice(density.size, n, p=density.ravel())
    return np.stack([flat % density.shape[1], flat // density.shape[1]], axis=1)


def smooth(rng):
    return fixations.density(rng.uniform(5, 35, (4, 2)), SIZE, 6.0) + 1e-6


@pytest.mark.parametrize("true", [0.5, 1.0, 2.5])
def test_the_temperature_that_made_the_fixations_is_recovered(true, rng):
    likelihood = calibration.Likelihood()
    for _ in range(10):
        density = smooth(rng)
        density /= density.sum()
        likelihood.add(density, drawn(calibration.temper(density, true), 400, rng))
    # 4000 fixations leave an uncertainty of some 2 %
    assert likelihood.fit() == pytest.approx(true, rel=0.08)


def test_it_is_the_maximum_of_the_exact_likelihood(rng):
    density = smooth(rng)
    density /= density.sum()
    pixels = drawn(calibration.temper(density, 3.0), 50, rng)
    likelihood = calibration.Likelihood()
    likelihood.add(density, pixels)

    def exact(temperature):
        tempered = calibration.temper(density, temperature)
        return np.log(tempered[pixels[:, 1], pixels[:, 0]]).mean()

    best = likelihood.fit()
    assert likelihood.per_fixation(best) == pytest.approx(exact(best), abs=1e-5)
    for other in (0.97 * best, 1.03 * best):
        assert exact(other) < exact(best)


def test_the_order_of_pixels_stays(rng):
    density = smooth(rng)
    tempered = calibration.temper(density / density.sum(), 2.0)
    assert tempered.sum() == pytest.approx(1)
    # rank correlation; below 1 only where rounding splits equal values
    ranks = [np.argsort(np.argsort(m.ravel())) for m in (density, tempered)]
    assert np.corrcoef(*ranks)[0, 1] > 1 - 1e-9


def test_a_temperature_of_1_changes_nothing(rng):
    density = smooth(rng)
    assert calibration.temper(density, 1.0) is density


def test_the_uniform_density_has_temperature_1():
    likelihood = calibration.Likelihood()
    likelihood.add(np.full(SIZE, 1 / 2400), np.array([[3, 4], [5, 6]]))
    assert likelihood.fit() == 1.0


def test_contradicted_predictions_are_flattened_to_the_bound(rng):
    density = smooth(rng)
    density /= density.sum()
    y, x = np.unravel_index(density.argmin(), SIZE)
    likelihood = calibration.Likelihood()
    likelihood.add(density, np.array([[x, y]] * 5))
    assert likelihood.fit() == pytest.approx(32)


def test_without_fixations_there_is_no_temperature():
    likelihood = calibration.Likelihood()
    likelihood.add(np.full(SIZE, 1 / 2400), np.zeros((0, 2), int))
    with pytest.raises(InputError, match="no validation stimulus"):
        likelihood.fit()


def test_people_predict_those_they_have_not_seen():
    block = make_block([(60, 80)])
    pixels = fixations.to_pixels(block.points(0)[0], (60, 80))
    pairs = {name: list(predictions(name, block, 0, None, 0.01)) for name in PEOPLE}
    assert [len(p) for _, p in pairs["gold_standard"]] == [4, 4, 4]
    assert [len(p) for _, p in pairs["one_observer"]] == [8, 8, 8]
    others = pixels[block.points(0)[1] != 0]
    expected = gold_standard.density_of(others, (60, 80), 6.0, 0.01)
    np.testing.assert_array_equal(pairs["gold_standard"][0][0], expected)
    ((density, fixated),) = predictions("cmrnet", block, 0, expected, 0.01)
    assert density is expected
    np.testing.assert_array_equal(fixated, pixels)


@pytest.mark.parametrize("predictor", list(PEOPLE))
def test_a_temperature_moves_the_scores_of_people_too(predictor, rng):
    block = make_block([(60, 80)] * 3)
    scorer = Scorer("exact", [block], 2, 1)
    bias = np.full((60, 80), 1 / 4800)
    raw, flat = (
        scorer.score_people(predictor, block, 0, bias, 0.01, temperature)
        for temperature in (1.0, 5.0)
    )
    assert raw["ig"] != flat["ig"]
    # AUC depends on ranks alone; the uniform share ties some pixels by rounding
    assert raw["auc"] == pytest.approx(flat["auc"], abs=1e-4)


def test_a_temperature_is_read_from_its_file(tmp_path):
    path = tmp_path / "osie.json"
    tables.write_json(path, {"temperature": 1.25, "seed": "1"})
    assert calibration.read_temperature(path) == 1.25
