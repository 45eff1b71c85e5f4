"""Fit the log-Gabor bank straight to a deep model's densities (rule fit_deep_bank)."""

import logging

from gaborscope.analysis import deep_bank
from gaborscope.scoring import baselines
from gaborscope.store import paths
from gaborscope.store.blocks import read_data
from gaborscope.store.files import provenance
from gaborscope.workflow.stage import run_stage

log = logging.getLogger("gaborscope")


def main(smk):
    """Fit on the fit split, choose the penalty on the validation split, and write the bank."""
    targets = paths.index("saliency", smk.input.target, "block")

    def blocks(files):
        for path in files:
            name = paths.parse("data", path)["block"]
            block = read_data(path, concepts=smk.input.concepts)
            yield block, baselines.read_centre_biases(smk.input.bias, name, block), targets[name]

    bank, tried = deep_bank.fit(
        blocks(smk.input.fit), blocks(smk.input.validation), smk.params.settings
    )
    bank.save(smk.output.bank, provenance(smk))
    for penalty, fitted, held_out in tried:
        log.info("penalty %g: cross-entropy %.4f fit, %.4f validation", penalty, fitted, held_out)
    log.info("%d regressors, penalty %g", len(bank.weight) - 1, bank.penalty)


if __name__ == "__main__":
    run_stage(main, snakemake)
