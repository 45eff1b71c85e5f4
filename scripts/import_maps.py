"""Take other people's saliency maps of one block as a predictor (rule import_maps)."""

import logging
from pathlib import Path

from gaborscope.data import map_files
from gaborscope.scoring import imported_maps
from gaborscope.store.blocks import read_data
from gaborscope.store.files import provenance
from gaborscope.store.saliency import write_saliency
from gaborscope.workflow.stage import run_stage

log = logging.getLogger("gaborscope")


def main(smk):
    """Read the maps and write them as log-densities."""
    name, entry, weight = smk.wildcards.imported, smk.params.maps, smk.params.uniform_weight
    block = read_data(smk.input.data)
    where = map_files.location(name, entry["path"], Path(smk.scriptdir).parent)
    kind, resize = entry["kind"], entry["resize"]
    maps = imported_maps.log_densities(
        name, where, block.names, block.sizes, kind, resize, weight, smk.params.others
    )
    write_saliency(smk.output.saliency, block.names, maps, provenance(smk))
    log.info("%d maps of %s", len(block.names), where)


if __name__ == "__main__":
    run_stage(main, snakemake)
