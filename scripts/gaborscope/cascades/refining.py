"""Refine the weights of a cascade by gradient descent, keeping at most k per map; filters stay."""

import concurrent.futures
import hashlib
import json
import logging
import math
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from gaborscope.backbones import weights
from gaborscope.backbones.devices import autocasts
from gaborscope.cascades import observed as observing
from gaborscope.cascades.network import CascadeNet
from gaborscope.cascades.observed import image_tensors
from gaborscope.errors import InputError
from gaborscope.explanation import cascade
from gaborscope.explanation.model import fusion_resampling, grid_shape, log_centre_bias
from gaborscope.stimuli import geometry

log = logging.getLogger(__name__)

FLOOR = 0.02  # last learning rate as a share of the first


class FusedDensity(nn.Module):
    """
    Density of a cascade on the fusion grid, as `ExplainedModel.fuse` makes it, in torch.

    Parameters
    ----------
    model : cascade.Cascade
    settings : dict
        `layers`, `stride`, `smoothing`.
    weight : float array (feature,)
        Weights of the maps of the fused layers, then the weight of the log centre bias.
    centre_bias : float array (row, column)
        Of stimuli that are of none of several data sets.
    centre_biases : dict of str to float array (row, column), optional
        Fitted on several data sets, that of each.
    """

    def __init__(
        self,
        model: cascade.Cascade,
        settings: Mapping[str, Any],
        weight: np.ndarray,
        centre_bias: np.ndarray,
        centre_biases: Mapping[str, np.ndarray] | None = None,
    ) -> None:
        super().__init__()
        self.layers, self.settings = model.fused(settings["layers"]), settings
        self.centre_biases: dict[str | None, np.ndarray] = {None: centre_bias}
        self.centre_biases.update(centre_biases or {})
        self.weight = nn.Parameter(torch.tensor(weight, dtype=torch.float32))
        self._known = {}

    def forward(
        self,
        maps: Mapping[str, torch.Tensor],
        placement: geometry.Placement,
        members: Sequence[str | None] = (None,),
    ) -> torch.Tensor:
        """
        Return the log-densities of stimuli that share their placement.

        Parameters
        ----------
        maps : dict of str to tensor (n, C, row, column)
            By layer.
        placement : geometry.Placement
        members : sequence of str or None (n,)
            Data set of each stimulus, see `log_bias`; one stands for all.

        Returns
        -------
        log_density : tensor (n, cell)
        """
        device = self.weight.device
        along, _ = self._constants(placement)
        score, first = self.weight[-1] * self.log_bias(placement, members), 0
        for fitted in self.layers:
            along_y, along_x = (matrix.to(device) for matrix in along[fitted.name])
            weight = self.weight[first : first + len(fitted.weight)]
            first += len(fitted.weight)
            mixed = torch.einsum("c,ncyx->nyx", weight, maps[fitted.name])
            score = score + (torch.einsum("ry,nyx->nrx", along_y, mixed) @ along_x.T).flatten(1)
        return torch.log_softmax(score, dim=1)

    def log_bias(
        self, placement: geometry.Placement, members: Sequence[str | None] = (None,)
    ) -> torch.Tensor:
        """
        Return the logarithm of the centre bias of stimuli.

        Parameters
        ----------
        placement : geometry.Placement
        members : sequence of str or None (n,)
            Of several data sets, the one of each stimulus; None where there is only one.

        Returns
        -------
        log_bias : float32 tensor (n, cell)
        """
        _, known = self._constants(placement)
        return torch.stack([known[member] for member in members]).to(self.weight.device)

    def _constants(self, placement):
        if placement not in self._known:
            shape = grid_shape(placement.height, placement.width, self.settings["stride"])
            along = {}
            for fitted in self.layers:
                grid, _ = cascade.grid_of(fitted.layer, placement)
                along[fitted.name] = [
                    torch.from_numpy(
                        fusion_resampling(
                            grid, placement, axis, shape[axis], self.settings["smoothing"]
                        )
                    )
                    for axis in (0, 1)
                ]
            log_biases = {
                member: torch.tensor(log_centre_bias(bias, shape), dtype=torch.float32)
                for member, bias in self.centre_biases.items()
            }
            self._known[placement] = along, log_biases
        return self._known[placement]


def vary(
    example: observing.Example, settings: Mapping[str, Any], rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """
    Flip and crop a stimulus at random; the crop is enlarged to the size of the stimulus.

    Parameters
    ----------
    example : Example
    settings : dict
        `flip` (probability), `min_crop` (smallest crop, as a share of the side).
    rng : numpy.random.Generator

    Returns
    -------
    content, seen : arrays, shapes of `example.content` and `example.seen`
        The varied stimulus as the regressors and as the network see it.
    """
    height, width = example.content.shape[:2]
    share = rng.uniform(settings["min_crop"], 1)
    size = (max(2, round(height * share)), max(2, round(width * share)))
    top, left = int(rng.integers(height - size[0] + 1)), int(rng.integers(width - size[1] + 1))
    step = -1 if rng.random() < settings["flip"] else 1
    varied = []
    for image in (example.content, example.seen):
        cut = image[top : top + size[0], left : left + size[1]][:, ::step]
        varied.append(geometry.resize(np.ascontiguousarray(cut), (height, width)))
    content, seen = varied
    return content, seen


def digest(
    settings: Sequence,
    examples: Iterable[Iterable[observing.Example]],
    modules: Iterable[nn.Module] = (),
) -> str:
    """
    Digest of a refinement, so that a checkpoint of other settings or data is not resumed.

    Parameters
    ----------
    settings : sequence
        All settings that decide the outcome, as JSON can write them.
    examples : iterable of sequence of Example
        Split by split.
    modules : iterable of torch.nn.Module
        What is refined, and the networks that it follows.

    Returns
    -------
    digest : str
        SHA-256.
    """
    found = hashlib.sha256(json.dumps(settings, sort_keys=True).encode())
    for split in examples:
        found.update(b"split")
        for example in split:
            found.update(repr((example.name, example.placement)).encode())
            found.update(example.content.tobytes())
            found.update(example.seen.tobytes())
    for module in modules:
        for name, value in module.state_dict().items():
            found.update(name.encode())
            found.update(value.cpu().numpy().tobytes())
    return found.hexdigest()


class Refiner:
    """
    Gradient descent on a cascade's weights.

    The loss has two terms. One is KL(deep model || cascade) on the fusion grid. The other is
    `layer_weight` times the mean over layers of the squared error, relative to the layer's
    variance. With a budget, the smallest standardised weights of each map are removed during the
    first part of the training. Their number falls geometrically, until at most `budget` regressors
    per map are left.

    The weights of the epoch with the lowest KL on the validation split are kept, or those of the
    start, unless it has more regressors than the budget allows.

    Parameters
    ----------
    net : CascadeNet
    fused : FusedDensity
    observed : Observed
    fit, validation : sequence of Example
        Read in every epoch: lists, or `store.scratch.Scratch` to keep them on disk.
    settings : dict
        `epochs, batch_size, learning_rate` (for one regressor per map; divided by the square root
        of their number), `layer_weight, budget` (null: no limit), `prune_until` (share of the
        training at which pruning ends), `flip, min_crop` (see `vary`), `precision` (of the cascade
        and of the network that it follows), `seed`.
    checkpoint : str or Path
    digest : str
        Identifies data, settings and code; a checkpoint of another digest is not used.
    """

    def __init__(
        self,
        net: CascadeNet,
        fused: FusedDensity,
        observed: observing.Observed,
        fit: Sequence[observing.Example],
        validation: Sequence[observing.Example],
        settings: Mapping[str, Any],
        checkpoint: str | Path,
        digest: str,
    ) -> None:
        self.net, self.fused, self.observed = net, fused, observed
        self.fit, self.validation, self.settings = fit, validation, settings
        self.checkpoint, self.digest = Path(checkpoint), digest
        self.placements = observing.placements(fit)
        self.bf16 = autocasts(settings["precision"], observed.device)
        log.info("refinement computes in %s", "bf16" if self.bf16 else "float32")
        groups = [{"params": [fused.weight], "rate": 0.1 * settings["learning_rate"]}]
        for fitted in net.model.layers:
            active = float(net.mask(fitted.name).sum(dim=1).max())
            rate = settings["learning_rate"] / math.sqrt(max(active, 1))
            parameters = [
                net.weights[fitted.name],
                net.intercepts[fitted.name],
                net.softness[fitted.name],
            ]
            groups.append({"params": parameters, "rate": rate})
        self.optimiser = torch.optim.Adam(groups, lr=0.0, betas=(0.9, 0.98))
        self.epoch = 0
        self.best: dict[str, Any] | None = None
        self.to_beat = math.inf

    def run(self) -> int:
        """
        Train, going on from the checkpoint if there is one; keep the best weights.

        Returns
        -------
        epoch : int
            The best; 0 if none was better than the start, whose weights are kept then.

        Raises
        ------
        InputError
            If the loss is not finite, or the best epoch does not beat the centre bias, which only a
            random network need not. The
            checkpoint stays: the same refinement stops at once, one of other settings starts anew.
        """
        self._resume()
        epochs = self.settings["epochs"]
        if not self.epoch:
            self._measure_start()
        while self.epoch < epochs:
            started = time.monotonic()
            losses = self._train_epoch()
            self.epoch += 1
            held_out = self.validate()
            if not (np.isfinite(losses).all() and math.isfinite(held_out)):
                raise InputError(
                    f"refinement diverged in epoch {self.epoch} (the loss is not finite); lower "
                    "the learning_rate of this explanation"
                )
            sparse = self.epoch >= self._pruned_epochs()
            if sparse and (self.best is None or held_out < self.best["value"]):
                self.best = self._state(held_out)
            self._save()
            log.info(
                "epoch %d/%d: KL %.4f, layers %.4f; validation KL %.4f; %.0f s",
                self.epoch, epochs, *losses, held_out, time.monotonic() - started,
            )  # fmt: skip
        if self.best is None:
            raise InputError(
                f"no epoch of {epochs} came after the pruning; raise the epochs of this "
                "explanation, or lower its prune_until"
            )
        beaten = self.best["value"] < self.to_beat
        if not beaten and self.observed.teacher is not None:
            log.warning("the random network is no better than the centre bias, as a null may be")
        elif not beaten:
            raise InputError(
                f"the refinement learned nothing in {epochs} epochs: its lowest validation KL is "
                f"{self.best['value']:.3f}, that of the centre bias {self.to_beat:.3f}; lower the "
                "learning_rate of this explanation, raise its epochs, or add stimuli"
            )
        if not self.best["epoch"]:
            log.warning(
                "not refined: no epoch of %d is better than the start on the validation split, so "
                "the weights of the start are kept; lower the learning_rate or raise the epochs",
                epochs,
            )
        self.net.load_state_dict(self.best["net"])
        self.fused.load_state_dict(self.best["fused"])
        self.checkpoint.unlink(missing_ok=True)
        return self.best["epoch"]

    @torch.no_grad()
    def validate(self) -> float:
        """Mean KL(deep || cascade) on the validation stimuli, nats."""
        total = sum(float(_kl(density, own).sum()) for density, own, *_ in self._held_out())
        return total / len(self.validation)

    @torch.no_grad()
    def _measure_start(self):
        """Measure the centre bias, and the start: the best as long as no epoch is better."""
        start, bias = 0.0, np.zeros(2)
        for density, own, placement, members in self._held_out():
            start += float(_kl(density, own).sum())
            # the uniform density too, the centre bias of infinite width
            for number, power in enumerate((0, 1)):
                rival = torch.log_softmax(power * self.fused.log_bias(placement, members), dim=1)
                bias[number] += float(_kl(density, rival).sum())
        start, self.to_beat = start / len(self.validation), float(bias.min()) / len(self.validation)
        log.info("validation KL of the start %.4f, of the centre bias %.4f", start, self.to_beat)
        budget = self.settings["budget"]
        widest = max(int(self.net.mask(own.name).sum(dim=1).max()) for own in self.net.model.layers)
        if budget is None or widest <= budget:
            self.best = self._state(start)

    def _state(self, value):
        parts = {"net": _copy(self.net), "fused": _copy(self.fused)}
        return {"epoch": self.epoch, "value": value, **parts}

    def _held_out(self):
        """Yield density, the cascade's log-density, placement and data sets of each batch."""
        for batch in observing.read_batches(self.validation, self.settings["batch_size"]):
            placement = batch[0].placement
            contents = [example.content for example in batch]
            phi = image_tensors(self.net.model, contents, placement, self.observed.device)
            _, density = self.observed.look([example.seen for example in batch], placement)
            _, outputs = self.net(phi, placement)
            members = [example.member for example in batch]
            yield density, self.fused(outputs, placement, members), placement, members

    def _pruned_epochs(self):
        if self.settings["budget"] is None:
            return 0
        return math.ceil(self.settings["prune_until"] * self.settings["epochs"])

    def _train_epoch(self):
        rng = np.random.default_rng([self.settings["seed"], self.epoch])
        order = rng.permutation(len(self.fit))
        places = [self.placements[i] for i in order]
        batches = observing.batches(places, self.settings["batch_size"])
        batches = [batches[i] for i in rng.permutation(len(batches))]

        def prepare(batch):
            placement = places[batch[0]]
            varied = [vary(self.fit[order[i]], self.settings, rng) for i in batch]
            contents, seen = zip(*varied, strict=True)
            members = [self.fit[order[i]].member for i in batch]
            phi = image_tensors(self.net.model, contents, placement, self.observed.device)
            return seen, placement, members, phi

        sums, n = np.zeros(2), 0
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            waiting = [pool.submit(prepare, batch) for batch in batches[:2]]
            for step in range(len(batches)):
                seen, placement, members, phi = waiting.pop(0).result()
                if step + 2 < len(batches):
                    waiting.append(pool.submit(prepare, batches[step + 2]))
                progress = (self.epoch + step / len(batches)) / self.settings["epochs"]
                self._prune(progress)
                sums += self._step(seen, placement, members, phi, progress)
                n += 1
        self._prune((self.epoch + 1) / self.settings["epochs"])
        return sums / n

    def _step(self, seen, placement, members, phi, progress):
        with torch.autocast(self.observed.device.type, torch.bfloat16, enabled=self.bf16):
            activations, density = self.observed.look(seen, placement)
            linear, outputs = self.net(phi, placement)
        divergence = _kl(density, self.fused(outputs, placement, members)).mean()
        errors = []
        for fitted in self.net.model.layers:
            scale = getattr(self.net, f"map_scale_{fitted.name}")
            variance = scale.pow(2).sum().clamp(min=1e-12)
            squared = (linear[fitted.name] - activations[fitted.name]).pow(2).mean(dim=(0, 2, 3))
            errors.append(squared.sum() / variance)
        layers = torch.stack(errors).mean()
        warm = min(1.0, (progress * self.settings["epochs"] + 0.02) / 0.25)
        factor = warm * (FLOOR + (1 - FLOOR) * (1 + math.cos(math.pi * progress)) / 2)
        for group in self.optimiser.param_groups:
            group["lr"] = group["rate"] * factor
        self.optimiser.zero_grad()
        (divergence + self.settings["layer_weight"] * layers).backward()
        self.optimiser.step()
        return np.array([divergence.item(), layers.item()])

    @torch.no_grad()
    def _prune(self, progress):
        """Keep the largest weights of each map; `progress` (0 to 1) decides how many."""
        budget = self.settings["budget"]
        if budget is None:
            return
        share = min(1.0, progress / max(self.settings["prune_until"], 1e-9))
        for fitted in self.net.model.layers:
            weight, mask = self.net.weights[fitted.name], self.net.mask(fitted.name)
            n_start = int(mask.sum(dim=1).max()) if progress == 0 else fitted.weight.shape[1]
            keep = max(budget, math.ceil(n_start * (budget / n_start) ** share)) if n_start else 0
            if keep >= int(mask.sum(dim=1).max()):
                continue
            magnitude = weight.abs() * mask
            chosen = magnitude.topk(keep, dim=1).indices
            mask.zero_().scatter_(1, chosen, 1.0)
            mask.mul_(magnitude > 0)

    def _save(self):
        state = {
            "digest": self.digest, "epoch": self.epoch, "net": self.net.state_dict(),
            "fused": self.fused.state_dict(), "optimiser": self.optimiser.state_dict(),
            "best": self.best, "to_beat": self.to_beat,
        }  # fmt: skip
        weights.write_checkpoint(self.checkpoint, state)

    def _resume(self):
        if not self.checkpoint.exists():
            return
        try:
            state = weights.read_checkpoint(self.checkpoint)
        except InputError as error:
            log.warning("training starts anew: %s", error)
            return
        if state.get("digest") != self.digest:
            log.info("the checkpoint is of other data, settings or code: training starts anew")
            return
        self.net.load_state_dict(state["net"])
        self.fused.load_state_dict(state["fused"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.epoch, self.best, self.to_beat = state["epoch"], state["best"], state["to_beat"]
        log.info("going on from the checkpoint after epoch %d", self.epoch)


def _kl(density, log_density):
    """KL(density || exp log_density) of each stimulus in nats."""
    flat = density.flatten(1)
    return torch.xlogy(flat, flat).sum(1) - (flat * log_density).sum(1)


def _copy(module):
    return {key: value.detach().clone() for key, value in module.state_dict().items()}
