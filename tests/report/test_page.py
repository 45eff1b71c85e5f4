"""The report page: what is shown is chosen by rule and escaped."""

import base64
import io
import math
import re

import numpy as np
import pandas as pd
import pytest
from helpers import page_content as content
from PIL import Image

from gaborscope.report import page, styles, templating


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
    assert "<script>alert" not in html
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


def test_a_figure_is_embedded_as_what_is_least_and_sharpest(tmp_path):
    noise = np.random.default_rng(0).integers(0, 255, (40, 50, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "a.png")
    head, body = page.embed(tmp_path / "a.png").split(",")
    assert head == "data:image/webp;base64"
    with Image.open(io.BytesIO(base64.b64decode(body))) as shown:
        assert shown.size == (50, 40)
    (tmp_path / "a.svg").write_text("<svg><image/></svg>")  # a picture stays one
    assert page.embed(tmp_path / "a.png").startswith("data:image/webp")
    (tmp_path / "a.svg").write_text("<svg><path/></svg>")
    head, body = page.embed(tmp_path / "a.png").split(",")
    assert (head, base64.b64decode(body)) == ("data:image/svg+xml;base64", b"<svg><path/></svg>")


def test_the_page_loads_nothing_and_fits_narrow_screens():
    html = page.render(content())
    assert '<meta name="viewport" content="width=device-width, initial-scale=1">' in html
    assert "default-src 'none'" in html
    assert not re.findall(r"""(?:src|href)=["'](?:https?:)?//|@import|url\(""", html)
    assert "prefers-color-scheme: dark" in html and "@media print" in html


def test_navigation_leads_to_every_section():
    html = page.render(content())
    assert re.findall(r"<nav.*?</nav>", html, re.S)[0].count("<li>") == 5
    for anchor in re.findall(r'href="#([\w-]+)"', html):
        assert len(re.findall(f'id="{anchor}"', html)) == 1, anchor


def test_the_page_says_version_date_commit_and_how_to_cite():
    html = page.render(content())
    for text in ("1.2.3", "2026-01-02", "commit abc", "@software{it}", "X 1."):
        assert text in html
    steady = re.sub("<!--now-->.*?<!--/now-->", "", html, flags=re.S)
    assert not any(text in steady for text in ("2026-01-02", "commit abc", "X 1."))


def test_columns_are_defined_where_they_are_used():
    table = {"preset": "exact", "dataset": "d", "columns": ["nss", "ig"],
             "rows": [("a", ["1", "2"])], "n": "4", "split": "test"}  # fmt: skip
    html = page.render(content(score_tables=[table]))
    for name in ("nss", "ig"):
        definition = page.define(name)
        # on hovering, in the list below for touch and keys, and in that of all terms for print
        assert html.count(definition) == 3
    assert page.define("position", "bits") != page.define("position", "spectra") == ""


def test_a_banner_stands_before_all_numbers():
    banner = "net is worse than the centre bias"
    summary = {**content()["summary"], "banners": [banner], "warnings": ["data set is small"]}
    html = page.render(content(summary=summary))
    assert html.index(banner) < html.index("It was found.") < html.index("Data set is small.")


def test_a_p_at_the_floor_is_a_bound():
    rows = [
        {"test": "above_a", "dataset": "d", "passed": "true", "p": 2 / 2001, "p_holm": 0.004,
         "sentence": "A."},
        {"test": "halves_agree", "dataset": "d", "passed": "true", "p": 0.002, "p_holm": 0.02,
         "sentence": "B."},
        {"test": "seeds_agree", "dataset": "d", "passed": "not run", "p": math.nan,
         "p_holm": math.nan, "sentence": "C."},
    ]  # fmt: skip
    (found,) = page.verdict_tables([{"name": "x", "rows": rows}], (2 / 2001, 1 / 1001))
    cells = [cells[2:4] for _, cells in found["table"]["rows"]]
    assert cells == [["≤ .001", "≤ .004"], [".002", ".02"], ["–", "–"]]


@pytest.mark.parametrize(
    "values, chosen",
    [
        (
            {"a": 0.1, "b": 0.9, "c": 0.5, "d": 0.4},
            [("best", "b"), ("median", "c"), ("worst", "a")],
        ),
        ({"a": 0.1, "b": 0.9}, [("best", "b"), ("worst", "a")]),
        ({"a": 0.1, "b": math.nan}, [("best", "a")]),
        ({}, []),
    ],
)
def test_best_median_and_worst_are_chosen_by_rule(values, chosen):
    assert page.best_median_worst(pd.Series(values, dtype=float)) == chosen


def test_the_template_claims_no_truth_that_it_does_not_show():
    text = (templating.TEMPLATES / "report.html").read_text(encoding="utf-8")
    assert not re.search(r"truth|generates the fixations|is known|works on", text)


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
    captions = html.split('<div class="above">')[1:]
    assert len(captions) == len(names)
    for caption in captions:
        assert "<b>exact</b>" in caption.split("</div>")[0]
        assert re.search(r'<a href="\.\./\w+(\.\w+)?\.csv">CSV</a>', caption.split("</div>")[0])


def test_cells_of_a_table_of_words_carry_their_heads_for_narrow_screens():
    table = {"columns": ["is", "cc_deep"], "rows": [("direct", ["an explanation", "0.9"])]}
    part = {"model": "net", "dataset": "made", "sentences": [], "figure": "", "n": 3}
    summary = {**content()["summary"], "figure": ""}
    html = page.render(content(closeness=[{**part, "table": table}], summary=summary))
    assert '<td class="words" data-head="is">an explanation</td>' in html
    assert '<td data-head="cc_deep">0.9</td>' in html
    assert html.count("data-head=") == 2 and "attr(data-head)" in html


def test_every_substitute_of_a_layer_is_defined():
    said = [page.define(name, "layers") for name in styles.SUBSTITUTES]
    assert all(said) and len(set(said)) == len(styles.SUBSTITUTES)
    html = page.render(content())
    assert "<dt>resampled (in the place of a layer)</dt>" in html
    assert "<dt>contrast (of the information gain)</dt>" in html
