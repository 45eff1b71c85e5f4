"""Anatomy of a layer: its position part, its colour axes and its scales."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from gaborscope.filters import regressors
from gaborscope.filters.terms import TERM_KINDS
from gaborscope.fitting.ridge import RidgePath, solve
from gaborscope.fitting.statistics import Statistics, explained_variance, inverse_spread
from gaborscope.stimuli import colour as colours
from gaborscope.stimuli import geometry
from gaborscope.stimuli.block import StimulusBlock

RADII = np.linspace(0, 1.4, 15)
# Columns of the tables that rule dissect writes.
COLUMNS = {
    "position": ("layer", "radius", "rms", "mean", "share"),
    "colour": (
        "layer", "axis", "energy", "first", "second", "third", "nearest", "angle_deg",
        "amplitude_only",
    ),
    "scale": ("layer", "scale", "wavelength_px", "cycles_per_degree", "share", "mean_px"),
}  # fmt: skip
ANGLES = 2 * np.pi * (np.arange(72) + 0.5) / 72


def position_rows(filters: Mapping[str, Any], statistics: Statistics) -> list[dict[str, Any]]:
    """
    Share of position in a layer, and profile of the position part from centre to border.

    Parameters
    ----------
    filters : dict
        From `read_filters`.
    statistics : statistics.Statistics
        Statistics of the fit split.

    Returns
    -------
    rows : list of dict
        `radius`: distance from the centre, each axis in units of half the stimulus; it is 1 at the
        middle of a side. `rms`: root mean square of the fitted position terms over maps and
        angles. The terms of a map are in units of its standard deviation, minus their mean over
        the stimulus. `mean`: signed mean over maps and angles. `share`: share of variance
        of all position terms. The list is empty if the explanation has no position terms.
    """
    table = filters["table"]
    index = np.flatnonzero(table["kind"] == "position")
    if not len(index):
        return []
    weight = _in_units_of_the_map(filters, statistics)[:, index]
    side = (np.arange(41) + 0.5) / 41 * 2 - 1
    middle = _terms(*np.meshgrid(side, side)).reshape(len(index), -1).mean(axis=1)
    labels, shares = filters["shares"]["kind"]
    rows = []
    for radius in RADII:
        x, y = radius * np.cos(ANGLES), radius * np.sin(ANGLES)
        inside = (np.abs(x) <= 1) & (np.abs(y) <= 1)  # beyond radius 1: corners only
        if not inside.any():
            break
        values = weight @ (_terms(x, y)[:, inside] - middle[:, None])
        rows.append(
            {
                "radius": radius,
                "rms": float(np.sqrt((values**2).mean())),
                "mean": float(values.mean()),
                "share": float(shares[labels.index("position")]),
            }
        )
    return rows


def _terms(x, y):
    """Return the position terms at points in units of half the stimulus, see `regressors`."""
    return np.stack(regressors.position_terms(x, y))


def _in_units_of_the_map(filters, statistics):
    """Return the weights for maps scaled to unit variance, without the dead maps."""
    variance = statistics.total_variation() / statistics.n
    alive = ~np.isnan(filters["explained_variance"])
    return filters["weight"][alive] / np.sqrt(variance[alive])[:, None]


def colour_axes(
    filters: Mapping[str, Any], statistics: Statistics
) -> tuple[np.ndarray, np.ndarray]:
    """
    Colour axes of a layer: principal directions of its linear weights in RGB.

    A map has three weights w_j for one filter (even or odd), one per channel. Together they are a
    linear functional of RGB, `sum_j w_j t_j`, where t_j are the rows of the matrix of the colour
    space. A functional is in units of the map's standard deviation. It is multiplied by the spread
    of the filter's response to the first channel, so that a scale of high contrast counts more.
    The axes are the right singular vectors of all functionals of a layer.

    Parameters
    ----------
    filters : dict
        From `read_filters`.
    statistics : statistics.Statistics
        Statistics of the fit split.

    Returns
    -------
    axes : float64 array (3, 3)
        One axis per row: coefficients of R, G, B. An axis has length 1, and the sum of its entries
        is not negative. For a space that is no linear map of RGB (lab, dkl), the coefficients
        belong to the channels of that space.
    energy : float64 array (3,)
        Share of each axis in the sum of squares, in falling order.
    """
    table, space = filters["table"], filters["regressors"]["colour"]
    spread = _spread(statistics)
    weight = _in_units_of_the_map(filters, statistics)
    linear = np.flatnonzero(np.isin(table["kind"], ("even", "odd")))
    by_filter = {}
    for index in linear:
        key = tuple(table[part][index] for part in ("kind", "scale", "orientation"))
        by_filter.setdefault(key, {})[int(table["colour"][index])] = index
    matrix = colours.RGB_TO_YUV if space == "yuv" else np.eye(3)
    parts = [
        spread[columns[0]] * weight[:, [columns[c] for c in range(3)]] @ matrix
        for columns in by_filter.values()
    ]
    functionals = np.concatenate(parts) if parts else np.zeros((3, 3))
    _, singular, axes = np.linalg.svd(functionals, full_matrices=False)
    axes *= np.where(axes.sum(axis=1) < 0, -1, 1)[:, None]
    total = (singular**2).sum()
    return axes, singular**2 / total if total > 0 else np.full(3, np.nan)


def _spread(statistics):
    inverse = inverse_spread(statistics)
    return np.divide(1, inverse, out=np.zeros_like(inverse), where=inverse > 0)


def colour_rows(
    filters: Mapping[str, Any], fit: Statistics, validation: Statistics, penalty: float
) -> list[dict[str, Any]]:
    """
    Colour axes of a layer, as rows of a table.

    Parameters
    ----------
    filters : dict
        From `read_filters`.
    fit, validation : statistics.Statistics
    penalty : float
        Ridge penalty of the fit by amplitudes alone.

    Returns
    -------
    rows : list of dict
        One per axis of `colour_axes`: `axis` (from 1), `energy`, `first, second, third` (the
        coefficients), `nearest` (the nearest channel of the colour space) and `angle_deg` (angle
        between the axis and that channel, signs ignored). `amplitude_only` is the same in every
        row of a layer: variance of the validation split that the amplitudes of all channels
        explain alone. It serves to compare the colour spaces of several explanations.
    """
    space = filters["regressors"]["colour"]
    names = colours.CHANNELS[space]
    axes, energy = colour_axes(filters, fit)
    channel_axes = colours.RGB_TO_YUV if space == "yuv" else np.eye(3)
    channel_axes = channel_axes / np.linalg.norm(channel_axes, axis=1, keepdims=True)
    alone = amplitude_only(filters["table"], fit, validation, penalty)
    rows = []
    for number, (axis, share) in enumerate(zip(axes, energy, strict=True)):
        cosine = np.abs(channel_axes @ axis)
        rows.append(
            {
                "axis": number + 1,
                "energy": float(share),
                **dict(zip(("first", "second", "third"), map(float, axis), strict=True)),
                "nearest": names[int(cosine.argmax())],
                "angle_deg": float(np.degrees(np.arccos(min(1.0, cosine.max())))),
                "amplitude_only": alone,
            }
        )
    return rows


def amplitude_only(
    table: Mapping[str, np.ndarray], fit: Statistics, validation: Statistics, penalty: float
) -> float:
    """
    Explained variance of a layer when amplitudes are its only regressors.

    Parameters
    ----------
    table : dict of str to array (K,)
    fit, validation : statistics.Statistics
    penalty : float

    Returns
    -------
    explained : float
        On the validation split, pooled over the maps; nan if there are no amplitudes.
    """
    index = np.flatnonzero(table["kind"] == "amplitude")
    if not len(index):
        return float("nan")
    few, held_out = (_some(statistics, index) for statistics in (fit, validation))
    return explained_variance(held_out, *RidgePath(few).solve(penalty))[1]


def without_position(
    filters: Mapping[str, Any],
    fit: Statistics,
    held_out: Mapping[str, Statistics],
    solver: Mapping[str, Any],
) -> dict[str, float]:
    """
    Explained variance of a layer that is fitted anew without the position terms.

    Pooling and penalty are those of the fit. A map has at most as many terms of a readout as the
    fit gave to any map. Exact: the statistics of the regressors that are left are rows and columns
    of the statistics of all.

    Parameters
    ----------
    filters : dict
        From `read_filters`.
    fit : statistics.Statistics
        Statistics of the fit split.
    held_out : dict of str to statistics.Statistics
        By split.
    solver : dict
        `name` and `budget`, see `ridge.solve`.

    Returns
    -------
    explained : dict of str to float
        By split, pooled over the maps; nan if there is no other regressor.
    """
    index = np.flatnonzero(filters["table"]["kind"] != "position")
    if not len(index):
        return dict.fromkeys(held_out, float("nan"))
    few = {split: _some(statistics, index) for split, statistics in held_out.items()}
    penalties, is_term = [filters["penalty"]], np.isin(filters["table"]["kind"], TERM_KINDS)
    terms = None
    if is_term.any():
        used = int((filters["weight"][:, is_term] != 0).sum(axis=1).max())
        terms = (len(index) - int(is_term.sum()), used)
    refit = solve(
        {"all": _some(fit, index)}, few["validation"], penalties, folds=1, terms=terms, **solver
    )
    return {
        split: explained_variance(statistics, refit.weight, refit.intercept)[1]
        for split, statistics in few.items()
    }


def _some(statistics, index):
    """Return the statistics of the regressors with these indices."""
    return dataclasses.replace(
        statistics,
        gram=statistics.gram[np.ix_(index, index)],
        cross=statistics.cross[index],
        sum_phi=statistics.sum_phi[index],
    )


def scale_rows(
    filters: Mapping[str, Any], scale_px: float, per_degree: float | None
) -> list[dict[str, Any]]:
    """
    Share of each scale in a layer's explained variance, and the layer's mean wavelength.

    Parameters
    ----------
    filters : dict
        From `read_filters`.
    scale_px : float
        px of the stimulus per px of the network's input.
    per_degree : float or None
        px of the stimulus per degree; None if not known.

    Returns
    -------
    rows : list of dict
        One per scale: `scale`, `wavelength_px` (of the stimulus), `cycles_per_degree` (None if not
        known), `share` (of the fit split's variance). `mean_px` is the same in every
        row: geometric mean of the wavelengths, weighted by the positive shares.
    """
    labels, shares = filters["shares"]["scale"]
    share_of = {
        label: share for label, share in zip(labels, shares, strict=True) if label != "none"
    }
    bank = filters["regressors"]["bank"]
    wavelengths = bank["min_wavelength_px"] * bank["scale_factor"] ** np.arange(bank["n_scales"])
    wavelengths = wavelengths * scale_px
    weight = np.array([max(share_of.get(str(s), 0.0), 0) for s in range(bank["n_scales"])])
    mean = np.exp(weight @ np.log(wavelengths) / weight.sum()) if weight.sum() > 0 else np.nan
    return [
        {
            "scale": s,
            "wavelength_px": float(wavelengths[s]),
            "cycles_per_degree": per_degree / wavelengths[s] if per_degree else None,
            "share": float(share_of.get(str(s), 0.0)),
            "mean_px": float(mean),
        }
        for s in range(bank["n_scales"])
    ]


def enlargement(block: StimulusBlock, box: geometry.Box) -> float:
    """
    Px of the stimulus per px of the network's input, median over the stimuli.

    Parameters
    ----------
    block : StimulusBlock
    box : geometry.Box

    Returns
    -------
    scale_px : float
    """
    widths = [geometry.place(size, box).width / size[1] for size in block.sizes]
    return 1 / float(np.median(widths))


def of_layer(
    filters: dict, fit: Statistics, validation: Statistics, block: StimulusBlock
) -> dict[str, list[dict]]:
    """
    Tables of position, colours and scales of one fitted layer.

    Parameters
    ----------
    filters : dict
        From `read_filters`.
    fit, validation : statistics.Statistics
        Statistics of the chosen pooling.
    block : StimulusBlock
        Wavelengths are in px of its stimuli, at their median enlargement.

    Returns
    -------
    rows : dict of str to list of dict
        By table; keys of each row are `COLUMNS` of the table.
    """
    scale_px = enlargement(block, filters["layer"].input_box)
    tables = {
        "position": position_rows(filters, fit),
        "colour": colour_rows(filters, fit, validation, filters["penalty"]),
        "scale": scale_rows(filters, scale_px, block.px_per_degree),
    }
    name = filters["layer"].name
    return {key: [{"layer": name, **row} for row in rows] for key, rows in tables.items()}
