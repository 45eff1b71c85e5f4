"""
Say what the maps of a direct explanation are, and how far few filters go.

Needs   results/filters/{model}/{dataset}/{explanation}/{layer}.h5, the statistics that they were
        fitted from, results/data/{dataset}/{block}.h5, results/saliency/{model}/{dataset}/{block}.h5
Makes   results/tuning/{model}/{dataset}/{explanation}.csv, .maps.csv
        results/sparsity_scores/{model}/{dataset}/{explanation}.csv
"""

# explanations that are scored with few filters per map
SCORED_BUDGETS = [
    name for name in DIRECT if config["explanations"][name]["sparsity_scores"]["budgets"]
]


rule describe_tuning:
    """Sum up what each layer is tuned to, and what each map consists of."""
    input:
        filters=fitted_layers,
        data=expand(
            "results/data/{dataset}/{block}.h5", dataset=FIT, block=BLOCKS[FIT]["validation"]
        ),
    output:
        tuning=f"results/tuning/{{model}}/{FIT}/{{explanation}}.csv",
        maps=f"results/tuning/{{model}}/{FIT}/{{explanation}}.maps.csv",
    log:
        "results/logs/describe_tuning/{model}/{explanation}.log",
    benchmark:
        "results/benchmarks/describe_tuning/{model}/{explanation}.tsv"
    wildcard_constraints:
        explanation=one_of(DIRECT),
    conda:
        "../envs/numerics.yaml"
    threads: 1
    resources:
        mem_mb=mem_mb("describe_tuning"),
        runtime=runtime("describe_tuning"),
        disk_mb=disk_mb("describe_tuning"),
    params:
        code=library("describe_tuning"),
    script:
        "../scripts/describe_tuning.py"


rule score_sparsity:
    """Fuse and score an explanation anew with few filters per map."""
    input:
        filters=fitted_layers,
        fit=statistics_of("fit"),
        validation=statistics_of("validation"),
        test=statistics_of("test"),
        data=expand("results/data/{dataset}/{block}.h5", dataset=FIT, block=ALL_BLOCKS[FIT]),
        deep=lambda wildcards: expand(
            "results/saliency/{model}/{dataset}/{block}.h5",
            model=TARGETS[wildcards.model],
            dataset=FIT,
            block=ALL_BLOCKS[FIT],
        ),
        centre_bias=expand(
            "results/saliency/centre_bias/{dataset}/{block}.h5",
            dataset=FIT,
            block=HELD_OUT[FIT],
        ),
        weights=lambda wildcards: weights_behind(wildcards.model),
    output:
        table=f"results/sparsity_scores/{{model}}/{FIT}/{{explanation}}.csv",
    log:
        "results/logs/score_sparsity/{model}/{explanation}.log",
    benchmark:
        "results/benchmarks/score_sparsity/{model}/{explanation}.tsv"
    wildcard_constraints:
        model=one_of(SALIENT),
        explanation=one_of(SCORED_BUDGETS),
    conda:
        "../envs/numerics.yaml"
    threads: 1
    resources:
        mem_mb=mem_mb("score_sparsity"),
        runtime=runtime("score_sparsity"),
        disk_mb=disk_mb("score_sparsity"),
    params:
        rule=lambda wildcards: config["explanations"][wildcards.explanation]["identities"]["rule"],
        settings=lambda wildcards: config["explanations"][wildcards.explanation]["sparsity_scores"],
        fusion=lambda wildcards: config["explanations"][wildcards.explanation]["fusion"],
        fit_blocks=BLOCKS[FIT]["fit"],
        validation_blocks=BLOCKS[FIT]["validation"],
        test_blocks=BLOCKS[FIT]["test"],
        dataset=FIT,
        dataset_type=config["datasets"][FIT]["type"],
        sigmas=config["baselines"]["centre_bias"]["sigmas"],
        uniform_weight=config["densities"]["uniform_weight"],
        n_resamples=config["scores"]["n_resamples"],
        seed=config["seed"],
        code=library("score_sparsity"),
    script:
        "../scripts/score_sparsity.py"
