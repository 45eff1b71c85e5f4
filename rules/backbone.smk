"""
Train a backbone or import weights, record its layers, and let it predict.

Needs   results/data/{dataset}/{block}.h5; for imported weights, their file or the internet
        results/centre_bias/{dataset}.h5 for networks that take it
Makes   results/weights/{model}.safetensors  results/start/{model}.safetensors
        results/checkpoints/{predictor}.pt (while training)
        results/layers/{model}.json
        results/activations/{model}/{dataset}/{block}.h5
        results/saliency/{model}/{dataset}/{block}.h5
"""


localrules:
    import_backbone,
    import_start,


rule import_backbone:
    """
    Convert weights that others trained into our format; fetch published ones first.

    It runs before all that can wait: what does not fit the network is said at once.
    """
    input:
        centre_bias=centre_bias_given,
    output:
        weights="results/weights/{model}.safetensors",
    log:
        "results/logs/import_backbone/{model}.log",
    benchmark:
        "results/benchmarks/import_backbone/{model}.tsv"
    wildcard_constraints:
        model=one_of(plan.imported),
    priority: 100
    conda:
        "../envs/torch.yaml"
    threads: 1
    resources:
        mem_mb=3000,
        runtime=60,
        disk_mb=1000,
    params:
        backbone=lambda wildcards: backbone_entries.network(config, wildcards.model),
        layers=lambda wildcards: plan.layers[wildcards.model],
        source=lambda wildcards: config["backbones"][wildcards.model]["weights"],
        prefix=lambda wildcards: config["backbones"][wildcards.model].get("prefix"),
        stamp=weights_stamp("weights"),
        network=network_digest,
        seed=lambda wildcards: backbone_entries.seed(config, wildcards.model),
        code=library("import_backbone"),
    script:
        "../scripts/import_backbone.py"


use rule import_backbone as import_start with:
    output:
        weights="results/start/{model}.safetensors",
    log:
        "results/logs/import_start/{model}.log",
    benchmark:
        "results/benchmarks/import_start/{model}.tsv"
    wildcard_constraints:
        model=one_of(plan.continued),
    params:
        backbone=lambda wildcards: backbone_entries.network(config, wildcards.model),
        layers=lambda wildcards: plan.layers[wildcards.model],
        source=lambda wildcards: config["backbones"][wildcards.model]["start"],
        prefix=lambda wildcards: config["backbones"][wildcards.model].get("prefix"),
        stamp=weights_stamp("start"),
        network=network_digest,
        seed=lambda wildcards: backbone_entries.seed(config, wildcards.model),
        code=rules.import_backbone.params.code,


rule train_backbone:
    """Train a backbone on the fit split; the validation split decides when to stop."""
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
        start=lambda wildcards: expand(
            "results/start/{model}.safetensors",
            model=[model for model in plan.continued if model == wildcards.model],
        ),
        centre_bias=centre_bias_given,
    output:
        weights="results/weights/{model}.safetensors",
    log:
        "results/logs/train_backbone/{model}.log",
    benchmark:
        "results/benchmarks/train_backbone/{model}.tsv"
    wildcard_constraints:
        model=one_of(plan.trained),
    conda:
        "../envs/torch.yaml"
    threads: config["threads"]
    resources:
        gpu=1,
        mem_mb=mem_mb("train_backbone"),
        runtime=runtime("train_backbone"),
        disk_mb=disk_mb("train_backbone"),
    params:
        backbone=lambda wildcards: backbone_entries.network(config, wildcards.model),
        layers=lambda wildcards: plan.layers[wildcards.model],
        training=lambda wildcards: backbone_entries.training(config, wildcards.model),
        dataset=plan.fit_set(),
        network=network_digest,
        seed=lambda wildcards: backbone_entries.seed(config, wildcards.model),
        device=config["device"],
        threads=config["threads"],
        code=library("train_backbone"),
    script:
        "../scripts/train_backbone.py"


rule randomise_backbone:
    """Draw random weights for a backbone; its normalisations get statistics of the fit split."""
    input:
        trained=lambda wildcards: (
            [f"results/weights/{plan.targets[wildcards.model]}.safetensors"]
            if config["backbones"][wildcards.model].get("randomise")
            else []
        ),
        fit=expand(
            "results/data/{dataset}/{block}.h5",
            dataset=plan.fit_on,
            block=plan.blocks[plan.fit_on]["fit"],
        ),
        centre_bias=centre_bias_given,
    output:
        weights="results/weights/{model}.safetensors",
    log:
        "results/logs/randomise_backbone/{model}.log",
    benchmark:
        "results/benchmarks/randomise_backbone/{model}.tsv"
    wildcard_constraints:
        model=one_of(plan.random_copies),
    conda:
        "../envs/torch.yaml"
    threads: 1
    resources:
        gpu=1,
        mem_mb=mem_mb("randomise_backbone"),
        runtime=runtime("randomise_backbone"),
        disk_mb=disk_mb("randomise_backbone"),
    params:
        backbone=lambda wildcards: backbone_entries.network(config, wildcards.model),
        network=network_digest,
        layers=lambda wildcards: plan.layers[wildcards.model],
        dataset=rules.train_backbone.params.dataset,
        randomise=lambda wildcards: config["backbones"][wildcards.model].get("randomise"),
        batch_size=config["activations"]["batch_size"],
        seed=lambda wildcards: backbone_entries.seed(config, wildcards.model),
        device=config["device"],
        code=library("randomise_backbone"),
    script:
        "../scripts/randomise_backbone.py"


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
    threads: config["threads"]
    resources:
        gpu=1,
        mem_mb=mem_mb("measure_layers"),
        runtime=runtime("measure_layers"),
        disk_mb=disk_mb("measure_layers"),
    params:
        backbone=lambda wildcards: backbone_entries.network(config, wildcards.model),
        network=network_digest,
        layers=lambda wildcards: plan.layers[wildcards.model],
        finest_stride=config["activations"]["finest_stride"],
        seed=config["seed"],
        device=config["device"],
        threads=config["threads"],
        code=library("measure_layers"),
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
    wildcard_constraints:
        model=one_of(plan.described_models),
    conda:
        "../envs/torch.yaml"
    threads: 1
    resources:
        gpu=1,
        mem_mb=mem_mb("dump_activations"),
        runtime=runtime("dump_activations"),
        disk_mb=disk_mb("dump_activations"),
    params:
        backbone=lambda wildcards: backbone_entries.network(config, wildcards.model),
        network=network_digest,
        batch_size=config["activations"]["batch_size"],
        device=config["device"],
        code=library("dump_activations"),
    script:
        "../scripts/dump_activations.py"


use rule dump_activations as dump_activations_nulls with:
    output:
        activations=temp("results/activations/{model}/{dataset}/{block}.h5"),
    wildcard_constraints:
        model=one_of([name for name in plan.models if name not in plan.described_models]),


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
        backbone=lambda wildcards: backbone_entries.network(config, wildcards.model),
        network=network_digest,
        batch_size=config["activations"]["batch_size"],
        uniform_weight=config["densities"]["uniform_weight"],
        device=config["device"],
        code=library("predict_backbone"),
    script:
        "../scripts/predict_backbone.py"
