"""Random networks: nothing learned is left, and normalisations fit their inputs."""

import copy

import numpy as np
import pytest
import torch
from torch import nn

from gaborscope.backbones import randomising, recording
from gaborscope.backbones.backbone import describe
from gaborscope.cascades.observed import Observed
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
    layers = recording.measure_layers(learner.network, {"stem": "stem.5"}, [(32, 48)], 4, 1)
    contents = [rng.integers(0, 256, (32, 40, 3)).astype(np.uint8) for _ in range(2)]
    placement = geometry.Placement((32, 48), 0, 4, 32, 40)
    taught = Observed(learner, layers, 4, teacher).look(contents, placement)
    alone, other = (
        Observed(backbone, layers, 4).look(contents, placement) for backbone in (learner, teacher)
    )
    torch.testing.assert_close(taught[0]["stem"], alone[0]["stem"])
    torch.testing.assert_close(taught[1], other[1])
    assert float((taught[1] - alone[1]).abs().max()) > 1e-4
