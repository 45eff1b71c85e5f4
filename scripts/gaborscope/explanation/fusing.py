"""From reconstructed layers on disk to an explained model, and from it to log-densities."""

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from gaborscope.explanation import fusion, fusion_data
from gaborscope.explanation import layers as layer_tools
from gaborscope.explanation.layers import FittedLayer
from gaborscope.explanation.model import ExplainedModel
from gaborscope.stimuli import centre_bias as centre_biases
from gaborscope.stimuli import geometry
from gaborscope.stimuli.block import StimulusBlock
from gaborscope.store.layers import read_layers

log = logging.getLogger(__name__)


def fit(
    layers: Sequence[FittedLayer],
    box: geometry.Box,
    blocks: dict[str, dict[str, StimulusBlock]],
    reconstructions: dict[str, str],
    targets: dict[str, str],
    settings: dict,
    sigmas: Sequence[float],
    uniform_weight: float,
) -> ExplainedModel:
    """
    Fuse the reconstructions of layers with the centre bias, the penalty chosen on validation.

    Parameters
    ----------
    layers : sequence of layers.FittedLayer
    box : geometry.Box
        The network's input for landscape stimuli.
    blocks : dict of str to dict of str to StimulusBlock
        `fit` and `validation`, by the block's name.
    reconstructions : dict of str to str
        By block, the file of its reconstructed layers. Those of a fit block are out of fold.
    targets : dict of str to str
        By block, the saliency file of the deep model, read for `target: model` only.
    settings : dict
        Settings of the fusion: `target`, `stride`, `smoothing`, `penalties`.
    sigmas : sequence of float
        Candidate widths of the centre bias.
    uniform_weight : float

    Returns
    -------
    model : ExplainedModel

    Raises
    ------
    InputError
        If a map exceeds float16.
    """
    centre_bias = centre_biases.centre_bias(
        list(blocks["fit"].values()), list(blocks["validation"].values()), sigmas, uniform_weight
    )
    log.info("centre bias: %s", centre_bias.width)
    data = {split: fusion_data.FusionData(layers, settings) for split in ("fit", "validation")}
    for split, collected in data.items():
        for name, block in blocks[split].items():
            collected.add_block(reconstructions[name], block, targets[name], centre_bias)
    log.info("%d fit and %d validation stimuli", len(data["fit"]), len(data["validation"]))
    fused = fusion.fit(
        data["fit"].batches,
        data["validation"].batches,
        data["fit"].n_features,
        settings["penalties"],
        progress=log.info,
    )
    log.info("penalty %g", fused.penalty)
    return ExplainedModel(
        box=box,
        layers=list(layers),
        settings={key: settings[key] for key in ("stride", "smoothing")},
        weight=fused.weight,
        uniform_weight=uniform_weight,
        **centre_biases.kept(centre_bias),
    )


def fuse_block(
    model: ExplainedModel, block: StimulusBlock, reconstructions: str | Path
) -> list[np.ndarray]:
    """
    Log-densities of the stimuli of a block from its reconstructed layers.

    Parameters
    ----------
    model : ExplainedModel
    block : StimulusBlock
    reconstructions : str or Path
        File of the reconstructed layers of the block.

    Returns
    -------
    log_densities : list of float64 array (height, width)
        In the order of the block's stimuli, each of the stimulus's size; exp sums to 1.
    """
    by_index, names = {}, [fitted.name for fitted in model.layers]
    for index, valid, input_size, maps in read_layers(reconstructions, names):
        placement = geometry.Placement(input_size, *valid)
        maps = layer_tools.valid_maps(maps, model.layers, placement)
        by_index[index] = model.fuse(maps, placement, block.size(index))
    return [by_index[index] for index in range(len(block.names))]
