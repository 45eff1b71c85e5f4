"""
Which predictors each explanation must beat, worked out from the config.

Imported whenever the workflow is parsed: standard library alone.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from gaborscope.errors import InputError

# By test, the families of nulls (`nulls.FAMILIES`) that it is about, each a rival of its own or the
# draws of one, and the key of the config that makes the first.
FAMILY_TESTS: dict[str, tuple[list[tuple[str, ...]], str]] = {
    "above_noise_banks": ([("noise_banks", "random_bank")], "nulls.banks.noise"),
    "above_phase_scrambled_banks": (
        [("phase_scrambled_banks",)], "nulls.banks.phase_scrambled"
    ),
    "above_principal_components": (
        [("principal_components",)], "nulls.banks.principal_components"
    ),
    "above_difference_of_gaussians": (
        [("difference_of_gaussians",)], "nulls.banks.difference_of_gaussians"
    ),
    "above_pixel_pairs": ([("pixel_pairs",), ("pixel_bank",)], "nulls.banks.pixel_pairs"),
}  # fmt: skip
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
        Control of the explanation. A refined explanation has the control of its first cascade,
        a readout that of its linear explanation.
    settings : str
        JSON. Equal for explanations that differ in `control`, `draw` and `models` alone.
    """
    entry = {
        key: value for key, value in explanations[name].items() if key not in ("models", "draw")
    }
    control = entry.pop("control", None)
    if entry.get("start"):
        control, entry["start"] = control_of(entry["start"], explanations)
    return control, json.dumps(entry, sort_keys=True)


def plan(
    config: Mapping[str, Any],
    nulls: Mapping[str, Mapping[str, Mapping[str, Sequence[str]]]],
    deep_banks: Collection[str],
    other_regressors: Collection[str] = (),
) -> list[dict[str, Any]]:
    """
    Return the predictors that each explanation of a trained network is compared with.

    Parameters
    ----------
    config : dict
        Complete.
    nulls : dict of str to dict of str to dict of str to list of str
        By model, explanation and family, its predictors, see `nulls.families`.
    deep_banks : collection of str
        Predictors that are banks fitted to a deep map without a layer between.
    other_regressors : collection of str
        Explained predictors whose regressors the last of these banks has not.

    Returns
    -------
    contests : list of dict
        `model`, `explanation`, `predictor`, and `rivals`: list of [test, predictors, reason]. The
        predictors are one rival, or the draws of a family. If none serves a test, there are none
        and the reason says what to add to the config. If several families serve it, each is an
        entry.
    """
    contests = []
    for model, by_explanation in nulls.items():
        for explanation, groups in by_explanation.items():
            rivals: list[list[Any]] = [["above_centre_bias", ["centre_bias"], ""]]
            rivals += _contest(
                "above_random_networks",
                [groups["random_networks"]],
                f"no random copy of {model} is explained so; set nulls.randoms",
            )
            for bank in BANK_PREDICTORS:
                rivals += _contest(
                    f"above_{bank}",
                    [[bank] if bank in config["baselines"]["predictors"] else []],
                    f"{bank} is not among baselines.predictors",
                )
            for test, (families_of_test, key) in FAMILY_TESTS.items():
                rivals += _contest(
                    test,
                    [[name for part in family for name in groups[part]]
                     for family in families_of_test],
                    f"no explanation differs from {explanation} in its bank alone; set {key}",
                )  # fmt: skip
            rivals += _contest(
                "above_progressive_networks",
                [[name] for side in ("output", "input") for name in groups[f"from_{side}"]],
                f"no copy of {model} is random in part; set nulls.progressive",
            )
            # the null that never changes, and the one with the explanation's own regressors
            own = f"{model}-{explanation}" not in other_regressors
            names = ("loggabor_deep", "loggabor_deep_same")[: 1 + own]
            no_layer = [f"{model}-{name}" for name in names]
            rivals += _contest(
                "layers_add",
                [[name] for name in no_layer if name in deep_banks],
                f"no explanation of mode direct explains {model}, so no bank is fitted to its map",
            )
            about = {"model": model, "explanation": explanation}
            contests.append({**about, "predictor": f"{model}-{explanation}", "rivals": rivals})
    return contests


def _contest(test, rivals, otherwise):
    return [[test, list(family), ""] for family in rivals if family] or [[test, [], otherwise]]


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
