"""
Many sets of weights for the same layers, each fused into a saliency model of its own.

What an explanation would score with fewer filters, or without some of its regressors, is asked of
many sets at once: they share the regressors of a stimulus, which cost most, and differ in a matrix
product, in what the fusion makes of it, and in the scores.
"""

import dataclasses
import hashlib

from gaborscope import baselines, explained, fusion, fusiondata
from gaborscope import layers as layer_tools


@dataclasses.dataclass
class Alternative:
    """
    One set of weights.

    Attributes
    ----------
    layers : list of layers.FittedLayer
        The same layers, regressors and pooling in all alternatives that are compared.
    folds : dict of str to list of layers.FittedLayer
        By fit block the layers as they were fitted without it; a block that is missing is
        reconstructed by `layers`.
    """

    layers: list
    folds: dict = dataclasses.field(default_factory=dict)


def with_weights(fitted, weight, intercept, residual_sd=None):
    """
    Layer with other weights.

    Parameters
    ----------
    fitted : layers.FittedLayer
    weight : float array (C, K)
    intercept : float array (C,)
    residual_sd : float array (C,), optional
        None keeps that of the layer.

    Returns
    -------
    other : layers.FittedLayer
    """
    spread = fitted.residual_sd if residual_sd is None else residual_sd
    return dataclasses.replace(
        fitted,
        weight=weight.astype("float32"),
        intercept=intercept.astype("float32"),
        residual_sd=spread.astype("float32"),
    )


def sample(blocks, n):
    """
    Draw stimuli from blocks by the hash of their names; no more are drawn where one is added.

    Parameters
    ----------
    blocks : dict of str to stimuli.StimulusBlock
        By name.
    n : int or None
        Stimuli drawn at most; None for all.

    Returns
    -------
    drawn : dict of str to list of int
        By block the indices of its stimuli drawn, in their order.
    """
    every = [
        (hashlib.sha256(name.encode()).hexdigest(), block_name, index)
        for block_name, block in blocks.items()
        for index, name in enumerate(block.names)
    ]
    drawn = {block_name: [] for block_name in blocks}
    for _, block_name, index in sorted(every)[:n]:
        drawn[block_name].append(index)
    return {block_name: sorted(own) for block_name, own in drawn.items()}


class Alternatives:
    """
    Alternative sets of weights on their way to the fusion.

    Regressors are computed once per stimulus for all alternatives. Features of each alternative
    lie as float16 in an unnamed temporary file (TMPDIR): cells x maps x 2 bytes per stimulus.

    Parameters
    ----------
    members : dict of str to Alternative
    box : geometry.Box
    settings : dict
        Of the fusion: `target`, `stride`, `smoothing`, `penalties`.
    centre_bias : baselines.CentreBias
    uniform_weight : float
    """

    def __init__(self, members, box, settings, centre_bias, uniform_weight):
        self.members, self.box, self.settings = members, box, settings
        self.centre_bias, self.uniform_weight = centre_bias, uniform_weight
        self.data = {
            split: {
                name: fusiondata.FusionData(own.layers, settings) for name, own in members.items()
            }
            for split in ("fit", "validation")
        }

    def add_stimulus(self, split, block_name, block, index, target_densities):
        """
        Reconstruct one stimulus by all alternatives and keep what the fusion needs of it.

        Parameters
        ----------
        split : {"fit", "validation"}
        block_name : str
            Which out-of-fold weights are its own.
        block : stimuli.StimulusBlock
        index : int
            In the block.
        target_densities : str or Path
            Saliency file of the deep model, read for `target: model` only.
        """
        data = self.data[split]
        first = next(iter(data.values()))
        target = first.target_of(block, index, target_densities)
        if target is None:
            return
        reference = next(iter(self.members.values())).layers
        phi, placement = layer_tools.shared_regressors(block.image(index), self.box, reference)
        for name, member in self.members.items():
            layers = member.folds.get(block_name, member.layers)
            maps = {
                fitted.name: fitted.reconstruct(own)
                for fitted, own in zip(layers, phi, strict=True)
            }
            data[name].add_stimulus(maps, placement, target, self.centre_bias, block.names[index])

    def fit(self, progress=None):
        """
        Fuse each alternative, its penalty chosen on the validation split.

        Parameters
        ----------
        progress : callable, optional
            Called with one sentence per alternative.

        Returns
        -------
        models : dict of str to explained.ExplainedModel
        """
        models = {}
        for name, member in self.members.items():
            fit, validation = (self.data[split][name] for split in ("fit", "validation"))
            fused = fusion.fit(
                fit.batches, validation.batches, fit.n_features, self.settings["penalties"]
            )
            held_out = min(step[2] for step in fused.path)
            if progress:
                progress(
                    f"{name}: cross-entropy {held_out:.4f} on {len(validation)} validation "
                    f"stimuli (penalty {fused.penalty:g})"
                )
            models[name] = explained.ExplainedModel(
                box=self.box,
                layers=member.layers,
                settings={key: self.settings[key] for key in ("stride", "smoothing")},
                weight=fused.weight,
                centre_bias=self.centre_bias.density(baselines.GRID),
                uniform_weight=self.uniform_weight,
            )
        return models


def predict(models, image):
    """
    Predict one image by several explained models that share their regressors.

    Parameters
    ----------
    models : dict of str to explained.ExplainedModel
        From `Alternatives.fit`.
    image : uint8 array (height, width, 3)
        RGB.

    Returns
    -------
    log_densities : dict of str to float64 array (height, width)
    """
    first = next(iter(models.values()))
    phi, placement = layer_tools.shared_regressors(image, first.box, first.layers)
    return {
        name: model.fuse_regressors(phi, placement, image.shape[:2])
        for name, model in models.items()
    }
