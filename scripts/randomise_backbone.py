"""Make a backbone random, in whole or in part (rule randomise_backbone)."""

import logging

import torch

from gaborscope.backbones import backbone as backbone_tools
from gaborscope.backbones import checking, devices, opening, randomising, weights
from gaborscope.backbones.backbone import configured
from gaborscope.scoring import exposure
from gaborscope.stimuli import geometry
from gaborscope.store import paths
from gaborscope.store.blocks import read_data
from gaborscope.store.files import provenance
from gaborscope.workflow.stage import run_stage

log = logging.getLogger("gaborscope")


def main(smk):
    """Draw random weights, restore trained ones, recalibrate on the fit split, and write."""
    torch.manual_seed(smk.params.seed)
    torch.use_deterministic_algorithms(True, warn_only=True)
    entry = smk.params.backbone
    backbone = configured(smk.wildcards.model, entry)
    if "factory" in entry:  # the factory may have loaded weights
        randomising.reinitialise(backbone.network, smk.params.seed)
    opening.give_centre_bias(backbone, smk.input.centre_bias)
    within, trained_on = None, []
    for path in smk.input.trained:
        trained = configured(smk.wildcards.model, entry)
        trained_on = weights.load_into(trained.network, path)["trained_on"]
        partly = smk.params.randomise
        x = torch.zeros(1, 3, entry["input"]["height"], entry["input"]["width"])
        within = randomising.restore(
            backbone.network, trained.network, x, partly["from"], partly["share"]
        )
        log.info("random from the %s on: %s of the layers", partly["from"], partly["share"])
    device = devices.device(smk.params.device)
    backbone.network.to(device)
    box = geometry.Box.of(entry["input"])
    for path in smk.input.fit:
        checking.check_sizes(backbone, geometry.group_by_input(read_data(path).sizes, box))
    batches = (
        x.to(device)
        for path in smk.input.fit
        for _, _, x in backbone_tools.batches(
            backbone, read_data(path), entry["input"], smk.params.batch_size
        )
    )
    n = randomising.recalibrate(backbone.network, batches, within)
    log.info("%d normalisations recalibrated on %s", n, device)
    backbone.network.to("cpu")
    checking.check_backbone(backbone, smk.params.layers, box)
    fitted = list(paths.index("data", smk.input.fit, "block"))
    seen = exposure.used(smk.params.dataset, blocks=fitted)
    description = {"trained_on": [*seen, *trained_on], "random": True, **provenance(smk)}
    weights.write_weights(smk.output.weights, backbone.network.state_dict(), description)


if __name__ == "__main__":
    run_stage(main, snakemake)
