"""Figures of tuning and of few filters: what they draw is what the tables say."""

import numpy as np
import pandas as pd
import pytest

from gaborscope.report import curves, sections
from gaborscope.report.drawing import plt
from gaborscope.scoring.scorer import FEW


def tuning_table(**changes):
    rows = [
        {"layer": layer, "property": "luminance_wavelength", "wavelength_px": w, "share": share,
         "cycles_per_degree": 48 / w}
        for layer, shares in (("stem", (0.7, 0.3)), ("dec", (0.2, 0.8)))
        for w, share in zip((4.0, 8.0), shares, strict=True)
    ]  # fmt: skip
    return pd.DataFrame(rows).assign(**changes)


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def test_layers_lie_beside_people_where_degrees_are_known():
    axis, people = curves.tuning_beside_people(tuning_table()).axes
    stem = axis.lines[0]
    np.testing.assert_allclose(stem.get_xdata(), [12, 6])
    np.testing.assert_allclose(stem.get_ydata(), [0.7, 0.3])
    assert axis.get_xlabel() == "cycles/degree"
    assert people.lines[0].get_ydata().max() == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize(
    "changes, label, why",
    [
        ({"cycles_per_degree": np.nan}, "cycles/px of the stimulus", "px per degree are not known"),
        ({"property": "wavelength"}, "cycles/degree", "colour space has no channel"),
        (
            {"cycles_per_degree": [4.0, 2.0] * 2},
            "cycles/degree",
            "it peaks at 7.9 cycles/degree, and the filters lie between 2 and 4",
        ),
        ({"cycles_per_degree": [20.0, 10.0] * 2}, "cycles/degree", "between 10 and 20"),
    ],
)
def test_what_cannot_be_read_against_people_has_a_sentence_and_no_curve(changes, label, why):
    table = tuning_table(**changes)
    (axis,) = curves.tuning_beside_people(table).axes
    assert axis.get_xlabel() == label
    assert why in curves.why_without_people(table)


def test_filters_on_both_sides_of_the_peak_need_no_sentence():
    assert curves.why_without_people(tuning_table()) == ""


def test_budgets_are_drawn_in_their_order_with_the_bounds():
    levels = {"1": 1.0, "16": 2.0, "all": 3.0, "deep": 4.0, "centre_bias": 0.5}
    rows = [
        {"filters_per_map": name, "split": split, "layer": "fused", "metric": metric,
         "mean": level, "ci_low": level - 0.1, "ci_high": level + 0.2}
        for name, level in levels.items()
        for split in ("validation", "test")
        for metric in FEW
    ]  # fmt: skip
    figure = curves.sparsity_scores(pd.DataFrame(rows))
    assert len(figure.axes) == len(FEW)
    axis = figure.axes[1]
    assert [text.get_text() for text in axis.get_xticklabels()] == ["1", "16", "all"]
    drawn = np.float64(axis.containers[1].lines[0].get_ydata())
    np.testing.assert_allclose(drawn, [1, 2, 3])
    assert {line.get_ydata()[0] for line in axis.lines if len(line.get_xdata()) == 2} == {4.0, 0.5}


def test_the_axis_of_frequencies_has_plain_numbers():
    figure = curves.tuning_beside_people(tuning_table(cycles_per_degree=[0.4, 2.5, 0.4, 2.5]))
    axis = figure.axes[0]
    assert [label.get_text() for label in axis.get_xticklabels()] == ["0.4", "2.5"]
    assert not axis.get_xticks(minor=True).size


def test_all_wavelengths_are_those_of_the_tables():
    table = pd.DataFrame(
        {
            "property": ["wavelength"],
            "label": ["1"],
            "wavelength_px": 20.0,
            "cycles_per_degree": 1.5,
        }
    )
    labels, note = sections.scale_labels(table, np.array([3.0, 6.0]))
    assert labels == ["10 px, 3 c/deg", "20 px, 1.5 c/deg"] and "is 3.33 of them" in note
    labels, note = sections.scale_labels(table.assign(cycles_per_degree=np.nan), np.array([3, 6]))
    assert labels == ["10 px", "20 px"] and "not known" in note
