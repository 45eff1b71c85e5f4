"""Checkpoints as their authors ship them, on small networks of the same construction."""

import argparse
import collections
import datetime
import logging
import os
import pathlib

import numpy as np
import pytest
import safetensors.torch
import torch
from torch import nn

from gaborscope.backbones import published, weights
from gaborscope.errors import InputError


class Bare(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))
        self.readout = nn.Conv2d(4, 1, 1)

    def forward(self, x):
        return self.readout(self.features(x))


class Wrapped(nn.Module):
    """A network within another, which normalises the input by buffers of its own."""

    def __init__(self, inner="net"):
        super().__init__()
        self.register_buffer("mean", torch.full((1, 3, 1, 1), 0.5))
        self.inner = inner
        self.add_module(inner, Bare())

    def forward(self, x):
        return self.get_submodule(self.inner)(x - self.mean)


def trained(seed=1):
    torch.manual_seed(seed)
    network = Bare()
    for parameter in network.parameters():
        nn.init.normal_(parameter)
    network.features[1].num_batches_tracked.fill_(7)
    return network


STATE = trained().state_dict()


def named(prefix, state=STATE):
    return {prefix + key: value for key, value in state.items()}


def load(network, content, folder, prefix=None):
    path = folder / "w.pth"
    torch.save(content, path)
    return published.load_into(network, "mine", str(path), None, prefix)


def assert_trained(network, state=STATE):
    found = network.state_dict()
    assert found.keys() == state.keys()
    assert all(torch.equal(found[key], value) for key, value in state.items())


INSIDE = {key.replace("features.", "features.module."): value for key, value in STATE.items()}
COMPILED = {key.replace("readout.", "readout._orig_mod."): value for key, value in STATE.items()}
AVERAGED = {**named("module."), "n_averaged": torch.tensor(3)}
TRAINING = {
    "epoch": 3,
    "state_dict": STATE,
    "optimizer": {"state": {0: {"exp_avg": torch.ones(4)}}, "param_groups": [{"lr": 0.1}]},
}
SHIPPED = [
    STATE,
    named("module."),
    named("_orig_mod."),
    named("model."),
    named("net."),
    named("module._orig_mod.model."),
    named("saliency_model."),
    INSIDE,
    named("module.", COMPILED),
    AVERAGED,
    TRAINING,
    {"model": STATE},
    {"net": named("module.")},
    {"model_state_dict": STATE, "loss": torch.tensor(0.5)},
    {"checkpoint": {"model": named("model.")}, "args": {"a": 1}},
    {"model": STATE, "ema": STATE},
    {
        "features": named("", trained().features.state_dict()),
        "readout": trained().readout.state_dict(),
    },
    {key: value.numpy() for key, value in STATE.items()},
    {**STATE, "features.total_ops": torch.zeros(1)},
]


@pytest.mark.parametrize("content", SHIPPED, ids=range(len(SHIPPED)))
def test_a_checkpoint_with_one_reading_is_loaded(content, tmp_path):
    network = Bare()
    load(network, content, tmp_path)
    assert_trained(network)


@pytest.mark.parametrize("content", SHIPPED, ids=range(len(SHIPPED)))
def test_a_wrapped_network_takes_the_weights_of_the_bare_one(content, tmp_path):
    network = Wrapped()
    load(network, content, tmp_path)
    assert_trained(network.net)
    assert torch.all(network.mean == 0.5)


def test_the_log_says_what_was_done_to_the_names(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    load(Wrapped("deepgaze"), {"state_dict": named("module.")}, tmp_path)
    assert "module. read as deepgaze." in caplog.text
    assert "mean as the factory made it" in caplog.text
    caplog.clear()
    load(Bare(), {"state_dict": named("module.")}, tmp_path)
    assert "names without state_dict.module." in caplog.text
    caplog.clear()
    load(Wrapped(), STATE, tmp_path)
    assert "names with net. before" in caplog.text
    caplog.clear()
    load(Bare(), STATE, tmp_path)
    assert "read as" not in caplog.text


def test_weights_of_safetensors_have_prefixes_too(tmp_path):
    path = tmp_path / "w.safetensors"
    safetensors.torch.save_file(named("model."), path)
    network = Bare()
    published.load_into(network, "mine", str(path), None)
    assert_trained(network)


def test_statistics_that_lack_are_missing(tmp_path):
    state = {key: value for key, value in STATE.items() if "running_var" not in key}
    with pytest.raises(InputError, match=r"1 of its 9 tensors is missing \(features.1.running_var"):
        load(Bare(), state, tmp_path)
    state = {key: value for key, value in STATE.items() if "num_batches_tracked" not in key}
    load(Bare(), state, tmp_path)  # as torch before 0.4.1 saved it


def test_tensors_that_cannot_be_compared_are_refused_as_well(tmp_path):
    sparse = {key: value.to_sparse() if value.dim() > 1 else value for key, value in STATE.items()}
    with pytest.raises(InputError, match="more than once"):
        load(
            Bare(),
            {"model": sparse, "ema": dict(sparse, **{"readout.bias": torch.ones(1)})},
            tmp_path,
        )


OTHER = trained(2).state_dict()
BOTH = {"model": STATE, "ema": OTHER}
STUDENT = {**named("student."), **named("teacher.", OTHER)}
EXTRA = {**named("model."), "criterion.weight": torch.ones(3)}


@pytest.mark.parametrize(
    "content, text, prefix",
    [
        (BOTH, r"more than once.* at model, ema; .*prefix: \{ema.: ''\}", {"model.": ""}),
        (STUDENT, r"prefix: \{student.: ''\} or \{teacher.: ''\}", {"student.": ""}),
        (EXTRA, r"1 of 8 in the file|1 of 9|prefix: \{model.: ''\}", {"model.": ""}),
        (named("encoder.a."), "set prefix: {from: to}", None),
    ],
    ids=range(4),
)
def test_a_file_with_several_readings_is_chosen_from_by_prefix(content, text, prefix, tmp_path):
    if prefix is None:
        network = Wrapped("deepgaze")
        prefix = {"encoder.a.": "deepgaze."}
    else:
        network = Bare()
    with pytest.raises(InputError, match=text):
        load(network, content, tmp_path)
    if isinstance(network, Wrapped):
        with pytest.raises(InputError, match="1 of its 10 tensors is missing .mean"):
            load(network, content, tmp_path, prefix)
        content = {**content, "mean": torch.zeros(1, 3, 1, 1)}
        load(network, content, tmp_path, {**prefix, "mean": "mean"})
        assert_trained(network.deepgaze)
        return
    load(network, content, tmp_path, prefix)
    assert_trained(network)


def test_a_file_that_matches_in_part_is_refused_with_counts_and_names(tmp_path):
    content = {key: value for key, value in STATE.items() if "features" in key}
    with pytest.raises(InputError) as caught:
        load(Bare(), {"net": named("module.", content), "epoch": 3}, tmp_path)
    assert str(caught.value) == (
        f"{tmp_path}/w.pth does not fit the network: 2 of its 9 tensors are missing (readout.bias, "
        "readout.weight), 0 of 7 in the file are unexpected (none); give the weights of this very "
        "network, or set prefix: {from: to}, how names begin in the file and in the network"
    )


def test_a_torchscript_file_is_no_file_of_weights(tmp_path):
    torch.jit.script(Bare()).save(str(tmp_path / "w.pth"))
    with pytest.raises(InputError, match="is a TorchScript file.*factory: torchscript:FILE"):
        weights.read_pickle(tmp_path / "w.pth")


KEPT = {
    "args": argparse.Namespace(lr=0.1, path=pathlib.Path("a"), when=datetime.datetime(2020, 1, 1)),
    "best": np.float64(0.8),
    "rank": np.int64(3),
    "losses": np.arange(3.0),
    "history": collections.defaultdict(list, {"loss": [1.0]}),
    "counts": collections.Counter("ab"),
    "names": np.array(["a"]),
    "random": np.random.RandomState(0).get_state(),
    "sizes": (slice(3), range(2), {1, 2}, 2**70, b"b", torch.Size([3]), torch.device("cpu")),
}


@pytest.mark.parametrize("old", [False, True])
def test_what_trainings_keep_beside_the_tensors_is_read(old, tmp_path):
    path = tmp_path / "w.tar"
    content = {"model": collections.OrderedDict(STATE), **KEPT}
    torch.save(content, path, _use_new_zipfile_serialization=not old)
    network = Bare()
    published.load_into(network, "mine", str(path), None)
    assert_trained(network)
    found = weights.read_pickle(path)
    assert found["args"].lr == 0.1 and found["best"] == 0.8 and found["history"] == {"loss": [1.0]}


class Code:
    def __init__(self, *called):
        self.called = called

    def __reduce__(self):
        return self.called


@pytest.mark.parametrize(
    "called, name",
    [
        ((os.system, ("touch harmed",)), "posix.system"),
        ((eval, ("1",)), "eval"),
        ((getattr, (dict, "get")), "getattr"),
        ((np.load, ("x",)), "numpy.load"),
        ((nn.Linear, (3, 4)), "torch.nn.modules.linear.Linear"),
        ((torch.load, ("x",)), "torch.serialization.load"),
        ((pathlib.Path("x").touch, ()), "getattr"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_pickle_that_calls_anything_else_is_refused_by_its_name(called, name, tmp_path):
    torch.save({"model": STATE, "args": Code(*called)}, tmp_path / "w.pth")
    with pytest.raises(InputError, match=rf"asks for {name}\), and reading it could run code"):
        weights.read_pickle(tmp_path / "w.pth")


class Dense(nn.Module):
    """Stands for what a saliency network cuts its encoder out of, and keeps."""

    def __init__(self):
        super().__init__()
        self.dense = nn.Sequential(
            nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.Conv2d(8, 8, 3), nn.Conv2d(8, 9, 1)
        )
        self.encoder = nn.Sequential(*list(self.dense)[:3])
        self.readout = nn.Conv2d(8, 8, 3)
        self.readout.weight = self.dense[2].weight  # tied
        self.register_buffer("part", self.dense[1].running_mean[:4])

    def forward(self, x):
        return self.readout(self.encoder(x)).mean(1, keepdim=True)


def drawn(network, seed=3):
    torch.manual_seed(seed)
    for parameter in network.parameters():
        nn.init.normal_(parameter)
    return network.eval()


def test_tensors_of_several_names_are_written_once_and_loaded_into_all(tmp_path):
    first, second = drawn(Dense()), Dense().eval()
    weights.write_weights(tmp_path / "w.safetensors", first.state_dict(), {})
    written, _ = weights.read_weights(tmp_path / "w.safetensors")
    assert "dense.0.weight" in written and "encoder.0.weight" not in written
    assert "part" in written
    weights.load_into(second, tmp_path / "w.safetensors")
    assert_trained(second, first.state_dict())
    assert second.readout.weight is second.dense[2].weight
    x = torch.rand(1, 3, 16, 16)
    assert torch.equal(first(x), second(x))


def test_a_file_may_have_either_name_of_a_tensor_but_not_two_values(tmp_path):
    first, second = drawn(Dense()), Dense()
    state = {k: v for k, v in first.state_dict().items() if not k.startswith("encoder.")}
    load(second, named("module.", state), tmp_path)
    assert_trained(second, first.state_dict())
    other = {**first.state_dict(), "encoder.0.weight": torch.zeros(8, 3, 3, 3)}
    with pytest.raises(InputError, match="dense.0.weight and encoder.0.weight are one tensor"):
        load(Dense(), other, tmp_path)
