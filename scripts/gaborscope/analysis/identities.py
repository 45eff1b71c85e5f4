"""Filters of a layer: its shares of explained variance, its dominant filters and its identities."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from gaborscope.analysis import naming
from gaborscope.analysis.nodes import FIXED, Samples
from gaborscope.explanation import layers
from gaborscope.filters.loggabor import LogGaborBank
from gaborscope.filters.regressors import CONCEPT
from gaborscope.fitting import sparse, statistics
from gaborscope.fitting.statistics import Statistics, combine, explained_variance
from gaborscope.stimuli import colour as colours
from gaborscope.stimuli import geometry
from gaborscope.stimuli.block import StimulusBlock

GROUPINGS = ("scale", "orientation", "colour", "kind")


def shares(
    filters: Mapping[str, Any], identities: pd.DataFrame
) -> dict[str, tuple[list[str], np.ndarray, np.ndarray]]:
    """
    Shares of explained variance by scale, orientation, colour and kind.

    A group has the sum of the shares of the filters that maps are named by, and so a group that no
    map is named by has none. Shapley values of groups of all regressors, which are correlated, give
    shares to groups that explain nothing beyond the others (docs/method.md).

    Parameters
    ----------
    filters : dict
        From `read_filters`, of one layer.
    identities : DataFrame
        As `results/identities/{model}/{dataset}/{explanation}.csv`.

    Returns
    -------
    shares : dict of str to (list of str, float64 array (group,), float64 array (C, group))
        By grouping: labels, means over the living maps, and shares in each map (nan where the map
        is dead). Regressors without a scale (orientation, colour) form a separate group "none". If
        the first channel is luminance, there is also a grouping `luminance_scale`: the scales of
        that channel; all other regressors are "none".
    """
    table = filters["table"]
    keys = {grouping: table[grouping] for grouping in GROUPINGS}
    if filters["regressors"]["colour"] in colours.LUMINANCE_FIRST:
        first = (table["colour"] == 0) & ~np.isin(table["kind"], FIXED)
        keys["luminance_scale"] = np.where(first, table["scale"], -1)
    named = identities[identities["named"] & (identities["layer"] == filters["layer"].name)]
    regressor = {name: index for index, name in enumerate(table["name"].tolist())}
    of_maps = np.zeros((len(filters["explained_variance"]), len(regressor)))
    of_maps[named["map"], [regressor[name] for name in named["name"]]] = named["share"]
    of_maps[np.isnan(filters["explained_variance"])] = np.nan
    by_grouping = {}
    for grouping, values in keys.items():
        labels = list(dict.fromkeys(values.tolist()))
        by_map = np.stack([of_maps[:, values == label].sum(axis=1) for label in labels], axis=1)
        dead = np.isnan(by_map).all()
        mean = np.full(len(labels), np.nan) if dead else np.nanmean(by_map, axis=0)
        names = ["none" if label == -1 else str(label) for label in labels]
        by_grouping[grouping] = (names, mean, by_map)
    return by_grouping


def with_shares(filters: dict[str, Any], identities: pd.DataFrame) -> dict[str, Any]:
    """
    Return filters with the shares of the filters that maps are named by.

    Parameters
    ----------
    filters : dict
        From `read_filters`.
    identities : DataFrame
        As for `shares`.

    Returns
    -------
    filters : dict
        With `shares` (labels and values by grouping) and `map_shares` (C, group).
    """
    found = shares(filters, identities)
    return {
        **filters,
        "shares": {name: (labels, values) for name, (labels, values, _) in found.items()},
        "map_shares": {name: np.nan_to_num(by_map) for name, (_, _, by_map) in found.items()},
    }


@dataclasses.dataclass
class Halves:
    """
    Identities fitted again on two disjoint halves of the fit split.

    Attributes
    ----------
    paths : list of sparse.SparsePath
        The filters chosen on the whole split, fitted to each half.
    chosen : list of list of set of int
        By half and map, the filters chosen on that half alone.
    """

    paths: list[sparse.SparsePath]
    chosen: list[list[set[int]]]


def halves(
    fit: Mapping[str, statistics.Statistics],
    validation: statistics.Statistics,
    path: sparse.SparsePath,
    n: int,
    rule: str,
) -> Halves | None:
    """
    Fit and choose the filters again on two disjoint halves of the fit split.

    Parameters
    ----------
    fit : dict of str to statistics.Statistics
        By fit block; the halves take the blocks in turn.
    validation : statistics.Statistics
    path : sparse.SparsePath
        Filters chosen on the whole split.
    n : int
        Filters per map that each half chooses.
    rule : {"omp", "ols"}

    Returns
    -------
    halves : Halves or None
        None if there is only one block.
    """
    if len(fit) < 2:
        return None
    blocks, paths, chosen = sorted(fit), [], []
    for half in range(2):
        half_statistics = statistics.combine(fit[block] for block in blocks[half::2])
        paths.append(sparse.follow(half_statistics, validation, path.chosen, path.error.shape[1]))
        correlation, cross, _ = statistics.standardised(half_statistics)
        chosen.append([set(sparse.select(correlation, c, n, rule)) for c in cross.T])
    return Halves(paths, chosen)


def _from_halves(refitted, variance, index, rank, regressor):
    """Return the columns of one filter that come from the halves; None without halves."""
    if refitted is None:
        return dict.fromkeys(
            ("weight_se", "explained_variance_low", "explained_variance_high", "halves")
        )
    weights = [path.weights[index][rank] for path in refitted.paths]
    explained = [by_rank[rank][index] for by_rank in variance]
    return {
        # standard error of the mean of two independent estimates
        "weight_se": float(abs(weights[0] - weights[1]) / 2),
        "explained_variance_low": float(min(explained)),
        "explained_variance_high": float(max(explained)),
        "halves": sum(regressor in chosen[index] for chosen in refitted.chosen),
    }


def dominant(filters: Mapping[str, Any], n: int) -> list[dict[str, Any]]:
    """
    Rank the filters that explain most of a layer alone, one per scale, orientation and colour.

    Of the kinds of a filter (even, odd, amplitude) only the best one counts. `r2` is the
    squared correlation with a map, averaged over the layer's maps. This is a ranking, not a
    decomposition: neighbouring filters explain the same variance in part. A second stage,
    mechanisms and concepts are left out.

    Parameters
    ----------
    filters : dict
        From `read_filters`.
    n : int

    Returns
    -------
    rows : list of dict
        `name`, `kind`, `scale`, `orientation`, `colour`, `r2`, best first.
    """
    mean = filters["marginal"].mean(axis=0)
    table, seen, rows = filters["table"], set(), []
    for index in np.argsort(-mean):
        key = tuple(int(table[part][index]) for part in ("scale", "orientation", "colour"))
        kind = str(table["kind"][index])
        if key in seen or kind in ("position", *FIXED) or kind.startswith(CONCEPT):
            continue
        seen.add(key)
        rows.append(
            {
                "name": str(table["name"][index]),
                "kind": str(table["kind"][index]),
                "scale": key[0],
                "orientation": key[1],
                "colour": key[2],
                "r2": float(mean[index]),
            }
        )
        if len(rows) == n:
            break
    return rows


def listed(
    path: sparse.SparsePath,
    table: Mapping[str, np.ndarray],
    bank: LogGaborBank,
    channels: Sequence[str],
    n: int,
    scale_px: float,
    px_per_degree: float | None,
    from_halves: Halves | None = None,
    named: Sequence[Sequence[naming.Named]] | None = None,
) -> list[dict[str, Any]]:
    """
    Identity of every map: the filters it is named by, then others in the order of their choice.

    Parameters
    ----------
    path : sparse.SparsePath
    table : dict of str to array (K,)
        From `Regressors.table`.
    bank : loggabor.LogGaborBank
    channels : sequence of str
        Names of the colour channels.
    n : int
        Largest number of filters listed per map.
    scale_px : float
        px of the stimulus per px of the network's input.
    px_per_degree : float or None
        px of the stimulus per degree; None if not known.
    from_halves : Halves, optional
    named : list of list of naming.Named, optional
        By map, what its first filters are named and refined to.

    Returns
    -------
    rows : list of dict
        `map`, `rank` (from 1), `kind`, `wavelength_px` (of the stimulus; a second stage has that of
        its first stage), `cycles_per_degree`, `orientation_deg` (of the second stage, if there is
        one), `colour`, `name`, `weight` (standardised, with all filters of the path),
        `explained_variance` (with the filters up to this one, on the evaluated split). From the
        halves: `weight_se` (half the difference of the two weights), `explained_variance_low` and
        `explained_variance_high` (the lower and the higher of the two halves, on the same split)
        and `halves` (number of halves that choose this filter among their n filters). `named`: the
        map is named by this filter; then follow the keys of `naming.COLUMNS`. A property that a
        regressor lacks, or that is not known, is None. Dead maps have no rows.
    """
    named = [[]] * len(path.chosen) if named is None else named
    variance = [path.explained_variance(k)[0] for k in range(1, n + 1)]
    by_half = [
        [half_path.explained_variance(k)[0] for k in range(1, n + 1)]
        for half_path in (from_halves.paths if from_halves else ())
    ]
    rows = []
    for index, (chosen, weights) in enumerate(zip(path.chosen, path.weights, strict=True)):
        if np.isnan(variance[0][index]):
            continue
        columns = [found.columns(scale_px) for found in named[index][:n]]
        for rank, (regressor, weight) in enumerate(zip(chosen[:n], weights, strict=False)):
            row = {"map": index, "rank": rank + 1, "kind": str(table["kind"][regressor])}
            scale, orientation, channel = (
                int(table[key][regressor]) for key in ("scale", "orientation", "colour")
            )
            wavelength = bank.wavelengths_px[scale] * scale_px if scale >= 0 else None
            per_degree = px_per_degree / wavelength if wavelength and px_per_degree else None
            rows.append(
                {
                    **row,
                    "wavelength_px": wavelength,
                    "cycles_per_degree": per_degree,
                    "orientation_deg": (
                        float(np.degrees(bank.orientations[orientation]))
                        if orientation >= 0
                        else None
                    ),
                    "colour": channels[channel] if channel >= 0 else None,
                    "name": str(table["name"][regressor]),
                    "weight": float(weight),
                    "explained_variance": float(variance[rank][index]),
                    **_from_halves(from_halves, by_half, index, rank, regressor),
                    "named": rank < len(columns),
                    **(columns[rank] if rank < len(columns) else dict.fromkeys(naming.COLUMNS)),
                }
            )
    return rows


def of_layer(
    filters: dict,
    fit: dict[str, Statistics],
    validation: dict[str, Statistics],
    settings: dict,
    block: StimulusBlock,
    samples: tuple[list[Samples], Samples] | None = None,
) -> tuple[list[dict], list[dict]]:
    """
    Identity of every map of a fitted layer, and explained variance with few filters per map.

    Parameters
    ----------
    filters : dict
        From `read_filters`.
    fit, validation : dict of str to statistics.Statistics
        By block, of the pooling chosen: filters are chosen on the first, evaluated on the second.
    settings : dict
        `listed` (filters per map), `budgets`, `rule`, `maps` (that are refined, at most).
    block : StimulusBlock
        Wavelengths are in px of its stimuli, at their median enlargement.
    samples : (list of Samples, Samples), optional
        Responses between the bank's filters: of the fit split and its halves, and of the
        validation split. Without them filters are named on the bank's grid, from the statistics.

    Returns
    -------
    named : list of dict
        `layer` and the keys of `listed`.
    curve : list of dict
        `layer, filters_per_map, explained_variance` (of all maps together); nan filters are all.
    """
    n, rule, name = settings["listed"], settings["rule"], filters["layer"].name
    held_out, total = combine(validation.values()), combine(fit.values())
    longest = max(*settings["budgets"], n, naming.MOST)
    plain = sparse.sparse_path(total, held_out, longest, rule)
    explained = {k: plain.explained_variance(k)[1] for k in sorted(settings["budgets"])}
    with_all_filters = explained_variance(held_out, filters["weight"], filters["intercept"])
    explained[np.nan] = with_all_filters[1]
    curve = [
        {"layer": name, "filters_per_map": k, "explained_variance": value}
        for k, value in explained.items()
    ]
    kept = naming.needed(total, held_out, plain.chosen)
    named = [[naming.Named(regressor) for regressor in own] for own in kept]
    if samples is not None:
        refined = naming.evenly(len(named), settings["maps"])
        between = naming.between(*samples, filters["table"], rule, refined)
        for index, found in zip(refined, between, strict=True):
            named[index] = found
    places = [[found.regressor for found in own] for own in named]
    for own, values in zip(named, naming.shares_of(total, places), strict=True):
        for found, value in zip(own, values, strict=True):
            found.share = float(value)
    chosen = naming.ordered(total, places, longest, rule)
    named = [
        [found for found in own if found.regressor in order]
        for own, order in zip(named, chosen, strict=True)
    ]
    path = sparse.follow(total, held_out, chosen, longest)
    bank, channels = layers.bank_and_channels(filters["regressors"])
    scale_px = geometry.enlargement(block.sizes, filters["layer"].input_box)
    rows = listed(
        path, filters["table"], bank, channels, n, scale_px, block.px_per_degree,
        halves(fit, held_out, path, n, rule), named,
    )  # fmt: skip
    return [{"layer": name, **row} for row in rows], curve
