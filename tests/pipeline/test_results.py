"""What a finished run holds."""

import datetime
import re

import h5py
import numpy as np
import pandas as pd
import pytest
from PIL import Image
from pipeline.runs import ROOT, WANTED, made_names, plan, snakemake

from gaborscope.explanation.model import ExplainedModel
from gaborscope.report import pages
from gaborscope.scoring import exposure

FIGURES = "results/figures"
MEASURES = (
    "kl_deep", "cc_deep", "partial_cc_deep", "fidelity", "gain_by_layers", "gain_by_layers_same"
)  # fmt: skip

pytestmark = pytest.mark.slow


def test_every_stage_runs(finished):
    assert {
        "prepare_dataset", "train_backbone", "measure_layers", "dump_activations",
        "predict_backbone", "accumulate", "fit_filters", "evaluate_filters", "identify",
        "reconstruct", "fit_fusion", "fuse", "fit_centre_bias", "predict_baseline", "score",
        "summarise", "compare", "compare_halves", "judge", "describe_tuning", "score_coalitions",
        "split_bits", "dissect", "accumulate_spectra", "fit_spectra", "report",
        "fit_deep_bank", "predict_deep_bank", "compare_with_deep", "summarise_fidelity",
    } == set(finished[3])  # fmt: skip


def test_the_picture_in_the_readme_shows_every_rule(finished):
    picture = (ROOT / "docs" / "figures" / "rulegraph.svg").read_text(encoding="utf-8")
    drawn = set(re.findall(r"<text[^>]*>(\w+)</text>", picture)) - {"all"}
    faithful = {
        "measure_means", "substitute", "rank_notches", "intervene", "summarise_faithfulness"
    }  # fmt: skip
    assert drawn == set(finished[3]) | faithful


def test_summary_has_every_predictor_and_metric(finished):
    table = pd.read_csv(finished[0] / "results" / "summary.csv")
    assert list(table.columns) == [
        "preset", "predictor", "dataset", "metric", "mean", "ci_low", "ci_high", "n"
    ]  # fmt: skip
    config = finished[1]
    predictors = {"centre_bias", "gold_standard", "cmrnet", "cmrnet-direct"}
    predictors |= {"cmrnet-loggabor_deep", "cmrnet-loggabor_deep_same"}  # its bank is no default
    predictors |= set(config["baselines"]["predictors"])
    assert set(table["preset"]) == set(config["presets"])
    assert set(table["predictor"]) == predictors
    assert set(table["metric"]) >= {"auc", "auc_shuffled", "nss", "cc", "kld", "sim", "ig"}
    assert (table["n"] == WANTED["test"]).all()


def test_fidelity_of_everything_but_the_deep_model_itself_is_measured(finished):
    results = finished[0] / "results"
    table = pd.read_csv(results / "fidelity.csv")
    assert list(table.columns) == [
        "predictor", "dataset", "measure", "mean", "ci_low", "ci_high", "n"
    ]  # fmt: skip
    predictors = set(pd.read_csv(results / "summary.csv")["predictor"]) - {"cmrnet"}
    assert set(table["predictor"]) == predictors
    values = table.set_index(["predictor", "measure"])["mean"]
    for predictor in predictors:
        assert (values[predictor].index == list(MEASURES)).all()
        ratio = values[predictor, "kl_deep"] / values["centre_bias", "kl_deep"]
        assert values[predictor, "fidelity"] == pytest.approx(1 - ratio)
    assert values["cmrnet-loggabor_deep", "gain_by_layers"] == 0
    assert values["cmrnet-loggabor_deep_same", "gain_by_layers_same"] == 0
    assert values.loc[["gold_standard", "centre_bias"], "partial_cc_deep"].isna().all()


def test_scores_have_one_row_per_test_stimulus(finished):
    table = pd.read_csv(finished[0] / "results" / "scores" / "exact" / "cmrnet" / "made.csv")
    names = made_names()["test"][: WANTED["test"]]
    assert sorted(table["stimulus"]) == sorted(names)


def test_predictors_are_compared_in_pairs_normalised_and_ranked(finished):
    results = finished[0] / "results"
    summary = pd.read_csv(results / "summary.csv")
    predictors = set(summary["predictor"])
    for name in ("normalised", "ranks"):
        table = pd.read_csv(results / f"{name}.csv")
        assert set(table["predictor"]) == predictors
        assert set(table["preset"]) == set(summary["preset"])
    pairs = pd.read_csv(results / "differences.csv").groupby(["preset", "metric"])
    assert (pairs.size() == len(predictors) * (len(predictors) - 1) // 2).all()
    html = (results / "report" / "index.html").read_text(encoding="utf-8")
    captions = re.findall(r'<div class="above">(.*?)</div>', html, re.S)
    scored = [caption for caption in captions if "data set" in caption.lower()]
    assert sum("Preset" in caption for caption in scored) >= 4 * len(set(summary["preset"]))


def test_every_map_has_an_identity_of_few_filters(finished):
    results = finished[0] / "results"
    named = pd.read_csv(results / "identities" / "cmrnet" / "made" / "direct.csv")
    curve = pd.read_csv(results / "sparsity" / "cmrnet" / "made" / "direct.csv")
    assert set(named["layer"]) == {"cmr1", "logits"}
    ranks = named.groupby(["layer", "map"])["rank"].apply(list)
    assert all(own == list(range(1, len(own) + 1)) and len(own) <= 8 for own in ranks)
    assert {*named["colour"].dropna()} <= {"Y", "U", "V"}
    seen = named.dropna(subset=["cycles_per_degree"])
    np.testing.assert_allclose(seen["cycles_per_degree"] * seen["wavelength_px"], 8, rtol=1e-4)
    assert (curve.groupby("layer").size() == 7).all()
    assert (
        named.sort_values("named", ascending=False, kind="stable")
        .groupby(["layer", "map"])["rank"]
        .apply(lambda own: own.is_monotonic_increasing)
        .all()
    )
    refined = named.dropna(subset=["refined_wavelength_px"])
    assert len(refined) and refined["named"].all() and refined["share"].notna().all()
    for key in ("wavelength_px", "orientation_deg", "bandwidth_ratio"):
        low, value, high = (refined[f"refined_{key}{end}"] for end in ("_low", "", "_high"))
        assert ((low <= value) & (value <= high)).all()


def test_explained_model_predicts_what_the_workflow_fused(finished):
    results = finished[0] / "results"
    model = ExplainedModel.load(results / "explained" / "cmrnet" / "made" / "direct.h5")
    path = sorted((results / "saliency" / "cmrnet-direct" / "made").glob("*.h5"))[-1]
    with h5py.File(path) as file:
        for index, name in enumerate(file["name"].asstr()[()]):
            image = np.array(Image.open(finished[0] / "data" / "stimuli" / name).convert("RGB"))
            fused = np.exp(file[f"log_density/{index}"][()])
            # the files between hold float16
            np.testing.assert_allclose(model.predict(image), fused, rtol=0.03)


def test_the_parts_of_the_explained_bits_add_up_to_the_deep_model(finished):
    table = pd.read_csv(finished[0] / "results" / "bits" / "cmrnet" / "made" / "direct.csv")
    bits = table.set_index("part")["bits"]
    assert np.isclose(bits.drop(["explained", "deep", "fused"]).sum(), bits["deep"], atol=1e-5)
    scores = pd.read_csv(finished[0] / "results/scores/exact/cmrnet/made.csv")
    assert np.isclose(bits["deep"], scores["ig"].mean(), atol=1e-5)


def test_every_predictor_that_is_no_explanation_has_a_spectrum(finished):
    table = pd.read_csv(finished[0] / "results" / "spectra.csv")
    assert set(table["predictor"]) == {"cmrnet", "centre_bias", "gold_standard"}
    # what is named by filters without a wavelength alone has no mean wavelength
    assert table.loc[table["group"] != "mean_wavelength", "value"].notna().all()


def test_the_workflow_scores_no_stimulus_that_was_trained_on(finished):
    results = finished[0] / "results"
    entries = exposure.trained_on(results / "weights" / "cmrnet.safetensors")
    names = sorted(path.name for path in (finished[0] / "data" / "stimuli").iterdir())
    seen = exposure.seen(entries, "made", "folder", names)
    scored = pd.read_csv(results / "scores" / "exact" / "cmrnet" / "made.csv")
    assert len(seen) == 14 and not seen.intersection(scored["stimulus"])


def test_a_report_of_the_run_can_be_made(run):
    folder, config, _ = run
    snakemake(folder, config, "--report", "run.html")
    html = (folder / "run.html").read_text(encoding="utf-8")
    for section in ("Report", "Explanation", "Photographs", "Evidence", "Scores"):
        assert f'"{section}"' in html
    shown = re.findall(r'"results/figures/([\w-]+)\.svg": {.*?"caption": "(.*?)", "mime', html)
    assert {name for name, _ in shown} == {p.stem for p in (folder / FIGURES).glob("*.svg")}
    for name, caption in shown:
        words = re.sub("<[^>]*>", "", caption)
        assert not words.startswith("The table behind it") and f"{name}.csv" in words


def test_every_figure_of_the_page_has_words_for_it_and_files_beside_it(finished):
    page = finished[0] / "results" / "report" / "index.html"
    html = page.read_text(encoding="utf-8")
    alts = re.findall(r'<img src="[^"]*" alt="([^"]*)"', html)
    assert len(alts) == len(set(alts)) == len(list((finished[0] / FIGURES).glob("*.svg"))) > 10
    assert all(len(alt) > 20 for alt in alts)
    links = [link for link in re.findall(r'href="([^"#]*)"', html) if not link.startswith("data:")]
    assert {link.rpartition(".")[2] for link in links} == {"csv", "svg", "png"}
    for link in links:
        assert (page.parent / link).is_file(), link
    for figure in (finished[0] / FIGURES).glob("*.png"):
        assert len(pd.read_csv(figure.with_suffix(".csv")))


def test_the_page_says_what_was_found_and_that_four_stimuli_show_nothing(finished):
    folder = finished[0]
    html = (folder / "results" / "report" / "index.html").read_text(encoding="utf-8")
    summary = html[html.index('id="summary"') : html.index('id="explanation"')]
    assert "The explanation cmrnet-direct has a fidelity of" in summary
    assert f"has {WANTED['test']} test stimuli" in summary
    assert "nan" not in re.split(
        r"\W+", re.sub("<style>.*?</style>|<[^>]*>", " ", html, flags=re.S)
    )
    counts = ", ".join(
        f"{WANTED[split]} {use}"
        for split, use in (("fit", "to fit"), ("validation", "for choices"), ("test", "to test"))
    )
    assert f"made: {counts}" in html


def test_a_split_too_small_is_said_when_planned(finished):
    folder, config, _, _ = finished
    output, _ = snakemake(folder, config, "--dry-run")
    assert output.count(f"data set 'made' has {WANTED['test']} test stimuli") == 1


def test_bits_of_people_are_split_and_reported_where_they_are_asked_for(run):
    folder, config, _ = run
    config = {**config, "bits": {**config.get("bits", {}), "people": True}}
    jobs = plan(folder, config)
    assert jobs["score_people"] == jobs["split_bits"] == jobs["report"] == 1


def test_maps_of_the_test_split_are_exported_where_they_are_asked_for(run):
    folder, config, _ = run
    predictors = {"centre_bias", "cmrnet", "cmrnet-direct"}
    predictors |= {"cmrnet-loggabor_deep", "cmrnet-loggabor_deep_same"}
    assert plan(folder, config, "export") == {"export": 1, "export_maps": len(predictors)}
    target = "results/export/cmrnet-direct/made"
    _, jobs = snakemake(folder, config, target)
    assert jobs == {"export_maps": 1}
    with h5py.File(folder / target / "log_density.h5") as file:
        assert sorted(file) == sorted(made_names()["test"][: WANTED["test"]])
    assert len(list((folder / target / "png").iterdir())) == WANTED["test"]
    assert not (folder / target / "npy").exists()


def test_tables_of_record_are_those_of_the_run_with_its_config(run):
    folder, config, _ = run
    _, jobs = snakemake(folder, config, "record")
    assert jobs == {"record": 1}
    record = folder / "results" / "record"
    for name in ("summary", "shares", "verdicts", "fidelity"):
        pd.testing.assert_frame_equal(
            pd.read_csv(record / f"{name}.csv"), pd.read_csv(folder / "results" / f"{name}.csv")
        )
    for name, column in (("explained_variance", "explained_variance"), ("identities", "share")):
        table = pd.read_csv(record / f"{name}.csv")
        own = pd.read_csv(folder / "results" / name / "cmrnet" / "made" / "direct.csv")
        own = own[own["named"]] if name == "identities" else own
        assert set(table["model"] + "-" + table["explanation"]) == {"cmrnet-direct"}
        np.testing.assert_array_equal(table[column], own[column])
    described = pages.Tables(record).run()
    (commit,) = described["commits"]
    assert len(commit.removesuffix("-dirty")) == 40
    assert described["config"]["training"]["epochs"] == config["training"]["epochs"]
    assert described["config_files"] == ["settings.yaml"]
    assert described["processor"] and datetime.date.fromisoformat(described["date"])
    assert described["roles"]["cmrnet-direct"] == "explanation"
    assert set(described["families"]["cmrnet"]) == {"direct"}
