"""Take other people's saliency maps of one block as a predictor (rule import_maps)."""

import logging
from pathlib import Path

from gaborscope import densities, imported, mapfiles, store
from gaborscope.stage import run_stage

log = logging.getLogger("gaborscope")


def main(smk):
    """Read the maps and write them as log-densities."""
    name, entry, weight = smk.wildcards.imported, smk.params.maps, smk.params.uniform_weight
    block = store.read_data(smk.input.data)
    where = mapfiles.location(name, entry["path"], Path(smk.scriptdir).parent)
    maps = imported.read(name, where, block.names, block.sizes, entry["kind"], entry["resize"])
    log_densities = [densities.to_log_density(*found, weight) for found in maps]
    store.write_saliency(smk.output.saliency, block.names, log_densities, store.provenance(smk))
    log.info("%d maps of %s", len(log_densities), where)


if __name__ == "__main__":
    run_stage(main, snakemake)
