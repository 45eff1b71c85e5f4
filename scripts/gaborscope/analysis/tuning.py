"""What each layer is tuned to: from the Shapley shares of its maps to a few figures."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

# Groupings of the regressors and what they are called here.
PROPERTIES = {
    "scale": "wavelength",
    "luminance_scale": "luminance_wavelength",
    "orientation": "orientation",
    "colour": "colour",
    "kind": "symmetry",
}
# Octaves are told where there is a wavelength, concentration where there is an orientation.
COLUMNS = (
    "layer", "property", "label", "wavelength_px", "cycles_per_degree", "orientation_deg", "share",
    "preferred", "value",
)  # fmt: skip


def contrast_sensitivity(frequency: np.ndarray) -> np.ndarray:
    """
    Human contrast sensitivity to luminance gratings, relative to its peak.

    `2.6 (0.0192 + 0.114 f) exp(-(0.114 f)^1.1)`, divided by its largest value, which it has near
    8 cycles/degree. Of photopic vision, for achromatic patterns; fitted to judgements of image
    quality.

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

    def absolute(f):
        return 2.6 * (0.0192 + 0.114 * f) * np.exp(-((0.114 * f) ** 1.1))

    return absolute(np.asarray(frequency, dtype=float)) / absolute(np.linspace(0, 30, 30001)).max()


def octaves(shares: np.ndarray, wavelengths: np.ndarray) -> np.ndarray:
    """
    Width of the tuning of each map along wavelength: standard deviation in octaves.

    Parameters
    ----------
    shares : float array (C, scale)
        Negative ones count as 0.
    wavelengths : float array (scale,)

    Returns
    -------
    width : float64 array (C,)
        nan for maps without any share.
    """
    weights = _normalised(shares)
    log = np.log2(wavelengths)
    mean = weights @ log
    return np.sqrt(np.maximum(weights @ log**2 - mean**2, 0))


def concentration(shares: np.ndarray, orientations: np.ndarray) -> np.ndarray:
    """
    Concentration of the tuning of each map on one orientation: length of the mean vector.

    Orientations are axes, so angles are doubled: 0 where all share alike, 1 where one has all.

    Parameters
    ----------
    shares : float array (C, orientation)
        Negative ones count as 0.
    orientations : float array (orientation,)
        Radians.

    Returns
    -------
    length : float64 array (C,), in [0, 1]
        nan for maps without any share.
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
        Of the stimulus.
    orientations : float array (orientation,)
        Radians.
    channels : sequence of str
        Names of the colour channels.
    px_per_degree : float or None

    Returns
    -------
    rows : list of dict
        Keys are of `COLUMNS`. Of each property (see `PROPERTIES`) a row per label: `share`, the
        layer's Shapley share over the sum of all labels, and `preferred`, the share of the maps
        whose largest share it is, weighted by their explained variance. Then figures of the
        layer, in `value`: mean wavelength (geometric), width in octaves and concentration on an
        orientation, means over maps weighted by explained variance.
    """
    found, weight = [], np.maximum(filters["map_shares"]["kind"].sum(axis=1), 0)
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
            found.append({"property": name, **about, "share": value, "preferred": prefers})
        indices = [int(label) for label in labels] if grouping in ("scale", "orientation") else []
        if grouping == "scale":
            own = np.asarray(wavelengths_px)[indices]
            mean = float(np.exp(_normalised(values[None]) @ np.log(own))[0])
            found.append({"property": "mean_wavelength_px", "value": mean})
            width = _weighted(octaves(of_maps, own), weight)
            found.append({"property": "bandwidth_octaves", "value": width})
        elif grouping == "orientation":
            length = concentration(of_maps, np.asarray(orientations)[indices])
            value = _weighted(length, weight)
            found.append({"property": "orientation_concentration", "value": value})
    return found


def _described(grouping, label, wavelengths_px, orientations, channels):
    """Label of a group with what it stands for."""
    about = {"label": label, "wavelength_px": None, "orientation_deg": None}
    if grouping in ("scale", "luminance_scale"):
        about["wavelength_px"] = float(wavelengths_px[int(label)])
    elif grouping == "orientation":
        about["orientation_deg"] = float(np.degrees(orientations[int(label)]))
    elif grouping == "colour":
        about["label"] = channels[int(label)]
    return about


def _normalised(shares):
    """Shares of each map over their sum, nan where there are none."""
    positive = np.maximum(np.nan_to_num(np.asarray(shares, dtype=float)), 0)
    total = positive.sum(axis=1, keepdims=True)
    return np.divide(positive, total, out=np.full_like(positive, np.nan), where=total > 0)


def _weighted(values, weight):
    """Mean of what is known, weighted."""
    known = ~np.isnan(values)
    return float(np.average(values[known], weights=weight[known])) if weight[known].sum() else None
