"""
Check what the networks of a config need: options, files, input size, layers.

Imported whenever the workflow is parsed: standard library alone.
"""

import ast
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import gaborscope
from gaborscope.errors import InputError
from gaborscope.workflow import backbone_entries, faults

# Height and width of the networks' inputs are multiples of so many px.
MULTIPLES = {"cmrnet": 16, "msinet": 8, "unisal": 32}
# Their arguments, which `options` may set.
OPTIONS = {"cmrnet": ("widths",), "msinet": (), "unisal": ("sources",)}
SOURCES = ("DHF1K", "Hollywood", "UCFSports", "SALICON")  # of unisal
PUBLISHED = ("unisal", "msinet")
# Paths of all modules of each network, for layers beyond its table.
MODULES = Path(gaborscope.__path__[0]) / "backbones" / "tables" / "modules.json"


def check(config: Mapping[str, Any], root: str | Path) -> None:
    """
    Check what the networks to explain need: their files, the size of their input, their layers.

    Parameters
    ----------
    config : dict
        Completed by `backbone_entries.complete`.
    root : str or Path
        Folder that relative paths refer to.

    Raises
    ------
    InputError
        If a file of weights or of a factory is missing, a factory names no function, the input
        does not divide as the network needs it, or a network of Gaborscope has no such module.
    """
    for name, entry in config["backbones"].items():
        if "factory" not in entry:
            _check_options(name, entry)
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


def _place(name, entry):
    """Where the entry of a backbone stands in a config."""
    return f"models.{name}" if "factory" in entry else f"backbones.{name}"


def _check_weights(name, key, path, root):
    """Refuse a path of weights where nothing lies."""
    if path in (backbone_entries.NO_FILE if key == "weights" else backbone_entries.NO_FILE[:2]):
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
        raise InputError(f"{where}; it must be {backbone_entries.FORMS}")
    if factory.startswith(backbone_entries.SCRIPT):
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
    if factory.startswith(backbone_entries.SCRIPT):
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
        own = [node.name for node in body if isinstance(node, ast.FunctionDef | ast.ClassDef)]
        raise InputError(
            f"{where}, but {module} has no function {function!r}; "
            f"{faults.nearest(function, own or names, 'it has')}"
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
        f"backbones.{name}.{table}.{alias} is": path if isinstance(path, str) else path["module"]
        for table in ("layers", "cascade_layers")
        for alias, path in entry.get(table, {}).items()
    }
    if entry["weights"] == "train":
        parts = backbone_entries.training(config, name)["parts"]
        wanted.update({f"training of {name}: a key of parts is": part for part in parts})
    modules = json.loads(MODULES.read_text(encoding="utf-8"))[network]
    for where, path in wanted.items():
        if path and path not in modules:
            outer = ", ".join(module for module in modules if "." not in module)
            raise InputError(
                f"config: {where} {path!r}, but {network} has no module of that name"
                f"{faults.meant(path, modules) or f'; its parts are {outer}'}"
            )
