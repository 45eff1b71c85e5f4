"""Verdicts rest on the tables that are about their explanation, and on no others."""

import pandas as pd
import pytest

from gaborscope.errors import InputError
from gaborscope.refutation import evidence, stability
from gaborscope.store import paths, tables

CONTEST = {"model": "net", "explanation": "direct", "predictor": "net-direct", "rivals": []}
RESAMPLING = evidence.Resampling(n_resamples=10, permutations=10, seed=1)


def agreement(value, **names):
    row = dict.fromkeys(stability.COLUMNS, value)
    return pd.DataFrame([{**names, **row, "layer": "all", "measure": "identity", "maps": 9}])


def gathered(**changes):
    names = ("scores", "halves", "seeds", "faithfulness", "fidelity", "interventions")
    empty = {name: {} for name in names}
    return evidence.Evidence(**{**empty, **changes})


def judged(test, direct=("direct",), analyses=("halves", "seeds"), **changes):
    about = gathered(**changes), "made", ["made"], RESAMPLING, direct, analyses
    rows = evidence.rows(CONTEST, *about)
    return [row for row in rows if row["test"] == test]


def test_halves_of_another_network_or_explanation_do_not_count():
    halves = {("net", "other"): agreement(0.1), ("blank", "direct"): agreement(0.2)}
    (row,) = judged("halves_agree", halves=halves)
    assert row["passed"] == "not run"
    (row,) = judged("halves_agree", halves={**halves, ("net", "direct"): agreement(0.3)})
    assert row["value"] == 0.3


@pytest.mark.parametrize("test", ["halves_agree", "seeds_agree"])
def test_a_test_that_was_not_run_says_why(test):
    assert not judged(test, direct=())  # of a cascade, no identities of single layers are claimed
    (row,) = judged(test, analyses=())
    assert f"analyses of the config has no {test.removesuffix('_agree')}" in row["sentence"]


def test_seeds_are_not_agreed_on_where_there_is_one_training():
    (row,) = judged("seeds_agree")
    assert "no other network of models differs from net in its seed alone" in row["sentence"]


def test_a_network_is_matched_with_its_partners_whichever_comes_first():
    table = pd.concat(
        [
            agreement(0.1, model="net", other="net_b"),
            agreement(0.2, model="net_a", other="net"),
            agreement(0.3, model="net_a", other="net_b"),
        ]
    )
    rows = judged("seeds_agree", seeds={"direct": table})
    found = [(row["against"], row["value"]) for row in rows]
    assert found == [("matched with net_b", 0.1), ("matched with net_a", 0.2)]


def test_tables_are_told_apart_by_their_paths(tmp_path):
    def write(kind, table, **names):
        path = str(tmp_path / paths.make(kind, **names))
        tables.write_csv(path, table)
        return path

    names = {"model": "net", "dataset": "made", "explanation": "direct"}
    halves = write("halves", agreement(0.3), **names)
    seeds = write("seeds", agreement(0.1, model="net", other="net_b"), explanation="direct")
    replaced = write("substitution_differences", pd.DataFrame({"layer": ["a"]}), **names)
    distances = write("fidelity_stimuli", pd.DataFrame({"stimulus": ["s"], "kl_deep": [0.5]}),
                      model="net", predictor="centre_bias", dataset="made")  # fmt: skip
    changed = write("interventions_summary", pd.DataFrame({"kind": ["leading"]}), **names)
    scores = write("scores", pd.DataFrame({"stimulus": ["s"], "nss": [1.0]}),
                   preset="mit", predictor="net", dataset="made")  # fmt: skip
    cells = [["mit", "net", "made"]]
    read = evidence.read(cells, [scores], [halves], [seeds], [replaced], [distances], [changed])
    assert list(read.scores) == [("mit", "net", "made")]
    assert list(read.halves) == [("net", "direct")] and list(read.seeds) == ["direct"]
    assert list(read.faithfulness) == [("net", "made", "direct")]
    assert list(read.interventions) == [("net", "made", "direct")]
    assert read.fidelity["net", "centre_bias", "made"].loc["s", "kl_deep"] == 0.5
    with pytest.raises(InputError, match="halves"):
        evidence.read(cells, [scores], [seeds], [], [], [], [])


def test_the_verdict_counts_the_agreement_found_on_the_data_set_of_the_fit():
    given = gathered(halves={("net", "direct"): agreement(0.01)})
    rows = evidence.rows(
        CONTEST, given, "fitted", ["a", "b"], RESAMPLING, ["direct"], ["halves", "seeds"]
    )
    overall = [row for row in rows if row["test"] == "overall"]
    assert [row["dataset"] for row in overall] == ["a", "b"]
    for row in overall:
        assert row["passed"] == "false" and "seeds agree" in row["sentence"]
        assert "halves agree" not in row["sentence"]
