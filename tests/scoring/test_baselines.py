"""Baselines, bounds and classical models by name."""

import numpy as np
import pytest
from helpers import ORIGIN, make_block

from gaborscope.errors import InputError
from gaborscope.scoring import baselines, classical
from gaborscope.stimuli import densities, fixations
from gaborscope.stimuli.centre_bias import centre_bias

SETTINGS = {"sigmas": [0.05, 0.1], "uniform_weight": 0.01, "n_stimuli": 3}
NAMES = (
    "uniform",
    "centre_bias",
    "gold_standard",
    "one_observer",
    "shuffled_stimulus",
    "itti_koch",
    "gbvs",
    "spectral_residual",
    "sun",
)


@pytest.fixture(scope="module")
def blocks():
    made = []
    for seed in range(3):
        block = make_block([(60, 80), (80, 60)], seed=seed)
        block.names = [f"{seed}{name}" for name in block.names]
        made.append(block)
    return made


@pytest.mark.parametrize("name", NAMES)
def test_every_baseline_gives_a_density_of_the_stimulus_size(blocks, name):
    predict = baselines.make(name, blocks[:1], blocks[1:2], SETTINGS, 1)
    for index, size in enumerate(((60, 80), (80, 60))):
        log_density = densities.to_log_density(*predict(blocks[2], index), 0.01)
        assert log_density.shape == size
        assert np.exp(log_density).sum() == pytest.approx(1, abs=1e-9)


def test_an_unknown_baseline_is_named():
    with pytest.raises(InputError, match="no baseline 'itti'.*itti_koch"):
        baselines.make("itti", [], [], {}, 1)


def test_the_first_observer_is_one_observer(blocks):
    points, subjects = blocks[0].points(1)
    expected = fixations.density(points[subjects == 0], (80, 60), 6.0)
    np.testing.assert_allclose(baselines.first_observer(blocks[0], 1), expected)


def test_a_stimulus_is_predicted_by_another_drawn_by_the_seed_alone(blocks):
    def draws(seed, fit):
        predict = baselines.make("shuffled_stimulus", fit, [], {}, seed)
        return [predict(blocks[2], index)[0] for index in (0, 1)]

    first, again = draws(1, blocks[:2]), draws(1, blocks[1::-1])
    np.testing.assert_array_equal(first[0], again[0])
    others = [draws(seed, blocks[:2])[0] for seed in range(2, 8)]
    assert any(not np.array_equal(first[0], other) for other in others)
    prediction = baselines.make("shuffled_stimulus", blocks[2:], [], {}, 1)(blocks[2], 0)[0]
    assert not np.allclose(prediction, fixations.observed_density(blocks[2], 0))


def test_a_stimulus_is_never_predicted_by_itself(blocks):
    alone = make_block([(60, 80)])
    with pytest.raises(InputError, match="other than 's0.png' has fixations"):
        baselines.make("shuffled_stimulus", [alone], [], {}, 1)(alone, 0)


def test_sun_takes_statistics_of_as_many_stimuli_as_asked(blocks, monkeypatch):
    seen = []
    monkeypatch.setattr(
        classical, "sun_statistics", lambda images: seen.extend(images) or (None, None)
    )
    baselines.make("sun", blocks, [], {"n_stimuli": 4}, 1)
    assert len(seen) == 4
    baselines.make("sun", blocks, [], {"n_stimuli": 400}, 1)
    assert len(seen) == 4 + 6


def test_predictors_of_several_names_are_those_of_each():
    block = make_block([(20, 30)])
    made = baselines.make_all({"uniform": {}, "one_observer": {}}, [block], [block], 1e-3, 1, {})
    assert list(made) == ["uniform", "one_observer"]
    for name, predict in made.items():
        alone = baselines.make(name, [block], [block], {"uniform_weight": 1e-3}, 1)
        np.testing.assert_array_equal(predict(block, 0)[0], alone(block, 0)[0])


def test_a_centre_bias_read_from_its_file_leaves_each_stimulus_out(blocks, tmp_path):
    weight, sigmas = 1e-3, [0.1, 0.2]
    bias = centre_bias(blocks[:2], blocks[2:], sigmas, weight)
    baselines.write_centre_bias(tmp_path / "bias.h5", bias, ["00", "01"], ORIGIN)
    settings = {"sigmas": sigmas, "uniform_weight": weight}
    fitted = baselines.make("centre_bias", blocks[:2], blocks[2:], settings, 1)
    for name, block in zip(("00", "01", "07"), blocks, strict=True):
        kept = baselines.read_centre_bias(tmp_path / "bias.h5", name, block)
        again = baselines.make("centre_bias", [], [], settings, 1, None, kept)
        for index in range(len(block.names)):
            np.testing.assert_array_equal(again(block, index)[0], fitted(block, index)[0])
