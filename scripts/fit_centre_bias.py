"""Fit the centre bias of a data set once, for all of its blocks (rule fit_centre_bias)."""

import logging

from gaborscope.scoring import baselines
from gaborscope.stimuli.centre_bias import of_one
from gaborscope.store import paths
from gaborscope.store.blocks import read_blocks
from gaborscope.store.files import provenance
from gaborscope.workflow.stage import run_stage

log = logging.getLogger("gaborscope")


def main(smk):
    """Choose its width on the validation split and write the sum over the fit split."""
    fit, validation = (
        read_blocks(smk.input.get(split), images=False) for split in ("fit", "validation")
    )
    bias = of_one(
        list(fit.values()),
        list(validation.values()),
        smk.params.sigmas,
        smk.params.uniform_weight,
    )
    blocks = list(paths.index("data", smk.input.fit, "block"))
    baselines.write_centre_bias(smk.output.bias, bias, blocks, provenance(smk))
    log.info("%s", bias.width)


if __name__ == "__main__":
    run_stage(main, snakemake)
