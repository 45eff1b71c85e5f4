"""Maps that are compared share a scale, signed ones diverge, and no best value is cut."""

import numpy as np
import pandas as pd
import pytest

from gaborscope.report import drawing, styles

IMAGE = np.zeros((6, 8, 3), dtype=np.uint8)


@pytest.fixture(autouse=True)
def closed():
    yield
    drawing.plt.close("all")


def scales(*panels):
    """(colour map, least, largest) of each panel of a figure that has a scale."""
    figure = drawing.stimulus_panels([("", "image", IMAGE), *panels], "viridis")
    shown = [image for axis in figure.axes for image in axis.get_images()]
    return [(i.get_cmap().name, *i.get_clim()) for i in shown if i.get_array().ndim == 2]


def test_densities_of_a_stimulus_are_on_one_scale():
    one, other = np.full((6, 8), 0.01), np.full((6, 8), 0.03)
    assert scales(("", "density", one), ("", "density", other)) == [("viridis", 0, 0.03)] * 2


def test_activations_share_a_scale_that_diverges_where_they_have_a_sign():
    up, down = np.full((3, 4), 2.0), np.full((3, 4), -3.0)
    assert scales(("", "activation", up), ("", "activation", down)) == [("PuOr_r", -3, 3)] * 2
    assert scales(("", "activation", up), ("", "activation", 2 * up)) == [("viridis", 0, 4)] * 2


def test_a_ratio_diverges_about_no_difference():
    ((name, low, high),) = scales(("", "ratio", np.full((6, 8), 0.5)))
    assert name == styles.SIGNED and low == -high < 0


def test_every_kind_of_map_has_a_colour_bar_with_its_unit():
    maps = [("", kind, np.full((6, 8), 0.5)) for kind in ("density", "activation", "ratio")]
    figure = drawing.stimulus_panels(maps, "viridis")
    labels = [axis.get_ylabel() for axis in figure.axes[len(maps) :]]
    assert labels == ["share per px", "activation", "bits (log2)"]


def normalised(**values):
    rows = [("mit", name, "made", "kld", value, value - 0.1, value + 0.1)
            for name, value in values.items()]  # fmt: skip
    columns = ["preset", "predictor", "dataset", "metric", "normalised", "ci_low", "ci_high"]
    return pd.DataFrame(rows, columns=columns)


def test_the_best_value_is_never_cut_from_a_figure():
    table = normalised(best=1.556, chance=0.0, far=-20.0)
    (axis,) = drawing.normalised_dots(table, "mit", "made").axes
    low, high = axis.get_xlim()
    assert high > 1.656
    assert -1.2 < low < drawing.LEFT  # what is far below is marked at the edge
    (edge,) = [line for line in axis.lines if line.get_marker() == "<"]
    assert list(edge.get_xdata()) == [drawing.LEFT] and list(edge.get_ydata()) == [0]


def test_undefined_values_do_not_decide_a_scale():
    table = normalised(one=0.5, undefined=np.nan)
    (axis,) = drawing.normalised_dots(table, "mit", "made").axes
    assert np.isfinite(axis.get_xlim()).all()


def test_a_kept_figure_has_its_vector_form_and_its_data(tmp_path):
    figure, axis = drawing.plt.subplots()
    axis.plot([1, 2])
    path = drawing.keep(figure, tmp_path / "a.png", 50, pd.DataFrame({"y": [1, 2]}))
    assert path.is_file() and path.with_suffix(".svg").is_file()
    assert list(pd.read_csv(path.with_suffix(".csv"))["y"]) == [1, 2]
