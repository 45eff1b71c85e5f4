"""Weights as their authors ship them: which tensor of a checkpoint is which of a network."""

import argparse
import datetime
import pathlib
import types
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch

from gaborscope.errors import InputError

# Modules that torch puts around or between others, and usual names of a wrapped network.
INSERTED = ("module", "_orig_mod")
WRAPPERS = (*INSERTED, "model", "net", "network")
# Last part of the names of tensors that a file may lack, or have beyond the network: they count.
CENTRE_BIAS = "gaborscope_centre_bias"  # buffer of a network that is given the centre bias
DEVICE = "gaborscope_device"  # empty parameter of a network that has none
BOOKKEEPING = ("num_batches_tracked", "n_averaged", "total_ops", "total_params")
BOOKKEEPING += (CENTRE_BIAS, DEVICE)
STATISTICS = ("running_mean", "running_var")
DEEPEST = 4  # containers within containers
SHOWN = 3  # names in a sentence

# Names of what a pickle may ask for beside torch's own list, and what stands for it. None of it
# runs code of the file; settings of other programs become plain dictionaries.
_NUMPY = ("numpy.core.multiarray.", "numpy._core.multiarray.")
_SETTINGS = (
    "addict.addict.Dict",
    "easydict.EasyDict",
    "fvcore.common.config.CfgNode",
    "lightning.fabric.utilities.data.AttributeDict",
    "lightning_fabric.utilities.data.AttributeDict",
    "mmengine.config.config.ConfigDict",
    "munch.Munch",
    "pytorch_lightning.utilities.parsing.AttributeDict",
    "yacs.config.CfgNode",
)


def _emptied(*_: Any) -> OrderedDict:
    """Stand for a defaultdict, whose items follow."""
    return OrderedDict()


SAFE: list[Any] = [
    argparse.Namespace,
    types.SimpleNamespace,
    datetime.date,
    datetime.datetime,
    datetime.time,
    datetime.timedelta,
    np.ndarray,
    np.dtype,
    *(getattr(np.dtypes, name) for name in np.dtypes.__all__),
    *((kind, f"builtins.{kind.__name__}") for kind in (bool, bytes, dict, float, frozenset)),
    *((kind, f"builtins.{kind.__name__}") for kind in (int, list, range, slice, str, tuple)),
    (_emptied, "collections.defaultdict"),
    *((pathlib.PurePosixPath, f"pathlib.{kind}Path") for kind in ("Posix", "PurePosix")),
    *((pathlib.PureWindowsPath, f"pathlib.{kind}Path") for kind in ("Windows", "PureWindows")),
    *((np._core.multiarray.scalar, f"{module}scalar") for module in _NUMPY),  # type: ignore[attr-defined]
    *((np._core.multiarray._reconstruct, f"{module}_reconstruct") for module in _NUMPY),  # type: ignore[attr-defined]
    *((OrderedDict, name) for name in _SETTINGS),
]


class _Fit(NamedTuple):
    """A way to read a network's tensors in a container of a checkpoint."""

    said: str  # what was done to the names; "" for nothing
    names: dict[str, str]  # name in the network to name in the container
    where: str = ""  # names of the container, joined by dots; "" is the file itself


def match(
    network: torch.nn.Module,
    content: Mapping[str, Any],
    path: Any,
    prefix: Mapping[str, str] | None = None,
) -> tuple[dict[str, Any], str]:
    """
    Find the tensors of a network in a checkpoint, by name.

    A checkpoint may hold its tensors in a container (`{"model": ..., "epoch": 3}`), and their names
    may have a prefix that the network's have not, or the other way round. What stands under one
    single reading is taken: every tensor of the container must have its place, and every one of the
    network its value. These may lack: a second name of a tensor that has two, a normalisation's
    number of batches, and, where the network wraps the one of the file, the wrapper's own buffers.

    Parameters
    ----------
    network : torch.nn.Module
    content : dict
        What was saved: tensors, arrays, numbers, texts, dictionaries of these.
    path : str or Path
        File, for messages.
    prefix : dict of str to str, optional
        Beginnings of names in the file, those of containers included, and what takes their place.
        If given, it decides: tensors with none of these beginnings are left out.

    Returns
    -------
    tensors : dict
        Values by name in the network; without what may lack.
    said : str
        What was done, for the log; "" where all names are the network's.

    Raises
    ------
    InputError
        If there is no such reading or several; the message counts what is missing and unexpected,
        and names the setting.
    """
    wanted = network.state_dict(keep_vars=True)
    if not wanted or (list(wanted) == [DEVICE] and DEVICE not in content):
        raise InputError(f"{path}: the network has no weights to load; set its weights to null")
    learned = [name for name, _ in network.named_parameters(remove_duplicate=False)]
    tensors = {
        where: {
            name: value
            for name, value in leaves.items()
            if name in wanted or isinstance(value, torch.Tensor)
        }
        for where, leaves in _containers(content)
    }
    tensors = {where: found for where, found in tensors.items() if found}
    if not tensors:
        raise InputError(f"{path} holds no tensors; save model.state_dict()")
    fits = []
    for where, found in tensors.items():
        fit = _renamed(found, wanted, prefix) if prefix else _fit(found, wanted, learned)
        if fit is not None:
            fits.append(fit._replace(where=where))
    fits = [fit for fit in fits if _shapes_fit(fit, tensors[fit.where], wanted)] or fits
    if not fits:
        raise InputError(f"{path} does not fit the network: {_misfit(tensors, wanted, prefix)}")
    chosen = [{key: tensors[f.where][name] for key, name in f.names.items()} for f in fits]
    different = [f.where for f, one in zip(fits, chosen, strict=True) if not _same(one, chosen[0])]
    if different:
        raise InputError(
            f"{path} holds the network's tensors more than once, with different values, at "
            f"{_listed([fits[0].where or 'its top', *different])}; choose by the setting "
            f"prefix, such as prefix: {{{different[0]}.: ''}}"
        )
    return chosen[0], _said(fits[0], [key for key in wanted if key not in chosen[0]], wanted)


def aliases(state: Mapping[str, torch.Tensor]) -> dict[str, str]:
    """
    Names of tensors that are another one of a state dict.

    Parameters
    ----------
    state : dict of str to tensor

    Returns
    -------
    aliases : dict of str to str
        Second and later names of a tensor to its first.
    """
    first: dict[tuple, str] = {}
    found = {}
    for name, value in state.items():
        if not isinstance(value, torch.Tensor) or not value.numel() or value.is_meta:
            continue
        if value.layout != torch.strided:
            continue
        storage = value.untyped_storage().data_ptr(), value.storage_offset()
        known = first.setdefault((*storage, value.shape, value.stride(), value.dtype), name)
        if known != name:
            found[name] = known
    return found


def _containers(content: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each dictionary of a checkpoint with all that lies in and below it, by dotted name."""
    waiting: list[tuple[str, Mapping]] = [("", content)]
    while waiting:
        where, mapping = waiting.pop(0)
        yield where, dict(_leaves(mapping, DEEPEST))
        if where.count(".") + 1 < DEEPEST:
            waiting += [
                (f"{where}.{key}" if where else key, value)
                for key, value in mapping.items()
                if isinstance(value, Mapping) and isinstance(key, str)
            ]


def _leaves(mapping, deepest):
    for key, value in mapping.items():
        if not isinstance(key, str):
            continue
        if isinstance(value, Mapping) and deepest:
            yield from ((f"{key}.{name}", leaf) for name, leaf in _leaves(value, deepest - 1))
        else:
            yield key, _tensor(value)


def _tensor(value):
    """Return an array of numbers as a tensor, and anything else as it is."""
    if not isinstance(value, np.ndarray) or value.dtype.kind not in "fiu" or value.itemsize > 8:
        return value
    return torch.from_numpy(value.astype(value.dtype.newbyteorder("=")))


def _counts(name):
    """Whether a tensor of this name must have its place, or its value."""
    return name.rpartition(".")[2] not in BOOKKEEPING


def _fit(found, wanted, learned):
    """Return the reading of a container's names that changes them least, or None."""
    for clean in (False, True):
        ours, theirs = _cleaned(wanted, clean), _cleaned(found, clean)
        if ours is None or theirs is None:
            continue
        own = {full: key for key, full in ours.items()}
        for there, here in _beginnings(theirs, [own[name] for name in learned or wanted]):
            given = {k[len(there) :]: full for k, full in theirs.items() if k.startswith(there)}
            within = {k[len(here) :]: full for k, full in ours.items() if k.startswith(here)}
            outside = {full for key, full in ours.items() if not key.startswith(here)}
            if any(_counts(key) for key in given.keys() - within.keys()):
                continue
            names = {within[key]: full for key, full in given.items() if key in within}
            lacking = set(_missing(names, wanted))
            if lacking - outside or any(n.rpartition(".")[2] in STATISTICS for n in lacking):
                continue
            return _Fit(_steps(there, here, clean), names)
    return None


def _steps(there, here, clean):
    steps = ["without module. and _orig_mod."] if clean else []
    if there and here and there != here:
        steps.append(f"{there} read as {here}")
    elif there != here:
        steps.append(f"without {there}" if there else f"with {here} before")
    return ", ".join(steps)


def _cleaned(names, clean):
    """Names without inserted modules, mapped to the full ones; None if two become one."""
    if not clean:
        return {name: name for name in names}
    short = {".".join(p for p in name.split(".") if p not in INSERTED): name for name in names}
    return short if len(short) == len(names) else None


def _beginnings(theirs, learned):
    """
    Return beginnings of names, of the file and of the network, that may stand for each other.

    All names share them, on the side of the network those of all that is learned. On one side at
    least they are nothing but usual names of wrappers. Those that change least come first.
    """
    there = _shared([key for key in theirs if _counts(key)] or list(theirs))
    pairs = [(a, b) for a in there for b in _shared(learned) if _wraps(a) or _wraps(b)]
    return sorted(pairs, key=lambda pair: pair[0].count(".") + pair[1].count("."))


def _stems(name):
    parts = name.split(".")
    return ["".join(f"{part}." for part in parts[:n]) for n in range(len(parts))]


def _shared(names):
    """Beginnings, whole parts, that all names have."""
    return [b for b in _stems(names[0]) if all(name.startswith(b) for name in names)]


def _wraps(beginning):
    return all(part in WRAPPERS for part in beginning.split(".")[:-1])


def _missing(names, wanted):
    """Names of the network that have no value and need one."""
    second = aliases(wanted)
    given = {second.get(key, key) for key in names}
    return [key for key in wanted if second.get(key, key) not in given and _counts(key)]


def _renamed(found, wanted, prefix):
    """Return the reading that a `prefix` asks for, or None where it does not fit."""
    pairs = _by_prefix(found, prefix)
    names = dict(pairs)
    if not names or len(names) < len(pairs) or _missing(names, wanted):
        return None
    if any(_counts(key) for key in names.keys() - wanted.keys()):
        return None
    names = {key: full for key, full in names.items() if key in wanted}
    return _Fit(f"by prefix: {dict(prefix)}", names)


def _by_prefix(found, prefix):
    """Pairs of the name that `prefix` gives to a tensor, and its own; others are left out."""
    pairs = []
    for name in found:
        longest = max((b for b in prefix if name.startswith(b)), key=len, default=None)
        if longest is not None:
            pairs.append((prefix[longest] + name[len(longest) :], name))
    return pairs


def _shapes_fit(fit, found, wanted):
    return all(
        isinstance(found[name], torch.Tensor) and found[name].shape == wanted[key].shape
        for key, name in fit.names.items()
    )


def _same(one, other):
    return one.keys() == other.keys() and all(
        a is other[key] or (_plain(a) and _plain(other[key]) and torch.equal(a, other[key]))
        for key, a in one.items()
    )


def _plain(value):
    return isinstance(value, torch.Tensor) and value.layout == torch.strided and not value.is_meta


def _said(fit, left, wanted):
    parts = [f"of its part {fit.where}"] if fit.where else []
    parts += [f"names {fit.said}"] if fit.said else []
    second = aliases(wanted)
    kept = [key for key in left if _counts(key) and key not in second]
    parts += [f"{_listed(kept)} as the factory made it"] if kept else []
    return "; ".join(parts)


def _misfit(tensors, wanted, prefix):
    """Say what is missing and what is unexpected in the container that fits best."""
    readings = [
        (where, reading)
        for where, found in tensors.items()
        for reading in _readings(found, wanted, prefix)
    ]
    best, names = max(readings, key=lambda pair: len(pair[1].keys() & wanted.keys()))
    if not prefix and len(names.keys() & wanted.keys()) < len(wanted) / 2:
        # other weights, of which some happen to end like the network's: as they are in the file
        best = max(tensors, key=lambda where: len(tensors[where].keys() & wanted.keys()))
        names = {name: name for name in tensors[best]}
    missing = sorted(_missing(names.keys() & wanted.keys(), wanted))
    unexpected = sorted(full for key, full in names.items() if key not in wanted)
    sentence = (
        f"{len(missing)} of its {len(wanted)} tensors {_are(missing)} missing ({_listed(missing)}),"
        f" {len(unexpected)} of {len(names)} in the file{f', at {best},' if best else ''} "
        f"{_are(unexpected)} unexpected ({_listed(unexpected)}); "
    )
    choices = [] if prefix else _choices(tensors[""], wanted)
    if choices:
        ways = " or ".join(f"{{{choice}: ''}}" for choice in choices[:SHOWN])
        return f"{sentence}to take a part of the file, set prefix: {ways}"
    return (
        f"{sentence}give the weights of this very network, or set prefix: {{from: to}}, how names "
        "begin in the file and in the network"
    )


def _are(names):
    return "is" if len(names) == 1 else "are"


def _readings(found, wanted, prefix):
    """Names of a container with other beginnings, mapped to the full ones."""
    if prefix:
        return [dict(_by_prefix(found, prefix))]
    stems = dict.fromkeys(stem for name in wanted for stem in _stems(name))
    pairs = [(a, b) for a in _shared(list(found)) for b in stems]
    return [{b + name[len(a) :]: name for name in found} for a, b in pairs]


def _choices(found, wanted):
    """Beginnings of names in the file under which the whole network stands."""
    fitting = []
    for stem in dict.fromkeys(stem for name in found for stem in _stems(name) if stem):
        part = {name[len(stem) :] for name in found if name.startswith(stem)}
        if not any(_counts(key) for key in part - wanted.keys()) and not _missing(part, wanted):
            fitting.append(stem)
    return fitting


def _listed(names: Sequence[str]) -> str:
    more = len(names) - SHOWN
    return (", ".join(names[:SHOWN]) or "none") + (f" and {more} more" if more > 0 else "")
