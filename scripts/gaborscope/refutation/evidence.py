"""Evidence for the verdicts on an explanation: tables of a run."""

import dataclasses
from collections.abc import Container, Iterable, Sequence

import numpy as np
import pandas as pd

from gaborscope.refutation import verdicts
from gaborscope.scoring import summaries
from gaborscope.store import paths
from gaborscope.store.tables import read_csv

AGREEMENTS = ("halves_agree", "seeds_agree")


@dataclasses.dataclass(frozen=True)
class Resampling:
    """
    How often is drawn anew.

    Attributes
    ----------
    n_resamples : int
        Bootstrap samples of stimuli, of scores and of interventions.
    permutations : int
        Permutations of maps, of the agreement of halves and seeds.
    seed : int
    """

    n_resamples: int
    permutations: int
    seed: int


@dataclasses.dataclass(frozen=True)
class Evidence:
    """
    Tables of a run that verdicts use, by predictor or explanation.

    Attributes
    ----------
    scores : dict of (preset, predictor, dataset) to DataFrame
        Scores by stimulus.
    halves : dict of (model, explanation) to DataFrame
        Agreement of two halves of the fit split, as `stability.rows` makes it.
    seeds : dict of explanation to DataFrame
        As `seeds.compare` makes it: `model, other` and the columns of `stability.rows`.
    faithfulness : dict of (model, dataset, explanation) to DataFrame
        Reconstructions in the place of layers against each control.
    fidelity : dict of (model, predictor, dataset) to DataFrame
        Distance of a predictor to the map of the network, by stimulus.
    interventions : dict of (model, dataset, explanation) to DataFrame
        Changes of the network's map by changes of the image.
    """

    scores: dict[tuple[str, str, str], pd.DataFrame]
    halves: dict[tuple[str, str], pd.DataFrame]
    seeds: dict[str, pd.DataFrame]
    faithfulness: dict[tuple[str, str, str], pd.DataFrame]
    fidelity: dict[tuple[str, str, str], pd.DataFrame]
    interventions: dict[tuple[str, str, str], pd.DataFrame]


def read(
    cells: Sequence[Sequence[str]],
    scores: Sequence[str],
    halves: Iterable[str],
    seeds: Iterable[str],
    faithfulness: Iterable[str],
    fidelity: Iterable[str],
    interventions: Iterable[str],
) -> Evidence:
    """
    Read the tables that verdicts use.

    Parameters
    ----------
    cells : sequence of (preset, predictor, dataset)
    scores : sequence of str
        `results/scores/{preset}/{predictor}/{dataset}.csv` of each.
    halves, seeds, faithfulness, fidelity, interventions : iterable of str
        Paths of kind `halves`, `seeds`, `substitution_differences`, `fidelity_stimuli`
        and `interventions_summary`, see `store.paths`.

    Returns
    -------
    evidence : Evidence

    Raises
    ------
    InputError
        If a path is of another kind.
    """
    return Evidence(
        scores=summaries.read_tables(cells, scores),
        halves=_read("halves", halves, "model", "explanation"),
        seeds={key: table for (key,), table in _read("seeds", seeds, "explanation").items()},
        faithfulness=_read(
            "substitution_differences", faithfulness, "model", "dataset", "explanation"
        ),
        fidelity={
            key: table.set_index("stimulus")
            for key, table in _read(
                "fidelity_stimuli", fidelity, "model", "predictor", "dataset"
            ).items()
        },
        interventions=_read(
            "interventions_summary", interventions, "model", "dataset", "explanation"
        ),
    )


def _read(kind, files, *names):
    """Tables of a kind by some of their wildcards."""
    tables = {}
    for path in files:
        wildcards = paths.parse(kind, path)
        tables[tuple(wildcards[name] for name in names)] = read_csv(path)
    return tables


def rows(
    contest: dict,
    evidence: Evidence,
    fit_on: str,
    evaluate_on: Iterable[str],
    resampling: Resampling,
    direct: Container[str],
    analyses: Container[str],
) -> list[dict]:
    """
    Verdicts on one explanation: each test, then all of them together by data set.

    Parameters
    ----------
    contest : dict
        `model`, `explanation`, `predictor`, `rivals`, from `contests.plan`.
    evidence : Evidence
        Tables of the whole run. A test whose table is missing gets the outcome "not run".
    fit_on : str
        Data set that the explanation was fitted to.
    evaluate_on : iterable of str
        Data sets that it was tested on.
    resampling : Resampling
    direct : container of str
        Explanations of mode direct; the others have no identities of single layers.
    analyses : container of str
        Analyses of the config that ran.

    Returns
    -------
    rows : list of dict
        Keys are `verdicts.COLUMNS`.
    """
    model, explanation = contest["model"], contest["explanation"]
    drawn = resampling.n_resamples, resampling.seed
    judged = verdicts.contest_rows(contest, evidence.scores, evidence.fidelity, *drawn)
    needed = verdicts.NEEDED
    if explanation in direct:
        needed = verdicts.NEEDED_OF_DIRECT
        judged += _agreements(contest, evidence, fit_on, resampling, analyses)
    for dataset in evaluate_on:
        about, key = (model, explanation, dataset), (model, dataset, explanation)
        judged += verdicts.faithfulness_rows(*about, evidence.faithfulness.get(key))
        judged += verdicts.intervention_rows(
            *about, evidence.interventions.get(key), resampling.n_resamples
        )
    corrected = verdicts.corrected(judged)
    for dataset in evaluate_on:
        about = [row for row in corrected if row["dataset"] == dataset or row["test"] in AGREEMENTS]
        where = {"model": model, "explanation": explanation, "dataset": dataset, "preset": ""}
        corrected.append({**where, "p_holm": np.nan, **verdicts.overall_row(about, needed)})
    return corrected


def _agreements(contest, evidence, fit_on, resampling, analyses):
    """Rows of the agreement of halves and of seeds."""
    model, explanation = contest["model"], contest["explanation"]
    halves = [
        ("halves of the fit split", table)
        for key, table in evidence.halves.items()
        if key == (model, explanation)
    ]
    seeds = matched_with(model, evidence.seeds.get(explanation))
    without_halves = "analyses of the config has no halves"
    without_seeds = f"no other network of models differs from {model} in its seed alone"
    if "seeds" not in analyses:
        without_seeds = "analyses of the config has no seeds"
    least = 1 / (resampling.permutations + 1)
    judged = []
    for test, tables, otherwise in zip(
        AGREEMENTS, (halves, seeds), (without_halves, without_seeds), strict=True
    ):
        judged += verdicts.stability_rows(
            model, explanation, fit_on, test, tables, otherwise, least
        )
    return judged


def matched_with(model: str, table: pd.DataFrame | None) -> list[tuple[str, pd.DataFrame]]:
    """
    Select the tables of agreement between a network and networks of other seeds.

    Parameters
    ----------
    model : str
    table : DataFrame or None
        Agreement of all pairs of networks of one explanation; columns `model` and `other` name
        the pair. None if no two networks were matched.

    Returns
    -------
    tables : list of (str, DataFrame)
        "matched with {other}" and the rows of the pair; `model` may be the first or the second.
    """
    if table is None or not len(table):
        return []
    return [
        (f"matched with {pair[1] if pair[0] == model else pair[0]}", part)
        for pair, part in table.groupby(["model", "other"])
        if model in pair
    ]
