"""Bends and products of pooled energies: what a readout adds to the regressors of a layer."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

BEND, PRODUCT = TERM_KINDS = "bend", "product"


@dataclasses.dataclass(frozen=True)
class Terms:
    """
    Terms that a readout adds to the regressors of a layer.

    With s_e the energy e in standard deviations from its mean, a bend is `max(s_e - knot, 0)` and a
    product is `s_e s_f`. The bends of an energy and the energy itself make a curve of straight
    pieces, as in a generalised additive model (Hastie and Tibshirani 1986).

    Attributes
    ----------
    mean, spread : dict of int to float
        Mean and standard deviation of each energy in use, by the number of its regressor.
    bends : tuple of (int, float)
        Number of a regressor, and the knot.
    products : tuple of (int, int)
        Numbers of two regressors.
    """

    mean: Mapping[int, float]
    spread: Mapping[int, float]
    bends: tuple[tuple[int, float], ...]
    products: tuple[tuple[int, int], ...]

    def __len__(self) -> int:
        """Return the number of terms."""
        return len(self.bends) + len(self.products)

    def expand(self, phi: np.ndarray) -> np.ndarray:
        """
        Put the terms behind the regressors.

        Parameters
        ----------
        phi : float32 array (K, ...)

        Returns
        -------
        expanded : float32 array (K + terms, ...)
        """
        expanded = np.empty((len(phi) + len(self), *phi.shape[1:]), np.float32)
        expanded[: len(phi)] = phi
        standard = {e: (phi[e] - mean) / self.spread[e] for e, mean in self.mean.items()}
        for place, (energy, knot) in enumerate(self.bends, len(phi)):
            np.maximum(standard[energy] - knot, 0, out=expanded[place])
        for place, (one, other) in enumerate(self.products, len(phi) + len(self.bends)):
            np.multiply(standard[one], standard[other], out=expanded[place])
        return expanded

    def table(self, regressors: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """
        Describe regressors and terms.

        Parameters
        ----------
        regressors : dict of str to array (K,)
            From `Regressors.table`.

        Returns
        -------
        table : dict of str to array (K + terms,)
            Terms are of kind "bend" or "product", without scale, orientation and colour.
        """
        names = regressors["name"]
        rows = [(BEND, f"bend of {names[energy]} at {knot:+g} sd") for energy, knot in self.bends]
        rows += [(PRODUCT, f"{names[one]} x {names[other]}") for one, other in self.products]
        none = np.full(len(self), -1, np.int32)
        added = {key: none for key in ("scale", "orientation", "colour")}
        added["kind"] = np.array([kind for kind, _ in rows], dtype=str)
        added["name"] = np.array([name for _, name in rows], dtype=str)
        return {key: np.concatenate([column, added[key]]) for key, column in regressors.items()}

    def to_json(self) -> dict[str, Any]:
        """Return the terms as JSON can hold them."""
        return {
            "energies": [[e, mean, self.spread[e]] for e, mean in sorted(self.mean.items())],
            "bends": [list(bend) for bend in self.bends],
            "products": [list(product) for product in self.products],
        }

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Terms:
        """Make the terms from what `to_json` returned."""
        return cls(
            {int(e): float(mean) for e, mean, _ in content["energies"]},
            {int(e): float(spread) for e, _, spread in content["energies"]},
            tuple((int(e), float(knot)) for e, knot in content["bends"]),
            tuple((int(one), int(other)) for one, other in content["products"]),
        )
