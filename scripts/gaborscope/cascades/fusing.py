"""What the stages of a cascade share: watch the network, and fuse what the cascade ends in."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import torch

from gaborscope.backbones.backbone import Backbone
from gaborscope.cascades.network import CascadeNet
from gaborscope.cascades.observed import Example, Observed, batches, image_tensors
from gaborscope.explanation import fusion, fusion_data
from gaborscope.explanation.cascade import Cascade
from gaborscope.explanation.model import ExplainedModel
from gaborscope.stimuli import centre_bias as centre_biases
from gaborscope.stimuli.centre_bias import GRID

log = logging.getLogger(__name__)


def watch(
    backbone: Backbone, model: Cascade, fusion_stride: int, teacher: Backbone | None = None
) -> Observed:
    """
    Network, watched on the layers of a cascade.

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
    layers = {own.name: own.layer for own in model.layers}
    return Observed(backbone, layers, fusion_stride, teacher)


def fuse(
    net: CascadeNet,
    observed: Observed,
    examples: Mapping[str, Sequence[Example]],
    files: Mapping[str, str],
    settings: Mapping[str, Any],
    sigmas: Sequence[float],
    uniform_weight: float,
) -> ExplainedModel:
    """
    Explained model of a cascade: the layers that it ends in, fused with the centre bias.

    A weight per map of these layers (in most networks one map) and one for the centre bias: fitted
    to the fit split, the penalty chosen on the validation split.

    Parameters
    ----------
    net : CascadeNet
    observed : Observed
    examples : dict of str to list of Example
        `fit` and `validation`.
    files : dict of str to str
        By block's name, the deep model's saliency file.
    settings : dict
        Of the fusion.
    sigmas : sequence of float
        Candidate widths of the centre bias.
    uniform_weight : float

    Returns
    -------
    model : ExplainedModel
    """
    parts = {
        split: list({id(e.block): e.block for e in own}.values()) for split, own in examples.items()
    }
    centre_bias = centre_biases.centre_bias(
        parts["fit"], parts["validation"], sigmas, uniform_weight
    )
    exported = net.export()
    data = {split: fusion_data.FusionData(exported.sinks, settings) for split in examples}
    for split, own in examples.items():
        _add(data[split], net, observed, own, files, centre_bias)
    fused = fusion.fit(
        data["fit"].batches,
        data["validation"].batches,
        data["fit"].n_features,
        settings["penalties"],
        progress=log.info,
    )
    return ExplainedModel(
        box=exported.box,
        layers=exported.sinks,
        settings={key: settings[key] for key in ("stride", "smoothing")},
        weight=fused.weight,
        centre_bias=centre_bias.density(GRID),
        uniform_weight=uniform_weight,
        cascade=exported,
    )


@torch.no_grad()
def _add(data, net, observed, examples, files, centre_bias):
    sinks = [own.name for own in net.model.sinks]
    for batch in batches(examples, 8):
        placement = examples[batch[0]].placement
        contents = [examples[i].content for i in batch]
        phi = image_tensors(net.model, contents, placement, observed.device)
        _, outputs = net(phi, placement)
        for row, i in enumerate(batch):
            example = examples[i]
            target = data.target_of(example.block, example.index, files[example.block_name])
            if target is not None:
                maps = {name: outputs[name][row].cpu().numpy() for name in sinks}
                data.add_stimulus(maps, placement, target, centre_bias, example.name)


def make_net(model: Cascade, device: torch.device) -> CascadeNet:
    """
    Cascade in torch, on a device.

    Parameters
    ----------
    model : cascade.Cascade
    device : torch.device

    Returns
    -------
    net : CascadeNet
    """
    return CascadeNet(model).to(device)
