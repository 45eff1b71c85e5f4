"""What a file says of its origin, and what waits while files are written."""

import ast
import json
import os
import subprocess
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import h5py
import numpy as np
import pytest
from helpers import ORIGIN, make_block

from gaborscope.errors import InputError
from gaborscope.store import blocks, files, overlap


class Named(dict):
    """Values by name, as Snakemake hands them to a script."""


def test_a_file_says_by_whom_with_what_and_from_what_it_was_made(monkeypatch):
    monkeypatch.setattr(files, "_commit", lambda: "abc")
    smk = SimpleNamespace(
        wildcards=Named(model="m", block="00"),
        params=Named(code="0123", seed=7, b=[1], a={"x": None}),
    )
    origin = files.provenance(smk)
    assert origin.keys() == {"wildcards", "params", "code", "commit", "versions", "seed"}
    assert origin["wildcards"] == '{"block": "00", "model": "m"}'
    # keys of params are sorted, and the digest of the code stands beside them
    assert origin["params"] == '{"a": {"x": null}, "b": [1], "seed": 7}'
    assert (origin["code"], origin["seed"], origin["commit"]) == ("0123", "7", "abc")
    versions = json.loads(origin["versions"])
    assert list(versions) == sorted(versions)
    assert versions["numpy"] == np.__version__ and versions["h5py"] == h5py.__version__


@pytest.mark.parametrize("output", ["", "\n"])
def test_the_commit_is_unknown_outside_a_repository(monkeypatch, output):
    asked = []

    def run(command, **options):
        asked.append((command, options))
        return SimpleNamespace(stdout=output)

    monkeypatch.setattr(files.subprocess, "run", run)
    assert files._commit() == "unknown"
    ((command, options),) = asked
    assert command[0] == "git" and command[-2:] == ["rev-parse", "HEAD"]
    # a folder that is no repository is no fault, and nothing of git's is printed
    assert options["check"] is False and options["text"] is options["capture_output"] is True


def test_a_commit_with_other_changes_of_the_code_is_called_dirty(monkeypatch, tmp_path):
    def git(*arguments):
        identity = ["-c", "user.name=a", "-c", "user.email=b"]
        command = ["git", "-C", str(tmp_path), *identity, *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    module, notes = tmp_path / "scripts" / "files.py", tmp_path / "notes.md"
    module.parent.mkdir()
    for path in (module, notes):
        path.write_text("1", encoding="utf-8")
    git("init")
    git("add", ".")
    git("commit", "-m", "first")
    monkeypatch.setattr(files, "__file__", str(module))
    head = git("rev-parse", "HEAD")
    notes.write_text("2", encoding="utf-8")  # no result comes from it
    assert files._commit() == head
    module.write_text("2", encoding="utf-8")
    assert files._commit() == f"{head}-dirty"


def test_a_layout_has_the_version_that_its_files_say():
    # a version rises with its layout, in the same commit: files of other versions are refused
    assert files.VERSIONS.items() >= {
        "data": 2, "activations": 2, "saliency": 2, "statistics": 4, "filters": 4, "explained": 2,
        "fixation_bank": 2, "centre_bias": 1, "differentiation": 1,
    }.items()  # fmt: skip


LIBRARY = Path(files.__file__).parents[1]
WITH_HDF5 = [p for p in LIBRARY.rglob("*.py") if "\nimport h5py" in p.read_text("utf-8")]


@pytest.mark.parametrize("path", WITH_HDF5, ids=lambda path: str(path.relative_to(LIBRARY)))
def test_files_are_not_locked_whichever_module_comes_first(path, monkeypatch):
    """Locks fail on many network file systems; the library looks only when h5py is imported."""
    monkeypatch.setenv("HDF5_USE_FILE_LOCKING", "")
    monkeypatch.delenv("HDF5_USE_FILE_LOCKING")
    body = ast.parse(path.read_text("utf-8")).body
    (place,) = (i for i, n in enumerate(body) if ast.unparse(n).startswith("import h5py"))
    exec(compile(ast.Module(body[:place], []), str(path), "exec"), {})
    assert os.environ["HDF5_USE_FILE_LOCKING"] == "FALSE"


def test_without_git_the_commit_is_unknown(monkeypatch):
    def run(*_, **__):
        raise OSError

    monkeypatch.setattr(files.subprocess, "run", run)
    assert files._commit() == "unknown"


def test_values_that_their_type_cannot_hold_are_refused(tmp_path):
    with files.create(tmp_path / "a.h5", "saliency", ORIGIN) as file:
        files.put(file, "small", np.array([65504.0, -65504.0]), "x", "1", np.float16)
        for values, text in (([65536.0], "reaches"), ([-7e4], "reaches"), ([np.inf], "NaN or inf")):
            with pytest.raises(InputError, match=text):
                files.put(file, "large", np.array(values), "x", "1", np.float16)
        assert "large" not in file and file["small"].attrs["axes"] == "x"
        assert file["small"].attrs["unit"] == "1" and file["small"].dtype == np.float16
        files.put(file, "empty", np.zeros((0, 2)), "x, y", "px", np.float32)


def test_coordinates_and_indices_of_a_block_come_back_each_in_its_place(tmp_path):
    block = make_block([(20, 30), (24, 18)], n_points=5)
    block.paths, block.sha256 = ["p0", "p1"], ["0" * 64, "1" * 64]
    block.facts = {"observers": 3, "task": "search", "source": "here"}
    path = tmp_path / "results" / "data" / "d" / "00.h5"
    blocks.write_data(path, block, ORIGIN)
    again = blocks.read_data(path)
    for key in ("x", "y", "stimulus", "subject", "sizes"):
        np.testing.assert_array_equal(getattr(again, key), getattr(block, key), err_msg=key)
    assert (again.names, again.paths, again.sha256) == (block.names, block.paths, block.sha256)
    assert again.facts == block.facts
    assert not np.array_equal(block.x, block.y) and not np.array_equal(
        block.stimulus, block.subject
    )


@pytest.mark.parametrize("asked, n", [((), 2), ((1,), 1), ((4,), 4)])
def test_as_many_items_are_made_ahead_as_are_asked_for(asked, n):
    made, held = [], threading.Semaphore(0)

    def items():
        for number in range(20):
            made.append(number)
            held.release()
            yield number

    ahead = overlap.ahead(items(), *asked)
    assert next(ahead) == 0
    for _ in range(n + 1):  # what was given and n more
        assert held.acquire(timeout=5)
    assert not held.acquire(timeout=0.05)
    assert len(made) == n + 1
    ahead.close()


def test_items_are_made_one_at_a_time():
    inside, most = [], []

    class Counted:
        def __iter__(self):
            return self

        def __next__(self):
            inside.append(1)
            most.append(len(inside))
            time.sleep(0.005)  # long enough for a second thread to come in
            inside.pop()
            if len(most) > 12:
                raise StopIteration
            return len(most)

    assert list(overlap.ahead(Counted(), 4)) == list(range(1, 13))
    assert max(most) == 1


def test_leaving_waits_for_the_calls_that_are_pending():
    done, gate = [], threading.Event()

    def slow():
        gate.wait(5)
        done.append(1)

    with overlap.Behind(3) as behind:
        behind.call(slow)
        threading.Timer(0.05, gate.set).start()
    assert done == [1]


def test_a_later_call_raises_the_error_of_a_former_one():
    behind = overlap.Behind(1)
    with pytest.raises(ZeroDivisionError), behind:
        behind.call(lambda: 1 / 0)
        behind.call(lambda: None)
        behind.call(lambda: None)
        raise AssertionError("the error is raised by the call after the next")
