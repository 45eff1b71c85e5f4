"""Explained bits: the information gain of a deep model, split by what carries it."""

import dataclasses
import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd

from gaborscope.analysis.coalitions import DIMENSIONS, label
from gaborscope.analysis.refits import Alternatives, predict, sample
from gaborscope.explanation import warm_fusion
from gaborscope.explanation.model import ExplainedModel
from gaborscope.fitting import shapley
from gaborscope.scoring import summaries
from gaborscope.stimuli import fixations
from gaborscope.stimuli.block import StimulusBlock
from gaborscope.store.saliency import read_saliency

COLUMNS = (
    "part", "bits", "ci_low", "ci_high", "share", "share_low", "share_high", "n",
)  # fmt: skip


def information_gain(
    log_density: np.ndarray, log_reference: np.ndarray, pixels: np.ndarray
) -> float:
    """
    Information gain of a density over another one at fixations.

    Parameters
    ----------
    log_density, log_reference : float array (height, width)
        Natural logarithms of densities that sum to 1.
    pixels : int array (n, 2)
        x, y; counted as often as they were fixated.

    Returns
    -------
    bits : float
        Per fixation: mean of log2 p - log2 reference, as `metrics.ig` of preset exact; nan without
        fixations.
    """
    if not len(pixels):
        return math.nan
    x, y = pixels.T
    return float((log_density[y, x] - log_reference[y, x]).mean() / math.log(2))


def collect(
    many: Alternatives,
    fit: Mapping[str, StimulusBlock],
    validation: Mapping[str, StimulusBlock],
    targets: Mapping[str, str],
    n_stimuli: int,
) -> None:
    """
    Reconstruct the stimuli that the fusions are fitted to and chosen by.

    Parameters
    ----------
    many : refits.Alternatives
    fit, validation : dict of str to StimulusBlock
        By block.
    targets : dict of str to str
        Saliency files of the deep model by block.
    n_stimuli : int
        Of the fit split at most, drawn by the hash of their names.
    """
    for split, blocks, n in (("fit", fit, n_stimuli), ("validation", validation, None)):
        for name, indices in sample(blocks, n).items():
            for index in indices:
                many.add_stimulus(split, name, blocks[name], index, targets[name])


def fuse(
    many: Alternatives, whole: ExplainedModel, progress: Callable[..., Any]
) -> dict[str, ExplainedModel]:
    """
    Fuse every coalition anew, each from the weights of the whole explanation.

    Parameters
    ----------
    many : refits.Alternatives
        With stimuli.
    whole : ExplainedModel
    progress : callable
        Called with one sentence per coalition.

    Returns
    -------
    models : dict of str to ExplainedModel
    """
    models = {}
    for name, member in many.members.items():
        fit, validation = (many.data[split][name] for split in ("fit", "validation"))
        fused = warm_fusion.fit(
            fit.batches, validation.batches, whole.weight, many.settings["penalties"]
        )
        progress(
            f"{name}: cross-entropy {min(step[2] for step in fused.path):.4f} on "
            f"{len(validation)} validation stimuli (penalty {fused.penalty:g})"
        )
        settings = {key: many.settings[key] for key in ("stride", "smoothing")}
        models[name] = dataclasses.replace(
            whole, layers=member.layers, settings=settings, weight=fused.weight
        )
    return models


def gains(
    models: Mapping[str, ExplainedModel],
    blocks: Mapping[str, StimulusBlock],
    saliency: Mapping[str, Mapping[str, str]],
) -> Iterator[dict[str, Any]]:
    """
    Information gain over the centre bias on every stimulus, of many models and of given maps.

    Parameters
    ----------
    models : dict of str to ExplainedModel
        Of the same layers; by coalition.
    blocks : dict of str to StimulusBlock
        By name.
    saliency : dict of str to dict of str to str
        Saliency files by block; `centre_bias` and whatever else.

    Yields
    ------
    row : dict
        `stimulus`, and the bits of each model and each of the other maps.
    """
    for name, block in blocks.items():
        readers = [read_saliency(files[name]) for files in saliency.values()]
        for given in zip(*readers, strict=True):
            index = given[0][0]
            size = block.size(index)
            pixels = fixations.to_pixels(block.points(index)[0], size)
            logs = {key: np.log(own) for key, (_, own) in zip(saliency, given, strict=True)}
            reference = logs.pop("centre_bias")
            logs.update(predict(models, block.image(index)))
            found = {key: information_gain(log, reference, pixels) for key, log in logs.items()}
            yield {"stimulus": block.names[index], **found}


def parts(table: pd.DataFrame) -> pd.DataFrame:
    """
    Split the deep model's information gain on every stimulus.

    With v(S) the gain of the explained model that knows only the dimensions S, the part of a
    dimension d is its Shapley value, `sum_S |S|! (n - |S| - 1)! / n! (v(S + d) - v(S))` over all S
    without d; `contrast` is v of no dimension, and `unexplained` the deep model's gain less v of
    all dimensions. It is linear in v, so it may be done stimulus by stimulus.

    Parameters
    ----------
    table : DataFrame
        One row per stimulus: `deep`, and a column per coalition of dimensions, see
        `coalitions.names`.

    Returns
    -------
    parts : DataFrame
        One row per stimulus; `contrast`, the dimensions, `unexplained`: they add up to `deep`.
    """
    players = [name for name in DIMENSIONS if name in table]
    value = {
        members: table[label(tuple(players[m] for m in members))].to_numpy()
        for members in shapley.coalitions(len(players))
    }
    found = {"contrast": value[()]}
    found.update(zip(players, shapley.split(value, len(players)), strict=True))
    found["unexplained"] = table["deep"].to_numpy() - value[tuple(range(len(players)))]
    return pd.DataFrame(found, index=table.index)


def summarise(table: pd.DataFrame, n_resamples: int, seed: int) -> pd.DataFrame:
    """
    Means of the parts and their shares of the deep model's gain, bootstrap over stimuli.

    Parameters
    ----------
    table : DataFrame
        As for `parts`; further columns (`fused`, the explanation as it is scored elsewhere) get a
        row of their own. Stimuli without fixations are left out.
    n_resamples, seed : int

    Returns
    -------
    summary : DataFrame
        Columns `COLUMNS`: bits per fixation and share of the deep model's, with 95 % intervals;
        `explained` is the sum of all parts but `unexplained`, `deep` of all.
    """
    table = table.dropna()
    found = parts(table)
    found["explained"] = table["deep"] - found["unexplained"]
    for name in ("deep", "fused"):
        if name in table:
            found[name] = table[name]
    rows = []
    for name, values in found.items():
        mean, low, high, n = summaries.bootstrap_mean(values.to_numpy(), n_resamples, seed)
        share = summaries.ratio(values.to_numpy(), table["deep"].to_numpy(), n_resamples, seed)
        rows.append((name, mean, low, high, *share, n))
    return pd.DataFrame(rows, columns=COLUMNS)
