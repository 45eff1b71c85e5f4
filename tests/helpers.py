"""Small made-up layers, stimuli and models that several test modules share."""

import dataclasses

import numpy as np
import pandas as pd

from gaborscope.analysis import identities as identity_tools
from gaborscope.analysis import naming
from gaborscope.explanation import layers as layer_tools
from gaborscope.explanation.model import ExplainedModel
from gaborscope.filters.regressors import Regressors
from gaborscope.fitting import sparse
from gaborscope.fitting.statistics import standardised
from gaborscope.stimuli.block import StimulusBlock
from gaborscope.stimuli.layer import Layer

BOX = (32, 48)

SETTINGS = {
    "bank": {
        "n_scales": 2,
        "n_orientations": 3,
        "min_wavelength_px": 4.0,
        "scale_factor": 2.0,
        "bandwidth_ratio": 0.6,
        "angular_sigma": None,
    },
    "colour": "yuv",
    "kinds": ["even", "odd", "amplitude"],
    "residual": True,
    "normalisation": False,
    "position": False,
    "boundary": "symmetric",
    "pool": {"kind": "gaussian", "width": 2.0},
    "pools": [{"kind": "gaussian", "width": 2.0}],
    "mode": "direct",
    "activation": "input",
}
N_REGRESSORS = 3 * (2 * 3 * 3 + 1)

ORIGIN = {"code": "0123456789abcdef", "seed": "1"}


def make_regressors(**changes):
    """Regressors of `SETTINGS` with some settings changed."""
    keys = ("bank", "colour", "kinds", "residual", "normalisation", "position", "boundary")
    return Regressors(**{**{key: SETTINGS[key] for key in keys}, **changes})


def make_layer(stride, channels, nonlinearity="none"):
    """Return the description of a layer on a regular grid, landscape and portrait."""
    rows, columns = BOX[0] // stride, BOX[1] // stride
    return Layer(
        module="net.0",
        nonlinearity=nonlinearity,
        channels=channels,
        shape={"32x48": (rows, columns), "48x32": (columns, rows)},
        pool=1,
        stride=(float(stride), float(stride)),
        centre="measured",
        offset_px=((stride - 1) / 2, (stride - 1) / 2),
        offset_measured_px=((stride - 1) / 2, (stride - 1) / 2),
        offset_spread_px=(0.0, 0.0),
        receptive_field_px=(stride * 2.0, stride * 2.0),
    )


def make_image(size, seed=0):
    """Smooth random uint8 image: blocks of 4 px, so that coarse filters have something to see."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (-(-size[0] // 4), -(-size[1] // 4), 3), dtype=np.uint8)
    return np.repeat(np.repeat(coarse, 4, axis=0), 4, axis=1)[: size[0], : size[1]].copy()


def make_block(sizes, n_points=12, seed=0, facts=None):
    """Block of random stimuli with random fixations."""
    rng = np.random.default_rng(seed)
    x, y, stimulus = [], [], []
    for index, (height, width) in enumerate(sizes):
        x.append(rng.uniform(0, width - 1, n_points))
        y.append(rng.uniform(0, height - 1, n_points))
        stimulus.append(np.full(n_points, index))
    return StimulusBlock(
        names=[f"s{index}.png" for index in range(len(sizes))],
        paths=[""] * len(sizes),
        sha256=[f"{index:064x}" for index in range(len(sizes))],
        sizes=np.array(sizes, dtype=np.int32),
        x=np.concatenate(x).astype(np.float32),
        y=np.concatenate(y).astype(np.float32),
        stimulus=np.concatenate(stimulus).astype(np.int32),
        subject=np.arange(n_points * len(sizes), dtype=np.int32) % 3,
        facts={"px_per_degree": 6.0} if facts is None else facts,
        images=[make_image(size, seed + index) for index, size in enumerate(sizes)],
    )


def make_fitted(name, stride, channels, nonlinearity, rng):
    """Layer with random weights."""
    return layer_tools.FittedLayer(
        name=name,
        layer=make_layer(stride, channels, nonlinearity),
        settings=SETTINGS,
        weight=rng.standard_normal((channels, N_REGRESSORS)).astype(np.float32),
        intercept=rng.standard_normal(channels).astype(np.float32),
        residual_sd=rng.uniform(0.1, 1, channels).astype(np.float32),
    )


def make_explained(seed=0):
    """Explained model of two layers, all weights random."""
    rng = np.random.default_rng(seed)
    centre_bias = rng.uniform(0.5, 1, (12, 16))
    return ExplainedModel(
        box=BOX,
        layers=[make_fitted("fine", 4, 3, "relu", rng), make_fitted("coarse", 8, 2, "none", rng)],
        settings={"stride": 4, "smoothing": 3.0},
        weight=rng.standard_normal(6),
        centre_bias=centre_bias / centre_bias.sum(),
        uniform_weight=1e-3,
    )


def shares_of(statistics, table, colour="yuv"):
    """Shares by grouping of a layer whose maps are named on the grid, as `identities.shares`."""
    correlation, cross, _ = standardised(statistics)
    chosen = [sparse.select(correlation, own, naming.MOST) for own in cross.T]
    named = naming.needed(statistics, statistics, chosen)
    rows = [
        {"layer": "it", "map": index, "named": True, "name": table["name"][place], "share": share}
        for index, pair in enumerate(zip(named, naming.shares_of(statistics, named), strict=True))
        for place, share in zip(*pair, strict=True)
    ]
    identities = pd.DataFrame(rows, columns=["layer", "map", "named", "name", "share"])
    layer = dataclasses.replace(make_layer(4, len(chosen)), name="it")
    living = np.where(statistics.total_variation() > 0, 1.0, np.nan)
    filters = {
        "table": table, "layer": layer, "explained_variance": living,
        "regressors": {"colour": colour},
    }  # fmt: skip
    return identity_tools.shares(filters, identities.astype({"named": bool, "map": int}))


def page_content(**changes):
    """Content of the page of an empty report, with some of it changed."""
    base = {
        "version": "1.2.3",
        "summary": {
            "banners": [],
            "warnings": [],
            "sentences": ["It was found."],
            "figure": None,
            "model": "",
            "dataset": "demo",
            "glance": {"columns": [], "rows": []},
        },
        "methods": {"paragraphs": ["We did."], "bibtex": "@software{it}", "settings": "{}"},
        "run": {"not_run": []},
        "now": {"date": "2026-01-02", "commit": "abc", "software": "X 1.", "times": []},
        "models": ["cmrnet"],
        "fit_on": "demo",
        "explanations": ["direct"],
        "synthetic": True,
        "floor": 0.5,
        "score_tables": [],
        "closeness": [],
        "share_tables": [],
        "calibrated_tables": [],
        "difference_tables": [],
        "normalised_tables": [],
        "rank_tables": [],
        "normalised_figures": [],
        "verdicts": [],
        "faithfulness": [],
        "differentiation": [],
        "explained": [],
        "anatomy": {"bits_figure": None, "spectra_figure": None, "layer_figures": []},
    }
    return {**base, **changes}
