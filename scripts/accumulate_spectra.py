"""Sum up what determines the spectra of all predictors over one split (rule accumulate_spectra)."""

import logging
from pathlib import Path

from gaborscope.analysis import fixation_bank, spectra
from gaborscope.explanation import layers as layer_tools
from gaborscope.fitting.files import write_statistics
from gaborscope.scoring import baselines
from gaborscope.stimuli import densities
from gaborscope.store.blocks import read_data
from gaborscope.store.files import provenance
from gaborscope.store.saliency import read_density
from gaborscope.workflow.stage import progress, run_stage

log = logging.getLogger("gaborscope")


def main(smk):
    """Compute the regressors of each stimulus once, for all predictors, block by block."""
    params = smk.params
    table = layer_tools.make_regressors(params.spectra).table()
    blocks = {Path(path).stem: read_data(path) for path in smk.input.data}
    fit, validation = (
        [read_data(path) for path in smk.input.get(split)] for split in ("fit", "validation")
    )
    pairs = zip(params.banks, smk.input.banks, strict=True)
    banks = {name: fixation_bank.FixationBank.load(path) for name, path in pairs}
    computed = {
        name: baselines.make(
            name, fit, validation, {**settings, "uniform_weight": params.uniform_weight},
            params.seed, banks.get(name)
        )
        for name, settings in params.computed.items()
    }  # fmt: skip
    statistics = []
    for name, block in progress(blocks.items(), len(blocks)):
        files = {
            Path(path).parents[1].name: path
            for path in smk.input.saliency
            if Path(path).stem == name
        }

        def predictions(block=block, files=files):
            for index in range(len(block.names)):
                yield [
                    read_density(files[predictor], index)
                    if predictor in files
                    else densities.to_density(
                        *computed[predictor](block, index), params.uniform_weight
                    )
                    for predictor in params.predictors
                ]

        statistics.append(spectra.accumulate(block, predictions(), params.spectra, table))
    write_statistics(smk.output.statistics, statistics, provenance(smk))


if __name__ == "__main__":
    run_stage(main, snakemake)
