"""The log-Gabor bank fitted straight to a deep model's densities, with no layer between."""

import functools
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from gaborscope.analysis import fixation_bank
from gaborscope.explanation import fusion
from gaborscope.explanation.fusion_data import Examples
from gaborscope.stimuli import centre_bias as centre_biases
from gaborscope.stimuli.block import StimulusBlock
from gaborscope.stimuli.centre_bias import CentreBias, PooledCentreBias
from gaborscope.store.saliency import read_density

Block = tuple[StimulusBlock, CentreBias | PooledCentreBias, str | Path]


class DeepBank(fixation_bank.FixationBank):
    """Log-linear density like `FixationBank`, fitted to the densities of a deep model."""

    KIND: ClassVar[str] = "deep_bank"


def fit(
    fit_blocks: Iterable[Block], validation_blocks: Iterable[Block], settings: Mapping[str, Any]
) -> tuple[DeepBank, list[tuple[float, float, float]]]:
    """
    Fit the weights to the deep model on the fit split; choose the penalty on the validation split.

    It is the fusion of an explanation (`explanation.fusion`) with the pooled and smoothed
    regressors in the place of reconstructed maps. Every stimulus counts, also one without
    fixations. The memory does not grow with the number of stimuli.

    Parameters
    ----------
    fit_blocks, validation_blocks : iterable of (StimulusBlock, CentreBias, path)
        Block by block: its stimuli, the centre bias (or PooledCentreBias) that can leave each of
        them out, and the saliency file of the deep model.
    settings : dict
        As `FixationBank.settings`, and `penalties`.

    Returns
    -------
    bank : DeepBank
    path : list of (penalty, fit cross-entropy, validation cross-entropy)
        In nats per stimulus.

    Raises
    ------
    InputError
        If a regressor exceeds float16.
    """
    settings = dict(settings)
    penalties = settings.pop("penalties")
    fitted, held_out = Examples(), Examples()
    for examples, blocks in ((fitted, fit_blocks), (held_out, validation_blocks)):
        for block, bias, target in blocks:
            density = functools.partial(read_density, target)
            fixation_bank.collect(examples, block, settings, bias, density)
    start = np.zeros(fitted.n_features)
    start[-1] = 1  # the centre bias alone is the nearest density that needs no fit
    fused = fusion.fit(fitted.batches, held_out.batches, start, penalties)
    known = centre_biases.kept(bias)
    return DeepBank(settings, fused.weight, fused.penalty, **known), fused.path
