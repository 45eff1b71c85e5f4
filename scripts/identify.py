"""Name the filters of each map; measure how much few of them explain (rule identify)."""

import logging

from gaborscope.analysis import identities, nodes
from gaborscope.fitting.files import read_filters, read_statistics
from gaborscope.store import paths, tables
from gaborscope.store.blocks import read_data
from gaborscope.workflow.stage import progress, run_stage

log = logging.getLogger("gaborscope")


def main(smk):
    """Choose filters map by map on the fit split and evaluate them on the validation split."""
    named, curve, settings = [], [], smk.params.identities
    blocks = {
        split: [
            (read_data(data, concepts=smk.input.concepts), activations)
            for data, activations in zip(
                smk.input.get(f"{split}_data"), smk.input.get(f"{split}_activations"), strict=True
            )
        ]
        for split in ("fit", "validation")
    }
    files = paths.index("filters", smk.input.filters, "layer")
    for name, path in progress(files.items(), len(files)):
        filters = read_filters(path)
        fit, validation = (
            read_statistics(smk.input.get(split), name, filters["candidate"])
            for split in ("fit", "validation")
        )
        samples = nodes.samples(
            filters, blocks["fit"], blocks["validation"], settings["stimuli"], smk.params.seed
        )
        rows, steps = identities.of_layer(
            filters, fit, validation, settings, blocks["validation"][0][0], samples
        )
        named += rows
        curve += steps
        texts = [f"{step['filters_per_map']}: {step['explained_variance']:.3f}" for step in steps]
        log.info("%s: %s", name, ", ".join(texts))
    tables.write_csv(smk.output.identities, named)
    tables.write_csv(smk.output.sparsity, curve)


if __name__ == "__main__":
    run_stage(main, snakemake)
