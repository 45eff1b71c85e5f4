"""
Which predictors each explanation must beat, worked out from the config.

Imported whenever the workflow is parsed: standard library alone.
"""

import json
from collections.abc import Mapping
from typing import Any

from gaborscope.errors import InputError

CONTROLS = ("random", "pixel")  # banks in the place of log-Gabors
# Keys of a backbone's entry that may differ between two trainings of the same network.
VARIED = ("seed", "weights", "like", "network")
BANK_PREDICTORS = ("loggabor_fixations", "loggabor_equal")


def check_equal(config: Mapping[str, Any]) -> None:
    """
    Check that the baseline `loggabor_equal` can be built: its `like`, and a model for its input.

    Parameters
    ----------
    config : dict
        Complete.

    Raises
    ------
    InputError
        If `like` names no explanation of mode direct, or `models` is empty.
    """
    if "loggabor_equal" not in config["baselines"]["predictors"]:
        return
    like, known = config["baselines"]["loggabor_equal"]["like"], config["explanations"]
    if known.get(like, {}).get("mode") != "direct":
        direct = [name for name, entry in known.items() if entry["mode"] == "direct"]
        raise InputError(
            f"config: baselines.loggabor_equal.like is {like!r}, which is no explanation of mode "
            f"direct; there are {', '.join(direct)}"
        )
    if not config["models"]:
        raise InputError(
            "config: loggabor_equal takes the input of the first model, but models is empty; "
            "take loggabor_fixations"
        )


def control_of(name: str, explanations: Mapping[str, Mapping[str, Any]]) -> tuple[str | None, str]:
    """
    Return the control bank of an explanation, and its other settings as one text.

    Parameters
    ----------
    name : str
    explanations : dict of str to dict
        Complete.

    Returns
    -------
    control : str or None
        Control of the explanation. A refined explanation has the control of its first cascade.
    settings : str
        JSON. Equal for explanations that differ in `control`, `draw` and `models` alone.
    """
    entry = {
        key: value for key, value in explanations[name].items() if key not in ("models", "draw")
    }
    control = entry.pop("control", None)
    if entry["mode"] == "refined":
        control, entry["start"] = control_of(entry["start"], explanations)
    return control, json.dumps(entry, sort_keys=True)


def controls(explanations: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, str]]:
    """
    Return, for every explanation of log-Gabor filters, its controls.

    Parameters
    ----------
    explanations : dict of str to dict

    Returns
    -------
    controls : dict of str to dict of str to str
        By explanation: by control, the explanation whose other settings are the same.
    """
    described = {name: control_of(name, explanations) for name in explanations}
    return {
        name: {
            other: rival
            for rival, (other, other_settings) in described.items()
            if other is not None and other_settings == settings
        }
        for name, (control, settings) in described.items()
        if control is None
    }


def plan(
    config: Mapping[str, Any], explained: Mapping[str, str], targets: Mapping[str, str]
) -> list[dict[str, Any]]:
    """
    Return the predictors that each explanation of a trained network is compared with.

    Parameters
    ----------
    config : dict
        Complete.
    explained : dict of str to str
        Predictor `{model}-{explanation}` to the network it is fused to.
    targets : dict of str to str
        By model, see `variants.targets`.

    Returns
    -------
    contests : list of dict
        `model`, `explanation`, and `rivals`: list of [test, predictor, reason]. If no predictor
        serves a test, it is None and the reason says what to add to the config. If several
        serve it, each has a row.
    """
    banks = controls(config["explanations"])
    contests = []
    for predictor in explained:
        model, explanation = predictor.split("-")
        if targets[model] != model or explanation not in banks:
            continue
        blank = [
            name
            for name, like in targets.items()
            if like == model and name != model and not config["backbones"][name].get("randomise")
        ]
        rivals = [["above_centre_bias", "centre_bias", ""]]
        rivals += _contest(
            "above_random_network",
            [f"{name}-{explanation}" for name in blank],
            explained,
            f"models has no random copy of {model} that is explained so (weights: random)",
        )
        for bank in BANK_PREDICTORS:
            rivals += _contest(
                f"above_{bank}",
                [bank],
                config["baselines"]["predictors"],
                f"{bank} is not among baselines.predictors",
            )
        for control in CONTROLS:
            name = banks[explanation].get(control)
            rivals += _contest(
                f"above_{control}_bank",
                [f"{model}-{name}"],
                explained,
                f"no explanation differs from {explanation} in control: {control} alone",
            )
        contests.append({"model": model, "explanation": explanation, "rivals": rivals})
    return contests


def _contest(test, rivals, known, otherwise):
    met = [[test, rival, ""] for rival in rivals if rival in known]
    return met or [[test, None, otherwise]]


def families(config: Mapping[str, Any], targets: Mapping[str, str]) -> list[list[str]]:
    """
    Networks that differ in their training seed alone.

    A file of weights counts as a training with the settings and the seed of its entry.

    Parameters
    ----------
    config : dict
        Complete.
    targets : dict of str to str

    Returns
    -------
    families : list of list of str
        Each has two or more trained models of different seeds.
    """
    groups = {}
    for model in config["models"]:
        entry = config["backbones"][model]
        if targets[model] != model or entry["weights"] in (None, "published"):
            continue
        kept = {k: v for k, v in entry.items() if k not in VARIED}
        key = json.dumps([entry.get("network", model), kept], sort_keys=True)
        if "factory" in entry:
            key = json.dumps(kept, sort_keys=True)
        seed = config["seed"] if entry["seed"] is None else entry["seed"]
        groups.setdefault(key, {}).setdefault(seed, model)
    return [list(group.values()) for group in groups.values() if len(group) > 1]
