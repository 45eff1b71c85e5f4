"""Colours, markers, line styles and hatches: nothing is told apart by colour alone."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import matplotlib as mpl
import numpy as np


class Style(NamedTuple):
    """How one thing is drawn, in every figure that it is in."""

    colour: str
    marker: str
    line: Any  # as matplotlib takes it: a name, or dashes and gaps

    def lines(self, **changes: Any) -> dict[str, Any]:
        """
        Return arguments of matplotlib for a line with markers.

        Parameters
        ----------
        **changes
            Further arguments, or others.

        Returns
        -------
        arguments : dict
        """
        own = {"color": self.colour, "marker": self.marker, "linestyle": self.line}
        return {**own, "markersize": 4.5, "linewidth": 1.2, **changes}


# Apart in lightness by 7 units at least, and apart for readers with deuteranopia.
COLOURS = ("#b2182b", "#0072b2", "#e69f00", "#332288", "#009e73", "#88ccee", "#000000")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "p", "h", "*")
LINES = ("-", "--", "-.", ":", (0, (5, 1)), (0, (3, 1, 1, 1)), (0, (1, 1)))
# of lines alone: dots make an SVG ten times as large
HATCHES = ("", "///", "\\\\\\", "xx", "---", "|||", "++", "/", "\\", "-", "|", "x", "+", "//--",
           "//||", "\\\\--", "\\\\||", "xx--")  # fmt: skip
SIGNED = "PuOr_r"  # diverging: for maps with a sign

# What a predictor is to the deep model, in the order of the report.
ROLES = {
    "explanation": Style(COLOURS[0], "o", "-"),
    "another training": Style(COLOURS[1], "s", "--"),
    "no layer between": Style(COLOURS[2], "^", "-."),
    "wrong bank": Style(COLOURS[4], "v", ":"),
    "random network": Style(COLOURS[3], "D", (0, (5, 1))),
    "random in part": Style(COLOURS[5], "P", (0, (3, 1, 1, 1))),
    "no network": Style(COLOURS[6], "X", (0, (1, 1))),
}
# What stands in the place of a layer.
SUBSTITUTES = {
    "reconstruction": Style(COLOURS[0], "o", "-"),
    "resampled": Style(COLOURS[6], "X", (0, (1, 1))),
    "mean": Style(COLOURS[1], "s", "--"),
    "other": Style(COLOURS[4], "v", ":"),
    "shuffled": Style(COLOURS[2], "^", "-."),
}


def ordered(names: Sequence[str]) -> dict[str, Style]:
    """
    Styles of things that have an order, such as layers: from dark to light.

    Parameters
    ----------
    names : sequence of str

    Returns
    -------
    styles : dict of str to Style
        Neighbours differ in lightness, marker and line.
    """
    shades = mpl.colormaps["cividis"](np.linspace(0, 0.82, max(len(names), 1)))
    return {
        name: Style(
            mpl.colors.to_hex(shade), MARKERS[place % len(MARKERS)], LINES[place % len(LINES)]
        )
        for place, (name, shade) in enumerate(zip(names, shades, strict=False))
    }


def unordered(names: Sequence[str]) -> dict[str, Style]:
    """
    Styles of things without an order, such as predictors.

    Parameters
    ----------
    names : sequence of str

    Returns
    -------
    styles : dict of str to Style
        No two of up to 84 have colour, marker and line in common.
    """
    return {
        name: Style(
            COLOURS[place % len(COLOURS)],
            MARKERS[place % len(MARKERS)],
            LINES[(place + place // len(COLOURS)) % len(LINES)],
        )
        for place, name in enumerate(names)
    }
