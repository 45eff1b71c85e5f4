"""Baselines and other people's maps, with no network at all."""

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from pipeline.runs import WANTED, made_names, make_dataset, plan, snakemake, tiny_config

pytestmark = pytest.mark.slow

BASELINES = ["centre_bias", "gold_standard", "uniform", "one_observer", "itti_koch"]


def test_baselines_and_maps_are_scored_alone_raw_and_calibrated(tmp_path):
    blocks = {0, 7, 8, 9}  # two to test
    make_dataset(tmp_path / "data", blocks)
    config = tiny_config()
    (tmp_path / "maps").mkdir()
    for path in (tmp_path / "data" / "stimuli").iterdir():
        image = np.asarray(Image.open(path).convert("RGB")).astype(float)
        np.save(tmp_path / "maps" / f"{path.stem}.npy", image[..., 0] - image[..., 1:].mean(axis=2))
    theirs = {"paths": {"made": str(tmp_path / "maps")}, "kind": "map"}
    config.update(models=[], maps={"theirs": theirs}, presets=["mit", "exact"])
    config["baselines"]["predictors"] = ["uniform", "one_observer", "itti_koch"]
    config["analyses"].append("calibration")
    snakemake(tmp_path, config)
    results = tmp_path / "results"
    raw, calibrated = (
        pd.read_csv(results / name) for name in ("summary.csv", "summary.calibrated.csv")
    )
    predictors = [*BASELINES, "theirs"]
    assert set(raw["preset"]) == {"mit", "exact"}
    assert set(raw[raw["preset"] == "mit"]["metric"]) >= {
        "auc_judd", "auc_borji", "auc_shuffled", "nss", "cc", "kld", "sim", "ig"
    }  # fmt: skip
    assert (raw["n"] == WANTED["test"]).all()
    scores = pd.read_csv(results / "scores" / "exact" / "theirs" / "made.csv")
    nss = raw[(raw["metric"] == "nss") & (raw["preset"] == "exact")]
    nss = nss.set_index("predictor")["mean"]
    assert list(nss.index) == predictors
    assert nss["uniform"] == 0
    assert nss["theirs"] > nss["centre_bias"]  # everybody looks at the red square
    # of both test blocks
    assert sorted(scores["stimulus"]) == sorted(made_names(blocks)["test"][: WANTED["test"]])
    temperature = calibrated.drop_duplicates("predictor").set_index("predictor")["temperature"]
    assert temperature["uniform"] == 1
    assert temperature["theirs"] != 1
    assert "Baselines alone" in (results / "report" / "index.html").read_text(encoding="utf-8")
    # a second data set: scored as well, from its own splits, nothing of the first made anew
    config["datasets"]["other"] = dict(config["datasets"]["made"])
    config["evaluate_on"] = ["made", "other"]
    jobs = plan(tmp_path, config)
    assert jobs["score"] == 2 * len(BASELINES)  # theirs has no maps for it
