"""
Explain a backbone by log-Gabor filters, every layer from the image (mode: direct).

Needs   results/data/{dataset}/{block}.h5, results/layers/{model}.json,
        results/activations/{model}/{dataset}/{block}.h5, results/saliency/{model}/{dataset}/{block}.h5
Makes   results/terms/{model}/{dataset}/{explanation}.json
        results/statistics/{model}/{dataset}/{explanation}/{block}.h5
        results/filters/{model}/{dataset}/{explanation}/{layer}.h5
        results/explained_variance/{model}/{dataset}/{explanation}.csv
        results/reconstructions/{model}/{dataset}/{explanation}/{block}.h5
        results/explained/{model}/{dataset}/{explanation}.h5
        results/saliency/{model}-{explanation}/{dataset}/{block}.h5
"""

# One rule per backbone, since their layers differ: a job makes all layers of a block, so that the
# responses of a stimulus are computed once. What the nulls of the config need is thrown away.
for model, ending, keep in plan.accumulated:

    rule:
        name:
            f"accumulate_{model}{ending}"
        input:
            data="results/data/{dataset}/{block}.h5",
            layers=f"results/layers/{model}.json",
            activations=f"results/activations/{model}/{{dataset}}/{{block}}.h5",
            terms=lambda wildcards, model=model: terms_of(model, wildcards.explanation),
            concepts=lambda wildcards: concepts_of(
                plan.concepts(wildcards.explanation), wildcards.dataset, [wildcards.block]
            ),
        output:
            statistics=(str if keep else temp)(
                f"results/statistics/{model}/{{dataset}}/{{explanation}}/{{block}}.h5"
            ),
        log:
            f"results/logs/accumulate/{model}/{{dataset}}/{{explanation}}/{{block}}.log",
        benchmark:
            f"results/benchmarks/accumulate/{model}/{{dataset}}/{{explanation}}/{{block}}.tsv"
        wildcard_constraints:
            explanation=one_of(plan.of_mode("direct", model, nulls=not keep)),
        conda:
            "../envs/numerics.yaml"
        threads: 1
        resources:
            mem_mb=mem_mb("accumulate", model),
            runtime=runtime("accumulate", model),
            disk_mb=disk_mb("accumulate", model),
        params:
            regressors=lambda wildcards: plan.regressor_settings(wildcards.explanation),
            layers=list(plan.layers[model]),
            code=library("accumulate"),
        script:
            "../scripts/accumulate.py"


for model in plan.models:

    rule:
        name:
            f"reconstruct_{model}"
        input:
            data="results/data/{dataset}/{block}.h5",
            filters=expand(
                "results/filters/{model}/{dataset}/{{explanation}}/{layer}.h5",
                model=model,
                dataset=plan.fit_on,
                layer=plan.layers[model],
            ),
            concepts=lambda wildcards: concepts_of(
                plan.concepts(wildcards.explanation), wildcards.dataset, [wildcards.block]
            ),
        output:
            reconstructions=temp(
                f"results/reconstructions/{model}/{{dataset}}/{{explanation}}/{{block}}.h5"
            ),
        log:
            f"results/logs/reconstruct/{model}/{{dataset}}/{{explanation}}/{{block}}.log",
        benchmark:
            f"results/benchmarks/reconstruct/{model}/{{dataset}}/{{explanation}}/{{block}}.tsv"
        wildcard_constraints:
            explanation=one_of(plan.direct),
        conda:
            "../envs/numerics.yaml"
        threads: 1
        resources:
            mem_mb=mem_mb("reconstruct", model),
            runtime=runtime("reconstruct", model),
            disk_mb=disk_mb("reconstruct", model),
        params:
            out_of_fold=lambda wildcards: (
                wildcards.dataset == plan.fit_on
                and wildcards.block in plan.blocks[plan.fit_on]["fit"]
            ),
            layers=list(plan.layers[model]),
            code=library("reconstruct"),
        script:
            "../scripts/reconstruct.py"


rule choose_terms:
    """Choose the bends and products that a readout offers to the maps of each layer."""
    input:
        filters=lambda wildcards: expand(
            "results/filters/{model}/{dataset}/{explanation}/{layer}.h5",
            model=wildcards.model,
            dataset=plan.fit_on,
            explanation=plan.readout_of(wildcards.explanation)["start"],
            layer=plan.layers[wildcards.model],
        ),
        data=expand(
            "results/data/{dataset}/{block}.h5",
            dataset=plan.fit_on,
            block=plan.blocks[plan.fit_on]["fit"],
        ),
        activations=expand(
            "results/activations/{{model}}/{dataset}/{block}.h5",
            dataset=plan.fit_on,
            block=plan.blocks[plan.fit_on]["fit"],
        ),
        concepts=lambda wildcards: concepts_of(
            plan.concepts(wildcards.explanation), plan.fit_on, plan.blocks[plan.fit_on]["fit"]
        ),
    output:
        terms=f"results/terms/{{model}}/{plan.fit_on}/{{explanation}}.json",
    log:
        "results/logs/choose_terms/{model}/{explanation}.log",
    benchmark:
        "results/benchmarks/choose_terms/{model}/{explanation}.tsv"
    wildcard_constraints:
        explanation=one_of(plan.direct),
    conda:
        "../envs/numerics.yaml"
    threads: 1
    resources:
        mem_mb=mem_mb("choose_terms"),
        runtime=runtime("choose_terms"),
        disk_mb=disk_mb("choose_terms"),
    params:
        readout=lambda wildcards: plan.readout_of(wildcards.explanation)["readout"],
        stimuli=plan.term_stimuli(plan.blocks[plan.fit_on]["fit"]),
        seed=config["seed"],
        code=library("choose_terms"),
    script:
        "../scripts/choose_terms.py"


rule fit_filters:
    """Find the weights of the bank that best predict each channel of one layer."""
    input:
        layers="results/layers/{model}.json",
        terms=lambda wildcards: terms_of(wildcards.model, wildcards.explanation),
        fit=expand(
            "results/statistics/{{model}}/{dataset}/{{explanation}}/{block}.h5",
            dataset=plan.fit_on,
            block=plan.blocks[plan.fit_on]["fit"],
        ),
        validation=expand(
            "results/statistics/{{model}}/{dataset}/{{explanation}}/{block}.h5",
            dataset=plan.fit_on,
            block=plan.blocks[plan.fit_on]["validation"],
        ),
    output:
        filters=f"results/filters/{{model}}/{plan.fit_on}/{{explanation}}/{{layer}}.h5",
    log:
        "results/logs/fit_filters/{model}/{explanation}/{layer}.log",
    benchmark:
        "results/benchmarks/fit_filters/{model}/{explanation}/{layer}.tsv"
    wildcard_constraints:
        explanation=one_of(plan.direct),
    conda:
        "../envs/numerics.yaml"
    threads: 1
    resources:
        mem_mb=mem_mb("fit_filters"),
        runtime=runtime("fit_filters"),
        disk_mb=disk_mb("fit_filters"),
    params:
        regressors=lambda wildcards: plan.regressor_settings(wildcards.explanation),
        solver=lambda wildcards: config["explanations"][wildcards.explanation]["solver"],
        terms=lambda wildcards: config["explanations"][wildcards.explanation]["terms"],
        backbone=lambda wildcards: config["backbones"][wildcards.model]["input"],
        code=library("fit_filters"),
    script:
        "../scripts/fit_filters.py"


rule evaluate_filters:
    """Explained variance of every layer on the validation and on the test split."""
    input:
        filters=fitted_layers,
        fit=statistics_of("fit"),
        validation=statistics_of("validation"),
        test=statistics_of("test"),
    output:
        table=f"results/explained_variance/{{model}}/{plan.fit_on}/{{explanation}}.csv",
    log:
        "results/logs/evaluate_filters/{model}/{explanation}.log",
    benchmark:
        "results/benchmarks/evaluate_filters/{model}/{explanation}.tsv"
    wildcard_constraints:
        explanation=one_of(plan.direct),
    conda:
        "../envs/numerics.yaml"
    threads: 1
    resources:
        mem_mb=mem_mb("evaluate_filters"),
        runtime=runtime("evaluate_filters"),
        disk_mb=disk_mb("evaluate_filters"),
    params:
        layers=lambda wildcards: list(plan.layers[wildcards.model]),
        solver=lambda wildcards: plan.solver_of(wildcards.explanation),
        code=library("evaluate_filters"),
    script:
        "../scripts/evaluate_filters.py"


rule fit_fusion:
    """Fuse the out-of-fold reconstructions of all layers into a saliency model."""
    input:
        filters=fitted_layers,
        reconstructions=expand(
            "results/reconstructions/{{model}}/{dataset}/{{explanation}}/{block}.h5",
            dataset=plan.fit_on,
            block=plan.chosen_on(),
        ),
        data=expand(
            "results/data/{dataset}/{block}.h5",
            dataset=plan.fit_on,
            block=plan.chosen_on(),
        ),
        target=lambda wildcards: expand(
            "results/saliency/{model}/{dataset}/{block}.h5",
            model=plan.targets[wildcards.model],
            dataset=plan.fit_on,
            block=plan.chosen_on(),
        ),
    output:
        explained=f"results/explained/{{model}}/{plan.fit_on}/{{explanation}}.h5",
    log:
        "results/logs/fit_fusion/{model}/{explanation}.log",
    benchmark:
        "results/benchmarks/fit_fusion/{model}/{explanation}.tsv"
    wildcard_constraints:
        explanation=one_of(plan.direct),
    conda:
        "../envs/numerics.yaml"
    threads: 1
    resources:
        mem_mb=mem_mb("fit_fusion"),
        runtime=runtime("fit_fusion"),
        disk_mb=disk_mb("fit_fusion"),
    params:
        fusion=lambda wildcards: config["explanations"][wildcards.explanation]["fusion"],
        layers=lambda wildcards: list(plan.layers[wildcards.model]),
        fit_blocks=plan.blocks[plan.fit_on]["fit"],
        sigmas=config["baselines"]["centre_bias"]["sigmas"],
        uniform_weight=config["densities"]["uniform_weight"],
        code=library("fit_fusion"),
    script:
        "../scripts/fit_fusion.py"


rule fuse:
    """Predict the saliency of the stimuli of one block from their reconstructed layers."""
    input:
        explained=f"results/explained/{{model}}/{plan.fit_on}/{{explanation}}.h5",
        data="results/data/{dataset}/{block}.h5",
        reconstructions="results/reconstructions/{model}/{dataset}/{explanation}/{block}.h5",
    output:
        saliency="results/saliency/{model}-{explanation}/{dataset}/{block}.h5",
    log:
        "results/logs/fuse/{model}-{explanation}/{dataset}/{block}.log",
    benchmark:
        "results/benchmarks/fuse/{model}-{explanation}/{dataset}/{block}.tsv"
    wildcard_constraints:
        model=one_of_pairs(plan.described),
        explanation=one_of(plan.direct),
    conda:
        "../envs/numerics.yaml"
    threads: 1
    resources:
        mem_mb=mem_mb("fuse"),
        runtime=runtime("fuse"),
        disk_mb=disk_mb("fuse"),
    params:
        layers=lambda wildcards: list(plan.layers[wildcards.model]),
        code=library("fuse"),
    script:
        "../scripts/fuse.py"


use rule fuse as fuse_nulls with:
    output:
        saliency=temp("results/saliency/{model}-{explanation}/{dataset}/{block}.h5"),
    wildcard_constraints:
        model=one_of_pairs(plan.nulls),
        explanation=one_of(plan.direct),
