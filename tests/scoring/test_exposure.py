"""Stimuli that a backbone was trained on are told apart."""

import dataclasses

import numpy as np
import pytest
from helpers import make_block
from torch import nn

from gaborscope.backbones import weights
from gaborscope.data import catalogue
from gaborscope.errors import InputError
from gaborscope.scoring import exposure

OSIE = [f"{1001 + i}.jpg" for i in range(700)]


def test_osie_as_msinets_authors_split_it():
    entry = {"type": "osie", "shuffled": [42, 500]}
    stimuli = exposure.seen([entry], "any", "osie", OSIE[::-1])
    order = np.arange(700)
    np.random.RandomState(42).shuffle(order)
    assert stimuli == {OSIE[i] for i in order[:500]} and len(stimuli) == 500


def test_a_part_is_told_by_the_beginning_of_its_names():
    names = ["COCO_train2014_1.jpg", "COCO_val2014_2.jpg"]
    entry = {"type": "salicon", "prefix": "COCO_train2014"}
    assert exposure.seen([entry], "s", "salicon", names) == {names[0]}
    assert exposure.seen([entry], "s", "osie", names) == set()


def test_blocks_are_those_of_the_workflow_that_trained():
    entry = {"type": "folder", "dataset": "mine", "n_blocks": 10, "blocks": ["00", "01"]}
    stimuli = exposure.seen([entry], "mine", "folder", OSIE)
    assert stimuli == {name for name in OSIE if catalogue.block_of(name, 10) < 2}
    assert exposure.seen([entry], "another", "folder", OSIE) == set()
    of_osie = {**entry, "type": "osie"}
    assert exposure.seen([of_osie], "another_name", "osie", OSIE) == stimuli


def test_an_entry_without_a_part_is_all_of_it():
    assert exposure.seen([{"type": "toronto"}], "t", "toronto", ["1.jpg", "2.jpg"]) == {
        "1.jpg", "2.jpg"
    }  # fmt: skip


def test_what_weights_have_seen_is_read_from_their_file(tmp_path):
    entries = [{"type": "osie", "shuffled": [42, 500]}]
    path = tmp_path / "w.safetensors"
    weights.write_weights(path, nn.Linear(2, 3).state_dict(), {"trained_on": entries, "seed": "1"})
    assert exposure.trained_on(path) == entries


def test_weights_that_do_not_say_what_they_saw_are_named(tmp_path):
    path = tmp_path / "w.safetensors"
    weights.write_weights(path, nn.Linear(2, 3).state_dict(), {"seed": "1"})
    with pytest.raises(InputError, match=r"w\.safetensors does not say what it was trained on"):
        exposure.trained_on(path)


def test_stimuli_of_some_blocks_that_any_of_the_networks_has_seen(tmp_path):
    blocks = [make_block([(8, 8)] * 2), make_block([(8, 8)])]
    blocks[1].names[:], blocks[1].sha256[:] = ["t0.png"], ["other"]
    files = []
    for number, prefix in enumerate(("s0", "t")):
        files.append(tmp_path / f"{number}.safetensors")
        entry = {"type": "salicon", "prefix": prefix}
        state_dict = nn.Linear(2, 3).state_dict()
        weights.write_weights(files[-1], state_dict, {"trained_on": [entry]})
    assert exposure.seen_in(blocks, files, "any", "salicon") == {"s0.png", "t0.png"}
    assert exposure.seen_in(blocks, files[:1], "any", "salicon") == {"s0.png"}
    assert exposure.seen_in(blocks, [], "any", "salicon") == set()


def test_a_copy_of_an_image_that_was_trained_on_was_trained_on_too(tmp_path):
    blocks = [make_block([(8, 8)] * 2), make_block([(8, 8)] * 2)]
    blocks[1].names[:] = ["t0.png", "t1.png"]
    blocks[0].sha256[:], blocks[1].sha256[:] = ["a", "b"], ["b", "c"]
    path = tmp_path / "w.safetensors"
    entry = {"type": "salicon", "prefix": "s"}
    weights.write_weights(path, nn.Linear(2, 3).state_dict(), {"trained_on": [entry]})
    found = exposure.seen_in(blocks, [path], "any", "salicon")
    assert found == {"s0.png", "s1.png", "t0.png"}


POOL = {"dataset": "osie+mine", "type": {"osie": "osie", "mine": "folder"}, "n_blocks": 10}


def test_training_on_one_data_set_writes_one_entry():
    one = {"dataset": "osie", "type": "osie", "n_blocks": 10}
    entry = {**one, "blocks": ["00"], "chosen_on_blocks": ["07"]}
    assert exposure.used(one, blocks=["00"], chosen_on_blocks=["07"]) == [entry]


def test_stimuli_of_each_member_of_a_pool_are_seen_by_what_was_trained_on_it(tmp_path):
    entries = exposure.used(POOL, blocks=["osie-00", "mine-03", "osie-01"], chosen_on_blocks=[])
    assert [(entry["dataset"], entry["blocks"]) for entry in entries] == [
        ("osie", ["00", "01"]), ("mine", ["03"]),
    ]  # fmt: skip
    path = tmp_path / "w.safetensors"
    weights.write_weights(path, nn.Linear(2, 3).state_dict(), {"trained_on": entries})
    block = make_block([(4, 4)] * 60)
    seen = {
        member: {name for name in block.names if catalogue.block_of(name, 10) in numbers}
        for member, numbers in (("osie", (0, 1)), ("mine", (3,)))
    }
    assert all(seen.values())
    for member, kind in POOL["type"].items():
        assert exposure.seen_in([block], [path], member, kind) == seen[member]
    pooled = [
        dataclasses.replace(
            block.in_pool(member), sha256=[f"{member} {digest}" for digest in block.sha256]
        )
        for member in POOL["type"]
    ]
    found = exposure.seen_in(pooled, [path], POOL["dataset"], POOL["type"])
    assert found == {f"{member}/{name}" for member, names in seen.items() for name in names}


def test_a_training_that_began_from_unknown_weights_leaves_them_unknown():
    added = [{"type": "osie", "dataset": "osie"}]
    before = {"trained_on": [{"type": "toronto"}]}
    assert exposure.carried(before, added) == {"trained_on": [{"type": "toronto"}, *added]}
    unknown = {"trained_on": [], "training_unknown": True, "params": "{}"}
    assert exposure.carried(unknown, added) == {"trained_on": added, "training_unknown": True}
