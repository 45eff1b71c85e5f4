"""Blocks of stimuli by name and by split."""

import numpy as np
import pytest
from helpers import ORIGIN, make_block

from gaborscope.errors import InputError
from gaborscope.store import blocks, concepts, paths


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


def concept_of(folder, name, maps, block="07"):
    path = folder / paths.make("concepts", concept=name, dataset="made", block=block)
    concepts.write_concept(path, [f"s{i}.png" for i in range(len(maps))], maps, ORIGIN)
    return str(path)


def test_maps_of_concepts_lie_behind_the_images_and_then_those_of_the_next_stimulus(tmp_path):
    data = tmp_path / paths.make("data", dataset="made", block="07")
    made = make_block([(20, 30)] * 3)
    blocks.write_data(data, made, ORIGIN)
    faces = [np.full((20, 30), value, np.uint8) for value in (0, 51, 255)]
    text = [np.full((2, 3), value, np.float32) for value in (4, 5, 6)]
    files = [concept_of(tmp_path, "text", text), concept_of(tmp_path, "faces", faces)]
    files.append(concept_of(tmp_path, "faces", faces[:1], "08"))  # of another block
    block = blocks.read_data(data, concepts=files)
    assert [block.view(i)[7, 9, 3:].tolist() for i in range(3)] == [
        [4, 0], [5, pytest.approx(0.2)], [6, 1],
    ]  # fmt: skip
    np.testing.assert_array_equal(block.view(1)[..., :3], made.images[1])
    assert block.image(1).shape == (20, 30, 3)
    (block,) = blocks.read_blocks([str(data)], concepts=files, swapped=True).values()
    assert [block.view(i)[7, 9, 5:].tolist() for i in range(3)] == [
        [5, pytest.approx(0.2)], [6, 1], [4, 0],
    ]  # fmt: skip
    assert blocks.read_data(data).view(0).dtype == np.uint8


def test_the_only_stimulus_of_a_block_gets_no_map_of_another(tmp_path):
    files = [concept_of(tmp_path, "text", [np.full((2, 3), 4, np.float32)])]
    block = blocks.read_data(written(tmp_path, "07"), concepts=files, swapped=True)
    assert block.view(0)[0, 0, 3:].tolist() == [4, 0]


def test_a_block_of_a_pool_keeps_its_width_of_a_degree_its_observers_and_its_images(tmp_path):
    given = make_block([(20, 30), (30, 20)], facts={"px_per_degree": 30.5})
    path = tmp_path / paths.make("data", dataset="made+other", block="made-07")
    blocks.write_data(path, given.in_pool("made"), ORIGIN)
    read = blocks.read_data(path)
    assert read.names == ["made/s0.png", "made/s1.png"] and read.member == "made"
    assert read.facts["px_per_degree"] == 30.5 and read.px_per_degree is None  # not of all blocks
    np.testing.assert_array_equal(read.subject, given.subject)
    np.testing.assert_array_equal(read.image(1), given.image(1))
    assert given.member is None and given.px_per_degree == 30.5
    assert paths.parse("data", path) == {"dataset": "made+other", "block": "made-07"}
