"""UNISAL against stored values of the authors' code, and properties that need no stored values."""

import ast
import copy
import importlib.util

import numpy as np
import pytest
import torch

from gaborscope.backbones import mobilenetv2, unisal
from gaborscope.backbones.backbone import build
from gaborscope.errors import InputError

MEAN, STD = np.float32([0.485, 0.456, 0.406]), np.float32([0.229, 0.224, 0.225])
# The stored values are float32 sums. They differ from the exact values by up to 7.5e-5 in
# log-probability and 1.05e-4 in features (of 0..6); other orders of summation differ as much. Our
# network is therefore compared in double precision. A wrong detail changes values by 0.05 or more.
TOLERANCE = 1e-4
FEATURE_TOLERANCE = 2e-4


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return build("unisal")


@pytest.fixture(scope="module")
def keys(oracles):
    lines = (oracles / "unisal_state_dict.txt").read_text(encoding="utf-8").splitlines()
    rows = [line.split("\t") for line in lines]
    return {key: (ast.literal_eval(shape), dtype) for key, shape, dtype in rows}


def load_formula(oracles):
    spec = importlib.util.spec_from_file_location("formula", oracles / "formula_weights.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def official(oracles, keys):
    """Return our network in double precision with its stored weights, stored values, input."""
    formula = load_formula(oracles)
    network = build("unisal")
    weights = {
        key: torch.from_numpy(np.asarray(formula.unisal_weight(key, shape)))
        for key, (shape, _) in keys.items()
    }
    network.load_state_dict(weights, strict=True)
    values = np.load(oracles / "unisal_small_oracle.npz")
    image = (values["input_uint8"].astype(np.float32) / 255 - MEAN) / STD
    return network.double(), values, torch.from_numpy(image.transpose(2, 0, 1)[None]).double()


def test_names_shapes_and_types_are_those_of_the_published_weights(network, keys):
    described = {
        key: (tuple(value.shape), str(value.dtype).removeprefix("torch."))
        for key, value in network.state_dict().items()
    }
    assert described == keys


@pytest.mark.parametrize("domain", unisal.DOMAINS)
@torch.no_grad()
def test_image_gives_the_authors_log_density_in_every_domain(official, domain):
    network, values, x = official
    ours = network(x, source=domain).numpy()
    np.testing.assert_allclose(ours, values[f"static_{domain}"][:, 0], rtol=0, atol=TOLERANCE)


@torch.no_grad()
def test_image_without_a_domain_is_a_salicon_one(official):
    network, values, x = official
    np.testing.assert_allclose(network(x), values["static_SALICON"][:, 0], rtol=0, atol=TOLERANCE)


@torch.no_grad()
def test_output_at_another_size_is_the_authors(official):
    network, values, x = official
    ours = network(x, target_size=(100, 150))
    np.testing.assert_allclose(
        ours, values["static_SALICON_target_100x150"][:, 0], rtol=0, atol=TOLERANCE
    )


@torch.no_grad()
def test_video_and_hidden_state_are_the_authors(official):
    network, values, x = official
    frames = torch.stack([x, x.flip(3), x.flip(2)], dim=1)
    ours, hidden = network(frames, source="DHF1K", return_hidden=True)
    np.testing.assert_allclose(ours, values["video_DHF1K"], rtol=0, atol=TOLERANCE)
    np.testing.assert_allclose(hidden, values["hidden_DHF1K"], rtol=0, atol=TOLERANCE)


@torch.no_grad()
def test_encoder_gives_the_authors_features_before_subsampling(official):
    network, values, x = official
    for ours, name in zip(network.cnn(x), ("feat_1x", "feat_2x", "feat_4x"), strict=True):
        np.testing.assert_allclose(ours, values[name], rtol=0, atol=FEATURE_TOLERANCE)


@torch.no_grad()
def test_single_precision_costs_no_more_than_rounding(official):
    network, _, x = official
    single = copy.deepcopy(network).float()
    np.testing.assert_allclose(single(x.float()), network(x), rtol=0, atol=3e-4)


def test_numbers_of_tensors_and_weights_are_the_published_ones(network):
    alone = build("unisal", sources=["SALICON"])
    assert len(network.state_dict()) == 835
    assert sum(p.numel() for p in network.parameters()) == 3_714_872
    assert len(alone.state_dict()) == 390
    assert sum(p.numel() for p in alone.parameters()) == 3_189_122
    assert set(alone.state_dict()) < set(network.state_dict())


@torch.no_grad()
def test_salicon_alone_predicts_as_the_whole_network(network):
    alone = build("unisal", sources=["SALICON"])
    state_dict = network.state_dict()
    alone.load_state_dict({key: state_dict[key] for key in alone.state_dict()})
    x = torch.randn(1, 3, 32, 64)
    assert torch.equal(alone(x), network(x))


@torch.no_grad()
def test_log_density_of_every_image_of_a_batch_sums_to_one(network):
    y = network(torch.randn(2, 3, 64, 96))
    assert y.shape == (2, 1, 64, 96)
    np.testing.assert_allclose(y.exp().sum(dim=(1, 2, 3)), 1, rtol=1e-5)


@torch.no_grad()
def test_images_of_a_batch_do_not_see_each_other(network):
    x = torch.randn(2, 3, 64, 32)
    torch.testing.assert_close(network(x)[1:], network(x[1:]), atol=1e-4, rtol=0)


@torch.no_grad()
def test_image_and_video_of_one_frame_are_the_same(network):
    x = torch.randn(1, 3, 32, 64)
    torch.testing.assert_close(network(x[:, None])[:, 0], network(x))


@torch.no_grad()
def test_recurrent_part_is_bypassed_for_images_alone(network):
    x = torch.randn(1, 3, 32, 64)
    still, hidden = network(x, return_hidden=True)
    moving, state = network(x, static=False, return_hidden=True)
    assert hidden is None
    assert state.shape == (1, 256, 1, 2)
    assert (still - moving).abs().max() > 1e-4


@torch.no_grad()
def test_hidden_state_carries_a_video_on(network):
    frames = torch.randn(1, 3, 3, 32, 64)
    at_once = network(frames, source="UCFSports")
    first, hidden = network(frames[:, :1], "UCFSports", False, return_hidden=True)
    rest = network(frames[:, 1:], source="UCFSports", h0=hidden)
    torch.testing.assert_close(torch.cat([first, rest], dim=1), at_once, atol=1e-4, rtol=0)


def test_gaussian_prior_follows_its_formula():
    maps = unisal.gaussian_maps(torch.tensor([[[0.25, -1.0], [1.0, 0.5]]]), (5, 3))
    y, x = np.mgrid[0:1:5j, 0:1:3j]
    expected = 6 * np.exp(-(((y - 0.25) / np.exp(-1)) ** 2) / 2 - ((x - 1) / np.exp(0.5)) ** 2 / 2)
    np.testing.assert_allclose(maps[0], expected, rtol=1e-5)


@torch.no_grad()
def test_smoothing_of_a_constant_map_is_the_constant(network):
    x = torch.full((1, 1, 50, 60), 3.0)
    padded = torch.nn.functional.pad(x, [20] * 4, mode="replicate")
    torch.testing.assert_close(network.smoothing_salicon(padded), x)


def test_strided_blocks_are_subsampled_after_the_block():
    blocks = [b for b in mobilenetv2.MobileNetV2().features if hasattr(b, "subsample")]
    assert all(m.stride == (1, 1) for b in blocks for m in b.conv if hasattr(m, "stride"))
    assert [b.subsample for b in blocks].count(2) == 4


def test_dropout_mask_of_the_recurrent_part_is_drawn_in_training_alone(network):
    frames = torch.randn(1, 2, 3, 32, 32)
    network(frames, source="DHF1K")
    mask = network.rnn.cell_list[0].drop_mask_1.clone()
    assert torch.equal(mask, torch.ones(3, 256))
    network.train()
    try:
        network(frames.repeat(2, 1, 1, 2, 2), source="DHF1K")
    finally:
        network.eval()
    drawn = network.rnn.cell_list[0].drop_mask_1
    assert set(drawn.unique().tolist()) == {0.0, 1.25}
    network.rnn.cell_list[0].drop_mask_1 = mask


@pytest.mark.parametrize("sources", [[], ["MIT1003"], ["SALICON", "SALICON"]])
def test_unknown_domains_are_named(sources):
    with pytest.raises(InputError, match="sources of unisal"):
        build("unisal", sources=sources)


def test_domain_that_the_network_lacks_is_named():
    network = build("unisal", sources=["SALICON"])
    with pytest.raises(InputError, match="no domain 'DHF1K'"):
        network(torch.zeros(1, 3, 32, 32), source="DHF1K")
