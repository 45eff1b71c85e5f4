"""What is listed, ranked and split in an analysis: groups, penalties and the order of maps."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
from helpers import SETTINGS, make_block, make_explained, make_layer, shares_of

from gaborscope.analysis import ablation, bits, coalitions, identities, refits
from gaborscope.explanation import fusion, layers
from gaborscope.fitting import sparse
from gaborscope.fitting.statistics import Statistics, combine, explained_variance
from gaborscope.store.saliency import write_saliency

FULL = {**SETTINGS, "position": True, "second_stage": True,
        "bank": {**SETTINGS["bank"], "n_scales": 3}}  # fmt: skip


@pytest.fixture
def table():
    return layers.make_regressors(FULL).table()


def sums(rng, table, names, n=1500):
    """Statistics of one map per list of names, each the sum of these regressors."""
    phi = rng.standard_normal((len(table["name"]), n))
    every = list(table["name"])
    maps = np.stack([sum((phi[every.index(one)] for one in some), np.zeros(n)) for some in names])
    made = Statistics.empty(len(phi), len(maps))
    made.add(phi, maps)
    return made


def test_shares_are_grouped_by_the_property_they_name(rng, table):
    names = [["U amplitude s1 o2", "position x"], ["Y even s0 o0", "V second"]]
    names[1][1] = next(n for n in table["name"] if "second" in n)
    found = shares_of(sums(rng, table, names), table)
    by = {key: dict(zip(value[0], value[2].T, strict=True)) for key, value in found.items()}
    # by chance, each of some hundred regressors explains 1/1500 of the variance
    for grouping, label in (("scale", "1"), ("orientation", "2"), ("colour", "1"),
                            ("kind", "amplitude")):  # fmt: skip
        assert by[grouping][label][0] == pytest.approx(0.5, abs=0.1), grouping
    for grouping, label in (("scale", "none"), ("orientation", "none"), ("colour", "none"),
                            ("kind", "position")):  # fmt: skip
        assert by[grouping][label][0] == pytest.approx(0.5, abs=0.1), grouping
    # only the first stage of luminance has a scale there
    assert by["luminance_scale"]["0"][1] == pytest.approx(0.5, abs=0.1)
    assert by["luminance_scale"]["none"][1] == pytest.approx(0.5, abs=0.1)
    assert by["luminance_scale"]["none"][0] == pytest.approx(1.0, abs=0.1)


def test_dominant_filters_are_neither_position_nor_second_stage_nor_named_twice(table):
    n = len(table["name"])
    order = ["position y", next(t for t in table["name"] if "second" in t), "V odd s1 o1",
             "V even s1 o1", "Y amplitude s0 o2", "U even s2 o0"]  # fmt: skip
    marginal = np.zeros((2, n))
    for rank, name in enumerate(order):
        marginal[:, list(table["name"]).index(name)] = [1.0 - rank / 10, 0.8 - rank / 10]
    rows = identities.dominant({"marginal": marginal, "table": table}, 3)
    assert rows == [
        {"name": "V odd s1 o1", "kind": "odd", "scale": 1, "orientation": 1, "colour": 2,
         "r2": pytest.approx(0.7)},
        {"name": "Y amplitude s0 o2", "kind": "amplitude", "scale": 0, "orientation": 2,
         "colour": 0, "r2": pytest.approx(0.5)},
        {"name": "U even s2 o0", "kind": "even", "scale": 2, "orientation": 0, "colour": 1,
         "r2": pytest.approx(0.4)},
    ]  # fmt: skip


def test_a_concept_is_no_dominant_filter(table):
    marginal = np.full((1, len(table["name"]) + 1), 0.1)
    marginal[0, -1] = 1
    more = {"kind": "concept:faces", "scale": -1, "orientation": -1, "colour": -1, "name": "it"}
    table = {key: np.append(values, more[key]) for key, values in table.items()}
    assert "it" not in [row["name"] for row in identities.dominant(
        {"marginal": marginal, "table": table}, len(marginal[0]))]  # fmt: skip


def test_maps_behind_a_dead_one_are_still_listed(rng, table):
    made = sums(rng, table, [["Y even s0 o0"], [], ["U odd s1 o1"]])
    path = sparse.sparse_path(made, made, 2)
    bank, channels = layers.bank_and_channels(FULL)
    rows = identities.listed(path, table, bank, channels, 1, 1.0, None)
    assert [(row["map"], row["name"]) for row in rows] == [(0, "Y even s0 o0"), (2, "U odd s1 o1")]


def test_halves_are_fitted_and_chosen_by_the_rule_on_alternate_blocks(rng, table):
    fit = {name: sums(rng, table, [["Y even s0 o0", "U odd s1 o1", "V even s0 o2"]], 300)
           for name in ("2", "0", "1", "3")}  # fmt: skip
    path = sparse.sparse_path(combine(fit.values()), fit["0"], 3)
    halves = identities.halves(fit, fit["0"], path, 2, "ols")
    for half, blocks in enumerate((("0", "2"), ("1", "3"))):
        part = combine(fit[name] for name in blocks)
        expected = sparse.follow(part, fit["0"], path.chosen, 3)
        np.testing.assert_array_equal(halves.paths[half].error, expected.error)
        again = sparse.sparse_path(part, part, 2, "ols")
        assert halves.chosen[half] == [set(order) for order in again.chosen]


def test_a_stimulus_without_fixations_has_no_gain():
    density = np.full((3, 4), -math.log(12))
    assert math.isnan(bits.information_gain(density, density, np.zeros((0, 2), int)))


def test_information_gain_is_in_bits_per_fixation_at_x_and_y():
    log_density = np.log(np.full((2, 3), 0.1))
    log_density[1, 2] = math.log(0.5)
    reference = np.full((2, 3), -math.log(6))
    gain = bits.information_gain(log_density, reference, np.array([[2, 1], [0, 0]]))
    assert gain == pytest.approx((math.log2(0.5 * 6) + math.log2(0.1 * 6)) / 2)


def test_the_penalty_of_a_refit_is_the_best_on_the_validation_split(rng, table, monkeypatch):
    noisy = {}
    for name, n in (("0", 250), ("1", 250), ("v", 900)):
        phi = rng.standard_normal((len(table["name"]), n))
        made = Statistics.empty(len(phi), 1)
        made.add(phi, phi[:1] + 2 * rng.standard_normal((1, n)))
        noisy[name] = made
    matrix = coalitions.restriction(table, coalitions.DIMENSIONS, np.ones(len(table["name"])))
    fitted = layers.FittedLayer("fine", make_layer(4, 1), FULL, np.zeros((1, len(table["name"]))),
                                np.zeros(1), np.ones(1))  # fmt: skip
    fit, penalties = {name: noisy[name] for name in "01"}, [1e-6, 0.3, 1e4]
    layer, _ = coalitions.refit(fitted, fit, noisy["v"], matrix, penalties, 2)
    explained = [
        explained_variance(noisy["v"], *coalitions._ridge(combine(fit.values()), p))[1]
        for p in penalties
    ]
    assert int(np.argmax(explained)) == 1
    expected, _ = coalitions._ridge(combine(fit.values()), 0.3)
    np.testing.assert_allclose(layer.weight, expected, rtol=1e-4, atol=1e-6)
    # an explained variance that is undefined is not the best
    told = iter([math.nan, 0.1, 0.2])
    monkeypatch.setattr(coalitions, "explained_variance", lambda *_: (None, next(told)))
    layer, _ = coalitions.refit(fitted, fit, noisy["v"], matrix, penalties, 2)
    expected, _ = coalitions._ridge(combine(fit.values()), 1e4)
    np.testing.assert_allclose(layer.weight, expected, rtol=1e-4, atol=1e-9)


def test_the_pooling_of_an_option_is_the_one_that_explains_more(rng):
    pools = [{"kind": "gaussian", "width": 2.0}, {"kind": "point", "width": 1.0}]
    solver = {"name": "ridge", "budget": None, "penalties": [0.01], "folds": 2}
    settings = {**SETTINGS, "pools": pools, "solver": solver}
    for best in (0, 1):
        trial = ablation.Trial(settings, {"fine": make_layer(4, 1)})
        made = {}
        for split in ("a", "b", "v"):
            phi = rng.standard_normal((4, 200))
            made[split] = []
            for candidate in (0, 1):
                noise = (0.1 if candidate == best else 3) * rng.standard_normal((1, 200))
                part = Statistics.empty(4, 1)
                part.add(phi, phi[:1] + noise)
                made[split].append(part)
        trial._fit = {name: {"fine": made[name]} for name in "ab"}
        trial._validation = [{"fine": made["v"]}]
        _, (row,) = trial.solve()
        assert row["pool"] == pools[best]["kind"] and row["explained_variance"] > 0.9
        assert row["layer"] == "fine" and row["penalty"] == 0.01


def test_differences_of_nested_settings_are_named_by_their_whole_path():
    plain = {"a": {"b": {"c": 1, "d": 2}}, "e": 3}
    changed = {"a": {"b": {"c": 5, "d": 2}}, "e": 4}
    assert ablation.differing(plain, changed) == "a.b.c: 5, e: 4"


def test_coalitions_are_fused_on_the_fit_split_and_chosen_on_the_validation_split(rng):
    def problem(n):
        features = rng.normal(size=(n, 20, 6)).astype(np.float32)
        targets = rng.dirichlet(np.ones(20), n)
        batches = [(f, t) for f, t in zip(features, targets, strict=True)]
        return Sized(batches)

    class Sized(list):
        def batches(self):
            return iter(self)

    whole = make_explained()
    data = {split: {"none": problem(n)} for split, n in (("fit", 3), ("validation", 5))}
    settings = {"stride": 6, "smoothing": 2.0, "penalties": [0.01, 10.0], "target": "fixations"}
    member = SimpleNamespace(layers=whole.layers[::-1])
    many = SimpleNamespace(members={"none": member}, data=data, settings=settings)
    said = []
    made = bits.fuse(many, whole, said.append)["none"]
    fit, validation = (data[split]["none"].batches for split in ("fit", "validation"))
    expected = fusion.fit(fit, validation, whole.weight, [0.01, 10.0])
    np.testing.assert_array_equal(made.weight, expected.weight)
    assert made.settings == {"stride": 6, "smoothing": 2.0} and made.layers is member.layers
    least = min(step[2] for step in expected.path)
    assert said == [
        f"none: cross-entropy {least:.4f} on 5 validation stimuli (penalty {expected.penalty:g})"
    ]


def test_a_sample_of_the_fit_split_and_all_of_the_validation_split_are_collected():
    fit = {"00": make_block([(20, 30)] * 3, 2), "01": make_block([(20, 30)] * 2, 2)}
    fit["01"].names[:] = ["t0.png", "t1.png"]
    validation = {"07": make_block([(20, 30)] * 2, 2, seed=1)}
    targets = {name: f"{name}.h5" for name in ("00", "01", "07")}
    added = []
    many = SimpleNamespace(add_stimulus=lambda *given: added.append(given))
    bits.collect(many, fit, validation, targets, 3)
    chosen = refits.sample(fit, 3)
    assert sum(map(len, chosen.values())) == 3
    expected = [("fit", name, index) for name, indices in chosen.items() for index in indices]
    expected += [("validation", "07", 0), ("validation", "07", 1)]
    assert [given[:2] + given[3:4] for given in added] == expected
    for _, name, block, _, target in added:
        assert block is {**fit, **validation}[name] and target == f"{name}.h5"


def test_gains_are_of_explained_models_alone_where_no_other_map_is_stored(tmp_path):
    block, model = make_block([(20, 30), (30, 20)], 4), make_explained()
    flat = [np.full(size, -math.log(600)) for size in block.sizes]
    write_saliency(tmp_path / "0.h5", block.names, flat, {})
    rows = list(bits.gains({"a": model}, {"0": block}, {"centre_bias": {"0": tmp_path / "0.h5"}}))
    assert [list(row) for row in rows] == [["stimulus", "a"]] * 2
    for index, row in enumerate(rows):
        x, y = np.floor(block.points(index)[0] + 0.5).astype(int).T
        density = model.predict(block.image(index))[y, x]
        assert row["a"] == pytest.approx(np.log2(density * 600).mean(), abs=1e-3)
