"""
What each job asks a scheduler for, from the number of its stimuli and the size of their input.

Seconds are CPU time per stimulus at an input of 144 x 192 px with all nine layers of cmrnet, measured
on 700 photographs (OSIE, 2 cores); they grow with the area of the input. A limit is four times
the measured time and ten minutes, memory half as much again as measured; every retry doubles both.
"""

import math

MEASURED_AREA = 144 * 192  # px

# seconds per stimulus, of training per stimulus and epoch; predict_baseline by its slowest model,
# import_maps, calibrate and fit_fixation_bank are guesses on the safe side
SECONDS = {
    "prepare_dataset": 0.05,
    "train_backbone": 0.20,
    "randomise_backbone": 0.25,
    "dump_activations": 0.21,
    "predict_backbone": 0.23,
    "accumulate": 0.60,
    "fit_filters": 0.03,
    "identify": 0.30,
    "compare_halves": 0.30,
    "compare_seeds": 0.60,
    "score_sparsity": 2.00,
    "ablate": 0.60,
    "reconstruct": 0.31,
    "fit_fusion": 0.50,
    "score_coalitions": 0.25,
    "dissect": 0.05,
    "accumulate_spectra": 0.20,
    "fit_spectra": 0.05,
    "fit_cascade": 0.35,
    "refine_cascade": 0.11,
    "evaluate_cascade": 0.40,
    "predict_explained": 0.60,
    "fuse": 0.10,
    "fit_fixation_bank": 1.00,
    "predict_baseline": 2.00,
    "import_maps": 0.30,
    "score": 0.40,
    "measure_means": 0.05,
    "substitute": 3.00,
    "rank_notches": 3.00,
    "intervene": 3.00,
    "calibrate": 0.50,
}
# MB whatever the number of stimuli
MEGABYTES = {
    "prepare_dataset": 500,
    "train_backbone": 2000,
    "randomise_backbone": 2000,
    "measure_layers": 2000,
    "dump_activations": 1500,
    "predict_backbone": 1500,
    "accumulate": 1000,
    "fit_filters": 1000,
    "evaluate_filters": 1000,
    "identify": 1000,
    "describe_tuning": 500,
    "score_sparsity": 1500,
    "ablate": 1500,
    "summarise_ablation": 500,
    "reconstruct": 1000,
    "fit_fusion": 1000,
    "score_coalitions": 1500,
    "split_bits": 500,
    "dissect": 1000,
    "accumulate_spectra": 1000,
    "fit_spectra": 500,
    "fuse": 1000,
    "fit_cascade": 3000,
    "refine_cascade": 4000,
    "evaluate_cascade": 2000,
    "predict_explained": 1000,
    "fit_fixation_bank": 2000,
    "predict_baseline": 1000,
    "import_maps": 1000,
    "score": 1000,
    "calibrate": 1500,
    "compare_halves": 1000,
    "compare_seeds": 1500,
    "judge": 500,
    "measure_means": 1500,
    "substitute": 2000,
    "rank_notches": 1000,
    "intervene": 1500,
    "summarise_faithfulness": 500,
    "summarise": 500,
    "summarise_calibrated": 500,
    "compare": 500,
    "report": 1000,
}
# MB per stimulus: what a job holds of each
HELD = {"train_backbone": 0.25, "fit_fusion": 0.05, "fit_cascade": 3.5, "refine_cascade": 0.15}
# MB that a job writes whatever the number of stimuli, where more than 100: checkpoints, statistics
FIXED = {"train_backbone": 1000, "accumulate": 500, "fit_cascade": 500, "refine_cascade": 500}
# MB per stimulus: what a job writes of each
WRITTEN = {
    "dump_activations": 0.65,
    "reconstruct": 1.3,
    "score_coalitions": 7.0,
    "score_sparsity": 7.0,
    "ablate": 1.0,
    "predict_backbone": 2.0,
    "predict_baseline": 2.0,
    "import_maps": 2.0,
    "fuse": 2.0,
    "predict_explained": 2.0,
}
BY_AREA = {
    "train_backbone",
    "randomise_backbone",
    "dump_activations",
    "accumulate",
    "reconstruct",
    "score_sparsity",
    "fit_fusion",
    "score_coalitions",
    "fit_cascade",
    "refine_cascade",
    "evaluate_cascade",
    "predict_explained",
    "measure_means",
    "substitute",
    "rank_notches",
    "intervene",
}
# times the seconds of cmrnet, measured at 240 x 320 px; of one's own models a guess
HEAVIER = {"cmrnet": 1, "unisal": 2, "msinet": 13}
# the same of fitting and refining cascades, measured at 192 x 256 and 120 x 160 px
HEAVIER_CASCADES = {"cmrnet": 1, "unisal": 4, "msinet": 6}
BY_NETWORK = {
    "train_backbone",
    "randomise_backbone",
    "dump_activations",
    "predict_backbone",
    "measure_means",
    "substitute",
    "intervene",
}
N_STIMULI = {dataset: len(INDEX[dataset]) for dataset in DATASETS}
BLOCK_SIZES = {
    dataset: catalogue.block_sizes(INDEX[dataset], config["n_blocks"]) for dataset in DATASETS
}


def n_stimuli(wildcards):
    """Stimuli of a job: those of its block, else of its data set, else of the one that is fitted."""
    dataset = getattr(wildcards, "dataset", FIT)
    block = getattr(wildcards, "block", None)
    return N_STIMULI[dataset] if block is None else BLOCK_SIZES[dataset].get(block, 0)


def network_of(model):
    """Name of the network that a backbone is a variant of, or its own."""
    return config["backbones"][model].get("network", model)


def amount(table, stage, wildcards, model):
    """Number of a table for all stimuli of a job, at the area of its model's input."""
    model = model or getattr(wildcards, "model", None)
    factor = 1
    if stage in BY_AREA and model in config["backbones"]:
        size = config["backbones"][model]["input"]
        factor = max(1, size["height"] * size["width"] / MEASURED_AREA)
    return table.get(stage, 0) * n_stimuli(wildcards) * factor


def runtime(stage, model=None):
    """Minutes."""

    def minutes(wildcards, attempt):
        measured = amount(SECONDS, stage, wildcards, model) / 60
        if stage in ("fit_cascade", "refine_cascade"):
            measured *= HEAVIER_CASCADES.get(network_of(wildcards.model), 5)
        if stage in BY_NETWORK:
            measured *= HEAVIER.get(network_of(wildcards.model), 5)
        if stage == "train_backbone":
            measured *= backbone_entries.training(config, wildcards.model)["epochs"]
        if stage == "refine_cascade":
            measured *= config["explanations"][wildcards.explanation]["epochs"]
        return math.ceil((10 + 4 * measured) * 2 ** (attempt - 1))

    return minutes


def mem_mb(stage, model=None):
    """Megabytes of memory."""

    def megabytes(wildcards, attempt):
        measured = MEGABYTES[stage] + amount(HELD, stage, wildcards, model)
        if stage in BY_NETWORK and network_of(wildcards.model) == "msinet":
            measured += 2000
        return math.ceil(1.5 * measured * 2 ** (attempt - 1))

    return megabytes


def disk_mb(stage, model=None):
    """Megabytes that the job writes."""
    return lambda wildcards: math.ceil(
        FIXED.get(stage, 100) + amount(WRITTEN, stage, wildcards, model)
    )
