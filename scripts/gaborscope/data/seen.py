"""Stimuli that an entry of `trained_on` names (see `scoring.exposure`); standard library alone."""

from collections.abc import Mapping, Sequence
from typing import Any

from gaborscope.data import catalogue

# types under which any images may be given: only the config's name tells such data sets apart
NAMED = ("folder", "demo", "pysaliency")


def concerns(entry: Mapping[str, Any], dataset: str, kind: str) -> bool:
    """
    Tell whether an entry is of a data set.

    Parameters
    ----------
    entry : dict
    dataset, kind : str
        Name and type of the data set in the config.

    Returns
    -------
    concerns : bool
    """
    same = kind not in NAMED or entry.get("dataset") == dataset
    return same and entry.get("type") == kind


def stimuli(entry: Mapping[str, Any], names: Sequence[str]) -> set[str]:
    """
    Return the stimuli that an entry without `shuffled` names.

    Parameters
    ----------
    entry : dict
    names : sequence of str
        Stimuli of the data set.

    Returns
    -------
    names : set of str
        All, where the entry names no part.
    """
    if "prefix" in entry:
        return {name for name in names if name.startswith(entry["prefix"])}
    if "blocks" in entry:
        blocks, n = set(entry["blocks"]), entry["n_blocks"]
        return {
            name for name in names if catalogue.block_name(catalogue.block_of(name, n), n) in blocks
        }
    return set(names)


def said_of_unknown(model: str) -> str:
    """
    Say that nobody knows what a network has seen.

    Parameters
    ----------
    model : str

    Returns
    -------
    sentence : str
        Without a point at the end.
    """
    return (
        f"what {model} was trained on is unknown, so test stimuli that it may have seen are "
        f"scored as unseen; set models.{model}.trained_on: names of such data sets, or [] for none"
    )
