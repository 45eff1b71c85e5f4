"""Fuse and score an explanation with few filters per map (rule score_sparsity)."""

import logging
from pathlib import Path

import pandas as pd

from gaborscope.analysis import budgets, refits
from gaborscope.explanation import layers as layer_tools
from gaborscope.fitting.files import read_filters, read_layer_statistics
from gaborscope.fitting.statistics import combine
from gaborscope.scoring import exposure
from gaborscope.stimuli.centre_bias import centre_bias
from gaborscope.store import files as store_files
from gaborscope.store.blocks import read_data
from gaborscope.workflow.stage import run_stage

log = logging.getLogger("gaborscope")


def main(smk):
    """Fit every budget, refit its fusion, score it on the validation and on the test split."""
    params, settings, paths = smk.params, smk.params.settings, smk.input.filters
    filters = {Path(path).stem: read_filters(path) for path in paths}
    whole, by_layer, held_out = [], [], []
    for name, own in filters.items():
        fit, validation, test = (
            read_layer_statistics(smk.input.get(split), name, own["candidate"])
            for split in ("fit", "validation", "test")
        )
        held_out.append(
            {"validation": combine(validation.values()), "test": combine(test.values())}
        )
        whole.append(layer_tools.fitted_layer(own))
        few = fit, held_out[-1]["validation"], settings["budgets"], params.rule, settings["folds"]
        by_layer.append(budgets.of_layer(whole[-1], *few))
    folds = {
        block: [layer_tools.fitted_layer(read_filters(p, block)) for p in paths]
        for block in params.fit_blocks
    }
    blocks = {Path(path).stem: read_data(path) for path in smk.input.data}
    parts = {
        split: {name: blocks[name] for name in params[f"{split}_blocks"]}
        for split in ("fit", "validation", "test")
    }
    bias = centre_bias(
        list(parts["fit"].values()), list(parts["validation"].values()), params.sigmas,
        params.uniform_weight,
    )  # fmt: skip
    many = refits.Alternatives(
        budgets.members(by_layer, refits.Alternative(whole, folds)),
        whole[0].layer.input_box,
        {**params.fusion, "stride": settings["stride"], "penalties": settings["penalties"]},
        bias,
        params.uniform_weight,
    )
    saliency = {
        key: {Path(path).stem: path for path in smk.input.get(key)}
        for key in ("deep", "centre_bias")
    }
    chosen_on = {**parts["fit"], **parts["validation"]}
    many.collect(chosen_on, parts["fit"], saliency["deep"], settings["stimuli"])
    models, rows = many.fit(log.info), budgets.variance_rows(by_layer, whole, held_out)
    trained_on = [entry for path in smk.input.weights for entry in exposure.trained_on(path)]
    for split in ("validation", "test"):
        names = [name for block in parts[split].values() for name in block.names]
        seen = exposure.seen(trained_on, params.dataset, params.dataset_type, names)
        scores = pd.DataFrame(refits.score(models, parts[split], saliency, seen))
        rows += budgets.score_rows(scores, split, params.n_resamples, params.seed)
    with store_files.whole(smk.output.table) as temporary:
        pd.DataFrame(rows).to_csv(temporary, index=False, float_format="%.6g")


if __name__ == "__main__":
    run_stage(main, snakemake)
