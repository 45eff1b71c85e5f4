"""What explanations are held against is found in the config by itself."""

import copy
from pathlib import Path

import pytest

from gaborscope.errors import InputError
from gaborscope.workflow import backbone_entries, contests, nulls, settings, variants
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


def nulls_of(config, *explained):
    """Families of nulls of a config whose predictors are all fused to cmrnet, or to unisal."""
    fused = {name: "unisal" if name.startswith("unisal") else "cmrnet" for name in explained}
    return nulls.families(config, fused, variants.targets(config))


def test_a_control_differs_from_its_explanation_in_the_bank_alone(config):
    config = completed(config)
    every = [f"cmrnet-{name}" for name in config["explanations"]]
    found = nulls_of(config, *every)["cmrnet"]
    assert found["direct"]["random_bank"] == ["cmrnet-noise"]
    assert found["few"]["pixel_bank"] == ["cmrnet-few_pixels"]
    assert not any([*found["grey"].values(), *found["many"].values()])
    assert "noise" not in found and "few_pixels" not in found


def test_a_refined_cascade_is_held_against_one_refined_from_the_control(config):
    pair = "cmrnet-better", "cmrnet-better_pixels"
    found = nulls_of(completed(config), *pair)["cmrnet"]["better"]
    assert found["pixel_bank"] == ["cmrnet-better_pixels"]
    config["explanations"]["better_pixels"]["epochs"] = 3
    assert not nulls_of(completed(config), *pair)["cmrnet"]["better"]["pixel_bank"]


def test_the_plan_names_every_rival_and_says_what_is_missing(config):
    config["baselines"]["predictors"].append("loggabor_fixations")
    config["explanations"] |= {
        f"noise{draw}": {"mode": "direct", "control": "noise", "draw": draw} for draw in (1, 2)
    }
    config = completed(config)
    found = nulls_of(config, "cmrnet-direct", "blank-direct", "unisal-direct", "cmrnet-noise",
                     "cmrnet-noise1", "cmrnet-noise2")  # fmt: skip
    first, last = contests.plan(config, found, ["cmrnet-loggabor_deep"])
    assert (first["model"], last["model"]) == ("cmrnet", "unisal")
    assert first["predictor"] == "cmrnet-direct"
    met = {test: rivals for test, rivals, _ in first["rivals"]}
    assert met["above_random_networks"] == ["blank-direct"]
    # the former name of such a bank and its draws are one family
    assert met["above_noise_banks"] == ["cmrnet-noise1", "cmrnet-noise2", "cmrnet-noise"]
    assert met["above_loggabor_fixations"] == ["loggabor_fixations"]
    assert met["layers_add"] == ["cmrnet-loggabor_deep"]
    assert met["above_pixel_pairs"] == []
    missing = {test: text for test, rivals, text in last["rivals"] if not rivals}
    assert "no random copy of unisal" in missing["above_random_networks"]
    assert "nulls.banks" in missing["above_pixel_pairs"] and "layers_add" in missing


def test_layers_have_to_add_to_the_bank_with_the_same_regressors_too(config):
    config = completed(config)
    banks = ["cmrnet-loggabor_deep", "cmrnet-loggabor_deep_same"]
    first, *_ = contests.plan(config, nulls_of(config, "cmrnet-direct"), banks)
    assert [rivals for test, rivals, _ in first["rivals"] if test == "layers_add"] == [
        [banks[0]], [banks[1]],
    ]  # fmt: skip
    found = nulls_of(config, "cmrnet-direct")
    first, *_ = contests.plan(config, found, banks, ["cmrnet-direct"])
    assert [rivals for test, rivals, _ in first["rivals"] if test == "layers_add"] == [[banks[0]]]


def test_two_kinds_of_pairs_are_two_rivals_and_each_depth_is_its_own(config):
    config["explanations"] |= {
        "dots": {"mode": "direct", "control": "pixel"},
        "pairs": {"mode": "direct", "control": "pixel_pairs"},
    }
    config["backbones"] |= {
        name: {
            "like": "cmrnet",
            "weights": "random",
            "randomise": {"from": "output", "share": share},
        }
        for name, share in (("most", 0.75), ("half", 0.5))
    }
    config["models"] += ["most", "half"]
    config = completed(config)
    found = nulls_of(config, "cmrnet-direct", "cmrnet-dots", "cmrnet-pairs", "blank-direct",
                     "most-direct", "half-direct")  # fmt: skip
    (contest,) = contests.plan(config, found, [])
    by_test = {}
    for test, rivals, _ in contest["rivals"]:
        by_test.setdefault(test, []).append(rivals)
    assert by_test["above_pixel_pairs"] == [["cmrnet-pairs"], ["cmrnet-dots"]]
    assert by_test["above_random_networks"] == [["blank-direct"]]
    assert by_test["above_progressive_networks"] == [["half-direct"], ["most-direct"]]


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
