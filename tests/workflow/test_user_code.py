"""What a factory imports is part of its digest, and nothing else is."""

import shutil

import pytest

from gaborscope.workflow import backbone_entries, digests, user_code

FILES = {
    "checkout/mine.py": """
import os, sys
from dataclasses import dataclass
import torch
from helpers import scale
import parts.decoder as decoder
sys.path.insert(0, os.path.join(os.path.dirname(__file__), "authors"))
from saliency.net import Net

def build():
    from late import late
    import importlib
    return importlib.import_module("named")
""",
    "checkout/helpers.py": "from parts import blocks\n",
    "checkout/parts/__init__.py": "",
    "checkout/parts/decoder.py": "from . import blocks\nfrom .deep.attention import Attention\n",
    "checkout/parts/blocks.py": "x = 1\n",
    "checkout/parts/deep/attention.py": "from ..shared import *\n",
    "checkout/parts/shared.py": "x = 1\n",
    "checkout/parts/unrelated.py": "x = 1\n",
    "checkout/authors/saliency/net.py": "from saliency.encoder import Encoder\n",
    "checkout/authors/saliency/encoder.py": "x = (1\n",
    "checkout/late.py": "import elsewhere\n",
    "checkout/named.py": "x = 1\n",
    "checkout/train.py": "import mine\n",
    "root/inrepo.py": "x = 1\n",
    "path/elsewhere/__init__.py": "import inrepo\n",
}
USED = [name for name in FILES if not name.endswith(("unrelated.py", "train.py"))]


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "path"))
    return tmp_path


def digest(folder, factory="../checkout/mine.py:build"):
    return backbone_entries.digest("mine", {"factory": factory}, folder / "root")


@pytest.mark.parametrize("name", FILES)
def test_an_edit_counts_where_the_factory_imports_the_file(checkout, name):
    before = digest(checkout)
    assert before == digest(checkout)
    with (checkout / name).open("a") as file:
        file.write("# edited\n")
    assert (digest(checkout) != before) == (name in USED)


def test_a_checkout_may_lie_elsewhere(checkout, tmp_path_factory, monkeypatch):
    other = tmp_path_factory.mktemp("other") / "deep"
    shutil.copytree(checkout, other)
    before = digest(checkout)
    monkeypatch.setenv("PYTHONPATH", str(other / "path"))
    assert digest(other) == before


def test_a_module_counts_as_its_file_does(checkout):
    before = digest(checkout, "elsewhere:build")
    (checkout / "root" / "inrepo.py").write_text("x = 2\n")
    assert digest(checkout, "elsewhere:build") != before
    assert digest(checkout, "no.such.module:build") == ""


def test_installed_packages_count_by_their_version(checkout, monkeypatch):
    factories = ("../checkout/mine.py:build", "torch.nn:Linear")
    before = [digest(checkout, factory) for factory in factories]
    assert all(before)
    monkeypatch.setattr(user_code, "_installed_version", lambda name: f"2 of {name}")
    after = [digest(checkout, factory) for factory in factories]
    assert before[0] != after[0] and before[1] != after[1]
    _, packages = user_code.files(checkout / "checkout" / "mine.py", [])
    assert "torch" in packages and not packages & {"os", "helpers", "parts", "late"}


def test_files_are_parsed_once_between_runs(checkout, tmp_path, monkeypatch):
    before = digest(checkout)
    digests.save_imports(tmp_path / "imports.json")
    kept = dict(digests._statements)
    digests._statements.clear()
    digests.load_imports(tmp_path / "imports.json")
    monkeypatch.setattr(user_code, "_parsed", lambda content: pytest.fail("parsed again"))
    assert digest(checkout) == before
    digests._statements.update(kept)
