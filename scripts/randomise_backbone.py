"""Initialise a backbone at random, its normalisations recalibrated (rule randomise_backbone)."""

import logging

import torch

from gaborscope.backbones import backbone as backbone_tools
from gaborscope.backbones import checking, devices, randomising, weights
from gaborscope.backbones.backbone import configured
from gaborscope.stimuli import geometry
from gaborscope.store import paths
from gaborscope.store.blocks import read_data
from gaborscope.store.files import provenance
from gaborscope.workflow.stage import run_stage

log = logging.getLogger("gaborscope")


def main(smk):
    """Draw random weights, recalibrate the normalisations on the fit split, and write."""
    torch.manual_seed(smk.params.seed)
    torch.use_deterministic_algorithms(True, warn_only=True)
    entry = smk.params.backbone
    backbone = configured(smk.wildcards.model, entry)
    if "factory" in entry:  # the factory may have loaded weights
        randomising.reinitialise(backbone.network, smk.params.seed)
    device = devices.device(smk.params.device)
    backbone.network.to(device)
    batches = (
        x.to(device)
        for path in smk.input.fit
        for _, _, x in backbone_tools.batches(
            backbone, read_data(path), entry["input"], smk.params.batch_size
        )
    )
    n = randomising.recalibrate(backbone.network, batches)
    log.info("%d normalisations recalibrated on %s", n, device)
    backbone.network.to("cpu")
    checking.check_backbone(backbone, smk.params.layers, geometry.Box.of(entry["input"]))
    seen = {**smk.params.dataset, "blocks": list(paths.index("data", smk.input.fit, "block"))}
    description = {"trained_on": [seen], "random": True, **provenance(smk)}
    weights.write_weights(smk.output.weights, backbone.network.state_dict(), description)


if __name__ == "__main__":
    run_stage(main, snakemake)
