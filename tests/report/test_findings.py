"""The summary is written from the numbers and their nulls."""

import math

import pandas as pd
import pytest

from gaborscope.report import findings

NAMES = ("net", "net-direct", "made", "exact")
ROLES = {"no layer between": ["net-loggabor_deep"], "wrong bank": [],
         "random network": [f"net_r{i}-direct" for i in range(6)]}  # fmt: skip


def tables(deep=(0.5, 0.4, 0.6), gain=(0.1, 0.05, 0.2), share=(0.8, 0.7, 0.9), n=40):
    fidelity = [("net-direct", "fidelity", 0.7, 0.6, 0.8), ("net-direct", "gain_by_layers", *gain),
                ("net-loggabor_deep", "fidelity", 0.5, 0.4, 0.6)]  # fmt: skip
    fidelity += [(f"net_r{i}-direct", "fidelity", i / 10, 0, 1) for i in range(6)]
    found = {
        "summary": pd.DataFrame(
            [("exact", name, "made", "ig", *values, n)
             for name, values in (("net", deep), ("net-direct", (0.4, 0.3, 0.5)))],
            columns=["preset", "predictor", "dataset", "metric", *findings.ENDS, "n"],
        ),
        "fidelity": pd.DataFrame(fidelity, columns=["predictor", "measure", *findings.ENDS]),
        "shares": pd.DataFrame(
            [("test", "exact", "net-direct", "made", "ig", *share)],
            columns=["split", "preset", "predictor", "dataset", "metric", "share", "share_low",
                     "share_high"],
        ),
        "verdicts": pd.DataFrame(
            [("a", "true"), ("b", "true"), ("b", "false"), ("c", "not run"), ("overall", "false")],
            columns=["test", "passed"],
        ).assign(model="net", explanation="direct", dataset="made", sentence=""),
    }  # fmt: skip
    found["fidelity"]["dataset"] = "made"
    return found


def test_the_summary_has_the_finding_its_nulls_and_the_verdict():
    assert findings.sentences(NAMES, tables(), ROLES, synthetic=False) == [
        "The network net predicts fixations better than the centre bias: +0.50 [+0.40, +0.60] bits "
        "per fixation on 40 test stimuli of made.",
        "The explanation net-direct has a fidelity of 0.70 [0.60, 0.80] to the maps of net, where "
        "0 is the centre bias and 1 the network itself.",
        "The same filters fitted to its maps with no layer between reach 0.50 [0.40, 0.60], so the "
        "layers bring it closer; random networks explained alike 0.00 to 0.50.",
        "At fixations the explanation has +0.40 [+0.30, +0.50] bits above the centre bias, 80 % "
        "[70, 90] of the network's.",
        "It does not pass as a whole: of 3 tests that could refute it, 1 passed, 1 failed or "
        "passed in part, and 1 was not run.",
    ]


@pytest.mark.parametrize(
    "gain, said",
    [((0.1, -0.1, 0.2), "the layers are not shown to help"),
     ((-0.2, -0.3, -0.1), "the layers take it farther away")],
)  # fmt: skip
def test_what_layers_do_follows_from_the_interval(gain, said):
    assert said in findings.sentences(NAMES, tables(gain=gain), ROLES, synthetic=False)[2]


@pytest.mark.parametrize("share", [(math.nan,) * 3, (0.68, -1.22, 2.0), (0.68, 0.2, math.nan)])
def test_no_percentage_is_given_without_a_share_that_says_something(share):
    said = findings.sentences(NAMES, tables(share=share), ROLES, synthetic=True)
    assert not any("%" in sentence for sentence in said)
    assert "At generated fixations" in said[3]


@pytest.mark.parametrize(
    "deep, said",
    [((-0.2, -0.3, -0.1), "is worse than"), ((0.1, -0.1, 0.3), "is not shown to be better than")],
)
def test_a_network_that_is_not_above_the_centre_bias_gets_a_banner(deep, said):
    found = tables(deep=deep)
    (banner,) = findings.banners(found["summary"], ["net"], ["made", "other"], "exact")
    assert f"net {said} the centre bias" in banner
    first = findings.sentences(NAMES, found, ROLES, synthetic=False)[0]
    assert ("worse than" if deep[2] < 0 else "is not shown to be better than") in first


def test_a_network_too_weak_for_a_verdict_is_named_with_its_ratio():
    row = {"model": "net", "dataset": "made", "test": "deep_twice_centre_bias", "passed": "false"}
    verdicts = pd.DataFrame([{**row, "sentence": "net has 1.50 times."}] * 2)
    assert findings.without_verdict(verdicts, ["net"], ["made"]) == ["On made: net has 1.50 times."]
    assert findings.without_verdict(verdicts, ["other"], ["made"]) == []
    assert findings.without_verdict(verdicts.assign(passed="true"), ["net"], ["made"]) == []


def exposed(left, n=40):
    summary = tables(n=left)["summary"]
    bias = summary.iloc[:1].assign(predictor="centre_bias", mean=0, n=n)
    if not left:
        summary[list(findings.ENDS)] = math.nan
    return pd.concat([summary, bias], ignore_index=True)


def test_a_network_that_saw_every_test_stimulus_gets_a_banner_that_says_so():
    (banner,) = findings.banners(exposed(0), ["net"], ["made"], "exact")
    assert "net was trained on every test stimulus of made (40 of 40), so nothing is" in banner
    assert findings.of_exposure(exposed(0), ["net"], ["made"], []) == []
    found = tables()
    found["fidelity"][list(findings.ENDS)] = math.nan
    found["summary"] = exposed(0)
    said = findings.sentences(NAMES, found, ROLES, synthetic=False)
    assert len(said) == 1 and "nan" not in said[0]
    found["verdicts"] = found["verdicts"].assign(
        passed="no verdict", sentence="net was trained on every test stimulus, so it gets none."
    )
    (said,) = findings.sentences(NAMES, found, ROLES, synthetic=False)
    assert said.startswith("It gets no verdict, since the network was trained on every test stim")


def test_a_network_that_saw_some_test_stimuli_gets_a_warning_with_what_is_left():
    (warning,) = findings.of_exposure(exposed(30), ["net"], ["made"], [])
    assert "net was trained on 10 of the 40 test stimuli of made" in warning
    assert warning.endswith("of the 30 that are left")
    assert findings.banners(exposed(30), ["net"], ["made"], "exact") == []
    assert findings.of_exposure(exposed(40), ["net"], ["made"], []) == []


def test_a_network_of_which_nobody_says_what_it_saw_gets_a_warning():
    (warning,) = findings.of_exposure(exposed(40), ["net"], ["made"], ["net"])
    assert warning.startswith("what net was trained on is unknown") and "trained_on" in warning


def test_the_verdict_repeats_no_banner():
    sentences = ["net was trained on every test stimulus, so it gets no verdict.", "weak."]
    table = pd.DataFrame({"sentence": sentences, "dataset": ["made", "other"]}).assign(
        model="net", test="deep_twice_centre_bias", passed="false"
    )
    assert findings.without_verdict(table, ["net"], ["made", "other"]) == ["On other: weak."]


def test_a_network_clearly_above_the_centre_bias_gets_none():
    assert findings.banners(tables()["summary"], ["net"], ["made"], "exact") == []


def test_baselines_alone_have_a_summary_too():
    said = findings.of_baselines(tables()["summary"], "made", "exact")
    assert (
        said[0] == "2 predictors were scored on 40 test stimuli of made; no network is explained."
    )
    assert "2 of them are clearly above the centre bias" in said[1] and "of net, +0.50" in said[1]


def test_all_explanations_are_shown_at_a_glance():
    found = findings.glance([("net", "net-direct", "made"), ("net", "net-x", "made")], tables(),
                            "exact")  # fmt: skip
    assert found["rows"] == [
        ("net-direct", ["made", "0.70 [0.60, 0.80]", "0.10 [0.05, 0.20]", "+0.40 [+0.30, +0.50]",
                        "+0.50 [+0.40, +0.60]", "not shown"]),
        ("net-x", ["made", "undefined", "undefined", "undefined", "+0.50 [+0.40, +0.60]",
                   "not judged"]),
    ]  # fmt: skip


def test_predictors_are_grouped_by_what_they_are():
    compared = [("net", "net-direct", "made", "net-direct"), ("other", "x", "made", "x")]
    found = findings.by_role(compared, {"net-direct": "explanation", "x": "no network"}, "net",
                             "made")  # fmt: skip
    assert found["explanation"] == ["net-direct"] and found["no network"] == []
