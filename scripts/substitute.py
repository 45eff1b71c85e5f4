"""Put reconstructions in the place of a network's layers on one block (rule substitute)."""

import json
import logging
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from gaborscope.backbones import opening
from gaborscope.explanation.model import ExplainedModel
from gaborscope.refutation import faithfulness, substitution
from gaborscope.scoring import exposure
from gaborscope.stimuli import densities
from gaborscope.store.blocks import read_data
from gaborscope.store.files import whole
from gaborscope.workflow.stage import run_stage

log = logging.getLogger("gaborscope")


def main(smk):
    """Replace each layer in each way and score what the network makes of it, row by row."""
    torch.set_num_threads(smk.threads)
    params, wildcards = smk.params, smk.wildcards
    model = ExplainedModel.load(smk.input.explained)
    block = read_data(smk.input.data)
    trained_on = exposure.trained_on(smk.input.weights)
    seen = exposure.seen(trained_on, wildcards.dataset, params.dataset_type, block.names)
    backbone = opening.open_network(
        wildcards.model, params.backbone, smk.input.weights, params.device
    )
    means = json.loads(Path(smk.input.means).read_text(encoding="utf-8"))["means"]
    bench = substitution.Bench(
        backbone, substitution.layers_of(model), means, tuple(params.substitutes), params.seed
    )
    drawn, rows = faithfulness.chosen(block.names, params.n, params.seed, seen), []
    for index, place, x in substitution.batches(backbone, block, drawn, model.box):
        names, judges = [block.names[i] for i in index], []
        maps = [model.reconstruct(block.image(i))[0] for i in index]
        stacked = {name: np.stack([own[name] for own in maps]) for name in bench.layers}
        for layer, way, kind, found in bench.run(x, place, names, stacked):
            inside = found[:, place.top : place.top + place.height].cpu().numpy()
            inside = inside[:, :, place.left : place.left + place.width]
            for row, i in enumerate(index):
                size = block.size(i)
                how = backbone.output, size, params.uniform_weight
                density = np.exp(densities.of_network(inside[row], *how))
                if kind == "intact":
                    judges.append(faithfulness.Judge(block, i, density, params.preset))
                where = {"layer": layer, "way": way, "substitute": kind, "stimulus": names[row]}
                rows.append({**where, **judges[row].score(density)})
    with whole(smk.output.table) as temporary:
        pd.DataFrame(rows, columns=faithfulness.SUBSTITUTED).to_csv(
            temporary, index=False, float_format="%.10g"
        )
    log.info("%d of %d stimuli, %d maps", len(drawn), len(block.names), len(rows))


if __name__ == "__main__":
    run_stage(main, snakemake)
