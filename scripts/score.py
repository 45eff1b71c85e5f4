"""Score one predictor on every held-out stimulus of a data set (rule score)."""

import json
import logging
from pathlib import Path

import pandas as pd

from gaborscope.scoring import calibration, exposure
from gaborscope.scoring.scorer import PEOPLE, Scorer
from gaborscope.store.blocks import read_data
from gaborscope.store.files import provenance, whole
from gaborscope.store.saliency import read_saliency
from gaborscope.workflow.stage import progress, run_stage

log = logging.getLogger("gaborscope")


def main(smk):
    """Score the validation and the test stimuli; record whose fixations were the negatives."""
    others = [read_data(path) for path in smk.input.others]
    scorer = Scorer(smk.wildcards.preset, others, smk.params.n_shuffle, smk.params.seed)
    trained_on = [entry for path in smk.input.weights for entry in exposure.trained_on(path)]
    names = [name for block in others for name in block.names]
    seen = exposure.seen(trained_on, smk.wildcards.dataset, smk.params.dataset_type, names)
    temperature = 1.0
    for path in smk.input.get("temperature", []):
        temperature = json.loads(Path(path).read_text(encoding="utf-8"))["temperature"]
    rows = {"validation": [], "test": []}
    files = zip(smk.input.data, smk.input.saliency, smk.input.centre_bias, strict=True)
    for data, saliency, centre_bias in files:
        validation = Path(data).stem in smk.params.validation_blocks
        block = read_data(data)
        maps = zip(read_saliency(saliency), read_saliency(centre_bias), strict=True)
        for (index, density), (_, bias) in progress(maps, len(block.names)):
            if smk.wildcards.predictor in PEOPLE:
                people = smk.wildcards.predictor, block, index, bias, smk.params.uniform_weight
                scores = scorer.score_people(*people, temperature)
            else:
                tempered = calibration.temper(density, temperature)
                scores = scorer.score(block, index, tempered, bias)
            if block.names[index] in seen:
                scores = dict.fromkeys(scores, float("nan"))
            row = {"stimulus": block.names[index], **scores}
            rows["validation" if validation else "test"].append(row)
    for split, path in (("validation", smk.output.validation), ("test", smk.output.scores)):
        table = pd.DataFrame(rows[split]).sort_values("stimulus")
        with whole(path) as temporary:
            table.to_csv(temporary, index=False, float_format="%.10g")
        missing = int(table.isna().any(axis=1).sum())
        log.info("%s: %d stimuli, %d with an undefined score", split, len(table), missing)
    if hidden := seen.intersection(row["stimulus"] for s in rows for row in rows[s]):
        log.info("%d stimuli are left out: the backbone was trained on them", len(hidden))
    draw = {row["stimulus"]: scorer.others(row["stimulus"]) for s in rows for row in rows[s]}
    with whole(smk.output.shuffle) as temporary:
        text = json.dumps({"negatives": draw, **provenance(smk)}, indent=1, sort_keys=True)
        temporary.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    run_stage(main, snakemake)
