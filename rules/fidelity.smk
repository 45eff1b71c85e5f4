"""
How close predictors come to the deep model that is explained, and the null with no layer between.

Needs   results/data/{dataset}/{block}.h5, results/saliency/{predictor}/{dataset}/{block}.h5,
        results/centre_bias/{dataset}.h5
Makes   results/deep_bank/{model}/{dataset}/{explanation}.h5
        results/saliency/{model}-{explanation}/{dataset}/{block}.h5 of these banks
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
        bias=f"results/centre_bias/{plan.fit_on}.h5",
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
    threads: config["threads"]
    resources:
        mem_mb=mem_mb("fit_deep_bank"),
        runtime=runtime("fit_deep_bank"),
        disk_mb=disk_mb("fit_deep_bank"),
    params:
        settings=lambda wildcards: plan.deep_bank(wildcards.model, wildcards.explanation),
        threads=config["threads"],
        code=library("fit_deep_bank"),
    script:
        "../scripts/fit_deep_bank.py"


rule predict_deep_bank:
    """Predict the saliency of the stimuli of one block by a bank fitted to a deep model."""
    input:
        data="results/data/{dataset}/{block}.h5",
        bank=f"results/deep_bank/{{model}}/{plan.fit_on}/{{explanation}}.h5",
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
