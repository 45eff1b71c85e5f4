"""Trainings and fits that cannot end well."""

import errno
import os
import re
import tempfile
from pathlib import Path
from unittest import mock

import numpy as np
import torch
from bad_input.case import Case
from helpers import make_block

from gaborscope.backbones import examples, training, weights
from gaborscope.backbones.backbone import describe
from gaborscope.errors import InputError
from gaborscope.explanation import fusion
from gaborscope.fitting import statistics
from gaborscope.scoring.calibration import Likelihood
from gaborscope.stimuli import geometry
from gaborscope.store.scratch import Scratch

FAMILY = "Trainings and fits"

SETTINGS = {
    "epochs": 1, "batch_size": 4, "learning_rate": 0.002, "weight_decay": 0.001,
    "warmup_epochs": 0, "average_decay": 0.9, "patience": 3, "seed": 1,
    "optimiser": "adamw", "momentum": 0.9, "schedule": "cosine", "decay": 0.5, "clip": 2.0,
    "parts": {}, "norm_momentum": None, "precision": "float32", "channels_last": True,
    "loss": {"cc": 0.1, "nss": 0.1},
    "augmentation": {"flip": 0.5, "min_crop": 0.8, "photometric": 0.2},
}  # fmt: skip


def train(n_points=(10, 10), to_beat=np.inf, **changes):
    """Return a use that trains a small network on noise."""

    def use(folder):
        torch.manual_seed(1)
        box, splits = geometry.Box(32, 48), []
        for n in n_points:
            block = make_block([(32, 48)] * 4, n_points=n)
            splits.append(list(examples.make_examples(block, box)))
        settings, device = {**SETTINGS, **changes}, torch.device("cpu")
        backbone = describe("cmrnet", widths=[8, 8, 8])
        path = folder / "checkpoints/cmrnet.pt"
        training.Trainer(backbone, *splits, settings, device, path, "digest").run(to_beat)

    return use


def learn_nothing(folder):
    """Train at a rate that moves nothing; the loss, which processors round, becomes {loss}."""
    none = {"cc": 0, "nss": 0}
    try:
        train(to_beat=-9.0, learning_rate=1e-9, epochs=1, loss=none)(folder)
    except InputError as error:
        raise InputError(re.sub(r"loss is [\d.-]+", "loss is {loss}", str(error))) from None


def without_room(folder):
    """Write a checkpoint where the disk is full."""

    def full(path, content):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with mock.patch.object(Path, "write_bytes", full):
        weights.write_checkpoint(folder / "checkpoints/cmrnet.pt", {})


def below_a_file(folder):
    """Write a checkpoint into a folder that is a file."""
    (folder / "checkpoints").write_text("")
    weights.write_checkpoint(folder / "checkpoints/cmrnet.pt", {})


def temporary_without_room(folder):
    """Keep something in a temporary folder without room."""
    kept = Scratch()
    kept._file = mock.Mock()
    kept._file.write.side_effect = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    with mock.patch.object(tempfile, "tempdir", str(folder)):
        kept.append("a stimulus")


def one_step_off(folder):
    """Fuse a feature that is constant but for one cell, one step of float16 off."""
    rng = np.random.default_rng(1)
    features = rng.standard_normal((1700, 2)).astype(np.float32)
    constant = np.full(1700, 30_000, np.float16)
    constant[3] += 16
    features[:, 1] = constant
    target = np.exp(features[:, 0]) / np.exp(features[:, 0]).sum()
    batches = [(features, target)]
    return fusion.fit(lambda: batches, lambda: batches, 2, [1e-6]).weight.round(2)[0]


def constant_map(folder):
    """Explain a map that is constant on a high level."""
    phi = np.random.default_rng(1).standard_normal((1, 500)).astype(np.float32)
    sums = statistics.Statistics.empty(1, 1)
    sums.add(phi, np.full((1, 500), 3e4, np.float32))
    return statistics.explained_variance(sums, np.zeros((1, 1)), np.array([3e4]))[0][0]


CASES = [
    Case(
        "a learning rate at which the loss is not finite",
        train(learning_rate=1e30),
        says="training diverged in epoch 1 (the loss is not finite); lower training.learning_rate",
    ),
    Case(
        "a training that does not beat the centre bias",
        learn_nothing,
        says="training learned nothing in 1 epochs: its lowest validation loss is {loss}, that of "
        "the centre bias -9.000; lower training.learning_rate or training.batch_size, raise "
        "training.epochs and training.patience, add stimuli, or take weights that are trained "
        "already",
    ),
    Case(
        "a fit split that nobody looked at",
        train(n_points=(0, 10)),
        says="no stimulus of the fit split has a fixation; training needs some there",
    ),
    Case(
        "a validation split that nobody looked at",
        train(n_points=(10, 0)),
        says="no stimulus of the validation split has a fixation; training needs some there",
    ),
    Case(
        "training.parts with a module that the network has not",
        train(parts={"encoder": {}}),
        says="config: training.parts names 'encoder', which has no parameter; name a module of the "
        "network",
    ),
    Case(
        "a disk that is full when the checkpoint is written",
        without_room,
        says="{folder}/checkpoints/cmrnet.pt cannot be written (No space left on device); make "
        "room and run again",
    ),
    Case(
        "a folder of checkpoints that is a file",
        below_a_file,
        says="{folder}/checkpoints/cmrnet.pt cannot be written (File exists); a file lies where a "
        "folder should be; remove that file",
    ),
    Case(
        "a temporary folder without room for the stimuli of a training or fusion",
        temporary_without_room,
        says="the temporary folder {folder} cannot be written to (No space left on device); make "
        "room there, or set TMPDIR to another folder",
    ),
    Case(
        "a map for the fusion that is constant but for one cell, one step of float16 off",
        one_step_off,
        gives="1.0",
    ),
    Case(
        "a map that is constant on a high level: no explained variance", constant_map, gives="nan"
    ),
    Case(
        "a validation split without fixations, for a temperature",
        lambda folder: Likelihood().fit(),
        says="no validation stimulus has a fixation, so no temperature can be fitted; add "
        "fixations to the validation split",
    ),
]
