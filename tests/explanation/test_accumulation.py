"""Statistics of a block against sums over concatenated regressors and activations."""

import numpy as np
import pytest
from helpers import BOX, N_REGRESSORS, SETTINGS, make_block, make_layer, make_regressors

from gaborscope.explanation import accumulation
from gaborscope.explanation import layers as layer_tools
from gaborscope.fitting.statistics import Statistics
from gaborscope.stimuli import geometry

SIZES = [(40, 60), (70, 45), (20, 60)]
LAYERS = {"fine": make_layer(4, 3), "twin": make_layer(4, 2), "coarse": make_layer(8, 2)}


@pytest.fixture
def block():
    return make_block(SIZES)


def activations_of(block, padding=None):
    """Random activations as `read_layers` yields them; `padding` is the value in the padding."""
    rng = np.random.default_rng(0)
    for index, size in enumerate(block.sizes):
        placement = geometry.place(size, BOX)
        maps = {}
        for name, layer in LAYERS.items():
            grid = layer.grid(placement)
            maps[name] = rng.standard_normal((layer.channels, *grid.shape)).astype(np.float32)
            if padding is not None:
                inside = np.zeros(grid.shape, bool)
                inside[grid.cells(placement)] = True
                maps[name][:, ~inside] = padding
        yield index, placement.valid, placement.input_size, maps


def test_statistics_are_those_of_the_concatenated_pixels(block):
    statistics = accumulation.accumulate(block, activations_of(block), LAYERS, SETTINGS)
    for name, layer in LAYERS.items():
        phis, values = [], []
        for index, valid, input_size, maps in activations_of(block):
            placement = geometry.Placement(input_size, *valid)
            target = layer_tools.target(layer, placement, SETTINGS)
            content = geometry.content(block.image(index), placement)
            (phi,) = make_regressors().compute(content, placement, [target])
            phis.append(phi.reshape(N_REGRESSORS, -1))
            cells = maps[name][(slice(None), *target[0].cells(placement))]
            values.append(cells.reshape(layer.channels, -1))
        phi, a = np.hstack(phis).astype(float), np.hstack(values).astype(float)
        (accumulated,) = statistics[name]
        assert accumulated.n == phi.shape[1] > 0
        # float32 products of a hundred pixels
        for matrix, expected in (
            (accumulated.gram, phi @ phi.T),
            (accumulated.cross, phi @ a.T),
            (accumulated.cov, a @ a.T),
            (accumulated.sum_phi, phi.sum(axis=1)),
            (accumulated.sum, a.sum(axis=1)),
        ):
            np.testing.assert_allclose(matrix, expected, atol=1e-5 * np.abs(expected).max())


def test_padding_never_enters(block):
    plain = accumulation.accumulate(block, activations_of(block), LAYERS, SETTINGS)
    padded = accumulation.accumulate(block, activations_of(block, 1000.0), LAYERS, SETTINGS)
    for name in LAYERS:
        for key in ("gram", "cross", "sum_phi", "sum", "cov", "n"):
            np.testing.assert_array_equal(
                getattr(padded[name][0], key), getattr(plain[name][0], key)
            )


def test_layers_of_equal_grids_share_their_regressors(block):
    statistics = accumulation.accumulate(block, activations_of(block), LAYERS, SETTINGS)
    np.testing.assert_array_equal(statistics["fine"][0].gram, statistics["twin"][0].gram)
    assert statistics["coarse"][0].n < statistics["fine"][0].n


def test_a_stimulus_narrower_than_a_cell_counts_in_its_nearest_cells():
    block = make_block([(5, 200)])  # one row of content, between two rows of the coarse layer
    (coarse,) = accumulation.accumulate(block, activations_of(block), LAYERS, SETTINGS)["coarse"]
    assert coarse.n == BOX[1] // 8


@pytest.mark.parametrize("n_regressors", [24, 120])
def test_float32_products_leave_the_gram_matrix_within_a_millionth(n_regressors):
    # standard deviations over four decades, means of up to ten standard deviations
    rng = np.random.default_rng(0)
    spread = 10.0 ** rng.uniform(-4, 0, (n_regressors, 1))
    accumulated = Statistics.empty(n_regressors, 2)
    exact = np.zeros((n_regressors, n_regressors))
    for _ in range(40):
        phi = spread * (rng.standard_normal((n_regressors, 600)) + rng.uniform(0, 10))
        phi = phi.astype(np.float32)
        accumulated.add(phi, phi[:2])
        exact += phi.astype(float) @ phi.astype(float).T
    scale = np.sqrt(np.diag(exact))
    # largest error, relative to the root mean squares of the two regressors
    assert np.abs((accumulated.gram - exact) / np.outer(scale, scale)).max() < 1e-6


def test_layers_of_one_grid_have_the_statistics_of_each_alone(block):
    together = accumulation.accumulate(block, activations_of(block), LAYERS, SETTINGS)
    for name, layer in LAYERS.items():
        alone = accumulation.accumulate(block, activations_of(block), {name: layer}, SETTINGS)
        for key in ("gram", "cross", "sum_phi", "sum", "cov"):
            expected = getattr(alone[name][0], key)
            # another order of sums in float32
            tolerance = 2e-6 * np.abs(expected).max()
            np.testing.assert_allclose(
                getattr(together[name][0], key), expected, atol=tolerance, err_msg=key
            )


def test_pools_of_one_layer_share_its_maps_but_not_its_regressors(block):
    settings = {**SETTINGS, "pools": [SETTINGS["pool"], {"kind": "point", "width": 1.0}]}
    statistics = accumulation.accumulate(block, activations_of(block), LAYERS, settings)
    for pair in statistics.values():
        np.testing.assert_array_equal(pair[0].cov, pair[1].cov)
        np.testing.assert_array_equal(pair[0].sum, pair[1].sum)
        assert pair[0].n == pair[1].n
        assert not np.allclose(pair[0].gram, pair[1].gram, rtol=1e-3)
