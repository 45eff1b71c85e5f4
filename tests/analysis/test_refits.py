"""Many sets of weights in one pass give the results of each set alone."""

import dataclasses

import numpy as np
import pytest
from helpers import BOX, ORIGIN, make_block, make_explained

from gaborscope.analysis import refits
from gaborscope.analysis.refits import Alternative, Alternatives
from gaborscope.explanation import fusion, fusion_data
from gaborscope.stimuli.centre_bias import CentreBias, relative_points
from gaborscope.store.saliency import write_saliency

SIZES = [(40, 60), (70, 45), (20, 61)]
SETTINGS = {"target": "fixations", "stride": 6, "smoothing": 3.0, "penalties": [0.1]}


@pytest.fixture
def block():
    return make_block(SIZES)


@pytest.fixture
def centre_bias(block):
    return CentreBias(relative_points([block]), (0.1, 0.15), 1e-3)


@pytest.fixture
def members():
    """Return two sets of weights; the first has other layers for block 3."""
    first, second, third = (make_explained(seed).layers for seed in (0, 1, 2))
    return {"one": Alternative(first, {"3": third}), "two": Alternative(second)}


def collected(members, block, centre_bias, name="0"):
    alternatives = Alternatives(members, BOX, SETTINGS, centre_bias, 1e-3)
    for split in ("fit", "validation"):
        for index in range(len(SIZES)):
            alternatives.add_stimulus(split, name, block, index, None)
    return alternatives


def features(alternatives, name):
    return np.concatenate([batch for batch, _ in alternatives.data["fit"][name].batches()])


def test_each_alternative_has_the_features_it_would_have_alone(members, block, centre_bias):
    alternatives = collected(members, block, centre_bias)
    for name, member in members.items():
        alone = fusion_data.FusionData(member.layers, SETTINGS)
        model = dataclasses.replace(make_explained(), layers=member.layers)
        for index in range(len(SIZES)):
            maps, placement = model.reconstruct(block.image(index))
            target = alone.target_of(block, index, None)
            alone.add_stimulus(maps, placement, target, centre_bias, block.names[index])
        expected = np.concatenate([batch for batch, _ in alone.batches()])
        np.testing.assert_array_equal(features(alternatives, name), expected)


def test_a_fit_block_is_reconstructed_without_itself(members, block, centre_bias):
    plain = collected(members, block, centre_bias)
    of_block_3 = collected(members, block, centre_bias, "3")
    third = {"one": Alternative(make_explained(2).layers), "two": members["two"]}
    np.testing.assert_array_equal(
        features(of_block_3, "one"), features(collected(third, block, centre_bias), "one")
    )
    assert np.abs(features(of_block_3, "one") - features(plain, "one")).max() > 0.1
    np.testing.assert_array_equal(features(of_block_3, "two"), features(plain, "two"))


def test_predictions_are_those_of_each_fused_model_alone(members, block, centre_bias):
    models = collected(members, block, centre_bias).fit()
    image = block.image(1)
    log_densities = refits.predict(models, image)
    for name, model in models.items():
        np.testing.assert_allclose(np.exp(log_densities[name]), model.predict(image), rtol=1e-4)
    assert np.abs(log_densities["one"] - log_densities["two"]).max() > 1e-3


def test_each_fusion_is_the_best_for_the_features_of_its_alternative(members, block, centre_bias):
    alternatives = collected(members, block, centre_bias)
    for name, model in alternatives.fit().items():
        data = alternatives.data["fit"][name]
        alone = fusion.fit(data.batches, data.batches, data.n_features, [0.1])
        np.testing.assert_allclose(model.weight, alone.weight)


def test_stimuli_are_drawn_by_their_names(block):
    other = dataclasses.replace(block, names=["a.png", "b.png", "c.png"])
    every = refits.sample({"0": block, "1": other}, None)
    assert every == {"0": [0, 1, 2], "1": [0, 1, 2]}
    drawn = refits.sample({"0": block, "1": other}, 3)
    assert sum(map(len, drawn.values())) == 3
    turned = dataclasses.replace(other, names=other.names[::-1])
    assert refits.sample({"0": block, "1": turned}, 3)["1"] == sorted(
        2 - index for index in drawn["1"]
    )


def test_options_are_scored_by_their_distance_to_the_deep_map(block, tmp_path):
    model, files = make_explained(), {}
    rng = np.random.default_rng(0)
    logs = {"deep": [], "centre_bias": []}
    for size in SIZES:
        for maps in logs.values():
            density = rng.uniform(0.5, 1.5, size)
            maps.append(np.log(density / density.sum()))
    for name, maps in logs.items():
        files[name] = {"0": str(tmp_path / f"{name}.h5")}
        write_saliency(files[name]["0"], block.names, maps, ORIGIN)
    rows = list(refits.score({"explained": model}, {"0": block}, files))
    assert [row["predictor"] for row in rows[:3]] == ["explained", "deep", "centre_bias"]
    assert rows[1]["kl_deep"] == pytest.approx(0, abs=1e-9)
    log_density = refits.predict({"explained": model}, block.image(0))["explained"]
    deep = logs["deep"][0]
    for row, other in ((rows[0], log_density), (rows[2], logs["centre_bias"][0])):
        expected = (np.exp(deep) * (deep - other)).sum() / np.log(2)
        assert row["kl_deep"] == pytest.approx(expected, rel=1e-5)
    unnamed = {"network": files["deep"], "centre_bias": files["centre_bias"]}
    assert "kl_deep" not in next(refits.score({"explained": model}, {"0": block}, unnamed))
