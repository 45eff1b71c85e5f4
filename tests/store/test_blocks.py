"""Blocks of stimuli by name and by split."""

import pytest
from helpers import ORIGIN, make_block

from gaborscope.errors import InputError
from gaborscope.store import blocks, paths


def written(folder, name, dataset="made", seed=0):
    path = folder / paths.make("data", dataset=dataset, block=name)
    blocks.write_data(path, make_block([(20, 30)], seed=seed), ORIGIN)
    return str(path)


def test_blocks_are_called_by_their_paths_in_the_order_given(tmp_path):
    read = blocks.read_blocks([written(tmp_path, "07"), written(tmp_path, "00", seed=1)])
    assert list(read) == ["07", "00"] and read["07"].names == ["s0.png"]


def test_every_fact_comes_back_and_nothing_else(tmp_path):
    texts = ("images", "observers", "task", "faults", "source", "licence", "exif")
    numbers = ("duration_s", "px_per_degree", "sigma_px")
    facts = {
        **{key: f"its {key}" for key in texts},
        **dict(zip(numbers, (3, 30.5, 0), strict=True)),
    }
    given = make_block([(20, 30)], facts={**facts, "unknown": "x"})
    blocks.write_data(tmp_path / "0.h5", given, ORIGIN)
    assert blocks.read_data(tmp_path / "0.h5").facts == facts
    blocks.write_data(tmp_path / "1.h5", make_block([(20, 30)], facts={"task": None}), ORIGIN)
    assert blocks.read_data(tmp_path / "1.h5").facts == {}


def test_images_are_read_where_they_are_asked_for(tmp_path):
    path = written(tmp_path, "07")
    assert blocks.read_data(path).images[0].shape == (20, 30, 3)
    assert blocks.read_data(path, images=False).images is None
    (read,) = blocks.read_blocks([path], images=False).values()
    assert read.images is None and blocks.read_blocks([path])["07"].images is not None


def test_blocks_of_two_data_sets_are_not_mixed_up(tmp_path):
    files = [written(tmp_path, "07"), written(tmp_path, "07", "other")]
    with pytest.raises(InputError, match="same block"):
        blocks.read_blocks(files)


def test_splits_keep_the_order_of_the_blocks_and_the_rest_is_what_no_split_names():
    numbered = {name: name for name in ("03", "00", "07", "08")}
    found = blocks.by_split(numbered, {"test": ["08"], "fit": ["00", "03"]}, rest="validation")
    assert [(split, list(members)) for split, members in found.items()] == [
        ("test", ["08"]), ("fit", ["03", "00"]), ("validation", ["07"]),
    ]  # fmt: skip
    assert "validation" not in blocks.by_split(numbered, {"fit": ["00"]})


def test_a_block_that_is_not_there_is_named():
    with pytest.raises(KeyError, match="09"):
        blocks.by_split({"00": None}, {"fit": ["00", "09"]})
