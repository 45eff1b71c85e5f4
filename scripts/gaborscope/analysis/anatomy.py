"""Anatomy of a layer: how much of it is place, which colours and which scales it is made of."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from gaborscope.filters import regressors
from gaborscope.fitting.ridge import RidgePath
from gaborscope.fitting.statistics import Statistics, explained_variance, inverse_spread
from gaborscope.stimuli import colour as colours
from gaborscope.stimuli import geometry
from gaborscope.stimuli.block import StimulusBlock

RADII = np.linspace(0, 1.4, 15)
# of the tables
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
    How much of a layer is place, and how that part runs from the centre to the border.

    Parameters
    ----------
    filters : dict
        From `read_filters`.
    statistics : statistics.Statistics
        Of the fit split.

    Returns
    -------
    rows : list of dict
        `radius`: distance from the centre, 1 where the middle of a side lies (each axis in units
        of half the stimulus), and `rms`: root mean square over maps and angles of the fitted
        position terms, each map's in units of its standard deviation and about its mean on the
        stimulus; `mean`: signed mean over maps and angles. `share`: Shapley share of variance of
        all position terms. Nothing where the explanation has none.
    """
    table = filters["table"]
    own = np.flatnonzero(table["kind"] == "position")
    if not len(own):
        return []
    weight = _in_units_of_the_map(filters, statistics)[:, own]
    side = (np.arange(41) + 0.5) / 41 * 2 - 1
    middle = _terms(*np.meshgrid(side, side)).reshape(len(own), -1).mean(axis=1)
    labels, shares = filters["shares"]["kind"]
    rows = []
    for radius in RADII:
        x, y = radius * np.cos(ANGLES), radius * np.sin(ANGLES)
        inside = (np.abs(x) <= 1) & (np.abs(y) <= 1)  # beyond the sides only the corners are left
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
    """Return position terms at places in units of half the stimulus, see `regressors`."""
    return np.stack(regressors.position_terms(x, y))


def _in_units_of_the_map(filters, statistics):
    """Return the weights of maps of unit variance; dead maps have none."""
    variance = statistics.total_variation() / statistics.n
    alive = ~np.isnan(filters["explained_variance"])
    return filters["weight"][alive] / np.sqrt(variance[alive])[:, None]


def colour_axes(
    filters: Mapping[str, Any], statistics: Statistics
) -> tuple[np.ndarray, np.ndarray]:
    """
    Colour axes of a layer: principal directions of its linear weights in RGB.

    A map's weights of one filter, even or odd, on the three channels make one functional of RGB,
    `sum_j w_j t_j`, t_j the rows of the matrix of the colour space. The axes are the right singular
    vectors of all functionals of a layer, each weighed by the spread of its filter's response to
    the first channel (so that scales count by what they see) in units of the map's standard
    deviation.

    Parameters
    ----------
    filters : dict
        From `read_filters`.
    statistics : statistics.Statistics
        Of the fit split.

    Returns
    -------
    axes : float64 array (3, 3)
        One per row, of length 1, the sum of its entries not negative: coefficients of R, G, B; of a
        space that is no linear map of RGB (lab, dkl) those of its own channels.
    energy : float64 array (3,)
        Share of each in the summed squares, falling.
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
        spread[own[0]] * weight[:, [own[c] for c in range(3)]] @ matrix
        for own in by_filter.values()
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
    Colour of a layer in figures.

    Parameters
    ----------
    filters : dict
        From `read_filters`.
    fit, validation : statistics.Statistics
    penalty : float
        Of the fit by amplitudes alone.

    Returns
    -------
    rows : list of dict
        One per axis of `colour_axes`: `axis` (from 1), `energy`, `first, second, third` (its
        coefficients), `nearest` (channel of the colour space) and `angle_deg` (between the axis and
        that channel's, without regard to sign), and, the same in every row of a layer,
        `amplitude_only`: explained variance of the validation split by the amplitudes of all
        channels alone, which compares colour spaces between explanations.
    """
    space = filters["regressors"]["colour"]
    names = colours.CHANNELS[space]
    axes, energy = colour_axes(filters, fit)
    known = colours.RGB_TO_YUV if space == "yuv" else np.eye(3)
    known = known / np.linalg.norm(known, axis=1, keepdims=True)
    alone = amplitude_only(filters["table"], fit, validation, penalty)
    rows = []
    for number, (axis, share) in enumerate(zip(axes, energy, strict=True)):
        cosine = np.abs(known @ axis)
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
    Explained variance of a layer by its amplitudes alone.

    Parameters
    ----------
    table : dict of str to array (K,)
    fit, validation : statistics.Statistics
    penalty : float

    Returns
    -------
    explained : float
        Pooled, on the validation split; nan where there are no amplitudes.
    """
    index = np.flatnonzero(table["kind"] == "amplitude")
    if not len(index):
        return float("nan")
    few, held_out = (_some(own, index) for own in (fit, validation))
    return explained_variance(held_out, *RidgePath(few).solve(penalty))[1]


def _some(statistics, index):
    """Statistics of some regressors."""
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
    Share of each scale in a layer's explained variance, and the wavelength that it prefers.

    Parameters
    ----------
    filters : dict
        From `read_filters`.
    scale_px : float
        px of the stimulus per px of the network's input.
    per_degree : float or None
        px of the stimulus.

    Returns
    -------
    rows : list of dict
        `scale`, `wavelength_px` (of the stimulus), `cycles_per_degree` (None where not known),
        `share` (Shapley, of the fit split's variance), and, the same in every row, `mean_px`: the
        mean of the logarithm of the wavelength weighted by the shares that are positive.
    """
    labels, shares = filters["shares"]["scale"]
    known = {label: share for label, share in zip(labels, shares, strict=True) if label != "none"}
    bank = filters["regressors"]["bank"]
    wavelengths = bank["min_wavelength_px"] * bank["scale_factor"] ** np.arange(bank["n_scales"])
    wavelengths = wavelengths * scale_px
    weight = np.array([max(known.get(str(s), 0.0), 0) for s in range(bank["n_scales"])])
    mean = np.exp(weight @ np.log(wavelengths) / weight.sum()) if weight.sum() > 0 else np.nan
    return [
        {
            "scale": s,
            "wavelength_px": float(wavelengths[s]),
            "cycles_per_degree": per_degree / wavelengths[s] if per_degree else None,
            "share": float(known.get(str(s), 0.0)),
            "mean_px": float(mean),
        }
        for s in range(bank["n_scales"])
    ]


def enlargement(block: StimulusBlock, box: geometry.Box) -> float:
    """
    Median of px of the stimulus per px of the network's input.

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
