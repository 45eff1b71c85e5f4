"""Networks that differ in their seed: described one by one, matched by what their maps do."""

import numpy as np
import pandas as pd
import pytest
from helpers import BOX, ORIGIN, make_block, make_fitted

from gaborscope.explanation import layers as layer_tools
from gaborscope.refutation import seeds, stability
from gaborscope.stimuli import geometry
from gaborscope.store import paths
from gaborscope.store.layers import LayerWriter

SIZES = [(40, 60), (32, 48), (36, 44)]
TURNED = np.array([2, 0, 1])


@pytest.fixture
def fitted(rng):
    return make_fitted("fine", 4, 3, "none", rng)


def activations(folder, model, fitted, order):
    """File of the maps that a layer's weights make of made stimuli, in some order."""
    block = make_block(SIZES)
    path = folder / paths.make("activations", model=model, dataset="made", block="07")
    groups = geometry.group_by_input(block.sizes, BOX)
    with LayerWriter(path, groups, {"fine": fitted.layer}, ORIGIN) as writer:
        for index in range(len(SIZES)):
            maps, placement = layer_tools.reconstruct(block.image(index), BOX, [fitted])
            whole = layer_tools.whole_maps(maps["fine"][order], fitted, placement)
            writer.put(index, "fine", whole)
    return str(path)


def described(order):
    identity = np.array([[0, 0, 0, 0], [1, 0, 1, 0], [0, 1, 1, 0]])[order]
    return {"fine": stability.Described(identity, np.ones(3, bool))}


def compared(folder, fitted):
    first = seeds.Network("net", [fitted], described(np.arange(3)))
    second = seeds.Network("net_b", [fitted], described(TURNED))
    files = [
        activations(folder, "net_b", fitted, TURNED),
        activations(folder, "net", fitted, np.arange(3)),
    ]
    return seeds.compare(first, second, files, 50, 1)


def test_maps_in_another_order_are_matched_and_agree_fully(tmp_path, fitted):
    rows, matched = compared(tmp_path, fitted)
    table = pd.DataFrame(rows).set_index(["layer", "measure"])
    assert matched["fine"] == pytest.approx(1, abs=1e-3)  # activations are float16
    assert table.loc[("fine", "identity"), "agreement"] == 1
    assert table.loc[("all", "identity"), "agreement"] == 1


def test_rows_name_both_networks_and_how_well_their_maps_correlate(tmp_path, fitted):
    rows, matched = compared(tmp_path, fitted)
    assert tuple(rows[0]) == seeds.COLUMNS
    assert {(row["model"], row["other"]) for row in rows} == {("net", "net_b")}
    assert {row["layer"]: row["correlation"] for row in rows} == {
        "fine": matched["fine"], "all": matched["fine"],
    }  # fmt: skip


def test_agreement_is_resampled_as_often_and_from_the_seed_that_are_given(tmp_path, fitted):
    rows, _ = compared(tmp_path, fitted)
    (row,) = (r for r in rows if (r["layer"], r["measure"]) == ("fine", "identity"))
    expected = stability.agreement([np.eye(3)], 50, 1)
    assert {key: row[key] for key in expected} == pytest.approx(expected)
