"""Open a trained network with its weights, on its device, in eval mode."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch

from gaborscope.backbones import devices, weights
from gaborscope.backbones.backbone import Backbone, configured
from gaborscope.backbones.checkpoints import CENTRE_BIAS
from gaborscope.stimuli.centre_bias import GRID, CentreBias
from gaborscope.store.files import open_file


def open_network(
    name: str, entry: Mapping[str, Any], weights_file: str | Path, device: str
) -> Backbone:
    """
    Build a network, load its weights and move it to its device.

    Parameters
    ----------
    name : str
    entry : dict
        Entry of the config's `backbones`, as `workflow.backbone_entries.network` gives it.
    weights_file : str or Path
    device : {"auto", "cpu", "cuda"}

    Returns
    -------
    backbone : Backbone
    """
    torch.use_deterministic_algorithms(True, warn_only=True)
    # filling costs time, and no code here reads uninitialised memory
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    backbone = configured(name, entry)
    weights.load_into(backbone.network, weights_file)
    backbone.network.to(devices.device(device))
    backbone.network.eval()
    return backbone


@torch.no_grad()
def give_centre_bias(backbone: Backbone, paths: Iterable[str | Path]) -> None:
    """
    Put the centre bias into a network that takes it as its second argument.

    Parameters
    ----------
    backbone : Backbone
    paths : iterable of str or Path
        The file of rule fit_centre_bias, or none for a network that does not take it.
    """
    for path in paths:
        with open_file(path, "centre_bias") as file:
            fitted = file["total"][()], int(file.attrs["n_points"])
            settings = tuple(file.attrs["sigma"]), float(file.attrs["uniform_weight"])
        density = CentreBias({}, *settings, fitted).density(GRID)
        relative = torch.from_numpy(density * density.size)
        backbone.network.get_buffer(CENTRE_BIAS).copy_(relative)
