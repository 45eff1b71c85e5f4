"""The log-Gabor bank fitted to fixations, without a network: the baseline of explanations."""

from __future__ import annotations

import dataclasses
import functools
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from scipy import sparse

from gaborscope.analysis import coalitions
from gaborscope.errors import InputError
from gaborscope.explanation import fusion
from gaborscope.explanation.fusion_data import Examples
from gaborscope.explanation.layers import make_regressors
from gaborscope.explanation.model import grid_shape, log_centre_bias, smoothing_matrix
from gaborscope.stimuli import centre_bias as centre_biases
from gaborscope.stimuli import densities, fixations, geometry
from gaborscope.stimuli.block import StimulusBlock
from gaborscope.stimuli.centre_bias import GRID
from gaborscope.stimuli.layer import Sampling
from gaborscope.store.files import create, open_file, put


@dataclasses.dataclass
class FixationBank:
    """
    Log-linear density of pooled log-Gabor responses and the log centre bias.

    `deep_bank.DeepBank` is the same, fitted to a network's densities.

    Attributes
    ----------
    settings : dict
        `input` (see `geometry.Box.of`), `stride` (side of a cell in px of the input), `pool` (kind,
        and width in strides) or a list `pools`, `smoothing` (standard deviation in px of the input,
        optional), and the settings of `layers.make_regressors`. Each of several pools has a full
        set of regressors.
    weight : float64 array (regressor + 1,)
        Weights of the regressors (not standardised), then of the log centre bias.
    penalty : float
        Chosen on the validation split.
    centre_bias : float64 array (row, column)
        Density on a relative grid, sum 1. Fitted on several data sets, the mean of theirs.
    centre_biases : dict of str to float64 array (row, column)
        Fitted on several data sets, that of each; else empty.
    """

    settings: Mapping[str, Any]
    weight: np.ndarray
    penalty: float
    centre_bias: np.ndarray
    centre_biases: Mapping[str, np.ndarray] = dataclasses.field(default_factory=dict)
    KIND: ClassVar[str] = "fixation_bank"  # of its file

    def on(self, dataset: str | None) -> Self:
        """Return the bank with the centre bias of a data set, see `ExplainedModel.on`."""
        bias = self.centre_biases.get(dataset or "")
        return self if bias is None else dataclasses.replace(self, centre_bias=bias)

    def predict(self, image: np.ndarray) -> np.ndarray:
        """
        Log-density of an image, up to a constant.

        Parameters
        ----------
        image : uint8 array (height, width, 3), or view (see `StimulusBlock.view`)
            RGB.

        Returns
        -------
        logits : float64 array (height, width)
        """
        regressors, shape = features(image, self.settings)
        score = self.score(regressors, shape)
        return densities.resize_bilinear(score, image.shape[:2])

    def score(self, regressors: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
        """Return the log-density, up to a constant, on the cells of `features`, as float64."""
        bias = log_centre_bias(self.centre_bias, shape)
        score = regressors @ self.weight[:-1] + self.weight[-1] * bias
        return score.reshape(shape).astype(float)

    def save(self, path: str | Path, origin: Mapping[str, Any]) -> None:
        """
        Write the fitted bank, whole or not at all.

        Parameters
        ----------
        path : str or Path
        origin : dict
            From `provenance`.
        """
        with create(path, self.KIND, origin) as file:
            file.attrs["settings"] = json.dumps(self.settings, sort_keys=True)
            file.attrs["penalty"] = self.penalty
            put(file, "weight", self.weight, "regressor", "nats per unit of the regressor")
            put(file, "centre_bias", self.centre_bias, "y, x", "relative, sum 1")
            for name, bias in self.centre_biases.items():
                put(file, f"centre_biases/{name}", bias, "y, x", "relative, sum 1")

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """
        Read a fitted bank.

        Parameters
        ----------
        path : str or Path

        Returns
        -------
        bank : FixationBank
        """
        with open_file(path, cls.KIND) as file:
            return cls(
                settings=json.loads(file.attrs["settings"]),
                weight=file["weight"][()],
                penalty=float(file.attrs["penalty"]),
                centre_bias=file["centre_bias"][()],
                centre_biases={n: one[()] for n, one in file.get("centre_biases", {}).items()},
            )


def features(image: np.ndarray, settings: Mapping[str, Any]) -> tuple[np.ndarray, tuple[int, int]]:
    """
    Regressors of an image on cells that tile it.

    Parameters
    ----------
    image : uint8 array (height, width, 3), or view (see `StimulusBlock.view`)
    settings : dict
        As `FixationBank.settings`.

    Returns
    -------
    features : float32 array (cell, regressor)
        Cells row by row.
    shape : (int, int)
        Rows and columns of cells.
    """
    placement = geometry.place(image.shape[:2], geometry.Box.of(settings["input"]))
    shape = grid_shape(placement.height, placement.width, settings["stride"])
    sides = placement.height / shape[0], placement.width / shape[1]
    first = placement.top, placement.left
    offset = first[0] + sides[0] / 2 - 0.5, first[1] + sides[1] / 2 - 0.5
    grid = geometry.Grid(shape, sides, offset)
    pools = settings.get("pools") or [settings["pool"]]
    targets = [Sampling(grid, pool["kind"], pool["width"] * settings["stride"]) for pool in pools]
    content = geometry.content(image, placement)
    maps = np.concatenate(make_regressors(settings).compute(content, placement, targets))
    if settings.get("smoothing"):
        along = [
            smoothing_matrix(n, settings["smoothing"] / side)
            for n, side in zip(shape, sides, strict=True)
        ]
        maps = along[0] @ maps @ along[1].T
    return np.ascontiguousarray(maps.reshape(len(maps), -1).T), shape


def fit(
    fit_blocks: Sequence[StimulusBlock],
    validation_blocks: Sequence[StimulusBlock],
    settings: Mapping[str, Any],
    penalties: Sequence[float],
    centre_bias: centre_biases.CentreBias | centre_biases.PooledCentreBias,
    progress: Callable[..., Any] | None = None,
) -> FixationBank:
    """
    Fit the weights to the fixations of the fit split; choose the penalty on the validation split.

    The fit is done as in `fusion`. Its convex loss is -sum_p target_p log softmax_p(regressors_p .
    weight); the target is the fixation density on the cells p. The regressors are kept as float16
    in an unnamed temporary file.

    Parameters
    ----------
    fit_blocks, validation_blocks : sequence of StimulusBlock
        Stimuli without fixations are left out.
    settings : dict
        As `FixationBank.settings`.
    penalties : sequence of float
    centre_bias : CentreBias or PooledCentreBias
        For each stimulus, the fixations on this stimulus are left out.
    progress : callable, optional
        Called with sentences on the progress of the fit.

    Returns
    -------
    bank : FixationBank

    Raises
    ------
    InputError
        If a split has no stimulus with fixations.
    """
    data = _of_splits(fit_blocks, validation_blocks, settings, centre_bias)
    fused = fusion.fit(
        data[0].batches, data[1].batches, data[0].n_features, penalties, progress=progress
    )
    return FixationBank(settings, fused.weight, fused.penalty, **centre_biases.kept(centre_bias))


def _of_splits(fit_blocks, validation_blocks, settings, centre_bias):
    """Return the examples of the fit split and of the validation split."""
    data = Examples(), Examples()
    splits = (fit_blocks, "fit"), (validation_blocks, "validation")
    for examples, (blocks, split) in zip(data, splits, strict=True):
        for block in blocks:
            collect(examples, block, settings, centre_bias, functools.partial(_of_people, block))
        if not len(examples):
            raise InputError(
                f"no stimulus of the {split} split has a fixation, so no bank can be "
                "fitted; add fixations"
            )
    return data


class Coalitions:
    """
    Banks fitted to fixations with only some dimensions of their regressors.

    Parameters
    ----------
    fit_blocks, validation_blocks : sequence of StimulusBlock
        With the swapped maps of the concepts behind the images, if the settings have concepts.
    entry, sigmas, uniform_weight
        See `fit_to`.
    progress : callable
        Called with one sentence per coalition.

    Attributes
    ----------
    labels : list of str
        See `coalitions.names`.
    banks : list of FixationBank
        One per coalition, with weights of 0 where it leaves a regressor out.
    """

    def __init__(
        self,
        fit_blocks: Sequence[StimulusBlock],
        validation_blocks: Sequence[StimulusBlock],
        entry: Mapping[str, Any],
        sigmas: Sequence[float],
        uniform_weight: float,
        progress: Callable[..., Any],
    ) -> None:
        self._uniform_weight = uniform_weight
        self._settings = {key: value for key, value in entry.items() if key != "penalties"}
        self._settings["swapped"] = bool(entry.get("concepts"))
        bias = centre_biases.centre_bias(fit_blocks, validation_blocks, sigmas, uniform_weight)
        data = _of_splits(fit_blocks, validation_blocks, self._settings, bias)
        table, pools = make_regressors(self._settings).table(), entry.get("pools") or [0]
        inverse = fusion.feature_scale(data[0].batches, data[0].n_features)[:-1]
        every, opponent = coalitions.names(table), entry["colour"] != "rgb"
        self.labels, self.banks = list(every), []
        for name, kept in every.items():
            matrix = sparse.block_diag(
                [
                    coalitions.restriction(table, kept, of_pool, opponent)
                    for of_pool in np.split(inverse, len(pools))
                ],
                format="csr",
            )
            fitted, held_out = (functools.partial(_restricted, one, matrix) for one in data)
            fused = fusion.fit(fitted, held_out, matrix.shape[0] + 1, entry["penalties"])
            weight = np.append(matrix.T @ fused.weight[:-1], fused.weight[-1])
            known = centre_biases.kept(bias)
            self.banks.append(FixationBank(self._settings, weight, fused.penalty, **known))
            progress(
                f"{name}: cross-entropy {min(step[2] for step in fused.path):.4f} on the "
                f"validation split (penalty {fused.penalty:g})"
            )

    def log_densities(
        self, view: np.ndarray, dataset: str | None = None
    ) -> Iterator[tuple[str, np.ndarray]]:
        """
        Predict one stimulus by every bank, its regressors computed once.

        Parameters
        ----------
        view : array (height, width, 3 or more)
            See `StimulusBlock.view`.
        dataset : str, optional
            Of the stimulus, see `FixationBank.on`.

        Yields
        ------
        coalition : str
        log_density : float64 array (height, width)
        """
        regressors, shape = features(view, self._settings)
        for coalition, bank in zip(self.labels, self.banks, strict=True):
            score = bank.on(dataset).score(regressors, shape)
            logits = densities.resize_bilinear(score, view.shape[:2])
            yield coalition, densities.to_log_density(logits, "logits", self._uniform_weight)


def _restricted(examples, matrix):
    """Yield features and targets of examples, their regressors restricted."""
    for values, target in examples.batches():
        kept = np.ascontiguousarray((matrix @ values[:, :-1].T).T)
        yield np.column_stack([kept, values[:, -1:]]).astype(np.float32), target


def collect(
    examples: Examples,
    block: StimulusBlock,
    settings: Mapping[str, Any],
    centre_bias: centre_biases.CentreBias | centre_biases.PooledCentreBias,
    target: Callable[[int], np.ndarray | None],
) -> None:
    """
    Append the stimuli of a block that have a target.

    Parameters
    ----------
    examples : Examples
        Changed in place.
    block : StimulusBlock
    settings : dict
        As `FixationBank.settings`.
    centre_bias : CentreBias or PooledCentreBias
        For each stimulus, the fixations on this stimulus are left out.
    target : callable
        Density (height, width) to predict of the stimulus with an index, or None.

    Raises
    ------
    InputError
        If a regressor exceeds float16.
    """
    for index, name in enumerate(block.names):
        density = target(index)
        if density is None:
            continue
        regressors, shape = features(block.view(index), settings)
        try:
            examples.append(regressors, shape, centre_bias.density(GRID, exclude=name), density)
        except OverflowError:
            raise InputError(f"{name}: a regressor exceeds the range of float16 (65504)") from None


def _of_people(block, index):
    """Fixation density of one stimulus; None without fixations."""
    points, _ = block.points(index)
    return fixations.observed_density(block, index) if len(points) else None


def fit_to(
    fit_blocks: Sequence[StimulusBlock],
    validation_blocks: Sequence[StimulusBlock],
    entry: Mapping[str, Any],
    sigmas: Sequence[float],
    uniform_weight: float,
    progress: Callable[..., Any] | None = None,
) -> FixationBank:
    """
    Fit a bank and its centre bias from an entry of the config.

    Parameters
    ----------
    fit_blocks, validation_blocks : sequence of StimulusBlock
    entry : dict
        `FixationBank.settings` and `penalties`.
    sigmas, uniform_weight
        Candidate widths and uniform share, see `stimuli.centre_bias.centre_bias`.
    progress : callable, optional

    Returns
    -------
    bank : FixationBank
    """
    bias = centre_biases.centre_bias(fit_blocks, validation_blocks, sigmas, uniform_weight)
    settings = {key: value for key, value in entry.items() if key != "penalties"}
    return fit(fit_blocks, validation_blocks, settings, entry["penalties"], bias, progress)
