"""
What rules ask of the config and the data sets, by their wildcards.
"""


def block_digest(dataset, block):
    """Digest of a block's stimuli: names, file sizes and times, fixations."""
    return DIGESTS[dataset][block]


def baseline_blocks(wildcards, split):
    """Blocks of a split that a baseline is fitted to."""
    if split in FITTED_BASELINES.get(wildcards.baseline, ()):
        return BLOCKS[wildcards.dataset][split]
    return []


def maps_of(wildcards):
    """What the config says of imported maps on one data set."""
    entry = config["maps"][wildcards.imported]
    return {
        "path": entry["paths"][wildcards.dataset],
        "kind": entry.get("kind", "density"),
        "resize": entry.get("resize", False),
    }


def maps_digest(wildcards):
    """Digest of the files of imported maps of one block."""
    names = catalogue.block_stimuli(INDEX[wildcards.dataset], wildcards.block, config["n_blocks"])
    path = config["maps"][wildcards.imported]["paths"][wildcards.dataset]
    return or_stop(map_files.digest, wildcards.imported, path, workflow.basedir, names)


def regressor_settings(wildcards):
    """The part of an explanation's settings that decides its regressors."""
    entry = config["explanations"][wildcards.explanation]
    keys = (
        "mode",
        "control",
        "activation",
        "bank",
        "colour",
        "boundary",
        "kinds",
        "residual",
        "normalisation",
        "second_stage",
        "position",
        "pools",
    )
    return {key: entry[key] for key in keys}


def settings_of(explanation):
    """Settings of an explanation, but for whom it explains."""
    entry = config["explanations"][explanation]
    return {key: value for key, value in entry.items() if key != "models"}


def explanation_settings(wildcards):
    """Settings of the explanation of a job."""
    return settings_of(wildcards.explanation)


# baselines that are fitted to fixations, and the folder of each one's bank
FIXATION_BANKS = {"loggabor_fixations": "fixation_bank", "loggabor_equal": "equal_bank"}


def equal_bank():
    """Settings of the bank that is fitted to fixations as an explanation is to a network."""
    entry = config["baselines"]["loggabor_equal"]
    like, size = config["explanations"][entry["like"]], config["backbones"][MODELS[0]]["input"]
    keys = ("bank", "colour", "boundary", "kinds", "residual", "normalisation", "position")
    return {
        **{key: like[key] for key in (*keys, "second_stage", "pools")},
        "input": {key: size[key] for key in ("height", "width")},
        "stride": like["fusion"]["stride"],
        "penalties": entry["penalties"],
    }


def started_from(explanation):
    """Settings of the explanation that a refined one goes on from."""
    return settings_of(config["explanations"][explanation]["start"])


def network_digest(wildcards):
    """Digest of the code of a network."""
    entry = config["backbones"][wildcards.model]
    return backbone_entries.digest(wildcards.model, entry, workflow.basedir)


def weights_stamp(key):
    """Size and time of a file of weights that the config names."""
    return lambda wildcards: backbone_entries.stamp(
        config["backbones"][wildcards.model][key], workflow.basedir
    )


def weights_behind(predictor):
    """Weights of the backbones that a predictor is, explains or is fused to: what it has seen."""
    model = predictor.partition("-")[0]
    if model not in SALIENT:
        return []
    behind = dict.fromkeys([model, TARGETS[model]])
    return [f"results/weights/{name}.safetensors" for name in behind]


def stimuli_per_block(key, split):
    """Stimuli of a block of a split that faithfulness is tested with, at most."""
    n = config["faithfulness"][key]
    return lambda wildcards: -(-n // len(BLOCKS[getattr(wildcards, "dataset", FIT)][split]))


# coalitions of dimensions that a job refits
COALITIONS_AT_ONCE = 16


def bit_parts(explanation):
    """Jobs that the coalitions of an explanation are dealt out to."""
    entry = config["explanations"][explanation]
    n_coalitions = 2 ** (3 + entry["position"] + entry["second_stage"])
    return [str(part) for part in range(-(-n_coalitions // COALITIONS_AT_ONCE))]


def fitted_layers(wildcards):
    """Files of the fitted layers of an explanation."""
    return expand(
        "results/filters/{model}/{dataset}/{explanation}/{layer}.h5",
        model=wildcards.model,
        dataset=FIT,
        explanation=wildcards.explanation,
        layer=LAYERS[wildcards.model],
    )


def statistics_of(split):
    """Function of the wildcards: statistics of all layers of an explanation on a split."""
    return lambda wildcards: expand(
        "results/statistics/{model}/{dataset}/{explanation}/{layer}/{block}.h5",
        model=wildcards.model,
        dataset=FIT,
        explanation=wildcards.explanation,
        layer=LAYERS[wildcards.model],
        block=BLOCKS[FIT][split],
    )
