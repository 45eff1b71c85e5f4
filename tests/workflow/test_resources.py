"""What jobs ask a scheduler for."""

import types

import pytest

from gaborscope.workflow import backbone_entries, resources, settings
from gaborscope.workflow.plan import Plan
from gaborscope.workflow.resources import Measured, Resources

BLOCKS = {"fit": ["00", "01"], "validation": ["07"], "test": ["08"]}
STAGES = ("train_backbone", "score", "fit_cascade", "predict_backbone")


@pytest.fixture
def ask():
    config = settings.load()
    config["explanations"] |= {
        "cascade": {"mode": "cascade"},
        "whole": {"mode": "cascade", "fusion": {"layers": "all"}},
    }
    config = settings.complete(config)
    config["models"] = ["cmrnet", "unisal", "msinet"]
    config["backbones"]["unisal"]["input"] |= {"height": 192, "width": 256}
    backbone_entries.complete(config)
    measured = Measured(
        area_px=96 * 128,
        seconds={**dict.fromkeys(STAGES, 6.0), "fuse_all_layers": 3.0},
        seconds_at_any={"report": 12.0},
        megabytes=dict.fromkeys(STAGES, 100.0),
        megabytes_per_stimulus={"train_backbone": 1.0},
        written={"train_backbone": 500},
        written_per_stimulus={"predict_backbone": 2.0, "fuse_all_layers": 5.0},
        by_area={"train_backbone"},
        by_network={"predict_backbone", "train_backbone"},
        heavier={"cmrnet": 1, "unisal": 2},
        heavier_cascades={"cmrnet": 1, "unisal": 3},
    )
    sizes = {"00": 10, "01": 20, "07": 5, "08": 5}
    plan = Plan.of(config, {"demo": BLOCKS})
    return Resources(plan, measured, {"demo": 40}, {"demo": sizes})


def wildcards(**names):
    return types.SimpleNamespace(**names)


def test_a_run_time_is_four_times_the_measured_and_ten_minutes(ask):
    # 40 stimuli of 6 s are 4 minutes
    assert ask.runtime("score")(wildcards(dataset="demo"), 1) == 10 + 4 * 4


def test_a_job_of_a_block_asks_for_the_stimuli_of_the_block(ask):
    assert ask.runtime("score")(wildcards(dataset="demo", block="00"), 1) == 10 + 4 * 1
    assert ask.runtime("score")(wildcards(dataset="demo", block="none"), 1) == 10


def test_the_expected_seconds_are_those_behind_the_run_time(ask):
    where = wildcards(dataset="demo")
    assert ask.seconds("score", where) == 40 * 6
    assert ask.expected("score", where) == resources.START + 40 * 6
    assert ask.expected("report", wildcards()) == resources.START + 12  # not measured by stimulus
    assert ask.expected("score_calibrated", where) == resources.START + 40 * 6
    assert ask.expected("never_measured", where) == resources.START


def test_a_rule_that_ends_in_its_network_costs_what_the_network_does(ask):
    whole = wildcards(dataset="demo", model="unisal")
    named = ask.expected("predict_backbone_unisal", wildcards(dataset="demo", model="unisal"))
    assert named == ask.expected("predict_backbone", whole) == resources.START + 2 * 40 * 6


def test_every_retry_doubles_time_and_memory_but_not_the_disk(ask):
    where = wildcards(dataset="demo")
    for function in (ask.runtime("score"), ask.mem_mb("score")):
        assert function(where, 3) == 4 * function(where, 1)
    assert ask.disk_mb("score")(where) == 100


def test_training_grows_with_area_network_and_epochs(ask):
    epochs = ask.plan.config["training"]["epochs"]
    assert ask.runtime("train_backbone")(wildcards(model="cmrnet"), 1) == 10 + 4 * 4 * epochs
    larger = ask.runtime("train_backbone")(wildcards(model="unisal"), 1)
    epochs = backbone_entries.training(ask.plan.config, "unisal")["epochs"]
    assert larger == 10 + 4 * 4 * epochs * 4 * 2  # four times the area, twice the seconds


def test_memory_is_half_as_much_again_as_measured(ask):
    assert ask.mem_mb("train_backbone")(wildcards(model="cmrnet"), 1) == 1.5 * (100 + 40)


def test_a_network_that_nobody_measured_counts_as_a_heavy_one(ask):
    where = wildcards(model="msinet", dataset="demo")
    assert ask.runtime("predict_backbone")(where, 1) == 10 + 4 * 4 * 5
    where = wildcards(model="msinet", explanation="cascade")
    assert ask.runtime("fit_cascade")(where, 1) == 10 + 4 * 4 * 5


def test_a_cascade_of_which_all_layers_are_fused_asks_for_more(ask):
    last, every = (wildcards(model="cmrnet", explanation=e) for e in ("cascade", "whole"))
    assert ask.runtime("fit_cascade")(every, 1) == ask.runtime("fit_cascade")(last, 1) + 4 * 2
    assert ask.disk_mb("fit_cascade")(every) == ask.disk_mb("fit_cascade")(last) + 5 * 40


def test_disk_is_what_is_written_whatever_the_stimuli_and_of_each(ask):
    where = wildcards(model="cmrnet", dataset="demo", block="01")
    assert ask.disk_mb("predict_backbone")(where) == 100 + 2 * 20
    assert ask.disk_mb("train_backbone")(wildcards(model="cmrnet")) == 500
