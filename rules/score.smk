"""
Score predictors on human fixations.

Needs   results/data/{dataset}/{block}.h5, results/saliency/{predictor}/{dataset}/{block}.h5
Makes   results/centre_bias/{dataset}.h5
        results/fixation_bank/{dataset}.h5  results/equal_bank/{dataset}.h5
        results/saliency/{baseline}/{dataset}/{block}.h5
        results/scores/{preset}/{predictor}/{dataset}.csv
        results/summary.csv  results/shares.csv
        results/differences.csv  results/normalised.csv  results/ranks.csv
        results/calibration/{predictor}/{dataset}.json
        results/calibrated/{preset}/{predictor}/{dataset}.csv  results/summary.calibrated.csv
"""


rule fit_centre_bias:
    """Fit the centre bias of a data set once, so that a block need not read all others."""
    input:
        fit=lambda wildcards: expand(
            "results/data/{dataset}/{block}.h5",
            dataset=wildcards.dataset,
            block=plan.blocks[wildcards.dataset]["fit"],
        ),
        validation=lambda wildcards: expand(
            "results/data/{dataset}/{block}.h5",
            dataset=wildcards.dataset,
            block=plan.blocks[wildcards.dataset]["validation"],
        ),
    output:
        bias="results/centre_bias/{dataset}.h5",
    log:
        "results/logs/fit_centre_bias/{dataset}.log",
    benchmark:
        "results/benchmarks/fit_centre_bias/{dataset}.tsv"
    conda:
        "../envs/numerics.yaml"
    threads: 1
    resources:
        mem_mb=mem_mb("fit_centre_bias"),
        runtime=runtime("fit_centre_bias"),
        disk_mb=disk_mb("fit_centre_bias"),
    params:
        sigmas=config["baselines"]["centre_bias"]["sigmas"],
        uniform_weight=config["densities"]["uniform_weight"],
        code=library("fit_centre_bias"),
    script:
        "../scripts/fit_centre_bias.py"


rule fit_fixation_bank:
    """Fit the log-Gabor bank to fixations directly, without a network."""
    input:
        fit=lambda wildcards: expand(
            "results/data/{dataset}/{block}.h5",
            dataset=wildcards.dataset,
            block=plan.blocks[wildcards.dataset]["fit"],
        ),
        validation=lambda wildcards: expand(
            "results/data/{dataset}/{block}.h5",
            dataset=wildcards.dataset,
            block=plan.blocks[wildcards.dataset]["validation"],
        ),
        concepts=lambda wildcards: concepts_of(
            plan.bank_concepts("loggabor_fixations"),
            wildcards.dataset,
            plan.chosen_on(wildcards.dataset),
        ),
    output:
        bank="results/fixation_bank/{dataset}.h5",
    log:
        "results/logs/fit_fixation_bank/{dataset}.log",
    benchmark:
        "results/benchmarks/fit_fixation_bank/{dataset}.tsv"
    conda:
        "../envs/numerics.yaml"
    threads: 1
    resources:
        mem_mb=mem_mb("fit_fixation_bank"),
        runtime=runtime("fit_fixation_bank"),
        disk_mb=disk_mb("fit_fixation_bank"),
    params:
        settings=config["baselines"]["loggabor_fixations"],
        sigmas=config["baselines"]["centre_bias"]["sigmas"],
        uniform_weight=config["densities"]["uniform_weight"],
        code=library("fit_fixation_bank"),
    script:
        "../scripts/fit_fixation_bank.py"


if "loggabor_equal" in plan.baselines:

    use rule fit_fixation_bank as fit_equal_bank with:
        input:
            fit=rules.fit_fixation_bank.input.fit,
            validation=rules.fit_fixation_bank.input.validation,
            concepts=lambda wildcards: concepts_of(
                plan.bank_concepts("loggabor_equal"),
                wildcards.dataset,
                plan.chosen_on(wildcards.dataset),
            ),
        output:
            bank="results/equal_bank/{dataset}.h5",
        log:
            "results/logs/fit_equal_bank/{dataset}.log",
        benchmark:
            "results/benchmarks/fit_equal_bank/{dataset}.tsv"
        params:
            settings=plan.equal_bank(),
            sigmas=config["baselines"]["centre_bias"]["sigmas"],
            uniform_weight=config["densities"]["uniform_weight"],
            code=rules.fit_fixation_bank.params.code,


rule predict_baseline:
    """Predict a block by a baseline: a chance level, an upper bound or a classical model."""
    input:
        data="results/data/{dataset}/{block}.h5",
        fit=lambda wildcards: expand(
            "results/data/{dataset}/{block}.h5",
            dataset=wildcards.dataset,
            block=plan.baseline_blocks(wildcards.baseline, wildcards.dataset),
        ),
        bias=lambda wildcards: (
            [
                "results/centre_bias/{dataset}.h5".format(
                    **plan.raw(wildcards.dataset, wildcards.block)
                )
            ]
            if wildcards.baseline == "centre_bias"
            else []
        ),
        bank=lambda wildcards: (
            [f"results/{BANK_FOLDERS[wildcards.baseline]}/{plan.fit_on}.h5"]
            if wildcards.baseline in BANK_FOLDERS
            else []
        ),
        concepts=lambda wildcards: concepts_of(
            plan.bank_concepts(wildcards.baseline), wildcards.dataset, [wildcards.block]
        ),
    output:
        saliency="results/saliency/{baseline}/{dataset}/{block}.h5",
    log:
        "results/logs/predict_baseline/{baseline}/{dataset}/{block}.log",
    benchmark:
        "results/benchmarks/predict_baseline/{baseline}/{dataset}/{block}.tsv"
    conda:
        "../envs/numerics.yaml"
    threads: 1
    resources:
        mem_mb=mem_mb("predict_baseline"),
        runtime=runtime("predict_baseline"),
        disk_mb=disk_mb("predict_baseline"),
    params:
        settings=lambda wildcards: config["baselines"].get(wildcards.baseline, {}),
        uniform_weight=config["densities"]["uniform_weight"],
        seed=config["seed"],
        code=library("predict_baseline"),
    script:
        "../scripts/predict_baseline.py"


rule score:
    """Score one predictor on every validation and test stimulus of a data set."""
    input:
        saliency=lambda wildcards: expand(
            "results/saliency/{predictor}/{dataset}/{block}.h5",
            predictor=wildcards.predictor,
            dataset=wildcards.dataset,
            block=plan.held_out(wildcards.dataset),
        ),
        centre_bias=lambda wildcards: expand(
            "results/saliency/centre_bias/{dataset}/{block}.h5",
            dataset=wildcards.dataset,
            block=plan.held_out(wildcards.dataset),
        ),
        data=lambda wildcards: expand(
            "results/data/{dataset}/{block}.h5",
            dataset=wildcards.dataset,
            block=plan.held_out(wildcards.dataset),
        ),
        others=lambda wildcards: expand(
            "results/data/{dataset}/{block}.h5",
            dataset=wildcards.dataset,
            block=plan.all_blocks(wildcards.dataset),
        ),
        weights=lambda wildcards: weights_behind(wildcards.predictor),
    output:
        scores="results/scores/{preset}/{predictor}/{dataset}.csv",
        validation="results/scores/{preset}/{predictor}/{dataset}.validation.csv",
        shuffle="results/scores/{preset}/{predictor}/{dataset}.shuffle.json",
    log:
        "results/logs/score/{preset}/{predictor}/{dataset}.log",
    benchmark:
        "results/benchmarks/score/{preset}/{predictor}/{dataset}.tsv"
    conda:
        "../envs/numerics.yaml"
    threads: 1
    resources:
        mem_mb=mem_mb("score"),
        runtime=runtime("score"),
        disk_mb=disk_mb("score"),
    params:
        validation_blocks=lambda wildcards: plan.blocks[wildcards.dataset]["validation"],
        dataset_type=lambda wildcards: config["datasets"][wildcards.dataset]["type"],
        n_shuffle=config["scores"]["n_shuffle"],
        uniform_weight=config["densities"]["uniform_weight"],
        seed=config["seed"],
        code=library("score"),
    script:
        "../scripts/score.py"


rule calibrate:
    """Fit one temperature to a predictor by likelihood on a data set's validation split."""
    input:
        saliency=lambda wildcards: expand(
            "results/saliency/{predictor}/{dataset}/{block}.h5",
            predictor=wildcards.predictor,
            dataset=wildcards.dataset,
            block=plan.blocks[wildcards.dataset]["validation"],
        ),
        data=lambda wildcards: expand(
            "results/data/{dataset}/{block}.h5",
            dataset=wildcards.dataset,
            block=plan.blocks[wildcards.dataset]["validation"],
        ),
    output:
        temperature="results/calibration/{predictor}/{dataset}.json",
    log:
        "results/logs/calibrate/{predictor}/{dataset}.log",
    benchmark:
        "results/benchmarks/calibrate/{predictor}/{dataset}.tsv"
    conda:
        "../envs/numerics.yaml"
    threads: 1
    resources:
        mem_mb=mem_mb("calibrate"),
        runtime=runtime("calibrate"),
        disk_mb=disk_mb("calibrate"),
    params:
        uniform_weight=config["densities"]["uniform_weight"],
        code=library("calibrate"),
    script:
        "../scripts/calibrate.py"


use rule score as score_calibrated with:
    input:
        temperature=["results/calibration/{predictor}/{dataset}.json"],
        saliency=lambda wildcards: expand(
            "results/saliency/{predictor}/{dataset}/{block}.h5",
            predictor=wildcards.predictor,
            dataset=wildcards.dataset,
            block=plan.held_out(wildcards.dataset),
        ),
        centre_bias=lambda wildcards: expand(
            "results/saliency/centre_bias/{dataset}/{block}.h5",
            dataset=wildcards.dataset,
            block=plan.held_out(wildcards.dataset),
        ),
        data=lambda wildcards: expand(
            "results/data/{dataset}/{block}.h5",
            dataset=wildcards.dataset,
            block=plan.held_out(wildcards.dataset),
        ),
        others=lambda wildcards: expand(
            "results/data/{dataset}/{block}.h5",
            dataset=wildcards.dataset,
            block=plan.all_blocks(wildcards.dataset),
        ),
        weights=lambda wildcards: weights_behind(wildcards.predictor),
    output:
        scores="results/calibrated/{preset}/{predictor}/{dataset}.csv",
        validation="results/calibrated/{preset}/{predictor}/{dataset}.validation.csv",
        shuffle="results/calibrated/{preset}/{predictor}/{dataset}.shuffle.json",
    log:
        "results/logs/score_calibrated/{preset}/{predictor}/{dataset}.log",
    benchmark:
        "results/benchmarks/score_calibrated/{preset}/{predictor}/{dataset}.tsv"


rule summarise:
    """Mean scores with bootstrap intervals, and shares above the centre bias."""
    input:
        scores=["results/scores/{}/{}/{}.csv".format(*cell) for cell in plan.cells],
        validation=["results/scores/{}/{}/{}.validation.csv".format(*cell) for cell in plan.cells],
    output:
        summary="results/summary.csv",
        validation="results/summary.validation.csv",
        shares="results/shares.csv",
    log:
        "results/logs/summarise.log",
    benchmark:
        "results/benchmarks/summarise.tsv"
    conda:
        "../envs/numerics.yaml"
    threads: 1
    resources:
        mem_mb=mem_mb("summarise"),
        runtime=runtime("summarise"),
        disk_mb=disk_mb("summarise"),
    params:
        cells=[list(cell) for cell in plan.cells],
        explained=plan.explained,
        n_resamples=config["scores"]["n_resamples"],
        seed=config["seed"],
        code=library("summarise"),
    script:
        "../scripts/summarise.py"


rule summarise_calibrated:
    """Mean calibrated scores with bootstrap intervals, and the temperatures."""
    input:
        scores=["results/calibrated/{}/{}/{}.csv".format(*cell) for cell in plan.cells],
        temperatures=list(
            dict.fromkeys("results/calibration/{1}/{2}.json".format(*cell) for cell in plan.cells)
        ),
    output:
        summary="results/summary.calibrated.csv",
    log:
        "results/logs/summarise_calibrated.log",
    benchmark:
        "results/benchmarks/summarise_calibrated.tsv"
    conda:
        "../envs/numerics.yaml"
    threads: 1
    resources:
        mem_mb=mem_mb("summarise_calibrated"),
        runtime=runtime("summarise_calibrated"),
        disk_mb=disk_mb("summarise_calibrated"),
    params:
        cells=[list(cell) for cell in plan.cells],
        n_resamples=config["scores"]["n_resamples"],
        seed=config["seed"],
        code=library("summarise_calibrated"),
    script:
        "../scripts/summarise_calibrated.py"


rule compare:
    """Paired differences between predictors, normalised scores and ranks."""
    input:
        scores=["results/scores/{}/{}/{}.csv".format(*cell) for cell in plan.cells],
    output:
        differences="results/differences.csv",
        normalised="results/normalised.csv",
        ranks="results/ranks.csv",
    log:
        "results/logs/compare.log",
    benchmark:
        "results/benchmarks/compare.tsv"
    conda:
        "../envs/numerics.yaml"
    threads: 1
    resources:
        mem_mb=mem_mb("compare"),
        runtime=runtime("compare"),
        disk_mb=disk_mb("compare"),
    params:
        cells=[list(cell) for cell in plan.cells],
        n_resamples=config["scores"]["n_resamples"],
        seed=config["seed"],
        code=library("compare"),
    script:
        "../scripts/compare.py"
