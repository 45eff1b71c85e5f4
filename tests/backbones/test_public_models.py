"""Entries of docs/guide/models.md for public networks, run on stand-ins by the stages."""

import functools
import importlib.util
import json
import re
import sys
from pathlib import Path

import numpy as np
import public_models
import pytest
import torch
import yaml
from bad_input.laid import settled
from helpers import make_block

from gaborscope.backbones import user_models, weights
from gaborscope.backbones.backbone import configured
from gaborscope.scoring import baselines
from gaborscope.stimuli import geometry
from gaborscope.stimuli.centre_bias import CentreBias
from gaborscope.store.blocks import write_data
from gaborscope.store.layers import read_layer_table, read_layers
from gaborscope.store.saliency import read_log_densities
from gaborscope.workflow import backbone_entries

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "guide" / "models.md").read_text(encoding="utf-8")
ENTRIES = {
    name.strip(): yaml.safe_load(entry)
    for name, entry in re.findall(r"^\| ([^|]+) \| `(\{factory.*\})` \|$", PAGE, flags=re.MULTILINE)
}
# Files that the page tells to write, by their path.
LINES = {
    re.match(r"# (\S+\.py)", code)[1]: code
    for code in re.findall(r"```python\n(# \S+\.py.*?)```", PAGE, flags=re.DOTALL)
}
ORIGIN = {"code": "", "commit": "", "versions": "{}", "params": "{}", "seed": 0}
IMAGENET = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])


def imagenet(rgb):
    return (rgb / 255 - IMAGENET[0]) / IMAGENET[1]


# What the authors' own code makes of a pixel; ImageNet's mean and deviation where it is not here.
AUTHORS = {
    "SimpleNet": lambda rgb: (rgb / 255 - 0.5) / 0.5,
    "TempSAL": lambda rgb: (rgb / 255 - 0.5) / 0.5,
    "DeepGaze": lambda rgb: rgb,
    "TranSalNet": lambda rgb: rgb / 255,
    "TASED-Net": lambda rgb: (2 * rgb - 255) / 255,
    "HD2S": lambda rgb: (2 * rgb - 255) / 255,
    "EML-Net": lambda rgb: rgb / 255,
    "SalEMA": lambda rgb: rgb[::-1] - [103.939, 116.779, 123.68],
}


def parallel(state):
    return {f"module.{name}": value for name, value in state.items()}


# How the authors' files name and hold the tensors; as they are where it is not here.
SHIPPED = {
    "SimpleNet": parallel,
    "TASED-Net": parallel,
    "SalFBNet": parallel,
    "EML-Net": lambda state: {"epoch": 9, "state_dict": parallel(state)},
    "SalEMA": lambda state: {"state_dict": parallel(state), "optimizer": {"state": {}}},
}
# Stride, in px of the input, at which the stand-ins have a layer, by model and layer.
STRIDES = {
    "SimpleNet": {"stem": 4, "cell3": 8, "cell7": 16, "cell11": 32, "decoder": 4},
    "DeepGaze I": {"conv5": 4, "readout": 4},
    "DeepGaze IIE": {"shapenet": 4, "densenet": 4, "resnext": 4},
    "DeepGaze III": {"densenet": 4, "readout": 4},
    "TranSalNet": {"layer2": 8, "layer3": 16, "layer4": 32, "attended": 16, "decoder": 8},
    "TASED-Net": {"base1": 4, "base2": 8, "base3": 16, "base4": 32, "decoder": 4},
    "ViNet": {"base1": 4, "base2": 8, "base3": 16, "decoder": 8},
    "HD2S": {"block1": 4, "block2": 8, "block3": 16},
    "SalFBNet": {"layer1": 4, "layer2": 8, "layer3": 16, "fed_back": 16},
    "EML-Net": {"layer1": 4, "layer2": 8, "layer3": 16, "layer4": 32},
    "TempSAL": {"stem": 4, "cell3": 8, "cell7": 16, "decoder": 4},
    "SalEMA": {"conv2": 2, "conv3": 4, "conv4": 8, "conv5": 16, "state": 16},
    "ResNet (timm)": {"layer1": 4, "layer2": 8, "layer3": 16, "layer4": 32},
    "ConvNeXt (timm)": {"stage0": 4, "stage1": 8, "stage2": 16, "stage3": 32},
    "EfficientNet (timm)": {"block1": 4, "block2": 8, "block4": 16, "block6": 32},
    "ViT, DeiT (timm)": {"block2": 16, "block5": 16, "block8": 16, "block11": 16},
    "Swin (timm)": {"stage0": 4, "stage1": 8, "stage2": 16, "stage3": 32},
    "Hiera (timm)": {"block0": 4, "block2": 8, "block9": 16},
}


def of_model(table, name, default):
    """Value of the key that a model's name begins with."""
    return next((value for key, value in table.items() if name.startswith(key)), default)


def smaller(entry):
    """Return an entry with fewer frames, and with a smaller size where the network takes others."""
    made = json.loads(json.dumps(entry))
    size = made["input"]
    if size.get("frames"):
        size["frames"] = 8
    if "timm" in entry["factory"] or "TranSalNet" in entry["factory"]:
        return made
    while size["height"] * size["width"] > 30_000:
        for key in ("height", "width"):
            size[key] = round(size[key] / 64 + 0.1) * 32
        size["multiple"] = size["height"] if size.get("fit") == "nearest" else 32
    return made


class Names:
    """Names of a job's files or parameters, as a stage script is given them."""

    def __init__(self, **values):
        self.__dict__.update(values)

    def __iter__(self):
        return iter(self.__dict__.values())

    def items(self):
        return self.__dict__.items()

    def get(self, key, default=None):
        return self.__dict__.get(key, default)


@functools.cache
def stage(name):
    spec = importlib.util.spec_from_file_location(name, ROOT / "scripts" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.main


def job(name, model, inputs, outputs, **params):
    given = Names(model=model), Names(**inputs), Names(**outputs), Names(**params)
    stage(name)(Names(**dict(zip(("wildcards", "input", "output", "params"), given, strict=True))))


@pytest.fixture
def checkouts(tmp_path, monkeypatch):
    """Checkouts and packages with stand-ins, and the files that the page tells to write."""
    for path, text in {**public_models.CHECKOUTS, **LINES}.items():
        file = tmp_path / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    monkeypatch.setattr(user_models, "_folders", [])
    monkeypatch.setattr(user_models, "_added", [])
    for owner, name in ((torch, "load"), (torch.nn.Module, "cuda")):  # a file of the page sets them
        monkeypatch.setattr(owner, name, getattr(owner, name))
    forward = public_models.PNASVolModellast.forward
    monkeypatch.setattr(public_models.PNASVolModellast, "forward", forward)
    before = dict(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - set(before):
        if name == "block" or str(tmp_path) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


def settle(entry, folder, name="mine"):
    """Return the entry as a run uses it: checked against the schema, files looked up."""
    entry = {**entry, "factory": entry["factory"]}
    for key, path in (("factory", entry["factory"]), ("weights", entry.get("weights"))):
        if path and (folder / path.partition(":")[0]).exists():
            entry[key] = f"{folder}/{path}"
    config = settled(f"models: {json.dumps({name: entry})}")(folder)
    return config["backbones"][name], backbone_entries.network(config, name)


def trained(name, entry, folder):
    """Write the file of weights as the authors ship it; return what it holds by name."""
    torch.manual_seed(5)
    if name == "TempSAL":
        network = public_models.PNASBoostedModelMultiLevel.untrained()
        path = folder / Path(entry["options"]["model_path"]).name
        entry["options"]["model_path"] = str(path)
        torch.save(network.state_dict(), path)
    elif "weights" in entry:
        (folder / entry["weights"]).touch()
        network = configured("mine", settle(entry, folder)[1]).network
        torch.save(of_model(SHIPPED, name, dict)(network.state_dict()), folder / entry["weights"])
    else:
        return {}
    return network.state_dict()


def stimuli(patch):
    """Block of a landscape and a portrait stimulus, each grey, and once more with a patch."""
    block = make_block([(96, 128), (96, 128), (128, 96), (128, 96)])
    for index, image in enumerate(block.images):
        image[:] = 128
        if index % 2:
            image[patch] = np.random.default_rng(1).integers(0, 256, (24, 24, 3))
    return block


@pytest.fixture(params=ENTRIES)
def run(request, checkouts):
    """A model's name, its stages' files, and what they were given."""
    name, entry = request.param, smaller(ENTRIES[request.param])
    shipped = trained(name, entry, checkouts)
    entry, network = settle(entry, checkouts)
    files = {key: checkouts / f"{key}.h5" for key in ("data", "activations", "saliency", "bias")}
    files |= {"weights": checkouts / "w.safetensors", "layers": checkouts / "layers.json"}
    block = stimuli(np.s_[52:76, 20:44])
    write_data(files["data"], block, ORIGIN)
    bias = {}
    if entry.get("inputs"):
        points = {"a": np.random.default_rng(0).normal(0.5, 0.1, (50, 2))}
        baselines.write_centre_bias(
            files["bias"], CentreBias(points, (0.05, 0.05), 0.001), ["0"], ORIGIN
        )
        bias = {"centre_bias": files["bias"]}
    given = {"backbone": network, "layers": entry["layers"], "seed": 0, "device": "cpu"}
    source = {"source": entry["weights"], "prefix": entry.get("prefix")}
    job("import_backbone", "mine", bias, {"weights": files["weights"]}, **given, **source)
    inputs = {"weights": files["weights"]}
    job("measure_layers", "mine", inputs, {"layers": files["layers"]}, **given, finest_stride=2)
    inputs |= {"layers": files["layers"], "data": files["data"]}
    wanted = {"activations": files["activations"]}
    job("dump_activations", "mine", inputs, wanted, **given, batch_size=2)
    if backbone_entries.predicts(entry):
        wanted = {"saliency": files["saliency"]}
        settings = {"batch_size": 2, "uniform_weight": 0.0}
        job("predict_backbone", "mine", inputs, wanted, **given, **settings)
    return name, network, files, block, shipped


@pytest.mark.slow
def test_an_entry_runs_from_the_check_to_the_dump(run):
    name, entry, files, block, shipped = run
    layers = read_layer_table(files["layers"])
    found = {alias: round(layer.stride[0]) for alias, layer in layers.items()}
    assert found == STRIDES[name]
    box = geometry.Box.of(entry["input"])
    maps = {index: each for index, _, _, each in read_layers(files["activations"], list(layers))}
    assert set(maps) == {0, 1, 2, 3}
    for index in (1, 3):  # what the patch changes lies where the patch does, in every layer
        place = geometry.place(block.size(index), box)
        scale = np.array([place.height, place.width]) / block.size(index)
        wanted = np.array([place.top, place.left]) + scale * [64, 32]
        for alias, layer in layers.items():
            grid, change = layer.grid(place), maps[index][alias] - maps[index - 1][alias]
            assert change.shape == (layer.channels, *grid.shape) and change.any()
            width = max(layer.receptive_field_px)
            if width > min(place.input_size) / 2:  # it sees the patch from everywhere
                continue
            energy = (change**2).sum(0)
            energy = np.where(energy >= 0.3 * energy.max(), energy, 0)
            centre = [
                (energy.sum(1 - axis) * np.arange(grid.shape[axis])).sum() / energy.sum()
                for axis in (0, 1)
            ]
            distance = np.array(grid.offset) + np.array(grid.stride) * centre - wanted
            assert np.abs(distance).max() < max(12 * scale.max(), grid.stride[0]) + width / 2
    if entry["input"]["output"] != "none":
        for index, log_density in read_log_densities(files["saliency"]):
            assert log_density.shape == tuple(block.size(index))
            assert abs(np.exp(log_density.astype(float)).sum() - 1) < 1e-3
    backbone = configured("mine", entry)
    weights.load_into(backbone.network, files["weights"])
    state = backbone.network.state_dict()
    assert all(torch.equal(state[key], value) for key, value in shipped.items())


@pytest.mark.parametrize("name", ENTRIES)
def test_a_network_sees_what_its_authors_code_would_give_it(name, checkouts):
    entry = smaller(ENTRIES[name])
    trained(name, entry, checkouts)
    backbone = configured("mine", settle(entry, checkouts)[1])
    colour = np.array([200, 100, 30])
    box = geometry.Box.of(settle(entry, checkouts)[1]["input"])
    place = geometry.place(box[:2], box)
    content = np.broadcast_to(colour, (place.height, place.width, 3)).astype(np.uint8)
    seen = backbone.batch([content], [place])[0, :3, place.top, place.left].numpy()
    np.testing.assert_allclose(seen, of_model(AUTHORS, name, imagenet)(colour), atol=1e-4)


def test_the_page_has_ten_saliency_models_and_six_families_of_timm():
    timm = [name for name in ENTRIES if "timm" in name]
    assert len(timm) >= 6 and len(ENTRIES) - len(timm) >= 10
    assert set(ENTRIES) == set(STRIDES)
    files = {entry["factory"].partition(":")[0] for entry in ENTRIES.values()}
    assert set(LINES) == {file for file in files if file.endswith("mine.py")}
