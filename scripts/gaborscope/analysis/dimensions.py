"""Dimensions of the regressors, and what is left of them without some of these."""

import re

from scipy import sparse

DIMENSIONS = ("position", "colour", "scale", "orientation", "second_stage")
TAGS = {"scale": re.compile(r" s\d+\b"), "orientation": re.compile(r" o\d+\b")}


def present(table):
    """
    Dimensions that regressors vary along.

    Parameters
    ----------
    table : dict of str to array (K,)
        From `Regressors.table`.

    Returns
    -------
    names : list of str
        Of `DIMENSIONS`, in their order.
    """
    varies = {
        "position": (table["kind"] == "position").any(),
        "second_stage": (table["kind"] == "second_stage").any(),
        **{key: table[key].max() > 0 for key in ("colour", "scale", "orientation")},
    }
    return [name for name in DIMENSIONS if varies[name]]


def restriction(table, kept, inverse, opponent=True):
    """
    Linear map from all regressors to those that know only some dimensions.

    `phi_S = P_S phi`. Without scale (orientation) the standardised regressors that differ in
    nothing else are summed, so that no scale counts more for its power; without colour only the
    first channel, luminance, is left, or of rgb the sum of the three; without position and without
    the second stage theirs are left out.

    Parameters
    ----------
    table : dict of str to array (K,)
        From `Regressors.table`.
    kept : collection of str
        Of `DIMENSIONS`.
    inverse : float array (K,)
        Reciprocal standard deviation of each regressor, see `statistics.inverse_spread`.
    opponent : bool
        False for rgb, whose channels are all luminance.

    Returns
    -------
    restriction : csr_array (K_S, K)
        Float64; rows in the order of the first regressor that enters.
    """
    rows, members, row_of = [], [], {}
    for index, (kind, name) in enumerate(zip(table["kind"], table["name"], strict=True)):
        if kind in ("position", "second_stage") and str(kind) not in kept:
            continue
        label = str(name)
        if "colour" not in kept and kind != "position":
            if opponent and table["colour"][index] > 0:
                continue
            label = label.partition(" ")[2]
        if kind != "position":
            for dimension, tag in TAGS.items():
                label = label if dimension in kept else tag.sub("", label)
        rows.append(row_of.setdefault(label, len(row_of)))
        members.append(index)
    shape = (len(row_of), len(table["name"]))
    return sparse.csr_array((inverse[members], (rows, members)), shape=shape)
