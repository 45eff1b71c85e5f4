"""
Check a config against the schema and against itself; a fault is one sentence.

Imported whenever the workflow is parsed: standard library, and jsonschema and PyYAML, which
Snakemake brings along.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jsonschema

import gaborscope
from gaborscope.errors import InputError
from gaborscope.workflow import (
    backbone_checks,
    backbone_entries,
    combinations,
    completion,
    config_files,
    configuration,
    contests,
    deep_banks,
    faults,
    nulls,
    pools,
    told,
)
from gaborscope.workflow.completion import overlay, read_yaml

NAME = re.compile(r"[a-z0-9_]+")
# A file is called after a model, an explanation and more: 255 letters in all.
LONGEST = 100
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
        config = overlay(config, config_files.read(path))
    return complete(config)


def settle(config: dict[str, Any], root: str | Path, said: list[str]) -> None:
    """
    Complete and check a config in all that the plan of the run needs.

    Parameters
    ----------
    config : dict
        Changed in place, see `complete` and `backbone_entries.complete`. The keys of its settings
        are in the order of the schema; names keep theirs.
    root : str or Path
        The repository, where relative paths start.
    said : list of str
        Gets one line for each deprecated use, with what to write instead.

    Raises
    ------
    InputError
        With the first fault in one sentence.
    """
    check(complete(config, said), SCHEMA)
    backbone_entries.complete(config)
    schema = read_yaml(SCHEMA)
    entries = schema["properties"]["datasets"]["additionalProperties"]["properties"]
    told.settle(config, entries["type"]["enum"])
    _put_in_order(config, schema)
    backbone_checks.check(config, root)
    combinations.check_banks(config)
    contests.check_equal(config)
    pools.check(config)


def complete(config: dict[str, Any], said: list[str] | None = None) -> dict[str, Any]:
    """
    Fill in all settings that a config leaves out, and decide which analyses run.

    Parameters
    ----------
    config : dict
        Changed in place. It gets the layer tables of Gaborscope's networks, the keys of
        `regressors` in the place of `like: regressors`, all settings of the entries of
        `explanations` and of the options of the ablation, and the complete list of `analyses`. The
        nulls that `nulls` asks for become entries of models and explanations.
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
        If the `like` of an explanation names none, one of another mode, or leads back to itself;
        if a value is one that `faults.check_values` refuses.
    """
    said = [] if said is None else said
    faults.check_values(config)  # before values are copied to where nobody wrote them
    pools.settle(config)
    nulls.expand(config)
    completion.add_tables(config)
    completion.fill_regressors(config)
    scored = completion.settle_analyses(config, said)
    completion.fill_explanations(config, scored, said)
    return config


# Whole numbers are written without a point: 2.0 fails where something is counted.
Validator = jsonschema.validators.extend(
    jsonschema.Draft202012Validator,
    type_checker=jsonschema.Draft202012Validator.TYPE_CHECKER.redefine(
        "integer", lambda _, value: isinstance(value, int) and not isinstance(value, bool)
    ),
)


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
    faults.check_values(config)
    _check_ablated(config)
    schema = read_yaml(schema_file)
    errors = list(Validator(schema).iter_errors(config))
    # a wrong value in these sections was copied to others; report it where the user wrote it
    for key in ("regressors", "explanation_defaults"):
        errors = [error for error in errors if key in list(error.absolute_path)[:1]] or errors
    if errors:
        error = jsonschema.exceptions.best_match(errors)
        if error.validator == "required" and list(error.absolute_path)[:1] == ["backbones"]:
            backbone_entries.require_known(*list(error.absolute_path)[1:2])
        raise InputError(f"config: {faults.sentence(error)}")
    _check_whole(config, configuration.defaults(schema), schema)
    _check_names(config)
    combinations.check(config)
    nulls.check(config)


def _put_in_order(section, node):
    """Order the keys of settings as in the schema, so that an order of writing reruns nothing."""
    known = {}
    for part in (node, *(case.get("then", {}) for case in node.get("allOf", ()))):
        known.update(part.get("properties", {}))
    others = node.get("additionalProperties")
    others = others if isinstance(others, dict) else {}
    for key in [
        *(key for key in known if key in section),
        *(key for key in section if key not in known),
    ]:
        value = section[key] = section.pop(key)
        if isinstance(value, dict):
            _put_in_order(value, known.get(key, others))


def _check_ablated(config):
    """Refuse options of an ablation whose explanation `direct` is of another mode."""
    options, named = completion.part(config, "ablation", "options"), config.get("explanations")
    mode = completion.part({"explanations": named}, "explanations", "direct").get("mode", "direct")
    if options and mode in ("cascade", "refined"):
        raise InputError(
            f"config: ablation.options change the explanation direct, whose mode is {mode}; they "
            "are options of mode direct, so give that explanation another name"
        )


def _check_whole(config, default, schema, where=()):
    """Refuse a config that lacks a key of config.yaml."""
    for key, value in default.items():
        node = schema["properties"][key]
        if key == "like" and node.get("enum") == ["regressors"]:
            continue
        if key not in config:
            raise InputError(
                f"config: {'.'.join(where) or 'the top level'} has no {key!r}; take it from "
                "config.yaml"
            )
        if isinstance(value, dict) and "properties" in node:
            _check_whole(config[key], value, node, (*where, key))


def _check_names(config):
    named = {
        key: config[key]
        for key in ("datasets", "explanations", "backbones", "maps", "concepts", "models")
    }
    for key, names in {**named, "ablation.options": config["ablation"]["options"]}.items():
        for name in names:
            _check_name(key, name)
    for name in deep_banks.NAMES:
        if name in config["explanations"]:
            raise InputError(
                f"config: explanations: the name {name!r} is that of a bank which every run makes "
                "of its own; choose another"
            )
    for key in ("fit_on", "evaluate_on"):
        for name in pools.members(config[key]):
            combinations.require(f"{key} names the data set", name, "datasets", config["datasets"])
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
            where = f"maps.{name}.paths names the data set"
            combinations.require(where, dataset, "datasets", config["datasets"])
    for name in config["models"] if isinstance(config["models"], list) else ():
        if name not in config["backbones"]:
            raise InputError(
                f"config: models names {name!r}, but backbones has only "
                f"{', '.join(config['backbones'])}; a model of your own is given as a mapping, "
                "models: {name: {factory: ..., layers: ...}}"
                f"{faults.meant(name, config['backbones'])}"
            )


def _check_name(key, name):
    """Refuse a name that is no text, or that no file can have."""
    if not isinstance(name, str):
        words = "a number" if isinstance(name, int | float) else "no text"
        if isinstance(name, bool):
            words = "true or false, as yes, no, on and off are"
        raise InputError(
            f"config: {key}: the name {faults.shown(name)} is read as {words}; put it in quotes"
        )
    if not NAME.fullmatch(name):
        raise InputError(
            f"config: {key}: the name {faults.shown(name)} must consist of a-z, 0-9 and _ alone"
        )
    if len(name) > LONGEST:
        raise InputError(
            f"config: {key}: the name {faults.shown(name)} has {len(name)} letters; names of files "
            f"are made of it, so take at most {LONGEST}"
        )
