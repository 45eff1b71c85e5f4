"""Whether a photograph was known to the explanation and its network: what its page says of it."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gaborscope.data import catalogue
from gaborscope.scoring import exposure
from gaborscope.store.blocks import read_data
from gaborscope.store.files import open_file

USES = {
    "fit": "on which the explanation was fitted",
    "validation": "on which choices were made",
    "test": "to which the explanation was not fitted",
}


def sentences(explanation: Path, network: Mapping[str, Any] | None) -> dict[str, str]:
    """
    Say of every photograph of the data set of a run what was fitted on it.

    Parameters
    ----------
    explanation : Path
        `results/explained/{model}/{dataset}/{explanation}.h5`. Elsewhere nothing is known.
    network : dict or None
        What the network's weights carry: `trained_on` (`scoring.exposure`), and `training_unknown`
        if nobody says it; None without weights.

    Returns
    -------
    sentences : dict of str to str
        By the SHA-256 of the photograph's file. Empty where the data set's files are not there.
    """
    if len(explanation.parts) < 4:
        return {}
    found = {}
    for dataset in explanation.parent.name.split("+"):  # of a pool, each of its members
        for path in sorted((explanation.parents[3] / "data" / dataset).glob("*.h5")):
            with open_file(path, "data") as file:
                origin = json.loads(file.attrs.get("params", "{}"))
            if "n_blocks" in origin:  # made by this workflow
                found |= _of_block(path, dataset, origin, network or {})
    return found


def _of_block(path, dataset, origin, network):
    """Return the sentences of one block's photographs."""
    split = catalogue.split_of_block(int(path.stem), origin["n_blocks"])
    block = read_data(path)
    kind = origin["dataset"]["type"]
    unknown = network.get("training_unknown", False)
    seen = exposure.seen(network.get("trained_on", ()), dataset, kind, block.names)
    return {
        digest: _sentence(dataset, split, name in seen, unknown)
        for name, digest in zip(block.names, block.sha256, strict=True)
    }


def _sentence(dataset, split, seen, unknown):
    said = f"The photograph is of the {split} split of {dataset}, {USES[split]}."
    if seen:
        said += " The network was trained on it."
    elif unknown:
        said += " What the network was trained on is not known."
    if seen or split != "test":
        said += " How close the maps are here is no measure of new photographs."
    return said
