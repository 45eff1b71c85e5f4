"""
Check a config against the schema and against itself; a fault is one sentence.

Imported whenever the workflow is parsed: standard library, and jsonschema and PyYAML, which
Snakemake brings along.
"""

import difflib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jsonschema
import yaml

from gaborscope.errors import InputError
from gaborscope.workflow.backbone_entries import overlay

NAME = re.compile(r"[a-z0-9_]+")


def complete(config: dict[str, Any]) -> dict[str, Any]:
    """
    Fill in what the entries of `explanations` leave to the defaults of their mode.

    Parameters
    ----------
    config : dict

    Returns
    -------
    config : dict
        The same object; entries of mode direct take what they do not set from the one called
        `direct`, the others from `explanation_defaults`; options of the ablation as those of mode
        direct. What is malformed stays as it is, for
        `check` to name.
    """
    explanations = config.get("explanations")
    defaults = config.get("explanation_defaults")
    if not isinstance(explanations, dict) or not isinstance(defaults, dict):
        return config
    by_mode = {"direct": explanations.get("direct"), **defaults}
    for name, entry in explanations.items():
        if isinstance(entry, dict) and isinstance(by_mode.get(entry.get("mode")), dict):
            # whom it explains is an entry's own affair
            below = {**by_mode[entry["mode"]], "models": None}
            explanations[name] = overlay(below, entry)
    _complete_options(config.get("ablation"), explanations.get("direct"))
    return config


def _complete_options(ablation, direct):
    """Fill in what the options of the ablation leave to the explanation `direct`."""
    options = ablation.get("options") if isinstance(ablation, dict) else None
    if not isinstance(options, dict):
        return
    for name, entry in options.items():
        if isinstance(entry, dict) and isinstance(direct, dict):
            options[name] = overlay(direct, entry)


def check(config: Mapping[str, Any], schema_file: str | Path) -> None:
    """
    Check a config.

    Parameters
    ----------
    config : dict
    schema_file : str or Path
        JSON schema, as YAML.

    Raises
    ------
    InputError
        Naming the key, the value and what is expected.
    """
    with open(schema_file, encoding="utf-8") as handle:
        schema = yaml.safe_load(handle)
    errors = jsonschema.Draft202012Validator(schema).iter_errors(config)
    worst = jsonschema.exceptions.best_match(errors)
    if worst is not None:
        raise InputError(f"config: {_sentence(worst)}")
    _check_names(config)
    _check_starts(config["explanations"])
    _check_solvers("explanations", config["explanations"])
    _check_solvers("ablation.options", config["ablation"]["options"])
    _check_explained(config)
    _check_second_stages(config["explanations"])
    _check_bits(config["bits"]["explanations"] or (), config["explanations"])
    _check_spectra(config)
    _check_faithfulness(config["faithfulness"]["explanations"], config["explanations"])


def _sentence(error):
    where = ".".join(str(part) for part in error.absolute_path) or "the top level"
    if error.validator == "additionalProperties" and "properties" in error.schema:
        known = list(error.schema["properties"])
        unknown = next(key for key in error.instance if key not in known)
        close = difflib.get_close_matches(str(unknown), known, 1)
        hint = f"did you mean {close[0]!r}?" if close else f"known are {', '.join(known)}"
        return f"unknown key {unknown!r} at {where}; {hint}"
    described = error.schema.get("description")
    hint = f" ({described})" if described else ""
    return f"{where} is {error.instance!r}: {error.message}{hint}"


def _check_names(config):
    named = {
        key: config[key] for key in ("datasets", "explanations", "backbones", "maps", "models")
    }
    for key, names in {**named, "ablation.options": config["ablation"]["options"]}.items():
        for name in names:
            if not isinstance(name, str):
                raise InputError(
                    f"config: {key}: the name {name!r} is read as {type(name).__name__}; "
                    "put it in quotes"
                )
            if not NAME.fullmatch(name):
                raise InputError(
                    f"config: {key}: the name {name!r} must consist of a-z, 0-9 and _ alone"
                )
    for key in ("fit_on", "evaluate_on"):
        wanted = [config[key]] if isinstance(config[key], str) else config[key]
        for name in wanted:
            if name not in config["datasets"]:
                raise InputError(
                    f"config: {key} names the data set {name!r}, but datasets has only "
                    f"{', '.join(config['datasets'])}"
                )
    taken = {*config["models"], *config["baselines"]["predictors"], "centre_bias", "gold_standard"}
    for name, entry in config["maps"].items():
        if name in taken:
            raise InputError(f"config: maps: the name {name!r} is that of another predictor")
        for dataset in entry["paths"]:
            if dataset not in config["datasets"]:
                raise InputError(
                    f"config: maps.{name}.paths names the data set {dataset!r}, but datasets has "
                    f"only {', '.join(config['datasets'])}"
                )
    for name in config["models"] if isinstance(config["models"], list) else ():
        if name not in config["backbones"]:
            raise InputError(
                f"config: models names {name!r}, but backbones has only "
                f"{', '.join(config['backbones'])}; a model of your own is given as a mapping, "
                "models: {name: {factory: ..., layers: ...}}"
            )


def _check_solvers(where, explanations):
    """Refuse a solver of few filters that is not told how few, and a budget that nobody keeps."""
    for name, entry in explanations.items():
        solver = entry.get("solver", {"name": "ridge", "budget": None})
        chooses = solver["name"] in ("omp", "ols")
        if chooses and solver["budget"] is None:
            raise InputError(
                f"config: {where}.{name}.solver is {solver['name']} without a budget; say how "
                "many filters a map may have, such as budget: 8"
            )
        if not chooses and solver["budget"] is not None:
            raise InputError(
                f"config: {where}.{name}.solver.budget is {solver['budget']}, but "
                f"{solver['name']} takes all filters; take omp or ols, or set it to null"
            )


def _check_second_stages(explanations):
    """Refuse a second stage that no scale is coarse enough for."""
    for name, entry in explanations.items():
        n = entry["bank"]["n_scales"] if entry["mode"] == "direct" else 3
        if entry.get("second_stage") and n < 3:
            raise InputError(
                f"config: explanations.{name}.second_stage is true with a bank of {n} scales; it "
                "filters amplitudes again two scales above, so give the bank at least 3"
            )


def _check_faithfulness(names, explanations):
    """Refuse to test an explanation that there is not."""
    for name in names:
        if name not in explanations:
            raise InputError(
                f"config: faithfulness.explanations names {name!r}, but explanations has only "
                f"{', '.join(explanations)}"
            )


def _check_bits(names, explanations):
    """Refuse to split what is not there or not solved by ridge."""
    known = [
        name
        for name, entry in explanations.items()
        if entry["mode"] == "direct" and entry["solver"]["name"] == "ridge"
    ]
    for name in names:
        if name not in known:
            raise InputError(
                f"config: bits.explanations names {name!r}, but of mode direct and solved by ridge "
                f"there {'are' if len(known) > 1 else 'is'} {', '.join(known) or 'none'}"
            )


def _check_spectra(config):
    """Refuse the spectrum of a predictor that is not there."""
    known = [*config["models"], *config["baselines"]["predictors"], *config["maps"]]
    known += ["centre_bias", "gold_standard"]
    known += [f"{m}-{e}" for m in config["models"] for e in config["explanations"]]
    wanted = config["spectra"]["predictors"]
    for name in wanted if isinstance(wanted, list) else ():
        if name not in known:
            raise InputError(
                f"config: spectra.predictors names {name!r}, but of predictors there are "
                f"{', '.join(dict.fromkeys(known))}"
            )


def _check_starts(explanations):
    """Refuse an explanation that goes on from none, or from itself."""
    for name, entry in explanations.items():
        seen = [name]
        while entry["mode"] == "refined":
            start = entry["start"]
            if start not in explanations or explanations[start]["mode"] == "direct":
                known = [n for n, e in explanations.items() if e["mode"] != "direct" and n != name]
                raise InputError(
                    f"config: explanations.{seen[-1]}.start is {start!r}, which is no explanation "
                    f"of mode cascade or refined; there {'are' if known else 'is'} "
                    f"{', '.join(known) or 'none'}"
                )
            if start in seen:
                raise InputError(
                    f"config: explanations.{name}.start leads back to itself: "
                    f"{' from '.join([*seen, start])}"
                )
            seen.append(start)
            entry = explanations[start]


def explained_by(entry: Mapping[str, Any], models: Sequence[str]) -> Sequence[str]:
    """
    Models that an explanation is of.

    Parameters
    ----------
    entry : dict
        Of `explanations`, complete; its `models` None for all, empty for none.
    models : list of str
        Of the config.

    Returns
    -------
    explained : list of str
    """
    return models if entry["models"] is None else entry["models"]


def _check_explained(config):
    """Refuse explanations of models that are not there."""
    for name, entry in config["explanations"].items():
        for model in explained_by(entry, []):
            if model not in config["models"]:
                raise InputError(
                    f"config: explanations.{name}.models names {model!r}, but models has only "
                    f"{', '.join(config['models'])}"
                )
