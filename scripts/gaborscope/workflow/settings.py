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

import gaborscope
from gaborscope.errors import InputError
from gaborscope.workflow import completion, configuration
from gaborscope.workflow.completion import overlay, read_yaml

NAME = re.compile(r"[a-z0-9_]+")
ROOT = Path(gaborscope.__path__[0]).parents[1]
SCHEMA = ROOT / "rules" / "config.schema.yaml"


def load(*files: str | Path) -> dict[str, Any]:
    """
    Read the config that comes with Gaborscope, others laid over it, and complete it.

    Parameters
    ----------
    *files : str or Path
        Configs as --configfile takes them; a later one wins.

    Returns
    -------
    config : dict
        Complete, not checked.

    Raises
    ------
    InputError
        See `complete`.
    """
    config = {}
    for path in (ROOT / "config.yaml", *files):
        config = overlay(config, read_yaml(path) or {})
    return complete(config)


def complete(config: dict[str, Any], said: list[str] | None = None) -> dict[str, Any]:
    """
    Fill in all settings that a config leaves out, and decide which analyses run.

    Parameters
    ----------
    config : dict
        Changed in place. It gets the layer tables of Gaborscope's networks, the keys of
        `regressors` in the place of `like: regressors`, all settings of the entries of
        `explanations` and of the options of the ablation, and the complete list of `analyses`.
        Malformed values stay as they are; `check` names them.
    said : list of str, optional
        Gets one line for each deprecated use, with what to write instead.

    Returns
    -------
    config : dict
        The same object, without any `like` of regressors or explanations. Completing it once
        more changes nothing.

    Raises
    ------
    InputError
        If the `like` of an explanation names none, one of another mode, or leads back to itself.
    """
    said = [] if said is None else said
    completion.add_tables(config)
    completion.fill_regressors(config)
    scored = completion.settle_analyses(config, said)
    completion.fill_explanations(config, scored, said)
    return config


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
    schema = read_yaml(schema_file)
    errors = list(jsonschema.Draft202012Validator(schema).iter_errors(config))
    # a wrong value in these sections was copied to others; report it where the user wrote it
    for key in ("regressors", "explanation_defaults"):
        errors = [error for error in errors if key in list(error.absolute_path)[:1]] or errors
    if errors:
        raise InputError(f"config: {_sentence(jsonschema.exceptions.best_match(errors))}")
    _check_whole(config, configuration.defaults(schema), schema)
    _check_names(config)
    _check_starts(config["explanations"])
    _check_solvers("explanations", config["explanations"])
    _check_solvers("ablation.options", config["ablation"]["options"])
    _check_analyses(config)
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
        if where.startswith("explanations.") and "mode" in error.instance:
            where += f" (mode {error.instance['mode']})"
        hint = f"did you mean {close[0]!r}?" if close else f"known are {', '.join(known)}"
        return f"unknown key {unknown!r} at {where}; {hint}"
    described = error.schema.get("description", "").rstrip(".")
    if error.validator == "enum" and isinstance(error.instance, str):
        known = [value for value in error.validator_value if isinstance(value, str)]
        close = difflib.get_close_matches(error.instance, known, 1)
        described = f"did you mean {close[0]!r}?" if close else described
    hint = f" ({described})" if described else ""
    return f"{where} is {error.instance!r}: {error.message}{hint}"


def _check_whole(config, default, schema, where=()):
    """Refuse a config that lacks a key of config.yaml."""
    for key, value in default.items():
        node = schema["properties"][key]
        if key == "like" and node.get("enum") == ["regressors"]:
            continue
        if key not in config:
            raise InputError(
                f"config: {key!r} is a required property of {'.'.join(where) or 'the top level'}; "
                "take it from config.yaml"
            )
        if isinstance(value, dict) and "properties" in node:
            _check_whole(config[key], value, node, (*where, key))


def _check_analyses(config):
    """Refuse an ablation without options."""
    if "ablation" in config["analyses"] and not config["ablation"]["options"]:
        raise InputError(
            "config: analyses has ablation, but ablation.options is empty; name at least one "
            "option, such as options: {lab: {colour: lab}}"
        )
    if "direct" in config["ablation"]["options"]:
        raise InputError(
            "config: ablation.options: the name 'direct' is that of the explanation which options "
            "are compared with; choose another"
        )


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
    baselines = {*config["baselines"]["predictors"], "centre_bias", "gold_standard"}
    for name in config["models"]:
        if name in baselines:
            raise InputError(
                f"config: models: {name!r} is already the name of a baseline; choose another"
            )
    taken = {*config["models"], *baselines}
    for name, entry in config["maps"].items():
        if name in taken:
            raise InputError(
                f"config: maps: {name!r} is already the name of another predictor; choose another"
            )
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
    """Refuse omp or ols without a budget, and a budget for a solver that takes all filters."""
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
    """Refuse a second stage if the bank has too few scales."""
    for name, entry in explanations.items():
        n = entry["bank"]["n_scales"] if entry["mode"] == "direct" else 3
        if entry.get("second_stage") and n < 3:
            raise InputError(
                f"config: explanations.{name}.second_stage is true with a bank of {n} scales; it "
                "filters amplitudes again two scales above, so give the bank at least 3"
            )


def _check_faithfulness(names, explanations):
    """Refuse to test an explanation that `explanations` does not have."""
    for name in names:
        if name not in explanations:
            raise InputError(
                f"config: faithfulness.explanations names {name!r}, but explanations has only "
                f"{', '.join(explanations)}"
            )


def _check_bits(names, explanations):
    """Refuse to split bits unless the explanation is of mode direct and solved by ridge."""
    known = [
        name
        for name, entry in explanations.items()
        if entry["mode"] == "direct" and entry["solver"]["name"] == "ridge"
    ]
    for name in names:
        if name not in known:
            raise InputError(
                f"config: bits.explanations names {name!r}, but only explanations of mode direct "
                f"solved by ridge can be split: {', '.join(known) or 'there is none'}"
            )


def _check_spectra(config):
    """Refuse the spectrum of a predictor that the run does not have."""
    known = [*config["models"], *config["baselines"]["predictors"], *config["maps"]]
    known += ["centre_bias", "gold_standard"]
    known += [f"{m}-{e}" for m in config["models"] for e in config["explanations"]]
    wanted = config["spectra"]["predictors"]
    for name in wanted if isinstance(wanted, list) else ():
        if name not in known:
            raise InputError(
                f"config: spectra.predictors names {name!r}, but the predictors are "
                f"{', '.join(dict.fromkeys(known))}"
            )


def _check_starts(explanations):
    """Refuse a refined explanation whose chain of `start` has no cascade or leads to itself."""
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


def _check_explained(config):
    """Refuse an explanation of a model that `models` does not list."""
    for name, entry in config["explanations"].items():
        for model in explained_by(entry, []):
            if model not in config["models"]:
                raise InputError(
                    f"config: explanations.{name}.models names {model!r}, but models has only "
                    f"{', '.join(config['models'])}"
                )
