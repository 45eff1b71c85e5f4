"""
Families of nulls: random networks, other banks, networks made random in part.

`expand` writes them into the config as ordinary entries of `models` and `explanations`. Imported
whenever the workflow is parsed: standard library alone.
"""

from collections.abc import Mapping
from typing import Any

from gaborscope.errors import InputError
from gaborscope.workflow import contests, faults
from gaborscope.workflow.completion import part
from gaborscope.workflow.variants import RANDOM

# Banks, and the name of the family of each.
BANKS = {
    "noise": "noise_banks",
    "phase_scrambled": "phase_scrambled_banks",
    "principal_components": "principal_components",
    "difference_of_gaussians": "difference_of_gaussians",
    "pixel_pairs": "pixel_pairs",
    "random": "random_bank",
    "pixel": "pixel_bank",
}
# Banks with a number: there is another one for every `draw`.
DRAWN = ("noise", "phase_scrambled")
MOST = 1000  # nulls of a kind
SIDES = ("output", "input")
FAMILIES = ("random_networks", *BANKS.values(), *(f"from_{side}" for side in SIDES))


def expand(config: dict[str, Any]) -> None:
    """
    Add the entries that `nulls` of a config asks for.

    Parameters
    ----------
    config : dict
        Changed in place, before `like` of models and explanations is resolved. An entry of the same
        name is left as it is. Random networks are explained by the explanations of `nulls` alone.
        Malformed values stay as they are, for the check against the schema to name.
    """
    if not _well_formed(config):
        return
    made, models = copies(config), config["models"]
    own = [name for name in models if name not in made]
    if isinstance(models, list):
        models += [name for name in made if name not in models]
        for name, entry in made.items():
            config["backbones"].setdefault(name, entry)
    else:
        for name, entry in made.items():
            models.setdefault(name, entry)
    explanations = config["explanations"]
    for name, entry in banks(config).items():
        explanations.setdefault(name, entry)
    chosen = config["nulls"]["explanations"]
    for name, entry in explanations.items() if made else ():
        if isinstance(entry, dict):
            explained = _explained(entry, own)
            also = [copy for copy in made if name in chosen and made[copy]["like"] in explained]
            entry["models"] = [m for m in explained if m not in made] + also


def _well_formed(config):
    """Whether the config is such that nulls can be added to it."""
    wanted, models = part(config, "nulls"), config.get("models")
    return (
        isinstance(models, list | dict)
        and all(isinstance(name, str) for name in models)
        and all(isinstance(config.get(key), dict) for key in ("explanations", "backbones"))
        and isinstance(wanted.get("explanations"), list)
        and isinstance(wanted.get("models"), list | None)
        and isinstance(wanted.get("banks"), dict)
        and all(control in BANKS for control in wanted["banks"])
        and all(_counts(n) for n in (wanted.get("randoms"), *wanted["banks"].values()))
        and isinstance(wanted.get("progressive"), list)
        and all(isinstance(share, float) and 0 < share < 1 for share in wanted["progressive"])
    )


def _counts(value):
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MOST


def names(config: Mapping[str, Any]) -> set[str]:
    """Return the names of all models and explanations that `nulls` of a config adds."""
    return {*copies(config), *banks(config)}


def copies(config: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """
    Return the random networks, in whole or in part, that `nulls` asks for.

    Parameters
    ----------
    config : dict
        Before or after `expand`.

    Returns
    -------
    copies : dict of str to dict
        Name to entry: `{model}_random{i}`, `{model}_from_output{percent}`,
        `{model}_from_input{percent}`.
    """
    wanted, made = config["nulls"], {}
    for model in _trained(config):
        for i in range(1, wanted["randoms"] + 1):
            made[f"{model}_random{i}"] = {"like": model, "weights": RANDOM, "seed": i}
        for side in SIDES:
            for share in wanted["progressive"]:
                percent = f"{100 * share:.2f}".rstrip("0").rstrip(".").replace(".", "_")
                made[f"{model}_from_{side}{percent}"] = {
                    "like": model,
                    "weights": RANDOM,
                    "randomise": {"from": side, "share": share},
                }
    return made


def _trained(config):
    """Return the models that get nulls."""
    models, chosen = config["models"], config["nulls"]["models"]
    given = models if isinstance(models, dict) else {}
    return [
        name
        for name in models
        if (chosen is None or name in chosen)
        and (part(given, name) or part(config, "backbones", name)).get("weights") != RANDOM
    ]


def banks(config: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """
    Return the explanations by other banks that `nulls` asks for.

    Parameters
    ----------
    config : dict
        Before or after `expand`.

    Returns
    -------
    banks : dict of str to dict
        Name to entry: `{explanation}_{control}{i}` where the control is drawn, otherwise
        `{explanation}_{control}`. A refined explanation goes on from a cascade of the bank, which
        is made as well.
    """
    wanted, given = config["nulls"], config["explanations"]
    trained, copied = _trained(config), copies(config)
    own = [name for name in config["models"] if name not in copied]
    made = {}
    for control, n in wanted["banks"].items():
        for i in range(1, n + 1):
            ending = f"{control}{i}" if control in DRAWN else control
            for name in wanted["explanations"]:
                explained = [m for m in _explained(part(given, name), own) if m in trained]
                _add_bank(made, given, name, ending, control, i, explained)
    return made


def _add_bank(made, given, name, ending, control, draw, models):
    """Add an explanation by another bank, after the one that it goes on from."""
    if not part(given, name) and name not in given:
        return
    entry = {"like": name, "models": models}
    start = _setting(given, name, "start")
    if start or _setting(given, name, "mode") == "refined":
        start = start or "cascade"
        if f"{start}_{ending}" not in made:
            _add_bank(made, given, start, ending, control, draw, [])
        entry["start"] = f"{start}_{ending}"
    if _setting(given, name, "mode") != "refined":
        entry |= {"control": control, "draw": draw} if control in DRAWN else {"control": control}
    if models or f"{name}_{ending}" not in made:
        made[f"{name}_{ending}"] = entry


def _setting(given, name, key, seen=()):
    """Return what an explanation, or the one that it is like, sets; None for nothing."""
    entry = part(given, name) if isinstance(name, str) and name not in seen else {}
    if key in entry or "like" not in entry:
        return entry.get(key)
    return _setting(given, entry["like"], key, (*seen, name))


def _explained(entry, models):
    """Return the models that an entry of `explanations` explains."""
    named = entry.get("models")
    return list(named) if isinstance(named, list) else list(models)


def check(config: Mapping[str, Any]) -> None:
    """
    Check the names in `nulls`.

    Parameters
    ----------
    config : dict
        Complete.

    Raises
    ------
    InputError
        If nulls are asked for of an explanation or a model that the config has not.
    """
    wanted = config["nulls"]
    if not (wanted["randoms"] or wanted["progressive"] or any(wanted["banks"].values())):
        return
    for key in ("explanations", "models"):
        for name in wanted[key] or ():
            if name not in config[key]:
                raise InputError(
                    f"config: nulls.{key} names {name!r}, but {key} has only "
                    f"{', '.join(config[key]) or 'none'}{faults.meant(name, config[key])}"
                )


def families(
    config: Mapping[str, Any], explained: Mapping[str, str], targets: Mapping[str, str]
) -> dict[str, dict[str, dict[str, list[str]]]]:
    """
    Predictors that are nulls of each explanation of a trained network.

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
    families : dict of str to dict of str to dict of str to list of str
        By model, by explanation of log-Gabors, by family (`FAMILIES`): its predictors, none where
        the run has none. Nulls that the config names itself are in their family too. Banks differ
        from the explanation in `control`, `draw` and `models` alone. Networks that are random in
        part are ordered by their share.
    """
    described = {
        name: contests.control_of(name, config["explanations"]) for name in config["explanations"]
    }
    found: dict[str, dict[str, dict[str, list[str]]]] = {}
    for predictor in explained:
        model, explanation = predictor.split("-")
        control, settings = described[explanation]
        if targets[model] != model or control is not None:
            continue
        groups: dict[str, list[str]] = {family: [] for family in FAMILIES}
        for copy in sorted(targets, key=lambda name: _share(config, name)):
            null = f"{copy}-{explanation}"
            if copy != model and targets[copy] == model and null in explained:
                groups[_family(config, copy)].append(null)
        for other, (its_control, its_settings) in described.items():
            null = f"{model}-{other}"
            if its_control is not None and its_settings == settings and null in explained:
                groups[BANKS[its_control]].append(null)
        found.setdefault(model, {})[explanation] = groups
    return found


def _family(config, copy):
    partly = config["backbones"][copy].get("randomise")
    return f"from_{partly['from']}" if partly else "random_networks"


def _share(config, model):
    return (config["backbones"][model].get("randomise") or {}).get("share", 0)
