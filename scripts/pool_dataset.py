"""Take one block of a data set into the pool of several (rule pool_dataset)."""

import logging

from gaborscope.store import paths
from gaborscope.store.blocks import read_data, write_data
from gaborscope.store.files import provenance
from gaborscope.workflow.stage import run_stage

log = logging.getLogger("gaborscope")


def main(smk):
    """Write the block with the name of its data set before those of its stimuli."""
    block = read_data(smk.input.data).in_pool(paths.parse("data", smk.input.data)["dataset"])
    write_data(smk.output.data, block, provenance(smk))
    log.info("%d stimuli", len(block.names))


if __name__ == "__main__":
    run_stage(main, snakemake)
