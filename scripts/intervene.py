"""Take the leading notches out of the stimuli of one block (rule intervene)."""

import logging

import torch

from gaborscope.backbones import opening
from gaborscope.backbones.predictor import Predictor
from gaborscope.explanation import layers
from gaborscope.explanation.model import ExplainedModel
from gaborscope.refutation import faithfulness, interventions
from gaborscope.scoring import exposure
from gaborscope.store import tables
from gaborscope.store.blocks import read_data
from gaborscope.workflow.stage import progress, run_stage

log = logging.getLogger("gaborscope")


def main(smk):
    """Compare the predicted and the measured change of the network's map for each intervention."""
    torch.set_num_threads(1)
    params, wildcards = smk.params, smk.wildcards
    model = ExplainedModel.load(smk.input.explained).on(wildcards.dataset)
    block = read_data(smk.input.data, concepts=smk.input.concepts)
    seen = exposure.seen_in([block], [smk.input.weights], wildcards.dataset, params.dataset_type)
    backbone = opening.open_network(
        wildcards.model, params.backbone, smk.input.weights, params.device
    )
    deep = Predictor(backbone, model.box, params.uniform_weight, {})
    table = tables.read_csv(smk.input.notches)
    chosen = interventions.leading(table, params.leading)
    settings, rows = interventions.bank_settings(model), []
    lower = interventions.lower_half(table, layers.bank_and_channels(settings)[0])
    drawn = faithfulness.chosen(block.names, params.n, params.seed, seen)
    for index in progress(drawn, len(drawn)):
        content, pixels = interventions.content_of(block, index, model.box)
        changes = interventions.intervene(
            content,
            pixels,
            settings,
            chosen,
            lower,
            (interventions.explained_by(model), deep.predict),
            params.random,
            (params.seed, block.names[index]),
        )
        rows += [{"stimulus": block.names[index], **row} for row in changes]
    tables.write_csv(smk.output.table, rows, faithfulness.INTERVENED)
    log.info("%d of %d stimuli, %d interventions", len(drawn), len(block.names), len(rows))


if __name__ == "__main__":
    run_stage(main, snakemake)
