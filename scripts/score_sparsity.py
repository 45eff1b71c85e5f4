"""Score an explanation with few filters per map (rule score_sparsity)."""

import logging

import pandas as pd

from gaborscope.analysis import budgets, refits
from gaborscope.fitting.files import read_filters, read_statistics
from gaborscope.scoring import exposure
from gaborscope.store import paths, tables
from gaborscope.store.blocks import by_split, read_blocks
from gaborscope.workflow.stage import run_stage

log = logging.getLogger("gaborscope")
SPLITS = ("fit", "validation", "test")


def main(smk):
    """Fit every budget, refit its fusion, score it on the validation and on the test split."""
    params, settings = smk.params, smk.params.settings
    few = budgets.FewFilters(settings["budgets"], params.rule, settings["folds"])
    for name, path in paths.index("filters", smk.input.filters, "layer").items():
        filters = read_filters(path)
        statistics = (
            read_statistics(smk.input.get(split), name, filters["candidate"]) for split in SPLITS
        )
        few.add_layer(filters, *statistics)
    names = {split: params[f"{split}_blocks"] for split in SPLITS}
    blocks = by_split(read_blocks(smk.input.data, concepts=smk.input.concepts), names)
    explanation = refits.read_explanation(smk.input.filters, params.fit_blocks)
    box = explanation.layers[0].layer.input_box
    fusion = {**params.fusion, "stride": settings["stride"], "penalties": settings["penalties"]}
    many = refits.prepare(
        few.members(explanation), box, fusion, blocks, params.sigmas, params.uniform_weight
    )
    saliency = {
        key: paths.index("saliency", smk.input.get(key), "block") for key in ("deep", "centre_bias")
    }
    fused_on = {**blocks["fit"], **blocks["validation"]}
    many.collect(fused_on, blocks["fit"], saliency["deep"], settings["stimuli"])
    models, rows = many.fit(log.info), few.variance_rows()
    for split in ("validation", "test"):
        part = blocks[split]
        seen = exposure.seen_in(
            part.values(), smk.input.weights, params.dataset, params.dataset_type
        )
        scores = pd.DataFrame(refits.score(models, part, saliency, seen))
        rows += budgets.score_rows(scores, split, params.n_resamples, params.seed)
    tables.write_csv(smk.output.table, rows)


if __name__ == "__main__":
    run_stage(main, snakemake)
