"""Fuse out-of-fold reconstructions into a saliency model of its own (rule fit_fusion)."""

import logging
from pathlib import Path

from gaborscope.explanation import fusion, fusion_data
from gaborscope.explanation import layers as layer_tools
from gaborscope.explanation.model import ExplainedModel
from gaborscope.fitting.files import read_filters
from gaborscope.stimuli import centre_bias as centre_biases
from gaborscope.stimuli.centre_bias import GRID
from gaborscope.store.blocks import read_data
from gaborscope.store.files import provenance
from gaborscope.workflow.stage import run_stage

log = logging.getLogger("gaborscope")


def main(smk):
    """Fit the fusion, its penalty chosen on the validation split, and write the model."""
    settings, fit_blocks = smk.params.fusion, set(smk.params.fit_blocks)
    layers = [layer_tools.fitted_layer(read_filters(p)) for p in smk.input.filters]
    blocks = {Path(path).stem: read_data(path) for path in smk.input.data}
    centre_bias = centre_biases.centre_bias(
        [block for name, block in blocks.items() if name in fit_blocks],
        [block for name, block in blocks.items() if name not in fit_blocks],
        smk.params.sigmas,
        smk.params.uniform_weight,
    )
    log.info("centre bias: sigma %.3f of the width", centre_bias.sigma[0])
    data = {split: fusion_data.FusionData(layers, settings) for split in ("fit", "validation")}
    targets = {Path(path).stem: path for path in smk.input.target}
    for name, block in blocks.items():
        files = {Path(p).parent.name: p for p in smk.input.reconstructions if Path(p).stem == name}
        data["fit" if name in fit_blocks else "validation"].add_block(
            files, block, targets[name], centre_bias
        )
    log.info("%d fit and %d validation stimuli", len(data["fit"]), len(data["validation"]))
    fused = fusion.fit(
        data["fit"].batches,
        data["validation"].batches,
        data["fit"].n_features,
        settings["penalties"],
        progress=log.info,
    )
    ExplainedModel(
        box=layers[0].layer.input_box,
        layers=layers,
        settings={key: settings[key] for key in ("stride", "smoothing")},
        weight=fused.weight,
        centre_bias=centre_bias.density(GRID),
        uniform_weight=smk.params.uniform_weight,
    ).save(smk.output.explained, provenance(smk))
    log.info("penalty %g", fused.penalty)


if __name__ == "__main__":
    run_stage(main, snakemake)
