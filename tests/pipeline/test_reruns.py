"""What reruns after a change: the table in the README, row by row."""

import os
import re

import numpy as np
import pandas as pd
import pytest
from pipeline.runs import (
    FIRST,
    ROOT,
    copy_checkout,
    plan,
    snakemake,
    write_stimulus,
)

from gaborscope.workflow import digests

pytestmark = pytest.mark.slow


def test_second_run_has_nothing_to_do(run):
    output, _ = snakemake(run[0], run[1])
    assert "Nothing to be done" in output
    report = run[0] / "results" / "report" / "index.html"
    assert output.rstrip().splitlines()[-1].split() == ["report", str(report)]


def test_figure_colour_reruns_only_the_report(run):
    folder, config, _ = run
    config["report"]["colour_map"] = "magma"
    assert plan(folder, config) == {"report": 1}


def test_another_metric_preset_scores_and_summarises_alone(run):
    folder, config, _ = run
    predictors = set(pd.read_csv(folder / "results" / "summary.csv")["predictor"])
    config["presets"] = ["exact", "pysaliency"]
    jobs = plan(folder, config)
    # verdicts are by the first preset, which stays
    assert set(jobs) == {"score", "summarise", "compare", "report"}
    assert jobs["score"] == len(predictors)  # by the new one alone


def test_fusion_setting_refits_no_filters(run):
    folder, config, _ = run
    config["explanations"]["direct"]["fusion"]["smoothing"] = 2.0
    jobs = plan(folder, config)
    assert jobs["fit_fusion"] == 1
    assert not {"fit_filters", "accumulate", "dump_activations", "train_backbone"} & set(jobs)


def test_bank_setting_dumps_and_trains_nothing(run):
    folder, config, _ = run
    config["explanations"]["direct"]["bank"]["bandwidth_ratio"] = 0.7
    jobs = plan(folder, config)
    assert jobs["fit_filters"] == len(config["activations"]["layers"])
    assert not {"dump_activations", "train_backbone", "predict_backbone"} & set(jobs)
    assert jobs["fit_deep_bank"] == 1  # the one with its regressors; the frozen one stays


def test_a_training_setting_retrains_but_prepares_no_data(run):
    folder, config, _ = run
    config["training"]["learning_rate"] = 0.001
    jobs = plan(folder, config)
    assert jobs["train_backbone"] == 1 and "prepare_dataset" not in jobs


def test_other_weights_rerun_all_that_follows_from_them(run):
    folder, config, _ = run
    path = folder / "results" / "weights" / "cmrnet.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(bytes(content))
    jobs = plan(folder, config)
    assert {"measure_layers", "dump_activations", "predict_backbone", "fit_fusion"} <= set(jobs)
    assert not {"prepare_dataset", "train_backbone", "predict_baseline"} & set(jobs)


def test_new_test_stimulus_is_scored_without_a_refit(run):
    folder, config, spare = run
    write_stimulus(folder / "data", spare["test"], 7)
    jobs = plan(folder, config)
    assert jobs["prepare_dataset"] == 1
    assert not {"train_backbone", "fit_filters", "fit_fusion", "fit_deep_bank"} & set(jobs)
    scores = "results/scores/exact/cmrnet-direct/made.csv"
    snakemake(folder, config, scores)
    assert spare["test"] in set(pd.read_csv(folder / scores)["stimulus"])


def test_new_fit_stimulus_retrains_and_refits(run):
    folder, config, spare = run
    write_stimulus(folder / "data", spare["fit"], 8)
    jobs = plan(folder, config)
    assert jobs["prepare_dataset"] == 1
    assert {"train_backbone", "fit_filters", "fit_fusion", "fit_deep_bank"} <= set(jobs)


def rules_with_changed_params(output):
    """Rules that a dry run would rerun for their own parameters' sake."""
    found = set()
    for part in re.split(r"^(?=rule |localrule )", output, flags=re.M):
        name = re.match(r"(?:local)?rule (\S+):", part)
        if name and re.search(r"reason:.*Params have changed", part):
            found.add(name[1].removesuffix("_cmrnet"))
    return found


@pytest.mark.parametrize(
    "module",
    [
        "explanation.fusion",
        "filters.loggabor",
        *(
            pytest.param(module, marks=pytest.mark.long)
            for module in ("scoring.metrics", "backbones.training", "report.page", "store.files")
        ),
    ],
)
def test_library_edit_reruns_exactly_the_rules_that_use_it(finished, run, tmp_path, module):
    folder, config, _ = run
    code = copy_checkout(tmp_path / "code")
    path = code.joinpath("scripts", "gaborscope", *module.split(".")).with_suffix(".py")
    path.write_text(path.read_text(encoding="utf-8") + "\n# edited\n", encoding="utf-8")
    output, jobs = snakemake(folder, config, "--dry-run", root=code)
    users = {
        script.stem
        for script in (ROOT / "scripts").glob("*.py")
        if module in digests.closure(*(digests.imported(script) - {"errors"}))
    } & set(finished[3])  # rules that this config needs
    # what reruns anyway, behind another rerun, does not name its parameters as the reason
    assert rules_with_changed_params(output) <= users <= set(jobs)
    assert rules_with_changed_params(output)


def test_an_upgraded_package_reruns_what_uses_it(run, finished, tmp_path, monkeypatch):
    upgraded = tmp_path / "upgraded" / "pyFFTW-99.0.dist-info"
    upgraded.mkdir(parents=True)
    (upgraded / "METADATA").write_text("Metadata-Version: 2.1\nName: pyFFTW\nVersion: 99.0\n")
    monkeypatch.setenv("PYTHONPATH", str(upgraded.parent))
    output, jobs = snakemake(run[0], run[1], "--dry-run")
    users = {
        script.stem
        for script in (ROOT / "scripts").glob("*.py")
        if "pyfftw" in digests.packages(*(digests.imported(script) - {"errors"}))
    } & set(finished[3])
    assert rules_with_changed_params(output) <= users <= set(jobs)
    assert "accumulate" in users and "train_backbone" not in users


def test_touching_a_stimulus_prepares_its_block_and_a_result_nothing(run):
    folder, config, _ = run
    for path in (folder / "results").rglob("*.csv"):
        os.utime(path)
    assert "Nothing to be done" in snakemake(folder, config, "--dry-run")[0]
    os.utime(folder / "data" / "stimuli" / FIRST)
    assert plan(folder, config)["prepare_dataset"] == 1


@pytest.mark.long
def test_a_changed_map_of_a_concept_is_imported_with_its_block_alone(run):
    folder, config, _ = run
    (folder / "faces").mkdir()
    maps = [folder / "faces" / f"{path.stem}.npy" for path in (folder / "data/stimuli").iterdir()]
    for path in maps:
        np.save(path, np.ones((3, 4)))
    config["concepts"] = {"faces": {"maps": str(folder / "faces")}}
    config["explanations"]["direct"]["concepts"] = ["faces"]
    jobs = plan(folder, config)
    assert {"accumulate", "fit_filters", "score_coalitions"} <= set(jobs)
    assert not {"prepare_dataset", "train_backbone", "dump_activations"} & set(jobs)
    blocks = sorted(path.name for path in (folder / "results/data/made").glob("*.h5"))
    assert jobs["import_concept"] == len(blocks)
    files = [f"results/concepts/faces/made/{block}" for block in blocks]
    snakemake(folder, config, *files)
    assert "import_concept" not in plan(folder, config)
    np.save(maps[0], np.zeros((3, 4)))
    assert plan(folder, config)["import_concept"] == 1


def test_an_edited_stage_script_reruns_its_rule_and_a_touched_one_nothing(run, tmp_path):
    code = copy_checkout(tmp_path / "code")
    for path in code.rglob("*"):  # as in a fresh checkout, everything is younger than the results
        os.utime(path)
    output, _ = snakemake(run[0], run[1], "--dry-run", root=code)
    assert "Nothing to be done" in output
    script = code / "scripts" / "report.py"
    script.write_text(script.read_text(encoding="utf-8") + "\n# edited\n", encoding="utf-8")
    assert plan(run[0], run[1], root=code) == {"report": 1}
