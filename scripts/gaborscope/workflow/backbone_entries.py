"""
Entries of backbones in the config: names of Gaborscope's networks, mappings for users' models.

Imported whenever the workflow is parsed: standard library alone.
"""

import ast
import copy
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import gaborscope
from gaborscope.errors import InputError
from gaborscope.workflow import digests, faults, variants

KNOWN = ("cmrnet", "msinet", "unisal")
# Height and width of their inputs are multiples of so many px.
MULTIPLES = {"cmrnet": 16, "msinet": 8, "unisal": 32}
# Their arguments, which `options` may set.
OPTIONS = {"cmrnet": ("widths",), "msinet": (), "unisal": ("sources",)}
SOURCES = ("DHF1K", "Hollywood", "UCFSports", "SALICON")  # of unisal
PUBLISHED = ("unisal", "msinet")
# What stands at `weights` and `start` in the place of a file.
NO_FILE = (None, "published", "train", "random")
# Paths of all modules of each network, for layers beyond its table.
MODULES = Path(gaborscope.__path__[0]) / "backbones" / "tables" / "modules.json"
FORMS = "package.module:function, path/to/file.py:function or torchscript:path"
# Keys of `input` that only users' models may set; Gaborscope's networks have fixed values.
OWN_KEYS = ("mean", "std", "range", "colour", "pad", "output")
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
    config["backbones"][name] = {**blank, **entry}


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
        _check_options(name, entry)
    elif entry["input"].get("output") == "none" and entry["weights"] == "train":
        raise InputError(f"config: models.{name} has no saliency map (output: none) to train")
    if entry.get("start") and entry["weights"] != "train":
        raise InputError(
            f"config: {name} has start: {entry['start']}, where training begins, but its weights "
            f"are {entry['weights']!r}; set weights: train"
        )


def _check_options(name, entry):
    """Refuse arguments that a network of Gaborscope cannot be built with."""
    network, options = entry.get("network", name), entry["options"]
    where = f"config: backbones.{name}.options"
    for key in options:
        if key not in OPTIONS[network]:
            known = ", ".join(OPTIONS[network]) or "none"
            raise InputError(f"{where} has {key!r}, but the options of {network} are {known}")
    widths = options.get("widths", [8, 8, 8])
    if not _three_whole(widths) or min(widths) < 1 or max(widths) > 4096 or widths[2] % 8:
        raise InputError(
            f"{where}.widths is {faults.shown(widths)}; it must be three whole numbers from 1 to "
            "4096, the channels at 1/4, 1/8 and 1/16 of the input, and the last a multiple of 8"
        )
    sources = options.get("sources", SOURCES)
    if (
        not isinstance(sources, list | tuple)
        or any(source not in SOURCES for source in sources)
        or len(set(sources)) < len(sources)
        or "SALICON" not in sources
    ):
        raise InputError(
            f"{where}.sources is {faults.shown(sources)}; it must be a list of some of "
            f"{', '.join(SOURCES)}, each once, SALICON among them"
        )


def _three_whole(value):
    return isinstance(value, list) and [type(one) for one in value] == [int] * 3


def check(config: Mapping[str, Any], root: str | Path) -> None:
    """
    Check what the networks to explain need: their files, the size of their input, their layers.

    Parameters
    ----------
    config : dict
        Completed by `complete`.
    root : str or Path
        Folder that relative paths refer to.

    Raises
    ------
    InputError
        If a file of weights or of a factory is missing, a factory names no function, the input
        does not divide as the network needs it, or a network of Gaborscope has no such module.
    """
    for name in config["models"]:
        entry = config["backbones"][name]
        network = entry.get("network", name)
        for key in ("weights", "start"):
            _check_weights(name, key, entry[key], root)
            if entry[key] == "published" and ("factory" in entry or network not in PUBLISHED):
                raise InputError(
                    f"config: {_place(name, entry)}.{key} is published, but only "
                    f"{' and '.join(PUBLISHED)} have published weights; set it to train or a path"
                )
        if "factory" in entry:
            _check_factory(name, entry["factory"], Path(root))
        _check_size(name, entry, MULTIPLES.get(network, 1))
        if "factory" not in entry:
            _check_modules(config, name, entry, network)


def _place(name, entry):
    """Where the entry of a backbone stands in a config."""
    return f"models.{name}" if "factory" in entry else f"backbones.{name}"


def _check_weights(name, key, path, root):
    """Refuse a path of weights where nothing lies."""
    if path in (NO_FILE if key == "weights" else NO_FILE[:2]):
        return
    named = Path(root) / Path(path).expanduser()
    if not (named.exists() or named.with_name(f"{named.name}.index").exists()):
        words = ("published",) if key == "start" else ("train", "published", "random")
        close = faults.nearest(path, words, "it may be a path, or")
        raise InputError(
            f"config: {key} of {name} is {path!r}, but there is no file {named}; {close}"
        )


def _check_factory(name, factory, root):
    """Refuse a factory that is malformed, or whose file is missing or has no such function."""
    where = f"config: models.{name}.factory is {factory!r}"
    module, colon, function = factory.partition(":")
    if not module or not function:
        raise InputError(f"{where}; it must be {FORMS}")
    if factory.startswith(SCRIPT):
        path = root / Path(function).expanduser()
    elif module.endswith(".py"):
        path = root / Path(module).expanduser()
    else:
        parts = module.split(".")
        path = root.joinpath(*parts).with_suffix(".py")
        package = root.joinpath(*parts) / "__init__.py"
        if package.is_file() or not (path.is_file() or (root / parts[0]).is_dir()):
            return  # an installed module, perhaps in the environment of the job alone
    if not path.is_file():
        raise InputError(f"{where}, but there is no file {path}")
    if factory.startswith(SCRIPT):
        return
    try:
        body = ast.parse(path.read_bytes()).body
    except (SyntaxError, ValueError) as error:
        line = getattr(error, "lineno", None)
        raise InputError(
            f"{where}, but {module} is no Python ({f'line {line}' if line else error})"
        ) from None
    names = _defined(body)
    if names is not None and function not in names:
        raise InputError(
            f"{where}, but {module} has no function {function!r}; "
            f"{faults.nearest(function, names, 'it has')}"
        )


def _defined(body):
    """Names that the statements of a module define; None where that cannot be told."""
    names = []
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.append(node.name)
        elif isinstance(node, ast.Assign):
            names += [target.id for target in node.targets if isinstance(target, ast.Name)]
        elif isinstance(node, ast.Import | ast.ImportFrom):
            names += [alias.asname or alias.name for alias in node.names]
        elif not isinstance(node, ast.Expr | ast.AnnAssign):
            return None  # a condition, a loop: anything may be defined there
    return None if "*" in names else names


def _check_size(name, entry, multiple):
    """Refuse an input whose sides do not divide as the network needs it."""
    size, where = entry["input"], f"config: {_place(name, entry)}.input"
    if "factory" in entry:
        multiple = size["multiple"]
    elif size["fit"] == "nearest" and size["multiple"] % multiple:
        raise InputError(
            f"{where}.multiple is {size['multiple']}; with fit: nearest it must be a multiple of "
            f"{multiple}, as {entry.get('network', name)} needs it"
        )
    for key in ("height", "width"):
        if size[key] % multiple:
            below = size[key] // multiple * multiple
            raise InputError(
                f"{where}.{key} is {size[key]} px, but height and width must be multiples of "
                f"{multiple}; set it to {below or multiple} or {below + multiple}"
            )


def _check_modules(config, name, entry, network):
    """Refuse layers, and parts of the training, that a network of Gaborscope has not."""
    wanted = {
        f"backbones.{name}.{table}.{alias} is": path
        for table in ("layers", "cascade_layers")
        for alias, path in entry.get(table, {}).items()
    }
    if entry["weights"] == "train":
        parts = training(config, name)["parts"]
        wanted.update({f"training of {name}: a key of parts is": part for part in parts})
    modules = json.loads(MODULES.read_text(encoding="utf-8"))[network]
    for where, path in wanted.items():
        if path and path not in modules:
            outer = ", ".join(module for module in modules if "." not in module)
            raise InputError(
                f"config: {where} {path!r}, but {network} has no module of that name"
                f"{faults.meant(path, modules) or f'; its parts are {outer}'}"
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
    kept = ("input", "options", "layers", "factory", "trained_on", "network")
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
        For Gaborscope's networks, of their modules. For a user's factory, of its file without the
        files it imports. For a TorchScript file, its size and time. "" for an installed module.
    """
    if "factory" not in entry:
        return digests.digest(f"backbones.{entry.get('network', name)}")
    factory = entry["factory"]
    if factory.startswith(SCRIPT):
        return stamp(factory.removeprefix(SCRIPT), root)
    module = factory.partition(":")[0]
    relative = module if module.endswith(".py") else f"{module.replace('.', '/')}.py"
    path = Path(root) / Path(relative).expanduser()
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16] if path.is_file() else ""


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
