"""
Say what layers, and an explanation's information, are made of.

Needs   results/filters/{model}/{dataset}/{explanation}/{layer}.h5, the statistics that they were
        fitted from, results/explained/{model}/{dataset}/{explanation}.h5,
        results/data/{dataset}/{block}.h5, results/saliency/{predictor}/{dataset}/{block}.h5
Makes   results/bits/{model}/{dataset}/{explanation}/{part}.csv
        results/bits/{model}/{dataset}/{explanation}.csv
        results/anatomy/{model}/{dataset}/{explanation}/{position,colour,scale}.csv
"""


rule score_coalitions:
    """Refit and fuse an explanation with only some dimensions; score it on the test split."""
    input:
        filters=lambda wildcards: expand(
            "results/filters/{model}/{dataset}/{explanation}/{layer}.h5",
            model=wildcards.model,
            dataset=FIT,
            explanation=wildcards.explanation,
            layer=LAYERS[wildcards.model],
        ),
        fit=lambda wildcards: expand(
            "results/statistics/{model}/{dataset}/{explanation}/{layer}/{block}.h5",
            model=wildcards.model,
            dataset=FIT,
            explanation=wildcards.explanation,
            layer=LAYERS[wildcards.model],
            block=BLOCKS[FIT]["fit"],
        ),
        validation=lambda wildcards: expand(
            "results/statistics/{model}/{dataset}/{explanation}/{layer}/{block}.h5",
            model=wildcards.model,
            dataset=FIT,
            explanation=wildcards.explanation,
            layer=LAYERS[wildcards.model],
            block=BLOCKS[FIT]["validation"],
        ),
        explained=f"results/explained/{{model}}/{FIT}/{{explanation}}.h5",
        data=expand("results/data/{dataset}/{block}.h5", dataset=FIT, block=ALL_BLOCKS[FIT]),
        deep=expand(
            "results/saliency/{{model}}/{dataset}/{block}.h5", dataset=FIT, block=ALL_BLOCKS[FIT]
        ),
        fused=expand(
            "results/saliency/{{model}}-{{explanation}}/{dataset}/{block}.h5",
            dataset=FIT,
            block=BLOCKS[FIT]["test"],
        ),
        centre_bias=expand(
            "results/saliency/centre_bias/{dataset}/{block}.h5",
            dataset=FIT,
            block=BLOCKS[FIT]["test"],
        ),
    output:
        gains=f"results/bits/{{model}}/{FIT}/{{explanation}}/{{part}}.csv",
    log:
        "results/logs/score_coalitions/{model}/{explanation}/{part}.log",
    benchmark:
        "results/benchmarks/score_coalitions/{model}/{explanation}/{part}.tsv"
    wildcard_constraints:
        model=one_of(DEEP),
        explanation=one_of(DIRECT),
        part="[0-9]+",
    conda:
        "../envs/numerics.yaml"
    threads: 4
    resources:
        mem_mb=mem_mb("score_coalitions"),
        runtime=runtime("score_coalitions"),
        disk_mb=disk_mb("score_coalitions"),
    params:
        parts=lambda wildcards: len(bit_parts(wildcards.explanation)),
        solver=lambda wildcards: config["explanations"][wildcards.explanation]["solver"],
        fusion=lambda wildcards: config["explanations"][wildcards.explanation]["fusion"],
        stimuli=config["bits"]["stimuli"],
        stride=config["bits"]["stride"],
        penalties=config["bits"]["penalties"],
        fit_blocks=BLOCKS[FIT]["fit"],
        test_blocks=BLOCKS[FIT]["test"],
        sigmas=config["baselines"]["centre_bias"]["sigmas"],
        uniform_weight=config["densities"]["uniform_weight"],
        code=library("score_coalitions"),
    script:
        "../scripts/score_coalitions.py"


rule split_bits:
    """Split the deep model's information gain by Shapley value, with intervals."""
    input:
        gains=lambda wildcards: expand(
            "results/bits/{model}/{dataset}/{explanation}/{part}.csv",
            model=wildcards.model,
            dataset=FIT,
            explanation=wildcards.explanation,
            part=bit_parts(wildcards.explanation),
        ),
    output:
        table=f"results/bits/{{model}}/{FIT}/{{explanation}}.csv",
    log:
        "results/logs/split_bits/{model}/{explanation}.log",
    benchmark:
        "results/benchmarks/split_bits/{model}/{explanation}.tsv"
    wildcard_constraints:
        model=one_of(DEEP),
        explanation=one_of(DIRECT),
    conda:
        "../envs/numerics.yaml"
    threads: 1
    resources:
        mem_mb=mem_mb("split_bits"),
        runtime=runtime("split_bits"),
        disk_mb=disk_mb("split_bits"),
    params:
        n_resamples=config["scores"]["n_resamples"],
        seed=config["seed"],
        code=library("split_bits"),
    script:
        "../scripts/split_bits.py"


rule dissect:
    """Say of every layer how much is place, which colours and which scales it is made of."""
    input:
        filters=lambda wildcards: expand(
            "results/filters/{model}/{dataset}/{explanation}/{layer}.h5",
            model=wildcards.model,
            dataset=FIT,
            explanation=wildcards.explanation,
            layer=LAYERS[wildcards.model],
        ),
        fit=lambda wildcards: expand(
            "results/statistics/{model}/{dataset}/{explanation}/{layer}/{block}.h5",
            model=wildcards.model,
            dataset=FIT,
            explanation=wildcards.explanation,
            layer=LAYERS[wildcards.model],
            block=BLOCKS[FIT]["fit"],
        ),
        validation=lambda wildcards: expand(
            "results/statistics/{model}/{dataset}/{explanation}/{layer}/{block}.h5",
            model=wildcards.model,
            dataset=FIT,
            explanation=wildcards.explanation,
            layer=LAYERS[wildcards.model],
            block=BLOCKS[FIT]["validation"],
        ),
        data=f"results/data/{FIT}/{BLOCKS[FIT]['validation'][0]}.h5",
    output:
        position=f"results/anatomy/{{model}}/{FIT}/{{explanation}}/position.csv",
        colour=f"results/anatomy/{{model}}/{FIT}/{{explanation}}/colour.csv",
        scale=f"results/anatomy/{{model}}/{FIT}/{{explanation}}/scale.csv",
    log:
        "results/logs/dissect/{model}/{explanation}.log",
    benchmark:
        "results/benchmarks/dissect/{model}/{explanation}.tsv"
    wildcard_constraints:
        explanation=one_of(DIRECT),
    conda:
        "../envs/numerics.yaml"
    threads: 1
    resources:
        mem_mb=mem_mb("dissect"),
        runtime=runtime("dissect"),
        disk_mb=disk_mb("dissect"),
    params:
        code=library("dissect"),
    script:
        "../scripts/dissect.py"
