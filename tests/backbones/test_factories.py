"""Factories as users write them: their imports, their faults, second inputs, several outputs."""

import sys

import numpy as np
import pytest
import torch
from torch import nn

from gaborscope.backbones import checking, measuring, opening, recording, user_models, weights
from gaborscope.backbones.backbone import configured
from gaborscope.backbones.checkpoints import CENTRE_BIAS
from gaborscope.errors import InputError
from gaborscope.scoring import baselines
from gaborscope.stimuli import geometry
from gaborscope.stimuli.centre_bias import GRID, CentreBias
from gaborscope.workflow import backbone_entries
from gaborscope.workflow.settings import load as load_config

CONFIG = load_config()


def entry(factory, layers=None, **more):
    settings = {**CONFIG["own_input"], "height": 32, "width": 64, "multiple": 8}
    settings["output"] = more.pop("kind", "logits")
    layers = layers or {"output": ""}
    return {"factory": str(factory), "layers": layers, "options": {}, "input": settings, **more}


def write(folder, **files):
    for name, text in files.items():
        path = folder / f"{name.replace('__', '/').replace('//init/', '/__init__')}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


NET = """
from __future__ import annotations
from dataclasses import dataclass
import torch
from torch import nn
from size import SIZE

@dataclass
class Settings:
    width: int = SIZE

def build(**options):
    return nn.Conv2d(3, 1, Settings(**options).width)
"""


def test_a_factorys_folder_is_importable_and_its_module_known(tmp_path):
    for size in (1, 3):  # two checkouts with modules of equal names
        folder = write(tmp_path / str(size), mine=NET, size=f"SIZE = {size}\n")
        network = user_models.build("mine", entry(f"{folder / 'mine.py'}:build"))
        assert network.kernel_size == (size, size)
        assert str(folder) in sys.path
    assert str(tmp_path / "1") not in sys.path


def test_a_folder_that_was_importable_before_stays_so(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path / "1")])
    for size in (1, 3):
        folder = write(tmp_path / str(size), mine=NET, size=f"SIZE = {size}\n")
        user_models.build("mine", entry(f"{folder / 'mine.py'}:build"))
    assert sys.path.count(str(tmp_path / "1")) == 1
    assert sys.path.index(str(tmp_path / "3")) < sys.path.index(str(tmp_path / "1"))


def test_a_factory_may_import_relatively(tmp_path):
    write(
        tmp_path,
        package__nets__mine="from .size import SIZE\nfrom ..other import build\n",
        package__nets__size="SIZE = 3\n",
        package__other="from torch import nn\n\ndef build():\n    return nn.Conv2d(3, 1, 1)\n",
    )
    made = entry(f"{tmp_path / 'package' / 'nets' / 'mine.py'}:build")
    assert isinstance(user_models.build("mine", made), nn.Conv2d)


def test_a_factory_in_a_package_may_name_it_as_a_whole(tmp_path):
    write(
        tmp_path,
        whole__inner__mine="from whole.other import build\n",
        whole__inner____init__="",
        whole____init__="",
        whole__other="from torch import nn\n\ndef build():\n    return nn.Conv2d(3, 1, 1)\n",
    )
    factory = f"{tmp_path / 'whole' / 'inner' / 'mine.py'}:build"
    assert isinstance(user_models.build("mine", entry(factory)), nn.Conv2d)
    before = backbone_entries.digest("mine", {"factory": factory}, tmp_path / "root")
    with (tmp_path / "whole" / "other.py").open("a") as file:
        file.write("# edited\n")
    assert backbone_entries.digest("mine", {"factory": factory}, tmp_path / "root") != before


def test_a_factory_may_have_the_name_of_a_module_that_others_use(tmp_path):
    folder = write(tmp_path, json="from torch import nn\n\ndef build():\n    return nn.ReLU()\n")
    user_models.build("mine", entry(f"{folder / 'json.py'}:build"))
    import json

    assert json.loads("[1]") == [1]


@pytest.mark.parametrize(
    "text, says",
    [
        ("import no_such_package\n", r"cannot be imported \(No module named 'no_such_package'\)"),
        ("1 / 0\n", r"cannot be imported \(ZeroDivisionError: division by zero, line 1 of mine.py"),
        ("import sys\nsys.exit(2)\n", r"cannot be imported \(SystemExit: 2, line 2 of mine.py\)"),
        ("def build(:\n", "cannot be imported .*line 1"),
        ("def build():\n    raise KeyError('a\\nb')\n", r"fails \(KeyError: 'a.*line 2 of mine.py"),
        ("def build():\n    assert False\n", r"fails \(AssertionError, line 2 of mine.py\); mend"),
        ("def build():\n    return len(3)\n", r"fails \(TypeError: .*, line 2 of mine.py\)"),
        ("def build():\n    exit('no weights')\n", r"fails \(SystemExit: no weights, line 2 of"),
        ("def build(a):\n    pass\n", r"cannot be called with its options \(build\(\) missing"),
        ("def build():\n    return 3\n", "returned int, not a torch.nn.Module"),
    ],
)
def test_whatever_a_factory_raises_is_one_sentence_with_its_cause(tmp_path, text, says):
    folder = write(tmp_path, mine=text)
    with pytest.raises(InputError, match=says) as caught:
        user_models.build("mine", entry(f"{folder / 'mine.py'}:build"))
    assert str(caught.value).startswith("models.mine") and "\n" not in str(caught.value)


def test_a_frozen_torchscript_file_has_no_weights_and_is_measured(tmp_path):
    made = nn.Sequential(nn.Conv2d(3, 4, 3, 2, 1), nn.Conv2d(4, 1, 1)).eval()
    frozen = torch.jit.freeze(torch.jit.script(made))
    frozen.save(str(tmp_path / "m.pt"))
    own = entry(f"torchscript:{tmp_path / 'm.pt'}")
    backbone = configured("mine", own)
    checking.check_backbone(backbone, own["layers"], (32, 64))
    weights.write_weights(tmp_path / "w.safetensors", backbone.network.state_dict(), {})
    again = opening.open_network("mine", own, tmp_path / "w.safetensors", "cpu")
    x = torch.rand(1, 3, 32, 64)
    torch.testing.assert_close(again.network(x), made(x))
    measured = measuring.measure_layers(again.network, own["layers"], [(32, 64)], 1, 0)
    assert measured["output"].stride == (2, 2)
    torch.save(made.state_dict(), tmp_path / "w.pth")
    with pytest.raises(InputError, match="the network has no weights to load"):
        weights.fit_into(backbone.network, made.state_dict(), "w.pth")


OUTPUTS = """
import dataclasses
import torch
from collections import namedtuple
from torch import nn

Pair = namedtuple("Pair", "map side")

@dataclasses.dataclass
class Result:
    map: object
    side: object

class Net(nn.Module):
    def __init__(self, kind):
        super().__init__()
        self.kind, self.out = kind, nn.Conv2d(3, 1, 1)

    def forward(self, x):
        y = self.out(x)
        side = torch.zeros(len(x), 5)
        return {
            "tuple": (side, y), "list": [y, side], "dict": {"map": y, "side": side},
            "named": Pair(y, side), "class": Result(y, side),
            "in list": (side, [side, y]), "in dict": {"a": {"map": y}}, "list in dict": {"a": [y]},
            "dict in list": [{"map": y}],
        }[self.kind]

def build(kind):
    return Net(kind)
"""


@pytest.mark.parametrize(
    "kind, output",
    [
        ("tuple", {"index": 1}),
        ("tuple", {"index": -1}),
        ("list", {"index": 0}),
        ("dict", {"key": "map"}),
        ("named", {"key": "map"}),
        ("named", {"index": 0}),
        ("class", {"key": "map"}),
        ("in list", {"index": [1, 1]}),
        ("in dict", {"key": ["a", "map"]}),
        ("list in dict", {"key": "a", "index": 0}),
        ("dict in list", {"index": 0, "key": "map"}),
    ],
)
def test_one_of_several_outputs_is_chosen(tmp_path, kind, output):
    factory = f"{write(tmp_path, mine=OUTPUTS) / 'mine.py'}:build"
    own = {**entry(factory, {"map": "out", "whole": ""}, output=output), "options": {"kind": kind}}
    backbone = configured("mine", own)
    checking.check_backbone(backbone, own["layers"], (32, 64))
    x = torch.rand(2, 3, 32, 64)
    with recording.recorder(backbone.network, own["layers"]) as record:
        maps = backbone.maps(x)
    torch.testing.assert_close(maps, backbone.network.out(x)[:, 0])
    torch.testing.assert_close(record["whole"], record["map"])


@pytest.mark.parametrize(
    "kind, output, says",
    [
        ("tuple", None, r"returns tuple of \(2, 5\), \(2, 1, 32, 64\); choose by output: {index"),
        ("dict", None, "returns dict with map, side; choose by output: {key: NAME}, or set"),
        ("tuple", {"index": 2}, r"output is {index: 2}, but the network returns tuple of"),
        ("dict", {"key": "no"}, "output is {key: no}, but the network returns dict with map, side"),
        ("dict", {"index": 0}, "output is {index: 0}, but the network returns dict with map"),
        ("in dict", {"key": "a"}, "returns dict with map; choose by output"),
        ("tuple", {"key": "map"}, "output is {key: map}, but the network returns tuple of"),
        ("list", {"index": [0, 0]}, r"returns a tensor \(2, 1, 32, 64\); it has no parts"),
    ],
)
def test_a_choice_that_is_missing_or_wrong_names_the_outputs(tmp_path, kind, output, says):
    factory = f"{write(tmp_path, mine=OUTPUTS) / 'mine.py'}:build"
    own = {**entry(factory, output=output), "options": {"kind": kind}}
    with pytest.raises(InputError, match=says):
        checking.check_backbone(configured("mine", own), own["layers"], (32, 64))


DEEPGAZE = """
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.readout, self.weight = nn.Conv2d(3, 1, 1), nn.Parameter(torch.ones(()))

    def forward(self, x, centerbias):
        maps = self.readout(x)[:, 0] + self.weight * centerbias
        return maps - maps.logsumexp(dim=(1, 2), keepdim=True)

def build():
    return Net()
"""


@pytest.fixture
def given(tmp_path, rng):
    """A backbone that has been given a centre bias, its entry, and that bias."""
    own = entry(
        f"{write(tmp_path, mine=DEEPGAZE) / 'mine.py'}:build",
        {"readout": "readout"},
        inputs={"centre_bias": "fit"},
        kind="log_density",
    )
    bias = CentreBias({"a": rng.normal(0.4, 0.05, (50, 2))}, (0.05, 0.05), 0.001)
    path = tmp_path / "demo.h5"
    origin = {"code": "", "commit": "", "versions": "{}", "params": "{}", "seed": 0}
    baselines.write_centre_bias(path, bias, ["0"], origin)
    backbone = configured("mine", own)
    opening.give_centre_bias(backbone, [path])
    return backbone, own, bias


def test_a_network_is_given_the_centre_bias_as_a_log_density_of_the_content(given):
    backbone, _, bias = given
    place = geometry.place((60, 60), geometry.Box(32, 64))
    log_density = backbone.centre_bias(place)
    inside = log_density[:, place.left : place.left + place.width]
    assert log_density.shape == (32, 64) and place.width == 32
    np.testing.assert_allclose(np.exp(inside.astype(float)).sum(), 1, rtol=1e-5)
    wanted = bias.density((32, 32))
    np.testing.assert_allclose(np.exp(inside), wanted, rtol=2e-2, atol=1e-2 * wanted.max())
    assert (log_density[:, : place.left] == inside.min()).all()


def test_every_stage_gives_the_centre_bias(given, tmp_path):
    backbone, own, bias = given
    checking.check_backbone(backbone, own["layers"], (32, 64))
    weights.write_weights(tmp_path / "w.safetensors", backbone.network.state_dict(), {})
    again = opening.open_network("mine", own, tmp_path / "w.safetensors", "cpu")
    place = geometry.place((32, 64), geometry.Box(32, 64))
    x = again.batch([np.zeros((32, 64, 3), np.uint8)], [place])
    assert x.shape == (1, 4, 32, 64)
    nn.init.zeros_(again.network.readout.weight)
    maps = again.maps(x)[0].detach().numpy()
    np.testing.assert_allclose(maps, again.centre_bias(place), atol=1e-4)
    np.testing.assert_allclose(maps, again.maps(x[:, :3])[0].detach(), atol=1e-4)
    measured = measuring.measure_layers(again.network, own["layers"], [(32, 64)], 1, 0)
    assert measured["readout"].stride == (1, 1)
    assert again.network.get_buffer(CENTRE_BIAS).shape == GRID


def test_the_authors_weights_need_no_centre_bias(given, tmp_path):
    backbone, own, _ = given
    state = {k: v for k, v in backbone.network.state_dict().items() if k != CENTRE_BIAS}
    before = backbone.network.get_buffer(CENTRE_BIAS).clone()
    weights.fit_into(backbone.network, {f"module.{k}": v for k, v in state.items()}, "w")
    assert torch.equal(backbone.network.get_buffer(CENTRE_BIAS), before)


def test_files_that_a_factory_brings_in_are_known(tmp_path):
    folder = write(tmp_path, mine=NET, size="SIZE = 1\n")
    before = set(sys.modules) - {"mine", "size"}
    user_models.build("mine", entry(f"{folder / 'mine.py'}:build"))
    found = user_models.files_of(set(sys.modules) - before)
    assert found == [folder / "mine.py", folder / "size.py"]
