"""Which bends and products of pooled energies a readout may use, by the gain that they bring."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from gaborscope.explanation import layers as layer_tools
from gaborscope.explanation.layers import FittedLayer
from gaborscope.filters.terms import Terms
from gaborscope.fitting import nonlinearity
from gaborscope.fitting.statistics import DEAD
from gaborscope.stimuli import geometry
from gaborscope.stimuli.block import StimulusBlock

KNOTS = (-0.5, 0.5, 1.5)  # standard deviations from the mean of an energy
CELLS = 400  # of a stimulus, at most
CANDIDATES = 96  # bends, and products, of a layer that are offered to its maps
# Regressors that count as energies; without an amplitude a readout has nothing to bend.
ENERGIES = ("amplitude", "normalised")


class Samples:
    """
    Energies and what the linear fit leaves of the maps, at some cells of some stimuli.

    Parameters
    ----------
    layers : sequence of FittedLayer
        The linear fit, with the same regressors.
    seed : int
        Of the cells.
    """

    def __init__(self, layers: Sequence[FittedLayer], seed: int) -> None:
        self.layers = layers
        kinds = layer_tools.make_regressors(layers[0].settings).table()["kind"]
        wanted = next((kind for kind in ENERGIES if (kinds == kind).any()), None)
        self.energies = np.flatnonzero(kinds == wanted)
        self._rng = np.random.default_rng(seed)
        self._parts: dict[str, list[tuple[np.ndarray, np.ndarray, np.ndarray]]] = {
            fitted.name: [] for fitted in layers
        }

    def add(self, block: StimulusBlock, activations: Iterable[Any], n_stimuli: int) -> None:
        """
        Add stimuli of a block, evenly over it.

        Parameters
        ----------
        block : StimulusBlock
        activations : iterable
            As `read_layers` yields them.
        n_stimuli : int
            At most.
        """
        n = len(block.names)
        wanted = {round(place) for place in np.linspace(0, n - 1, min(n, n_stimuli))}
        for index, valid, input_size, maps in activations:
            if index not in wanted:
                continue
            placement = geometry.Placement(input_size, *valid)
            regressors = layer_tools.regressors_at(block.view(index), placement, self.layers)
            for fitted, phi in zip(self.layers, regressors, strict=True):
                self._add(fitted, phi, maps[fitted.name], placement)

    def _add(self, fitted, phi, maps, placement):
        cells = (slice(None), *fitted.layer.grid(placement).cells(placement))
        values = maps[cells].reshape(len(maps), -1)
        phi = phi.reshape(len(phi), -1)
        n = values.shape[1]
        chosen = np.sort(self._rng.choice(n, min(CELLS, n), replace=False))
        passed = fitted.layer.passed or "none"
        values = nonlinearity.plain(values[:, chosen], passed)
        rest = values - fitted.weight @ phi[:, chosen] - fitted.intercept[:, None]
        self._parts[fitted.name].append(
            (phi[self.energies][:, chosen], rest.astype(np.float32), values)
        )

    def choose(self, name: str, products: bool) -> Terms:
        """
        Choose the terms that a layer's maps are offered.

        A term's gain is the share of the maps' variance that it takes alone from what the linear
        fit leaves, summed over the maps.

        Parameters
        ----------
        name : str
            Of a layer.
        products : bool
            Whether products are chosen too.

        Returns
        -------
        terms : Terms
            At most `CANDIDATES` bends and as many products; none if there are no energies.
        """
        if not len(self.energies) or not self._parts[name]:
            return Terms({}, {}, (), ())
        energies, rest, values = (
            np.concatenate(part, axis=1) for part in zip(*self._parts[name], strict=True)
        )
        mean, spread = energies.mean(axis=1), energies.std(axis=1)
        moving = spread > 1e-6 * max(spread.max(), np.finfo(np.float32).tiny)
        spread = np.where(moving, spread, 1)
        standard = (energies - mean[:, None]) / spread[:, None]
        variance = values.var(axis=1)
        alive = variance > DEAD * max(variance.max(), np.finfo(np.float32).tiny)
        rest = rest[alive] - rest[alive].mean(axis=1, keepdims=True)
        rest /= np.sqrt(variance[alive])[:, None]
        bends = _best_bends(standard, rest, moving)
        pairs = _best_products(standard, rest, moving) if products else []
        used = sorted({e for e, _ in bends} | {e for pair in pairs for e in pair})
        number = self.energies
        return Terms(
            {int(number[e]): float(mean[e]) for e in used},
            {int(number[e]): float(spread[e]) for e in used},
            tuple((int(number[e]), knot) for e, knot in bends),
            tuple((int(number[one]), int(number[other])) for one, other in pairs),
        )


def _best_bends(standard, rest, moving):
    """Return the bends (energy, knot) of largest gain, in the order of energy and knot."""
    found = []
    for knot in KNOTS:
        bent = np.maximum(standard - knot, 0)
        covariance = rest @ bent.T / bent.shape[1]  # the rest has mean 0
        gain = (covariance**2).sum(axis=0) / np.maximum(bent.var(axis=1), 1e-6)
        found += [(gain[e], e, knot) for e in np.flatnonzero(moving)]
    best = sorted(found, reverse=True)[:CANDIDATES]
    return sorted((int(e), knot) for _, e, knot in best)


def _best_products(standard, rest, moving):
    """Return the pairs of different energies whose products have the largest gain, in order."""
    n = standard.shape[1]
    first = standard @ standard.T / n
    variance = (standard**2) @ (standard**2).T / n - first**2
    gain = np.zeros_like(first)
    for row in rest:
        gain += ((standard * row) @ standard.T / n) ** 2
    gain /= np.maximum(variance, 1e-6)
    gain[~moving] = gain[:, ~moving] = 0
    one, other = np.triu_indices(len(standard), 1)
    best = np.argsort(gain[one, other])[::-1][:CANDIDATES]
    pairs = zip(one[best].tolist(), other[best].tolist(), gain[one, other][best], strict=True)
    return sorted((a, b) for a, b, value in pairs if value > 0)


def choose(
    layers: Sequence[FittedLayer],
    blocks: Iterable[tuple[StimulusBlock, Iterable[Any]]],
    n_stimuli: int,
    products: bool,
    seed: int,
) -> dict[str, dict[str, Any]]:
    """
    Choose the terms that the maps of each layer are offered.

    Parameters
    ----------
    layers : sequence of FittedLayer
        The linear fit that the readout goes on from.
    blocks : iterable of (StimulusBlock, activations)
        Of the fit split; activations as `read_layers` yields them.
    n_stimuli : int
        Of each block, at most.
    products : bool
        Whether products are chosen too.
    seed : int

    Returns
    -------
    chosen : dict of str to dict
        By layer, `pool` of the linear fit, and `offered`: its terms as JSON.
    """
    samples = Samples(layers, seed)
    for block, activations in blocks:
        samples.add(block, activations, n_stimuli)
    return {
        fitted.name: {
            "pool": fitted.settings["pool"],
            "offered": samples.choose(fitted.name, products).to_json(),
        }
        for fitted in layers
    }
