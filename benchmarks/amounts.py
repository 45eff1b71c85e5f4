"""
Count what the engine of the regressors does for one image.

A module that other benchmarks import; it runs nothing itself.
"""

import numpy as np

from gaborscope.filters import sampling
from gaborscope.stimuli import geometry


def amounts(plan, targets, placement, n_channels=3):
    """
    Operations and bytes of the pooled responses to one image.

    Parameters
    ----------
    plan : plan.Plan
    targets : sequence of (geometry.Grid, pool, width)
        Those of the plan.
    placement : geometry.Placement
    n_channels : int

    Returns
    -------
    transforms, pooling : float
        Operations: 5 n log2 n of a transform of n points; two for each weight of a window that is
        not 0.
    gains : float
        Bytes of gains, read once for all channels.
    """
    shape = (placement.height, placement.width)
    full = plan.full
    pixels = full[0] * full[1]
    transforms, pooling, gains = n_channels * 5 * pixels * np.log2(pixels), 0.0, 0
    for stage in plan.stages:
        lattice, n = stage.folded.lattice, n_channels * len(stage.filters)
        rows, columns = (extent // lattice.step for extent in full)
        lines = columns * rows * np.log2(rows) + lattice.count[0] * columns * np.log2(columns)
        transforms += 5 * n * lines
        gains += stage.folded.n_bytes
        for target in stage.windows[0] if stage.averaged else []:
            deviation = geometry.deviation(targets[target][2])
            centres = sampling.centres(targets[target][0], placement)
            pair = sampling.windows(lattice, centres, deviation, shape)
            pooling += 2 * n_channels * len(stage.averaged) * _products(*pair, lattice.count)
        for _, pair in stage.smoothed:
            pooling += 4 * n * _products(*pair, lattice.count)
    return transforms, pooling, gains


def _products(along_y, along_x, count):
    return (along_y != 0).sum() * count[1] + len(along_y) * (along_x != 0).sum()
