"""Preprocessing, layers, models of users, and the check that names their faults."""

from pathlib import Path

import numpy as np
import pytest
import torch
from helpers import make_block
from PIL import Image
from torch import nn

from gaborscope.backbones import checking, layouts, measuring, recording, resizing, user_models
from gaborscope.backbones.backbone import KNOWN, Backbone, build, configured, predict
from gaborscope.backbones.devices import device
from gaborscope.errors import InputError
from gaborscope.stimuli import geometry
from gaborscope.workflow import backbone_entries
from gaborscope.workflow.settings import load as load_config

ROOT = Path(__file__).resolve().parents[2]
CONFIG = load_config()


def described(name):
    return configured(name, CONFIG["backbones"][name])


def entry(factory, layers, **settings):
    settings = {**CONFIG["own_input"], "height": 32, "width": 64, "multiple": 8, **settings}
    return {"factory": factory, "layers": layers, "options": {}, "input": settings}


@pytest.fixture(scope="module")
def photograph(shared):
    path = sorted((shared / "data" / "osie" / "stimuli").glob("*.jpg"))[0]
    return np.asarray(Image.open(path).convert("RGB"))


# --- preprocessing --------------------------------------------------------------------------------


def test_unisal_gets_lanczos_and_imagenets_normalisation(photograph):
    place = geometry.place(photograph.shape[:2], geometry.Box(288, 384, "nearest", 32))
    assert place == geometry.Placement((288, 384), 0, 0, 288, 384)
    backbone = described("unisal")
    x = backbone.batch([backbone.content(photograph, place)], [place])[0].permute(1, 2, 0).numpy()
    small = Image.fromarray(photograph).resize((384, 288), Image.Resampling.LANCZOS)
    mean, std = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
    np.testing.assert_allclose(x, (np.asarray(small) / 255 - mean) / std, atol=1e-5)


def test_msinet_gets_0_to_255_padded_with_126(photograph):
    wide = photograph[:300]  # 300 x 800: 90 of 240 rows
    place = geometry.place(wide.shape[:2], (240, 320))
    assert place.valid == (60, 0, 120, 320)
    backbone = described("msinet")
    x = backbone.batch([backbone.content(wide, place)], [place])[0].permute(1, 2, 0).numpy()
    assert (x[:60] == 126).all() and (x[180:] == 126).all()
    wanted = resizing.resize(wide, (120, 320), "tensorflow")
    np.testing.assert_allclose(x[60:180], wanted, atol=1e-4)


def test_cmrnets_padding_is_0_to_the_network():
    place = geometry.Placement((32, 48), 8, 0, 16, 48)
    x = described("cmrnet").batch([np.full((16, 48, 3), 200, np.uint8)], [place])
    assert (x[0, :, :8] == 0).all() and (x[0, :, 8:24] != 0).all()


def test_bgr_order_range_mean_and_padding_are_applied():
    backbone = Backbone(
        "mine", nn.Identity(), (1, 2, 3), (2, 4, 8), 8, "unit", range=255, colour="bgr", pad=9
    )
    image = np.full((16, 16, 3), [10, 20, 30], np.uint8)
    x = backbone.batch([image], [geometry.Placement((16, 24), 0, 4, 16, 16)])
    np.testing.assert_allclose(x[0, :, 3, 8], [(30 - 1) / 2, (20 - 2) / 4, (10 - 3) / 8])
    np.testing.assert_allclose(x[0, :, 3, 2], [(9 - 1) / 2, (9 - 2) / 4, (9 - 3) / 8])


def test_unisals_sizes_are_the_authors():
    sizes = geometry.Box(288, 384, "nearest", 32).sizes
    wanted = {(32 * a, 32 * b) for a in range(7, 14) for b in range(7, 14) if 100 <= a * b <= 120}
    assert set(sizes) == wanted and sizes[0] == (288, 384)


@pytest.mark.parametrize(
    "size, wanted", [((600, 800), (288, 384)), ((800, 600), (384, 288)), ((500, 500), (320, 320))]
)
def test_a_stimulus_is_stretched_to_the_nearest_aspect(size, wanted):
    placement = geometry.place(size, geometry.Box(288, 384, "nearest", 32))
    assert placement == geometry.Placement(wanted, 0, 0, *wanted)


@pytest.mark.parametrize("kind", ["log_density", "logits", "density", "unit"])
def test_a_smaller_output_is_enlarged_and_made_a_log_density(kind):
    network = nn.AvgPool2d(4)
    backbone = Backbone("mine", network, (0,) * 3, (1,) * 3, 4, kind)
    x = torch.rand(2, 1, 16, 24)
    maps = backbone.maps(x)
    assert maps.shape == (2, 16, 24)
    logs = backbone.log_maps(x).log_softmax(-1)
    assert torch.isfinite(logs).all()
    if kind in ("density", "unit"):
        shares = maps / maps.sum(dim=(1, 2), keepdim=True)
        torch.testing.assert_close(backbone.log_maps(x).exp(), shares, atol=1e-5, rtol=1e-3)


def test_prediction_leaves_the_padding_out():
    backbone = described("cmrnet")
    block = make_block([(20, 60)])
    with torch.no_grad():
        box = {"height": 48, "width": 64}
        ((_, maps),) = predict(backbone, block, box, 1, torch.device("cpu"))
    assert maps.shape == geometry.place((20, 60), (48, 64)).valid[2:]


# --- layers ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", KNOWN)
def test_every_layer_of_the_table_is_a_grid_of_the_network(name):
    backbone = described(name)
    settings = CONFIG["backbones"][name]
    checking.check_backbone(backbone, settings["layers"], geometry.Box.of(settings["input"]))


def test_tokens_lie_on_the_grid_of_their_patches():
    maps = torch.arange(2 * 5 * 3 * 4.0).view(2, 5, 3, 4)
    tokens = maps.flatten(2).transpose(1, 2)
    seen, tap = layouts.Seen(2, 1, (24, 32)), layouts.Tap("blocks.1", "npc")
    assert torch.equal(layouts.as_maps(tokens, tap, seen), maps)
    class_token = torch.full((2, 1, 5), -1.0)
    assert torch.equal(layouts.as_maps(torch.cat([class_token, tokens], 1), tap, seen), maps)
    assert list(layouts.readings((2, 31, 5), seen)) == []


def test_a_transformers_tokens_are_recorded_and_measured():
    made = entry(
        "examples/own_model.py:vit", {"block": "blocks.1"}, height=96, width=128, multiple=8
    )
    torch.manual_seed(0)
    backbone = configured("vit", made)
    checking.check_backbone(backbone, made["layers"], (96, 128))
    measured = measuring.measure_layers(
        backbone.network, made["layers"], [(96, 128), (128, 96)], 1, 0
    )
    assert measured["block"].shape == {"96x128": (12, 16), "128x96": (16, 12)}
    assert measured["block"].stride == (8, 8)


# --- models of users ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "factory, text",
    [
        ("nothing", "it must be package.module:function"),
        ("no.such.module:f", "no.such.module cannot be imported"),
        ("examples/no.py:f", "cannot be imported"),
        ("examples.own_model:f", "has no function 'f'"),
        ("json:dumps", "cannot be called with its options"),
        ("builtins:dict", "returned dict, not a torch.nn.Module"),
        ("torchscript:README.md", "is no TorchScript file"),
    ],
)
def test_a_fault_in_a_factory_is_named(factory, text):
    with pytest.raises(InputError, match=text):
        user_models.build("mine", entry(factory, {"a": "b"}))


class Net(nn.Module):
    """A network with the fault that `fault` names."""

    def __init__(self, fault=""):
        super().__init__()
        self.fault = fault
        self.conv = nn.Conv2d(3, 4, 3, 2, 1)
        self.unused = nn.Conv2d(3, 4, 1)
        self.pooled = nn.AdaptiveAvgPool2d(1)
        self.flat = nn.Flatten()
        self.out = nn.Conv2d(4, 1, 1)

    def forward(self, x):
        y = self.conv(x)
        self.flat(self.pooled(y))
        maps = self.out(y)
        if self.fault == "noise":
            return maps + torch.rand(1)
        if self.fault == "batch":
            return maps - maps.mean(dim=0)
        if self.fault == "largest":
            return maps / maps.abs().amax()
        faulty = {
            "size": lambda: maps @ torch.ones(3, 3),
            "tuple": lambda: (maps, maps),
            "channels": lambda: y,
            "classes": lambda: maps.mean(dim=(2, 3)),
            "nan": lambda: maps / 0,
        }
        return faulty.get(self.fault, lambda: maps)()


def network(fault="", output="logits"):
    torch.manual_seed(0)
    return Backbone("mine", Net(fault).eval(), (0,) * 3, (1,) * 3, 8, output)


@pytest.mark.parametrize(
    "fault, layers, output, text",
    [
        ("", {"a": "convv"}, "logits", "no module 'convv'; close are conv"),
        ("", {"a": "unused"}, "logits", "layer a \\(unused\\) does not run"),
        ("", {"a": "pooled"}, "logits", "has a single cell"),
        ("", {"a": "flat"}, "logits", r"gives the shape \(2, 4\)"),
        ("size", {"a": "conv"}, "logits", "fails on an input of shape .*check input.height"),
        ("tuple", {"a": "conv"}, "logits", "returns tuple of .*choose by output: {index: N}"),
        ("channels", {"a": "conv"}, "logits", r"returns the shape \(2, 4, 16, 32\)"),
        ("classes", {"a": "conv"}, "logits", "input.output: none"),
        ("nan", {"a": "conv"}, "logits", "not finite"),
        ("noise", {"a": "conv"}, "logits", "dropout"),
        ("batch", {"a": "conv"}, "logits", "alone and in a batch"),
        ("largest", {"a": "conv"}, "logits", "alone and in a batch"),
        ("", {"a": "conv"}, "density", "a density is not negative"),
        ("", {"a": "conv"}, "unit", "'unit' is 0..1"),
        ("", {"a": "conv"}, "log_density", "set input.output: logits"),
    ],
)
def test_what_is_wrong_with_a_model_is_said_in_a_sentence(fault, layers, output, text):
    with pytest.raises(InputError, match=text) as caught:
        checking.check_backbone(network(fault, output), layers, (32, 64))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("fault, output", [("", "logits"), ("classes", "none"), ("tuple", "none")])
def test_a_model_that_fits_passes(fault, output):
    checking.check_backbone(network(fault, output), {"a": "conv", "b": "out"}, (32, 64))


class Told(nn.Module):
    """A network whose TorchScript file returns its layers by name."""

    def __init__(self):
        super().__init__()
        self.conv, self.out = nn.Conv2d(3, 4, 3, 2, 1), nn.Conv2d(4, 1, 1)

    def forward(self, x: torch.Tensor):
        y = self.conv(x)
        return self.out(y), {"early": y}


@pytest.mark.parametrize("told", [True, False])
def test_a_torchscript_file_is_run_and_its_layers_recorded(tmp_path, told):
    torch.manual_seed(0)
    made = Told() if told else nn.Sequential(nn.Conv2d(3, 1, 3, 2, 1))
    torch.jit.script(made.eval()).save(str(tmp_path / "m.pt"))
    layers = {"early": "early", "output": ""} if told else {"output": ""}
    backbone = configured(
        "mine", entry(f"torchscript:{tmp_path / 'm.pt'}", layers, output="logits")
    )
    checking.check_backbone(backbone, layers, (32, 64))
    x = torch.rand(1, 3, 32, 64)
    with torch.no_grad(), recording.recorder(backbone.network, layers) as record:
        backbone.maps(x)
        wanted = made(x)
    if told:
        torch.testing.assert_close(record["early"], wanted[1]["early"])
    torch.testing.assert_close(record["output"], wanted[0] if told else wanted)
    measured = measuring.measure_layers(backbone.network, layers, [(32, 64)], 1, 0)
    assert measured["output"].shape == {"32x64": (16, 32)}


def test_a_layer_that_a_torchscript_file_does_not_tell_is_named(tmp_path):
    torch.jit.script(Told().eval()).save(str(tmp_path / "m.pt"))
    made = entry(f"torchscript:{tmp_path / 'm.pt'}", {"late": "late"}, output="logits")
    with pytest.raises(InputError, match="gives no layer 'late'; its forward returns .*early"):
        checking.check_backbone(configured("mine", made), made["layers"], (32, 64))


class Narrow(nn.Module):
    """A network that fails on images of three channels."""

    def forward(self, x: torch.Tensor):
        return nn.functional.conv2d(x, torch.zeros(1, 5, 3, 3))


class Three(nn.Module):
    """A network that returns more than a map and its layers."""

    def forward(self, x: torch.Tensor):
        return x, x, x


class Without(nn.Module):
    """A network that has another function in the place of forward."""

    @torch.jit.export
    def look(self, x: torch.Tensor):
        return x


@pytest.mark.parametrize(
    "made, text",
    [
        (
            Narrow(),
            "mine: .*m.pt fails on an input of shape .*expected input.* 5 channels.*check the",
        ),
        (Three(), "mine: .*m.pt returns Tensor, Tensor, Tensor; its forward must return"),
        (Without(), "has no forward; save a whole network"),
    ],
)
def test_a_torchscript_file_that_cannot_be_run_is_told_in_a_sentence(tmp_path, made, text):
    torch.jit.script(made.eval()).save(str(tmp_path / "m.pt"))
    own = entry(f"torchscript:{tmp_path / 'm.pt'}", {"output": ""}, output="logits")
    with pytest.raises(InputError, match=text) as caught:
        checking.check_backbone(configured("mine", own), own["layers"], (32, 64))
    assert str(caught.value).isprintable()


class Dying(torch.nn.Module):
    """A dead layer with zero weights, a layer that does not see the image, and a live layer."""

    def __init__(self):
        super().__init__()
        self.alive, self.dead = torch.nn.Conv2d(3, 2, 4, 4), torch.nn.Conv2d(2, 2, 1)
        self.blind = torch.nn.Identity()
        torch.nn.init.zeros_(self.dead.weight)

    def forward(self, x):
        first = self.alive(x)
        return self.dead(first) + self.blind(torch.ones(len(x), 2, 8, 12))


def test_dead_layers_are_taken_to_tile_the_input():
    layers = {"alive": "alive", "dead": "dead", "blind": "blind"}
    measured = measuring.measure_layers(Dying().eval(), layers, [(32, 48)], 4, 0)
    for name in ("dead", "blind"):
        assert measured[name].centre == "tiled"
        assert measured[name].offset_px == (1.5, 1.5)
        assert measured[name].receptive_field_px == (0, 0)
    assert measured["alive"].centre == "measured"


def test_convolutions_are_not_rounded_to_tf32(monkeypatch):
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", True)
    device("cpu")
    assert not torch.backends.cudnn.allow_tf32
    assert not torch.backends.cuda.matmul.allow_tf32


def test_the_workflow_knows_the_same_networks():
    assert backbone_entries.KNOWN == KNOWN


def test_options_that_a_network_cannot_have_are_said_in_one_sentence():
    with pytest.raises(InputError, match="backbones.cmrnet.options"):
        build("cmrnet", widths=[8, 8])
