"""Refit and score an explanation with only some dimensions (rule score_coalitions)."""

import logging

from gaborscope.analysis import bits, coalitions, refits
from gaborscope.explanation.model import ExplainedModel
from gaborscope.fitting.files import read_filters, read_statistics
from gaborscope.scoring import exposure
from gaborscope.store import paths, tables
from gaborscope.store.blocks import by_split, read_blocks
from gaborscope.workflow.stage import run_stage

log = logging.getLogger("gaborscope")


def main(smk):
    """Refit the layers from their statistics, then the fusion; write the gain per stimulus."""
    params = smk.params
    files = paths.index("filters", smk.input.filters, "layer")
    filters = {name: coalitions.with_swapped(read_filters(path)) for name, path in files.items()}
    table = next(iter(filters.values()))["table"]
    labels = coalitions.dealt_out(table, int(smk.wildcards.part), params.parts)
    members = coalitions.Coalitions(labels, params.solver)
    for name, layer_filters in filters.items():
        statistics = (
            read_statistics(smk.input.get(split), name, layer_filters["candidate"], swapped=True)
            for split in ("fit", "validation")
        )
        members.add_layer(layer_filters, *statistics)
    blocks = by_split(
        read_blocks(smk.input.data, concepts=smk.input.concepts, swapped=True),
        {"test": params.test_blocks, "fit": params.fit_blocks},
        rest="validation",
    )
    full_model = ExplainedModel.load(smk.input.explained)
    fusion = {**params.fusion, "stride": params.stride, "penalties": params.penalties}
    many = refits.prepare(
        members.members(), full_model.box, fusion, blocks, params.sigmas, params.uniform_weight
    )
    saliency = {
        key: paths.index("saliency", smk.input.get(key), "block")
        for key in ("deep", "fused", "centre_bias")
    }
    bits.collect(many, blocks["fit"], blocks["validation"], saliency["deep"], params.stimuli)
    models = bits.fuse(many, full_model, log.info)
    every = [block for split in blocks.values() for block in split.values()]
    seen = exposure.seen_in(every, smk.input.weights, params.dataset, params.dataset_type)
    tables.write_csv(smk.output.gains, bits.gains(models, blocks["test"], saliency, seen))


if __name__ == "__main__":
    run_stage(main, snakemake)
