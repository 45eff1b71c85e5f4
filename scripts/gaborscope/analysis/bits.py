"""Explained bits: the information gain of a deep model, split by the dimensions that carry it."""

import dataclasses
import math
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from gaborscope.analysis import fixation_bank
from gaborscope.analysis.coalitions import MOST_EXACT, label
from gaborscope.analysis.refits import Alternatives, predict, sample
from gaborscope.explanation import fusion
from gaborscope.explanation.model import ExplainedModel
from gaborscope.filters.regressors import CONCEPT, SWAPPED
from gaborscope.fitting import shapley
from gaborscope.scoring import gold_standard, summaries
from gaborscope.stimuli import fixations
from gaborscope.stimuli.block import StimulusBlock
from gaborscope.store.saliency import read_saliency

# Beginning of the rows that say what a concept adds to all other dimensions.
ADDED = "added:"
LEAST = 0.01
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
        x, y of the fixations; a pixel fixated twice counts twice.

    Returns
    -------
    bits : float
        Mean of log2 density - log2 reference over fixations, as `metrics.ig` of preset exact; nan
        without fixations.
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
    Reconstruct the stimuli of the fusions: the fit split, and the validation split.

    Parameters
    ----------
    many : refits.Alternatives
        The reconstructions are added to it.
    fit, validation : dict of str to StimulusBlock
        By name of the block.
    targets : dict of str to str
        Saliency files of the deep model by block.
    n_stimuli : int
        Largest number of stimuli of the fit split; they are drawn by the hash of their names.
    """
    for split, blocks, n in (("fit", fit, n_stimuli), ("validation", validation, None)):
        for name, indices in sample(blocks, n).items():
            for index in indices:
                many.add_stimulus(split, name, blocks[name], index, targets[name])


def fuse(
    many: Alternatives, whole: ExplainedModel, progress: Callable[..., Any]
) -> dict[str, ExplainedModel]:
    """
    Fuse every coalition anew; each fit starts at the weights of the whole explanation.

    Parameters
    ----------
    many : refits.Alternatives
        With the stimuli that `collect` has added.
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
        fused = fusion.fit(
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
    seen: Collection[str] = frozenset(),
) -> Iterator[dict[str, Any]]:
    """
    Information gain over the centre bias on every stimulus, of explained models and stored maps.

    Parameters
    ----------
    models : dict of str to ExplainedModel
        By coalition; all have the same layers.
    blocks : dict of str to StimulusBlock
        By name.
    saliency : dict of str to dict of str to str
        Saliency files, by predictor and block; `centre_bias` is one of the predictors.
    seen : collection of str
        Stimuli that a network behind the models was trained on.

    Yields
    ------
    row : dict
        `stimulus`, and the bits of each model and of each predictor except the centre bias; nan
        for stimuli of `seen`.
    """
    for name, block in blocks.items():
        readers = [read_saliency(files[name]) for files in saliency.values()]
        for stored in zip(*readers, strict=True):
            index = stored[0][0]
            if block.names[index] in seen:
                keys = (*(key for key in saliency if key != "centre_bias"), *models)
                yield {"stimulus": block.names[index], **dict.fromkeys(keys, math.nan)}
                continue
            size = block.size(index)
            pixels = fixations.to_pixels(block.points(index)[0], size)
            logs = {
                key: np.log(density) for key, (_, density) in zip(saliency, stored, strict=True)
            }
            reference = logs.pop("centre_bias")
            logs.update(predict(models, block.view(index), block.member))
            bits = {key: information_gain(log, reference, pixels) for key, log in logs.items()}
            yield {"stimulus": block.names[index], **bits}


def parts(table: pd.DataFrame) -> pd.DataFrame:
    """
    Split the deep model's information gain on every stimulus.

    Let v(S) be the gain of the explained model that knows only the dimensions S. The part of a
    dimension d is its Shapley value, `sum_S |S|! (n - |S| - 1)! / n! (v(S + d) - v(S))` over all S
    without d; of many dimensions it is estimated, see `shapley.shared`. `contrast` is v of the
    empty set. `unexplained` is the deep model's gain minus v of all dimensions. The split is linear
    in v, so it is done for each stimulus.

    Parameters
    ----------
    table : DataFrame
        One row per stimulus. Columns are `deep`, `fused` and the coalitions of dimensions, see
        `coalitions.names`.

    Returns
    -------
    parts : DataFrame
        One row per stimulus. The columns `contrast`, the dimensions and `unexplained` add up to
        `deep`.
    """
    players = players_of(table)
    value = {
        members: table[label(tuple(players[m] for m in members))].to_numpy()
        for members in shapley.needed(len(players), MOST_EXACT)
    }
    columns = {"contrast": value[()]}
    shares = shapley.shared(value, len(players), MOST_EXACT)
    columns.update(zip(players, shares, strict=True))
    columns["unexplained"] = table["deep"].to_numpy() - value[tuple(range(len(players)))]
    return pd.DataFrame(columns, index=table.index)


def players_of(table: pd.DataFrame) -> list[str]:
    """Return the dimensions of a table as for `parts`, in their order."""
    labels = [c for c in table if c not in ("deep", "fused", "none") and SWAPPED not in c]
    return max(labels, key=lambda every: every.count("+")).split("+") if labels else []


def added(table: pd.DataFrame) -> pd.DataFrame:
    """
    Return what each concept adds to all other dimensions; its null: what maps of other stimuli add.

    Parameters
    ----------
    table : DataFrame
        As for `parts`.

    Returns
    -------
    added : DataFrame
        One row per stimulus. By "added:{concept}", the gain with all dimensions minus that without
        the concept; by "swapped:{concept}", the same where the concept has its maps of another
        stimulus.
    """
    players, columns = players_of(table), {}
    for concept in (player for player in players if player.startswith(CONCEPT)):
        null = concept.replace(CONCEPT, SWAPPED)
        rest = table[label(tuple(player for player in players if player != concept))]
        columns[concept.replace(CONCEPT, ADDED)] = table[label(players)] - rest
        swapped = label(tuple(null if player == concept else player for player in players))
        if swapped in table:
            columns[null] = table[swapped] - rest
    return pd.DataFrame(columns, index=table.index)


def of_people(
    blocks: Mapping[str, Mapping[str, StimulusBlock]],
    entry: Mapping[str, Any],
    sigmas: Sequence[float],
    uniform_weight: float,
    centre_bias: Mapping[str, str],
    progress: Callable[..., Any],
) -> Iterator[dict[str, Any]]:
    """
    Information gain over the centre bias of people, and of banks fitted to them.

    Parameters
    ----------
    blocks : dict of str to dict of str to StimulusBlock
        By split (`fit`, `validation`, `test`) and name, with concepts as `entry` has them, and
        their swapped maps.
    entry : dict
        `FixationBank.settings` and `penalties`.
    sigmas, uniform_weight
        See `fixation_bank.fit_to`.
    centre_bias : dict of str to str
        Saliency files of the centre bias by test block.
    progress : callable
        Called with one sentence per coalition.

    Yields
    ------
    row : dict
        `stimulus`; `deep`, the mean gain of one observer's fixations by the density of all others;
        and the gain of the bank that knows only the dimensions of each coalition.
    """
    bank = fixation_bank.Coalitions(
        list(blocks["fit"].values()), list(blocks["validation"].values()), entry, sigmas,
        uniform_weight, progress,
    )  # fmt: skip
    for name, block in blocks["test"].items():
        for index, density in read_saliency(centre_bias[name]):
            size, (points, subjects) = block.size(index), block.points(index)
            pixels, reference = fixations.to_pixels(points, size), np.log(density)
            people = gain_of_people(block, pixels, subjects, index, reference, uniform_weight)
            row = {"stimulus": block.names[index], "deep": people}
            for coalition, log in bank.log_densities(block.view(index), block.member):
                row[coalition] = information_gain(log, reference, pixels)
            yield row


def gain_of_people(
    block: StimulusBlock,
    pixels: np.ndarray,
    subjects: np.ndarray,
    index: int,
    log_reference: np.ndarray,
    uniform_weight: float,
) -> float:
    """
    Mean information gain of each observer's fixations by the density of all other observers.

    Parameters
    ----------
    block : StimulusBlock
    pixels : int array (n, 2)
        x, y of the fixations on one stimulus.
    subjects : int array (n,)
    index : int
        Of the stimulus.
    log_reference : float array (height, width)
    uniform_weight : float
        See `gold_standard.density_of`.

    Returns
    -------
    bits : float
        As metric ig of the gold standard in preset exact; nan for fewer than two observers.
    """
    observers = np.unique(subjects)
    if len(observers) < 2:
        return math.nan
    size, total = block.size(index), 0.0
    sigma, _ = fixations.sigma_px(*size, block.facts)
    for observer in observers:
        own = subjects == observer
        density = gold_standard.density_of(pixels[~own], size, sigma, uniform_weight)
        total += own.sum() * information_gain(np.log(density), log_reference, pixels[own])
    return total / len(pixels)


def sentence(name: str, summary: pd.DataFrame) -> str:
    """
    Say how much a network, or people, know that contrast does not say, and which concepts it is.

    Parameters
    ----------
    name : str
    summary : DataFrame
        From `summarise`, with `part` as the index.

    Returns
    -------
    sentence : str
        "" if the explanation has no concept, or no stimulus is left. A concept is more than nothing
        if what it adds exceeds 0, what its maps of other stimuli add, and `LEAST` of the whole
        gain: the interval is over stimuli, and a weight that was fitted by chance is the same on
        all of them.
    """

    def figure(part):
        row = summary.loc[part]
        return f"{row['bits']:z.3f} [{row['ci_low']:z.3f}, {row['ci_high']:z.3f}]"

    concepts = [part.removeprefix(CONCEPT) for part in summary.index if part.startswith(CONCEPT)]
    if not concepts or not np.isfinite(summary.loc["deep", "bits"]):
        return ""
    whole, contrast = (summary.loc[part, "bits"] for part in ("deep", "contrast"))
    said = [f"{name}: of {whole:z.3f} bits, contrast leaves {whole - contrast:z.3f}."]
    for concept in concepts:
        null, adds = f"{SWAPPED}{concept}", summary.loc[f"{ADDED}{concept}"]
        by_chance = max(0, summary["ci_high"].get(null, 0))
        known = adds["ci_low"] > by_chance and adds["share"] > LEAST
        chance = f" (maps of other stimuli: {figure(null)})" if null in summary.index else ""
        said.append(
            f"The concept {concept} carries {figure(CONCEPT + concept)} of these, and adds "
            f"{figure(ADDED + concept)} to all other dimensions{chance}, which is "
            f"{'more than nothing' if known else 'no more than nothing'}."
        )
    return " ".join(said)


def summarise(table: pd.DataFrame, n_resamples: int, seed: int) -> pd.DataFrame:
    """
    Means of the parts and their shares of the deep model's gain, with bootstrap intervals.

    Parameters
    ----------
    table : DataFrame
        As for `parts`. A column `fused` (the explanation as scored elsewhere) gets a row as well.
        Stimuli without fixations, and those that were trained on, are left out.
    n_resamples, seed : int
        Number of samples and seed of the bootstrap over stimuli.

    Returns
    -------
    summary : DataFrame
        Columns `COLUMNS`: bits per fixation and share of the deep model's bits, with 95 %
        intervals. `explained` is the sum of all parts except `unexplained`; `deep` is the sum of
        all parts. What concepts add comes last, see `added`.
    """
    table = table.dropna()
    by_part = parts(table)
    by_part["explained"] = table["deep"] - by_part["unexplained"]
    for name in ("deep", "fused"):
        if name in table:
            by_part[name] = table[name]
    by_part = by_part.join(added(table))
    rows = []
    for name, values in by_part.items():
        mean, low, high, n = summaries.bootstrap_mean(values.to_numpy(), n_resamples, seed)
        share = summaries.ratio(values.to_numpy(), table["deep"].to_numpy(), n_resamples, seed)
        rows.append((name, mean, low, high, *share, n))
    return pd.DataFrame(rows, columns=COLUMNS)


def join(parts: Iterable[pd.DataFrame]) -> pd.DataFrame:
    """
    Join the gains of the coalitions that several jobs computed.

    Parameters
    ----------
    parts : iterable of DataFrame
        `stimulus` and one column per coalition, see `gains`; all of the same stimuli.

    Returns
    -------
    table : DataFrame
        By stimulus; a column that several parts have, such as the deep model's, comes once.
    """
    table = pd.concat([part.set_index("stimulus") for part in parts], axis=1)
    return table.loc[:, ~table.columns.duplicated()]
