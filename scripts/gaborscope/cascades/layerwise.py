"""Fit a cascade by ridge, layer by layer: each from the reconstructed layers before it."""

import logging
import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch

from gaborscope.cascades import observed as observing
from gaborscope.cascades.network import CascadeNet, EdgeFeatures, pass_nonlinearity, weighted_sum
from gaborscope.cascades.observed import image_tensors
from gaborscope.explanation.cascade import Cascade, CascadeLayer, Edge, between, grid_of
from gaborscope.fitting import statistics as fitting_statistics
from gaborscope.fitting.ridge import RidgePath
from gaborscope.fitting.sparse import solve_sparse
from gaborscope.fitting.statistics import DEAD, Statistics, inverse_spread, summary_of_maps
from gaborscope.stimuli.geometry import Box, Placement
from gaborscope.store.scratch import Scratch

log = logging.getLogger(__name__)

BATCH = 8  # stimuli


class CascadeFit:
    """
    Layer-wise least squares for a cascade.

    A layer reads the *reconstructions* of its parents, which were fitted before it; the real
    activations serve as targets only. Neighbouring layers that read the same parents on the same
    grid are fitted together.

    Parameters
    ----------
    observed : Observed
    graph : dict
        From `graph.measure_graph`.
    box : geometry.Box
    settings : dict
        `image` and `edge` (settings of the regressors of the image and of the edges), `control`
        (null, or the bank that replaces the log-Gabors in both) and its `draw`, `channels` (of a
        parent with more channels, so many principal channels are filtered), `cells` (fitted per
        stimulus and layer), `penalties`, `budget` (null, or the largest number of regressors per
        map).
    seed : int
    """

    def __init__(
        self,
        observed: observing.Observed,
        graph: Mapping[str, Any],
        box: Box | tuple[int, int],
        settings: Mapping[str, Any],
        seed: int,
    ) -> None:
        self.observed, self.graph, self.settings = observed, graph, settings
        self.rng = np.random.default_rng(seed)
        control = {key: settings[key] for key in ("control", "draw")}
        image, edge = ({**settings[key], **control} for key in ("image", "edge"))
        self.model = Cascade(box, image, edge, [])

    def run(
        self, fit: Sequence[observing.Example], validation: Sequence[observing.Example]
    ) -> Cascade:
        """
        Fit all layers.

        Activations at the drawn cells and reconstructions are kept on disk
        (`store.scratch.Scratch`). The memory needed does not grow with the number of stimuli.

        Parameters
        ----------
        fit, validation : sequence of Example
            Read for every layer that reads the image.

        Returns
        -------
        model : cascade.Cascade
        """
        batches = [*_batches(fit, held_out=False), *_batches(validation, held_out=True)]
        groups = _fitted_together(self.graph, self.observed.layers)
        targets = self._targets(groups, batches)
        outputs: dict[str, Scratch] = {}
        for position, names in enumerate(groups):
            later = [name for group in groups[position + 1 :] for name in group]
            needed = {parent for name in later for parent in self.graph[name]["parents"]}
            of_group = (targets[i] for i in range(position, len(targets), len(groups)))
            self._add_layers(names, batches, of_group, outputs, needed)
            outputs = {name: maps for name, maps in outputs.items() if name in needed}
        return self.model

    def _targets(self, groups, batches):
        """By batch and group of layers, draw cells and keep the activations (float16) there."""
        drawn = Scratch(self._draw(names[0], batch) for names in groups for batch in batches)
        targets = Scratch()
        for number, batch in enumerate(batches):
            seen = [example.seen for example in batch.read()]
            activations, _ = self.observed.look(seen, batch.placement)
            for position, names in enumerate(groups):
                cells = drawn[position * len(batches) + number]
                chosen = [activations[name].flatten(2)[:, :, cells] for name in names]
                targets.append((cells, torch.cat(chosen, dim=1).half().cpu().numpy()))
        return targets

    def _draw(self, name, batch):
        """Draw some of a layer's valid cells, counted row by row."""
        _, valid = grid_of(self.observed.layers[name], batch.placement)
        n_cells = math.prod(along.stop - along.start for along in valid)
        return self.rng.permutation(n_cells)[: self.settings["cells"]]

    def _add_layers(self, names, batches, targets, outputs, needed):
        """Fit layers that share parents and grid, and reconstruct those needed on all batches."""
        first, layers = names[0], self.observed.layers
        edges = [
            Edge(
                parent,
                node["kind"],
                *between(node, layers[parent], layers[first]),
                *self._basis(outputs[parent]),
            )
            for parent, node in self.graph[first]["parents"].items()
        ]
        channels = [layers[name].channels for name in names]
        empty = np.zeros((sum(channels), 0), np.float32)
        joint = CascadeLayer(
            "+".join(names), layers[first], self.graph[first]["image"], edges, empty,
            np.zeros(sum(channels), np.float32), np.zeros(sum(channels), np.float32), np.zeros(0),
            np.zeros(sum(channels), np.float32),
        )  # fmt: skip
        readers = self._readers(joint)
        statistics: list[_Sums | None] = [None, None]
        for number, (batch, (cells, activation)) in enumerate(zip(batches, targets, strict=True)):
            parents = self._parents(readers, number, outputs)
            phi = self._regressors(joint, readers, batch, parents, cells)
            sums = statistics[batch.held_out] or _Sums(phi.shape[1], sum(channels), phi.device)
            statistics[batch.held_out] = sums
            chosen = [
                part.to(phi.device).float().transpose(0, 1).flatten(1)
                for part in (phi, torch.from_numpy(activation))
            ]
            sums.add(*chosen)
        solved = self._solve(*(sums.statistics() for sums in statistics if sums is not None))
        start = 0
        for name, n in zip(names, channels, strict=True):
            rows = slice(start, start + n)
            start += n
            self.model.layers.append(
                CascadeLayer(
                    name, layers[name], joint.image, edges,
                    solved["weight"][rows], solved["intercept"][rows], solved["residual_sd"][rows],
                    solved["regressor_sd"], solved["map_sd"][rows],
                )
            )  # fmt: skip
        if needed & set(names):
            self._reconstruct(names, joint, readers, batches, outputs)
        log.info(
            "%s: explained variance %.3f on validation stimuli, %d regressors (penalty %g)",
            ", ".join(names), solved["pooled"], len(solved["regressor_sd"]), solved["penalty"],
        )  # fmt: skip

    def _readers(self, joint):
        known = self.observed.layers
        return [
            EdgeFeatures(edge, known[edge.parent], joint.layer, self.model.edge_settings).to(
                self.observed.device
            )
            for edge in joint.edges
        ]

    def _image(self, joint, batch):
        """Return the regressors of the image (n, K, row, column), None where they are not read."""
        if not joint.image:
            return None
        alone = Cascade(self.model.box, self.model.image_settings, {}, [joint])
        contents = [example.content for example in batch.read()]
        return image_tensors(alone, contents, batch.placement, self.observed.device)[joint.name]

    def _parents(self, readers, number, outputs):
        """Return the reconstructed output of each edge's parent on a batch."""
        return [
            torch.from_numpy(outputs[reader.edge.parent][number]).float().to(self.observed.device)
            for reader in readers
        ]

    @torch.no_grad()
    def _regressors(self, joint, readers, batch, parents, cells):
        """Return the regressors of a layer at some of its cells, tensor (n, K, cell)."""
        phi = self._image(joint, batch)
        parts = [] if phi is None else [phi.flatten(2)[:, :, cells]]
        for reader, maps in zip(readers, parents, strict=True):
            parts.append(reader.at(cells, maps, batch.placement))
        return torch.cat(parts, dim=1)

    def _candidates(self, fit):
        """Yield the fits to choose from: one per penalty, or a sparse one if there is a budget."""
        budget = self.settings["budget"]
        if budget is not None:
            yield 0.0, *solve_sparse(fit, budget, "ols")
            return
        path = RidgePath(fit)
        for penalty in self.settings["penalties"]:
            yield penalty, *path.solve(penalty)

    def _solve(self, fit, validation):
        best = None
        for penalty, weight, intercept in self._candidates(fit):
            _, pooled = fitting_statistics.explained_variance(validation, weight, intercept)
            if best is None or fitting_statistics.higher(pooled, best[0]):
                best = (pooled, penalty, weight, intercept)
        if best is None:
            raise ValueError("there is no penalty to choose; give at least one")
        pooled, penalty, weight, intercept = best
        error = validation.squared_error(weight, intercept)
        inverse = inverse_spread(fit)
        single = {
            "weight": weight,
            "intercept": intercept,
            "residual_sd": np.sqrt(np.maximum(error, 0) / validation.n),
            "regressor_sd": np.divide(1, inverse, out=np.zeros_like(inverse), where=inverse > 0),
            "map_sd": np.sqrt(fit.total_variation() / fit.n),
        }
        return {
            **{key: values.astype(np.float32) for key, values in single.items()},
            "pooled": pooled,
            "penalty": penalty,
        }

    @torch.no_grad()
    def _reconstruct(self, names, joint, readers, batches, outputs):
        layers = [layer for layer in self.model.layers if layer.name in names]
        weight, intercept, residual = (
            torch.from_numpy(np.concatenate([getattr(layer, key) for layer in layers])).to(
                self.observed.device
            )
            for key in ("weight", "intercept", "residual_sd")
        )
        for name in names:
            outputs[name] = Scratch()
        for number, batch in enumerate(batches):
            linear = weighted_sum(
                weight, intercept, self._image(joint, batch), readers,
                self._parents(readers, number, outputs), batch.placement,
            )  # fmt: skip
            first = 0
            for layer in layers:
                rows = slice(first, first + len(layer.weight))
                first += len(layer.weight)
                maps = pass_nonlinearity(linear[:, rows], residual[rows], layer.layer.nonlinearity)
                outputs[layer.name].append(maps.half().cpu().numpy())

    def _basis(self, outputs):
        """Return principal channels of a parent and their share; None and 1 for few channels."""
        wide, most = outputs[0].shape[1], self.settings["channels"]
        if wide <= most:
            return None, 1.0
        total, square, n = np.zeros(wide), np.zeros((wide, wide)), 0
        for batch in outputs:
            for maps in batch.astype(np.float32):
                flat = maps.reshape(wide, -1)
                total += flat.sum(axis=1)
                square += flat @ flat.T
                n += flat.shape[1]
        covariance = square / n - np.outer(total / n, total / n)
        value, vector = np.linalg.eigh(covariance)
        share = float(value[-most:].sum() / max(value.sum(), 1e-30))
        return np.ascontiguousarray(vector[:, ::-1][:, :most].T, dtype=np.float32), share


class _Batch(NamedTuple):
    """Examples that share their placement: their indices in a split, fit or held out."""

    split: Sequence[observing.Example]
    indices: list[int]
    placement: Placement
    held_out: bool

    def read(self) -> list[observing.Example]:
        """Read the examples."""
        return [self.split[i] for i in self.indices]


def _batches(split, held_out):
    """Yield the batches of a split."""
    places = observing.placements(split)
    for indices in observing.batches(places, BATCH):
        yield _Batch(split, indices, places[indices[0]], held_out)


class _Sums:
    """Statistics summed on the network's device: products in float32, sums in float64."""

    def __init__(self, n_regressors: int, n_maps: int, device: torch.device) -> None:
        k, c = n_regressors, n_maps
        shapes = (k, k), (k, c), (k,), (c,), (c, c)
        self.parts = [torch.zeros(shape, dtype=torch.float64, device=device) for shape in shapes]
        self.n = 0

    def add(self, phi, activation):
        """Add pixels: regressors (K, pixel) and activations (C, pixel), float32."""
        products = (phi @ phi.T, phi @ activation.T, phi.sum(1), activation.sum(1))
        for total, part in zip(self.parts, (*products, activation @ activation.T), strict=True):
            total += part
        self.n += phi.shape[1]

    def statistics(self):
        """Return the sums as `Statistics` on the CPU."""
        gram, cross, sum_phi, sum_, cov = (part.cpu().numpy() for part in self.parts)
        return Statistics(gram, cross, sum_phi, sum_, cov, self.n)


def _fitted_together(graph, layers):
    """Group neighbours in the order of execution that read the same parents on the same grid."""
    groups, keys = [], []
    for name, node in graph.items():
        layer = layers[name]
        key = (
            node["image"],
            str(node["parents"]),
            layer.stride,
            layer.offset_px,
            layer.shape,
        )
        if keys and keys[-1] == key:
            groups[-1].append(name)
        else:
            groups.append([name])
            keys.append(key)
    return groups


def explained_variance(
    net: CascadeNet, observed: observing.Observed, examples: Sequence[observing.Example]
) -> dict[str, tuple[np.ndarray, float]]:
    """
    Explained variance of every layer of a cascade.

    Parameters
    ----------
    net : CascadeNet
    observed : Observed
    examples : sequence of Example

    Returns
    -------
    explained : dict of str to (float64 array (C,), float)
        By layer, per map (nan where the map is dead) and pooled over the maps. Explained is the
        input of the nonlinearity, its variance taken about the mean over these examples.
    """
    sums = {}
    with torch.no_grad():
        for batch in observing.read_batches(examples, BATCH):
            placement = batch[0].placement
            contents = [example.content for example in batch]
            activations, _ = observed.look([example.seen for example in batch], placement)
            phi = image_tensors(net.model, contents, placement, observed.device)
            linear, _ = net(phi, placement)
            for name, predicted in linear.items():
                real = activations[name].double()
                error = (real - predicted.double()).pow(2)
                parts = [error, real, real.pow(2), torch.ones_like(real)]
                batch_sums = np.array([part.sum(dim=(0, 2, 3)).cpu().numpy() for part in parts])
                sums[name] = sums.get(name, 0) + batch_sums
    return {name: _explained(*parts) for name, parts in sums.items()}


def variance_rows(
    cascade: Cascade, split: str, explained: dict[str, tuple[np.ndarray, float]]
) -> list[dict]:
    """
    Rows of results/explained_variance of a cascade on one split.

    Parameters
    ----------
    cascade : cascade.Cascade
    split : str
    explained : dict of str to (float array (C,), float)
        By layer, per map and pooled, from `explained_variance`.

    Returns
    -------
    rows : list of dict
        `layer, split`, the columns of `statistics.summary_of_maps`, `regressors`,
        `largest_support` (regressors of the map that has most), `parents` (what the layer reads,
        with the variance that principal channels keep).
    """
    rows = []
    for fitted in cascade.layers:
        read = [f"{edge.parent}:{edge.kind}:{edge.variance:.3f}" for edge in fitted.edges]
        rows.append(
            {
                "layer": fitted.name,
                "split": split,
                **summary_of_maps(*explained[fitted.name]),
                "regressors": fitted.weight.shape[1],
                "largest_support": int((fitted.weight != 0).sum(axis=1).max()),
                "parents": " ".join(read) or "image",
            }
        )
    return rows


def _explained(error, total, square, n):
    variation = square - total**2 / n
    alive = variation > DEAD * max(variation.max(initial=0), np.finfo(float).tiny)
    per_map = np.full(len(error), np.nan)
    per_map[alive] = 1 - error[alive] / variation[alive]
    pooled = 1 - error[alive].sum() / variation[alive].sum() if alive.any() else math.nan
    return per_map, float(pooled)
