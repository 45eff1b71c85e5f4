"""
Measurements of each stage; they set the time, memory and disk that jobs ask a scheduler for.

Seconds are CPU time per stimulus at an input of 144 x 192 px with all nine layers of cmrnet, measured
on 700 photographs (OSIE, 2 cores). The formulas are in scripts/gaborscope/workflow/resources.py.
"""

from gaborscope.workflow import resources as asking

# CPU seconds per stimulus; for training, per stimulus and epoch. predict_baseline has those of its
# slowest model. import_maps, calibrate, choose_terms and fit_fixation_bank have guesses that are
# rather too high.
SECONDS = {
    "prepare_dataset": 0.05,
    "pool_dataset": 0.01,
    "train_backbone": 0.20,
    "randomise_backbone": 0.25,
    "dump_activations": 0.21,
    "predict_backbone": 0.23,
    "accumulate": 0.60,
    "choose_terms": 0.30,
    "fit_filters": 0.03,
    "identify": 0.06,
    "compare_halves": 0.30,
    "compare_seeds": 0.60,
    "score_sparsity": 2.00,
    "ablate": 0.60,
    "reconstruct": 0.31,
    "fit_fusion": 0.20,
    "score_coalitions": 0.25,
    "score_people": 1.00,
    "dissect": 0.05,
    "accumulate_spectra": 0.20,
    "fit_spectra": 0.05,
    "fit_cascade": 0.35,
    "fuse_all_layers": 4.00,  # estimated: as fit_fusion, by the square of the number of maps
    "refine_cascade": 0.11,
    "evaluate_cascade": 0.40,
    "predict_explained": 0.60,
    "fuse": 0.10,
    "fit_centre_bias": 0.01,
    "fit_fixation_bank": 1.00,
    "fit_deep_bank": 3.00,
    "predict_deep_bank": 0.60,
    "predict_baseline": 2.00,
    "import_maps": 0.30,
    "import_concept": 0.05,
    "export_maps": 0.10,
    "score": 0.40,
    "compare_with_deep": 0.20,
    "measure_means": 0.05,
    "substitute": 3.00,
    "rank_notches": 3.00,
    "intervene": 3.00,
    "calibrate": 0.50,
    "differentiate": 1.20,  # per step and level as well
}
# CPU seconds at any number of stimuli, in addition; only stages above five.
SECONDS_AT_ANY = {
    "measure_layers": 10,
    "fit_deep_bank": 8,
    "identify": 100,
    "score_coalitions": 10,
    "report": 10,
}
# MB of memory at any number of stimuli.
MEGABYTES = {
    "prepare_dataset": 500,
    "pool_dataset": 500,
    "train_backbone": 2000,
    "randomise_backbone": 2000,
    "measure_layers": 2000,
    "dump_activations": 1500,
    "predict_backbone": 1500,
    "accumulate": 1000,
    "choose_terms": 2000,
    "fit_filters": 1000,
    "evaluate_filters": 1000,
    "identify": 1500,
    "describe_tuning": 500,
    "score_sparsity": 1500,
    "ablate": 1500,
    "summarise_ablation": 500,
    "reconstruct": 1000,
    "fit_fusion": 1000,
    "score_coalitions": 1500,
    "score_people": 1500,
    "split_bits": 500,
    "dissect": 1000,
    "accumulate_spectra": 1000,
    "fit_spectra": 500,
    "fuse": 1000,
    "fit_cascade": 4000,
    "refine_cascade": 4000,
    "evaluate_cascade": 2000,
    "predict_explained": 1000,
    "fit_centre_bias": 500,
    "fit_fixation_bank": 2000,
    "fit_deep_bank": 1500,
    "predict_deep_bank": 1000,
    "predict_baseline": 1000,
    "import_maps": 1000,
    "import_concept": 500,
    "score": 1000,
    "compare_with_deep": 500,
    "summarise_fidelity": 500,
    "calibrate": 1500,
    "compare_halves": 1000,
    "compare_seeds": 1500,
    "judge": 500,
    "measure_means": 1500,
    "substitute": 2000,
    "rank_notches": 1000,
    "intervene": 1500,
    "summarise_faithfulness": 500,
    "differentiate": 1500,
    "summarise": 500,
    "summarise_calibrated": 500,
    "compare": 500,
    "report": 1000,
    "record": 500,
    "export_maps": 500,
}
# MB of memory per stimulus, in addition: names and fixations. Fusion was measured at .006; stimuli and
# maps are read from disk, and training is flat.
HELD = {
    "fit_fusion": 0.01,
    "fit_cascade": 0.01,
    "refine_cascade": 0.01,
    "evaluate_cascade": 0.01,
}
# MB that a job writes at any number of stimuli (checkpoints, statistics); only stages above 100.
FIXED = {"train_backbone": 1000, "accumulate": 500, "fit_cascade": 500, "refine_cascade": 500}
# MB that a job writes per stimulus, in addition.
WRITTEN = {
    "train_backbone": 0.1,
    "fit_fusion": 1.0,
    "fit_cascade": 3.0,
    "fuse_all_layers": 6.0,
    "refine_cascade": 0.5,
    "evaluate_cascade": 0.5,
    "dump_activations": 0.65,
    "reconstruct": 1.3,
    "score_coalitions": 7.0,
    "score_people": 0.2,
    "score_sparsity": 7.0,
    "ablate": 1.0,
    "predict_backbone": 2.0,
    "predict_baseline": 2.0,
    "import_maps": 2.0,
    "import_concept": 2.0,
    "export_maps": 4.5,
    "fuse": 2.0,
    "predict_explained": 2.0,
    "predict_deep_bank": 2.0,
    "fit_deep_bank": 4.1,
}
# Stages whose seconds, memory and disk grow with the area of the network's input.
BY_AREA = {
    "train_backbone",
    "randomise_backbone",
    "dump_activations",
    "accumulate",
    "reconstruct",
    "score_sparsity",
    "fit_fusion",
    "score_coalitions",
    "fit_deep_bank",
    "predict_deep_bank",
    "fit_cascade",
    "fuse_all_layers",
    "refine_cascade",
    "evaluate_cascade",
    "predict_explained",
    "measure_means",
    "substitute",
    "rank_notches",
    "intervene",
    "differentiate",
}
# Ratio of a network's seconds to those of cmrnet, measured at 240 x 320 px.
HEAVIER = {"cmrnet": 1, "unisal": 2, "msinet": 13}
# Ratio of seconds for fitting and refining cascades, measured at 192 x 256 and 120 x 160 px.
HEAVIER_CASCADES = {"cmrnet": 1, "unisal": 4, "msinet": 6}
# Stages whose seconds grow with the network.
BY_NETWORK = {
    "train_backbone",
    "randomise_backbone",
    "dump_activations",
    "predict_backbone",
    "measure_means",
    "substitute",
    "intervene",
    "differentiate",
}
ASK = asking.Resources(
    plan,
    asking.Measured(
        area_px=144 * 192,
        seconds=SECONDS,
        seconds_at_any=SECONDS_AT_ANY,
        megabytes=MEGABYTES,
        megabytes_per_stimulus=HELD,
        written=FIXED,
        written_per_stimulus=WRITTEN,
        by_area=BY_AREA,
        by_network=BY_NETWORK,
        heavier=HEAVIER,
        heavier_cascades=HEAVIER_CASCADES,
    ),
    n_stimuli={dataset: sum(sizes.values()) for dataset, sizes in SIZES.items()},
    block_sizes=SIZES,
)
mem_mb, runtime, disk_mb = ASK.mem_mb, ASK.runtime, ASK.disk_mb
