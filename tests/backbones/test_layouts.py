"""Layers that lie otherwise than as (n, channel, y, x): recognised, said, or refused."""

import functools
import logging

import numpy as np
import pytest
import torch
from helpers import make_block
from torch import nn

from gaborscope.backbones import backbone as backbone_tools
from gaborscope.backbones import checking, devices, layouts, measuring, recording
from gaborscope.backbones.backbone import Backbone
from gaborscope.errors import InputError
from gaborscope.refutation import substitution
from gaborscope.stimuli import geometry
from gaborscope.stimuli.layer import Layer
from gaborscope.store.layers import LayerWriter, read_layers

SIZE = (48, 64)


class Lying(nn.Module):
    """A small encoder whose module `layer` gives its maps in another form."""

    def __init__(self, form, back=None):
        super().__init__()
        self.stem = nn.Conv2d(3, 6, 4, 4)
        self.mix = nn.Conv2d(6, 6, 3, padding=1)
        self.layer = nn.Identity()
        self.out = nn.Conv2d(6, 1, 1)
        self.form, self.back = form, back

    def forward(self, x):
        maps = self.mix(self.stem(x))
        given = self.layer(self.form(maps))
        return self.out(maps if self.back is None else self.back(given))


def unrolled(levels, maps):
    """Tokens in the order of Hiera's Unroll, computed as its authors do."""
    n, c, *size = maps.shape
    x = maps.permute(0, 2, 3, 1)
    for _ in range(levels):
        size = [extent // 2 for extent in size]
        x = x.reshape(-1, size[0], 2, size[1], 2, c).permute(0, 2, 4, 1, 3, 5).flatten(0, 2)
    return x.reshape(n, -1, c)


def windowed(side, maps):
    n, c, rows, columns = maps.shape
    x = maps.view(n, c, rows // side, side, columns // side, side)
    return x.permute(0, 2, 4, 3, 5, 1).reshape(n, -1, c)


def tokens(maps, extra=0):
    x = maps.flatten(2).transpose(1, 2)
    return torch.cat([torch.ones(len(x), extra, x.shape[2]), x], dim=1)


FORMS = {
    "channels last": (lambda maps: maps.permute(0, 2, 3, 1), "nyxc", None),
    "tokens": (tokens, "npc", None),
    "class and registers": (functools.partial(tokens, extra=5), "npc", None),
    "tokens first": (lambda maps: tokens(maps).transpose(0, 1), "pnc", None),
    "channels first": (lambda maps: maps.flatten(2), "ncp", None),
    "columns": (lambda maps: tokens(maps.transpose(2, 3)), "npc", "columns"),
    "windows": (functools.partial(windowed, 4), "npc", "windows 4"),
    "hiera 1": (functools.partial(unrolled, 1), "npc", "unrolled 1"),
    "hiera 2": (functools.partial(unrolled, 2), "npc", "unrolled 2"),
    "turned": (lambda maps: maps.transpose(2, 3), "ncxy", None),
}


def measured(form, size=SIZE, layer="layer", **keys):
    torch.manual_seed(0)
    network = Lying(form).eval()
    layers = {"a": {"module": layer, **keys} if keys else layer}
    return network, measuring.measure_layers(network, layers, [size, size[::-1]], 1, 0)["a"]


@pytest.mark.parametrize("kind", FORMS)
def test_a_layer_is_brought_to_its_maps_and_back(kind, caplog):
    form, axes, order = FORMS[kind]
    caplog.set_level(logging.INFO)
    network, layer = measured(form)
    assert (layer.axes, layer.order, layer.stride) == (axes, order, (4, 4))
    assert layer.shape == {"48x64": (12, 16), "64x48": (16, 12)}
    assert "read as (" in caplog.text
    assert Layer.from_json(layer.to_json()) == layer
    for size in (SIZE, SIZE[::-1]):
        x = torch.randn(2, 3, *size)
        with torch.no_grad(), recording.recorder(network, {"a": layer}) as record:
            network(x)
        wanted = network.mix(network.stem(x))
        torch.testing.assert_close(record["a"], wanted)
        other = torch.randn_like(wanted)
        given = form(wanted)
        seen = layouts.Seen.of(x)
        replaced = layouts.put_back(given, other, layouts.Tap.of(layer), seen)
        wanted = form(other)
        if kind == "class and registers":
            assert torch.equal(replaced[:, :5], given[:, :5])
        torch.testing.assert_close(replaced, wanted)


def test_channels_last_of_a_square_input_is_found_by_measuring():
    def last(maps):
        return maps.repeat(1, 2, 1, 1).permute(0, 2, 3, 1)

    _, layer = measured(last, size=(48, 48))
    assert layer.axes == "nyxc" and layer.channels == 12  # (n, 12, 12, 12)


@pytest.mark.parametrize("stride", [(4, 8), (8, 4)])
@pytest.mark.parametrize("side", [1, 31])
def test_strides_may_differ_along_y_and_x(stride, side):
    torch.manual_seed(0)
    wide = nn.Conv2d(4, 4, side, padding=side // 2)
    network = nn.Sequential(nn.Conv2d(3, 4, 5, stride, padding=2), wide).eval()
    layer = measuring.measure_layers(network, {"a": "1"}, [(96, 128)], 1, 0)["a"]
    assert (layer.axes, layer.stride) == (None, stride)
    assert layer.shape == {"96x128": (96 // stride[0], 128 // stride[1])}


@pytest.mark.parametrize("side, stride", [(11, 6), (7, 5), (9, 3), (15, 12)])
def test_cells_that_do_not_tile_the_image_lie_their_stride_apart(side, stride):
    network = nn.Sequential(nn.Conv2d(3, 4, side, stride)).eval()
    nn.init.ones_(network[0].weight)  # so that each cell sees its window alike
    layer = measuring.measure_layers(network, {"a": "0"}, [(96, 128)], 1, 0)["a"]
    assert (layer.stride, layer.centre) == ((stride, stride), "measured")
    assert layer.offset_px == pytest.approx([(side - 1) / 2] * 2, abs=0.1)


def scattered(maps):
    """Tokens in an order that is none."""
    order = torch.from_numpy(np.random.default_rng(0).permutation(maps[0, 0].numel()))
    return tokens(maps)[:, order]


@pytest.mark.parametrize(
    "form, keys, text",
    [
        (scattered, {}, "lies elsewhere.*no other order of the tokens fits"),
        (lambda maps: maps.flip(3), {}, "lies elsewhere"),
        (lambda maps: maps.roll(7, dims=3), {}, "lies elsewhere"),
        (lambda maps: maps.permute(0, 2, 3, 1), {"axes": "ncyx"}, "lies elsewhere"),
        (lambda maps: maps.permute(0, 2, 3, 1), {"axes": "npc"}, "which is not axes: npc"),
        (functools.partial(windowed, 4), {"axes": "pnc"}, "for 2 images, which is not axes: pnc"),
        (lambda maps: windowed(4, maps).reshape(-1, 16, 6), {}, "such as .module: ..., axes: nyxc"),
    ],
)
def test_a_layer_that_contradicts_its_grid_is_refused(form, keys, text):
    with pytest.raises(InputError, match=text) as caught:
        measured(form, **keys)
    assert str(caught.value).isprintable() and "layer a" in str(caught.value)


def test_a_layer_without_places_is_said(caplog):
    caplog.set_level(logging.INFO)
    measured(lambda maps: maps.mean((2, 3), keepdim=True).expand_as(maps))
    assert "layer a: its cells see almost all of the image alike" in caplog.text


def test_large_inputs_are_measured_in_parts_with_the_same_result(monkeypatch):
    network, whole = measured(lambda maps: maps)
    images = []
    network.register_forward_pre_hook(
        lambda module, x: images.append(len(x[0])) if x[0].requires_grad else None
    )
    for most, expected in ((8, {8}), (3, {3, 2}), (0.5, {1})):
        images.clear()
        monkeypatch.setattr(measuring, "PIXELS", int(most * SIZE[0] * SIZE[1]))
        parts = measuring.measure_layers(network, {"a": "layer"}, [SIZE, SIZE[::-1]], 1, 0)["a"]
        assert set(images) == expected
        assert parts.shape == whole.shape and parts.centre == whole.centre
        assert parts.offset_px == pytest.approx(whole.offset_px)
        assert parts.receptive_field_px == pytest.approx(whole.receptive_field_px)


def test_swins_windows_are_no_batch():
    seen = layouts.Seen(2, 1, (224, 224))
    assert list(layouts.readings((2 * 64, 49, 96), seen)) == []
    assert next(layouts.readings((2, 56, 56, 96), seen)) == "nyxc"
    assert next(layouts.readings((2, 7, 9, 768), layouts.Seen(2, 1, (224, 288)))) == "nyxc"


CHANGES = {
    "cropped": (lambda maps: maps[:, :, 1:-1, 1:-1], (4, 4), "10 x 14 cells lie 4 x 4 px apart"),
    "padded": (lambda maps: nn.functional.pad(maps, (2, 2, 1, 1)), (-4, -8), "4 x 4 px apart"),
}


@pytest.mark.parametrize("kind", CHANGES)
def test_cells_that_do_not_tile_the_image_are_placed_as_measured_and_said(kind, caplog):
    change, moved, said = CHANGES[kind]
    caplog.set_level(logging.INFO)
    torch.manual_seed(0)
    network = Lying(change, lambda given: given).eval()
    network.mix = nn.Sequential(*(nn.Conv2d(6, 6, 3, padding=1) for _ in range(3)))
    layer = measuring.measure_layers(network, {"a": "layer"}, [SIZE, SIZE[::-1]], 1, 0)["a"]
    assert said in caplog.text and layer.stride == (4, 4) and layer.centre == "measured"
    np.testing.assert_allclose(layer.offset_px, np.add(1.5, moved), atol=1.5)
    assert len(layer.shape) == 2


def test_cells_that_scatter_elsewhere_tile_the_image_and_that_is_said(caplog):
    caplog.set_level(logging.INFO)
    torch.manual_seed(0)
    network = Lying(lambda maps: maps.roll((1, 1), (2, 3)), lambda given: given).eval()
    network.mix = nn.Sequential(*(nn.Conv2d(6, 6, 3, padding=1) for _ in range(3)))
    layer = measuring.measure_layers(network, {"a": "layer"}, [SIZE, SIZE[::-1]], 1, 0)["a"]
    assert "px further right than if they tiled the image; they are taken to tile it" in caplog.text
    assert layer.centre == "tiled" and layer.offset_px == (1.5, 1.5)


class Mapped(nn.Module):
    """A small network whose map is changed at last."""

    def __init__(self, change):
        super().__init__()
        self.maps = nn.Sequential(
            nn.Conv2d(3, 6, 4, 4), nn.Conv2d(6, 1, 3, padding=1), nn.Sigmoid()
        )
        self.change = change

    def forward(self, x):
        return self.change(self.maps(x))


def normalised(maps):
    low = maps.amin((1, 2, 3), keepdim=True)
    return (maps - low) / (maps.amax((1, 2, 3), keepdim=True) - low)


@pytest.mark.parametrize(
    "change", [lambda maps: maps, normalised, lambda maps: maps[:, 0].flatten(1).softmax(1).view_as(
        maps[:, 0])])  # fmt: skip
def test_a_map_of_its_places_passes_in_silence(change, caplog):
    torch.manual_seed(0)
    measuring.check_output(Mapped(change).eval(), SIZE, 0)
    assert caplog.text == ""


@pytest.mark.parametrize(
    "change",
    [
        lambda maps: maps.flip(3),
        lambda maps: normalised(maps).flip(2),
        lambda maps: scattered(maps).transpose(1, 2).view_as(maps),
        lambda maps: maps.transpose(2, 3).reshape(maps.shape),
    ],
)
def test_a_map_of_other_places_is_said(change, caplog):
    torch.manual_seed(0)
    measuring.check_output(Mapped(change).eval(), SIZE, 0)
    (record,) = caplog.records
    assert record.levelname == "WARNING" and record.message.isprintable()
    assert "not known to lie where they do" in record.message and "(n, 1, y, x)" in record.message


def test_a_shifted_map_is_said(caplog):
    torch.manual_seed(0)
    measuring.check_output(Mapped(lambda maps: maps.roll(2, 3)).eval(), SIZE, 0)
    assert "what its pixels see lies" in caplog.text and "px further right" in caplog.text


# --- time -----------------------------------------------------------------------------------------


class Clips(nn.Module):
    """A network of clips as TASED-Net: convolutions over time, and its map of the last frames."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv3d(3, 5, (3, 4, 4), (2, 4, 4), padding=(1, 0, 0))
        self.relu = nn.ReLU()
        self.end = nn.Conv3d(5, 1, (4, 1, 1))
        self.frames_last = nn.Identity()

    def forward(self, x):
        maps = self.relu(self.stem(x))
        self.frames_last(maps.transpose(1, 2).flatten(0, 1))
        return self.end(maps).squeeze(2)


def clips():
    torch.manual_seed(0)
    network = Clips().eval()
    network.register_forward_pre_hook(functools.partial(backbone_tools._repeated, 8))
    return Backbone("mine", network, (0,) * 3, (1,) * 3, 4, "logits")


@pytest.mark.parametrize("time", ["mean", "last", 0, 3])
@pytest.mark.parametrize("module", ["stem", "frames_last"])
def test_a_frame_or_the_mean_over_time_is_recorded(time, module):
    backbone = clips()
    layers = {"a": {"module": module, "time": time}}
    checking.check_backbone(backbone, layers, SIZE)
    layer = measuring.measure_layers(backbone.network, layers, [SIZE, SIZE[::-1]], 1, 0)["a"]
    assert layer.axes == {"stem": "nctyx", "frames_last": "ntcyx"}[module] and layer.time == time
    assert layer.shape["48x64"] == (12, 16)
    x = torch.randn(2, 3, *SIZE)
    with torch.no_grad(), recording.recorder(backbone.network, {"a": layer}) as record:
        backbone.network(x)
        whole = backbone.network.stem(x[:, :, None].expand(-1, -1, 8, -1, -1))
    whole = whole if module == "stem" else whole.relu()
    index = {"last": 3}.get(time, time)
    wanted = whole.mean(2) if time == "mean" else whole[:, :, index]
    torch.testing.assert_close(record["a"], wanted)


@pytest.mark.parametrize(
    "keys, text",
    [
        ({}, "has 4 frames; say which.*time: mean"),
        ({"time": 4}, "has 4 frames, so .* number from 0 to 3"),
    ],
)
def test_a_layer_with_frames_needs_its_time(keys, text):
    with pytest.raises(InputError, match=f"models.mine: layer a: stem {text}"):
        checking.check_backbone(clips(), {"a": {"module": "stem", **keys}}, SIZE)


def test_a_substituted_frame_or_mean_is_the_one_that_is_recorded():
    backbone = clips()
    x = torch.randn(1, 3, *SIZE)
    for time in ("mean", "last"):
        layers = {"a": {"module": "stem", "time": time}}
        with torch.no_grad(), substitution.substituter(backbone.network, layers) as places:
            places["a"] = torch.ones(1, 5, 12, 16)
            with recording.recorder(backbone.network, layers) as record:
                replaced = backbone.network(x)
        torch.testing.assert_close(record["a"], torch.ones(1, 5, 12, 16))
        assert not torch.equal(replaced, backbone.network(x))


def test_conv3d_networks_are_moved_to_channels_last():
    network = nn.Sequential(nn.Conv3d(3, 4, 3), nn.Conv2d(3, 4, 3))
    devices.move(network, torch.device("cpu"), torch.channels_last)
    assert network[1].weight.is_contiguous(memory_format=torch.channels_last)
    assert network[0].weight.is_contiguous()


def test_an_image_network_that_takes_clips_is_told_of_frames():
    network = Backbone("mine", Clips().eval(), (0,) * 3, (1,) * 3, 4, "logits")
    with pytest.raises(InputError, match="if it takes clips, set input.frames"):
        checking.check_backbone(network, {"a": "stem"}, SIZE)


# --- one size -------------------------------------------------------------------------------------


class Fixed(nn.Module):
    """A network of one landscape size: its positions are parameters."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 4, 8, 8)
        self.place = nn.Parameter(torch.zeros(1, 4, 6, 8))

    def forward(self, x):
        return (self.stem(x) + self.place).mean(1, keepdim=True)


def test_a_landscape_box_does_not_turn():
    box = geometry.Box.of({"height": 48, "width": 64, "orientation": "landscape"})
    assert box.sizes == [(48, 64)] and geometry.Box(48, 64).sizes == [(48, 64), (64, 48)]
    assert geometry.place((80, 40), box) == geometry.Placement((48, 64), 0, 20, 48, 24)
    assert geometry.place((40, 80), box) == geometry.place((40, 80), (48, 64))
    nearest = geometry.Box(288, 384, "nearest", 32, "landscape")
    assert all(height <= width for height, width in nearest.sizes)
    assert geometry.place((900, 300), nearest).input_size == (320, 320)


def test_a_portrait_stimulus_lies_right_in_a_network_of_one_landscape_size():
    torch.manual_seed(0)
    backbone = Backbone("mine", Fixed().eval(), (0,) * 3, (1,) * 3, 8, "density")
    with torch.no_grad():  # a planted network: its map is the mean brightness of each patch
        backbone.network.stem.weight.fill_(1)
        backbone.network.stem.bias.zero_()
    settings = {"height": 48, "width": 64, "orientation": "landscape"}
    box = geometry.Box.of(settings)
    checking.check_backbone(backbone, {"a": "stem"}, box)
    layers = measuring.measure_layers(backbone.network, {"a": "stem"}, box.sizes, 1, 0)
    assert set(layers["a"].shape) == {"48x64"}
    block = make_block([(96, 48)])
    block.images[0][:] = 0
    block.images[0][64:80, 16:32] = 255  # below the middle, left of the right edge
    device = torch.device("cpu")
    with torch.no_grad():
        ((_, maps),) = backbone_tools.predict(backbone, block, settings, 1, device)
    place = geometry.place((96, 48), box)
    assert maps.shape == (48, 24) == (place.height, place.width)
    rows, columns = np.indices(maps.shape)
    centre = [(maps * axis).sum() / maps.sum() for axis in (rows, columns)]
    np.testing.assert_allclose(centre, [35.5, 11.5], atol=1)  # (64 + 80) / 4 and (16 + 32) / 4
    cells = layers["a"].grid(place).cells(place)
    assert cells == (slice(0, 6), slice(2, 5))  # columns 20..43 of the input hold the stimulus


def test_a_size_that_the_network_does_not_take_is_left_out_and_said(caplog):
    caplog.set_level(logging.INFO)
    backbone = Backbone("mine", Fixed().eval(), (0,) * 3, (1,) * 3, 8, "logits")
    layers = measuring.measure_layers(backbone.network, {"a": "stem"}, [SIZE, SIZE[::-1]], 1, 0)
    assert "set input.orientation: landscape" in caplog.text
    with pytest.raises(InputError, match="no grid for an input of 64x48 px.*orientation"):
        layers["a"].grid(geometry.place((80, 40), SIZE))
    with pytest.raises(InputError, match="models.mine fails on .*input.orientation: landscape"):
        backbone.maps(torch.zeros(1, 3, 64, 48))


class Stubborn(Fixed):
    """A network that takes any size of as many cells, and brings all to its landscape grid."""

    def forward(self, x):
        maps = self.stem(x).flatten(2).unflatten(2, (6, 8)) + self.place
        self.end = self.hidden(maps)
        return self.end.mean(1, keepdim=True)

    def __init__(self):
        super().__init__()
        self.hidden = nn.Identity()


def test_a_grid_that_does_not_turn_with_its_input_is_left_out_and_said(caplog):
    caplog.set_level(logging.INFO)
    torch.manual_seed(0)
    network, layers = Stubborn().eval(), {"stem": "stem", "fixed": "hidden"}
    measured = measuring.measure_layers(network, layers, [SIZE, SIZE[::-1]], 1, 0)
    assert "layer fixed has a grid of 6 x 8 at an input of 64 x 48 px too" in caplog.text
    assert all(set(layer.shape) == {"48x64"} for layer in measured.values())
    with pytest.raises(InputError, match="no grid for an input of 64x48 px.*orientation"):
        measured["stem"].grid(geometry.place((80, 40), SIZE))


def test_a_map_that_does_not_turn_with_its_input_is_refused():
    backbone = Backbone("mine", Stubborn().eval(), (0,) * 3, (1,) * 3, 8, "logits")
    checking.check_backbone(backbone, {"a": "stem"}, SIZE)
    checking.check_sizes(backbone, [SIZE])
    with pytest.raises(InputError, match=r"map of 6 x 8 for an input of 64 x 48 px; .*landscape"):
        checking.check_sizes(backbone, [SIZE[::-1], SIZE])
    with pytest.raises(InputError, match=r"map of 6 x 8 for an input of 64 x 48 px"):
        list(backbone_tools.predict(
            backbone, make_block([(80, 40)]), {"height": 48, "width": 64}, 1, torch.device("cpu")
        ))  # fmt: skip


def test_a_size_in_use_that_the_network_does_not_take_is_refused():
    backbone = Backbone("mine", Fixed().eval(), (0,) * 3, (1,) * 3, 8, "none")
    block = make_block([(40, 80), (80, 40)])
    checking.check_sizes(backbone, geometry.group_by_input(block.sizes[:1], SIZE))
    with pytest.raises(InputError, match="models.mine fails on .*input.orientation: landscape"):
        checking.check_sizes(backbone, geometry.group_by_input(block.sizes, SIZE))


def test_a_turned_map_is_refused():
    class Turned(nn.Conv2d):
        def forward(self, x):
            return super().forward(x).transpose(2, 3)

    backbone = Backbone("mine", Turned(3, 1, 1).eval(), (0,) * 3, (1,) * 3, 1, "logits")
    with pytest.raises(InputError, match="map of 64 x 48 for an input of 48 x 64 px;.*rows along"):
        checking.check_backbone(backbone, {"a": ""}, SIZE)


# --- calls and numbers ----------------------------------------------------------------------------


class Twice(nn.Module):
    """A residual block whose ReLU runs twice, as torchvision's."""

    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Conv2d(3, 4, 4, 4), nn.Conv2d(4, 4, 3, padding=1)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x):
        y = self.relu(self.first(x))
        return self.relu(self.second(y) + y).mean(1, keepdim=True)


def test_the_call_of_a_module_is_chosen_and_said(caplog):
    caplog.set_level(logging.INFO)
    torch.manual_seed(0)
    network = Twice().eval()
    layers = {
        "default": "relu",
        "early": {"module": "relu", "call": 0},
        "late": {"module": "relu", "call": 1},
    }
    measured = measuring.measure_layers(network, layers, [SIZE], 1, 0)
    assert "relu is called 2 times in one pass; its last call is recorded" in caplog.text
    assert [measured[name].call for name in layers] == [1, 0, 1]
    x = torch.randn(1, 3, *SIZE)
    with torch.no_grad(), recording.recorder(network, measured) as record:
        network(x)
        first = network.first(x)
        second = network.second(first.relu()) + first.relu()
    torch.testing.assert_close(record["early"], first)
    torch.testing.assert_close(record["late"], second)
    torch.testing.assert_close(record["default"], second)
    with torch.no_grad(), substitution.substituter(network, {"a": measured["early"]}) as places:
        places["a"] = torch.zeros_like(first)
        replaced = network(x)
    wanted = network.second(torch.zeros_like(first)).relu().mean(1, keepdim=True)
    torch.testing.assert_close(replaced, wanted)


def test_a_call_that_does_not_happen_is_refused():
    backbone = Backbone("mine", Twice().eval(), (0,) * 3, (1,) * 3, 4, "density")
    with pytest.raises(InputError, match="called 2 times in one pass, so call: 2 does not exist"):
        checking.check_backbone(backbone, {"a": {"module": "relu", "call": 2}}, SIZE)


class Half(nn.Module):
    """A network that computes in bfloat16."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 1, 4, 4)

    def forward(self, x):
        with torch.autocast("cpu", torch.bfloat16):
            return self.conv(x)


def test_bfloat16_outputs_and_layers_are_taken():
    backbone = Backbone("mine", Half().eval(), (0,) * 3, (1,) * 3, 4, "logits")
    checking.check_backbone(backbone, {"a": "conv"}, SIZE)
    measuring.measure_layers(backbone.network, {"a": "conv"}, [SIZE], 1, 0)
    settings = {"height": SIZE[0], "width": SIZE[1]}
    with torch.no_grad(), recording.recorder(backbone.network, {"a": "conv"}) as record:
        block, device = make_block([(48, 64)]), torch.device("cpu")
        ((_, maps),) = backbone_tools.predict(backbone, block, settings, 1, device)
    assert maps.dtype == np.float32 and record["a"].dtype == torch.float32


def test_activations_beyond_float16_are_kept_as_float32(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(3, 2, 4, 4)).eval()
    layers = measuring.measure_layers(network, {"a": "0", "b": "0"}, [SIZE], 1, 0)
    groups = geometry.group_by_input(np.array([(48, 64)] * 3), SIZE)
    rng = np.random.default_rng(0)
    maps = {"a": rng.normal(size=(3, 2, 12, 16)), "b": rng.normal(size=(3, 2, 12, 16))}
    maps["a"][1] *= 1e7
    maps = {name: values.astype(np.float32) for name, values in maps.items()}
    with LayerWriter(tmp_path / "a.h5", groups, layers, {}) as writer:
        for name, values in maps.items():
            writer.put_batch([0, 1, 2], name, values)
    assert "layer a: an activation is" in caplog.text and "layer b" not in caplog.text
    for index, _, _, read in read_layers(tmp_path / "a.h5", ["a", "b"]):
        np.testing.assert_allclose(read["b"], maps["b"][index], rtol=1e-3)
        np.testing.assert_allclose(read["a"], maps["a"][index], rtol=1e-3 * (index == 0) + 1e-6)
