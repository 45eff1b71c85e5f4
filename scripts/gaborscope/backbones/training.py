"""Train a saliency backbone on fixations: loss, augmentation, early stopping, checkpoints."""

import contextlib
import copy
import dataclasses
import hashlib
import json
import logging
import math
import signal
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from gaborscope.backbones import weights
from gaborscope.backbones.backbone import Backbone
from gaborscope.backbones.devices import autocasts, move
from gaborscope.backbones.examples import Example, augment, inside, targets_of
from gaborscope.errors import InputError
from gaborscope.stimuli.centre_bias import CentreBias

log = logging.getLogger(__name__)

# The centre bias that a training must beat: widths of the Gaussian around a fixation, as shares of
# the sides of the image, and the share of the uniform density.
CENTRE_BIAS_WIDTHS = (0.02, 0.03, 0.045, 0.07, 0.1, 0.2)
UNIFORM_WEIGHT = 1e-3


def loss_terms(
    log_density: torch.Tensor, density: torch.Tensor, counts: torch.Tensor, mask: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """
    KLD, CC and NSS of each map of a batch on its content; differentiable.

    Parameters
    ----------
    log_density : tensor (n, y, x)
    density : tensor (n, y, x)
        Fixation density, sum 1 on the content.
    counts : tensor (n, y, x)
        Fixations per pixel.
    mask : bool tensor (n, y, x)
        True on the content, False on the padding.

    Returns
    -------
    kld, cc, nss : tensor (n,)
        KL(fixations || model) in nats, Pearson's correlation, normalised scanpath saliency.
    """
    masked = log_density.masked_fill(~mask, -1e4)
    logp = torch.log_softmax(masked.flatten(1), dim=1)
    p, q, m = logp.exp(), density.flatten(1), mask.flatten(1).float()
    kld = torch.xlogy(q, q).sum(1) - (q * logp).sum(1)
    n = m.sum(1, keepdim=True)
    p_dev = (p - p.sum(1, keepdim=True) / n) * m
    q_dev = (q - q.sum(1, keepdim=True) / n) * m
    # the slope of a root is infinite at 0, which a constant map would have
    p_norm = (p_dev.pow(2).sum(1) + 1e-24).sqrt() + 1e-12
    cc = (p_dev * q_dev).sum(1) / (p_norm * (q_dev.pow(2).sum(1).sqrt() + 1e-12))
    z = p_dev / (p_norm[:, None] / n.sqrt())
    f = counts.flatten(1)
    nss = (z * f).sum(1) / f.sum(1).clamp(min=1)
    return kld, cc, nss


def _input_sizes(examples):
    """Return the size of the network's input by example; equal sizes are one object."""
    known = {}
    return [known.setdefault(size, size) for size in (e.placement.input_size for e in examples)]


def _batches(sizes, batch_size, rng):
    """Return lists of indices of equal input size, in random order."""
    by_size = {}
    for index in rng.permutation(len(sizes)):
        by_size.setdefault(sizes[index], []).append(index)
    batches = [
        group[first : first + batch_size]
        for group in by_size.values()
        for first in range(0, len(group), batch_size)
    ]
    # batch normalisation needs at least two examples
    small = batch_size == 1 or len(batches) == 1
    batches = [batch for batch in batches if len(batch) > 1 or small]
    return [batches[index] for index in rng.permutation(len(batches))]


def _forward(backbone, examples, device, layout, bf16=False):
    x = backbone.batch([e.content for e in examples], [e.placement for e in examples])
    x = x.to(device).contiguous(memory_format=layout)
    with torch.autocast(device.type, torch.bfloat16, enabled=bf16):
        maps = backbone.log_maps(x)
    return maps.float()


@torch.no_grad()
def validate(
    backbone: Backbone,
    examples: Sequence[Example],
    batch_size: int,
    device: torch.device,
    layout: torch.memory_format = torch.channels_last,
) -> np.ndarray:
    """
    Mean KLD, CC and NSS on examples without augmentation.

    Parameters
    ----------
    backbone : Backbone
        Its network is put into eval mode.
    examples : sequence of Example
    batch_size : int
    device : torch.device
    layout : torch.memory_format

    Returns
    -------
    scores : float64 array (3,)
    """
    backbone.network.eval()
    by_size, rows = {}, []
    for index, size in enumerate(_input_sizes(examples)):
        by_size.setdefault(size, []).append(index)
    for group in by_size.values():
        for first in range(0, len(group), batch_size):
            batch = [examples[index] for index in group[first : first + batch_size]]
            targets = [t.to(device) for t in targets_of(batch)]
            maps = _forward(backbone, batch, device, layout)
            rows.append(torch.stack(loss_terms(maps, *targets), 1))
    return torch.cat(rows).double().mean(0).cpu().numpy()


@contextlib.contextmanager
def _termination():
    """Yield a list that is empty until SIGTERM arrives (schedulers send it before SIGKILL)."""
    received = []
    try:
        before = signal.signal(signal.SIGTERM, lambda number, frame: received.append(number))
    except ValueError:  # only the main thread can catch signals
        yield received
        return
    try:
        yield received
    finally:
        signal.signal(signal.SIGTERM, before)


def make_optimiser(network: torch.nn.Module, settings: Mapping[str, Any]) -> torch.optim.Optimizer:
    """
    Make an optimiser with one group of parameters for each entry of `parts` and one for the rest.

    Parameters
    ----------
    network : torch.nn.Module
    settings : dict
        See `Trainer`. `parts` maps a prefix of parameter names to the settings of these parameters:
        `rate` (factor of the learning rate), `weight_decay`, `frozen_epochs`, `fixed_norms`.

    Returns
    -------
    optimiser : torch.optim.Optimizer
        Each group also has the keys `rate`, `frozen_epochs` and `part`.

    Raises
    ------
    InputError
        If no parameter has the prefix of a part.
    """
    remaining, groups = dict(network.named_parameters()), []
    for part, part_settings in settings["parts"].items():
        names = [name for name in remaining if name.startswith(f"{part}.")]
        if not names:
            raise InputError(
                f"config: training.parts names {part!r}, which has no parameter; name a module of "
                "the network"
            )
        parameters = [remaining.pop(name) for name in names]
        groups.append({"params": parameters, **part_settings, "part": part})
    groups.append({"params": list(remaining.values()), "part": ""})
    for group in groups:
        group.setdefault("rate", 1.0)
        group.setdefault("weight_decay", settings["weight_decay"])
        group.setdefault("frozen_epochs", 0)
    rate = settings["learning_rate"]
    if settings["optimiser"] == "sgd":
        return torch.optim.SGD(groups, lr=rate, momentum=settings["momentum"])
    kind = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[settings["optimiser"]]
    return kind(groups, lr=rate)


def centre_bias_loss(
    fit: Mapping[str, np.ndarray], examples: Iterable[Example], weights: Mapping[str, float]
) -> float:
    """
    Mean loss of the centre bias on examples: what a network that learned something beats.

    The lowest of several widths, and of the uniform density, the centre bias of infinite width.

    Parameters
    ----------
    fit : dict of str to float64 array (n, 2)
        Relative fixations of the fit split by stimulus.
    examples : iterable of Example
        Of the validation split.
    weights : dict
        `cc, nss`: weights of the loss, see `Trainer`.

    Returns
    -------
    loss : float
    """
    rivals = [CentreBias(fit, (width, width), UNIFORM_WEIGHT) for width in CENTRE_BIAS_WIDTHS]
    rivals.append(CentreBias(fit, (1, 1), uniform_weight=1.0))
    total, n = np.zeros(len(rivals)), 0
    for example in examples:
        place, (density, counts, mask) = example.placement, targets_of([example])
        rows, columns = inside(place)
        maps = torch.zeros(len(rivals), *mask.shape[1:])
        for number, rival in enumerate(rivals):
            values = np.log(rival.density((place.height, place.width)))
            maps[number, rows, columns] = torch.from_numpy(values).float()
        total += combined(*loss_terms(maps, density, counts, mask), weights).numpy()
        n += 1
    return float(total.min() / n)


def combined(kld: Any, cc: Any, nss: Any, weights: Mapping[str, float]) -> Any:
    """
    Return the loss `KLD - w_cc CC - w_nss NSS`.

    Parameters
    ----------
    kld, cc, nss : float or tensor
        See `loss_terms`.
    weights : dict
        `cc, nss`.

    Returns
    -------
    loss : float or tensor
    """
    return kld - weights["cc"] * cc - weights["nss"] * nss


def digest(settings: Sequence, *splits: Iterable[Example]) -> str:
    """
    Digest of a training, so that a checkpoint of other settings or data is not resumed.

    Parameters
    ----------
    settings : sequence
        All settings that decide the outcome, as JSON can write them.
    *splits : iterable of Example
        Examples of all splits, in their order.

    Returns
    -------
    digest : str
        SHA-256.
    """
    found = hashlib.sha256(json.dumps(settings).encode())
    for examples in splits:
        found.update(b"split")
        for example in examples:
            found.update(repr((example.placement, example.sigma_px)).encode())
            found.update(example.content.tobytes())
            found.update(example.points.tobytes())
    return found.hexdigest()


class Trainer:
    """
    Training that can be interrupted at any time and resumed from its checkpoint.

    A checkpoint is saved after each epoch. At SIGTERM, which schedulers send before SIGKILL, the
    trainer finishes the current batch, saves a checkpoint and ends the process. The final result is
    the same as without an interruption.

    The loss is `KLD - w_cc CC - w_nss NSS`. The validated and returned weights are an exponential
    moving average (with `average_decay: 0` the weights of the last step). Training stops when the
    validation loss has not improved for `patience` epochs.

    Each schedule of the learning rate begins with a linear warm-up. Then `cosine` lets the rate
    fall to a hundredth, `exponential` multiplies it by `decay` after each epoch, and `constant`
    keeps it.

    Parameters
    ----------
    backbone : Backbone
    fit, validation : sequence of Example
        Read in every epoch: lists, or `store.scratch.Scratch` to keep them on disk.
    settings : dict
        `optimiser, momentum, schedule, decay, clip, parts, norm_momentum, epochs, batch_size,
        learning_rate, weight_decay, warmup_epochs, average_decay, patience, precision,
        channels_last, loss: {cc, nss}, augmentation: {flip, min_crop, photometric}, seed`, as in
        the config.
    device : torch.device
    checkpoint : str or Path
        File of the checkpoint. If it exists, training resumes from it.
    digest : str
        Identifies data, settings and code. A checkpoint with another digest is not used.
    """

    def __init__(
        self,
        backbone: Backbone,
        fit: Sequence[Example],
        validation: Sequence[Example],
        settings: Mapping[str, Any],
        device: torch.device,
        checkpoint: str | Path,
        digest: str,
    ) -> None:
        for split, examples in (("fit", fit), ("validation", validation)):
            if not examples:
                raise InputError(
                    f"no stimulus of the {split} split has a fixation; training needs some there"
                )
        self.backbone, self.fit, self.validation = backbone, fit, validation
        self.settings, self.device, self.digest = settings, device, digest
        self.checkpoint = Path(checkpoint)
        self.sizes = _input_sizes(fit)
        self.bf16 = autocasts(settings["precision"], device)
        log.info("training computes in %s", "bf16" if self.bf16 else "float32")
        channels_last = settings["channels_last"]
        self.layout = torch.channels_last if channels_last else torch.contiguous_format
        network = backbone.network
        move(network, device, self.layout)
        self.average = copy.deepcopy(network)
        self.optimiser = make_optimiser(network, settings)
        if settings["norm_momentum"] is not None:
            for module in network.modules():
                if isinstance(module, torch.nn.modules.batchnorm._BatchNorm):
                    module.momentum = settings["norm_momentum"]
        self._asked_to_stop = []
        self.state: dict[str, Any] = {
            "epoch": 0, "steps": 0, "best": math.inf, "best_epoch": 0, "history": [],
        }  # fmt: skip
        self.best = copy.deepcopy(self.average.state_dict())

    def run(
        self, to_beat: float = math.inf
    ) -> tuple[dict[str, torch.Tensor], list[dict[str, Any]]]:
        """
        Train up to the last epoch or to the early stop.

        Parameters
        ----------
        to_beat : float
            Validation loss that the best epoch must beat, see `centre_bias_loss`.

        Returns
        -------
        state_dict : dict of str to tensor
            Weights of the best epoch, on the CPU.
        history : list of dict
            For each epoch `epoch, loss, kld, cc, nss`; the last three are of the validation split.

        Raises
        ------
        InputError
            If the loss is not finite, or no epoch beats `to_beat`. The checkpoint stays: the same
            training stops at once, one of other settings starts anew.
        """
        self._resume()
        with _termination() as self._asked_to_stop:
            self._train()
        best, epochs = self.state["best"], self.state["epoch"]
        if not best < to_beat:
            raise InputError(
                f"training learned nothing in {epochs} epochs: its lowest validation loss is "
                f"{best:.3f}, that of the centre bias {to_beat:.3f}; lower "
                "training.learning_rate or training.batch_size, raise training.epochs and "
                "training.patience, add stimuli, or take weights that are trained already"
            )
        self.checkpoint.unlink(missing_ok=True)
        return {key: value.cpu() for key, value in self.best.items()}, self.state["history"]

    def _train(self):
        epochs, patience = self.settings["epochs"], self.settings["patience"]
        while self.state["epoch"] < epochs:
            if self.state["epoch"] - self.state["best_epoch"] >= patience:
                log.info("training stops: no improvement for %d epochs", patience)
                break
            started = time.monotonic()
            self._epoch()
            self._save()
            row, took = self.state["history"][-1], time.monotonic() - started
            log.info(
                "epoch %d/%d: loss %.3f, validation KLD %.3f CC %.3f NSS %.3f%s; %.0f s, "
                "at most %.0f min left",
                row["epoch"],
                epochs,
                row["loss"],
                row["kld"],
                row["cc"],
                row["nss"],
                " (best)" if self.state["best_epoch"] == row["epoch"] else "",
                took,
                took * (epochs - row["epoch"]) / 60,
            )

    def _epoch(self):
        """Train one epoch, then validate the averaged weights."""
        epoch = self.state["epoch"] + 1
        # seeded by epoch, so that a resumed training draws the same batches
        rng = np.random.default_rng([self.settings["seed"], epoch])
        torch.manual_seed(self.settings["seed"] * 100_003 + epoch)
        batches = _batches(self.sizes, self.settings["batch_size"], rng)
        first, total = self._within(rng)
        for number, batch in enumerate(batches):
            if number < first:
                continue
            self._set_rate(epoch - 1 + number / len(batches))
            examples = (self.fit[index] for index in batch)
            augmentation = self.settings["augmentation"]
            total += self._step([augment(example, augmentation, rng) for example in examples])
            self._require_finite(total, epoch)
            if self._asked_to_stop:
                self._leave(number + 1, total, rng)
        averaged = dataclasses.replace(self.backbone, network=self.average)
        size = self.settings["batch_size"]
        scores = validate(averaged, self.validation, size, self.device, self.layout)
        # plain numbers: weights_only refuses NumPy's when the checkpoint is read
        kld, cc, nss = (float(score) for score in scores)
        self.state["epoch"] = epoch
        self.state["history"].append(
            {"epoch": epoch, "loss": total / len(batches), "kld": kld, "cc": cc, "nss": nss}
        )
        value = combined(kld, cc, nss, self.settings["loss"])
        self._require_finite(value, epoch)
        if value < self.state["best"]:
            self.state.update(best=float(value), best_epoch=epoch)
            self.best = copy.deepcopy(self.average.state_dict())

    def _require_finite(self, loss, epoch):
        if not math.isfinite(loss):
            raise InputError(
                f"training diverged in epoch {epoch} (the loss is not finite); "
                "lower training.learning_rate"
            )

    def _within(self, rng):
        """Return the first batch to train and the summed loss before it, 0 in a new epoch."""
        interrupted = self.state.pop("within", None)
        if interrupted is None:
            return 0, 0.0
        rng.bit_generator.state = json.loads(interrupted["rng"])
        torch.set_rng_state(interrupted["torch_rng"].cpu())
        if "cuda_rng" in interrupted:
            torch.cuda.set_rng_state(interrupted["cuda_rng"].cpu(), self.device)
        return interrupted["batch"], interrupted["total"]

    def _leave(self, batch, total, rng):
        """Save a checkpoint in the middle of the epoch and end the process, as SIGTERM asks."""
        self.state["within"] = {
            "batch": batch,
            "total": total,
            "rng": json.dumps(rng.bit_generator.state),
            "torch_rng": torch.get_rng_state(),
        }
        if self.device.type == "cuda":
            self.state["within"]["cuda_rng"] = torch.cuda.get_rng_state(self.device)
        self._save()
        log.info(
            "asked to stop: checkpoint saved after %d batches of epoch %d",
            batch,
            self.state["epoch"] + 1,
        )
        raise SystemExit(128 + signal.SIGTERM)

    def _step(self, batch):
        self._train_mode()
        targets = [t.to(self.device) for t in targets_of(batch)]
        maps = _forward(self.backbone, batch, self.device, self.layout, self.bf16)
        loss = combined(*loss_terms(maps, *targets), self.settings["loss"]).mean()
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.backbone.network.parameters(), self.settings["clip"])
        self.optimiser.step()
        self._update_average()
        return loss.item()

    def _train_mode(self):
        """Switch the network to training mode, except the parts that the config keeps fixed."""
        self.backbone.network.train()
        for group in self.optimiser.param_groups:
            frozen = self.state["epoch"] < group["frozen_epochs"]
            for parameter in group["params"]:
                parameter.requires_grad_(not frozen)
            if group.get("fixed_norms"):
                for module in self.backbone.network.get_submodule(group["part"]).modules():
                    if isinstance(module, torch.nn.modules.batchnorm._BatchNorm):
                        module.eval()

    @torch.no_grad()
    def _update_average(self):
        self.state["steps"] += 1
        decay = min(self.settings["average_decay"], self.state["steps"] / (self.state["steps"] + 9))
        current = self.backbone.network.state_dict()
        for key, value in self.average.state_dict().items():
            if value.is_floating_point():
                value.lerp_(current[key], 1 - decay)
            else:
                value.copy_(current[key])

    def _set_rate(self, progress):
        warmup, epochs = self.settings["warmup_epochs"], self.settings["epochs"]
        schedule, factor = self.settings["schedule"], 1.0
        if progress < warmup:
            factor = (progress + 0.01) / warmup
        elif schedule == "cosine":
            done = (progress - warmup) / max(epochs - warmup, 1)
            factor = 0.01 + 0.99 * (1 + math.cos(math.pi * done)) / 2
        elif schedule == "exponential":
            factor = self.settings["decay"] ** int(progress)
        for group in self.optimiser.param_groups:
            group["lr"] = self.settings["learning_rate"] * factor * group["rate"]

    def _save(self):
        weights.write_checkpoint(
            self.checkpoint,
            {
                "digest": self.digest,
                "state": self.state,
                "network": self.backbone.network.state_dict(),
                "average": self.average.state_dict(),
                "optimiser": self.optimiser.state_dict(),
                "best": self.best,
            },
        )

    def _resume(self):
        if not self.checkpoint.exists():
            return
        try:
            saved = weights.read_checkpoint(self.checkpoint, self.device)
        except InputError as error:
            log.warning("training starts over: %s", error)
            return
        if saved.get("digest") != self.digest:
            log.info("the checkpoint has other data, settings or code; training starts over")
            return
        self.backbone.network.load_state_dict(saved["network"])
        self.average.load_state_dict(saved["average"])
        self.optimiser.load_state_dict(saved["optimiser"])
        self.state, self.best = saved["state"], saved["best"]
        within = self.state.get("within", {}).get("batch", 0)
        log.info(
            "going on from the checkpoint after epoch %d%s",
            self.state["epoch"],
            f" and {within} batches" if within else "",
        )
