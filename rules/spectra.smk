"""
Fit the bank to the log-density of every predictor: deep models, classical ones, people.

Needs   results/data/{dataset}/{block}.h5, results/saliency/{predictor}/{dataset}/{block}.h5
Makes   results/spectra/{dataset}/{split}.h5
        results/spectra.csv
"""

# a uniform density has no spectrum; classical models are computed anew on the fit split and take
# longer than all the rest, so they come in where they are asked for; maps only where they are there
SPECTRA = config["spectra"]["predictors"]
if SPECTRA in (None, "all"):
    wanted = [name for name in BASELINES if name != "uniform"]
    if SPECTRA is None:
        wanted = ["centre_bias", "gold_standard"]
    SPECTRA = DEEP + wanted
    SPECTRA += [name for name in MAPS if FIT in config["maps"][name]["paths"]]
# for the fit split has no file of theirs
COMPUTED = {name: config["baselines"].get(name, {}) for name in SPECTRA if name in BASELINES}
COMPUTED_BANKS = [name for name in COMPUTED if name in FIXATION_BANKS]


rule accumulate_spectra:
    """Sum regressors with the log-densities of all predictors over the blocks of one split."""
    input:
        data=lambda wildcards: expand(
            "results/data/{dataset}/{block}.h5", dataset=FIT, block=BLOCKS[FIT][wildcards.split]
        ),
        saliency=lambda wildcards: expand(
            "results/saliency/{predictor}/{dataset}/{block}.h5",
            predictor=[name for name in SPECTRA if name not in COMPUTED],
            dataset=FIT,
            block=BLOCKS[FIT][wildcards.split],
        ),
        fit=expand("results/data/{dataset}/{block}.h5", dataset=FIT, block=BLOCKS[FIT]["fit"]),
        validation=expand(
            "results/data/{dataset}/{block}.h5", dataset=FIT, block=BLOCKS[FIT]["validation"]
        ),
        banks=[f"results/{FIXATION_BANKS[name]}/{FIT}.h5" for name in COMPUTED_BANKS],
    output:
        statistics=f"results/spectra/{FIT}/{{split}}.h5",
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
        predictors=SPECTRA,
        computed=COMPUTED,
        banks=COMPUTED_BANKS,
        uniform_weight=config["densities"]["uniform_weight"],
        seed=config["seed"],
        code=library("accumulate_spectra"),
    script:
        "../scripts/accumulate_spectra.py"


rule fit_spectra:
    """Fit the bank to the log-densities of all predictors and split what it explains."""
    input:
        fit=f"results/spectra/{FIT}/fit.h5",
        validation=f"results/spectra/{FIT}/validation.h5",
        test=f"results/spectra/{FIT}/test.h5",
        data=f"results/data/{FIT}/{BLOCKS[FIT]['validation'][0]}.h5",
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
        predictors=SPECTRA,
        dataset=FIT,
        n_blocks={split: len(blocks) for split, blocks in BLOCKS[FIT].items()},
        code=library("fit_spectra"),
    script:
        "../scripts/fit_spectra.py"
