"""Improve a cascade's weights by gradient descent, filters fixed (rule refine_cascade)."""

import torch

from gaborscope.backbones import opening
from gaborscope.cascades import fusing, refining
from gaborscope.cascades.observed import gather
from gaborscope.explanation.model import ExplainedModel
from gaborscope.store import paths
from gaborscope.store.files import provenance
from gaborscope.workflow.stage import run_stage


def main(smk):
    """Refine the cascade of an explained model, fuse it anew and write the model."""
    settings, entry = smk.params.settings, smk.params.backbone
    torch.manual_seed(smk.params.seed)
    torch.set_num_threads(smk.params.threads)
    start = ExplainedModel.load(smk.input.start[0])
    backbone = opening.open_network(
        smk.wildcards.model, entry, smk.input.weights, smk.params.device
    )
    teacher = None
    for path in smk.input.teacher:
        teacher = opening.open_network(smk.params.target, entry, path, smk.params.device)
    observed = fusing.watch(backbone, start.whole_cascade, settings["fusion"]["stride"], teacher)
    examples, blocks = {}, {}
    for split in ("fit", "validation"):
        examples[split], blocks[split] = gather(smk.input.get(split), start.box, backbone)
    predictor = f"{smk.wildcards.model}-{smk.wildcards.explanation}"
    decisive = [settings, entry, smk.params.seed, smk.params.code, smk.params.start]
    decisive += [smk.params.target, smk.params.threads, str(observed.device)]
    net = fusing.make_net(start.whole_cascade, observed.device)
    weight = fusing.fusion_weight(start, start.whole_cascade.fused(settings["fusion"]["layers"]))
    biases = (start.centre_bias, start.centre_biases)
    fused = refining.FusedDensity(start.whole_cascade, settings["fusion"], weight, *biases)
    fused = fused.to(observed.device)
    refiner = refining.Refiner(
        net,
        fused,
        observed,
        examples["fit"],
        examples["validation"],
        {**settings, "seed": smk.params.seed},
        paths.make("checkpoints", predictor=predictor),
        refining.digest(
            decisive,
            examples.values(),
            [net, fused, *(shown.network for shown in (backbone, teacher) if shown)],
        ),
    )
    best_epoch = refiner.run()
    targets = paths.index("saliency", smk.input.target, "block")
    common = (settings["fusion"], smk.params.sigmas, smk.params.uniform_weight)
    model = fusing.fuse(net, observed, examples, blocks, targets, *common)
    model.save(smk.output.explained, {**provenance(smk), "best_epoch": best_epoch})


if __name__ == "__main__":
    run_stage(main, snakemake)
