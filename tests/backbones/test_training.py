import dataclasses
import os
import signal

import numpy as np
import pytest
import torch
from helpers import make_block

from gaborscope.backbones import examples as reading
from gaborscope.backbones import training
from gaborscope.backbones.backbone import build, describe
from gaborscope.errors import InputError
from gaborscope.stimuli import geometry
from gaborscope.store.scratch import Scratch

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
    made = list(reading.make_examples(block, (32, 48)))
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
    sizes = [(32, 48)] * 5
    assert [len(batch) for batch in training._batches(sizes, 1, rng)] == [1] * 5
    assert sorted(len(batch) for batch in training._batches(sizes, 2, rng)) == [2, 2]


def test_a_training_of_other_settings_stimuli_or_fixations_has_another_digest(examples):
    fit, validation = examples

    def changed(**changes):
        return [dataclasses.replace(fit[0], **changes), *fit[1:]]

    moved = fit[0].points.copy()
    moved[0, 1] += 1  # y
    digests = [
        training.digest([{"rate": 0.1}], *splits)
        for splits in (
            (fit, validation),
            (changed(points=moved), validation),
            (changed(content=fit[0].content[::-1]), validation),
            (changed(sigma_px=2 * fit[0].sigma_px), validation),
            ([*fit, *validation], []),
        )
    ]
    digests.append(training.digest([{"rate": 0.2}], fit, validation))
    assert len(set(digests)) == 6
    assert training.digest([{"rate": 0.1}], Scratch(fit), validation) == digests[0]


def test_examples_of_blocks_are_those_of_each_without_stimuli_that_nobody_looked_at():
    blocks = [make_block([(20, 30)] * 2), make_block([(30, 20)], n_points=0, seed=3)]
    blocks[1].names[:] = ["unseen.png"]
    found, points = reading.gather(iter(blocks), geometry.Box(32, 48), geometry.content)
    assert len(found) == 2
    alone = list(reading.make_examples(blocks[0], geometry.Box(32, 48)))
    np.testing.assert_array_equal(found[1].points, alone[1].points)
    np.testing.assert_array_equal(found[1].content, alone[1].content)
    assert {name: len(array) for name, array in points.items()} == {
        "s0.png": 12, "s1.png": 12, "unseen.png": 0,
    }  # fmt: skip


def test_a_training_on_disk_is_the_training_in_memory(examples, undisturbed, tmp_path):
    assert_same(trainer([Scratch(split) for split in examples], tmp_path).run(), undisturbed)


def test_a_training_that_diverges_stops_and_says_so(examples, tmp_path):
    sentence = "diverged in epoch 1 .the loss is not finite.; lower training.learning_rate$"
    with pytest.raises(InputError, match=sentence):
        trainer(examples, tmp_path, learning_rate=1e30).run()


def test_a_training_that_diverges_in_validation_alone_stops_too(examples, tmp_path):
    learner = trainer(examples, tmp_path)
    step = learner._step

    def spoil(batch):
        loss = step(batch)
        next(learner.average.parameters()).data.fill_(float("nan"))
        return loss

    learner._step = spoil
    with pytest.raises(InputError, match="diverged in epoch 1"):
        learner.run()


def test_a_training_that_does_not_beat_the_centre_bias_stops_again_and_again(
    examples, undisturbed, tmp_path
):
    weights = SETTINGS["loss"]
    losses = [training.combined(r["kld"], r["cc"], r["nss"], weights) for r in undisturbed[1]]
    for _ in range(2):  # the second one from the checkpoint
        with pytest.raises(InputError, match="learned nothing in 3 epochs"):
            trainer(examples, tmp_path).run(min(losses))
    assert_same(trainer(examples, tmp_path).run(min(losses) + 1e-9), undisturbed)


def test_what_is_to_beat_is_the_best_centre_bias(examples):
    _, validation = examples
    none = {"cc": 0.0, "nss": 0.0}
    centre = {"a": np.full((50, 2), 0.5)}
    # fixations drawn uniformly: no bump is better than the uniform density
    density, _, _ = reading.targets_of(validation)
    flat = density.flatten(1).double().numpy()
    expected = np.mean([(p[p > 0] * np.log(p[p > 0] * p.size)).sum() for p in flat])
    assert training.centre_bias_loss(centre, validation, none) == pytest.approx(expected, rel=1e-5)
    looked = [dataclasses.replace(e, points=np.tile([[23.5, 15.5]], (9, 1))) for e in validation]
    assert training.centre_bias_loss(centre, looked, none) < 0.5 * training.centre_bias_loss(
        {"a": np.full((50, 2), 0.1)}, looked, none
    )


def test_a_constant_map_has_a_gradient():
    maps = torch.zeros(1, 4, 6, requires_grad=True)
    density = torch.rand(1, 4, 6)
    terms = training.loss_terms(maps, density / density.sum(), density, torch.ones(1, 4, 6) > 0)
    sum(terms).sum().backward()
    assert maps.grad.isfinite().all()
