import hashlib

import numpy as np
import pytest

from gaborscope.scoring import metrics
from gaborscope.scoring.scorer import FEW, PEOPLE, OtherStimuli, Scorer, score_few
from gaborscope.stimuli import centre_bias as centre_biases
from gaborscope.stimuli.block import StimulusBlock
from gaborscope.workflow import plan

SIZE = (30, 44)


@pytest.fixture
def block(rng):
    names = [f"s{index:02d}.png" for index in range(14)]
    n = 12
    return StimulusBlock(
        names=names,
        paths=[""] * len(names),
        sha256=[""] * len(names),
        sizes=np.tile(np.array(SIZE, np.int32), (len(names), 1)),
        x=rng.uniform(0, SIZE[1] - 1, n * 13).astype(np.float32),
        y=rng.uniform(0, SIZE[0] - 1, n * 13).astype(np.float32),
        stimulus=np.repeat(np.arange(13, dtype=np.int32), n),  # the last has no fixations
        subject=np.tile(np.arange(n, dtype=np.int32) // 4, 13),
        facts={"px_per_degree": 3.0},
        images=[np.zeros((*SIZE, 3), np.uint8)] * len(names),
    )


def test_shuffle_takes_ten_other_stimuli(block):
    others = Scorer("mit", [block], 10, 1).others("s00.png")
    assert len(set(others)) == 10
    assert "s00.png" not in others


def test_pysaliency_takes_all_other_stimuli(block):
    scorer = Scorer("pysaliency", [block], 10, 1)
    assert len(scorer.others("s03.png")) == 13
    expected = [scorer.pixels[other] for other in scorer.others("s03.png")]
    np.testing.assert_array_equal(scorer.other_fixations("s03.png"), np.concatenate(expected))


def test_few_other_stimuli_are_drawn_by_the_hash_of_both_names():
    names = [f"{i}.png" for i in range(50)]
    hashed = {n: hashlib.sha256(f"7\0{names[3]}\0{n}".encode()).hexdigest() for n in names}
    expected = sorted(set(names) - {names[3]}, key=hashed.get)
    assert OtherStimuli(names, 7).of(names[3]) == expected


def test_of_many_other_stimuli_each_is_drawn_about_as_often(monkeypatch):
    monkeypatch.setattr(OtherStimuli, "NEAREST", 100)
    names = [f"{i}.png" for i in range(500)]
    draws = OtherStimuli(names, 1)
    drawn = [other for name in names for other in draws.of(name)[:10]]
    assert not any(name in draws.of(name) for name in names)
    counts = np.array([drawn.count(name) for name in names])
    assert counts.mean() == 10 and counts.std() < 2 * np.sqrt(10)  # independent draws: sqrt(10)


def test_a_stimulus_more_changes_few_draws(monkeypatch):
    monkeypatch.setattr(OtherStimuli, "NEAREST", 100)
    names = [f"{i}.png" for i in range(500)]
    before, after = OtherStimuli(names, 1), OtherStimuli([*names, "more.png"], 1)
    changed = [name for name in names if before.of(name)[:10] != after.of(name)[:10]]
    assert len(changed) < 0.1 * len(names)


def test_draw_depends_on_the_seed_alone(block):
    draws = [Scorer("mit", [block], 5, seed).others("s03.png") for seed in (1, 1, 2)]
    assert draws[0] == draws[1]
    assert draws[0] != draws[2]


def test_other_fixations_are_brought_to_the_size_of_the_stimulus(block):
    block.sizes[1:] *= 2
    scorer = Scorer("mit", [block], 10, 1)
    pixels = scorer.other_fixations("s00.png")
    assert pixels.min() >= 0
    assert (pixels < [SIZE[1], SIZE[0]]).all()
    assert pixels[:, 0].max() < SIZE[1] / 2 + 1


def test_preset_pysaliency_scales_fixations_as_that_library_does(block):
    """`FullShuffledNonfixationProvider`: the column times the ratio of widths, cut to a whole."""
    block.sizes[1:7] *= 2
    block.sizes[7:] = 45, 61
    scorer = Scorer("pysaliency", [block], 10, 1)
    for name in block.names:
        expected = [
            (scorer.pixels[other] * (np.array(scorer.sizes[name]) / scorer.sizes[other])[::-1])
            for other in scorer.others(name)
        ]
        np.testing.assert_array_equal(
            scorer.other_fixations(name), np.concatenate(expected).astype(int)
        )


def test_stimulus_without_fixations_is_nan_in_every_metric(block):
    scorer = Scorer("mit", [block], 10, 1)
    uniform = centre_biases.uniform(SIZE)
    scores = scorer.score(block, 13, uniform, uniform)
    assert list(scores) == list(metrics.METRICS["mit"])
    assert np.isnan(list(scores.values())).all()


def test_score_is_that_of_the_metrics_module(block, rng):
    scorer = Scorer("mit", [block], 10, 1)
    density = rng.random(SIZE)
    scores = scorer.score(block, 2, density, centre_biases.uniform(SIZE))
    assert scores["nss"] == metrics.nss(density, scorer.pixels["s02.png"], "mit")


def test_few_scores_are_those_of_the_preset(block, rng):
    scorer = Scorer("mit", [block], 10, 1)
    density, bias = (rng.uniform(0.1, 1, SIZE) for _ in range(2))
    density, bias = density / density.sum(), bias / bias.sum()
    uniform = centre_biases.uniform(SIZE)
    predictions = {"random": density, "uniform": uniform}
    few = score_few(block, 2, predictions, bias)
    for name, predicted in predictions.items():
        scores = scorer.score(block, 2, predicted, bias)
        assert few[name] == pytest.approx({key: scores[key] for key in FEW}, rel=1e-12)
    assert np.isnan(list(score_few(block, 13, predictions, bias)["random"].values())).all()


def test_the_plan_exports_no_map_of_those_who_have_none():
    assert set(plan.PEOPLE) == set(PEOPLE)
