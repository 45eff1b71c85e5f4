"""Explained variance of every layer of a cascade on held-out stimuli (rule evaluate_cascade)."""

import logging

import numpy as np
import pandas as pd
import torch

from gaborscope.backbones import opening
from gaborscope.cascades import fusing, layerwise
from gaborscope.cascades.observed import make_examples
from gaborscope.explanation.model import ExplainedModel
from gaborscope.store.blocks import read_blocks
from gaborscope.store.files import whole
from gaborscope.workflow.stage import run_stage

log = logging.getLogger("gaborscope")


def main(smk):
    """Compare the cascade's layers with the network's on the validation and test stimuli."""
    torch.set_num_threads(smk.threads)
    model = ExplainedModel.load(smk.input.explained)
    backbone = opening.open_network(
        smk.wildcards.model, smk.params.backbone, smk.input.weights, smk.params.device
    )
    observed = fusing.watch(backbone, model.whole_cascade, model.settings["stride"])
    net = fusing.make_net(model.whole_cascade, observed.device)
    rows = []
    for split in ("validation", "test"):
        examples = make_examples(read_blocks(smk.input.get(split)), model.box, backbone)
        found = layerwise.explained_variance(net, observed, examples)
        for own in model.whole_cascade.layers:
            per_map, pooled = found[own.name]
            rows.append(
                {
                    "layer": own.name,
                    "split": split,
                    "explained_variance": pooled,
                    "mean_per_map": np.nanmean(per_map) if (~np.isnan(per_map)).any() else np.nan,
                    "maps": len(per_map),
                    "dead_maps": int(np.isnan(per_map).sum()),
                    "regressors": own.weight.shape[1],
                    "largest_support": int((own.weight != 0).sum(axis=1).max()),
                    "parents": " ".join(
                        f"{edge.parent}:{edge.kind}:{edge.variance:.3f}" for edge in own.edges
                    )
                    or "image",
                }
            )
            log.info("%s: explained variance %.3f (%s)", own.name, pooled, split)
    with whole(smk.output.table) as temporary:
        pd.DataFrame(rows).to_csv(temporary, index=False, float_format="%.6g")


if __name__ == "__main__":
    run_stage(main, snakemake)
