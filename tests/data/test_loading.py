import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from bad_input.photographs import png
from PIL import Image
from scipy.io import savemat

from gaborscope.data import catalogue, loading
from gaborscope.data.layouts import coordinates
from gaborscope.data.readers import reading
from gaborscope.errors import InputError
from gaborscope.stimuli.images import read_image
from gaborscope.store.blocks import read_data, write_data

HEADER = "stimulus,subject,x,y"
DEMO = {
    "type": "demo",
    "n_stimuli": 12,
    "height": 60,
    "width": 80,
    "n_observers": 3,
    "fixations_per_observer": 4,
    "seed": 1,
    "px_per_degree": 8,
}


@pytest.fixture
def rgb():
    """Make an odd-sized portrait image in which every pixel differs from its neighbours."""
    y, x = np.indices((31, 17))
    return np.stack([x * 15, y * 8, (x + y) * 5], axis=-1).astype(np.uint8)


def folder(tmp_path, images, rows=()):
    (tmp_path / "stimuli").mkdir()
    for name, image in images.items():
        Image.fromarray(image).save(tmp_path / "stimuli" / name)
    (tmp_path / "fixations.csv").write_text("\n".join([HEADER, *rows]) + "\n", encoding="utf-8")
    return {"type": "folder", "path": str(tmp_path)}


# Images


def saved(tmp_path, image, name="a.png", **options):
    image.save(tmp_path / name, **options)
    return tmp_path / name


def test_rgb_pixels_come_back_as_stored(tmp_path, rgb):
    path = saved(tmp_path, Image.fromarray(rgb))
    np.testing.assert_array_equal(read_image(path), rgb)


def test_greyscale_becomes_three_equal_channels(tmp_path, rgb):
    path = saved(tmp_path, Image.fromarray(rgb[..., 0]))
    np.testing.assert_array_equal(read_image(path), np.repeat(rgb[..., :1], 3, axis=2))


def test_transparent_pixels_are_white_and_opaque_ones_as_they_are(tmp_path, rgb):
    alpha = np.zeros(rgb.shape[:2], np.uint8)
    alpha[:9] = 255
    path = saved(tmp_path, Image.fromarray(np.dstack([rgb, alpha])))
    np.testing.assert_array_equal(read_image(path)[:9], rgb[:9])
    assert (read_image(path)[9:] == 255).all()


def test_a_palette_image_shows_its_colours(tmp_path):
    image = Image.new("P", (5, 3), 1)
    image.putpalette([0, 0, 0, 200, 100, 50])
    path = saved(tmp_path, image)
    np.testing.assert_array_equal(read_image(path), np.broadcast_to([200, 100, 50], (3, 5, 3)))


def test_a_bilevel_image_is_black_and_white(tmp_path):
    path = saved(tmp_path, Image.fromarray(np.eye(4, dtype=bool)))
    np.testing.assert_array_equal(read_image(path)[..., 1], 255 * np.eye(4))


@pytest.mark.parametrize("name", ["a.png", "a.tif"])
def test_16_bit_greyscale_is_scaled_not_clipped(tmp_path, name):
    values = np.array([[0, 257, 256 * 100], [32896, 65278, 65535]], dtype=np.uint16)
    path = saved(tmp_path, Image.fromarray(values), name)
    expected = [[0, 1, 100], [128, 254, 255]]  # v / 257, rounded
    np.testing.assert_array_equal(read_image(path)[..., 2], expected)


def test_cmyk_becomes_rgb(tmp_path):
    path = saved(tmp_path, Image.new("CMYK", (8, 8), (255, 0, 0, 0)), "a.tif")  # full cyan
    np.testing.assert_array_equal(read_image(path)[0, 0], [0, 255, 255])


def turned(tmp_path, rgb, orientation, name):
    exif = Image.Exif()
    exif[0x0112] = orientation
    return saved(tmp_path, Image.fromarray(rgb), name, exif=exif, quality=100, subsampling=0)


UPRIGHT = {
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: np.rot90(a, 2).swapaxes(0, 1),
    8: lambda a: np.rot90(a, 1),
}


@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.jpg"])
@pytest.mark.parametrize("orientation", UPRIGHT)
def test_an_exif_orientation_is_applied_or_ignored_as_asked(tmp_path, rgb, orientation, name):
    path = turned(tmp_path, rgb, orientation, name)
    stored = rgb if name != "a.jpg" else read_image(path, "ignore")
    np.testing.assert_array_equal(read_image(path, "ignore"), stored)
    np.testing.assert_array_equal(read_image(path, "apply"), UPRIGHT[orientation](stored))
    with pytest.raises(InputError, match=f"has the EXIF orientation {orientation}: .* set exif"):
        read_image(path)


@pytest.mark.parametrize(("exif", "size"), [("apply", (17, 31)), ("ignore", (31, 17))])
def test_a_data_set_keeps_what_its_fixations_mean(tmp_path, rgb, exif, size):
    settings = folder(tmp_path, {}, ["a.jpg,s,3,4"])
    turned(tmp_path / "stimuli", rgb, 6, "a.jpg")
    block = loading.load_block({**settings, "exif": exif}, ["a.jpg"], tmp_path)
    write_data(tmp_path / "00.h5", block, {})
    block = read_data(tmp_path / "00.h5")
    assert (block.size(0), block.image(0).shape[:2]) == (size, size)


def test_float_images_are_refused(tmp_path):
    path = saved(tmp_path, Image.new("F", (8, 8)), "a.tif")
    with pytest.raises(InputError, match="a.tif has 32 bits per channel"):
        read_image(path)


@pytest.mark.parametrize("extension", ["jpg", "png", "bmp", "tif"])
def test_a_truncated_image_is_named(tmp_path, rng_image, extension):
    path = saved(tmp_path, Image.fromarray(rng_image), f"cut.{extension}")
    path.write_bytes(path.read_bytes()[:-2000])
    with pytest.raises(InputError, match=rf"cut\.{extension} cannot be read as an image"):
        read_image(path)


@pytest.fixture
def rng_image():
    return np.random.default_rng(0).integers(0, 256, (60, 80, 3), dtype=np.uint8)


@pytest.mark.parametrize("content", [b"", b"no image at all"])
def test_a_file_that_is_no_image_is_named(tmp_path, content):
    (tmp_path / "a.png").write_bytes(content)
    with pytest.raises(InputError, match="a.png cannot be read as an image"):
        read_image(tmp_path / "a.png")


def test_a_missing_image_is_named(tmp_path):
    with pytest.raises(InputError, match="there is no image .*a.png"):
        read_image(tmp_path / "a.png")


# Folder


def test_sizes_are_height_then_width(tmp_path, rgb):
    settings = folder(tmp_path, {"a.png": rgb, "b.png": rgb[:9]})
    block = loading.load_block(settings, ["a.png", "b.png"], tmp_path)
    assert block.sizes.tolist() == [[31, 17], [9, 17]] and block.sizes.dtype == np.int32


def test_only_the_fixations_of_the_block_are_read(tmp_path, rgb):
    rows = ["b.png,s,1,2", "a.png,s,3,4", "b.png,t,5.25,6.5", "a.png,t,7,8"]
    settings = folder(tmp_path, {"a.png": rgb, "b.png": rgb}, rows)
    block = loading.load_block(settings, ["b.png"], tmp_path)
    assert block.x.tolist() == [1, 5.25] and block.y.tolist() == [2, 6.5]


def test_fixations_are_grouped_by_stimulus_in_the_order_of_the_file(tmp_path, rgb):
    rows = ["b.png,s,1,0", "a.png,s,2,0", "b.png,s,3,0", "a.png,s,4,0"]
    settings = folder(tmp_path, {"a.png": rgb, "b.png": rgb}, rows)
    block = loading.load_block(settings, ["a.png", "b.png"], tmp_path)
    assert block.stimulus.tolist() == [0, 0, 1, 1] and block.x.tolist() == [2, 4, 1, 3]


def test_a_subject_has_the_same_number_in_every_block(tmp_path, rgb):
    rows = ["a.png,Ann,1,0", "b.png,Bob,1,0", "b.png,Ann,3,0"]
    settings = folder(tmp_path, {"a.png": rgb, "b.png": rgb}, rows)
    first = loading.load_block(settings, ["a.png"], tmp_path)
    second = loading.load_block(settings, ["b.png"], tmp_path)
    assert first.subject[0] == second.subject[1] == zlib.crc32(b"Ann") & 0x7FFFFFFF
    assert second.subject[0] != second.subject[1]


def test_array_types_are_those_of_the_file_format(tmp_path, rgb):
    settings = folder(tmp_path, {"a.png": rgb}, ["a.png,s,1,2"])
    block = loading.load_block(settings, ["a.png"], tmp_path)
    types = [v.dtype for v in (block.x, block.y, block.stimulus, block.subject)]
    assert types == [np.float32, np.float32, np.int32, np.int32]


def test_a_block_without_fixations_has_empty_arrays(tmp_path, rgb):
    settings = folder(tmp_path, {"a.png": rgb, "b.png": rgb}, ["b.png,s,1,2"])
    block = loading.load_block(settings, ["a.png"], tmp_path)
    assert block.x.shape == block.y.shape == block.stimulus.shape == block.subject.shape == (0,)


def test_facts_are_those_that_the_settings_give(tmp_path, rgb):
    settings = {**folder(tmp_path, {"a.png": rgb}), "px_per_degree": 30, "task": None}
    assert loading.load_block(settings, ["a.png"], tmp_path).facts == {"px_per_degree": 30}


def test_a_relative_path_starts_at_the_root(tmp_path, rgb):
    settings = {**folder(tmp_path, {"a.png": rgb}), "path": tmp_path.name}
    block = loading.load_block(settings, ["a.png"], tmp_path.parent)
    assert block.paths == [str(tmp_path / "stimuli" / "a.png")]


def test_every_catalogued_stimulus_loads(tmp_path, rgb):
    settings = folder(tmp_path, {"a.png": rgb, "B.TIFF": rgb[..., 0]}, ["a.png,s,1,2"])
    digests = catalogue.index("mine", settings, tmp_path)
    assert loading.load_block(settings, sorted(digests), tmp_path).names == ["B.TIFF", "a.png"]


@pytest.mark.parametrize(("x", "y", "fault"), [
    ("17", "2", "x = 17 lies outside the image, which is 17 px wide"),
    ("1", "31.0", "y = 31.0 lies outside the image, which is 31 px high"),
    ("-0.6", "2", "x = '-0.6' lies outside the image"),
    ("nan", "2", "x = 'nan' is not a finite number"),
])  # fmt: skip
def test_a_fixation_outside_is_named_with_line_value_and_size(tmp_path, rgb, x, y, fault):
    settings = folder(tmp_path, {"a.png": rgb}, ["a.png,s,1,2", f"a.png,s,{x},{y}"])
    with pytest.raises(InputError) as error:
        loading.load_block(settings, ["a.png"], tmp_path)
    assert f"fixations.csv, line 3: {fault}" in str(error.value)


def test_the_corners_of_the_image_are_inside(tmp_path, rgb):
    rows = ["a.png,s,-0.5,-0.5", "a.png,s,16.999999999,30.999999999"]
    settings = folder(tmp_path, {"a.png": rgb}, rows)
    block = loading.load_block(settings, ["a.png"], tmp_path)
    assert block.x[1] < 17 and block.y[1] < 31  # although float32 would round them up


def test_an_unknown_type_lists_the_known_ones():
    with pytest.raises(
        InputError, match="'mit' are unknown; known are demo, cat2000, folder, mit1003, osie"
    ):
        loading.load_block({"type": "mit"}, [], ".")


def test_stimuli_without_fixations_are_said(tmp_path, rgb, caplog):
    settings = folder(tmp_path, {"a.png": rgb, "b.png": rgb}, ["b.png,s,1,2"])
    loading.load_block(settings, ["a.png", "b.png"], tmp_path)
    assert "1 of 2 stimuli have no fixation: a.png" in caplog.text


def test_rows_that_stand_twice_are_said_and_count_twice(tmp_path, rgb, caplog):
    settings = folder(tmp_path, {"a.png": rgb}, ["a.png,s,1,2", "a.png,s,3,4"] * 2)
    block = loading.load_block(settings, ["a.png"], tmp_path)
    assert "2 of 4 fixations repeat another" in caplog.text and block.x.tolist() == [1, 3, 1, 3]


def test_observers_that_may_be_one_are_said(tmp_path, rgb, caplog):
    settings = folder(tmp_path, {"a.png": rgb}, ["a.png,s01,1,2", "a.png,s1,3,4"])
    loading.load_block(settings, ["a.png"], tmp_path)
    assert "'s01' and 's1' are two observers" in caplog.text


def test_fixations_left_out_are_counted_by_reason(tmp_path, rgb, caplog):
    rows = ["a.png,s,1,2", "a.png,s,nan,nan", "a.png,s,40,2", "a.png,s,5,6", "a.png,s,7,8"]
    settings = {**folder(tmp_path, {"a.png": rgb}, rows), "outside": "drop", "drop_first": True}
    with caplog.at_level("INFO"):
        block = loading.load_block(settings, ["a.png"], tmp_path)
    assert "left out of 5 fixations: 1 without coordinates (blinks), 1 outside" in caplog.text
    assert "1 each observer's first" in caplog.text and block.x.tolist() == [5, 7]


def test_the_whole_table_decides_the_unit_for_every_block(tmp_path, rgb):
    rows = ["a.png,s,0.3,0.4", *[f"b.png,s,0.{i}5,0.{i}7" for i in range(9)]]
    settings = folder(tmp_path, {"a.png": rgb, "b.png": rgb}, rows)
    with pytest.raises(InputError, match="shares of the image"):
        loading.load_block(settings, ["a.png"], tmp_path)


# OSIE


def osie(tmp_path, observers, image=None):
    """Write stimuli/1001.jpg and eye/fixations.mat, nested as the authors' file is."""
    (tmp_path / "stimuli").mkdir()
    (tmp_path / "eye").mkdir()
    image = np.zeros((60, 80, 3), np.uint8) if image is None else image
    Image.fromarray(image).save(tmp_path / "stimuli" / "1001.jpg")
    subjects = np.empty((len(observers), 1), dtype=object)
    for j, (x, y) in enumerate(observers):
        subjects[j, 0] = {"fix_x": x, "fix_y": y, "fix_duration": np.ones(np.size(x))}
    table = np.empty((1, 1), dtype=object)
    table[0, 0] = {"img": "1001.jpg", "subjects": subjects}
    savemat(tmp_path / "eye" / "fixations.mat", {"fixations": table})
    return {"type": "osie", "path": str(tmp_path)}


def test_a_host_without_pillow_says_that_units_are_not_checked(monkeypatch, caplog):
    points = {f"{number}.png": [(0.5, 0.4)] * 9 for number in range(9)}
    monkeypatch.setitem(sys.modules, "PIL", None)
    settings = {"type": "folder"}
    coordinates.require_px(
        "fixations.csv", points, lambda name: coordinates.image_size(Path(name), settings), settings
    )
    assert "fixations.csv: whether the fixations are px of the images is not checked" in caplog.text
    caplog.clear()
    coordinates.require_px("fixations.csv", points, lambda name: None, {"coordinates": "px"})
    assert not caplog.text


def test_osie_coordinates_become_0_based(tmp_path):
    settings = osie(tmp_path, [([1.0, 80.0], [1.2, 60.0])])
    block = loading.load_block(settings, ["1001.jpg"], tmp_path)
    np.testing.assert_allclose(block.x, [0, 79])
    np.testing.assert_allclose(block.y, [0.2, 59], rtol=1e-6)


def test_osie_halves_round_up_as_the_authors_do(tmp_path):
    values = [10.5, 11.5, 12.4, 12.6]
    settings = osie(tmp_path, [(values, values)])
    block = loading.load_block(settings, ["1001.jpg"], tmp_path)
    # floor(v + 0.5) - 1; rounding half to even would make the first 9
    assert np.floor(block.x + np.float32(0.5)).tolist() == [10, 11, 11, 12]


def test_osie_observers_may_have_one_fixation(tmp_path):
    settings = osie(tmp_path, [(5.0, 6.0), ([7.0, 8.0], [9.0, 10.0]), (11.0, 12.0)])
    block = loading.load_block(settings, ["1001.jpg"], tmp_path)
    assert block.subject.tolist() == [0, 1, 1, 2] and block.x.tolist() == [4, 6, 7, 10]


def test_osie_first_fixations_and_those_outside_are_left_out_on_request(tmp_path):
    settings = osie(tmp_path, [([5.0, 6.0, 90.0], [6.0, 7.0, 8.0]), ([9.0, 10.0], [9.0, 10.0])])
    block = loading.load_block(
        {**settings, "drop_first": True, "outside": "drop"}, ["1001.jpg"], tmp_path
    )
    assert block.subject.tolist() == [0, 1] and block.x.tolist() == [5, 9]


def test_osie_coordinates_from_the_centre_are_named(tmp_path):
    values = np.linspace(-30, 30, 40)
    settings = osie(tmp_path, [(values, values / 2)])
    with pytest.raises(InputError, match="fixations.mat: many coordinates are negative"):
        loading.load_block(settings, ["1001.jpg"], tmp_path)


def test_osie_has_24_px_per_degree(tmp_path):
    settings = osie(tmp_path, [([5.0, 6.0], [5.0, 6.0])])
    assert loading.load_block(settings, ["1001.jpg"], tmp_path).facts["px_per_degree"] == 24


def test_an_osie_fixation_outside_is_named_with_image_and_observer(tmp_path):
    settings = osie(tmp_path, [([5.0, 6.0], [5.0, 6.0]), ([5.0, 81.0], [5.0, 6.0])])
    with pytest.raises(InputError, match="1001.jpg, observer 1, fixation 1: x = 81, .*80 x 60 px"):
        loading.load_block(settings, ["1001.jpg"], tmp_path)


def test_an_osie_stimulus_without_entry_is_named(tmp_path):
    settings = osie(tmp_path, [([5.0, 6.0], [5.0, 6.0])])
    Image.new("RGB", (80, 60)).save(tmp_path / "stimuli" / "mine.jpg")
    with pytest.raises(InputError, match="no entry for the stimulus mine.jpg"):
        loading.load_block(settings, ["1001.jpg", "mine.jpg"], tmp_path)


@pytest.mark.parametrize("damage", [
    lambda content: b"",
    lambda content: b"not a mat file" * 20,
    lambda content: content[:-100],
], ids=["empty", "text", "truncated"])  # fmt: skip
def test_a_damaged_mat_file_is_named(tmp_path, damage):
    settings = osie(tmp_path, [([5.0, 6.0], [5.0, 6.0])])
    path = tmp_path / "eye" / "fixations.mat"
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(InputError, match="fixations.mat is not OSIE's table"):
        loading.load_block(settings, ["1001.jpg"], tmp_path)


# Generated


def test_demo_blocks_carry_their_images():
    names = ["colour_0001", "noise_0005"]
    block = loading.load_block(DEMO, names, ".")
    assert block.paths == ["", ""] and [i.shape for i in block.images] == [(60, 80, 3)] * 2


def test_demo_fixations_point_to_their_stimulus():
    both = loading.load_block(DEMO, ["colour_0001", "noise_0005"], ".")
    second = loading.load_block(DEMO, ["noise_0005"], ".")
    np.testing.assert_array_equal(both.x[both.stimulus == 1], second.x)


def test_demo_is_labelled_synthetic():
    assert "synthetic" in loading.load_block(DEMO, ["colour_0001"], ".").facts["source"]


# Real data


@pytest.mark.slow
@pytest.mark.parametrize(("name", "stimuli", "fixations"), [
    ("osie", 700, 98_321), ("crowd", 250, 63_301), ("scene", 500, 43_892),
])  # fmt: skip
def test_real_data_load_completely(shared, monkeypatch, name, stimuli, fixations):
    if not (shared / "data" / name).is_dir():
        pytest.skip(f"no {name} in {shared / 'data'}")
    # Sizes from the headers: decoding 1,450 photographs would take most of the time.
    monkeypatch.setattr(
        reading,
        "open_image",
        lambda path, exif: (np.empty((*Image.open(path).size[::-1], 3), np.uint8), []),
    )
    settings = {"type": "osie" if name == "osie" else "folder", "path": f"data/{name}"}
    names = sorted(catalogue.index(name, settings, shared))
    block = loading.load_block(settings, names, shared)
    assert (len(names), block.x.size) == (stimuli, fixations)


def test_a_header_that_pillow_refuses_gives_no_size(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(png((60000, 60000, 8, 2, 0), b""))
    assert coordinates.image_size(path, {}) is None
