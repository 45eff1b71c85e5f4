"""Nulls that the config asks for by a word become ordinary entries, and find their family."""

import copy

import pytest

from gaborscope.errors import InputError
from gaborscope.workflow import backbone_entries, nulls, settings
from gaborscope.workflow.plan import Plan

OWN = {"factory": "examples/own_model.py:vit", "layers": {"early": "blocks.0"}}


def completed(config):
    found = settings.complete(copy.deepcopy(config))
    settings.check(found, settings.SCHEMA)
    backbone_entries.complete(found)
    return found


def config_with(**changes):
    """The shipped config with changes, complete."""
    config = settings.load()
    for key, value in changes.items():
        config[key] = backbone_entries.overlay(config[key], value) if key == "nulls" else value
    config["explanations"] = changes.get("explanations", {"direct": {}})
    return completed(config)


def plan_of(config):
    blocks = {"fit": ["00"], "validation": ["07"], "test": ["08"]}
    return Plan.of(config, {"demo": blocks})


def test_a_config_without_nulls_stays_as_it_is():
    given = config_with()
    assert given["models"] == ["cmrnet"] and list(given["explanations"]) == ["direct"]
    assert given["explanations"]["direct"]["models"] is None
    plan = plan_of(given)
    assert plan.nulls == [] and plan.accumulated == [("cmrnet", "", True)]
    families = plan.families["cmrnet"]["direct"]
    assert set(families) == set(nulls.FAMILIES) and not any(families.values())


@pytest.mark.parametrize("models", [["cmrnet"], {"cmrnet": {}}, {"mine": OWN}])
def test_random_networks_are_copies_with_seeds_of_their_own(models):
    (model,) = models
    made = config_with(models=models, nulls={"randoms": 3, "progressive": [0.25, 0.125]})
    copies = [f"{model}_random{i}" for i in (1, 2, 3)]
    partly = [f"{model}_from_{side}{p}" for side in ("output", "input") for p in ("25", "12_5")]
    assert made["models"] == [model, *copies, *partly]
    entries = [made["backbones"][name] for name in copies]
    assert [(e["like"], e["weights"], e["seed"]) for e in entries] == [
        (model, "random", i) for i in (1, 2, 3)
    ]
    last = made["backbones"][f"{model}_from_input12_5"]
    assert last["randomise"] == {"from": "input", "share": 0.125} and last["weights"] == "random"
    assert plan_of(made).targets[copies[0]] == model


def test_random_networks_get_the_explanations_of_nulls_alone():
    made = config_with(
        explanations={"direct": {}, "small": {"like": "direct"}, "none": {"models": []}},
        nulls={"randoms": 1},
    )["explanations"]
    assert made["direct"]["models"] == ["cmrnet", "cmrnet_random1"]
    assert made["small"]["models"] == ["cmrnet"] and made["none"]["models"] == []


def test_models_that_an_explanation_leaves_out_get_no_nulls_of_it():
    made = config_with(
        models=["cmrnet", "unisal"],
        explanations={"direct": {"models": ["unisal"]}},
        nulls={"randoms": 1, "banks": {"pixel_pairs": 1}},
    )
    assert made["explanations"]["direct"]["models"] == ["unisal", "unisal_random1"]
    assert made["explanations"]["direct_pixel_pairs"]["models"] == ["unisal"]


def test_nulls_of_chosen_models_alone():
    made = config_with(models=["cmrnet", "unisal"], nulls={"randoms": 1, "models": ["cmrnet"]})
    assert made["models"] == ["cmrnet", "unisal", "cmrnet_random1"]


def test_banks_are_like_their_explanation_with_another_control():
    made = config_with(nulls={"banks": {"noise": 2, "pixel_pairs": 1}, "randoms": 1})
    explanations = made["explanations"]
    assert list(explanations) == ["direct", "direct_noise1", "direct_noise2", "direct_pixel_pairs"]
    for name, draw in (("direct_noise1", 1), ("direct_noise2", 2)):
        expected = {**explanations["direct"], "models": ["cmrnet"], "control": "noise"}
        assert explanations[name] == {**expected, "draw": draw}
    assert explanations["direct_pixel_pairs"]["draw"] == 0


def test_a_refined_explanation_goes_on_from_a_cascade_of_the_bank():
    made = config_with(
        explanations={
            "direct": {},
            "cascade8": {"mode": "cascade", "budget": 8},
            "refined8": {"mode": "refined", "start": "cascade8"},
            "longer": {"like": "refined8", "epochs": 20},
        },
        nulls={"explanations": ["longer"], "banks": {"noise": 1}},
    )
    explanations = made["explanations"]
    assert explanations["longer_noise1"]["start"] == "cascade8_noise1"
    assert explanations["cascade8_noise1"]["control"] == "noise"
    assert explanations["cascade8_noise1"]["models"] == []  # made, but not scored
    families = plan_of(made).families["cmrnet"]
    assert families["longer"]["noise_banks"] == ["cmrnet-longer_noise1"]


def test_completing_again_adds_nothing():
    made = config_with(nulls={"randoms": 2, "banks": {"noise": 2}, "progressive": [0.5]})
    again = settings.complete(copy.deepcopy(made))
    assert again["models"] == made["models"] and again["explanations"] == made["explanations"]


def test_an_entry_of_the_config_is_left_as_it_is():
    made = config_with(
        explanations={"direct": {}, "direct_noise1": {"like": "direct", "position": False}},
        nulls={"banks": {"noise": 1}},
    )
    assert made["explanations"]["direct_noise1"]["control"] is None


def test_families_hold_what_the_config_names_itself_ordered_by_share():
    given = settings.load()
    given["models"] = ["cmrnet", "blank", "half", "few"]
    for name, entry in {
        "blank": {},
        "half": {"randomise": {"from": "output", "share": 0.5}},
        "few": {"randomise": {"from": "output", "share": 0.1}},
    }.items():
        given["backbones"][name] = {"like": "cmrnet", "weights": "random", **entry}
    given["explanations"] = {
        "direct": {},
        "other": {"like": "direct", "control": "random"},
        "apart": {"like": "direct", "control": "pixel", "position": False},
    }
    given["nulls"]["banks"]["noise"] = 1
    found = plan_of(completed(given)).families
    assert list(found) == ["cmrnet"] and list(found["cmrnet"]) == ["direct"]
    assert {name: rivals for name, rivals in found["cmrnet"]["direct"].items() if rivals} == {
        "random_networks": ["blank-direct"],
        "noise_banks": ["cmrnet-direct_noise1"],
        "random_bank": ["cmrnet-other"],
        "from_output": ["few-direct", "half-direct"],
    }


def test_nulls_are_scored_and_not_described():
    plan = plan_of(config_with(nulls={"randoms": 1, "banks": {"noise": 1}}))
    assert plan.described == [["cmrnet", "direct"]] == plan.direct_sections()
    assert plan.nulls == [["cmrnet", "direct_noise1"], ["cmrnet_random1", "direct"]]
    assert {"cmrnet-direct_noise1", "cmrnet_random1-direct"} < set(plan.explained)
    assert plan.described_predictors == ["cmrnet-direct"]
    assert plan.described_models == ["cmrnet"] and plan.described_explanations == ["direct"]
    assert plan.accumulated == [
        ("cmrnet", "", True), ("cmrnet", "_nulls", False), ("cmrnet_random1", "_nulls", False)
    ]  # fmt: skip
    assert plan.of_mode("direct", "cmrnet", nulls=False) == ["direct"]
    assert plan.of_mode("direct", "cmrnet", nulls=True) == ["direct_noise1"]
    assert plan.of_mode("direct", "cmrnet_random1", nulls=True) == ["direct"]
    assert [section for section in plan.bits if section != ["cmrnet", "direct"]] == []


@pytest.mark.parametrize("key, name", [("explanations", "cascade"), ("models", "unisal")])
def test_nulls_of_what_is_not_there_are_refused(key, name):
    config = settings.load()
    config["nulls"] |= {"randoms": 1, key: [name]}
    with pytest.raises(InputError, match=f"nulls.{key} names '{name}', but {key} has only "):
        settings.check(settings.complete(config), settings.SCHEMA)


def test_the_report_tells_networks_random_in_part_from_random_ones():
    roles = plan_of(config_with(nulls={"randoms": 1, "progressive": [0.5]})).roles
    assert roles["cmrnet_random1-direct"] == "random network"
    assert roles["cmrnet_from_input50-direct"] == "random in part"
