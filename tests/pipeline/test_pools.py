"""Two data sets at `fit_on`: one explanation of both, each data set with its centre bias."""

import h5py
import numpy as np
import pandas as pd
import pytest
from PIL import Image
from pipeline.runs import DATA, WANTED, contents, make_dataset, plan, snakemake, tiny_config

from gaborscope.explained import ExplainedModel
from gaborscope.scoring import exposure
from gaborscope.store.saliency import read_density

pytestmark = pytest.mark.long
POOL = "made+other"


def make_other(folder):
    """Write a data set of wider photographs; everybody looks at their right half."""
    make_dataset(folder)
    table = pd.read_csv(folder / "fixations.csv")
    for path in (folder / "stimuli").iterdir():
        image = Image.open(path).convert("RGB")
        wide = Image.new("RGB", (2 * image.width, image.height), (120, 120, 120))
        wide.paste(image, (image.width, 0))
        wide.save(path)
        table.loc[table["stimulus"] == path.name, "x"] += image.width
    table.to_csv(folder / "fixations.csv", index=False)


def stored(results, explanation, dataset):
    """Return the first test stimulus of a data set and what an explanation predicts of it."""
    with h5py.File(results / "data" / dataset / "08.h5") as file:
        image = np.asarray(Image.open(file["stimulus/path"].asstr()[0]).convert("RGB"))
    path = results / "saliency" / f"cmrnet-{explanation}" / dataset / "08.h5"
    return image, read_density(path, 0)


def test_each_data_set_of_several_keeps_its_centre_bias_and_its_scores(tmp_path):
    make_dataset(tmp_path / "data")
    make_other(tmp_path / "other")
    config = tiny_config()
    other = {"type": "folder", "path": DATA.replace("data", "other"), "px_per_degree": 12}
    config["datasets"]["other"] = other
    config.update(fit_on=["made", "other"], evaluate_on=["made", "other"], analyses=["halves"])
    snakemake(tmp_path, config)
    results = tmp_path / "results"
    # scores are of each data set
    summary = pd.read_csv(results / "summary.csv")
    nss = summary[summary["metric"] == "nss"].set_index(["predictor", "dataset"])
    assert set(summary["dataset"]) == {"made", "other"}
    assert (nss["n"] == WANTED["test"]).all()
    assert nss["mean"]["centre_bias", "other"] > nss["mean"]["centre_bias", "made"] + 0.3
    fidelity = pd.read_csv(results / "fidelity.csv")
    assert set(fidelity["dataset"]) == {"made", "other"}
    assert {"made", "other"} <= set(pd.read_csv(results / "verdicts.csv")["dataset"])
    # the network was trained on both, and says so
    entries = exposure.trained_on(results / "weights" / "cmrnet.safetensors")
    assert {(entry["pool"], entry["dataset"]) for entry in entries} == {
        (POOL, "made"), (POOL, "other"),
    }  # fmt: skip
    assert all(entry["blocks"] == ["00", "01"] for entry in entries)
    # the explanation has both centre biases, and predicts each data set with its own
    model = ExplainedModel.load(results / "explained" / "cmrnet" / POOL / "direct.h5")
    assert list(model.centre_biases) == ["made", "other"]
    np.testing.assert_allclose(
        model.centre_bias, np.mean(list(model.centre_biases.values()), axis=0), rtol=1e-12
    )
    for name in ("made", "other"):
        image, density = stored(results, "direct", name)
        np.testing.assert_allclose(model.on(name).predict(image), density, rtol=1e-3)
        rest = "other" if name == "made" else "made"
        assert not np.allclose(model.on(rest).predict(image), density, rtol=1e-2)
    # so does a cascade, refined or not, whose stimuli keep to the centre bias of their data set
    small = {"bank": {"n_scales": 2, "n_orientations": 2}}
    edge = {"n_scales": 1, "n_orientations": 2}
    config["explanations"]["cascade"] = {
        "mode": "cascade",
        "budget": 4,
        "image": small,
        "edge": edge,
    }
    config["explanations"]["refined"] = {"mode": "refined", "epochs": 1}
    _, jobs = snakemake(tmp_path, config)
    assert jobs["refine_cascade"] == 1 and "fit_filters" not in jobs
    refined = ExplainedModel.load(results / "explained" / "cmrnet" / POOL / "refined.h5")
    for name, bias in model.centre_biases.items():
        np.testing.assert_allclose(refined.centre_biases[name], bias, rtol=1e-6)
        image, density = stored(results, "refined", name)
        np.testing.assert_allclose(refined.on(name).predict(image), density, rtol=1e-3)
    assert {"cmrnet-cascade", "cmrnet-refined"} <= set(
        pd.read_csv(results / "fidelity.csv")["predictor"]
    )
    # done is done
    before = contents(tmp_path)
    assert plan(tmp_path, config) == {}
    assert contents(tmp_path) == before
