"""Try one option of the direct explanation on few blocks (rule ablate)."""

import logging
import time
from pathlib import Path

import pandas as pd

from gaborscope.analysis import ablation, refits
from gaborscope.scoring import exposure
from gaborscope.stimuli import geometry
from gaborscope.stimuli.centre_bias import centre_bias
from gaborscope.store.blocks import read_data
from gaborscope.store.files import whole
from gaborscope.store.layers import read_layer_table, read_layers
from gaborscope.workflow.stage import run_stage

log = logging.getLogger("gaborscope")


def main(smk):
    """Fit the option, fuse it, and score it on the validation split."""
    params, settings = smk.params, smk.params.settings
    layers = read_layer_table(smk.input.layers)
    layers = {name: layers[name] for name in params.layers}
    blocks = {Path(path).stem: read_data(path) for path in smk.input.data}
    files = {
        key: {Path(path).stem: path for path in smk.input.get(key)}
        for key in ("activations", "deep", "centre_bias")
    }
    split_of = {
        **dict.fromkeys(params.fit, "fit"),
        **dict.fromkeys(params.validation, "validation"),
    }
    trial = ablation.Trial(settings, layers)
    for name, split in split_of.items():
        recorded = read_layers(files["activations"][name], list(layers))
        trial.add(split, name, blocks[name], recorded, params.part)
    alternative, table = trial.solve()
    many = refits.Alternatives(
        {"explained": alternative},
        geometry.Box.of(params.box),
        {**settings["fusion"], "stride": params.stride, "penalties": params.penalties},
        centre_bias(
            [blocks[name] for name in params.fit], [blocks[name] for name in params.validation],
            params.sigmas, params.uniform_weight,
        ),
        params.uniform_weight,
    )  # fmt: skip
    for (name, index), part in trial.part_of.items():
        many.add_stimulus(split_of[name], part, blocks[name], index, files["deep"][name])
    held_out = {name: blocks[name] for name in params.validation}
    names = [stimulus for block in held_out.values() for stimulus in block.names]
    trained_on = [entry for path in smk.input.weights for entry in exposure.trained_on(path)]
    seen = exposure.seen(trained_on, params.dataset, params.dataset_type, names)
    saliency = {key: files[key] for key in ("deep", "centre_bias")}
    scores = pd.DataFrame(refits.score(many.fit(log.info), held_out, saliency, seen))
    table = pd.DataFrame(table).assign(cpu_s=time.process_time())
    for path, rows in ((smk.output.scores, scores), (smk.output.layers, table)):
        with whole(path) as temporary:
            rows.to_csv(temporary, index=False, float_format="%.8g")
    log.info("explained variance %.4f (mean over layers)", table["explained_variance"].mean())


if __name__ == "__main__":
    run_stage(main, snakemake)
