"""Decisions that the workflow takes from a config: by whole entries, and by nothing else."""

import copy

import pytest

from gaborscope.errors import InputError
from gaborscope.workflow import backbone_entries, completion, contests, nulls, plan, variants

ENTRY = {
    "input": {"height": 64, "width": 96}, "weights": "train", "start": None, "trained_on": None,
    "seed": None, "options": {}, "layers": {},
}  # fmt: skip


def config_of(models, seed=1):
    backbones = {name: {**copy.deepcopy(ENTRY), **entry} for name, entry in models.items()}
    return {"models": list(models), "backbones": backbones, "seed": seed}


def families(models, seed=1):
    config = config_of(models, seed)
    return contests.families(config, variants.targets(config))


def test_trainings_of_other_seeds_are_a_family():
    assert families({"a": {}, "b": {"seed": 2, "network": "a"}}) == [["a", "b"]]


@pytest.mark.parametrize(
    "other",
    [
        {"seed": 2},  # another network: no `like` leads to a
        {"seed": 2, "network": "c"},
        {"seed": 1, "network": "a"},  # the seed of the config
        {"seed": 2, "network": "a", "options": {"width": 2}},
        {"seed": 2, "network": "a", "start": "w"},
        {"seed": 2, "network": "a", "weights": "published"},
        {"seed": 2, "network": "a", "weights": None},
        {"seed": 2, "network": "a", "weights": "random", "like": "a"},
    ],
)
def test_what_differs_in_more_or_in_less_than_the_seed_is_no_family(other):
    assert families({"a": {}, "b": other}) == []


def test_the_order_of_keys_makes_no_other_network():
    turned = dict(reversed({**ENTRY, "seed": 2, "network": "a"}.items()))
    config = config_of({"a": {}, "b": {}})
    config["backbones"]["b"] = turned
    assert contests.families(config, variants.targets(config)) == [["a", "b"]]
    for entry in config["backbones"].values():
        entry["factory"] = "net.py:build"
    assert contests.families(config, variants.targets(config)) == [["a", "b"]]


def test_networks_of_one_factory_are_a_family_whatever_they_are_called():
    own = {"factory": "net.py:build"}
    assert families({"a": own, "b": {**own, "seed": 2}}) == [["a", "b"]]
    assert families({"a": own, "b": {"factory": "net.py:other", "seed": 2}}) == []


def test_the_first_of_equal_seeds_stands_for_them():
    models = {"a": {}, "twin": {"network": "a"}, "b": {"network": "a", "seed": 5}}
    assert families(models) == [["a", "b"]]


def resolved(backbones):
    variants.resolve(backbones, backbone_entries.overlay)
    return backbones


def test_other_weights_take_start_and_trained_on_from_their_own_entry():
    base = {"weights": "a", "start": "s", "trained_on": ["t"], "options": {"n": 1}}
    own = {"like": "base", "weights": "b", "start": "s2", "trained_on": ["t2"]}
    found = resolved({"base": base, "own": own, "bare": {"like": "base", "weights": "c"},
                      "same": {"like": "base", "seed": 3}})  # fmt: skip
    assert (found["own"]["start"], found["own"]["trained_on"]) == ("s2", ["t2"])
    assert (found["bare"]["start"], found["bare"]["trained_on"]) == (None, None)
    assert (found["same"]["start"], found["same"]["trained_on"]) == ("s", ["t"])
    assert {entry.get("network") for name, entry in found.items() if name != "base"} == {"base"}
    assert found["own"]["options"] == {"n": 1} and "network" not in found["base"]


@pytest.mark.parametrize("key", variants.TAKEN_FROM_LIKE)
def test_a_random_copy_sets_nothing_that_it_takes_from_its_network(key):
    base = {"weights": "train", key: "x"}
    with pytest.raises(InputError, match=rf"backbones\.copy\.{key} cannot be set"):
        resolved({"base": base, "copy": {"like": "base", "weights": "random", key: "y"}})
    resolved({"base": base, "copy": {"like": "base", "weights": "random", "seed": 3}})
    assert set(variants.TAKEN_FROM_LIKE) == {"input", "options", "factory", "start", "trained_on"}


def test_random_copies_that_are_explained_so_are_one_family():
    config = {"explanations": {"direct": {"mode": "direct"}}, "baselines": {"predictors": []}}
    config["backbones"] = {name: {} for name in ("net", "blank", "empty", "bare", "other")}
    explained = {"net-direct": "net", "blank-direct": "net", "empty-direct": "net"}
    targets = {"net": "net", "blank": "net", "empty": "net", "bare": "net", "other": "other"}
    (contest,) = contests.plan(config, nulls.families(config, explained, targets), [])
    assert contest["rivals"][:2] == [
        ["above_centre_bias", ["centre_bias"], ""],
        ["above_random_networks", ["blank-direct", "empty-direct"], ""],
    ]
    assert [test for test, _, _ in contest["rivals"][2:]] == [
        "above_loggabor_fixations", "above_loggabor_equal", *contests.FAMILY_TESTS,
        "above_progressive_networks", "layers_add",
    ]  # fmt: skip


def test_tables_of_layers_are_for_the_networks_themselves_and_the_config_wins():
    config = {"backbones": {
        "cmrnet": {"layers": {"stem": "mine", "added": "new.0"}}, "unisal": {"like": "cmrnet"},
        "own": {"layers": {"a": "b"}}, "msinet": "no mapping",
    }}  # fmt: skip
    completion.add_tables(config)
    table = completion.read_yaml(completion.TABLES / "cmrnet.yaml")
    assert config["backbones"] == {
        "cmrnet": {
            "layers": {**table["layers"], "stem": "mine", "added": "new.0"},
            "cascade_layers": table["cascade_layers"],
        },
        "unisal": {"like": "cmrnet"}, "own": {"layers": {"a": "b"}}, "msinet": "no mapping",
    }  # fmt: skip
    wrong = {"backbones": {"cmrnet": {"layers": 3}}}
    completion.add_tables(wrong)  # for the schema to name
    assert wrong["backbones"]["cmrnet"]["layers"] == 3


def test_regressors_stand_for_those_of_their_section_and_what_it_sets_wins():
    regressors = {"bank": {"n_scales": 4, "n_orientations": 8}, "colour": "yuv", "kinds": ["even"]}
    like = {"like": "regressors", "bank": {"n_scales": 2}, "penalties": [1]}
    config = {
        "regressors": regressors, "spectra": dict(like), "other": dict(like),
        "explanation_defaults": {"direct": dict(like), "cascade": {"image": dict(like)}},
        "baselines": {"loggabor_fixations": dict(like), "centre_bias": dict(like)},
        "explanations": {"a": {"image": dict(like)}, "b": dict(like), "c": None,
                         "d": {"image": {"like": "direct"}}},
    }  # fmt: skip
    completion.fill_regressors(config)
    filled = {**regressors, "bank": {"n_scales": 2, "n_orientations": 8}, "penalties": [1]}
    assert config["spectra"] == config["explanation_defaults"]["direct"] == filled
    assert config["explanation_defaults"]["cascade"]["image"] == filled
    assert config["baselines"] == {"loggabor_fixations": filled, "centre_bias": like}
    assert config["explanations"]["a"]["image"] == filled
    assert config["other"] == config["explanations"]["b"] == like
    assert config["explanations"]["d"] == {"image": {"like": "direct"}}
    assert regressors["bank"]["n_scales"] == 4


def filled(explanations, scored=False, said=None, ablation=None, **defaults):
    modes = {"direct": {"bank": {"n": 1}, "sparsity_scores": {"budgets": [1]}, "kinds": ["even"]},
             "cascade": {"channels": 3}, **defaults}  # fmt: skip
    config = {"explanations": explanations, "explanation_defaults": modes}
    if ablation is not None:
        config["ablation"] = {"options": ablation}
    before = copy.deepcopy(modes)
    completion.fill_explanations(config, scored, [] if said is None else said)
    assert modes == before
    return config


def test_explanations_are_filled_from_their_mode_or_from_whom_they_are_like():
    found = filled({
        "a": {"bank": {"m": 2}}, "b": {"like": "a", "kinds": ["odd"], "models": ["x"]},
        "c": {"mode": "cascade"}, "d": {"like": "b"}, "e": {"mode": "new"}, "f": 3,
    })["explanations"]  # fmt: skip
    common = {"mode": "direct", "sparsity_scores": {"budgets": []}, "models": None}
    assert found["a"] == {**common, "bank": {"n": 1, "m": 2}, "kinds": ["even"]}
    assert found["b"] == {**found["a"], "kinds": ["odd"], "models": ["x"]}
    assert found["d"] == {**found["b"], "models": None}
    assert found["c"] == {"mode": "cascade", "channels": 3, "models": None}
    assert found["e"] == {"mode": "new"} and found["f"] == 3  # for the schema to name


@pytest.mark.parametrize("scored", [False, True])
def test_scores_of_few_filters_are_of_every_explanation_where_the_analysis_is_listed(scored):
    few = {"sparsity_scores": {"budgets": [7]}}
    found = filled({"a": {}, "b": few}, scored)["explanations"]
    assert found["a"]["sparsity_scores"]["budgets"] == ([1] if scored else [])
    assert found["b"]["sparsity_scores"]["budgets"] == [7]


def test_beside_a_direct_that_sets_something_the_others_take_from_it_and_it_is_said():
    given = {"direct": {"bank": {"n": 5}}, "a": {}, "b": {"like": None}, "c": {"like": "a"},
             "d": {"mode": "cascade"}}  # fmt: skip
    said = []
    found = filled(given, said=said)["explanations"]
    assert [found[name]["bank"]["n"] for name in "abc"] == [5, 1, 5]
    assert "bank" not in found["d"]
    assert len(said) == 1 and said[0].startswith("config: explanations.a takes what it does not")
    for empty in ({}, {"models": ["x"]}, {"mode": "direct"}, {"bank": {}}):
        said = []
        assert filled({"direct": empty, "a": {}}, said=said)["explanations"]["a"]["bank"] == {
            "n": 1
        }
        assert said == []


def test_options_of_the_ablation_take_what_they_do_not_set_from_direct():
    found = filled({"direct": {"kinds": ["odd"]}}, ablation={"x": {"bank": {"m": 3}}, "y": 4})
    option = {**found["explanations"]["direct"], "bank": {"n": 1, "m": 3}}
    assert found["ablation"]["options"] == {"x": option, "y": 4}
    alone = filled({"a": {}}, ablation={"x": {"bank": {"m": 3}}})
    assert alone["ablation"]["options"] == {"x": {"bank": {"m": 3}}}


@pytest.mark.parametrize(
    "given, text",
    [
        ({"a": {"like": "b"}, "b": {"like": "a"}}, "leads back to itself: a like b like a"),
        ({"a": {"like": "a"}}, "explanations.a.like leads back to itself: a like a"),
        ({"a": {"like": "other"}, "bee": {}}, "is 'other', which is no explanation; there are bee"),
        ({"a": {"like": 3}}, "is 3, which is no explanation; there are no others"),
        ({"a": {"like": "c", "mode": "direct"}, "c": {"mode": "cascade"}},
         "a has mode direct, but is like c, whose mode is cascade"),
    ],
)  # fmt: skip
def test_an_explanation_that_is_like_none_is_refused(given, text):
    with pytest.raises(InputError, match=text):
        filled(given)


def test_models_of_a_default_have_no_effect_and_it_is_said():
    said = []
    found = filled({"a": {}}, said=said, direct={"models": ["x"], "n": 1})["explanations"]
    assert found["a"]["models"] is None and found["a"]["n"] == 1
    assert said == [
        "config: explanation_defaults.direct.models has no effect; say it of the explanations"
    ]


def test_a_selector_of_what_does_not_run_is_emptied_and_still_checked():
    known = {"explanations": {"a": {}}}
    config, _ = settled(["seeds"], bits={"explanations": ["a"]}, **copy.deepcopy(known))
    assert config["bits"]["explanations"] == []
    with pytest.raises(InputError, match="bits.explanations names 'b', but explanations has only"):
        settled(["seeds"], bits={"explanations": ["b"]}, **copy.deepcopy(known))
    config, _ = settled(["seeds"], spectra={"predictors": ["b"]}, **copy.deepcopy(known))
    assert config["spectra"]["predictors"] == []
    config, _ = settled(["bits"], bits={"explanations": ["b"]}, **copy.deepcopy(known))
    assert config["bits"]["explanations"] == ["b"]  # named where it is used


def test_parts_of_a_config_that_are_none_are_empty():
    config = {"a": {"b": {"c": 1}}, "d": 3}
    assert completion.part(config, "a", "b") == {"c": 1} and completion.part(config) is config
    for keys in (("x",), ("a", "x"), ("d",), ("a", "b", "c")):
        assert completion.part(config, *keys) == {}
    assert completion.explained_by({"models": None}, ["m"]) == ["m"]
    assert completion.explained_by({"models": []}, ["m"]) == []


def settled(wanted, said=None, **config):
    config = {"analyses": wanted, **config}
    scored = completion.settle_analyses(config, [] if said is None else said)
    return config, scored


def test_analyses_are_sorted_and_say_whether_sparse_explanations_are_scored():
    config, scored = settled(["seeds", "bits"])
    assert config["analyses"] == ["bits", "seeds"] and scored is False
    config, scored = settled(["sparsity_scores", "anatomy"])
    assert config["analyses"] == ["anatomy", "sparsity_scores"] and scored is True


@pytest.mark.parametrize("wanted", [None, "bits", ["bits", "unknown"]])
def test_analyses_that_are_wrong_are_left_for_the_schema_to_refuse(wanted):
    config, scored = settled(wanted)
    assert config["analyses"] == wanted and scored is False


@pytest.mark.parametrize("name, key", completion.SELECTORS.items())
def test_a_switch_of_old_takes_its_analysis_out_of_the_default(name, key):
    said = []
    config, _ = settled(list(completion.BY_DEFAULT), said, **{name: {key: []}})
    assert name not in config["analyses"] and len(config["analyses"]) == 5
    assert len(said) == 1 and f"{name}.{key}: [] takes {name} out" in said[0]
    config, _ = settled(list(completion.BY_DEFAULT), **{name: {key: ["a"]}})
    assert config["analyses"] == completion.BY_DEFAULT and config[name][key] == ["a"]


@pytest.mark.parametrize(
    "given, name",
    [
        ({"explanations": {"e": {"sparsity_scores": {"budgets": [4]}}}}, "sparsity_scores"),
        ({"ablation": {"options": {"grey": {}}}}, "ablation"),
        ({"scores": {"calibrate": True}}, "calibration"),
    ],
)
def test_a_switch_of_old_puts_its_analysis_into_the_default_and_into_no_other(given, name):
    config, _ = settled(list(completion.BY_DEFAULT), **copy.deepcopy(given))
    assert set(config["analyses"]) == {*completion.BY_DEFAULT, name}
    config, _ = settled(["bits"], **copy.deepcopy(given))
    assert config["analyses"] == ["bits"]


def test_what_is_not_listed_looks_at_nothing():
    config, _ = settled(["spectra"], bits={"explanations": ["a"]}, spectra={"predictors": "all"})
    assert config["bits"]["explanations"] == [] and config["spectra"]["predictors"] == "all"


@pytest.mark.parametrize("listed", [True, False])
@pytest.mark.parametrize("given", [{}, {"calibrate": True}, {"calibrate": False}])
def test_scores_are_calibrated_where_the_analysis_is_listed(listed, given):
    config, _ = settled(["calibration"] if listed else ["bits"], scores=dict(given))
    assert config["scores"]["calibrate"] is listed


@pytest.mark.parametrize("position, second, parts", [
    (False, False, 1), (True, False, 1), (False, True, 1), (True, True, 2),
])  # fmt: skip
def test_coalitions_of_up_to_16_are_one_job(position, second, parts):
    entry = {"position": position, "second_stage": second, "mechanisms": [], "concepts": []}
    asked = plan.Plan.bit_parts(_Told({"explanations": {"e": entry}}), "net", "e")
    assert asked == [str(part) for part in range(parts)]


@pytest.mark.parametrize("n, parts", [(2, 4), (3, 8), (4, 8), (9, 20)])
def test_coalitions_of_more_than_7_dimensions_are_bounded(n, parts):
    entry = {"position": True, "second_stage": False, "mechanisms": ["some"] * n, "concepts": []}
    if n == 4:  # 8 dimensions: 2 * 8 * 7 + 2 coalitions
        assert -(-(2 * 8 * 7 + 2) // plan.COALITIONS_PER_JOB) == parts
    asked = plan.Plan.bit_parts(_Told({"explanations": {"e": entry}}), "net", "e")
    assert asked == [str(part) for part in range(parts)]


@pytest.mark.parametrize("n, parts", [(2, 5), (4, 8)])  # 64 + 2, 114 + 4 coalitions
def test_each_concept_is_a_dimension_and_has_one_coalition_with_its_null(n, parts):
    entry = {"position": True, "second_stage": False, "mechanisms": [], "concepts": ["some"] * n}
    asked = plan.Plan.bit_parts(_Told({"explanations": {"e": entry}}), "net", "e")
    assert asked == [str(part) for part in range(parts)]


class _Told:
    people = plan.Plan.people

    def __init__(self, config, **known):
        self.config = config
        self.__dict__.update(known)


def test_the_input_of_the_equal_bank_is_that_of_the_first_model():
    keys = ("bank", "colour", "boundary", "kinds", "residual", "normalisation", "position",
            "second_stage", "mechanisms", "concepts", "pools")  # fmt: skip
    explanation = {**{key: f"its {key}" for key in keys}, "fusion": {"stride": 4}, "other": 1}
    config = {
        "baselines": {"loggabor_equal": {"like": "e", "penalties": [3]}},
        "explanations": {"e": explanation},
        "backbones": {"a": {"input": {"height": 8, "width": 9, "fit": "pad"}},
                      "b": {"input": {"height": 1, "width": 2}}},
    }  # fmt: skip
    assert plan.Plan.equal_bank(_Told(config, models=["a", "b"])) == {
        **{key: f"its {key}" for key in keys}, "input": {"height": 8, "width": 9}, "stride": 4,
        "penalties": [3],
    }  # fmt: skip


def test_stimuli_per_block_are_rounded_up_over_the_blocks_of_the_split():
    told = _Told({"faithfulness": {"n": 10}}, blocks={"d": {"test": list("abc"), "fit": ["x"]}})
    assert plan.Plan.stimuli_per_block(told, "n", "d", "test") == 4
    assert plan.Plan.stimuli_per_block(told, "n", "d", "fit") == 10


def test_maps_say_their_path_kind_and_whether_they_are_resized():
    maps = {"m": {"paths": {"d": "here", "e": "there"}},
            "n": {"paths": {"d": "x"}, "kind": "logits", "resize": True}}  # fmt: skip
    told = _Told({"maps": maps})
    assert plan.Plan.map_settings(told, "m", "e") == {
        "path": "there", "kind": "density", "resize": False,
    }  # fmt: skip
    assert plan.Plan.map_settings(told, "n", "d") == {"path": "x", "kind": "logits", "resize": True}
