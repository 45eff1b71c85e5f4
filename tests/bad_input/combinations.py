"""Settings that exclude each other."""

from bad_input.case import Case
from bad_input.laid import settled

FAMILY = "Combinations"


def own(keys):
    """Settle a config with the example of an own transformer, and these keys of it."""
    return settled(f'models: {{mine: {{factory: "examples/own_model.py:vit", {keys}}}}}\n')


CASES = [
    Case(
        "a model twice",
        settled("models: [cmrnet, cmrnet]\n"),
        says="config: models has 'cmrnet' twice; leave one of them",
    ),
    Case(
        "an input that does not divide",
        settled("backbones: {cmrnet: {input: {height: 100}}}\n"),
        says="config: backbones.cmrnet.input.height is 100 px, but height and width must be "
        "multiples of 16; set it to 96 or 112",
    ),
    Case(
        "an own input that does not divide",
        settled(
            'models: {mine: {factory: "examples/own_model.py:vit", layers: {early: block'
            "s.0}, input: {width: 200}}}\n"
        ),
        says="config: models.mine.input.width is 200 px, but height and width must be multiples of"
        " 32; set it to 192 or 224",
    ),
    Case(
        "sizes for nearest that the network cannot have",
        settled("models: [unisal]\nbackbones: {unisal: {input: {multiple: 16}}}\n"),
        says="config: backbones.unisal.input.multiple is 16; with fit: nearest it must be a "
        "multiple of 32, as unisal needs it",
    ),
    Case(
        "axes of a layer that no tensor has",
        own("layers: {early: {module: blocks.0, axes: yxc}}"),
        says="config: models.mine.layers.early.axes is 'yxc'; it must be one of ncyx, nyxc, "
        "ncxy, nxyc, "
        "nyx, npc, pnc, ncp, nctyx, ntcyx, ntyxc, ntyx, ntpc; did you mean 'nyxc'?",
    ),
    Case(
        "a layer without its module",
        own("layers: {early: {axes: npc}}"),
        says="config: models.mine.layers.early lacks module (Module path); write module: and its "
        "value "
        "below models.mine.layers.early",
    ),
    Case(
        "a frame of a layer that is no number",
        own("layers: {early: {module: blocks.0, time: middle}}"),
        says="config: models.mine.layers.early.time is 'middle'; it must be a whole number, or "
        "mean or last",
    ),
    Case(
        "a call of a layer before its first",
        own("layers: {early: {module: blocks.0, call: -1}}"),
        says="config: models.mine.layers.early.call is -1; it must be a whole number, at least 0 "
        "(Which "
        "call of the module in one pass is recorded; the first is 0; not set: the last)",
    ),
    Case(
        "an orientation that there is not",
        own("layers: {early: blocks.0}, input: {orientation: portrait}"),
        says="config: models.mine.input.orientation is 'portrait'; it must be one of follow, "
        "landscape",
    ),
    Case(
        "clips without a frame",
        own("layers: {early: blocks.0}, input: {frames: 0}"),
        says="config: models.mine.input.frames is 0; it must be a whole number or null, at least "
        "1, at "
        "most 1024 (Frames of the clips (n, channel, time, y, x) it takes; null: images)",
    ),
    Case(
        "clips for a network of images",
        settled("backbones: {cmrnet: {input: {frames: 4}}}\n"),
        says="config: backbones.cmrnet.input.frames cannot be set: cmrnet has its own",
    ),
    Case(
        "a longest wavelength beyond the image",
        settled("explanations: {direct: {bank: {n_scales: 7}}}\n"),
        says="config: explanations.direct.bank has 7 scales from 3.0 px, each 2.0 times the one "
        "before, and the longest is longer than the input of cmrnet, 96 x 128 px; lower "
        "n_scales, scale_factor or min_wavelength_px",
    ),
    Case(
        "wavelengths of less than 2 px",
        settled("explanations: {direct: {bank: {min_wavelength_px: 1.5}}}\n"),
        says="config: explanations.direct.bank.min_wavelength_px is 1.5; it must be a number, "
        "above 2 (Shortest wavelength)",
    ),
    Case(
        "no orientation",
        settled("explanations: {direct: {bank: {n_orientations: 0}}}\n"),
        says="config: explanations.direct.bank.n_orientations is 0; it must be a whole number, at "
        "least 1, at most 16 (Number of orientations)",
    ),
    Case(
        "a second stage without coarser scales",
        settled("explanations: {direct: {second_stage: true, bank: {n_scales: 2}}}\n"),
        says="config: explanations.direct.second_stage is true with a bank of 2 scales; it filters"
        " amplitudes again two scales above, so give the bank at least 3",
    ),
    Case(
        "omp without a budget",
        settled("explanations: {direct: {solver: {name: omp}}}\n"),
        says="config: explanations.direct.solver is omp without a budget; say how many filters a "
        "map may have, such as budget: 8",
    ),
    Case(
        "a budget for a solver that takes all filters",
        settled("explanations: {direct: {solver: {budget: 8}}}\n"),
        says="config: explanations.direct.solver.budget is 8, but ridge takes all filters; take "
        "omp or ols, or set it to null",
    ),
    Case(
        "a budget above the number of regressors",
        settled("explanations: {direct: {solver: {name: omp, budget: 5000}}}\n"),
        says="config: explanations.direct.solver.budget is 5000, but there are only 561 "
        "regressors; lower it, or take ridge",
    ),
    Case(
        "a refined explanation without a cascade",
        settled("explanations: {better: {mode: refined}}\n"),
        says="config: explanations.better.start is 'cascade', which is no explanation of mode "
        "cascade or refined; there is none",
    ),
    Case(
        "a readout that goes on from nothing",
        settled("explanations: {direct: {}, bent: {readout: additive}}\n"),
        says="config: explanations.bent has readout additive and start: null; start must name a "
        "linear explanation with the same regressors: direct",
    ),
    Case(
        "a readout that goes on from other regressors",
        settled("explanations: {lab: {colour: lab}, bent: {readout: pairs, start: lab}}\n"),
        says="config: explanations.bent has readout pairs and start: lab; start must name a "
        "linear explanation with the same regressors: direct",
    ),
    Case(
        "a linear explanation that goes on from another",
        settled("explanations: {direct: {}, other: {start: direct}}\n"),
        says="config: explanations.other.start is 'direct', but its readout is linear, which goes "
        "on from nothing; set start to null, or take readout: additive or pairs",
    ),
    Case(
        "a readout without amplitudes",
        settled(
            "explanations:\n"
            "  direct: {kinds: [even], normalisation: false}\n"
            "  bent: {like: direct, readout: additive, start: direct}\n"
        ),
        says="config: explanations.bent has readout additive, which bends and multiplies "
        "amplitudes, but kinds has no amplitude; add it",
    ),
    Case(
        "a readout with few filters per map",
        settled(
            "explanations:\n  direct: {}\n"
            "  bent: {readout: pairs, start: direct, solver: {name: omp, budget: 4}}\n"
        ),
        says="config: explanations.bent has readout pairs and solver omp; a readout needs ridge",
    ),
    Case(
        "faithfulness of a readout",
        settled(
            "analyses: [faithfulness]\nfaithfulness: {explanations: [bent]}\n"
            "explanations: {direct: {}, bent: {readout: pairs, start: direct}}\n"
        ),
        says="config: faithfulness.explanations names 'bent', whose readout is pairs; filters of "
        "linear explanations alone can be taken out of an image",
    ),
    Case(
        "differentiation of an explanation that there is not",
        settled("analyses: [differentiation]\ndifferentiation: {explanations: [direkt]}\n"),
        says="config: differentiation.explanations names 'direkt', but explanations has only "
        "direct; did you mean 'direct'?",
    ),
    Case(
        "differentiation of a cascade",
        settled(
            "analyses: [differentiation]\ndifferentiation: {explanations: [steps]}\n"
            "explanations: {direct: {}, steps: {mode: cascade}}\n"
        ),
        says="config: differentiation.explanations names 'steps', which is a cascade and so has "
        "no gradient by the image; name explanations of mode direct without concepts",
    ),
    Case(
        "differentiation of an explanation with concepts",
        settled(
            "analyses: [differentiation]\nconcepts: {faces: {maps: /faces}}\n"
            "explanations: {direct: {concepts: [faces]}}\n"
        ),
        says="config: differentiation.explanations names 'direct', which has the concepts faces "
        "and so has no gradient by the image; name explanations of mode direct without concepts",
    ),
    Case(
        "differentiation at no level",
        settled("differentiation: {levels: []}\n"),
        says="config: differentiation.levels is empty (Root mean square of the changes); write at "
        "least one entry, or leave the key out",
    ),
    Case(
        "changes that rounding to 8 bits would hide",
        settled("differentiation: {levels: [0.0157]}\n"),
        says="config: differentiation.levels.0 is 0.0157; it must be a number, at least "
        "0.5, at most 64",
    ),
    Case(
        "changes larger than an image can take",
        settled("differentiation: {levels: [200]}\n"),
        says="config: differentiation.levels.0 is 200; it must be a number, at least "
        "0.5, at most 64",
    ),
    Case(
        "one level alone, not in a list",
        settled("differentiation: {levels: 4}\n"),
        says="config: differentiation.levels is 4; it must be a list (Root mean square "
        "of the changes)",
    ),
    Case(
        "the same level twice",
        settled("differentiation: {levels: [4, 4.0]}\n"),
        says="config: differentiation.levels has 4.0 twice; leave one of them",
    ),
    Case(
        "a gradient ascent without a step",
        settled("differentiation: {steps: 0}\n"),
        says="config: differentiation.steps is 0; it must be a whole number, at least 1, at most "
        "10000 (Steps of the gradient ascent to each change)",
    ),
    Case(
        "no noise to compare a change with",
        settled("differentiation: {draws: 0}\n"),
        says="config: differentiation.draws is 0; it must be a whole number, at least 1, at most "
        "1000 (Draws of noise of equal energy beside them)",
    ),
    Case(
        "no stimulus to change",
        settled("differentiation: {stimuli: 0}\n"),
        says="config: differentiation.stimuli is 0; it must be a whole number, at least 1, at most "
        "10000 (Test stimuli, at most: those of median disagreement)",
    ),
    Case(
        "differentiation of nothing",
        settled("differentiation: {explanations: []}\n"),
        says="config: differentiation.explanations is empty (Explanations of mode direct that are "
        "parted from every backbone); write at least one entry, or leave the key out",
    ),
    Case(
        "a setting of faithfulness at differentiation",
        settled("differentiation: {fit_stimuli: 70}\n"),
        says="config: unknown key 'fit_stimuli' at differentiation; did you mean 'stimuli'?",
    ),
    Case(
        "the analysis by another word",
        settled("analyses: [maximum_differentiation]\n"),
        says="config: analyses.0 is 'maximum_differentiation'; it must be one of bits, spectra, "
        "anatomy, halves, seeds, faithfulness, sparsity_scores, ablation, calibration, "
        "differentiation; did you mean 'differentiation'?",
    ),
    Case(
        "a draw of a bank that is not drawn",
        settled("explanations: {direct: {}, other: {control: pixel, draw: 3}}\n"),
        says="config: explanations.other.draw is 3, but its control is pixel, of which there is "
        "one bank alone; leave draw out, or take control: noise or phase_scrambled",
    ),
    Case(
        "a draw of log-Gabors",
        settled("explanations: {direct: {draw: 1}}\n"),
        says="config: explanations.direct.draw is 1, but its control is null, of which there is "
        "one bank alone; leave draw out, or take control: noise or phase_scrambled",
    ),
    Case(
        "a control that there is not",
        settled("explanations: {direct: {control: white}}\n"),
        says="config: explanations.direct.control is 'white'; it must be one of null, random, "
        "pixel, noise, phase_scrambled, principal_components, difference_of_gaussians, pixel_pairs",
    ),
    Case(
        "nulls of an explanation that there is not",
        settled("nulls: {explanations: [cascade8], randoms: 20}\n"),
        says="config: nulls.explanations names 'cascade8', but explanations has only direct",
    ),
    Case(
        "nulls of a model that is not explained",
        settled("nulls: {models: [unisal], randoms: 20}\n"),
        says="config: nulls.models names 'unisal', but models has only cmrnet",
    ),
    Case(
        "nulls by a bank that there is not",
        settled("nulls: {banks: {white_noise: 10}}\n"),
        says="config: unknown key 'white_noise' at nulls.banks; did you mean 'noise'?",
    ),
    Case(
        "two draws of a bank that is not drawn",
        settled("nulls: {banks: {pixel_pairs: 2}}\n"),
        says="config: nulls.banks.pixel_pairs is 2; it must be a whole number, at least 0, "
        "at most 1 (Differences of two pixels)",
    ),
    Case(
        "as many random networks as no run can make",
        settled("nulls: {randoms: 100000}\n"),
        says="config: nulls.randoms is 100000; it must be a whole number, at least 0, at "
        "most 1000 (Random networks of each model, {model}_random1 and on)",
    ),
    Case(
        "a whole network made random step by step",
        settled("nulls: {progressive: [0.5, 1.0]}\n"),
        says="config: nulls.progressive.1 is 1.0; it must be a number, above 0, below 1",
    ),
    Case(
        "random networks of a network without code",
        settled(
            "models: {mine: {factory: 'torchscript:net.pt', layers: {early: a}}}\n"
            "nulls: {randoms: 1}\n"
        ),
        says="config: backbones.mine_random1: a TorchScript file cannot be initialised anew;"
        " give the factory of mine as a function, or make no random network of it",
    ),
    Case(
        "part of a trained network made random",
        settled("backbones: {cmrnet: {randomise: {from: output, share: 0.5}}}\n"),
        says="config: backbones.cmrnet has randomise, but its weights are 'train'; set "
        "weights: random",
    ),
    Case(
        "random layers at no end of the network",
        settled(
            "models: [cmrnet, half]\n"
            "backbones: {half: {like: cmrnet, weights: random, "
            "randomise: {from: middle, share: 0.5}}}\n"
        ),
        says="config: backbones.half.randomise.from is 'middle'; it must be one of output, input",
    ),
    Case(
        "a random network with no end of its random layers",
        settled(
            "models: [cmrnet, half]\n"
            "backbones: {half: {like: cmrnet, weights: random, randomise: {share: 0.5}}}\n"
        ),
        says="config: backbones.half.randomise has no from; write both, such as randomise: {from: "
        "output, share: 0.5}",
    ),
    Case(
        "options of the ablation where direct is a cascade",
        settled(
            "explanations: {direct: {mode: cascade}}\n"
            "analyses: [ablation]\n"
            "ablation: {options: {lab: {colour: lab}}}\n"
        ),
        says="config: ablation.options change the explanation direct, whose mode is cascade; they "
        "are options of mode direct, so give that explanation another name",
    ),
    Case(
        "an ablation without options",
        settled("analyses: [ablation]\n"),
        says="config: analyses has ablation, but ablation.options is empty; name at least one "
        "option, such as options: {lab: {colour: lab}}",
    ),
    Case(
        "a setting of another mode",
        settled("explanations: {few: {budget: 8}}\n"),
        says="config: unknown key 'budget' at explanations.few (mode direct); known are colour, "
        "boundary, bank, kinds, residual, normalisation, position, mechanisms, control, draw, "
        "activation, second_stage, concepts, readout, terms, start, pools, solver, "
        "identities, sparsity_scores, fusion, mode, like, models",
    ),
    Case(
        "photographs called demo, which get settings of the generated ones",
        settled("datasets: {demo: {type: folder, path: /data}}\n"),
        says="config: datasets.demo is of type folder, but has n_stimuli, which type demo alone "
        "has (the data set called demo gets it from config.yaml); call yours by another name,"
        " or take it out",
    ),
    Case(
        "spectra of maps that the data set of the fits has not",
        settled(
            "datasets: {mine: {type: folder, path: /data}}\n"
            "maps: {theirs: {paths: {mine: /maps}}}\n"
            "spectra: {predictors: [theirs]}\n"
        ),
        says="config: spectra.predictors names the maps 'theirs', but maps.theirs.paths has none "
        "of demo, the data set of fit_on, which spectra are fitted to",
    ),
    Case(
        "a start beside weights that are not trained",
        settled("models: [unisal]\nbackbones: {unisal: {weights: published, start: published}}\n"),
        says="config: unisal has start: published, where training begins, but its weights are "
        "'published'; set weights: train",
    ),
    Case(
        "a random copy without its network",
        settled("models: [copy]\nbackbones: {copy: {weights: random, input: {}}}\n"),
        says="config: backbones has 'copy', but Gaborscope has only cmrnet, msinet, unisal; a "
        "variant names one of them by like, and a model of your own belongs under models: "
        "{name: {factory: ..., layers: ...}}",
    ),
    Case(
        "an equal bank like a cascade",
        settled(
            "explanations: {c: {mode: cascade}}\n"
            "baselines: {predictors: [loggabor_equal], loggabor_equal: {like: c}}\n"
        ),
        says="config: baselines.loggabor_equal.like is 'c', which is no explanation of mode "
        "direct; there are direct",
    ),
]
