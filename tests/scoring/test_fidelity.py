"""Closeness of a predictor to the deep model, against formulas and cases with a known answer."""

import numpy as np
import pandas as pd
import pytest
from helpers import make_block
from scipy import special, stats

from gaborscope.scoring import fidelity
from gaborscope.stimuli import fixations

SIZE = (24, 33)
NAN = float("nan")


def density(seed, spread=1.0):
    rng = np.random.default_rng(seed)
    values = np.exp(spread * rng.normal(size=SIZE))
    return values / values.sum()


# ---- KL


def test_the_divergence_of_equal_maps_is_zero():
    assert fidelity.kl_bits(np.log(density(1)), np.log(density(1))) == 0


def test_the_divergence_is_that_of_scipy_in_bits_and_the_deep_map_comes_first():
    deep, other = density(1), density(2, 2.0)
    expected = special.rel_entr(deep, other).sum() / np.log(2)
    assert fidelity.kl_bits(np.log(deep), np.log(other)) == pytest.approx(expected, rel=1e-12)
    assert special.rel_entr(other, deep).sum() / np.log(2) != pytest.approx(expected, rel=0.01)


def test_half_of_the_mass_on_half_of_the_pixels_costs_a_known_number_of_bits():
    # all mass on the left half, a share e beside: 1 bit to know the half, but for e
    e = 1e-9
    left = np.full((4, 8), e / 16)
    left[:, :4] = (1 - e) / 16
    assert fidelity.kl_bits(np.log(left), np.full((4, 8), -np.log(32))) == pytest.approx(
        1, abs=1e-6
    )


def test_densities_too_small_for_a_float_have_a_finite_divergence():
    far = np.full(SIZE, -800.0)
    far[0, 0] = 0.0
    even = np.full(SIZE, -np.log(far.size))
    expected = 800 / np.log(2) * (1 - 1 / far.size) - np.log2(far.size)
    assert fidelity.kl_bits(even, far) == pytest.approx(expected)


# ---- partial correlation


def test_the_partial_correlation_is_that_of_two_regressions():
    rng = np.random.default_rng(0)
    given = [density(1), density(2)]
    x = density(3) + 2 * given[0] - 0.5 * given[1]
    y = density(4) + density(3) + 3 * given[1]
    columns = np.column_stack([np.ones(x.size), *(values.ravel() for values in given)])
    residuals = [
        values.ravel() - columns @ np.linalg.pinv(columns) @ values.ravel() for values in (x, y)
    ]
    expected = stats.pearsonr(*residuals)[0]
    assert 0.2 < expected < 0.99
    assert fidelity.partial_correlation(x, y, given) == pytest.approx(expected, abs=1e-10)
    scaled = [7 * values + rng.random() for values in given]
    assert fidelity.partial_correlation(x, 5 * y, scaled) == pytest.approx(expected, abs=1e-10)


def test_with_one_map_given_it_is_the_textbook_formula():
    x, y, z = density(3) + density(5), density(4) + density(5), density(5)
    xy, xz, yz = (np.corrcoef(a.ravel(), b.ravel())[0, 1] for a, b in ((x, y), (x, z), (y, z)))
    expected = (xy - xz * yz) / np.sqrt((1 - xz**2) * (1 - yz**2))
    assert fidelity.partial_correlation(x, y, [z]) == pytest.approx(expected, abs=1e-10)


def test_a_map_given_that_is_constant_or_given_twice_changes_nothing():
    x, y, z = density(3) + density(5), density(4) + density(5), density(5)
    alone = fidelity.partial_correlation(x, y, [z])
    for more in (np.full(SIZE, 1 / z.size), z, 2 * z + 1):
        assert fidelity.partial_correlation(x, y, [z, more]) == pytest.approx(alone, abs=1e-8)


def test_without_anything_to_take_out_it_is_the_correlation():
    x, y = density(3), density(4) + density(3)
    expected = np.corrcoef(x.ravel(), y.ravel())[0, 1]
    found = fidelity.partial_correlation(x, y, [np.full(SIZE, 0.1)])
    assert found == pytest.approx(expected, abs=1e-10)


def test_a_mixture_of_what_is_given_has_no_partial_correlation_also_as_it_is_stored():
    given = [density(1), density(2)]
    mixed = 0.7 * given[0] + 0.2 * given[1] + 0.1 / given[0].size
    stored = np.exp(np.log(mixed).astype(np.float32).astype(float))
    for x in (mixed, stored, np.full(SIZE, 1 / mixed.size)):
        assert np.isnan(fidelity.partial_correlation(x, density(3), given))
        assert np.isnan(fidelity.partial_correlation(density(3), x, given))


# ---- one stimulus


def test_measures_are_taken_on_the_pixels_of_the_stimulus():
    block = make_block([SIZE])
    x, deep, bias = density(1), density(2) + density(1), density(3)
    deep /= deep.sum()
    kl, cc, partial = fidelity.compare(block, 0, *map(np.log, (x, deep, bias)))
    people = fixations.observed_density(block, 0)
    assert kl == pytest.approx(special.rel_entr(deep, x).sum() / np.log(2))
    assert cc == pytest.approx(np.corrcoef(x.ravel(), deep.ravel())[0, 1])
    assert partial == pytest.approx(fidelity.partial_correlation(x, deep, [people, bias]))


def test_people_and_centre_themselves_have_no_part_that_they_do_not_give():
    block = make_block([SIZE])
    people, bias, deep = fixations.observed_density(block, 0), density(3), density(2)
    mixed = 0.999 * people + 0.001 / people.size
    for x in (mixed, bias):
        kl, cc, partial = fidelity.compare(block, 0, *map(np.log, (x, deep, bias)))
        assert kl > 0 and np.isfinite(cc) and np.isnan(partial)


def test_a_stimulus_without_fixations_lacks_the_partial_correlation_alone():
    block = make_block([SIZE])
    for key in ("x", "y", "stimulus", "subject"):
        setattr(block, key, getattr(block, key)[:0])
    kl, cc, partial = fidelity.compare(block, 0, *map(np.log, (density(1), density(2), density(3))))
    assert kl > 0 and np.isfinite(cc) and np.isnan(partial)


def test_a_constant_map_has_correlation_zero():
    block, even = make_block([SIZE]), np.full(SIZE, -np.log(SIZE[0] * SIZE[1]))
    assert fidelity.compare(block, 0, even, np.log(density(2)), np.log(density(3)))[1] == 0


def test_rows_are_sorted_and_a_stimulus_that_a_network_was_trained_on_is_not_measured():
    block = make_block([SIZE, SIZE])
    block.names = ["b", "a"]
    maps = [(index, np.log(density(index))) for index in (0, 1)]
    others = [(index, np.log(density(index + 5))) for index in (0, 1)]
    comparison = fidelity.Comparison(seen={"b"})
    comparison.add("test", block, maps, others, others)
    table = comparison.table("test").set_index("stimulus")
    assert list(table.index) == ["a", "b"] and list(table.columns) == list(fidelity.COLUMNS[1:])
    assert table.loc["b"].isna().all() and table.loc["a", "kl_deep"] > 0


# ---- means and ratios


def table_of(kl, **columns):
    names = [f"s{i}" for i in range(len(kl))]
    values = {"kl_deep": kl, "cc_deep": NAN, "partial_cc_deep": NAN, **columns}
    return pd.DataFrame(values, index=pd.Index(names, name="stimulus"))


def summary(kl, centre_bias, null=None, same=None, other=()):
    tables = {("net", "x", "d"): table_of(kl), ("net", "centre_bias", "d"): table_of(centre_bias)}
    if null is not None:
        tables["net", "net-null", "d"] = table_of(null)
    if same is not None:
        tables["net", "net-same", "d"] = table_of(same)
    names = {(model, name): f"<{name}>" for model, name, _ in tables}
    rows = fidelity.summary_rows(tables, names, "null", "same", other, 300, 1)
    assert all(tuple(row) == fidelity.SUMMARY_COLUMNS for row in rows)
    return {row["measure"]: row for row in rows if row["predictor"] == "<x>"}


def test_fidelity_is_a_ratio_of_means_with_a_paired_interval():
    rng = np.random.default_rng(1)
    bias = rng.uniform(0.1, 5, 40)
    found = summary(0.25 * bias, bias)
    assert found["fidelity"]["mean"] == pytest.approx(0.75)
    # paired: the same share of every stimulus leaves nothing uncertain
    assert found["fidelity"]["ci_low"] == pytest.approx(found["fidelity"]["ci_high"])
    uneven = summary([1.0, 0.0], [1.0, 3.0])
    assert uneven["fidelity"]["mean"] == pytest.approx(1 - 0.5 / 2)  # not the mean of 0 and 1
    assert uneven["kl_deep"]["mean"] == 0.5 and uneven["kl_deep"]["n"] == 2


def test_the_centre_bias_has_fidelity_zero_and_what_is_farther_a_negative_one():
    assert summary([1.0, 2.0], [1.0, 2.0])["fidelity"]["mean"] == 0
    assert summary([2.0, 4.0], [1.0, 2.0])["fidelity"]["mean"] == pytest.approx(-1)


def test_the_gain_by_layers_is_measured_against_the_null_without_layers():
    found = summary([0.2, 0.4], [1.0, 1.0], null=[0.4, 0.8])
    assert found["gain_by_layers"]["mean"] == pytest.approx(0.5)
    assert found["gain_by_layers"]["n"] == 2


def test_the_gain_over_the_same_regressors_is_there_where_such_a_bank_is():
    found = summary([0.2, 0.4], [1.0, 1.0], null=[0.4, 0.8], same=[0.3, 0.5])
    assert found["gain_by_layers_same"]["mean"] == pytest.approx(0.25)
    assert found["gain_by_layers"]["mean"] == pytest.approx(0.5)
    assert "gain_by_layers_same" not in summary([0.2, 0.4], [1.0, 1.0], null=[0.4, 0.8])
    other = summary([0.2, 0.4], [1.0, 1.0], null=[0.4, 0.8], same=[0.3, 0.5], other=["x"])
    assert "gain_by_layers_same" not in other and "gain_by_layers" in other
    nearly = summary([0.01, 0.01], [1.0, 1.0], null=[0.4, 0.8], same=[0.019, 0.019])
    assert np.isnan(nearly["gain_by_layers_same"]["mean"])


def test_without_a_null_or_beside_one_that_is_nearly_perfect_there_is_no_gain():
    for null in (None, [0.019, 0.019]):
        gain = summary([0.01, 0.01], [1.0, 1.0], null=null)["gain_by_layers"]
        assert np.isnan([gain["mean"], gain["ci_low"], gain["ci_high"]]).all()
    assert summary([0.01, 0.01], [1.0, 1.0], null=[0.021, 0.02])["gain_by_layers"]["mean"] > 0


def test_a_stimulus_that_either_lacks_is_left_out_of_both():
    found = summary([NAN, 0.5, 0.5], [1.0, 1.0, NAN])
    assert found["fidelity"]["mean"] == pytest.approx(0.5) and found["fidelity"]["n"] == 1
    assert found["kl_deep"]["n"] == 2


def test_no_stimulus_at_all_gives_nan_and_zero():
    found = summary([NAN, NAN], [1.0, 1.0], null=[1.0, 1.0])
    for row in found.values():
        assert np.isnan(row["mean"]) and row["n"] == 0
