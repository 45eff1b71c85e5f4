"""Predict the saliency of one block by an explained model alone (rule predict_explained)."""

import logging

from gaborscope.explanation.model import ExplainedModel
from gaborscope.store.blocks import read_data
from gaborscope.store.files import provenance
from gaborscope.store.saliency import write_saliency
from gaborscope.workflow.stage import progress, run_stage

log = logging.getLogger("gaborscope")


def main(smk):
    """Predict each stimulus from its image and write its log-density."""
    block = read_data(smk.input.data)
    model = ExplainedModel.load(smk.input.explained).on(block.member or smk.wildcards.dataset)
    log_densities = []
    for index in progress(range(len(block.names)), len(block.names)):
        image = block.image(index)
        maps, placement = model.reconstruct(image)
        log_densities.append(model.fuse(maps, placement, image.shape[:2]))
    write_saliency(smk.output.saliency, block.names, log_densities, provenance(smk))
    log.info("%d stimuli", len(log_densities))


if __name__ == "__main__":
    run_stage(main, snakemake)
