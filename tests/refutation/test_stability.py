"""Agreement of identities: complete for equal fits, at chance for independent ones."""

import numpy as np
import pytest

from gaborscope.fitting.statistics import Statistics
from gaborscope.refutation import stability

TABLE = {
    "kind": np.array(["even", "amplitude", "even", "amplitude", "position"]),
    "scale": np.array([0, 0, 1, 1, -1]),
    "orientation": np.array([0, 0, 1, 1, -1]),
    "colour": np.array([0, 0, 0, 0, -1]),
}


def statistics(sources, rng, n=4000, noise=0.05):
    """Return statistics of maps; each is one regressor of the table with a little noise."""
    phi = rng.standard_normal((len(TABLE["kind"]), n))
    activation = phi[sources] + noise * rng.standard_normal((len(sources), n))
    total = Statistics.empty(len(phi), len(sources))
    total.add(phi, activation)
    return total


def described(sources, rng, **changes):
    return stability.describe(statistics(sources, rng, **changes), TABLE, "omp")


def test_first_identity_is_that_of_the_regressor_that_made_the_map(rng):
    description = described([2, 1, 4, 0], rng)
    kinds = ["amplitude", "even", "position"]
    assert [kinds[code] for code in description.identity[:, 0]] == [
        "even", "amplitude", "position", "even",
    ]  # fmt: skip
    assert description.identity[:, 1].tolist() == [1, 0, -1, 0]


def test_halves_of_one_truth_agree_fully_and_beyond_chance(rng):
    sources = [0, 1, 2, 3, 4, 0, 1, 2, 3, 4]
    by_measure = stability.similarities(described(sources, rng), described(sources, rng))
    row = stability.agreement([by_measure["identity"]], 200, seed=0)
    assert row["agreement"] == 1 and row["chance"] == pytest.approx(0.2)
    assert row["ci_low"] > 0.5 and row["p"] < 0.01 and row["maps"] == 10


def test_independent_identities_agree_at_chance():
    rng = np.random.default_rng(5)
    first, second = rng.integers(4, size=(2, 300))
    row = stability.agreement([(first[:, None] == second[None]).astype(float)], 300, seed=0)
    assert row["ci_low"] < 0 < row["ci_high"] and row["p"] > 0.05
    assert row["chance"] == pytest.approx(0.25, abs=0.02)


def test_chance_is_the_mean_over_all_permutations_within_each_layer():
    layers = [np.array([[1.0, 0.2], [0.4, 0.6]]), np.eye(3)]
    row = stability.agreement(layers, 2000, seed=1)
    assert row["agreement"] == pytest.approx((1.6 + 3) / 5)
    assert row["chance"] == pytest.approx((1.1 + 1) / 5)
    # one of the 2 x 6 pairs of permutations agrees as much
    assert row["p"] == pytest.approx(1 / 12, abs=0.03)


def test_layers_of_one_map_have_no_chance_and_are_left_out():
    row = stability.agreement([np.ones((1, 1)), np.eye(2)], 50, seed=0)
    assert row["maps"] == 2
    assert stability.agreement([np.ones((1, 1))], 50, seed=0)["maps"] == 0


def test_dead_maps_are_left_out(rng):
    alive, dead = described([0, 1, 2], rng), described([0, 1, 2], rng)
    dead.alive[1] = False
    assert stability.similarities(alive, dead)["identity"].shape == (2, 2)


def test_matching_recovers_a_permutation_and_says_how_well(rng):
    maps = rng.standard_normal((3, 6, 7, 9))
    order = np.array([4, 2, 0, 5, 1, 3])
    correlation = stability.Correlation(6, 6)
    for stimulus_maps in maps:
        correlation.add(
            stimulus_maps,
            3 + 0.5 * stimulus_maps[order] + 0.1 * rng.standard_normal(stimulus_maps.shape),
        )
    partners, matched = stability.match(correlation.value())
    np.testing.assert_array_equal(order[partners], np.arange(6))
    assert matched.min() > 0.95


def test_correlations_are_pearsons(rng):
    first, second = rng.standard_normal((2, 5, 4, 6))
    correlation = stability.Correlation(5, 5)
    for half in (np.s_[:, :2], np.s_[:, 2:]):
        correlation.add(first[half], second[half])
    wanted = np.corrcoef(first.reshape(5, -1), second.reshape(5, -1))[:5, 5:]
    np.testing.assert_allclose(correlation.value(), wanted, atol=1e-12)


def test_a_map_that_does_not_vary_is_matched_with_no_correlation(rng):
    first = rng.standard_normal((3, 4, 5))
    second = first.copy()
    second[1] = 2.0
    correlation = stability.Correlation(3, 3)
    correlation.add(first, second)
    order, matched = stability.match(correlation.value())
    np.testing.assert_array_equal(order, [0, 1, 2])
    assert np.isnan(matched[1])


def test_partners_of_matched_networks_agree_where_unmatched_ones_do_not(rng):
    first, second = described([0, 1, 2, 3], rng), described([3, 0, 1, 2], rng)
    order = np.array([1, 2, 3, 0])
    assert np.trace(stability.similarities(first, second)["identity"]) == 0
    assert np.trace(stability.similarities(first, second, order)["identity"]) == 4


def test_the_table_has_every_layer_and_all_together(rng):
    pair = described([0, 1, 2, 3], rng), described([0, 1, 2, 3], rng)
    by_measure = stability.similarities(*pair)
    rows = stability.rows({"early": by_measure, "late": by_measure}, 50, seed=0)
    pooled = next(r for r in rows if r["layer"] == "all" and r["measure"] == "identity")
    assert pooled["maps"] == 8 and pooled["agreement"] == 1
    assert set(rows[0]) == set(stability.COLUMNS)


def test_halves_are_every_other_block_and_one_block_has_none(rng):
    blocks = {name: statistics([0, 1, 2], rng) for name in ("02", "00", "01")}
    first, second = stability.halves(blocks, TABLE, "omp")
    alone = stability.describe(blocks["01"], TABLE, "omp")
    np.testing.assert_array_equal(second.identity, alone.identity)
    assert first.alive.all() and second.alive.all()
    first, _ = stability.halves({"00": blocks["00"]}, TABLE, "omp")
    assert not first.alive.any()
