"""Open a trained network with its weights, on its device, in eval mode."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from gaborscope.backbones import devices, weights
from gaborscope.backbones.backbone import Backbone, configured


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
