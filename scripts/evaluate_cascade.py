"""Explained variance of every layer of a cascade on held-out stimuli (rule evaluate_cascade)."""

import logging

import torch

from gaborscope.backbones import opening
from gaborscope.cascades import fusing, layerwise
from gaborscope.cascades.observed import gather
from gaborscope.explanation.model import ExplainedModel
from gaborscope.store import tables
from gaborscope.workflow.stage import run_stage

log = logging.getLogger("gaborscope")


def main(smk):
    """Compare the cascade's layers with the network's on the validation and test stimuli."""
    torch.set_num_threads(smk.params.threads)
    model = ExplainedModel.load(smk.input.explained)
    backbone = opening.open_network(
        smk.wildcards.model, smk.params.backbone, smk.input.weights, smk.params.device
    )
    observed = fusing.watch(backbone, model.whole_cascade, model.settings["stride"])
    net = fusing.make_net(model.whole_cascade, observed.device)
    rows = []
    for split in ("validation", "test"):
        examples, _ = gather(smk.input.get(split), model.box, backbone)
        explained = layerwise.explained_variance(net, observed, examples)
        rows += layerwise.variance_rows(model.whole_cascade, split, explained)
    for row in rows:
        log.info("%(layer)s: explained variance %(explained_variance).3f (%(split)s)", row)
    tables.write_csv(smk.output.table, rows)


if __name__ == "__main__":
    run_stage(main, snakemake)
