"""Resizing against stored values of TensorFlow, against Pillow, and on photographs."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gaborscope.backbones import resizing

STORED = Path(__file__).parents[1] / "tensorflow" / "resized.npz"


@pytest.fixture(scope="module")
def stored():
    return np.load(STORED)


@pytest.mark.parametrize("name", ["area", "area_one_axis", "bicubic", "same"])
def test_msinets_resizing_is_that_of_tensorflow(stored, name):
    ours = resizing.resize(stored["image"], stored[name].shape[:2], "tensorflow")
    assert ours.dtype == np.float32
    np.testing.assert_allclose(ours, stored[name], rtol=0, atol=1e-3)  # of 0..255


def test_unisals_resizing_is_pillows_lanczos(stored):
    image = stored["image"]
    ours = resizing.resize(image, (16, 24), "lanczos")
    expected = np.asarray(Image.fromarray(image).resize((24, 16), Image.Resampling.LANCZOS))
    assert ours.dtype == np.uint8
    np.testing.assert_array_equal(ours, expected)


@pytest.mark.parametrize("kind", resizing.KINDS)
def test_a_constant_image_stays_constant(kind):
    image = np.full((31, 47, 3), 77, np.uint8)
    for size in ((16, 24), (60, 90), (31, 20), (1, 1)):
        resized = resizing.resize(image, size, kind)
        assert resized.shape == (*size, 3)
        np.testing.assert_allclose(resized, 77, atol=1e-3)


def test_an_unknown_kind_is_refused():
    with pytest.raises(ValueError, match="nearest"):
        resizing.resize(np.zeros((4, 5, 3), np.uint8), (2, 2), "nearest")


def test_the_kinds_differ_on_a_photograph_as_filters_do(shared):
    path = sorted((shared / "data" / "osie" / "stimuli").glob("*.jpg"))[0]
    image = np.asarray(Image.open(path).convert("RGB"))
    kinds = {
        kind: resizing.resize(image, (240, 320), kind).astype(float) for kind in resizing.KINDS
    }
    for kind, resized in kinds.items():
        assert abs(resized.mean() - image.mean()) < 1, kind
    # aligned corners shift the image by up to a pixel at the borders, area averages do not
    assert 1 < np.abs(kinds["tensorflow"] - kinds["area"]).mean() < 12
    assert 0.5 < np.abs(kinds["lanczos"] - kinds["area"]).mean() < 6
