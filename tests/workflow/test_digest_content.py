"""Digests follow content, wherever it lies and whatever it is called; and what it depends on."""

import hashlib
from importlib import metadata

import pytest

from gaborscope.workflow import digests

FILES = {
    "__init__.py": "",
    "errors.py": "",
    "store/__init__.py": "from gaborscope import errors\n",
    "store/files.py": "import numpy\nimport json\n",
    "store/paths.py": "from gaborscope.store import files\n",
    "alone.py": "import scipy.stats\n",
}


def clear():
    for cached in vars(digests).values():
        if hasattr(cached, "cache_clear"):
            cached.cache_clear()


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A library of a few modules in the place of Gaborscope's."""
    for name, text in FILES.items():
        path = tmp_path / "first" / "gaborscope" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    monkeypatch.setattr(digests, "PACKAGE", tmp_path / "first" / "gaborscope")
    monkeypatch.setattr(digests, "READ", {"alone": ("page.html",)})
    (tmp_path / "first" / "gaborscope" / "page.html").write_text("<p>")
    clear()
    yield digests.PACKAGE
    clear()


def changed(package, name, text):
    (package / name).write_text(text)
    clear()


def script(folder, text, name="a.py"):
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(text)
    return folder / name


def test_a_file_s_digest_is_that_of_its_bytes_and_not_of_its_name(package):
    (package / "other.html").write_text("<p>")
    expected = hashlib.sha256(b"<p>").hexdigest()[:16]
    assert digests.file_digest("page.html") == digests.file_digest("other.html") == expected


def test_scripts_of_equal_content_have_equal_digests_wherever_they_lie(package, tmp_path):
    text = "from gaborscope.store import paths\n"
    first = digests.script_digest(script(tmp_path / "x", text))
    assert digests.script_digest(script(tmp_path / "y", text, "b.py")) == first
    assert digests.script_digest(script(tmp_path / "z", text + "\n")) != first
    assert len(first) == 16 and int(first, 16) >= 0


def test_checkouts_in_other_folders_have_equal_digests(package, tmp_path, monkeypatch):
    before = digests.digest("store.paths"), digests.digest("alone")
    package.parent.rename(tmp_path / "second")
    monkeypatch.setattr(digests, "PACKAGE", tmp_path / "second" / "gaborscope")
    clear()
    assert (digests.digest("store.paths"), digests.digest("alone")) == before


@pytest.mark.parametrize("edited", ["errors.py", "store/__init__.py", "store/files.py"])
def test_every_module_behind_an_import_counts(package, edited):
    before = digests.digest("store.paths"), digests.digest("alone")
    changed(package, edited, (package / edited).read_text() + "# edited\n")
    assert digests.digest("store.paths") != before[0]
    assert digests.digest("alone") == before[1]


def test_a_template_counts_for_the_module_that_reads_it_alone(package):
    before = digests.digest("alone"), digests.digest("store.files")
    changed(package, "page.html", "<div>")
    assert digests.digest("alone") != before[0]
    assert digests.digest("store.files") == before[1]


def test_two_modules_that_change_places_change_the_digest(package):
    before = digests.digest("errors", "alone")
    texts = (package / "errors.py").read_text(), (package / "alone.py").read_text()
    changed(package, "errors.py", texts[1])
    changed(package, "alone.py", texts[0])
    assert digests.digest("errors", "alone") != before


def test_another_version_of_a_package_counts_for_those_who_import_it(package, monkeypatch):
    before = digests.digest("store.paths"), digests.digest("errors")
    monkeypatch.setattr(digests, "version", lambda name: "0.0")
    clear()
    assert digests.digest("store.paths") != before[0]
    assert digests.digest("errors") == before[1]


def test_a_closure_is_sorted_and_holds_packages_and_imports_of_imports(package):
    assert digests.closure("store.paths") == ("errors", "store", "store.files", "store.paths")
    assert digests.closure("alone", "errors") == ("alone", "errors")


def test_packages_are_those_of_the_closure_without_the_standard_library(package):
    assert digests.packages("store.paths") == ("numpy",)
    assert digests.packages("alone", "store.paths") == ("numpy", "scipy")


def test_packages_without_effect_on_results_do_not_count(package):
    changed(package, "errors.py", "import tqdm, psutil, yaml, h5py\n")
    assert digests.packages("errors") == ("h5py",)


def test_a_module_s_file_is_the_module_or_its_package(package):
    assert digests.module_file("store.files") == package / "store" / "files.py"
    assert digests.module_file("store") == package / "store" / "__init__.py"
    with pytest.raises(FileNotFoundError, match="no module 'store.gone'"):
        digests.module_file("store.gone")


def test_versions_are_those_of_the_installed_distribution():
    assert digests.version("PIL") == metadata.version("pillow")
    assert digests.version("numpy") == metadata.version("numpy")
    assert digests.version("no_such_package") == "absent"


@pytest.mark.parametrize("name, package", digests.DISTRIBUTED_AS.items())
def test_packages_are_distributed_under_the_names_that_are_said(name, package):
    try:
        distribution = metadata.distribution(package)
    except metadata.PackageNotFoundError:
        pytest.skip(f"{package}, which a network of one's own may import, is not installed")
    assert name in {file.parts[0] for file in distribution.files}


def test_kept_imports_are_those_of_the_content_and_not_of_the_name(package, tmp_path):
    kept = tmp_path / "kept" / "imports.json"
    assert digests.closure("store.paths")
    digests.save_imports(kept)
    changed(package, "store/paths.py", "import gaborscope.alone\n")
    digests.load_imports(kept)
    assert "alone" in digests.closure("store.paths")


def test_imports_are_kept_once_and_without_leftovers(package, tmp_path):
    digests.closure("store.paths")
    kept = tmp_path / "imports.json"
    digests.save_imports(kept)
    written = kept.stat().st_mtime_ns
    digests.save_imports(kept)
    assert kept.stat().st_mtime_ns == written
    assert [p.name for p in tmp_path.iterdir() if p.is_file()] == ["imports.json"]
