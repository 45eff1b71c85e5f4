"""Terms of a readout: chosen where they were planted, the same in fits and in reconstructions."""

import dataclasses

import numpy as np
import pytest
from helpers import BOX, SETTINGS, make_block, make_layer

from gaborscope.explanation import accumulation, readouts
from gaborscope.explanation import layers as layer_tools
from gaborscope.fitting import ridge
from gaborscope.stimuli import geometry

SIZES = [(40, 60), (44, 60), (40, 58), (42, 60)]
LAYER = make_layer(4, 2)
SETTINGS = {**SETTINGS, "kinds": ["even", "odd", "amplitude"]}
POOL = SETTINGS["pool"]


@pytest.fixture
def block():
    return make_block(SIZES)


def energies(phi):
    kinds = layer_tools.make_regressors(SETTINGS).table()["kind"]
    standard = phi[kinds == "amplitude"]
    return np.flatnonzero(kinds == "amplitude"), standard


def planted(block):
    """Activations: map 0 has the product of two energies, map 1 a bend of one."""
    values, everything = [], []
    for index, size in enumerate(block.sizes):
        placement = geometry.place(size, BOX)
        target = layer_tools.target(LAYER, placement, {"pool": POOL})
        content = geometry.content(block.image(index), placement)
        (phi,) = layer_tools.make_regressors(SETTINGS).compute(content, placement, [target])
        values.append((index, placement, target, energies(phi)[1]))
        everything.append(values[-1][3].reshape(len(values[-1][3]), -1))
    together = np.concatenate(everything, axis=1)
    mean, sd = (getattr(together, f)(axis=1)[:, None, None] for f in ("mean", "std"))
    for index, placement, target, energy in values:
        s = (energy - mean) / sd
        maps = np.zeros((2, *target.grid.shape), np.float32)
        rows, columns = target.grid.cells(placement)
        maps[0, rows, columns] = s[0] * s[2] + 0.3 * s[1]
        maps[1, rows, columns] = np.maximum(s[1] - 0.5, 0)
        yield index, placement.valid, placement.input_size, {"fine": maps}


def fitted(statistics, settings, **solver):
    solution = ridge.solve({"0": statistics}, statistics, [1e-6], 2, **solver)
    layer = dataclasses.replace(LAYER, name="fine", box={"height": BOX[0], "width": BOX[1]})
    return layer_tools.FittedLayer(
        "fine", layer, settings, solution.weight, solution.intercept, solution.residual_sd
    ), solution


def test_planted_bends_and_products_are_chosen_and_explain_the_maps(block):
    settings = {**SETTINGS, "pools": [POOL], "activation": "input"}
    layers = {"fine": LAYER}
    (statistics,) = accumulation.accumulate(block, planted(block), layers, settings)["fine"]
    linear, before = fitted(statistics, {**settings, "pool": POOL})
    chosen = readouts.choose([linear], [(block, planted(block))], 10, True, 0)
    numbers = energies(np.zeros((len(linear.weight[0]), 1)))[0]
    terms = chosen["fine"]["offered"]
    assert [numbers[0], numbers[2]] in [list(pair) for pair in terms["products"]]
    assert [numbers[1], 0.5] in terms["bends"]
    bent = readouts.choose([linear], [(block, planted(block))], 10, False, 0)
    assert bent["fine"]["offered"]["products"] == [] and bent["fine"]["offered"]["bends"]

    (more,) = accumulation.accumulate(block, planted(block), layers, settings, chosen)["fine"]
    n = len(linear.weight[0])
    np.testing.assert_allclose(more.gram[:n, :n], statistics.gram, rtol=1e-6, atol=1e-3)
    readout, after = fitted(more, {**settings, **chosen["fine"]}, terms=(n, 4))
    assert before.pooled < 0.9 < 0.97 < after.pooled

    maps, placement = layer_tools.reconstruct(block.image(0), BOX, [readout])
    grid = readout.layer.grid(placement)
    _, _, _, true = next(iter(planted(block)))
    cells = (slice(None), *grid.cells(placement))
    left = ((maps["fine"] - true["fine"][cells]) ** 2).mean()
    assert left < 0.1 * true["fine"][cells].var()


def test_without_energies_there_are_no_terms(block):
    settings = {**SETTINGS, "kinds": ["even"], "pools": [POOL], "activation": "input"}
    settings["normalisation"] = False
    (statistics,) = accumulation.accumulate(block, planted(block), {"fine": LAYER}, settings)[
        "fine"
    ]
    linear, _ = fitted(statistics, {**settings, "pool": POOL})
    chosen = readouts.choose([linear], [(block, planted(block))], 10, True, 0)
    assert chosen["fine"]["offered"] == {"energies": [], "bends": [], "products": []}


def test_the_budget_of_the_config_is_no_list_of_terms():
    linear = {**SETTINGS, "terms": 16}
    assert len(layer_tools.table(linear)["kind"]) == len(layer_tools.table(SETTINGS)["kind"])
