"""Bad input stops a run in one sentence."""

import re
import shutil
import subprocess
import sys

import pytest
from pipeline.runs import (
    FIRST,
    FIRST_BLOCK,
    ROOT,
    made_names,
    make_dataset,
    remove_stimulus,
    snakemake,
    tiny_config,
)

pytestmark = pytest.mark.slow


def edit_csv(data, edit):
    path = data / "fixations.csv"
    path.write_text(edit(path.read_text(encoding="utf-8")), encoding="utf-8")


def drop_split(data):
    """Leave the stimuli of the fit split alone."""
    for name in made_names()["test"] + made_names()["validation"]:
        if (data / "stimuli" / name).exists():
            remove_stimulus(data, name)


BAD_INPUT = {
    "unknown key": (lambda d, c: c.update(n_blok=10), r"unknown key 'n_blok'.*did you mean"),
    "not a number": (
        lambda d, c: c["training"].update(learning_rate=float("nan")),
        r"training\.learning_rate is nan; it must be a finite number",
    ),
    "missing weights": (
        lambda d, c: c["backbones"]["cmrnet"].update(weights="/nowhere/best.pth"),
        r"weights of cmrnet is '/nowhere/best\.pth', but there is no file",
    ),
    "unknown type": (lambda d, c: c["datasets"]["made"].update(type="foldr"), r"foldr.*folder"),
    "missing column": (
        lambda d, c: edit_csv(d, lambda t: t.replace("subject", "observer", 1)),
        r"fixations\.csv.*subject",
    ),
    "unknown stimulus": (
        lambda d, c: edit_csv(d, lambda t: t + "nobody.png,s1,3,4\n"),
        r"fixations\.csv.*nobody\.png",
    ),
    "outside": (
        lambda d, c: edit_csv(d, lambda t: t + f"{FIRST},s1,5000,4\n"),
        r"fixations\.csv.*5000",
    ),
    "nan": (lambda d, c: edit_csv(d, lambda t: t + f"{FIRST},s1,nan,4\n"), r"fixations\.csv.*nan"),
    "truncated image": (
        lambda d, c: (d / "stimuli" / FIRST).write_bytes(
            (d / "stimuli" / FIRST).read_bytes()[:200]
        ),
        rf"{FIRST}",
    ),
    "no stimuli": (lambda d, c: shutil.rmtree(d / "stimuli") or (d / "stimuli").mkdir(), "stimuli"),
    "empty split": (lambda d, c: drop_split(d), r"made.*(validation|test)"),
}


# of a config, of a data set as a whole, and of one that only a stage meets
SHORT = ("unknown key", "unknown stimulus", "truncated image")


@pytest.mark.parametrize("fault", [
    pytest.param(fault, marks=() if fault in SHORT else pytest.mark.long) for fault in BAD_INPUT
])  # fmt: skip
def test_bad_input_stops_in_one_sentence(tmp_path, fault):
    make_dataset(tmp_path / "data")
    config = tiny_config()
    spoil, expected = BAD_INPUT[fault]
    spoil(tmp_path / "data", config)
    output, _ = snakemake(tmp_path, config, FIRST_BLOCK, check=False)
    sentences = [line for line in output.splitlines() if re.search(expected, line)]
    assert sentences, output[-3000:]
    assert "Traceback" not in output
    assert not list((tmp_path / "results").rglob("*.tmp"))


def test_a_dry_run_refuses_a_key_that_stands_twice(tmp_path):
    path = tmp_path / "twice.yaml"
    path.write_text("seed: 1\nseed: 2\n", encoding="utf-8")
    command = [sys.executable, "-m", "snakemake", "--dry-run", "--snakefile", ROOT / "Snakefile"]
    command += ["--directory", tmp_path, "--configfile", path]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    output = done.stdout + done.stderr
    assert done.returncode == 1 and "Traceback" not in output
    assert f"{path} has the key 'seed' in line 1 and again in line 2; leave one" in output
    assert ".smk" not in output  # no line of the workflow's own code


def test_make_run_names_a_config_that_is_no_utf_8(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_bytes("# café".encode("latin-1"))
    command = [sys.executable, "scripts/check_yaml.py", path]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr == f"{path}, line 1: the byte 0xe9 is not UTF-8; save the file as UTF-8\n"
