"""Tuning of each layer: numbers computed from the shares of its maps."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy import optimize

from gaborscope.explanation import layers
from gaborscope.stimuli import geometry

# Groupings of the regressors, and their names in the table.
PROPERTIES = {
    "scale": "wavelength",
    "luminance_scale": "luminance_wavelength",
    "orientation": "orientation",
    "colour": "colour",
    "kind": "symmetry",
}

COLUMNS = (
    "layer", "property", "label", "wavelength_px", "cycles_per_degree", "orientation_deg", "share",
    "preferred", "value",
)  # fmt: skip


def contrast_sensitivity(frequency: np.ndarray) -> np.ndarray:
    """
    Human contrast sensitivity to luminance gratings, relative to its peak.

    `2.6 (0.0192 + 0.114 f) exp(-(0.114 f)^1.1)`, divided by its largest value, which it has at
    `PEAK`. It holds for photopic vision and achromatic patterns, and was fitted to judgements of
    image quality.

    Parameters
    ----------
    frequency : float array
        Cycles/degree, not negative.

    Returns
    -------
    sensitivity : float64 array, in [0, 1]

    References
    ----------
    Mannos, J. L., Sakrison, D. J. (1974). IEEE Trans. Inf. Theory 20, 525-536.
    """
    return _sensitivity(np.asarray(frequency, dtype=float)) / _sensitivity(PEAK)


def _sensitivity(f):
    return 2.6 * (0.0192 + 0.114 * f) * np.exp(-((0.114 * f) ** 1.1))


# Where human contrast sensitivity peaks, cycles/degree.
PEAK = float(optimize.minimize_scalar(lambda f: -_sensitivity(f), bounds=(1, 30)).x)


def reaches_peak(frequencies: np.ndarray) -> bool:
    """
    Tell whether filters can be read against human contrast sensitivity.

    Parameters
    ----------
    frequencies : float array
        Centre frequencies of the filters, cycles/degree.

    Returns
    -------
    reaches : bool
        Whether they lie on both sides of the peak of the curve, or on it. Filters on one side of it
        see a curve that only rises or only falls.
    """
    return bool(np.min(frequencies) <= PEAK <= np.max(frequencies))


def octaves(shares: np.ndarray, wavelengths: np.ndarray) -> np.ndarray:
    """
    Width of each map's tuning to wavelength: standard deviation in octaves.

    Parameters
    ----------
    shares : float array (C, scale)
        Negative ones count as 0.
    wavelengths : float array (scale,)

    Returns
    -------
    width : float64 array (C,)
        nan for maps without a positive share.
    """
    weights = _normalised(shares)
    log = np.log2(wavelengths)
    mean = weights @ log
    return np.sqrt(np.maximum(weights @ log**2 - mean**2, 0))


def concentration(shares: np.ndarray, orientations: np.ndarray) -> np.ndarray:
    """
    Concentration of each map's tuning on one orientation: length of the mean vector.

    Orientations repeat after 180 degrees, so angles are doubled. The length is 0 if all
    orientations have equal shares, and 1 if one orientation has the whole share.

    Parameters
    ----------
    shares : float array (C, orientation)
        Negative ones count as 0.
    orientations : float array (orientation,)
        Radians.

    Returns
    -------
    length : float64 array (C,), in [0, 1]
        nan for maps without a positive share.
    """
    return np.abs(_normalised(shares) @ np.exp(2j * np.asarray(orientations)))


def rows(
    filters: Mapping[str, Any],
    wavelengths_px: np.ndarray,
    orientations: np.ndarray,
    channels: Sequence[str],
    px_per_degree: float | None,
) -> list[dict[str, Any]]:
    """
    Tuning of one layer.

    Parameters
    ----------
    filters : dict
        From `read_filters`.
    wavelengths_px : float array (scale,)
        px of the stimulus.
    orientations : float array (orientation,)
        Radians.
    channels : sequence of str
        Names of the colour channels.
    px_per_degree : float or None
        px of the stimulus per degree; None if not known.

    Returns
    -------
    rows : list of dict
        Keys are of `COLUMNS`. Each property (see `PROPERTIES`) has a row per label. `share` is the
        layer's share, divided by the sum over all labels. `preferred` is the share of maps
        whose largest share has this label; maps are weighted by their explained variance. Then
        follow numbers of the layer, in `value`: geometric mean wavelength, width in octaves, and
        concentration on an orientation. Width and concentration are means over maps, weighted by
        explained variance.
    """
    records, weight = [], np.maximum(filters["map_shares"]["kind"].sum(axis=1), 0)
    for grouping, name in PROPERTIES.items():
        if grouping not in filters["shares"]:
            continue
        labels, values = filters["shares"][grouping]
        kept = [place for place, label in enumerate(labels) if label != "none"]
        labels, values = [labels[place] for place in kept], np.asarray(values)[kept]
        of_maps = filters["map_shares"][grouping][:, kept]
        preferred = np.bincount(of_maps.argmax(axis=1), weight, len(kept)) / max(
            weight.sum(), 1e-12
        )
        total = max(values.sum(), 1e-12)
        for label, value, prefers in zip(labels, values / total, preferred, strict=True):
            about = _described(grouping, label, wavelengths_px, orientations, channels)
            about["cycles_per_degree"] = (
                px_per_degree / about["wavelength_px"]
                if px_per_degree and about["wavelength_px"]
                else None
            )
            records.append({"property": name, **about, "share": value, "preferred": prefers})
        indices = [int(label) for label in labels] if grouping in ("scale", "orientation") else []
        if grouping == "scale":
            scale_wavelengths = np.asarray(wavelengths_px)[indices]
            mean = float(np.exp(_normalised(values[None]) @ np.log(scale_wavelengths))[0])
            records.append({"property": "mean_wavelength_px", "value": mean})
            width = _weighted(octaves(of_maps, scale_wavelengths), weight)
            records.append({"property": "bandwidth_octaves", "value": width})
        elif grouping == "orientation":
            length = concentration(of_maps, np.asarray(orientations)[indices])
            value = _weighted(length, weight)
            records.append({"property": "orientation_concentration", "value": value})
    return records


def _described(grouping, label, wavelengths_px, orientations, channels):
    """Return the label of a group with its wavelength or orientation."""
    about = {"label": label, "wavelength_px": None, "orientation_deg": None}
    if grouping in ("scale", "luminance_scale"):
        about["wavelength_px"] = float(wavelengths_px[int(label)])
    elif grouping == "orientation":
        about["orientation_deg"] = float(np.degrees(orientations[int(label)]))
    elif grouping == "colour":
        about["label"] = channels[int(label)]
    return about


def _normalised(shares):
    """Return the positive shares of each map divided by their sum; nan if no share is positive."""
    positive = np.maximum(np.nan_to_num(np.asarray(shares, dtype=float)), 0)
    total = positive.sum(axis=1, keepdims=True)
    return np.divide(positive, total, out=np.full_like(positive, np.nan), where=total > 0)


def _weighted(values, weight):
    """Return the weighted mean of the values that are not nan; None if their weights are 0."""
    known = ~np.isnan(values)
    return float(np.average(values[known], weights=weight[known])) if weight[known].sum() else None


def of_layer(filters: dict, sizes: np.ndarray, px_per_degree: float | None) -> list[dict]:
    """
    Tuning of one fitted layer, wavelengths in px of the stimuli.

    Parameters
    ----------
    filters : dict
        From `read_filters`.
    sizes : int array (S, 2)
        Height and width of the stimuli in px. Wavelengths hold at their median enlargement.
    px_per_degree : float or None
        px per degree of the stimuli, if known.

    Returns
    -------
    rows : list of dict
        Keys are `COLUMNS`.
    """
    bank, channels = layers.bank_and_channels(filters["regressors"])
    scale_px = geometry.enlargement(sizes, filters["layer"].input_box)
    wavelengths_px = bank.wavelengths_px * scale_px
    name = filters["layer"].name
    described = rows(filters, wavelengths_px, bank.orientations, channels, px_per_degree)
    return [{"layer": name, **row} for row in described]


def map_rows(filters: dict) -> list[dict]:
    """
    Shares of every living map of a layer.

    Parameters
    ----------
    filters : dict
        From `read_filters`.

    Returns
    -------
    rows : list of dict
        `layer, map, grouping, label, share`.
    """
    alive = np.flatnonzero(~np.isnan(filters["explained_variance"]))
    return [
        {
            "layer": filters["layer"].name,
            "map": index,
            "grouping": grouping,
            "label": label,
            "share": share,
        }
        for grouping, shares in filters["map_shares"].items()
        for index in alive
        for label, share in zip(filters["shares"][grouping][0], shares[index], strict=True)
    ]
