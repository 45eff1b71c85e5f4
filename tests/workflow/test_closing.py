"""The last lines of a run."""

import csv

import pytest

from gaborscope.errors import InputError
from gaborscope.workflow import closing


def write(path, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def interval(mean, width=0.01):
    return {"mean": mean, "ci_low": mean - width, "ci_high": mean + width, "n": 51}


def row(predictor, measure, *estimate, key="measure"):
    return {"predictor": predictor, "dataset": "demo", key: measure, **interval(*estimate)}


def results(folder, gain=0.3, passed="true", same=None):
    """Write tables of a run with one model, one explanation and its nulls."""
    scores = {"centre_bias": 0.0, "net": 0.9, "net-direct": 0.8, "gold_standard": 1.2}
    write(
        folder / "results" / "summary.csv",
        [{"preset": "mit", **row(name, "ig", v, key="metric")} for name, v in scores.items()],
    )
    bits = {"centre_bias": 0.9, "net-loggabor_deep": 0.5, "net-direct": 0.35}
    if same is not None:
        bits["net-loggabor_deep_same"] = 0.4
    rows = [row(name, "kl_deep", value) for name, value in bits.items()]
    rows += [row("net-direct", "gain_by_layers", gain, 0.1), row("net-direct", "fidelity", 0.6)]
    if same is not None:
        rows.append(row("net-direct", "gain_by_layers_same", same, 0.1))
    write(folder / "results" / "fidelity.csv", rows)
    where = {"model": "net", "explanation": "direct", "dataset": "demo"}
    write(
        folder / "results" / "verdicts.csv",
        [{**where, "test": "layers_add", "passed": "true"},
         {**where, "test": "overall", "passed": passed}],
    )  # fmt: skip


def test_a_run_ends_in_table_finding_and_paths(tmp_path):
    results(tmp_path)
    said = closing.lines(tmp_path)
    assert said[-1].split() == ["report", str(tmp_path / "results" / "report" / "index.html")]
    (line,) = (line for line in said if line.startswith("net-direct  "))
    assert "0.350 [0.340, 0.360]" in line and "0.800 [0.790, 0.810]" in line
    (line,) = (line for line in said if line.startswith("net-direct is "))
    assert "0.350 [0.340, 0.360] bits from the map of net, closer than a bank" in line
    assert "(0.500 [0.490, 0.510]); it passes all tests" in line


@pytest.mark.parametrize(
    ("gain", "words"),
    [(0.3, ", closer than a bank"), (0.05, "not shown to be closer than a bank"),
     (-0.3, ", farther than a bank"), (float("nan"), "closer than the centre bias (0.900")],
)  # fmt: skip
def test_the_finding_follows_from_the_interval_against_the_null(tmp_path, gain, words):
    results(tmp_path, gain)
    assert words in "\n".join(closing.lines(tmp_path))


@pytest.mark.parametrize(
    ("same", "words"),
    [(0.2, ", closer than a bank"), (0.05, "not shown to be closer than a bank"),
     (-0.3, ", farther than a bank")],
)  # fmt: skip
def test_a_bank_with_the_same_regressors_decides_where_there_is_one(tmp_path, same, words):
    results(tmp_path, same=same)
    said = "\n".join(closing.lines(tmp_path))
    assert f"{words} with no layer between (0.400 [0.390, 0.410])" in said
    assert "net-loggabor_deep_same  0.400" in said


@pytest.mark.parametrize(
    ("passed", "words"),
    [
        ("false", "does not pass all"),
        ("no verdict", "there is no verdict, as net has less than twice"),
    ],
)
def test_the_finding_says_what_the_tests_decided(tmp_path, passed, words):
    results(tmp_path, passed=passed)
    assert words in "\n".join(closing.lines(tmp_path))


def test_what_was_all_trained_on_is_shown_as_undefined(tmp_path):
    results(tmp_path, passed="no verdict")
    for name in ("summary", "fidelity"):
        path = tmp_path / "results" / f"{name}.csv"
        with open(path, encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        empty = dict.fromkeys(("mean", "ci_low", "ci_high"), "") | {"n": 0}
        write(path, [row | empty if row["predictor"].startswith("net") else row for row in rows])
    said = "\n".join(closing.lines(tmp_path))
    assert "How close net-direct is to net is undefined; it gets no verdict." in said
    assert "net-direct         undefined" in said
    assert "nan" not in said and "twice" not in said


def test_without_an_explanation_the_scores_are_shown(tmp_path):
    results(tmp_path)
    (tmp_path / "results" / "fidelity.csv").unlink()
    (tmp_path / "results" / "verdicts.csv").unlink()
    said = "\n".join(closing.lines(tmp_path))
    assert "gold_standard  1.200 [1.190, 1.210]" in said and "bits from the network" not in said


def test_many_predictors_are_cut_and_counted(tmp_path):
    names = [f"other_{number}" for number in range(closing.MOST_ROWS + 3)]
    write(
        tmp_path / "results" / "summary.csv",
        [{"preset": "mit", **row(name, "nss", 1.0, key="metric")} for name in names],
    )
    assert "and 3 more in summary.csv" in closing.lines(tmp_path)


@pytest.mark.parametrize("content", [None, "predictor,mean\nnet,1\n"])
def test_tables_of_no_run_are_refused_in_a_sentence(tmp_path, content):
    if content:
        (tmp_path / "results").mkdir()
        (tmp_path / "results" / "summary.csv").write_text(content, encoding="utf-8")
    with pytest.raises(InputError, match="run the workflow to its end"):
        closing.lines(tmp_path)
