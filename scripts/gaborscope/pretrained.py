"""Weights and explanations that come with Gaborscope: made small, read back, shown on an image."""

import dataclasses

import numpy as np
import torch

from gaborscope import backbones, densities, explained, geometry, weights


def half(state_dict):
    """
    State dict with kernels rounded to float16.

    Parameters
    ----------
    state_dict : dict of str to tensor

    Returns
    -------
    rounded : dict of str to tensor
        What has one dimension (biases, statistics of normalisations) stays as it is: it is small,
        and variances may leave the range of float16.

    Raises
    ------
    ValueError
        If a kernel does not fit float16.
    """
    rounded = {}
    for key, value in state_dict.items():
        wide = value.is_floating_point() and value.dim() > 1
        rounded[key] = value.half() if wide else value
        if not torch.isfinite(rounded[key]).all():
            raise ValueError(f"{key} reaches {float(value.abs().max()):g}, beyond float16")
    return rounded


@dataclasses.dataclass
class Predictor:
    """
    A backbone with its weights and all that its file says.

    Attributes
    ----------
    backbone : backbones.Backbone
    box : geometry.Box
    uniform_weight : float
    description : dict
    """

    backbone: backbones.Backbone
    box: geometry.Box
    uniform_weight: float
    description: dict

    @classmethod
    def load(cls, path):
        """
        Read a file that `scripts/make_release.py` wrote.

        Parameters
        ----------
        path : str or Path

        Returns
        -------
        predictor : Predictor

        Raises
        ------
        InputError
            If it is no such file, or does not fit the network.
        """
        _, description = weights.read_weights(path)
        entry = description["backbone"]
        backbone = backbones.configured(description["model"], entry)
        weights.load_into(backbone.network, path)
        box = geometry.Box.of(entry["input"])
        return cls(backbone, box, description["uniform_weight"], description)

    @torch.no_grad()
    def predict(self, image):
        """
        Saliency of an image by the deep model.

        Parameters
        ----------
        image : uint8 array (height, width, 3)
            RGB.

        Returns
        -------
        density : float64 array (height, width)
            Positive, sum 1.
        """
        place = geometry.place(image.shape[:2], self.box)
        x = self.backbone.batch([self.backbone.content(image, place)], [place])
        device = next(self.backbone.network.parameters()).device
        maps = self.backbone.maps(x.to(device))[0].cpu().numpy()
        inside = maps[place.top : place.top + place.height, place.left : place.left + place.width]
        size, kind = image.shape[:2], self.backbone.output
        return np.exp(densities.of_network(inside, kind, size, self.uniform_weight))


def contributions(model, image):
    """
    Take an explained model's prediction apart: what each layer adds to the log-density.

    Parameters
    ----------
    model : explained.ExplainedModel
    image : uint8 array (height, width, 3)
        RGB.

    Returns
    -------
    density : float64 array (height, width)
        What the model predicts, sum 1.
    parts : dict of str to float64 array (row, column)
        By layer, and `centre bias`, on the fusion grid, each of mean 0; their sum is the predicted
        log-density up to a constant and the uniform density mixed in.
    """
    maps, placement = model.reconstruct(image)
    features, shape = explained.fusion_features(maps, model.layers, placement, **model.settings)
    parts, first = {}, 0
    for fitted in model.layers:
        n = len(fitted.weight)
        parts[fitted.name] = features[:, first : first + n] @ model.weight[first : first + n]
        first += n
    bias = explained.log_centre_bias(model.centre_bias, shape)
    parts["centre bias"] = model.weight[-1] * bias
    centred = {name: (part - part.mean()).reshape(shape) for name, part in parts.items()}
    return np.exp(model.fuse(maps, placement, image.shape[:2])), centred
