"""Check the stimuli and fixations of one block and store them (rule prepare_dataset)."""

import logging
from pathlib import Path

from gaborscope.data import catalogue, loading
from gaborscope.stimuli import fixations
from gaborscope.store.blocks import write_data
from gaborscope.store.files import provenance
from gaborscope.workflow.stage import run_stage

log = logging.getLogger("gaborscope")


def main(smk):
    """Load the block's stimuli and write them."""
    settings, root, n_blocks = smk.params.dataset, Path(smk.scriptdir).parent, smk.params.n_blocks
    index = catalogue.BlockIndex(
        smk.wildcards.dataset, settings, root, n_blocks, ".snakemake/gaborscope", trust=True
    )
    names = index.stimuli(smk.wildcards.block)
    block = loading.load_block(settings, names, root)
    origin = provenance(smk)
    write_data(smk.output.data, block, origin)
    _, reason = fixations.sigma_px(*block.size(0), block.facts)
    log.info("%d stimuli, %d fixations; %s", len(block.names), len(block.x), reason)


if __name__ == "__main__":
    run_stage(main, snakemake)
