"""Filters between those of the bank: responses at any place, derivatives, refinement, names."""

import dataclasses

import numpy as np
import pytest
from helpers import SETTINGS, make_image

from gaborscope.analysis import continuous, naming, nodes
from gaborscope.analysis.nodes import Term
from gaborscope.explanation import layers
from gaborscope.filters.regressors import Regressors
from gaborscope.stimuli import geometry

BANK = {
    "n_scales": 2, "n_orientations": 4, "min_wavelength_px": 4.0, "scale_factor": 2.0,
    "bandwidth_ratio": 0.65, "angular_sigma": None,
}  # fmt: skip
BANKED = {**SETTINGS, "bank": BANK, "normalisation": True, "position": True}
SIZE, GRID = (48, 64), geometry.Grid((12, 16), (4.0, 4.0), (1.5, 1.5))
PLACEMENT = geometry.Placement(SIZE, 0, 0, *SIZE)
TARGET = (GRID, "point", 1.0)


def images(n):
    """Noise of all scales, no two alike."""
    made = []
    for seed in range(n):
        fine = np.random.default_rng(seed).uniform(-60, 60, (*SIZE, 3))
        coarse = np.kron(make_image((12, 16), seed), np.ones((4, 4, 1)))
        made.append(np.clip(0.6 * coarse + 50 + fine, 0, 255).astype(np.uint8))
    return made


def regressors_of(settings, image):
    made = settings if isinstance(settings, Regressors) else layers.make_regressors(settings)
    (found,) = made.compute(image, PLACEMENT, [TARGET])
    return found.reshape(len(found), -1)


@pytest.fixture(scope="module")
def samples():
    """Responses at the nodes to eight images, at all cells; no maps."""
    grid = nodes.Grid.of(BANKED)
    kinds = ["even", "odd", "amplitude", "normalised"]
    cells, responses, fixed = np.arange(12 * 16), [], []
    for image in images(8):
        at_nodes = [
            nodes._with_global(
                regressors_of(grid.regressors(power), image).reshape(
                    3, *grid.shape, len(kinds), -1
                ),
                kinds,
                cells,
            )
            for power in nodes.POWERS
        ]
        responses.append(np.stack(at_nodes).transpose(0, 1, 4, 2, 3, 5))
        fixed.append(regressors_of(BANKED, image)[-6:])
    around = [nodes._around((12, 16), (4.0, 4.0), PLACEMENT, cells)] * 8
    n = len(layers.make_regressors(BANKED).table()["name"])
    return nodes.Samples(
        grid, [*kinds, "global"], np.concatenate(responses, axis=-1),
        np.concatenate(fixed, axis=-1), np.arange(n - 6, n), around, [0] * 8,
        np.zeros((1, 8 * len(cells)), np.float32),
    )  # fmt: skip


def filter_of(wavelength, orientation, ratio):
    """Regressors of one filter, turned by counting in fine orientations."""
    n = 36
    bank = {
        "n_scales": 1, "n_orientations": n, "min_wavelength_px": wavelength, "scale_factor": 2.0,
        "bandwidth_ratio": ratio, "angular_sigma": np.pi / 4 / 1.2,
    }  # fmt: skip
    settings = {**BANKED, "bank": bank, "residual": False, "position": False}
    settings |= {"kinds": ["even", "odd", "amplitude"], "normalisation": False}
    index = round(orientation / 180 * n)
    return [regressors_of(settings, image)[3 * index : 3 * index + 3] for image in images(8)]


@pytest.mark.parametrize("kind", [0, 1, 2])
def test_a_response_between_the_nodes_is_that_of_the_filter_there(samples, kind):
    wanted = np.concatenate(filter_of(5.2, 60.0, 0.6), axis=1)[kind]
    grid = samples.grid
    power = np.log(np.log(0.6) / np.log(0.65)) / np.log(nodes.WIDER)
    place = (grid.below + 2 * np.log2(5.2 / 4), 60 / 180 * 8, power)
    np.testing.assert_allclose(grid.properties(place), (5.2, 60.0, 0.6))
    found = samples.columns(Term(kind, 0, place))[0]
    assert np.corrcoef(found, wanted)[0, 1] > 0.99
    assert np.std(found - wanted) < 0.15 * np.std(wanted)


def test_a_turn_by_180_degrees_changes_the_sign_of_odd_responses_alone(samples):
    for kind, sign in ((0, 1), (1, -1), (2, 1)):
        first, turned = (samples.columns(Term(kind, 0, (1.3, o, 0.2)))[0] for o in (0.4, 8.4))
        np.testing.assert_allclose(turned, sign * first, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("wavelength, orientation", [(1.3, 2.2), (0.4, 7.8), (1.5, 2.5)])
def test_derivatives_are_those_of_the_response(samples, wavelength, orientation):
    place, small = np.array([wavelength, orientation, 0.1]), 1e-2
    _, *slopes = samples.columns(Term(2, 0, tuple(place)))
    for axis, slope in enumerate(slopes):
        step = small * np.eye(3)[axis]
        after, before = (samples.columns(Term(2, 0, tuple(place + s)))[0] for s in (step, -step))
        np.testing.assert_allclose((after - before) / (2 * small), slope, rtol=0.01, atol=1e-4)


@pytest.mark.parametrize("at", [(1.5, 2.5), (1.0, 3.0), (0.0, 8.0)])
def test_between_two_nodes_nothing_jumps(samples, at):
    before, after = (
        samples.columns(Term(2, 0, tuple(np.add(at, by)) + (0.1,))) for by in (-1e-6, 1e-6)
    )
    np.testing.assert_allclose(after, before, rtol=1e-3, atol=1e-5)


def with_map(samples, values, rng):
    """Return samples with one map: these values and noise of a tenth of their variance."""
    noise = rng.standard_normal(values.shape) * values.std() * np.sqrt(0.1)
    return dataclasses.replace(samples, maps=(values + noise)[None].astype(np.float32))


def named(samples):
    fit, held = (continuous.Fit(samples.stimuli(*part), 0) for part in ((0, 5), (5, 8)))
    candidates = continuous.Candidates(samples.stimuli(0, 5))
    return continuous.name(fit, held, candidates, "omp"), fit


@pytest.mark.parametrize("kind, name", [(0, "even"), (2, "amplitude")])
def test_a_map_of_one_filter_is_named_by_it_and_refined_to_its_place(samples, rng, kind, name):
    made = with_map(samples, np.concatenate(filter_of(6.0, 65.0, 0.6), axis=1)[kind], rng)
    (term,), _ = named(made)
    assert made.kinds[term.kind] == name
    wavelength, orientation, ratio = made.grid.properties(term.place)
    assert abs(np.log2(wavelength / 6)) < 0.1 and abs(orientation - 65) < 3
    assert ratio == pytest.approx(0.6, abs=0.06)


def test_a_product_of_energies_has_two_names_and_not_more(samples, rng):
    first, second = (samples.columns(Term(2, 0, place))[0] for place in ((1, 0, 0), (3, 4, 0)))
    terms, _ = named(with_map(samples, first * second, rng))
    places = sorted(samples.grid.nearest(term.place) for term in terms)
    assert places == [(0, 0), (1, 2)] and {term.kind for term in terms} == {2}


def test_noise_and_a_constant_have_no_name(samples, rng):
    noise = dataclasses.replace(samples, maps=rng.standard_normal((1, 8 * 192)).astype(np.float32))
    assert named(noise)[0] == []
    constant = dataclasses.replace(samples, maps=np.ones((1, 8 * 192), np.float32))
    assert named(constant)[0] == []


def test_regressors_without_a_wavelength_stay_where_they_are(samples, rng):
    (term,), fit = named(with_map(samples, samples.fixed[2].astype(float), rng))
    assert (term.kind, term.colour) == (-1, 2)
    assert fit.refine([term], 5) == [term]
    found = naming.Named(7, 0.5)
    assert found.columns(2.0)["share"] == 0.5
    assert all(value is None for key, value in found.columns(2.0).items() if key != "share")


def test_orientations_lie_below_180_and_their_ends_around_them(samples):
    places = [(1.0, -0.1, 0.0), (1.0, 0.1, 0.0), (1.2, -0.2, 0.0)]
    columns = naming.Named(0, grid=samples.grid, places=places).columns(2.0)
    step = 180 / 8
    assert columns["refined_orientation_deg"] == pytest.approx(180 - 0.1 * step)
    assert columns["refined_orientation_deg_low"] == pytest.approx(180 - 0.2 * step)
    assert columns["refined_orientation_deg_high"] == pytest.approx(180 + 0.1 * step)
    assert columns["refined_wavelength_px"] == pytest.approx(2 * 4)
    assert columns["refined_wavelength_px_high"] == pytest.approx(2 * 4 * 2**0.1)
    assert columns["refined_bandwidth_ratio_low"] == pytest.approx(0.65)


def test_maps_that_are_refined_are_spread_over_the_layer():
    assert naming.evenly(3, 96) == [0, 1, 2]
    assert naming.evenly(1000, 3) == [0, 500, 999]
    assert len(set(naming.evenly(2048, 96))) == 96


def test_intervals_are_open_where_filters_can_be_moved_no_further(samples):
    last = float(samples.grid.shape[0] - 1)
    at_ends = naming.Named(0, grid=samples.grid, places=[(0.0, 1.0, 1.0), (0.5, 1.2, 0.9)])
    columns = at_ends.columns(2.0)
    assert columns["refined_wavelength_px_low"] == 0
    assert columns["refined_wavelength_px_high"] == pytest.approx(
        columns["refined_wavelength_px"] * 2**0.25
    )
    assert columns["refined_bandwidth_ratio_low"] == 0
    assert columns["refined_bandwidth_ratio"] < columns["refined_bandwidth_ratio_high"] < 1
    columns = naming.Named(0, grid=samples.grid, places=[(last, 1.0, -1.0)] * 2).columns(2.0)
    assert columns["refined_wavelength_px_high"] == np.inf
    assert columns["refined_wavelength_px_low"] == columns["refined_wavelength_px"]
    assert columns["refined_bandwidth_ratio_high"] == 1
    assert columns["refined_orientation_deg_high"] == columns["refined_orientation_deg_low"]


@pytest.mark.parametrize(
    "changes", [{"control": "random"}, {"bank": {**BANK, "n_orientations": 2}}]
)
def test_controls_and_banks_of_two_orientations_have_nothing_between(changes):
    assert nodes.Grid.of({**BANKED, **changes}) is None


def test_the_shortest_node_stays_above_two_px():
    grid = nodes.Grid.of({**BANKED, "bank": {**BANK, "min_wavelength_px": 2.5}})
    assert grid.below == 0 and grid.regressors(0).bank["min_wavelength_px"] == 2.5
    assert nodes.Grid.of(BANKED).below == 1
