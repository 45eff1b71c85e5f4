"""Steps that the stages of a cascade share: watch the network, and fuse the last layers."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch

from gaborscope.backbones.backbone import Backbone
from gaborscope.cascades.network import CascadeNet
from gaborscope.cascades.observed import Example, Observed, image_tensors, read_batches
from gaborscope.explanation import fusion, fusion_data
from gaborscope.explanation.cascade import Cascade, CascadeLayer
from gaborscope.explanation.model import ExplainedModel
from gaborscope.stimuli import centre_bias as centre_biases
from gaborscope.stimuli.block import StimulusBlock

log = logging.getLogger(__name__)


def watch(
    backbone: Backbone, model: Cascade, fusion_stride: int, teacher: Backbone | None = None
) -> Observed:
    """
    Watch a network at the layers of a cascade.

    Parameters
    ----------
    backbone : Backbone
    model : cascade.Cascade
    fusion_stride : int
    teacher : Backbone or None
        See `Observed`.

    Returns
    -------
    observed : Observed
    """
    layers = {fitted.name: fitted.layer for fitted in model.layers}
    return Observed(backbone, layers, fusion_stride, teacher)


def fuse(
    net: CascadeNet,
    observed: Observed,
    examples: Mapping[str, Sequence[Example]],
    blocks: Mapping[str, Mapping[str, StimulusBlock]],
    files: Mapping[str, str],
    settings: Mapping[str, Any],
    sigmas: Sequence[float],
    uniform_weight: float,
) -> ExplainedModel:
    """
    Return the explained model of a cascade: its last or all layers, fused with the centre bias.

    Each map of these layers has a weight, and so has the centre bias. (Most networks end in one
    map.) The weights are fitted to the fit split; the penalty is chosen on the validation split.

    Parameters
    ----------
    net : CascadeNet
    observed : Observed
    examples : dict of str to sequence of Example
        `fit` and `validation`.
    blocks : dict of str to dict of str to StimulusBlock
        Their blocks by split and name; images are not read.
    files : dict of str to str
        Saliency file of the deep model, by name of the block.
    settings : dict
        Settings of the fusion: `target`, `layers`, `stride`, `smoothing`, `penalties`.
    sigmas : sequence of float
        Candidate widths of the centre bias.
    uniform_weight : float

    Returns
    -------
    model : ExplainedModel
    """
    centre_bias = centre_biases.centre_bias(
        list(blocks["fit"].values()), list(blocks["validation"].values()), sigmas, uniform_weight
    )
    exported = net.export()
    layers = exported.fused(settings["layers"])
    data = {split: fusion_data.FusionData(layers, settings) for split in examples}
    for split, split_examples in examples.items():
        _add(data[split], net, observed, split_examples, blocks[split], files, centre_bias)
    fused = fusion.fit(
        data["fit"].batches,
        data["validation"].batches,
        data["fit"].n_features,
        settings["penalties"],
        progress=log.info,
    )
    return ExplainedModel(
        box=exported.box,
        layers=layers,
        settings={key: settings[key] for key in ("stride", "smoothing")},
        weight=fused.weight,
        uniform_weight=uniform_weight,
        cascade=exported,
        **centre_biases.kept(centre_bias),
    )


@torch.no_grad()
def _add(data, net, observed, examples, blocks, files, centre_bias):
    fused = [fitted.name for fitted in data.layers]
    for batch in read_batches(examples, 8):
        placement = batch[0].placement
        contents = [example.content for example in batch]
        phi = image_tensors(net.model, contents, placement, observed.device)
        _, outputs = net(phi, placement)
        for row, example in enumerate(batch):
            name = example.block_name
            target = data.target_of(blocks[name], example.index, files[name])
            if target is not None:
                maps = {layer: outputs[layer][row].cpu().numpy() for layer in fused}
                data.add_stimulus(maps, placement, target, centre_bias, example.name)


def fusion_weight(start: ExplainedModel, layers: Sequence[CascadeLayer]) -> np.ndarray:
    """
    Return the weights of an explained model for other layers: 0 for those that it does not fuse.

    Parameters
    ----------
    start : ExplainedModel
    layers : sequence of CascadeLayer
        Layers of its cascade.

    Returns
    -------
    weight : float array (feature,)
        Weights of the maps of the layers, then the weight of the log centre bias.
    """
    ends = np.cumsum([len(fitted.weight) for fitted in start.layers])
    parts = np.split(start.weight, ends)
    known = {fitted.name: part for fitted, part in zip(start.layers, parts, strict=False)}
    given = [known.get(fitted.name, np.zeros(len(fitted.weight))) for fitted in layers]
    return np.concatenate([*given, parts[-1]])


def make_net(model: Cascade, device: torch.device) -> CascadeNet:
    """
    Return a cascade as a torch module on a device.

    Parameters
    ----------
    model : cascade.Cascade
    device : torch.device

    Returns
    -------
    net : CascadeNet
    """
    return CascadeNet(model).to(device)
