"""Put reconstructions in the place of a network's layers on one block (rule substitute)."""

import logging

import torch

from gaborscope.backbones import opening
from gaborscope.explanation.model import ExplainedModel
from gaborscope.refutation import faithfulness, substitution
from gaborscope.scoring import exposure
from gaborscope.store import tables
from gaborscope.store.blocks import read_data
from gaborscope.workflow.stage import run_stage

log = logging.getLogger("gaborscope")


def main(smk):
    """Replace each layer by each substitute and score the maps that the network then gives."""
    torch.set_num_threads(1)
    params, wildcards = smk.params, smk.wildcards
    model = ExplainedModel.load(smk.input.explained).on(wildcards.dataset)
    block = read_data(smk.input.data, concepts=smk.input.concepts)
    seen = exposure.seen_in([block], [smk.input.weights], wildcards.dataset, params.dataset_type)
    backbone = opening.open_network(
        wildcards.model, params.backbone, smk.input.weights, params.device
    )
    means = tables.read_json(smk.input.means)["means"]
    bench = substitution.Bench(
        backbone, substitution.layers_of(model), means, tuple(params.substitutes), params.seed
    )
    drawn = faithfulness.chosen(block.names, params.n, params.seed, seen)
    rows = list(substitution.rows(bench, model, block, drawn, params.preset, params.uniform_weight))
    tables.write_csv(smk.output.table, rows, faithfulness.SUBSTITUTED)
    log.info("%d of %d stimuli, %d maps", len(drawn), len(block.names), len(rows))


if __name__ == "__main__":
    run_stage(main, snakemake)
