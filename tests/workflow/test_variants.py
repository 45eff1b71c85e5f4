"""Backbones that are like others: what they take over, what is refused."""

import copy
from pathlib import Path

import pytest

from gaborscope.errors import InputError
from gaborscope.workflow import backbone_entries, settings, variants
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


def completed(config, wanted, **backbones):
    config["models"] = wanted
    config["backbones"].update(backbones)
    settings.check(config, SCHEMA)
    backbone_entries.complete(config)
    return config


def test_a_variant_takes_what_it_does_not_set_from_the_one_it_is_like(config):
    config["backbones"]["cmrnet"]["training"] = {"epochs": 3, "loss": {"cc": 0.2}}
    second = {"like": "cmrnet", "seed": 2, "training": {"epochs": 5}}
    found = completed(config, ["cmrnet", "second"], second=second)
    entry = found["backbones"]["second"]
    assert entry["layers"] == found["backbones"]["cmrnet"]["layers"]
    assert entry["input"] == found["backbones"]["cmrnet"]["input"]
    assert entry["training"] == {"epochs": 5, "loss": {"cc": 0.2}}
    assert (
        backbone_entries.seed(found, "second") == 2
        and backbone_entries.seed(found, "cmrnet") == found["seed"]
    )


def test_a_variant_runs_the_code_at_the_end_of_its_chain(config):
    chain = {"second": {"like": "unisal"}, "third": {"like": "second", "seed": 3}}
    found = completed(config, ["third"], **chain)
    assert backbone_entries.network(found, "third")["network"] == "unisal"
    entries = found["backbones"]
    assert backbone_entries.digest("third", entries["third"], ROOT) == backbone_entries.digest(
        "unisal", {}, ROOT
    )
    assert "network" not in backbone_entries.network(found, "unisal")


def test_a_variant_is_recorded_at_the_layers_chosen_for_the_one_it_is_like(config):
    config["activations"]["layers"] = {"cmrnet": ["stem"]}
    found = completed(config, ["cmrnet", "second"], second={"like": "cmrnet"})
    assert list(backbone_entries.layers(found, "second")) == ["stem"]
    config["activations"]["layers"]["second"] = ["hff"]
    assert list(backbone_entries.layers(found, "second")) == ["hff"]


def test_other_weights_do_not_inherit_what_the_former_have_seen(config):
    config["backbones"]["cmrnet"].update(weights="a.safetensors", trained_on=[{"type": "osie"}])
    entries = {"same": {"like": "cmrnet"}, "other": {"like": "cmrnet", "weights": "train"}}
    found = completed(config, ["cmrnet"], **entries)["backbones"]
    assert found["same"]["trained_on"] == [{"type": "osie"}]
    assert found["other"]["trained_on"] is None


def test_a_random_copy_is_fused_to_the_target_of_the_one_it_is_like(config):
    wanted = ["cmrnet", "second", "blank"]
    entries = {
        "second": {"like": "cmrnet", "seed": 2},
        "blank": {"like": "second", "weights": "random"},
    }
    found = completed(config, wanted, **entries)
    assert variants.targets(found) == {"cmrnet": "cmrnet", "second": "second", "blank": "second"}
    assert backbone_entries.seed(found, "blank") == 2


def test_a_model_of_ones_own_can_have_variants(config):
    config["backbones"]["blank"] = {"like": "mine", "weights": "random"}
    found = completed(config, {"mine": OWN, "blank": None, "twin": {"like": "mine", "seed": 4}})
    assert found["models"] == ["mine", "blank", "twin"]
    assert backbone_entries.network(found, "blank")["factory"] == OWN["factory"]
    assert variants.targets(found)["blank"] == "mine"


@pytest.mark.parametrize(
    "entries, text",
    [
        ({"a": {"like": "cmrnte"}}, "backbones.a.like is 'cmrnte', which is no backbone"),
        ({"a": {"like": "b"}, "b": {"like": "a"}}, "a.like leads back to itself: a like b like a"),
        ({"a": {"like": "a"}}, "leads back to itself: a like a"),
        ({"a": {"like": "cmrnet", "sede": 1}}, "unknown key 'sede' at backbones.a"),
        ({"a": {"like": "cmrnet", "seed": -1}}, "backbones.a.seed is -1"),
        ({"a": {"seed": 1}}, "backbones has 'a', but Gaborscope has only .* by like"),
        (
            {
                "a": {"like": "cmrnet", "weights": "random"},
                "b": {"like": "a", "weights": "random"},
            },
            "backbones.b: 'a' is random itself",
        ),
        (
            {"a": {"like": "cmrnet", "weights": "random", "options": {"widths": [8, 8, 8]}}},
            "backbones.a.options cannot be set",
        ),
    ],
)
def test_a_fault_in_a_variant_is_named(config, entries, text):
    with pytest.raises(InputError, match=text):
        completed(config, ["cmrnet"], **entries)


def test_random_weights_without_a_trained_network_are_refused(config):
    config["backbones"]["unisal"]["weights"] = "random"
    with pytest.raises(InputError, match=r"unisal\.weights is random.*the trained one by like"):
        completed(config, ["unisal"])


def test_a_random_copy_alone_is_refused(config):
    found = completed(config, ["blank"], blank={"like": "cmrnet", "weights": "random"})
    with pytest.raises(InputError, match="models has 'blank'.*'cmrnet'; add 'cmrnet' to models"):
        variants.targets(found)


def test_a_random_torchscript_file_is_refused(config):
    script = {"factory": "torchscript:model.pt", "layers": {"out": ""}}
    blank = {"like": "mine", "weights": "random"}
    with pytest.raises(InputError, match="TorchScript file cannot be initialised anew"):
        completed(config, {"mine": script, "blank": blank})
