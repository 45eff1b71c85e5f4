"""
Describe explanations: their filters, tuning, information, places, colours and scales.

Needs   results/filters/{model}/{dataset}/{explanation}/{layer}.h5, the statistics that they were
        fitted from, results/explained/{model}/{dataset}/{explanation}.h5,
        results/data/{dataset}/{block}.h5, results/saliency/{predictor}/{dataset}/{block}.h5
Makes   results/identities/{model}/{dataset}/{explanation}.csv, results/sparsity/...csv
        results/tuning/{model}/{dataset}/{explanation}.csv, .maps.csv
        results/sparsity_scores/{model}/{dataset}/{explanation}.csv
        results/bits/{model}/{dataset}/{explanation}/{part}.csv  (also of gold_standard)
        results/bits/{model}/{dataset}/{explanation}.csv
        results/anatomy/{model}/{dataset}/{explanation}/{position,colour,scale}.csv
        results/spectra/{dataset}/{split}.h5  results/spectra.csv
        results/ablation/{model}/{option}.csv, .layers.csv  results/ablation.csv
"""


rule identify:
    """Name the filters of each map; measure how much few of them explain."""
    input:
        filters=fitted_layers,
        fit=statistics_of("fit"),
        validation=statistics_of("validation"),
        fit_data=expand(
            "results/data/{dataset}/{block}.h5",
            dataset=plan.fit_on,
            block=plan.blocks[plan.fit_on]["fit"],
        ),
        validation_data=expand(
            "results/data/{dataset}/{block}.h5",
            dataset=plan.fit_on,
            block=plan.blocks[plan.fit_on]["validation"],
        ),
        fit_activations=expand(
            "results/activations/{{model}}/{dataset}/{block}.h5",
            dataset=plan.fit_on,
            block=plan.blocks[plan.fit_on]["fit"],
        ),
        validation_activations=expand(
            "results/activations/{{model}}/{dataset}/{block}.h5",
            dataset=plan.fit_on,
            block=plan.blocks[plan.fit_on]["validation"],
        ),
        concepts=lambda wildcards: concepts_of(
            plan.concepts(wildcards.explanation), plan.fit_on, plan.chosen_on()
        ),
    output:
        identities=f"results/identities/{{model}}/{plan.fit_on}/{{explanation}}.csv",
        sparsity=f"results/sparsity/{{model}}/{plan.fit_on}/{{explanation}}.csv",
    log:
        "results/logs/identify/{model}/{explanation}.log",
    benchmark:
        "results/benchmarks/identify/{model}/{explanation}.tsv"
    wildcard_constraints:
        explanation=one_of(plan.linear),
    conda:
        "../envs/numerics.yaml"
    threads: 1
    resources:
        mem_mb=mem_mb("identify"),
        runtime=runtime("identify"),
        disk_mb=disk_mb("identify"),
    params:
        identities=lambda wildcards: config["explanations"][wildcards.explanation]["identities"],
        seed=config["seed"],
        code=library("identify"),
    script:
        "../scripts/identify.py"


rule describe_tuning:
    """Tabulate the tuning of each layer, and the shares of each map."""
    input:
        filters=fitted_layers,
        identities=f"results/identities/{{model}}/{plan.fit_on}/{{explanation}}.csv",
        data=expand(
            "results/data/{dataset}/{block}.h5",
            dataset=plan.fit_on,
            block=plan.blocks[plan.fit_on]["validation"],
        ),
    output:
        tuning=f"results/tuning/{{model}}/{plan.fit_on}/{{explanation}}.csv",
        maps=f"results/tuning/{{model}}/{plan.fit_on}/{{explanation}}.maps.csv",
    log:
        "results/logs/describe_tuning/{model}/{explanation}.log",
    benchmark:
        "results/benchmarks/describe_tuning/{model}/{explanation}.tsv"
    wildcard_constraints:
        explanation=one_of(plan.linear),
    conda:
        "../envs/numerics.yaml"
    threads: 1
    resources:
        mem_mb=mem_mb("describe_tuning"),
        runtime=runtime("describe_tuning"),
        disk_mb=disk_mb("describe_tuning"),
    params:
        code=library("describe_tuning"),
    script:
        "../scripts/describe_tuning.py"


rule score_sparsity:
    """Fuse and score an explanation anew with few filters per map."""
    input:
        filters=fitted_layers,
        fit=statistics_of("fit"),
        validation=statistics_of("validation"),
        test=statistics_of("test"),
        data=expand(
            "results/data/{dataset}/{block}.h5",
            dataset=plan.fit_on,
            block=plan.all_blocks(plan.fit_on),
        ),
        deep=lambda wildcards: expand(
            "results/saliency/{model}/{dataset}/{block}.h5",
            model=plan.targets[wildcards.model],
            dataset=plan.fit_on,
            block=plan.all_blocks(plan.fit_on),
        ),
        centre_bias=expand(
            "results/saliency/centre_bias/{dataset}/{block}.h5",
            dataset=plan.fit_on,
            block=plan.held_out(plan.fit_on),
        ),
        weights=lambda wildcards: weights_behind(wildcards.model),
        concepts=lambda wildcards: concepts_of(
            plan.concepts(wildcards.explanation), plan.fit_on, plan.all_blocks(plan.fit_on)
        ),
    output:
        table=f"results/sparsity_scores/{{model}}/{plan.fit_on}/{{explanation}}.csv",
    log:
        "results/logs/score_sparsity/{model}/{explanation}.log",
    benchmark:
        "results/benchmarks/score_sparsity/{model}/{explanation}.tsv"
    wildcard_constraints:
        model=one_of(plan.salient_models),
        explanation=one_of(plan.sparsity_scored),
    conda:
        "../envs/numerics.yaml"
    threads: 1
    resources:
        mem_mb=mem_mb("score_sparsity"),
        runtime=runtime("score_sparsity"),
        disk_mb=disk_mb("score_sparsity"),
    params:
        rule=lambda wildcards: config["explanations"][wildcards.explanation]["identities"]["rule"],
        settings=lambda wildcards: config["explanations"][wildcards.explanation]["sparsity_scores"],
        fusion=lambda wildcards: config["explanations"][wildcards.explanation]["fusion"],
        fit_blocks=plan.blocks[plan.fit_on]["fit"],
        validation_blocks=plan.blocks[plan.fit_on]["validation"],
        test_blocks=plan.blocks[plan.fit_on]["test"],
        dataset=plan.fit_on,
        dataset_type=plan.kinds(plan.fit_on),
        sigmas=config["baselines"]["centre_bias"]["sigmas"],
        uniform_weight=config["densities"]["uniform_weight"],
        n_resamples=config["scores"]["n_resamples"],
        seed=config["seed"],
        code=library("score_sparsity"),
    script:
        "../scripts/score_sparsity.py"


rule score_coalitions:
    """Refit and fuse an explanation with only some dimensions; score it on the test split."""
    input:
        filters=fitted_layers,
        fit=statistics_of("fit"),
        validation=statistics_of("validation"),
        explained=f"results/explained/{{model}}/{plan.fit_on}/{{explanation}}.h5",
        data=expand(
            "results/data/{dataset}/{block}.h5",
            dataset=plan.fit_on,
            block=plan.all_blocks(plan.fit_on),
        ),
        deep=expand(
            "results/saliency/{{model}}/{dataset}/{block}.h5",
            dataset=plan.fit_on,
            block=plan.all_blocks(plan.fit_on),
        ),
        fused=expand(
            "results/saliency/{{model}}-{{explanation}}/{dataset}/{block}.h5",
            dataset=plan.fit_on,
            block=plan.blocks[plan.fit_on]["test"],
        ),
        centre_bias=expand(
            "results/saliency/centre_bias/{dataset}/{block}.h5",
            dataset=plan.fit_on,
            block=plan.blocks[plan.fit_on]["test"],
        ),
        concepts=lambda wildcards: concepts_of(
            plan.concepts(wildcards.explanation), plan.fit_on, plan.all_blocks(plan.fit_on)
        ),
        weights=lambda wildcards: weights_behind(wildcards.model),
    output:
        gains=f"results/bits/{{model}}/{plan.fit_on}/{{explanation}}/{{part}}.csv",
    log:
        "results/logs/score_coalitions/{model}/{explanation}/{part}.log",
    benchmark:
        "results/benchmarks/score_coalitions/{model}/{explanation}/{part}.tsv"
    wildcard_constraints:
        model=one_of(plan.deep_models),
        explanation=one_of(plan.linear),
        part="[0-9]+",
    conda:
        "../envs/numerics.yaml"
    threads: 1
    resources:
        mem_mb=mem_mb("score_coalitions"),
        runtime=runtime("score_coalitions"),
        disk_mb=disk_mb("score_coalitions"),
    params:
        parts=lambda wildcards: len(plan.bit_parts(wildcards.model, wildcards.explanation)),
        solver=lambda wildcards: config["explanations"][wildcards.explanation]["solver"],
        fusion=lambda wildcards: config["explanations"][wildcards.explanation]["fusion"],
        stimuli=config["bits"]["stimuli"],
        stride=config["bits"]["stride"],
        penalties=config["bits"]["penalties"],
        fit_blocks=plan.blocks[plan.fit_on]["fit"],
        test_blocks=plan.blocks[plan.fit_on]["test"],
        dataset=plan.fit_on,
        dataset_type=plan.kinds(plan.fit_on),
        sigmas=config["baselines"]["centre_bias"]["sigmas"],
        uniform_weight=config["densities"]["uniform_weight"],
        code=library("score_coalitions"),
    script:
        "../scripts/score_coalitions.py"


rule score_people:
    """Fit the bank to fixations with only some dimensions; score it, and people, on the test split."""
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
        test=expand(
            "results/data/{dataset}/{block}.h5",
            dataset=plan.fit_on,
            block=plan.blocks[plan.fit_on]["test"],
        ),
        centre_bias=expand(
            "results/saliency/centre_bias/{dataset}/{block}.h5",
            dataset=plan.fit_on,
            block=plan.blocks[plan.fit_on]["test"],
        ),
        concepts=concepts_of(
            plan.bank_concepts("loggabor_fixations"), plan.fit_on, plan.all_blocks(plan.fit_on)
        ),
    output:
        gains=f"results/bits/gold_standard/{plan.fit_on}/loggabor_fixations/0.csv",
    log:
        "results/logs/score_people.log",
    benchmark:
        "results/benchmarks/score_people.tsv"
    conda:
        "../envs/numerics.yaml"
    threads: 1
    resources:
        mem_mb=mem_mb("score_people"),
        runtime=runtime("score_people"),
        disk_mb=disk_mb("score_people"),
    params:
        settings=config["baselines"]["loggabor_fixations"],
        sigmas=config["baselines"]["centre_bias"]["sigmas"],
        uniform_weight=config["densities"]["uniform_weight"],
        code=library("score_people"),
    script:
        "../scripts/score_people.py"


rule split_bits:
    """Split the information gain of a deep model, or of people, by Shapley value, with intervals."""
    input:
        gains=lambda wildcards: expand(
            "results/bits/{model}/{dataset}/{explanation}/{part}.csv",
            model=wildcards.model,
            dataset=plan.fit_on,
            explanation=wildcards.explanation,
            part=plan.bit_parts(wildcards.model, wildcards.explanation),
        ),
    output:
        table=f"results/bits/{{model}}/{plan.fit_on}/{{explanation}}.csv",
    log:
        "results/logs/split_bits/{model}/{explanation}.log",
    benchmark:
        "results/benchmarks/split_bits/{model}/{explanation}.tsv"
    wildcard_constraints:
        model=one_of([*plan.deep_models, plan.people[0]]),
        explanation=one_of([*plan.linear, plan.people[1]]),
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
    """Tabulate position, colours and scales of every layer."""
    input:
        filters=fitted_layers,
        identities=f"results/identities/{{model}}/{plan.fit_on}/{{explanation}}.csv",
        fit=statistics_of("fit"),
        validation=statistics_of("validation"),
        data=f"results/data/{plan.fit_on}/{plan.blocks[plan.fit_on]['validation'][0]}.h5",
    output:
        position=f"results/anatomy/{{model}}/{plan.fit_on}/{{explanation}}/position.csv",
        colour=f"results/anatomy/{{model}}/{plan.fit_on}/{{explanation}}/colour.csv",
        scale=f"results/anatomy/{{model}}/{plan.fit_on}/{{explanation}}/scale.csv",
    log:
        "results/logs/dissect/{model}/{explanation}.log",
    benchmark:
        "results/benchmarks/dissect/{model}/{explanation}.tsv"
    wildcard_constraints:
        explanation=one_of(plan.linear),
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


rule accumulate_spectra:
    """Sum regressors with the log-densities of all predictors over the blocks of one split."""
    input:
        data=lambda wildcards: expand(
            "results/data/{dataset}/{block}.h5",
            dataset=plan.fit_on,
            block=plan.blocks[plan.fit_on][wildcards.split],
        ),
        saliency=lambda wildcards: expand(
            "results/saliency/{predictor}/{dataset}/{block}.h5",
            predictor=[name for name in plan.spectra if name not in plan.computed_spectra],
            dataset=plan.fit_on,
            block=plan.blocks[plan.fit_on][wildcards.split],
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
        banks=[f"results/{BANK_FOLDERS[name]}/{plan.fit_on}.h5" for name in plan.computed_banks],
    output:
        statistics=f"results/spectra/{plan.fit_on}/{{split}}.h5",
    log:
        "results/logs/accumulate_spectra/{split}.log",
    benchmark:
        "results/benchmarks/accumulate_spectra/{split}.tsv"
    wildcard_constraints:
        split="fit|validation|test",
    conda:
        "../envs/numerics.yaml"
    threads: 1
    resources:
        mem_mb=mem_mb("accumulate_spectra"),
        runtime=runtime("accumulate_spectra"),
        disk_mb=disk_mb("accumulate_spectra"),
    params:
        spectra={k: v for k, v in config["spectra"].items() if k not in ("predictors", "penalties")},
        predictors=plan.spectra,
        computed=plan.computed_spectra,
        banks=plan.computed_banks,
        uniform_weight=config["densities"]["uniform_weight"],
        seed=config["seed"],
        code=library("accumulate_spectra"),
    script:
        "../scripts/accumulate_spectra.py"


rule fit_spectra:
    """Fit the bank to the log-densities of all predictors and split the explained variance."""
    input:
        fit=f"results/spectra/{plan.fit_on}/fit.h5",
        validation=f"results/spectra/{plan.fit_on}/validation.h5",
        test=f"results/spectra/{plan.fit_on}/test.h5",
        data=f"results/data/{plan.fit_on}/{plan.blocks[plan.fit_on]['validation'][0]}.h5",
    output:
        spectra="results/spectra.csv",
    log:
        "results/logs/fit_spectra.log",
    benchmark:
        "results/benchmarks/fit_spectra.tsv"
    conda:
        "../envs/numerics.yaml"
    threads: 1
    resources:
        mem_mb=mem_mb("fit_spectra"),
        runtime=runtime("fit_spectra"),
        disk_mb=disk_mb("fit_spectra"),
    params:
        spectra=config["spectra"],
        predictors=plan.spectra,
        dataset=plan.fit_on,
        n_blocks={split: len(blocks) for split, blocks in plan.blocks[plan.fit_on].items()},
        code=library("fit_spectra"),
    script:
        "../scripts/fit_spectra.py"


rule ablate:
    """Fit, fuse and score one option on few blocks."""
    input:
        layers="results/layers/{model}.json",
        data=expand("results/data/{dataset}/{block}.h5", dataset=plan.fit_on, block=plan.ablated()),
        activations=expand(
            "results/activations/{{model}}/{dataset}/{block}.h5",
            dataset=plan.fit_on,
            block=plan.ablated(),
        ),
        deep=expand(
            "results/saliency/{{model}}/{dataset}/{block}.h5",
            dataset=plan.fit_on,
            block=plan.ablated(),
        ),
        centre_bias=expand(
            "results/saliency/centre_bias/{dataset}/{block}.h5",
            dataset=plan.fit_on,
            block=plan.blocks[plan.fit_on]["validation"],
        ),
        weights=lambda wildcards: weights_behind(wildcards.model),
        concepts=lambda wildcards: concepts_of(
            plan.ablation_options[wildcards.option]["concepts"], plan.fit_on, plan.ablated()
        ),
    output:
        scores="results/ablation/{model}/{option}.csv",
        layers="results/ablation/{model}/{option}.layers.csv",
    log:
        "results/logs/ablate/{model}/{option}.log",
    benchmark:
        "results/benchmarks/ablate/{model}/{option}.tsv"
    wildcard_constraints:
        option=one_of(plan.ablation_options),
    conda:
        "../envs/numerics.yaml"
    threads: 1
    resources:
        mem_mb=mem_mb("ablate"),
        runtime=runtime("ablate"),
        disk_mb=disk_mb("ablate"),
    params:
        settings=lambda wildcards: plan.ablation_options[wildcards.option],
        layers=lambda wildcards: list(plan.layers[wildcards.model]),
        box=lambda wildcards: config["backbones"][wildcards.model]["input"],
        fit=plan.ablation_blocks["fit"],
        validation=plan.blocks[plan.fit_on]["validation"],
        part=config["ablation"]["part"],
        stride=config["ablation"]["stride"],
        penalties=config["ablation"]["penalties"],
        dataset=plan.fit_on,
        dataset_type=plan.kinds(plan.fit_on),
        sigmas=config["baselines"]["centre_bias"]["sigmas"],
        uniform_weight=config["densities"]["uniform_weight"],
        term_stimuli=plan.term_stimuli(plan.ablation_blocks["fit"]),
        seed=config["seed"],
        code=library("ablate"),
    script:
        "../scripts/ablate.py"


rule summarise_ablation:
    """Compare all options with the direct explanation."""
    input:
        scores=["results/ablation/{}/{}.csv".format(*trial) for trial in plan.ablation_trials],
        layers=[
            "results/ablation/{}/{}.layers.csv".format(*trial) for trial in plan.ablation_trials
        ],
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
        trials=plan.ablation_trials,
        settings=plan.ablation_options,
        n_resamples=config["scores"]["n_resamples"],
        seed=config["seed"],
        code=library("summarise_ablation"),
    script:
        "../scripts/summarise_ablation.py"
