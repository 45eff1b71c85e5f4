"""The environments of the stages hold what was tested, no more and no other version."""

import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import yaml

import gaborscope

ROOT = Path(__file__).resolve().parents[1]


def pins(lines):
    return {line.strip() for line in lines if re.match(r"[A-Za-z]", line.strip())}


REQUIRED = pins((ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines())


def test_every_requirement_is_pinned():
    assert all(re.fullmatch(r"[A-Za-z0-9_.-]+==[0-9.]+", pin) for pin in REQUIRED)


@pytest.mark.parametrize("path", sorted((ROOT / "envs").glob("*.yaml")), ids=lambda p: p.stem)
def test_conda_environment_has_the_pins_of_requirements(path):
    dependencies = yaml.safe_load(path.read_text(encoding="utf-8"))["dependencies"]
    (pip,) = (entry["pip"] for entry in dependencies if isinstance(entry, dict))
    assert set(pip) <= REQUIRED


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


def test_the_container_is_built_from_the_pins():
    text = (ROOT / "envs" / "Dockerfile").read_text(encoding="utf-8")
    assert "requirements.txt" in text and not re.search(r"pip install [^\n]*==(?!2\.13\.0)", text)
    assert [pin for pin in REQUIRED if pin.startswith("torch==")] == ["torch==2.13.0"]


def test_every_rule_with_a_script_asks_for_memory_time_and_disk():
    asked = {}
    for path in (ROOT / "rules").glob("*.smk"):
        text = path.read_text(encoding="utf-8")
        for part in re.split(r"^ *rule(?: \w+)?:", text, flags=re.M)[1:]:
            if "script:" in part:
                keys = re.findall(r"^ +(threads|mem_mb|runtime|disk_mb)\b[:=]", part, flags=re.M)
                asked[part.split("\n")[0] + part[:60]] = sorted(set(keys))
    assert len(asked) > 20
    assert {tuple(keys) for keys in asked.values()} == {
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
