"""What explanations are held against is found in the config by itself."""

import copy
from pathlib import Path

import pytest

from gaborscope.errors import InputError
from gaborscope.workflow import backbone_entries, contests, settings, variants
from gaborscope.workflow.settings import load as load_config

ROOT = Path(__file__).resolve().parents[2]
SCHEMA = ROOT / "rules" / "config.schema.yaml"


@pytest.fixture
def config():
    found = load_config()
    found["models"] = ["cmrnet", "second", "blank", "unisal"]
    found["backbones"] |= {
        "second": {"like": "cmrnet", "seed": 2},
        "blank": {"like": "cmrnet", "weights": "random"},
    }
    found["explanations"] |= {
        "noise": {"mode": "direct", "control": "random"},
        "grey": {"mode": "direct", "kinds": ["amplitude"]},
        "few": {"mode": "cascade", "budget": 8},
        "many": {"mode": "cascade", "budget": 32},
        "few_pixels": {"mode": "cascade", "budget": 8, "control": "pixel"},
        "better": {"mode": "refined", "start": "few"},
        "better_pixels": {"mode": "refined", "start": "few_pixels"},
    }
    return found


def completed(config):
    found = settings.complete(copy.deepcopy(config))
    settings.check(found, SCHEMA)
    backbone_entries.complete(found)
    return found


def test_a_control_differs_from_its_explanation_in_the_bank_alone(config):
    found = contests.controls(completed(config)["explanations"])
    assert found["direct"] == {"random": "noise"}
    assert found["few"] == {"pixel": "few_pixels"}
    assert found["grey"] == found["many"] == {}
    assert "noise" not in found and "few_pixels" not in found


def test_a_refined_cascade_is_held_against_one_refined_from_the_control(config):
    found = contests.controls(completed(config)["explanations"])
    assert found["better"] == {"pixel": "better_pixels"}
    config["explanations"]["better_pixels"]["epochs"] = 3
    assert contests.controls(completed(config)["explanations"])["better"] == {}


def test_the_plan_names_every_rival_and_says_what_is_missing(config):
    config["baselines"]["predictors"].append("loggabor_fixations")
    config = completed(config)
    explained = {"cmrnet-direct": "cmrnet", "cmrnet-noise": "cmrnet", "blank-direct": "cmrnet"}
    explained |= {"unisal-direct": "unisal"}
    targets = variants.targets(config)
    first, last = contests.plan(config, explained, targets)
    assert (first["model"], last["model"]) == ("cmrnet", "unisal")
    met = {test: rival for test, rival, _ in first["rivals"]}
    assert met["above_random_network"] == "blank-direct"
    assert met["above_random_bank"] == "cmrnet-noise"
    assert met["above_loggabor_fixations"] == "loggabor_fixations"
    assert met["above_pixel_bank"] is None
    missing = {test: text for test, rival, text in last["rivals"] if rival is None}
    assert "no random copy of unisal" in missing["above_random_network"]


def test_a_family_differs_in_the_seed_alone(config):
    config["backbones"]["third"] = {"like": "second", "seed": 3}
    config["backbones"]["longer"] = {"like": "cmrnet", "seed": 4, "training": {"epochs": 40}}
    config["backbones"]["twin"] = {"like": "cmrnet"}
    config["models"] += ["third", "longer", "twin"]
    config = completed(config)
    assert contests.families(config, variants.targets(config)) == [["cmrnet", "second", "third"]]


def test_files_of_weights_count_as_the_trainings_their_entries_say(config):
    config["backbones"]["cmrnet"]["weights"] = "a.safetensors"
    config["backbones"]["third"] = {"like": "cmrnet", "weights": "b.safetensors", "seed": 3}
    config["backbones"]["fourth"] = {"like": "third", "weights": "c.safetensors"}
    config["backbones"]["tuned"] = {"like": "cmrnet", "weights": "train", "start": "a.safetensors"}
    config["backbones"]["tuned"]["seed"] = 5
    config["models"] += ["third", "fourth", "tuned"]
    config = completed(config)
    assert contests.families(config, variants.targets(config)) == [["cmrnet", "second", "third"]]


def test_the_bank_of_equal_capacity_is_like_an_explanation_of_mode_direct(config):
    contests.check_equal(completed(config))
    config["baselines"]["predictors"].append("loggabor_equal")
    contests.check_equal(completed(config))
    config["baselines"]["loggabor_equal"]["like"] = "few"
    with pytest.raises(InputError, match="like is 'few', which is no explanation of mode direct"):
        contests.check_equal(completed(config))
    config["baselines"]["loggabor_equal"]["like"] = "direct"
    config["models"] = []
    with pytest.raises(InputError, match="models is empty"):
        contests.check_equal(completed(config))
