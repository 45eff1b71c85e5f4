"""Fit the log-Gabor bank to fixations directly, without a network (rule fit_fixation_bank)."""

import logging

from gaborscope.analysis import fixation_bank
from gaborscope.store.blocks import read_data
from gaborscope.store.files import provenance
from gaborscope.workflow.stage import run_stage

log = logging.getLogger("gaborscope")


def main(smk):
    """Fit on the fit split, choose the penalty on the validation split, and write the bank."""
    fit, validation = (
        [read_data(path, concepts=smk.input.concepts) for path in smk.input.get(split)]
        for split in ("fit", "validation")
    )
    bank = fixation_bank.fit_to(
        fit,
        validation,
        smk.params.settings,
        smk.params.sigmas,
        smk.params.uniform_weight,
        progress=log.info,
    )
    bank.save(smk.output.bank, provenance(smk))
    log.info("%d regressors, penalty %g", len(bank.weight) - 1, bank.penalty)


if __name__ == "__main__":
    run_stage(main, snakemake)
