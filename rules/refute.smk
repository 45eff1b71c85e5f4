"""
Try to refute an explanation: halves, seeds, layers replaced, images changed, controls.

Needs   results/data/{dataset}/{block}.h5, results/scores/{preset}/{predictor}/{dataset}.csv,
        results/explained/{model}/{dataset}/{explanation}.h5, results/weights/{model}.safetensors,
        statistics, filters and activations of the explanations of mode direct
Makes   results/refutation/halves/{model}/{dataset}/{explanation}.csv
        results/refutation/seeds/{explanation}.csv
        results/faithfulness/{model}/{dataset}/{explanation}/means.json  notches.csv
        results/faithfulness/{model}/{dataset}/{explanation}/{substitution,interventions}/{block}.csv
        results/faithfulness/{model}/{dataset}/{explanation}/substitution.csv, .differences.csv
        results/faithfulness/{model}/{dataset}/{explanation}/interventions.csv, .summary.csv
        results/differentiation/{model}/{dataset}/{explanation}.csv, .summary.csv, .h5
        results/verdicts.csv
"""


rule compare_halves:
    """Choose identities on two halves of the fit split: do they agree?"""
    input:
        filters=fitted_layers,
        fit=statistics_of("fit"),
    output:
        table=f"results/refutation/halves/{{model}}/{plan.fit_on}/{{explanation}}.csv",
    log:
        "results/logs/compare_halves/{model}/{explanation}.log",
    benchmark:
        "results/benchmarks/compare_halves/{model}/{explanation}.tsv"
    wildcard_constraints:
        explanation=one_of(plan.linear),
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
            f"results/filters/{model}/{plan.fit_on}/{wildcards.explanation}/{layer}.h5"
            for model in plan.seeded[wildcards.explanation]
            for layer in plan.layers[model]
        ],
        fit=lambda wildcards: [
            f"results/statistics/{model}/{plan.fit_on}/{wildcards.explanation}/{block}.h5"
            for model in plan.seeded[wildcards.explanation]
            for block in plan.blocks[plan.fit_on]["fit"]
        ],
        activations=lambda wildcards: expand(
            "results/activations/{model}/{dataset}/{block}.h5",
            model=plan.seeded[wildcards.explanation],
            dataset=plan.fit_on,
            block=plan.blocks[plan.fit_on]["validation"],
        ),
    output:
        table="results/refutation/seeds/{explanation}.csv",
    log:
        "results/logs/compare_seeds/{explanation}.log",
    benchmark:
        "results/benchmarks/compare_seeds/{explanation}.tsv"
    wildcard_constraints:
        explanation=one_of(plan.seeded),
    conda:
        "../envs/numerics.yaml"
    threads: 1
    resources:
        mem_mb=mem_mb("compare_seeds"),
        runtime=runtime("compare_seeds"),
        disk_mb=disk_mb("compare_seeds"),
    params:
        families=lambda wildcards: plan.seed_families[wildcards.explanation],
        refutation=config["refutation"],
        rule=lambda wildcards: config["explanations"][wildcards.explanation]["identities"]["rule"],
        seed=config["seed"],
        code=library("compare_seeds"),
    script:
        "../scripts/compare_seeds.py"


rule measure_means:
    """Average every layer's output over stimuli of the fit split, for the control `mean`."""
    input:
        explained=f"results/explained/{{model}}/{plan.fit_on}/{{explanation}}.h5",
        weights="results/weights/{model}.safetensors",
        fit=expand(
            "results/data/{dataset}/{block}.h5",
            dataset=plan.fit_on,
            block=plan.blocks[plan.fit_on]["fit"],
        ),
    output:
        means=f"results/faithfulness/{{model}}/{plan.fit_on}/{{explanation}}/means.json",
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
        n=plan.stimuli_per_block("fit_stimuli", plan.fit_on, "fit"),
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
        explained=f"results/explained/{{model}}/{plan.fit_on}/{{explanation}}.h5",
        means=f"results/faithfulness/{{model}}/{plan.fit_on}/{{explanation}}/means.json",
        weights="results/weights/{model}.safetensors",
        data="results/data/{dataset}/{block}.h5",
        concepts=lambda wildcards: concepts_of(
            plan.concepts(wildcards.explanation), wildcards.dataset, [wildcards.block]
        ),
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
        n=lambda wildcards: plan.stimuli_per_block("stimuli", wildcards.dataset, "test"),
        substitutes=config["faithfulness"]["substitutes"],
        preset=plan.presets[0],
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
    """Rank bands, orientations and colours by how much an explanation's prediction needs them."""
    input:
        explained=f"results/explained/{{model}}/{plan.fit_on}/{{explanation}}.h5",
        validation=expand(
            "results/data/{dataset}/{block}.h5",
            dataset=plan.fit_on,
            block=plan.blocks[plan.fit_on]["validation"],
        ),
        concepts=lambda wildcards: concepts_of(
            plan.concepts(wildcards.explanation),
            plan.fit_on,
            plan.blocks[plan.fit_on]["validation"],
        ),
    output:
        table=f"results/faithfulness/{{model}}/{plan.fit_on}/{{explanation}}/notches.csv",
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
        n=plan.stimuli_per_block("ranking_stimuli", plan.fit_on, "validation"),
        families=config["faithfulness"]["families"],
        seed=config["seed"],
        code=library("rank_notches"),
    script:
        "../scripts/rank_notches.py"


rule intervene:
    """Take the leading notches out of the image; compare predicted and measured change."""
    input:
        explained=f"results/explained/{{model}}/{plan.fit_on}/{{explanation}}.h5",
        notches=f"results/faithfulness/{{model}}/{plan.fit_on}/{{explanation}}/notches.csv",
        weights="results/weights/{model}.safetensors",
        data="results/data/{dataset}/{block}.h5",
        concepts=lambda wildcards: concepts_of(
            plan.concepts(wildcards.explanation), wildcards.dataset, [wildcards.block]
        ),
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
        n=lambda wildcards: plan.stimuli_per_block("stimuli", wildcards.dataset, "test"),
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
    """Mean effects of substitution and intervention with intervals, and the controls' differences."""
    input:
        substituted=lambda wildcards: expand(
            "results/faithfulness/{model}/{dataset}/{explanation}/substitution/{block}.csv",
            model=wildcards.model,
            dataset=wildcards.dataset,
            explanation=wildcards.explanation,
            block=plan.blocks[wildcards.dataset]["test"],
        ),
        intervened=lambda wildcards: expand(
            "results/faithfulness/{model}/{dataset}/{explanation}/interventions/{block}.csv",
            model=wildcards.model,
            dataset=wildcards.dataset,
            explanation=wildcards.explanation,
            block=plan.blocks[wildcards.dataset]["test"],
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


rule differentiate:
    """Change stimuli so that the network's map moves and the explanation's stays, and reversely."""
    input:
        explained=f"results/explained/{{model}}/{plan.fit_on}/{{explanation}}.h5",
        weights="results/weights/{model}.safetensors",
        other=lambda wildcards: expand(
            "results/weights/{model}.safetensors", model=plan.other_trainings(wildcards.model)[:1]
        ),
        measures="results/fidelity/{model}/{model}-{explanation}/{dataset}.csv",
        data=lambda wildcards: expand(
            "results/data/{dataset}/{block}.h5",
            dataset=wildcards.dataset,
            block=plan.blocks[wildcards.dataset]["test"],
        ),
    output:
        table="results/differentiation/{model}/{dataset}/{explanation}.csv",
        summary="results/differentiation/{model}/{dataset}/{explanation}.summary.csv",
        images="results/differentiation/{model}/{dataset}/{explanation}.h5",
    log:
        "results/logs/differentiate/{model}/{dataset}/{explanation}.log",
    benchmark:
        "results/benchmarks/differentiate/{model}/{dataset}/{explanation}.tsv"
    wildcard_constraints:
        explanation=one_of(plan.direct),
    conda:
        "../envs/torch.yaml"
    threads: config["threads"]
    resources:
        gpu=1,
        mem_mb=mem_mb("differentiate"),
        runtime=runtime("differentiate"),
        disk_mb=disk_mb("differentiate"),
    params:
        stimuli=config["differentiation"]["stimuli"],
        levels=config["differentiation"]["levels"],
        steps=config["differentiation"]["steps"],
        draws=config["differentiation"]["draws"],
        backbone=lambda wildcards: backbone_entries.network(config, wildcards.model),
        network=network_digest,
        uniform_weight=config["densities"]["uniform_weight"],
        n_resamples=config["scores"]["n_resamples"],
        seed=config["seed"],
        device=config["device"],
        threads=config["threads"],
        code=library("differentiate"),
    script:
        "../scripts/differentiate.py"


rule judge:
    """Write, for each explanation, which tests it passes."""
    input:
        scores=["results/scores/{}/{}/{}.csv".format(*cell) for cell in plan.judged_cells],
        fidelity=[
            f"results/fidelity/{model}/{predictor}/{dataset}.csv"
            for model, predictor, dataset, _ in plan.compared
        ],
        halves=[
            f"results/refutation/halves/{model}/{plan.fit_on}/{explanation}.csv"
            for model, explanation in plan.halves()
        ],
        seeds=expand("results/refutation/seeds/{explanation}.csv", explanation=plan.seeded),
        faithfulness=[
            f"results/faithfulness/{model}/{dataset}/{explanation}/substitution.differences.csv"
            for model, dataset, explanation in plan.faithful
        ],
        interventions=[
            f"results/faithfulness/{model}/{dataset}/{explanation}/interventions.summary.csv"
            for model, dataset, explanation in plan.faithful
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
        cells=[list(cell) for cell in plan.judged_cells],
        contests=plan.contests,
        direct=plan.linear,
        analyses=config["analyses"],
        fit_on=plan.fit_on,
        evaluate_on=config["evaluate_on"],
        n_resamples=config["scores"]["n_resamples"],
        permutations=config["refutation"]["permutations"],
        seed=config["seed"],
        code=library("judge"),
    script:
        "../scripts/judge.py"
