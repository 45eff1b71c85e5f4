"""The environments of the stages hold what was tested, no more and no other version."""

import re
from pathlib import Path

import pytest
import yaml

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


def test_gpu_is_asked_for_by_the_rules_that_run_a_network_alone():
    tagged = set()
    for path in (ROOT / "rules").glob("*.smk"):
        for part in re.split(r"^rule ", path.read_text(encoding="utf-8"), flags=re.M)[1:]:
            if re.search(r"gpu=1", part):
                tagged.add(part.split(":")[0])
    assert tagged == {
        "train_backbone", "measure_layers", "dump_activations", "predict_backbone",
        "fit_cascade", "refine_cascade", "evaluate_cascade",
    }  # fmt: skip


def test_the_cluster_profile_sends_the_gpu_rules_and_no_others_to_the_gpu_partition():
    profile = yaml.safe_load((ROOT / "profiles" / "slurm" / "config.yaml").read_text("utf-8"))
    tagged = set()
    for path in (ROOT / "rules").glob("*.smk"):
        for part in re.split(r"^rule ", path.read_text(encoding="utf-8"), flags=re.M)[1:]:
            if re.search(r"gpu=1", part):
                tagged.add(part.split(":")[0])
    assert set(profile["set-resources"]) == tagged


def test_the_container_is_built_from_the_pins():
    text = (ROOT / "envs" / "Dockerfile").read_text(encoding="utf-8")
    assert "requirements.txt" in text and not re.search(r"pip install [^\n]*==(?!2\.13\.0)", text)
    assert [pin for pin in REQUIRED if pin.startswith("torch==")] == ["torch==2.13.0"]
