"""
Stimuli that a backbone was trained on, so that they are not scored as unseen.

Weights carry a list `trained_on`. Each entry is a dictionary that names a part of a data set. The
key `type` is the type of the data set in the config:

- `{"type": "salicon", "prefix": "COCO_train2014"}`: the stimuli whose names begin with the prefix;
- `{"type": "osie", "shuffled": [42, 500]}`: sort the stimuli by name, shuffle them by NumPy's
  RandomState(42), take the first 500, as MSI-Net's authors split;
- `{"type": "toronto"}`: all stimuli;
- `{"type": "folder", "dataset": "mine", "n_blocks": 10, "blocks": ["00", "03"]}`: blocks of a data
  set, as this workflow trains.

Training on a pool of several data sets writes an entry for each, with the name of the `pool`.
Data sets of type `folder`, `demo` and `pysaliency` are told apart by `dataset`, their name in the
config. Entries of video data sets (DHF1K, Hollywood-2, UCF Sports) match no stimulus here.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from gaborscope.data import seen as named
from gaborscope.errors import InputError
from gaborscope.stimuli.block import AFTER_MEMBER, StimulusBlock
from gaborscope.store import checksums


def seen(
    trained_on: Sequence[Mapping[str, Any]], dataset: str, kind: str, names: Sequence[str]
) -> set[str]:
    """
    Return the stimuli of a data set that a backbone was trained on.

    Parameters
    ----------
    trained_on : list of dict
        Entries as in the docstring of this module.
    dataset, kind : str
        Name and type of the data set in the config.
    names : sequence of str
        All stimuli of the data set.

    Returns
    -------
    names : set of str
    """
    stimuli: set[str] = set()
    for entry in trained_on:
        if not named.concerns(entry, dataset, kind):
            continue
        if "shuffled" in entry and "prefix" not in entry:
            seed, n = entry["shuffled"]
            order = np.arange(len(names))
            np.random.RandomState(seed).shuffle(order)
            ordered = sorted(names)
            stimuli.update(ordered[index] for index in order[:n])
        else:
            stimuli |= named.stimuli(entry, names)
    return stimuli


def trained_on(path: str | Path) -> list[dict[str, Any]]:
    """
    Read from a weights file what the weights were trained on.

    Needs neither torch nor safetensors.

    Parameters
    ----------
    path : str or Path
        A safetensors file that this workflow wrote.

    Returns
    -------
    trained_on : list of dict

    Raises
    ------
    InputError
        If the file is missing or damaged, or of another program.
    """
    description = checksums.read_safetensors(path)[1]
    if "trained_on" not in description:
        raise InputError(
            f"{path} does not say what it was trained on; was it written by this workflow?"
        )
    return description["trained_on"]


def unknown(path: str | Path) -> bool:
    """
    Tell whether weights come from a file of which nobody says what it was trained on.

    Parameters
    ----------
    path : str or Path
        A safetensors file that this workflow wrote.

    Returns
    -------
    unknown : bool
    """
    return bool(checksums.read_safetensors(path)[1].get("training_unknown", False))


def carried(before: Mapping[str, Any], added: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """
    Return what weights have seen whose training began from others.

    Parameters
    ----------
    before : dict
        Description of the weights that it began from: `trained_on`, and `training_unknown` where
        nobody says what they have seen.
    added : sequence of dict
        Entries of `trained_on` for the training itself.

    Returns
    -------
    seen : dict
        The same two keys; the second only where it is true.
    """
    unknown = {"training_unknown": True} if before.get("training_unknown") else {}
    return {"trained_on": [*before["trained_on"], *added], **unknown}


def used(dataset: Mapping[str, Any], **blocks: Sequence[str]) -> list[dict[str, Any]]:
    """
    Return the entries of `trained_on` for a data set, or for the members of a pool.

    Parameters
    ----------
    dataset : dict
        `dataset`, `type` and `n_blocks`; of a pool, `type` is a mapping of its members' types.
    **blocks : sequence of str
        By the key of the entry (`blocks`, `chosen_on_blocks`), names of blocks.

    Returns
    -------
    entries : list of dict
        One for each data set, a member's with the names that its blocks have there.
    """
    if isinstance(dataset["type"], str):
        return [{**dataset, **{key: list(names) for key, names in blocks.items()}}]
    entries = []
    for member, kind in dataset["type"].items():
        own = {
            key: [
                name.removeprefix(f"{member}-") for name in names if name.startswith(f"{member}-")
            ]
            for key, names in blocks.items()
        }
        known = {"dataset": member, "type": kind, "n_blocks": dataset["n_blocks"]}
        entries.append({"pool": dataset["dataset"], **known, **own})
    return entries


def seen_in(
    blocks: Iterable[StimulusBlock],
    weights: Iterable[str | Path],
    dataset: str,
    kind: str | Mapping[str, str],
) -> set[str]:
    """
    Return the stimuli of some blocks that any network behind a predictor was trained on.

    A copy of an image that was trained on, under another name, counts as trained on too.

    Parameters
    ----------
    blocks : iterable of StimulusBlock
        All blocks of the data set where networks may have been trained on stimuli by their order.
    weights : iterable of str or Path
        Safetensors files that this workflow wrote.
    dataset : str
        Name of the data set in the config.
    kind : str or dict of str to str
        Its type; of a pool of several, the types of its members by their names.

    Returns
    -------
    names : set of str
    """
    entries = [entry for path in weights for entry in trained_on(path)]
    pairs = [pair for block in blocks for pair in zip(block.names, block.sha256, strict=True)]
    names = [name for name, _ in pairs]
    if isinstance(kind, str):
        stimuli = seen(entries, dataset, kind, names)
    else:
        stimuli = set()
        for member, own_kind in kind.items():
            before = f"{member}{AFTER_MEMBER}"
            own = [name.removeprefix(before) for name in names if name.startswith(before)]
            stimuli |= {f"{before}{name}" for name in seen(entries, member, own_kind, own)}
    images = {digest for name, digest in pairs if name in stimuli and digest}
    return stimuli | {name for name, digest in pairs if digest in images}
