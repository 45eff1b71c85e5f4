"""MSI-Net against stored values of TensorFlow 1.13, and properties that need no stored values."""

import importlib.util

import numpy as np
import pytest
import torch

from gaborscope.backbones import msinet, published, recording, vgg16
from gaborscope.backbones.backbone import build
from gaborscope.errors import InputError

TOLERANCE = 1e-4  # absolute, at every layer

# Operation of the TensorFlow graph to the module whose output it is.
MODULES = {
    "conv1/conv1_1/Relu": "encoder.conv1.conv1_1",
    "max_pooling2d_2/MaxPool": "encoder.pool3",
    "max_pooling2d_3/MaxPool": "encoder.pool4",
    "max_pooling2d_4/MaxPool": "encoder.pool5",
    **{f"aspp/conv1_{i}/Relu": f"aspp.conv1_{i}" for i in range(1, 6)},
    "aspp/conv2/Relu": "aspp.conv2",
    **{f"decoder/conv{i}/Relu": f"decoder.conv{i}" for i in range(1, 4)},
    "decoder/conv4/BiasAdd": "decoder.conv4",
}


@pytest.fixture(scope="module")
def official(oracles):
    """Return our network with the stored weights, the stored values, the input, the weights."""
    spec = importlib.util.spec_from_file_location("formula", oracles / "formula_weights.py")
    formula = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(formula)
    network = build("msinet")
    variables = {
        name: formula.msinet_weight(name, shape)
        for name, shape in published.msinet_variables().items()
    }
    state_dict = published.msinet_state_dict(variables)
    network.load_state_dict(state_dict, strict=True)
    values = np.load(oracles / "msinet_small_oracle.npz")
    image = torch.from_numpy(values["input_uint8"].astype(np.float32)).permute(2, 0, 1)[None]
    return network, values, image, state_dict


@pytest.fixture(scope="module")
def recorded(official):
    network, values, x, _ = official
    with torch.no_grad(), recording.recorder(network, MODULES) as record:
        output = network(x)
    record["output"] = output
    return {name: maps.permute(0, 2, 3, 1).numpy() for name, maps in record.items()}


@pytest.mark.parametrize("name", ["output", "decoder/conv4/BiasAdd", "aspp/conv2/Relu"])
def test_whole_layers_are_those_of_tensorflow(official, recorded, name):
    stored = {"output": "output", "decoder/conv4/BiasAdd": "logits"}.get(name, f"act/{name}")
    np.testing.assert_allclose(recorded[name], official[1][stored], atol=TOLERANCE)


@pytest.mark.parametrize("name", [*MODULES, "output"])
def test_every_layer_has_tensorflows_shape_and_moments(official, recorded, name):
    values, maps = official[1], recorded[name]
    assert maps.shape == tuple(values[f"shape/{name}"])
    flat = maps.astype(float).ravel()
    statistics = [flat.mean(), flat.std(), flat.min(), flat.max()]
    np.testing.assert_allclose(statistics, values[f"stat/{name}"][:4], atol=TOLERANCE)
    # the stored sum of the first eight values adds up eight errors
    np.testing.assert_allclose(flat[:8].sum(), values[f"stat/{name}"][4], atol=8 * TOLERANCE)


@pytest.mark.slow
def test_loss_and_four_steps_of_adam_are_those_of_tensorflow(official):
    _, values, x, state_dict = official
    network = build("msinet")
    network.load_state_dict(state_dict)
    target = torch.from_numpy(values["kld_gt"]).permute(0, 3, 1, 2)
    optimiser = torch.optim.Adam(network.parameters(), lr=1e-5)
    losses = []
    for _ in range(4):
        loss = msinet.kld(target, network(x))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    np.testing.assert_allclose(losses[0], values["kld"], atol=1e-4)
    np.testing.assert_allclose(losses, values["kld_adam_1e5"], atol=1e-4)


def test_numbers_of_tensors_and_weights_are_the_published_ones():
    shapes = published.msinet_variables()
    assert len(shapes) == 46
    assert sum(int(np.prod(shape)) for shape in shapes.values()) == 24_934_209
    assert shapes["conv1/conv1_1/kernel"] == (3, 3, 3, 64)
    assert shapes["aspp/conv1_2/kernel"] == (3, 3, 1280, 256)
    assert shapes["decoder/conv4/bias"] == (1,)


def test_doubling_is_that_of_tensorflow_1():
    x = torch.randn(2, 3, 4, 5)
    y = msinet.double(x).numpy()
    assert y.shape == (2, 3, 8, 10)
    expected = x.numpy()
    for axis in (2, 3):
        after = np.concatenate([expected, expected.take([-1], axis)], axis).take(
            range(1, expected.shape[axis] + 1), axis
        )
        both = np.stack([expected, (expected + after) / 2], axis + 1)
        shape = list(expected.shape)
        shape[axis] *= 2
        expected = both.reshape(shape)
    np.testing.assert_allclose(y, expected, atol=1e-6)


def test_pool_of_stride_1_looks_down_and_right():
    x = torch.randn(1, 2, 4, 5)
    y = vgg16.SamePool()(x)
    assert y.shape == x.shape
    for i, j in ((0, 0), (3, 2), (1, 4), (3, 4)):
        assert torch.equal(y[0, :, i, j], x[0, :, i : i + 2, j : j + 2].amax(dim=(1, 2)))


def test_mean_is_subtracted_from_rgb_in_the_authors_order():
    encoder = vgg16.VGG16()
    x = torch.tensor(vgg16.MEAN).view(1, 3, 1, 1).expand(1, 3, 16, 16)
    seen = []
    encoder.conv1.conv1_1.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    with torch.no_grad():
        encoder(x)
    assert not seen[0].any()
    assert vgg16.MEAN[0] < vgg16.MEAN[2]


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return build("msinet")


@torch.no_grad()
def test_output_fills_0_to_1_in_every_image(network):
    y = network(torch.rand(2, 3, 32, 48) * 255)
    assert y.shape == (2, 1, 32, 48)
    for image in y:
        assert image.min() == 0
        assert 0.999 < image.max() <= 1


@torch.no_grad()
def test_images_of_a_batch_do_not_see_each_other(network):
    x = torch.rand(2, 3, 32, 24) * 255
    torch.testing.assert_close(network(x)[1:], network(x[1:]), atol=1e-4, rtol=0)


def test_loss_of_the_target_itself_is_zero():
    target = torch.rand(2, 1, 6, 8)
    assert abs(msinet.kld(target, target).item()) < 1e-4


def variables(change=None):
    rng = np.random.default_rng(0)
    made = {
        name: np.zeros(shape, np.float32) for name, shape in published.msinet_variables().items()
    }
    made["decoder/conv3/kernel"] = rng.normal(size=(3, 3, 64, 32)).astype(np.float32)
    return made


def test_kernels_are_transposed_and_other_variables_left_out():
    made = variables() | {"beta1_power": np.float32(0.9)}
    state_dict = published.msinet_state_dict(made)
    kernel = made["decoder/conv3/kernel"]
    assert state_dict["decoder.conv3.weight"].shape == (32, 64, 3, 3)
    assert state_dict["decoder.conv3.weight"][5, 7, 2, 1] == kernel[2, 1, 7, 5]
    assert len(state_dict) == 46


def test_names_are_matched_by_their_end():
    made = {f"msi_net/{name}:0": value for name, value in variables().items()}
    assert len(published.msinet_state_dict(made)) == 46


def test_optimisers_slots_are_no_weights():
    made = variables()
    made["conv1/conv1_1/kernel/Adam"] = made.pop("conv1/conv1_1/kernel")
    with pytest.raises(InputError, match="first is conv1/conv1_1/kernel.*Adam"):
        published.msinet_state_dict(made, "model.ckpt")


def test_wrong_shape_is_named():
    made = variables()
    made["aspp/conv2/bias"] = np.zeros(255, np.float32)
    with pytest.raises(InputError, match=r"f\.pb: aspp/conv2/bias has the shape \(255,\)"):
        published.msinet_state_dict(made, "f.pb")


def test_value_that_is_not_finite_is_named():
    made = variables()
    made["aspp/conv2/bias"][3] = np.nan
    with pytest.raises(InputError, match="aspp/conv2/bias holds values that are not finite"):
        published.msinet_state_dict(made)


def test_two_different_tensors_of_one_name_are_refused():
    made = variables()
    made["copy/aspp/conv2/bias"] = made["aspp/conv2/bias"] + 1
    with pytest.raises(InputError, match="aspp/conv2/bias twice"):
        published.msinet_state_dict(made)
