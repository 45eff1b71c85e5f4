"""A trained network that predicts the saliency of an image."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch

from gaborscope.backbones import weights
from gaborscope.backbones.backbone import Backbone, configured
from gaborscope.errors import reading
from gaborscope.stimuli import densities, geometry


@dataclasses.dataclass
class Predictor:
    """
    A backbone with its weights, read from one released file.

    Attributes
    ----------
    backbone : Backbone
    box : geometry.Box
        Input of the network for landscape stimuli.
    uniform_weight : float
        Share of the uniform density that is mixed into a prediction.
    description : dict
        Metadata of the file.
    """

    backbone: Backbone
    box: geometry.Box | tuple[int, int]
    uniform_weight: float
    description: dict[str, Any]

    @classmethod
    def load(cls, path: str | Path, uniform_weight: float = 0.0) -> Predictor:
        """
        Read a file that `scripts/make_release.py` wrote, or the weights of a run.

        Parameters
        ----------
        path : str or Path
        uniform_weight : float
            Where the file does not say it, as those of a run.

        Returns
        -------
        predictor : Predictor

        Raises
        ------
        InputError
            If the file is not of this kind, or does not fit the network.
        """
        _, description = weights.read_weights(path)
        remedy = "give a file that scripts/make_release.py wrote, or the weights of a run"
        with reading(f"{path} does not describe its network", remedy):
            if "backbone" not in description and "params" in description:
                model = json.loads(description["wildcards"])["model"]
                entry = json.loads(description["params"])["backbone"]
                description = {"model": model, "backbone": entry, **description}
            entry = description["backbone"]
            backbone = configured(description["model"], entry)
            box = geometry.Box.of(entry["input"])
            uniform_weight = float(description.get("uniform_weight", uniform_weight))
        weights.load_into(backbone.network, path)
        return cls(backbone, box, uniform_weight, description)

    @torch.no_grad()
    def predict(self, image: np.ndarray) -> np.ndarray:
        """
        Predict the saliency of an image.

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
