"""
Test whether an explanation is faithful to the network: layers replaced, images changed.

Needs   results/explained/{model}/{dataset}/{explanation}.h5, results/weights/{model}.safetensors,
        results/data/{dataset}/{block}.h5
Makes   results/faithfulness/{model}/{dataset}/{explanation}/means.json  notches.csv
        results/faithfulness/{model}/{dataset}/{explanation}/{substitution,interventions}/{block}.csv
        results/faithfulness/{model}/{dataset}/{explanation}/substitution.csv
        results/faithfulness/{model}/{dataset}/{explanation}/substitution.differences.csv
        results/faithfulness/{model}/{dataset}/{explanation}/interventions.csv
        results/faithfulness/{model}/{dataset}/{explanation}/interventions.summary.csv
"""


rule measure_means:
    """Average every layer's output over stimuli of the fit split, for one of the controls."""
    input:
        explained=f"results/explained/{{model}}/{FIT}/{{explanation}}.h5",
        weights="results/weights/{model}.safetensors",
        fit=expand("results/data/{dataset}/{block}.h5", dataset=FIT, block=BLOCKS[FIT]["fit"]),
    output:
        means=f"results/faithfulness/{{model}}/{FIT}/{{explanation}}/means.json",
    log:
        "results/logs/measure_means/{model}/{explanation}.log",
    benchmark:
        "results/benchmarks/measure_means/{model}/{explanation}.tsv"
    conda:
        "../envs/torch.yaml"
    threads: 1
    resources:
        gpu=1,
        mem_mb=mem_mb("measure_means"),
        runtime=runtime("measure_means"),
        disk_mb=disk_mb("measure_means"),
    params:
        n=stimuli_per_block("fit_stimuli", "fit"),
        backbone=lambda wildcards: backbone_entries.network(config, wildcards.model),
        network=network_digest,
        seed=config["seed"],
        device=config["device"],
        code=library("measure_means"),
    script:
        "../scripts/measure_means.py"


rule substitute:
    """Put the reconstruction of each layer, and controls, in the place of its activation."""
    input:
        explained=f"results/explained/{{model}}/{FIT}/{{explanation}}.h5",
        means=f"results/faithfulness/{{model}}/{FIT}/{{explanation}}/means.json",
        weights="results/weights/{model}.safetensors",
        data="results/data/{dataset}/{block}.h5",
    output:
        table="results/faithfulness/{model}/{dataset}/{explanation}/substitution/{block}.csv",
    log:
        "results/logs/substitute/{model}/{dataset}/{explanation}/{block}.log",
    benchmark:
        "results/benchmarks/substitute/{model}/{dataset}/{explanation}/{block}.tsv"
    conda:
        "../envs/torch.yaml"
    threads: 1
    resources:
        gpu=1,
        mem_mb=mem_mb("substitute"),
        runtime=runtime("substitute"),
        disk_mb=disk_mb("substitute"),
    params:
        n=stimuli_per_block("stimuli", "test"),
        substitutes=config["faithfulness"]["substitutes"],
        preset=PRESETS[0],
        dataset_type=lambda wildcards: config["datasets"][wildcards.dataset]["type"],
        backbone=lambda wildcards: backbone_entries.network(config, wildcards.model),
        network=network_digest,
        uniform_weight=config["densities"]["uniform_weight"],
        seed=config["seed"],
        device=config["device"],
        code=library("substitute"),
    script:
        "../scripts/substitute.py"


rule rank_notches:
    """Find the bands, orientations and colours that an explanation's prediction rests on."""
    input:
        explained=f"results/explained/{{model}}/{FIT}/{{explanation}}.h5",
        validation=expand(
            "results/data/{dataset}/{block}.h5", dataset=FIT, block=BLOCKS[FIT]["validation"]
        ),
    output:
        table=f"results/faithfulness/{{model}}/{FIT}/{{explanation}}/notches.csv",
    log:
        "results/logs/rank_notches/{model}/{explanation}.log",
    benchmark:
        "results/benchmarks/rank_notches/{model}/{explanation}.tsv"
    conda:
        "../envs/numerics.yaml"
    threads: 1
    resources:
        mem_mb=mem_mb("rank_notches"),
        runtime=runtime("rank_notches"),
        disk_mb=disk_mb("rank_notches"),
    params:
        n=stimuli_per_block("ranking_stimuli", "validation"),
        families=config["faithfulness"]["families"],
        seed=config["seed"],
        code=library("rank_notches"),
    script:
        "../scripts/rank_notches.py"


rule intervene:
    """Take the leading ones out of the image; compare predicted and measured change."""
    input:
        explained=f"results/explained/{{model}}/{FIT}/{{explanation}}.h5",
        notches=f"results/faithfulness/{{model}}/{FIT}/{{explanation}}/notches.csv",
        weights="results/weights/{model}.safetensors",
        data="results/data/{dataset}/{block}.h5",
    output:
        table="results/faithfulness/{model}/{dataset}/{explanation}/interventions/{block}.csv",
    log:
        "results/logs/intervene/{model}/{dataset}/{explanation}/{block}.log",
    benchmark:
        "results/benchmarks/intervene/{model}/{dataset}/{explanation}/{block}.tsv"
    conda:
        "../envs/torch.yaml"
    threads: 1
    resources:
        gpu=1,
        mem_mb=mem_mb("intervene"),
        runtime=runtime("intervene"),
        disk_mb=disk_mb("intervene"),
    params:
        n=stimuli_per_block("stimuli", "test"),
        leading=config["faithfulness"]["leading"],
        random=config["faithfulness"]["random"],
        dataset_type=lambda wildcards: config["datasets"][wildcards.dataset]["type"],
        backbone=lambda wildcards: backbone_entries.network(config, wildcards.model),
        network=network_digest,
        uniform_weight=config["densities"]["uniform_weight"],
        seed=config["seed"],
        device=config["device"],
        code=library("intervene"),
    script:
        "../scripts/intervene.py"


rule summarise_faithfulness:
    """Means and intervals over the test stimuli, and differences from the controls."""
    input:
        substituted=lambda wildcards: expand(
            "results/faithfulness/{model}/{dataset}/{explanation}/substitution/{block}.csv",
            model=wildcards.model,
            dataset=wildcards.dataset,
            explanation=wildcards.explanation,
            block=BLOCKS[wildcards.dataset]["test"],
        ),
        intervened=lambda wildcards: expand(
            "results/faithfulness/{model}/{dataset}/{explanation}/interventions/{block}.csv",
            model=wildcards.model,
            dataset=wildcards.dataset,
            explanation=wildcards.explanation,
            block=BLOCKS[wildcards.dataset]["test"],
        ),
    output:
        substitution="results/faithfulness/{model}/{dataset}/{explanation}/substitution.csv",
        differences="results/faithfulness/{model}/{dataset}/{explanation}/substitution.differences.csv",
        interventions="results/faithfulness/{model}/{dataset}/{explanation}/interventions.csv",
        summary="results/faithfulness/{model}/{dataset}/{explanation}/interventions.summary.csv",
    log:
        "results/logs/summarise_faithfulness/{model}/{dataset}/{explanation}.log",
    benchmark:
        "results/benchmarks/summarise_faithfulness/{model}/{dataset}/{explanation}.tsv"
    conda:
        "../envs/numerics.yaml"
    threads: 1
    resources:
        mem_mb=mem_mb("summarise_faithfulness"),
        runtime=runtime("summarise_faithfulness"),
        disk_mb=disk_mb("summarise_faithfulness"),
    params:
        n_resamples=config["scores"]["n_resamples"],
        seed=config["seed"],
        code=library("summarise_faithfulness"),
    script:
        "../scripts/summarise_faithfulness.py"
