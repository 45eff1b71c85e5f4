"""One's own models in the config: what is completed, what is refused."""

import copy
import os
from pathlib import Path

import pytest
import yaml

from gaborscope.errors import InputError
from gaborscope.workflow import backbone_entries, settings
from gaborscope.workflow.settings import load as load_config

ROOT = Path(__file__).resolve().parents[2]
SCHEMA = ROOT / "rules" / "config.schema.yaml"
OWN = {"factory": "examples/own_model.py:vit", "layers": {"early": "blocks.0"}}


@pytest.fixture(scope="module")
def shipped():
    return load_config()


@pytest.fixture
def config(shipped):
    return copy.deepcopy(shipped)


def completed(config, wanted):
    config["models"] = wanted
    settings.check(config, SCHEMA)
    backbone_entries.complete(config)
    return config


def test_an_own_model_takes_what_it_leaves_out_from_own_input(config):
    found = completed(config, {"mine": {**OWN, "input": {"height": 96}}, "cmrnet": None})
    assert found["models"] == ["mine", "cmrnet"]
    entry = found["backbones"]["mine"]
    assert entry["input"] == {**config["own_input"], "height": 96}
    assert entry["weights"] is None and entry["layers"] == OWN["layers"]


def test_models_of_every_example_are_complete(config):
    for path in sorted((ROOT / "examples").glob("*.yaml")):
        example = yaml.safe_load(path.read_text(encoding="utf-8"))
        merged = copy.deepcopy(config)
        if "models" in example:
            merged["models"] = example["models"]
        merged["backbones"] = backbone_entries.overlay(
            merged["backbones"], example.get("backbones", {})
        )
        settings.check(merged, SCHEMA)
        backbone_entries.complete(merged)


@pytest.mark.parametrize(
    "name, entry, text",
    [
        ("mine", {"layers": {"a": "b"}}, "models.mine needs a factory"),
        ("mine", {"factory": "a:b"}, "models.mine needs layers"),
        ("unisal", OWN, "that name is taken"),
        ("unisal", {"weights": "published"}, "set its weights at backbones.unisal"),
        ("mine", {**OWN, "wieghts": "x"}, "'wieghts' at models.mine; did you mean 'weights'"),
        ("mine", {**OWN, "input": {"output": "logit"}}, "output is 'logit'"),
        ("Mine", OWN, "must consist of a-z"),
        ("mine", {**OWN, "weights": "train", "input": {"output": "none"}}, "to train"),
        ("mine", {**OWN, "start": "a.pth"}, "set weights: train"),
    ],
)
def test_a_fault_in_an_own_model_is_named(config, name, entry, text):
    with pytest.raises(InputError, match=text):
        completed(config, {name: entry})


def test_what_a_model_of_gaborscope_has_of_its_own_cannot_be_set(config):
    config["backbones"]["msinet"]["input"]["mean"] = [0, 0, 0]
    with pytest.raises(InputError, match=r"backbones\.msinet\.input\.mean cannot be set"):
        completed(config, ["msinet"])


def test_layers_are_chosen_for_all_or_for_each_model(config):
    config["activations"]["layers"] = {"unisal": ["stem", "context"]}
    config["models"] = ["unisal", "cmrnet"]
    assert backbone_entries.layers(config, "unisal") == {
        "stem": "cnn.features.0.2",
        "context": "post_cnn",
    }
    assert backbone_entries.layers(config, "cmrnet") == config["backbones"]["cmrnet"]["layers"]
    config["activations"]["layers"] = {"msinet": ["conv1"]}
    with pytest.raises(InputError, match="names the model 'msinet'"):
        backbone_entries.layers(config, "unisal")
    config["activations"]["layers"] = ["conv9"]
    with pytest.raises(InputError, match="any module can be added to backbones.unisal.layers"):
        backbone_entries.layers(config, "unisal")


def test_training_settings_of_a_model_are_laid_over_the_common_ones(config):
    found = backbone_entries.training(config, "msinet")
    assert found["optimiser"] == "adam" and found["loss"] == {"cc": 0, "nss": 0}
    assert found["clip"] == config["training"]["clip"]
    assert backbone_entries.training(config, "cmrnet") == config["training"]


def test_an_edited_factory_changes_its_digest(tmp_path):
    (tmp_path / "mine.py").write_text("a = 1\n")
    entry = {"factory": "mine:build"}
    before = backbone_entries.digest("mine", entry, tmp_path)
    assert before == backbone_entries.digest("mine", {"factory": "mine.py:build"}, tmp_path)
    (tmp_path / "mine.py").write_text("a = 2\n")
    assert backbone_entries.digest("mine", entry, tmp_path) != before
    assert backbone_entries.digest("unisal", {}, tmp_path) != backbone_entries.digest(
        "msinet", {}, tmp_path
    )


def test_other_weights_change_their_stamp(tmp_path):
    (tmp_path / "w.pth").write_bytes(b"1")
    (tmp_path / "c.index").write_bytes(b"1")
    before = backbone_entries.stamp("w.pth", tmp_path), backbone_entries.stamp("c", tmp_path)
    assert all(before)
    (tmp_path / "w.pth").write_bytes(b"12")
    (tmp_path / "c.index").write_bytes(b"12")
    assert backbone_entries.stamp("w.pth", tmp_path) != before[0]
    assert backbone_entries.stamp("c", tmp_path) != before[1]
    assert (
        backbone_entries.stamp("published", tmp_path)
        == backbone_entries.stamp("missing", tmp_path)
        == ""
    )


def test_weights_in_the_repository_count_by_content_and_others_by_size_and_time(tmp_path):
    root = tmp_path / "repository"
    root.mkdir()
    for path in (root / "w.pth", tmp_path / "w.pth"):
        path.write_bytes(b"1")
    inside = backbone_entries.stamp("w.pth", root)
    outside = backbone_entries.stamp("../w.pth", root)
    for path in (root / "w.pth", tmp_path / "w.pth"):
        os.utime(path, ns=(1, 1))  # a checkout gives every file a time of its own
    assert backbone_entries.stamp("w.pth", root) == inside
    assert backbone_entries.stamp("../w.pth", root) != outside
