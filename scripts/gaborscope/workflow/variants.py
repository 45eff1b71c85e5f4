"""
Backbones that are variants of others: of another training seed, or randomly initialised.

Imported whenever the workflow is parsed: standard library alone.
"""

import copy
from collections.abc import Callable, Mapping
from typing import Any

from gaborscope.errors import InputError

RANDOM = "random"  # weights of a network that has learned nothing
# Keys that a random copy takes from the entry that `like` names.
TAKEN_FROM_LIKE = ("input", "options", "factory", "start", "trained_on")


def resolve(backbones: dict[str, dict[str, Any]], overlay: Callable[..., Any]) -> None:
    """
    Complete entries that name another one by `like`.

    Parameters
    ----------
    backbones : dict of str to dict
        Changed in place. An entry with `like` takes the keys that it does not set from the entry
        named there. It also gets `network`: the name at the end of the chain, whose code it runs.
    overlay : callable
        Merges two settings key by key, `backbone_entries.overlay`.

    Raises
    ------
    InputError
        If `like` names no backbone or leads back to itself, or random weights are asked for in an
        entry that cannot have them.
    """
    given = copy.deepcopy(backbones)
    for name, entry in given.items():
        if "like" in entry:
            backbones[name] = _resolved(name, given, overlay, ())
    for name, entry in backbones.items():
        for key in {"from", "share"} - set(entry.get("randomise", ("from", "share"))):
            raise InputError(
                f"config: backbones.{name}.randomise has no {key}; write both, such as "
                "randomise: {from: output, share: 0.5}"
            )
        if entry.get("weights") == RANDOM:
            _check_random(name, given[name], backbones)
        elif "randomise" in entry:
            raise InputError(
                f"config: backbones.{name} has randomise, but its weights are "
                f"{entry.get('weights')!r}; set weights: random"
            )


def _resolved(name, given, overlay, seen):
    if name in seen:
        raise InputError(
            f"config: backbones.{seen[0]}.like leads back to itself: {' like '.join([*seen, name])}"
        )
    entry = given[name]
    if "like" not in entry:
        return entry
    like = entry["like"]
    if like not in given:
        others = ", ".join(other for other in given if other != name)
        raise InputError(
            f"config: backbones.{name}.like is {like!r}, which is no backbone; there are {others}"
        )
    below = _resolved(like, given, overlay, (*seen, name))
    filled = overlay(below, entry)
    filled["network"] = below.get("network", like)
    if "weights" in entry:  # `start` and `trained_on` of the other entry describe other weights
        filled["start"], filled["trained_on"] = entry.get("start"), entry.get("trained_on")
    return filled


def _check_random(name, entry, backbones):
    if "like" not in entry:
        place = "models" if "factory" in entry else "backbones"
        raise InputError(
            f"config: {place}.{name}.weights is random, but an explanation of a random network "
            "shares the target of a trained one; name the trained one by like"
        )
    like = entry["like"]
    if backbones[like]["weights"] == RANDOM:
        raise InputError(
            f"config: backbones.{name}: {like!r} is random itself and has no target; let "
            "like name a trained backbone"
        )
    for key in TAKEN_FROM_LIKE:
        if key in entry:
            raise InputError(
                f"config: backbones.{name}.{key} cannot be set: a random copy takes it from "
                f"{like}; leave it out"
            )
    if str(backbones[name].get("factory", "")).startswith("torchscript:"):
        raise InputError(
            f"config: backbones.{name}: a TorchScript file cannot be initialised anew; give the "
            f"factory of {like} as a function, or make no random network of it"
        )


def targets(config: Mapping[str, Any]) -> dict[str, str]:
    """
    Return, by model, the model whose densities its explanations are fused to.

    Parameters
    ----------
    config : dict
        Complete.

    Returns
    -------
    targets : dict of str to str
        For a random copy, the network that `like` names; for every other model, the model itself.

    Raises
    ------
    InputError
        If a random copy is explained without that network.
    """
    by_model = {}
    for name in config["models"]:
        entry = config["backbones"][name]
        by_model[name] = entry["like"] if entry["weights"] == RANDOM else name
        if by_model[name] not in config["models"]:
            raise InputError(
                f"config: models has {name!r}, whose explanations are compared with those of "
                f"{by_model[name]!r}; add {by_model[name]!r} to models"
            )
    return by_model
