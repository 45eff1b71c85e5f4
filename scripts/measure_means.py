"""Mean output of every layer over stimuli of the fit split (rule measure_means)."""

import logging

import torch

from gaborscope.backbones import opening
from gaborscope.explanation.model import ExplainedModel
from gaborscope.refutation import faithfulness, substitution
from gaborscope.store import tables
from gaborscope.store.blocks import read_data
from gaborscope.store.files import provenance
from gaborscope.workflow.stage import progress, run_stage

log = logging.getLogger("gaborscope")


def main(smk):
    """Run the network on some stimuli of each fit block and average the outputs of its layers."""
    torch.set_num_threads(1)
    params = smk.params
    model = ExplainedModel.load(smk.input.explained)
    backbone = opening.open_network(
        smk.wildcards.model, params.backbone, smk.input.weights, params.device
    )
    blocks = [read_data(path) for path in smk.input.fit]
    drawn = [faithfulness.chosen(block.names, params.n, params.seed) for block in blocks]
    batches = (
        batch
        for block, indices in zip(blocks, drawn, strict=True)
        for batch in substitution.batches(backbone, block, indices, model.box)
    )
    batches = progress(batches, None)
    means = substitution.mean_outputs(backbone, substitution.layers_of(model), batches)
    tables.write_json(smk.output.means, {"means": means, **provenance(smk)})
    log.info("%d layers, %d stimuli", len(means), sum(map(len, drawn)))


if __name__ == "__main__":
    run_stage(main, snakemake)
