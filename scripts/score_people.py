"""Fit banks to fixations with only some dimensions, and score them (rule score_people)."""

import logging

from gaborscope.analysis import bits
from gaborscope.store import paths, tables
from gaborscope.store.blocks import read_blocks
from gaborscope.workflow.stage import run_stage

log = logging.getLogger("gaborscope")


def main(smk):
    """Fit all coalitions on the fit split; write their gains on the test split."""
    blocks = {
        split: read_blocks(smk.input.get(split), concepts=smk.input.concepts, swapped=True)
        for split in ("fit", "validation", "test")
    }
    gains = bits.of_people(
        blocks,
        smk.params.settings,
        smk.params.sigmas,
        smk.params.uniform_weight,
        paths.index("saliency", smk.input.centre_bias, "block"),
        log.info,
    )
    tables.write_csv(smk.output.gains, gains)


if __name__ == "__main__":
    run_stage(main, snakemake)
