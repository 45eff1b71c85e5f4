"""Cascades without torch: their regressors by hand, the order of parts, and their file."""

import dataclasses

import numpy as np
import pytest
from helpers import BOX, ORIGIN, SETTINGS, make_image, make_layer
from scipy import ndimage

from gaborscope.explanation import cascade as cascades
from gaborscope.explanation.cascade import Cascade, CascadeLayer, Edge
from gaborscope.explanation.model import ExplainedModel
from gaborscope.filters import controls
from gaborscope.filters.loggabor import LogGaborBank
from gaborscope.stimuli import geometry

EDGE = {
    "n_scales": 2, "n_orientations": 3, "min_wavelength_cells": 2.5, "scale_factor": 2.0,
    "bandwidth_ratio": 0.55, "radius": 3,
}  # fmt: skip
N = 2 * 2 * 3  # kernels
PLACE = geometry.Placement(BOX, 0, 0, *BOX)


def layer_of(rng, name, stride, channels, edges, n_regressors, nonlinearity="none", image=False):
    return CascadeLayer(
        name=name, layer=make_layer(stride, channels, nonlinearity), image=image, edges=edges,
        weight=rng.standard_normal((channels, n_regressors)).astype(np.float32),
        intercept=rng.standard_normal(channels).astype(np.float32),
        residual_sd=rng.uniform(0.1, 1, channels).astype(np.float32),
        regressor_sd=rng.uniform(0, 1, n_regressors).astype(np.float32),
        map_sd=rng.uniform(1, 2, channels).astype(np.float32),
    )  # fmt: skip


def edge_to(parent, kind, ratio=(1.0, 1.0), offset=(0.0, 0.0), basis=None):
    return Edge(parent, kind, ratio, offset, basis, 0.75)


@pytest.fixture
def cascade(rng):
    """`first` reads the image; `mixed` the image and `first`; `last` both, and is fused."""
    basis = rng.standard_normal((2, 3)).astype(np.float32)
    coarser = {"ratio": (2.0, 2.0), "offset": (0.5, 0.5)}
    mixed = [edge_to("first", "local", **coarser, basis=basis)]
    last = [edge_to("mixed", "global"), edge_to("first", "pointwise", **coarser)]
    return Cascade(
        BOX,
        {**SETTINGS, "kinds": ["even"], "colour": "yuv"},
        EDGE,
        [
            layer_of(rng, "first", 4, 3, [], 21, "relu", image=True),
            layer_of(rng, "mixed", 8, 2, mixed, 21 + 2 * (N + 1), "relu6", image=True),
            layer_of(rng, "last", 8, 1, last, 2 * (N + 2) + 3),
        ],
    )


@pytest.fixture
def model(cascade, rng):
    bias = rng.uniform(0.5, 1, (12, 16))
    settings = {"stride": 4, "smoothing": 3.0}
    return ExplainedModel(
        BOX, cascade.sinks, settings, np.array([0.8, 0.5]), bias / bias.sum(), 1e-3, cascade
    )


def correlated(maps, kernels):
    """Responses of kernels on maps, zeros around them: even and odd of every filter, by map."""
    return np.array(
        [[ndimage.correlate(m, k, mode="constant") for k in kernels] for m in maps.astype(float)]
    )


def test_only_what_nobody_reads_is_fused_and_its_cells_are_points(cascade):
    (fused,) = cascade.sinks
    assert fused.name == "last" and fused.settings == {"pool": {"kind": "point", "width": 1.0}}


@pytest.mark.parametrize("size", [(32, 48), (60, 40), (20, 60)])
def test_layers_are_reconstructed_from_the_image_then_from_their_parents_in_order(cascade, size):
    outputs, placement = cascade.reconstruct(make_image(size))
    phi, same = cascade.image_regressors(make_image(size))
    assert placement == same == geometry.place(size, BOX)
    assert set(phi) == {"first", "mixed"} and list(outputs) == ["first", "mixed", "last"]
    known = {fitted.name: fitted for fitted in cascade.layers}
    for fitted in cascade.layers:
        parts = [phi[fitted.name]] if fitted.image else []
        for edge in fitted.edges:
            layers = known[edge.parent].layer, fitted.layer
            given = outputs[edge.parent], edge, *layers, placement, EDGE
            parts.append(cascades.edge_regressors(*given))
        regressors = np.concatenate(parts)
        linear = np.tensordot(fitted.weight, regressors, 1) + fitted.intercept[:, None, None]
        expected = fitted.output(linear)
        assert outputs[fitted.name].dtype == np.float32
        np.testing.assert_allclose(outputs[fitted.name], expected, atol=2e-4)
    assert outputs["first"].min() >= 0 and outputs["mixed"].max() <= 6


def test_regressors_of_an_edge_are_responses_then_the_map_then_its_mean(rng):
    maps = rng.standard_normal((2, 8, 12)).astype(np.float32)
    layer, kernels = make_layer(4, 2), cascades.edge_kernels(EDGE)[0]
    assert kernels.shape == (N, 7, 7) and kernels.dtype == np.float32
    phi = {
        kind: cascades.edge_regressors(maps, edge_to("p", kind), layer, layer, PLACE, EDGE)
        for kind in ("pointwise", "local", "global")
    }
    np.testing.assert_array_equal(phi["pointwise"], maps)
    local = phi["local"].reshape(2, N + 1, 8, 12)
    np.testing.assert_allclose(local[:, :-1], correlated(maps, kernels), atol=1e-5)
    np.testing.assert_array_equal(local[:, -1], maps)
    whole = phi["global"].reshape(2, N + 2, 8, 12)
    np.testing.assert_array_equal(whole[:, :-1], local)
    means = maps.mean(axis=(1, 2))[:, None, None]
    np.testing.assert_allclose(whole[:, -1], np.broadcast_to(means, maps.shape), atol=1e-6)
    for kind, per_channel in (("pointwise", 1), ("local", N + 1), ("global", N + 2)):
        assert cascades.n_kinds(edge_to("p", kind), EDGE) == per_channel
        assert phi[kind].dtype == np.float32 and len(phi[kind]) == 2 * per_channel


def test_channels_are_projected_before_they_are_filtered(rng):
    maps, layer = rng.standard_normal((3, 8, 12)).astype(np.float32), make_layer(4, 3)
    basis = rng.standard_normal((2, 3)).astype(np.float32)
    projected = np.einsum("pc,cyx->pyx", basis, maps).astype(np.float32)
    edges = edge_to("p", "local", basis=basis), edge_to("p", "local")
    found, expected = (
        cascades.edge_regressors(values, edge, layer, layer, PLACE, EDGE)
        for values, edge in zip((maps, projected), edges, strict=True)
    )
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert (edges[0].n_channels(3), edges[1].n_channels(3)) == (2, 3)


def test_filters_act_on_the_finer_of_the_two_grids(rng):
    fine, coarse, kernels = make_layer(4, 1), make_layer(8, 1), cascades.edge_kernels(EDGE)[0]
    maps = rng.standard_normal((1, 8, 12)).astype(np.float32)
    down = edge_to("p", "local", (2.0, 2.0), (0.5, 0.5))
    found = cascades.edge_regressors(maps, down, fine, coarse, PLACE, EDGE)
    responses = np.concatenate([correlated(maps, kernels)[0], maps])
    expected = responses.reshape(-1, 4, 2, 6, 2).mean(axis=(2, 4))  # the middle of 2 x 2 cells
    np.testing.assert_allclose(found, expected, atol=1e-5)
    small = rng.standard_normal((2, 4, 6)).astype(np.float32)
    up = edge_to("p", "local", (0.5, 0.5), (-0.25, -0.25))
    found = cascades.edge_regressors(small, up, coarse, fine, PLACE, EDGE)
    along_y, along_x = cascades.resampling(up, coarse, fine, PLACE)
    enlarged = along_y @ small @ along_x.T
    found = found.reshape(2, N + 1, 8, 12)
    np.testing.assert_allclose(found[:, :-1], correlated(enlarged, kernels), atol=1e-5)
    np.testing.assert_allclose(found[:, -1], enlarged, atol=1e-6)
    for ratio, on_parent in ((0.5, False), (1.0, True), (2.0, True)):
        assert cascades.filters_first(edge_to("p", "local", (ratio, ratio))) is on_parent


def test_cells_are_resampled_along_each_axis_by_its_own_ratio_and_offset():
    parent = dataclasses.replace(make_layer(4, 1), shape={"32x48": (8, 12)})
    child = dataclasses.replace(
        make_layer(8, 1), shape={"32x48": (4, 4)}, stride=(8.0, 12.0), offset_px=(3.5, 5.5)
    )
    edge = edge_to("p", "local", (2.0, 3.0), (0.5, 1.0))
    along_y, along_x = cascades.resampling(edge, parent, child, PLACE)
    np.testing.assert_allclose(along_y @ np.arange(8), 2 * np.arange(4) + 0.5)
    np.testing.assert_allclose(along_x @ np.arange(12), 3 * np.arange(4) + 1.0)
    assert not cascades.same_grid((along_y, along_x))
    assert cascades.same_grid((np.eye(3), np.eye(5)))
    assert not cascades.same_grid((np.eye(3), np.eye(5)[::-1]))
    assert not cascades.same_grid((np.eye(3)[:2], np.eye(5)))


def test_cells_are_counted_from_the_content():
    placement, parent, child = geometry.place((32, 16), BOX), make_layer(4, 1), make_layer(8, 1)
    assert placement.top == 0 and placement.left == 4 and placement.input_size == (48, 32)
    edge = edge_to("p", "local", (2.0, 2.0), (0.5, 0.5))
    _, along_x = cascades.resampling(edge, parent, child, placement)
    cells = [cascades.grid_of(layer, placement)[1][1] for layer in (parent, child)]
    assert cells == [slice(1, 7), slice(0, 3)]
    # 0.5, 2.5, 4.5 of all cells, less the one before the content, and within it
    np.testing.assert_allclose(along_x @ np.arange(6), [0, 1.5, 3.5])


@pytest.mark.parametrize("p, q", [(1, 1), (1, 2), (2, 1), (2, 4)])
def test_recorded_cells_are_means_of_cells_of_the_network(p, q):
    parent, child = (dataclasses.replace(make_layer(4, 1), pool=n) for n in (p, q))
    node = {"ratio": (2.0, 0.5), "offset": (0.5, -0.25)}
    ratio, offset = cascades.between(node, parent, child)
    for axis in (0, 1):
        for cell in range(4):
            middle = q * cell + (q - 1) / 2  # of the child's cells in the network
            looked_at = node["ratio"][axis] * middle + node["offset"][axis]
            recorded = (looked_at - (p - 1) / 2) / p
            assert ratio[axis] * cell + offset[axis] == pytest.approx(recorded)


def test_kernels_are_cut_impulse_responses_without_a_mean():
    kernels, lost = cascades.edge_kernels(EDGE)
    bank = LogGaborBank(2, 3, 2.5, 2.0, 0.55)
    impulse = np.zeros((25, 25))
    impulse[12, 12] = 1
    responses = bank.responses(impulse, boundary="periodic", precision="double")
    cut = responses[:, 9:16, 9:16][:, ::-1, ::-1]  # a correlation turns a kernel
    np.testing.assert_allclose(kernels[1::2], cut.imag, atol=1e-6)
    even = cut.real - cut.real.mean(axis=(1, 2), keepdims=True)
    np.testing.assert_allclose(kernels[::2], even, atol=1e-6)
    energy = (kernels**2).reshape(6, -1).sum(axis=1)
    total = (np.abs(responses) ** 2).sum(axis=(1, 2))
    assert lost == pytest.approx((1 - energy / total).max(), abs=1e-5)
    assert 0 < lost < 0.5


@pytest.mark.parametrize("control, draw", [("random", 0), ("pixel", 0), ("noise", 3)])
@pytest.mark.parametrize("radius", [1, 3, 8])
def test_kernels_of_a_control_lie_in_the_middle_and_are_cut_at_the_radius(control, draw, radius):
    settings = {**EDGE, "control": control, "radius": radius, "draw": draw}
    kernels, lost = cascades.edge_kernels(settings)
    assert kernels.shape == (N, 2 * radius + 1, 2 * radius + 1) and lost == 0
    assert kernels.dtype == np.float32
    pairs = controls.kernels(control, LogGaborBank(2, 3, 2.5, 2.0, 0.55), draw)
    for index, pair in enumerate(pairs):
        half = len(pair) // 2
        wide = np.zeros((61, 61), complex)
        wide[30 - half : 31 + half, 30 - half : 31 + half] = pair
        near = wide[30 - radius : 31 + radius, 30 - radius : 31 + radius][::-1, ::-1]
        if half > radius and control != "pixel":  # what is cut has a mean again
            near = near - near.mean()
        np.testing.assert_allclose(kernels[2 * index], near.real, atol=1e-6)
        np.testing.assert_allclose(kernels[2 * index + 1], near.imag, atol=1e-6)


def test_a_saved_cascade_predicts_the_same_bit_for_bit(model, tmp_path):
    model.save(tmp_path / "m.h5", ORIGIN)
    again = ExplainedModel.load(tmp_path / "m.h5")
    assert [fitted.name for fitted in again.layers] == ["last"] and again.fitted == []
    for size in ((32, 48), (60, 40), (20, 60)):
        image = make_image(size)
        np.testing.assert_array_equal(again.predict(image), model.predict(image))
        maps, placement = again.reconstruct(image)
        assert set(maps) == {"first", "mixed", "last"}
        fused = np.exp(again.fuse(maps, placement, size))
        np.testing.assert_allclose(again.predict(image), fused, rtol=2e-4)


def test_every_field_of_a_cascade_comes_back(model, tmp_path):
    model.save(tmp_path / "m.h5", ORIGIN)
    again, before = ExplainedModel.load(tmp_path / "m.h5").whole_cascade, model.whole_cascade
    assert again.box == geometry.Box(*BOX)
    assert again.image_settings == before.image_settings
    assert again.edge_settings == before.edge_settings
    for written, read in zip(before.layers, again.layers, strict=True):
        for key in ("weight", "intercept", "residual_sd", "regressor_sd", "map_sd"):
            np.testing.assert_array_equal(getattr(read, key), getattr(written, key))
        assert (read.name, read.layer, read.image) == (written.name, written.layer, written.image)
        for one, other in zip(written.edges, read.edges, strict=True):
            assert (other.parent, other.kind, other.ratio) == (one.parent, one.kind, one.ratio)
            assert (other.offset, other.variance) == (one.offset, one.variance)
            assert (other.basis is None) == (one.basis is None)
            if one.basis is not None:
                np.testing.assert_array_equal(other.basis, one.basis)


def test_what_a_cascade_adds_is_by_layer_that_is_fused(model):
    image = make_image((32, 48))
    density, parts = model.contributions(image)
    assert list(parts) == ["last", "centre bias"] and density.sum() == pytest.approx(1)
    mixed = model.uniform_weight / density.size
    pure = np.log((density - mixed) / (1 - model.uniform_weight))
    score = sum(parts.values()).repeat(4, axis=0).repeat(4, axis=1)
    # interpolated between cells, so equal at their scale alone
    assert np.corrcoef(score.ravel(), pure.ravel())[0, 1] > 0.95
