"""Filters and p in plain words."""

import math

import pytest

from gaborscope.report import words

ROW = {
    "kind": "odd", "wavelength_px": 12.0, "cycles_per_degree": 2.0, "orientation_deg": 0.0,
    "colour": "Y", "name": "Y odd s2 o0",
}  # fmt: skip


@pytest.mark.parametrize(
    "changed, said",
    [
        ({}, "vertical luminance edges, 12 px (2 cycles/degree)"),
        ({"orientation_deg": 90.0, "kind": "even"},
         "horizontal luminance bars, 12 px (2 cycles/degree)"),
        ({"refined_wavelength_px": 6.0}, "vertical luminance edges, 6 px (4 cycles/degree)"),
        ({"refined_wavelength_px": math.nan}, "vertical luminance edges, 12 px (2 cycles/degree)"),
        ({"cycles_per_degree": math.nan, "colour": "V"}, "vertical red-cyan edges, 12 px"),
        ({"kind": "position", "name": "position xx"}, "place in the image (xx)"),
        ({"kind": "residual", "wavelength_px": math.nan, "orientation_deg": math.nan},
         "luminance coarse light and shade"),
        ({"kind": "second_order", "orientation_deg": 45.0},
         "falling (\\) luminance second order, 12 px (2 cycles/degree)"),
    ],
)  # fmt: skip
def test_a_filter_is_said_in_words(changed, said):
    assert words.identity({**ROW, **changed}) == said


@pytest.mark.parametrize(
    "angle, word", [(0, "vertical"), (22, "vertical"), (45, "falling (\\)"), (90, "horizontal"),
                    (135, "rising (/)"), (170, "vertical")],
)  # fmt: skip
def test_stripes_stand_across_the_wave_vector(angle, word):
    assert words.contour(angle) == word


@pytest.mark.parametrize(
    "p, floor, text",
    [(0.04, 0.001, ".04"), (1 / 1001, 1 / 1001, "≤ .001"), (0.000999000999, 1 / 1001, "≤ .001"),
     (1.0, 0.001, "1"), (math.nan, 0.001, "–"), (0.00599, 0.001, ".006")],
)  # fmt: skip
def test_a_p_at_the_floor_is_a_bound(p, floor, text):
    assert words.p_value(p, floor) == text
