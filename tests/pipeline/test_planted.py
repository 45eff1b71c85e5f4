"""benchmarks/planted.py takes networks of known filters through the whole workflow; three here."""

import subprocess
import sys

import pandas as pd
import pytest
from pipeline.runs import ROOT

NETWORKS = ("amplitude_grid", "odd", "maximum")

pytestmark = [pytest.mark.slow, pytest.mark.long]


@pytest.fixture(scope="module")
def record(tmp_path_factory):
    """Tables of record of three networks on few photographs that are generated."""
    work = tmp_path_factory.mktemp("planted")
    command = [sys.executable, "benchmarks/planted.py", "--work", work, "--stimuli", "40",
               "--generated", "--networks", *NETWORKS]  # fmt: skip
    subprocess.run(command, cwd=ROOT, check=True)
    return work / "results" / "record"


def test_first_layers_are_named_by_what_was_planted(record):
    table = pd.read_csv(record / "planted.csv").query("layer == 'first'")
    assert sorted(table["network"]) == sorted(NETWORKS)
    assert (table[["recall", "precision"]] >= 0.9).all(axis=None)
    assert (table["unplanted"] <= 0.05).all()


def test_explanations_of_planted_networks_pass_against_wrong_banks(record):
    table = pd.read_csv(record / "planted.csv")
    assert (table["explained_variance"] > table["wrong_bank"]).all()
    assert table[["ig_wrong_bank", "kl_wrong_bank"]].all(axis=None)


def test_names_are_near_what_was_planted(record):
    names = pd.read_csv(record / "names.csv").set_index("quantity")["mean"]
    assert names["octaves_median"] < 0.1
    assert names["degrees_median"] < 3
