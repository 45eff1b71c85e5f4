"""Maps of concepts: their values, their aspect, their place behind an image."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gaborscope.errors import InputError
from gaborscope.stimuli import concepts, geometry

SIZE = (40, 60)


@pytest.mark.parametrize("dtype, factor", [
    (np.uint8, 1 / 255), (np.uint16, 1 / 65535), (">u2", 1 / 65535), (np.int32, 1), (np.float64, 1),
    (np.float16, 1), (bool, 1),
])  # fmt: skip
def test_images_of_8_and_16_bits_count_as_0_to_1_and_other_values_as_they_are(dtype, factor):
    stored = (np.arange(2400).reshape(SIZE) % 2).astype(dtype)
    checked = concepts.checked(stored, "it", SIZE)
    assert checked.dtype.isnative
    values = concepts.scaled(checked)
    assert values.dtype == np.float32
    np.testing.assert_allclose(values, stored.astype(float) * factor, rtol=1e-6)


@pytest.mark.parametrize("shape", [(20, 30), (80, 120), (13, 20), (14, 20), (2, 3), (40, 61)])
def test_maps_of_the_same_aspect_to_a_px_are_taken(shape):
    assert concepts.checked(np.zeros(shape), "it", SIZE).shape == shape


@pytest.mark.parametrize("shape", [(40, 40), (20, 32), (60, 40), (15, 20)])
def test_maps_of_another_aspect_are_refused(shape):
    with pytest.raises(InputError, match="another aspect"):
        concepts.checked(np.zeros(shape), "it", SIZE)


def test_a_view_is_the_image_with_each_map_stretched_to_it(rng):
    image = rng.integers(0, 256, (*SIZE, 3), dtype=np.uint8)
    small = rng.random((20, 30)).astype(np.float32)
    view = concepts.behind(image, [small, np.ones(SIZE, np.float32)])
    assert view.dtype == np.float32 and view.shape == (*SIZE, 5)
    np.testing.assert_array_equal(view[..., :3], image)
    np.testing.assert_array_equal(view[..., 3], geometry.resize(small, SIZE))
    np.testing.assert_array_equal(view[..., 4], 1)


@pytest.mark.parametrize("box", [(24, 36), (64, 96)])
def test_the_content_of_a_view_has_the_very_colours_of_that_of_the_image(rng, box):
    image = rng.integers(0, 256, (*SIZE, 3), dtype=np.uint8)
    placement = geometry.place(SIZE, box)
    view = concepts.behind(image, [np.full(SIZE, 0.25, np.float32)])
    content = geometry.content(view, placement)
    np.testing.assert_array_equal(content[..., :3], geometry.content(image, placement))
    np.testing.assert_allclose(content[..., 3], 0.25)


def test_the_example_writes_a_map_beside_each_photograph_once(tmp_path, monkeypatch, rng):
    path = Path(__file__).parents[2] / "examples" / "concept_maps.py"
    spec = importlib.util.spec_from_file_location("concept_maps", path)
    example = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(example)
    photographs, seen = tmp_path / "photographs", []
    (photographs / "a").mkdir(parents=True)
    for name in ("a/1.jpg", "2.png"):
        Image.fromarray(rng.integers(0, 256, (*SIZE, 3), dtype=np.uint8)).save(photographs / name)
    (photographs / "notes.txt").write_text("none")

    def detector():
        def draw(rgb, canvas):
            seen.append(rgb.shape)
            canvas.ellipse((10, 5, 30, 25), fill=255)
            return 1

        return draw

    monkeypatch.setattr(example, "faces", detector)
    for _ in range(2):
        example.main("faces", photographs, tmp_path / "maps")
    assert seen == [(*SIZE, 3)] * 2
    written = {str(p.relative_to(tmp_path / "maps")) for p in (tmp_path / "maps").rglob("*.*")}
    assert written == {"a/1.png", "2.png"}
    stored = np.asarray(Image.open(tmp_path / "maps" / "2.png"))
    values = concepts.scaled(concepts.checked(stored, "it", SIZE))
    assert values[15, 20] == 1 and values[0, 0] == 0
