"""Every figure of a page comes from a table of record, or the page is not made."""

import json

import pandas as pd
import pytest

from gaborscope.analysis import bits
from gaborscope.errors import InputError
from gaborscope.report import fidelity, pages, partings

ROLES = {"net-direct": "explanation", "net-noise": "wrong bank", "centre_bias": "no network"}
COMPARED = [["net", name, "made", name] for name in ROLES]


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
    described = {"commits": ["abc"], "config": {"seed": 1}, "compared": COMPARED, "roles": ROLES}
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


def test_how_many_times_another_s_mean_is_a_ratio_of_means(case):
    assert case.times("summary", "net", "centre_bias", metric="nss") == "2.50"
    path = case.folder / "summary.csv"
    path.write_text(path.read_text().replace("centre_bias,nss,1.0", "centre_bias,nss,-1.0"))
    assert case.times("summary", "net", "centre_bias", metric="nss") == "undefined"


def test_a_family_has_its_mean_and_range(case):
    family = ["centre_bias", "net"]
    assert case.spread("summary", family, digits=1, metric="nss") == "1.8 (1.0 to 2.5)"
    assert case.spread("summary", ["net"], digits=1, metric="nss") == "2.5"
    assert case.spread("summary", ["net"], metric="cc") == "undefined"


def test_a_page_decides_by_values_and_by_what_there_is(case):
    assert case.value("summary", predictor="net", metric="nss") == 2.5
    assert case.has("summary", predictor="net") and case.has("summary")
    assert not case.has("summary", predictor="other") and not case.has("fidelity")


def test_tables_by_model_and_explanation_are_read_by_predictor_too(case):
    rows = {"model": ["net", "net"], "explanation": ["direct", "noise"], "explained": [0.5, 0.25]}
    pd.DataFrame(rows).to_csv(case.folder / "explained_variance.csv", index=False)
    asked = {"column": "explained", "digits": 2, "predictor": "net-noise"}
    assert case.number("explained_variance", **asked) == "0.25"


def test_verdicts_are_gathered_by_outcome(case):
    columns = ["model", "explanation", "dataset", "test", "passed", "sentence"]
    outcomes = [("above_a", "true"), ("above_b", "false"), ("above_c", "true")]
    outcomes += [("above_c", "false"), ("d", "not run"), ("overall", "false")]
    rows = [("net", "direct", "made", test, passed, test.upper()) for test, passed in outcomes]
    pd.DataFrame(rows, columns=columns).to_csv(case.folder / "verdicts.csv", index=False)
    found = case.verdicts("net-direct")
    assert found["outcomes"] == {
        "passes": ["above a"], "fails": ["above b"], "in part": ["above c"], "not run": ["d"],
    }  # fmt: skip
    assert found["overall"] == [{"dataset": "made", "passed": "false", "sentence": "OVERALL"}]


def test_figures_of_fidelity_lie_beside_the_tables(case):
    assert case.closeness() == []  # nothing compared, nothing drawn
    rows = [
        (predictor, "made", measure, 0.5, 0.4, 0.6, 20)
        for predictor in ROLES
        for measure in fidelity.MEASURES
    ]
    columns = ["predictor", "dataset", "measure", "mean", "ci_low", "ci_high", "n"]
    pd.DataFrame(rows, columns=columns).to_csv(case.folder / "fidelity.csv", index=False)
    (part,) = case.closeness()
    assert part["figure"] == case.folder / "fidelity_net_made.png" and part["figure"].is_file()
    assert part["sentences"][0].startswith("net-direct has fidelity 0.50 [0.40, 0.60] to net")


def test_explained_bits_of_networks_and_people_are_laid_out_and_drawn(case):
    parts = {
        "contrast": 0.3, "concept:faces": 0.2, "unexplained": 0.5, "explained": 0.5, "deep": 1.0,
        "added:faces": 0.1, "swapped:faces": 0.0,
    }  # fmt: skip
    rows = [
        (*whose, part, value, value - 0.01, value + 0.01, value, value, value, 20)
        for whose in (("net", "made", "direct"), ("gold_standard", "made", "bank"))
        for part, value in parts.items()
    ]
    columns = ["model", "dataset", "explanation", *bits.COLUMNS]
    pd.DataFrame(rows, columns=columns).to_csv(case.folder / "bits.csv", index=False)
    before = (case.folder / "bits.csv").read_bytes()
    assert case.draw()[-1] == case.folder / "explained_bits.png"
    found = case.bits()
    assert [name for name, _ in found["bits_table"]["rows"]] == ["net-direct", "people"]
    assert set(found["bits_table"]["columns"]) == set(parts)
    lines = found["markdown"].splitlines()
    assert lines[0] == "| part | net-direct | people |" and len(lines) == 2 + len(parts)
    cell = "0.300 [0.290,\xa00.310], 30%"
    assert lines[2] == f"| `contrast` | {cell} | {cell} |"
    assert {line.count("|") for line in lines} == {4}
    assert [said.partition(":")[0] for said in found["bits_sentences"]] == ["net-direct", "people"]
    assert "adds 0.100 [0.090, 0.110] to all other" in found["bits_sentences"][0]
    assert (case.folder / "bits.csv").read_bytes() == before  # of record, not the figure's own
    assert (case.folder / "explained_bits.csv").is_file()


def test_changed_images_are_told_as_in_the_report(case):
    moved = {"network": (0.5, 0.1, 2), "explanation": (0.1, 0.6, -2), "noise": (0.1, 0.1, 0),
             "network - noise": (0.4, 0.0, 2), "explanation - noise": (0.0, 0.5, -2)}  # fmt: skip
    rows = [
        ("net", "made", "direct", 4.0, kind, measure, mean, mean - 0.05, mean + 0.05, 5)
        for kind, means in moved.items()
        for measure, mean in zip(partings.MEASURES, means, strict=True)
    ]
    columns = ["model", "dataset", "explanation", "level", "kind", "measure"]
    table = pd.DataFrame(rows, columns=[*columns, "mean", "ci_low", "ci_high", "n"])
    table.to_csv(case.folder / "differentiation.csv", index=False)
    found = case.partings("net-direct")
    assert found["n"] == 5 and len(found["table"]["rows"]) == len(moved)
    assert found["sentences"][1].endswith("rests on something that the other does not see.")


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
        "commit {{ osie.run().commits[0] }}, seed {{ osie.run().config.seed }}\n"
    )
    assert pages.render(template, tmp_path) == "NSS 2.500, commit abc, seed 1\n"


def test_rivals_of_an_explanation_are_sorted_by_what_tests_say(case):
    columns = ["model", "explanation", "test", "metric", "against", "value", "p", "p_holm"]
    rows = [
        ("above_random_networks", "2 draws: net_random1-direct ...", 0.3, 0.001, 0.01),
        ("above_loggabor_equal", "loggabor_equal", -0.3, 0.001, 0.01),
        ("above_noise_banks", "net-noise", 0.3, 0.02, 0.2),
        ("above_progressive_networks", "net_from_input25-direct", 0.3, 0.001, 0.01),
        ("above_progressive_networks", "net_from_input50-direct", 0.3, 0.3, 1.0),
        ("layers_add", "net-loggabor_deep", 0.3, 0.001, 0.01),
    ]
    table = [("net", "direct", test, "kl_deep", *row) for test, *row in rows]
    pd.DataFrame(table, columns=columns).to_csv(case.folder / "verdicts.csv", index=False)
    assert case.standing("net-direct", "kl_deep") == {
        "better": ["random networks", "`net_from_input25-direct`"],
        "worse": ["`loggabor_equal`"],
        "not shown": ["noise banks", "`net_from_input50-direct`"],
    }


def test_layers_are_told_with_the_largest_wrong_bank_and_the_word(case):
    families = {"random_networks": ["blank-direct"], "noise_banks": ["net-noise"],
                "from_output": ["half-direct"]}  # fmt: skip
    run = {**case.run(), "families": {"net": {"direct": families}}}
    (case.folder / "run.json").write_text(json.dumps(run))
    rows = [
        (*name.split("-"), layer, split, value, value - 0.1)
        for name, stem, logits in (
            ("net-direct", 0.9, 0.8), ("net-noise", 0.7, 0.85), ("blank-direct", 0.4, 0.3),
            ("half-direct", 0.95, 0.95),
        )
        for layer, value in (("stem", stem), ("logits", logits))
        for split in ("validation", "test")
    ]  # fmt: skip
    columns = ["model", "explanation", "layer", "split", "explained_variance", "without_position"]
    pd.DataFrame(rows, columns=columns).to_csv(case.folder / "explained_variance.csv", index=False)
    found = case.layers("net-direct")
    assert [list(row.values()) for row in found["rows"]] == [
        ["stem", "0.90", "0.80", "0.60", "0.30", "explained"],
        ["logits", "0.80", "0.70", "0.75", "0.20", "linearly predictable from"],
    ]
    assert "since a wrong bank predicts as much: logits (0.70; wrong bank 0.75)" in " ".join(
        found["sentences"]
    )


def test_names_are_described_by_layer(case):
    columns = ["map", "kind", "colour", "cycles_per_degree", "share"]
    rows = [
        (0, "even", "Y", 0.5, 0.1), (0, "even", "U", 1.0, 0.2), (1, "odd", "U", 2.0, 0.4),
        (1, "position", float("nan"), float("nan"), 0.1), (1, "odd", "Y", 2.0, 0.0),
    ]  # fmt: skip
    table = pd.DataFrame(rows, columns=columns).assign(model="net", explanation="direct")
    table.assign(layer="stem").to_csv(case.folder / "identities.csv", index=False)
    (row,) = case.named("net-direct")
    assert (row["layer"], row["per_map"], row["cycles_per_degree"]) == ("stem", 2.5, 1.5)
    assert (row["kind"], row["colour"]) == ("odd", "U")
    assert (row["kind_part"], row["colour_part"]) == pytest.approx((0.5, 0.75))
