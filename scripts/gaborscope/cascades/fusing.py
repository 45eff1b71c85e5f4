"""Steps that the stages of a cascade share: watch the network, and fuse the last layers."""

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
    files: Mapping[str, str],
    settings: Mapping[str, Any],
    sigmas: Sequence[float],
    uniform_weight: float,
) -> ExplainedModel:
    """
    Return the explained model of a cascade: its last layers, fused with the centre bias.

    Each map of the last layers has a weight, and so has the centre bias. (Most networks end in one
    map.) The weights are fitted to the fit split; the penalty is chosen on the validation split.

    Parameters
    ----------
    net : CascadeNet
    observed : Observed
    examples : dict of str to list of Example
        `fit` and `validation`.
    files : dict of str to str
        Saliency file of the deep model, by name of the block.
    settings : dict
        Settings of the fusion: `target`, `stride`, `smoothing`, `penalties`.
    sigmas : sequence of float
        Candidate widths of the centre bias.
    uniform_weight : float

    Returns
    -------
    model : ExplainedModel
    """
    blocks = {
        split: list({id(e.block): e.block for e in split_examples}.values())
        for split, split_examples in examples.items()
    }
    centre_bias = centre_biases.centre_bias(
        blocks["fit"], blocks["validation"], sigmas, uniform_weight
    )
    exported = net.export()
    data = {split: fusion_data.FusionData(exported.sinks, settings) for split in examples}
    for split, split_examples in examples.items():
        _add(data[split], net, observed, split_examples, files, centre_bias)
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
    sinks = [sink.name for sink in net.model.sinks]
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
