"""Scores of a predictor by stimulus: who is left out, tempered how, in which split."""

import numpy as np
import pytest
from helpers import make_block

from gaborscope.scoring import by_stimulus, calibration
from gaborscope.scoring.scorer import Scorer

SIZES = [(20, 30), (24, 20), (18, 26)]


@pytest.fixture
def block():
    return make_block(SIZES)


def densities(seed):
    rng = np.random.default_rng(seed)
    for index, size in enumerate(SIZES):
        density = rng.uniform(0.5, 1.5, size)
        yield index, density / density.sum()


def scored(block, predictor="net", **settings):
    scores = by_stimulus.PredictorScores(predictor, Scorer("mit", [block], 2, 1), **settings)
    scores.add("test", block, densities(0), densities(1))
    return scores


def test_each_stimulus_has_the_scores_of_its_own_density(block):
    table = scored(block).table("test").set_index("stimulus")
    scorer = Scorer("mit", [block], 2, 1)
    for (index, density), (_, bias) in zip(densities(0), densities(1), strict=True):
        expected = scorer.score(block, index, density, bias)
        assert table.loc[block.names[index]].to_dict() == pytest.approx(expected, nan_ok=True)


def test_rows_are_sorted_by_stimulus(block):
    block.names.reverse()
    assert list(scored(block).table("test")["stimulus"]) == sorted(block.names)


def test_a_stimulus_that_was_trained_on_is_nan_in_every_metric_and_counted(block):
    scores = scored(block, seen={block.names[1], "elsewhere.png"})
    table = scores.table("test").set_index("stimulus")
    assert table.loc[block.names[1]].isna().all()
    assert not table.drop(block.names[1])["nss"].isna().any()
    assert scores.left_out() == [block.names[1]]


def test_a_temperature_tempers_the_density_before_it_is_scored(block):
    tempered = scored(block, temperature=2.0).table("test").set_index("stimulus")
    (index, density), (_, bias) = next(densities(0)), next(densities(1))
    expected = Scorer("mit", [block], 2, 1).score(
        block, index, calibration.temper(density, 2.0), bias
    )
    assert tempered.loc[block.names[index], "nss"] == pytest.approx(expected["nss"])


def test_of_people_it_is_what_they_predict_of_each_other_that_is_scored(block):
    table = scored(block, "gold_standard", uniform_weight=1e-3).table("test").set_index("stimulus")
    bias = next(densities(1))[1]
    scorer = Scorer("mit", [block], 2, 1)
    expected = scorer.score_people("gold_standard", block, 0, bias, 1e-3)
    assert table.loc[block.names[0], "nss"] == pytest.approx(expected["nss"])


def test_splits_are_kept_apart_and_negatives_are_those_of_all_stimuli(block):
    scores = scored(block)
    other = make_block(SIZES, seed=5)
    other.names[:] = ["t0.png", "t1.png", "t2.png"]
    scores.scorer = Scorer("mit", [block, other], 2, 1)
    scores.add("validation", other, densities(2), densities(1))
    assert set(scores.table("validation")["stimulus"]) == set(other.names)
    assert set(scores.table("test")["stimulus"]) == set(block.names)
    negatives = scores.negatives()
    assert list(negatives) == [*block.names, *other.names]
    assert negatives["t1.png"] == scores.scorer.others("t1.png")
    scores.scorer = Scorer("exact", [block, other], 2, 1)
    assert scores.negatives() == "all other stimuli"


def test_densities_without_their_centre_bias_are_refused(block):
    scores = by_stimulus.PredictorScores("net", Scorer("mit", [block], 2, 1))
    with pytest.raises(ValueError):
        scores.add("test", block, densities(0), list(densities(1))[:2])
