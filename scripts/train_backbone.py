"""Train a backbone on the fit split (rule train_backbone)."""

import logging

import torch

from gaborscope.backbones import checking, devices, examples, opening, training, weights
from gaborscope.backbones.backbone import configured
from gaborscope.errors import InputError
from gaborscope.scoring import exposure
from gaborscope.stimuli import geometry
from gaborscope.store import paths
from gaborscope.store.blocks import read_data
from gaborscope.store.files import provenance
from gaborscope.workflow.stage import run_stage

log = logging.getLogger("gaborscope")


def main(smk):
    """Train, or go on from the checkpoint, and write the best weights."""
    torch.manual_seed(smk.params.seed)
    torch.use_deterministic_algorithms(True, warn_only=True)
    torch.set_num_threads(smk.params.threads)
    name, entry = smk.wildcards.model, smk.params.backbone
    device = devices.device(smk.params.device)
    log.info("training %s on %s with %d threads", name, device, smk.params.threads)
    box, before = geometry.Box.of(entry["input"]), {"trained_on": []}
    backbone = configured(name, entry)
    if not any(parameter.numel() for parameter in backbone.network.parameters()):
        raise InputError(f"models.{name} has no weights to train; set its weights to null")
    opening.give_centre_bias(backbone, smk.input.centre_bias)
    checking.check_backbone(backbone, smk.params.layers, box)
    for path in smk.input.start:
        before = weights.load_into(backbone.network, path)
    (fit, points), (validation, _) = (
        examples.gather(map(read_data, smk.input.get(split)), box, backbone.content)
        for split in ("fit", "validation")
    )
    checking.check_sizes(backbone, (e.placement.input_size for e in [*fit, *validation]))
    decisive = [entry, before, smk.params.training, smk.params.seed, smk.params.code]
    decisive += [smk.params.network, smk.params.threads, str(device)]
    trainer = training.Trainer(
        backbone,
        fit,
        validation,
        {**smk.params.training, "seed": smk.params.seed},
        device,
        paths.make("checkpoints", predictor=name),
        training.digest(decisive, fit, validation),
    )
    to_beat = training.centre_bias_loss(points, validation, smk.params.training["loss"])
    log.info("validation loss of the centre bias, which the best epoch must beat: %.3f", to_beat)
    state_dict, history = trainer.run(to_beat)
    fitted, chosen_on = (
        list(paths.index("data", smk.input.get(split), "block")) for split in ("fit", "validation")
    )
    used = exposure.used(smk.params.dataset, blocks=fitted, chosen_on_blocks=chosen_on)
    description = {**exposure.carried(before, used), "history": history}
    weights.write_weights(smk.output.weights, state_dict, description | provenance(smk))


if __name__ == "__main__":
    run_stage(main, snakemake)
