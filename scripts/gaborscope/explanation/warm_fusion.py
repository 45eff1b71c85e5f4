"""Fit many similar fusions fast: start close to the solution and reuse the Hessian."""

import math
from collections.abc import Callable, Iterable, Sequence

import numpy as np

from gaborscope.explanation import fusion

MAX_STEPS = 40
SLOW = 0.3  # the Hessian is renewed if the promised gain exceeds this share of the last one


def fit(
    fit_batches: Callable[[], Iterable[tuple[np.ndarray, np.ndarray]]],
    validation_batches: Callable[[], Iterable[tuple[np.ndarray, np.ndarray]]],
    start: np.ndarray,
    penalties: Sequence[float],
    tolerance: float = 0.0001,
) -> fusion.Fusion:
    """
    Fit the fusion weights from a given start and choose the penalty on the validation split.

    The objective of `fusion.fit` is minimised. It is convex, so the start changes the time but not
    the result. A Hessian costs as much as many gradients, so it is reused as long as the steps with
    it converge fast.

    Parameters
    ----------
    fit_batches, validation_batches : callable
        Each call returns an iterable of (features, target), see `fusion.objective`.
    start : float64 array (feature,)
    penalties : sequence of float
        Candidates, see `fusion.fit`.
    tolerance : float
        The search ends when a step promises a gain below this (nats per stimulus).

    Returns
    -------
    fused : fusion.Fusion
    """
    scale = fusion.feature_scale(fit_batches, len(start))
    weight, curvature = np.where(scale > 0, start, 0.0), None
    path, best = [], None
    for penalty in sorted(penalties, reverse=True):
        ridge = np.divide(penalty, scale**2, out=np.ones(len(scale)), where=scale > 0)
        weight, value, curvature = _descend(fit_batches, weight, scale, ridge, curvature, tolerance)
        held_out, _, _ = fusion.objective(validation_batches(), weight)
        path.append((float(penalty), float(value), float(held_out)))
        if not math.isfinite(held_out):
            continue
        if best is None or held_out < best[0]:
            best = (held_out, penalty, weight)
        elif held_out > best[0] + fusion.OVERFITTED:
            break
    if best is None:
        raise ValueError("there is no penalty with a finite loss to choose; give larger ones")
    return fusion.Fusion(weight=best[2], penalty=float(best[1]), path=path)


def _descend(batches, weight, scale, ridge, curvature, tolerance):
    """Minimise cross-entropy + ridge by Newton steps; renew the Hessian when they get slow."""
    fresh, last = curvature is None, np.inf
    value, gradient, hessian = fusion.objective(batches(), weight, hessian=fresh)
    curvature = hessian if fresh else curvature
    newton = fusion.newton_direction(curvature, ridge, scale)
    for _ in range(MAX_STEPS):
        slope = gradient + ridge * weight
        direction = newton(slope)
        promise = -slope @ direction / 2
        if promise < tolerance:
            break
        if promise > SLOW * last and not fresh:
            value, gradient, curvature = fusion.objective(batches(), weight, hessian=True)
            newton, fresh, last = fusion.newton_direction(curvature, ridge, scale), True, np.inf
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
        new_value, gradient, _ = fusion.objective(batches(), candidate)
        new_total = new_value + 0.5 * (ridge * candidate**2).sum()
        if new_total <= total + 1e-4 * step * (slope @ direction):
            return candidate, new_value, gradient
        step /= 2
    return None
