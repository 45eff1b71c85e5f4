"""HDF5 files of the fit: sufficient statistics and fitted layers."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from gaborscope.fitting.ridge import Solution
from gaborscope.fitting.statistics import Statistics
from gaborscope.stimuli.layer import Layer
from gaborscope.store import paths as grammar
from gaborscope.store.files import create, open_file, put, put_text


def write_statistics(
    path: str | Path,
    statistics: Mapping[str, Statistics],
    origin: Mapping[str, Any],
    swapped: int = 0,
) -> None:
    """
    Write sufficient statistics, such as those of all layers on one block.

    Parameters
    ----------
    path : str or Path
    statistics : dict of str to statistics.Statistics
        By the name of their group: of layers "{layer}/{candidate}", with the index of the candidate
        of pooling.
    origin : dict
    swapped : int
        How many of the last regressors are maps of concepts on other stimuli.
    """
    axes = {
        "gram": "regressor, regressor",
        "cross": "regressor, channel",
        "sum_phi": "regressor",
        "sum": "channel",
        "cov": "channel, channel",
        "n": "",
    }
    with create(path, "statistics", origin) as file:
        file.attrs["swapped"] = swapped
        for name, sums in statistics.items():
            group = file.create_group(name)
            for key, names in axes.items():
                unit = "pixels" if key == "n" else "summed products"
                put(group, key, getattr(sums, key), names, unit)


def read_statistics(
    paths: Sequence[str], layer: str, candidate: int, swapped: bool = False
) -> dict[str, Statistics]:
    """
    Read sufficient statistics of one layer by block.

    Parameters
    ----------
    paths : sequence of str or Path
        `results/statistics/{model}/{dataset}/{explanation}/{block}.h5` of several blocks.
    layer : str
    candidate : int
        Index of the candidate of pooling.
    swapped : bool
        Whether the maps of concepts on other stimuli, of which there may be statistics too, are
        among the regressors.

    Returns
    -------
    statistics : dict of str to statistics.Statistics

    Raises
    ------
    InputError
        If a path is none of these, or two are of the same block.
    """
    by_block = grammar.index("statistics", paths, "block")
    return {
        block: read_sums(path, f"{layer}/{candidate}", swapped) for block, path in by_block.items()
    }


def read_sums(path: str | Path, name: str, swapped: bool = False) -> Statistics:
    """
    Read one group of sufficient statistics of a file.

    Parameters
    ----------
    path : str or Path
        Written by `write_statistics`.
    name : str
        Name of the group.
    swapped : bool
        See `read_statistics`.

    Returns
    -------
    statistics : statistics.Statistics
    """
    with open_file(path, "statistics") as file:
        group = file[name]
        parts = {key: group[key][()] for key in ("gram", "cross", "sum_phi", "sum", "cov")}
        sums = Statistics(**parts, n=int(group["n"][()]))
        left_out = 0 if swapped else int(file.attrs["swapped"])
        return sums.first(len(sums.sum_phi) - left_out) if left_out else sums


def write_filters(
    path: str | Path, solution: Solution, described: Mapping[str, Any], origin: Mapping[str, Any]
) -> None:
    """
    Write a fitted layer.

    Parameters
    ----------
    path : str or Path
    solution : Solution
    described : dict
        `layer` (Layer), `regressors` (can be written as JSON), `candidate` (index of the chosen
        candidate of pooling), `table` (from `Regressors.table`), `marginal` (C, K).
    origin : dict
    """
    with create(path, "filters", origin) as file:
        file.attrs["layer"] = json.dumps(described["layer"].to_json(), sort_keys=True)
        file.attrs["candidate"] = described["candidate"]
        file.attrs["penalty"] = solution.penalty
        file.attrs["pooled_explained_variance"] = solution.pooled
        bank = file.create_group("bank")
        bank.attrs["regressors"] = json.dumps(described["regressors"], sort_keys=True)
        regressor = file.create_group("regressor")
        for key, values in described["table"].items():
            if values.dtype.kind == "U":
                put_text(regressor, key, values, "regressor")
            else:
                put(regressor, key, values, "regressor", "index")
        put(file, "weight", solution.weight, "channel, regressor", "activation", np.float32)
        put(file, "intercept", solution.intercept, "channel", "activation", np.float32)
        put(file, "residual_sd", solution.residual_sd, "channel", "activation", np.float32)
        dead = np.isnan(solution.explained_variance)
        explained = np.where(dead, 0, solution.explained_variance)
        put(file, "explained_variance", explained, "channel", "share of the validation variance")
        put(file, "dead", dead, "channel", "flag")
        path = np.array([step for step in solution.path if np.isfinite(step[1])]).reshape(-1, 2)
        put(file, "path", path, "step, (penalty, explained variance)", "")
        put(file, "marginal", described["marginal"], "channel, regressor", "r^2", np.float32)
        for block, (weight, intercept) in solution.folds.items():
            group = file.create_group(f"fold/{block}")
            put(group, "weight", weight, "channel, regressor", "activation", np.float32)
            put(group, "intercept", intercept, "channel", "activation", np.float32)


def read_filters(path: str | Path, fold: str | None = None) -> dict[str, Any]:
    """
    Read a fitted layer.

    Parameters
    ----------
    path : str or Path
    fold : str, optional
        Block whose out-of-fold weights are read. Without such weights, the whole fit is read.

    Returns
    -------
    filters : dict
        `layer` (Layer), `regressors`, `weight` (C, K), `intercept`, `residual_sd`,
        `explained_variance` (nan where dead), `pooled`, `penalty`, `candidate`, `marginal`,
        `table`.
    """
    with open_file(path, "filters") as file:
        source = file
        if fold is not None and f"fold/{fold}" in file:
            source = file[f"fold/{fold}"]
        dead = file["dead"][()]
        return {
            "layer": Layer.from_json(json.loads(file.attrs["layer"])),
            "regressors": json.loads(file["bank"].attrs["regressors"]),
            "weight": source["weight"][()],
            "intercept": source["intercept"][()],
            "residual_sd": file["residual_sd"][()],
            "explained_variance": np.where(dead, np.nan, file["explained_variance"][()]),
            "pooled": float(file.attrs["pooled_explained_variance"]),
            "penalty": float(file.attrs["penalty"]),
            "candidate": int(file.attrs["candidate"]),
            "marginal": file["marginal"][()],
            "table": {
                key: values.asstr()[()] if values.dtype.kind == "O" else values[()]
                for key, values in file["regressor"].items()
            },
        }
