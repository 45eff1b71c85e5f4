"""
Many sets of weights for the same layers, each fused into a separate saliency model.

They tell which scores an explanation would have with fewer filters, or without some of its
regressors. Computing the regressors of a stimulus takes most of the time; it is done once for all
sets. A matrix product, the fusion and the scores are computed for each set.
"""

import dataclasses
import hashlib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from gaborscope.explanation import fusion, fusion_data
from gaborscope.explanation import layers as layer_tools
from gaborscope.explanation.model import ExplainedModel
from gaborscope.fitting.files import read_filters
from gaborscope.scoring import summaries
from gaborscope.scoring.fidelity import kl_bits
from gaborscope.scoring.scorer import FEW, score_few
from gaborscope.stimuli import geometry
from gaborscope.stimuli.block import StimulusBlock
from gaborscope.stimuli.centre_bias import CentreBias, PooledCentreBias, centre_bias, kept
from gaborscope.store.saliency import read_saliency


@dataclasses.dataclass
class Alternative:
    """
    One set of weights for the layers of an explanation.

    Attributes
    ----------
    layers : list of layers.FittedLayer
        The same layers, regressors and pooling in all alternatives that are compared.
    folds : dict of str to list of layers.FittedLayer
        By fit block, the layers fitted without it. A block that is missing is reconstructed by
        `layers`.
    """

    layers: Sequence[layer_tools.FittedLayer]
    folds: Mapping[str, Sequence[layer_tools.FittedLayer]] = dataclasses.field(default_factory=dict)


def sample(blocks: Mapping[str, StimulusBlock], n: int | None) -> dict[str, list[int]]:
    """
    Draw stimuli from blocks by the hash of their names.

    The order of the stimuli has no influence, and an added stimulus changes at most one of the n.

    Parameters
    ----------
    blocks : dict of str to StimulusBlock
        By name.
    n : int or None
        Largest number of stimuli drawn; None for all.

    Returns
    -------
    drawn : dict of str to list of int
        By block, the indices of the drawn stimuli, sorted.
    """
    every = [
        (hashlib.sha256(name.encode()).hexdigest(), block_name, index)
        for block_name, block in blocks.items()
        for index, name in enumerate(block.names)
    ]
    drawn = {block_name: [] for block_name in blocks}
    for _, block_name, index in sorted(every)[:n]:
        drawn[block_name].append(index)
    return {block_name: sorted(indices) for block_name, indices in drawn.items()}


class Alternatives:
    """
    Alternative sets of weights, and the features to which their fusions are fitted.

    Regressors are computed once per stimulus for all alternatives. The features of each alternative
    are kept as float16 in an unnamed temporary file (in TMPDIR): cells x maps x 2 bytes per
    stimulus.

    Parameters
    ----------
    members : dict of str to Alternative
    box : geometry.Box
    settings : dict
        Settings of the fusion: `target`, `stride`, `smoothing`, `penalties`.
    centre_bias : CentreBias or PooledCentreBias
    uniform_weight : float
    """

    def __init__(
        self,
        members: Mapping[str, Alternative],
        box: geometry.Box | tuple[int, int],
        settings: Mapping[str, Any],
        centre_bias: CentreBias | PooledCentreBias,
        uniform_weight: float,
    ) -> None:
        self.members, self.box, self.settings = members, box, settings
        self.centre_bias, self.uniform_weight = centre_bias, uniform_weight
        self.data = {
            split: {
                name: fusion_data.FusionData(member.layers, settings)
                for name, member in members.items()
            }
            for split in ("fit", "validation")
        }

    def add_stimulus(
        self,
        split: str,
        block_name: str,
        block: StimulusBlock,
        index: int,
        target_densities: str | Path,
    ) -> None:
        """
        Reconstruct one stimulus by all alternatives, and keep the features for the fusion.

        Parameters
        ----------
        split : {"fit", "validation"}
        block_name : str
            Selects the out-of-fold weights.
        block : StimulusBlock
        index : int
            Index of the stimulus in the block.
        target_densities : str or Path
            Saliency file of the deep model, read for `target: model` only.
        """
        data = self.data[split]
        first = next(iter(data.values()))
        target = first.target_of(block, index, target_densities)
        if target is None:
            return
        reference = next(iter(self.members.values())).layers
        phi, placement = layer_tools.shared_regressors(block.view(index), self.box, reference)
        for name, member in self.members.items():
            layers = member.folds.get(block_name, member.layers)
            maps = {
                fitted.name: fitted.reconstruct(layer_phi)
                for fitted, layer_phi in zip(layers, phi, strict=True)
            }
            data[name].add_stimulus(maps, placement, target, self.centre_bias, block.names[index])

    def collect(
        self,
        blocks: Mapping[str, StimulusBlock],
        fit_blocks: Collection[str],
        targets: Mapping[str, str],
        n_stimuli: int | None = None,
    ) -> None:
        """
        Reconstruct the stimuli of the fusion: the fit split, and the validation split.

        Parameters
        ----------
        blocks : dict of str to StimulusBlock
            Fit and validation blocks by name.
        fit_blocks : collection of str
            Names of the fit blocks.
        targets : dict of str to str
            Saliency file of the deep model by block.
        n_stimuli : int or None
            Largest number of stimuli of the fit split, see `sample`; None for all.
        """
        fit = {name: block for name, block in blocks.items() if name in fit_blocks}
        validation = {name: block for name, block in blocks.items() if name not in fit_blocks}
        for split, part_blocks, n in (("fit", fit, n_stimuli), ("validation", validation, None)):
            for name, indices in sample(part_blocks, n).items():
                for index in indices:
                    self.add_stimulus(split, name, part_blocks[name], index, targets[name])

    def fit(self, progress: Callable[..., Any] | None = None) -> dict[str, ExplainedModel]:
        """
        Fuse each alternative; choose its penalty on the validation split.

        Parameters
        ----------
        progress : callable, optional
            Called with one sentence per alternative.

        Returns
        -------
        models : dict of str to ExplainedModel
        """
        models = {}
        for name, member in self.members.items():
            fit, validation = (self.data[split][name] for split in ("fit", "validation"))
            fused = fusion.fit(
                fit.batches, validation.batches, fit.n_features, self.settings["penalties"]
            )
            held_out = min(step[2] for step in fused.path)
            if progress:
                progress(
                    f"{name}: cross-entropy {held_out:.4f} on {len(validation)} validation "
                    f"stimuli (penalty {fused.penalty:g})"
                )
            models[name] = ExplainedModel(
                box=self.box,
                layers=member.layers,
                settings={key: self.settings[key] for key in ("stride", "smoothing")},
                weight=fused.weight,
                uniform_weight=self.uniform_weight,
                **kept(self.centre_bias),
            )
        return models


def prepare(
    members: dict[str, Alternative],
    box: geometry.Box | tuple[int, int],
    fusion_settings: dict,
    blocks: dict[str, dict[str, StimulusBlock]],
    sigmas: Sequence[float],
    uniform_weight: float,
) -> Alternatives:
    """
    Alternatives without stimuli yet, and the centre bias that all of them are fused with.

    Parameters
    ----------
    members : dict of str to Alternative
    box : geometry.Box
    fusion_settings : dict
        `target`, `stride`, `smoothing`, `penalties`.
    blocks : dict of str to dict of str to StimulusBlock
        `fit`, whose fixations the centre bias is made of, and `validation`, which choose its
        width, by the block's name.
    sigmas : sequence of float
        Candidate widths of the centre bias.
    uniform_weight : float

    Returns
    -------
    alternatives : Alternatives
    """
    fit, validation = (list(blocks[split].values()) for split in ("fit", "validation"))
    bias = centre_bias(fit, validation, sigmas, uniform_weight)
    return Alternatives(members, box, fusion_settings, bias, uniform_weight)


def read_explanation(paths: Sequence[str], fit_blocks: Iterable[str]) -> Alternative:
    """
    Read an explanation as it was fitted, out of fold as well.

    Parameters
    ----------
    paths : sequence of str
        `results/filters/{model}/{dataset}/{explanation}/{layer}.h5` of all its layers.
    fit_blocks : iterable of str

    Returns
    -------
    alternative : Alternative
        Its folds are the blocks `fit_blocks`.
    """

    def layers_of(fold=None):
        return [layer_tools.fitted_layer(read_filters(path, fold)) for path in paths]

    return Alternative(layers_of(), {block: layers_of(block) for block in fit_blocks})


def predict(
    models: Mapping[str, ExplainedModel], image: np.ndarray, dataset: str | None = None
) -> dict[str, np.ndarray]:
    """
    Predict one image by several explained models that share their regressors.

    Parameters
    ----------
    models : dict of str to ExplainedModel
        From `Alternatives.fit`.
    image : uint8 array (height, width, 3), or view (see `StimulusBlock.view`)
        RGB.
    dataset : str, optional
        Of the image, see `ExplainedModel.on`.

    Returns
    -------
    log_densities : dict of str to float64 array (height, width)
    """
    first = next(iter(models.values()))
    phi, placement = layer_tools.shared_regressors(image, first.box, first.fitted)
    return {
        name: model.on(dataset).fuse_regressors(phi, placement, image.shape[:2])
        for name, model in models.items()
    }


def score(
    models: Mapping[str, ExplainedModel],
    blocks: Mapping[str, StimulusBlock],
    saliency: Mapping[str, Mapping[str, str]],
    seen: Collection[str] = frozenset(),
) -> Iterator[dict[str, Any]]:
    """
    Score several explained models, and the stored maps of other predictors, on blocks of stimuli.

    Parameters
    ----------
    models : dict of str to ExplainedModel
        From `Alternatives.fit`.
    blocks : dict of str to StimulusBlock
        By name.
    saliency : dict of str to dict of str to str
        Saliency files of other predictors, by predictor and block; one is `centre_bias`.
    seen : set of str
        Stimuli that the backbone was trained on: not scored.

    Yields
    ------
    row : dict
        `stimulus`, `predictor`, the scores of `FEW`, and `kl_deep` (`scoring.fidelity.kl_bits`) if
        one of the other predictors is called `deep`.
    """
    for name, block in blocks.items():
        paths = {predictor: files[name] for predictor, files in saliency.items()}
        yield from _score_block(models, block, paths, seen)


def _score_block(models, block, saliency, seen):
    """Score one block, see `score`."""
    readers = [read_saliency(path) for path in saliency.values()]
    for stored in zip(*readers, strict=True):
        index = stored[0][0]
        if block.names[index] in seen:
            continue
        given = {name: density for name, (_, density) in zip(saliency, stored, strict=True)}
        log_densities = predict(models, block.view(index), block.member)
        every = {**{name: np.exp(log) for name, log in log_densities.items()}, **given}
        scores = score_few(block, index, every, given["centre_bias"])
        for predictor, row in scores.items():
            if "deep" in given:
                row["kl_deep"] = kl_bits(np.log(given["deep"]), np.log(every[predictor]))
            yield {"stimulus": block.names[index], "predictor": predictor, **row}


def summary(rows: pd.DataFrame, deep: str, n_resamples: int, seed: int) -> list[dict[str, Any]]:
    """
    Mean scores, and shares of the deep model's score above the centre bias, with intervals.

    Parameters
    ----------
    rows : DataFrame
        From `score`, of one split.
    deep : str
        Name of the deep model among the predictors.
    n_resamples, seed : int
        Number of samples and seed of the paired bootstrap over stimuli.

    Returns
    -------
    rows : list of dict
        `predictor, metric, mean, ci_low, ci_high, share, share_low, share_high, n`.
    """
    records = []
    for metric in FEW:
        table = rows.pivot(index="stimulus", columns="predictor", values=metric)
        for predictor in dict.fromkeys(rows["predictor"]):
            scores = table[predictor].to_numpy()
            mean, low, high, n = summaries.bootstrap_mean(scores, n_resamples, seed)
            shares = summaries.share_above_baseline(
                scores, table[deep].to_numpy(), table["centre_bias"].to_numpy(), n_resamples, seed,
                lower_is_better=metric in summaries.LOWER_IS_BETTER,
            )  # fmt: skip
            records.append(
                {
                    "predictor": predictor,
                    "metric": metric,
                    "mean": mean,
                    "ci_low": low,
                    "ci_high": high,
                    **dict(zip(("share", "share_low", "share_high"), shares, strict=True)),
                    "n": n,
                }
            )
    return records
