"""Train a backbone on the fit split (rule train_backbone)."""

import hashlib
import json
import logging
from pathlib import Path

import torch

from gaborscope.backbones import checking, devices, training, weights
from gaborscope.backbones.backbone import configured
from gaborscope.stimuli import geometry
from gaborscope.store.blocks import read_data
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
    blocks = {
        split: [read_data(path) for path in smk.input.get(split)] for split in ("fit", "validation")
    }
    examples = {
        split: [e for b in parts for e in training.make_examples(b, box, backbone.content)]
        for split, parts in blocks.items()
    }
    identity = [entry, before, smk.params.training, smk.params.seed, smk.params.code, str(device)]
    identity += [[b.sha256, b.x.tolist()] for parts in blocks.values() for b in parts]
    trainer = training.Trainer(
        backbone,
        examples["fit"],
        examples["validation"],
        {**smk.params.training, "seed": smk.params.seed},
        device,
        Path("results/checkpoints") / f"{name}.pt",
        hashlib.sha256(json.dumps(identity).encode()).hexdigest(),
    )
    state_dict, history = trainer.run()
    own = {
        **smk.params.dataset,
        "blocks": [Path(path).stem for path in smk.input.fit],
        "chosen_on_blocks": [Path(path).stem for path in smk.input.validation],
    }
    description = {"trained_on": [*before["trained_on"], own], "history": history}
    weights.write_weights(smk.output.weights, state_dict, description | provenance(smk))


if __name__ == "__main__":
    run_stage(main, snakemake)
