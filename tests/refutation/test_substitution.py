"""Layers replaced: exact activations change nothing, and the rest of the network runs on."""

import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from helpers import make_block, make_layer
from torch import nn

from gaborscope.backbones import layouts, recording
from gaborscope.backbones.backbone import Backbone, build
from gaborscope.refutation import faithfulness, substitution
from gaborscope.stimuli import densities, geometry
from gaborscope.workflow.settings import load as load_config

CONFIG = load_config()
SIZE = (64, 96)
PLACE = geometry.Placement(SIZE, 0, 0, *SIZE)
# sixteen rows of padding above and below
PADDED = geometry.Placement(SIZE, 16, 0, 32, 96)
NAMES = ["a.png", "b.png", "c.png"]


def layers_like(network, table, finest=4):
    """Return the layers of a table, on grids that tile the input."""
    with torch.no_grad(), recording.recorder(network, table) as record:
        network(torch.zeros((1, 3, *SIZE)))
    layers = {}
    for name, (_, nonlinearity) in recording.find_modules(network, table).items():
        shape = record[name].shape[2:]
        pool = max(1, round(finest * shape[0] / SIZE[0]))
        stride = tuple(pool * extent / n for extent, n in zip(SIZE, shape, strict=True))
        layer = dataclasses.replace(
            make_layer(4, record[name].shape[1], nonlinearity),
            module=table[name],
            pool=pool,
            shape={"64x96": geometry.pooled_shape(shape, pool)},
            stride=stride,
            offset_px=tuple((step - 1) / 2 for step in stride),
        )
        layers[name] = SimpleNamespace(name=name, layer=layer)
    return layers


def made_bench(network, table, kinds, seed=0):
    """Return a bench and three noise inputs; the mean of every layer is 0.5."""
    backbone = Backbone("toy", network.eval().requires_grad_(False), (0,) * 3, (1,) * 3,
                                  1, "logits")  # fmt: skip
    layers = layers_like(network, table)
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn((3, 3, *SIZE), generator=generator)
    means = {name: [0.5] * fitted.layer.channels for name, fitted in layers.items()}
    return substitution.Bench(backbone, layers, means, kinds, seed), x


def run(bench, x, placement=PLACE):
    """Return all maps by (layer, way, substitute); every reconstruction is 1."""
    made = {}
    for name, fitted in bench.layers.items():
        grid = fitted.layer.grid(placement)
        rows, columns = grid.cells(placement)
        shape = (len(x), fitted.layer.channels, rows.stop - rows.start)
        made[name] = np.ones((*shape, columns.stop - columns.start), np.float32)
    steps = bench.run(x, placement, NAMES, made)
    return {(layer, way, kind): maps for layer, way, kind, maps in steps}


class Toy(nn.Module):
    """Has a skip, a branch that nothing reads, and a ReLU in place whose result is ignored."""

    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(3, 4, 3, 2, 1)
        self.act = nn.ReLU(inplace=True)
        self.second = nn.Conv2d(4, 4, 3, 1, 1)
        self.unused = nn.Conv2d(4, 4, 1)
        self.joined = nn.Conv2d(8, 2, 1)
        self.out = nn.Conv2d(2, 1, 3, 1, 1)

    def forward(self, x):
        y = self.first(x)
        self.act(y)
        self.unused(y)
        return self.out(self.joined(torch.cat([y, self.second(y)], 1)))


TOY = {"act": "act", "second": "second", "unused": "unused", "joined": "joined", "out": "out"}


@pytest.fixture
def toy():
    torch.manual_seed(1)
    return Toy()


@pytest.mark.slow
@pytest.mark.parametrize(
    "name, key, placement",
    [
        ("cmrnet", "layers", PADDED),
        ("cmrnet", "cascade_layers", PLACE),
        ("unisal", "layers", PLACE),
        ("msinet", "layers", PADDED),
    ],
)
def test_exact_activations_leave_the_map_of_every_backbone(name, key, placement):
    torch.manual_seed(0)
    entry = CONFIG["backbones"][name]
    network = build(name, **entry["options"])
    bench, x = made_bench(network, entry[key], ("real",))
    maps_of = run(bench, x, placement)
    intact = maps_of.pop(("intact", "intact", "intact"))
    # replaced by real maps, the network does the same arithmetic: only rounding may differ
    for (layer, way, kind), maps in maps_of.items():
        if kind == "real":
            torch.testing.assert_close(maps, intact, rtol=1e-4, atol=1e-5, msg=f"{layer} {way}")
    assert {layer for layer, _, kind in maps_of if kind == "real"} == set(entry[key])
    assert not torch.allclose(maps_of["logits", "alone", "reconstruction"], intact)


def test_exact_activations_leave_the_map_of_a_network_that_works_in_place(toy):
    maps_of = run(*made_bench(toy, TOY, ("real",)))
    for (_, _, kind), maps in maps_of.items():
        if kind == "real":
            torch.testing.assert_close(maps, maps_of["intact", "intact", "intact"])


@pytest.mark.parametrize("kind", ["mean", "shuffled", "other", "reconstruction"])
def test_replacing_a_layer_that_nothing_reads_changes_nothing(toy, kind):
    maps_of = run(*made_bench(toy, TOY, ("mean", "shuffled", "other")))
    assert torch.equal(maps_of["unused", "alone", kind], maps_of["intact", "intact", "intact"])
    assert not torch.allclose(
        maps_of["second", "alone", kind], maps_of["intact", "intact", "intact"]
    )


def test_a_nonlinearity_in_place_whose_result_is_ignored_is_replaced(toy):
    maps_of = run(*made_bench(toy, TOY, ("mean",)))
    assert not torch.allclose(
        maps_of["act", "alone", "mean"], maps_of["intact", "intact", "intact"]
    )


def test_a_skip_makes_cumulative_replacement_differ(toy):
    maps_of = run(*made_bench(toy, TOY, ("mean",)))
    assert not torch.allclose(
        maps_of["second", "alone", "mean"], maps_of["second", "cumulative", "mean"]
    )
    assert torch.equal(maps_of["joined", "alone", "mean"], maps_of["joined", "cumulative", "mean"])


def test_layers_that_all_else_goes_through_are_known(toy):
    toy.eval().requires_grad_(False)
    x = torch.randn((1, 3, *SIZE), generator=torch.Generator().manual_seed(0))
    cut = substitution.cuts(toy, {**TOY, "first": "first"}, x, 0)
    assert cut == {"first", "joined", "out"}  # the network ignores the tensor that `act` returns


def test_another_stimulus_in_the_place_of_a_layer_that_all_goes_through_is_its_map(toy):
    maps_of = run(*made_bench(toy, TOY, ("other",)))
    intact = maps_of["intact", "intact", "intact"]
    torch.testing.assert_close(maps_of["joined", "alone", "other"], intact.roll(1, dims=0))


def test_a_shuffled_layer_keeps_the_values_of_every_cell():
    maps = torch.randn((2, 3, 5, 7), generator=torch.Generator().manual_seed(0))
    mixed = substitution.shuffled(maps, NAMES[:2], "layer", 0)
    flat, other = (values.flatten(2).transpose(1, 2) for values in (maps, mixed))
    for before, after in zip(flat, other, strict=True):
        order = after[:, 0].argsort()
        assert torch.equal(after[order], before[before[:, 0].argsort()])
        assert not torch.equal(after, before)
    # the order depends on the stimulus, not on its batch
    assert torch.equal(substitution.shuffled(maps[1:], NAMES[1:2], "layer", 0)[0], mixed[1])


def test_outside_the_content_the_real_activation_stays(toy):
    bench, x = made_bench(toy, TOY, ())
    with torch.no_grad(), recording.recorder(toy, {"second": "second"}) as record:
        toy(x)
    fitted = bench.layers["second"]
    made = torch.zeros((3, 4, 8, 24))
    replaced = substitution.substitutes(
        record["second"], fitted, PADDED, made, torch.zeros(4), NAMES, 0
    )["reconstruction"]
    rows = slice(8, 24)  # 32 of 64 px at stride 2
    assert not replaced[:, :, rows].any()
    assert torch.equal(replaced[:, :, :8], record["second"][:, :, :8])
    assert torch.equal(replaced[:, :, 24:], record["second"][:, :, 24:])


def test_resampling_keeps_what_is_linear_over_the_cells():
    layer = dataclasses.replace(make_layer(4, 1), pool=2)
    y, x = torch.meshgrid(torch.arange(8.0), torch.arange(12.0), indexing="ij")
    plane = (0.5 * y - 0.25 * x)[None, None]
    pooled = recording.pool_maps(plane, 2)
    enlarged = substitution.enlarge(pooled, layer, (slice(0, 8), slice(0, 12)))
    torch.testing.assert_close(enlarged[..., 1:-1, 1:-1], plane[..., 1:-1, 1:-1])


def test_tokens_of_no_place_stay():
    output = torch.arange(2 * 7 * 4.0).view(2, 7, 4)
    maps, seen = torch.zeros((2, 4, 2, 3)), layouts.Seen(2, 1, (8, 12))
    replaced = layouts.put_back(output, maps, layouts.Tap("block", "npc"), seen)
    assert torch.equal(replaced[:, 0], output[:, 0]) and not replaced[:, 1:].any()


def test_mean_outputs_are_those_of_the_content_alone(toy):
    bench, x = made_bench(toy, TOY, ())
    means = substitution.mean_outputs(bench.backbone, bench.layers, [([0, 1, 2], PADDED, x)])
    with torch.no_grad(), recording.recorder(toy, TOY) as record:
        toy(x)
    inside = torch.relu(record["act"])[:, :, 8:24]
    np.testing.assert_allclose(means["act"], inside.mean(dim=(0, 2, 3)), rtol=1e-5)


class _Told:
    """A bench that answers with maps given, on whole inputs."""

    def __init__(self, maps):
        self.layers, self.maps = {"fine": None}, maps
        self.backbone = SimpleNamespace(output="logits")

    def run(self, x, place, names, stacked):
        assert stacked["fine"].shape[0] == len(names)
        for kind in ("intact", "mean"):
            yield "fine", "alone", kind, torch.tensor(self.maps[kind])


def test_rows_score_the_content_of_each_map_against_the_intact_one(monkeypatch, rng):
    block, place = make_block([(24, 40), (24, 40)]), geometry.Placement((32, 48), 4, 2, 24, 40)
    maps = {kind: rng.standard_normal((2, 32, 48)) for kind in ("intact", "mean")}
    batches = [([1, 0], place, None)]
    monkeypatch.setattr(substitution, "batches", lambda *_: iter(batches))
    model = SimpleNamespace(box=None, reconstruct=lambda image: ({"fine": np.zeros(3)}, place))
    rows = list(substitution.rows(_Told(maps), model, block, [1, 0], "mit", 1e-3))
    assert all(tuple(row) == faithfulness.SUBSTITUTED for row in rows)
    assert [(row["substitute"], row["stimulus"]) for row in rows] == [
        ("intact", "s1.png"), ("intact", "s0.png"), ("mean", "s1.png"), ("mean", "s0.png"),
    ]  # fmt: skip
    assert [row["cc_intact"] for row in rows[:2]] == pytest.approx([1, 1])
    intact, mean = (
        np.exp(densities.of_network(maps[kind][0, 4:28, 2:42], "logits", (24, 40), 1e-3))
        for kind in ("intact", "mean")
    )
    expected = faithfulness.Judge(block, 1, intact, "mit").score(mean)
    assert rows[2]["nss"] == pytest.approx(expected["nss"])
    assert rows[2]["kld_intact"] == pytest.approx(expected["kld_intact"])
