"""The tutorial: its commands are run as they stand on the page, and leave what it names."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from pipeline import runs

PAGE = (runs.ROOT / "docs" / "tutorial.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
COMMANDS = [text for kind, text in BLOCKS if kind == "bash"]
SETTINGS, DOWNLOAD = (text for kind, text in BLOCKS if kind == "yaml")


def shell(text, home):
    """Run commands of the page in the checkout, as a reader whose home folder is `home` would."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    done = subprocess.run(
        ["bash", "-euc", text], cwd=runs.ROOT, env=runs.environment(home, PATH=path),
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, f"{text}\n{done.stdout[-3000:]}{done.stderr[-3000:]}"
    return done.stdout + done.stderr


def write_settings(home):
    """Write the file of settings where the page says."""
    (home / "tutorial").mkdir(exist_ok=True)
    name = re.match(r"# ~/(\S+)\n", SETTINGS)[1]
    (home / name).write_text(SETTINGS, encoding="utf-8")


@pytest.mark.slow
def test_the_run_of_the_tutorial_is_planned_for_its_folder(tmp_path):
    write_settings(tmp_path)
    first = next(number for number, text in enumerate(COMMANDS) if "snakemake" in text)
    for text in COMMANDS[:first]:
        shell(text, tmp_path)
    said = shell(COMMANDS[first].rstrip() + " --dry-run", tmp_path)
    assert re.search(r"^prepare_dataset +10$", said, re.MULTILINE)


@pytest.mark.slow
def test_the_other_settings_of_the_tutorial_download_the_photographs(tmp_path):
    assert "download_dataset" in runs.plan(tmp_path, yaml.safe_load(DOWNLOAD))


@pytest.mark.slow
@pytest.mark.long
def test_the_commands_of_the_tutorial_leave_the_files_that_it_names(tmp_path):
    write_settings(tmp_path)
    said = [shell(text, tmp_path) for text in COMMANDS]
    named = set(re.findall(r"`~/(tutorial/[\w./]+)`", PAGE))
    assert len(named) > 5
    assert [name for name in sorted(named) if not (tmp_path / name).exists()] == []
    assert any("cmrnet-direct" in text and "report/index.html" in text for text in said)
