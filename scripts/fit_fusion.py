"""Fuse out-of-fold reconstructions into a saliency model (rule fit_fusion)."""

from gaborscope.explanation import fusing
from gaborscope.explanation import layers as layer_tools
from gaborscope.fitting.files import read_filters
from gaborscope.store import paths
from gaborscope.store.blocks import by_split, read_blocks
from gaborscope.store.files import provenance
from gaborscope.workflow.stage import run_stage


def main(smk):
    """Fit the fusion, choose its penalty on the validation split, and write the model."""
    params = smk.params
    blocks = read_blocks(smk.input.data, images=False)
    layers = [layer_tools.fitted_layer(read_filters(path)) for path in smk.input.filters]
    model = fusing.fit(
        layers,
        layers[0].layer.input_box,
        by_split(blocks, {"fit": params.fit_blocks}, rest="validation"),
        paths.index("reconstructions", smk.input.reconstructions, "block"),
        paths.index("saliency", smk.input.target, "block"),
        params.fusion,
        params.sigmas,
        params.uniform_weight,
    )
    model.save(smk.output.explained, provenance(smk))


if __name__ == "__main__":
    run_stage(main, snakemake)
