"""The workflow on models of one's own and on weights of a file, run for real."""

import json
import re
import shutil

import pandas as pd
import pytest
import torch
import yaml
from pipeline.runs import ROOT, make_dataset, snakemake, tiny_config
from torch import nn

from gaborscope.backbones import weights
from gaborscope.backbones.backbone import build
from gaborscope.explanation.model import ExplainedModel
from gaborscope.scoring import exposure

pytestmark = pytest.mark.slow

# one of twenty blocks: about half of the stimuli of one of ten, the test split here
TOLD = [{"type": "folder", "dataset": "made", "n_blocks": 20, "blocks": ["08"]}]


@pytest.fixture(
    scope="module", params=["networks", pytest.param("and TorchScript", marks=pytest.mark.long)]
)
def run(request, tmp_path_factory):
    """
    A run of examples/own_model.yaml, smaller, with UNISAL from a file; the long one with a
    TorchScript file besides. Its results, jobs, and models with a map.
    """
    folder = tmp_path_factory.mktemp("own")
    make_dataset(folder / "data", {0, 7, 8})
    config = tiny_config()
    example = yaml.safe_load((ROOT / "examples" / "own_model.yaml").read_text(encoding="utf-8"))
    config["models"] = example["models"]
    factory = folder / "own_model.py"
    shutil.copy(ROOT / "examples" / "own_model.py", factory)
    for name in ("vit", "classifier"):
        config["models"][name]["factory"] = f"{factory}:{name}"
    for entry in config["models"].values():
        entry["input"] |= {"height": 48, "width": 64, "multiple": 8}
    config["models"]["vit"] |= {"options": {"size": [48, 64]}, "training": {"epochs": 1}}
    if request.param == "and TorchScript":
        script = nn.Sequential(nn.Conv2d(3, 1, 5, 4, 2))
        torch.jit.script(script.eval()).save(str(folder / "script.pt"))
        size = {"height": 48, "width": 64, "multiple": 8}
        config["models"]["scripted"] = {
            "factory": f"torchscript:{folder / 'script.pt'}",
            "layers": {"output": ""},
            "input": {**size, "output": "logits"},
        }
    config["models"]["unisal"] = None
    torch.manual_seed(0)
    torch.save({"model_state_dict": build("unisal").state_dict()}, folder / "w.pth")
    config["backbones"] = {
        "unisal": {
            "weights": str(folder / "w.pth"),
            "trained_on": TOLD,
            "input": {"height": 64, "width": 96},
        }
    }
    config["activations"]["layers"] = {"unisal": ["block7", "logits"]}
    config["explanations"]["direct"]["identities"] = {"stimuli": 0}  # between filters it takes long
    config["analyses"] = ["anatomy"]  # which read the same files, whoever brought the network
    _, jobs = snakemake(folder, config)
    return folder / "results", jobs, [name for name in config["models"] if name != "classifier"]


def test_models_with_a_map_are_scored_and_a_classifier_is_not(run):
    predictors = set(pd.read_csv(run[0] / "summary.csv")["predictor"])
    explained = ("direct", "loggabor_deep", "loggabor_deep_same")
    wanted = {*run[2], *(f"{name}-{explanation}" for name in run[2] for explanation in explained)}
    assert {"vit", "unisal"} <= wanted
    assert predictors == {*wanted, "centre_bias", "gold_standard"}


def test_of_a_classifier_there_is_explained_variance_alone(run):
    table = pd.read_csv(run[0] / "explained_variance" / "classifier" / "made" / "direct.csv")
    assert set(table["layer"]) == {"conv1", "conv2"}
    assert table["explained_variance"].between(-1, 1).all()
    first = table[(table["layer"] == "conv1") & (table["split"] == "validation")]
    assert first["explained_variance"].item() > 0.5  # 5x5 kernels on the image are near the bank
    assert not (run[0] / "explained" / "classifier").exists()
    page = (run[0] / "report" / "index.html").read_text(encoding="utf-8")
    assert "classifier predicts no saliency" in page


def test_what_is_trained_is_trained_and_what_is_given_is_imported(run):
    made = {path.stem for path in (run[0] / "weights").iterdir()}
    assert made == {"classifier", *run[2]}
    assert run[1]["train_backbone"] == 1 and run[1]["import_backbone"] == len(made) - 1


def test_weights_of_a_file_arrive_unchanged(run):
    found, description = weights.read_weights(run[0] / "weights" / "unisal.safetensors")
    saved = torch.load(run[0].parent / "w.pth", weights_only=True)["model_state_dict"]
    assert all(torch.equal(found[key], value) for key, value in saved.items())
    assert description["trained_on"] == TOLD and len(description["sha256"]) == 64


def test_stimuli_that_were_trained_on_are_not_scored(run):
    path = run[0] / "weights" / "unisal.safetensors"
    for predictor, n_seen in (("unisal", True), ("unisal-direct", True), ("vit", False)):
        table = pd.read_csv(run[0] / "scores" / "exact" / predictor / "made.csv")
        seen = exposure.seen(TOLD, "made", "folder", list(table["stimulus"]))
        assert exposure.trained_on(path) == TOLD and seen
        hidden = set(table[table["nss"].isna()]["stimulus"])
        assert hidden == (seen if n_seen else set()), predictor


def test_input_sizes_of_unisal_are_measured_and_used(run):
    layers = json.loads((run[0] / "layers" / "unisal.json").read_text(encoding="utf-8"))
    assert {"64x96", "96x64"} <= set(layers["block7"]["shape"])
    model = ExplainedModel.load(run[0] / "explained" / "unisal" / "made" / "direct.h5")
    assert tuple(model.box) == (64, 96, "nearest", 32, "follow")


def test_an_edited_source_retrains_its_models_and_no_other(run):
    folder = run[0].parent
    factory = folder / "own_model.py"
    text = factory.read_text(encoding="utf-8")
    factory.write_text(text + "\n# edited\n", encoding="utf-8")
    try:
        config = yaml.safe_load((folder / "settings.yaml").read_text(encoding="utf-8"))
        output, jobs = snakemake(folder, config, "--dry-run")
    finally:
        factory.write_text(text, encoding="utf-8")
    assert jobs["train_backbone"] == 1 and jobs["import_backbone"] == 1
    assert "prepare_dataset" not in jobs and "predict_baseline" not in jobs
    rerun = set(re.findall(r"wildcards: .*model=(\w+)", output))
    assert rerun == {"vit", "classifier"}


def test_a_layer_that_the_network_has_not_is_said_before_any_other_job_runs(tmp_path):
    make_dataset(tmp_path / "data", {0, 7, 8})
    (tmp_path / "net.py").write_text(
        "from torch import nn\n\n\n"
        "def build():\n    return nn.Sequential(nn.Conv2d(3, 1, 5, 4, 2))\n",
        encoding="utf-8",
    )
    config = tiny_config()
    config["models"] = {
        "mine": {
            "factory": f"{tmp_path / 'net.py'}:build",
            "weights": None,
            "layers": {"early": "features.0"},
            "input": {"height": 48, "width": 64, "multiple": 8, "output": "logits"},
        }
    }
    config.pop("activations")
    config["backbones"] = {}
    output, _ = snakemake(tmp_path, config, "--cores", "1", check=False)
    assert "features.0" in output
    assert (tmp_path / "results" / "logs" / "import_backbone").is_dir()
    assert not (tmp_path / "results" / "logs" / "prepare_dataset").exists()
