import os
import signal

import numpy as np
import pytest
import torch
from helpers import make_block

from gaborscope import backbones, training

SETTINGS = {
    "epochs": 3, "batch_size": 2, "learning_rate": 0.002, "weight_decay": 0.001,
    "warmup_epochs": 1, "average_decay": 0.9, "patience": 3, "seed": 1,
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


def trainer(examples, folder, digest="d"):
    torch.manual_seed(1)
    backbone = backbones.describe("cmrnet", widths=[8, 8, 8])
    device = torch.device("cpu")
    return training.Trainer(backbone, *examples, SETTINGS, device, folder / "c.pt", digest)


def interrupt(one, after, how):
    """Let a trainer meet `how` after a number of steps."""
    step, done = one._step, []

    def stepped(batch):
        done.append(batch)
        if len(done) == after:
            how()
        return step(batch)

    one._step = stepped


@pytest.fixture(scope="module")
def undisturbed(examples, tmp_path_factory):
    torch.set_num_threads(1)
    return trainer(examples, tmp_path_factory.mktemp("whole")).run()


def assert_same(found, wanted):
    assert found[1] == wanted[1]
    for key, value in wanted[0].items():
        np.testing.assert_array_equal(found[0][key].numpy(), value.numpy())


@pytest.mark.parametrize("after", [1, 2, 3, 5])
def test_a_training_that_is_asked_to_stop_goes_on_to_the_same_end(
    examples, undisturbed, tmp_path, after
):
    one = trainer(examples, tmp_path)
    interrupt(one, after, lambda: os.kill(os.getpid(), signal.SIGTERM))
    with pytest.raises(SystemExit) as stopped:
        one.run()
    assert stopped.value.code == 128 + signal.SIGTERM and (tmp_path / "c.pt").exists()
    assert_same(trainer(examples, tmp_path).run(), undisturbed)


def test_a_killed_training_goes_on_from_its_last_epoch(examples, undisturbed, tmp_path):
    class Killed(Exception):
        pass

    def kill():
        raise Killed

    one = trainer(examples, tmp_path)
    interrupt(one, 5, kill)
    with pytest.raises(Killed):
        one.run()
    assert_same(trainer(examples, tmp_path).run(), undisturbed)


def test_a_checkpoint_of_other_data_is_not_used(examples, undisturbed, tmp_path):
    one = trainer(examples, tmp_path, digest="other")
    interrupt(one, 5, lambda: os.kill(os.getpid(), signal.SIGTERM))
    with pytest.raises(SystemExit):
        one.run()
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
