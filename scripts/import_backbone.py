"""Bring weights that others trained into our format (rule import_backbone)."""

import logging

import torch

from gaborscope.backbones import checking, published, user_models, weights
from gaborscope.backbones.backbone import configured
from gaborscope.data import downloads
from gaborscope.stimuli import geometry
from gaborscope.store.files import provenance
from gaborscope.workflow.stage import run_stage

log = logging.getLogger("gaborscope")


def main(smk):
    """Fetch or find the weights, check every tensor and the network itself, and write them."""
    torch.manual_seed(smk.params.seed)
    name, entry, wanted = smk.wildcards.model, smk.params.backbone, smk.params.source
    backbone = configured(name, entry)
    origin, trained_on = {}, entry["trained_on"]
    if wanted is not None:
        known = entry.get("network", name)
        path = published.fetch(known) if wanted == "published" else user_models.absolute(wanted)
        state_dict, description = published.read(known, path)
        weights.fit_into(backbone.network, state_dict, path)
        if wanted == "published":
            trained_on = list(published.SOURCES[known].trained_on)
            origin["source"] = published.SOURCES[known].url
        elif trained_on is None:
            trained_on = description.get("trained_on")
        if path.is_file():
            origin["sha256"] = downloads.digests(path)["sha256"]
        log.info("%d tensors of %s fit %s", len(state_dict), path, name)
    elif not entry["factory"].startswith("torchscript:"):
        log.info("no weights: the network is explained as its factory made it")
    if trained_on is None:
        log.info("what %s was trained on is not known: set trained_on", name)
    checking.check_backbone(backbone, smk.params.layers, geometry.Box.of(entry["input"]))
    description = {"trained_on": trained_on or [], **origin, **provenance(smk)}
    weights.write_weights(smk.output.weights, backbone.network.state_dict(), description)


if __name__ == "__main__":
    run_stage(main, snakemake)
