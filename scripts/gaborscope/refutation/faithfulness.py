"""Tables of faithfulness: stimuli drawn, scores of replaced layers, means with intervals."""

import hashlib
from collections.abc import Collection, Iterable, Sequence

import numpy as np
import pandas as pd

from gaborscope.scoring import metrics, summaries
from gaborscope.scoring.prepared_map import prepare
from gaborscope.stimuli import fixations
from gaborscope.stimuli.block import StimulusBlock

# Scores of a network with a replaced layer: by people's fixations, and by the intact network's map.
HUMAN, INTACT = ("auc", "nss", "cc", "kld"), ("cc_intact", "kld_intact", "sim_intact")
CONTROLS = ("lower_half", "random_phase")  # beside a leading notch, with equal energy
MEASURES = ("correlation", "sign_agreement", "kl_deep", "kl_explained", "cc_deep", "energy",
            "clipped")  # fmt: skip
# Columns of the tables by block.
SUBSTITUTED = ("layer", "way", "substitute", "stimulus", *HUMAN, *INTACT)
INTERVENED = ("stimulus", "notch", "family", "kind", "depth", *MEASURES)


def chosen(names: Sequence[str], n: int, seed: int, without: Collection[str] = ()) -> list[int]:
    """
    Draw stimuli of a block by a hash of their names, so that added stimuli change few of them.

    Parameters
    ----------
    names : sequence of str
    n : int
        Largest number of stimuli.
    seed : int
    without : collection of str
        Names that are not drawn.

    Returns
    -------
    indices : list of int
        In the order of the hash.
    """
    candidates = [index for index, name in enumerate(names) if name not in without]
    return sorted(
        candidates, key=lambda i: hashlib.sha256(f"{seed}\0{names[i]}".encode()).hexdigest()
    )[:n]


class Judge:
    """
    Scores maps of one stimulus by people's fixations and by the map of the intact network.

    Parameters
    ----------
    block : StimulusBlock
    index : int
        Index of the stimulus in the block.
    intact : float array (height, width)
        Density of the intact network, sum 1.
    preset : str
        Definitions of the metrics.
    """

    def __init__(self, block: StimulusBlock, index: int, intact: np.ndarray, preset: str) -> None:
        points, _ = block.points(index)
        self.intact, self.preset = prepare(intact, "density"), preset
        self.pixels = fixations.to_pixels(points, intact.shape)
        self.observed = None
        if len(self.pixels):
            self.observed = prepare(fixations.observed_density(block, index), "density")

    def score(self, density: np.ndarray) -> dict[str, float]:
        """
        Score a map.

        Parameters
        ----------
        density : float array (height, width)
            Sum 1.

        Returns
        -------
        scores : dict of str to float
            By fixations: `auc` (AUC-Judd in preset mit), `nss`, `cc` and `kld`; nan without
            fixations. By the map of the intact network: `cc_intact`, `kld_intact`, `sim_intact`.
        """
        salience, preset, nan = prepare(density), self.preset, float("nan")
        observed = self.observed
        if preset == "mit":
            auc = metrics.auc_judd(salience, self.pixels)
        else:
            auc = metrics.auc(salience, self.pixels, preset)
        return {
            "auc": auc,
            "nss": metrics.nss(salience, self.pixels, preset),
            "cc": nan if observed is None else metrics.cc(salience, observed),
            "kld": nan if observed is None else metrics.kld(salience, observed, preset),
            "cc_intact": metrics.cc(salience, self.intact),
            "kld_intact": metrics.kld(salience, self.intact, preset),
            "sim_intact": metrics.sim(salience, self.intact, preset),
        }


def joined(blocks: Iterable[pd.DataFrame]) -> pd.DataFrame:
    """
    Join the tables of some blocks by stimulus.

    Parameters
    ----------
    blocks : iterable of DataFrame
        At least one. One without rows, whose stimuli were all trained on, changes no type.

    Returns
    -------
    table : DataFrame
    """
    tables = list(blocks)
    filled = [table for table in tables if len(table)] or tables[:1]
    return pd.concat(filled).sort_values("stimulus", kind="stable")


def substitution_tables(
    rows: pd.DataFrame, n_resamples: int, seed: int
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """
    Mean scores over stimuli, and differences between the reconstruction and each control.

    Parameters
    ----------
    rows : DataFrame
        `layer, way, substitute, stimulus` and the scores of `Judge`; without rows, nor have the
        tables any.
    n_resamples, seed : int
        Number of samples and seed of the bootstrap over stimuli.

    Returns
    -------
    means : DataFrame
        `layer, way, substitute, metric, mean, ci_low, ci_high, n`.
    differences : DataFrame
        `layer, way, control, metric, difference, ci_low, ci_high, n, p`: reconstruction minus
        control, paired by stimulus.
    """
    means, differences = [], []
    keys = ["layer", "way", "substitute"]
    cells = {
        key: group.set_index("stimulus")[[*HUMAN, *INTACT]]
        for key, group in rows.groupby(keys, sort=False)
    }
    for (layer, way, substitute), scores in cells.items():
        where = {"layer": layer, "way": way}
        for metric in scores.columns:
            estimate = summaries.bootstrap_mean(scores[metric].to_numpy(), n_resamples, seed)
            means.append({**where, "substitute": substitute, **_named("mean", metric, estimate)})
        if substitute in ("intact", "reconstruction"):
            continue
        reconstructed = cells[layer, way, "reconstruction"].loc[scores.index]
        for metric in scores.columns:
            values = (reconstructed[metric] - scores[metric]).to_numpy()
            compared = summaries.compare(values, n_resamples, seed)
            row = _named("difference", metric, (*compared[:3], compared.n))
            differences.append({**where, "control": substitute, **row, "p": compared.p})
    ends = "ci_low", "ci_high", "n"
    return (
        pd.DataFrame(means, columns=[*keys, "metric", "mean", *ends]),
        pd.DataFrame(
            differences,
            columns=["layer", "way", "control", "metric", "difference", *ends, "p"],
        ),
    )


def _named(name, metric, estimate):
    return {"metric": metric, **_estimated(name, estimate)}


def _estimated(name, estimate):
    return dict(zip((name, "ci_low", "ci_high", "n"), estimate, strict=True))


def intervention_table(rows: pd.DataFrame, n_resamples: int, seed: int) -> pd.DataFrame:
    """
    Mean effects of interventions over stimuli, and leading notches compared with random changes.

    Parameters
    ----------
    rows : DataFrame
        `stimulus, notch, family, kind` and `MEASURES`; without rows, all values are nan.
    n_resamples, seed : int
        Number of samples and seed of the bootstrap over stimuli.

    Returns
    -------
    table : DataFrame
        `kind, measure, mean, ci_low, ci_high, n, p`. The value of a stimulus is the mean over its
        interventions. `size_correlation` is the rank correlation of predicted and measured size
        over the interventions of a stimulus. The kinds `leading - lower_half` and `leading -
        random_phase` hold paired differences, with their two-sided p; the kinds `leading / ...`
        hold ratios of mean sizes.
    """
    table = []
    none = pd.DataFrame(columns=list(MEASURES), dtype=float)  # all stimuli were trained on
    by_kind = dict.fromkeys(("leading", *CONTROLS), none) | {
        kind: group.groupby("stimulus")[list(MEASURES)].mean()
        for kind, group in rows.groupby("kind")
    }
    for kind in ("leading", *CONTROLS):
        for measure in MEASURES:
            values = by_kind[kind][measure].to_numpy()
            estimate = summaries.bootstrap_mean(values, n_resamples, seed)
            table.append({"kind": kind, **_measured(measure, estimate)})
    for kind, group in (("leading", rows[rows["kind"] == "leading"]), ("all", rows)):
        values = [
            _size_correlation(interventions) for _, interventions in group.groupby("stimulus")
        ]
        estimate = summaries.bootstrap_mean(np.array(values), n_resamples, seed)
        table.append({"kind": kind, **_measured("size_correlation", estimate)})
    for control in CONTROLS:
        leading, controls = by_kind["leading"], by_kind[control].loc[by_kind["leading"].index]
        for measure in MEASURES[:4]:
            values = (leading[measure] - controls[measure]).to_numpy()
            compared = summaries.compare(values, n_resamples, seed)
            row = _measured(measure, (*compared[:3], compared.n))
            table.append({"kind": f"leading - {control}", **row, "p": compared.p})
        for measure in ("kl_deep", "kl_explained"):
            ratio = summaries.ratio(
                leading[measure].to_numpy(), controls[measure].to_numpy(), n_resamples, seed
            )
            estimate = (*ratio, len(leading))
            table.append({"kind": f"leading / {control}", **_measured(measure, estimate)})
    return pd.DataFrame(table)


def _measured(measure, estimate):
    return {"measure": measure, **_estimated("mean", estimate)}


def _size_correlation(interventions):
    """Return the rank correlation of predicted and measured size over some interventions."""
    sizes = interventions[["kl_explained", "kl_deep"]].rank()
    return float(sizes.corr().iloc[0, 1]) if len(interventions) > 2 else float("nan")
