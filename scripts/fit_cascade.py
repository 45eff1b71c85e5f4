"""Fit a cascade of log-Gabor banks along a network's graph (rule fit_cascade)."""

import logging

import numpy as np
import torch

from gaborscope.backbones import measuring, opening
from gaborscope.cascades import fusing, graph, layerwise
from gaborscope.cascades.observed import Observed, gather
from gaborscope.stimuli import geometry
from gaborscope.store import paths
from gaborscope.store.files import provenance
from gaborscope.store.scratch import Scratch
from gaborscope.workflow.stage import run_stage

log = logging.getLogger("gaborscope")


def main(smk):
    """Measure the graph, fit layer by layer, fuse the last layers and write the model."""
    settings, entry, seed = smk.params.settings, smk.params.backbone, smk.params.seed
    torch.manual_seed(seed)
    torch.set_num_threads(smk.params.threads)
    backbone = opening.open_network(
        smk.wildcards.model, entry, smk.input.weights, smk.params.device
    )
    box = geometry.Box.of(entry["input"])
    measured = measuring.measure_layers(
        backbone.network, smk.params.layers, box.sizes, smk.params.finest_stride, seed
    )
    tree = graph.measure_graph(backbone.network, measured, box[:2], seed)
    for name, node in tree.items():
        read = [f"{parent} ({edge['kind']})" for parent, edge in node["parents"].items()]
        log.info("%s reads %s", name, ", ".join([*["the image"] * node["image"], *read]))
    observed = Observed(backbone, measured, settings["fusion"]["stride"])
    examples, blocks = {}, {}
    for split in ("fit", "validation"):
        examples[split], blocks[split] = gather(smk.input.get(split), box, backbone)
    order = np.random.default_rng(seed).permutation(len(examples["fit"]))[: settings["stimuli"]]
    fitter = layerwise.CascadeFit(observed, tree, box, settings, seed)
    chosen = Scratch(examples["fit"][i] for i in sorted(order))
    model = fitter.run(chosen, examples["validation"])
    explained = fusing.fuse(
        fusing.make_net(model, observed.device),
        observed,
        examples,
        blocks,
        paths.index("saliency", smk.input.target, "block"),
        settings["fusion"],
        smk.params.sigmas,
        smk.params.uniform_weight,
    )
    explained.save(smk.output.explained, provenance(smk))


if __name__ == "__main__":
    run_stage(main, snakemake)
