import stat
import zipfile

import pytest

from gaborscope.data import unpacking
from gaborscope.errors import InputError


def make_zip(path, entries):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in entries.items():
            file.writestr(name, content)
    return path


def refused(archive, folder, **more):
    with pytest.raises(InputError) as error:
        unpacking.unpack(archive, folder, **more)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_files_and_folders_take_their_places(tmp_path):
    archive = make_zip(tmp_path / "a.zip", {"S/x.jpg": b"x", "S/T/y.mat": b"y", "z": b"z"})
    unpacking.unpack(archive, tmp_path / "out")
    assert (tmp_path / "out" / "S" / "T" / "y.mat").read_bytes() == b"y"
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["S", "z"]


def test_a_folder_that_is_there_is_joined(tmp_path):
    (tmp_path / "out" / "S").mkdir(parents=True)
    (tmp_path / "out" / "S" / "old").write_text("old")
    unpacking.unpack(make_zip(tmp_path / "a.zip", {"S/new": b"new"}), tmp_path / "out")
    assert sorted(p.name for p in (tmp_path / "out" / "S").iterdir()) == ["new", "old"]


def test_what_lies_inside_of_a_folder_is_taken_alone(tmp_path):
    archive = make_zip(tmp_path / "a.zip", {"top/data/x": b"x", "top/data2/n": b"", "top/y": b"y"})
    unpacking.unpack(archive, tmp_path / "out", inside="top/data")
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["x"]


def test_leavings_of_operating_systems_are_left_out(tmp_path):
    names = ["__MACOSX/S/._x", "S/.DS_Store", "S/._x", "S/Thumbs.db", "S/.svn/entries", "S/x"]
    unpacking.unpack(make_zip(tmp_path / "a.zip", dict.fromkeys(names, b"1")), tmp_path / "out")
    unpacked = [str(p.relative_to(tmp_path / "out")) for p in (tmp_path / "out").rglob("*")]
    assert sorted(unpacked) == ["S", "S/x"]


@pytest.mark.parametrize(
    "name", ["../evil", "S/../../evil", "/evil", "C:/evil", "..\\evil", "S/..", "\\\\host\\evil"]
)
def test_an_entry_outside_of_the_folder_stops_everything(tmp_path, name):
    archive = make_zip(tmp_path / "a.zip", {"S/x": b"x", name: b"evil"})
    assert "not to be trusted" in refused(archive, tmp_path / "deep" / "out")
    assert not list((tmp_path / "deep" / "out").iterdir())
    assert not list(tmp_path.rglob("evil"))


def test_a_link_stops_everything(tmp_path):
    link = zipfile.ZipInfo("S/link")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as file:
        file.writestr(link, "/etc/passwd")
    assert "a link" in refused(tmp_path / "a.zip", tmp_path / "out")


@pytest.mark.parametrize("content", [b"", b"no zip file", b"PK\x03\x04"])
def test_what_is_no_zip_file_is_named(tmp_path, content):
    (tmp_path / "a.zip").write_bytes(content)
    assert "a.zip is not a complete zip file" in refused(tmp_path / "a.zip", tmp_path / "out")


def test_a_damaged_entry_leaves_nothing_in_place(tmp_path):
    archive = make_zip(tmp_path / "a.zip", {"S/x": b"a" * 9, "T/y": bytes(range(256)) * 99})
    content = archive.read_bytes()
    start = content.index(b"T/y") + 40
    archive.write_bytes(content[:start] + b"\xff\xff\xff" + content[start + 3 :])
    assert "not a complete zip file" in refused(archive, tmp_path / "out")
    assert not list((tmp_path / "out").iterdir())


def test_a_full_disk_is_seen_before_anything_is_written(tmp_path, monkeypatch):
    archive = make_zip(tmp_path / "a.zip", {"x": b"\0" * 2_000_000})
    usage = unpacking.shutil.disk_usage(tmp_path)._replace(free=unpacking.SPARE + 1_000_000)
    monkeypatch.setattr(unpacking.shutil, "disk_usage", lambda path: usage)
    assert "holds 2 MB" in refused(archive, tmp_path / "out")
    assert not list((tmp_path / "out").iterdir())


def test_what_an_interrupted_call_left_is_taken_away(tmp_path):
    (tmp_path / "out" / ".unpacking-a.zip" / "S").mkdir(parents=True)
    (tmp_path / "out" / ".unpacking-a.zip" / "S" / "half").write_text("h")
    unpacking.unpack(make_zip(tmp_path / "a.zip", {"S/x": b"x"}), tmp_path / "out")
    assert [p.name for p in (tmp_path / "out" / "S").iterdir()] == ["x"]


def test_an_archive_without_the_folder_wanted_is_named(tmp_path):
    archive = make_zip(tmp_path / "a.zip", {"S/x": b"x"})
    assert "holds no file in other" in refused(archive, tmp_path / "out", inside="other")
