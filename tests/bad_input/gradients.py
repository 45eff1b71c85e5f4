"""Explanations without a gradient by the image, and images that they cannot be given."""

import dataclasses

import numpy as np
import torch
from bad_input.case import Case
from helpers import make_explained

from gaborscope.explanation.differentiable import DifferentiableModel
from gaborscope.explanation.model import ExplainedModel

FAMILY = "Gradients of explanations"


def changed(**settings):
    """Model whose layers have other settings of the regressors."""
    model = make_explained()
    for fitted in model.layers:
        fitted.settings = {**fitted.settings, **settings}
    return model


def differentiated(make):
    return lambda folder: DifferentiableModel(make())


def density_at(*size):
    return lambda folder: DifferentiableModel(make_explained()).density(torch.zeros(*size, 3))


def of_a_file(folder):
    make_explained().save(folder / "direct.h5", {"code": "0", "seed": "1"})
    image = np.full((32, 48, 3), 100, np.uint8)
    model = ExplainedModel.load(folder / "direct.h5")
    density = DifferentiableModel(model).density(torch.tensor(image)).exp().numpy()
    return bool(np.allclose(density, model.predict(image), rtol=1e-3))


CASES = [
    Case(
        "a cascade",
        differentiated(lambda: dataclasses.replace(make_explained(), cascade=object())),
        says="an explanation that is a cascade has no gradient by the image; take an explanation "
        "of mode direct without it",
    ),
    Case(
        "maps of a concept, which do not follow the image",
        differentiated(lambda: changed(concepts=["faces"])),
        says="layer fine of the explanation has concept:faces, which has no gradient by the image "
        "here; take an explanation of mode direct without it",
    ),
    Case(
        "a photograph that is not at the size of the network's input",
        density_at(600, 800),
        says="an image of 600 x 800 px is 32 x 43 px in the network's input; resize it by "
        "geometry.content before its gradient",
    ),
    Case("an image of whole numbers, of a model from its file", of_a_file, gives="True"),
]
