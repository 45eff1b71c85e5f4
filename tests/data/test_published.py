"""Published data sets in the layout of their authors, with their known faults."""

import numpy as np
import pytest
from PIL import Image
from published_files import make_toronto, picture, table

from gaborscope.data import catalogue, loading
from gaborscope.data.readers import mit1003
from gaborscope.errors import InputError


def load(kind, folder, names=None, **more):
    settings = {"type": kind, "path": str(folder), **more}
    index = catalogue.index("set", settings, folder)
    return loading.load_block(settings, names or sorted(index), folder)


def index(kind, folder):
    return catalogue.index("set", {"type": kind, "path": str(folder)}, folder)


def pixels(block, stimulus=0):
    rows = block.stimulus == stimulus
    points = np.column_stack([block.x[rows], block.y[rows]]).astype(float)
    return np.floor(points + 0.5).astype(int).tolist()


def refused(kind, folder):
    with pytest.raises(InputError) as error:
        load(kind, folder)
    assert "\n" not in str(error.value)
    return str(error.value)


# MIT1003

LONG = "istatic_" + "very_long_name_of_a_photograph_" * 3  # more than MATLAB's 63 characters


def gaze(*places):
    """Return eye positions at 240 Hz: the central cross, then half a second at each (x, y)."""
    parts = [np.tile([30.0, 20.0], (120, 1))]
    for place in places:
        before = parts[-1][-1]
        t = np.linspace(0, 1, 9)[1:, None]
        parts.append(before + (np.array(place) - before) * (10 * t**3 - 15 * t**4 + 6 * t**5))
        parts.append(np.tile(np.array(place, float), (120, 1)))
    return np.concatenate(parts)


def trial(folder, observer, name, eye_data):
    path = folder / "DATA" / observer / f"{name}.mat"
    table(path, **{name[:63]: {"imgName": f"{name}.jpeg", "DATA": {"eyeData": eye_data}}})


def make_mit1003(folder):
    """Make a landscape, a portrait and a long-named stimulus, and files that are no trials."""
    picture(folder / "ALLSTIMULI" / "i1.jpeg", (300, 400))
    picture(folder / "ALLSTIMULI" / "i2.jpeg", (400, 300))
    picture(folder / "ALLSTIMULI" / f"{LONG}.jpeg", (300, 400))
    for observer in ("CNG", "ajs"):
        for name in ("i1", "i2", LONG):
            trial(folder, observer, name, gaze((200.9, 100.2), (250, 290.5)))
        table(folder / "DATA" / observer / "shuff_stimnames.mat", order=[1, 2])
        table(folder / "DATA" / observer / "CalibrationData.mat", error=[0.5])
    return folder


def test_mit1003_pixels_are_floor_minus_one_without_the_first(tmp_path):
    block = load("mit1003", make_mit1003(tmp_path), ["i1.jpeg"])
    # floor(200.9) - 1, floor(100.2) - 1, ...: the indices of the authors' MATLAB programs
    assert pixels(block) == [[199, 99], [249, 289]] * 2
    assert block.subject.tolist() == [0, 0, 1, 1]


def test_mit1003_portrait_keeps_what_landscape_would_lose(tmp_path):
    make_mit1003(tmp_path)
    trial(tmp_path, "ajs", "i2", gaze((100, 390)))
    trial(tmp_path, "CNG", "i2", gaze((390, 100)))  # beyond the 300 px of its width
    block = load("mit1003", tmp_path, ["i2.jpeg"])
    assert block.sizes.tolist() == [[400, 300]]
    assert pixels(block) == [[99, 389]] and block.subject.tolist() == [1]


def test_mit1003_names_longer_than_a_variable_are_read(tmp_path):
    assert len(load("mit1003", make_mit1003(tmp_path), [f"{LONG}.jpeg"]).x) == 4


def test_mit1003_blinks_and_places_outside_are_left_out(tmp_path):
    make_mit1003(tmp_path)
    for observer in ("CNG", "ajs"):
        trial(tmp_path, observer, "i1", gaze((200, 100), (-900, -900), (0.5, 50), (400.5, 300.9)))
    # MATLAB's pixels 1 .. 400: 0.5 is outside, 400.5 and 300.9 the last
    assert pixels(load("mit1003", tmp_path, ["i1.jpeg"])) == [[199, 99], [399, 299]] * 2


def test_mit1003_stray_files_are_no_stimuli(tmp_path):
    folder = make_mit1003(tmp_path)
    before = index("mit1003", folder)
    picture(folder / "ALLSTIMULI" / "stray.jpeg", (10, 10))
    for name in (
        "ALLSTIMULI/Thumbs.db",
        "ALLSTIMULI/._i1.jpeg",
        "DATA/.DS_Store",
        "DATA/notes.txt",
    ):
        (folder / name).write_bytes(b"x")
    assert index("mit1003", folder) == before and len(before) == 3


def test_mit1003_is_found_in_folders_unpacked_twice(tmp_path):
    make_mit1003(tmp_path / "flat")
    inner = tmp_path / "nested" / "ALLSTIMULI"
    inner.mkdir(parents=True)
    (tmp_path / "flat" / "ALLSTIMULI").rename(inner / "ALLSTIMULI")
    (tmp_path / "flat" / "DATA").rename(tmp_path / "nested" / "DATA")
    assert len(load("mit1003", tmp_path / "nested").x) == 12


def test_mit1003_maps_give_the_pixels_of_the_eye_data(tmp_path):
    folder = make_mit1003(tmp_path)
    tracked = load("mit1003", folder, ["i1.jpeg"])
    points = np.zeros((300, 400), np.uint8)
    points[99, 199] = points[289, 249] = 255
    (folder / "DATA").rename(folder / "put away")
    (folder / "ALLFIXATIONMAPS").mkdir()
    for name in ("i1_fixPts", "i1_fixMap"):
        Image.fromarray(points).save(folder / "ALLFIXATIONMAPS" / f"{name}.jpg", quality=75)
    mapped = load("mit1003", folder, ["i1.jpeg"])
    assert sorted(pixels(mapped)) == sorted(map(list, set(map(tuple, pixels(tracked)))))
    assert set(mapped.subject) == {0} and "not told apart" in mapped.facts["observers"]


def test_mit1003_observers_have_the_same_number_in_every_block(tmp_path):
    folder = make_mit1003(tmp_path)
    (folder / "DATA" / "CNG" / "i1.mat").unlink()
    assert load("mit1003", folder, ["i1.jpeg"]).subject.tolist() == [1, 1]


def test_mit1003_a_changed_trial_changes_its_stimulus_alone(tmp_path):
    folder = make_mit1003(tmp_path)
    before = index("mit1003", folder)
    trial(folder, "ajs", "i2", gaze((100, 390), (200, 90), (50, 60)))
    after = index("mit1003", folder)
    assert [name for name in before if before[name] != after[name]] == ["i2.jpeg"]


def test_mit1003_without_fixations_says_what_to_unpack(tmp_path):
    picture(tmp_path / "ALLSTIMULI" / "i1.jpeg", (30, 40))
    assert "neither a folder 'DATA'" in refused("mit1003", tmp_path)


def test_mit1003_damaged_trial_is_named(tmp_path):
    folder = make_mit1003(tmp_path)
    (folder / "DATA" / "ajs" / "i2.mat").write_bytes(b"nothing")
    assert "i2.mat is not a trial of MIT1003" in refused("mit1003", folder)


def test_mit1003_map_of_another_size_is_named(tmp_path):
    picture(tmp_path / "ALLSTIMULI" / "i1.jpeg", (30, 40))
    picture(tmp_path / "ALLFIXATIONMAPS" / "i1_fixPts.jpg", (40, 30))
    assert "shape (40, 30), but the stimulus has 40 x 30" in refused("mit1003", tmp_path)


# CAT2000


def make_cat2000(folder):
    base = folder / "trainSet"
    for category in ("Action", "Sketch"):
        for number in ("001", "002"):
            picture(base / "Stimuli" / category / f"{number}.jpg", (27, 48))
            locations = np.zeros((27, 48), np.uint8)
            locations[3, 7] = 1
            locations[26, 47] = 1
            table(base / "FIXATIONLOCS" / category / f"{number}.mat", fixLocs=locations)
        picture(base / "Stimuli" / category / "Output" / "001_SIM.jpg", (27, 48))
        picture(base / "FIXATIONMAPS" / category / "001.jpg", (27, 48))
    return folder


def test_cat2000_stimuli_are_named_with_their_category(tmp_path):
    names = ["Action/001.jpg", "Action/002.jpg", "Sketch/001.jpg", "Sketch/002.jpg"]
    assert list(index("cat2000", make_cat2000(tmp_path))) == names


def test_cat2000_output_folders_hold_no_stimuli(tmp_path):
    make_cat2000(tmp_path)
    picture(tmp_path / "trainSet" / "Stimuli" / "Output" / "003.jpg", (27, 48))
    assert not [name for name in index("cat2000", tmp_path) if "Output" in name]


def test_cat2000_matlab_index_one_is_pixel_zero(tmp_path):
    block = load("cat2000", make_cat2000(tmp_path), ["Sketch/002.jpg"])
    assert pixels(block) == [[7, 3], [47, 26]]
    assert block.facts["px_per_degree"] == 38 and block.facts["duration_s"] == 5


def test_cat2000_may_be_given_without_the_outer_folder(tmp_path):
    make_cat2000(tmp_path)
    assert load("cat2000", tmp_path / "trainSet").names == load("cat2000", tmp_path).names


def test_cat2000_missing_locations_are_named(tmp_path):
    make_cat2000(tmp_path)
    (tmp_path / "trainSet" / "FIXATIONLOCS" / "Action" / "002.mat").unlink()
    assert "for the stimulus Action/002.jpg" in refused("cat2000", tmp_path)


def test_cat2000_test_set_is_refused(tmp_path):
    picture(tmp_path / "Stimuli" / "Action" / "001.jpg", (27, 48))
    assert "test set are not public" in refused("cat2000", tmp_path)


def test_cat2000_other_variable_is_named(tmp_path):
    make_cat2000(tmp_path)
    table(tmp_path / "trainSet" / "FIXATIONLOCS" / "Action" / "001.mat", other=np.zeros((27, 48)))
    assert "001.mat is not a map of CAT2000's fixations" in refused("cat2000", tmp_path)


# SALICON


def make_salicon(folder, parts=("train", "val")):
    for part in parts:
        name = f"COCO_{part}2014_000000000009"
        picture(folder / "images" / part / f"{name}.jpg", (48, 64))
        picture(folder / "maps" / part / f"{name}.png", (48, 64))
        observers = np.empty((4, 1), dtype=object)
        for i, fixated in enumerate(
            ([[1, 1], [64, 48]], [[10, 20]], np.zeros((0, 2)), [[5, 6], [7, 8]])
        ):
            observers[i, 0] = {
                "location": np.ones((30, 2)),
                "timestamp": np.arange(30.0),
                "fixations": np.array(fixated, dtype=np.uint16),
            }
        table(
            folder / "fixations" / part / f"{name}.mat",
            image=name,
            resolution=[480, 640],
            gaze=observers,
        )
    picture(folder / "images" / "test" / "COCO_test2014_000000000001.jpg", (48, 64))
    return folder


def test_salicon_one_fixation_and_no_fixation_are_read(tmp_path):
    block = load("salicon", make_salicon(tmp_path), ["COCO_val2014_000000000009.jpg"])
    assert pixels(block) == [[0, 0], [63, 47], [9, 19], [4, 5], [6, 7]]
    assert block.subject.tolist() == [0, 0, 1, 3, 3]


def test_salicon_takes_the_parts_that_have_fixations(tmp_path):
    assert list(index("salicon", make_salicon(tmp_path))) == [
        "COCO_train2014_000000000009.jpg",
        "COCO_val2014_000000000009.jpg",
    ]
    (tmp_path / "fixations" / "train").rename(tmp_path / "put away")
    assert list(index("salicon", tmp_path)) == ["COCO_val2014_000000000009.jpg"]


def test_salicon_without_parts_is_read(tmp_path):
    make_salicon(tmp_path, ["val"])
    for kind in ("images", "fixations"):
        for file in list((tmp_path / kind / "val").iterdir()):
            file.rename(tmp_path / kind / file.name)
        (tmp_path / kind / "val").rmdir()
    assert len(load("salicon", tmp_path).x) == 5


def test_salicon_one_observer_loads_as_no_array(tmp_path):
    make_salicon(tmp_path, ["val"])
    path = tmp_path / "fixations" / "val" / "COCO_val2014_000000000009.mat"
    table(path, gaze={"fixations": np.array([[3, 4]])})
    assert pixels(load("salicon", tmp_path)) == [[2, 3]]


def test_salicon_locations_outside_are_left_out(tmp_path):
    make_salicon(tmp_path, ["val"])
    path = tmp_path / "fixations" / "val" / "COCO_val2014_000000000009.mat"
    table(path, gaze={"fixations": np.array([[0, 4], [64, 48], [65, 48]])})
    assert pixels(load("salicon", tmp_path)) == [[63, 47]]


def test_salicon_is_blurred_by_its_own_width(tmp_path):
    facts = load("salicon", make_salicon(tmp_path)).facts
    assert facts["sigma_px"] == 19 and "px_per_degree" not in facts


def test_salicon_missing_table_is_named(tmp_path):
    make_salicon(tmp_path)
    (tmp_path / "fixations" / "val" / "COCO_val2014_000000000009.mat").unlink()
    assert "for the stimulus COCO_val2014_000000000009.jpg" in refused("salicon", tmp_path)


@pytest.mark.slow
def test_salicon_fifteen_thousand_are_indexed_in_seconds(tmp_path):
    """CPU time of one index of 15,000 images; most of it goes into listing folders."""
    import time

    for part, count in (("train", 10_000), ("val", 5_000)):
        for kind, extension in (("images", "jpg"), ("fixations", "mat")):
            (tmp_path / kind / part).mkdir(parents=True)
            for number in range(count):
                (tmp_path / kind / part / f"COCO_{part}2014_{number:012d}.{extension}").touch()
    start = time.process_time()
    assert len(index("salicon", tmp_path)) == 15_000
    assert time.process_time() - start < 4


# Toronto


def test_toronto_maps_belong_to_the_numbers(tmp_path):
    block = load("toronto", make_toronto(tmp_path), ["1.jpg", "2.jpg", "120.jpg"])
    assert [pixels(block, i) for i in range(3)] == [[[0, 0]], [[1, 1]], [[119 % 68, 119 % 51]]]


def test_toronto_other_files_are_no_stimuli(tmp_path):
    make_toronto(tmp_path)
    base = tmp_path / "eyetrackingdata" / "fixdens"
    picture(base / "Original Image Set" / "121.jpg", (51, 68))
    picture(base / "Original Image Set" / "overview.jpg", (51, 68))
    assert sorted(index("toronto", tmp_path)) == ["1.jpg", "120.jpg", "2.jpg"]
    assert len(index("toronto", base)) == 3


def test_toronto_without_table_says_what_to_unpack(tmp_path):
    make_toronto(tmp_path)
    (tmp_path / "eyetrackingdata" / "fixdens" / "origfixdata.mat").unlink()
    assert "eyetrackingdata.zip" in refused("toronto", tmp_path)


# All


@pytest.mark.parametrize(
    ("kind", "make"),
    [
        ("mit1003", make_mit1003),
        ("cat2000", make_cat2000),
        ("salicon", make_salicon),
        ("toronto", make_toronto),
    ],
)
def test_the_five_facts_and_the_licence_are_stated(tmp_path, kind, make):
    facts = load(kind, make(tmp_path)).facts
    wanted = {"images", "observers", "duration_s", "task", "faults", "licence", "source"}
    assert wanted <= set(facts)
    text = loading.READERS[kind].load.__doc__
    for word in ("px", "observers", " s per stimulus", "task:", "known faults", "Licence"):
        assert word in text


def test_a_width_in_the_config_takes_the_place_of_the_published_one(tmp_path):
    make_cat2000(tmp_path)
    assert "px_per_degree" not in load("cat2000", tmp_path, sigma_px=30).facts
    assert load("cat2000", tmp_path, px_per_degree=42).facts["px_per_degree"] == 42


def test_a_trial_may_have_a_third_column():
    variables = {"__header__": b"", "i1": type("T", (), {})()}
    variables["i1"].DATA = type("D", (), {"eyeData": np.ones((5, 3))})()
    assert mit1003._trace(variables).shape == (5, 2)
