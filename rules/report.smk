"""
Write the report, gather the tables of record, and write maps for other programs.

Needs   results/summary.csv and the other tables, explained variance, filters, explained models, and
        data and maps of the reported data sets
Makes   results/report/index.html, results/figures/{name}.{svg,png,csv}
        results/record/  results/record_ablation/
        results/export/{predictor}/{dataset}/
"""


rule report:
    """Draw figures and write them with the tables into one page."""
    input:
        summary="results/summary.csv",
        validation="results/summary.validation.csv",
        fidelity=["results/fidelity.csv"] if plan.compared else [],
        shares="results/shares.csv",
        differences="results/differences.csv",
        normalised="results/normalised.csv",
        ranks="results/ranks.csv",
        verdicts="results/verdicts.csv",
        calibrated=["results/summary.calibrated.csv"] if plan.runs("calibration") else [],
        explained_variance=[
            f"results/explained_variance/{model}/{plan.fit_on}/{explanation}.csv"
            for model, explanation in plan.sections
        ],
        filters=[
            f"results/filters/{model}/{plan.fit_on}/{explanation}/{layer}.h5"
            for model, explanation in plan.direct_sections()
            for layer in plan.layers[model]
        ],
        readouts=[
            f"results/filters/{model}/{plan.fit_on}/{explanation}/{layer}.h5"
            for model, explanation in plan.readout_sections
            for layer in plan.layers[model]
        ],
        identities=[
            f"results/identities/{model}/{plan.fit_on}/{explanation}.csv"
            for model, explanation in plan.direct_sections()
        ],
        sparsity=[
            f"results/sparsity/{model}/{plan.fit_on}/{explanation}.csv"
            for model, explanation in plan.direct_sections()
        ],
        bits=[
            f"results/bits/{model}/{plan.fit_on}/{explanation}.csv"
            for model, explanation in plan.bits
        ],
        anatomy=[
            f"results/anatomy/{model}/{plan.fit_on}/{explanation}/{table}.csv"
            for model, explanation in plan.direct_sections("anatomy")
            for table in ("position", "colour", "scale")
        ],
        spectra=["results/spectra.csv"] if plan.spectra else [],
        tuning=[
            f"results/tuning/{model}/{plan.fit_on}/{explanation}.csv"
            for model, explanation in plan.direct_sections()
        ],
        sparsity_scores=[
            f"results/sparsity_scores/{model}/{plan.fit_on}/{explanation}.csv"
            for model, explanation in plan.described
            if explanation in plan.sparsity_scored and model in plan.salient_models
        ],
        explained=[
            f"results/explained/{model}/{plan.fit_on}/{explanation}.h5"
            for model, explanation in plan.described
            if model in plan.salient_models
        ],
        scores=expand(
            "results/scores/{preset}/{predictor}/{dataset}.csv",
            preset=plan.presets,
            predictor=plan.described_predictors,
            dataset=plan.shown_on,
        ),
        data=[
            f"results/data/{plan.shown_on}/{block}.h5"
            for block in plan.blocks[plan.shown_on]["test"]
        ],
        concepts=concepts_of(plan.shown_concepts, plan.shown_on, plan.blocks[plan.shown_on]["test"]),
        saliency=[
            f"results/saliency/{predictor}/{plan.shown_on}/{block}.h5"
            for predictor in ["gold_standard", *plan.deep_models, *plan.described_predictors]
            for block in plan.blocks[plan.shown_on]["test"]
        ],
        activations=[
            f"results/activations/{model}/{plan.shown_on}/{block}.h5"
            for model in plan.described_models
            for block in plan.blocks[plan.shown_on]["test"]
        ],
        fidelity_stimuli=[
            f"results/fidelity/{model}/{predictor}/{dataset}.csv"
            for model, predictor, dataset, _ in plan.compared
            if predictor in plan.described_predictors and dataset == plan.shown_on
        ],
        bits_parts=[
            f"results/bits/{model}/{plan.fit_on}/{explanation}/{part}.csv"
            for model, explanation in plan.bits
            for part in plan.bit_parts(model, explanation)
        ],
        differentiation=[
            f"results/differentiation/{model}/{dataset}/{explanation}.summary.csv"
            for model, dataset, explanation in plan.differentiated
        ],
        changed_images=[
            f"results/differentiation/{model}/{dataset}/{explanation}.h5"
            for model, dataset, explanation in plan.differentiated
        ],
        faithfulness=[
            f"results/faithfulness/{model}/{dataset}/{explanation}/{table}.csv"
            for model, dataset, explanation in plan.faithful
            for table in ("substitution", "interventions.summary")
        ],
        weights=[
            f"results/weights/{model}.safetensors"
            for model in plan.deep_models
            if model in plan.imported
        ],
    output:
        page=report(
            "results/report/index.html",
            category="Report",
            caption="captions/page.rst",
            labels={"what": "the whole report"},
        ),
        figures=report(
            directory("results/figures"),
            patterns=["{name}.svg"],
            category=lambda wildcards: figure_section(wildcards.name),
            caption="captions/figure.rst",
            labels=lambda wildcards: {"figure": wildcards.name},
        ),
    log:
        "results/logs/report.log",
    benchmark:
        "results/benchmarks/report.tsv"
    conda:
        "../envs/numerics.yaml"
    threads: 1
    resources:
        mem_mb=mem_mb("report"),
        runtime=runtime("report"),
        disk_mb=disk_mb("report"),
    params:
        report=config["report"],
        models=plan.described_models,
        explanations=plan.described_explanations,
        sections=plan.described,
        nulls=["-".join(pair) for pair in plan.nulls],
        banks_and_randoms=plan.banks_and_randoms,
        fit_on=plan.fit_on,
        evaluate_on=config["evaluate_on"],
        presets=plan.presets,
        preset=plan.presets[0],
        compared=[list(cell) for cell in plan.compared],
        roles=plan.roles,
        pairs=plan.compared_pairs(),
        targets=plan.targets,
        salient=plan.salient_models,
        synthetic=plan.synthetic,
        warnings=SMALL,
        facts=facts_of_run(),
        seed=config["seed"],
        code=library("report"),
    script:
        "../scripts/report.py"


rule record:
    """Gather the tables of record, with commit and config; asked for by its name alone."""
    input:
        tables=[
            "results/summary.csv",
            "results/shares.csv",
            "results/verdicts.csv",
            *(["results/fidelity.csv"] if plan.compared else []),
        ],
        explained_variance=rules.report.input.explained_variance,
        bits=rules.report.input.bits,
        identities=rules.report.input.identities,
        differentiation_summary=rules.report.input.differentiation,
        explained=[
            f"results/explained/{model}/{plan.fit_on}/{explanation}.h5"
            for model, explanation in plan.sections
            if model in plan.salient_models
        ],
    output:
        record=directory("results/record"),
    log:
        "results/logs/record.log",
    benchmark:
        "results/benchmarks/record.tsv"
    conda:
        "../envs/numerics.yaml"
    threads: 1
    resources:
        mem_mb=mem_mb("record"),
        runtime=runtime("record"),
        disk_mb=disk_mb("record"),
    params:
        config=config,
        config_files=[os.path.basename(path) for path in workflow.overwrite_configfiles],
        compared=[list(cell) for cell in plan.compared],
        roles=plan.roles,
        families=plan.families,
        code=library("record"),
    script:
        "../scripts/record.py"


rule record_ablation:
    """Gather the table of the ablation, with commit and config; asked for by its name alone."""
    input:
        tables=["results/ablation.csv"],
    output:
        record=directory("results/record_ablation"),
    log:
        "results/logs/record_ablation.log",
    benchmark:
        "results/benchmarks/record_ablation.tsv"
    conda:
        "../envs/numerics.yaml"
    threads: 1
    resources:
        mem_mb=mem_mb("record"),
        runtime=runtime("record"),
        disk_mb=disk_mb("record"),
    params:
        config=config,
        config_files=[os.path.basename(path) for path in workflow.overwrite_configfiles],
        compared=[],
        roles={},
        families={},
        code=library("record"),
    script:
        "../scripts/record.py"


rule export_maps:
    """Write the maps of a predictor on a data set as pysaliency and benchmarks read them."""
    input:
        saliency=lambda wildcards: expand(
            "results/saliency/{predictor}/{dataset}/{block}.h5",
            predictor=wildcards.predictor,
            dataset=wildcards.dataset,
            block=plan.exported_blocks(wildcards.dataset),
        ),
    output:
        maps=directory("results/export/{predictor}/{dataset}"),
    log:
        "results/logs/export_maps/{predictor}/{dataset}.log",
    benchmark:
        "results/benchmarks/export_maps/{predictor}/{dataset}.tsv"
    conda:
        "../envs/numerics.yaml"
    threads: 1
    resources:
        mem_mb=mem_mb("export_maps"),
        runtime=runtime("export_maps"),
        disk_mb=disk_mb("export_maps"),
    params:
        formats=config["export"]["formats"],
        code=library("export_maps"),
    script:
        "../scripts/export_maps.py"


rule export:
    """Write the maps of every predictor for other programs; asked for by its name alone."""
    input:
        maps=["results/export/{}/{}".format(*cell) for cell in plan.exported],


localrules:
    export,
