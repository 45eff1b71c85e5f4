"""Sections of the report on the anatomy of explanations."""

import types

import numpy as np
import pandas as pd
from helpers import page_content as content

from gaborscope.analysis import anatomy as analysis_anatomy
from gaborscope.report import anatomy, page
from gaborscope.store import paths

PARTS = ("contrast", "position", "colour", "unexplained", "explained", "deep")


def bits_table(folder, name, parts=PARTS, values=(0.2, -0.1, 0.3, 0.6, 0.4, 1.0), model="cmrnet"):
    path = folder / paths.make("bits", model=model, dataset="made", explanation=name)
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = [
        (p, v, v - 0.1, v + 0.1, v, v - 0.1, v + 0.1, 9) for p, v in zip(parts, values, strict=True)
    ]
    columns = ["part", "bits", "ci_low", "ci_high", "share", "share_low", "share_high", "n"]
    pd.DataFrame(rows, columns=columns).to_csv(path, index=False)
    return path


def spectra_table(folder, per_degree=True):
    rows = [("cmrnet", "made", "explained_variance", "test", None, None, 0.5, 0.4, 0.6)]
    for scale, wavelength in enumerate((3.0, 6.0)):
        cycles = 24 / wavelength if per_degree else None
        rows.append(("cmrnet", "made", "scale", str(scale), wavelength, cycles, 0.2, 0.1, 0.3))
    columns = ["predictor", "dataset", "grouping", "group", "wavelength_px", "cycles_per_degree",
               "value", "ci_low", "ci_high"]  # fmt: skip
    pd.DataFrame(rows, columns=columns).to_csv(folder / "spectra.csv", index=False)
    return folder / "spectra.csv"


def anatomy_tables(folder):
    rows = {
        "position": [("stem", 0.0, 0.2, 0.1, 0.05), ("stem", 1.0, 0.1, -0.1, 0.05)],
        "colour": [("stem", a, 0.6 / a, *np.eye(3)[a - 1], "Y", 12.0, 0.4) for a in (1, 2, 3)],
        "scale": [("stem", s, 3.0 * 2**s, None, 0.2, 4.0) for s in range(2)],
    }
    written = []
    names = {"model": "cmrnet", "dataset": "made", "explanation": "direct"}
    for key, table_rows in rows.items():
        path = folder / paths.make("anatomy", **names, table=key)
        path.parent.mkdir(parents=True, exist_ok=True)
        pd.DataFrame(table_rows, columns=analysis_anatomy.COLUMNS[key]).to_csv(path, index=False)
        written.append(path)
    return written


def files(**changes):
    return types.SimpleNamespace(**{"bits": [], "spectra": [], "anatomy": [], **changes})


def test_bits_of_a_network_that_saw_every_test_stimulus_are_undefined(tmp_path):
    path = bits_table(tmp_path, "direct", values=[np.nan] * len(PARTS))
    sections = anatomy.content(files(bits=[path]), tmp_path, 40)
    ((_, cells),) = sections["bits_table"]["rows"]
    assert set(cells) == {"undefined"} and sections["bits_sentences"] == []


def test_without_files_the_page_has_none_of_these_sections(tmp_path):
    sections = anatomy.content(files(), tmp_path, 40)
    html = page.render(content(anatomy=sections))
    for heading in ("How the information splits into parts", "spectra of all", "by depth"):
        assert heading not in html


def test_the_page_shows_the_files_that_exist(tmp_path):
    given = files(
        bits=[bits_table(tmp_path, "direct"), bits_table(tmp_path, "second",
              (*PARTS, "second_stage"), (0.2, -0.1, 0.3, 0.5, 0.5, 1.0, 0.1))],
        spectra=[spectra_table(tmp_path)], anatomy=anatomy_tables(tmp_path),
    )  # fmt: skip
    sections = anatomy.content(given, tmp_path, 40)
    html = page.render(content(anatomy=sections))
    for text in ("How the information splits", "cmrnet-second", "not in the bank", "by depth",
                 "0.300 [0.200,\xa00.400], 30%", "spectra of all", "0.5 [0.4, 0.6]"):  # fmt: skip
        assert text in html
    assert html.index("How the information") < html.index('id="scores"')


def test_the_page_says_of_each_concept_whether_it_is_more_than_nothing(tmp_path):
    of_faces = ("concept:faces", "added:faces", "swapped:faces")
    given = files(bits=[
        bits_table(tmp_path, "direct", (*PARTS, *of_faces),
                   (0.2, -0.1, 0, 0.6, 0.4, 1, 0.3, 0.2, -0.1)),
        bits_table(tmp_path, "second"),
    ])  # fmt: skip
    sections = anatomy.content(given, tmp_path, 40)
    (sentence,) = sections["bits_sentences"]
    assert sentence == (
        "cmrnet-direct: of 1.000 bits, contrast leaves 0.800. The concept faces carries 0.300 "
        "[0.200, 0.400] of these, and adds 0.200 [0.100, 0.300] to all other dimensions (maps of "
        "other stimuli: -0.100 [-0.200, 0.000]), which is more than nothing."
    )
    columns = ["concept:faces", "unexplained", "explained", "deep", "added:faces", "swapped:faces"]
    assert sections["bits_table"]["columns"][-6:] == columns
    assert sentence in page.render(content(anatomy=sections))
    figure = anatomy.bits_bars({"it": pd.read_csv(given.bits[0]).set_index("part")})
    assert len(figure.axes[0].patches) == 5  # parts alone, without what is added


def test_people_are_called_people(tmp_path):
    own = bits_table(tmp_path, "loggabor_fixations", model="gold_standard")
    given = files(bits=[bits_table(tmp_path, "direct"), own])
    rows = anatomy.content(given, tmp_path, 40)["bits_table"]["rows"]
    assert [name for name, _ in rows] == ["cmrnet-direct", "people"]


def test_bars_stack_gains_to_the_right_and_losses_to_the_left(tmp_path):
    table = pd.read_csv(bits_table(tmp_path, "direct")).set_index("part")
    figure = anatomy.bits_bars({"cmrnet-direct": table})
    bars = [(bar.get_x(), bar.get_width()) for bar in figure.axes[0].patches]
    np.testing.assert_allclose(bars, [(0, 0.2), (0, -0.1), (0.2, 0.3), (0.5, 0.6)])


def test_spectra_are_drawn_over_cycles_per_degree_where_these_are_known(tmp_path):
    for known, label in ((True, "cycles per degree"), (False, "wavelength, px of the stimulus")):
        table = pd.read_csv(spectra_table(tmp_path, known))
        assert anatomy.spectra_lines(table).axes[0].get_xlabel() == label


def test_a_share_that_rounds_to_nothing_has_no_sign():
    row = pd.DataFrame({"bits": [-0.0004], "ci_low": -0.1, "ci_high": 0.1, "share": -0.004})
    cell = anatomy._cell(row.set_axis(["colour"]), "colour")
    assert cell == "0.000 [-0.100,\N{NO-BREAK SPACE}0.100], 0%"
