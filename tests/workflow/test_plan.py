"""The plan of a run: which models, explanations, predictors and analyses meet."""

import copy
import dataclasses

import pytest

from gaborscope.errors import InputError
from gaborscope.workflow import backbone_entries, settings
from gaborscope.workflow.completion import read_yaml
from gaborscope.workflow.plan import BANK_FOLDERS, Plan

BLOCKS = {
    "fit": [f"0{i}" for i in range(7)],
    "validation": ["07"],
    "test": ["08", "09"],
}


@pytest.fixture
def config():
    """Two trainings, a random copy and a classifier; direct, a control and two cascades."""
    shipped = read_yaml(settings.ROOT / "config.yaml")
    shipped["models"] = {
        "cmrnet": None,
        "second": {"like": "cmrnet", "seed": 2},
        "blank": {"like": "cmrnet", "weights": "random"},
        "layers_only": {
            "factory": "net.py:build", "weights": "w.pth", "layers": {"first": "features.0"},
            "input": {"output": "none"},
        },
    }  # fmt: skip
    shipped["explanations"] |= {
        "noise": {"control": "random", "models": ["cmrnet"]},
        "few": {"solver": {"name": "omp", "budget": 4}, "models": []},
        "cascade": {"mode": "cascade"},
        "refined": {"mode": "refined"},
    }
    shipped["maps"] = {"theirs": {"paths": {"other": "somewhere"}}}
    shipped["datasets"]["other"] = {"type": "folder", "path": "x"}
    shipped["evaluate_on"] = ["demo", "other"]
    return shipped


def planned(config, **changes):
    config = settings.complete(copy.deepcopy({**config, **changes}))
    backbone_entries.complete(config)
    return Plan.of(config, {"demo": BLOCKS, "other": BLOCKS})


def test_models_are_told_apart_by_their_weights(config):
    plan = planned(config)
    assert plan.trained == ["cmrnet", "second"]
    assert plan.random_copies == ["blank"]
    assert plan.imported == ["layers_only"]
    assert plan.deep_models == ["cmrnet", "second"]
    assert plan.salient_models == ["cmrnet", "second", "blank"]


def test_a_random_copy_is_fused_to_the_densities_of_the_trained_model(config):
    plan = planned(config)
    assert plan.targets["blank"] == "cmrnet" and plan.targets["second"] == "second"
    assert plan.explained["blank-direct"] == "cmrnet"


def test_a_random_copy_without_its_trained_model_is_refused(config):
    with pytest.raises(InputError, match="blank.*cmrnet"):
        planned(config, models={"blank": config["models"]["blank"]})


def test_an_explanation_explains_the_models_it_names_and_all_where_it_names_none(config):
    sections = planned(config).sections
    assert [model for model, name in sections if name == "noise"] == ["cmrnet"]
    assert [model for model, name in sections if name == "few"] == []
    assert [model for model, name in sections if name == "direct"] == list(config["models"])


def test_layers_alone_get_no_cascade_and_no_saliency(config):
    plan = planned(config)
    assert ["layers_only", "direct"] in plan.sections
    assert ["layers_only", "cascade"] not in plan.sections
    assert not any(name.startswith("layers_only") for name in plan.predictors)


def test_centre_bias_and_gold_standard_are_always_there(config):
    config["baselines"]["predictors"] = ["itti_koch"]
    assert planned(config).baselines == ["centre_bias", "gold_standard", "itti_koch"]


def test_maps_are_scored_on_the_data_sets_that_they_are_there_for(config):
    cells = planned(config).cells
    assert [dataset for _, name, dataset in cells if name == "theirs"] == ["other"]
    assert [dataset for _, name, dataset in cells if name == "cmrnet"] == ["demo", "other"]


def test_a_data_set_without_blocks_is_pending(config):
    config = settings.complete(config)
    backbone_entries.complete(config)
    empty = {split: [] for split in BLOCKS}
    assert Plan.of(config, {"demo": BLOCKS, "other": empty}).pending == ["other"]


def test_blocks_of_a_baseline_are_those_of_the_splits_that_it_is_fitted_to(config):
    plan = planned(config)
    assert plan.baseline_blocks("centre_bias", "demo") == []
    assert plan.baseline_blocks("sun", "demo") == plan.blocks["demo"]["fit"]


def test_splits_add_up(config):
    plan = planned(config)
    assert plan.held_out("demo") == ["07", "08", "09"]
    assert sorted(plan.all_blocks("demo")) == sorted(sum(BLOCKS.values(), []))
    assert plan.chosen_on() == [*BLOCKS["fit"], "07"]


def test_stimuli_per_block_cover_what_is_asked_for(config):
    config["faithfulness"]["stimuli"] = 5
    assert planned(config).stimuli_per_block("stimuli", "demo", "test") == 3  # of two blocks


ANALYSES = {
    "bits": lambda plan: plan.bits,
    "spectra": lambda plan: plan.spectra,
    "anatomy": lambda plan: plan.direct_sections("anatomy"),
    "halves": lambda plan: plan.halves(),
    "seeds": lambda plan: plan.seeded,
    "faithfulness": lambda plan: plan.faithful,
    "sparsity_scores": lambda plan: plan.sparsity_scored,
    "differentiation": lambda plan: plan.differentiated,
}


@pytest.mark.parametrize("analysis", ANALYSES)
def test_an_analysis_is_planned_where_it_is_listed_and_only_there(config, analysis):
    asked = ANALYSES[analysis]
    assert asked(planned(config, analyses=[analysis]))
    others = [name for name in ANALYSES if name != analysis]
    assert not asked(planned(config, analyses=others))
    every = planned(config, analyses=list(ANALYSES))
    assert not asked(dataclasses.replace(every, config={**every.config, "analyses": others}))


def test_bits_are_split_for_deep_models_and_ridge_alone(config):
    config["explanations"]["few"]["models"] = None
    assert {tuple(pair) for pair in planned(config).bits} == {
        ("cmrnet", "direct"), ("cmrnet", "noise"), ("second", "direct"),
    }  # fmt: skip


def test_trainings_of_one_network_are_a_family(config):
    plan = planned(config)
    assert plan.seed_families["direct"] == [["cmrnet", "second"]]
    assert plan.seeded == {"direct": ["cmrnet", "second"]}  # noise explains one of them alone
    assert plan.other_trainings("cmrnet") == ["second"]


def test_spectra_leave_out_what_has_no_file_or_no_spectrum(config):
    assert planned(config).spectra == ["cmrnet", "second", "centre_bias", "gold_standard"]
    config["spectra"]["predictors"] = "all"
    config["baselines"]["predictors"] = ["uniform", "loggabor_fixations"]
    plan = planned(config)
    assert "uniform" not in plan.spectra and plan.computed_banks == ["loggabor_fixations"]


def test_a_predictor_depends_on_its_model_and_on_the_one_it_is_fused_to(config):
    plan = planned(config)
    assert plan.behind("blank-direct") == ["blank", "cmrnet"]
    assert plan.behind("second-cascade") == ["second"]
    assert plan.behind("gold_standard") == plan.behind("theirs") == []


def test_settings_of_an_explanation_do_not_depend_on_whom_it_explains(config):
    before = planned(config).settings_of("noise")
    config["explanations"]["noise"]["models"] = None
    assert planned(config).settings_of("noise") == before


def test_the_equal_bank_has_the_regressors_of_its_explanation_and_the_models_input(config):
    config["baselines"]["predictors"] = ["loggabor_equal"]
    plan = planned(config)
    bank, direct = plan.equal_bank(), plan.config["explanations"]["direct"]
    assert bank["bank"] == direct["bank"] and bank["pools"] == direct["pools"]
    assert bank["input"] == {"height": 96, "width": 128}


def test_the_ablation_fits_few_blocks_and_validates_on_all(config):
    config["ablation"]["options"] = {"grey": {"kinds": ["amplitude"]}}
    plan = planned(config)
    assert plan.ablation_blocks == {"fit": ["00", "01"], "validation": ["07"]}
    assert list(plan.ablation_options) == ["direct", "grey"]
    assert ["second", "grey"] in plan.ablation_trials
    assert not any(model == "blank" for model, _ in plan.ablation_trials)


def test_bits_are_split_for_the_explanations_that_are_chosen(config):
    config["bits"]["explanations"] = ["noise"]
    assert planned(config, analyses=["bits"]).bits == [["cmrnet", "noise"]]


@pytest.mark.parametrize("analyses, people", [(["bits"], True), (["bits"], False), ([], True)])
def test_bits_of_people_are_split_where_they_are_asked_for(config, analyses, people):
    config["bits"].update(people=people, explanations=["noise"])
    plan = planned(config, analyses=analyses)
    own = ["gold_standard", "loggabor_fixations"]
    assert (own in plan.bits) == (people and bool(analyses))
    assert plan.bit_parts(*own) == ["0"]
    assert all(plan.bit_parts(*section) for section in plan.bits)


def test_maps_of_concepts_lie_where_the_config_says_by_data_set(config):
    config["concepts"] = {"faces": {"maps": "f"}, "text": {"maps": {"demo": "t"}}}
    plan = planned(config)
    assert plan.concept_path("faces", "demo") == "f" and plan.concept_path("text", "demo") == "t"
    assert [row for row in plan.map_folders() if row[0] == "concepts"] == [
        *(("concepts", "faces", dataset, "f") for dataset in plan.datasets),
        ("concepts", "text", "demo", "t"),
    ]


def test_faithfulness_is_tested_for_deep_models_by_data_set_and_chosen_explanation(config):
    config["faithfulness"]["explanations"] = ["direct", "cascade"]
    assert planned(config, analyses=["faithfulness"]).faithful == [
        [model, dataset, explanation]
        for model in ("cmrnet", "second")
        for explanation in ("direct", "cascade")
        for dataset in ("demo", "other")
    ]


def test_chosen_explanations_are_parted_from_deep_models_by_data_set(config):
    assert planned(config, analyses=["differentiation"]).differentiated == [
        [model, dataset, "direct"]
        for model in ("cmrnet", "second")
        for dataset in ("demo", "other")
    ]


def test_layers_are_those_of_each_model_by_their_alias(config):
    plan = planned(config)
    assert list(plan.layers) == list(plan.cascade_layers) == list(config["models"])
    assert plan.layers["layers_only"] == {"first": "features.0"}
    assert plan.cascade_layers["layers_only"] == {"first": "features.0"}
    assert plan.layers["second"] == plan.layers["cmrnet"]
    assert set(plan.layers["cmrnet"]) < set(plan.cascade_layers["cmrnet"])
    assert plan.cascade_layers["cmrnet"] == plan.config["backbones"]["cmrnet"]["cascade_layers"]


def test_everything_is_scored_by_every_preset_on_the_data_sets_of_the_report(config):
    plan = planned(config, fit_on="demo", evaluate_on=["other"], presets=["mit", "exact"])
    assert plan.datasets == ["demo", "other"] and plan.presets == ["mit", "exact"]
    assert plan.cells == [
        (preset, name, "other") for preset in ("mit", "exact") for name in plan.predictors
    ]
    assert plan.predictors == [
        *plan.baselines, "cmrnet", "second", *plan.explained, *plan.deep_banks, "theirs",
    ]  # fmt: skip
    assert planned(config, evaluate_on=["other", "demo"]).datasets == ["demo", "other"]


def test_predictors_are_compared_with_the_centre_bias_and_explanations_with_their_network(config):
    plan = planned(config)
    pairs = plan.compared_pairs()
    others = [name for name in plan.predictors if name != "centre_bias"]
    assert pairs[: len(others)] == [[name, "centre_bias"] for name in others]
    assert pairs[len(others) :] == [[name, model] for name, model in plan.explained.items()]
    assert ["blank-direct", "cmrnet"] in pairs and ["second-cascade", "second"] in pairs


def test_a_training_that_starts_from_weights_is_continued(config):
    config["models"]["second"]["start"] = "weights.pth"
    plan = planned(config)
    assert plan.continued == ["second"] and plan.trained == ["cmrnet", "second"]
    assert planned(config, models={"cmrnet": None}).continued == []


def test_explanations_are_told_apart_by_their_mode(config):
    plan = planned(config)
    assert plan.direct == ["direct", "noise", "few"]
    assert (plan.cascades, plan.refined) == (["cascade"], ["refined"])
    assert plan.start_of("refined") == plan.settings_of("cascade")
    assert "models" not in plan.start_of("refined")


def test_regressors_are_decided_by_some_of_the_settings(config):
    plan = planned(config)
    entry, found = plan.config["explanations"]["noise"], plan.regressor_settings("noise")
    assert found["control"] == "random" and found["bank"] == entry["bank"]
    assert found.items() <= entry.items()
    assert not {"solver", "penalties", "fusion", "models"} & set(found)


def test_banks_and_random_networks_are_known_of_layers_alone_too(config):
    config["explanations"]["noise"]["models"] = ["cmrnet", "layers_only"]
    found = planned(config).banks_and_randoms
    assert found["cmrnet-direct"]["random_bank"] == ["cmrnet-noise"]
    assert found["cmrnet-direct"]["random_networks"] == ["blank-direct"]
    assert found["layers_only-direct"]["random_bank"] == ["layers_only-noise"]
    assert not {"cmrnet-noise", "blank-direct"} & set(found)  # these are nulls themselves


def test_the_solver_of_an_explanation_is_name_and_budget(config):
    config["explanations"]["few"]["models"] = None
    assert planned(config).solver_of("few") == {"name": "omp", "budget": 4}
    assert planned(config).solver_of("direct") == {"name": "ridge", "budget": None}


def test_halves_are_compared_for_direct_explanations_of_trained_networks(config):
    halves = planned(config, analyses=["halves"]).halves()
    assert halves == [["cmrnet", "direct"], ["second", "direct"]]


def test_baselines_in_spectra_are_computed_with_their_own_settings(config):
    config["spectra"]["predictors"] = ["cmrnet", "centre_bias", "itti_koch", "loggabor_equal"]
    config["baselines"]["predictors"] = ["itti_koch", "loggabor_equal", "loggabor_fixations"]
    plan = planned(config, analyses=["spectra"])
    assert list(plan.computed_spectra) == ["centre_bias", "itti_koch", "loggabor_equal"]
    entry = plan.config["baselines"]["loggabor_equal"]
    assert plan.computed_spectra["loggabor_equal"] == entry
    assert plan.computed_spectra["centre_bias"] == plan.config["baselines"].get("centre_bias", {})
    assert plan.computed_banks == ["loggabor_equal"]
    folders = BANK_FOLDERS["loggabor_equal"], BANK_FOLDERS["loggabor_fixations"]
    assert folders == ("equal_bank", "fixation_bank")


def test_maps_are_in_spectra_where_they_cover_the_data_set_of_the_fits(config):
    assert "theirs" not in planned(config, analyses=["spectra"]).spectra
    config["maps"]["theirs"]["paths"]["demo"] = "there"
    assert planned(config, analyses=["spectra"]).spectra[-1] == "theirs"


def test_blocks_of_the_ablation_are_counted_from_the_first(config):
    config["ablation"]["blocks"] = 3
    plan = planned(config)
    assert plan.ablated() == ["00", "01", "02", "07"]


def test_a_readout_goes_on_from_a_linear_explanation_whose_nulls_are_made_too(config):
    config["models"] = {"cmrnet": None}
    config["explanations"]["bent"] = {"like": "direct", "readout": "pairs", "start": "direct"}
    config["explanations"]["bent"]["models"] = ["cmrnet"]
    config["nulls"] |= {"explanations": ["bent"], "randoms": 1, "banks": {"noise": 1}}
    plan = planned(config)
    assert plan.config["explanations"]["bent_noise1"]["start"] == "direct_noise1"
    assert ["cmrnet", "bent"] in plan.readout_sections
    assert ["cmrnet", "bent"] not in plan.direct_sections()
    assert plan.of_mode("direct", "cmrnet_random1", nulls=True) == ["direct", "bent"]
    assert "direct" in plan.of_mode("direct", "cmrnet", nulls=False)
    assert set(plan.of_mode("direct", "cmrnet", nulls=True)) == {"direct_noise1", "bent_noise1"}
    families = plan.families["cmrnet"]["bent"]
    assert families["noise_banks"] == ["cmrnet-bent_noise1"]
    assert families["random_networks"] == ["cmrnet_random1-bent"]
