"""Convert weights that others trained into our format (rule import_backbone)."""

import logging
import sys

import torch

from gaborscope.backbones import checking, opening, published, user_models, weights
from gaborscope.backbones.backbone import configured
from gaborscope.data import seen
from gaborscope.stimuli import geometry
from gaborscope.store.files import provenance
from gaborscope.workflow import backbone_entries
from gaborscope.workflow.stage import run_stage

log = logging.getLogger("gaborscope")


def tell_unseen(entry, modules):
    """Log the files that a factory brought in by imports that its digest does not follow."""
    known = backbone_entries.sources(entry, user_models.ROOT)
    unseen = [str(file) for file in user_models.files_of(modules) if file not in known]
    if unseen:
        log.warning(
            "the factory imports %s by computed names: their edits rerun nothing", ", ".join(unseen)
        )


def main(smk):
    """Fetch or find the weights, check every tensor and the network itself, and write them."""
    torch.manual_seed(smk.params.seed)
    name, entry, wanted = smk.wildcards.model, smk.params.backbone, smk.params.source
    before = set(sys.modules)
    backbone = configured(name, entry)
    if "factory" in entry and not entry["factory"].startswith("torchscript:"):
        tell_unseen(entry, set(sys.modules) - before)
    origin = {"trained_on": entry["trained_on"]}
    if wanted is not None:
        known = entry.get("network", name)
        origin = published.load_into(
            backbone.network, known, wanted, entry["trained_on"], smk.params.get("prefix")
        )
    elif not entry["factory"].startswith("torchscript:"):
        log.info("no weights: the network is explained as its factory made it")
    opening.give_centre_bias(backbone, smk.input)
    nobody_says = wanted is not None and origin["trained_on"] is None
    if nobody_says:
        log.warning("%s", seen.said_of_unknown(name))
    checking.check_backbone(backbone, smk.params.layers, geometry.Box.of(entry["input"]))
    description = {**origin, "trained_on": origin["trained_on"] or [], **provenance(smk)}
    if nobody_says:
        description["training_unknown"] = True
    weights.write_weights(smk.output.weights, backbone.network.state_dict(), description)


if __name__ == "__main__":
    run_stage(main, snakemake)
