"""The methods paragraph says what was done, with the run's own settings."""

import pandas as pd
import pytest

from gaborscope import __version__
from gaborscope.report import methods

BANK = {"n_scales": 3, "n_orientations": 6, "min_wavelength_px": 3.0, "scale_factor": 2.0,
        "bandwidth_ratio": 0.65}  # fmt: skip
DIRECT = {"mode": "direct", "bank": BANK, "kinds": ["even", "odd"], "mechanisms": ["grouping"],
          "colour": "lab", "fusion": {"target": "model"}}  # fmt: skip
FACTS = {
    "models": {"net": {"weights": "train", "input": {"height": 48, "width": 64},
                       "layers": {"stem": "a", "logits": "b"}}},
    "explanations": {
        "direct": DIRECT,
        "cascade": {"mode": "cascade", "image": DIRECT, "fusion": {"target": "fixations"}},
        "refined": {"mode": "refined", "start": "cascade", "epochs": 8},
    },
    "stimuli": {"made": {"fit": 70, "validation": 10, "test": 20}},
    "types": {"made": "demo"},
    "fit_on": "made", "presets": ["mit"], "n_resamples": 2000, "permutations": 1000, "seed": 7,
    "analyses": ["bits"],
}  # fmt: skip


def test_the_paragraph_has_the_settings_of_the_run():
    text = " ".join(methods.paragraph(FACTS))
    for part in (
        "made (generated, with simulated observers): 70 to fit, 10 for choices, 20 to test",
        "net was trained here", "48 x 64 px", "2 of its layers", "(stem, logits)",
        "3 scales of 3 to 12 px", "6 orientations", "bandwidth ratio 0.65", "even, odd, grouping",
        "LAB",
        "refined is cascade with its weights improved by 8 epochs", "that of the fixations",
        "2000 bootstrap samples", "1000 permutations", "seed 7",
    ):  # fmt: skip
        assert part in text


@pytest.mark.parametrize(
    "weights, said", [("net.pth", "has the weights of a file"), (None, "that its code made")]
)
def test_it_says_where_weights_come_from(weights, said):
    models = {"net": {**FACTS["models"]["net"], "weights": weights}}
    assert said in " ".join(methods.paragraph({**FACTS, "models": models}))


def test_references_have_the_version_and_balanced_braces():
    text = methods.bibtex(2026)
    assert f"version = {{{__version__}}}" in text and "year = {2026}" in text
    assert text.count("{") == text.count("}") and text.count("@") == 4


def test_versions_are_those_installed():
    found = methods.versions()
    assert found["Gaborscope"] == __version__ and found["pandas"] == pd.__version__
    assert methods.software().startswith(f"Software: Gaborscope {__version__}, Python 3.")


def test_the_floor_of_p_is_that_of_so_many_samples():
    assert methods.floors(FACTS) == (2 / 2001, 1 / 1001)


def test_times_are_summed_by_stage_the_longest_first(tmp_path):
    head = "s\th:m:s\tmax_rss\tcpu_time\n"
    for name, values in (("fit/a", "60\t0\t100\t30"), ("fit/b", "120\t0\t300\t60"),
                         ("report", "6\t0\t-\t3")):  # fmt: skip
        path = tmp_path / f"{name}.tsv"
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"{head}{values}\n")
    assert methods.times(tmp_path) == [
        ("fit", [2, "3.00", "1.50", "300"]), ("report", [1, "0.10", "0.05", ""])
    ]  # fmt: skip
    assert methods.times(tmp_path / "none") == []


def test_what_was_not_run_is_listed_with_its_reason():
    rows = [("net", "direct", "seeds_agree", "not run", "Not run: no other seed."),
            ("net", "direct", "above_a", "true", "Better.")]  # fmt: skip
    columns = ["model", "explanation", "test", "passed", "sentence"]
    said = methods.not_run(FACTS["analyses"], pd.DataFrame(rows, columns=columns))
    assert said[-1] == "test seeds agree of net-direct: no other seed"
    assert any(words.startswith("analysis halves") for words in said)
    assert not any("bits" in words.split(":")[0] or "above a" in words for words in said)
