"""Every figure of a page comes from a table of record, or the page is not made."""

import json

import pandas as pd
import pytest

from gaborscope.errors import InputError
from gaborscope.report import pages


@pytest.fixture
def case(tmp_path):
    folder = tmp_path / "osie"
    folder.mkdir()
    rows = [
        ("centre_bias", "nss", 1.0, 0.9, 1.1),
        ("centre_bias", "ig", 0.0, 0.0, 0.0),
        ("net", "nss", 2.5, 2.44, 2.5551),
        ("net", "cc", float("nan"), float("nan"), float("nan")),
    ]
    names = ["predictor", "metric", "mean", "ci_low", "ci_high"]
    pd.DataFrame(rows, columns=names).to_csv(folder / "summary.csv", index=False)
    described = {"commit": "abc", "versions": json.dumps({"numpy": "2"}),
                 "params": json.dumps({"config": {"seed": 1}})}  # fmt: skip
    (folder / "run.json").write_text(json.dumps(described))
    return pages.Tables(folder)


def test_a_table_has_the_rows_and_columns_that_are_asked_for(case):
    text = case.table("summary", "predictor", "metric", columns=["nss", "ig"], digits=2)
    assert text.splitlines() == [
        "| predictor | nss | ig |",
        "|---|---|---|",
        "| `centre_bias` | 1.00 [0.90, 1.10] | 0.00 [0.00, 0.00] |",
        "| `net` | 2.50 [2.44, 2.56] |  |",
    ]
    text = case.table("summary", "predictor", "metric", rows=["net"], metric=["cc"])
    assert text.splitlines()[2:] == ["| `net` | undefined |"]


def test_one_value_is_shown_with_or_without_its_interval(case):
    asked = {"predictor": "net", "metric": "nss"}
    assert case.number("summary", digits=1, sign=True, **asked) == "+2.5"
    assert case.estimate("summary", **asked) == "2.500 [2.440, 2.555]"


def test_rows_are_listed_as_they_are(case):
    text = case.listing("summary", {"who": "predictor", "mean": "mean"}, digits=1, metric="nss")
    assert text.splitlines()[2:] == ["| centre_bias | 1.0 |", "| net | 2.5 |"]


@pytest.mark.parametrize(
    "asked, said",
    [
        (("number", {"name": "summary", "metric": "nss"}), "has 2 rows"),
        (("number", {"name": "summary", "metric": "sim"}), "has no row"),
        (("number", {"name": "summary", "preset": "mit"}), "has no column 'preset'"),
        (("number", {"name": "fidelity"}), "fidelity.csv is missing"),
        (("table", {"name": "summary", "index": "predictor", "across": "metric",
                    "rows": ["other"]}), "has no predictor 'other'"),
        (("table", {"name": "summary", "index": "metric", "across": "metric"}), "several rows"),
    ],
)  # fmt: skip
def test_what_a_table_does_not_hold_is_never_shown(case, asked, said):
    method, arguments = asked
    with pytest.raises(InputError, match=said):
        getattr(case, method)(**arguments)


def test_a_page_says_where_its_figures_come_from(case, tmp_path):
    template = tmp_path / "page.md"
    template.write_text(
        "{% set osie = case('osie') %}\n"
        "NSS {{ osie.number('summary', predictor='net', metric='nss') }}, "
        "commit {{ osie.run().commit }}, seed {{ osie.run().config.seed }}\n"
    )
    assert pages.render(template, tmp_path) == "NSS 2.500, commit abc, seed 1\n"
