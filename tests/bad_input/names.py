"""Names that a config gives and uses."""

import numpy as np
from bad_input.case import Case
from bad_input.laid import settled

from gaborscope.store import exports

FAMILY = "Names"


def exported(formats, *names):
    """Export equal maps of stimuli of these names; return what lies there."""

    def use(folder):
        maps = [np.log(np.full((2, 2), 0.25))] * len(names)
        exports.write(folder, formats, names, maps, {})
        found = (path for path in folder.rglob("*") if path.is_file())
        return ", ".join(sorted(path.relative_to(folder).as_posix() for path in found))

    return use


CASES = [
    Case(
        "a model called as a baseline",
        settled("models: {centre_bias: {factory: a:b, layers: {early: a}}}\n"),
        says="config: models: 'centre_bias' is already the name of a baseline; choose another",
    ),
    Case(
        "a model called as one of Gaborscope",
        settled("models: {unisal: {factory: a:b, layers: {early: a}}}\n"),
        says="config: models.unisal: that name is taken by a model of Gaborscope",
    ),
    Case(
        "maps called as a model",
        settled("maps: {cmrnet: {paths: {demo: /maps}}}\n"),
        says="config: maps: 'cmrnet' is already the name of another predictor; choose another",
    ),
    Case(
        "maps called as a baseline",
        settled("maps: {itti_koch: {paths: {demo: /maps}}}\n"),
        says="config: maps: 'itti_koch' is already the name of another predictor; choose another",
    ),
    Case(
        "an option of the ablation called direct",
        settled("analyses: [ablation]\nablation: {options: {direct: {colour: lab}}}\n"),
        says="config: ablation.options: the name 'direct' is that of the explanation which options"
        " are compared with; choose another",
    ),
    Case(
        "an explanation called as the bank that every run fits to the network",
        settled("explanations: {loggabor_deep: {}}\n"),
        says="config: explanations: the name 'loggabor_deep' is that of a bank which every run "
        "makes of its own; choose another",
    ),
    Case(
        "capital letters, which some file systems do not tell apart",
        settled("models: {Mine: {factory: a:b, layers: {early: a}}}\n"),
        says="config: models: the name 'Mine' must consist of a-z, 0-9 and _ alone",
    ),
    Case(
        "a hyphen, which joins model and explanation",
        settled("explanations: {no-position: {position: false}}\n"),
        says="config: explanations: the name 'no-position' must consist of a-z, 0-9 and _ alone",
    ),
    Case(
        "a number as a name",
        settled("explanations: {7: {position: false}}\n"),
        says="config: explanations: the name 7 is read as a number; put it in quotes",
    ),
    Case(
        "no as a name",
        settled("explanations: {no: {position: false}}\n"),
        says="config: explanations: the name false is read as true or false, as yes, no, on and "
        "off are; put it in quotes",
    ),
    Case(
        "a date as a name",
        settled("datasets: {2021-01-01: {type: folder, path: /data}}\n"),
        says="config: datasets: the name the date 2021-01-01 is read as no text; put it in quotes",
    ),
    Case(
        "a name of 300 letters",
        settled("explanations: {" + "x" * 300 + ": {}}\n"),
        says="config: explanations: the name "
        "'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx...xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx' has 300 "
        "letters; names of files are made of it, so take at most 100",
    ),
    Case(
        "a data set that is not there",
        settled("evaluate_on: [dem]\n"),
        says="config: evaluate_on names the data set 'dem', but datasets has only demo; did you "
        "mean 'demo'?",
    ),
    Case(
        "a model that is not there",
        settled("models: [cmrnte]\n"),
        says="config: models names 'cmrnte', but backbones has only cmrnet, unisal, msinet; a "
        "model of your own is given as a mapping, models: {name: {factory: ..., layers: "
        "...}}; did you mean 'cmrnet'?",
    ),
    Case(
        "a network that is not there",
        settled("backbones: {mine: {seed: 2}}\n"),
        says="config: backbones has 'mine', but Gaborscope has only cmrnet, msinet, unisal; a "
        "variant names one of them by like, and a model of your own belongs under models: "
        "{name: {factory: ..., layers: ...}}",
    ),
    Case(
        "a layer that the network has not",
        settled("backbones: {cmrnet: {layers: {extra: cmr1.s7}}}\n"),
        says="config: backbones.cmrnet.layers.extra is 'cmr1.s7', but cmrnet has no module of that"
        " name; did you mean 'cmr1.s2'?",
    ),
    Case(
        "a part of the training that the network has not",
        settled("training: {parts: {encoder: {rate: 0.1}}}\n"),
        says="config: training of cmrnet: a key of parts is 'encoder', but cmrnet has no module of"
        " that name; its parts are stem, cmr1, down1, cmr2, down2, cmr3, hff, dec1, dec2, "
        "dec3, out",
    ),
    Case(
        "an alias of a layer that no file can have",
        settled("backbones: {cmrnet: {layers: {Extra layer: cmr1}}}\n"),
        says="config: backbones.cmrnet.layers: the name 'Extra layer' must consist of a-z, 0-9 and"
        " _ alone",
    ),
    Case(
        "an explanation of a model that is not there",
        settled("explanations: {direct: {models: [unisal]}}\n"),
        says="config: explanations.direct.models names 'unisal', but models has only cmrnet",
    ),
    Case(
        "an explanation like none",
        settled("explanations: {few: {like: dirct}}\n"),
        says="config: explanations.few.like is 'dirct', which is no explanation; there are direct;"
        " did you mean 'direct'?",
    ),
    Case(
        "an explanation selected for an analysis that does not run",
        settled("analyses: [bits]\nfaithfulness: {explanations: [drect]}\n"),
        says="config: faithfulness.explanations names 'drect', but explanations has only direct; "
        "did you mean 'direct'?",
    ),
    Case(
        "the spectrum of a predictor that is not there",
        settled("spectra: {predictors: [centre_bais]}\n"),
        says="config: spectra.predictors names 'centre_bais', but the predictors are cmrnet, "
        "uniform, centre_bias, gold_standard, itti_koch, cmrnet-direct; did you mean "
        "'centre_bias'?",
    ),
    Case(
        "a factory without a function",
        settled("models: {mine: {factory: nope.py, layers: {early: a}}}"),
        says="config: models.mine.factory is 'nope.py'; it must be package.module:function, "
        "path/to/file.py:function or torchscript:path",
    ),
    Case(
        "a factory whose file is missing",
        settled('models: {mine: {factory: "{folder}/nope.py:build", layers: {early: a}}}'),
        says="config: models.mine.factory is '{folder}/nope.py:build', but there is no file "
        "{folder}/nope.py",
    ),
    Case(
        "a factory whose file has no such function",
        settled("models: {mine: {factory: examples/own_model.py:vti, layers: {early: a}}}"),
        says="config: models.mine.factory is 'examples/own_model.py:vti', but "
        "examples/own_model.py has no function 'vti'; did you mean 'vit'?",
    ),
    Case(
        "weights that are missing",
        settled('backbones: {cmrnet: {weights: "{folder}/best.pth"}}\n'),
        says="config: weights of cmrnet is '{folder}/best.pth', but there is no file "
        "{folder}/best.pth; it may be a path, or train, published, random",
    ),
    Case(
        "a file to start from that is missing",
        settled('backbones: {cmrnet: {start: "{folder}/imagenet.pth"}}\n'),
        says="config: start of cmrnet is '{folder}/imagenet.pth', but there is no file "
        "{folder}/imagenet.pth; it may be a path, or published",
    ),
    Case(
        "published weights of a network that has none",
        settled("backbones: {cmrnet: {weights: published}}\n"),
        says="config: backbones.cmrnet.weights is published, but only unisal and msinet have "
        "published weights; set it to train or a path",
    ),
    Case(
        "stimuli that differ in their ending alone, exported into a folder of maps",
        exported(["hdf5", "png"], "a.jpg", "b.jpg", "a.png"),
        says="the stimuli a.jpg and a.png differ in their ending alone, so a folder of maps cannot "
        "tell them apart; rename one, or set `export: {formats: [hdf5]}`",
    ),
    Case(
        "the same in HDF5 alone, which keeps endings",
        exported(["hdf5"], "a.jpg", "b.jpg", "a.png"),
        gives="log_density.h5",
    ),
    Case(
        "stimuli of one name in two folders, exported",
        exported(["npy"], "in/a.jpg", "out/a.jpg"),
        gives="npy/in/a.npy, npy/out/a.npy",
    ),
]
