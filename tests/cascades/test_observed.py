"""What a cascade is fitted to: which stimuli together, which cells, whose density."""

import numpy as np
import pytest
import torch
from helpers import BOX, ORIGIN, SETTINGS, make_block, make_image, make_layer
from torch import nn

from gaborscope.backbones.backbone import Backbone
from gaborscope.cascades import fusing
from gaborscope.cascades.observed import (
    Observed,
    batches,
    gather,
    image_tensors,
    make_examples,
    placements,
    read_batches,
)
from gaborscope.explanation import fusion, fusion_data
from gaborscope.explanation.cascade import Cascade, CascadeLayer
from gaborscope.stimuli import centre_bias as centre_biases
from gaborscope.stimuli import geometry
from gaborscope.store import paths
from gaborscope.store.blocks import write_data
from gaborscope.store.saliency import write_saliency

SIZES = [(32, 48), (60, 40), (20, 60), (30, 45)]
FUSION = {
    "target": "fixations",
    "layers": "sinks",
    "stride": 4,
    "smoothing": 2.0,
    "penalties": [1e-2, 1.0],
}


class Net(nn.Module):
    def __init__(self, seed):
        super().__init__()
        torch.manual_seed(seed)
        self.first = nn.Conv2d(3, 2, 3, stride=4, padding=1)
        self.act = nn.ReLU()
        self.last = nn.Conv2d(2, 1, 1)

    def forward(self, x):
        maps = 5 * self.last(self.act(self.first(x)))
        return maps - maps.mean(dim=(2, 3), keepdim=True)  # of either sign


def backbone_of(seed=0, output="logits", **changes):
    return Backbone("net", Net(seed).eval(), [0.5] * 3, [0.25] * 3, 4, output, **changes)


def layer_of(channels, **changes):
    layer = make_layer(4, channels, "relu")
    return type(layer)(**{**vars(layer), **changes})


@pytest.fixture
def blocks():
    made = {"03": make_block(SIZES, seed=1), "01": make_block(SIZES[::-1], seed=2)}
    made["01"].names[:] = [f"t{i}.png" for i in range(4)]
    return made


@pytest.fixture
def model(rng):
    last = CascadeLayer(
        "last", make_layer(8, 2), True, [], rng.standard_normal((2, 21)).astype(np.float32),
        np.ones(2, np.float32), np.ones(2, np.float32), np.ones(21, np.float32),
        np.ones(2, np.float32),
    )  # fmt: skip
    return Cascade(BOX, {**SETTINGS, "kinds": ["even"]}, {}, [last])


def examples_of(blocks, backbone):
    return [e for name, block in blocks.items() for e in make_examples(name, block, BOX, backbone)]


def test_examples_are_gathered_from_blocks_in_the_order_of_their_files(blocks, tmp_path):
    files = []
    for name, block in blocks.items():
        files.append(str(tmp_path / paths.make("data", dataset="made", block=name)))
        write_data(files[-1], block, ORIGIN)
    backbone = backbone_of()
    gathered, kept = gather(files, BOX, backbone)
    assert list(kept) == ["03", "01"] and all(block.images is None for block in kept.values())
    assert kept["01"].names == blocks["01"].names
    expected = examples_of(blocks, backbone)
    assert len(gathered) == len(expected)
    for one, other in zip(gathered, expected, strict=True):
        assert (one.name, one.block_name, one.index) == (other.name, other.block_name, other.index)
        np.testing.assert_array_equal(one.seen, other.seen)


def test_there_is_an_example_of_every_stimulus_as_each_sees_it(blocks):
    backbone = backbone_of(resize="lanczos")
    examples = examples_of(blocks, backbone)
    said = [(e.block_name, e.index, e.name) for e in examples]
    assert said == [
        *[("03", i, f"s{i}.png") for i in range(4)], *[("01", i, f"t{i}.png") for i in range(4)],
    ]  # fmt: skip
    for example in examples:
        block = blocks[example.block_name]
        assert example.placement == geometry.place(block.sizes[example.index], BOX)
        image = block.image(example.index)
        content = geometry.content(image, example.placement)
        np.testing.assert_array_equal(example.content, content)
        np.testing.assert_array_equal(example.seen, backbone.content(image, example.placement))


@pytest.mark.parametrize("size", [1, 2, 3, 10])
def test_a_batch_is_of_one_placement_and_no_larger_than_asked_for(blocks, size):
    examples = examples_of(blocks, backbone_of())
    places = placements(examples)
    assert places == [example.placement for example in examples]
    assert len({id(place) for place in places}) == len(set(places)) == 3
    found = batches(places, size)
    read = [[e.name for e in batch] for batch in read_batches(examples, size)]
    assert read == [[examples[i].name for i in batch] for batch in found]
    assert sorted(i for batch in found for i in batch) == list(range(8))
    for batch in found:
        assert 1 <= len(batch) <= size and batch == sorted(batch)
        assert len({examples[i].placement for i in batch}) == 1
    # 32 x 48 and 30 x 45 fill the box; 60 x 40 and 20 x 60 have a placement each
    groups = [[0, 3, 4, 7], [1, 6], [2, 5]]
    expected = [g[i : i + size] for g in groups for i in range(0, len(g), size)]
    assert found == expected


@pytest.mark.parametrize("size", [(32, 48), (20, 60), (60, 30)])
@pytest.mark.parametrize("pool", [1, 2])
def test_activations_are_inputs_of_nonlinearities_on_the_cells_of_the_content(size, pool):
    backbone, place = backbone_of(), geometry.place(size, BOX)
    shape = {"32x48": (8 // pool, 12 // pool), "48x32": (12 // pool, 8 // pool)}
    stride, offset = 4.0 * pool, (4 * pool - 1) / 2
    layer = layer_of(2, module="act", pool=pool, shape=shape, stride=(stride, stride),
                     offset_px=(offset, offset))  # fmt: skip
    images = [backbone.content(make_image(size, seed), place) for seed in (0, 1)]
    activations, _ = Observed(backbone, {"a": layer}, 4).look(images, place)
    with torch.no_grad():
        x = backbone.batch(images, [place, place])
        whole = backbone.network.first(x).numpy()
    whole = whole.reshape(2, 2, whole.shape[2] // pool, pool, -1, pool).mean(axis=(3, 5))
    rows, columns = layer.grid(place).cells(place)
    assert list(activations) == ["a"] and activations["a"].dtype == torch.float32
    np.testing.assert_allclose(activations["a"], whole[:, :, rows, columns], atol=1e-5)


@pytest.mark.parametrize("output", ["logits", "log_density", "density", "unit"])
@pytest.mark.parametrize("size", [(32, 48), (20, 60), (60, 30)])
def test_the_density_is_that_of_the_content_on_the_fusion_grid(output, size):
    backbone, place = backbone_of(output=output), geometry.place(size, BOX)
    images = [backbone.content(make_image(size, seed), place) for seed in (0, 1)]
    _, found = Observed(backbone, {"a": layer_of(2, module="act")}, 4).look(images, place)
    with torch.no_grad():
        maps = backbone.maps(backbone.batch(images, [place, place])).double().numpy()
    inside = maps[:, place.top :, place.left :][:, : place.height, : place.width]
    pure = np.exp(inside) if output in ("logits", "log_density") else np.maximum(inside, 0)
    shape = place.height // 4, place.width // 4
    cells = pure.reshape(2, shape[0], 4, shape[1], 4).mean(axis=(2, 4))
    cells /= cells.sum(axis=(1, 2), keepdims=True)
    assert found.shape == (2, *shape)
    np.testing.assert_allclose(found, cells, rtol=1e-3, atol=1e-7)


def test_a_map_of_nothing_has_no_density_and_no_nan():
    backbone = backbone_of(output="density")
    nn.init.zeros_(backbone.network.last.weight)
    place = geometry.place(BOX, BOX)
    watched = Observed(backbone, {"a": layer_of(2, module="act")}, 4)
    _, density = watched.look([make_image(BOX)], place)
    assert not density.any() and not torch.isnan(density).any()


def test_a_teacher_gives_the_density_and_the_network_its_activations(model):
    network, teacher = backbone_of(0, "density"), backbone_of(1, "logits")
    place, layers = geometry.place((20, 60), BOX), {"a": layer_of(2, module="act")}
    images = [network.content(make_image((20, 60)), place)]
    both = Observed(network, layers, 4, teacher).look(images, place)
    alone, taught = (Observed(b, layers, 4).look(images, place) for b in (network, teacher))
    np.testing.assert_array_equal(both[0]["a"], alone[0]["a"])
    np.testing.assert_array_equal(both[1], taught[1])
    assert not torch.allclose(both[1], alone[1])
    watch = fusing.watch(network, model, 8, teacher)
    assert (watch.backbone, watch.teacher, watch.stride) == (network, teacher, 8)
    assert watch.layers == {"last": model.layers[0].layer}


def test_regressors_of_images_are_stacked_in_their_order(model):
    place = geometry.place((32, 48), BOX)
    images = [make_image((32, 48), seed) for seed in range(3)]
    phi = image_tensors(model, images, place, torch.device("cpu"))
    assert list(phi) == ["last"] and phi["last"].shape[:2] == (3, 21)
    for row, image in enumerate(images):
        expected = model.content_regressors(image, place)["last"]
        np.testing.assert_array_equal(phi["last"][row], expected)


@pytest.mark.parametrize("target", ["fixations", "model"])
def test_a_cascade_is_fused_to_the_targets_of_each_split(model, tmp_path, target):
    sizes = [*SIZES, (32, 48), (32, 48)]
    split = {"fit": make_block(sizes, seed=1), "validation": make_block(sizes, seed=2)}
    split["validation"].names[:] = [f"t{i}.png" for i in range(6)]
    split["fit"].stimulus[split["fit"].stimulus == 5] = 4  # a stimulus without a fixation
    settings = {**FUSION, "target": target}
    files, rng = {}, np.random.default_rng(0)
    for name, block in split.items():
        files[name] = tmp_path / f"{name}.h5"
        maps = [rng.normal(size=size) for size in sizes]
        logs = [values - np.log(np.exp(values).sum()) for values in maps]
        write_saliency(files[name], block.names, logs, {})
    backbone = backbone_of()
    examples = {name: examples_of({name: block}, backbone) for name, block in split.items()}
    blocks = {name: {name: block} for name, block in split.items()}
    net, watch = fusing.make_net(model, torch.device("cpu")), fusing.watch(backbone, model, 4)
    made = fusing.fuse(net, watch, examples, blocks, files, settings, [0.1, 0.3], 1e-3)

    bias = centre_biases.centre_bias([split["fit"]], [split["validation"]], [0.1, 0.3], 1e-3)
    data = {name: fusion_data.FusionData(model.sinks, settings) for name in split}
    for name, block in split.items():
        order = [i for batch in batches(placements(examples[name]), 8) for i in batch]
        for index in order:
            wanted = data[name].target_of(block, index, files[name])
            if wanted is not None:
                maps, place = model.reconstruct(block.image(index))
                data[name].add_stimulus(maps, place, wanted, bias, block.names[index])
    assert len(data["fit"]) == (5 if target == "fixations" else 6)
    expected = fusion.fit(data["fit"].batches, data["validation"].batches, 3, settings["penalties"])
    np.testing.assert_allclose(made.weight, expected.weight, rtol=0.02, atol=0.005)
    np.testing.assert_array_equal(made.centre_bias, bias.density(centre_biases.GRID))
    assert made.settings == {"stride": 4, "smoothing": 2.0} and made.uniform_weight == 1e-3
    assert [layer.name for layer in made.layers] == ["last"] and made.box == BOX
    assert made.cascade is not None and made.cascade.layers[0] is made.layers[0]
