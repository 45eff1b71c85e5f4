"""Compare one predictor with the deep model on every held-out stimulus (rule compare_with_deep)."""

import logging

from gaborscope.scoring import exposure, fidelity
from gaborscope.store import paths, tables
from gaborscope.store.blocks import read_data
from gaborscope.store.saliency import read_log_densities
from gaborscope.workflow.stage import run_stage

log = logging.getLogger("gaborscope")


def main(smk):
    """Write the measures of the validation and the test stimuli."""
    params, dataset = smk.params, smk.wildcards.dataset
    others = [read_data(path, images=False) for path in smk.input.others]
    seen = exposure.seen_in(others, smk.input.weights, dataset, params.dataset_type)
    comparison = fidelity.Comparison(seen)
    maps = [
        paths.index("saliency", files, "block")
        for files in (smk.input.predicted, smk.input.deep, smk.input.centre_bias)
    ]
    for path in smk.input.data:
        block = paths.parse("data", path)["block"]
        split = "validation" if block in params.validation_blocks else "test"
        read = [read_log_densities(files[block]) for files in maps]
        comparison.add(split, read_data(path, images=False), *read)
    for split, path in (("validation", smk.output.validation), ("test", smk.output.measures)):
        table = comparison.table(split)
        tables.write_csv(path, table)
        log.info("%s: KL(deep || predictor) %.4f bits", split, table["kl_deep"].mean())


if __name__ == "__main__":
    run_stage(main, snakemake)
