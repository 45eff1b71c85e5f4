"""Predict one block by a baseline, a bound or a classical model (rule predict_baseline)."""

import logging

from gaborscope.analysis import fixation_bank
from gaborscope.scoring import baselines
from gaborscope.stimuli import densities
from gaborscope.store.blocks import read_data
from gaborscope.store.files import provenance
from gaborscope.store.saliency import write_saliency
from gaborscope.workflow.stage import progress, run_stage

log = logging.getLogger("gaborscope")


def main(smk):
    """Write the baseline's log-density of each stimulus of the block."""
    block = read_data(smk.input.data, concepts=smk.input.concepts)
    weight = smk.params.uniform_weight
    fit = [read_data(path) for path in smk.input.fit]
    settings = {**smk.params.settings, "uniform_weight": weight}
    bank, bias = None, None
    for path in smk.input.bank:
        bank = fixation_bank.FixationBank.load(path).on(smk.wildcards.dataset)
    for path in smk.input.bias:
        bias = baselines.read_centre_bias(path, smk.wildcards.block, block)
    predict = baselines.make(smk.wildcards.baseline, fit, [], settings, smk.params.seed, bank, bias)
    maps = [
        densities.to_log_density(*predict(block, index), weight)
        for index in progress(range(len(block.names)), len(block.names))
    ]
    write_saliency(smk.output.saliency, block.names, maps, provenance(smk))
    log.info("%d stimuli", len(maps))


if __name__ == "__main__":
    run_stage(main, snakemake)
