"""Config files and single settings."""

from bad_input.case import Case
from bad_input.laid import settled

from gaborscope.data import catalogue

FAMILY = "Configs"


def names(config):
    return list(catalogue.index("demo", config["datasets"]["demo"], ""))


BASE = (
    "{folder}/mine.yaml, line 1: YAML reads %s as a number in base %s; write a decimal number, or "
    "a text in quotes"
)
EIGHT, SIXTY = "8 (a zero comes first)", "60 (colons, as in a time)"

CASES = [
    Case(
        "a key twice",
        settled("seed: 1\nscores: {n_shuffle: 3}\nseed: 2\n"),
        says="{folder}/mine.yaml has the key 'seed' in line 1 and again in line 3; leave one of "
        "them",
    ),
    Case(
        "weights that have seen a folder without a name",
        settled("backbones: {cmrnet: {trained_on: [{type: folder}]}}\n"),
        says="config: backbones.cmrnet.trained_on.0 has the type folder, which any images may "
        "have, and so matches none; write {type: folder, dataset: NAME}, with the name that they "
        "have at datasets",
    ),
    Case(
        "weights that have seen a type that there is not",
        settled("backbones: {cmrnet: {trained_on: [{type: osi}]}}\n"),
        says="config: backbones.cmrnet.trained_on.0.type is 'osi', which is no type of data set; "
        "did you mean 'osie'?",
    ),
    Case(
        "weights that have seen a data set by its name",
        settled(
            "backbones: {cmrnet: {trained_on: [demo]}}\n",
            lambda config: config["backbones"]["cmrnet"]["trained_on"],
        ),
        gives="[{'type': 'demo', 'dataset': 'demo'}]",
    ),
    Case(
        "a key twice in JSON",
        settled('{"seed": 1, "seed": 2}'),
        says="{folder}/mine.yaml has the key 'seed' twice; leave one of them",
    ),
    Case(
        "UTF-16",
        settled(b"\xff\xfes\x00e\x00e\x00d\x00:\x00 \x001\x00\n\x00"),
        says="{folder}/mine.yaml is no text in UTF-8 (is it UTF-16?); save it as UTF-8",
    ),
    Case(
        "Latin-1 letters",
        settled(b"seed: 1\n# caf\xe9\n"),
        says="{folder}/mine.yaml, line 2: the byte 0xe9 is not UTF-8; save the file as UTF-8",
    ),
    Case(
        "a byte order mark",
        settled(b"\xef\xbb\xbfseed: 3\n", lambda config: config["seed"]),
        gives="3",
    ),
    Case(
        "a tab as indentation",
        settled("report:\n\tdpi: 50\n"),
        says="{folder}/mine.yaml, line 2: a tab; YAML is indented by spaces, and a text with ': ' "
        "or a bracket in it stands in quotes",
    ),
    Case(
        "a bracket that is not closed",
        settled("seed: 1\nmodels: [cmrnet\n"),
        says="{folder}/mine.yaml, line 3: did not find expected ',' or ']'; YAML is indented by "
        "spaces, and a text with ': ' or a bracket in it stands in quotes",
    ),
    Case(
        "two documents",
        settled("seed: 1\n---\nseed: 2\n"),
        says="{folder}/mine.yaml, line 2: a second document begins (---); a config is a single one",
    ),
    Case(
        "an empty file",
        settled("# nothing yet\n"),
        says="{folder}/mine.yaml is empty; write at least one setting, or leave the file out",
    ),
    Case(
        "a list at the top level",
        settled("- cmrnet\n"),
        says="{folder}/mine.yaml holds a list, not settings; write key: value, such as models: "
        "[cmrnet]",
    ),
    Case(
        "a tag that runs code",
        settled("seed: !!python/object/apply:os.getcwd []\n"),
        says="{folder}/mine.yaml, line 1: the tag !!python/object/apply:os.getcwd is not allowed; "
        "a config holds plain values alone",
    ),
    Case(
        "a billion stimuli to generate",
        settled("datasets: {demo: {n_stimuli: 1000000000}}\n", names),
        says="data set 'demo' of type demo needs n_stimuli, a whole number from 1 to 10000000, got "
        "1000000000",
    ),
    Case(
        "a tag of whole numbers before nothing",
        settled("seed: !!int\n"),
        says="{folder}/mine.yaml has a number or a date that cannot be read (string index out of "
        "range); correct it, or put it in quotes",
    ),
    Case(
        "aliases that grow without bound",
        settled(
            "a: &a [1,1,1,1,1,1,1,1,1,1]\n"
            "b: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a]\n"
            "c: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b,*b]\n"
            "d: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c,*c]\n"
            "e: [*d,*d,*d,*d,*d,*d,*d,*d,*d,*d]\n"
        ),
        says="{folder}/mine.yaml, line 5: with its aliases (*) it holds more than 100,000 values; "
        "write out what is meant",
    ),
    Case(
        "an alias of what it stands in",
        settled("seed: &a [*a]\n"),
        says="{folder}/mine.yaml, line 1: an alias (*) refers to what it stands in",
    ),
    Case(
        "brackets a hundred deep",
        settled("seed: " + "[" * 100 + "]" * 100 + "\n"),
        says="{folder}/mine.yaml, line 1: nested more than 50 deep",
    ),
    Case(
        "a list as a key",
        settled("[a, b]: 1\n"),
        says="{folder}/mine.yaml, line 1: a list or mapping cannot be a key; name it",
    ),
    Case(
        "NaN",
        settled("training: {learning_rate: .nan}\n"),
        says="config: training.learning_rate is nan; it must be a finite number",
    ),
    Case(
        "infinity in a list",
        settled("explanations: {direct: {solver: {penalties: [1.0, .inf]}}}\n"),
        says="config: explanations.direct.solver.penalties.1 is inf; it must be a finite number",
    ),
    Case(
        "a number beyond all floats",
        settled("training: {clip: 1.0e+999}\n"),
        says="config: training.clip is inf; it must be a finite number",
    ),
    Case(
        "a number of 5,000 digits",
        settled("seed: " + "9" * 5000 + "\n"),
        says="{folder}/mine.yaml has a number or a date that cannot be read (Exceeds the limit "
        "(4300 digits) for integer string conversion); correct it, or put it in quotes",
    ),
    Case(
        "a seed of 2^63",
        settled("seed: 9223372036854775808\n"),
        says="config: seed is 9223372036854775808; whole numbers are at most 4294967295",
    ),
    Case(
        "a negative seed",
        settled("seed: -1\n"),
        says="config: seed is -1; it must be a whole number, at least 0 (Seed of all that draws: "
        "training, shuffles, bootstrap)",
    ),
    Case(
        "an exponent without a point",
        settled("training: {learning_rate: 1e-3}\n"),
        says="config: training.learning_rate is '1e-3' (a text for YAML: write 1.0e-3, with a "
        "point); it must be a number, above 0 (Learning rate at its peak)",
    ),
    Case(
        "the same in a list",
        settled("bits: {penalties: [1e-5]}\n"),
        says="config: bits.penalties.0 is '1e-5' (a text for YAML: write 1.0e-5, with a point); it"
        " must be a number, above 0",
    ),
    Case(
        "a whole number with a point",
        settled("training: {epochs: 8.0}\n"),
        says="config: training.epochs is 8.0 (with a point: write 8); it must be a whole number, "
        "at least 1, at most 100000 (Passes over the fit split, at most)",
    ),
    Case(
        "a key with nothing behind it",
        settled("analyses:\n"),
        says="config: analyses is null (nothing stands behind it: leave the key out); it must be a"
        " list of bits, spectra, anatomy, halves, seeds, faithfulness, sparsity_scores, "
        "ablation, calibration, differentiation (What is computed beside explanations and their "
        "scores)",
    ),
    Case(
        "an explanation with nothing behind it",
        settled("explanations: {direct: }\n"),
        says="config: explanations.direct is null (nothing stands behind it: write {} for the "
        "defaults); it must be a mapping",
    ),
    Case(
        "a like that is null",
        settled("spectra: {like: null}\n"),
        says="config: spectra.like is null (nothing stands behind it: leave the key out); it must "
        "be regressors alone (Where the keys of `regressors` come from that are not set here)",
    ),
    Case(
        "yes where a text stands",
        settled("device: yes\n"),
        says="config: device is true (YAML reads yes, no, on and off so: put a name in quotes); it"
        " must be one of auto, cpu, cuda (Where networks run)",
    ),
    Case(
        "a date where a number stands",
        settled("seed: 2021-01-01\n"),
        says="config: seed is the date 2021-01-01; it must be a whole number, at least 0 (Seed of "
        "all that draws: training, shuffles, bootstrap)",
    ),
    Case(
        "a misspelt key",
        settled("trainings: {epochs: 3}\n"),
        says="config: unknown key 'trainings' at the top level; did you mean 'training'?",
    ),
    Case(
        "a misspelt value",
        settled("report: {colour_map: virdis}\n"),
        says="config: report.colour_map is 'virdis', which is no colour map of matplotlib; did you"
        " mean 'viridis'?",
    ),
    Case(
        "a misspelt preset",
        settled("presets: [mti]\n"),
        says="config: presets.0 is 'mti'; it must be one of mit, pysaliency, exact; did you mean "
        "'mit'?",
    ),
    Case(
        "a misspelt type of a data set",
        settled("datasets: {mine: {type: foldr, path: /data}}\n"),
        says="config: datasets.mine.type is 'foldr'; it must be one of demo, folder, osie, "
        "mit1003, cat2000, salicon, toronto, pysaliency; did you mean 'folder'?",
    ),
    Case(
        "a list where a text stands",
        settled("device: [cpu]\n"),
        says="config: device is ['cpu']; it must be one of auto, cpu, cuda (Where networks run)",
    ),
    Case(
        "an empty list of data sets",
        settled("evaluate_on: []\n"),
        says="config: evaluate_on is empty (Data sets whose test split is reported); write at "
        "least one entry, or leave the key out",
    ),
    Case(
        "0.03 px per degree, which are degrees per px",
        settled("datasets: {mine: {type: folder, path: /data, px_per_degree: 0.03}}"),
        says="config: datasets.mine.px_per_degree is 0.03; it must be a number, at least 4, at "
        "most 200 (Width of the fixation density; 20 to 60 on most screens)",
    ),
    Case(
        "300 px per degree, which are dots per inch",
        settled("datasets: {mine: {type: folder, path: /data, px_per_degree: 300}}"),
        says="config: datasets.mine.px_per_degree is 300; it must be a number, at least 4, at most"
        " 200 (Width of the fixation density; 20 to 60 on most screens)",
    ),
    Case(
        "a fixation density below a px",
        settled("datasets: {mine: {type: folder, path: /data, sigma_px: 0.4}}"),
        says="config: datasets.mine.sigma_px is 0.4; it must be a number, at least 1, at most 1000"
        " (Width of the fixation density, where the degrees are not known)",
    ),
    Case(
        "two widths of the fixation density",
        settled("datasets: {mine: {type: folder, path: /data, px_per_degree: 8, sigma_px: 5}}"),
        says="config: datasets.mine has px_per_degree: 8 and sigma_px: 5, two widths of the "
        "fixation density; keep px_per_degree, which is one degree, or sigma_px where the degrees "
        "are not known",
    ),
    Case(
        "the home of an unknown user",
        settled("datasets: {mine: {type: folder, path: ~nosuchuser/data}}\n"),
        says="config: datasets.mine.path is '~nosuchuser/data'; this machine has no user "
        "~nosuchuser, so write the whole path",
    ),
    Case(
        "a path that no file can have",
        settled("datasets: {mine: {type: folder, path: /" + "x" * 300 + "}}\n"),
        says="config: datasets.mine.path is "
        "'/xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx...xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx'; no file can "
        "have so long a name",
    ),
    Case(
        "maps without paths",
        settled("maps: {theirs: {kind: unit}}\n"),
        says="config: maps.theirs lacks paths (By data set, a folder of maps called like their "
        "stimuli, or an HDF5 file); write paths: and its value below maps.theirs",
    ),
    Case(
        "widths that are no numbers",
        settled("backbones: {cmrnet: {options: {widths: many}}}\n"),
        says="config: backbones.cmrnet.options.widths is 'many'; it must be three whole numbers "
        "from 1 to 4096, the channels at 1/4, 1/8 and 1/16 of the input, and the last a "
        "multiple of 8",
    ),
    Case(
        "an option that the network has not",
        settled("backbones: {msinet: {options: {widths: [8, 8, 8]}}}\nmodels: [msinet]\n"),
        says="config: backbones.msinet.options has 'widths', but the options of msinet are none",
    ),
    Case("a number with a zero before it", settled("seed: 010\n"), says=BASE % ("010", EIGHT)),
    Case("minutes and seconds", settled("seed: 1:30\n"), says=BASE % ("1:30", SIXTY)),
    Case(
        "a time with a fraction",
        settled("training: {learning_rate: 0:00:01.5}\n"),
        says=BASE % ("0:00:01.5", SIXTY),
    ),
    Case("a digit with a zero before it", settled("seed: 07\n", lambda c: c["seed"]), gives="7"),
    Case("a number in hexadecimal", settled("seed: 0x10\n", lambda c: c["seed"]), gives="16"),
    Case("a number with underscores", settled("seed: 1_000\n", lambda c: c["seed"]), gives="1000"),
    Case(
        "a figure of 100,000 px per inch",
        settled("report: {dpi: 100000}\n"),
        says="config: report.dpi is 100000; it must be a whole number, at least 40, at most 2400 "
        "(Resolution)",
    ),
    Case(
        "a billion bootstrap samples",
        settled("scores: {n_resamples: 1000000000}\n"),
        says="config: scores.n_resamples is 1000000000; it must be a whole number, at least 100, "
        "at most 1000000 (Bootstrap samples of stimuli behind an interval)",
    ),
    Case(
        "ten million blocks",
        settled("n_blocks: 10000000\n"),
        says="config: n_blocks is 10000000; it must be a whole number, at least 10, at most 100000,"
        " multiple of 10 (Blocks that stimuli are dealt to by the hash of their name, a multiple "
        "of 10)",
    ),
    Case(
        "an input of a million px",
        settled("backbones: {cmrnet: {input: {width: 1000000}}}\n"),
        says="config: backbones.cmrnet.input.width is 1000000; it must be a whole number, at least "
        "32, at most 16384 (Width)",
    ),
    Case(
        "an analysis twice",
        settled("analyses: [calibration, calibration]\n"),
        says="config: analyses has 'calibration' twice; leave one of them",
    ),
    Case(
        "an export of no split",
        settled("export: {splits: []}\n"),
        says="config: export.splits is empty (Whose maps; summary.csv scores the test split); "
        "write at least one entry, or leave the key out",
    ),
    Case(
        "an export as JPEG",
        settled("export: {formats: [hdf5, jpg]}\n"),
        says="config: export.formats.1 is 'jpg'; it must be one of hdf5, npy, png; did you "
        "mean 'png'?",
    ),
    Case(
        "a format of the export as a word alone",
        settled("export: {formats: npy}\n"),
        says="config: export.formats is 'npy'; it must be a list of hdf5, npy, png (hdf5 opens in "
        "pysaliency; npy and png are folders of a file for each stimulus)",
    ),
    Case(
        "a split called as elsewhere",
        settled("export: {splits: [train]}\n"),
        says="config: export.splits.0 is 'train'; it must be one of fit, validation, test",
    ),
    Case(
        "an export switched off",
        settled("export: false\n"),
        says="config: export is false; it must be a mapping (Maps for other programs, by "
        "`snakemake ... export` alone: docs/guide/pysaliency.md)",
    ),
    Case(
        "a penalty twice",
        settled("bits: {penalties: [1, 0.1, 1.0]}\n"),
        says="config: bits.penalties has 1.0 twice; leave one of them",
    ),
]
