"""What a finished run is asked for besides: the new is made, nothing of the old again."""

import numpy as np
import pandas as pd
import pytest
from pipeline.runs import snakemake

from gaborscope.explanation.model import ExplainedModel
from gaborscope.store.blocks import read_data
from gaborscope.store.saliency import read_density

pytestmark = pytest.mark.slow


def test_faithfulness_is_tested_and_changes_are_made_where_they_are_asked_for(run):
    folder, config, _ = run
    config["analyses"] += ["faithfulness", "differentiation"]
    _, jobs = snakemake(folder, config)
    assert jobs == {
        "measure_means": 1, "substitute": 1, "rank_notches": 1, "intervene": 1,
        "summarise_faithfulness": 1, "differentiate": 1, "judge": 1, "report": 1,
    }  # fmt: skip
    results = folder / "results" / "faithfulness" / "cmrnet" / "made" / "direct"
    replaced = pd.read_csv(results / "substitution.csv")
    own = replaced[replaced["substitute"] == "reconstruction"]
    assert set(own["layer"]) == set(config["activations"]["layers"])
    # no two test stimuli have a size in common, so that none can stand for another ("other")
    assert set(replaced["substitute"]) == {
        "intact", "reconstruction", "mean", "shuffled", "resampled"
    }  # fmt: skip
    changed = pd.read_csv(results / "interventions.csv")
    energies = changed.pivot_table(index=["stimulus", "notch"], columns="kind", values="energy")
    # pixels are whole numbers, and what is taken out of these small images may be little
    np.testing.assert_allclose(energies["lower_half"], energies["leading"], rtol=0.2)
    page = (folder / "results" / "report" / "index.html").read_text(encoding="utf-8")
    assert "Is it faithful? cmrnet, explanation direct" in page
    assert "Where they part: cmrnet, explanation direct" in page
    parted = pd.read_csv(folder / "results" / "differentiation" / "cmrnet" / "made" / "direct.csv")
    assert list(parted["kind"]) == ["noise", "network", "explanation"]
    np.testing.assert_allclose(parted["rms"], 4, atol=0.1)
    ranked = pd.read_csv(folder / "results/figures/cmrnet-direct_disagreement.csv")
    assert ranked["kl_deep"].is_monotonic_decreasing
    assert list(ranked["shown"].dropna().unique()) == ["most", "median", "least"]
    split = ranked.drop(columns=["shown", "stimulus", "kl_deep", "cc_deep"])
    assert {"contrast", "scale", "unexplained"} <= set(split) and split.notna().all().all()


def test_banks_fitted_to_fixations_have_a_spectrum_too(run):
    folder, config, _ = run
    banks = ["loggabor_fixations", "loggabor_equal"]
    config["baselines"]["predictors"] = banks
    config["spectra"] = {"predictors": ["cmrnet", *banks]}
    snakemake(folder, config, "results/spectra.csv")
    table = pd.read_csv(folder / "results" / "spectra.csv")
    assert set(table["predictor"]) == {"cmrnet", *banks}
    equal = table[table["predictor"] == "loggabor_equal"]["value"].to_numpy()
    other = table[table["predictor"] == "loggabor_fixations"]["value"].to_numpy()
    assert np.isfinite(equal).all() and not np.allclose(equal, other)


def test_cascades_are_fitted_refined_and_reported_beside_the_direct_explanation(run):
    folder, config, _ = run
    config["explanations"]["cascade"] = {
        "mode": "cascade",
        "budget": 4,
        "image": {"bank": {"n_scales": 2, "n_orientations": 2}},
        "edge": {"n_scales": 1, "n_orientations": 2},
    }
    config["explanations"]["refined"] = {"mode": "refined", "epochs": 1}
    _, jobs = snakemake(folder, config)
    assert not {"train_backbone", "fit_filters", "dump_activations", "fit_fusion"} & set(jobs)
    assert (jobs["fit_cascade"], jobs["refine_cascade"], jobs["evaluate_cascade"]) == (1, 1, 2)
    table = pd.read_csv(
        folder / "results" / "explained_variance" / "cmrnet" / "made" / "refined.csv"
    )
    assert set(table["layer"]) > {"stem", "cmr1_s1", "logits"}
    assert table["largest_support"].max() == 4
    model = ExplainedModel.load(folder / "results" / "explained" / "cmrnet" / "made" / "refined.h5")
    path = folder / "results" / "saliency" / "cmrnet-refined" / "made"
    stored = next(path.glob("*.h5"))
    block = read_data(folder / "results" / "data" / "made" / stored.name)
    density = read_density(stored, 0)
    np.testing.assert_allclose(model.predict(block.image(0)), density, rtol=1e-3)
    assert "explanation refined" in (folder / "results" / "report" / "index.html").read_text(
        "utf-8"
    )
    config["explanations"]["refined"]["learning_rate"] = 0.02
    _, jobs = snakemake(folder, config, "--dry-run")
    assert jobs["refine_cascade"] == 1 and "fit_cascade" not in jobs
    # an explanation of no model is left out of tables and report; nothing else is made again
    del config["explanations"]["refined"]["learning_rate"]
    config["explanations"]["direct"]["models"] = []
    _, jobs = snakemake(folder, config)
    assert set(jobs) <= {"summarise", "summarise_fidelity", "compare", "judge", "report", "all"}
    summary = pd.read_csv(folder / "results" / "summary.csv")
    assert set(summary["predictor"]) >= {"cmrnet", "cmrnet-cascade", "cmrnet-refined"}
    assert "cmrnet-direct" not in set(summary["predictor"])
