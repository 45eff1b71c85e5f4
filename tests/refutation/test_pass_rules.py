"""What makes a verdict pass: its limits, each condition for itself, and rows matched by name."""

import numpy as np
import pandas as pd
import pytest

from gaborscope.refutation import stability, verdicts
from gaborscope.scoring import summaries

N = 30
NAMES = [f"s{i:02}" for i in range(N)]


def scores(nss, ig=None):
    nss = np.broadcast_to(np.asarray(nss, float), N)
    ig = nss / 4 if ig is None else np.broadcast_to(np.asarray(ig, float), N)
    return pd.DataFrame({"nss": nss, "ig": ig}, index=NAMES)


def far(kl):
    return pd.DataFrame({"kl_deep": np.broadcast_to(np.asarray(kl, float), N)}, index=NAMES)


def contest(rivals=(("above_rival", ["rival"], ""),), distances=(), **tables):
    by_key = {("mit", name.replace("_direct", "-direct"), "made"): t for name, t in tables.items()}
    fidelity = {("net", name, "made"): far(kl) for name, kl in distances}
    plan = {"model": "net", "explanation": "direct", "predictor": "net-direct",
            "rivals": list(rivals)}  # fmt: skip
    return verdicts.contest_rows(plan, by_key, fidelity, 200, 1)


def strength_of(deep, bias=1.0):
    rows = contest((), net=scores(deep), net_direct=scores(1.0), centre_bias=scores(bias))
    (row,) = rows
    return row


@pytest.mark.parametrize("deep, passed", [(2.0, "true"), (1.999, "false"), (5.0, "true")])
def test_twice_the_centre_bias_is_enough_and_less_is_not(deep, passed):
    row = strength_of(deep)
    assert (row["test"], row["metric"]) == ("deep_twice_centre_bias", "nss")
    assert row["passed"] == passed and row["value"] == pytest.approx(deep)
    assert row["against"] == "centre_bias"


def test_there_is_no_ratio_to_a_centre_bias_that_is_not_clearly_above_0():
    row = strength_of(2.0, bias=-0.5)
    assert row["passed"] == "false" and np.isnan(row["value"])
    assert "not clearly above 0" in row["sentence"] and "nan" not in row["sentence"]


def test_strength_is_that_of_the_deep_model_over_the_bias_of_the_same_stimuli(rng):
    bias, deep = rng.uniform(1, 2, (2, N))
    tables = {"net": scores(deep), "net_direct": scores(9.0), "centre_bias": scores(bias)[::-1]}
    (row,) = contest((), **tables)
    expected = summaries.ratio(deep, bias, 200, 1)
    assert (row["value"], row["ci_low"], row["ci_high"]) == pytest.approx(expected)


@pytest.mark.parametrize("difference, passed", [(0.2, "true"), (0.0, "false"), (-0.2, "false")])
def test_a_contest_is_won_only_by_an_advantage_above_0(difference, passed):
    rows = contest(
        distances=[("net-direct", 1 - difference), ("rival", 1.0)],
        net=scores(3.0), net_direct=scores(1.0, 1 + difference), rival=scores(1.0, 1.0),
        centre_bias=scores(1.0),
    )  # fmt: skip
    for row in rows[:2]:
        assert row["passed"] == passed
        found = [row[key] for key in ("value", "ci_low", "ci_high")]
        assert found == pytest.approx([difference] * 3)
        word = {0.2: "better", 0.0: "not shown to be better", -0.2: "worse"}[difference]
        assert f"is {word} than rival: {difference:+.3f}" in row["sentence"]


def test_each_metric_has_its_own_outcome():
    rows = contest(
        distances=[("net-direct", 1.2), ("rival", 1.0)],
        net=scores(3.0), net_direct=scores(1.0, 2.0), rival=scores(1.0, 1.0),
        centre_bias=scores(1.0),
    )  # fmt: skip
    assert [(row["metric"], row["passed"]) for row in rows[:2]] == [
        ("ig", "true"), ("kl_deep", "false"),
    ]  # fmt: skip
    assert [row["value"] for row in rows[:2]] == pytest.approx([1.0, -0.2])


def test_every_data_set_of_the_explanation_has_its_rows_and_no_others():
    tables, fidelity = {}, {}
    for shift, dataset in enumerate("ab"):
        for name, mean in (("net", 4), ("net-direct", 2 + shift), ("rival", 1), ("centre_bias", 1)):
            tables["mit", name, dataset] = scores(4 * mean)
            fidelity["net", name, dataset] = far(9 - 2 * mean)
            fidelity["other", name, dataset] = far(0)
    tables["mit", "net-other", "a"] = scores(0)
    plan = {"model": "net", "explanation": "direct", "predictor": "net-direct",
            "rivals": [("above_rival", ["rival"], "")]}  # fmt: skip
    rows = verdicts.contest_rows(plan, tables, fidelity, 50, 1)
    found = [
        (row["dataset"], row["metric"], row["value"]) for row in rows
        if row["test"] == "above_rival"
    ]  # fmt: skip
    assert found == [("a", "ig", 1), ("a", "kl_deep", 2), ("b", "ig", 2), ("b", "kl_deep", 4)]
    assert {(row["model"], row["explanation"]) for row in rows} == {("net", "direct")}
    assert all(set(row) == set(verdicts.COLUMNS) - {"p_holm"} for row in rows)


def agreeing(low=0.1, p=0.01, maps=9, measure="identity", layer="all"):
    row = {
        "layer": layer, "measure": measure, "agreement": 0.7, "chance": 0.2, "excess": 0.5,
        "ci_low": low, "ci_high": 0.9, "p": p, "maps": maps,
    }  # fmt: skip
    assert set(row) == set(stability.COLUMNS)
    return row


def judged(*rows):
    table = [("halves", pd.DataFrame(rows))]
    return verdicts.stability_rows("net", "direct", "made", "halves_agree", table, "")


@pytest.mark.parametrize(
    "low, p, passed",
    [
        (0.1, 0.01, "true"),
        (0.1, 0.049, "true"),
        (0.1, 0.05, "true"),
        (0.1, 0.051, "false"),  # the interval alone is not enough
        (0.0, 0.01, "false"),  # nor is p alone
        (-0.1, 0.01, "false"),
        (-0.1, 0.5, "false"),
    ],
)
def test_agreement_passes_where_interval_and_p_are_both_beyond_chance(low, p, passed):
    (row,) = judged(agreeing(low, p))
    assert row["passed"] == passed
    assert (row["value"], row["ci_low"], row["ci_high"]) == (0.5, low, 0.9)
    assert (row["against"], row["metric"], row["preset"]) == ("halves", "identity", "")


def test_agreement_is_judged_over_all_layers_by_identity_alone():
    given = agreeing(layer="stem", low=-1), agreeing(), agreeing(measure="kind", low=-1)
    assert [(row["metric"], row["passed"]) for row in judged(*given)] == [("identity", "true")]
    (row,) = judged(agreeing(low=-0.2))
    assert row["passed"] == "false"
    assert (
        "identity of 9 maps agrees not beyond chance: 0.700, by chance 0.200; the excess over maps "
        "has the interval [-0.200, +0.900], permutations give p = 0.01; both have to"
        in row["sentence"]
    )
    (row,) = judged(agreeing(maps=0))
    assert (row["metric"], row["passed"]) == ("identity", "not run")


def test_every_other_fit_has_rows_of_its_own():
    tables = [(f"matched with {n}", pd.DataFrame([agreeing(p=p)])) for n, p in (("a", 0), ("b", 1))]
    rows = verdicts.stability_rows("net", "direct", "made", "seeds_agree", tables, "")
    assert [(row["against"], row["passed"]) for row in rows] == [
        ("matched with a", "true"), ("matched with b", "false"),
    ]  # fmt: skip
    assert {row["test"] for row in rows} == {"seeds_agree"}


def replaced(*layers):
    names = ["layer", "way", "control", "metric", "difference", "ci_low", "ci_high", "p"]
    rows = [
        (f"layer{i}", "alone", "mean", "cc_intact", d, low, d + 0.1, 0.01)
        for i, (d, low) in enumerate(layers)
    ]
    return verdicts.faithfulness_rows("net", "direct", "made", pd.DataFrame(rows, columns=names))


@pytest.mark.parametrize(
    "layers, passed, least",
    [
        ([(0.3, 0.2), (0.2, 0.1)], "true", 0.2),
        ([(0.3, 0.2), (0.1, 0.0)], "false", 0.1),
        ([(0.1, 0.05), (0.3, -0.2)], "false", 0.1),
        ([(-0.3, -0.4), (-0.2, -0.3)], "false", -0.3),
    ],
)
def test_reconstructions_pass_only_above_0_in_every_layer(layers, passed, least):
    (row,) = replaced(*layers)
    assert (row["passed"], row["value"]) == (passed, least)
    assert row["ci_high"] == pytest.approx(least + 0.1)
    above = sum(low > 0 for _, low in layers)
    assert f"in {above} of {len(layers)} layers" in row["sentence"]


@pytest.mark.parametrize(
    "results, word",
    [
        (["true", "true"], "passes"),
        (["false"], "fails"),
        (["true", "false"], "in part"),
        (["true", "not run"], "passes"),
        (["false", "not run"], "fails"),
        (["not run", "not run"], "not run"),
    ],
)
def test_a_test_that_has_several_rows_has_one_outcome(results, word):
    assert verdicts.outcome(pd.DataFrame({"passed": results})) == word


def test_sections_keep_the_order_of_the_table_and_of_the_words():
    rows = [
        ("z", "direct", "seeds_agree", "not run"),
        ("z", "direct", "above_random", "false"),
        ("z", "direct", "above_pixel_bank", "true"),
        ("z", "direct", "above_centre_bias", "true"),
        ("a", "direct", "above_pixel_bank", "true"),
        ("a", "direct", "above_pixel_bank", "false"),
    ]
    rows.insert(3, ("z", "direct", "overall", "false"))
    table = pd.DataFrame(rows, columns=["model", "explanation", "test", "passed"])
    table["dataset"], table["sentence"] = "made", "Why."
    first, second = verdicts.content(table)
    assert (first["name"], second["name"]) == ("z-direct", "a-direct")
    assert first["outcomes"] == [
        ("passes", ["above pixel bank", "above centre bias"]), ("fails", ["above random"]),
        ("not run", ["seeds agree"]),
    ]  # fmt: skip
    assert second["outcomes"] == [("in part", ["above pixel bank"])]
    assert first["overall"] == [{"dataset": "made", "passed": "false", "sentence": "Why."}]
    assert "overall" not in [row["test"] for row in first["rows"]]
    assert [row["test"] for row in second["rows"]] == ["above_pixel_bank"] * 2
