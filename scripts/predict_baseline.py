"""Predict one block by the centre bias or by its own observers (rule predict_baseline)."""

import logging

from gaborscope import densities, fixations, observers, store
from gaborscope.stage import run_stage

log = logging.getLogger("gaborscope")


def main(smk):
    """Write the baseline's log-density of each stimulus of the block."""
    block = store.read_data(smk.input.data)
    weight = smk.params.uniform_weight
    if smk.wildcards.baseline == "centre_bias":
        splits = [
            [store.read_data(path) for path in smk.input.get(s)] for s in ("fit", "validation")
        ]
        bias = observers.centre_bias(*splits, smk.params.sigmas, weight)
        log.info("sigma %.3f of the width", bias.sigma[0])
    maps = []
    for index, name in enumerate(block.names):
        size = tuple(int(extent) for extent in block.sizes[index])
        if smk.wildcards.baseline == "centre_bias":
            density, kind = bias.density(size, exclude=name), "density"
        else:
            density, kind = fixations.observed_density(block, index), "density"
        maps.append(densities.to_log_density(density, kind, weight))
    store.write_saliency(smk.output.saliency, block.names, maps, store.provenance(smk))


if __name__ == "__main__":
    run_stage(main, snakemake)
