"""HDF5 files: complete, finite, of a known schema, and equal bytes for equal content."""

import contextlib
import json

import h5py
import numpy as np
import pytest
from helpers import BOX, ORIGIN, make_block, make_layer

from gaborscope.errors import InputError
from gaborscope.stimuli import geometry
from gaborscope.store import checksums
from gaborscope.store.blocks import read_data, write_data
from gaborscope.store.files import create, put, whole
from gaborscope.store.layers import LayerWriter, read_layers
from gaborscope.store.saliency import read_density, read_saliency, write_saliency

SIZES = [(40, 60), (70, 45), (20, 61)]
LAYERS = {"fine": make_layer(4, 3), "coarse": make_layer(8, 2, "relu")}


def same_block(block, expected):
    assert block.names == expected.names
    assert block.paths == expected.paths
    assert block.sha256 == expected.sha256
    assert block.facts == expected.facts
    for key in ("sizes", "x", "y", "stimulus", "subject"):
        np.testing.assert_array_equal(getattr(block, key), getattr(expected, key))
    for a, b in zip(block.images, expected.images, strict=True):
        np.testing.assert_array_equal(a, b)


def write_activations(path, maps):
    groups = geometry.group_by_input(SIZES, BOX)
    with LayerWriter(path, groups, LAYERS, ORIGIN) as writer:
        for (index, name), values in maps.items():
            writer.put(index, name, values)


def random_maps():
    rng = np.random.default_rng(0)
    maps = {}
    for index, size in enumerate(SIZES):
        placement = geometry.place(size, BOX)
        for name, layer in LAYERS.items():
            shape = layer.shape[geometry.size_name(placement.input_size)]
            maps[index, name] = rng.standard_normal((layer.channels, *shape))
    return maps


def test_a_block_comes_back_as_it_was(tmp_path):
    block = make_block(SIZES, facts={"px_per_degree": 6.0, "task": "free", "duration_s": 3})
    write_data(tmp_path / "0.h5", block, ORIGIN)
    same_block(read_data(tmp_path / "0.h5"), block)


def test_a_block_of_image_files_has_no_embedded_images(tmp_path):
    block = make_block(SIZES)
    block.images = None
    write_data(tmp_path / "0.h5", block, ORIGIN)
    assert read_data(tmp_path / "0.h5").images is None


def test_a_block_without_fixations_comes_back(tmp_path):
    block = make_block(SIZES, n_points=0)
    write_data(tmp_path / "0.h5", block, ORIGIN)
    read = read_data(tmp_path / "0.h5")
    assert read.x.shape == (0,)
    assert read.points(1)[0].shape == (0, 2)


def test_names_beyond_ascii_come_back(tmp_path):
    block = make_block(SIZES)
    block.names = ["Äpfel.png", "日本.png", "a b.png"]
    write_data(tmp_path / "0.h5", block, ORIGIN)
    assert read_data(tmp_path / "0.h5").names == block.names


def test_layers_come_back_with_stimulus_box_and_size(tmp_path):
    maps = random_maps()
    write_activations(tmp_path / "a.h5", maps)
    seen = []
    for index, valid, size, layers in read_layers(tmp_path / "a.h5", ["coarse", "fine"]):
        placement = geometry.place(SIZES[index], BOX)
        assert (valid, size) == (placement.valid, placement.input_size)
        for name in LAYERS:
            expected = maps[index, name].astype(np.float16)
            np.testing.assert_array_equal(layers[name], expected)
            assert layers[name].dtype == np.float32
        seen.append(index)
    assert sorted(seen) == [0, 1, 2]  # landscape and portrait


def test_an_activation_file_describes_its_layers(tmp_path):
    write_activations(tmp_path / "a.h5", random_maps())
    with h5py.File(tmp_path / "a.h5") as file:
        attributes = file["48x32/coarse"].attrs
        assert (attributes["nonlinearity"], attributes["axes"]) == (
            "relu",
            "stimulus, channel, y, x",
        )
        np.testing.assert_array_equal(attributes["stride"], [8, 8])
        assert file["32x48/fine"].chunks == (1, 3, 8, 12)  # one stimulus


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_an_activation_that_is_not_finite_leaves_no_file(tmp_path, bad):
    maps = random_maps()
    maps[1, "coarse"][0, 1, 1] = bad
    with pytest.raises(InputError, match="layer coarse"):
        write_activations(tmp_path / "a.h5", maps)
    assert list(tmp_path.iterdir()) == []


def test_densities_come_back_as_densities(tmp_path):
    rng = np.random.default_rng(0)
    densities = [rng.dirichlet(np.ones(h * w)).reshape(h, w) for h, w in SIZES]
    logs = [np.log(density) for density in densities]
    write_saliency(tmp_path / "s.h5", ["a", "b", "c"], logs, ORIGIN)
    for index, density in read_saliency(tmp_path / "s.h5"):
        # logarithms of about -8 in float32
        np.testing.assert_allclose(density, densities[index], rtol=2e-6)
        assert density.sum() == pytest.approx(1, rel=1e-12)
        np.testing.assert_array_equal(density, read_density(tmp_path / "s.h5", index))


@pytest.mark.parametrize("bad", [np.nan, -np.inf])
def test_a_density_with_zeros_is_refused_and_leaves_no_file(tmp_path, bad):
    with pytest.raises(InputError, match="NaN or infinity"):
        write_saliency(tmp_path / "s.h5", ["a"], [np.full((3, 4), bad)], ORIGIN)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("dtype, value", [(np.float16, 7e4), (np.float32, 1e39)])
def test_a_number_too_large_for_its_type_is_refused(tmp_path, dtype, value):
    with (
        pytest.raises(InputError, match="more than"),
        create(tmp_path / "x.h5", "saliency", ORIGIN) as file,
    ):
        put(file, "x", np.array([1.0, value]), "n", "1", dtype)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", ["data", "activations", "saliency"])
def test_equal_content_gives_equal_bytes(tmp_path, kind):
    for name in ("a.h5", "b.h5"):
        if kind == "data":
            write_data(tmp_path / name, make_block(SIZES), ORIGIN)
        elif kind == "activations":
            write_activations(tmp_path / name, random_maps())
        else:
            write_saliency(tmp_path / name, ["x"], [np.full((3, 4), -2.5)], ORIGIN)
    assert (tmp_path / "a.h5").read_bytes() == (tmp_path / "b.h5").read_bytes()


def test_a_file_says_where_it_comes_from(tmp_path):
    write_data(tmp_path / "0.h5", make_block(SIZES), ORIGIN)
    with h5py.File(tmp_path / "0.h5") as file:
        assert file.attrs["schema"] == "data/2"
        assert file.attrs["code"] == ORIGIN["code"]


def test_another_schema_is_named_with_its_file(tmp_path):
    write_data(tmp_path / "0.h5", make_block(SIZES), ORIGIN)
    with pytest.raises(InputError, match=r"0\.h5 has the schema data/2 where saliency/2 is needed"):
        list(read_saliency(tmp_path / "0.h5"))


def test_a_file_without_a_schema_is_named(tmp_path):
    with h5py.File(tmp_path / "x.h5", "w"):
        pass
    checksums.seal(tmp_path / "x.h5")
    with pytest.raises(InputError, match=r"x\.h5 has the schema none"):
        read_data(tmp_path / "x.h5")


@pytest.mark.parametrize("content", [b"", b"text"])
def test_what_is_no_hdf5_is_named(tmp_path, content):
    (tmp_path / "x.h5").write_bytes(content)
    with pytest.raises(InputError, match=r"x\.h5 cannot be read as HDF5"):
        read_data(tmp_path / "x.h5")


def test_a_block_that_fails_leaves_nothing_behind(tmp_path):
    path = tmp_path / "new" / "x.txt"
    with pytest.raises(RuntimeError), whole(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert list(path.parent.iterdir()) == []


def test_a_block_that_fails_keeps_the_old_file(tmp_path):
    path = tmp_path / "x.txt"
    path.write_text("old")
    with pytest.raises(RuntimeError), whole(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert [p.read_text() for p in tmp_path.iterdir()] == ["old"]


def test_a_file_is_whole_when_it_appears(tmp_path):
    path = tmp_path / "x.txt"
    with whole(path) as temporary:
        temporary.write_text("all")
        assert not path.exists() and temporary.parent == tmp_path
    assert [p.read_text() for p in tmp_path.iterdir()] == ["all"]


def test_a_job_whose_run_was_replaced_writes_nothing(tmp_path, monkeypatch):
    record = tmp_path / "owner.json"
    monkeypatch.setenv("GABORSCOPE_RUN", f"mine:{record}")
    for owner, appears in (("mine", True), ("another", False)):
        record.write_text(json.dumps({"run": owner}))
        path = tmp_path / f"{owner}.csv"
        with contextlib.nullcontext() if appears else pytest.raises(InputError, match="taken over"):
            with whole(path) as temporary:
                temporary.write_text("a\n")
        assert path.exists() == appears and not list(tmp_path.glob(".*.tmp"))
    record.unlink()  # a container that has the folder elsewhere
    with whole(tmp_path / "late.csv") as temporary:
        temporary.write_text("a\n")
    assert (tmp_path / "late.csv").exists()
