"""
Score exported maps in pysaliency and compare with our scores, stimulus by stimulus.

    python benchmarks/pysaliency_scores.py OUT DATASET

OUT is the folder of a run, after `snakemake ... export` with the default formats. Needs pysaliency
(docs/guide/pysaliency.md says how to install it). First table, largest differences by stimulus:
pysaliency on the exported log-densities, with our fixation density, and the fixations on all other
stimuli of the data set as negatives of the shuffled AUC. Second, mean differences: its own choices
in their place, one by one. Prints Markdown.
"""

import argparse
import sys
from importlib import metadata
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pysaliency
from pysaliency.saliency_map_models import FullShuffledNonfixationProvider
from scipy.special import logsumexp
from timing import ROOT, circumstances

sys.path.insert(0, str(ROOT / "scripts"))

from gaborscope.scoring.scorer import Scorer  # noqa: E402
from gaborscope.stimuli import fixations as ours  # noqa: E402
from gaborscope.store.blocks import read_data  # noqa: E402
from gaborscope.store.saliency import read_saliency  # noqa: E402

METRICS = ("auc", "auc_shuffled", "nss", "cc", "kld", "sim", "ig")
MIT_KLD = {
    "minimum_value": 0,
    "log_regularization": 2.2204e-16,
    "quotient_regularization": 2.2204e-16,
}


class Observed(pysaliency.SaliencyMapModel):
    """Our fixation density as pysaliency's empirical map."""

    def __init__(self, stimuli, densities):
        super().__init__(caching=False)
        self._by_id = dict(zip(stimuli.stimulus_ids, densities, strict=True))

    def _saliency_map(self, stimulus):
        return self._by_id[pysaliency.datasets.get_image_hash(stimulus)]


class Sizes:
    """What the provider of shuffled fixations asks of stimuli, without reading them."""

    def __init__(self, sizes):
        self.sizes = sizes


class Scored:
    """The exported stimuli of a data set, with what they are scored by."""

    def __init__(self, out, dataset, exported):
        paths = sorted((out / "results" / "data" / dataset).glob("*.h5"))
        self.blocks = {path.name: read_data(path) for path in paths}
        self.scorer = Scorer("pysaliency", list(self.blocks.values()), 10, 1)
        self.test = [
            (block, index)
            for block, content in self.blocks.items()
            for index, name in enumerate(content.names)
            if name in exported and len(self.scorer.pixels[name])
        ]
        names = [self.blocks[block].names[i] for block, i in self.test]
        images = [self.blocks[block].image(i) for block, i in self.test]
        self.stimuli = pysaliency.Stimuli(images, attributes={"filenames": names})
        self.fixations = as_fixations([self.points(*cell) for cell in self.test])
        block, index = self.test[0]
        self.sigma = ours.sigma_px(*self.blocks[block].size(index), self.blocks[block].facts)[0]
        densities = [ours.observed_density(self.blocks[block], i) for block, i in self.test]
        self.observed = Observed(self.stimuli, densities)
        everybody = sorted(self.scorer.pixels)
        provider = FullShuffledNonfixationProvider(
            Sizes([self.scorer.sizes[name] for name in everybody]),
            as_fixations([self.scorer.pixels[name] for name in everybody]),
        )
        numbers = [everybody.index(name) for name in names]
        self.negatives = lambda stimuli, fixations, i: provider.nonfixations_for_image(
            numbers[fixations.n[i]]
        )

    def points(self, block, index):
        """Fixated pixels of a stimulus."""
        return self.scorer.pixels[self.blocks[block].names[index]]

    def own(self, out, dataset, predictor):
        """Our scores, a row for each stimulus."""
        maps = {}
        for kind in (predictor, "centre_bias"):
            folder = out / "results" / "saliency" / kind / dataset
            maps[kind] = {name: dict(read_saliency(folder / name)) for name, _ in self.test}
        rows = [
            self.scorer.score(
                self.blocks[block], i, maps[predictor][block][i], maps["centre_bias"][block][i]
            )
            for block, i in self.test
        ]
        return pd.DataFrame(rows)[list(METRICS)]

    def per_stimulus(self, values):
        """Means of values of fixations, stimulus by stimulus."""
        return pd.Series(values).groupby(self.fixations.n).mean().to_numpy()

    def theirs(self, saliency, model=None, baseline=None, observed=None, negatives=None):
        """Pysaliency's scores, a row for each stimulus."""
        stimuli, fixations = self.stimuli, self.fixations
        observed, negatives = observed or self.observed, negatives or self.negatives
        found = {
            "auc": saliency.AUC_per_image(stimuli, fixations),
            "auc_shuffled": saliency.AUC_per_image(stimuli, fixations, nonfixations=negatives),
            "nss": self.per_stimulus(saliency.NSSs(stimuli, fixations)),
            "cc": saliency.CCs(stimuli, observed),
            "kld": saliency.KLDivs(stimuli, observed, **MIT_KLD),
            "sim": saliency.SIMs(stimuli, observed),
        }
        if model is not None:
            gains = model.information_gains(stimuli, fixations, baseline)
            found["ig"] = self.per_stimulus(gains)
        return pd.DataFrame(found)


def as_fixations(points):
    """Fixations of pysaliency from pixels by stimulus."""
    numbers = np.repeat(np.arange(len(points)), [len(own) for own in points])
    x, y = np.concatenate(points).T
    return pysaliency.Fixations.create_without_history(x, y, numbers)


def cells(values):
    """Numbers as cells of a table."""
    return " | ".join("" if np.isnan(value) else f"{value:.2g}" for value in values)


def main():
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("dataset")
    given = parser.parse_args()
    exported = given.out / "results" / "export"
    folders = {path.parent.name: path for path in sorted(exported.glob(f"*/{given.dataset}"))}
    with h5py.File(folders["centre_bias"] / "log_density.h5") as file:
        names = pysaliency.precomputed_models.get_keys_recursive(file)
    scored = Scored(given.out, given.dataset, set(names))
    open_model = {
        name: pysaliency.HDF5Model(scored.stimuli, str(folder / "log_density.h5"), caching=False)
        for name, folder in folders.items()
    }
    sums = [
        abs(logsumexp(model.log_density(stimulus).astype(float)))
        for model in open_model.values()
        for stimulus in scored.stimuli
    ]
    print(
        f"{len(scored.stimuli)} stimuli of {given.dataset}, {len(scored.fixations)} fixations; ",
        end="",
    )
    print(f"largest logsumexp of a log-density {max(sums):.1e}\n")
    heads = " | ".join(METRICS)
    print(f"| predictor | {heads} |\n|---|{'---|' * len(METRICS)}")
    own, baseline = {}, open_model["centre_bias"]
    for name, model in open_model.items():
        own[name] = scored.own(given.out, given.dataset, name)
        found = scored.theirs(pysaliency.DensitySaliencyMapModel(model), model, baseline)
        print(f"| {name} | {cells((found - own[name]).abs().max()[list(METRICS)])} |")
    blurred = {
        mode: pysaliency.FixationMap(
            scored.stimuli, scored.fixations, kernel_size=scored.sigma, convolution_mode=mode
        )
        for mode in ("constant", "reflect")
    }
    choices = {
        "fixation density by `FixationMap`, zeros beyond the image (`constant`)": {
            "observed": blurred["constant"]
        },
        "the same, reflected (its default)": {"observed": blurred["reflect"]},
        "negatives of the exported stimuli alone": {"negatives": "shuffled"},
    }
    print(f"\n| choice | predictor | {heads} |\n|---|---|{'---|' * len(METRICS)}")
    for choice, options in choices.items():
        for name, model in open_model.items():
            found = scored.theirs(pysaliency.DensitySaliencyMapModel(model), **options)
            means = (found - own[name]).mean().reindex(METRICS)
            print(f"| {choice} | {name} | {cells(means.where(means.abs() > 1e-5))} |")
    for name, folder in folders.items():
        png = str(folder / "png")
        model = pysaliency.SaliencyMapModelFromDirectory(scored.stimuli, png, caching=False)
        means = (scored.theirs(model) - own[name]).mean().reindex(METRICS)
        print(f"| `png` | {name} | {cells(means)} |")
    version = f"pysaliency {metadata.version('pysaliency')}"
    print(f"\n{circumstances(version)}")


if __name__ == "__main__":
    main()
