"""The arithmetic of benchmarks/scaling_plan.py on a made run."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from helpers import ORIGIN, make_block

from gaborscope.store.blocks import write_data
from gaborscope.workflow.stage import cost

PATH = Path(__file__).resolve().parents[1] / "benchmarks" / "scaling_plan.py"


@pytest.fixture(scope="module")
def plan():
    spec = importlib.util.spec_from_file_location("scaling_plan", PATH)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def out(tmp_path):
    """Two blocks of three stimuli, two layers, and jobs that took 1 s to start."""
    for block in range(2):
        write_data(tmp_path / f"results/data/set/0{block}.h5", make_block([(20, 30)] * 3), ORIGIN)
        log = tmp_path / f"results/logs/accumulate/net/set/direct/0{block}.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_text(
            "[accumulate] used 7.00 s of CPU, 1.00 s of them to start, and at most 90 MB"
        )
    (tmp_path / "results/layers").mkdir()
    (tmp_path / "results/layers/net.json").write_text(
        '{"a": {"channels": 2, "shape": {"8x9": [2, 2]}}, "b": {"channels": 4, "shape": {}}}'
    )
    training = tmp_path / "results/logs/train_backbone/net.log"
    training.parent.mkdir(parents=True)
    training.write_text(
        "epoch 1/9: \nepoch 2/9: \nused 5.00 s of CPU, 1.00 s of them to start, and at most 70 MB"
    )
    for predictor in ("net", "net-direct", "uniform"):
        (tmp_path / "results/saliency" / predictor / "set").mkdir(parents=True)
        (tmp_path / "results/saliency" / predictor / "set/0.h5").write_bytes(b"0" * 3000)
        (tmp_path / "results/scores/mit" / predictor).mkdir(parents=True)
    return tmp_path


def test_costs_are_read_from_logs_and_files(plan, out):
    run = plan.read_run(out)
    assert run.size == {
        "stimuli": 6, "px": 600, "area": 72, "epochs": 2, "blocks": 2, "models": 1, "predictors": 3
    }  # fmt: skip
    assert run.layers == 2 and run.channels == 6
    assert run.stages == {"train_backbone": (1, 5, 1, 70), "accumulate": (2, 14, 2, 90)}
    assert run.bytes["saliency/models"] == 6000 and run.bytes["saliency/baselines"] == 3000


def test_seconds_grow_with_the_stimuli_and_starts_with_the_blocks(plan, out):
    stages, kept = plan.predict(plan.read_run(out), stimuli=600, blocks=20)
    assert stages["accumulate"] == (20, 1200.0, 1.0) and kept["saliency/models"] == 600_000


def test_training_grows_with_epochs_and_the_networks_input_and_stays_one_job(plan, out):
    stages, _ = plan.predict(plan.read_run(out), epochs=20, area=144, blocks=200)
    assert stages["train_backbone"] == (1, 4 * 10 * 2, 1.0)


def test_maps_grow_with_the_pixels_and_those_of_models_with_the_models(plan, out):
    _, kept = plan.predict(plan.read_run(out), px=1200, models=3)
    assert kept["saliency/models"] == 2 * 3 * 6000 and kept["saliency/baselines"] == 2 * 3000


def test_wall_time_is_bounded_by_the_cores_and_by_one_job(plan):
    stages = {"accumulate": (10, 90.0, 1.0)}
    assert plan.wall_s(stages, 1, 1) == pytest.approx(100)
    assert plan.wall_s(stages, 5, 1) == pytest.approx(20)
    assert plan.wall_s(stages, 1000, 1) == pytest.approx(10)
    assert plan.wall_s(stages, 10, 100) == pytest.approx(10 + plan.SUBMISSION_S)


@pytest.mark.parametrize("stimuli", [700, 15_000, 1_000_000])
def test_blocks_come_in_tens_and_are_never_tiny(plan, stimuli):
    blocks = plan.n_blocks(stimuli, 32, 50)
    assert blocks % 10 == 0 and stimuli / blocks > 10


def test_a_run_is_predicted_by_itself(plan, out):
    assert "| all | 19.0 | 19.0 | 1.00 |" in plan.compare(plan.read_run(out), plan.read_run(out))


def test_the_tables_are_printed(plan, out):
    run = plan.read_run(out)
    assert "1,000,000 images" in plan.table(run, 20) and "accumulate" in plan.costs(run)


def test_what_a_stage_says_is_what_the_plan_reads(plan):
    used, start, memory = plan.USED.search(cost(0.5)).groups()
    assert float(used) > 0 and start == "0.50" and np.isfinite(float(memory))
