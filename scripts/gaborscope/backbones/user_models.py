"""Models that users bring: a function that builds the network, or a TorchScript file."""

import importlib
import importlib.util
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from gaborscope.errors import InputError

ROOT = Path(__file__).resolve().parents[3]  # relative paths in a config start here


class Scripted(nn.Module):
    """
    A TorchScript file as a network whose layers can be recorded.

    Forward hooks cannot record inside TorchScript. The `forward` of the file may therefore return
    `(map, layers)`, where layers is a dictionary of name to tensor. Each of these tensors is passed
    through a module of the same name, where it can be recorded. If `forward` returns the map
    alone, only the output can be explained.

    Parameters
    ----------
    script : torch.jit.ScriptModule
    names : sequence of str
        Layers to be recorded; "" is the output.
    where : str
        The model and its file, for messages.
    """

    def __init__(self, script: torch.jit.ScriptModule, names: Iterable[str], where: str) -> None:
        super().__init__()
        self.script, self.where = script, where
        self.names = [name for name in names if name]
        for name in self.names:
            self.add_module(name, nn.Identity())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """
        Run the file, pass its layers through their modules, and return its map.

        Raises
        ------
        InputError
            If the file fails, or lacks a layer.
        """
        try:
            result = self.script(x)
        except Exception as error:  # torch's errors are of many kinds
            raise InputError(
                f"{self.where} fails on an input of shape {tuple(x.shape)} ({_reason(error)}); "
                "save it anew, and check the input of the model's entry"
            ) from error
        pair = result if isinstance(result, tuple) else (result, {})
        if len(pair) != 2 or not (isinstance(pair[0], torch.Tensor) and isinstance(pair[1], dict)):
            raise InputError(
                f"{self.where} returns {', '.join(type(part).__name__ for part in pair)}; "
                "its forward must return the map, or the map and a dictionary of layers"
            )
        maps, layers = pair
        for name in self.names:
            if name not in layers:
                raise InputError(
                    f"{self.where} gives no layer {name!r}; its forward returns "
                    + (f"the layers {', '.join(layers)}" if layers else "a map without layers")
                )
            self.get_submodule(name)(layers[name])
        return maps


def absolute(path: str) -> Path:
    """
    Path of a config as a full path: a relative path starts at the repository.

    Parameters
    ----------
    path : str

    Returns
    -------
    path : Path
    """
    return ROOT / Path(path).expanduser()


def build(name: str, entry: Mapping[str, Any]) -> nn.Module:
    """
    Build the network of an entry with `factory`, in eval mode.

    Parameters
    ----------
    name : str
    entry : dict
        `factory`: "package.module:function" (a module in the folder of the repository, or an
        installed one), "path/to/file.py:function" or "torchscript:path". `options`: keyword
        arguments of the function.

    Returns
    -------
    network : torch.nn.Module

    Raises
    ------
    InputError
        If the network cannot be built; the message says which setting is wrong.
    """
    factory = entry["factory"]
    module, _, function = factory.partition(":")
    if not module or not function:
        raise InputError(
            f"models.{name}.factory is {factory!r}; it must be package.module:function, "
            "path/to/file.py:function or torchscript:path"
        )
    if module == "torchscript":
        script, where = _load_script(name, function), f"models.{name}: {function}"
        return Scripted(script, entry["layers"].values(), where).eval()
    construct = getattr(_import(name, module), function, None)
    if not callable(construct):
        raise InputError(f"models.{name}.factory: {module} has no function {function!r}")
    try:
        network = construct(**entry["options"])
    except TypeError as error:
        raise InputError(
            f"models.{name}: {factory} cannot be called with its options ({error})"
        ) from error
    if not isinstance(network, nn.Module):
        raise InputError(
            f"models.{name}: {factory} returned {type(network).__name__}, not a torch.nn.Module"
        )
    return network.eval()


def _load_script(name, path):
    try:
        script = torch.jit.load(str(absolute(path)), map_location="cpu")
    except Exception as error:  # torch's errors are of many kinds
        raise InputError(
            f"models.{name}: {path} is no TorchScript file ({_reason(error)})"
        ) from error
    if not hasattr(script, "forward"):
        raise InputError(f"models.{name}: {path} has no forward; save a whole network")
    return script


def _reason(error):
    """Return the line of an error of torch that says most: the last one, below any traceback."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__


def _import(name, module):
    try:
        if module.endswith(".py"):
            return _import_file(module)
        if str(ROOT) not in sys.path:
            sys.path.append(str(ROOT))
        return importlib.import_module(module)
    except (ImportError, OSError, SyntaxError) as error:
        raise InputError(f"models.{name}.factory: {module} cannot be imported ({error})") from error


def _import_file(module):
    path = absolute(module)
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is no Python file")
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded
