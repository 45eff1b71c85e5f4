"""
A second run with the same seed, in another place and in environments of its own.

`--use-conda`, with a real conda where there is one, and with a stand-in (tests/standin/conda). The
stand-in shows that Snakemake's calls are answered, that each stage finds the library and all it
imports in an environment of exactly its file's pins, and that results do not change. Snakemake runs
where nothing but itself is installed: it puts what is installed beside it on the path of each
script. Only a real conda shows that the files can be solved from conda-forge.
"""

import copy
import functools
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

import h5py
import pytest
import safetensors.numpy
import yaml
from pipeline.runs import (
    ROOT,
    contents,
    copy_checkout,
    copy_run,
    make_dataset,
    plan,
    snakemake,
    tiny_config,
)

pytestmark = pytest.mark.slow


ACTIVATE = """# stand-in for conda's: source activate PREFIX
export CONDA_PREFIX="$1" PATH="$1/bin:$PATH"
"""


def stand_in_conda(folder):
    """
    Put the stand-in for conda into a folder, and a host that has Snakemake alone.

    Returns the host's Python and the variables of a run by it.
    """
    (folder / "conda" / "bin").mkdir(parents=True)
    (folder / "conda" / "bin" / "activate").write_text(ACTIVATE)
    (folder / "tools").mkdir()
    script = (ROOT / "tests" / "standin" / "conda").read_text()
    tool = folder / "tools" / "conda"
    tool.write_text(script.replace("/usr/bin/env python3", sys.executable, 1))
    tool.chmod(0o755)
    requirements = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    pins = [pin for pin in requirements if pin.startswith(("snakemake==", "PuLP=="))]
    content = yaml.safe_dump({"dependencies": [{"pip": pins}]})
    (folder / "host.yaml").write_text(content, encoding="utf-8")
    variables = {"STANDIN_CONDA_PREFIX": str(folder / "conda"), "PYTHONPATH": ""}
    host = folder / "host"
    command = [tool, "env", "create", "--file", folder / "host.yaml", "--prefix", host]
    subprocess.run(command, env={**os.environ, **variables}, check=True)
    (folder / "conda" / "made.txt").unlink()
    ours = str(Path(sys.executable).parent)
    others = [path for path in os.environ["PATH"].split(os.pathsep) if path != ours]
    variables["PATH"] = os.pathsep.join([str(tool.parent), str(host / "bin"), *others])
    return host / "bin" / "python", variables


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


def every_stage(config):
    """The config with what it leaves out: faithfulness, a cascade, and a refined one."""
    config = copy.deepcopy(config)
    config["analyses"].append("faithfulness")
    few = {"bank": {"n_scales": 2, "n_orientations": 2}}
    edge = {"n_scales": 1, "n_orientations": 2}
    cascade = {"mode": "cascade", "budget": 4, "image": few, "edge": edge}
    refined = {"mode": "refined", "epochs": 1}
    config["explanations"] |= {"cascade": cascade, "refined": refined}
    return config


@pytest.fixture(
    scope="module",
    params=[pytest.param(SOME, id="some"), pytest.param((), id="all", marks=pytest.mark.long)],
)
def elsewhere(request, finished, tmp_path_factory):
    """
    The second run: from a copy of the checkout, read-only where that can be had, and where there is
    another file system, on it; with --use-conda, a host that has Snakemake alone, and another
    folder for temporary files, locale and hash seed. Of some stages with one core in the place of
    two; or of all, cascades and faithfulness included, with as many cores as the first run.
    The folders of both runs, what is special, what changed, what it says when it is done, and
    whether it is whole.
    """
    base = tmp_path_factory.mktemp("elsewhere")
    code, home = base / "code", base / "home"
    copy_checkout(code)
    make_dataset(home / "data")
    first, config, cores = finished[0], finished[1], "1"
    if not request.param:
        first, config, cores = copy_run(first, base / "first"), every_stage(config), "2"
        snakemake(first, config)
    other = Path("/dev/shm")
    free = other.is_dir() and os.access(other, os.W_OK) and shutil.disk_usage(other).free > 5e8
    apart = free and other.stat().st_dev != base.stat().st_dev
    folder = Path(tempfile.mkdtemp(dir=other if apart else base))
    prefix = read_only(code)
    before = {path: path.stat().st_mtime_ns for path in [code, *code.rglob("*")]}
    (folder / "temporary").mkdir()
    python, found = stand_in_conda(folder)
    variables = {
        "HOME": str(home),
        "XDG_CACHE_HOME": str(folder / "cache"),
        "TMPDIR": str(folder / "temporary"),
        "PYTHONHASHSEED": "7",
        "LC_ALL": "C",
        # a copy of a checkout has no commit, which files state
        **({"GIT_DIR": git_folder(), "GIT_WORK_TREE": str(code)} if git_folder() else {}),
        **found,
    }
    try:
        arguments = [folder, config, *request.param, "--use-conda", "--cores", cores]
        how = {"root": code, "prefix": prefix or (), "python": python, **variables}
        snakemake(*arguments, **how)
        changed = {path: path.stat().st_mtime_ns for path in [code, *code.rglob("*")]} != before
        left = [p for p in home.rglob("*") if "gaborscope" in str(p.relative_to(home))]
        again = snakemake(*arguments, **how)[0]
        yield Elsewhere(
            first, folder, prefix is not None, apart, changed, left, again, not request.param
        )
    finally:
        shutil.rmtree(folder)


class Elsewhere(NamedTuple):
    """What the fixture of this name says."""

    first: Path
    folder: Path
    read_only: bool
    apart: bool
    changed: bool
    left: list
    again: str
    whole: bool


# What files say of packages: the versions in the environment of the stage, which may lack torch,
# and digests of code, which have the versions of where Snakemake runs.
OF_PACKAGES = ("versions", "code", "network")


def without_packages(origin):
    """What a file says of its origin but for packages, each value as text."""
    said = {key: str(value) for key, value in origin.items() if key not in OF_PACKAGES}
    if "params" in said:
        said["params"] = without_packages(json.loads(said["params"]))
    return said


def comparable(folder):
    """Contents of all results, without what they say of packages, and notes of such files."""
    found = {}
    for name, content in contents(folder).items():
        if name.endswith(".h5"):
            with h5py.File(folder / "results" / name) as file:
                found[name] = without_packages(file.attrs)
                file.visititems(functools.partial(_add, found[name]))
        elif name.endswith(".json"):
            found[name] = without_packages(json.loads(content))
        elif name.endswith(".safetensors"):
            found[name] = {key: v.tobytes() for key, v in safetensors.numpy.load(content).items()}
        elif not name.endswith(".json.sha256"):
            found[name] = content
    return found


def _add(found, name, member):
    if isinstance(member, h5py.Dataset):
        values = member[()]
        texts = member.dtype.kind == "O"  # arrays of places in memory
        found[name] = member.dtype, member.shape, values.tolist() if texts else values.tobytes()


def test_nothing_is_written_outside_of_the_directory_and_tmpdir(elsewhere):
    assert not elsewhere.changed and not elsewhere.left


def test_the_checkout_may_be_read_only(elsewhere):
    if not elsewhere.read_only:
        pytest.skip("no folder can be made read-only here (unshare, mount)")
    assert (elsewhere.folder / SOME[-1]).exists()


def test_results_may_lie_on_another_file_system(elsewhere):
    if not elsewhere.apart:
        pytest.skip("no other file system to write to here (/dev/shm)")
    assert (elsewhere.folder / SOME[-1]).stat().st_dev != ROOT.stat().st_dev


def test_equal_seeds_give_equal_files_wherever_and_in_whatever_environment(elsewhere):
    first, second = comparable(elsewhere.first), comparable(elsewhere.folder)
    if elsewhere.whole:
        assert set(first) == set(second) and len(first) > 70
        assert len([name for name in second if name.endswith(".csv")]) > 30
    assert len(second) > 4
    differ = [name for name in second if first[name] != second[name]]
    assert not differ, "\n".join(differ)


def test_a_run_with_conda_ends_and_has_nothing_left_to_do(elsewhere):
    assert "Nothing to be done" in elsewhere.again


def test_stages_run_in_environments_of_their_own_pins(elsewhere):
    folder = elsewhere.folder
    made = [line.split() for line in (folder / "conda" / "made.txt").read_text().splitlines()]
    assert len(made) == len({Path(prefix) for _, prefix in made}) == 2
    if elsewhere.whole:
        assert "<html" in (folder / "results" / "report" / "index.html").read_text()[:200].lower()


def test_adding_use_conda_to_a_finished_run_runs_all_of_it_anew(run, finished, tmp_path):
    folder, config, _ = run
    _, found = stand_in_conda(tmp_path)
    del found["PATH"]  # the same host, with all its packages
    tools = f"{tmp_path / 'tools'}:{os.environ['PATH']}"
    assert plan(folder, config, "--use-conda", PATH=tools, **found) == finished[3]
    without = ("--rerun-triggers", "input", "mtime", "params")
    assert plan(folder, config, "--use-conda", *without, PATH=tools, **found) == {}
    assert plan(folder, config) == {}


@pytest.mark.skipif(not shutil.which("conda"), reason="no conda here: the files were not solved")
def test_a_real_conda_solves_the_environments(tmp_path):
    make_dataset(tmp_path / "data")
    config = every_stage(tiny_config())
    snakemake(tmp_path, config, "--use-conda")
    assert "Nothing to be done" in snakemake(tmp_path, config, "--use-conda")[0]
