"""Predict one block by a bank that was fitted to a deep model (rule predict_deep_bank)."""

import logging

from gaborscope.analysis.deep_bank import DeepBank
from gaborscope.stimuli import densities
from gaborscope.store.blocks import read_data
from gaborscope.store.files import provenance
from gaborscope.store.saliency import write_saliency
from gaborscope.workflow.stage import progress, run_stage

log = logging.getLogger("gaborscope")


def main(smk):
    """Write the bank's log-density of each stimulus of the block."""
    block = read_data(smk.input.data, concepts=smk.input.concepts)
    bank = DeepBank.load(smk.input.bank).on(block.member or smk.wildcards.dataset)
    maps = [
        densities.to_log_density(
            bank.predict(block.view(index)), "logits", smk.params.uniform_weight
        )
        for index in progress(range(len(block.names)), len(block.names))
    ]
    write_saliency(smk.output.saliency, block.names, maps, provenance(smk))
    log.info("%d stimuli", len(maps))


if __name__ == "__main__":
    run_stage(main, snakemake)
