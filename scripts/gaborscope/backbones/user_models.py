"""Models that users bring: a function that builds the network, or a TorchScript file."""

import ast
import dataclasses
import functools
import importlib
import importlib.util
import sys
import traceback
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from gaborscope.backbones.checkpoints import CENTRE_BIAS, DEVICE
from gaborscope.backbones.layouts import Tap
from gaborscope.errors import InputError
from gaborscope.stimuli import centre_bias

ROOT = Path(__file__).resolve().parents[3]  # relative paths in a config start here
LAYERS_ALONE = "or set input.output: none to explain layers alone"
# Folders of the last factory that was imported in this process, and those of them that were not
# importable before.
_folders: list[str] = []
_added: list[str] = []


class Scripted(nn.Module):
    """
    A TorchScript file as a network whose layers can be recorded.

    Forward hooks cannot record inside TorchScript. The `forward` of the file may therefore return
    `(map, layers)`, where layers is a dictionary of name to tensor. Each of these tensors is passed
    through a module of the same name, where it can be recorded. If `forward` returns the map
    alone, only the output can be explained.

    Parameters
    ----------
    load : callable
        Of a torch.device: the file, a torch.jit.ScriptModule, on that device.
    names : sequence of str
        Layers to be recorded; "" is the output.
    where : str
        The model and its file, for messages.
    whole : bool
        Whether `forward` returns all that the file returns, for a choice among outputs.
    """

    def __init__(
        self,
        load: Callable[[torch.device], torch.jit.ScriptModule],
        names: Iterable[str],
        where: str,
        whole: bool = False,
    ) -> None:
        super().__init__()
        self.load, self.where, self.whole = load, where, whole
        self.script, self.device = load(torch.device("cpu")), torch.device("cpu")
        self.frozen = next(self.script.parameters(), None) is None
        self.names = [name for name in names if name]
        for name in self.names:
            self.add_module(name, nn.Identity())

    def forward(self, x: torch.Tensor, *others: torch.Tensor) -> torch.Tensor:
        """
        Run the file, pass its layers through their modules, and return its map.

        Raises
        ------
        InputError
            If the file fails, or lacks a layer.
        """
        if self.frozen and x.device != self.device:  # its constants move by no other way
            self.script, self.device = self.load(x.device), x.device
        try:
            result = self.script(x, *others)
        except Exception as error:  # torch's errors are of many kinds
            raise InputError(
                f"{self.where} fails on an input of shape {tuple(x.shape)} ({_reason(error)}); "
                "save it anew, and check the input of the model's entry"
            ) from error
        if self.whole and not self.names:
            return result
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
        `inputs`: `{"centre_bias": "fit"}` gives it the centre bias as its second argument, see
        `Backbone.batch`. `output`: which of several outputs is its map.
        `factory`: "package.module:function" (a module in the folder of the repository, or an
        installed one), "path/to/file.py:function" or "torchscript:path". `options`: keyword
        arguments of the function. The folder of a file is importable from it.

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
        load, where = functools.partial(_load_script, name, function), f"models.{name}: {function}"
        whole = bool(entry.get("output"))
        names = [Tap.of(layer).module for layer in entry["layers"].values()]
        return _adapt(name, Scripted(load, names, where, whole).eval(), entry)
    construct = getattr(_import(name, module), function, None)
    if not callable(construct):
        raise InputError(f"models.{name}.factory: {module} has no function {function!r}")
    try:
        network = construct(**entry["options"])
    except (Exception, SystemExit) as error:  # whatever the user's code raises
        if isinstance(error, TypeError) and len(traceback.extract_tb(error.__traceback__)) == 1:
            raise InputError(
                f"models.{name}: {factory} cannot be called with its options ({error})"
            ) from error
        raise InputError(
            f"models.{name}: {factory} fails ({_cause(error)}); mend it, or set options"
        ) from error
    if not isinstance(network, nn.Module):
        raise InputError(
            f"models.{name}: {factory} returned {type(network).__name__}, not a torch.nn.Module"
        )
    network.eval()  # not its value: where `train` is overridden, it may be None
    return _adapt(name, network, entry)


def files_of(modules: Iterable[str]) -> list[Path]:
    """
    Files of imported modules that neither Gaborscope nor an installed package has.

    Parameters
    ----------
    modules : iterable of str
        Names in `sys.modules`.

    Returns
    -------
    files : list of Path, sorted
    """
    found = set()
    for name in modules:
        file = getattr(sys.modules[name], "__file__", None) or ""
        standard = name.partition(".")[0] in (*sys.stdlib_module_names, __name__.partition(".")[0])
        if file and not standard and not _installed(file):
            found.add(Path(file).resolve())
    return sorted(found)


def _load_script(name, path, device):
    try:
        script = torch.jit.load(str(absolute(path)), map_location=device)
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


def _cause(error):
    """Kind and message of an error of the user's code, and the line that it comes from."""
    reason = " ".join(str(error).split())[:300]
    frames = traceback.extract_tb(error.__traceback__)
    theirs = [frame for frame in frames if not _installed(frame.filename)]
    where = ""
    if theirs:
        where = f", line {theirs[-1].lineno} of {Path(theirs[-1].filename).name}"
    return f"{type(error).__name__}{f': {reason}' if reason else ''}{where}"


def _installed(file):
    parts = Path(file).parts
    return file.startswith("<") or "site-packages" in parts or file == __file__


def _import(name, module):
    path = absolute(module)
    try:
        if module.endswith(".py"):
            return _import_file(path)
        if str(ROOT) not in sys.path:
            sys.path.append(str(ROOT))
        return importlib.import_module(module)
    except (ImportError, OSError, SyntaxError) as error:
        raise InputError(f"models.{name}.factory: {module} cannot be imported ({error})") from error
    except (Exception, SystemExit) as error:  # whatever the user's code raises
        raise InputError(
            f"models.{name}.factory: {module} cannot be imported ({_cause(error)})"
        ) from error


def _import_file(path):
    """Import a file as Python runs one: its folder is importable, and it is in `sys.modules`."""
    if not path.is_file():
        raise ImportError(f"there is no file {path}")
    folder, name = path.parent, path.stem
    above = _relative_levels(path)
    dotted = name
    while dotted.count(".") < above or (folder / "__init__.py").is_file():
        folder, dotted = folder.parent, f"{folder.name}.{dotted}"
    _use_folders([str(path.parent), str(folder)])  # the second holds the package, if it is in one
    if above:
        return importlib.import_module(dotted)
    known = sys.modules.get(name)
    if known is not None and not _within(known, [str(path.parent)]):
        name = f"factory_{name}"  # the name of a module that others use
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is no Python file")
    loaded = importlib.util.module_from_spec(spec)
    sys.modules[name] = loaded  # before it runs: dataclasses look their module up there
    try:
        spec.loader.exec_module(loaded)
    except BaseException:
        del sys.modules[name]
        raise
    return loaded


def _relative_levels(path):
    """Return the largest number of dots of a file's relative imports."""
    tree = ast.parse(path.read_bytes())
    return max((n.level for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)), default=0)


def _use_folders(folders):
    """Make folders importable; modules of the folders used before do not stand in for theirs."""
    folders = list(dict.fromkeys(folders))
    before = [folder for folder in _folders if folder not in folders]
    for name, module in list(sys.modules.items()):
        own = name.partition(".")[0] == __name__.partition(".")[0]
        if not own and _within(module, before) and not _within(module, folders):
            del sys.modules[name]
    new = [folder for folder in folders if folder in _added or folder not in sys.path]
    sys.path[:] = [*folders, *(p for p in sys.path if p not in _added and p not in folders)]
    _folders[:], _added[:] = folders, new


def _within(module, folders):
    file = getattr(module, "__file__", None) or ""
    if not file or _installed(file):
        return False
    return any(Path(folder) in Path(file).parents for folder in folders)


def _adapt(name, network, entry):
    """Give a network its second input, choose among its outputs, and a place if it has none."""
    if next(network.parameters(), None) is None:  # its device is asked of its parameters
        network.register_parameter(DEVICE, nn.Parameter(torch.zeros(0), requires_grad=False))
    if entry.get("inputs"):
        network.register_buffer(CENTRE_BIAS, torch.ones(centre_bias.GRID))
        network.register_forward_pre_hook(_with_centre_bias)
    if entry.get("output") or entry.get("input", {}).get("output", "none") != "none":
        chosen = entry.get("output") or {}
        network.register_forward_hook(functools.partial(_choose, name, chosen))
    return network


def _with_centre_bias(network, inputs):
    """Pass the fourth channel of the input, or the centre bias of all of it, as an argument."""
    x, *others = inputs
    if x.shape[1] == 4:
        return x[:, :3].contiguous(), x[:, 3].contiguous(), *others
    density = network.get_buffer(CENTRE_BIAS)[None]
    enlarged = nn.functional.interpolate(
        density[None], tuple(x.shape[2:]), mode="bilinear", align_corners=False
    )[0]
    log_density = (enlarged / enlarged.sum()).log().to(x.dtype)
    return x, log_density.expand(len(x), -1, -1), *others


def _choose(name, wanted, network, inputs, output):
    """Return the output that `output` of an entry names: keys of mappings, indices of lists."""
    steps = {
        kind: list(value) if isinstance(value, list) else [value] for kind, value in wanted.items()
    }
    while any(steps.values()):
        fields = _fields(output)
        kind = "key" if steps.get("key") and fields else "index"
        step = steps[kind].pop(0) if steps.get(kind) else None
        if step is not None and kind == "key" and step in fields:
            output = fields[step]
        elif step is not None and kind == "index" and isinstance(output, (tuple, list)):
            if not -len(output) <= step < len(output):
                raise InputError(_no_output(name, wanted, output))
            output = output[step]
        else:
            raise InputError(_no_output(name, wanted, output))
    if not torch.is_tensor(output):
        raise InputError(f"models.{name} returns {outputs(output)}, {LAYERS_ALONE}")
    return output


def _fields(output):
    if isinstance(output, Mapping):
        return dict(output)
    if isinstance(output, tuple) and hasattr(output, "_asdict"):
        return output._asdict()
    return dict(vars(output)) if dataclasses.is_dataclass(output) else {}


def _no_output(name, wanted, output):
    said = ", ".join(f"{key}: {value}" for key, value in wanted.items())
    remedy = "; it has no parts, so leave output out, or its last step"
    return (
        f"models.{name}.output is {{{said}}}, but the network returns {outputs(output)}"
        f"{remedy if torch.is_tensor(output) else ''}"
    )


def outputs(output: Any) -> str:
    """
    Say what a network returns, and how one of several outputs is chosen.

    Parameters
    ----------
    output
        What its forward returned.

    Returns
    -------
    text : str
    """
    kind = type(output).__name__
    if torch.is_tensor(output):
        return f"a tensor {tuple(output.shape)}"
    if fields := _fields(output):
        return f"{kind} with {', '.join(map(str, fields))}; choose by output: {{key: NAME}}"
    if isinstance(output, (tuple, list)):
        parts = [f"{tuple(o.shape)}" if torch.is_tensor(o) else type(o).__name__ for o in output]
        return f"{kind} of {', '.join(parts)}; choose by output: {{index: N}}, the first is 0"
    return kind
