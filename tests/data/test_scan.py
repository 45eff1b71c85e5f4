"""Names, sizes and times of files, and ids in one form."""

import hashlib
import os
import zlib

import pytest

from gaborscope.data.layouts import scan
from gaborscope.errors import InputError


def made(folder, *names):
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).write_bytes(name.encode())
    return folder


def test_parts_of_a_digest_are_told_apart():
    assert scan.sha256("a", "b") == hashlib.sha256(b"a\x1fb").hexdigest()
    assert len({scan.sha256("ab"), scan.sha256("a", "b"), scan.sha256("b", "a")}) == 3


@pytest.mark.parametrize(
    "text, form",
    [
        ("S1", "S1"), (" S1\t", "S1"), ("01", "01"), ("1.0", "1"), ("-3.", "-3"), ("+2.00", "+2"),
        ("1.5", "1.5"), ("1.0.0", "1.0.0"), ("e\u0301", "\u00e9"), ("\ufeff7\u200b", "7"),
        ("1.0a", "1.0a"), ("a1.0", "a1.0"),
    ],
)  # fmt: skip
def test_ids_of_observers_have_one_form(text, form):
    assert scan.observer(text) == form
    assert scan.observer_number(text) == zlib.crc32(form.encode()) & 0x7FFFFFFF


def test_numbers_of_observers_fit_into_31_bits():
    numbers = [scan.observer_number(f"o{i}") for i in range(200)]
    assert len(set(numbers)) == 200 and 0 <= min(numbers) and max(numbers) < 2**31
    assert max(zlib.crc32(f"o{i}".encode()) for i in range(200)) >= 2**31


def test_names_are_compared_in_their_composed_form():
    assert scan.one_form("e\u0301.png") == scan.one_form("\u00e9.png") == "\u00e9.png"
    assert scan.one_form("plain.png") == "plain.png"


def test_a_relative_path_starts_at_the_root_and_an_absolute_one_anywhere(tmp_path, monkeypatch):
    folder = made(tmp_path / "sets" / "mine")
    settings = {"type": "folder", "path": "mine"}
    assert scan.data_folder(settings, tmp_path / "sets") == folder
    assert scan.data_folder({**settings, "path": str(folder)}, "/nowhere") == folder
    monkeypatch.setenv("HOME", str(tmp_path))
    assert scan.data_folder({**settings, "path": "~/sets/mine"}, "/nowhere") == folder


@pytest.mark.parametrize("path", [None, "", 3])
def test_a_path_is_needed(path):
    with pytest.raises(InputError, match="'mine' of type osie needs a path"):
        scan.data_folder({"type": "osie", "path": path}, ".", "mine")


def test_a_file_is_no_folder_of_a_data_set(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="there is no folder .*file; correct its path"):
        scan.data_folder({"type": "folder", "path": "file"}, tmp_path)


@pytest.mark.parametrize(
    "settings, said",
    [
        ({"type": "osie"}, "or add download: true"),
        ({"type": "osie", "download": True}, "correct its path in the config"),
        ({"type": "salicon"}, "through Google Drive"),
        ({"type": "folder"}, "correct its path in the config"),
    ],
)
def test_where_a_published_data_set_is_missing_it_is_said_how_it_comes(tmp_path, settings, said):
    with pytest.raises(InputError) as raised:
        scan.data_folder({**settings, "path": "gone"}, tmp_path)
    assert said in str(raised.value)
    assert ("download: true" in str(raised.value)) == ("or add" in said)


def test_a_folder_of_the_same_name_inside_is_the_one(tmp_path):
    made(tmp_path / "a" / "b")
    assert scan.nested(tmp_path, "a", "b") == tmp_path / "a" / "b"
    made(tmp_path / "a" / "b" / "b")
    assert scan.nested(tmp_path, "a", "b") == tmp_path / "a" / "b" / "b"
    (tmp_path / "a" / "a").write_text("")  # a file of this name is none
    assert scan.nested(tmp_path, "a") == tmp_path / "a"


def test_a_stamp_is_size_and_time(tmp_path):
    folder = made(tmp_path, "abc.png")
    os.utime(folder / "abc.png", ns=(5, 17_000))
    assert scan.stamp(folder / "abc.png") == (7, 17_000)
    assert scan.stamps(folder, "mine") == {"abc.png": (7, 17_000)}
    with pytest.raises(OSError):
        scan.stamp(folder / "gone.png")


def test_files_of_the_extensions_alone_have_stamps_and_no_folders_and_nothing_hidden(tmp_path):
    made(tmp_path, "a.png", "b.JPEG", "c.txt", ".d.png", "e", "png")
    made(tmp_path / "f.png")
    assert set(scan.stamps(tmp_path, "mine")) == {"a.png", "b.JPEG"}
    assert set(scan.stamps(tmp_path, "mine", (".txt",))) == {"c.txt"}
    assert set(scan.images(tmp_path, "mine")) == {"a.png", "b.JPEG"}


def test_a_name_that_cannot_be_printed_is_refused_where_it_counts(tmp_path):
    made(tmp_path, "a.png", "b\n.txt")
    assert set(scan.stamps(tmp_path, "mine")) == {"a.png"}
    made(tmp_path, "b\n.png")
    with pytest.raises(InputError, match=r"'mine': the name 'b\\n.png'.*cannot be printed; rename"):
        scan.stamps(tmp_path, "mine")


def test_a_folder_without_images_says_whether_they_lie_deeper(tmp_path):
    with pytest.raises(InputError, match="no readable folder 'stimuli'; put"):
        scan.images(tmp_path / "stimuli", "mine")
    made(tmp_path / "stimuli", "a.txt")
    made(tmp_path / "stimuli" / ".hidden")
    with pytest.raises(InputError, match=r"holds no image; accepted are jpg, .*, tiff$"):
        scan.images(tmp_path / "stimuli", "mine")
    made(tmp_path / "stimuli" / "deeper")
    with pytest.raises(InputError, match=r"tiff \(its subfolders are not read\)$"):
        scan.images(tmp_path / "stimuli", "mine")


def test_one_name_in_two_forms_of_unicode_is_refused(tmp_path):
    made(tmp_path, "e\u0301.png", "e.png")
    assert len(scan.images(tmp_path, "mine")) == 2
    made(tmp_path, "\u00e9.png")
    with pytest.raises(InputError, match="two images in .* have the name .*in two forms"):
        scan.images(tmp_path, "mine")


def test_subfolders_are_sorted_and_not_hidden(tmp_path):
    for name in ("b", "a", ".c"):
        made(tmp_path / name)
    made(tmp_path, "d")
    assert scan.subfolders(tmp_path) == ["a", "b"]


def test_a_stem_keeps_its_folder():
    assert scan.stem("a/b.c.png") == "a/b.c" and scan.stem("plain") == "plain"


def test_values_that_are_missing_are_written_so():
    assert set(scan.MISSING) == {"", ".", "-", "nan", "na", "n/a", "null", "none", "missing"}


def test_a_scan_of_stimuli_alone_has_nothing_shared():
    alone = scan.Scan({"a.png": [(1, 2)]})
    assert (alone.shared, alone.tables, alone.contents) == ([], [], None)
