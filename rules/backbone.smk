"""
Train a backbone, open it, and let it predict.

Needs   results/data/{dataset}/{block}.h5
Makes   results/weights/{model}.safetensors
        results/layers/{model}.json
        results/activations/{model}/{dataset}/{block}.h5
        results/saliency/{model}/{dataset}/{block}.h5
"""


rule train_backbone:
    """Train a backbone on the fit split; the validation split decides when to stop."""
    input:
        fit=expand("results/data/{dataset}/{block}.h5", dataset=FIT, block=BLOCKS[FIT]["fit"]),
        validation=expand(
            "results/data/{dataset}/{block}.h5", dataset=FIT, block=BLOCKS[FIT]["validation"]
        ),
    output:
        weights="results/weights/{model}.safetensors",
    log:
        "results/logs/train_backbone/{model}.log",
    benchmark:
        "results/benchmarks/train_backbone/{model}.tsv"
    conda:
        "../envs/torch.yaml"
    threads: 8
    resources:
        gpu=1,
        mem_mb=mem_mb("train_backbone"),
        runtime=runtime("train_backbone"),
    params:
        backbone=lambda wildcards: config["backbones"][wildcards.model],
        training=config["training"],
        dataset=FIT,
        seed=config["seed"],
        device=config["device"],
        code=library("backbones.cmrnet", "backbones", "stage", "store", "training", "weights"),
    script:
        "../scripts/train_backbone.py"


rule measure_layers:
    """Measure grid, stride, offset and receptive field of each layer on the network."""
    input:
        weights="results/weights/{model}.safetensors",
    output:
        layers="results/layers/{model}.json",
    log:
        "results/logs/measure_layers/{model}.log",
    benchmark:
        "results/benchmarks/measure_layers/{model}.tsv"
    conda:
        "../envs/torch.yaml"
    threads: 2
    resources:
        gpu=1,
        mem_mb=mem_mb("measure_layers"),
        runtime=runtime("measure_layers"),
    params:
        backbone=lambda wildcards: config["backbones"][wildcards.model],
        layers=lambda wildcards: LAYERS[wildcards.model],
        finest_stride=config["activations"]["finest_stride"],
        seed=config["seed"],
        device=config["device"],
        code=library("backbones.cmrnet", "backbones", "recording", "stage", "store", "weights"),
    script:
        "../scripts/measure_layers.py"


rule dump_activations:
    """Record every layer of a backbone on the stimuli of one block."""
    input:
        weights="results/weights/{model}.safetensors",
        layers="results/layers/{model}.json",
        data="results/data/{dataset}/{block}.h5",
    output:
        activations="results/activations/{model}/{dataset}/{block}.h5",
    log:
        "results/logs/dump_activations/{model}/{dataset}/{block}.log",
    benchmark:
        "results/benchmarks/dump_activations/{model}/{dataset}/{block}.tsv"
    conda:
        "../envs/torch.yaml"
    threads: 1
    resources:
        gpu=1,
        mem_mb=mem_mb("dump_activations"),
        runtime=runtime("dump_activations"),
        disk_mb=disk_mb("dump_activations"),
    params:
        backbone=lambda wildcards: config["backbones"][wildcards.model],
        batch_size=config["activations"]["batch_size"],
        device=config["device"],
        code=library(
            "backbones.cmrnet",
            "backbones",
            "geometry",
            "recording",
            "stage",
            "store",
            "weights",
        ),
    script:
        "../scripts/dump_activations.py"


rule predict_backbone:
    """Predict the saliency of the stimuli of one block with the deep model."""
    input:
        weights="results/weights/{model}.safetensors",
        data="results/data/{dataset}/{block}.h5",
    output:
        saliency="results/saliency/{model}/{dataset}/{block}.h5",
    log:
        "results/logs/predict_backbone/{model}/{dataset}/{block}.log",
    benchmark:
        "results/benchmarks/predict_backbone/{model}/{dataset}/{block}.tsv"
    conda:
        "../envs/torch.yaml"
    threads: 1
    resources:
        gpu=1,
        mem_mb=mem_mb("predict_backbone"),
        runtime=runtime("predict_backbone"),
        disk_mb=disk_mb("predict_backbone"),
    params:
        backbone=lambda wildcards: config["backbones"][wildcards.model],
        batch_size=config["activations"]["batch_size"],
        uniform_weight=config["densities"]["uniform_weight"],
        device=config["device"],
        code=library("backbones.cmrnet", "backbones", "densities", "stage", "store", "weights"),
    script:
        "../scripts/predict_backbone.py"
