"""Sum the statistics for the spectra of all predictors on one split (rule accumulate_spectra)."""

from gaborscope.analysis import fixation_bank, spectra
from gaborscope.explanation import layers as layer_tools
from gaborscope.fitting.files import write_statistics
from gaborscope.scoring import baselines
from gaborscope.store import paths
from gaborscope.store.blocks import read_blocks
from gaborscope.store.files import provenance
from gaborscope.workflow.stage import progress, run_stage


def main(smk):
    """Compute the regressors of each stimulus once, for all predictors, block by block."""
    params, weight = smk.params, smk.params.uniform_weight
    table = layer_tools.make_regressors(params.spectra).table()
    blocks = read_blocks(smk.input.data)
    fit, validation = (
        list(read_blocks(smk.input.get(split), images=False).values())
        for split in ("fit", "validation")
    )
    pairs = zip(params.banks, smk.input.banks, strict=True)
    banks = {name: fixation_bank.FixationBank.load(path) for name, path in pairs}
    computed = baselines.make_all(params.computed, fit, validation, weight, params.seed, banks)
    statistics = {}
    for number, (name, block) in enumerate(progress(blocks.items(), len(blocks))):
        files = paths.index("saliency", smk.input.saliency, "predictor", block=name)
        maps = spectra.predictions(block, files, computed, params.predictors, weight)
        statistics[str(number)] = spectra.accumulate(block, maps, params.spectra, table)
    write_statistics(smk.output.statistics, statistics, provenance(smk))


if __name__ == "__main__":
    run_stage(main, snakemake)
