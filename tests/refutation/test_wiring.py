"""What is handed on to which test: seeds, blocks, files and tables of the right network."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
from helpers import SETTINGS, make_layer, make_regressors

from gaborscope.filters.loggabor import LogGaborBank
from gaborscope.fitting import ridge
from gaborscope.fitting.statistics import Statistics, combine
from gaborscope.refutation import evidence, notches, seeds, stability
from gaborscope.scoring import summaries
from gaborscope.store import paths

BANK = LogGaborBank(3, 4, 3.0, 2.0, 0.6)


@pytest.mark.parametrize(
    "notch, cells",
    [
        (notches.Notch("band", 1, scale=0), range(4)),
        (notches.Notch("band", 1, scale=2), range(8, 12)),
        (notches.Notch("band", 1, scale=3), [12]),
        (notches.Notch("orientation", 1, orientation=0), [0, 4, 8]),
        (notches.Notch("colour", 1), range(13)),
    ],
)
def test_a_notch_takes_the_cells_of_its_scale_orientation_and_channel(notch, cells):
    mask = notch.cells(BANK)
    assert mask.shape == (3, 13) and not mask[[0, 2]].any()
    assert np.flatnonzero(mask[1]).tolist() == list(cells)


def test_candidates_are_listed_channel_by_channel():
    both = notches.candidates(BANK, ("orientation", "band"))
    assert len(both) == 3 * (4 + 4)
    assert [(n.family, n.channel, n.scale, n.orientation) for n in both[:5]] == [
        ("band", 0, 0, None), ("band", 0, 1, None), ("band", 0, 2, None), ("band", 0, 3, None),
        ("orientation", 0, None, 0),
    ]  # fmt: skip
    assert notches.candidates(BANK, ("colour",)) == [notches.Notch("colour", c) for c in range(3)]


def test_words_and_columns_of_a_notch():
    row = notches.Notch("band", 1, scale=1).described(BANK, "YUV")
    assert row["notch"] == "U 6 px" and row["wavelength_px"] == 6 and row["colour"] == "U"
    assert np.isnan(row["orientation_deg"]) and row["family"] == "band"
    row = notches.Notch("orientation", 2, orientation=1).described(BANK, "YUV")
    assert row["notch"] == "V 45 deg" and row["orientation_deg"] == pytest.approx(45)


def test_images_are_rounded_and_clipped():
    assert notches.clipped(np.array([-3.0, 0.4, 0.6, 254.6, 300.0])).tolist() == [0, 0, 1, 255, 255]


def contest_tables(rng):
    names = [f"s{i}" for i in range(20)]
    return {
        ("mit", name, "made"): pd.DataFrame(rng.normal(2, 1, (20, 2)), names, ["nss", "ig"])
        for name in ("net", "net-direct", "centre_bias")
    }


def test_contests_are_resampled_as_often_and_from_the_seed_that_are_given(rng):
    tables = contest_tables(rng)
    distances = {
        ("net", name, "made"): pd.DataFrame({"kl_deep": rng.normal(2, 1, 20)},
                                            tables["mit", name, "made"].index)
        for name in ("net-direct", "centre_bias")
    }  # fmt: skip
    contest = {"model": "net", "explanation": "direct", "predictor": "net-direct",
               "rivals": [["above_centre_bias", ["centre_bias"], ""]]}  # fmt: skip
    given = evidence.Evidence(tables, {}, {}, {}, distances, {})
    drawn = evidence.Resampling(n_resamples=300, permutations=9, seed=7)
    rows = evidence.rows(contest, given, "made", ["made"], drawn, ["direct"], [])
    difference = (
        tables["mit", "net-direct", "made"]["ig"] - tables["mit", "centre_bias", "made"]["ig"]
    )
    expected = summaries.bootstrap_mean(difference.to_numpy(), 300, 7)[:3]
    assert tuple(rows[0][k] for k in ("value", "ci_low", "ci_high")) == pytest.approx(expected)
    assert rows[0]["model"] == "net" and rows[0]["test"] == "above_centre_bias"


def test_faithfulness_is_judged_by_data_set_and_says_whose_it_is():
    def table(low):
        row = {"layer": "a", "way": "alone", "control": "mean", "metric": "cc_intact"}
        return pd.DataFrame(
            [{**row, "difference": low + 0.1, "ci_low": low, "ci_high": 1.0, "p": 0.01}]
        )

    tables = {("net", "b", "direct"): table(0.2), ("net", "a", "direct"): table(-0.2),
              ("other", "a", "direct"): table(0.9)}  # fmt: skip
    contest = {"model": "net", "explanation": "direct", "predictor": "net-direct", "rivals": []}
    given, drawn = evidence.Evidence({}, {}, {}, tables, {}, {}), evidence.Resampling(9, 9, 1)
    rows = evidence.rows(contest, given, "fitted", ["a", "b"], drawn, ["direct"], [])
    assert [(r["test"], r["dataset"], r["passed"]) for r in rows] == [
        ("halves_agree", "fitted", "not run"), ("seeds_agree", "fitted", "not run"),
        ("faithful_layers", "a", "false"), ("interventions", "a", "not run"),
        ("faithful_layers", "b", "true"), ("interventions", "b", "not run"),
        ("overall", "a", "false"), ("overall", "b", "false"),
    ]  # fmt: skip
    assert {(r["model"], r["explanation"]) for r in rows} == {("net", "direct")}


def test_no_pair_of_networks_is_matched_with_nobody():
    assert evidence.matched_with("net", None) == []
    assert evidence.matched_with("net", pd.DataFrame()) == []
    columns = pd.DataFrame({"model": ["a"], "other": ["b"]})
    assert evidence.matched_with("net", columns) == []


# Halves and seeds

TABLE = {
    "kind": np.array(["even", "amplitude", "even", "position"]),
    "scale": np.array([0, 0, 1, -1]),
    "orientation": np.array([0, 1, 1, -1]),
    "colour": np.array([0, 2, 1, -1]),
}


def sums(rng, sources, n=2000):
    phi = rng.standard_normal((4, n))
    made = Statistics.empty(4, len(sources))
    made.add(phi, phi[sources] + 0.05 * rng.standard_normal((len(sources), n)))
    return made


def test_the_first_half_has_the_first_block_and_the_second_the_next(rng):
    blocks = {"02": sums(rng, [0, 1]), "00": sums(rng, [0, 1]), "01": sums(rng, [2, 2])}
    first, second = stability.halves(blocks, TABLE, "omp")
    expected = stability.describe(combine([blocks["00"], blocks["02"]]), TABLE, "omp")
    np.testing.assert_array_equal(first.identity, expected.identity)
    assert second.identity[:, 1].tolist() == [1, 1] and first.identity[:, 1].tolist() == [0, 0]


def test_identities_are_kind_scale_orientation_and_colour(rng):
    found = stability.describe(sums(rng, [1, 2, 3]), TABLE, "omp")
    # kinds are numbered by their names: amplitude, even, position
    assert found.identity.tolist() == [[0, 0, 1, 2], [1, 1, 1, 1], [2, -1, -1, -1]]
    assert found.alive.all()


def test_each_property_is_compared_with_itself():
    first = stability.Described(np.array([[0, 1, 2, 0], [1, 1, 0, 2]]), np.ones(2, bool))
    second = stability.Described(np.array([[0, 3, 2, 1], [0, 1, 0, 2]]), np.ones(2, bool))
    found = stability.similarities(first, second)
    assert np.diag(found["kind"]).tolist() == [1, 0]
    assert np.diag(found["scale"]).tolist() == [0, 1]
    assert np.diag(found["orientation"]).tolist() == [1, 1]
    assert np.diag(found["colour"]).tolist() == [0, 1]
    assert not found["identity"].any()
    assert found["scale"].tolist() == [[0, 1], [0, 1]]


def test_a_layer_s_rows_are_its_own_agreement_and_all_pool_every_layer():
    layers = {"a": {"identity": np.eye(3)}, "b": {"identity": np.array([[0.0, 1], [1, 0]])}}
    rows = stability.rows(layers, 50, 4)
    assert [row["layer"] for row in rows] == ["a", "b", "all"]
    for row, parts in zip(rows, ([np.eye(3)], [layers["b"]["identity"]], None), strict=True):
        parts = parts or [np.eye(3), layers["b"]["identity"]]
        expected = stability.agreement(parts, 50, 4)
        assert {k: row[k] for k in expected} == pytest.approx(expected)


def fitted_network(rng, seed):
    """Table of regressors, statistics by block and solution of a layer of some network."""
    regressors = make_regressors()
    k = len(regressors.table()["kind"])
    mixing, parts = np.random.default_rng(seed).standard_normal((2, k)), {}
    for block in ("0", "1"):
        phi = rng.standard_normal((k, 150))
        parts[block] = Statistics.empty(k, 2)
        parts[block].add(phi, mixing @ phi + rng.standard_normal((2, 150)))
    return regressors.table(), parts, ridge.solve(parts, parts["1"], [0.1], 2)


def test_a_network_is_described_from_its_own_files(rng, monkeypatch):
    made = {name: fitted_network(rng, seed) for seed, name in enumerate(("net", "net_b"))}
    layer = dataclasses.replace(make_layer(4, 2), name="fine")
    names = {"dataset": "d", "explanation": "e"}
    filters_of = {n: paths.make("filters", model=n, layer="fine", **names) for n in made}
    files = [
        paths.make("statistics", model=n, block=b, **names)
        for n, b in (("net", "0"), ("net_b", "0"), ("net_b", "1"))
    ]
    filters = {
        filters_of[name]: {
            "layer": layer, "regressors": SETTINGS, "candidate": 1, "table": table,
            "penalty": solution.penalty, "weight": solution.weight.astype(np.float32),
            "intercept": solution.intercept, "residual_sd": solution.residual_sd,
        }
        for name, (table, _, solution) in made.items()
    }  # fmt: skip
    asked = []

    def statistics_of(given, layer_name, candidate):
        asked.append((sorted(given), layer_name, candidate))
        return made["net_b"][1]

    monkeypatch.setattr(seeds, "read_filters", lambda path: filters[path])
    monkeypatch.setattr(seeds, "read_statistics", statistics_of)
    network = seeds.read_network("net_b", list(filters), files, "ols")
    assert asked == [(files[1:], "fine", 1)]
    assert network.name == "net_b" and [f.name for f in network.fitted] == ["fine"]
    np.testing.assert_array_equal(network.fitted[0].weight, filters[filters_of["net_b"]]["weight"])
    table, parts, solution = made["net_b"]
    expected = stability.describe(combine(parts.values()), table, "ols")
    np.testing.assert_array_equal(network.described["fine"].identity, expected.identity)


def test_correlations_over_stimuli_count_every_cell_alike(rng):
    first, second = rng.standard_normal((2, 2, 3, 8)) + 2
    sums_of = stability.Correlation(2, 2)
    sums_of.add(first[:, :, :2], second[:, :, :2])
    sums_of.add(first[:, :, 2:], second[:, :, 2:])
    expected = np.corrcoef(first.reshape(2, -1), second.reshape(2, -1))[:2, 2:]
    np.testing.assert_allclose(sums_of.value(), expected)


def test_a_dead_map_is_matched_last():
    correlation = np.array([[np.nan, np.nan], [-0.9, 0.1]])
    order, matched = stability.match(correlation)
    assert order.tolist() == [0, 1] and matched[1] == 0.1
