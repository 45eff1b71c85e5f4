"""
What an explanation has to be above, so that it says something about the network.

Needs   results/data/{dataset}/{block}.h5, results/scores/{preset}/{predictor}/{dataset}.csv,
        statistics, filters and activations of the explanations of mode direct
Makes   results/weights/{model}.safetensors of random copies
        results/refutation/halves/{model}/{dataset}/{explanation}.csv
        results/refutation/seeds/{explanation}.csv
        results/verdicts.csv
"""

# what each explanation of a trained network is held against
CONTESTS = contests.plan(config, EXPLAINED, TARGETS)
# of each explanation, the networks that differ in their training seed alone, and all of them
FAMILIES = {
    explanation: [
        [model for model in family if [model, explanation] in SECTIONS]
        for family in contests.families(config, TARGETS)
    ]
    for explanation in DIRECT
}
SEEDED = {
    explanation: [model for family in families for model in family]
    for explanation, families in FAMILIES.items()
    if any(len(family) > 1 for family in families)
}


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
        backbone=lambda wildcards: backbone_entries.network(config, wildcards.model),
        network=network_digest,
        layers=lambda wildcards: LAYERS[wildcards.model],
        dataset=rules.train_backbone.params.dataset,
        batch_size=config["activations"]["batch_size"],
        seed=lambda wildcards: backbone_entries.seed(config, wildcards.model),
        device=config["device"],
        code=library("randomise_backbone"),
    script:
        "../scripts/randomise_backbone.py"


if "loggabor_equal" in BASELINES:

    use rule fit_fixation_bank as fit_equal_bank with:
        output:
            bank="results/equal_bank/{dataset}.h5",
        log:
            "results/logs/fit_equal_bank/{dataset}.log",
        benchmark:
            "results/benchmarks/fit_equal_bank/{dataset}.tsv"
        params:
            settings=equal_bank(),
            sigmas=config["baselines"]["centre_bias"]["sigmas"],
            uniform_weight=config["densities"]["uniform_weight"],
            code=rules.fit_fixation_bank.params.code,


rule compare_halves:
    """Refit identities and profiles on two halves of the fit split: do they agree?"""
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
    output:
        table=f"results/refutation/halves/{{model}}/{FIT}/{{explanation}}.csv",
    log:
        "results/logs/compare_halves/{model}/{explanation}.log",
    benchmark:
        "results/benchmarks/compare_halves/{model}/{explanation}.tsv"
    wildcard_constraints:
        explanation=one_of(DIRECT),
    conda:
        "../envs/numerics.yaml"
    threads: 1
    resources:
        mem_mb=mem_mb("compare_halves"),
        runtime=runtime("compare_halves"),
        disk_mb=disk_mb("compare_halves"),
    params:
        refutation=config["refutation"],
        rule=lambda wildcards: config["explanations"][wildcards.explanation]["identities"]["rule"],
        seed=config["seed"],
        code=library("compare_halves"),
    script:
        "../scripts/compare_halves.py"


rule compare_seeds:
    """Match the maps of networks of several training seeds: do their identities agree?"""
    input:
        filters=lambda wildcards: [
            f"results/filters/{model}/{FIT}/{wildcards.explanation}/{layer}.h5"
            for model in SEEDED[wildcards.explanation]
            for layer in LAYERS[model]
        ],
        fit=lambda wildcards: [
            f"results/statistics/{model}/{FIT}/{wildcards.explanation}/{layer}/{block}.h5"
            for model in SEEDED[wildcards.explanation]
            for layer in LAYERS[model]
            for block in BLOCKS[FIT]["fit"]
        ],
        activations=lambda wildcards: expand(
            "results/activations/{model}/{dataset}/{block}.h5",
            model=SEEDED[wildcards.explanation],
            dataset=FIT,
            block=BLOCKS[FIT]["validation"],
        ),
    output:
        table="results/refutation/seeds/{explanation}.csv",
    log:
        "results/logs/compare_seeds/{explanation}.log",
    benchmark:
        "results/benchmarks/compare_seeds/{explanation}.tsv"
    wildcard_constraints:
        explanation=one_of(SEEDED),
    conda:
        "../envs/numerics.yaml"
    threads: 1
    resources:
        mem_mb=mem_mb("compare_seeds"),
        runtime=runtime("compare_seeds"),
        disk_mb=disk_mb("compare_seeds"),
    params:
        families=lambda wildcards: FAMILIES[wildcards.explanation],
        refutation=config["refutation"],
        rule=lambda wildcards: config["explanations"][wildcards.explanation]["identities"]["rule"],
        seed=config["seed"],
        code=library("compare_seeds"),
    script:
        "../scripts/compare_seeds.py"


rule judge:
    """Say of every explanation which attempts to refute it it survives."""
    input:
        scores=["results/scores/{}/{}/{}.csv".format(*cell) for cell in CELLS],
        halves=[
            f"results/refutation/halves/{contest['model']}/{FIT}/{contest['explanation']}.csv"
            for contest in CONTESTS
            if contest["explanation"] in DIRECT
        ],
        seeds=expand("results/refutation/seeds/{explanation}.csv", explanation=SEEDED),
        faithfulness=[
            f"results/faithfulness/{model}/{dataset}/{explanation}/substitution.differences.csv"
            for model, dataset, explanation in FAITHFUL
        ],
    output:
        verdicts="results/verdicts.csv",
    log:
        "results/logs/judge.log",
    benchmark:
        "results/benchmarks/judge.tsv"
    conda:
        "../envs/numerics.yaml"
    threads: 1
    resources:
        mem_mb=mem_mb("judge"),
        runtime=runtime("judge"),
        disk_mb=disk_mb("judge"),
    params:
        cells=[list(cell) for cell in CELLS],
        contests=CONTESTS,
        fit_on=FIT,
        evaluate_on=config["evaluate_on"],
        n_resamples=config["scores"]["n_resamples"],
        seed=config["seed"],
        code=library("judge"),
    script:
        "../scripts/judge.py"
