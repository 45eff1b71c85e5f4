"""Several data sets at `fit_on`: one pool of them, with their blocks and splits."""

import copy

import pytest
from snakemake.utils import update_config

from gaborscope.workflow import pools, settings
from gaborscope.workflow.completion import read_yaml
from gaborscope.workflow.plan import Plan

SPLITS = {
    "osie": {"fit": ["00", "01"], "validation": ["07"], "test": ["08"]},
    "crowd": {"fit": ["00", "03"], "validation": ["07"], "test": ["09"]},
    "far": {"fit": ["02"], "validation": ["07"], "test": ["08", "09"]},
}
ENTRIES = {
    "osie": {"type": "osie", "path": "x"},
    "crowd": {"type": "folder", "path": "y"},
    "far": {"type": "folder", "path": "z"},
}


@pytest.fixture(scope="module")
def shipped():
    config = read_yaml(settings.ROOT / "config.yaml")
    config["datasets"] = ENTRIES
    return config


def planned(shipped, fit_on, evaluate_on, splits=SPLITS):
    config = copy.deepcopy({**shipped, "fit_on": fit_on, "evaluate_on": evaluate_on})
    settings.settle(config, settings.ROOT, [])
    return Plan.of(config, splits)


def test_the_pool_has_the_blocks_of_its_members_each_in_its_split(shipped):
    plan = planned(shipped, ["osie", "crowd"], ["crowd", "far"])
    assert plan.fit_on == "osie+crowd" and plan.members == ["osie", "crowd"]
    assert plan.datasets == ["osie+crowd", "osie", "crowd", "far"]
    assert plan.blocks["osie+crowd"] == {
        "fit": ["osie-00", "osie-01", "crowd-00", "crowd-03"],
        "validation": ["osie-07", "crowd-07"],
        "test": ["osie-08", "crowd-09"],
    }
    assert {name: plan.blocks[name] for name in SPLITS} == SPLITS
    assert plan.raw("osie+crowd", "crowd-03") == {"dataset": "crowd", "block": "03"}
    assert plan.raw("far", "09") == {"dataset": "far", "block": "09"}


def test_what_is_scored_is_each_data_set_of_evaluate_on(shipped):
    plan = planned(shipped, ["osie", "crowd"], ["crowd", "far"])
    assert {dataset for _, _, dataset in plan.cells} == {"crowd", "far"}
    assert {dataset for _, _, dataset, _ in plan.compared} == {"crowd", "far"}
    assert {dataset for _, dataset, _ in plan.faithful} <= {"crowd", "far"}
    assert plan.shown_on == "crowd"  # the first member that is evaluated
    assert planned(shipped, ["osie", "crowd"], ["far"]).shown_on == "osie"


@pytest.mark.parametrize("fit_on", ["osie", ["osie"]])
def test_one_data_set_alone_is_no_pool(shipped, fit_on):
    plan = planned(shipped, fit_on, ["far"])
    assert plan.config["fit_on"] == plan.fit_on == plan.shown_on == "osie" and plan.members == []
    assert plan.datasets == ["osie", "far"] and plan.blocks == SPLITS
    assert plan.fit_set() == {"dataset": "osie", "type": "osie", "n_blocks": 10}


def test_weights_say_the_types_of_all_members(shipped):
    plan = planned(shipped, ["osie", "crowd"], ["far"])
    types = {"osie": "osie", "crowd": "folder"}
    assert plan.fit_set() == {"dataset": "osie+crowd", "type": types, "n_blocks": 10}
    assert plan.kinds("crowd") == "folder" and not plan.synthetic


def test_a_member_that_is_not_here_is_fetched_and_the_pool_is_not(shipped):
    empty = {**SPLITS, "osie": dict.fromkeys(SPLITS["osie"], [])}
    assert planned(shipped, ["osie", "crowd"], ["far"], empty).pending == ["osie"]
    empty |= {"crowd": empty["osie"]}
    assert planned(shipped, ["osie", "crowd"], ["far"], empty).pending == ["osie", "crowd"]


def test_sizes_of_blocks_are_those_of_the_members():
    sizes = {"osie": {"00": 5, "07": 1}, "crowd": {"00": 3}}
    assert pools.with_pool("osie", sizes) == sizes
    pooled = pools.with_pool(["osie", "crowd"], sizes)
    assert pooled == {**sizes, "osie+crowd": {"osie-00": 5, "osie-07": 1, "crowd-00": 3}}


def test_no_data_set_of_a_config_has_the_name_of_a_pool(shipped):
    named = {**shipped, "datasets": {**ENTRIES, "osie+crowd": ENTRIES["far"]}}
    with pytest.raises(settings.InputError, match=r"must consist of a-z, 0-9 and _ alone"):
        planned(named, ["osie", "crowd"], ["far"])


def test_a_complete_config_stays_as_it_is_when_it_is_completed_again(shipped):
    config = settings.complete(copy.deepcopy({**shipped, "fit_on": ["osie", "crowd"]}))
    again = settings.complete(copy.deepcopy(config))
    assert again == config and config["fit_on"] == ["osie", "crowd"]


def record(shipped, **overlaid):
    """Plan the case of record on made splits, an overlay of networks on top."""
    config = copy.deepcopy(shipped)
    update_config(config, read_yaml(settings.ROOT / "examples" / "record.yaml"))
    update_config(config, {"backbones": overlaid})
    settings.settle(config, settings.ROOT, [])
    return Plan.of(config, dict.fromkeys(("osie", "crowd", "scene"), SPLITS["far"]))


def test_the_case_of_record_has_all_that_its_page_shows(shipped):
    plan = record(shipped)
    networks = {"cmrnet", "unisal", "msinet"}
    assert set(plan.deep_models) == networks and plan.members == ["osie", "crowd", "scene"]
    assert {cell[2] for cell in plan.cells} == set(plan.members)
    for model in networks:
        last = "" if model == "cmrnet" else "_last"
        own = {p.partition("-")[2] for p in plan.explained if p.startswith(f"{model}-")}
        assert own == {"direct", *(f"{way}{last}" for way in ("cascade8", "cascade32", "refined8"))}
        assert len(plan.families[model]["direct"]["random_networks"]) == 5
        assert {f"{model}-loggabor_deep", f"{model}-loggabor_deep_same"} <= set(plan.deep_banks)
    assert set(plan.baselines) >= {
        "itti_koch", "gbvs", "spectral_residual", "sun", "gold_standard",
        "loggabor_fixations", "loggabor_equal",
    }  # fmt: skip
    assert plan.config["explanations"]["refined8"]["fusion"]["layers"] == "all"


def test_one_line_takes_weights_of_the_case_of_record_from_a_file(shipped):
    file = "pretrained/cmrnet_osie.safetensors"
    plan = record(shipped, cmrnet={"weights": file})
    assert plan.config["backbones"]["cmrnet"]["weights"].endswith(file)
    assert plan.config["backbones"]["unisal"]["weights"] == "train"
