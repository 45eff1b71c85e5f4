"""Networks of known filters are called by these filters; many more: benchmarks/planted.py."""

import dataclasses
import math

import numpy as np
import pytest
import torch
from helpers import ORIGIN
from planted import networks

from gaborscope.analysis import identities, nodes
from gaborscope.data import generated
from gaborscope.explanation import accumulation
from gaborscope.stimuli import geometry
from gaborscope.stimuli.block import StimulusBlock
from gaborscope.stimuli.layer import Layer
from gaborscope.store.layers import LayerWriter, read_layers
from gaborscope.workflow.settings import load as load_config

BOX = geometry.Box(72, 96)
ENLARGED = 1.5  # px of the stimulus per px of the input
BLOCKS = {"00": 9, "01": 9, "07": 8}  # stimuli of two blocks to fit, and of one to validate


def block_of(name, n):
    """Return a block of generated photographs."""
    size = tuple(int(ENLARGED * side) for side in BOX[:2])
    settings = {**load_config()["datasets"]["demo"], "height": size[0], "width": size[1]}
    kinds = ("leaves", "noise")
    images = [generated.generate(f"{kinds[i % 2]}_{name}{i:02d}", settings).image for i in range(n)]
    nothing = np.zeros(0, np.float32)
    return StimulusBlock(
        [f"{name}{i}" for i in range(n)], [""] * n, [""] * n, np.array([size] * n), nothing,
        nothing, nothing.astype(int), nothing.astype(int), {"px_per_degree": 15.0}, images,
    )  # fmt: skip


def layer_of(name, channels, stride, offset):
    side = (BOX.height // stride, BOX.width // stride)
    shape = {
        geometry.size_name(size): s for size, s in zip(BOX.sizes, (side, side[::-1]), strict=True)
    }
    return Layer(
        module=name, nonlinearity="none", channels=channels, shape=shape, pool=1,
        stride=(stride, stride), offset_px=(offset, offset), offset_spread_px=(0.0, 0.0),
        receptive_field_px=(8.0, 8.0), name=name, box={"height": BOX.height, "width": BOX.width},
    )  # fmt: skip


def identified(network, name, settings, tmp_path):
    """Identities of one layer of a network, from its activations on photographs."""
    blocks = {block: block_of(block, n) for block, n in BLOCKS.items()}
    placement = geometry.place(blocks["00"].sizes[0], BOX)
    inputs = {
        block: torch.as_tensor(
            np.stack([geometry.content(image, placement) for image in made.images])
        ).permute(0, 3, 1, 2).float() / 255
        for block, made in blocks.items()
    }  # fmt: skip
    network.calibrate(inputs["00"])
    record = []
    network.get_submodule(name).register_forward_hook(lambda module, x, y: record.append(y))
    statistics, files, layer = {}, {}, None
    for block, made in blocks.items():
        with torch.no_grad():
            network(inputs[block])
        maps = record.pop().numpy()
        stride = BOX.height // maps.shape[2]
        offset = stride // 2 if network.recipe.pool == "point" else (stride - 1) / 2
        layer = layer_of(name, maps.shape[1], stride, offset)
        files[block] = tmp_path / f"{block}.h5"
        groups = geometry.group_by_input(made.sizes, BOX)
        with LayerWriter(files[block], groups, {name: layer}, ORIGIN) as writer:
            writer.put_batch(range(len(maps)), name, maps)
        sums = accumulation.accumulate(
            made, read_layers(files[block], [name]), {name: layer}, settings
        )
        statistics[block] = sums[name][0]
    n_regressors, n_maps = statistics["00"].cross.shape
    filters = {
        "layer": layer, "table": nodes.layer_tools.make_regressors(settings).table(),
        "regressors": {**settings, "pool": settings["pools"][0]},
        "weight": np.zeros((n_maps, n_regressors)), "intercept": np.zeros(n_maps),
    }  # fmt: skip
    pairs = {block: (blocks[block], files[block]) for block in blocks}
    samples = nodes.samples(filters, [pairs["00"], pairs["01"]], [pairs["07"]], 18, 0)
    fit = {block: statistics[block] for block in ("00", "01")}
    listing = {"listed": 8, "budgets": [1], "rule": "omp", "maps": 96}
    rows, _ = identities.of_layer(
        filters, fit, {"07": statistics["07"]}, listing, blocks["07"], samples
    )
    return rows


def is_of(row, planted):
    """Whether a row is of a planted filter: half a step of the grid, the right kind and colour."""
    octaves, degrees = networks.distance(
        networks.Filter(
            "", row["wavelength_px"] / ENLARGED, math.radians(row["orientation_deg"]), 0
        ),
        planted,
    )
    return (
        (row["kind"], row["colour"]) == (planted.kind, networks.CHANNELS[planted.colour])
        and octaves < 0.51
        and degrees < 11.3
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    "name, layer, pool",
    [
        ("odd", "first", {"kind": "point", "width": 1.0}),
        ("amplitude4_grid", "first", {"kind": "gaussian", "width": 2.0}),
        ("product", "second", {"kind": "gaussian", "width": 2.0}),
    ],
)
def test_maps_are_named_by_the_filters_that_were_planted(name, layer, pool, tmp_path):
    recipe = dataclasses.replace(networks.NETWORKS[name], maps=3)
    network = networks.Planted(recipe, 7)
    settings = {**load_config()["explanations"]["direct"], "pools": [pool]}
    rows = identified(network, layer, settings, tmp_path)
    octaves, degrees = [], []
    for number, planted in enumerate(network.truth()[layer]):
        named = [row for row in rows if row["map"] == number and row["named"]]
        assert len(named) == len(planted)
        for one in planted:
            (row,) = [row for row in named if is_of(row, one)]
            refined = networks.Filter(
                "", row["refined_wavelength_px"] / ENLARGED,
                math.radians(row["refined_orientation_deg"]), 0,
            )  # fmt: skip
            off = networks.distance(refined, one)
            octaves.append(off[0])
            degrees.append(off[1])
            assert row["refined_wavelength_px_low"] <= row["refined_wavelength_px"]
            assert row["refined_wavelength_px"] <= row["refined_wavelength_px_high"]
        assert named[-1]["refined_explained_variance"] > 0.5
    assert np.median(octaves) < 0.1 and np.median(degrees) < 3
