"""
Fetch and prepare data sets, and take other people's maps: of saliency and of concepts.

Needs   the files of a data set (datasets: of the config), or nothing for generated data; the files
        of imported maps (maps:, concepts:)
Makes   results/downloads/{dataset}.json
        results/data/{dataset}/{block}.h5  (also of the pool of several data sets of fit_on)
        results/saliency/{imported}/{dataset}/{block}.h5
        results/concepts/{concept}/{dataset}/{block}.h5
"""


localrules:
    download_dataset,


rule download_dataset:
    """Fetch a published data set from its authors' addresses (download: true) and unpack it."""
    output:
        record="results/downloads/{dataset}.json",
    log:
        "results/logs/download_dataset/{dataset}.log",
    benchmark:
        "results/benchmarks/download_dataset/{dataset}.tsv"
    conda:
        "../envs/numerics.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=720,
        disk_mb=20000,
    params:
        dataset=lambda wildcards: config["datasets"][wildcards.dataset],
        code=library("download_dataset"),
    script:
        "../scripts/download_dataset.py"


rule prepare_dataset:
    """Check the stimuli and fixations of one block and store them in one format."""
    output:
        data="results/data/{dataset}/{block}.h5",
    log:
        "results/logs/prepare_dataset/{dataset}/{block}.log",
    benchmark:
        "results/benchmarks/prepare_dataset/{dataset}/{block}.tsv"
    wildcard_constraints:
        dataset=one_of(INDEX),
    conda:
        "../envs/numerics.yaml"
    threads: 1
    resources:
        mem_mb=mem_mb("prepare_dataset"),
        runtime=runtime("prepare_dataset"),
        disk_mb=disk_mb("prepare_dataset"),
    params:
        digest=lambda wildcards: INDEX[wildcards.dataset].digests[wildcards.block],
        dataset=lambda wildcards: config["datasets"][wildcards.dataset],
        n_blocks=config["n_blocks"],
        code=library("prepare_dataset"),
    script:
        "../scripts/prepare_dataset.py"


rule pool_dataset:
    """Take one block of a data set into the pool of several that everything is fitted on."""
    input:
        data=lambda wildcards: "results/data/{dataset}/{block}.h5".format(
            **plan.raw(wildcards.dataset, wildcards.block)
        ),
    output:
        data="results/data/{dataset}/{block}.h5",
    log:
        "results/logs/pool_dataset/{dataset}/{block}.log",
    benchmark:
        "results/benchmarks/pool_dataset/{dataset}/{block}.tsv"
    wildcard_constraints:
        dataset=one_of(re.escape(plan.fit_on) for _ in plan.members[:1]),
    conda:
        "../envs/numerics.yaml"
    threads: 1
    resources:
        mem_mb=mem_mb("pool_dataset"),
        runtime=runtime("pool_dataset"),
        disk_mb=disk_mb("pool_dataset"),
    params:
        code=library("pool_dataset"),
    script:
        "../scripts/pool_dataset.py"


rule import_maps:
    """Take other people's saliency maps of one block as a predictor."""
    input:
        data="results/data/{dataset}/{block}.h5",
    output:
        saliency="results/saliency/{imported}/{dataset}/{block}.h5",
    log:
        "results/logs/import_maps/{imported}/{dataset}/{block}.log",
    benchmark:
        "results/benchmarks/import_maps/{imported}/{dataset}/{block}.tsv"
    conda:
        "../envs/numerics.yaml"
    threads: 1
    resources:
        mem_mb=mem_mb("import_maps"),
        runtime=runtime("import_maps"),
        disk_mb=disk_mb("import_maps"),
    params:
        digest=maps_digest,
        maps=lambda wildcards: plan.map_settings(wildcards.imported, wildcards.dataset),
        others=maps_others,
        uniform_weight=config["densities"]["uniform_weight"],
        code=library("import_maps"),
    script:
        "../scripts/import_maps.py"


rule import_concept:
    """Take anybody's maps of one concept on one block as a regressor."""
    input:
        data="results/data/{dataset}/{block}.h5",
    output:
        maps="results/concepts/{concept}/{dataset}/{block}.h5",
    log:
        "results/logs/import_concept/{concept}/{dataset}/{block}.log",
    benchmark:
        "results/benchmarks/import_concept/{concept}/{dataset}/{block}.tsv"
    conda:
        "../envs/numerics.yaml"
    threads: 1
    resources:
        mem_mb=mem_mb("import_concept"),
        runtime=runtime("import_concept"),
        disk_mb=disk_mb("import_concept"),
    params:
        digest=concept_digest,
        maps=lambda wildcards: plan.concept_path(wildcards.concept, wildcards.dataset),
        others=maps_others,
        code=library("import_concept"),
    script:
        "../scripts/import_concept.py"
