"""What a filter, a map or a p is, in plain words."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

# By channel of a colour space, which contrast it carries.
COLOURS = {
    "Y": "luminance", "L": "luminance", "L+M": "luminance", "U": "blue-yellow",
    "V": "red-cyan", "a": "green-red", "b": "blue-yellow", "L-M": "red-green",
    "S-(L+M)": "violet-lime", "R": "red", "G": "green", "B": "blue",
}  # fmt: skip
# By kind of response, what the filter sees.
KINDS = {
    "even": "bars",
    "odd": "edges",
    "amplitude": "contrast of either phase",
    "normalised": "contrast relative to all filters there",
    "residual": "coarse light and shade",
    "log_energy": "contrast around a place (log)",
    "grouping": "contours that go on",
}
CONTOURS = ("horizontal", "rising (/)", "vertical", "falling (\\)")


def contour(orientation_deg: float) -> str:
    """
    Direction of the stripes that a filter answers to.

    Parameters
    ----------
    orientation_deg : float
        Angle of the wave vector, counter-clockwise from the right. Stripes stand across it.

    Returns
    -------
    word : str
        One of `CONTOURS`, the nearest.
    """
    along = (orientation_deg + 90) % 180
    return CONTOURS[round(along / 45) % 4]


def identity(row: Mapping[str, Any]) -> str:
    """
    Say what a filter sees.

    Parameters
    ----------
    row : mapping
        A row of `results/identities/{model}/{dataset}/{explanation}.csv`.

    Returns
    -------
    words : str
        Such as "vertical luminance edges, 12 px (0.67 cycles/degree)". The wavelength, in px of the
        stimulus, is the refined one where there is one.
    """
    if row["kind"] == "position":
        return f"place in the image ({row['name'].removeprefix('position ')})"
    parts = []
    if pd.notna(row["orientation_deg"]):
        parts.append(contour(row["orientation_deg"]))
    if pd.notna(row["colour"]):
        parts.append(COLOURS.get(row["colour"], row["colour"]))
    text = " ".join([*parts, KINDS.get(row["kind"], row["kind"].replace("_", " "))])
    refined, wavelength = row.get("refined_wavelength_px", float("nan")), row["wavelength_px"]
    ratio = 1.0
    if refined > 0 and pd.notna(wavelength):
        ratio, wavelength = refined / wavelength, refined
    if pd.notna(wavelength):
        text += f", {wavelength:.3g} px"
        if pd.notna(row["cycles_per_degree"]):
            text += f" ({row['cycles_per_degree'] / ratio:.2g} cycles/degree)"
    return text


def p_value(p: float, floor: float) -> str:
    """
    Return a p as text; at the least value that a test can give it is a bound.

    Parameters
    ----------
    p : float
        nan where the test was not run.
    floor : float
        The least p of the test.

    Returns
    -------
    text : str
        Such as ".02" or "≤ .001"; "–" for nan.
    """
    if pd.isna(p):
        return "–"
    text = f"{p:.2g}" if p >= 0.001 else f"{p:.1g}"
    text = text.removeprefix("0") if text.startswith("0.") else text
    return f"≤ {text}" if p <= floor * (1 + 1e-9) else text
