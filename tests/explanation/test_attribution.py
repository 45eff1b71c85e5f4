"""Parts of an explained log-density."""

import dataclasses

import numpy as np
import pytest
import torch
from helpers import SETTINGS, make_explained, make_image

from gaborscope.explanation import attribution
from gaborscope.explanation.differentiable import DifferentiableModel
from gaborscope.stimuli import geometry

IMAGE = make_image((32, 48), seed=3)


def model(dtype=torch.float64, **settings):
    made = make_explained(seed=2)
    made.weight *= 0.3  # so that softmax is neither flat nor one peak
    changed = {**SETTINGS, **settings}
    for index, fitted in enumerate(made.layers):
        n = len(attribution.layer_tools.make_regressors(changed).table()["kind"])
        rng = np.random.default_rng(index)
        weight = rng.normal(size=(len(fitted.weight), n)).astype(np.float32)
        made.layers[index] = dataclasses.replace(fitted, settings=changed, weight=weight)
    return DifferentiableModel(made, dtype)


@pytest.fixture(scope="module")
def found():
    return attribution.attribute(model(normalisation=True, position=True), IMAGE)


def test_the_parts_of_every_partition_sum_to_the_change_of_the_log_density(found):
    change = found.explained - found.start
    largest = np.abs(change).max()
    assert largest > 0.5 and found.error < attribution.TOLERANCE
    for partition in attribution.PARTITIONS:
        total = sum(found.maps[partition].values())
        np.testing.assert_allclose(total, change, atol=1.01 * attribution.TOLERANCE * largest)


def test_the_ends_are_the_models_own_log_densities(found):
    made = model(normalisation=True, position=True)
    mean = np.rint(IMAGE.reshape(-1, 3).mean(axis=0))
    plain = np.broadcast_to(mean, IMAGE.shape)
    for image, bits in ((IMAGE, found.explained), (plain, found.start)):
        own = made.density(torch.as_tensor(image.astype(float))).numpy()
        np.testing.assert_allclose(bits, (own + np.log(own.size)) / np.log(2), atol=2e-3)


def test_filters_sum_to_what_the_layers_add_at_a_peak(found):
    for bits, (row, column) in zip(found.filters, found.peaks, strict=True):
        layers = sum(values[row, column] for values in found.maps["layer"].values())
        np.testing.assert_allclose(bits.sum(), layers, rtol=1e-6, atol=1e-9)
    assert found.filters[:, found.table["kind"] == "position"] == pytest.approx(0)


def test_the_error_is_that_of_the_parts(found):
    coarse = attribution.attribute(model(normalisation=True), IMAGE, points=[2])
    change = coarse.explained - coarse.start
    missed = np.abs(sum(coarse.maps["layer"].values()) - change).max()
    np.testing.assert_allclose(coarse.error, missed / np.abs(change).max(), rtol=1e-6)
    assert coarse.error > found.error


@pytest.mark.parametrize("names", [[], ["log_energy", "grouping"], ["rarity"]])
def test_a_line_that_is_known_from_its_ends_is_the_one_that_is_computed(names):
    way_of = model(normalisation=True, mechanisms=names)
    placement = geometry.place(IMAGE.shape[:2], way_of.model.box)
    way = way_of.steps(placement)
    table = attribution.layer_tools.make_regressors(way.layers[0].settings).table()
    known = attribution._line(way, IMAGE, table)
    mean = np.rint(IMAGE.reshape(-1, 3).mean(axis=0))
    first = torch.as_tensor(np.broadcast_to(mean, IMAGE.shape).copy())
    computed = attribution._computed_line(way, first, torch.as_tensor(IMAGE.astype(float)) - first)
    for t in (0.05, 0.6):
        for (own, slope), (other, other_slope) in zip(
            zip(*known(t), strict=True), zip(*computed(t), strict=True), strict=True
        ):
            np.testing.assert_allclose(own.numpy(), other.numpy(), atol=2e-4)
            np.testing.assert_allclose(slope.numpy(), other_slope.numpy(), atol=2e-2)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_mechanisms_of_all_scales_sum_up_too(dtype):
    made = model(dtype, normalisation=True, mechanisms=["log_energy", "grouping"])
    assert attribution.attribute(made, IMAGE).error < attribution.TOLERANCE


def test_colours_that_bend_along_the_line_sum_up_too():
    lab = attribution.attribute(model(colour="lab"), IMAGE)
    assert lab.error < attribution.TOLERANCE


def test_peaks_are_maxima_that_lie_apart():
    values = np.zeros((30, 48))
    values[5, 5], values[5, 8], values[20, 40], values[0, 47] = 4, 3, 2, 1
    assert attribution.highest_peaks(values, 3) == [(5, 5), (20, 40), (0, 47)]
