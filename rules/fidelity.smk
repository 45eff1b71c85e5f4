"""
How close predictors come to the deep model that is explained, and the null with no layer between.

Needs   results/data/{dataset}/{block}.h5, results/saliency/{predictor}/{dataset}/{block}.h5,
        results/centre_bias/{dataset}.h5
Makes   results/deep_bank/{model}/{dataset}/{explanation}.h5
        results/saliency/{model}-{explanation}/{dataset}/{block}.h5 of these banks
        results/fidelity/{model}/{predictor}/{dataset}.csv, .validation.csv  results/fidelity.csv
"""


rule fit_deep_bank:
    """Fit the log-Gabor bank to a deep model's densities, with no layer between."""
    input:
        fit=expand(
            "results/data/{dataset}/{block}.h5",
            dataset=plan.fit_on,
            block=plan.blocks[plan.fit_on]["fit"],
        ),
        validation=expand(
            "results/data/{dataset}/{block}.h5",
            dataset=plan.fit_on,
            block=plan.blocks[plan.fit_on]["validation"],
        ),
        target=expand(
            "results/saliency/{{model}}/{dataset}/{block}.h5",
            dataset=plan.fit_on,
            block=plan.chosen_on(),
        ),
        bias=expand("results/centre_bias/{dataset}.h5", dataset=plan.members or [plan.fit_on]),
        concepts=lambda wildcards: concepts_of(
            plan.deep_bank(wildcards.model, wildcards.explanation)["concepts"],
            plan.fit_on,
            plan.chosen_on(),
        ),
    output:
        bank=f"results/deep_bank/{{model}}/{plan.fit_on}/{{explanation}}.h5",
    log:
        "results/logs/fit_deep_bank/{model}/{explanation}.log",
    benchmark:
        "results/benchmarks/fit_deep_bank/{model}/{explanation}.tsv"
    wildcard_constraints:
        explanation=one_of(deep_banks.NAMES),
    conda:
        "../envs/numerics.yaml"
    threads: 1
    resources:
        mem_mb=mem_mb("fit_deep_bank"),
        runtime=runtime("fit_deep_bank"),
        disk_mb=disk_mb("fit_deep_bank"),
    params:
        settings=lambda wildcards: plan.deep_bank(wildcards.model, wildcards.explanation),
        code=library("fit_deep_bank"),
    script:
        "../scripts/fit_deep_bank.py"


rule predict_deep_bank:
    """Predict the saliency of the stimuli of one block by a bank fitted to a deep model."""
    input:
        data="results/data/{dataset}/{block}.h5",
        bank=f"results/deep_bank/{{model}}/{plan.fit_on}/{{explanation}}.h5",
        concepts=lambda wildcards: concepts_of(
            plan.deep_bank(wildcards.model, wildcards.explanation)["concepts"],
            wildcards.dataset,
            [wildcards.block],
        ),
    output:
        saliency="results/saliency/{model}-{explanation}/{dataset}/{block}.h5",
    log:
        "results/logs/predict_deep_bank/{model}-{explanation}/{dataset}/{block}.log",
    benchmark:
        "results/benchmarks/predict_deep_bank/{model}-{explanation}/{dataset}/{block}.tsv"
    wildcard_constraints:
        explanation=one_of(deep_banks.NAMES),
    conda:
        "../envs/numerics.yaml"
    threads: 1
    resources:
        mem_mb=mem_mb("predict_deep_bank"),
        runtime=runtime("predict_deep_bank"),
        disk_mb=disk_mb("predict_deep_bank"),
    params:
        uniform_weight=config["densities"]["uniform_weight"],
        code=library("predict_deep_bank"),
    script:
        "../scripts/predict_deep_bank.py"


rule compare_with_deep:
    """Measure how close a predictor comes to a deep model on validation and test stimuli."""
    input:
        predicted=lambda wildcards: expand(
            "results/saliency/{predictor}/{dataset}/{block}.h5",
            predictor=wildcards.predictor,
            dataset=wildcards.dataset,
            block=plan.held_out(wildcards.dataset),
        ),
        deep=lambda wildcards: expand(
            "results/saliency/{model}/{dataset}/{block}.h5",
            model=wildcards.model,
            dataset=wildcards.dataset,
            block=plan.held_out(wildcards.dataset),
        ),
        centre_bias=lambda wildcards: expand(
            "results/saliency/centre_bias/{dataset}/{block}.h5",
            dataset=wildcards.dataset,
            block=plan.held_out(wildcards.dataset),
        ),
        data=lambda wildcards: expand(
            "results/data/{dataset}/{block}.h5",
            dataset=wildcards.dataset,
            block=plan.held_out(wildcards.dataset),
        ),
        others=lambda wildcards: expand(
            "results/data/{dataset}/{block}.h5",
            dataset=wildcards.dataset,
            block=plan.all_blocks(wildcards.dataset),
        ),
        weights=lambda wildcards: list(
            dict.fromkeys(weights_behind(wildcards.model) + weights_behind(wildcards.predictor))
        ),
    output:
        measures="results/fidelity/{model}/{predictor}/{dataset}.csv",
        validation="results/fidelity/{model}/{predictor}/{dataset}.validation.csv",
    log:
        "results/logs/compare_with_deep/{model}/{predictor}/{dataset}.log",
    benchmark:
        "results/benchmarks/compare_with_deep/{model}/{predictor}/{dataset}.tsv"
    conda:
        "../envs/numerics.yaml"
    threads: 1
    resources:
        mem_mb=mem_mb("compare_with_deep"),
        runtime=runtime("compare_with_deep"),
        disk_mb=disk_mb("compare_with_deep"),
    params:
        validation_blocks=lambda wildcards: plan.blocks[wildcards.dataset]["validation"],
        dataset_type=lambda wildcards: config["datasets"][wildcards.dataset]["type"],
        code=library("compare_with_deep"),
    script:
        "../scripts/compare_with_deep.py"


rule summarise_fidelity:
    """Mean closeness to the deep model with intervals, fidelity and gain by layers."""
    input:
        measures=[
            f"results/fidelity/{model}/{predictor}/{dataset}.csv"
            for model, predictor, dataset, _ in plan.compared
        ],
    output:
        fidelity="results/fidelity.csv",
    log:
        "results/logs/summarise_fidelity.log",
    benchmark:
        "results/benchmarks/summarise_fidelity.tsv"
    conda:
        "../envs/numerics.yaml"
    threads: 1
    resources:
        mem_mb=mem_mb("summarise_fidelity"),
        runtime=runtime("summarise_fidelity"),
        disk_mb=disk_mb("summarise_fidelity"),
    params:
        compared=[list(cell) for cell in plan.compared],
        null=deep_banks.FROZEN_NAME,
        same=deep_banks.SAME_NAME,
        other_regressors=plan.other_regressors,
        n_resamples=config["scores"]["n_resamples"],
        seed=config["seed"],
        code=library("summarise_fidelity"),
    script:
        "../scripts/summarise_fidelity.py"
