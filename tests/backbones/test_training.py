import os
import signal

import numpy as np
import pytest
import torch
from helpers import make_block

from gaborscope.backbones import training
from gaborscope.backbones.backbone import build, describe
from gaborscope.errors import InputError
from gaborscope.stimuli import geometry

SETTINGS = {
    "epochs": 3, "batch_size": 2, "learning_rate": 0.002, "weight_decay": 0.001,
    "warmup_epochs": 1, "average_decay": 0.9, "patience": 3, "seed": 1,
    "optimiser": "adamw", "momentum": 0.9, "schedule": "cosine", "decay": 0.5, "clip": 2.0,
    "parts": {}, "norm_momentum": None, "precision": "float32", "channels_last": True,
    "loss": {"cc": 0.1, "nss": 0.1},
    "augmentation": {"flip": 0.5, "min_crop": 0.8, "photometric": 0.2},
}  # fmt: skip


@pytest.fixture(scope="module")
def examples():
    block = make_block([(32, 48)] * 8, n_points=10)
    made = training.make_examples(block, (32, 48))
    return made[:6], made[6:]


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def trainer(examples, folder, digest="d", **changes):
    torch.manual_seed(1)
    backbone = describe("cmrnet", widths=[8, 8, 8])
    device, settings = torch.device("cpu"), {**SETTINGS, **changes}
    return training.Trainer(backbone, *examples, settings, device, folder / "c.pt", digest)


def interrupt(learner, after, action):
    """Make a trainer call `action` in the given step."""
    step, done = learner._step, []

    def stepped(batch):
        done.append(batch)
        if len(done) == after:
            action()
        return step(batch)

    learner._step = stepped


@pytest.fixture(scope="module")
def undisturbed(examples, tmp_path_factory):
    torch.set_num_threads(1)
    return trainer(examples, tmp_path_factory.mktemp("whole")).run()


def assert_same(result, expected):
    assert result[1] == expected[1]
    for key, value in expected[0].items():
        np.testing.assert_array_equal(result[0][key].numpy(), value.numpy())


@pytest.mark.parametrize("after", [1, 2, 3, 5])
def test_a_training_that_is_asked_to_stop_goes_on_to_the_same_end(
    examples, undisturbed, tmp_path, after
):
    learner = trainer(examples, tmp_path)
    interrupt(learner, after, lambda: os.kill(os.getpid(), signal.SIGTERM))
    with pytest.raises(SystemExit) as stopped:
        learner.run()
    assert stopped.value.code == 128 + signal.SIGTERM and (tmp_path / "c.pt").exists()
    assert_same(trainer(examples, tmp_path).run(), undisturbed)


def test_a_killed_training_goes_on_from_its_last_epoch(examples, undisturbed, tmp_path):
    class Killed(Exception):
        pass

    def kill():
        raise Killed

    learner = trainer(examples, tmp_path)
    interrupt(learner, 5, kill)
    with pytest.raises(Killed):
        learner.run()
    assert_same(trainer(examples, tmp_path).run(), undisturbed)


def test_a_checkpoint_of_other_data_is_not_used(examples, undisturbed, tmp_path):
    learner = trainer(examples, tmp_path, digest="other")
    interrupt(learner, 5, lambda: os.kill(os.getpid(), signal.SIGTERM))
    with pytest.raises(SystemExit):
        learner.run()
    assert_same(trainer(examples, tmp_path).run(), undisturbed)


@pytest.mark.parametrize("content", [b"", b"no checkpoint"])
def test_a_damaged_checkpoint_means_a_new_start(examples, undisturbed, tmp_path, content):
    (tmp_path / "c.pt").write_bytes(content)
    assert_same(trainer(examples, tmp_path).run(), undisturbed)


def test_the_checkpoint_is_gone_at_the_end(examples, tmp_path):
    trainer(examples, tmp_path).run()
    assert not list(tmp_path.iterdir())


def test_signals_are_as_before_afterwards(examples, tmp_path):
    before = signal.getsignal(signal.SIGTERM)
    trainer(examples, tmp_path).run()
    assert signal.getsignal(signal.SIGTERM) is before


@pytest.mark.parametrize("optimiser", ["sgd", "adam"])
def test_other_optimisers_go_on_to_the_same_end_too(examples, tmp_path, optimiser):
    recipe = {"optimiser": optimiser, "schedule": "exponential", "average_decay": 0}
    recipe["parts"] = {"stem": {"rate": 0.1, "frozen_epochs": 1, "fixed_norms": True}}
    uninterrupted = trainer(examples, tmp_path, **recipe).run()
    learner = trainer(examples, tmp_path, **recipe)
    interrupt(learner, 4, lambda: os.kill(os.getpid(), signal.SIGTERM))
    with pytest.raises(SystemExit):
        learner.run()
    assert_same(trainer(examples, tmp_path, **recipe).run(), uninterrupted)


def test_a_frozen_part_with_fixed_norms_stays_as_it_was(examples, tmp_path):
    parts = {"stem": {"frozen_epochs": 3, "fixed_norms": True}}
    learner = trainer(examples, tmp_path, parts=parts)
    before = {key: value.clone() for key, value in learner.backbone.network.state_dict().items()}
    learner.run()
    for key, value in learner.backbone.network.state_dict().items():
        assert torch.equal(value, before[key]) == key.startswith("stem."), key


def test_rates_follow_the_schedule_and_the_part(examples, tmp_path):
    parts = {"stem": {"rate": 0.1}}
    learner = trainer(examples, tmp_path, schedule="exponential", warmup_epochs=0, parts=parts)
    for progress, factor in ((0, 1), (0.9, 1), (1, 0.5), (2.5, 0.25)):
        learner._set_rate(progress)
        rates = [group["lr"] for group in learner.optimiser.param_groups]
        np.testing.assert_allclose(rates, [0.0002 * factor, 0.002 * factor])


def test_a_part_that_is_not_there_is_named(examples, tmp_path):
    with pytest.raises(InputError, match="names 'encoder', which has no parameter"):
        trainer(examples, tmp_path, parts={"encoder": {}})


def test_bf16_keeps_float32_weights_and_comes_near_them(examples, undisturbed, tmp_path):
    state_dict, history = trainer(examples, tmp_path, precision="bf16").run()
    assert {value.dtype for value in state_dict.values()} <= {torch.float32, torch.int64}
    # after some ten steps: gradients rounded to 8 bits still point in nearly the same direction
    np.testing.assert_allclose(history[-1]["kld"], undisturbed[1][-1]["kld"], rtol=0.02)
    changed = [not torch.equal(state_dict[key], undisturbed[0][key]) for key in state_dict]
    assert any(changed)


@pytest.mark.parametrize("name", ["cmrnet", "unisal"])
def test_the_last_map_of_a_log_density_is_not_rounded_to_bf16(name):
    torch.manual_seed(2)
    network, x = build(name), torch.randn(1, 3, 64, 96)
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        maps = network(x)
    assert maps.dtype == torch.float32
    assert not torch.equal(maps, maps.bfloat16().float())


def test_batches_of_one_are_kept_where_they_are_wanted():
    rng = np.random.default_rng(1)
    made = training.make_examples(make_block([(32, 48)] * 5), (32, 48))
    assert [len(batch) for batch in training._batches(made, 1, rng)] == [1] * 5
    assert sorted(len(batch) for batch in training._batches(made, 2, rng)) == [2, 2]


def test_a_training_of_other_settings_stimuli_or_fixations_has_another_digest():
    block, moved, other = (make_block([(20, 30)]) for _ in range(3))
    moved.x[0] += 1
    other.sha256[0] = "f" * 64
    digests = [training.digest([{"rate": 0.1}], blocks) for blocks in ([block], [moved], [other])]
    digests.append(training.digest([{"rate": 0.2}], [block]))
    assert len(set(digests)) == 4
    assert training.digest([{"rate": 0.1}], [make_block([(20, 30)])]) == digests[0]


def test_examples_of_blocks_are_those_of_each_without_stimuli_that_nobody_looked_at():
    blocks = [make_block([(20, 30)] * 2), make_block([(30, 20)], n_points=0)]
    found = training.examples_of(blocks, geometry.Box(32, 48), geometry.content)
    assert len(found) == 2
    alone = training.make_examples(blocks[0], geometry.Box(32, 48))
    np.testing.assert_array_equal(found[1].points, alone[1].points)
