"""Try options of a direct explanation at little cost: few blocks, scored on validation stimuli."""

import dataclasses
import itertools
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from gaborscope.analysis import refits
from gaborscope.analysis.refits import Alternative
from gaborscope.explanation import accumulation
from gaborscope.explanation import layers as layer_tools
from gaborscope.explanation.model import ExplainedModel
from gaborscope.fitting import ridge
from gaborscope.fitting.statistics import combine, higher
from gaborscope.scoring import summaries
from gaborscope.stimuli import geometry
from gaborscope.stimuli.block import StimulusBlock
from gaborscope.stimuli.layer import Layer

# Closeness to the deep map decides; the share of `kl_deep` is the fidelity.
METRICS = ("kl_deep", "ig", "auc_judd", "nss", "cc")
COLUMNS = (
    "model", "option", "differs", "metric", "mean", "share", "share_low", "share_high",
    "difference", "difference_low", "difference_high",
)  # fmt: skip


def differing(
    plain: Mapping[str, Any], entry: Mapping[str, Any], path: tuple[str, ...] = ()
) -> str:
    """
    Return the settings in which an entry differs from the plain one, as text.

    Parameters
    ----------
    plain, entry : dict
        Settings with the same keys.
    path : tuple of str
        Keys that lead to these settings.

    Returns
    -------
    text : str
        Keys and values of `entry`, separated by commas: `bank.n_scales: 3, colour: "lab"`.
    """
    differences = []
    for key, value in entry.items():
        if isinstance(value, dict):
            differences.append(differing(plain[key], value, (*path, key)))
        elif value != plain[key]:
            differences.append(f"{'.'.join((*path, key))}: {json.dumps(value)}")
    return ", ".join(filter(None, differences))


def parts_of(activations: Iterable[Any], size: int) -> Iterator[list[Any]]:
    """
    Cut the stimuli of a block into parts, which cross-validation leaves out in turn.

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
    One option: its statistics and its fit.

    Parameters
    ----------
    settings : dict
        Settings of the explanation, as in the config.
    layers : dict of str to Layer
    chosen : dict of str to dict, optional
        Pooling and terms of a readout by layer, see `readouts.choose`.
    """

    def __init__(
        self,
        settings: Mapping[str, Any],
        layers: Mapping[str, Layer],
        chosen: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> None:
        self.settings, self.layers, self._chosen = settings, layers, chosen
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
            statistics = accumulation.accumulate(
                block, part, self.layers, self.settings, self._chosen
            )
            name = f"{block_name}-{number}"
            self.part_of.update({(block_name, recorded[0]): name for recorded in part})
            if split == "fit":
                self._fit[name] = statistics
            else:
                self._validation.append(statistics)

    def fuse(
        self,
        alternative: Alternative,
        blocks: dict[str, dict[str, StimulusBlock]],
        targets: dict[str, str],
        fusion_settings: dict,
        box: geometry.Box | tuple[int, int],
        sigmas: Sequence[float],
        uniform_weight: float,
        progress: Callable[[str], None] | None = None,
    ) -> dict[str, ExplainedModel]:
        """
        Fuse the fitted layers into a saliency model.

        Parameters
        ----------
        alternative : refits.Alternative
            From `solve`.
        blocks : dict of str to dict of str to StimulusBlock
            `fit` and `validation`, by the block's name: the blocks that were added.
        targets : dict of str to str
            Saliency file of the deep model by block.
        fusion_settings : dict
            `target`, `stride`, `smoothing`, `penalties`.
        box : geometry.Box
            The network's input.
        sigmas : sequence of float
            Candidate widths of the centre bias.
        uniform_weight : float
        progress : callable, optional
            Called with one sentence.

        Returns
        -------
        models : dict of str to ExplainedModel
            One, called "explained".
        """
        many = refits.prepare(
            {"explained": alternative}, box, fusion_settings, blocks, sigmas, uniform_weight
        )
        split_of = {name: split for split, members in blocks.items() for name in members}
        for (name, index), part in self.part_of.items():
            split = split_of[name]
            many.add_stimulus(split, part, blocks[split][name], index, targets[name])
        return many.fit(progress)

    def solve(self) -> tuple[Alternative, list[dict[str, Any]]]:
        """
        Fit every layer; choose pooling and penalty on the validation split.

        Returns
        -------
        alternative : refits.Alternative
            With a fold for each part.
        rows : list of dict
            `layer, explained_variance, pool, penalty`.
        """
        layers, rows, folds = [], [], {part: [] for part in self._fit}
        for name, layer in self.layers.items():
            solution, options = self._solve_layer(name)
            fitted = layer_tools.FittedLayer(
                name=name,
                layer=dataclasses.replace(layer_tools.as_fitted(layer, self.settings), name=name),
                settings={**self.settings, **options},
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
                    "pool": options["pool"]["kind"],
                    "penalty": solution.penalty,
                }
            )
        return Alternative(layers, folds), rows

    def _solve_layer(self, name):
        """Return the best solution of a layer, with its pooling and the terms of its readout."""
        solver, best = self.settings["solver"], None
        candidates = [{"pool": pool} for pool in self.settings["pools"]]
        if self._chosen is not None:
            candidates = [self._chosen[name]]
            n_regressors = len(layer_tools.make_regressors(self.settings).table()["kind"])
            solver = {**solver, "terms": (n_regressors, self.settings["terms"])}
        for candidate, options in enumerate(candidates):
            fit = {part: statistics[name][candidate] for part, statistics in self._fit.items()}
            held_out = combine(statistics[name][candidate] for statistics in self._validation)
            solution = ridge.solve(fit, held_out, **solver)
            if best is None or higher(solution.pooled, best[0].pooled):
                best = solution, options
        return best


def rows(
    model: str,
    tables: Mapping[str, tuple[pd.DataFrame, pd.DataFrame]],
    differs: Mapping[str, str],
    n_resamples: int,
    seed: int,
) -> list[dict[str, Any]]:
    """
    Compare the options of one model with the plain explanation.

    Parameters
    ----------
    model : str
    tables : dict of str to (DataFrame, DataFrame)
        By option: the scores by stimulus and predictor (`explained, deep, centre_bias`), and the
        table of the layers. The plain explanation is called "direct".
    differs : dict of str to str
        By option, the text of `differing`.
    n_resamples, seed : int
        Number of samples and seed of the paired bootstrap over stimuli.

    Returns
    -------
    rows : list of dict
        Keys are `COLUMNS`. Scores have the share above the centre bias and the difference from
        the plain explanation (option - plain), both with 95 % intervals. Then follow
        `explained_variance` (mean over layers) and `cpu_s`; their differences have no interval.
    """
    records = []
    plain_scores, plain_layers = tables["direct"]
    for option, (scores, layers) in tables.items():
        about = {"model": model, "option": option, "differs": differs[option]}
        for metric in METRICS:
            table = scores.pivot(index="stimulus", columns="predictor", values=metric)
            plain = plain_scores[plain_scores["predictor"] == "explained"].set_index("stimulus")
            explained = table["explained"]
            difference = (explained - plain.loc[table.index, metric]).to_numpy()
            mean, low, high, _ = summaries.bootstrap_mean(difference, n_resamples, seed)
            share = summaries.share_above_baseline(
                explained.to_numpy(), table["deep"].to_numpy(), table["centre_bias"].to_numpy(),
                n_resamples, seed, lower_is_better=metric in summaries.LOWER_IS_BETTER,
            )  # fmt: skip
            values = metric, explained.mean(), *share, mean, low, high
            records.append({**about, **dict(zip(COLUMNS[3:], values, strict=True))})
        for metric in ("explained_variance", "cpu_s"):
            value, plain = (table[metric].mean() for table in (layers, plain_layers))
            records.append({**about, "metric": metric, "mean": value, "difference": value - plain})
    return records


def summarise(
    tables: dict[tuple[str, str], tuple[pd.DataFrame, pd.DataFrame]],
    settings: dict[str, dict],
    n_resamples: int,
    seed: int,
) -> list[dict]:
    """
    Options of all models, each beside the plain explanation of its model.

    Parameters
    ----------
    tables : dict of (model, option) to (DataFrame, DataFrame)
        Scores and layers, see `rows`; every model has the option "direct".
    settings : dict of str to dict
        Settings of the explanation, by option.
    n_resamples, seed : int
        Number of samples and seed of the paired bootstrap over stimuli.

    Returns
    -------
    rows : list of dict
        Keys are `COLUMNS`, model by model in the order of `tables`.
    """
    by_model: dict[str, dict] = {}
    for (model, option), pair in tables.items():
        by_model.setdefault(model, {})[option] = pair
    summary = []
    for model, options in by_model.items():
        differs = {option: differing(settings["direct"], settings[option]) for option in options}
        summary += rows(model, options, differs, n_resamples, seed)
    return summary
