"""
What an explanation has to be above, so that it says something about the network.

Needs   results/data/{dataset}/{block}.h5
Makes   results/weights/{model}.safetensors
"""


rule randomise_backbone:
    """Initialise a backbone that learns nothing; its normalisations see the fit split's stimuli."""
    input:
        fit=expand("results/data/{dataset}/{block}.h5", dataset=FIT, block=BLOCKS[FIT]["fit"]),
    output:
        weights="results/weights/{model}.safetensors",
    log:
        "results/logs/randomise_backbone/{model}.log",
    benchmark:
        "results/benchmarks/randomise_backbone/{model}.tsv"
    wildcard_constraints:
        model=one_of(RANDOM),
    conda:
        "../envs/torch.yaml"
    threads: 1
    resources:
        gpu=1,
        mem_mb=mem_mb("randomise_backbone"),
        runtime=runtime("randomise_backbone"),
        disk_mb=disk_mb("randomise_backbone"),
    params:
        backbone=lambda wildcards: models.network(config, wildcards.model),
        network=network_digest,
        layers=lambda wildcards: LAYERS[wildcards.model],
        dataset=rules.train_backbone.params.dataset,
        batch_size=config["activations"]["batch_size"],
        seed=lambda wildcards: models.seed(config, wildcards.model),
        device=config["device"],
        code=library(
            "backbones",
            "backbones.checking",
            "geometry",
            "randomising",
            "stage",
            "store",
            "weights",
        ),
    script:
        "../scripts/randomise_backbone.py"
