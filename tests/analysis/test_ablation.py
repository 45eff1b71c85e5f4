"""Options tried one by one: text of what differs, fit, comparison with the plain explanation."""

import copy

import numpy as np
import pandas as pd
import pytest
from helpers import BOX, SETTINGS, make_block, make_layer

from gaborscope.analysis import ablation, refits
from gaborscope.explanation import accumulation
from gaborscope.fitting.ridge import RidgePath
from gaborscope.fitting.statistics import combine
from gaborscope.stimuli import geometry

SIZES = [(40, 60), (32, 48), (38, 60), (36, 48), (40, 44), (32, 50)]
LAYERS = {"fine": make_layer(4, 2, "relu")}
PLAIN = {
    **SETTINGS,
    "pools": [{"kind": "gaussian", "width": 2.0}, {"kind": "point", "width": 1.0}],
    "solver": {"name": "ridge", "budget": None, "penalties": [1e-3, 1.0], "folds": 2},
}


def recorded(block):
    """Yield random activations, the same at every call, as `read_layers` yields them."""
    for index, size in enumerate(block.sizes):
        placement = geometry.place(size, BOX)
        grid = LAYERS["fine"].grid(placement)
        maps = np.random.default_rng(index).standard_normal((2, *grid.shape)).astype(np.float32)
        yield index, placement.valid, placement.input_size, {"fine": maps}


def tried(settings):
    trial, block = ablation.Trial(settings, LAYERS), make_block(SIZES)
    trial.add("fit", "0", block, recorded(block), 2)
    trial.add("validation", "7", block, recorded(block), 4)
    return trial


def test_what_differs_is_said_by_key():
    other = copy.deepcopy(PLAIN)
    other["bank"]["n_scales"], other["colour"] = 1, "lab"
    other["pools"] = other["pools"][1:]
    assert ablation.differing(PLAIN, other) == (
        'bank.n_scales: 1, colour: "lab", pools: [{"kind": "point", "width": 1.0}]'
    )
    assert ablation.differing(PLAIN, PLAIN) == ""


def test_parts_hold_all_stimuli_in_order():
    assert list(ablation.parts_of(range(5), 2)) == [[0, 1], [2, 3], [4]]


def test_the_solution_is_that_of_the_statistics_of_the_whole_block():
    alternative, rows = tried(PLAIN).solve()
    block = make_block(SIZES)
    pools = [row["pool"] for row in rows]
    candidate = [pool["kind"] for pool in PLAIN["pools"]].index(pools[0])
    statistics = accumulation.accumulate(block, recorded(block), LAYERS, PLAIN)["fine"][candidate]
    weight, intercept = RidgePath(statistics).solve(rows[0]["penalty"])
    np.testing.assert_allclose(alternative.layers[0].weight, weight, rtol=1e-3, atol=1e-4)
    assert sorted(alternative.folds) == ["0-0", "0-1", "0-2"]
    assert alternative.layers[0].layer.nonlinearity == "relu"


def test_behind_the_nonlinearity_what_comes_out_of_it_is_fitted():
    alternative, _ = tried({**PLAIN, "activation": "output"}).solve()
    assert alternative.layers[0].layer.nonlinearity == "none"
    block = make_block(SIZES)
    settings = {**PLAIN, "activation": "output"}
    statistics = accumulation.accumulate(block, recorded(block), LAYERS, settings)["fine"][0]
    passed = [
        (index, valid, size, {"fine": np.maximum(maps["fine"], 0)})
        for index, valid, size, maps in recorded(block)
    ]
    expected = accumulation.accumulate(block, passed, LAYERS, PLAIN)["fine"][0]
    np.testing.assert_array_equal(statistics.cross, expected.cross)
    np.testing.assert_array_equal(statistics.cov, expected.cov)


def test_parts_add_up_to_the_block():
    trial, block = tried(PLAIN), make_block(SIZES)
    parts = combine(statistics["fine"][0] for statistics in trial._fit.values())
    of_block = accumulation.accumulate(block, recorded(block), LAYERS, PLAIN)["fine"][0]
    np.testing.assert_allclose(parts.gram, of_block.gram, rtol=1e-6)
    assert parts.n == of_block.n


def test_options_are_set_beside_the_plain_explanation_by_stimulus(rng):
    def scores(level):
        return pd.DataFrame(
            [
                {
                    "stimulus": f"s{i}",
                    "predictor": name,
                    **dict.fromkeys(ablation.METRICS, value + i),
                }
                for i in range(5)
                for name, value in (("explained", level), ("deep", 4.0), ("centre_bias", 0.0))
            ]
        )

    layers = pd.DataFrame({"explained_variance": [0.4, 0.6], "cpu_s": [9.0, 9.0]})
    better = pd.DataFrame({"explained_variance": [0.5, 0.7], "cpu_s": [7.0, 7.0]})
    tables = {"direct": (scores(2.0), layers), "lab": (scores(3.0), better)}
    rows = ablation.rows("m", tables, {"direct": "", "lab": "colour"}, 100, 1)
    table = pd.DataFrame(rows).set_index(["option", "metric"])
    nss_row = table.loc[("lab", "nss")]
    assert (nss_row["share"], nss_row["difference"]) == pytest.approx((0.75, 1.0))
    assert (nss_row["difference_low"], nss_row["difference_high"]) == pytest.approx((1.0, 1.0))
    assert table.loc[("direct", "cc"), "difference"] == 0
    assert table.loc[("lab", "explained_variance"), "difference"] == pytest.approx(0.1)
    assert table.loc[("lab", "cpu_s"), "mean"] == 7


def test_every_model_is_set_beside_its_own_plain_explanation():
    def trial(level):
        scores = pd.DataFrame(
            [
                {"stimulus": f"s{i}", "predictor": name, **dict.fromkeys(ablation.METRICS, v)}
                for i in range(3)
                for name, v in (("explained", level), ("deep", 4.0), ("centre_bias", 0.0))
            ]
        )
        return scores, pd.DataFrame({"explained_variance": [level / 4], "cpu_s": [1.0]})

    tables = {
        ("a", "direct"): trial(1.0), ("b", "direct"): trial(2.0),
        ("a", "lab"): trial(1.5), ("b", "lab"): trial(2.0),
    }  # fmt: skip
    settings = {"direct": {"colour": "yuv"}, "lab": {"colour": "lab"}}
    table = pd.DataFrame(ablation.summarise(tables, settings, 50, 1))
    nss = table[table["metric"] == "nss"].set_index(["model", "option"])
    assert list(table["model"].unique()) == ["a", "b"]
    assert nss.loc[("a", "lab"), "difference"] == 0.5
    assert nss.loc[("b", "lab"), "difference"] == 0
    assert nss.loc[("a", "lab"), "differs"] == 'colour: "lab"'


def test_the_fused_model_is_the_fit_of_the_alternative_on_all_stimuli_added(rng):
    settings = {**PLAIN, "fusion": {"target": "fixations", "stride": 4, "smoothing": 3.0}}
    trial = tried(settings)
    alternative, _ = trial.solve()
    block = make_block(SIZES)
    blocks = {"fit": {"0": block}, "validation": {"7": block}}
    fusion = {**settings["fusion"], "penalties": [1e-2, 1.0]}
    box, files = geometry.Box(*BOX), {"0": "", "7": ""}
    models = trial.fuse(alternative, blocks, files, fusion, box, [0.1], 1e-3)
    many = refits.prepare({"explained": alternative}, box, fusion, blocks, [0.1], 1e-3)
    for split, name, size in (("fit", "0", 2), ("validation", "7", 4)):
        for number, part in enumerate(ablation.parts_of(recorded(block), size)):
            for index, *_ in part:
                many.add_stimulus(split, f"{name}-{number}", block, index, "")
    np.testing.assert_array_equal(models["explained"].weight, many.fit()["explained"].weight)
