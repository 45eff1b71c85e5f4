"""Files of a release, made from a small run of two data sets."""

import importlib.util
import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from helpers import make_image

from gaborscope.backbones import weights
from gaborscope.backbones.predictor import Predictor
from gaborscope.errors import InputError
from gaborscope.explanation.model import ExplainedModel
from gaborscope.report import model_card
from gaborscope.stimuli.block import StimulusBlock
from gaborscope.store.blocks import write_data
from gaborscope.store.saliency import write_saliency

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "pretrained"
POOL, SETS, WAYS = "wide+tall", ("wide", "tall"), ("direct", "refined8")


def script(name):
    spec = importlib.util.spec_from_file_location(name, ROOT / "scripts" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def make_block(dataset):
    return StimulusBlock(
        names=["a.png"], paths=[""], sha256=["0"], sizes=np.array([[60, 80]], dtype=np.int32),
        x=np.array([3.0], dtype=np.float32), y=np.array([4.0], dtype=np.float32),
        stimulus=np.zeros(1, dtype=np.int32), subject=np.zeros(1, dtype=np.int32),
        facts={"source": f"someone's {dataset}", "licence": "CC0"},
        images=[make_image((60, 80))],
    )  # fmt: skip


@pytest.fixture
def results(tmp_path):
    """Write what a release reads of a run of two data sets."""
    rng, folder = np.random.default_rng(1), tmp_path / "run" / "results"
    state_dict, known = weights.read_weights(FOLDER / "cmrnet_osie.safetensors")
    entry = {"type": "folder", "n_blocks": 10, "blocks": ["00"], "chosen_on_blocks": ["07"]}
    recipe = {"epochs": 3, "batch_size": 4, "learning_rate": 0.01, "loss": {"cc": 0.1, "nss": 0.2}}
    description = {
        "trained_on": [{"type": "osie"}, *({**entry, "dataset": s, "pool": POOL} for s in SETS)],
        "history": [{"epoch": e, "kld": kld, "cc": 0, "nss": 0} for e, kld in ((1, 2), (2, 1))],
        "params": json.dumps({"backbone": known["backbone"], "training": recipe}),
        "commit": "0123456789", "seed": 5, "versions": "{}",
    }  # fmt: skip
    (folder / "weights").mkdir(parents=True)
    weights.write_weights(folder / "weights" / "cmrnet.safetensors", state_dict, description)
    scores, close = [], []
    for dataset in SETS:
        for block in ("00", "07", "08"):
            path = folder / "data" / dataset / f"{block}.h5"
            path.parent.mkdir(parents=True, exist_ok=True)
            write_data(path, make_block(dataset), {})
        saliency = folder / "saliency" / "cmrnet" / dataset
        saliency.mkdir(parents=True)
        flat = np.full((60, 80), -np.log(4800))
        origin = {"params": json.dumps({"uniform_weight": 0.001})}
        write_saliency(saliency / "08.h5", ["a.png"], [flat], origin)
        for predictor in ("centre_bias", "cmrnet", *(f"cmrnet-{w}" for w in WAYS), "gold_standard"):
            for metric in model_card.SHOWN:
                mean = rng.uniform()
                scores.append(("mit", predictor, dataset, metric, mean, mean - 0.1, mean + 0.1))
        nulls = [f"cmrnet_random{i}-direct" for i in (1, 2, 10)] + ["cmrnet-loggabor_deep"]
        for predictor in (*(f"cmrnet-{w}" for w in WAYS), *nulls):
            mean = rng.uniform()
            close.append((predictor, dataset, "fidelity", mean, mean - 0.1, mean + 0.1))
    ends = ["mean", "ci_low", "ci_high"]
    columns = ["preset", "predictor", "dataset", "metric", *ends]
    pd.DataFrame(scores, columns=columns).to_csv(folder / "summary.csv", index=False)
    columns = ["predictor", "dataset", "measure", *ends]
    pd.DataFrame(close, columns=columns).to_csv(folder / "fidelity.csv", index=False)
    explained = folder / "explained" / "cmrnet" / POOL
    explained.mkdir(parents=True)
    model = ExplainedModel.load(FOLDER / "cmrnet_osie_direct.h5")
    for way in WAYS:
        model.save(explained / f"{way}.h5", {})
    write_kl(folder, {"direct": 0.4, "refined8": 0.3})
    return folder


def write_kl(results, means):
    """Write KL on the validation split whose means over all stimuli are these."""
    for way, mean in means.items():
        folder = results / "fidelity" / "cmrnet" / f"cmrnet-{way}"
        folder.mkdir(parents=True, exist_ok=True)
        for dataset, values in (("wide", [mean - 0.1] * 3), ("tall", [mean + 0.3])):
            table = pd.DataFrame({"stimulus": range(len(values)), "kl_deep": values})
            table.to_csv(folder / f"{dataset}.validation.csv", index=False)


def release(results, out):
    script("make_release").main(results, "cmrnet", WAYS, out, "examples/record.yaml")
    return (out / "README.md").read_text(encoding="utf-8")


def cells(card, heading):
    """Return the rows of the first table behind a text: first cell to list of the others."""
    lines = card.partition(heading)[2].split("\n\n")[1].splitlines()
    rows = ([cell.strip() for cell in line.strip("|").split("|")] for line in lines)
    return {first: rest for first, *rest in rows}


@pytest.mark.slow
def test_a_release_of_several_data_sets_says_all_of_each(results, tmp_path):
    out = tmp_path / "out"
    card = release(results, out)
    stem = "cmrnet_wide_tall"
    files = [f"{stem}_refined8.h5", f"{stem}_direct.h5"]
    assert {path.name for path in out.iterdir()} == {
        "README.md", "fidelity.csv", ".fidelity.csv.sha256", "released.json",
        f"{stem}.safetensors", *files,
    }  # fmt: skip
    assert json.loads((out / "released.json").read_text()) == {
        "weights": f"{stem}.safetensors", "explanations": files,
    }  # fmt: skip
    for words in ("someone's wide", "someone's tall", "Licence: CC0", "the epoch was chosen on 7",
                  "Epoch 2 was best", "Seed 5, commit `0123456`", "`refined8` (bits: `refined8` "
                  "0.300, `direct` 0.400)", "examples/record.yaml", *files):  # fmt: skip
        assert words in card, words
    summary = pd.read_csv(results / "summary.csv").set_index(["predictor", "dataset", "metric"])
    close = pd.read_csv(results / "fidelity.csv").set_index(["predictor", "dataset"])["mean"]
    for dataset in SETS:
        shown = cells(card, f"On {dataset}:")
        assert list(shown)[2:] == [
            "centre_bias", "cmrnet", "cmrnet-refined8", "cmrnet-direct", "gold_standard",
        ]  # fmt: skip
        for name in list(shown)[2:]:
            for metric, cell in zip(model_card.SHOWN, shown[name], strict=True):
                row = summary.loc[(name, dataset, metric)]
                assert cell == f"{row['mean']:.3f} [{row['ci_low']:.3f}, {row['ci_high']:.3f}]"
    shown = cells(card, "network || centre bias)")
    for place, dataset in enumerate(SETS):
        family = [close[f"cmrnet_random{i}-direct", dataset] for i in (1, 2, 10)]
        mean, low, high = np.mean(family), min(family), max(family)
        cell = shown["direct of 3 random networks"][place]
        assert cell == f"{mean:.2f} ({low:.2f} to {high:.2f})"
        for name in ("cmrnet-direct", "cmrnet-loggabor_deep"):
            assert shown[name][place].startswith(f"{close[name, dataset]:.2f} [")
    # what is released predicts
    assert Predictor.load(out / f"{stem}.safetensors").predict(make_image((60, 80))).min() > 0
    image = make_image((60, 80), seed=2)
    before = ExplainedModel.load(FOLDER / "cmrnet_osie_direct.h5").predict(image)
    np.testing.assert_array_equal(ExplainedModel.load(out / files[0]).predict(image), before)


@pytest.mark.slow
def test_the_explanation_with_the_lowest_kl_is_the_default(results, tmp_path, monkeypatch):
    write_kl(results, {"direct": 0.2})
    explain_image = script("explain_image")
    monkeypatch.setattr(explain_image, "FOLDER", tmp_path / "out")
    assert "of all data sets: `direct` (bits" in release(results, tmp_path / "out")
    weights_file = tmp_path / "out" / "cmrnet_wide_tall.safetensors"
    path, network = explain_image.chosen(None, "results")
    assert (path.name, network) == ("cmrnet_wide_tall_direct.h5", weights_file)
    other = path.with_name("cmrnet_wide_tall_refined8.h5")
    assert explain_image.chosen(str(other), "results") == (other, weights_file)


@pytest.mark.slow
def test_a_release_that_is_too_large_replaces_nothing(results, tmp_path, monkeypatch):
    out = tmp_path / "out"
    out.mkdir()
    (out / "README.md").write_text("before")
    module = script("make_release")
    monkeypatch.setattr(module, "MOST", 1e6)
    with pytest.raises(InputError, match=r"direct, refined8 take [\d.]+ MB, and 1 MB are the most"):
        module.main(results, "cmrnet", WAYS, out, "examples/record.yaml")
    assert [path.name for path in out.iterdir()] == ["README.md"]
    assert (out / "README.md").read_text() == "before"


def test_an_explanation_that_was_not_held_against_the_network_is_not_released(results, tmp_path):
    shutil.rmtree(results / "fidelity" / "cmrnet" / "cmrnet-direct")
    with pytest.raises(InputError, match="direct has no KL on the validation split"):
        script("make_release").validation_kl(results, "cmrnet-direct", [{"dataset": "wide"}])
