"""Cascades: edges, graph, fit, refinement; numpy and torch the same."""

import dataclasses
import types

import cv2
import numpy as np
import pytest
import torch
from helpers import make_layer
from torch import nn

from gaborscope.backbones import measuring
from gaborscope.backbones.backbone import describe
from gaborscope.cascades import fusing, graph, layerwise, refining
from gaborscope.cascades.network import CascadeNet, EdgeFeatures, pass_nonlinearity
from gaborscope.cascades.observed import Observed, gather, image_tensors, make_examples
from gaborscope.errors import InputError
from gaborscope.explanation import cascade
from gaborscope.explanation.files import read_cascade, write_cascade
from gaborscope.explanation.model import ExplainedModel, fusion_features, log_centre_bias
from gaborscope.filters import loggabor
from gaborscope.filters.controls import CONTROLS, DRAWN
from gaborscope.fitting.sparse import solve_sparse
from gaborscope.fitting.statistics import Statistics, explained_variance, standardised
from gaborscope.stimuli import geometry
from gaborscope.stimuli.block import StimulusBlock
from gaborscope.store import paths as grammar
from gaborscope.store.blocks import write_data
from gaborscope.store.compact import copy_compressed
from gaborscope.store.files import create, open_file
from gaborscope.store.saliency import write_saliency
from gaborscope.store.scratch import Scratch

EDGE = {
    "n_scales": 2,
    "n_orientations": 4,
    "min_wavelength_cells": 2.5,
    "scale_factor": 2.0,
    "bandwidth_ratio": 0.55,
    "radius": 4,
}
IMAGE = {
    "colour": "yuv",
    "boundary": "symmetric",
    "bank": {
        "n_scales": 2,
        "n_orientations": 2,
        "min_wavelength_px": 3.0,
        "scale_factor": 2.0,
        "bandwidth_ratio": 0.65,
        "angular_sigma": None,
    },
    "kinds": ["even", "odd", "amplitude"],
    "residual": True,
    "normalisation": False,
    "position": False,
    "pool": {"kind": "point", "width": 1.0},
}
SETTINGS = {
    "image": IMAGE,
    "edge": EDGE,
    "control": None,
    "draw": 0,
    "channels": 6,
    "budget": None,
    "cells": 400,
    "penalties": [1e-4, 1e-2],
}
BOX = (32, 48)
TABLE = {
    "stem": "stem.5",
    "s1": "cmr1.s1.2",
    "p1": "cmr1.p1.2",
    "cmr1": "cmr1",
    "cmr2": "cmr2",
    "cmr3": "cmr3",
    "hff": "hff.2",
    "dec1": "dec1.2",
    "logits": "out",
}


def layer(shape, stride, offset=0.0, nonlinearity="none", channels=3, pool=1):
    return dataclasses.replace(
        make_layer(stride, channels, nonlinearity),
        shape={"32x48": shape},
        offset_px=(offset, offset),
        pool=pool,
    )


PLACE = geometry.Placement((32, 48), 0, 0, 32, 48)


def edge(kind="local", ratio=1.0, offset=0.0, basis=None):
    return cascade.Edge("parent", kind, (ratio, ratio), (offset, offset), basis)


def test_responses_of_an_edge_are_those_of_the_bank(rng):
    kernels, lost = cascade.edge_kernels(EDGE)
    maps = np.zeros((1, 40, 56), np.float32)
    maps[:, 12:-12, 12:-12] = rng.normal(size=(1, 16, 32))
    responses = cascade._filtered(maps, kernels)[0]
    bank = loggabor.LogGaborBank(2, 4, 2.5, 2.0, 0.55)
    exact = bank.responses(maps[0], boundary="periodic")
    assert 0 < lost < 0.05
    for index in range(8):
        for part, expected in ((0, exact.real), (1, exact.imag)):
            error = responses[2 * index + part] - expected[index]
            # cutting the kernels at the radius costs this share of the energy, and no more
            assert error.std() < 1.5 * np.sqrt(lost) * expected[index].std()


def test_kernels_pass_no_mean():
    kernels, _ = cascade.edge_kernels(EDGE)
    np.testing.assert_allclose(kernels.sum(axis=(1, 2)), 0, atol=1e-6)


@pytest.mark.parametrize("kind", ["pointwise", "local", "global"])
@pytest.mark.parametrize(
    "child, ratio, offset",
    [
        (layer((8, 12), 4), 1.0, 0.0),
        (layer((4, 6), 8), 2.0, 0.0),
        (layer((4, 6), 8, 2.0), 2.0, 0.5),
        (layer((16, 24), 2, -1.0), 0.5, -0.25),
    ],
)
def test_torch_gives_the_regressors_of_numpy(rng, kind, child, ratio, offset):
    parent = layer((8, 12), 4, channels=5)
    maps = rng.normal(size=(2, 5, 8, 12)).astype(np.float32)
    basis = rng.normal(size=(3, 5)).astype(np.float32)
    tested_edge = edge(kind, ratio, offset, basis)
    features = EdgeFeatures(tested_edge, parent, child, EDGE)
    phi = features(torch.from_numpy(maps), PLACE).numpy()
    for row in range(2):
        exact = cascade.edge_regressors(maps[row], tested_edge, parent, child, PLACE, EDGE)
        assert len(exact) == features.width(5) == 3 * cascade.n_kinds(tested_edge, EDGE)
        np.testing.assert_allclose(phi[row], exact, atol=2e-5)
    cells = rng.permutation(phi[0, 0].size)[:7]
    some = features.at(cells, torch.from_numpy(maps), PLACE).numpy()
    np.testing.assert_allclose(some, phi.reshape(2, len(exact), -1)[:, :, cells], atol=2e-5)
    weight = rng.normal(size=(4, len(exact))).astype(np.float32)
    total = features.weighted(torch.from_numpy(maps), torch.from_numpy(weight), PLACE).numpy()
    np.testing.assert_allclose(total, np.einsum("dk,nkyx->ndyx", weight, phi), atol=2e-4)


def test_the_expected_relu_has_the_gradient_of_its_formula(rng):
    linear = torch.from_numpy(rng.normal(size=(2, 3, 4, 5))).requires_grad_()
    sd = torch.tensor([0.5, 1.0, 2.0], dtype=torch.float64, requires_grad=True)
    for nonlinearity in ("relu", "relu6"):
        assert torch.autograd.gradcheck(
            lambda a, s, kind=nonlinearity: pass_nonlinearity(6 * a, s, kind), (linear, sd)
        )


def test_a_global_edge_gives_the_mean_of_a_map(rng):
    parent = layer((8, 12), 4)
    maps = rng.normal(size=(3, 8, 12)).astype(np.float32)
    phi = cascade.edge_regressors(maps, edge("global"), parent, parent, PLACE, EDGE)
    np.testing.assert_allclose(
        phi[17::18], maps.mean(axis=(1, 2))[:, None, None] + 0 * maps, atol=1e-6
    )


def test_cells_of_averaged_maps_are_matched_by_their_middle():
    # a decoder doubles the grid: cell i reads i / 2 - 1 / 4. Its map is averaged over 2 x 2 cells.
    ratio, offset = cascade.between(
        {"ratio": [0.5, 0.5], "offset": [-0.25, -0.25]}, layer((8, 12), 4), layer((4, 6), 8, pool=2)
    )
    assert ratio == (1.0, 1.0) and offset == (0.0, 0.0)


class Branches(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Sequential(nn.Conv2d(3, 4, 3, 2, 1), nn.ReLU(inplace=True))
        self.b = nn.Sequential(nn.Conv2d(4, 4, 3, 1, 1), nn.ReLU6(inplace=True))
        self.context = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Conv2d(4, 2, 1))
        self.mix = nn.Conv2d(10, 3, 1)
        self.up = nn.Conv2d(3, 1, 3, padding=1)

    def forward(self, x):
        a = self.a(x)
        b = self.b(a)
        context = self.context(b).expand(-1, -1, *b.shape[2:])
        mixed = self.mix(torch.cat([a, b, context], 1))
        large = nn.functional.interpolate(mixed, scale_factor=2, mode="bilinear")
        return self.up(large)


def test_graph_names_parents_their_kind_and_where_cells_look():
    torch.manual_seed(0)
    table = {"a": "a.1", "b": "b.1", "mix": "mix", "up": "up"}
    measured = graph.measure_graph(Branches().eval(), table, (32, 48), 1)
    assert list(measured) == list(table)
    assert measured["a"] == {"image": True, "parents": {}}
    assert measured["b"]["parents"]["a"] == {"kind": "local", "ratio": [1, 1], "offset": [0, 0]}
    assert not measured["b"]["image"]
    assert {p: e["kind"] for p, e in measured["mix"]["parents"].items()} == {
        "a": "pointwise",
        "b": "global",
    }
    assert measured["up"]["parents"]["mix"]["ratio"] == [0.5, 0.5]
    assert measured["up"]["parents"]["mix"]["offset"] == [-0.25, -0.25]


def test_a_layer_that_depends_on_nothing_is_named():
    class Constant(Branches):
        def forward(self, x):
            return self.up(torch.ones(1, 3, 8, 8)) + self.a(x).mean()

    with pytest.raises(InputError, match=r"layer up \(up\) depends neither on the image"):
        graph.measure_graph(Constant().eval(), {"up": "up"}, (32, 48), 1)


@pytest.fixture(scope="module")
def watched():
    """Return a small network, nine stimuli, and a cascade fitted to the network."""
    torch.manual_seed(1)
    rng = np.random.default_rng(0)
    backbone = describe("cmrnet", widths=[8, 8, 8])
    with torch.no_grad():
        backbone.network.out.weight *= 100  # else the saliency map would be flat
    tree = graph.measure_graph(backbone.network, TABLE, BOX, 1)
    measured = measuring.measure_layers(backbone.network, TABLE, [BOX, BOX[::-1]], 4, 1)
    images = [
        np.kron(rng.integers(0, 255, (10, 12, 3)), np.ones((4, 5, 1))).astype(np.uint8)
        for _ in range(9)
    ]
    sizes = np.array([image.shape[:2] for image in images], np.int32)
    x = rng.uniform(0, 60, 90).astype(np.float32)
    y = rng.uniform(0, 40, 90).astype(np.float32)
    names = [f"s{i}.png" for i in range(9)]
    block = StimulusBlock(
        names, [""] * 9, [""] * 9, sizes, np.minimum(x, 59), np.minimum(y, 39),
        np.repeat(np.arange(9, dtype=np.int32), 10), np.tile(np.arange(10, dtype=np.int32), 9),
        {"sigma_px": 4.0}, images,
    )  # fmt: skip
    examples = list(make_examples("0", block, geometry.Box(*BOX), backbone))
    observed = Observed(backbone, measured, 4)
    model = layerwise.CascadeFit(observed, tree, BOX, SETTINGS, 1).run(examples[:6], examples[6:])
    return backbone, observed, tree, examples, model, block


def test_numpy_and_torch_reconstruct_the_same(watched):
    *_, examples, model, block = watched
    net = CascadeNet(model)
    outputs, placement = model.reconstruct(block.image(0))
    phi = image_tensors(model, [examples[0].content], placement, torch.device("cpu"))
    with torch.no_grad():
        _, torch_outputs = net(phi, placement)
    for name, maps in outputs.items():
        scale = np.abs(maps).max() + 1e-6
        np.testing.assert_allclose(torch_outputs[name][0].numpy(), maps, atol=2e-4 * scale)


def test_the_graph_of_cmrnet_is_followed(watched):
    model = watched[4]
    parents = {fitted.name: [e.parent for e in fitted.edges] for fitted in model.layers}
    assert parents["s1"] == ["stem"] and parents["hff"] == ["cmr1", "cmr2", "cmr3"]
    assert [fitted.name for fitted in model.sinks] == ["logits"]
    assert [fitted.name for fitted in model.layers if fitted.image] == ["stem"]


def test_wide_layers_are_read_through_principal_channels(watched):
    for fitted in watched[4].layers:
        for read_edge in fitted.edges:
            if read_edge.parent in ("dec1",):
                assert read_edge.basis is None  # it has 4 channels only, so all are read
                continue
            assert read_edge.basis.shape == (6, 8)
            np.testing.assert_allclose(read_edge.basis @ read_edge.basis.T, np.eye(6), atol=1e-5)
            assert 0.5 < read_edge.variance <= 1


def test_export_returns_the_weights_that_came_in(watched):
    model = watched[4]
    exported = CascadeNet(model).export()
    for before, after in zip(model.layers, exported.layers, strict=True):
        alive = before.regressor_sd > 0
        np.testing.assert_allclose(after.weight[:, alive], before.weight[:, alive], rtol=1e-5)
        np.testing.assert_allclose(after.intercept, before.intercept, rtol=1e-5, atol=1e-6)


def test_a_budget_leaves_that_many_regressors_per_map(watched):
    backbone, observed, tree, examples, *_ = watched
    settings = {**SETTINGS, "budget": 3}
    model = layerwise.CascadeFit(observed, tree, BOX, settings, 1).run(examples[:6], examples[6:])
    assert max((fitted.weight != 0).sum(axis=1).max() for fitted in model.layers) == 3


def test_stimuli_on_disk_give_the_cascade_of_those_in_memory(watched, tmp_path, monkeypatch):
    backbone, observed, tree, examples, model, block = watched
    monkeypatch.chdir(tmp_path)
    path = grammar.make("data", dataset="made", block="0")
    write_data(path, block, {})
    gathered, blocks = gather([path], geometry.Box(*BOX), backbone)
    assert blocks["0"].images is None and blocks["0"].names == block.names
    fit, validation = (Scratch(gathered[i] for i in part) for part in (range(6), range(6, 9)))
    again = layerwise.CascadeFit(observed, tree, BOX, SETTINGS, 1).run(fit, validation)
    for one, other in zip(model.layers, again.layers, strict=True):
        np.testing.assert_array_equal(other.weight, one.weight)
    explained = [
        layerwise.explained_variance(CascadeNet(model), observed, split)
        for split in (gathered, examples)
    ]
    assert explained[0]["logits"][1] == explained[1]["logits"][1]


def test_explained_variance_of_a_cascade_is_of_its_linear_part(watched):
    _, observed, _, examples, model, _ = watched
    net = CascadeNet(model)
    explained = layerwise.explained_variance(net, observed, examples[6:])
    errors, values = [], []
    for example in examples[6:]:
        activations, _ = observed.look([example.seen], example.placement)
        phi = image_tensors(model, [example.content], example.placement, observed.device)
        with torch.no_grad():
            linear, _ = net(phi, example.placement)
        real = activations["dec1"][0].flatten(1).double().numpy()
        errors.append((real - linear["dec1"][0].flatten(1).double().numpy()) ** 2)
        values.append(real)
    values, errors = np.concatenate(values, axis=1), np.concatenate(errors, axis=1)
    exact = 1 - errors.sum() / ((values - values.mean(axis=1, keepdims=True)) ** 2).sum()
    assert explained["dec1"][1] == pytest.approx(exact, abs=1e-6)


REFINE = {
    "epochs": 2,
    "batch_size": 3,
    "learning_rate": 0.01,
    "layer_weight": 0.3,
    "budget": None,
    "prune_until": 0.5,
    "precision": "float32",
    "flip": 0.5,
    "min_crop": 0.9,
    "seed": 1,
}


def refiner(watched, tmp_path, **changes):
    _, observed, _, examples, model, _ = watched
    net = CascadeNet(model)
    bias = np.full((9, 16), 1 / 144)
    fused = refining.FusedDensity(
        model, {"layers": "sinks", "stride": 4, "smoothing": 4.0}, [1.0, 0.0], bias
    )
    settings = {**REFINE, **changes}
    return refining.Refiner(
        net, fused, observed, examples[:6], examples[6:], settings, tmp_path / "c.pt", "digest"
    )


def on_its_fit_split(watched, tmp_path, **changes):
    """Return a refinement that cannot but improve: nothing varies, and nothing is held out."""
    training = refiner(watched, tmp_path, flip=0.0, min_crop=1.0, **changes)
    training.validation = training.fit
    return training


@pytest.mark.parametrize("precision", ["float32", "bf16"])
def test_refining_lowers_the_loss_on_the_stimuli_it_is_fitted_to(watched, tmp_path, precision):
    training = on_its_fit_split(watched, tmp_path, epochs=3, precision=precision)
    before = training.validate()
    training.run()
    assert training.validate() < 0.9 * before


def test_refining_keeps_to_its_budget(watched, tmp_path):
    training = refiner(watched, tmp_path, budget=5)
    training.run()
    kept = [(fitted.weight != 0).sum(axis=1).max() for fitted in training.net.export().layers]
    assert max(kept) == 5


def test_refining_goes_on_from_its_checkpoint_to_the_same_weights(watched, tmp_path):
    uninterrupted = on_its_fit_split(watched, tmp_path)
    assert uninterrupted.run() > 0
    first = on_its_fit_split(watched, tmp_path)
    epochs = first._train_epoch

    def stop():
        if first.epoch == 1:
            raise KeyboardInterrupt
        return epochs()

    first._train_epoch = stop
    with pytest.raises(KeyboardInterrupt):
        first.run()
    second = on_its_fit_split(watched, tmp_path)
    second.run()
    for key, value in uninterrupted.net.state_dict().items():
        torch.testing.assert_close(second.net.state_dict()[key], value)


def test_a_refinement_that_is_never_better_keeps_the_weights_of_its_start(
    watched, tmp_path, caplog
):
    training = refiner(watched, tmp_path, learning_rate=1.0)
    before = {key: value.clone() for key, value in training.net.state_dict().items()}
    assert training.run() == 0
    assert "not refined: no epoch of 2 is better than the start" in caplog.text
    for key, value in training.net.state_dict().items():
        torch.testing.assert_close(value, before[key], rtol=0, atol=0)


def test_a_start_with_more_regressors_than_the_budget_is_never_kept(watched, tmp_path):
    training = refiner(watched, tmp_path, budget=5, learning_rate=1e-9)
    assert training.run() > 0
    assert max(int(training.net.mask(f.name).sum(1).max()) for f in training.net.model.layers) == 5


def test_a_refinement_has_to_beat_the_centre_bias(watched, tmp_path):
    for _ in range(2):  # the second one goes on from the checkpoint, and has nothing left to do
        training = refiner(watched, tmp_path, epochs=1)
        with torch.no_grad():
            training.fused.weight[0] = -5.0  # the map is fused upside down
        with pytest.raises(InputError, match=r"learned nothing in 1 epochs: its lowest validation"):
            training.run()
    bias = torch.full((96,), 1 / 96)
    expected = 0.0
    for example in training.validation:
        _, density = training.observed.look([example.seen], example.placement)
        expected += float(torch.xlogy(density, density).sum() - bias.log()[0])
    assert training.to_beat == pytest.approx(expected / len(training.validation), rel=1e-4)


def test_the_centre_bias_to_beat_is_that_of_the_data_set_of_each_stimulus(watched, tmp_path):
    training = refiner(watched, tmp_path, epochs=1)
    training.validation = [
        dataclasses.replace(example, member=f"set{i}") for i, example in enumerate(training.fit[:2])
    ]
    for example in training.validation:  # no density is as near as the stimulus's own
        _, density = training.observed.look([example.seen], example.placement)
        training.fused.centre_biases[example.member] = density[0].numpy()
    with pytest.raises(InputError, match=r"that of the centre bias 0\.000"):
        training.run()


def test_a_random_network_need_not_beat_the_centre_bias(watched, tmp_path, monkeypatch, caplog):
    training = refiner(watched, tmp_path, epochs=1)
    monkeypatch.setattr(training.observed, "teacher", training.observed.backbone)
    with torch.no_grad():
        training.fused.weight[0] = -5.0  # the map is fused upside down
    assert training.run() == 1 and "no better than the centre bias" in caplog.text


@pytest.mark.parametrize("layers", ["sinks", "all"])
def test_the_fused_density_is_the_explained_models(watched, layers):
    model, block = watched[4], watched[5]
    rng = np.random.default_rng(2)
    bias = rng.uniform(1, 2, (9, 16))
    bias /= bias.sum()
    settings = {"stride": 4, "smoothing": 4.0}
    fused_layers = model.fused(layers)
    weight = rng.normal(size=sum(len(fitted.weight) for fitted in fused_layers) + 1)
    explained = ExplainedModel(BOX, fused_layers, settings, weight, bias, 1e-3, model)
    maps, placement = explained.reconstruct(block.image(0))
    features, shape = fusion_features(maps, explained.layers, placement, **settings)
    score = features @ weight[:-1] + weight[-1] * log_centre_bias(bias, shape)
    fused = refining.FusedDensity(model, {**settings, "layers": layers}, weight, bias)
    tensors = {name: torch.from_numpy(values)[None] for name, values in maps.items()}
    log_density = fused(tensors, placement)[0].detach().numpy()
    np.testing.assert_allclose(log_density, score - np.log(np.exp(score).sum()), atol=1e-4)


def test_each_stimulus_of_a_batch_is_fused_with_the_centre_bias_of_its_data_set(watched):
    model, block = watched[4], watched[5]
    biases = np.random.default_rng(3).uniform(1, 2, (3, 9, 16))
    mean, *own = biases / biases.sum(axis=(1, 2), keepdims=True)
    by_member = dict(zip(("one", "two"), own, strict=True))
    settings, layers = {"stride": 4, "smoothing": 4.0}, model.fused("sinks")
    explained = ExplainedModel(
        BOX, layers, settings, np.array([0.3, 0.8]), mean, 0.0, model, by_member
    )
    maps, placement = explained.reconstruct(block.image(0))
    fused = refining.FusedDensity(
        model, {**settings, "layers": "sinks"}, explained.weight, mean, by_member
    )
    members = ["two", None, "one"]
    tensors = {name: torch.from_numpy(np.stack([one] * 3)) for name, one in maps.items()}
    batch = fused(tensors, placement, members).detach().numpy()
    features, shape = fusion_features(maps, layers, placement, **settings)
    for member, log_density in zip(members, batch, strict=True):
        bias = log_centre_bias(explained.on(member).centre_bias, shape)
        score = features @ explained.weight[:-1] + explained.weight[-1] * bias
        np.testing.assert_allclose(log_density, score - np.log(np.exp(score).sum()), atol=1e-4)
    assert not np.allclose(batch[0], batch[2], atol=1e-2)


@pytest.mark.parametrize("layers", ["sinks", "all"])
def test_an_explained_cascade_survives_its_file(watched, tmp_path, layers):
    model, block = watched[4], watched[5]
    bias = np.full((9, 16), 1 / 144)
    settings, fused = {"stride": 4, "smoothing": 4.0}, model.fused(layers)
    weight = np.linspace(-0.1, 0.1, sum(len(fitted.weight) for fitted in fused) + 1)
    before = ExplainedModel(BOX, fused, settings, weight, bias, 1e-3, model)
    before.save(tmp_path / "m.h5", {})
    after = ExplainedModel.load(tmp_path / "m.h5")
    assert [fitted.name for fitted in after.layers] == [fitted.name for fitted in fused]
    image = block.image(2)
    np.testing.assert_array_equal(after.predict(image), before.predict(image))
    copy_compressed(tmp_path / "m.h5", tmp_path / "small.h5")
    small = ExplainedModel.load(tmp_path / "small.h5")
    np.testing.assert_array_equal(small.predict(image), before.predict(image))
    assert after.predict(image).sum() == pytest.approx(1, abs=1e-5)


def test_the_cascade_is_fused_with_the_centre_bias(watched, tmp_path):
    _, observed, _, examples, model, block = watched
    write_saliency(
        tmp_path / "0.h5",
        block.names,
        [np.full(size, -np.log(size.prod())) for size in block.sizes],
        {},
    )
    settings = {"target": "model", "layers": "sinks", "stride": 4, "smoothing": 4.0}
    settings |= {"penalties": [0.1]}
    split = {"fit": examples[:6], "validation": examples[6:]}
    blocks = dict.fromkeys(split, {"0": block})
    fused = fusing.fuse(
        fusing.make_net(model, observed.device), observed, split, blocks,
        {"0": tmp_path / "0.h5"}, settings, [0.1], 1e-3,
    )  # fmt: skip
    assert fused.weight.shape == (2,)
    # the target is uniform, so neither the network's map nor the centre bias helps
    np.testing.assert_allclose(fused.predict(block.image(7)), 1 / 2400, rtol=0.5)


def test_all_layers_find_what_the_last_one_lost(watched, tmp_path):
    _, observed, _, examples, model, block = watched
    stem = next(fitted for fitted in model.layers if fitted.name == "stem")
    targets = []
    for example in sorted(examples, key=lambda one: one.index):
        maps, placement = model.reconstruct(block.image(example.index))
        score, shape = fusion_features(maps, [stem], placement, 4, 2.0)
        height, width = block.sizes[example.index]
        score = cv2.resize(score[:, 0].reshape(shape), (int(width), int(height)))
        score *= 2 / score.std()
        targets.append(score - np.log(np.exp(score).sum()))
    write_saliency(tmp_path / "0.h5", block.names, targets, {})
    split = {"fit": examples[:6], "validation": examples[6:]}
    reached = {}
    for layers in ("sinks", "all"):
        settings = {"target": "model", "layers": layers, "stride": 4, "smoothing": 2.0}
        made = fusing.fuse(
            fusing.make_net(model, observed.device), observed, split,
            dict.fromkeys(split, {"0": block}), {"0": tmp_path / "0.h5"},
            {**settings, "penalties": [1e-4]}, [0.1], 1e-3,
        )  # fmt: skip
        density = made.predict(block.image(1))
        reached[layers] = np.corrcoef(density.ravel(), np.exp(targets[1]).ravel())[0, 1]
    assert reached["all"] > 0.8 > reached["sinks"]


def test_a_refinement_starts_with_the_weights_of_what_its_start_fuses(watched):
    model = watched[4]
    bias, settings = np.full((9, 16), 1 / 144), {"stride": 4, "smoothing": 4.0}
    last = ExplainedModel(BOX, model.sinks, settings, np.array([0.7, 0.4]), bias, 1e-3, model)
    assert fusing.fusion_weight(last, model.sinks).tolist() == [0.7, 0.4]
    wide = fusing.fusion_weight(last, model.layers)
    assert len(wide) == sum(len(fitted.weight) for fitted in model.layers) + 1
    assert wide[-2:].tolist() == [0.7, 0.4] and not wide[:-2].any()
    every = ExplainedModel(BOX, model.layers, settings, wide, bias, 1e-3, model)
    assert fusing.fusion_weight(every, model.sinks).tolist() == [0.7, 0.4]


def planted(rng, n_regressors, support, n=4000):
    phi = rng.normal(size=(n_regressors, n))
    phi[1] = 0.6 * phi[0] + 0.8 * phi[1]
    weight = np.zeros((1, n_regressors))
    weight[0, support] = rng.choice([-1, 1], len(support)) * rng.uniform(1, 2, len(support))
    statistics = Statistics.empty(n_regressors, 1)
    statistics.add(phi, weight @ phi + 3)
    return statistics, weight


@pytest.mark.parametrize("rule", ["omp", "ols"])
def test_planted_combinations_are_recovered_where_the_condition_holds(rng, rule):
    statistics, weight = planted(rng, 30, [0, 7, 19, 28])
    correlation, _, _ = standardised(statistics)
    support = np.flatnonzero(weight[0])
    inside = correlation[np.ix_(support, support)]
    outside = np.delete(np.arange(30), support)
    # Tropp's exact recovery condition
    assert np.abs(np.linalg.solve(inside, correlation[np.ix_(support, outside)])).sum(0).max() < 1
    recovered, intercept = solve_sparse(statistics, 4, rule)
    np.testing.assert_array_equal(np.flatnonzero(recovered[0]), support)
    np.testing.assert_allclose(recovered, weight, atol=1e-4)
    np.testing.assert_allclose(intercept, 3, atol=1e-3)


def test_ols_explains_no_less_than_omp_at_its_first_two_choices(rng):
    phi = rng.normal(size=(12, 500))
    phi[3:] += 0.7 * phi[:1]
    target = phi[2:6].sum(axis=0, keepdims=True)
    statistics = Statistics.empty(12, 1)
    statistics.add(phi, target)
    explained_by = {
        rule: explained_variance(statistics, *solve_sparse(statistics, 2, rule))[1]
        for rule in ("omp", "ols")
    }
    assert explained_by["ols"] >= explained_by["omp"] - 1e-9


def test_constant_regressors_are_never_chosen(rng):
    phi = rng.normal(size=(5, 300))
    phi[2] = 4.0
    statistics = Statistics.empty(5, 1)
    statistics.add(phi, phi[:1] + 0.1 * phi[1:2])
    weight, _ = solve_sparse(statistics, 5)
    assert weight[0, 2] == 0 and np.count_nonzero(weight) == 4


def test_a_cascade_group_holds_every_attribute(watched, tmp_path):
    model = watched[4]
    with create(tmp_path / "c.h5", "explained", {}) as file:
        write_cascade(file.create_group("cascade"), model)
    with open_file(tmp_path / "c.h5", "explained") as file:
        restored = read_cascade(file["cascade"])
    for before, after in zip(model.layers, restored.layers, strict=True):
        for field in dataclasses.fields(before):
            written, read = getattr(before, field.name), getattr(after, field.name)
            if field.name == "edges":
                assert [(e.parent, e.kind, e.ratio) for e in written] == [
                    (e.parent, e.kind, e.ratio) for e in read
                ]
            elif isinstance(written, np.ndarray):
                np.testing.assert_allclose(written, read, rtol=1e-6)
            else:
                assert written == read


@pytest.mark.parametrize("control", CONTROLS)
def test_a_control_has_as_many_filters_of_the_same_extent(control):
    kernels, _ = cascade.edge_kernels({**EDGE, "control": control})
    exact, _ = cascade.edge_kernels(EDGE)
    assert kernels.shape == exact.shape
    assert len({kernel.tobytes() for kernel in kernels}) == len(kernels)
    if control != "pixel":
        assert np.abs(kernels.sum(axis=(1, 2))).max() < 1e-5
    if control != "phase_scrambled":
        energy = (kernels.astype(float) ** 2).sum(axis=(1, 2))
        np.testing.assert_allclose(energy, 1, rtol=0.05)  # some are cut at the radius
    drawn, _ = cascade.edge_kernels({**EDGE, "control": control, "draw": 1})
    assert (drawn == kernels).all() == (control not in DRAWN)


def test_the_pixel_control_holds_all_neighbours():
    kernels, _ = cascade.edge_kernels({**EDGE, "control": "pixel"})
    together = kernels.sum(axis=0)[2:7, 2:7]
    ring = np.zeros((5, 5))
    ring[1:4, 1:4] = 1
    ring[2, 2] = 0
    np.testing.assert_array_equal(together[1:4, 1:4], ring[1:4, 1:4])
    assert together.sum() == 16


@pytest.mark.parametrize("control", ["pixel", "phase_scrambled"])
def test_a_cascade_of_a_control_runs_without_log_gabors(watched, control):
    _, observed, tree, examples, _, block = watched
    settings = {**SETTINGS, "control": control, "draw": 2, "budget": 3}
    model = layerwise.CascadeFit(observed, tree, geometry.Box(*BOX), settings, 1).run(
        examples[:6], examples[6:]
    )
    assert (model.edge_settings["draw"], model.image_settings["draw"]) == (2, 2)
    assert model.edge_settings["control"] == model.image_settings["control"] == control
    outputs, _ = model.reconstruct(block.image(0))
    assert all(np.isfinite(maps).all() for maps in outputs.values())


def test_rows_of_explained_variance_say_what_a_layer_reads(watched):
    _, observed, _, examples, model, _ = watched
    explained = layerwise.explained_variance(
        fusing.make_net(model, observed.device), observed, examples
    )
    rows = layerwise.variance_rows(model, "test", explained)
    assert [row["layer"] for row in rows] == [fitted.name for fitted in model.layers]
    for row, fitted in zip(rows, model.layers, strict=True):
        assert row["split"] == "test" and row["explained_variance"] == explained[fitted.name][1]
        assert row["largest_support"] <= row["regressors"] == fitted.weight.shape[1]
        read = [] if row["parents"] == "image" else row["parents"].split()
        assert [part.split(":")[0] for part in read] == [edge.parent for edge in fitted.edges]


def test_a_refinement_of_other_stimuli_or_settings_has_another_digest():
    def example(name, value):
        filled = np.full((2, 3), value)
        return types.SimpleNamespace(name=name, placement=1, content=filled, seen=filled)

    first, second, turned = example("a", 1), example("b", 1), example("a", 2)
    one, other = torch.nn.Linear(2, 1), torch.nn.Linear(2, 1)
    digests = {
        refining.digest([1], [[first], [second]]),
        refining.digest([1], [[second], [first]]),
        refining.digest([2], [[first], [second]]),
        refining.digest([1], [[turned], [second]]),
        refining.digest([1], [[first], [second]], [one]),
        refining.digest([1], [[first], [second]], [other]),
    }
    assert len(digests) == 6
    assert refining.digest([1], [[first], [second]]) in digests
