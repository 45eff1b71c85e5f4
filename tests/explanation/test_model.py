"""The explained model: a file that predicts without torch."""

import dataclasses
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from helpers import BOX, N_REGRESSORS, ORIGIN, SETTINGS, make_explained, make_image, make_layer

from gaborscope.errors import InputError
from gaborscope.explanation import layers as layer_tools
from gaborscope.explanation import model as explained_model
from gaborscope.explanation.layers import FittedLayer
from gaborscope.explanation.model import ExplainedModel, fusion_features, log_centre_bias
from gaborscope.filters.controls import CONTROLS, kernels
from gaborscope.stimuli import densities, geometry

SIZES = [(40, 60), (70, 45), (20, 31), (96, 96), (5, 200)]


@pytest.fixture
def model():
    return make_explained()


def test_a_saved_model_predicts_the_same_bit_for_bit(model, tmp_path):
    model.save(tmp_path / "direct.h5", ORIGIN)
    loaded = ExplainedModel.load(tmp_path / "direct.h5")
    for size in SIZES:
        image = make_image(size)
        np.testing.assert_array_equal(loaded.predict(image), model.predict(image))


@pytest.mark.parametrize("control", CONTROLS)
def test_a_saved_explanation_by_a_control_finds_its_bank_again(model, tmp_path, control):
    image = make_image((40, 60))
    before = model.predict(image)
    for layer in model.layers:
        layer.settings = {**layer.settings, "control": control, "draw": 7}
    model.save(tmp_path / "direct.h5", ORIGIN)
    prediction = model.predict(image)
    kernels.cache_clear()
    loaded = ExplainedModel.load(tmp_path / "direct.h5")
    np.testing.assert_array_equal(loaded.predict(image), prediction)
    assert not np.allclose(prediction, before, rtol=1e-3)


def test_equal_models_are_saved_as_equal_bytes(model, tmp_path):
    model.save(tmp_path / "a.h5", ORIGIN)
    make_explained().save(tmp_path / "b.h5", ORIGIN)
    assert (tmp_path / "a.h5").read_bytes() == (tmp_path / "b.h5").read_bytes()


@pytest.mark.parametrize("size", SIZES)
def test_a_prediction_is_a_positive_float32_density_of_the_size_of_the_image(model, size):
    density = model.predict(make_image(size))
    assert (density.dtype, density.shape) == (np.float32, size)
    assert density.min() > 0
    assert density.sum(dtype=float) == pytest.approx(1, abs=1e-4)  # rounding to float32


@pytest.mark.parametrize("value", [0, 90, 255])
def test_a_blank_image_has_a_density_too(model, value):
    density = model.predict(np.full((33, 50, 3), value, np.uint8))
    assert np.isfinite(density).all() and density.min() > 0


def test_a_grey_image_has_a_density_too(model):
    image = np.repeat(make_image((33, 50))[..., :1], 3, axis=2)
    assert model.predict(image).sum(dtype=float) == pytest.approx(1, abs=1e-4)


def test_predicting_twice_gives_the_same_map(model):
    image, other = make_image((40, 60)), make_image((60, 40), 1)
    first = model.predict(image)
    model.predict(other)
    np.testing.assert_array_equal(model.predict(image), first)


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((20, 30), np.uint8),
        np.zeros((20, 30, 4), np.uint8),
        np.zeros((20, 30, 3), np.float32),
        np.zeros((0, 30, 3), np.uint8),
    ],
)
def test_what_is_no_rgb_image_is_refused(model, image):
    with pytest.raises(ValueError, match="uint8 array"):
        model.predict(image)


def test_a_file_of_another_kind_is_refused(tmp_path):
    path = tmp_path / "x.h5"
    path.write_bytes(b"no HDF5")
    with pytest.raises(InputError, match="cannot be read as HDF5"):
        ExplainedModel.load(path)


def test_it_predicts_where_torch_cannot_be_imported(model, tmp_path):
    model.save(tmp_path / "direct.h5", ORIGIN)
    script = """
import sys
sys.modules["torch"] = None  # makes `import torch` fail
import numpy as np
from gaborscope.explained import ExplainedModel
model = ExplainedModel.load(sys.argv[1])
print(model.predict(np.zeros((20, 30, 3), np.uint8)).shape)
assert sys.modules.pop("torch") is None
assert not any(name.startswith("torch") for name in sys.modules)
"""
    done = subprocess.run(
        [sys.executable, "-c", script, tmp_path / "direct.h5"],
        capture_output=True,
        text=True,
        env={"PYTHONPATH": str(Path(explained_model.__file__).parents[2]), "OMP_NUM_THREADS": "1"},
    )
    assert (done.stdout, done.stderr) == ("(20, 30)\n", "")


def test_with_all_weight_on_it_the_prediction_is_the_centre_bias(model):
    def gaussian(rows, columns):
        y, x = (np.arange(n)[..., None] / n + 0.5 / n - 0.5 for n in (rows, columns))
        density = np.exp(-(y**2 + x.T**2) / (2 * 0.25**2))
        return density / density.sum()

    model.weight[:], model.weight[-1] = 0, 1.0
    model.centre_bias = gaussian(12, 16)
    predicted = model.predict(make_image((64, 96)))
    # two interpolations, on cells as large as a third of the standard deviation
    np.testing.assert_allclose(predicted[8:-8, 8:-8], gaussian(64, 96)[8:-8, 8:-8], rtol=0.1)


def test_weights_raise_the_density_where_their_map_is_high(model):
    model.weight[:], model.weight[3] = 0, 2.0
    image = make_image((64, 96))
    maps, _ = model.reconstruct(image)
    cells = np.log(model.predict(image)).reshape(4, 16, 6, 16).mean(axis=(1, 3))
    # the smoothing of 3 px is a third of a cell
    assert np.corrcoef(cells.ravel(), maps["coarse"][0].ravel())[0, 1] > 0.9


def test_reconstructions_are_linear_in_the_regressors():
    rng = np.random.default_rng(0)
    fitted = FittedLayer(
        "fine",
        make_layer(4, 3),
        SETTINGS,
        rng.standard_normal((3, N_REGRESSORS)).astype(np.float32),
        rng.standard_normal(3).astype(np.float32),
        np.ones(3, np.float32),
    )
    phi = rng.standard_normal((N_REGRESSORS, 4, 7)).astype(np.float32)
    expected = np.einsum("ck,kyx->cyx", fitted.weight, phi) + fitted.intercept[:, None, None]
    # float32 sums of 57 terms
    np.testing.assert_allclose(fitted.reconstruct(phi), expected, atol=1e-4)


def test_reconstructions_of_a_rectified_layer_are_not_negative(model):
    maps, _ = model.reconstruct(make_image((40, 60)))
    assert maps["fine"].min() >= 0 > maps["coarse"].min()


@pytest.mark.parametrize("size", SIZES)
def test_maps_on_all_cells_cut_to_the_content_are_the_maps_again(model, size):
    maps, placement = model.reconstruct(make_image(size))
    padded = {
        fitted.name: layer_tools.whole_maps(maps[fitted.name], fitted, placement)
        for fitted in model.layers
    }
    for fitted in model.layers:
        shape = fitted.layer.shape[f"{placement.input_size[0]}x{placement.input_size[1]}"]
        assert padded[fitted.name].shape[1:] == shape
    cut = layer_tools.valid_maps(padded, model.layers, placement)
    for name, expected in maps.items():
        np.testing.assert_array_equal(cut[name], expected)


def test_cells_outside_the_content_are_zero(model):
    maps, placement = model.reconstruct(make_image((20, 60)))  # 16 rows in the middle of 32
    fitted = model.layers[1]
    padded = layer_tools.whole_maps(maps["coarse"], fitted, placement)
    assert (padded[:, [0, 3]] == 0).all() and (padded[:, 1:3] != 0).all()


def test_measured_offsets_are_rounded_to_half_a_pixel():
    layer = dataclasses.replace(make_layer(4, 3), offset_px=(1.47, 1.74))
    target = layer_tools.target(layer, geometry.place(BOX, BOX), SETTINGS)
    assert (target.grid.offset, target.pool, target.width) == ((1.5, 1.5), "gaussian", 8.0)


def test_features_of_a_constant_map_are_constant(model):
    placement = geometry.place((20, 60), BOX)
    maps = {
        fitted.name: layer_tools.valid_maps(
            {fitted.name: np.full((2, *fitted.layer.shape["32x48"]), 3.0, np.float32)},
            [fitted],
            placement,
        )[fitted.name]
        for fitted in model.layers
    }
    features, shape = fusion_features(maps, model.layers, placement, 4, 3.0)
    assert (shape, features.shape) == ((4, 12), (48, 4))
    np.testing.assert_allclose(features, 3, atol=1e-5)


def test_a_ramp_keeps_its_place_on_the_fusion_grid(model):
    # the value of each cell is the x of its centre
    placement, fitted = geometry.place((64, 96), BOX), model.layers[1]
    ramp = np.broadcast_to(3.5 + 8 * np.arange(6, dtype=np.float32), (1, 4, 6))
    features, shape = fusion_features({"coarse": ramp}, [fitted], placement, 4, 0)
    columns = features[:, 0].reshape(shape)
    np.testing.assert_allclose(
        columns[:, 1:-1], np.broadcast_to(1.5 + 4 * np.arange(1, 11), (8, 10))
    )


def test_smoothing_spreads_a_map_by_its_standard_deviation(model):
    placement, fitted = geometry.place((64, 96), BOX), model.layers[0]
    maps = np.zeros((1, 8, 12), np.float32)
    maps[0, 4, 6] = 1
    features, shape = fusion_features({"fine": maps}, [fitted], placement, 4, 6.0)
    line = features[:, 0].reshape(shape).sum(axis=0).astype(float)
    cells = np.arange(12)
    centre = line @ cells / line.sum()
    variance = line @ (cells - centre) ** 2 / line.sum()
    # 6 px are 1.5 cells; the Gaussian is cut at five cells
    assert np.sqrt(variance) == pytest.approx(1.5, rel=0.05)


def test_the_log_centre_bias_is_a_density_on_any_grid():
    density = np.random.default_rng(0).random((9, 14))
    for shape in ((9, 14), (5, 6), (20, 31)):
        assert np.exp(log_centre_bias(density, shape)).sum() == pytest.approx(1)


@pytest.mark.parametrize("size", SIZES)
def test_prediction_is_the_fusion_of_the_reconstructed_layers(model, size):
    model.weight[1] = 0  # a map of weight 0 is not computed
    image = make_image(size)
    maps, placement = model.reconstruct(image)
    expected = np.exp(model.fuse(maps, placement, size))
    np.testing.assert_allclose(model.predict(image), expected, rtol=2e-4)  # float32 scores


def test_fusion_weighs_every_map_of_every_layer(model):
    image = make_image((40, 60))
    maps, placement = model.reconstruct(image)
    features, shape = fusion_features(maps, model.layers, placement, **model.settings)
    score = features @ model.weight[:-1]
    score += model.weight[-1] * log_centre_bias(model.centre_bias, shape)
    expected = densities.resize_bilinear(score.reshape(shape).astype(float), (40, 60))
    expected = densities.to_log_density(expected, "logits", model.uniform_weight)
    fused = model.fuse(maps, placement, (40, 60))
    np.testing.assert_allclose(fused, expected, atol=1e-4)  # features are float32


FACES = np.zeros((40, 60), np.uint8)
FACES[10:20, 30:45] = 255


def with_concepts(model, rng, *names):
    """Return a model whose layers have one more regressor for each concept."""
    for layer in model.layers:
        layer.settings = {**layer.settings, "concepts": list(names)}
        extra = rng.standard_normal((len(layer.weight), len(names))).astype(np.float32)
        layer.weight = np.hstack([layer.weight, extra])
    return model


def test_a_model_with_concepts_predicts_from_the_image_and_their_maps(model, rng, tmp_path):
    image, text = make_image((40, 60)), rng.random((20, 30))
    plain = model.predict(image)
    with_concepts(model, rng, "faces", "text").save(tmp_path / "direct.h5", ORIGIN)
    loaded = ExplainedModel.load(tmp_path / "direct.h5")
    assert loaded.concepts == ("faces", "text")
    nothing = {"faces": np.zeros((40, 60)), "text": np.zeros((40, 60))}
    np.testing.assert_allclose(loaded.predict(image, nothing), plain, rtol=1e-4)
    found = loaded.predict(image, {"text": text, "faces": FACES})
    assert np.abs(found / plain - 1).max() > 0.01
    density, parts = loaded.contributions(image, {"faces": FACES, "text": text})
    np.testing.assert_allclose(density, found, rtol=1e-3)
    assert set(parts) == {"fine", "coarse", "centre bias"}


@pytest.mark.parametrize("given, got", [
    (None, "none"), ({"text": FACES}, "text"), ({"faces": FACES, "text": FACES}, "faces, text"),
])  # fmt: skip
def test_maps_of_other_concepts_than_those_of_the_explanation_are_refused(model, rng, given, got):
    model = with_concepts(model, rng, "faces")
    says = f"needs maps of faces with the image, and got {got}; give one map of each concept"
    with pytest.raises(InputError, match=says):
        model.predict(make_image((40, 60)), given)


def test_a_model_without_concepts_takes_no_maps(model):
    with pytest.raises(InputError, match="has no concepts, and got faces; give one map"):
        model.predict(make_image((40, 60)), {"faces": FACES})


def test_a_model_of_several_data_sets_predicts_each_with_its_centre_bias(model, tmp_path):
    steps = {"a": 9, "b": -9}
    biases = {name: np.roll(model.centre_bias, step, axis=1) for name, step in steps.items()}
    model.centre_biases = biases
    model.save(tmp_path / "direct.h5", ORIGIN)
    loaded, image = ExplainedModel.load(tmp_path / "direct.h5"), make_image((40, 60))
    for name, bias in biases.items():
        alone = dataclasses.replace(model, centre_bias=bias, centre_biases={})
        np.testing.assert_array_equal(loaded.on(name).predict(image), alone.predict(image))
        assert not np.array_equal(loaded.on(name).predict(image), model.predict(image))
    for other in ("elsewhere", None):
        np.testing.assert_array_equal(loaded.on(other).predict(image), model.predict(image))
