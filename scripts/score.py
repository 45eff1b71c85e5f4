"""Score one predictor on every held-out stimulus of a data set (rule score)."""

import logging

from gaborscope.errors import InputError
from gaborscope.scoring import by_stimulus, calibration, exposure
from gaborscope.scoring.scorer import Scorer
from gaborscope.store import paths, tables
from gaborscope.store.blocks import read_data
from gaborscope.store.files import provenance
from gaborscope.store.saliency import read_saliency
from gaborscope.workflow.stage import progress, run_stage

log = logging.getLogger("gaborscope")


def main(smk):
    """Score the validation and the test stimuli; record whose fixations were the negatives."""
    params, dataset = smk.params, smk.wildcards.dataset
    others = [read_data(path, images=False) for path in smk.input.others]
    temperatures = [calibration.read_temperature(p) for p in smk.input.get("temperature", [])]
    scores = by_stimulus.PredictorScores(
        smk.wildcards.predictor,
        Scorer(smk.wildcards.preset, others, params.n_shuffle, params.seed),
        exposure.seen_in(others, smk.input.weights, dataset, params.dataset_type),
        params.uniform_weight,
        *temperatures,
    )
    n_fixations = {"validation": 0, "test": 0}
    files = zip(smk.input.data, smk.input.saliency, smk.input.centre_bias, strict=True)
    for data, saliency, centre_bias in files:
        validation = paths.parse("data", data)["block"] in params.validation_blocks
        block = read_data(data)
        densities = progress(read_saliency(saliency), len(block.names))
        split = "validation" if validation else "test"
        n_fixations[split] += len(block.x)
        scores.add(split, block, densities, read_saliency(centre_bias))
    for split, n in n_fixations.items():
        if not n:
            raise InputError(
                f"no stimulus of the {split} split of '{dataset}' has a fixation, so nothing can "
                "be scored; add fixations, or choose another n_blocks"
            )
    for split, path in (("validation", smk.output.validation), ("test", smk.output.scores)):
        table = scores.table(split)
        tables.write_csv(path, table)
        missing = int(table.isna().any(axis=1).sum())
        log.info("%s: %d stimuli, %d with an undefined score", split, len(table), missing)
    if hidden := scores.left_out():
        log.info("%d stimuli are left out: the backbone was trained on them", len(hidden))
    draw = {"negatives": scores.negatives(), **provenance(smk)}
    tables.write_json(smk.output.shuffle, draw, sort_keys=True)


if __name__ == "__main__":
    run_stage(main, snakemake)
