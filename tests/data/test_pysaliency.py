"""
Pairs of HDF5 files as pysaliency writes them.

The files here have the layout that pysaliency's `to_hdf5` writes (0.2.22 and, for scanpaths, its
later sources). The reader was tried once on files that pysaliency 0.2.22 itself had written
(FileStimuli with FixationTrains, Stimuli with Fixations): every pixel, stimulus and observer
equalled those that pysaliency gives.
"""

import h5py
import numpy as np
import pytest
from PIL import Image

from gaborscope.data import catalogue, loading
from gaborscope.errors import InputError

SIZES = [(40, 60), (61, 33)]


def mark(file, kind):
    file.attrs["type"] = np.bytes_(kind)
    file.attrs["version"] = np.bytes_("1.0")


def file_stimuli(folder, names=("a.png", "b.png")):
    for name, size in zip(names, SIZES, strict=True):
        (folder / "stimuli" / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((*size, 3), 9, np.uint8)).save(folder / "stimuli" / name)
    with h5py.File(folder / "stimuli.hdf5", "w") as file:
        mark(file, "FileStimuli")
        paths = [f"stimuli/{name}".encode() for name in names]
        file.create_dataset("filenames", data=np.array(paths), dtype=h5py.special_dtype(vlen=str))
        file.attrs["size"] = len(names)


def fixation_trains(folder, xs, ys, ns, subjects):
    with h5py.File(folder / "fixations.hdf5", "w") as file:
        mark(file, "FixationTrains")
        longest = max(len(x) for x in xs)
        for key, values in (("train_xs", xs), ("train_ys", ys)):
            file[key] = [[*v, *[np.nan] * (longest - len(v))] for v in values]
        file["train_ns"], file["train_subjects"] = ns, subjects


def plain_fixations(folder, x, y, n, key="subjects", subjects=None):
    with h5py.File(folder / "fixations.hdf5", "w") as file:
        mark(file, "Fixations")
        file["x"], file["y"], file["n"] = x, y, n
        if subjects is not None:
            file[key] = subjects


@pytest.fixture
def pair(tmp_path):
    file_stimuli(tmp_path)
    fixation_trains(tmp_path, [[1.2, 5.9], [3.0]], [[7.0, 8.5], [2.7]], [1, 0], [4, 2])
    return tmp_path


def load(folder, **more):
    settings = {"type": "pysaliency", "path": str(folder), **more}
    names = list(catalogue.index("set", settings, folder))
    return loading.load_block(settings, names, folder)


def pixels(block):
    both = np.column_stack([block.x, block.y]).astype(float)
    return np.floor(both + 0.5).astype(int).tolist()


def refused(folder, **more):
    with pytest.raises(InputError) as error:
        load(folder, **more)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_the_pixel_is_the_truncated_coordinate(pair):
    assert pixels(load(pair)) == [[3, 2], [1, 7], [5, 8]]


def test_a_coordinate_just_below_a_pixel_stays_there(pair):
    # 31.99999999 - 0.5 would be 31.5 as float32, the next pixel
    fixation_trains(pair, [[31.99999999]], [[0.0]], [1], [0])
    assert pixels(load(pair)) == [[31, 0]]


def test_trains_are_told_apart_by_stimulus_and_observer(pair):
    block = load(pair)
    assert block.stimulus.tolist() == [0, 1, 1] and block.subject.tolist() == [2, 4, 4]


@pytest.mark.parametrize("key", ["subjects", "subject"])
def test_plain_fixations_are_read(pair, key):
    plain_fixations(pair, [3, 1, 5], [2, 7, 8], [0, 1, 1], key, [2, 4, 4])
    block = load(pair)
    assert pixels(block) == [[3, 2], [1, 7], [5, 8]] and block.subject.tolist() == [2, 4, 4]


@pytest.mark.parametrize("outer", [True, False])
def test_scanpaths_are_read(pair, outer):
    with h5py.File(pair / "fixations.hdf5", "w") as file:
        mark(file, "ScanpathFixations" if outer else "Scanpaths")
        group = file.create_group("scanpaths") if outer else file
        group["xs"], group["ys"] = [[1.2, 5.9], [3.0, np.nan]], [[7.0, 8.5], [2.7, np.nan]]
        group["n"], group["lengths"] = [1, 0], [2, 1]
        group.create_group("scanpath_attributes")["subject"] = [4, 2]
    block = load(pair)
    assert pixels(block) == [[3, 2], [1, 7], [5, 8]] and block.subject.tolist() == [2, 4, 4]


def test_embedded_images_are_read_and_grey_becomes_rgb(pair):
    images = [np.full((40, 60, 3), 50, np.uint8), np.full((61, 33), 70, np.uint8)]
    with h5py.File(pair / "stimuli.hdf5", "w") as file:
        mark(file, "Stimuli")
        file.attrs["size"] = 2
        for i, image in enumerate(images):
            file.create_dataset(str(i), data=image, compression="gzip")
    block = load(pair)
    assert block.names == ["stimulus_00000.png", "stimulus_00001.png"]
    assert [image.shape for image in block.images] == [(40, 60, 3), (61, 33, 3)]
    assert block.paths == ["", ""] and (block.images[1] == 70).all()


def test_equal_file_names_are_told_apart_by_their_folders(tmp_path):
    file_stimuli(tmp_path, ("one/a.png", "two/a.png"))
    fixation_trains(tmp_path, [[1.0], [2.0]], [[1.0], [2.0]], [0, 1], [0, 0])
    assert load(tmp_path).names == ["stimuli/one/a.png", "stimuli/two/a.png"]


def test_files_may_have_other_names(pair):
    (pair / "stimuli.hdf5").rename(pair / "stimuli_val.hdf5")
    (pair / "fixations.hdf5").rename(pair / "fixations_val.hdf5")
    assert "stimuli.hdf5; write it" in refused(pair)
    assert len(load(pair, stimuli="stimuli_val.hdf5", fixations="fixations_val.hdf5").x) == 3


def test_a_lost_eye_within_a_train_is_refused_or_left_out(pair):
    trains = [[1.0, np.nan, 5.0], [3.0]], [[7.0, np.nan, 8.0], [2.0]]
    fixation_trains(pair, *trains, [1, 0], [4, 2])
    assert "b.png, fixation 1: x = nan, y = nan has no place in the image" in refused(pair)
    assert pixels(load(pair, outside="drop")) == [[3, 2], [1, 7], [5, 8]]


def test_drop_first_drops_the_first_of_each_train(pair):
    assert pixels(load(pair, drop_first=True)) == [[5, 8]]


def test_shares_are_refused_at_planning(pair):
    plain_fixations(pair, [0.1, 0.2, 0.3, 0.4, 0.5], [0.2, 0.4, 0.3, 0.1, 0.6], [0, 0, 1, 1, 1])
    with pytest.raises(InputError, match="shares of the image"):
        catalogue.index("set", {"type": "pysaliency", "path": str(pair)}, pair)


def test_changed_fixations_change_their_stimulus_alone(pair):
    settings = {"type": "pysaliency", "path": str(pair)}
    before = catalogue.index("set", settings, pair)
    fixation_trains(pair, [[1.2, 5.9], [4.0]], [[7.0, 8.5], [2.7]], [1, 0], [4, 2])
    after = catalogue.index("set", settings, pair)
    assert [name for name in before if before[name] != after[name]] == ["a.png"]


def test_the_cached_index_needs_no_hdf5(pair, tmp_path, monkeypatch):
    settings = {"type": "pysaliency", "path": str(pair)}
    built = catalogue.BlockIndex("set", settings, pair, 10, tmp_path / "cache").digests
    monkeypatch.setattr(h5py, "File", None)
    kept = catalogue.BlockIndex("set", settings, pair, 10, tmp_path / "cache")
    assert kept.digests == built


def test_facts_come_from_the_settings(pair):
    facts = load(pair, px_per_degree=30, licence="CC0").facts
    assert facts["px_per_degree"] == 30 and facts["licence"] == "CC0"


@pytest.mark.parametrize(("x", "y"), [(60.0, 1.0), (1.0, -0.1), (np.inf, 1.0)])
def test_a_fixation_outside_is_named(pair, x, y):
    plain_fixations(pair, [x], [y], [0])
    assert f"a.png, fixation 0: x = {x:g}, y = {y:g} lies outside" in refused(pair)


def test_files_that_do_not_belong_together_are_refused(pair):
    plain_fixations(pair, [1.0], [1.0], [2])
    assert "fixations on stimulus 2, but there are 2" in refused(pair)


def test_exchanged_files_are_refused(pair):
    assert "it holds FixationTrains, not stimuli" in refused(pair, stimuli="fixations.hdf5")


@pytest.mark.parametrize("name", ["stimuli.hdf5", "fixations.hdf5"])
def test_a_damaged_file_is_named(pair, name):
    (pair / name).write_bytes(b"nothing")
    assert f"{name} is not a file of" in refused(pair)


def test_a_missing_image_is_named(pair):
    (pair / "stimuli" / "b.png").unlink()
    assert "b.png, which cannot be read" in refused(pair)
