"""Refit and score an explanation with only some dimensions (rule score_coalitions)."""

import logging
from pathlib import Path

import pandas as pd

from gaborscope.analysis import bits, coalitions, refits
from gaborscope.explanation.model import ExplainedModel
from gaborscope.fitting.files import read_filters, read_statistics
from gaborscope.stimuli.centre_bias import centre_bias
from gaborscope.store import files as store_files
from gaborscope.store.blocks import read_data
from gaborscope.workflow.stage import run_stage

log = logging.getLogger("gaborscope")


def main(smk):
    """Refit the layers from their statistics, then the fusion; write the gain per stimulus."""
    params = smk.params
    labels = list(coalitions.names(read_filters(smk.input.filters[0])["table"]))
    own = labels[int(smk.wildcards.part) :: params.parts]
    members = coalitions.Coalitions(own, params.solver)
    for path in smk.input.filters:
        filters = read_filters(path)
        fit, validation = (
            read_statistics(
                [p for p in smk.input.get(split) if Path(p).parent.name == Path(path).stem],
                filters["candidate"],
            )
            for split in ("fit", "validation")
        )
        members.add_layer(filters, fit, validation)
    blocks = {Path(path).stem: read_data(path) for path in smk.input.data}
    test = {name: blocks.pop(name) for name in params.test_blocks}
    fit = {name: blocks.pop(name) for name in params.fit_blocks}
    bias = centre_bias(
        list(fit.values()), list(blocks.values()), params.sigmas, params.uniform_weight
    )
    whole = ExplainedModel.load(smk.input.explained)
    settings = {**params.fusion, "stride": params.stride, "penalties": params.penalties}
    many = refits.Alternatives(members.members(), whole.box, settings, bias, params.uniform_weight)
    saliency = {
        key: {Path(path).stem: path for path in smk.input.get(key)}
        for key in ("deep", "fused", "centre_bias")
    }
    bits.collect(many, fit, blocks, saliency["deep"], params.stimuli)
    models = bits.fuse(many, whole, log.info)
    table = pd.DataFrame(bits.gains(models, test, saliency))
    with store_files.whole(smk.output.gains) as temporary:
        table.to_csv(temporary, index=False, float_format="%.9g")


if __name__ == "__main__":
    run_stage(main, snakemake)
