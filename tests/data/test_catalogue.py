import contextlib
import os
import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from gaborscope.data import catalogue
from gaborscope.data.layouts import demo
from gaborscope.data.layouts import folder as folder_layout
from gaborscope.errors import InputError

DEMO = {
    "type": "demo",
    "n_stimuli": 30,
    "height": 60,
    "width": 80,
    "n_observers": 3,
    "fixations_per_observer": 4,
    "seed": 1,
    "px_per_degree": 8,
}
HEADER = "stimulus,subject,x,y"


@pytest.fixture
def folder(tmp_path):
    """Make a data set of type folder; the catalogue never opens an image, so any bytes will do."""
    make_folder(tmp_path / "set", [f"s{i:02d}.png" for i in range(40)])
    return tmp_path / "set"


def make_folder(path, names, rows=None):
    (path / "stimuli").mkdir(parents=True)
    for name in names:
        (path / "stimuli" / name).write_bytes(name.encode())
    if rows is None:
        rows = [f"{name},o{j},{j}.5,{2 * j}" for name in names for j in range(2)]
    (path / "fixations.csv").write_text("\n".join([HEADER, *rows]) + "\n", encoding="utf-8")


def index(folder, **settings):
    settings = {"type": "folder", "path": folder.name, **settings}
    return catalogue.index("mine", settings, folder.parent)


def by_block(folder, cache=None, n_blocks=10, **options):
    settings = {"type": "folder", "path": folder.name}
    return catalogue.BlockIndex("mine", settings, folder.parent, n_blocks, cache, **options)


def content(built):
    return built.digests, {block: built.stimuli(block) for block in built.sizes}


def refused(folder, **settings):
    with pytest.raises(InputError) as error:
        index(folder, **settings)
    message = str(error.value)
    assert "\n" not in message
    return message


def write_csv(folder, text):
    (folder / "fixations.csv").write_bytes(text if isinstance(text, bytes) else text.encode())


# Blocks and splits


def test_block_of_is_the_sha256_of_the_name_modulo_n_blocks():
    # The number is sha256("a") as sha256sum prints it.
    assert catalogue.block_of("a", 10) == (
        0xCA978112CA1BBDCAFAC231B39A23DC4DA786EFF8147C4E72B9807785AFEE48BB % 10
    )


@pytest.mark.parametrize(
    ("i", "n_blocks", "name"), [(0, 10, "00"), (9, 10, "09"), (7, 100, "07"), (7, 1000, "007")]
)
def test_block_names_have_equal_width(i, n_blocks, name):
    assert catalogue.block_name(i, n_blocks) == name


@pytest.mark.parametrize("n_blocks", [10, 30, 200])
def test_splits_are_70_10_and_20_percent_in_this_order(n_blocks):
    splits = [catalogue.split_of_block(i, n_blocks) for i in range(n_blocks)]
    tenth = n_blocks // 10
    assert splits == ["fit"] * 7 * tenth + ["validation"] * tenth + ["test"] * 2 * tenth


@pytest.mark.parametrize("n_blocks", [0, -10, 15, 10.0, True, "10", None])
def test_n_blocks_must_be_a_positive_multiple_of_ten(n_blocks):
    with pytest.raises(InputError, match="multiple of 10"):
        catalogue.block_stimuli(["a.png"], n_blocks)


@pytest.mark.parametrize("n_blocks, width", [(10, 2), (1000, 3)])
def test_blocks_are_listed_by_split_in_the_order_of_their_use(n_blocks, width):
    names = [f"{i:0{width}d}" for i in range(n_blocks)]
    found = catalogue.splits(reversed(names), n_blocks)
    assert list(found) == ["fit", "validation", "test"]
    assert [*found["fit"], *found["validation"], *found["test"]] == names
    assert len(found["fit"]) == 0.7 * n_blocks and len(found["test"]) == 0.2 * n_blocks


@pytest.mark.parametrize("i", [-1, 10, 11])
def test_a_block_that_is_none_is_refused(i):
    with pytest.raises(InputError, match=f"there is no block {i} among 10"):
        catalogue.split_of_block(i, 10)


def test_blocks_are_those_that_hold_a_stimulus():
    i = catalogue.block_of("a.png", 20)
    assert catalogue.block_stimuli(["a.png"], 20) == {f"{i:02d}": ["a.png"]}


def test_every_stimulus_is_in_exactly_one_block(folder):
    built = by_block(folder)
    members = [name for block in built.sizes for name in built.stimuli(block)]
    assert sorted(members) == sorted(index(folder))
    assert built.sizes == {block: len(names) for block, names in content(built)[1].items()}


def test_stimuli_of_a_block_are_sorted(folder):
    names = by_block(folder).stimuli("03")
    assert len(names) > 1 and names == sorted(names)


def test_an_empty_split_is_refused_with_set_size_and_remedy():
    name = next(f"{i}.png" for i in range(99) if catalogue.block_of(f"{i}.png", 10) < 7)
    blocks = catalogue.splits(catalogue.block_stimuli([name], 10), 10)
    with pytest.raises(InputError, match="'mine' with its 1 stimuli .*test split.*n_blocks"):
        catalogue.require_splits("mine", blocks, ["fit", "test"], n_stimuli=1)


def test_a_split_that_is_not_needed_may_be_empty():
    catalogue.require_splits("mine", {"fit": ["00"], "validation": [], "test": []}, ["fit"])


# Digests


def changed_blocks(old, new):
    return {block for block in old | new if old.get(block) != new.get(block)}


def test_a_blocks_digest_depends_on_its_own_stimuli_alone(folder):
    before = by_block(folder)
    for name in before.stimuli("03"):
        (folder / "stimuli" / name).unlink()
    rows = (folder / "fixations.csv").read_text().splitlines()
    write_csv(folder, "\n".join(r for r in rows if r.split(",")[0] not in before.stimuli("03")))
    after = by_block(folder).digests
    assert after == {block: digest for block, digest in before.digests.items() if block != "03"}


def test_adding_a_stimulus_changes_only_its_own_block(folder):
    before = by_block(folder).digests
    (folder / "stimuli" / "new.png").write_bytes(b"new")
    block = catalogue.block_name(catalogue.block_of("new.png", 10), 10)
    assert changed_blocks(before, by_block(folder).digests) == {block}


def test_changing_one_fixation_changes_only_its_own_block(folder):
    before = by_block(folder).digests
    text = (folder / "fixations.csv").read_text()
    write_csv(folder, text.replace("s07.png,o1,1.5,2", "s07.png,o1,1.5,3"))
    block = catalogue.block_name(catalogue.block_of("s07.png", 10), 10)
    assert changed_blocks(before, by_block(folder).digests) == {block}


def test_an_edited_stimulus_changes_only_its_own_block(folder):
    before = by_block(folder).digests
    (folder / "stimuli" / "s07.png").write_bytes(b"something longer than before")
    block = catalogue.block_name(catalogue.block_of("s07.png", 10), 10)
    assert changed_blocks(before, by_block(folder).digests) == {block}


def test_the_place_of_a_stimulus_in_the_csv_does_not_change_its_digest(folder):
    before = index(folder)
    rows = (folder / "fixations.csv").read_text().splitlines()
    write_csv(folder, "\n".join([rows[0], *rows[3:], *rows[1:3]]))
    assert index(folder) == before


def test_touching_osie_fixations_changes_every_digest(tmp_path):
    make_folder(tmp_path / "set", ["1001.jpg", "1002.jpg"])
    (tmp_path / "set" / "eye").mkdir()
    mat = tmp_path / "set" / "eye" / "fixations.mat"
    mat.write_bytes(b"x")
    before = index(tmp_path / "set", type="osie")
    mat.write_bytes(b"xy")
    after = index(tmp_path / "set", type="osie")
    assert all(before[name] != after[name] for name in before)


def test_planning_checks_again_when_a_setting_of_the_check_changes(folder, tmp_path):
    write_csv(folder, f"{HEADER}\ns00.png,a,-1,-1\ns01.png,a,1,2\n")
    index(folder, outside="drop")
    with pytest.raises(InputError, match="line 2: x = '-1' lies outside"):
        index(folder)


@pytest.mark.parametrize("kind", ["cat2000", "demo", "toronto"])
def test_drop_first_is_refused_where_fixations_have_no_order(kind):
    with pytest.raises(InputError, match="fixations without order"):
        catalogue.index("set", {"type": kind, "path": ".", "drop_first": True}, ".")


# Generated data set


def test_demo_stimuli_cycle_over_the_kinds():
    names = [demo.demo_name(i) for i in (0, 1, 7)]
    assert names == ["orientation_0000", "colour_0001", "colour_0007"]


def test_more_demo_stimuli_leave_the_digests_of_the_others():
    few = catalogue.index("demo", DEMO, ".")
    many = catalogue.index("demo", {**DEMO, "n_stimuli": 31}, ".")
    assert {name: many[name] for name in few} == few


def test_a_generator_setting_changes_every_demo_digest():
    before = catalogue.index("demo", DEMO, ".")
    after = catalogue.index("demo", {**DEMO, "seed": 2}, ".")
    assert all(before[name] != after[name] for name in before)


@pytest.mark.parametrize(
    ("key", "value"), [("seed", None), ("n_stimuli", 0), ("height", 20), ("width", 90.5)]
)
def test_a_missing_or_wrong_demo_setting_is_named(key, value):
    with pytest.raises(InputError, match=f"needs {key}.*got {value!r}"):
        catalogue.index("demo", {**DEMO, key: value}, ".")


def test_a_demo_stimulus_of_few_degrees_is_refused():
    with pytest.raises(InputError, match="less than 5 degrees"):
        catalogue.index("demo", {**DEMO, "px_per_degree": 13}, ".")


# What is accepted


@pytest.mark.parametrize(
    "text",
    [
        b"\xef\xbb\xbfstimulus,subject,x,y\r\ns00.png,a,1,2\r\n",
        b"y, when , x,subject , stimulus\n2,9:00,1,a,s00.png\n",
        b"stimulus,subject,x,y\n\ns00.png,a,1,2\n\n",
        b'stimulus,subject,x,y,note\n"s00.png","a",1,2,"far, left"\n',
    ],
    ids=["bom and crlf", "order and spaces", "empty lines", "quotes and further columns"],
)
def test_csv_dialects_mean_the_same(folder, text):
    write_csv(folder, "stimulus,subject,x,y\ns00.png,a,1,2\n")
    plain = index(folder)
    write_csv(folder, text)
    assert index(folder) == plain


def test_hidden_and_other_files_are_no_stimuli(folder):
    before = index(folder)
    for name in (".s99.png", "._s00.png", "notes.txt", "Thumbs.db"):
        (folder / "stimuli" / name).write_bytes(b"x")
    assert index(folder) == before


@pytest.mark.parametrize("extension", ["jpg", "JPEG", "png", "Bmp", "tif", "TIFF"])
def test_extensions_match_in_any_case(tmp_path, extension):
    make_folder(tmp_path / "set", [f"a.{extension}"])
    assert list(index(tmp_path / "set")) == [f"a.{extension}"]


def test_a_stimulus_without_fixations_is_allowed(folder):
    write_csv(folder, f"{HEADER}\ns00.png,a,1,2\n")
    assert len(index(folder)) == 40


def test_stimuli_without_fixations_are_counted_and_named_when_the_index_is_made(folder, caplog):
    rows = [f"s{i:02d}.png,a,1,2" for i in range(38)]
    write_csv(folder, "\n".join([HEADER, *rows]) + "\n")
    by_block(folder)
    (said,) = caplog.messages
    assert "2 of 40 stimuli have no fixation" in said and "them: s38.png, s39.png; if" in said
    caplog.clear()
    write_csv(folder, "\n".join([HEADER, *rows, "s38.png,a,1,2", "s39.png,a,1,2"]) + "\n")
    by_block(folder)
    assert not caplog.messages


def test_an_absolute_path_does_not_depend_on_the_root(folder):
    settings = {"type": "folder", "path": str(folder)}
    digests = catalogue.index("mine", settings, "/nowhere")
    assert digests == index(folder)


# What is refused, in one sentence


def test_an_unknown_type_lists_the_known_ones(folder):
    assert "'mit'" in refused(folder, type="mit")
    assert "demo, cat2000, folder, mit1003, osie, pysaliency, salicon, toronto" in refused(
        folder, type="mit"
    )


def test_a_missing_path_setting_is_named(folder):
    assert "needs a path" in refused(folder, path=None)


def test_a_path_that_does_not_exist_is_named(folder):
    assert str(folder.parent / "nope") in refused(folder, path="nope")


def test_a_missing_stimuli_folder_is_named(tmp_path):
    (tmp_path / "set").mkdir()
    assert "no readable folder 'stimuli'" in refused(tmp_path / "set")


def test_no_stimuli_lists_the_accepted_extensions(tmp_path):
    make_folder(tmp_path / "set", ["a.gif"])
    assert "holds no image; accepted are jpg, jpeg, png" in refused(tmp_path / "set")


def test_a_missing_csv_states_the_header(folder):
    (folder / "fixations.csv").unlink()
    assert HEADER in refused(folder)


def test_a_missing_mat_file_is_named(folder):
    assert "fixations.mat" in refused(folder, type="osie")


@pytest.mark.parametrize("text", ["", "\n\n"])
def test_an_empty_csv_states_the_header(folder, text):
    write_csv(folder, text)
    assert "is empty" in refused(folder) and HEADER in refused(folder)


def test_a_csv_without_rows_is_refused(folder):
    write_csv(folder, HEADER + "\n")
    assert "no fixation" in refused(folder)


@pytest.mark.parametrize("header", ["stimulus,subject,y", "stimulus,subject,x_px,y", "x;y"])
def test_a_missing_column_is_named_with_the_header_found(folder, header):
    write_csv(folder, f"{header}\n")
    missing = "stimulus" if ";" in header else "x"
    message = refused(folder)
    assert f"no column '{missing}'" in message and f"'{header}'" in message


def test_an_unknown_stimulus_is_named_with_its_first_line(folder):
    write_csv(folder, f"{HEADER}\ns00.png,a,1,2\ns00,a,1,2\nother,a,1,2\n")
    message = refused(folder)
    assert "line 3" in message and "'s00'" in message


@pytest.mark.parametrize("value", ["nan", "inf", "-inf", "", "12px", "1e999"])
@pytest.mark.parametrize("column", ["x", "y"])
def test_a_coordinate_that_is_no_number_is_named_with_its_line(folder, value, column):
    row = f"s00.png,a,{value},2" if column == "x" else f"s00.png,a,2,{value}"
    write_csv(folder, f"{HEADER}\ns00.png,a,1,2\n{row}\n")
    assert f"line 3: {column} = {value!r} is not a finite number" in refused(folder)


def test_a_coordinate_below_minus_a_half_is_outside(folder):
    write_csv(folder, f"{HEADER}\ns00.png,a,-0.51,2\n")
    assert "line 2: x = '-0.51' lies outside the image" in refused(folder)


def test_a_coordinate_of_minus_a_half_is_inside(folder):
    write_csv(folder, f"{HEADER}\ns00.png,a,-0.5,-0.5\n")
    index(folder)


def test_a_short_row_is_named_with_its_line(folder):
    write_csv(folder, f"{HEADER}\ns00.png,a,1\n")
    assert "line 2: the row has 3 values" in refused(folder)


def test_a_csv_that_is_not_utf8_is_refused(folder):
    write_csv(folder, HEADER.encode() + b"\ns00.png,\xe9,1,2\n")
    assert "line 2: the byte 0xe9 is not UTF-8 text" in refused(folder)


# The kept index


def test_the_kept_index_equals_the_built_one(folder, tmp_path):
    built = content(by_block(folder))
    assert content(by_block(folder, tmp_path / "cache")) == built
    assert content(by_block(folder, tmp_path / "cache")) == built
    assert content(by_block(folder, tmp_path / "cache", trust=True)) == built


def test_the_order_of_settings_makes_no_other_index(tmp_path, monkeypatch):
    def built(settings):
        return catalogue.BlockIndex("demo", settings, ".", 10, tmp_path).digests

    first = built(DEMO)
    monkeypatch.setattr(demo, "index", None)
    assert built(dict(reversed(DEMO.items()))) == first


def test_a_split_without_a_fixation_is_named_with_what_is_lost(folder):
    by_split = {"fit": [], "validation": [], "test": []}
    for i in range(40):
        block = catalogue.block_of(f"s{i:02d}.png", 10)
        by_split[catalogue.split_of_block(block, 10)].append(f"s{i:02d}.png,o,1,2")
    losses = {"fit": "nothing to train on", "validation": "chosen", "test": "scored"}
    for lacking, lost in losses.items():
        rows = [row for split, rows in by_split.items() if split != lacking for row in rows]
        write_csv(folder, "\n".join([HEADER, *rows]) + "\n")
        with pytest.raises(InputError, match=rf"of the {lacking} split has a fix.*{lost}; add"):
            by_block(folder)
    write_csv(folder, "\n".join([HEADER, *(rows[0] for rows in by_split.values())]) + "\n")
    assert set(by_block(folder).sizes)


def test_a_second_process_does_not_read_the_fixations(folder, tmp_path, monkeypatch):
    built = content(by_block(folder, tmp_path / "cache"))
    monkeypatch.setattr(folder_layout, "read_fixation_rows", None)
    assert content(by_block(folder, tmp_path / "cache")) == built


def test_a_job_of_a_run_does_not_look_at_the_raw_files(folder, tmp_path, monkeypatch):
    built = content(by_block(folder, tmp_path / "cache"))
    monkeypatch.setattr(folder_layout, "scan", None)
    assert content(by_block(folder, tmp_path / "cache", trust=True)) == built


def test_a_job_without_an_index_of_its_settings_makes_one(folder, tmp_path):
    by_block(folder, tmp_path / "cache", n_blocks=20)
    assert content(by_block(folder, tmp_path / "cache", trust=True)) == content(by_block(folder))


def test_a_change_of_the_raw_files_is_seen_through_the_kept_index(folder, tmp_path):
    built = content(by_block(folder, tmp_path / "cache"))
    os.utime(folder / "fixations.csv", ns=(1, 1))
    write_csv(folder, (folder / "fixations.csv").read_text() + "s00.png,a,1,2\n")
    assert content(by_block(folder, tmp_path / "cache")) != built
    trusted = by_block(folder, tmp_path / "cache", trust=True)
    assert content(trusted) == content(by_block(folder))


def test_a_job_never_keeps_an_index_that_no_main_process_looks_at(folder, tmp_path):
    by_block(folder, tmp_path / "cache", trust=True)
    assert not list(tmp_path.glob("cache/*"))


def test_a_job_finds_the_index_of_a_folder_spelt_in_another_way(folder, tmp_path, monkeypatch):
    settings, cache = {"type": "folder", "path": folder.name}, tmp_path / "cache"
    built = catalogue.BlockIndex("mine", settings, folder.parent, 10, cache)
    monkeypatch.setattr(folder_layout, "scan", None)
    spelt = f"{folder}/.."
    job = catalogue.BlockIndex("mine", settings, spelt, 10, cache, trust=True)
    assert job.digests == built.digests


def damage_bytes(path):
    path.write_bytes(b"not SQLite")


def cut(path):
    path.write_bytes(path.read_bytes()[:5000])


def altered(statement):
    def alter(path):
        with contextlib.closing(sqlite3.connect(path)) as database:
            database.execute(statement)
            database.commit()

    return alter


@pytest.mark.parametrize(
    "damage",
    [
        Path.unlink,
        lambda path: path.write_bytes(b""),
        damage_bytes,
        cut,
        altered("DROP TABLE whole"),
        altered("DELETE FROM block WHERE name = '03'"),
        altered("UPDATE block SET size = 99"),
        altered("UPDATE block SET digest = ''"),
        altered("UPDATE block SET stimuli = '{'"),
        altered('UPDATE block SET stimuli = \'{"a.png": "0"}\''),
        altered("UPDATE block SET stimuli = NULL"),
    ],
)
@pytest.mark.parametrize("trust", [False, True])
def test_a_damaged_index_is_made_anew(folder, tmp_path, damage, trust):
    built = content(by_block(folder, tmp_path / "cache"))
    [kept] = (tmp_path / "cache").iterdir()
    damage(kept)
    assert content(by_block(folder, tmp_path / "cache", trust=trust)) == built
    assert content(by_block(folder, tmp_path / "cache", trust=True)) == built


def test_a_cache_folder_that_cannot_be_made_only_means_that_nothing_is_kept(folder, tmp_path):
    (tmp_path / "file").write_text("in the way")
    nowhere = by_block(folder, tmp_path / "file" / "cache", trust=True)
    assert content(nowhere) == content(by_block(folder))


def test_no_temporary_file_is_left(folder, tmp_path, monkeypatch):
    moved, replace = [], os.replace

    def replaced(source, target):
        moved.append((Path(source).parent, Path(target).parent))
        replace(source, target)

    monkeypatch.setattr(catalogue.os, "replace", replaced)
    by_block(folder, tmp_path / "cache")
    assert moved == [(tmp_path / "cache", tmp_path / "cache")]  # on one file system
    [kept] = os.listdir(tmp_path / "cache")
    assert kept.startswith("mine.") and kept.endswith(".sqlite")


def test_an_index_that_cannot_be_kept_leaves_nothing_behind(folder, tmp_path, monkeypatch):
    def replaced(source, target):
        raise OSError

    monkeypatch.setattr(catalogue.os, "replace", replaced)
    built = by_block(folder, tmp_path / "cache")
    assert os.listdir(tmp_path / "cache") == [] and content(built) == content(by_block(folder))


def test_many_processes_at_once_read_a_whole_index(folder, tmp_path):
    built = content(by_block(folder))
    with ThreadPoolExecutor(8) as pool:
        made = [pool.submit(by_block, folder, tmp_path / "cache", trust=i % 2) for i in range(40)]
    assert all(content(one.result()) == built for one in made)
    assert len(os.listdir(tmp_path / "cache")) == 1


# Cost


def test_the_catalogue_imports_the_standard_library_only():
    code = (
        f"import sys; sys.path.insert(0, {str(Path(catalogue.__file__).parents[2])!r}); "
        "import gaborscope.data.catalogue; "
        "foreign = {m.split('.')[0] for m in sys.modules} - sys.stdlib_module_names; "
        "print(*sorted(foreign))"
    )
    run = [sys.executable, "-I", "-S", "-c", code]  # -S: no site, so no .pth imports either
    output = subprocess.run(run, capture_output=True, text=True, check=True).stdout
    assert output.split() == ["__main__", "gaborscope"]
