"""The report page: what is shown is chosen by rule and escaped."""

import base64
import math

import numpy as np
import pandas as pd
import pytest
from helpers import page_content as content

from gaborscope.report import page


@pytest.fixture
def scores():
    values = np.random.default_rng(0).random(23)
    return pd.Series(values, index=[f"s{i}" for i in range(23)])


def summary():
    rows = [
        ("mit", "cmrnet", "demo", "nss", 1.5, 1.25, 1.75, 40),
        ("mit", "cmrnet", "demo", "kld", math.nan, math.nan, math.nan, 0),
        ("mit", "centre_bias", "demo", "nss", 0.5, 0.25, 0.75, 40),
        ("mit", "centre_bias", "demo", "kld", 0.125, 0.1, 0.2, 38),
        ("mit", "cmrnet", "osie", "nss", 9, 9, 9, 9),
    ]
    names = ["preset", "predictor", "dataset", "metric", "mean", "ci_low", "ci_high", "n"]
    return pd.DataFrame(rows, columns=names)


def test_what_rounds_to_zero_has_no_sign():
    assert page._interval(-0.0001, -0.2, 0.00049) == "0.000 [-0.200, 0.000]"


def test_stimuli_are_spread_over_the_quantiles_lowest_first(scores):
    chosen = page.quantile_stimuli(scores, 5)
    ranks = [int((scores < scores[name]).sum()) for name in chosen]
    assert ranks == [2, 6, 11, 16, 20]  # (i + 0.5) / 5 of 23


def test_the_choice_of_stimuli_does_not_depend_on_their_order(scores):
    turned = scores.sample(frac=1, random_state=1)
    assert page.quantile_stimuli(turned, 5) == page.quantile_stimuli(scores, 5)


def test_no_stimulus_is_chosen_twice(scores):
    assert page.quantile_stimuli(scores[:3], 8) == list(scores[:3].sort_values().index)


def test_stimuli_without_a_score_are_not_chosen(scores):
    scores[::2] = math.nan
    chosen = page.quantile_stimuli(scores, 11)
    assert len(chosen) == 11 and not scores[chosen].isna().any()
    assert page.quantile_stimuli(scores[:0], 3) == []


def test_a_score_table_holds_means_with_intervals():
    columns, rows, _ = page.score_table(summary(), "mit", "demo")
    assert columns == ["nss", "kld"]
    assert rows == [
        ("cmrnet", ["1.500 [1.250, 1.750]", "undefined"]),
        ("centre_bias", ["0.500 [0.250, 0.750]", "0.125 [0.100, 0.200]"]),
    ]


def test_numbers_of_stimuli_that_differ_are_shown_as_a_range():
    assert page.score_table(summary(), "mit", "demo")[2] == "0–40"
    assert page.score_table(summary(), "mit", "osie")[2] == "9"


def test_a_share_table_has_both_splits_and_both_figures():
    row = {"preset": "mit", "predictor": "cmrnet-direct", "dataset": "demo", "metric": "nss"}
    values = dict.fromkeys(["share_low", "share_high", "ratio_low", "ratio_high"], 0.5)
    shares = pd.DataFrame(
        [
            {**row, **values, "split": "test", "share": 0.75, "ratio": 0.875},
            {**row, **values, "split": "validation", "share": 0.25, "ratio": 0.375},
        ]
    )
    (table,) = page.share_tables(shares, {}, [])
    assert [(name, cells[0][:5]) for name, cells in table["rows"]] == [
        ("share above centre bias, validation split", "0.250"),
        ("explained / deep, validation split", "0.375"),
        ("share above centre bias, test split", "0.750"),
        ("explained / deep, test split", "0.875"),
    ]


def test_shares_of_nulls_stand_below_the_share_of_their_explanation():
    predictors = {"net-direct": 0.9, "net-direct_noise1": 0.7, "net-direct_noise2": 1.1,
                  "blank-direct": 0.6, "net-apart": 0.2}  # fmt: skip
    rows = [
        {"preset": "mit", "predictor": name, "dataset": "demo", "metric": "cc", "split": split,
         "share": value, **dict.fromkeys(["share_low", "share_high"], value),
         **dict.fromkeys(["ratio", "ratio_low", "ratio_high"], 0.5)}
        for name, value in predictors.items() for split in ("validation", "test")
    ]  # fmt: skip
    noise = ["net-direct_noise1", "net-direct_noise2"]
    nulls = {"net-direct": {"random_networks": ["blank-direct"], "noise_banks": noise,
                            "pixel_pairs": []}}  # fmt: skip
    tables = page.share_tables(pd.DataFrame(rows), nulls, [*noise, "blank-direct"])
    assert [table["predictor"] for table in tables] == ["net-direct", "net-apart"]
    assert tables[0]["rows"][4:] == [
        ("share of random networks, test split", ["0.600"]),
        ("share of noise banks, test split: mean [least, largest] of 2",
         ["0.900 [0.700, 1.100]"]),
    ]  # fmt: skip
    assert len(tables[1]["rows"]) == 4


def test_a_name_with_markup_is_escaped():
    html = page.render(content(fit_on="<script>alert(1)</script>"))
    assert "<script>" not in html
    assert "&lt;script&gt;" in html


def test_synthetic_data_is_labelled_wherever_it_was_used():
    assert "Synthetic data" in page.render(content())
    assert "works" not in page.render(content())
    assert "Synthetic data" not in page.render(content(synthetic=False))


def test_a_name_the_template_needs_cannot_be_forgotten():
    forgotten = content()
    del forgotten["fit_on"]
    with pytest.raises(Exception, match="'fit_on' is undefined"):
        page.render(forgotten)


def test_a_figure_is_embedded(tmp_path):
    (tmp_path / "a.png").write_bytes(b"\x89PNG")
    address = page.embed(tmp_path / "a.png")
    head, body = address.split(",")
    assert (head, base64.b64decode(body)) == ("data:image/png;base64", b"\x89PNG")


def differences():
    rows = [
        ("mit", "demo", "nss", "centre_bias", "cmrnet", -0.5, -0.75, -0.25, -1.25, 40),
        ("mit", "demo", "nss", "cmrnet", "gold_standard", -1.0, -1.5, -0.5, math.nan, 40),
    ]
    names = ["preset", "dataset", "metric", "predictor", "other", "difference", "ci_low"]
    return pd.DataFrame(rows, columns=[*names, "ci_high", "effect_size", "n"])


def test_a_difference_is_turned_round_where_the_table_has_it_the_other_way():
    pairs = [("cmrnet", "centre_bias"), ("cmrnet", "gold_standard"), ("cmrnet", "nobody")]
    (table,) = page.difference_tables(differences(), pairs, ["mit"], ["demo"])
    assert table["rows"] == [
        ("cmrnet − centre_bias", ["0.500 [0.250, 0.750], d = 1.25"]),
        ("cmrnet − gold_standard", ["-1.000 [-1.500, -0.500]"]),
    ]


def test_ranks_have_one_row_per_predictor():
    rows = [
        ("mit", name, "demo", metric, rank, rank, rank + 1, 40)
        for name, rank in (("a", 1.0), ("b", 2.5))
        for metric in ("nss", "kld")
    ]
    names = ["preset", "predictor", "dataset", "metric", "rank", "rank_low", "rank_high", "n"]
    ranks = pd.DataFrame(rows, columns=names)
    (table,) = page.comparison_tables(
        ranks, "rank", "rank_low", "rank_high", ["mit"], ["demo"], digits=1
    )
    assert table["columns"] == ["nss", "kld"]
    assert table["rows"][1] == ("b", ["2.5 [2.5, 3.5]"] * 2)


def test_calibrated_tables_state_the_temperature_and_say_so():
    table = summary().assign(temperature=1.5)
    tables = page.calibrated_tables(table, ["mit"], ["demo"])
    assert tables[0]["columns"][0] == "temperature"
    assert tables[0]["rows"][0][1][0] == "1.500"
    html = page.render(content(calibrated_tables=tables))
    assert "calibrated" in html and "Preset <b>mit</b>" in html


def test_every_table_of_the_page_names_its_preset():
    table = {"preset": "exact", "dataset": "d", "columns": ["nss"], "rows": [("a", ["1"])]}
    full = {**table, "n": "4", "split": "test", "predictor": "p"}
    names = ["score", "calibrated", "share", "difference", "normalised", "rank"]
    html = page.render(content(**{f"{name}_tables": [full] for name in names}))
    captions = html.split("<caption>")[1:]
    assert len(captions) == len(names)
    assert all("<b>exact</b>" in caption.split("</caption>")[0] for caption in captions)
