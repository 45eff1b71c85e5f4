"""
Explain a backbone by a cascade: every layer from the reconstructed layers before it.

Needs   results/data/{dataset}/{block}.h5, results/weights/{model}.safetensors,
        results/saliency/{model}/{dataset}/{block}.h5
Makes   results/explained/{model}/{dataset}/{explanation}.h5
        results/explained_variance/{model}/{dataset}/{explanation}.csv
        results/saliency/{model}-{explanation}/{dataset}/{block}.h5
"""


rule fit_cascade:
    """Fit log-Gabor banks along the network's graph, layer by layer."""
    input:
        weights="results/weights/{model}.safetensors",
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
        target=lambda wildcards: expand(
            "results/saliency/{model}/{dataset}/{block}.h5",
            model=plan.targets[wildcards.model],
            dataset=plan.fit_on,
            block=plan.chosen_on(),
        ),
    output:
        explained=f"results/explained/{{model}}/{plan.fit_on}/{{explanation}}.h5",
    log:
        "results/logs/fit_cascade/{model}/{explanation}.log",
    benchmark:
        "results/benchmarks/fit_cascade/{model}/{explanation}.tsv"
    wildcard_constraints:
        model=one_of(plan.salient_models),
        explanation=one_of(plan.cascades),
    conda:
        "../envs/torch.yaml"
    threads: config["threads"]
    resources:
        gpu=1,
        mem_mb=mem_mb("fit_cascade"),
        runtime=runtime("fit_cascade"),
        disk_mb=disk_mb("fit_cascade"),
    params:
        settings=lambda wildcards: plan.settings_of(wildcards.explanation),
        backbone=lambda wildcards: backbone_entries.network(config, wildcards.model),
        network=network_digest,
        layers=lambda wildcards: plan.cascade_layers[wildcards.model],
        finest_stride=config["activations"]["finest_stride"],
        sigmas=config["baselines"]["centre_bias"]["sigmas"],
        uniform_weight=config["densities"]["uniform_weight"],
        seed=config["seed"],
        device=config["device"],
        threads=config["threads"],
        code=library("fit_cascade"),
    script:
        "../scripts/fit_cascade.py"


rule refine_cascade:
    """Improve a cascade's weights by gradient descent on the fit split, its filters fixed."""
    input:
        weights="results/weights/{model}.safetensors",
        teacher=lambda wildcards: expand(
            "results/weights/{model}.safetensors",
            model=(
                [plan.targets[wildcards.model]] if wildcards.model not in plan.deep_models else []
            ),
        ),
        start=lambda wildcards: expand(
            "results/explained/{model}/{dataset}/{explanation}.h5",
            model=wildcards.model,
            dataset=plan.fit_on,
            explanation=config["explanations"][wildcards.explanation]["start"],
        ),
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
        target=lambda wildcards: expand(
            "results/saliency/{model}/{dataset}/{block}.h5",
            model=plan.targets[wildcards.model],
            dataset=plan.fit_on,
            block=plan.chosen_on(),
        ),
    output:
        explained=f"results/explained/{{model}}/{plan.fit_on}/{{explanation}}.h5",
    log:
        "results/logs/refine_cascade/{model}/{explanation}.log",
    benchmark:
        "results/benchmarks/refine_cascade/{model}/{explanation}.tsv"
    wildcard_constraints:
        model=one_of(plan.salient_models),
        explanation=one_of(plan.refined),
    conda:
        "../envs/torch.yaml"
    threads: config["threads"]
    resources:
        gpu=1,
        mem_mb=mem_mb("refine_cascade"),
        runtime=runtime("refine_cascade"),
        disk_mb=disk_mb("refine_cascade"),
    params:
        settings=lambda wildcards: plan.settings_of(wildcards.explanation),
        start=lambda wildcards: plan.start_of(wildcards.explanation),
        target=lambda wildcards: plan.targets[wildcards.model],
        backbone=lambda wildcards: backbone_entries.network(config, wildcards.model),
        network=network_digest,
        sigmas=config["baselines"]["centre_bias"]["sigmas"],
        uniform_weight=config["densities"]["uniform_weight"],
        seed=config["seed"],
        device=config["device"],
        threads=config["threads"],
        code=library("refine_cascade"),
    script:
        "../scripts/refine_cascade.py"


rule evaluate_cascade:
    """Explained variance of every layer on the validation and on the test split."""
    input:
        weights="results/weights/{model}.safetensors",
        explained=f"results/explained/{{model}}/{plan.fit_on}/{{explanation}}.h5",
        validation=expand(
            "results/data/{dataset}/{block}.h5",
            dataset=plan.fit_on,
            block=plan.blocks[plan.fit_on]["validation"],
        ),
        test=expand(
            "results/data/{dataset}/{block}.h5",
            dataset=plan.fit_on,
            block=plan.blocks[plan.fit_on]["test"],
        ),
    output:
        table=f"results/explained_variance/{{model}}/{plan.fit_on}/{{explanation}}.csv",
    log:
        "results/logs/evaluate_cascade/{model}/{explanation}.log",
    benchmark:
        "results/benchmarks/evaluate_cascade/{model}/{explanation}.tsv"
    wildcard_constraints:
        explanation=one_of(plan.cascades + plan.refined),
    conda:
        "../envs/torch.yaml"
    threads: config["threads"]
    resources:
        gpu=1,
        mem_mb=mem_mb("evaluate_cascade"),
        runtime=runtime("evaluate_cascade"),
        disk_mb=disk_mb("evaluate_cascade"),
    params:
        backbone=lambda wildcards: backbone_entries.network(config, wildcards.model),
        network=network_digest,
        device=config["device"],
        threads=config["threads"],
        code=library("evaluate_cascade"),
    script:
        "../scripts/evaluate_cascade.py"


rule predict_explained:
    """Predict the saliency of the stimuli of one block from their images alone."""
    input:
        explained=f"results/explained/{{model}}/{plan.fit_on}/{{explanation}}.h5",
        data="results/data/{dataset}/{block}.h5",
    output:
        saliency="results/saliency/{model}-{explanation}/{dataset}/{block}.h5",
    log:
        "results/logs/predict_explained/{model}-{explanation}/{dataset}/{block}.log",
    benchmark:
        "results/benchmarks/predict_explained/{model}-{explanation}/{dataset}/{block}.tsv"
    wildcard_constraints:
        model=one_of_pairs(plan.described),
        explanation=one_of(plan.cascades + plan.refined),
    conda:
        "../envs/numerics.yaml"
    threads: 1
    resources:
        mem_mb=mem_mb("predict_explained"),
        runtime=runtime("predict_explained"),
        disk_mb=disk_mb("predict_explained"),
    params:
        code=library("predict_explained"),
    script:
        "../scripts/predict_explained.py"


use rule predict_explained as predict_explained_nulls with:
    output:
        saliency=temp("results/saliency/{model}-{explanation}/{dataset}/{block}.h5"),
    wildcard_constraints:
        model=one_of_pairs(plan.nulls),
        explanation=one_of(plan.cascades + plan.refined),
