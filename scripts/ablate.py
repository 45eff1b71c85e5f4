"""Try one option of the direct explanation on few blocks (rule ablate)."""

import logging
import time

import pandas as pd

from gaborscope.analysis import ablation, refits
from gaborscope.explanation import readouts
from gaborscope.scoring import exposure
from gaborscope.stimuli import geometry
from gaborscope.store import paths, tables
from gaborscope.store.blocks import by_split, read_blocks
from gaborscope.store.layers import read_layer_table, read_layers
from gaborscope.workflow.stage import run_stage

log = logging.getLogger("gaborscope")


def main(smk):
    """Fit the option, fuse it, and score it on the validation split."""
    params, settings = smk.params, smk.params.settings
    measured = read_layer_table(smk.input.layers)
    layers = {name: measured[name] for name in params.layers}
    names = {"fit": params.fit, "validation": params.validation}
    blocks = by_split(read_blocks(smk.input.data, concepts=smk.input.concepts), names)
    activations = paths.index("activations", smk.input.activations, "block")
    saliency = {
        key: paths.index("saliency", smk.input.get(key), "block") for key in ("deep", "centre_bias")
    }

    def solved(chosen=None):
        trial = ablation.Trial(settings, layers, chosen)
        for split, members in blocks.items():
            for name, block in members.items():
                recorded = read_layers(activations[name], list(layers))
                trial.add(split, name, block, recorded, params.part)
        return trial, *trial.solve()

    trial, alternative, fitted = solved()
    if settings["readout"] != "linear":
        recorded = [
            (block, read_layers(activations[name], list(layers)))
            for name, block in blocks["fit"].items()
        ]
        n_stimuli, pairs = params.term_stimuli, settings["readout"] == "pairs"
        trial, alternative, fitted = solved(
            readouts.choose(alternative.layers, recorded, n_stimuli, pairs, params.seed)
        )
    fusion = {**settings["fusion"], "stride": params.stride, "penalties": params.penalties}
    box, sigmas = geometry.Box.of(params.box), params.sigmas
    models = trial.fuse(
        alternative, blocks, saliency["deep"], fusion, box, sigmas, params.uniform_weight, log.info
    )
    held_out = blocks["validation"]
    seen = exposure.seen_in(
        held_out.values(), smk.input.weights, params.dataset, params.dataset_type
    )
    tables.write_csv(smk.output.scores, refits.score(models, held_out, saliency, seen))
    table = pd.DataFrame(fitted).assign(cpu_s=time.process_time())
    tables.write_csv(smk.output.layers, table)
    log.info("explained variance %.4f (mean over layers)", table["explained_variance"].mean())


if __name__ == "__main__":
    run_stage(main, snakemake)
