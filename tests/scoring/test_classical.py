"""Classical models on displays where their answer is known."""

import numpy as np
import pytest

from gaborscope.errors import InputError
from gaborscope.scoring import classical

SIZE = (120, 160)


def paint_bar(image, y, x, horizontal, colour):
    dy, dx = (3, 10) if horizontal else (10, 3)
    image[y - dy : y + dy, x - dx : x + dx] = colour


def display(odd):
    """A 3 x 4 grid of vertical bars; the bar at (1, 2) differs from the others."""
    image = np.full((*SIZE, 3), 128, np.uint8)
    for row in range(3):
        for column in range(4):
            y, x = 20 + 40 * row, 20 + 40 * column
            here = (row, column) == (1, 2)
            colour = {"colour": (60, 60, 200), "intensity": (255, 255, 255)}.get(odd, (0, 0, 0))
            common = (200, 60, 60) if odd == "colour" else (90, 90, 90)
            if odd == "alone":
                if here:
                    paint_bar(image, y, x, False, (230, 230, 230))
                continue
            if odd == "orientation":
                paint_bar(image, y, x, here, (30, 30, 30))
            else:
                paint_bar(image, y, x, False, colour if here else common)
    # grey noise: models that normalise each map would stretch colour noise to the full range
    noise = np.random.default_rng(0).normal(0, 5, (*SIZE, 1))
    return np.clip(image + noise, 0, 255).astype(np.uint8)


def natural(seed, size=SIZE):
    """Noise with a 1/f amplitude spectrum, as natural images have."""
    rng = np.random.default_rng(seed)
    radius = np.hypot(np.fft.fftfreq(size[0])[:, None], np.fft.fftfreq(size[1]))
    radius[0, 0] = 1
    planes = [np.fft.ifft2(np.fft.fft2(rng.standard_normal(size)) / radius).real for _ in range(3)]
    planes[1:] = [0.3 * plane for plane in planes[1:]]
    mixed = np.stack([planes[0] + planes[1], planes[0] - planes[1], planes[0] + planes[2]], axis=2)
    return np.clip(128 + 45 * mixed / mixed.std(), 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def models():
    shape, scale = classical.sun_statistics(natural(seed) for seed in range(4))
    return {
        "itti_koch": classical.itti_koch,
        "gbvs": classical.gbvs,
        "spectral_residual": classical.spectral_residual,
        "sun": lambda image: classical.sun(image, shape, scale),
    }


def cell_means(saliency_map):
    """Mean saliency in the cell around each item of a display, (3, 4)."""
    return saliency_map.reshape(3, 40, 4, 40).mean(axis=(1, 3))


# Differences that each model can detect. Spectral residual uses intensity alone; neither it nor sun
# uses orientation.
SEEN = {
    "itti_koch": ("orientation", "colour", "intensity", "alone"),
    "gbvs": ("colour", "intensity", "alone"),
    "spectral_residual": ("intensity", "alone"),
    "sun": ("intensity", "alone"),
}


@pytest.mark.parametrize("model, odd", [(m, odd) for m, seen in SEEN.items() for odd in seen])
def test_the_odd_one_out_is_the_most_salient_item(models, model, odd):
    means = cell_means(models[model](display(odd)))
    assert np.unravel_index(means.argmax(), means.shape) == (1, 2)


@pytest.mark.parametrize("model", SEEN)
def test_maps_lie_between_0_and_1_at_the_size_of_the_image(models, model):
    image = natural(7, (90, 131))
    saliency_map = models[model](image)
    assert saliency_map.shape == (90, 131)
    assert saliency_map.min() >= 0 and saliency_map.max() <= 1
    assert saliency_map.std() > 0.01


@pytest.mark.parametrize("model", SEEN)
def test_an_image_of_one_colour_has_no_salient_place(models, model):
    assert not models[model](np.full((*SIZE, 3), 77, np.uint8)).any()


@pytest.mark.parametrize("model", SEEN)
def test_a_mirrored_image_has_the_mirrored_map(models, model):
    image = natural(8)
    mirrored = models[model](image[:, ::-1].copy())[:, ::-1]
    assert np.corrcoef(models[model](image).ravel(), mirrored.ravel())[0, 1] > 0.99


@pytest.mark.parametrize("shape", [0.5, 0.8, 2.0])
def test_the_shape_of_a_generalised_gaussian_is_recovered(shape):
    rng = np.random.default_rng(3)
    x = rng.gamma(1 / shape, size=400_000) ** (1 / shape)
    assert classical._shape_of((x**2).mean() / x.mean() ** 2) == pytest.approx(shape, rel=0.03)


def test_statistics_without_images_are_refused():
    with pytest.raises(InputError, match="no stimuli"):
        classical.sun_statistics([])


def test_dwelling_of_gbvs_is_stationary():
    # the closed forms must be stationary under the transition matrices
    shape = (6, 8)
    near, feature = classical._nearness(shape), np.random.default_rng(1).random(48)
    weights = np.abs(feature[:, None] - feature) * near
    active = weights.sum(axis=1) / weights.sum()
    chain = weights / weights.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(active @ chain, active, atol=1e-12)
    dwelt = active * (near @ active)
    chain = near * active
    chain /= chain.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(dwelt @ chain, dwelt, atol=1e-12)
