"""
A second run with the same seed, in another place and in environments of its own.

`--use-conda`, with a real conda where there is one, and with a stand-in (tests/standin/conda). The
stand-in shows that Snakemake's calls are answered, that each stage finds the library and all it
imports in an environment of exactly its file's pins, and that results do not change. Only a real
conda shows that the files can be solved from conda-forge.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from pipeline.runs import ROOT, contents, copy_checkout, make_dataset, snakemake, tiny_config

pytestmark = pytest.mark.slow


ACTIVATE = """# stand-in for conda's: source activate PREFIX
export CONDA_PREFIX="$1" PATH="$1/bin:$PATH"
"""


def stand_in_conda(folder):
    """Put the stand-in for conda into a folder; return the variables by which it is found."""
    (folder / "conda" / "bin").mkdir(parents=True)
    (folder / "conda" / "bin" / "activate").write_text(ACTIVATE)
    (folder / "tools").mkdir()
    script = (ROOT / "tests" / "standin" / "conda").read_text()
    tool = folder / "tools" / "conda"
    tool.write_text(script.replace("/usr/bin/env python3", sys.executable, 1))
    tool.chmod(0o755)
    path = f"{tool.parent}:{os.environ['PATH']}"
    return {"STANDIN_CONDA_PREFIX": str(folder / "conda"), "PATH": path}


def read_only(folder):
    """Command before a command that sees a folder read-only; None where this cannot be had."""
    script = 'mount --bind "$0" "$0" && mount -o remount,bind,ro "$0" && exec "$@"'
    options = ["--mount"] if os.geteuid() == 0 else ["--mount", "--map-root-user"]
    prefix = ["unshare", *options, "sh", "-c", script, str(folder)]
    try:
        tried = subprocess.run([*prefix, "touch", str(folder / "a")], capture_output=True)
        works = subprocess.run([*prefix, "true"], capture_output=True).returncode == 0
    except OSError:
        return None
    return prefix if works and tried.returncode else None


def git_folder():
    """Git's folder of this checkout; empty where there is none."""
    command = ["git", "-C", str(ROOT), "rev-parse", "--absolute-git-dir"]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()


# a stage of each kind, which need the environments of torch and of numerics
SOME = ("results/saliency/cmrnet/made/08.h5", "results/scores/exact/centre_bias/made.csv")


@pytest.fixture(
    scope="module",
    params=[pytest.param(SOME, id="some"), pytest.param((), id="all", marks=pytest.mark.long)],
)
def elsewhere(request, finished, tmp_path_factory):
    """
    The second run: from a copy of the checkout, read-only where that can be had, and where there is
    another file system, on it; with --use-conda, one core, and another folder for temporary files,
    locale and hash seed. Its folder, what is special, what changed, and whether it is whole.
    """
    base = tmp_path_factory.mktemp("elsewhere")
    code, home = base / "code", base / "home"
    copy_checkout(code)
    make_dataset(home / "data")
    other = Path("/dev/shm")
    free = other.is_dir() and os.access(other, os.W_OK) and shutil.disk_usage(other).free > 5e8
    apart = free and other.stat().st_dev != base.stat().st_dev
    folder = Path(tempfile.mkdtemp(dir=other if apart else base))
    prefix = read_only(code)
    before = {path: path.stat().st_mtime_ns for path in [code, *code.rglob("*")]}
    (folder / "temporary").mkdir()
    variables = {
        "HOME": str(home),
        "XDG_CACHE_HOME": str(folder / "cache"),
        "TMPDIR": str(folder / "temporary"),
        "PYTHONHASHSEED": "7",
        "LC_ALL": "C",
        # a copy of a checkout has no commit, which files state
        **({"GIT_DIR": git_folder(), "GIT_WORK_TREE": str(code)} if git_folder() else {}),
        **stand_in_conda(folder),
    }
    try:
        # finished has two cores
        arguments = [folder, finished[1], *request.param, "--use-conda", "--cores", "1"]
        snakemake(*arguments, root=code, prefix=prefix or (), **variables)
        changed = {path: path.stat().st_mtime_ns for path in [code, *code.rglob("*")]} != before
        left = [p for p in home.rglob("*") if "gaborscope" in str(p.relative_to(home))]
        yield folder, prefix is not None, apart, changed, left, not request.param
    finally:
        shutil.rmtree(folder)


def test_nothing_is_written_outside_of_the_directory_and_tmpdir(elsewhere):
    assert not elsewhere[3] and not elsewhere[4]


def test_the_checkout_may_be_read_only(elsewhere):
    if not elsewhere[1]:
        pytest.skip("no folder can be made read-only here (unshare, mount)")
    assert (elsewhere[0] / SOME[-1]).exists()


def test_results_may_lie_on_another_file_system(elsewhere):
    if not elsewhere[2]:
        pytest.skip("no other file system to write to here (/dev/shm)")
    assert (elsewhere[0] / SOME[-1]).stat().st_dev != ROOT.stat().st_dev


def test_equal_seeds_give_equal_files_wherever_and_on_however_many_cores(finished, elsewhere):
    first, second = contents(finished[0]), contents(elsewhere[0])
    if elsewhere[5]:
        assert set(first) == set(second) and len(first) > 70
    assert len(second) > 4
    differ = [name for name in second if first[name] != second[name]]
    assert not differ, "\n".join(differ)


def test_stages_run_in_environments_of_their_own_pins(elsewhere):
    folder = elsewhere[0]
    made = [line.split() for line in (folder / "conda" / "made.txt").read_text().splitlines()]
    assert len(made) == len({Path(prefix) for _, prefix in made}) >= (3 if elsewhere[5] else 2)
    if elsewhere[5]:
        assert "<html" in (folder / "results" / "report" / "index.html").read_text()[:200].lower()


@pytest.mark.skipif(not shutil.which("conda"), reason="no conda here: the files were not solved")
def test_a_real_conda_solves_the_environments(tmp_path):
    make_dataset(tmp_path / "data")
    snakemake(tmp_path, tiny_config(), "results/summary.csv", "--use-conda")
