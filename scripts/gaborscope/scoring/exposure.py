"""
Which stimuli a backbone has been trained on, so that none of them is scored as if unseen.

A list of entries, each a dictionary:

- `{"type": "salicon", "prefix": "COCO_train2014"}`: what begins so of a published data set, by the
  type of the config;
- `{"type": "osie", "shuffled": [42, 500]}`: the first 500 of its stimuli in the order of their
  names, shuffled by NumPy's RandomState(42), as MSI-Net's authors split;
- `{"type": "toronto"}`: all of it;
- `{"type": "folder", "dataset": "mine", "n_blocks": 10, "blocks": ["00", "03"]}`: blocks of a data
  set, as this workflow trains. Of types `folder`, `demo` and `pysaliency` it is the config's name
  that tells data sets apart.

Videos (DHF1K, Hollywood-2, UCF Sports) are listed where they were trained on and hold no stimulus
of ours.
"""

import json
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from gaborscope.data import catalogue

NAMED = ("folder", "demo", "pysaliency")  # types that say nothing about the content


def seen(
    trained_on: Sequence[Mapping[str, Any]], dataset: str, kind: str, names: Sequence[str]
) -> set[str]:
    """
    Tell the stimuli of a data set that a backbone was trained on.

    Parameters
    ----------
    trained_on : list of dict
        See above.
    dataset, kind : str
        Name and type of the data set in the config.
    names : sequence of str
        All stimuli of the data set.

    Returns
    -------
    names : set of str
    """
    found = set()
    for entry in trained_on:
        if entry.get("type") != kind:
            continue
        if kind in NAMED and entry.get("dataset") != dataset:
            continue
        if "prefix" in entry:
            found.update(name for name in names if name.startswith(entry["prefix"]))
        elif "shuffled" in entry:
            seed, n = entry["shuffled"]
            order = np.arange(len(names))
            np.random.RandomState(seed).shuffle(order)
            ordered = sorted(names)
            found.update(ordered[index] for index in order[:n])
        elif "blocks" in entry:
            blocks, n = set(entry["blocks"]), entry["n_blocks"]
            found.update(
                name
                for name in names
                if catalogue.block_name(catalogue.block_of(name, n), n) in blocks
            )
        else:
            found.update(names)
    return found


def trained_on(path: str | Path) -> list[dict[str, Any]]:
    """
    Read what weights were trained on from their file, without torch or safetensors.

    Parameters
    ----------
    path : str or Path
        A safetensors file that this workflow wrote.

    Returns
    -------
    trained_on : list of dict
    """
    with open(path, "rb") as handle:
        (length,) = struct.unpack("<Q", handle.read(8))
        header = json.loads(handle.read(length))
    return json.loads(header["__metadata__"]["gaborscope"])["trained_on"]
