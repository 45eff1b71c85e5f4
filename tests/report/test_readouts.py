"""Curves and products of a readout are those of its weights."""

import numpy as np
import pytest

from gaborscope.filters.terms import Terms
from gaborscope.report import readouts
from gaborscope.report.drawing import plt

TERMS = Terms({0: 1.0, 2: 3.0}, {0: 2.0, 2: 1.0}, ((0, -0.5), (2, 0.5)), ((0, 2),))
WEIGHT = np.array([[0.5, 1.0, 0.0, 3.0, 0.0, -2.0], [1.0, 1.0, 1.0, 0.1, 0.2, 0.0]], np.float32)


@pytest.fixture
def filters():
    names = np.array(["a", "b", "c", "bend of a", "bend of c", "a x c"])
    return {
        "weight": WEIGHT, "residual_sd": np.ones(2, np.float32),
        "regressors": {"offered": TERMS.to_json()},
        "table": {"name": names, "kind": np.array(["amplitude"] * 3 + ["bend"] * 2 + ["product"])},
    }  # fmt: skip


def test_a_curve_is_what_an_energy_and_its_bends_add_from_its_mean_on(filters):
    (name, values), *others = readouts.curves(filters, 0).items()
    assert name == "a" and not others  # the bend of c has no weight
    at = readouts.AT
    expected = 0.5 * 2 * at + 3 * np.maximum(at + 0.5, 0)
    np.testing.assert_allclose(values, expected - 3 * 0.5, atol=1e-6)
    assert values[np.abs(at).argmin()] == pytest.approx(0, abs=1e-6)


def test_products_are_listed_by_weight(filters):
    assert readouts.products(filters, 0) == [("a x c", -2.0)]
    assert readouts.products(filters, 1) == []


def test_the_figure_shows_the_map_whose_terms_weigh_most(filters):
    assert readouts.busiest(filters) == 0
    figure = readouts.figure_of({"stem": filters})
    assert figure.axes[0].get_title() == "stem, map 0"
    np.testing.assert_allclose(figure.axes[0].lines[0].get_ydata()[0], -1.0 - 1.5, atol=1e-6)
    plt.close(figure)
