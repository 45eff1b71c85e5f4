"""The environments of the stages hold what was tested, no more and no other version."""

import collections
import contextlib
import importlib.util
import os
import re
import subprocess
import sys
import zipfile
from importlib import metadata
from pathlib import Path

import pytest
import yaml

import gaborscope
from gaborscope.workflow import digests

ROOT = Path(__file__).resolve().parents[1]


def pins(lines):
    return {line.strip() for line in lines if re.match(r"[A-Za-z]", line.strip())}


REQUIRED = pins((ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines())


def test_every_requirement_is_pinned():
    assert all(re.fullmatch(r"[A-Za-z0-9_.-]+==[0-9.]+", pin) for pin in REQUIRED)


ENVIRONMENTS = {
    path.name: yaml.safe_load(path.read_text(encoding="utf-8"))
    for path in (ROOT / "envs").glob("*.yaml")
}


def pinned(content):
    """Packages that pip installs into an environment, by name, with their pins."""
    (pip,) = (entry["pip"] for entry in content["dependencies"] if isinstance(entry, dict))
    return {pin.partition("==")[0]: pin for pin in pip}


@pytest.mark.parametrize("name", sorted(ENVIRONMENTS))
def test_conda_environment_has_the_pins_of_requirements(name):
    content = ENVIRONMENTS[name]
    assert set(pinned(content).values()) <= REQUIRED
    others = [entry for entry in content["dependencies"] if isinstance(entry, str)]
    assert [re.fullmatch(r"(\w+) =[0-9.]+", entry)[1] for entry in others] == ["python", "pip"]
    assert content["channels"] == ["conda-forge"]


def imported_packages(script):
    """Packages that a stage script and all it imports use, by their names in the package index."""
    source = digests.read(ROOT / "scripts" / f"{script}.py")
    names = set(source.packages)
    for module in digests.closure(*source.modules):
        names |= digests.read(digests.module_file(module)).packages
    names -= sys.stdlib_module_names | {"gaborscope"}
    return {digests.DISTRIBUTED_AS.get(name, name) for name in names}


def texts_of_rules():
    """Text of each rule with a script of its own; rules made from others by `use` are left out."""
    for path in (ROOT / "rules").glob("*.smk"):
        parts = re.split(r"^ *rule(?: \w+)?:", path.read_text(encoding="utf-8"), flags=re.M)[1:]
        yield from (part for part in parts if "script:" in part)


def scripts_by_environment():
    """Scripts of the rules by the file of their environment, as the rules themselves say."""
    found = collections.defaultdict(set)
    for text in texts_of_rules():
        environment = re.search(r'conda:\s+"\.\./envs/([\w.]+)"', text)[1]
        found[environment].add(re.search(r'script:\s+"\.\./scripts/(\w+)\.py"', text)[1])
    return found


@pytest.mark.parametrize("name", sorted(ENVIRONMENTS))
def test_an_environment_has_what_its_rules_import_and_no_more(name):
    wanted = {script: imported_packages(script) for script in scripts_by_environment()[name]}
    has = set(pinned(ENVIRONMENTS[name]))
    lacking = {script: packages - has for script, packages in wanted.items() if packages - has}
    assert not lacking
    # Snakemake hands each script a pickled object of its own
    assert has == set().union({"snakemake"}, *wanted.values())


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(ENVIRONMENTS))
def test_the_stages_of_an_environment_import_where_nothing_else_is_installed(name, tmp_path):
    scripts = sorted(scripts_by_environment()[name])
    modules = {m for s in scripts for m in digests.read(ROOT / "scripts" / f"{s}.py").modules}
    names = [*scripts, *(f"gaborscope.{module}" for module in digests.closure(*sorted(modules)))]
    make = [sys.executable, ROOT / "tests" / "standin" / "conda", "env", "create"]
    make += ["--file", ROOT / "envs" / name, "--prefix", tmp_path / "made"]
    variables = {"STANDIN_CONDA_PREFIX": str(tmp_path)}
    subprocess.run(make, env={**os.environ, **variables}, check=True)
    code = "import importlib, sys; [importlib.import_module(name) for name in sys.argv[1:]]"
    alone = {"PYTHONPATH": str(ROOT / "scripts"), "PYTHONDONTWRITEBYTECODE": "1"}
    python = [tmp_path / "made" / "bin" / "python", "-s", "-c", code]
    done = subprocess.run([*python, *names], env=alone, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]


def canonical(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def with_dependencies(names):
    """Distributions, and all that they need, by their canonical names."""
    found, waiting = set(), [canonical(name) for name in names]
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        found.add(name)
        with contextlib.suppress(metadata.PackageNotFoundError):
            needed = metadata.requires(name) or []
            lines = [line for line in needed if "extra ==" not in line]
            waiting += [canonical(re.match(r"[\w.-]+", line)[0]) for line in lines]
    return found


def test_the_requirements_have_all_that_the_report_of_snakemake_imports():
    """Of its own requirements it leaves out pygments, and stops where that is missing."""
    (init,) = importlib.util.find_spec("snakemake.report").submodule_search_locations
    imports = re.compile(r"^ *(?:from|import) ([a-z]\w*)", re.MULTILINE)
    texts = (path.read_text(encoding="utf-8") for path in Path(init).rglob("*.py"))
    names = {name for text in texts for name in imports.findall(text)}
    names -= sys.stdlib_module_names | {"snakemake"}
    distributions = metadata.packages_distributions()
    has = with_dependencies(pin.partition("==")[0] for pin in REQUIRED)
    assert "pygments" in names
    for name in names:
        assert {canonical(one) for one in distributions[name]} & has, name


def test_every_rule_with_a_script_names_an_environment_that_is_there():
    scripts = scripts_by_environment()
    assert set(scripts) == set(ENVIRONMENTS)
    assert sum(map(len, scripts.values())) > 40


def rules_that_say(text):
    """Names of the rules whose definition, or that of the rule they use, contains a text."""
    found, used = set(), set()
    for path in (ROOT / "rules").glob("*.smk"):
        content = path.read_text(encoding="utf-8")
        used |= set(re.findall(r"^ *use rule (\w+) as (\w+) with:", content, flags=re.M))
        for part in re.split(r"^rule ", content, flags=re.M)[1:]:
            if text in part.split("\nuse rule")[0]:
                found.add(part.split(":")[0])
    return found | {name for rule, name in used if rule in found}


def test_gpu_is_asked_for_by_the_rules_that_run_a_network_alone():
    assert rules_that_say("gpu=1,") == rules_that_say('device=config["device"]')
    assert "train_backbone" in rules_that_say("gpu=1,")


def test_the_cluster_profile_sends_the_gpu_rules_and_no_others_to_the_gpu_partition():
    profile = yaml.safe_load((ROOT / "profiles" / "slurm" / "config.yaml").read_text("utf-8"))
    assert set(profile["set-resources"]) == rules_that_say("gpu=1,")
    partitions = {entry["slurm_partition"] for entry in profile["set-resources"].values()}
    assert len(partitions) == 1 and partitions != {profile["default-resources"]["slurm_partition"]}


@pytest.mark.parametrize("name", ["Dockerfile", "apptainer.def"])
def test_a_container_is_built_from_the_pins_and_takes_torch_from_another_index(name):
    text = (ROOT / "envs" / name).read_text(encoding="utf-8")
    (torch,) = (pin for pin in REQUIRED if pin.startswith("torch=="))
    assert set(re.findall(r"\w+==[0-9.]+", text)) == {torch}
    installs = [line for line in text.splitlines() if "pip install" in line]
    assert torch in installs[0] and re.search(r"--index-url.*TORCH_INDEX", installs[0])
    assert installs[1].endswith("-r requirements.txt") and "index" not in installs[1]


def test_every_rule_with_a_script_asks_for_memory_time_and_disk():
    asked = {
        text[:60]: re.findall(r"^ +(threads|mem_mb|runtime|disk_mb)\b[:=]", text, flags=re.M)
        for text in texts_of_rules()
    }
    assert len(asked) > 20
    assert {tuple(sorted(set(keys))) for keys in asked.values()} == {
        ("disk_mb", "mem_mb", "runtime", "threads")
    }, asked


def index(folder, version):
    """Package index of one empty torch of a version."""
    wheel = folder / "torch" / f"torch-{version}-py3-none-any.whl"
    wheel.parent.mkdir(parents=True)
    about = f"torch-{version}.dist-info"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr(
            f"{about}/METADATA", f"Metadata-Version: 2.1\nName: torch\nVersion: {version}\n"
        )
        archive.writestr(f"{about}/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        archive.writestr(f"{about}/RECORD", "")
    page = f'<a href="{wheel.name}">{wheel.name}</a>'
    (wheel.parent / "index.html").write_text(f"<!DOCTYPE html><html><body>{page}</body></html>")
    return folder.as_uri()


@pytest.mark.slow
def test_the_pinned_torch_is_taken_from_an_extra_index_of_other_builds(tmp_path):
    """PIP_EXTRA_INDEX_URL decides between CPU and GPU builds; no rule or environment is edited."""
    pip = [sys.executable, "-m", "pip", "--isolated", "--version"]
    if subprocess.run(pip, capture_output=True).returncode:
        pytest.skip("no pip beside this Python")
    pin = next(pin for pin in REQUIRED if pin.startswith("torch=="))
    version = pin.removeprefix("torch==")
    plain, other = index(tmp_path / "a", version), index(tmp_path / "b", f"{version}+cpu")
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--dest", tmp_path / "got"]
    clean = {key: value for key, value in os.environ.items() if not key.startswith("PIP_")}
    environment = clean | {"PIP_INDEX_URL": plain, "PIP_CONFIG_FILE": os.devnull}
    environment |= {"PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_EXTRA_INDEX_URL": other}
    subprocess.run([*command, pin], env=environment, check=True, capture_output=True)
    assert [path.name for path in (tmp_path / "got").iterdir()] == [
        f"torch-{version}+cpu-py3-none-any.whl"
    ]


def test_the_version_stands_in_the_library_and_the_citation_and_the_changelog_know_it():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["version"] == gaborscope.__version__
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert f"## {gaborscope.__version__}" in changelog


def test_the_public_hosts_ci_runs_ours_on_every_supported_python():
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yaml").read_text("utf-8"))
    job = workflow["jobs"]["test"]
    assert job["strategy"]["matrix"]["python"] == ["3.11", "3.12"]
    assert job["steps"][-1]["run"] == "bash .ci/run"
