"""One page of several networks and data sets: figures from tables, words that follow them."""

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from gaborscope.report import pages

ROOT = Path(__file__).resolve().parents[2]
TEMPLATE = ROOT / "docs" / "pages" / "results" / "summary.md"
NETS, SETS = ("net", "other"), ("wide", "tall")
EXPLANATIONS = {
    "direct": {"mode": "direct", "budget": None},
    "few": {"mode": "cascade", "budget": 8},
    "better": {"mode": "refined", "budget": None, "start": "few"},
}
METRICS = {"auc_judd": "AUC", "nss": "NSS", "cc": "CC", "kld": "KLD", "sim": "SIM", "ig": "IG"}
SHARED = ("centre_bias", "itti_koch", "loggabor_fixations", "gold_standard")
# What a predictor is worth: information gain and fidelity rise with it.
WORTH = {
    "direct": 0.6, "few": 0.3, "better": 0.7, "loggabor_deep": 0.4, "itti_koch": 0.2,
    "loggabor_fixations": 0.25, "centre_bias": 0.0, "gold_standard": 1.5,
}  # fmt: skip


def predictors(net):
    own = [f"{net}-{way}" for way in (*EXPLANATIONS, "loggabor_deep")]
    return own + [f"{net}_random{i}-direct" for i in (1, 2)]


def worth(predictor, changed):
    way = predictor.partition("-")[2] or predictor
    value = {**WORTH, **changed}.get(way, 1.0)
    return changed.get("random", 0.1) if "_random" in predictor else value


def write_case(folder, changed=None, deep_nss=2.5):
    """Write the tables of a run of two networks on two data sets, whose values have no pattern."""
    changed, rng = changed or {}, np.random.default_rng(1)
    folder.mkdir(parents=True)
    summary, close, judged, compared, roles = [], [], [], [], {}

    def row(mean):
        return (mean, mean - 0.011, mean + 0.012, 20)

    for dataset in SETS:
        for predictor in (*NETS, *(p for net in NETS for p in predictors(net)), *SHARED):
            for metric in METRICS:
                mean = rng.uniform(0.2, 0.9)
                if metric == "ig":
                    mean = worth(predictor, changed) + rng.uniform(0, 0.01)
                if metric == "nss":
                    mean = deep_nss if predictor in NETS else 1.0
                summary.append(("mit", predictor, dataset, metric, *row(mean)))
        for net in NETS:
            for predictor in (*predictors(net), *SHARED):
                name = f"{net}-{predictor}" if predictor in SHARED else predictor
                compared.append((net, predictor, dataset, name))
                mean = worth(predictor, changed) + rng.uniform(0, 0.01)
                close.append((name, dataset, "fidelity", *row(mean)))
                if predictor == f"{net}-direct":
                    gain = mean - worth("loggabor_deep", changed)
                    close.append((name, dataset, "gain_by_layers", *row(gain)))
                roles[predictor] = (
                    "random network" if "_random" in predictor
                    else "no layer between" if predictor.endswith("_deep")
                    else "no network" if predictor in SHARED else "explanation"
                )  # fmt: skip
            for way in EXPLANATIONS:
                for test, passed in (("above_centre_bias", "true"), ("halves_agree", "false"),
                                     ("seeds_agree", "not run"), ("overall", "false")):  # fmt: skip
                    judged.append((net, way, dataset, test, passed))
    ends = ["mean", "ci_low", "ci_high", "n"]
    columns = ["preset", "predictor", "dataset", "metric", *ends]
    pd.DataFrame(summary, columns=columns).to_csv(folder / "summary.csv", index=False)
    columns = ["predictor", "dataset", "measure", *ends]
    pd.DataFrame(close, columns=columns).to_csv(folder / "fidelity.csv", index=False)
    columns = ["model", "explanation", "dataset", "test", "passed"]
    pd.DataFrame(judged, columns=columns).to_csv(folder / "verdicts.csv", index=False)
    config = {"presets": ["mit"], "evaluate_on": SETS, "explanations": EXPLANATIONS}
    config["nulls"] = {"explanations": ["direct"]}
    described = {
        "config": config, "compared": compared, "roles": roles, "commits": ["abc"],
        "date": "2000-01-01", "processor": "one", "config_files": ["record.yaml"],
        "families": {
            net: {"direct": {"random_networks": [f"{net}_random{i}-direct" for i in (1, 2)]}}
            for net in NETS
        },
    }  # fmt: skip
    (folder / "run.json").write_text(json.dumps(described))
    return folder


@pytest.fixture
def case(tmp_path):
    return write_case(tmp_path / "record")


def tables_of(page):
    """Return the tables of a page by heading: first column to list of the other cells."""
    found, heading = {}, ""
    for line in page.splitlines():
        heading = line.lstrip("# ") if line.startswith("#") else heading
        if line.startswith("| "):
            first, *cells = (cell.strip() for cell in line.strip("|").split("|"))
            found.setdefault(heading, {})[first] = cells
    return found


def test_each_table_of_the_page_is_what_its_csv_holds(case, tmp_path):
    tables = tables_of(pages.render(TEMPLATE, tmp_path))
    summary = pd.read_csv(case / "summary.csv").set_index(["predictor", "dataset", "metric"])
    for dataset in SETS:
        shown = tables[f"On {dataset}"]
        assert shown.pop("predictor") == list(METRICS.values())
        rows = [p for net in NETS for p in (net, *(f"{net}-{way}" for way in EXPLANATIONS))]
        assert list(shown) == [f"`{name}`" for name in (*rows, *SHARED)]
        for name, cells in shown.items():
            for metric, cell in zip(METRICS, cells, strict=True):
                mean = summary["mean"][name.strip("`"), dataset, metric]
                assert float(cell) == pytest.approx(mean, abs=0.00051)
    close = pd.read_csv(case / "fidelity.csv")
    close = close[close["measure"] == "fidelity"].set_index(["predictor", "dataset"])
    for net in NETS:
        shown = tables[f"Of {net}"]
        assert shown.pop("predictor") == list(SETS)
        family = shown.pop("`direct` of 2 random networks")
        for dataset, cell in zip(SETS, family, strict=True):
            drawn = [close["mean"][f"{net}_random{i}-direct", dataset] for i in (1, 2)]
            found = [float(value) for value in re.findall(r"[\d.]+", cell)]
            assert found == pytest.approx([np.mean(drawn), min(drawn), max(drawn)], abs=0.0051)
        assert len(shown) == len(EXPLANATIONS) + 3
        for name, cells in shown.items():
            own = name.strip("`")
            own = f"{net}-{own}" if own in SHARED else own
            for dataset, cell in zip(SETS, cells, strict=True):
                kept = close.loc[(own, dataset), ["mean", "ci_low", "ci_high"]]
                found = [float(value) for value in re.findall(r"[\d.]+", cell)]
                assert found == pytest.approx(list(kept), abs=0.0051)
    verdicts = tables["Verdicts"]
    assert len(verdicts) == 1 + len(NETS) * len(EXPLANATIONS)
    assert verdicts["`net-direct`"] == ["not shown: passes 1, fails 1, not run 1"] * 2


@pytest.mark.parametrize(
    "changed, said",
    [
        ({}, ["Everywhere `direct` predicts people better", "(4 of 4, information",
              "Everywhere `direct` is closer", "closer than a bank fitted straight to the map in 4",
              "Everywhere a refined cascade of at most 8", "closer in 4 of 4."]),
        ({"itti_koch": 0.9}, ["Nowhere is it shown that `direct` predicts people", "(0 of 4"]),
        ({"random": 0.9}, ["Nowhere is it shown that `direct` is closer"]),
        ({"loggabor_deep": 0.9}, ["map in 0 of 4, take it farther away in 4 of 4"]),
        ({"loggabor_deep": 0.605}, ["not shown to matter in 4 of 4"]),
        ({"better": 0.3}, ["Nowhere is it shown that a refined cascade", "farther in 4 of 4",
                           "closer in 0 of 4"]),
    ],
)  # fmt: skip
def test_findings_follow_the_tables(tmp_path, changed, said):
    write_case(tmp_path / "record", changed)
    page = pages.render(TEMPLATE, tmp_path)
    assert [words for words in said if words not in page] == []


def test_a_weak_network_is_marked(tmp_path):
    write_case(tmp_path / "record", deep_nss=1.9)
    page = pages.render(TEMPLATE, tmp_path)
    assert "centre bias: net on wide, net on tall, other on wide, other on tall." in page
    assert "`net` (weak)" in tables_of(page)["On wide"]
    assert "`net-direct` (weak)" not in page


def test_figures_are_drawn_with_their_tables(case):
    drawn = pages.Tables(case).draw()
    assert [path.name for path in drawn] == ["on_people.png", "beside_nulls.png"]
    for path in drawn:
        assert path.is_file() and path.with_suffix(".svg").is_file()
    close = pd.read_csv(case / "fidelity.csv")
    close = close[close["measure"] == "fidelity"].set_index(["predictor", "dataset"])
    table = pd.read_csv(drawn[1].with_suffix(".csv"))
    assert len(table) == len(NETS) * len(SETS) * (len(EXPLANATIONS) + 2 + 1)
    for _, row in table.iterrows():
        assert row["mean"] == pytest.approx(close["mean"][row["predictor"], row["dataset"]])


def test_a_page_whose_tables_are_not_there_waits(case, tmp_path):
    assert pages.missing(TEMPLATE, tmp_path) == []
    assert pages.missing(TEMPLATE, tmp_path / "empty") == ["record"]
