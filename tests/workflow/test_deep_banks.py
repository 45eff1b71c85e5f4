"""Which banks are fitted straight to deep models, and that the null among them never changes."""

import copy

import pytest

from gaborscope.errors import InputError
from gaborscope.workflow import backbone_entries, deep_banks, settings
from gaborscope.workflow.completion import read_yaml
from gaborscope.workflow.plan import Plan

BLOCKS = {"fit": ["00"], "validation": ["07"], "test": ["08"]}
SHIPPED = read_yaml(settings.ROOT / "config.yaml")
BANKS = {"cmrnet-loggabor_deep": "cmrnet", "cmrnet-loggabor_deep_same": "cmrnet"}

UNTESTED = {"faithfulness": {**SHIPPED["faithfulness"], "explanations": []}}


def planned(**changes):
    config = settings.complete(copy.deepcopy({**SHIPPED, **changes}))
    settings.check(config, settings.SCHEMA)
    backbone_entries.complete(config)
    return Plan.of(config, {name: BLOCKS for name in config["datasets"]})


def test_the_null_is_what_it_was_when_it_was_made():
    assert deep_banks.FROZEN == {
        "colour": "yuv",
        "boundary": "symmetric",
        "bank": {
            "n_scales": 4, "n_orientations": 8, "min_wavelength_px": 3.0, "scale_factor": 2.0,
            "bandwidth_ratio": 0.65, "angular_sigma": None,
        },
        "kinds": ["even", "odd", "amplitude"],
        "residual": True,
        "normalisation": True,
        "position": True,
        "second_stage": False,
        "mechanisms": [],
        "concepts": [],
        "control": None,
        "pools": [
            {"kind": "point", "width": 1.0},
            {"kind": "gaussian", "width": 2.0},
            {"kind": "gaussian", "width": 6.0},
        ],
        "stride": 4,
        "smoothing": 4.0,
        "penalties": [0.0001, 0.001, 0.01, 0.1, 1.0],
    }  # fmt: skip


def test_it_does_not_follow_the_config_but_takes_the_input_of_its_model():
    changed = {"regressors": {**SHIPPED["regressors"], "colour": "lab"}}
    backbones = copy.deepcopy(SHIPPED["backbones"])
    backbones["unisal"]["input"]["height"] = 160
    plan = planned(**changed, models=["unisal"], backbones=backbones)
    found = plan.deep_bank("unisal", "loggabor_deep")
    size = found.pop("input")
    assert found == deep_banks.FROZEN
    assert size == {"height": 160, "width": 128, "fit": "nearest", "multiple": 32}


def test_the_shipped_config_has_the_null_and_one_with_its_own_regressors():
    plan = planned()
    assert plan.deep_banks == BANKS
    assert set(BANKS) < set(plan.predictors)
    assert plan.behind("cmrnet-loggabor_deep") == ["cmrnet"]
    assert plan.deep_bank("cmrnet", "loggabor_deep_same")["mechanisms"] == [
        "log_energy",
        "grouping",
    ]


def test_with_the_regressors_of_the_null_it_is_alone():
    plan = planned(regressors={**SHIPPED["regressors"], "mechanisms": []})
    assert plan.deep_banks == {"cmrnet-loggabor_deep": "cmrnet"}


def test_other_regressors_have_a_null_of_their_own_besides():
    explanations = {
        "noise": {"control": "random", "colour": "rgb"},
        "coarse": {"bank": {"n_scales": 3}, "fusion": {"stride": 8}},
        "direct": {},
    }
    plan = planned(explanations=explanations)
    assert list(plan.deep_banks) == ["cmrnet-loggabor_deep", "cmrnet-loggabor_deep_same"]
    same = plan.deep_bank("cmrnet", "loggabor_deep_same")
    assert same["bank"]["n_scales"] == 3 and same["colour"] == "yuv"
    assert (same["stride"], same["penalties"]) == (4, deep_banks.FROZEN["penalties"])
    assert same["input"] == plan.deep_bank("cmrnet", "loggabor_deep")["input"]


def test_controls_alone_are_no_reason_for_another_null():
    plan = planned(explanations={"noise": {"control": "random", "colour": "rgb"}}, **UNTESTED)
    assert list(plan.deep_banks) == ["cmrnet-loggabor_deep"]


def test_only_deep_models_that_mode_direct_explains_have_a_null():
    models = {
        "cmrnet": None,
        "second": {"like": "cmrnet", "seed": 2},
        "blank": {"like": "cmrnet", "weights": "random"},
        "layers_only": {
            "factory": "net.py:build", "weights": "w.pth", "layers": {"first": "features.0"},
            "input": {"output": "none"},
        },
    }  # fmt: skip
    explanations = {"direct": {"models": ["cmrnet", "blank"]}, "cascade": {"mode": "cascade"}}
    assert planned(models=models, explanations=explanations).deep_banks == BANKS
    assert not planned(explanations={"cascade": {"mode": "cascade"}}, **UNTESTED).deep_banks


@pytest.mark.parametrize("name", ["loggabor_deep", "loggabor_deep_same"])
def test_the_names_are_reserved(name):
    with pytest.raises(InputError, match=f"explanations: the name '{name}' .* choose another"):
        planned(explanations={name: {}})


def test_whatever_predicts_is_compared_with_the_one_deep_model_by_its_own_name():
    names = {cell[3] for cell in planned().compared}
    assert names == {
        "cmrnet-direct", *BANKS, "uniform", "centre_bias", "gold_standard", "itti_koch",
    }  # fmt: skip


def test_beside_several_deep_models_it_says_which_one_it_is_compared_with():
    models = {
        "cmrnet": None,
        "second": {"like": "cmrnet", "seed": 2},
        "blank": {"like": "cmrnet", "weights": "random"},
    }
    explanations = {"direct": {"models": ["cmrnet", "blank"]}}
    plan = planned(
        models=models, explanations=explanations, maps={"theirs": {"paths": {"demo": "x"}}}
    )
    assert {cell[0] for cell in plan.compared} == {"cmrnet"}  # nothing explains the other
    assert {predictor: name for _, predictor, _, name in plan.compared} == {
        "cmrnet-direct": "cmrnet-direct",
        "blank-direct": "blank-direct",
        **dict(zip(BANKS, BANKS, strict=True)),
        **{name: f"cmrnet-{name}" for name in (*plan.baselines, "theirs", "second")},
    }


def test_maps_are_compared_where_they_are_and_nothing_without_a_model():
    maps = {"theirs": {"paths": {"other": "x"}}}
    datasets = {**SHIPPED["datasets"], "other": {"type": "folder", "path": "x"}}
    plan = planned(maps=maps, datasets=datasets, evaluate_on=["demo", "other"])
    assert [cell[2] for cell in plan.compared if cell[1] == "theirs"] == ["other"]
    assert planned(models=[], maps=maps, datasets=datasets).compared == []


def test_cascades_and_other_direct_explanations_have_other_regressors_than_that_bank():
    explanations = {
        "direct": {},
        "noise": {"like": "direct", "control": "noise"},
        "grey": {"like": "direct", "kinds": ["amplitude"]},
        "few": {"mode": "cascade", "budget": 8},
    }
    plan = planned(**UNTESTED, models=["cmrnet"], explanations=explanations)
    assert plan.other_regressors == ["cmrnet-grey", "cmrnet-few"]
