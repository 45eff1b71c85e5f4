"""
Entries of backbones in the config: names of Gaborscope's networks, mappings for users' models.

Imported whenever the workflow is parsed: standard library alone.
"""

import copy
import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gaborscope.errors import InputError
from gaborscope.workflow import digests, user_code, variants

KNOWN = ("cmrnet", "msinet", "unisal")
# What stands at `weights` and `start` in the place of a file.
NO_FILE = (None, "published", "train", "random")
FORMS = "package.module:function, path/to/file.py:function or torchscript:path"
# Keys of `input` that only users' models may set; Gaborscope's networks have fixed values.
OWN_KEYS = ("mean", "std", "range", "colour", "pad", "output", "frames")
SCRIPT = "torchscript:"


def complete(config: dict[str, Any]) -> None:
    """
    Bring a config's models into one form: `models` a list, `backbones` an entry for each.

    Parameters
    ----------
    config : dict
        Checked; changed in place. `own_input` completes the `input` of a user's model. An entry
        with `like` takes what it does not set from the entry named there.

    Raises
    ------
    InputError
        If a user's model lacks what it needs, or an entry sets what cannot be set.
    """
    if isinstance(config["models"], dict):
        for name, entry in config["models"].items():
            _add(config, name, copy.deepcopy(entry or {}))
        config["models"] = list(config["models"])
    variants.resolve(config["backbones"], overlay)
    for name, entry in config["backbones"].items():
        _check(name, entry)


def _add(config, name, entry):
    if "factory" not in entry and "like" in entry and name not in config["backbones"]:
        config["backbones"][name] = entry
        return
    if "factory" not in entry:
        if name not in config["backbones"]:
            raise InputError(f"config: models.{name} needs a factory: {FORMS}")
        if entry:
            raise InputError(
                f"config: {name} is no model of your own; set its {', '.join(entry)} at "
                f"backbones.{name}"
            )
        return
    if name in config["backbones"]:
        raise InputError(f"config: models.{name}: that name is taken by a model of Gaborscope")
    if not entry.get("layers"):
        raise InputError(
            f"config: models.{name} needs layers: {{alias: module path}}, "
            "such as {early: features.3}"
        )
    blank = {"weights": None, "options": {}, "start": None, "trained_on": None, "training": {}}
    blank["seed"] = None
    entry["input"] = {**config["own_input"], **entry.get("input", {})}
    config["backbones"][name] = {**blank, **dict(sorted(entry.items()))}


def require_known(name: str) -> None:
    """Raise an InputError unless an entry of `backbones` without a `like` is of Gaborscope."""
    if name not in KNOWN:
        raise InputError(
            f"config: backbones has {name!r}, but Gaborscope has only {', '.join(KNOWN)}; a "
            "variant names one of them by like, and a model of your own belongs under models: "
            "{name: {factory: ..., layers: ...}}"
        )


def _check(name, entry):
    given = [key for key in OWN_KEYS if key in entry["input"]]
    if "factory" not in entry:
        require_known(entry.get("network", name))
        if given:
            raise InputError(
                f"config: backbones.{name}.input.{given[0]} cannot be set: {name} has its own"
            )
        if entry["weights"] is None:
            raise InputError(
                f"config: backbones.{name}.weights is null; set it to train, published or a path"
            )
    elif entry["input"].get("output") == "none" and entry["weights"] == "train":
        raise InputError(f"config: models.{name} has no saliency map (output: none) to train")
    if entry.get("start") and entry["weights"] != "train":
        raise InputError(
            f"config: {name} has start: {entry['start']}, where training begins, but its weights "
            f"are {entry['weights']!r}; set weights: train"
        )


def predicts(entry: Mapping[str, Any]) -> bool:
    """
    Tell whether a backbone predicts saliency (and does not only have layers).

    Parameters
    ----------
    entry : dict
        Complete.

    Returns
    -------
    predicts : bool
    """
    return entry["input"].get("output") != "none"


def layers(config: Mapping[str, Any], model: str) -> dict[str, str]:
    """
    Layer table of a backbone, with only the layers that the config wants recorded.

    Parameters
    ----------
    config : dict
    model : str

    Returns
    -------
    table : dict of str to str
        Alias to module path.

    Raises
    ------
    InputError
        If a layer is wanted that the table has not.
    """
    table = config["backbones"][model]["layers"]
    wanted = config["activations"]["layers"]
    if isinstance(wanted, dict):
        unknown = [name for name in wanted if name not in config["models"]]
        if unknown:
            raise InputError(
                f"config: activations.layers names the model {unknown[0]!r}, but models has only "
                f"{', '.join(config['models'])}"
            )
        wanted = _entry_of(config, model, wanted)
    wanted = wanted or list(table)
    unknown = [alias for alias in wanted if alias not in table]
    if unknown:
        raise InputError(
            f"config: activations.layers names {unknown[0]!r}, "
            f"but {model} has the layers {', '.join(table)}; any module can be added to "
            f"backbones.{model}.layers as alias: module path"
        )
    return {alias: table[alias] for alias in wanted}


def _entry_of(config, model, table):
    """Entry of a model in a table; a variant uses the entry of the backbone that `like` names."""
    while model not in table and "like" in config["backbones"][model]:
        model = config["backbones"][model]["like"]
    return table.get(model)


def training(config: Mapping[str, Any], model: str) -> dict[str, Any]:
    """
    Return the training settings of a backbone: `training`, with the changes of its entry.

    Parameters
    ----------
    config : dict
    model : str

    Returns
    -------
    settings : dict
    """
    return overlay(config["training"], config["backbones"][model].get("training") or {})


def seed(config: Mapping[str, Any], model: str) -> int:
    """
    Seed of a backbone's training, or of its random weights.

    Parameters
    ----------
    config : dict
    model : str

    Returns
    -------
    seed : int
        That of the backbone's entry, or the config's where the entry has none.
    """
    seed = config["backbones"][model]["seed"]
    return config["seed"] if seed is None else seed


def overlay(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """
    Merge two settings key by key.

    Parameters
    ----------
    below, above : dict

    Returns
    -------
    merged : dict
        A new one; where both have a key, `above` wins, and dicts are merged in turn.
    """
    merged = dict(copy.deepcopy(below))
    for key, value in above.items():
        if isinstance(value, dict) and isinstance(merged.get(key), dict):
            merged[key] = overlay(merged[key], value)
        else:
            merged[key] = copy.deepcopy(value)
    return merged


def network(config: Mapping[str, Any], model: str) -> dict[str, Any]:
    """
    Return the keys of an entry that decide the network and its input.

    Parameters
    ----------
    config : dict
    model : str

    Returns
    -------
    entry : dict
    """
    entry = config["backbones"][model]
    kept = ("input", "inputs", "output", "options", "layers", "factory", "trained_on", "network")
    return {key: entry[key] for key in kept if key in entry}


def digest(name: str, entry: Mapping[str, Any], root: str | Path) -> str:
    """
    Digest of a network's code: an edit reruns the rules that use the network.

    Parameters
    ----------
    name : str
    entry : dict
        Complete.
    root : str or Path
        Folder that relative paths refer to.

    Returns
    -------
    digest : str
        For Gaborscope's networks, of their modules. For a user's factory, of its file and of all
        that it imports, see `user_code.digest`. For a TorchScript file, see `stamp`.
    """
    if "factory" not in entry:
        return digests.digest(f"backbones.{entry.get('network', name)}")
    if entry["factory"].startswith(SCRIPT):
        return stamp(entry["factory"].removeprefix(SCRIPT), root)
    return user_code.digest(*_start(entry["factory"], root))


def sources(entry: Mapping[str, Any], root: str | Path) -> list[Path]:
    """
    Files that count as a user's network: the factory's and those that it imports.

    Parameters
    ----------
    entry : dict
        With a `factory` that is no TorchScript file.
    root : str or Path
        Folder that relative paths refer to.

    Returns
    -------
    files : list of Path
    """
    return user_code.files(*_start(entry["factory"], root))[0]


def _start(factory, root):
    """Return the file or module of a factory, and the folders that its imports are found in."""
    module = factory.partition(":")[0]
    named = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    roots = [Path(root), *(Path(folder) for folder in named if folder), digests.PACKAGE.parent]
    return Path(root) / Path(module).expanduser() if module.endswith(".py") else module, roots


def stamp(path: str | None, root: str | Path) -> str:
    """
    Return a text that changes when a file or folder of weights changes.

    Parameters
    ----------
    path : str or None
        Relative to `root`; "published", "train" and "random" have none.
    root : str or Path
        The repository.

    Returns
    -------
    stamp : str
        SHA-256 of a file in the repository, since each checkout gives it another time. Size and
        time of any other file or folder. "" if there is no such file.
    """
    if path in NO_FILE:
        return ""
    named = Path(root) / Path(path).expanduser()
    files = [p for p in (named, named.with_name(f"{named.name}.index")) if p.exists()]
    if named.is_file() and named.resolve().is_relative_to(Path(root).resolve()):
        return " ".join(hashlib.sha256(p.read_bytes()).hexdigest()[:16] for p in files)
    return " ".join(f"{p.stat().st_size} {p.stat().st_mtime_ns}" for p in files)
