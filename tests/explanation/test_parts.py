"""Parts of an explained model: which axis, which map, which side of the nonlinearity."""

import numpy as np
import pytest
from helpers import BOX, ORIGIN, SETTINGS, make_block, make_explained, make_image, make_layer

from gaborscope.errors import InputError
from gaborscope.explanation import accumulation
from gaborscope.explanation.model import (
    ExplainedModel,
    fusion_features,
    fusion_resampling,
    grid_shape,
    log_centre_bias,
)
from gaborscope.stimuli import densities, geometry
from gaborscope.stimuli.geometry import Box, Grid, Placement


def test_the_fusion_grid_has_a_cell_per_stride_along_each_axis_and_two_at_least():
    assert grid_shape(32, 50, 8) == (4, 6)
    assert grid_shape(3, 60, 8) == (2, 8) and grid_shape(60, 3, 8) == (8, 2)


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("stride, n_cells", [(4.0, 10), (16.0, 12)])
def test_a_ramp_of_px_is_resampled_to_the_px_of_the_fusion_cells(axis, stride, n_cells):
    placement = Placement((112, 160), 12, 30, 80, 120)
    grid = Grid((int(112 / stride), int(160 / stride)), (stride, stride), (1.0, 2.0))
    cells = grid.cells(placement)[axis]
    px = grid.offset[axis] + stride * np.arange(cells.start, cells.stop)
    matrix = fusion_resampling(grid, placement, axis, n_cells, 0.0)
    first, extent = (placement.top, placement.left)[axis], (80, 120)[axis]
    centres = first + (np.arange(n_cells) + 0.5) * extent / n_cells - 0.5
    inside = (centres > px[0] + 2 * stride) & (centres < px[-1] - 2 * stride)
    # a window of several cells with fractional ends is about its centre within a cell's fraction
    tolerance = 1e-3 if stride == 16 else 0.35 * stride
    np.testing.assert_allclose((matrix @ px)[inside], centres[inside], atol=tolerance)


def test_fine_maps_are_averaged_and_coarse_ones_interpolated():
    fine = fusion_resampling(Grid((20, 20), (2.0, 2.0), (0.5, 0.5)), Placement(
        (40, 40), 0, 0, 40, 40), 0, 5, 0.0)  # fmt: skip
    np.testing.assert_allclose((fine > 0.2).sum(axis=1), 4)  # 8 px are four cells of 2 px
    coarse = fusion_resampling(Grid((5, 5), (8.0, 8.0), (3.5, 3.5)), Placement(
        (40, 40), 0, 0, 40, 40), 0, 20, 0.0)  # fmt: skip
    assert (np.count_nonzero(coarse, axis=1) <= 2).all()


def test_the_log_centre_bias_is_the_resized_density():
    density = np.arange(1.0, 25).reshape(4, 6)
    expected = densities.resize_bilinear(density, (3, 9))
    found = log_centre_bias(density, (3, 9))
    np.testing.assert_allclose(found, np.log(expected / expected.sum()).ravel())


@pytest.mark.parametrize("size", [(32, 48), (48, 32), (20, 60)])
def test_contributions_add_up_to_the_log_density_but_for_a_constant(size):
    model = make_explained()
    model.uniform_weight = 0.0
    image = make_image(size)
    density, parts = model.contributions(image)
    assert list(parts) == ["fine", "coarse", "centre bias"]
    assert density.shape == size and density.sum() == pytest.approx(1)
    for part in parts.values():
        assert part.mean() == pytest.approx(0, abs=1e-6)
    score = densities.resize_bilinear(sum(parts.values()).astype(float), size)
    # features are float32
    np.testing.assert_allclose(score - score.mean(), np.log(density) - np.log(density).mean(),
                               atol=1e-3)  # fmt: skip


def test_each_layer_contributes_its_own_features_with_its_own_weights():
    model = make_explained()
    image = make_image((32, 48))
    _, parts = model.contributions(image)
    maps, placement = model.reconstruct(image)
    features, shape = fusion_features(maps, model.layers, placement, 4, 3.0)
    for name, where in (("fine", slice(0, 3)), ("coarse", slice(3, 5))):
        expected = (features[:, where] @ model.weight[where]).reshape(shape)
        np.testing.assert_allclose(parts[name], expected - expected.mean(), atol=1e-5)


def test_a_model_without_a_cascade_says_so():
    with pytest.raises(InputError, match="holds no cascade"):
        _ = make_explained().whole_cascade
    held = make_explained()
    held.cascade = "a cascade"
    assert held.whole_cascade == "a cascade"


def test_a_box_and_how_it_is_filled_come_back_from_the_file(tmp_path):
    model = make_explained()
    model.box = Box(32, 48, "nearest", 8)
    model.save(tmp_path / "m.h5", ORIGIN)
    again = ExplainedModel.load(tmp_path / "m.h5")
    assert again.box == Box(32, 48, "nearest", 8)
    assert again.uniform_weight == model.uniform_weight and again.settings == model.settings
    assert [layer.name for layer in again.layers] == ["fine", "coarse"]


@pytest.mark.parametrize("nonlinearity", ["relu", "relu6", "none"])
@pytest.mark.parametrize("activation", ["input", "output"])
def test_behind_the_nonlinearity_its_output_is_summed_and_before_it_the_input(
    nonlinearity, activation
):
    block, layers = make_block([BOX]), {"fine": make_layer(4, 3, nonlinearity)}
    placement = geometry.place(BOX, BOX)
    maps = 5 * np.random.default_rng(0).standard_normal((3, 8, 12)).astype(np.float32)
    recorded = [(0, placement.valid, placement.input_size, {"fine": maps})]
    settings = {**SETTINGS, "activation": activation}
    (sums,) = accumulation.accumulate(block, recorded, layers, settings)["fine"]
    top = {"relu": np.inf, "relu6": 6}.get(nonlinearity)
    passed = maps if activation == "input" or top is None else np.clip(maps, 0, top)
    flat = passed.reshape(3, -1)
    np.testing.assert_allclose(sums.sum, flat.sum(axis=1), rtol=1e-4)
    np.testing.assert_allclose(sums.cov, flat @ flat.T, rtol=1e-4)
    assert sums.n == 96
