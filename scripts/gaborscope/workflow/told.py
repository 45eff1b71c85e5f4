"""
What a config says of the data sets that files of weights have seen (`trained_on`).

Imported whenever the workflow is parsed: standard library alone.
"""

from collections.abc import Mapping
from typing import Any

from gaborscope.errors import InputError
from gaborscope.workflow import backbone_entries, faults

# Types under which any images may be given: the config's name tells such data sets apart.
NAMED = ("folder", "demo", "pysaliency")
# Video data sets that published weights have seen; they match no stimulus.
VIDEOS = ("dhf1k", "hollywood2", "ucfsports")
FORM = "{type: folder, dataset: NAME}"


def settle(config: dict[str, Any], types: list[str]) -> None:
    """
    Check the entries of `trained_on` and bring plain names of data sets into their form.

    Parameters
    ----------
    config : dict
        With complete `backbones`; changed in place.
    types : list of str
        Types of data sets.

    Raises
    ------
    InputError
        If an entry names no data set, or one of an unknown type.
    """
    for model, entry in config["backbones"].items():
        told = entry.get("trained_on")
        if isinstance(told, list):
            where = f"{'models' if 'factory' in entry else 'backbones'}.{model}"
            entry["trained_on"] = [
                _settled(f"{where}.trained_on.{i}", one, config["datasets"], types)
                for i, one in enumerate(told)
            ]


def _settled(where, one, datasets, types):
    if isinstance(one, str):
        if one not in datasets:
            raise InputError(
                f"config: {where} is {faults.shown(one)}, which is no data set of this config; "
                f"{faults.nearest(one, datasets)}; or write a mapping, such as {FORM}"
            )
        return {"type": datasets[one]["type"], "dataset": one}
    if not isinstance(one, dict) or not isinstance(one.get("type"), str):
        return one  # the schema says what is wrong
    kind = one["type"]
    if kind not in (*types, *VIDEOS):
        raise InputError(
            f"config: {where}.type is {faults.shown(kind)}, which is no type of data set; "
            f"{faults.nearest(kind, (*types, *VIDEOS))}"
        )
    if kind in NAMED and "dataset" not in one:
        raise InputError(
            f"config: {where} has the type {kind}, which any images may have, and so matches none; "
            f"write {FORM.replace('folder', kind)}, with the name that they have at datasets"
        )
    if ("blocks" in one) != ("n_blocks" in one):
        raise InputError(
            f"config: {where} has one of blocks and n_blocks; write both, such as "
            "n_blocks: 10, blocks: ['00']"
        )
    return one


def unknown(config: Mapping[str, Any]) -> list[str]:
    """
    Return the models of one's own whose weights may have seen anything, as far as the config says.

    Parameters
    ----------
    config : dict
        Complete.

    Returns
    -------
    models : list of str
        Those with a file of weights and without `trained_on`. A file .safetensors may say it itself
        and is asked when it is read.
    """
    return [
        model
        for model in config["models"]
        if "factory" in (entry := config["backbones"][model])
        and entry["weights"] not in backbone_entries.NO_FILE
        and not str(entry["weights"]).endswith(".safetensors")
        and entry["trained_on"] is None
        and backbone_entries.predicts(entry)
    ]


def said_of_seen(model: str, dataset: str, seen: int, n: int) -> str:
    """
    Say how many test stimuli of a data set a network was trained on.

    Parameters
    ----------
    model, dataset : str
    seen, n : int
        Test stimuli that were trained on, and all.

    Returns
    -------
    sentence : str
        Empty if it saw none.
    """
    if not seen:
        return ""
    if seen < n:
        left = n - seen
        return (
            f"{model} was trained on {seen} of the {n} test stimuli of data set '{dataset}', as "
            f"its trained_on says; {left} {'is' if left == 1 else 'are'} left to score it on"
        )
    return (
        f"{model} was trained on every test stimulus of data set '{dataset}', as its trained_on "
        "says: nothing of it will be scored there; give it stimuli that it has not seen"
    )
