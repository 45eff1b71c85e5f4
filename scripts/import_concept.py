"""Take anybody's maps of one concept on one block (rule import_concept)."""

import logging
from pathlib import Path

from gaborscope.data import map_files
from gaborscope.scoring import imported_maps
from gaborscope.store.blocks import read_data
from gaborscope.store.concepts import write_concept
from gaborscope.store.files import provenance
from gaborscope.workflow.stage import run_stage

log = logging.getLogger("gaborscope")


def main(smk):
    """Read the maps and write them as they are, each at its own size."""
    name, block = smk.wildcards.concept, read_data(smk.input.data, images=False)
    where = map_files.location(name, smk.params.maps, Path(smk.scriptdir).parent, "concepts")
    maps = imported_maps.concept(name, where, block.names, block.sizes, smk.params.others)
    write_concept(smk.output.maps, block.names, maps, provenance(smk))
    log.info("%d maps of %s", len(block.names), where)


if __name__ == "__main__":
    run_stage(main, snakemake)
