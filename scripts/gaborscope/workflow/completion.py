"""
Complete a config: layer tables, regressors, explanations and the list of analyses.

Imported whenever the workflow is parsed: standard library and PyYAML alone. What is malformed
stays as it is, for the check against the schema to name.
"""

import copy
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

import gaborscope
from gaborscope.errors import InputError
from gaborscope.workflow import faults
from gaborscope.workflow.backbone_entries import overlay

ANALYSES = (
    "bits",
    "spectra",
    "anatomy",
    "halves",
    "seeds",
    "faithfulness",
    "sparsity_scores",
    "ablation",
    "calibration",
    "differentiation",
)
# What runs where a config says nothing. The deprecated switches count beside this very list alone:
# any other list is the user's word, and final.
BY_DEFAULT = list(ANALYSES[:6])
# where `like: regressors` may stand
LIKE_REGRESSORS = (
    ("explanation_defaults", "direct"),
    ("explanation_defaults", "cascade", "image"),
    ("spectra",),
    ("baselines", "loggabor_fixations"),
)
# Deprecated: an empty list at these keys switches the analysis off.
SELECTORS = {"bits": "explanations", "spectra": "predictors", "faithfulness": "explanations"}
TABLES = Path(gaborscope.__path__[0]) / "backbones" / "tables"


def read_yaml(path: str | Path) -> Any:
    """
    Read a YAML file, by the parser in C where PyYAML has it.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    content : dict, list, str, number, bool or None
    """
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    with open(path, encoding="utf-8") as handle:
        return yaml.load(handle, Loader=loader)


def add_tables(config: dict[str, Any]) -> None:
    """
    Fill in the layer tables of Gaborscope's networks; a key of the config wins.

    Parameters
    ----------
    config : dict
        Changed in place: `layers` and `cascade_layers` of the entries of `backbones` that have a
        table in backbones/tables.
    """
    for name, entry in part(config, "backbones").items():
        path = TABLES / f"{name}.yaml"
        if not isinstance(entry, dict) or "like" in entry or not path.is_file():
            continue
        for key, table in read_yaml(path).items():
            given = entry.get(key, {})
            if isinstance(given, dict):
                entry[key] = overlay(table, given)


def fill_regressors(config: dict[str, Any]) -> None:
    """
    Put the keys of `regressors` in the place of `like: regressors`.

    Parameters
    ----------
    config : dict
        Changed in place.
    """
    regressors = part(config, "regressors")
    for keys in LIKE_REGRESSORS:
        _replace_like(part(config, *keys), regressors)
    for entry in part(config, "explanations").values():
        _replace_like(part({"entry": entry}, "entry", "image"), regressors)


def _replace_like(section, regressors):
    if section.get("like") != "regressors":
        return
    changed = {key: value for key, value in section.items() if key in regressors}
    filled = {}
    for key, value in section.items():
        if key == "like":
            filled.update(overlay(regressors, changed))
        elif key not in regressors:
            filled[key] = value
    section.clear()
    section.update(filled)


def fill_explanations(config: dict[str, Any], scored: bool, said: list[str]) -> None:
    """
    Fill in what explanations and options of the ablation leave out.

    Parameters
    ----------
    config : dict
        Changed in place, `like: regressors` replaced. An entry of `explanations` takes what it
        does not set from the explanation that its `like` names, otherwise from the defaults of
        its mode; `models` is never taken over. An option takes it from the explanation
        `direct`.
    scored : bool
        Whether every explanation of mode direct is scored with few filters per map; if not, only
        one that sets budgets for it.
    said : list of str
        Gets a line for each deprecated use.

    Raises
    ------
    InputError
        If `like` names no explanation, one of another mode, or leads back to itself.
    """
    given, defaults = (
        part(config, "explanations"),
        copy.deepcopy(part(config, "explanation_defaults")),
    )
    for mode in defaults:
        if part(defaults, mode).get("models"):
            said.append(
                f"config: explanation_defaults.{mode}.models has no effect; say it of the "
                "explanations"
            )
    few = part(defaults, "direct", "sparsity_scores")
    if few and not scored:
        few["budgets"] = []
    filled = {
        name: _filled(name, given, defaults, said, ()) if isinstance(entry, dict) else entry
        for name, entry in given.items()
    }
    given.update(filled)
    options, direct = part(config, "ablation", "options"), given.get("direct")
    for name, entry in options.items():
        if isinstance(entry, dict) and isinstance(direct, dict):
            options[name] = overlay(direct, entry)


def _filled(name, given, defaults, said, seen):
    """One explanation with all its settings, without `like`."""
    if name in seen:
        raise InputError(
            f"config: explanations.{seen[0]}.like leads back to itself: "
            f"{' like '.join([*seen, name])}"
        )
    entry = {key: value for key, value in given[name].items() if key != "like"}
    like = given[name].get("like")
    if like is None and "like" not in given[name] and _takes_from_direct(name, given):
        like = "direct"
        if not seen:
            said.append(
                f"config: explanations.{name} takes what it does not set from explanations.direct, "
                "which is deprecated; write like: direct (or like: null: the defaults of its mode)"
            )
    if like is None:
        mode = entry.get("mode", "direct")
        if not isinstance(mode, str) or not part(defaults, mode):  # for the schema to name
            return {"mode": mode, **entry}
        below = {"mode": mode, **part(defaults, mode)}
    else:
        below = _like(name, like, given, defaults, said, seen)
    return overlay({**below, "models": None}, entry)


def _like(name, like, given, defaults, said, seen):
    """Return all settings of the explanation that `like` names; the modes must be the same."""
    if not isinstance(given.get(like) if isinstance(like, str) else None, dict):
        others = ", ".join(str(other) for other in given if other != name)
        raise InputError(
            f"config: explanations.{name}.like is {faults.shown(like)}, which is no explanation; "
            f"there are {others or 'no others'}{faults.meant(like, given)}"
        )
    below = _filled(like, given, defaults, said, (*seen, name))
    mode = given[name].get("mode", below["mode"])
    if mode != below["mode"]:
        raise InputError(
            f"config: explanations.{name} has mode {mode}, but is like {like}, whose mode is "
            f"{below['mode']}"
        )
    return below


def _takes_from_direct(name, given):
    """Whether an entry without `like` takes its settings from `direct` (deprecated)."""
    direct = given.get("direct")
    if name == "direct" or not isinstance(direct, dict) or "like" in direct:
        return False
    if given[name].get("mode", "direct") != "direct":
        return False
    return any(_sets(value) for key, value in direct.items() if key not in ("mode", "models"))


def _sets(value):
    """Whether a setting holds any value, not only empty mappings."""
    return any(map(_sets, value.values())) if isinstance(value, dict) else True


def settle_analyses(config: dict[str, Any], said: list[str]) -> bool:
    """
    Decide which analyses run, and set the deprecated switches to the same.

    Parameters
    ----------
    config : dict
        Changed in place, `explanations` not yet filled in. `analyses` becomes the list of all
        analyses that run, in the order of `ANALYSES`. The selector (see `SELECTORS`) of an
        analysis that does not run becomes empty. `scores.calibrate` becomes whether calibration
        runs.
    said : list of str
        Gets a line for each deprecated switch.

    Returns
    -------
    scored : bool
        Whether sparsity_scores was in the list from the beginning.

    Raises
    ------
    InputError
        If the selector of an analysis that does not run names an explanation that is none.
    """
    wanted = config.get("analyses")
    if not isinstance(wanted, list) or any(name not in ANALYSES for name in wanted):
        return False
    if len(set(wanted)) < len(wanted):  # the schema names what stands twice
        return False
    off, on = [], []
    if wanted == BY_DEFAULT:
        off = [
            (name, f"{name}.{key}: [] takes {name} out of analyses")
            for name, key in SELECTORS.items()
            if part(config, name).get(key) == []
        ]
        on = [(name, f"{text} into analyses") for name, text in _switched_on(config)]
    final = {*wanted, *(name for name, _ in on)} - {name for name, _ in off}
    config["analyses"] = [name for name in ANALYSES if name in final]
    instead = f"analyses: [{', '.join(config['analyses'])}]"
    said += [f"config: {text}, which is deprecated; write {instead}" for _, text in off + on]
    for name, key in SELECTORS.items():
        if name not in final and key in part(config, name):
            _check_selected(config, name, key)
            config[name][key] = []
    if isinstance(config.get("scores"), dict):
        if config["scores"].get("calibrate") is False and "calibration" in final:
            said.append("config: scores.calibrate: false has no effect: analyses has calibration")
        config["scores"].setdefault("calibrate", False)
        if isinstance(config["scores"]["calibrate"], bool):
            config["scores"]["calibrate"] = "calibration" in final
    return "sparsity_scores" in wanted


def _check_selected(config, analysis, key):
    """Refuse an explanation that an analysis selects and that is none, though it does not run."""
    wanted, known = config[analysis][key], part(config, "explanations")
    for name in wanted if isinstance(wanted, list) and key == "explanations" else ():
        if isinstance(name, str) and known and name not in known:
            raise InputError(
                f"config: {analysis}.{key} names {name!r}, but explanations has only "
                f"{', '.join(str(other) for other in known)}{faults.meant(name, known)}"
            )


def _switched_on(config):
    """Analyses that a deprecated switch turns on, each with the beginning of its warning."""
    uses = [
        ("sparsity_scores", f"explanations.{name}.sparsity_scores.budgets puts sparsity_scores")
        for name, entry in part(config, "explanations").items()
        if part({name: entry}, name, "sparsity_scores").get("budgets")
    ]
    if part(config, "ablation").get("options"):
        uses.append(("ablation", "ablation.options puts ablation"))
    if part(config, "scores").get("calibrate") is True:
        uses.append(("calibration", "scores.calibrate: true puts calibration"))
    return uses


def part(config: Any, *keys: str) -> dict[str, Any]:
    """
    Return the mapping at some keys, or an empty one where there is none.

    Parameters
    ----------
    config : dict
    *keys : str

    Returns
    -------
    part : dict
    """
    for key in keys:
        config = config.get(key)
        if not isinstance(config, dict):
            return {}
    return config


def explained_by(entry: Mapping[str, Any], models: Sequence[str]) -> Sequence[str]:
    """
    Return the models that an explanation explains.

    Parameters
    ----------
    entry : dict
        Complete entry of `explanations`. Its `models` is None for all models, empty for none.
    models : list of str
        `models` of the config.

    Returns
    -------
    explained : list of str
    """
    return models if entry["models"] is None else entry["models"]
