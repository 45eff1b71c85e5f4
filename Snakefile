"""
Gaborscope: explain deep saliency models by log-Gabor filters.

All files lie below results/ in the working directory (--directory):

    downloads/{dataset}.json                                         download_dataset
    data/{dataset}/{block}.h5                                        prepare_dataset, pool_dataset
    weights/{model}.safetensors  start/{model}.safetensors  train_, import_, randomise_backbone, import_start
    checkpoints/{predictor}.pt                 train_backbone, refine_cascade, while they train
    layers/{model}.json                                              measure_layers
    centre_bias/{dataset}.h5                                         fit_centre_bias
    {fixation_bank,equal_bank}/{dataset}.h5                          fit_fixation_bank, fit_equal_bank
    deep_bank/{model}/{dataset}/{explanation}.h5                     fit_deep_bank
    activations/{model}/{dataset}/{block}.h5                         dump_activations
    saliency/{predictor}/{dataset}/{block}.h5    predict_backbone, _baseline, _explained, _deep_bank,
                                                 fuse, import_maps
    concepts/{concept}/{dataset}/{block}.h5                          import_concept
    statistics/{model}/{dataset}/{explanation}/{block}.h5            accumulate
    filters/{model}/{dataset}/{explanation}/{layer}.h5               fit_filters
    explained_variance/{model}/{dataset}/{explanation}.csv           evaluate_filters, evaluate_cascade
    {identities,sparsity}/{model}/{dataset}/{explanation}.csv        identify
    tuning/{model}/{dataset}/{explanation}.csv                       describe_tuning
    sparsity_scores/{model}/{dataset}/{explanation}.csv              score_sparsity
    reconstructions/{model}/{dataset}/{explanation}/{block}.h5       reconstruct
    anatomy/{model}/{dataset}/{explanation}/{position,colour,scale}.csv    dissect
    spectra/{dataset}/{split}.h5  spectra.csv                        accumulate_spectra, fit_spectra
    bits/{model}/{dataset}/{explanation}.csv           score_coalitions, score_people, split_bits
    explained/{model}/{dataset}/{explanation}.h5                     fit_fusion, fit_cascade, refine_cascade
    faithfulness/{model}/{dataset}/{explanation}/substitution.csv    substitute, summarise_faithfulness
    faithfulness/{model}/{dataset}/{explanation}/interventions.csv   rank_notches, intervene
    differentiation/{model}/{dataset}/{explanation}.csv             differentiate
    scores/{preset}/{predictor}/{dataset}.csv                        score
    fidelity/{model}/{predictor}/{dataset}.csv  fidelity.csv         compare_with_deep, summarise_fidelity
    summary.csv  shares.csv                                          summarise
    differences.csv  normalised.csv  ranks.csv  verdicts.csv         compare, judge
    refutation/{halves/{model}/{dataset},seeds}/{explanation}.csv    compare_halves, compare_seeds
    calibration/{predictor}/{dataset}.json                           calibrate
    calibrated/{preset}/{predictor}/{dataset}.csv  summary.calibrated.csv    score_, summarise_calibrated
    ablation/{model}/{option}.csv  ablation.csv                      ablate, summarise_ablation
    report/index.html  figures/{name}.{svg,png,csv}                  report
    record/  record_ablation/              record, record_ablation (by their names alone)
    export/{predictor}/{dataset}/                                    export_maps (by export, its name alone)
    logs/<rule>/<wildcards>.log   benchmarks/<rule>/<wildcards>.tsv

{predictor}: {model}, explained {model}-{explanation}, {baseline}, or somebody's maps {imported}.
{block} is the hash of a stimulus's name modulo n_blocks: the first 70 % of the blocks are the fit
split, the next 10 % the validation split, the last 20 % the test split. Several data sets of fit_on
are one {dataset}, osie+crowd, whose {block} are theirs: osie-00.
"""

import os

from snakemake.utils import min_version

min_version("9.0")


configfile: f"{workflow.basedir}/config.yaml"


include: "rules/common.smk"
include: "rules/resources.smk"
include: "rules/telling.smk"
include: "rules/data.smk"


if not plan.pending:

    include: "rules/backbone.smk"
    include: "rules/direct.smk"
    include: "rules/cascade.smk"
    include: "rules/score.smk"
    include: "rules/fidelity.smk"
    include: "rules/analyse.smk"
    include: "rules/refute.smk"
    include: "rules/report.smk"


digests.save_imports(IMPORTS)


rule all:
    """Make the report and all tables; if a data set is still to be downloaded, only fetch that."""
    default_target: True
    input:
        expand("results/downloads/{dataset}.json", dataset=plan.pending)
        or [
            "results/report/index.html",
            "results/summary.csv",
            "results/shares.csv",
            "results/differences.csv",
            "results/normalised.csv",
            "results/ranks.csv",
            "results/verdicts.csv",
            *(["results/fidelity.csv"] if plan.compared else []),
            *(["results/summary.calibrated.csv"] if plan.runs("calibration") else []),
            *(["results/ablation.csv"] if plan.runs("ablation") and plan.salient_models else []),
        ],


localrules:
    all,


onstart:
    # Snakemake's own limit of 100 jobs a second makes its scheduler look through all ready jobs once
    # a second for every job that has ended, to the end of the run (benchmarks/scheduling.py).
    limiter = getattr(workflow.scheduler, "job_rate_limiter", None)
    if limiter and (limiter.max_jobs, limiter.timespan) == (100, 1):
        workflow.scheduler.job_rate_limiter = None
    os.environ[ownership.MARK] = or_stop(ownership.claim)
    # Torch's threads that spin while they wait take the cores from other jobs.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    ownership.note_when_asked_to_end()
    if workflow.executor_plugin.name == "slurm":
        asked = [
            (job.rule.name, job.threads, job.resources)
            for job in workflow.dag.needrun_jobs()
            if not job.is_local
        ]
        for line in or_stop(slurm.require_startable, asked):
            logger.warning(line)
        slurm.watch(".", logger)
    if TOLD:
        begin_telling()


onsuccess:
    if plan.pending:
        logger.info(
            f"{', '.join(plan.pending)}: downloaded; give the same command again to go on.",
            extra=progress.OWN,
        )
    last_lines()
