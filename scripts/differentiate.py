"""Change stimuli so that network and explanation part (rule differentiate)."""

import logging

import pandas as pd
import torch

from gaborscope.backbones import opening
from gaborscope.backbones.predictor import Predictor
from gaborscope.explanation.differentiable import DifferentiableModel
from gaborscope.explanation.model import ExplainedModel
from gaborscope.refutation import differentiation, interventions
from gaborscope.store import changed_images, files, tables
from gaborscope.store.blocks import read_data
from gaborscope.workflow.stage import progress, run_stage

log = logging.getLogger("gaborscope")


def main(smk):
    """Change the stimuli of median disagreement; measure how far both maps are moved."""
    torch.set_num_threads(smk.params.threads)
    params = smk.params
    model = ExplainedModel.load(smk.input.explained).on(smk.wildcards.dataset)
    explained = DifferentiableModel(model)
    trainings = [smk.input.weights, *smk.input.other]
    networks = [
        Predictor(
            opening.open_network(smk.wildcards.model, params.backbone, path, params.device),
            model.box, params.uniform_weight, {},
        )
        for path in trainings
    ]  # fmt: skip
    settings = {key: params[key] for key in ("levels", "steps", "draws")}
    wanted = differentiation.chosen(tables.read_csv(smk.input.measures), params.stimuli)
    contents = {}
    for path in smk.input.data:
        block = read_data(path)
        for index, name in enumerate(block.names):
            if name in wanted:
                contents[name], _ = interventions.content_of(block, index, model.box)
    rows, shown = [], []
    for name in progress(wanted, len(wanted)):
        members = {
            key: (deep.predict, differentiation.of_network(deep, contents[name]))
            for key, deep in zip(("deep", "other"), networks, strict=False)
        }
        members["explained"] = (model.predict, explained.density)
        found, images = differentiation.part(name, contents[name], members, settings, params.seed)
        rows += found
        shown.append((name, images))
    table = pd.DataFrame(rows, columns=list(differentiation.COLUMNS))
    summary = differentiation.summarise(table, params.n_resamples, params.seed)
    tables.write_csv(smk.output.table, table)
    tables.write_csv(smk.output.summary, summary)
    changed_images.write(smk.output.images, shown, files.provenance(smk))
    for row in summary[summary["measure"] == "log2_ratio"].itertuples():
        log.info("%g grey levels, %s: log2 of the ratio %.2f", *row[1:3], row.mean)


if __name__ == "__main__":
    run_stage(main, snakemake)
