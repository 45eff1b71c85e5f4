"""
The plan of the run, the digests that decide what reruns, and input functions that rules share.

Parsed at the start of every job: standard library and Snakemake's own dependencies only.
"""

import functools
import os
import re
import sys

from snakemake.exceptions import WorkflowError

sys.path.append(f"{workflow.basedir}/scripts")

from gaborscope.data import catalogue, map_files, seen
from gaborscope.data.layouts import archives
from gaborscope.errors import InputError
from gaborscope.workflow import (
    backbone_entries,
    closing,
    config_files,
    deep_banks,
    digests,
    ownership,
    pools,
    progress,
    settings,
    slurm,
    small_splits,
    told,
)
from gaborscope.workflow.plan import BANK_FOLDERS, Plan


def stop(error):
    """Stop the workflow with the one sentence of bad input; a person is not shown our lines of code."""
    if workflow.is_main_process:
        logger.error(f"Error: {error}")
        sys.exit(1)
    raise WorkflowError(str(error)) from None


def or_stop(function, *arguments):
    """Call a function; bad input stops the workflow."""
    try:
        return function(*arguments)
    except InputError as error:
        stop(error)


# What the library's files import, kept between runs: parsing them anew takes a second.
IMPORTS = ".snakemake/gaborscope/imports.json"
digests.load_imports(IMPORTS)


def library(script):
    """Digest of a stage script and all it imports: an edit or an upgrade reruns its rules."""
    return digests.script_digest(f"{workflow.basedir}/scripts/{script}.py")


# One line for each deprecated setting. Every job parses this file; only the main process logs them.
DEPRECATED = []
for path in workflow.overwrite_configfiles:
    or_stop(config_files.read, path)  # faults that Snakemake's own reading lets pass
or_stop(settings.settle, config, workflow.basedir, DEPRECATED)
for line in DEPRECATED if workflow.is_main_process else ():
    logger.warning(line)
if workflow.is_main_process:
    if sentence := ownership.said_of_lock():
        logger.warning(sentence)  # Snakemake's own says neither who nor how
    else:
        or_stop(ownership.require_rest)
        if not workflow.dryrun:
            ownership.restore_begun()


def index_dataset(dataset):
    """Index of a data set, and the blocks of each split; a job takes the index of its run."""
    entry = config["datasets"][dataset]
    try:
        index = catalogue.BlockIndex(
            dataset,
            entry,
            workflow.basedir,
            config["n_blocks"],
            ".snakemake/gaborscope",
            trust=not workflow.is_main_process,
        )
    except InputError as error:
        if not or_stop(archives.pending, dataset, entry, workflow.basedir):
            stop(error)
        return None, {split: [] for split in catalogue.SPLITS}
    blocks = catalogue.splits(index.sizes, config["n_blocks"])
    n_stimuli = sum(index.sizes.values())
    or_stop(catalogue.require_splits, dataset, blocks, catalogue.SPLITS, n_stimuli)
    return index, blocks


INDEX, splits = {}, {}
for dataset in dict.fromkeys([*pools.members(config["fit_on"]), *config["evaluate_on"]]):
    INDEX[dataset], splits[dataset] = index_dataset(dataset)
SIZES = {dataset: index.sizes if index else {} for dataset, index in INDEX.items()}
SIZES = pools.with_pool(config["fit_on"], SIZES)
plan = or_stop(Plan.of, config, splits)


def n_of(dataset, split):
    """Number of stimuli of a split of a data set."""
    return sum(SIZES[dataset][block] for block in splits[dataset][split])


# Said when a run is planned, and at the top of its report.
SMALL = [
    sentence
    for dataset in config["evaluate_on"]
    if INDEX[dataset] and (sentence := small_splits.said_of(dataset, "test", n_of(dataset, "test")))
]
fitted = pools.members(config["fit_on"])
if all(INDEX[dataset] for dataset in fitted):
    n_validation = sum(n_of(dataset, "validation") for dataset in fitted)
    SMALL += filter(None, [small_splits.said_of("+".join(fitted), "validation", n_validation)])


def test_seen(model, dataset):
    """Number of test stimuli that a network was trained on, as far as its config says."""
    entries = [
        entry
        for entry in config["backbones"][model].get("trained_on") or ()
        if seen.concerns(entry, dataset, config["datasets"][dataset]["type"])
        and "shuffled" not in entry
    ]
    if not entries:
        return 0
    names = [n for b in splits[dataset]["test"] for n in or_stop(INDEX[dataset].stimuli, b)]
    return len(set().union(*(seen.stimuli(entry, names) for entry in entries)))


TOLD = [
    sentence
    for model in plan.imported
    for dataset in config["evaluate_on"]
    if INDEX[dataset]
    and (
        sentence := told.said_of_seen(
            model, dataset, test_seen(model, dataset), n_of(dataset, "test")
        )
    )
] + [seen.said_of_unknown(model) for model in told.unknown(config)]
for line in [*SMALL, *TOLD] if workflow.is_main_process else ():
    logger.warning(line)


def one_of(names):
    """Regular expression of a closed set of names; an empty one matches nothing."""
    return "|".join(names) or "(?!)"


def one_of_pairs(pairs):
    """Regular expression of a model in the path of a predictor {model}-{explanation} of a set."""
    return f"(?=(?:{one_of('-'.join(pair) for pair in pairs)})/)[a-z0-9_]+"


wildcard_constraints:
    dataset=one_of(map(re.escape, plan.datasets)),
    model=one_of(plan.models),
    explanation=one_of(config["explanations"]),
    predictor=one_of(plan.predictors),
    baseline=one_of(plan.baselines),
    imported=one_of(plan.maps),
    concept=one_of(config["concepts"]),
    preset=one_of(plan.presets),
    layer="[a-z0-9_]+",
    block="(?:[a-z0-9_]+-)?[0-9]+",


def maps_digest(wildcards):
    """Digest of the files of imported maps of one block."""
    names = or_stop(INDEX[wildcards.dataset].stimuli, wildcards.block)
    path = config["maps"][wildcards.imported]["paths"][wildcards.dataset]
    return or_stop(map_files.digest, wildcards.imported, path, workflow.basedir, names)


def concepts_of(names, dataset, blocks):
    """Maps of some concepts on some blocks of a data set."""
    return expand(
        "results/concepts/{concept}/{dataset}/{block}.h5",
        concept=names,
        dataset=dataset,
        block=blocks,
    )


def concept_digest(wildcards):
    """Digest of the files of a concept's maps of one block."""
    names = or_stop(INDEX[wildcards.dataset].stimuli, wildcards.block)
    path = plan.concept_path(wildcards.concept, wildcards.dataset)
    return or_stop(map_files.digest, wildcards.concept, path, workflow.basedir, names, "concepts")


def stimuli_of(dataset):
    """Names of all stimuli of a data set."""
    for block in SIZES[dataset]:
        yield from INDEX[dataset].stimuli(block)


@functools.cache
def stimuli_by_file(dataset):
    """Names of all stimuli of a data set by the name of their file, without its folder."""
    found = {}
    for stimulus in stimuli_of(dataset):
        found.setdefault(os.path.basename(stimulus), []).append(stimulus)
    return found


def maps_others(wildcards):
    """Stimuli of other blocks that the name of a map in an HDF5 file may mean as well."""
    name, section = wildcards.get("imported"), "maps"
    if name is None:
        name, section = wildcards.concept, "concepts"
        path = plan.concept_path(name, wildcards.dataset)
    else:
        path = config["maps"][name]["paths"][wildcards.dataset]
    names = or_stop(INDEX[wildcards.dataset].stimuli, wildcards.block)
    where = or_stop(map_files.location, name, path, workflow.basedir, section)
    if where.is_dir() or not any("/" in stimulus for stimulus in names):
        return []
    by_file = stimuli_by_file(wildcards.dataset)
    alike = {other for stimulus in names for other in by_file[os.path.basename(stimulus)]}
    return sorted(alike.difference(names))


for section, name, dataset, path in plan.map_folders():
    where = or_stop(map_files.location, name, path, workflow.basedir, section)
    if where.is_dir() and workflow.is_main_process:  # over all blocks, once
        or_stop(map_files.require_apart, name, where, stimuli_of(dataset), section)


@functools.cache
def digest_of_network(model):
    """Digest of the code of a network, its imports read once."""
    return backbone_entries.digest(model, config["backbones"][model], workflow.basedir)


for model in plan.models:
    digest_of_network(model)  # before the imports are kept


def network_digest(wildcards):
    """Digest of the code of a network."""
    return digest_of_network(wildcards.model)


def centre_bias_given(wildcards):
    """Centre bias of the fit split, for a network that takes it as its second argument."""
    taken = config["backbones"][wildcards.model].get("inputs")
    return [f"results/centre_bias/{plan.fit_on}.h5"] if taken else []


def weights_stamp(key):
    """Function of the wildcards: a text that changes with the weights that `key` names."""
    return lambda wildcards: backbone_entries.stamp(
        config["backbones"][wildcards.model][key], workflow.basedir
    )


def weights_behind(predictor):
    """Weights of the models that a predictor depends on, see `Plan.behind`."""
    return [f"results/weights/{model}.safetensors" for model in plan.behind(predictor)]


def fitted_layers(wildcards):
    """Filters of all layers of an explanation."""
    return expand(
        "results/filters/{model}/{dataset}/{explanation}/{layer}.h5",
        model=wildcards.model,
        dataset=plan.fit_on,
        explanation=wildcards.explanation,
        layer=plan.layers[wildcards.model],
    )


def terms_of(model, explanation):
    """Terms of an explanation's readout; none where it is linear."""
    if explanation in plan.linear:
        return []
    return f"results/terms/{model}/{plan.fit_on}/{explanation}.json"


def statistics_of(split):
    """Statistics of all layers of an explanation on a split."""
    return expand(
        "results/statistics/{{model}}/{dataset}/{{explanation}}/{block}.h5",
        dataset=plan.fit_on,
        block=plan.blocks[plan.fit_on][split],
    )


def figure_section(name):
    """Section of the report that a figure is in."""
    if name.startswith(("fidelity_", "faithfulness_", "differentiation_")):
        return "Evidence"
    if name.startswith("normalised_"):
        return "Scores"
    if "_stimulus_" in name or name.endswith("_disagreement"):
        return "Photographs"
    return "Explanation"


def facts_of_run():
    """What the methods paragraph says; of data sets neither their place nor their download."""
    backbones, entries = config["backbones"], config["datasets"]
    return {
        "models": {
            name: {key: backbones[name][key] for key in ("weights", "input", "layers")}
            for name in plan.described_models
        },
        "explanations": {name: plan.settings_of(name) for name in plan.described_explanations},
        "stimuli": {
            dataset: {split: n_of(dataset, split) for split in catalogue.SPLITS}
            for dataset in INDEX  # without the pool of several
        },
        "types": {dataset: entries[dataset]["type"] for dataset in INDEX},
        "fit_on": plan.fit_on,
        "evaluate_on": config["evaluate_on"],
        "presets": plan.presets,
        "analyses": config["analyses"],
        "n_resamples": config["scores"]["n_resamples"],
        "permutations": config["refutation"]["permutations"],
        "seed": config["seed"],
    }
