"""
Try options of the direct explanation one by one, on few blocks, judged on the validation split.

Needs   results/layers/{model}.json, results/data/{dataset}/{block}.h5,
        results/activations/{model}/{dataset}/{block}.h5,
        results/saliency/{model,centre_bias}/{dataset}/{block}.h5
Makes   results/ablation/{model}/{option}.csv, .layers.csv, results/ablation.csv
"""

TRIED = BLOCKS[FIT]["fit"][: config["ablation"]["blocks"]] + BLOCKS[FIT]["validation"]


rule ablate:
    """Fit, fuse and score one option on few blocks."""
    input:
        layers="results/layers/{model}.json",
        data=expand("results/data/{dataset}/{block}.h5", dataset=FIT, block=TRIED),
        activations=expand(
            "results/activations/{{model}}/{dataset}/{block}.h5", dataset=FIT, block=TRIED
        ),
        deep=expand("results/saliency/{{model}}/{dataset}/{block}.h5", dataset=FIT, block=TRIED),
        centre_bias=expand(
            "results/saliency/centre_bias/{dataset}/{block}.h5",
            dataset=FIT,
            block=BLOCKS[FIT]["validation"],
        ),
        weights=lambda wildcards: weights_behind(wildcards.model),
    output:
        scores="results/ablation/{model}/{option}.csv",
        layers="results/ablation/{model}/{option}.layers.csv",
    log:
        "results/logs/ablate/{model}/{option}.log",
    benchmark:
        "results/benchmarks/ablate/{model}/{option}.tsv"
    wildcard_constraints:
        option=one_of(OPTIONS),
    conda:
        "../envs/numerics.yaml"
    threads: 1
    resources:
        mem_mb=mem_mb("ablate"),
        runtime=runtime("ablate"),
        disk_mb=disk_mb("ablate"),
    params:
        settings=lambda wildcards: OPTIONS[wildcards.option],
        layers=lambda wildcards: list(LAYERS[wildcards.model]),
        box=lambda wildcards: config["backbones"][wildcards.model]["input"],
        fit=TRIED[: config["ablation"]["blocks"]],
        validation=BLOCKS[FIT]["validation"],
        part=config["ablation"]["part"],
        stride=config["ablation"]["stride"],
        penalties=config["ablation"]["penalties"],
        dataset=FIT,
        dataset_type=config["datasets"][FIT]["type"],
        sigmas=config["baselines"]["centre_bias"]["sigmas"],
        uniform_weight=config["densities"]["uniform_weight"],
        code=library("ablate"),
    script:
        "../scripts/ablate.py"


rule summarise_ablation:
    """Set all options beside the direct explanation."""
    input:
        scores=["results/ablation/{}/{}.csv".format(*trial) for trial in TRIALS],
        layers=["results/ablation/{}/{}.layers.csv".format(*trial) for trial in TRIALS],
    output:
        table="results/ablation.csv",
    log:
        "results/logs/summarise_ablation.log",
    benchmark:
        "results/benchmarks/summarise_ablation.tsv"
    conda:
        "../envs/numerics.yaml"
    threads: 1
    resources:
        mem_mb=mem_mb("summarise_ablation"),
        runtime=runtime("summarise_ablation"),
        disk_mb=disk_mb("summarise_ablation"),
    params:
        trials=TRIALS,
        settings=OPTIONS,
        n_resamples=config["scores"]["n_resamples"],
        seed=config["seed"],
        code=library("summarise_ablation"),
    script:
        "../scripts/summarise_ablation.py"
