"""Digests of modules: what they follow and what changes them."""

import re
import shutil
from pathlib import Path

import pytest

from gaborscope.workflow import digests


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A copy of the package that tests may edit."""
    copy = tmp_path / "gaborscope"
    shutil.copytree(digests.PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(digests, "PACKAGE", copy)
    clear()
    yield copy
    clear()


def clear():
    cached_functions = (
        digests._read, digests._is_module, digests.module_file, digests.closure, digests.packages,
        digests.digest,
    )  # fmt: skip
    for cached in cached_functions:
        cached.cache_clear()


def edit(path):
    path.write_text(path.read_text(encoding="utf-8") + "\n# edited\n", encoding="utf-8")
    clear()


ROOT = Path(__file__).resolve().parents[2]
RULE_WITH_SCRIPT = re.compile(
    r"code=library\(\"(?P<digested>\w+)\"\)(?:(?!\n\n).)*?script:\s*\"\.\./scripts/(?P<script>\w+)\.py\"",
    re.S,
)


def test_every_rule_carries_the_digest_of_its_own_script():
    pairs = [
        match.group("digested", "script")
        for path in sorted((ROOT / "rules").glob("*.smk"))
        for match in RULE_WITH_SCRIPT.finditer(path.read_text(encoding="utf-8"))
    ]
    assert all(digested == script for digested, script in pairs)
    stages = {
        path.stem
        for path in (ROOT / "scripts").glob("*.py")
        if "run_stage" in path.read_text(encoding="utf-8")
    }
    assert {script for _, script in pairs} == stages


def test_a_script_has_another_digest_by_its_content_and_by_what_it_imports(package, tmp_path):
    script = tmp_path / "a.py"
    script.write_text("from gaborscope import explained\n")
    before = digests.script_digest(script)
    edit(package / "filters" / "fourier.py")
    imported = digests.script_digest(script)
    edit(script)
    assert len({before, imported, digests.script_digest(script)}) == 3


def test_kept_import_statements_give_the_same_digests_without_parsing(tmp_path, monkeypatch):
    clear()
    before = digests.digest("explained")
    digests.save_imports(tmp_path / "folder" / "below" / "imports.json")
    for state in (digests._statements, digests._in_use):
        state.clear()
    clear()
    digests.load_imports(tmp_path / "folder" / "below" / "imports.json")
    monkeypatch.setattr(digests, "_import_statements", None)
    assert digests.digest("explained") == before


def test_kept_import_statements_with_a_flipped_bit_are_parsed_again(tmp_path, monkeypatch):
    path = tmp_path / "imports.json"
    expected = digests.script_digest(ROOT / "scripts" / "score.py")
    digests.save_imports(path)
    content = path.read_bytes()
    for place in (content.index(b"gaborscope") + 2, 12, len(content) // 2):
        damaged = bytearray(content)
        damaged[place] ^= 1
        path.write_bytes(damaged)
        monkeypatch.setattr(digests, "_statements", {})
        digests.load_imports(path)
        assert digests._statements == {}
    assert digests.script_digest(ROOT / "scripts" / "score.py") == expected


@pytest.mark.parametrize("content", [None, "", "{", "[]", "3"])
def test_kept_import_statements_that_cannot_be_read_are_parsed_again(tmp_path, content):
    path = tmp_path / "imports.json"
    if content is not None:
        path.write_text(content)
    digests.load_imports(path)
    assert digests.digest("explained")


def test_a_folder_that_cannot_be_written_to_is_no_fault(tmp_path):
    (tmp_path / "file").write_text("")
    digests.save_imports(tmp_path / "file" / "imports.json")


def test_a_relative_import_is_refused(tmp_path):
    (tmp_path / "a.py").write_text("import json\nfrom . import store\n")
    with pytest.raises(ValueError, match="line 2: a relative import.*from gaborscope"):
        digests.imported(tmp_path / "a.py")


@pytest.mark.parametrize(
    "line, expected",
    [
        ("from gaborscope import store, errors as e", {"store", "errors"}),
        ("from gaborscope.store.files import create", {"store.files"}),
        ("import gaborscope.store", {"store"}),
        ("from gaborscope.store import files", {"store", "store.files"}),
        ("from gaborscope.backbones import cmrnet", {"backbones", "backbones.cmrnet"}),
        ("from gaborscope.backbones.cmrnet import build", {"backbones.cmrnet"}),
        ("import numpy, json\nfrom scipy import linalg", set()),
        ("def f():\n    from gaborscope import errors", {"errors"}),
    ],
)
def test_every_form_of_import_is_seen(tmp_path, line, expected):
    (tmp_path / "a.py").write_text(line)
    assert digests.imported(tmp_path / "a.py") == expected


def test_a_closure_follows_imports_of_imports():
    # explained -> explanation.model -> ... -> filters.regressors -> loggabor -> fourier
    closure = digests.closure("explained")
    assert {"explanation.model", "filters.regressors", "filters.fourier"} <= set(closure)
    assert "backbones.training" not in closure


def test_a_closure_is_sorted_and_names_each_module_once():
    closure = digests.closure("scoring.scorer", "metrics", "scoring.scorer")
    assert list(closure) == sorted(set(closure))


@pytest.mark.parametrize(
    "module", ["explained", "filters/regressors", "filters/fourier", "filters/__init__", "errors"]
)
def test_an_edited_dependency_changes_the_digest(package, module):
    before = digests.digest("explained")
    edit(package / f"{module}.py")
    assert digests.digest("explained") != before


def test_an_edited_module_that_is_not_imported_does_not(package):
    before = digests.digest("explained")
    edit(package / "backbones" / "training.py")
    edit(package / "backbones" / "cmrnet.py")
    assert digests.digest("explained") == before


def test_the_digest_is_the_same_wherever_the_package_lies(package):
    here = digests.digest("explained")
    clear()
    digests.PACKAGE = digests.Path(digests.__file__).resolve().parents[1]
    assert digests.digest("explained") == here


def test_the_digest_does_not_depend_on_the_order_of_the_list():
    assert digests.digest("errors", "loggabor") == digests.digest("loggabor", "errors")


def test_a_template_of_the_page_is_part_of_its_digest(package):
    before = digests.digest("report.page")
    (package / "report" / "templates" / "report.html").write_text("<p>edited</p>")
    clear()
    assert digests.digest("report.page") != before


def test_every_file_that_is_not_python_belongs_to_a_module():
    known = {name for names in digests.READ.values() for name in names}
    found = {
        path.relative_to(digests.PACKAGE).as_posix()
        for path in digests.PACKAGE.rglob("*")
        if path.is_file() and path.suffix not in (".py", ".pyc")
    }
    # layer tables become part of the config, whose values are params of the rules
    tables = {f"backbones/tables/{name}.yaml" for name in ("cmrnet", "msinet", "unisal")}
    tables.add("backbones/tables/modules.json")  # for a check of the config alone
    assert found == known | tables


def test_the_package_of_a_module_is_part_of_its_closure():
    assert "backbones" in digests.closure("backbones.cmrnet")


def test_a_module_that_is_not_there_is_named():
    with pytest.raises(FileNotFoundError, match="'fitnig'"):
        digests.closure("fitnig")


# Packages


def test_packages_are_those_that_modules_import_directly_or_not():
    assert set(digests.packages("loggabor")) >= {"numpy", "pyfftw"}
    assert "torch" not in digests.packages("loggabor")
    assert "torch" in digests.packages("backbones.training")


def test_every_package_of_the_library_has_its_pin():
    """A package under a wrong name would count as absent, and its upgrade would rerun nothing."""
    pins = (ROOT / "requirements.txt").read_text(encoding="utf-8")
    modules = [
        ".".join(path.relative_to(digests.PACKAGE).with_suffix("").parts).removesuffix(".__init__")
        for path in digests.PACKAGE.rglob("*.py")
        if path != digests.PACKAGE / "__init__.py"
    ]
    for package in digests.packages(*modules):
        name = digests.DISTRIBUTED_AS.get(package, package)
        assert f"\n{name}==" in pins and digests.version(package) != "absent"


def test_another_version_changes_the_digest(monkeypatch):
    before = digests.digest("loggabor")
    digests.digest.cache_clear()
    monkeypatch.setattr(digests, "version", lambda package: "9")
    assert digests.digest("loggabor") != before
    digests.digest.cache_clear()
