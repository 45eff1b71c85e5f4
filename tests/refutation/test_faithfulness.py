"""Tables of faithfulness: stable draws, paired differences, means over stimuli."""

import numpy as np
import pandas as pd
import pytest
from helpers import make_block

from gaborscope.refutation import faithfulness, verdicts
from gaborscope.report import faithfulness as report_faithfulness
from gaborscope.scoring import metrics
from gaborscope.store import tables


def test_stimuli_drawn_stay_when_others_join():
    names = [f"{i}.png" for i in range(20)]
    drawn = {names[i] for i in faithfulness.chosen(names, 8, 1)}
    more = ["new.png", *names]
    assert len(drawn & {more[i] for i in faithfulness.chosen(more, 8, 1)}) >= 7
    assert not drawn & {names[i] for i in faithfulness.chosen(names, 8, 1, drawn)}


@pytest.mark.parametrize("preset", ["mit", "exact"])
def test_the_intact_map_is_judged_perfect_against_itself(preset, rng):
    block = make_block([(20, 30)])
    density = rng.uniform(0.1, 1, (20, 30))
    density /= density.sum()
    scores = faithfulness.Judge(block, 0, density, preset).score(density)
    assert scores["cc_intact"] == pytest.approx(1) and scores["sim_intact"] == pytest.approx(1)
    assert scores["kld_intact"] == pytest.approx(0, abs=1e-6)
    assert list(scores) == [*faithfulness.HUMAN, *faithfulness.INTACT]


def test_without_fixations_only_the_intact_map_judges(rng):
    block = make_block([(20, 30)], n_points=0)
    density = np.full((20, 30), 1 / 600)
    density[3, 4] *= 2
    scores = faithfulness.Judge(block, 0, density / density.sum(), "mit").score(density)
    assert all(np.isnan(scores[name]) for name in faithfulness.HUMAN)
    assert scores["cc_intact"] == pytest.approx(1)


def test_auc_of_preset_mit_is_that_of_judd(rng):
    block = make_block([(20, 30)])
    density = rng.uniform(0.1, 1, (20, 30))
    judge = faithfulness.Judge(block, 0, density / density.sum(), "mit")
    assert judge.score(density)["auc"] == metrics.auc_judd(density, judge.pixels)


def substituted(stimuli, shift):
    """Return rows; for each stimulus the reconstruction scores `shift` more than `mean`."""
    rows = []
    for number, stimulus in enumerate(stimuli):
        for kind, value in (("reconstruction", number + shift), ("mean", number)):
            scores = dict.fromkeys([*faithfulness.HUMAN, *faithfulness.INTACT], value)
            rows.append({"layer": "a", "way": "alone", "substitute": kind, "stimulus": stimulus,
                         **scores})  # fmt: skip
        intact = dict.fromkeys([*faithfulness.HUMAN, *faithfulness.INTACT], 9.0)
        keys = dict.fromkeys(["layer", "way", "substitute"], "intact")
        rows.append({**keys, "stimulus": stimulus, **intact})
    return pd.DataFrame(rows)


def test_differences_from_a_control_are_paired_by_stimulus():
    rows = substituted(["b", "a", "c"], 0.25).sample(frac=1, random_state=1)
    means, differences = faithfulness.substitution_tables(rows, 50, 1)
    nss_row = differences.set_index("metric").loc["nss"]
    # stimuli differ by whole numbers, but every pair by a quarter: the difference has no spread
    assert tuple(nss_row[["difference", "ci_low", "ci_high"]]) == (0.25, 0.25, 0.25)
    assert set(means["substitute"]) == {"reconstruction", "mean", "intact"}
    assert set(differences["control"]) == {"mean"}


@pytest.fixture
def none_left(tmp_path):
    """Tables by block, as written where every stimulus was trained on."""
    found = []
    for columns in (faithfulness.SUBSTITUTED, faithfulness.INTERVENED):
        files = [tmp_path / f"{len(columns)}_{block}.csv" for block in "ab"]
        for file in files:
            tables.write_csv(file, [], columns)
        found.append(faithfulness.joined(map(tables.read_csv, files)))
    return found


def test_without_a_stimulus_the_tables_are_there_and_undefined(tmp_path, none_left):
    means, differences = faithfulness.substitution_tables(none_left[0], 50, 1)
    some, others = faithfulness.substitution_tables(substituted(["a", "b"], 0.25), 50, 1)
    assert (len(means), len(differences)) == (0, 0)
    assert list(means) == list(some) and list(differences) == list(others)
    table = faithfulness.intervention_table(none_left[1], 50, 1)
    whole = faithfulness.intervention_table(intervened(0.3, 0.1), 50, 1)
    assert list(table) == list(whole)
    assert table[["kind", "measure"]].equals(whole[["kind", "measure"]])
    assert table["mean"].isna().all() and (table["n"] == 0).all()


def test_without_a_stimulus_no_test_was_run_and_the_page_shows_none(tmp_path, none_left):
    _, differences = faithfulness.substitution_tables(none_left[0], 50, 1)
    table = faithfulness.intervention_table(none_left[1], 50, 1)
    about = "net", "direct", "made"
    (layers,) = verdicts.faithfulness_rows(*about, differences)
    (images,) = verdicts.intervention_rows(*about, table, 50)
    for row in (layers, images):
        assert row["passed"] == "not run" and "trained on" in row["sentence"]
    folder = tmp_path / "results" / "faithfulness" / "cmrnet" / "demo" / "direct"
    folder.mkdir(parents=True)
    paths = [folder / "substitution.csv", folder / "interventions.summary.csv"]
    means, _ = faithfulness.substitution_tables(none_left[0], 50, 1)
    tables.write_csv(paths[0], means)
    tables.write_csv(paths[1], table)
    assert report_faithfulness.parts(paths, tmp_path, 40) == []


def test_a_block_without_a_stimulus_changes_nothing(none_left):
    rows = substituted(["b", "a"], 0.25)
    joined = faithfulness.joined([none_left[0], rows])
    assert (joined.dtypes == rows.dtypes).all() and len(joined) == len(rows)


def test_the_page_reads_what_the_stage_wrote(tmp_path):
    folder = tmp_path / "results" / "faithfulness" / "cmrnet" / "demo" / "direct"
    folder.mkdir(parents=True)
    # the tables go through files, as in the workflow
    substituted(["b", "a", "c"], 0.25).to_csv(tmp_path / "rows.csv", index=False)
    means, _ = faithfulness.substitution_tables(pd.read_csv(tmp_path / "rows.csv"), 50, 1)
    means.to_csv(folder / "substitution.csv", index=False)
    table = faithfulness.intervention_table(intervened(0.3, 0.1), 50, 1)
    table.to_csv(folder / "interventions.summary.csv", index=False)
    paths = [folder / "substitution.csv", folder / "interventions.summary.csv"]
    (part,) = report_faithfulness.parts(paths, tmp_path, 40)
    assert (part["model"], part["dataset"], part["explanation"]) == ("cmrnet", "demo", "direct")
    assert part["n"] == 3 and part["intact"] == "9.000" and part["figure"].stat().st_size > 0
    assert part["substitution"]["columns"] == ["reconstruction", "mean", "NSS, reconstruction"]
    assert [name for name, _ in part["substitution"]["rows"]] == ["a, alone"]
    assert [name for name, _ in part["interventions"]["rows"]] == list(dict.fromkeys(table["kind"]))


def intervened(leading, random, n=6):
    rng, rows = np.random.default_rng(0), []
    for stimulus in "abc":
        for number in range(n):
            for kind, size in (("leading", leading), ("lower_half", random),
                               ("random_phase", random)):  # fmt: skip
                size = size * (1 + number)
                row = dict.fromkeys(faithfulness.MEASURES, float(rng.uniform()))
                row |= {"kl_deep": size, "kl_explained": size**2}
                rows.append({"stimulus": stimulus, "notch": str(number), "kind": kind, **row})
    return pd.DataFrame(rows)


def test_leading_notches_are_set_against_random_ones_of_the_same_stimulus():
    table = faithfulness.intervention_table(intervened(0.3, 0.1), 50, 1)
    cells = table.set_index(["kind", "measure"])["mean"]
    assert cells["leading / lower_half", "kl_deep"] == pytest.approx(3)
    assert cells["leading - random_phase", "kl_deep"] == pytest.approx(0.2 * 3.5)
    ps = table.set_index(["kind", "measure"])["p"]
    assert ps["leading - lower_half", "kl_deep"] == pytest.approx(2 / 51)
    assert np.isnan(ps["leading", "kl_deep"])
    # both sizes rise together; the square does not change a rank correlation
    assert cells["all", "size_correlation"] == pytest.approx(1)
