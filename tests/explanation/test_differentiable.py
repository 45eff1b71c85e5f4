"""The explained model in torch: the numbers of `predict`, and their gradient by the image."""

import dataclasses

import numpy as np
import pytest
import torch
from helpers import BOX, SETTINGS, make_explained, make_image, make_layer

from gaborscope.errors import InputError
from gaborscope.explanation import differentiable
from gaborscope.explanation import layers as layer_tools
from gaborscope.explanation.differentiable import DifferentiableModel
from gaborscope.explanation.layers import FittedLayer
from gaborscope.filters.terms import Terms

THREE = {**SETTINGS["bank"], "n_scales": 3}
POINT, BOXED = {"kind": "point", "width": 1.0}, {"kind": "box", "width": 1.0}
NARROW, SMOOTH, WIDE = ({"kind": "gaussian", "width": width} for width in (0.5, 2.0, 6.0))
OPTIONS = {
    "as it is": {},
    "few kinds": {"kinds": ["amplitude"], "residual": False},
    "energies normalised alone": {"kinds": ["odd"], "normalisation": True},
    "position": {"position": True, "normalisation": True},
    "wraps around": {"boundary": "periodic"},
    "second stage": {"bank": THREE, "second_stage": True},
    "of noise": {"control": "noise", "draw": 2, "mechanisms": ["second_order", "contrast"]},
    "all mechanisms of noise": {
        "control": "phase_scrambled",
        "mechanisms": list(differentiable.MECHANISMS),
    },
    "all mechanisms": {"mechanisms": list(differentiable.MECHANISMS), "normalisation": True},
    **{space: {"colour": space} for space in ("lab", "dkl", "rgb")},
    **{f"readout {n}": {"offered": n} for n in (0, 6)},
}


def offered(n):
    """Return so many bends, and as many products, of the first amplitudes."""
    energies = range(2, 2 + 3 * n, 3)
    return Terms(
        dict.fromkeys(energies, 0.1),
        dict.fromkeys(energies, 0.07),
        tuple((e, 0.5) for e in energies),
        tuple(zip(energies, energies[1:], strict=False)),
    ).to_json()


def make_model(image, pools=(SMOOTH, POINT), nonlinearities=("relu", "none"), **changes):
    """Explained model with random weights, such that every regressor counts on this image."""
    rng = np.random.default_rng(3)
    settings = {**SETTINGS, **changes}
    if "offered" in settings:
        settings["offered"] = offered(settings["offered"])
    layers = []
    for number, (pool, nonlinearity) in enumerate(zip(pools, nonlinearities, strict=True)):
        stride, channels = (4, 8)[number % 2], 2 + number
        layer = make_layer(stride, channels, nonlinearity)
        fitted = FittedLayer(
            name=f"layer{number}", layer=layer, settings={**settings, "pool": pool},
            weight=np.zeros((channels, 1)), intercept=rng.normal(size=channels).astype("f"),
            residual_sd=rng.uniform(0.1, 1, channels).astype("f"),
        )  # fmt: skip
        (phi,), _ = layer_tools.shared_regressors(image, BOX, [fitted])
        spread = phi.std(axis=(1, 2))
        weight = rng.normal(size=(channels, len(phi))) / np.sqrt(len(phi))
        weight /= np.maximum(spread, 1e-3)
        layers.append(dataclasses.replace(fitted, weight=weight.astype("f")))
    n = sum(len(fitted.weight) for fitted in layers)
    return dataclasses.replace(make_explained(), layers=layers, weight=rng.normal(size=n + 1))


def logarithm(model, image, dtype=torch.float32):
    with torch.no_grad():
        return DifferentiableModel(model, dtype).density(torch.tensor(image)).numpy()


def assert_equal(model, image):
    expected = np.log(model.predict(image).astype(float))
    # both compute in float32: sums of some thousand px
    np.testing.assert_allclose(logarithm(model, image), expected, atol=2e-4)


@pytest.mark.parametrize("option", OPTIONS)
def test_the_density_is_that_of_predict(option):
    image = make_image((29, 48))
    model = make_model(image, **OPTIONS[option])
    assert np.ptp(np.log(model.predict(image))) > 1
    assert_equal(model, image)


@pytest.mark.parametrize("size", [(48, 32), (7, 48), (32, 48)])
def test_the_density_is_that_of_predict_at_every_size(size):
    image = make_image(size)
    assert_equal(make_model(image, **OPTIONS["all mechanisms"]), image)


@pytest.mark.parametrize("pools", [(POINT, WIDE), (BOXED, SMOOTH), (WIDE, WIDE), (NARROW, BOXED)])
@pytest.mark.parametrize("nonlinearities", [("relu6", "relu"), ("none", "relu6")])
def test_the_density_is_that_of_predict_for_every_pool_and_rectifier(pools, nonlinearities):
    image = make_image((32, 48))
    long = {**SETTINGS["bank"], "min_wavelength_px": 13.0}  # amplitudes at every fourth px
    for bank in (SETTINGS["bank"], long):
        assert_equal(make_model(image, pools, nonlinearities, bank=bank), image)


def test_a_blank_image_has_a_density_and_a_gradient():
    model = make_model(make_image((32, 48)), **OPTIONS["all mechanisms"])
    image = np.full((32, 48, 3), 90, np.uint8)
    assert_equal(model, image)
    pixels = torch.tensor(image, dtype=torch.float32, requires_grad=True)
    DifferentiableModel(model).density(pixels)[3, 4].backward()
    assert torch.isfinite(pixels.grad).all()


@pytest.mark.parametrize("option", ["all mechanisms", "second stage", "lab", "dkl", "readout 6"])
def test_the_gradient_is_that_of_finite_differences(option):
    image = make_image((32, 48))
    model = DifferentiableModel(make_model(image, **OPTIONS[option]), torch.float64)
    rng = torch.Generator().manual_seed(1)
    direction = torch.randn(image.shape, generator=rng, dtype=torch.float64)
    weight = torch.randn(image.shape[:2], generator=rng, dtype=torch.float64)
    pixels = (torch.tensor(image) * 0.8 + 20).double().requires_grad_()
    (model.density(pixels) * weight).sum().backward()
    with torch.no_grad():
        ahead, behind = (
            (model.density(pixels + step * direction) * weight).sum() for step in (1e-5, -1e-5)
        )
    expected = float(ahead - behind) / 2e-5
    assert float((pixels.grad * direction).sum()) == pytest.approx(expected, rel=1e-5)


def test_an_image_of_another_size_than_in_the_networks_input_is_refused():
    model = DifferentiableModel(make_explained())
    with pytest.raises(InputError, match="64 x 96 px is 32 x 48 px in the network's input; resize"):
        model.density(torch.zeros(64, 96, 3))


def test_a_cascade_is_refused():
    model = dataclasses.replace(make_explained(), cascade=object())
    with pytest.raises(InputError, match="a cascade has no gradient by the image; take an expl"):
        DifferentiableModel(model)


def test_regressors_that_are_not_computed_here_are_refused(monkeypatch):
    model = make_explained()
    monkeypatch.setattr(differentiable, "KINDS", differentiable.KINDS - {"residual"})
    with pytest.raises(InputError, match="layer fine of the explanation has residual, which has"):
        DifferentiableModel(model)


def test_settings_of_regressors_that_are_not_known_here_are_refused(monkeypatch):
    monkeypatch.setattr(differentiable, "FIELDS", differentiable.FIELDS - {"bank"})
    with pytest.raises(InputError, match="layer fine of the explanation has bank, which has no"):
        DifferentiableModel(make_explained())
