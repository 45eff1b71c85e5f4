"""Saliency maps made outside the workflow, from folders and HDF5."""

import unicodedata

import h5py
import numpy as np
import pytest
from PIL import Image

from gaborscope.data import map_files
from gaborscope.errors import InputError
from gaborscope.scoring import imported_maps
from gaborscope.stimuli import densities

SIZE = (12, 17)
NAMES = ["a.jpg", "b.png"]


@pytest.fixture
def values(rng):
    return rng.random((2, *SIZE))


@pytest.fixture
def folder(tmp_path, values):
    np.save(tmp_path / "a.npy", values[0])
    Image.fromarray((255 * values[1]).astype(np.uint8)).save(tmp_path / "b.png.png")
    (tmp_path / "notes.txt").write_text("not a map")
    return tmp_path


def read(path, kind="density", resize=False, names=NAMES, size=SIZE):
    return list(imported_maps.read("theirs", path, names, [size] * len(names), kind, resize))


def test_a_map_has_the_name_of_its_stimulus(folder, values):
    (first, kind), (second, _) = read(folder)
    assert kind == "density"
    np.testing.assert_array_equal(first, values[0])
    np.testing.assert_array_equal(second, (255 * values[1]).astype(np.uint8))


def test_maps_in_subfolders_belong_to_stimuli_of_that_path(tmp_path, values):
    (tmp_path / "indoor").mkdir()
    np.save(tmp_path / "indoor" / "a.npy", values[0])
    ((read_map, _),) = read(tmp_path, names=["indoor/a.jpg"])
    np.testing.assert_array_equal(read_map, values[0])
    with pytest.raises(InputError, match="'a.jpg' has no map"):
        read(tmp_path, names=["a.jpg"])


@pytest.mark.parametrize(
    "keys",
    [("a.jpg", "b.png"), ("stimuli/a.jpg", "stimuli/b.png"), ("deep/er/a.jpg", "b.png")],
)
def test_pysaliency_files_are_read_whatever_prefix_they_have(tmp_path, values, keys):
    with h5py.File(tmp_path / "maps.hdf5", "w") as file:
        for key, array in zip(keys, values, strict=True):
            log_density = np.log(array / array.sum())
            file.create_dataset(key, data=log_density, compression=9)
    (read_map, kind), _ = read(tmp_path / "maps.hdf5", "log_density")
    density = densities.to_density(read_map, kind, 0)
    np.testing.assert_allclose(density, values[0] / values[0].sum(), rtol=1e-9)


def test_a_stimulus_may_have_a_longer_path_than_its_key(tmp_path, values):
    with h5py.File(tmp_path / "maps.h5", "w") as file:
        file["a.jpg"] = values[0]
    ((read_map, _),) = read(tmp_path / "maps.h5", names=["Action/a.jpg"])
    np.testing.assert_array_equal(read_map, values[0])


@pytest.mark.parametrize("stored", ["NFC", "NFD"])
@pytest.mark.parametrize("kind", ["folder", "hdf5"])
def test_names_of_maps_are_compared_in_one_unicode_form(tmp_path, values, stored, kind):
    name = unicodedata.normalize(stored, "\u00e9t\u00e9")
    if kind == "folder":
        np.save(tmp_path / f"{name}.npy", values[0])
    else:
        with h5py.File(tmp_path / "maps.h5", "w") as file:
            file[f"{name}.png"] = values[0]
    other = unicodedata.normalize("NFD" if stored == "NFC" else "NFC", "\u00e9t\u00e9.png")
    path = tmp_path if kind == "folder" else tmp_path / "maps.h5"
    ((read_map, _),) = read(path, names=[other])
    np.testing.assert_array_equal(read_map, values[0])


def test_a_16_bit_map_keeps_its_levels(tmp_path):
    levels = (np.arange(12 * 17, dtype=np.uint16) * 300).reshape(SIZE)
    Image.fromarray(levels).save(tmp_path / "a.png")
    ((read_map, _),) = read(tmp_path, names=["a.jpg"])
    np.testing.assert_array_equal(read_map, levels)


def test_any_real_map_is_min_max_scaled(tmp_path, values):
    np.save(tmp_path / "a.npy", 7 * values[0] - 5)
    ((read_map, kind),) = read(tmp_path, "map", names=["a.jpg"])
    assert kind == "unit"
    assert (read_map.min(), read_map.max()) == (0, 1)
    with pytest.raises(InputError, match="cannot be negative"):
        densities.to_density(*read(tmp_path, "density", names=["a.jpg"])[0], 0.001)


def test_a_map_of_another_size_is_refused_or_resized_as_asked(folder):
    with pytest.raises(InputError, match="'a.jpg' is 17x12 px and the stimulus 34x24"):
        read(folder, size=(24, 34))
    assert read(folder, resize=True, size=(24, 34))[0][0].shape == (24, 34)


def damage_nan(folder, values):
    np.save(folder / "a.npy", np.where(values[0] > 0.9, np.nan, values[0]))


def damage_colour(folder, values):
    (folder / "a.npy").unlink()
    Image.fromarray((255 * np.random.default_rng(0).random((*SIZE, 3))).astype(np.uint8)).save(
        folder / "a.png"
    )


DAMAGES = {
    "nan": (damage_nan, "'a.jpg' holds NaN or infinity"),
    "three axes": (lambda f, v: np.save(f / "a.npy", v), "shape .2, 12, 17."),
    "complex": (lambda f, v: np.save(f / "a.npy", v[0] * 1j), "complex128"),
    "missing": (lambda f, v: (f / "a.npy").unlink(), "'a.jpg' has no map"),
    "two": (lambda f, v: np.save(f / "a.jpg.npy", v[0]), "'a.jpg' has the maps"),
    "truncated": (lambda f, v: (f / "a.npy").write_bytes(b"\x93NUMPY"), "cannot be read"),
    "coloured": (damage_colour, "is coloured"),
}


@pytest.mark.parametrize("fault", DAMAGES)
def test_a_fault_is_one_sentence(folder, values, fault):
    damage, text = DAMAGES[fault]
    damage(folder, values)
    with pytest.raises(InputError, match=text) as caught:
        read(folder)
    assert "\n" not in str(caught.value)


def test_a_place_without_maps_is_named(tmp_path):
    with pytest.raises(InputError, match="neither a folder nor an HDF5 file"):
        map_files.location("theirs", "nowhere", tmp_path)
    (tmp_path / "x.h5").write_bytes(b"nothing")
    with pytest.raises(InputError, match="cannot be read as HDF5"):
        read(tmp_path / "x.h5")


def test_the_digest_changes_with_the_maps_of_the_stimuli_alone(folder, values):
    before = map_files.digest("theirs", str(folder), "/", ["a.jpg"])
    np.save(folder / "c.npy", values[0])
    assert map_files.digest("theirs", str(folder), "/", ["a.jpg"]) == before
    np.save(folder / "a.npy", values[0][:5])
    assert map_files.digest("theirs", str(folder), "/", ["a.jpg"]) != before
