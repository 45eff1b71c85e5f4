"""Predict the saliency of one block by an explained model alone (rule predict_explained)."""

import logging

from gaborscope import explained, store
from gaborscope.stage import progress, run_stage

log = logging.getLogger("gaborscope")


def main(smk):
    """Predict each stimulus from its image and write its log-density."""
    model = explained.ExplainedModel.load(smk.input.explained)
    block = store.read_data(smk.input.data)
    found = []
    for index in progress(range(len(block.names)), len(block.names)):
        image = block.image(index)
        maps, placement = model.reconstruct(image)
        found.append(model.fuse(maps, placement, image.shape[:2]))
    store.write_saliency(smk.output.saliency, block.names, found, store.provenance(smk))
    log.info("%d stimuli", len(found))


if __name__ == "__main__":
    run_stage(main, snakemake)
