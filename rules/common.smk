"""
Names, blocks and digests that all rules share.

Parsed at the start of every job: standard library and Snakemake's own dependencies only.
"""

import sys

from snakemake.exceptions import WorkflowError

sys.path.append(f"{workflow.basedir}/scripts")

from gaborscope.data import catalogue, map_files
from gaborscope.data.layouts import archives
from gaborscope.errors import InputError
from gaborscope.workflow import (
    backbone_entries,
    contests,
    digests,
    ownership,
    settings,
    variants,
)


def or_stop(function, *arguments):
    """Call a function; bad input stops the workflow with its one sentence."""
    try:
        return function(*arguments)
    except InputError as error:
        raise WorkflowError(str(error)) from None


def library(script):
    """Digest of a stage script and all it imports: an edit or an upgrade reruns what uses it."""
    return digests.script_digest(f"{workflow.basedir}/scripts/{script}.py")


# one line for each deprecated setting; every job parses this file, the first process alone says it
DEPRECATED = []
config = or_stop(settings.complete, config, DEPRECATED)
or_stop(settings.check, config, f"{workflow.basedir}/rules/config.schema.yaml")
or_stop(backbone_entries.complete, config)
or_stop(contests.check_equal, config)
for line in DEPRECATED if workflow.is_main_process else ():
    logger.warning(line)

MODELS = list(config["models"])
# of each, whose densities its explanations are fused to: its own, but for random copies
TARGETS = or_stop(variants.targets, config)
# others have layers alone: they are explained, but nothing is fused or scored
SALIENT = [model for model in MODELS if backbone_entries.predicts(config["backbones"][model])]
DEEP = [model for model in SALIENT if TARGETS[model] == model]
FIT = config["fit_on"]
DATASETS = list(dict.fromkeys([FIT, *config["evaluate_on"]]))
EXPLANATIONS = list(config["explanations"])
# of each mode, which rules make it
DIRECT, CASCADES, REFINED = (
    [name for name in EXPLANATIONS if config["explanations"][name]["mode"] == mode]
    for mode in ("direct", "cascade", "refined")
)
# IG, shares and normalised scores need the first two
BASELINES = list(
    dict.fromkeys(["centre_bias", "gold_standard", *config["baselines"]["predictors"]])
)
FITTED_BASELINES = {
    "centre_bias": ["fit", "validation"],
    "shuffled_stimulus": ["fit"],
    "sun": ["fit"],
}
# which explanations each model gets: all, but for those whose `models` leave it out; a cascade ends in
# a saliency map
SECTIONS = [
    [model, explanation]
    for model in MODELS
    for explanation in EXPLANATIONS
    if model in settings.explained_by(config["explanations"][explanation], MODELS)
    and (model in SALIENT or explanation in DIRECT)
]
# predictor to the backbone that it is fused to and compared with
EXPLAINED = {
    f"{model}-{explanation}": TARGETS[model] for model, explanation in SECTIONS if model in SALIENT
}
# whose information gain is split by what carries it
SPLIT = [
    [model, explanation]
    for model, explanation in SECTIONS
    if model in DEEP
    and explanation in DIRECT
    and config["explanations"][explanation]["solver"]["name"] == "ridge"
    and explanation
    in (EXPLANATIONS if config["bits"]["explanations"] is None else config["bits"]["explanations"])
]
# whether they are faithful is tested of these, on every data set that is reported
FAITHFUL = [
    [model, dataset, explanation]
    for model, explanation in SECTIONS
    for dataset in config["evaluate_on"]
    if model in DEEP and explanation in config["faithfulness"]["explanations"]
]
# options tried on the backbones that predict saliency, beside the explanation `direct` itself
OPTIONS = {"direct": config["explanations"]["direct"], **config["ablation"]["options"]}
TRIALS = [[model, option] for model in DEEP for option in OPTIONS]
MAPS = list(config["maps"])
PREDICTORS = BASELINES + DEEP + list(EXPLAINED) + MAPS
PRESETS = list(config["presets"])
CALIBRATED = ["results/summary.calibrated.csv"] if config["scores"]["calibrate"] else []
# imported maps are scored on the data sets that they are there for
CELLS = [
    (preset, predictor, dataset)
    for preset in PRESETS
    for predictor in PREDICTORS
    for dataset in config["evaluate_on"]
    if predictor not in MAPS or dataset in config["maps"][predictor]["paths"]
]


def index_dataset(dataset):
    """Stimuli of a data set with a digest each, and the blocks of each split."""
    entry = config["datasets"][dataset]
    try:
        index = catalogue.index(dataset, entry, workflow.basedir, ".snakemake/gaborscope")
    except InputError as error:
        if not or_stop(archives.pending, dataset, entry, workflow.basedir):
            raise WorkflowError(str(error)) from None
        return {}, {split: [] for split in catalogue.SPLITS}
    blocks = or_stop(catalogue.blocks, index, config["n_blocks"])
    or_stop(catalogue.require_splits, dataset, blocks, catalogue.SPLITS, len(index))
    return index, blocks


LAYERS = {model: or_stop(backbone_entries.layers, config, model) for model in MODELS}
# a cascade follows the graph more closely where the backbone has a table for it
CASCADE_LAYERS = {
    model: config["backbones"][model].get("cascade_layers") or LAYERS[model] for model in MODELS
}
INDEX, BLOCKS = {}, {}
for dataset in DATASETS:
    INDEX[dataset], BLOCKS[dataset] = index_dataset(dataset)
# data sets still to be fetched (download: true); until they are there nothing else can be planned
PENDING = [dataset for dataset in DATASETS if not INDEX[dataset]]
DIGESTS = {
    dataset: catalogue.block_digests(INDEX[dataset], config["n_blocks"]) for dataset in DATASETS
}
# what choosing and reporting look at
HELD_OUT = {d: BLOCKS[d]["validation"] + BLOCKS[d]["test"] for d in DATASETS}
ALL_BLOCKS = {d: BLOCKS[d]["fit"] + HELD_OUT[d] for d in DATASETS}


def one_of(names):
    """Regular expression of a closed set of names; an empty one matches nothing."""
    return "|".join(names) or "(?!)"


wildcard_constraints:
    dataset=one_of(DATASETS),
    model=one_of(MODELS),
    explanation=one_of(EXPLANATIONS),
    predictor=one_of(PREDICTORS),
    baseline=one_of(BASELINES),
    imported=one_of(MAPS),
    preset=one_of(PRESETS),
    layer="[a-z0-9_]+",
    block="[0-9]+",
