"""Train a backbone on the fit split (rule train_backbone)."""

import logging

import torch

from gaborscope.backbones import checking, devices, training, weights
from gaborscope.backbones.backbone import configured
from gaborscope.stimuli import geometry
from gaborscope.store import paths
from gaborscope.store.blocks import read_blocks
from gaborscope.store.files import provenance
from gaborscope.workflow.stage import run_stage

log = logging.getLogger("gaborscope")


def main(smk):
    """Train, or go on from the checkpoint, and write the best weights."""
    torch.manual_seed(smk.params.seed)
    torch.use_deterministic_algorithms(True, warn_only=True)
    torch.set_num_threads(smk.threads)
    name, entry = smk.wildcards.model, smk.params.backbone
    device = devices.device(smk.params.device)
    log.info("training %s on %s with %d threads", name, device, smk.threads)
    box, before = geometry.Box.of(entry["input"]), {"trained_on": []}
    backbone = configured(name, entry)
    checking.check_backbone(backbone, smk.params.layers, box)
    for path in smk.input.start:
        before = weights.load_into(backbone.network, path)
    fit, validation = (read_blocks(smk.input.get(split)) for split in ("fit", "validation"))
    decisive = [entry, before, smk.params.training, smk.params.seed, smk.params.code, str(device)]
    trainer = training.Trainer(
        backbone,
        training.examples_of(fit.values(), box, backbone.content),
        training.examples_of(validation.values(), box, backbone.content),
        {**smk.params.training, "seed": smk.params.seed},
        device,
        paths.make("checkpoints", predictor=name),
        training.digest(decisive, [*fit.values(), *validation.values()]),
    )
    state_dict, history = trainer.run()
    used = {**smk.params.dataset, "blocks": list(fit), "chosen_on_blocks": list(validation)}
    description = {"trained_on": [*before["trained_on"], used], "history": history}
    weights.write_weights(smk.output.weights, state_dict, description | provenance(smk))


if __name__ == "__main__":
    run_stage(main, snakemake)
