"""Scores are compared stimulus by stimulus, by name, between tables in any order."""

import math

import numpy as np
import pandas as pd
import pytest

from gaborscope.scoring import comparisons, summaries

NAMES = [f"s{i}" for i in range(12)]


@pytest.fixture
def scores(rng):
    """Scores whose differences are large against their means' uncertainty, of unlike spread."""
    easy = rng.normal(0, 3, 12)
    return {
        "gold_standard": pd.DataFrame({"nss": 4 + easy, "kld": 1 - easy / 9}, NAMES),
        "net": pd.DataFrame({"nss": 3 + easy, "kld": 2 - easy / 9}, NAMES),
        "net-direct": pd.DataFrame({"nss": 2.5 + easy, "kld": 2.5 - easy / 9}, NAMES),
        "centre_bias": pd.DataFrame({"nss": 1 + easy, "kld": 3 - easy / 9}, NAMES),
    }


def keyed(scores, preset="mit", dataset="made"):
    return {(preset, name, dataset): table for name, table in scores.items()}


def turned(scores, name):
    return {**scores, name: scores[name].sample(frac=1, random_state=3)}


def rows_of(rows, **wanted):
    return [row for row in rows if all(row[key] == value for key, value in wanted.items())]


@pytest.mark.parametrize("name", ["net", "centre_bias"])
def test_differences_are_exact_where_each_stimulus_meets_itself(scores, name):
    rows = comparisons.difference_rows(keyed(turned(scores, name)), 100, 1)
    (row,) = rows_of(rows, predictor="net", other="centre_bias", metric="nss")
    # the same difference for every stimulus: no interval, where pairs by row would have a wide one
    assert (row["difference"], row["ci_low"], row["ci_high"]) == pytest.approx((2, 2, 2))


@pytest.mark.parametrize("name", ["net", "gold_standard", "centre_bias"])
def test_normalised_scores_have_no_interval_where_stimuli_are_paired(scores, name):
    rows = comparisons.normalised_rows(keyed(turned(scores, name)), 100, 1)
    (row,) = rows_of(rows, predictor="net", metric="nss")
    assert [row[k] for k in ("normalised", "ci_low", "ci_high")] == pytest.approx([2 / 3] * 3)
    (row,) = rows_of(rows, predictor="net", metric="kld")
    assert [row[k] for k in ("normalised", "ci_low", "ci_high")] == pytest.approx([0.5] * 3)


@pytest.mark.parametrize("name", ["net", "net-direct", "centre_bias"])
def test_shares_have_no_interval_where_stimuli_are_paired(scores, name):
    (nss, kld) = summaries.share_rows(keyed(turned(scores, name)), {"net-direct": "net"}, 100, 1)
    keys = "share", "share_low", "share_high"
    assert [nss[key] for key in keys] == pytest.approx([0.75] * 3)
    assert [kld[key] for key in keys] == pytest.approx([0.5] * 3)
    deep, own = (scores[key]["nss"].mean() for key in ("net", "net-direct"))
    assert nss["ratio"] == pytest.approx(own / deep)


def test_ranks_are_certain_where_stimuli_are_paired(scores):
    rows = comparisons.rank_rows(keyed(turned(scores, "net")), 100, 1)
    for metric in ("nss", "kld"):
        found = {r["predictor"]: [r["rank"], r["rank_low"], r["rank_high"]]
                 for r in rows_of(rows, metric=metric)}  # fmt: skip
        assert found == {
            "gold_standard": [1] * 3, "net": [2] * 3, "net-direct": [3] * 3, "centre_bias": [4] * 3,
        }  # fmt: skip


def test_a_difference_is_the_first_predictor_s_minus_the_other_s_with_its_sign(scores):
    rows = comparisons.difference_rows(keyed(scores), 50, 1)
    assert [(r["predictor"], r["other"]) for r in rows[::2]] == [
        ("gold_standard", "net"), ("gold_standard", "net-direct"), ("gold_standard", "centre_bias"),
        ("net", "net-direct"), ("net", "centre_bias"), ("net-direct", "centre_bias"),
    ]  # fmt: skip
    assert [r["difference"] for r in rows[:2]] == pytest.approx([1, -1])


def test_effect_sizes_are_cohens_d_with_one_degree_of_freedom_less():
    values = np.array([1.0, 2.0, 4.0, 5.0])
    expected = 3 / math.sqrt((4 + 1 + 1 + 4) / 3)
    assert comparisons.effect_size(values) == pytest.approx(expected)
    assert comparisons.effect_size(-values) == pytest.approx(-expected)
    assert comparisons.effect_size(values[:2]) == pytest.approx(1.5 / math.sqrt(0.5))
    assert math.isnan(comparisons.effect_size(np.zeros(0)))


def test_a_difference_counts_the_stimuli_where_both_are_defined(scores):
    scores["net"].loc["s4", "nss"] = math.nan
    scores["centre_bias"].loc["s5", "nss"] = math.nan
    rows = comparisons.difference_rows(keyed(scores), 50, 1)
    counts = {(r["predictor"], r["other"]): r["n"] for r in rows_of(rows, metric="nss")}
    assert counts["net", "centre_bias"] == 10 and counts["net", "net-direct"] == 11
    (row,) = rows_of(comparisons.rank_rows(keyed(scores), 50, 1), predictor="net", metric="nss")
    assert row["n"] == 10
    rows = comparisons.normalised_rows(keyed(scores), 50, 1)
    assert rows_of(rows, predictor="net-direct", metric="nss")[0]["n"] == 11
    assert rows_of(rows, predictor="net", metric="nss")[0]["n"] == 10


def test_ranks_without_a_common_stimulus_are_undefined(scores):
    scores["net"]["nss"] = math.nan
    rows = comparisons.rank_rows(keyed(scores), 50, 1)
    for row in rows_of(rows, metric="nss"):
        assert row["n"] == 0 and np.isnan([row["rank"], row["rank_low"], row["rank_high"]]).all()
    assert rows_of(rows, metric="kld", predictor="net")[0]["rank"] == 2


def test_presets_and_data_sets_are_told_apart(scores):
    lower = {name: table - 100 for name, table in scores.items() if name != "net"}
    tables = {**keyed(scores), **keyed(lower, "exact"), **keyed(lower, "mit", "other")}
    for make in (comparisons.rank_rows, comparisons.normalised_rows):
        cells = {(r["preset"], r["dataset"], r["predictor"]) for r in make(tables, 20, 1)}
        assert cells == set((preset, dataset, name) for preset, name, dataset in tables)


@pytest.mark.parametrize("metric, bound", [
    ("cc", "split halves"), ("kld", "split halves"), ("sim", "split halves"),
    ("auc", "leave one observer out"), ("ig", "leave one observer out"),
])  # fmt: skip
def test_the_bound_is_named_by_metric(scores, metric, bound):
    renamed = {name: table[["nss"]].set_axis([metric], axis=1) for name, table in scores.items()}
    rows = comparisons.normalised_rows(keyed(renamed), 20, 1)
    assert {row["bound"] for row in rows} == {bound}


def test_tables_are_read_by_cell_with_stimuli_as_index(tmp_path, scores):
    files = []
    for name in ("net", "centre_bias"):
        files.append(str(tmp_path / f"{name}.csv"))
        scores[name].rename_axis("stimulus").to_csv(files[-1])
    cells = [("mit", "net", "made"), ("exact", "centre_bias", "made")]
    tables = summaries.read_tables(cells, files)
    assert list(tables) == cells
    pd.testing.assert_frame_equal(tables[cells[0]], scores["net"].rename_axis("stimulus"))
    with pytest.raises(ValueError):
        summaries.read_tables(cells[:1], files)


@pytest.mark.parametrize("n", [1, 39, 40, 41, 1000, 1999])
def test_an_interval_leaves_out_a_fortieth_of_the_values_at_each_end(n):
    values = np.random.default_rng(0).permutation(n).astype(float)
    assert summaries.interval(values) == (n // 40, n - 1 - n // 40)


def test_resamples_of_all_columns_are_of_the_same_stimuli(rng):
    column = rng.random(9)
    first, second = summaries.resampled_means([column, 3 * column + 1], 40, 5)
    np.testing.assert_allclose(second, 3 * first + 1)
    assert first.shape == (40,) and len(set(first)) > 30
    np.testing.assert_array_equal(summaries.resampled_means([column], 40, 5)[0], first)
