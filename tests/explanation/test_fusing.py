"""An explained model from files of reconstructions, and densities from the model and its files."""

import numpy as np
import pytest
from helpers import BOX, ORIGIN, make_block, make_explained

from gaborscope.explanation import fusing, fusion, fusion_data
from gaborscope.explanation import layers as layer_tools
from gaborscope.stimuli import centre_bias as centre_biases
from gaborscope.stimuli import geometry
from gaborscope.store import paths
from gaborscope.store.layers import LayerWriter

SIZES = [(40, 60), (70, 45), (20, 61)]
SETTINGS = {"target": "fixations", "stride": 4, "smoothing": 3.0, "penalties": [1e-2, 1.0]}
SIGMAS, WEIGHT = [0.1, 0.2], 1e-3


@pytest.fixture
def model():
    return make_explained()


def reconstructed(model, block, name, folder):
    """File of the reconstructed layers of a block."""
    names = {"model": "m", "dataset": "d", "explanation": "e", "block": name}
    path = folder / paths.make("reconstructions", **names)
    layers = {fitted.name: fitted.layer for fitted in model.layers}
    with LayerWriter(path, geometry.group_by_input(block.sizes, BOX), layers, ORIGIN) as writer:
        for index, maps in layer_tools.reconstruct_block(block, BOX, model.layers):
            for layer, values in maps.items():
                writer.put(index, layer, values)
    return path


def test_densities_of_files_are_those_of_the_images_in_the_order_of_the_block(model, tmp_path):
    block = make_block(SIZES)
    fused = fusing.fuse_block(model, block, reconstructed(model, block, "00", tmp_path))
    assert [density.shape for density in fused] == SIZES
    for index, log_density in enumerate(fused):
        maps, placement = model.reconstruct(block.image(index))
        # files hold float16
        expected = model.fuse(maps, placement, SIZES[index])
        np.testing.assert_allclose(log_density, expected, atol=0.02)


def test_the_fit_is_that_of_the_data_of_both_splits(model, tmp_path):
    blocks = {"fit": {}, "validation": {}}
    for split, name, seed in (("fit", "00", 0), ("fit", "01", 1), ("validation", "07", 2)):
        block = make_block(SIZES, seed=seed)
        block.names[:] = [f"{name}_{stimulus}" for stimulus in block.names]
        blocks[split][name] = block
    every = {**blocks["fit"], **blocks["validation"]}
    files = {name: reconstructed(model, block, name, tmp_path) for name, block in every.items()}
    none = dict.fromkeys(files, "")
    made = fusing.fit(model.layers, BOX, blocks, files, none, SETTINGS, SIGMAS, WEIGHT)
    parts = [list(blocks[split].values()) for split in ("fit", "validation")]
    bias = centre_biases.centre_bias(*parts, SIGMAS, WEIGHT)
    data = {split: fusion_data.FusionData(model.layers, SETTINGS) for split in blocks}
    for split, members in blocks.items():
        for name, block in members.items():
            data[split].add_block(files[name], block, "", bias)
    expected = fusion.fit(
        data["fit"].batches, data["validation"].batches, made.weight.size, SETTINGS["penalties"]
    )
    np.testing.assert_array_equal(made.weight, expected.weight)
    np.testing.assert_array_equal(made.centre_bias, bias.density(centre_biases.GRID))
    assert made.settings == {"stride": 4, "smoothing": 3.0} and made.box == BOX
    assert made.uniform_weight == WEIGHT
