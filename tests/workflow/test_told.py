"""What a config says of what weights have seen: forms, refusals, sentences when planning."""

import pytest

from gaborscope.data import seen
from gaborscope.errors import InputError
from gaborscope.workflow import told

TYPES = ["folder", "osie", "demo"]
OWN = {"factory": "a.py:f", "weights": "w.pth", "trained_on": None, "input": {"output": "unit"}}


def config(**changes):
    return {
        "models": ["net"],
        "backbones": {"net": {**OWN, **changes}},
        "datasets": {"mine": {"type": "folder"}},
    }


def test_a_plain_name_means_all_stimuli_of_the_data_set():
    found = config(trained_on=["mine", {"type": "dhf1k"}])
    told.settle(found, TYPES)
    expected = [{"type": "folder", "dataset": "mine"}, {"type": "dhf1k"}]
    assert found["backbones"]["net"]["trained_on"] == expected
    told.settle(found, TYPES)
    assert found["backbones"]["net"]["trained_on"] == expected


@pytest.mark.parametrize(
    "entry, said",
    [("mien", "did you mean 'mine'"), ({"type": "folder"}, "write {type: folder, dataset: NAME}"),
     ({"type": "osi"}, "did you mean 'osie'"), ({"type": "osie", "blocks": ["00"]}, "write both")],
)  # fmt: skip
def test_an_entry_that_matches_nothing_is_refused(entry, said):
    with pytest.raises(InputError, match=r"net\.trained_on\.0") as raised:
        told.settle(config(trained_on=[entry]), TYPES)
    assert said in str(raised.value)


@pytest.mark.parametrize(
    "changes, named",
    [({}, ["net"]), ({"trained_on": []}, []), ({"weights": None}, []), ({"weights": "train"}, []),
     ({"weights": "w.safetensors"}, []), ({"input": {"output": "none"}}, [])],
)  # fmt: skip
def test_only_files_of_which_nobody_says_what_they_saw_are_named(changes, named):
    assert told.unknown(config(**changes)) == named


def test_what_a_network_saw_is_said_when_planning():
    assert told.said_of_seen("net", "mine", 0, 10) == ""
    assert "3 of the 10 test" in told.said_of_seen("net", "mine", 3, 10)
    assert "every test stimulus of data set 'mine'" in told.said_of_seen("net", "mine", 10, 10)
    assert "models.net.trained_on" in seen.said_of_unknown("net")
