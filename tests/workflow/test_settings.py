"""The config is closed: a fault is one sentence with the key and the remedy."""

import copy
import json
import re
from pathlib import Path

import pytest
import yaml
from snakemake.utils import update_config

from gaborscope.errors import InputError
from gaborscope.workflow import settings
from gaborscope.workflow.completion import ANALYSES, BY_DEFAULT, read_yaml
from gaborscope.workflow.settings import load as load_config

ROOT = Path(__file__).resolve().parents[2]
SCHEMA = ROOT / "rules" / "config.schema.yaml"


@pytest.fixture(scope="module")
def shipped():
    return load_config()


@pytest.fixture
def config(shipped):
    return copy.deepcopy(shipped)


def test_the_shipped_config_passes(config):
    settings.check(config, SCHEMA)


@pytest.mark.parametrize(
    "path, wrong, close",
    [
        ((), "explanation", "explanations"),
        (("training",), "epoch", "epochs"),
        (("training", "augmentation"), "min_crops", "min_crop"),
        (("explanations", "direct"), "color", "colour"),
        (("explanations", "direct", "bank"), "n_scale", "n_scales"),
        (("datasets", "demo"), "px_per_deg", "px_per_degree"),
    ],
)
def test_an_unknown_key_is_named_with_the_close_one(config, path, wrong, close):
    part = config
    for key in path:
        part = part[key]
    part[wrong] = 1
    with pytest.raises(InputError, match=f"unknown key '{wrong}' at .*did you mean '{close}'"):
        settings.check(config, SCHEMA)


def test_an_unknown_key_close_to_none_gets_the_list(config):
    config["scores"]["zzz"] = 1
    with pytest.raises(InputError, match="'zzz' at scores; known are n_shuffle, n_resamples"):
        settings.check(config, SCHEMA)


@pytest.mark.parametrize("section", ["datasets", "explanations", "backbones"])
@pytest.mark.parametrize("name", ["my-data", "Demo", "a b", "", "demo\n", "é"])
def test_a_name_that_cannot_be_a_wildcard_is_refused(config, section, name):
    config[section][name] = next(iter(config[section].values()))
    with pytest.raises(InputError, match=f"{section}: the name .* must consist of a-z, 0-9"):
        settings.check(config, SCHEMA)


def test_a_name_that_yaml_reads_as_a_number_is_refused(config):
    config["datasets"][2019] = config["datasets"]["demo"]
    with pytest.raises(
        InputError, match="datasets: the name 2019 is read as a number; put it in quotes"
    ):
        settings.check(config, SCHEMA)


@pytest.mark.parametrize(
    "key, value", [("fit_on", "osie"), ("evaluate_on", ["demo", "osie"]), ("models", ["osie"])]
)
def test_a_name_without_an_entry_is_refused(config, key, value):
    config[key] = value
    with pytest.raises(InputError, match=f"{key} names .*'osie'"):
        settings.check(config, SCHEMA)


@pytest.mark.parametrize(
    "path, value, shown",
    [
        (("n_blocks",), 15, "n_blocks is 15.*a multiple of 10"),
        (("device",), "gpu", "device is 'gpu'"),
        (("explanations", "direct", "bank", "min_wavelength_px"), 2.0, "min_wavelength_px is 2.0"),
        (("explanations", "direct", "colour"), "hsv", r"explanations\.direct\.colour is 'hsv'"),
        (("densities", "uniform_weight"), 0, "uniform_weight is 0"),
        (("seed",), "one", "seed is 'one'"),
    ],
)
def test_a_value_out_of_range_is_named_with_its_key(config, path, value, shown):
    part = config
    for key in path[:-1]:
        part = part[key]
    part[path[-1]] = value
    with pytest.raises(InputError, match=shown):
        settings.check(config, SCHEMA)


@pytest.mark.parametrize("key", ["seed", "explanations", "report"])
def test_a_missing_key_is_named(config, key):
    del config[key]
    with pytest.raises(InputError, match=f"the top level has no '{key}'; take it from config.yaml"):
        settings.check(config, SCHEMA)


def test_a_fault_is_one_line_however_much_is_shown(config):
    config["explanations"]["direct"]["solver"] = {"name": ["ridge"] * 100}
    with pytest.raises(InputError) as caught:
        settings.check(config, SCHEMA)
    assert "solver" in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "name, entry, text",
    [
        ("cmrnet", {"paths": {"demo": "x"}}, "'cmrnet' is already the name of another predictor"),
        ("theirs", {"paths": {"osie": "x"}}, "maps.theirs.paths names the data set 'osie'"),
        ("theirs", {}, r"maps\.theirs lacks paths \(By data set.*; write paths:"),
        ("theirs", {"paths": {"demo": "x"}, "kind": "heat"}, "'heat'"),
        ("Their-Model", {"paths": {"demo": "x"}}, "must consist of a-z"),
    ],
)
def test_a_fault_in_maps_is_named(config, name, entry, text):
    config["maps"][name] = entry
    with pytest.raises(InputError, match=text):
        settings.check(config, SCHEMA)


def test_explanations_take_what_they_do_not_set_from_their_mode(config):
    config["explanations"]["grey"] = {"mode": "direct", "kinds": ["amplitude"]}
    config["explanations"]["few"] = {"mode": "cascade", "budget": 8, "edge": {"n_scales": 1}}
    settings.complete(config)
    settings.check(config, SCHEMA)
    grey, few = (config["explanations"][name] for name in ("grey", "few"))
    assert grey == {**config["explanations"]["direct"], "kinds": ["amplitude"]}
    assert few["budget"] == 8 and few["edge"]["n_scales"] == 1
    default = config["explanation_defaults"]["cascade"]
    assert few["edge"]["radius"] == default["edge"]["radius"] and default["budget"] is None


def laid(**settings_laid):
    """Lay settings over the config that is shipped, as Snakemake does, and complete it."""
    found = read_yaml(ROOT / "config.yaml")
    update_config(found, settings_laid)
    said = []
    settings.check(settings.complete(found, said), SCHEMA)
    return found, said


def test_an_explanation_without_settings_is_of_mode_direct():
    config, said = laid(explanations={"direct": {}, "plain": {}, "grey": {"kinds": ["amplitude"]}})
    plain, grey = (config["explanations"][name] for name in ("plain", "grey"))
    assert config["explanations"]["direct"] == plain and plain["mode"] == "direct"
    assert grey == {**plain, "kinds": ["amplitude"]}
    assert not said


def test_an_explanation_takes_settings_and_mode_from_the_one_it_is_like():
    entries = {
        "small": {"mode": "cascade", "budget": 8, "models": ["cmrnet"], "edge": {"n_scales": 1}},
        "noise": {"like": "small", "control": "random"},
        "wider": {"like": "noise", "budget": 32},
    }
    config, said = laid(explanations=entries)
    small, wider = (config["explanations"][name] for name in ("small", "wider"))
    assert wider == {**small, "models": None, "control": "random", "budget": 32}
    assert not said


def test_beside_a_direct_that_sets_something_like_says_what_an_entry_takes():
    entries = {"direct": {"colour": "lab"}, "of_it": {"like": "direct"}, "plain": {"like": None}}
    config, said = laid(explanations=entries)
    assert config["explanations"]["of_it"]["colour"] == "lab"
    assert config["explanations"]["plain"]["colour"] == "yuv"
    assert not said
    entries["old"] = {}
    config, said = laid(explanations=entries)
    assert config["explanations"]["old"]["colour"] == "lab"
    assert [line.partition(" takes")[0] for line in said] == ["config: explanations.old"]


def test_regressors_stand_once_and_hold_wherever_it_says_so():
    config, _ = laid(regressors={"colour": "lab", "bank": {"n_orientations": 6}})
    cascade = config["explanation_defaults"]["cascade"]["image"]
    fixations = config["baselines"]["loggabor_fixations"]
    direct = config["explanations"]["direct"]
    places = [direct, cascade, config["spectra"], fixations]
    assert {place["colour"] for place in places} == {"lab"}
    assert [place["bank"]["n_orientations"] for place in places] == [6, 6, 4, 6]
    assert [place["bank"]["n_scales"] for place in places] == [4, 5, 5, 5]
    assert not any("like" in place for place in places)


@pytest.mark.parametrize(
    "name, section, key, off",
    [
        ("bits", "bits", "explanations", []),
        ("spectra", "spectra", "predictors", []),
        ("faithfulness", "faithfulness", "explanations", []),
        ("calibration", "scores", "calibrate", False),
    ],
)
def test_what_is_not_among_the_analyses_looks_at_nothing(name, section, key, off):
    config, said = laid(analyses=[other for other in ANALYSES if other not in (name, "ablation")])
    assert config[section][key] == off and not said
    config, said = laid(analyses=[name])
    assert config["analyses"] == [name] and config[section][key] != off and not said


def test_scores_with_few_filters_are_of_every_explanation_but_those_without_budgets():
    entries = {"grey": {"kinds": ["amplitude"]}, "not": {"sparsity_scores": {"budgets": []}}}
    config, said = laid(analyses=["sparsity_scores"], explanations=entries)
    budgets = [config["explanations"][n]["sparsity_scores"]["budgets"] for n in ("grey", "not")]
    assert budgets == [[1, 2, 4, 8, 16, 32], []] and not said
    config, said = laid(analyses=["bits"], explanations=entries)
    assert config["explanations"]["grey"]["sparsity_scores"]["budgets"] == [] and not said


def test_what_runs_by_default_is_what_the_schema_says():
    schema = read_yaml(SCHEMA)
    assert schema["properties"]["analyses"]["default"] == BY_DEFAULT


@pytest.mark.parametrize("wanted", [[], ["bits"]])
def test_a_list_of_analyses_is_final_whatever_deprecated_switches_say(wanted):
    config, said = laid(
        analyses=wanted,
        ablation={"options": {"lab": {"colour": "lab"}}},
        scores={"calibrate": True},
        explanations={"direct": {"sparsity_scores": {"budgets": [1]}}},
    )
    assert config["analyses"] == wanted and not said


@pytest.mark.parametrize(
    "changes, text",
    [
        ({"explanations": {"c": {"mode": ["cascade"]}}}, r"explanations\.c\.mode is \['cascade'\]"),
        ({"explanations": {8: {}, "g": {"like": "nope"}}}, "like is 'nope', which is no explan"),
        ({"models": {"centre_bias": {"factory": "a:b"}}}, "'centre_bias' is already the name of"),
        (
            {"analyses": ["ablation"], "ablation": {"options": {"direct": {"colour": "lab"}}}},
            "the name 'direct' is that of the explanation",
        ),
    ],
)
def test_names_and_modes_that_cannot_be_are_said_in_one_sentence(changes, text):
    with pytest.raises(InputError, match=text) as error:
        laid(**changes)
    assert "\n" not in str(error.value)


def test_an_unknown_analysis_is_named_with_the_close_one():
    with pytest.raises(InputError, match="analyses.1 is 'bit'; .*did you mean 'bits'"):
        laid(analyses=["seeds", "bit"])


@pytest.mark.parametrize(
    "key, entry, text",
    [
        ("regressors", {"colour": "hsv"}, r"config: regressors\.colour is 'hsv'"),
        ("explanation_defaults", {"direct": {"smooth": 1}}, "at explanation_defaults.direct;"),
    ],
)
def test_a_fault_that_others_took_over_is_named_where_it_was_said(key, entry, text):
    with pytest.raises(InputError, match=text):
        laid(**{key: entry})


def test_an_ablation_without_options_is_refused():
    with pytest.raises(InputError, match="analyses has ablation, but ablation.options is empty"):
        laid(analyses=["ablation"])


def test_a_layer_of_the_config_is_added_to_the_table_of_its_network():
    config, _ = laid(backbones={"cmrnet": {"layers": {"mid": "dec1.1", "stem": "stem.4"}}})
    table = config["backbones"]["cmrnet"]["layers"]
    assert table["mid"] == "dec1.1" and table["stem"] == "stem.4" and table["logits"] == "out"


def test_completing_twice_changes_nothing(config):
    assert settings.complete(copy.deepcopy(config)) == config


def test_the_order_of_keys_in_a_file_is_no_change_of_the_settings(tmp_path):
    own = {"layers": {"b": "0", "a": "0"}, "weights": None, "factory": "mine.py:net"}
    given = {
        "training": {"precision": "auto", "epochs": 30, "loss": {"nss": 0.1, "cc": 0.1}},
        "backbones": {"cmrnet": {"input": {"width": 192, "height": 144}, "seed": 3}},
        "models": {"mine": {**own, "input": {"width": 64, "height": 96}}},
        "explanations": {"direct": {"colour": "lab", "bank": {"n_scales": 3, "n_orientations": 4}}},
    }
    (tmp_path / "mine.py").write_text("import torch\ndef net(): return torch.nn.Conv2d(3, 1, 1)")

    def settled(given):  # laid over config.yaml as Snakemake does it
        config = {}
        for part in (given, read_yaml(ROOT / "config.yaml"), given):
            update_config(config, copy.deepcopy(part))
        settings.settle(config, tmp_path, [])
        return json.dumps(config)

    def turned(value):
        if not isinstance(value, dict):
            return value
        names = value is given["models"]["mine"]["layers"]  # the order of names is the user's
        keys = list(value) if names else list(reversed(value))
        return {key: turned(value[key]) for key in keys}

    assert settled(turned(given)) == settled(given)


def test_whom_an_explanation_explains_is_not_taken_over_by_others(config):
    config["explanations"]["direct"]["models"] = ["cmrnet"]
    config["explanations"]["grey"] = {"mode": "direct", "kinds": ["amplitude"]}
    settings.complete(config)
    settings.check(config, SCHEMA)
    assert config["explanations"]["direct"]["models"] == ["cmrnet"]
    assert config["explanations"]["grey"]["models"] is None


@pytest.mark.parametrize(
    "entries, text",
    [
        ({"r": {"mode": "refined"}}, "r.start is 'cascade', which is no explanation of mode"),
        ({"r": {"mode": "refined", "start": "direct"}}, "there is none"),
        ({"r": {"mode": "refined", "start": "r"}}, "leads back to itself: r from r"),
        (
            {"a": {"mode": "refined", "start": "b"}, "b": {"mode": "refined", "start": "a"}},
            "leads back to itself: a from b from a",
        ),
        (
            {"c": {"mode": "cascade", "budgets": 8}},
            "unknown key 'budgets' .* did you mean 'budget'",
        ),
        (
            {"c": {"mode": "cascades"}},
            "c.mode is 'cascades'; it must be .*mean 'cascade'",
        ),
        ({"c": {"budget": 8}}, r"'budget' at explanations\.c \(mode direct\)"),
        ({"c": {"like": "dirct"}}, "c.like is 'dirct', which is no explanation; there are direct"),
        ({"c": {"like": "c"}}, "c.like leads back to itself: c like c"),
        ({"c": {"like": "direct", "mode": "cascade"}}, "c has mode cascade, but is like direct"),
        ({"c": {"mode": "cascade", "budget": 0}}, "explanations.c.budget is 0"),
        ({"c": 3}, "explanations.c is 3"),
        ({"s": {"mode": "direct", "solver": {"name": "omp"}}}, "s.solver is omp without a budget"),
        (
            {"s": {"mode": "direct", "solver": {"budget": 4}}},
            "s.solver.budget is 4, but ridge takes all filters",
        ),
        (
            {"c": {"mode": "cascade", "models": ["unisal"]}},
            "c.models names 'unisal', but models has only cmrnet",
        ),
        ({"c": {"mode": "direct", "models": "cmrnet"}}, "c.models is 'cmrnet'"),
    ],
)
def test_a_wrong_explanation_is_named(config, entries, text):
    config["explanations"].update(entries)
    with pytest.raises(InputError, match=text):
        settings.check(settings.complete(config), SCHEMA)


def test_a_second_stage_without_a_coarser_scale_is_refused(config):
    config["explanations"]["direct"].update(second_stage=True)
    settings.check(config, SCHEMA)
    config["explanations"]["direct"]["bank"]["n_scales"] = 2
    with pytest.raises(InputError, match=r"direct.second_stage .* bank of 2 scales.* at least 3"):
        settings.check(config, SCHEMA)


@pytest.mark.parametrize("wrong", ["derict", "greedy"])
def test_bits_of_an_explanation_that_ridge_does_not_solve_are_refused(config, wrong):
    config["bits"]["explanations"] = ["direct"]
    greedy = copy.deepcopy(config["explanations"]["direct"])
    greedy["solver"].update(name="omp", budget=8)
    config["explanations"]["greedy"] = greedy
    settings.check(config, SCHEMA)
    config["bits"]["explanations"] = [wrong]
    with pytest.raises(InputError, match=f"bits.explanations names '{wrong}'.*split: direct"):
        settings.check(config, SCHEMA)


def test_the_spectrum_of_an_unknown_predictor_is_refused(config):
    config["spectra"]["predictors"] = ["gold_standard", "cmrnet", "cmrnet-direct", "uniform"]
    settings.check(config, SCHEMA)
    config["spectra"]["predictors"] = "all"
    settings.check(config, SCHEMA)
    config["spectra"]["predictors"] = "none"
    with pytest.raises(InputError, match="spectra.predictors is 'none'"):
        settings.check(config, SCHEMA)
    config["spectra"]["predictors"] = ["people"]
    with pytest.raises(InputError, match="spectra.predictors names 'people'.*gold_standard"):
        settings.check(config, SCHEMA)


def test_faithfulness_of_an_explanation_that_is_none_is_refused(config):
    config["faithfulness"]["explanations"] = ["cascade"]
    with pytest.raises(InputError, match="faithfulness.explanations names 'cascade', but expl"):
        settings.check(config, SCHEMA)


def _own_commands(example):
    """Each command that an example's head gives: the config files it names, as paths."""
    text = re.sub(r"\\\n#\s*", "", example.read_text(encoding="utf-8"))
    found = [
        re.findall(r"examples/\S+\.yaml", options)
        for options in re.findall(r"^#\s+snakemake .*?--configfile (.*)$", text, re.MULTILINE)
    ]
    return [[ROOT / path for path in paths] for paths in found]


@pytest.mark.parametrize(
    "example", sorted((ROOT / "examples").glob("*.yaml")), ids=lambda path: path.stem
)
def test_an_example_passes_as_its_own_command_lays_it(config, example):
    commands = _own_commands(example)
    assert commands, f"{example.name} gives no command"
    for paths in commands:
        assert example in paths
        laid = copy.deepcopy(config)
        for path in paths:
            update_config(laid, yaml.safe_load(path.read_text(encoding="utf-8")))
        settings.check(settings.complete(laid), SCHEMA)
