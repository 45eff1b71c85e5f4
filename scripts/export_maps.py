"""Write the maps of a predictor as pysaliency and benchmarks read them (rule export_maps)."""

import logging

from gaborscope.store import exports
from gaborscope.store.files import provenance
from gaborscope.store.saliency import read_log_densities, read_names
from gaborscope.workflow.stage import progress, run_stage

log = logging.getLogger("gaborscope")


def main(smk):
    """Write the maps of all stimuli in one pass over the blocks."""
    names = [name for path in smk.input.saliency for name in read_names(path)]
    maps = (values for path in smk.input.saliency for _, values in read_log_densities(path))
    exports.write(
        smk.output.maps,
        smk.params.formats,
        names,
        progress(maps, len(names)),
        provenance(smk),
    )
    log.info("%d maps as %s", len(names), ", ".join(smk.params.formats))


if __name__ == "__main__":
    run_stage(main, snakemake)
