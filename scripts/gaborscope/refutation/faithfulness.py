"""Tables of faithfulness: which stimuli, scores of replaced layers, means with intervals."""

import hashlib
from collections.abc import Collection, Sequence

import numpy as np
import pandas as pd

from gaborscope.scoring import metrics, summaries
from gaborscope.scoring.prepared_map import prepare
from gaborscope.stimuli import fixations
from gaborscope.stimuli.block import StimulusBlock

# A network with a layer replaced is scored on people's fixations and against the intact network.
HUMAN, INTACT = ("auc", "nss", "cc", "kld"), ("cc_intact", "kld_intact", "sim_intact")
RANDOM = ("random_cells", "random_phase")
MEASURES = ("correlation", "sign_agreement", "kl_deep", "kl_explained", "cc_deep", "energy",
            "clipped")  # fmt: skip
# columns of the tables by block
SUBSTITUTED = ("layer", "way", "substitute", "stimulus", *HUMAN, *INTACT)
INTERVENED = ("stimulus", "notch", "family", "kind", "depth", *MEASURES)


def chosen(names: Sequence[str], n: int, seed: int, without: Collection[str] = ()) -> list[int]:
    """
    Stimuli of a block drawn by a hash of their names: others that join it change few.

    Parameters
    ----------
    names : sequence of str
    n : int
        At most.
    seed : int
    without : collection of str
        Names that are not drawn.

    Returns
    -------
    indices : list of int
        In the order of the hash.
    """
    known = [index for index, name in enumerate(names) if name not in without]
    return sorted(known, key=lambda i: hashlib.sha256(f"{seed}\0{names[i]}".encode()).hexdigest())[
        :n
    ]


class Judge:
    """
    Scores maps of one stimulus on people's fixations and against the intact network's map.

    Parameters
    ----------
    block : StimulusBlock
    index : int
        Of the stimulus.
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
            `auc` (AUC-Judd in preset mit), `nss`, `cc`, `kld`: nan without fixations; `cc_intact`,
            `kld_intact`, `sim_intact`.
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


def substitution_tables(
    rows: pd.DataFrame, n_resamples: int, seed: int
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """
    Means over stimuli, and how far reconstructions are above each control.

    Parameters
    ----------
    rows : DataFrame
        `layer, way, substitute, stimulus` and the scores of `Judge`.
    n_resamples, seed : int
        Of the bootstrap over stimuli.

    Returns
    -------
    means : DataFrame
        `layer, way, substitute, metric, mean, ci_low, ci_high, n`.
    differences : DataFrame
        `layer, way, control, metric, difference, ci_low, ci_high, n`: reconstruction minus
        control, paired.
    """
    means, differences = [], []
    keys = ["layer", "way", "substitute"]
    cells = {
        key: own.set_index("stimulus")[[*HUMAN, *INTACT]]
        for key, own in rows.groupby(keys, sort=False)
    }
    for (layer, way, substitute), own in cells.items():
        where = {"layer": layer, "way": way}
        for metric in own.columns:
            found = summaries.bootstrap_mean(own[metric].to_numpy(), n_resamples, seed)
            means.append({**where, "substitute": substitute, **_named("mean", metric, found)})
        if substitute in ("intact", "reconstruction"):
            continue
        ours = cells[layer, way, "reconstruction"].loc[own.index]
        for metric in own.columns:
            values = (ours[metric] - own[metric]).to_numpy()
            found = summaries.bootstrap_mean(values, n_resamples, seed)
            differences.append(
                {**where, "control": substitute, **_named("difference", metric, found)}
            )
    return pd.DataFrame(means), pd.DataFrame(differences)


def _named(name, metric, found):
    return {"metric": metric, **dict(zip((name, "ci_low", "ci_high", "n"), found, strict=True))}


def intervention_table(rows: pd.DataFrame, n_resamples: int, seed: int) -> pd.DataFrame:
    """
    Means of interventions over stimuli, and how far leading notches are above random ones.

    Parameters
    ----------
    rows : DataFrame
        `stimulus, notch, family, kind` and `MEASURES`.
    n_resamples, seed : int
        Of the bootstrap over stimuli.

    Returns
    -------
    table : DataFrame
        `kind, measure, mean, ci_low, ci_high, n`. A stimulus's value is the mean over its
        interventions; `size_correlation`: rank correlation of predicted and measured size
        over them. Of kind `leading - random_cells` and `leading - random_phase`: paired
        differences; `leading / ...`: of the measured sizes, ratios of means.
    """
    table = []
    by_kind = {
        kind: own.groupby("stimulus")[list(MEASURES)].mean() for kind, own in rows.groupby("kind")
    }
    for kind in ("leading", *RANDOM):
        for measure in MEASURES:
            values = by_kind[kind][measure].to_numpy()
            found = summaries.bootstrap_mean(values, n_resamples, seed)
            table.append({"kind": kind, **_measured(measure, found)})
    for kind, own in (("leading", rows[rows["kind"] == "leading"]), ("all", rows)):
        values = [_size_correlation(one) for _, one in own.groupby("stimulus")]
        found = summaries.bootstrap_mean(np.array(values), n_resamples, seed)
        table.append({"kind": kind, **_measured("size_correlation", found)})
    for random in RANDOM:
        ours, theirs = by_kind["leading"], by_kind[random].loc[by_kind["leading"].index]
        for measure in MEASURES[:4]:
            values = (ours[measure] - theirs[measure]).to_numpy()
            found = summaries.bootstrap_mean(values, n_resamples, seed)
            table.append({"kind": f"leading - {random}", **_measured(measure, found)})
        for measure in ("kl_deep", "kl_explained"):
            ratio = summaries.ratio(
                ours[measure].to_numpy(), theirs[measure].to_numpy(), n_resamples, seed
            )
            found = (*ratio, len(ours))
            table.append({"kind": f"leading / {random}", **_measured(measure, found)})
    return pd.DataFrame(table)


def _measured(measure, found):
    return {"measure": measure, **dict(zip(("mean", "ci_low", "ci_high", "n"), found, strict=True))}


def _size_correlation(one):
    """Rank correlation of predicted and measured size over a stimulus's interventions."""
    sizes = one[["kl_explained", "kl_deep"]].rank()
    return float(sizes.corr().iloc[0, 1]) if len(one) > 2 else float("nan")
