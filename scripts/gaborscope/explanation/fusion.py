"""Fit the fusion of reconstructed maps to one density: a convex, log-linear model."""

import dataclasses
import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
from scipy import linalg

from gaborscope.errors import InputError

MAX_STEPS = 40
# The Hessian is renewed if a step promises more than this share of what the last one promised.
SLOW = 0.3
# A feature whose spread within stimuli is below this share of its root mean square is constant.
CONSTANT = 1e-6
# Beyond this loss on the validation split (nats per stimulus), smaller penalties only overfit more.
OVERFITTED = 0.02


@dataclasses.dataclass
class Fusion:
    """
    Fitted weights of the log-linear fusion.

    Attributes
    ----------
    weight : float64 array (feature,)
        Weights of the unscaled features; the last one belongs to the log centre bias.
    penalty : float
        Penalty that was chosen on the validation split.
    path : list of (penalty, fit cross-entropy, validation cross-entropy)
        In nats per stimulus.
    """

    weight: np.ndarray
    penalty: float
    path: list[tuple[float, float, float]]


def objective(
    batches: Iterable[tuple[np.ndarray, np.ndarray]], weight: np.ndarray, hessian: bool = False
) -> tuple[float, np.ndarray, np.ndarray | None]:
    """
    Return the cross-entropy of the fused density, its gradient and its Hessian.

    The cross-entropy is `-sum_p target_p log softmax_p(features_p . weight)`, mean over stimuli. It
    is convex in the weight.

    Parameters
    ----------
    batches : iterable of (features, target)
        One per stimulus: float32 array (cell, feature) and float64 array (cell,), sum 1.
    weight : float array (feature,)
    hessian : bool
        Whether to compute the Hessian.

    Returns
    -------
    value : float
        Nats per stimulus.
    gradient : float64 array (feature,)
    hessian : float64 array (feature, feature) or None
    """
    value, gradient, n = 0.0, np.zeros(len(weight)), 0
    curvature = np.zeros((len(weight), len(weight))) if hessian else None
    narrow = np.asarray(weight, dtype=np.float32)
    for features, target in batches:
        # a constant of a stimulus changes nothing, but digits are lost where it is large; products
        # of float32 with float64 would copy the features to float64
        features = features - np.full(len(features), 1 / len(features), np.float32) @ features
        score = (features @ narrow).astype(float)
        score -= score.max()
        log_z = math.log(np.exp(score).sum())
        value += log_z - target @ score
        p = np.exp(score - log_z)
        gradient += (p - target).astype(np.float32) @ features
        if curvature is not None:
            mean = p.astype(np.float32) @ features
            scaled = (features - mean) * np.sqrt(p).astype(np.float32)[:, None]
            curvature += scaled.T @ scaled
        n += 1
    return value / n, gradient / n, None if curvature is None else curvature / n


def fit(
    fit_batches: Callable[[], Iterable[tuple[np.ndarray, np.ndarray]]],
    validation_batches: Callable[[], Iterable[tuple[np.ndarray, np.ndarray]]],
    start: int | np.ndarray,
    penalties: Sequence[float],
    tolerance: float = 1e-05,
    progress: Callable[..., Any] | None = None,
) -> Fusion:
    """
    Fit the fusion weights and choose the penalty on the validation split.

    The fit takes Newton steps on features scaled by their spread within stimuli. It goes from the
    largest penalty to the smallest and starts each one at the last solution. The objective is
    convex, so the start changes the time but not the result. A Hessian costs as much as many
    gradients, so it is used again as long as the steps with it converge fast.

    Parameters
    ----------
    fit_batches, validation_batches : callable
        Each call returns an iterable of (features, target), see `objective`.
    start : int or float64 array (feature,)
        Weights to start at; a number of features starts at 0.
    penalties : sequence of float
        Candidates for the weight of `0.5 * sum(scaled weight ** 2)`.
    tolerance : float
        The search ends when a step promises a gain below this (nats per stimulus).
    progress : callable, optional
        Called with one sentence after each penalty.

    Returns
    -------
    fusion : Fusion

    Raises
    ------
    InputError
        If the loss is finite with none of the penalties.
    """
    start = np.zeros(start) if isinstance(start, int) else start
    scale = feature_scale(fit_batches, len(start))
    weight, curvature = np.where(scale > 0, start, 0.0), None
    path, best = [], None
    for penalty in sorted(penalties, reverse=True):
        ridge = np.divide(penalty, scale**2, out=np.ones(len(scale)), where=scale > 0)
        weight, value, curvature = _descend(fit_batches, weight, scale, ridge, curvature, tolerance)
        held_out, _, _ = objective(validation_batches(), weight)
        path.append((float(penalty), float(value), float(held_out)))
        if progress:
            progress(
                f"penalty {penalty:g}: cross-entropy {value:.4f} on the fit split, "
                f"{held_out:.4f} on the validation split"
            )
        if not math.isfinite(held_out):
            continue
        if best is None or held_out < best[0]:
            best = (held_out, penalty, weight)
        elif held_out > best[0] + OVERFITTED:
            break
    if best is None:
        raise InputError(
            f"the fusion diverged with each of the penalties {', '.join(map(str, penalties))} (the "
            "loss is not finite); give larger fusion.penalties"
        )
    return Fusion(weight=best[2], penalty=float(best[1]), path=path)


def feature_scale(
    batches: Callable[[], Iterable[tuple[np.ndarray, np.ndarray]]], n_features: int
) -> np.ndarray:
    """
    Return the reciprocal spread of each feature within stimuli.

    Parameters
    ----------
    batches : callable
        See `fit`.
    n_features : int

    Returns
    -------
    scale : float64 array (feature,)
        1 / root mean squared deviation from the mean of the stimulus; 0 for a constant feature.
    """
    variance, square, n = np.zeros(n_features), np.zeros(n_features), 0
    for features, _ in batches():
        variance += features.var(axis=0, dtype=np.float64)
        square += np.square(features, dtype=np.float64).mean(axis=0)
        n += 1
    spread, size = np.sqrt(variance / n), np.sqrt(square / n)
    return np.divide(1, spread, out=np.zeros(n_features), where=spread > CONSTANT * size)


def newton_direction(
    curvature: Any, ridge: np.ndarray, scale: np.ndarray
) -> Callable[[np.ndarray], np.ndarray]:
    """
    Return a function that turns a gradient into a Newton direction.

    Parameters
    ----------
    curvature : float64 array (feature, feature)
        Hessian of the objective.
    ridge : float64 array (feature,)
        Second derivatives of the penalty.
    scale : float64 array (feature,)
        From `feature_scale`.

    Returns
    -------
    direction : callable
        Takes and returns a float64 array (feature,).
    """
    unit = np.where(scale > 0, scale, 1.0)
    system = (curvature + np.diag(ridge)) * np.outer(unit, unit)
    # rounding of float32 products can make the Hessian indefinite
    for lift in 10.0 ** np.arange(-10, 3):
        system[np.diag_indices_from(system)] += lift * np.diag(system).mean()
        try:
            factor = linalg.cho_factor(system)
            break
        except linalg.LinAlgError:
            continue
    return lambda slope: -unit * linalg.cho_solve(factor, unit * slope)


def _descend(batches, weight, scale, ridge, curvature, tolerance):
    """Minimise cross-entropy + ridge by Newton steps; renew the Hessian when they get slow."""
    fresh, last = curvature is None, np.inf
    value, gradient, hessian = objective(batches(), weight, hessian=fresh)
    curvature = hessian if fresh else curvature
    newton = newton_direction(curvature, ridge, scale)
    for _ in range(MAX_STEPS):
        slope = gradient + ridge * weight
        direction = newton(slope)
        promise = -slope @ direction / 2
        if promise < tolerance:
            break
        if not promise <= SLOW * last and not fresh:
            value, gradient, curvature = objective(batches(), weight, hessian=True)
            newton, fresh, last = newton_direction(curvature, ridge, scale), True, np.inf
            continue
        step = _search(batches, weight, value, direction, ridge, slope)
        if step is None and fresh:
            break  # float32 features allow no better solution
        if step is None:
            last = 0.0
            continue
        (weight, value, gradient), fresh, last = step, False, promise
    return weight, value, curvature


def _search(batches, weight, value, direction, ridge, slope):
    """Halve the step until the objective falls; return None if it does not fall."""
    total, step = value + 0.5 * (ridge * weight**2).sum(), 1.0
    while step > 1e-3:
        candidate = weight + step * direction
        new_value, gradient, _ = objective(batches(), candidate)
        new_total = new_value + 0.5 * (ridge * candidate**2).sum()
        if new_total <= total + 1e-4 * step * (slope @ direction):
            return candidate, new_value, gradient
        step /= 2
    return None
