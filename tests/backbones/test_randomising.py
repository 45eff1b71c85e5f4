"""Random networks: nothing learned is left, and normalisations fit their inputs."""

import copy

import numpy as np
import pytest
import torch
from torch import nn

from gaborscope.backbones import measuring, randomising
from gaborscope.backbones.backbone import describe
from gaborscope.cascades.observed import Observed
from gaborscope.errors import InputError
from gaborscope.stimuli import geometry


@pytest.fixture
def network():
    torch.manual_seed(3)
    return nn.Sequential(
        nn.Conv2d(3, 5, 3), nn.BatchNorm2d(5, momentum=0.01), nn.Dropout(0.5), nn.Conv2d(5, 2, 1)
    ).eval()


@pytest.fixture
def batches():
    generator = torch.Generator().manual_seed(4)
    return [7 + 2 * torch.randn(4, 3, 9, 12, generator=generator) for _ in range(3)]


def test_recalibrated_statistics_are_averages_over_batches(network, batches):
    assert randomising.recalibrate(network, batches) == 1
    seen = [network[0](x) for x in batches]
    mean = torch.stack([x.mean(dim=(0, 2, 3)) for x in seen]).mean(0)
    variance = torch.stack([x.var(dim=(0, 2, 3)) for x in seen]).mean(0)
    torch.testing.assert_close(network[1].running_mean, mean)
    torch.testing.assert_close(network[1].running_var, variance)
    assert not any(module.training for module in network.modules())
    assert network[1].momentum == 0.01


def test_a_normalisation_that_sees_nothing_keeps_its_statistics(network):
    network[1].running_mean.fill_(5.0)
    assert randomising.recalibrate(network, []) == 0
    assert (network[1].running_mean == 5).all()


class Learned(nn.Module):
    """A module with a parameter and a submodule that has `reset_parameters`."""

    def __init__(self):
        super().__init__()
        self.place = nn.Parameter(torch.arange(60.0).view(5, 12))
        self.mix = nn.Linear(12, 2)


def test_nothing_learned_is_left_and_the_seed_decides_what_comes():
    first = Learned()
    second = copy.deepcopy(first)
    with torch.no_grad():
        second.mix.weight.fill_(9.0)
    for network in (first, second):
        randomising.reinitialise(network, seed=1)
    torch.testing.assert_close(first.mix.weight, second.mix.weight)
    torch.testing.assert_close(first.place, second.place)
    assert not torch.equal(first.place, Learned().place)
    assert torch.equal(first.place.flatten().sort().values, torch.arange(60.0))
    randomising.reinitialise(second, seed=2)
    assert not torch.equal(first.mix.weight, second.mix.weight)


def test_a_random_network_is_refined_towards_the_density_of_its_teacher(rng):
    torch.manual_seed(1)
    learner, teacher = (describe("cmrnet", widths=[8, 8, 8]) for _ in range(2))
    with torch.no_grad():
        teacher.network.out.weight *= 100  # a map that is not flat
    layers = measuring.measure_layers(learner.network, {"stem": "stem.5"}, [(32, 48)], 4, 1)
    contents = [rng.integers(0, 256, (32, 40, 3)).astype(np.uint8) for _ in range(2)]
    placement = geometry.Placement((32, 48), 0, 4, 32, 40)
    taught = Observed(learner, layers, 4, teacher).look(contents, placement)
    alone, other = (
        Observed(backbone, layers, 4).look(contents, placement) for backbone in (learner, teacher)
    )
    torch.testing.assert_close(taught[0]["stem"], alone[0]["stem"])
    torch.testing.assert_close(taught[1], other[1])
    assert float((taught[1] - alone[1]).abs().max()) > 1e-4


# Networks that are random in part


class Tower(nn.Module):
    """Layers defined in another order than they are called in; a parameter of its own."""

    def __init__(self):
        super().__init__()
        self.last = nn.Conv2d(4, 1, 1)
        self.norm = nn.BatchNorm2d(4)
        self.place = nn.Parameter(torch.zeros(1, 3, 1, 1))
        self.first = nn.Conv2d(3, 4, 1)
        self.middle = nn.Sequential(nn.Conv2d(4, 4, 1), nn.ReLU(), nn.GroupNorm(2, 4))
        self.attention = nn.MultiheadAttention(4, 2, batch_first=True)
        self.unused = nn.Linear(2, 2)

    def forward(self, x):
        x = self.middle(self.norm(self.first(x + self.place)))
        flat = x.flatten(2).transpose(1, 2)
        x = x + self.attention(flat, flat, flat)[0].transpose(1, 2).view_as(x)
        return self.last(x)


X = torch.linspace(-1, 1, 2 * 3 * 4 * 5).view(2, 3, 4, 5)
ORDER = [["", "unused"], ["first", "norm"], ["middle.0", "middle.2"],
         ["attention", "attention.out_proj"], ["last"]]  # fmt: skip


def tower(seed):
    torch.manual_seed(seed)
    made = Tower().eval()
    randomising.reinitialise(made, seed)
    made.place.data.fill_(seed)
    made.norm.running_mean.fill_(seed)
    return made


def same_modules(one, other):
    """Paths of the modules with parameters of their own that are the same in both networks."""
    same = set()
    for (name, module), twin in zip(one.named_modules(), other.modules(), strict=True):
        own = list(
            zip(module.parameters(recurse=False), twin.parameters(recurse=False), strict=True)
        )
        if own and all(torch.equal(a, b) for a, b in own):
            same.add(name)
    return same


def test_layers_come_in_the_order_in_which_they_are_called():
    assert randomising.layers_in_order(tower(1), X) == ORDER


@pytest.mark.parametrize("side, share, n", [
    ("output", 0.2, 1), ("output", 0.6, 3), ("output", 0.01, 1), ("input", 0.4, 2),
    ("input", 0.99, 4),
])  # fmt: skip
def test_a_share_of_the_layers_stays_random_the_others_are_as_trained(side, share, n):
    random, trained, untouched = tower(1), tower(2), tower(1)
    within = randomising.restore(random, trained, X, side, share)
    chosen = ORDER[:n] if side == "input" else ORDER[-n:]
    # normalisations that nothing was learned by are the same in all
    norms = {"norm", "middle.2"}
    names = {name for layer in chosen for name in layer}
    assert same_modules(random, untouched) | norms == names | norms
    everything = {name for layer in ORDER for name in layer}
    assert same_modules(random, trained) - names | norms == everything - names | norms
    assert float(random.norm.running_mean[0]) == (1 if "norm" in names else 2)
    behind = ORDER if side == "input" else chosen
    assert within == [name for layer in behind for name in layer]


def test_only_normalisations_behind_the_first_random_layer_are_recalibrated():
    network = nn.Sequential(
        nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4), nn.Conv2d(4, 4, 1), nn.BatchNorm2d(4)
    ).eval()
    assert randomising.recalibrate(network, [X + 5], within=["2", "3"]) == 1
    assert (network[1].running_mean == 0).all() and (network[3].running_mean != 0).all()


def test_cmrnet_is_taken_apart_along_its_graph():
    network = describe("cmrnet", widths=[8, 8, 8]).network
    order = randomising.layers_in_order(network, torch.zeros(1, 3, 32, 48))
    first, last = order[0][0], order[-1][0]
    assert first.startswith("stem") and last == "out"
    with_parameters = {
        name
        for name, module in network.named_modules()
        if next(module.parameters(recurse=False), None) is not None
    }
    assert sorted(name for layer in order for name in layer) == sorted(with_parameters)


class Tied(nn.Module):
    """One convolution in two lists, and one weight in two convolutions."""

    def __init__(self):
        super().__init__()
        self.dense = nn.ModuleList(nn.Conv2d(3, 3, 1) for _ in range(3))
        self.encoder = nn.Sequential(*list(self.dense))
        self.out = nn.Conv2d(3, 3, 1)
        self.out.weight = self.dense[1].weight

    def forward(self, x):
        return self.out(self.encoder(x))


@pytest.mark.parametrize("side, first", [("output", "dense.1"), ("input", "dense.0")])
def test_a_weight_of_two_layers_is_random_in_both(side, first):
    made, trained = Tied().eval(), Tied().eval()
    before = copy.deepcopy(made)
    random = randomising.restore(made, trained, X, side, 0.25)
    assert random[0] == first
    chosen = made.out if side == "output" else made.dense[0]
    kept = before.out if side == "output" else before.dense[0]
    assert torch.equal(chosen.weight, kept.weight)
    assert torch.equal(made.dense[2].weight, trained.dense[2].weight)
    assert made.encoder[0] is made.dense[0] and made.out.weight is made.dense[1].weight


def test_a_network_without_weights_has_no_random_copy():
    with pytest.raises(InputError, match="has no weights, so that there is no random copy"):
        randomising.reinitialise(nn.ReLU(), 1)
