"""
Write the report.

Needs   results/summary.csv and the other tables, explained variance, filters, explained models, and
        data and maps of the reported data sets
Makes   results/report/index.html, results/report/figures/
"""


rule report:
    """Draw figures and write them with the tables into one page."""
    input:
        summary="results/summary.csv",
        validation="results/summary.validation.csv",
        shares="results/shares.csv",
        differences="results/differences.csv",
        normalised="results/normalised.csv",
        ranks="results/ranks.csv",
        verdicts="results/verdicts.csv",
        calibrated=CALIBRATED,
        explained_variance=[
            f"results/explained_variance/{model}/{FIT}/{explanation}.csv"
            for model, explanation in SECTIONS
        ],
        filters=[
            f"results/filters/{model}/{FIT}/{explanation}/{layer}.h5"
            for model, explanation in SECTIONS
            if explanation in DIRECT
            for layer in LAYERS[model]
        ],
        identities=[
            f"results/identities/{model}/{FIT}/{explanation}.csv"
            for model, explanation in SECTIONS
            if explanation in DIRECT
        ],
        sparsity=[
            f"results/sparsity/{model}/{FIT}/{explanation}.csv"
            for model, explanation in SECTIONS
            if explanation in DIRECT
        ],
        bits=[f"results/bits/{model}/{FIT}/{explanation}.csv" for model, explanation in SPLIT],
        anatomy=[
            f"results/anatomy/{model}/{FIT}/{explanation}/{table}.csv"
            for model, explanation in SECTIONS
            if explanation in DIRECT
            for table in ("position", "colour", "scale")
        ],
        spectra=["results/spectra.csv"] if SPECTRA else [],
        tuning=[
            f"results/tuning/{model}/{FIT}/{explanation}.csv"
            for model, explanation in SECTIONS
            if explanation in DIRECT
        ],
        sparsity_scores=[
            f"results/sparsity_scores/{model}/{FIT}/{explanation}.csv"
            for model, explanation in SECTIONS
            if explanation in SCORED_BUDGETS and model in SALIENT
        ],
        explained=[
            f"results/explained/{model}/{FIT}/{explanation}.h5"
            for model, explanation in SECTIONS
            if model in SALIENT
        ],
        scores=expand(
            "results/scores/{preset}/{predictor}/{dataset}.csv",
            preset=PRESETS,
            predictor=list(EXPLAINED),
            dataset=FIT,
        ),
        data=[f"results/data/{FIT}/{block}.h5" for block in BLOCKS[FIT]["test"]],
        saliency=[
            f"results/saliency/{predictor}/{FIT}/{block}.h5"
            for predictor in ["gold_standard", *DEEP, *EXPLAINED]
            for block in BLOCKS[FIT]["test"]
        ],
        activations=[
            f"results/activations/{model}/{FIT}/{block}.h5"
            for model in MODELS
            for block in BLOCKS[FIT]["test"]
        ],
        faithfulness=[
            f"results/faithfulness/{model}/{dataset}/{explanation}/{table}.csv"
            for model, dataset, explanation in FAITHFUL
            for table in ("substitution", "interventions.summary")
        ],
    output:
        page="results/report/index.html",
        figures=directory("results/report/figures"),
    log:
        "results/logs/report.log",
    benchmark:
        "results/benchmarks/report.tsv"
    conda:
        "../envs/report.yaml"
    threads: 1
    resources:
        mem_mb=mem_mb("report"),
        runtime=runtime("report"),
        disk_mb=disk_mb("report"),
    params:
        report=config["report"],
        models=MODELS,
        explanations=EXPLANATIONS,
        sections=SECTIONS,
        fit_on=FIT,
        evaluate_on=config["evaluate_on"],
        presets=PRESETS,
        preset=PRESETS[0],
        # paired differences shown; the table has those of all pairs
        pairs=[[name, "centre_bias"] for name in PREDICTORS if name != "centre_bias"]
        + [list(pair) for pair in EXPLAINED.items()],
        targets=TARGETS,
        synthetic=config["datasets"][FIT]["type"] == "demo",
        seed=config["seed"],
        template=digests.file_digest("report/templates/report.html"),
        code=library("report"),
    script:
        "../scripts/report.py"
