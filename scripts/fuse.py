"""Predict the saliency of one block from its reconstructed layers (rule fuse)."""

import logging

from gaborscope.explanation import fusing
from gaborscope.explanation.model import ExplainedModel
from gaborscope.store.blocks import read_data
from gaborscope.store.files import provenance
from gaborscope.store.saliency import write_saliency
from gaborscope.workflow.stage import run_stage

log = logging.getLogger("gaborscope")


def main(smk):
    """Fuse the reconstructions of each stimulus and write its log-density."""
    block = read_data(smk.input.data)
    model = ExplainedModel.load(smk.input.explained).on(block.member or smk.wildcards.dataset)
    log_densities = fusing.fuse_block(model, block, smk.input.reconstructions)
    write_saliency(smk.output.saliency, block.names, log_densities, provenance(smk))
    log.info("%d stimuli", len(log_densities))


if __name__ == "__main__":
    run_stage(main, snakemake)
