"""Features and targets of the fusion from files of reconstructions."""

import numpy as np
import pytest
from helpers import BOX, ORIGIN, make_block, make_explained

from gaborscope.errors import InputError
from gaborscope.explanation import layers as layer_tools
from gaborscope.explanation.fusion_data import FusionData
from gaborscope.explanation.model import fusion_features, log_centre_bias
from gaborscope.stimuli import geometry
from gaborscope.stimuli.centre_bias import GRID, CentreBias, relative_points
from gaborscope.store.layers import LayerWriter
from gaborscope.store.saliency import write_saliency

SIZES = [(40, 60), (70, 45), (20, 61)]


@pytest.fixture
def model():
    return make_explained()


@pytest.fixture
def block():
    return make_block(SIZES)


@pytest.fixture
def centre_bias(block):
    return CentreBias(relative_points([block]), (0.1, 0.15), 1e-3)


@pytest.fixture
def reconstructions(model, block, tmp_path):
    """Write the reconstructed layers into one file, as the workflow does."""
    path = tmp_path / "00.h5"
    groups = geometry.group_by_input(block.sizes, BOX)
    maps = [model.reconstruct(block.image(index)) for index in range(len(SIZES))]
    layers = {fitted.name: fitted.layer for fitted in model.layers}
    with LayerWriter(path, groups, layers, ORIGIN) as writer:
        for index, (reconstructed, placement) in enumerate(maps):
            for fitted in model.layers:
                padded = layer_tools.whole_maps(reconstructed[fitted.name], fitted, placement)
                writer.put(index, fitted.name, padded)
    return path


def collect(model, settings, *arguments):
    data = FusionData(model.layers, {"stride": 4, "smoothing": 3.0, **settings})
    data.add_block(*arguments)
    return data


def order(block):
    """Return the stimuli in the order of a file: grouped by input size, landscape first."""
    groups = geometry.group_by_input(block.sizes, BOX)
    return [index for size in sorted(groups) for index, _ in groups[size]]


def test_features_are_those_of_the_explained_model_in_float16(
    model, block, centre_bias, reconstructions
):
    data = collect(model, {"target": "fixations"}, reconstructions, block, None, centre_bias)
    assert len(data) == 3
    for index, (features, _) in zip(order(block), data.batches(), strict=True):
        maps, placement = model.reconstruct(block.image(index))
        # files hold float16
        rounded = {key: m.astype(np.float16).astype(np.float32) for key, m in maps.items()}
        expected, shape = fusion_features(rounded, model.layers, placement, 4, 3.0)
        bias = log_centre_bias(centre_bias.density(GRID, exclude=block.names[index]), shape)
        expected = np.column_stack([expected, bias]).astype(np.float16)
        np.testing.assert_array_equal(features, expected.astype(np.float32))
        assert features.shape[1] == data.n_features == 6


def test_targets_sum_to_one(model, block, centre_bias, reconstructions):
    data = collect(model, {"target": "fixations"}, reconstructions, block, None, centre_bias)
    for features, target in data.batches():
        assert target.shape == (len(features),)
        assert target.sum() == pytest.approx(1)
        assert target.min() >= 0


def test_the_target_can_be_the_deep_model(model, block, centre_bias, reconstructions, tmp_path):
    rng = np.random.default_rng(0)
    logs = [np.log(rng.dirichlet(np.ones(h * w)).reshape(h, w)) for h, w in SIZES]
    write_saliency(tmp_path / "deep.h5", block.names, logs, ORIGIN)
    settings = {"target": "model"}
    data = collect(model, settings, reconstructions, block, tmp_path / "deep.h5", centre_bias)
    targets = dict(zip(order(block), (t for _, t in data.batches()), strict=True))
    # the content of 32x48 px has 8x12 cells; each holds the mass of 5x5 px of the stimulus
    expected = np.exp(logs[0]).reshape(8, 5, 12, 5).sum(axis=(1, 3))
    np.testing.assert_allclose(targets[0].reshape(8, 12), expected, rtol=1e-5)


def test_stimuli_without_fixations_are_left_out(model, block, centre_bias, reconstructions):
    moved = block.stimulus == 1
    block.x[moved], block.y[moved], block.stimulus[moved] = 0, 0, 0
    data = collect(model, {"target": "fixations"}, reconstructions, block, None, centre_bias)
    assert len(data) == len(list(data.batches())) == 2


def test_a_second_pass_yields_the_same(model, block, centre_bias, reconstructions):
    data = collect(model, {"target": "fixations"}, reconstructions, block, None, centre_bias)
    for (a, s), (b, t) in zip(data.batches(), list(data.batches()), strict=True):
        np.testing.assert_array_equal(a, b)
        np.testing.assert_array_equal(s, t)


@pytest.mark.filterwarnings("ignore:overflow encountered in cast")
def test_a_map_that_exceeds_float16_is_named(model, block, centre_bias):
    data = FusionData(model.layers, {"stride": 4, "smoothing": 0, "target": "fixations"})
    placement = geometry.place((40, 60), BOX)
    maps, _ = model.reconstruct(block.image(0))
    maps["coarse"][0, 1, 1] = 1e6
    with pytest.raises(InputError, match="s0.png: a reconstructed map exceeds float16"):
        data.add_stimulus(maps, placement, np.ones((40, 60)), centre_bias, "s0.png")
