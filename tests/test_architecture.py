"""The floors of the library hold, and the contracts that say so can fail."""

import ast
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
LIBRARY = ROOT / "scripts" / "gaborscope"


def lint_imports(root):
    """Check the contracts of pyproject.toml on the library below a folder."""
    command = [sys.executable, "-c", "from importlinter.cli import lint_imports_command as c; c()"]
    environment = {**os.environ, "PYTHONPATH": str(root / "scripts")}
    arguments = ["--config", str(ROOT / "pyproject.toml"), "--no-cache"]
    return subprocess.run(
        [*command, *arguments], cwd=root, env=environment, capture_output=True, text=True
    )


def test_every_contract_is_kept():
    done = lint_imports(ROOT)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    "module, line, contract",
    [
        ("stimuli/geometry", "from gaborscope.store import files", "Floors"),
        ("scoring/metrics", "from gaborscope.fitting import ridge", "Floors"),
        ("report/page", "from gaborscope.workflow import stage", "imports the workflow"),
        ("workflow/settings", "from gaborscope.stimuli import colour", "imports errors alone"),
        ("analysis/bits", "from gaborscope import metrics", "a public face"),
        ("explanation/model", "import torch", "Torch in"),
        ("scoring/summaries", "import matplotlib", "Matplotlib and Jinja2"),
        ("data/catalogue", "import numpy", "standard library alone"),
    ],
)
def test_a_wrong_import_breaks_its_contract(tmp_path, module, line, contract):
    shutil.copytree(ROOT / "scripts", tmp_path / "scripts")
    path = tmp_path / "scripts" / "gaborscope" / f"{module}.py"
    path.write_text(f"{path.read_text(encoding='utf-8')}\n{line}\n", encoding="utf-8")
    done = lint_imports(tmp_path)
    assert done.returncode == 1, done.stdout + done.stderr
    folded = " ".join(done.stdout.split())  # long names of contracts are wrapped
    assert re.search(rf"{contract}(?:(?!KEPT).)*? BROKEN", folded), done.stdout


@pytest.mark.parametrize(
    "path", sorted(LIBRARY.rglob("__init__.py")), ids=lambda path: path.parent.name
)
def test_a_package_file_holds_its_docstring_alone(path):
    """The digest of each module has its package's file in it, so code there reruns much."""
    body = ast.parse(path.read_text(encoding="utf-8")).body
    assert ast.get_docstring(ast.Module(body=body, type_ignores=[]))
    allowed = {"gaborscope": 2, "backbones": 3}  # __version__; gaborscope.backbones.build
    assert len(body) == allowed.get(path.parent.name, 1)


@pytest.mark.parametrize("face", ["explained", "loggabor", "metrics"])
def test_a_public_face_is_short(face):
    text = (LIBRARY / f"{face}.py").read_text(encoding="utf-8")
    body = ast.parse(text).body
    assert all(isinstance(node, ast.Expr | ast.ImportFrom | ast.Assign) for node in body)
