"""Predict one block by a baseline, a bound or a classical model (rule predict_baseline)."""

import logging

from gaborscope import densities, fixationbank, references, store
from gaborscope.stage import progress, run_stage

log = logging.getLogger("gaborscope")


def main(smk):
    """Write the baseline's log-density of each stimulus of the block."""
    block = store.read_data(smk.input.data)
    weight = smk.params.uniform_weight
    fit, validation = (
        [store.read_data(path) for path in smk.input.get(split)] for split in ("fit", "validation")
    )
    settings = {**smk.params.settings, "uniform_weight": weight}
    bank = [fixationbank.FixationBank.load(path) for path in smk.input.bank]
    predict = references.make(
        smk.wildcards.baseline, fit, validation, settings, smk.params.seed, *bank
    )
    maps = [
        densities.to_log_density(*predict(block, index), weight)
        for index in progress(range(len(block.names)), len(block.names))
    ]
    store.write_saliency(smk.output.saliency, block.names, maps, store.provenance(smk))
    log.info("%d stimuli", len(maps))


if __name__ == "__main__":
    run_stage(main, snakemake)
