"""Explained bits: a planted dimension gets the bits that it carries, and all parts add up."""

import dataclasses
import math

import numpy as np
import pandas as pd
import pytest
from helpers import BOX, SETTINGS, make_block, make_explained, make_image, make_layer

from gaborscope.analysis import bits, coalitions, refits
from gaborscope.analysis.coalitions import DIMENSIONS, present, restriction
from gaborscope.explanation import fusion, layers
from gaborscope.explanation.model import ExplainedModel
from gaborscope.fitting import shapley
from gaborscope.fitting.statistics import Statistics, explained_variance, inverse_spread
from gaborscope.scoring import gold_standard, metrics
from gaborscope.stimuli import geometry
from gaborscope.stimuli.centre_bias import CentreBias, relative_points
from gaborscope.store.saliency import read_density, write_saliency

FULL = {**SETTINGS, "normalisation": True, "position": True}
BANK3 = {**SETTINGS["bank"], "n_scales": 3}
SECOND = {**FULL, "bank": BANK3, "second_stage": True}


def table_of(settings):
    return layers.make_regressors(settings).table()


def random_statistics(table, planted, n=3000, seed=0):
    """Return statistics of independent regressors and of a map: the sum of the planted ones."""
    rng = np.random.default_rng(seed)
    phi = rng.normal(size=(len(table["name"]), n))
    rows = [list(table["name"]).index(name) for name in planted]
    statistics = Statistics.empty(len(phi), 1)
    statistics.add(phi, phi[rows].sum(axis=0, keepdims=True))
    return statistics, phi


@pytest.mark.parametrize(
    "settings, expected",
    [
        (SETTINGS, ["colour", "scale", "orientation"]),
        (FULL, ["position", "colour", "scale", "orientation"]),
        (SECOND, ["position", "colour", "scale", "orientation", "second_stage"]),
    ],
)
def test_dimensions_are_those_that_regressors_vary_along(settings, expected):
    assert present(table_of(settings)) == expected


def test_all_dimensions_restrict_nothing_but_units():
    table = table_of(SECOND)
    inverse = np.random.default_rng(0).uniform(1, 2, len(table["name"]))
    matrix = restriction(table, DIMENSIONS, inverse)
    np.testing.assert_array_equal(matrix.toarray(), np.diag(inverse))


@pytest.mark.parametrize(
    "without, n",
    [
        ("position", 3 * (3 * 3 * 4 + 1) + 9),
        ("second_stage", 3 * (3 * 3 * 4 + 1) + 6),
        ("colour", 3 * 3 * 4 + 1 + 6 + 9),
        ("scale", 3 * (3 * 4 + 1) + 6 + 9),
        ("orientation", 3 * (3 * 4 + 1) + 6 + 3),
    ],
)
def test_without_a_dimension_as_many_regressors_are_left_as_differ_in_another(without, n):
    table = table_of(SECOND)
    kept = [name for name in DIMENSIONS if name != without]
    matrix = restriction(table, kept, np.ones(len(table["name"])))
    assert matrix.shape == (n, len(table["name"]))


def test_without_orientation_responses_of_all_orientations_are_summed():
    table = table_of(SETTINGS)
    kept = ("colour", "scale")
    matrix = restriction(table, kept, np.ones(len(table["name"]))).toarray()
    row = matrix[matrix[:, list(table["name"]).index("U odd s1 o0")] > 0][0]
    assert sorted(table["name"][row > 0]) == [f"U odd s1 o{o}" for o in range(3)]


def test_without_colour_rgb_is_summed_and_opponent_spaces_keep_luminance():
    table = table_of({**SETTINGS, "colour": "rgb"})
    ones = np.ones(len(table["name"]))
    summed = restriction(table, ("scale", "orientation"), ones, opponent=False)
    assert (np.bincount(summed.indices) == 1).all() and (np.diff(summed.indptr) == 3).all()
    kept = restriction(table_of(SETTINGS), ("scale", "orientation"), ones)
    names = table_of(SETTINGS)["name"][kept.indices]
    assert all(name.startswith("Y ") for name in names)


def test_restricted_statistics_are_those_of_restricted_regressors():
    table = table_of(FULL)
    statistics, phi = random_statistics(table, ["Y even s0 o0"])
    matrix = restriction(table, ("colour",), inverse_spread(statistics))
    target = phi[[list(table["name"]).index("Y even s0 o0")]]
    direct = Statistics.empty(matrix.shape[0], 1)
    direct.add(matrix @ phi, target)
    restricted = coalitions.restricted(statistics, matrix)
    for key in ("gram", "cross", "sum_phi", "sum", "cov"):
        np.testing.assert_allclose(getattr(restricted, key), getattr(direct, key), atol=1e-8)


@pytest.mark.parametrize(
    "planted, dimension",
    [
        (["U amplitude s0 o0", "U amplitude s0 o1", "U amplitude s0 o2",
          "U amplitude s1 o0", "U amplitude s1 o1", "U amplitude s1 o2"], "colour"),
        (["Y amplitude s1 o0", "Y amplitude s1 o1", "Y amplitude s1 o2"], "scale"),
        (["Y odd s0 o1", "Y odd s1 o1"], "orientation"),
        (["position xx"], "position"),
    ],
)  # fmt: skip
def test_a_planted_dimension_explains_all_that_it_adds(planted, dimension):
    table = table_of(FULL)
    statistics, _ = random_statistics(table, planted)
    every = coalitions.names(table)
    inverse = inverse_spread(statistics)
    value = {}
    for coalition, kept in every.items():
        matrix = restriction(table, kept, inverse)
        total = coalitions.restricted(statistics, matrix)
        value[coalition] = explained_variance(total, *coalitions._ridge(total, 1e-6))[1]
    frame = pd.DataFrame({coalition: [v] for coalition, v in value.items()}).assign(deep=1.0)
    part_bits = bits.parts(frame).iloc[0]
    # by chance, each of some hundred regressors explains 1/3000 of the variance of 3000 pixels
    rest = part_bits.drop([dimension, "contrast", "unexplained"]).abs()
    assert (rest < 0.05).all()
    assert part_bits[dimension] > 0.4 and part_bits[dimension] + part_bits["contrast"] > 0.9


MANY = {**SECOND, "mechanisms": ["contrast", "second_order", "centre_surround", "half_waves"]}


def test_each_mechanism_is_a_dimension_and_many_dimensions_have_few_coalitions(rng):
    table = table_of(MANY)
    players = present(table)
    assert players[4:] == [
        "second_stage", "centre_surround", "half_waves", "local_contrast", "second_order",
    ]  # fmt: skip
    names = coalitions.names(table)
    n = len(players)
    assert 2 * n < len(names) <= 2 * n * (n - 1) + 2 < 2**n
    assert list(names)[0] == "+".join(players) and list(names)[-1] == "none"
    inverse = np.ones(len(table["name"]))
    without = restriction(table, [p for p in players if p != "centre_surround"], inverse)
    left_out = set(table["kind"][np.asarray(without.sum(axis=0)) == 0].tolist())
    assert left_out == {"surround", "rectified_surround"}
    gains = pd.DataFrame({name: rng.normal(size=5) for name in names}).assign(deep=2.0)
    by_part = bits.parts(gains)
    np.testing.assert_allclose(by_part.sum(axis=1), 2, atol=1e-12)
    assert set(by_part) == {"contrast", *players, "unexplained"}


def test_without_orientation_second_orders_are_summed_over_both_orientations():
    table = table_of({**FULL, "mechanisms": ["second_order_oriented"]})
    kept = [d for d in DIMENSIONS if d != "orientation"]
    matrix = restriction(table, kept, np.ones(len(table["name"])))
    n_orientations = FULL["bank"]["n_orientations"]
    members = np.diff(matrix.indptr)
    assert set(members.tolist()) == {1, n_orientations, 2 * n_orientations}


@pytest.mark.parametrize("colour", ["yuv", "rgb"])
def test_without_colour_nothing_relates_channels_to_each_other(colour):
    table = table_of({**FULL, "colour": colour, "mechanisms": ["rarity"]})
    opponent, ones = colour != "rgb", np.ones(len(table["name"]))
    of_all = [name.startswith("all channels") for name in table["name"]]
    assert sum(of_all) == 9  # two scales and both, three windows
    kept = {"position", "scale", "orientation", "rarity"}
    without = restriction(table, kept, ones, opponent).sum(axis=0) > 0
    assert not without[of_all].any() and without[table["kind"] == "rarity"].any()
    assert restriction(table, {*kept, "colour"}, ones, opponent).sum(axis=0)[of_all].all()


CONCEPTS = {**FULL, "concepts": ["faces", "text"], "swapped": True}


@pytest.mark.parametrize("mechanisms", [[], ["contrast", "half_waves"]])
def test_concepts_are_dimensions_and_each_has_a_coalition_with_its_null(mechanisms):
    table = table_of({**CONCEPTS, "mechanisms": mechanisms})
    plain = table_of({**CONCEPTS, "mechanisms": mechanisms, "swapped": False})
    players = present(table)
    assert players == present(plain) and players[-2:] == ["concept:faces", "concept:text"]
    names = coalitions.names(table)
    every, rest = "+".join(players), "+".join(players[:-2])
    nulls = [f"{rest}+swapped:faces+concept:text", f"{rest}+concept:faces+swapped:text"]
    assert sorted(set(names) - set(coalitions.names(plain))) == sorted(nulls)
    assert {every, f"{rest}+concept:faces", f"{rest}+concept:text"} <= set(names)
    ones = np.ones(len(table["name"]))
    used = restriction(table, names[nulls[0]], ones).sum(axis=0) > 0
    left_out = table["kind"][~used].tolist()
    assert left_out == ["concept:faces", "swapped:text"]


def test_concepts_get_their_part_what_they_add_and_what_their_nulls_add(rng):
    table = table_of({**CONCEPTS, "position": False})
    names = coalitions.names(table)
    gains = pd.DataFrame({name: rng.normal(size=6) for name in names}).assign(deep=2.0, fused=1.0)
    every = "colour+scale+orientation+concept:faces+concept:text"
    without = "colour+scale+orientation+concept:text"
    null = "colour+scale+orientation+swapped:faces+concept:text"
    summary = bits.summarise(gains, 200, 1).set_index("part")
    assert summary.index.tolist() == [
        "contrast", "colour", "scale", "orientation", "concept:faces", "concept:text",
        "unexplained", "explained", "deep", "fused",
        "added:faces", "swapped:faces", "added:text", "swapped:text",
    ]  # fmt: skip
    np.testing.assert_allclose(summary["bits"].iloc[:7].sum(), 2)
    mean = gains.mean()
    np.testing.assert_allclose(summary.loc["added:faces", "bits"], mean[every] - mean[without])
    np.testing.assert_allclose(summary.loc["swapped:faces", "bits"], mean[null] - mean[without])
    assert bits.sentence("it", summary).startswith("it: of 2.000 bits, contrast leaves ")
    assert bits.sentence("it", summary[~summary.index.str.contains(":")]) == ""


def gains_of(players, rng, n=7):
    labels = [coalitions.label(tuple(players[m] for m in c))
              for c in shapley.coalitions(len(players))]  # fmt: skip
    return pd.DataFrame(rng.normal(size=(n, len(labels))), columns=labels).assign(
        deep=rng.normal(2, 1, n), fused=rng.normal(1, 1, n)
    )


@pytest.mark.parametrize("n_players", [1, 3, 5])
def test_the_parts_add_up_to_the_deep_gain_on_every_stimulus_and_in_the_mean(rng, n_players):
    table = gains_of(DIMENSIONS[:n_players], rng)
    by_part = bits.parts(table)
    np.testing.assert_allclose(by_part.sum(axis=1), table["deep"], atol=1e-12)
    players = by_part.drop(columns=["contrast", "unexplained"]).sum(axis=1)
    every_dimension = coalitions.label(DIMENSIONS[:n_players])
    np.testing.assert_allclose(players, table[every_dimension] - table["none"], atol=1e-12)
    summary = bits.summarise(table, 200, 1).set_index("part")
    inner = summary.drop(["explained", "deep", "fused"])
    np.testing.assert_allclose(inner["bits"].sum(), summary.loc["deep", "bits"])
    np.testing.assert_allclose(inner["share"].sum(), 1)
    np.testing.assert_allclose(
        summary.loc["explained", "bits"], table[every_dimension].mean(), atol=1e-12
    )


def test_a_dimension_that_never_changes_anything_gets_nothing(rng):
    players = DIMENSIONS[:3]
    table = gains_of(players, rng)
    for members in shapley.coalitions(3):
        kept = tuple(players[m] for m in members)
        without = tuple(p for p in kept if p != "colour")
        table[coalitions.label(kept)] = table[coalitions.label(without)]
    np.testing.assert_allclose(bits.parts(table)["colour"], 0, atol=1e-12)


def test_stimuli_without_fixations_are_left_out(rng):
    table = gains_of(DIMENSIONS[:2], rng)
    table.loc[0] = math.nan
    summary = bits.summarise(table, 200, 1)
    assert (summary["n"] == len(table) - 1).all()


def test_where_every_stimulus_was_trained_on_all_parts_are_undefined(rng):
    table = gains_of(DIMENSIONS[:2], rng)
    parts = list(bits.summarise(table, 50, 1)["part"])
    table.loc[:] = math.nan
    summary = bits.summarise(table, 50, 1)
    assert list(summary["part"]) == parts and (summary["n"] == 0).all()
    assert summary[["bits", "ci_low", "share"]].isna().all(axis=None)


def test_information_gain_is_that_of_preset_exact(rng):
    density, reference = rng.uniform(0.1, 1, (2, 30, 41))
    density, reference = density / density.sum(), reference / reference.sum()
    pixels = np.column_stack([rng.integers(0, 41, 20), rng.integers(0, 30, 20)])
    gain = bits.information_gain(np.log(density), np.log(reference), pixels)
    expected = metrics.ig(density, pixels, reference, "exact")
    np.testing.assert_allclose(gain, expected)


def coalitions_of(seed=0):
    """Return layers refitted in all coalitions, the filters of the layer, and its statistics."""
    rng = np.random.default_rng(seed)
    regressors = layers.make_regressors(FULL)
    table = regressors.table()
    layer = dataclasses.replace(make_layer(4, 2, "relu"), name="fine")
    placement = geometry.place(BOX, BOX)
    target = layers.target(layer, placement, FULL)
    weight = rng.normal(size=(2, len(table["name"])))
    fit = {}
    for number in range(4):
        statistics = Statistics.empty(len(table["name"]), 2)
        for repeat in range(2):
            image = make_image(BOX, 10 * number + repeat + 1)
            (phi,) = regressors.compute(image, placement, [target])
            phi = phi.reshape(len(phi), -1)
            statistics.add(phi, (weight @ phi).astype(np.float32))
        fit[str(number)] = statistics
    filters = {
        "layer": layer, "regressors": FULL, "table": table, "weight": weight.astype(np.float32),
        "intercept": np.zeros(2, np.float32), "residual_sd": np.ones(2, np.float32),
    }  # fmt: skip
    solver = {"penalties": [1e-4, 1e-2], "folds": 2}
    refitted = coalitions.Coalitions(coalitions.names(table), solver)
    refitted.add_layer(filters, {k: fit[k] for k in "012"}, {"3": fit["3"]})
    return refitted, filters, fit


def test_a_restricted_layer_is_the_layer_with_the_weights_of_both_steps():
    refitted, _, _ = coalitions_of()
    layer = refitted.members()["colour"].layers[0]
    unrestricted = layers.FittedLayer(
        layer.name, layer.layer, layer.settings,
        (layer.weight @ layer.restriction).astype(np.float32), layer.intercept, layer.residual_sd,
    )  # fmt: skip
    phi = np.random.default_rng(1).normal(size=(layer.restriction.shape[1], 5, 7))
    phi = phi.astype(np.float32)
    np.testing.assert_allclose(layer.reconstruct(phi), unrestricted.reconstruct(phi), atol=1e-3)
    np.testing.assert_allclose(
        layer.weighted_sum(phi, [0.5, -2.0]),
        unrestricted.weighted_sum(phi, [0.5, -2.0]),
        atol=1e-3,
    )


def test_each_fit_block_has_layers_that_were_fitted_without_it():
    refitted, filters, fit = coalitions_of()
    member = refitted.members()["position+colour+scale+orientation"]
    assert set(member.folds) == {"0", "1", "2"}
    # blocks 0 and 2 form one fold; its layer is fitted to block 1 alone
    assert member.folds["0"][0] is member.folds["2"][0]
    out_of_fold = member.folds["0"][0]
    total = coalitions.restricted(fit["1"], out_of_fold.restriction.astype(float))
    errors = [
        np.abs(out_of_fold.weight - coalitions._ridge(total, p)[0]).max() for p in (1e-4, 1e-2)
    ]
    assert min(errors) < 1e-3 * np.abs(out_of_fold.weight).max()


def test_gains_of_coalitions_and_given_maps_are_those_of_their_densities(tmp_path):
    block, model = make_block([(40, 60), (70, 45)]), make_explained()
    files = {"deep": {}, "centre_bias": {}}
    for seed, key in enumerate(files):
        rng = np.random.default_rng(seed)
        maps = [np.log(rng.dirichlet(np.ones(h * w)).reshape(h, w)) for h, w in block.sizes]
        files[key]["0"] = tmp_path / f"{key}.h5"
        write_saliency(files[key]["0"], block.names, maps, {"code": "0"})
    rows = list(bits.gains({"none": model}, {"0": block}, files))
    assert [row["stimulus"] for row in rows] == block.names
    deep, bias = (read_density(files[key]["0"], 1) for key in files)
    pixels = np.floor(block.points(1)[0] + 0.5).astype(int)
    np.testing.assert_allclose(rows[1]["deep"], metrics.ig(deep, pixels, bias, "exact"))
    density = model.predict(block.image(1)).astype(float)
    np.testing.assert_allclose(
        rows[1]["none"], metrics.ig(density, pixels, bias, "exact"), rtol=1e-4, atol=1e-4
    )

    (first, second) = bits.gains({"none": model}, {"0": block}, files, {block.names[0]})
    assert second == rows[1] and list(first) == list(rows[0])
    assert np.isnan([first["deep"], first["none"]]).all()


def test_coalitions_go_through_the_fusion_as_any_alternative(rng):
    refitted, filters, _ = coalitions_of()
    block = make_block([(40, 60), (70, 45)])
    bias = CentreBias(relative_points([block]), (0.1, 0.15), 1e-3)
    settings = {"target": "fixations", "stride": 6, "smoothing": 3.0, "penalties": [0.1]}
    many = refits.Alternatives(refitted.members(), BOX, settings, bias, 1e-3)
    for index in range(2):
        for split in ("fit", "validation"):
            many.add_stimulus(split, "0", block, index, None)
    for coalition, data in many.data["fit"].items():
        fused = fusion.fit(data.batches, data.batches, np.zeros(3), [0.1])
        assert np.isfinite(fused.weight).all(), coalition
    model = ExplainedModel(
        BOX, refitted.members()["none"].layers, settings, fused.weight, np.ones((4, 5)) / 20, 1e-3
    )
    np.testing.assert_allclose(
        np.exp(refits.predict({"none": model}, block.image(0))["none"]),
        model.predict(block.image(0)), rtol=1e-3,
    )  # fmt: skip


def test_dependent_regressors_are_fitted_below_the_rounding_of_their_sums(rng):
    phi = rng.normal(size=(3, 4000)).astype(np.float32)
    phi = np.concatenate([phi, phi.sum(axis=0, keepdims=True)])
    maps = phi[:1] - 2 * phi[1:2] + 3
    sums = Statistics.empty(4, 1)
    sums.add(phi, maps)
    sums.gram[3, 3] *= 1 - 1e-7  # a rounding error that makes one eigenvalue negative
    weight, intercept = coalitions._ridge(sums, 1e-12)
    left = weight @ phi + intercept[:, None] - maps
    assert left.var() < 1e-3 * maps.var()


def test_joined_parts_have_the_deep_gain_once_and_pair_stimuli_by_name():
    first = pd.DataFrame({"stimulus": ["a", "b"], "scale": [1.0, 2.0], "deep": [3.0, 4.0]})
    second = pd.DataFrame({"stimulus": ["b", "a"], "none": [5.0, 6.0], "deep": [4.0, 3.0]})
    table = bits.join([first, second])
    assert list(table.columns) == ["scale", "deep", "none"]
    assert table.loc["a"].tolist() == [1.0, 3.0, 6.0]


@pytest.mark.parametrize("n_parts", [1, 3])
def test_every_coalition_is_dealt_to_one_job(n_parts):
    table = table_of(SETTINGS)
    dealt = [coalitions.dealt_out(table, part, n_parts) for part in range(n_parts)]
    assert sorted(label for labels in dealt for label in labels) == sorted(coalitions.names(table))
    assert max(map(len, dealt)) - min(map(len, dealt)) <= 1


def test_the_gain_of_people_is_that_of_the_gold_standard():
    block = make_block([(40, 60)], n_points=18)
    points, subjects = block.points(0)
    reference = np.random.default_rng(1).dirichlet(np.ones(2400)).reshape(40, 60)
    pixels = np.floor(points + 0.5).astype(int)
    found = bits.gain_of_people(block, pixels, subjects, 0, np.log(reference), 0.01)
    sigma = block.facts["px_per_degree"]
    scores = gold_standard.score_gold_standard(
        points, subjects, (40, 60), sigma, None, reference, "exact", 0.01
    )
    np.testing.assert_allclose(found, scores["ig"], rtol=1e-6)
    alone = np.zeros(len(pixels), int)
    assert math.isnan(bits.gain_of_people(block, pixels, alone, 0, np.log(reference), 0.01))
