"""Options of a direct explanation tried at little cost: few blocks, the validation split judges."""

import dataclasses
import itertools
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd

from gaborscope.analysis.refits import Alternative
from gaborscope.explanation import accumulation
from gaborscope.explanation import layers as layer_tools
from gaborscope.fitting import ridge
from gaborscope.fitting.statistics import combine
from gaborscope.scoring import summaries
from gaborscope.stimuli.block import StimulusBlock
from gaborscope.stimuli.layer import Layer

METRICS = ("auc_judd", "nss", "cc")
COLUMNS = (
    "model", "option", "differs", "metric", "mean", "share", "share_low", "share_high",
    "difference", "difference_low", "difference_high",
)  # fmt: skip


def differing(
    plain: Mapping[str, Any], entry: Mapping[str, Any], path: tuple[str, ...] = ()
) -> str:
    """
    Say in which keys an entry differs.

    Parameters
    ----------
    plain, entry : dict
        Settings of the same keys.
    path : tuple of str
        Where they stand.

    Returns
    -------
    text : str
        Such as `bank.n_scales: 3`; several are separated by commas.
    """
    found = []
    for key, value in entry.items():
        if isinstance(value, dict):
            found.append(differing(plain[key], value, (*path, key)))
        elif value != plain[key]:
            found.append(f"{'.'.join((*path, key))}: {json.dumps(value)}")
    return ", ".join(filter(None, found))


def parts_of(activations: Iterable[Any], size: int) -> Iterator[list[Any]]:
    """
    Cut the stimuli of a block into parts that are left out of each other's fit.

    Parameters
    ----------
    activations : iterable
        As `read_layers` yields them.
    size : int
        Stimuli per part.

    Yields
    ------
    part : list
    """
    activations = iter(activations)
    while part := list(itertools.islice(activations, size)):
        yield part


class Trial:
    """
    Fit of one option.

    Parameters
    ----------
    settings : dict
        Of the explanation, as in the config.
    layers : dict of str to Layer
    """

    def __init__(self, settings: Mapping[str, Any], layers: Mapping[str, Layer]) -> None:
        self.settings, self.layers = settings, layers
        self._fit, self._validation, self.part_of = {}, [], {}

    def add(
        self,
        split: str,
        block_name: str,
        block: StimulusBlock,
        activations: Iterable[Any],
        part_size: int,
    ) -> None:
        """
        Add the stimuli of a block to the statistics.

        Parameters
        ----------
        split : {"fit", "validation"}
        block_name : str
        block : StimulusBlock
        activations : iterable
            As `read_layers` yields them.
        part_size : int
            Stimuli per part, see `parts_of`.
        """
        for number, part in enumerate(parts_of(activations, part_size)):
            found = accumulation.accumulate(block, part, self.layers, self.settings)
            name = f"{block_name}-{number}"
            self.part_of.update({(block_name, own[0]): name for own in part})
            if split == "fit":
                self._fit[name] = found
            else:
                self._validation.append(found)

    def solve(self) -> tuple[Alternative, list[dict[str, Any]]]:
        """
        Fit every layer, pooling and penalty chosen on the validation split.

        Returns
        -------
        alternative : refits.Alternative
            Its folds are by part.
        rows : list of dict
            `layer, explained_variance, pool, penalty`.
        """
        layers, rows, folds = [], [], {part: [] for part in self._fit}
        for name, layer in self.layers.items():
            solution, pool = self._solve_layer(name)
            fitted = layer_tools.FittedLayer(
                name=name,
                layer=dataclasses.replace(layer_tools.as_fitted(layer, self.settings), name=name),
                settings={**self.settings, "pool": pool},
                weight=solution.weight.astype(np.float32),
                intercept=solution.intercept.astype(np.float32),
                residual_sd=solution.residual_sd.astype(np.float32),
            )
            layers.append(fitted)
            for part, (weight, intercept) in solution.folds.items():
                folds[part].append(layer_tools.with_weights(fitted, weight, intercept))
            rows.append(
                {
                    "layer": name,
                    "explained_variance": solution.pooled,
                    "pool": pool["kind"],
                    "penalty": solution.penalty,
                }
            )
        return Alternative(layers, folds), rows

    def _solve_layer(self, name):
        """Return the best solution of a layer and its pooling."""
        best = None
        for candidate, pool in enumerate(self.settings["pools"]):
            fit = {part: found[name][candidate] for part, found in self._fit.items()}
            held_out = combine(found[name][candidate] for found in self._validation)
            solution = ridge.solve(fit, held_out, **self.settings["solver"])
            if best is None or solution.pooled > best[0].pooled:
                best = solution, pool
        return best


def rows(
    model: str,
    tables: Mapping[str, tuple[pd.DataFrame, pd.DataFrame]],
    differs: Mapping[str, str],
    n_resamples: int,
    seed: int,
) -> list[dict[str, Any]]:
    """
    Options of one model beside the explanation that they differ from.

    Parameters
    ----------
    model : str
    tables : dict of str to (DataFrame, DataFrame)
        By option the scores by stimulus and predictor (`explained, deep, centre_bias`) and the
        layers; the plain explanation is "direct".
    differs : dict of str to str
        By option.
    n_resamples, seed : int
        Of the paired bootstrap over stimuli.

    Returns
    -------
    rows : list of dict
        Keys are `COLUMNS`: scores with the share above the centre bias and the difference from
        the plain explanation (option - plain), both with 95 % intervals; then `explained_variance`
        (mean over layers) and `cpu_s`, whose differences have no interval.
    """
    found = []
    plain_scores, plain_layers = tables["direct"]
    for option, (scores, layers) in tables.items():
        about = {"model": model, "option": option, "differs": differs[option]}
        for metric in METRICS:
            table = scores.pivot(index="stimulus", columns="predictor", values=metric)
            plain = plain_scores[plain_scores["predictor"] == "explained"].set_index("stimulus")
            own = table["explained"]
            difference = (own - plain.loc[table.index, metric]).to_numpy()
            mean, low, high, _ = summaries.bootstrap_mean(difference, n_resamples, seed)
            share = summaries.share_above_baseline(
                own.to_numpy(), table["deep"].to_numpy(), table["centre_bias"].to_numpy(),
                n_resamples, seed,
            )  # fmt: skip
            values = metric, own.mean(), *share, mean, low, high
            found.append({**about, **dict(zip(COLUMNS[3:], values, strict=True))})
        for metric in ("explained_variance", "cpu_s"):
            own, plain = (table[metric].mean() for table in (layers, plain_layers))
            found.append({**about, "metric": metric, "mean": own, "difference": own - plain})
    return found
