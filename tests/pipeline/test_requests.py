"""What jobs ask the machine for: run time, memory and disk."""

import re

import pytest
import yaml
from pipeline.runs import ROOT, snakemake, tiny_config

pytestmark = pytest.mark.slow


def config_of(n_stimuli):
    config = tiny_config()
    config["datasets"]["made"] = {
        "type": "demo", "n_stimuli": n_stimuli, "height": 96, "width": 96, "n_observers": 2,
        "fixations_per_observer": 3, "seed": 1, "px_per_degree": 8,
    }  # fmt: skip
    config["explanations"]["cascade"] = {"mode": "cascade"}
    return config


def asked_for(tmp_path, config, targets, *arguments):
    """Run time, memory and disk that the job of each target asks for."""
    output, _ = snakemake(tmp_path, config, *targets, "--dry-run", *arguments)
    found = []
    for target in targets:
        resources = re.search("resources: .*", output[output.rindex(f"output: {target}") :])[0]
        numbers = re.findall(r"(runtime|mem_mb|disk_mb)=(\d+)", resources)
        found.append({key: int(value) for key, value in numbers})
    return found


def test_time_and_disk_grow_with_the_stimuli_and_memory_only_as_measured(tmp_path):
    targets = [
        "results/weights/cmrnet.safetensors",
        "results/saliency/cmrnet/made/03.h5",
        "results/explained/cmrnet/made/direct.h5",
        "results/explained/cmrnet/made/cascade.h5",
    ]
    few, many = (asked_for(tmp_path, config_of(n), targets) for n in (300, 30_000))
    training, prediction, *fits = zip(few, many, strict=True)
    assert training[1]["runtime"] > 10 * training[0]["runtime"]
    assert training[1]["disk_mb"] > 2 * training[0]["disk_mb"]
    assert prediction[1]["disk_mb"] > 10 * prediction[0]["disk_mb"]
    for measured_flat in (training, prediction):
        assert measured_flat[1]["mem_mb"] == measured_flat[0]["mem_mb"]
    # the fusion was measured at .006 MB per stimulus: names and fixations, which cascades hold too
    grown = 0.006 * (30_000 - 300)
    for asked in fits:
        assert 1.5 * grown < asked[1]["mem_mb"] - asked[0]["mem_mb"] < 3 * grown


@pytest.mark.parametrize(
    "option", ["--profile", pytest.param("--workflow-profile", marks=pytest.mark.long)]
)
def test_no_job_asks_for_more_than_the_cluster_profile_allows(tmp_path, option):
    profile = ROOT / "profiles" / "slurm"
    limits = yaml.safe_load((profile / "config.yaml").read_text(encoding="utf-8"))["resources"]
    config = config_of(300)
    config["training"]["epochs"] = 10
    config["models"] = ["cmrnet", "cmrnet_long"]
    config["backbones"]["cmrnet_long"] = {"like": "cmrnet", "training": {"epochs": 10_000}}
    targets = [f"results/weights/{model}.safetensors" for model in config["models"]]
    modest, greedy = asked_for(tmp_path, config, targets, option, str(profile))
    assert modest["runtime"] < limits["runtime"] == greedy["runtime"]
    assert modest["mem_mb"] < limits["mem_mb"]
