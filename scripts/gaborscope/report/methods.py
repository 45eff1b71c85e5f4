"""The methods paragraph of the report, its references, and what the run was and was not."""

import datetime
import platform
import re
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import pandas as pd

from gaborscope import __version__

SEEN = 20  # MB; Python alone takes more, so less was measured before a job had begun
YEAR = 2026  # of this version
PACKAGES = ("numpy", "scipy", "pandas", "torch", "snakemake")
BIBTEX = """@software{gaborscope,
  title = {Gaborscope: explain deep saliency models by log-Gabor filters},
  author = {{The Gaborscope authors}},
  version = {VERSION},
  year = {YEAR}
}

@article{malladi2021deriving,
  title = {Deriving Explanation of Deep Visual Saliency Models},
  author = {Malladi and Mukhopadhyay and Larabi and Chaudhury},
  journal = {arXiv preprint arXiv:2109.03575},
  year = {2021}
}

@article{field1987relations,
  title = {Relations between the statistics of natural images and the response properties of
           cortical cells},
  author = {Field, David J.},
  journal = {Journal of the Optical Society of America A},
  volume = {4},
  number = {12},
  pages = {2379--2394},
  year = {1987}
}

@article{holm1979simple,
  title = {A simple sequentially rejective multiple test procedure},
  author = {Holm, Sture},
  journal = {Scandinavian Journal of Statistics},
  volume = {6},
  number = {2},
  pages = {65--70},
  year = {1979}
}
"""
ALL_ANALYSES = {
    "bits": "the information gain split by dimension",
    "spectra": "the filters of every predictor's map",
    "anatomy": "place, colour and scale by depth",
    "halves": "identities compared between halves of the fit split",
    "seeds": "identities compared between trainings",
    "faithfulness": "layers replaced by their reconstruction, and images changed",
    "differentiation": "images made to part network and explanation",
    "sparsity_scores": "scores with few filters per map",
    "ablation": "options of the explanation tried one by one",
    "calibration": "predictors at their own temperature",
}


def versions() -> dict[str, str]:
    """
    Return the versions of Python and of the packages that results depend on.

    Returns
    -------
    versions : dict of str to str
        Packages that this environment lacks are left out.
    """
    found = {"Gaborscope": __version__, "Python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


def paragraph(facts: Mapping[str, Any]) -> list[str]:
    """
    Write the methods of the run as for an article.

    Parameters
    ----------
    facts : dict
        `models` (by name: `weights`, `input`, `layers`), `explanations` (by name its settings),
        `stimuli` (by data set, by split, how many), `types` (of data sets), `fit_on`, `presets`,
        `n_resamples`, `permutations`, `seed`.

    Returns
    -------
    paragraphs : list of str
    """
    said = [_data(facts)]
    for name, model in facts["models"].items():
        how = {"train": "was trained here on the fit split"}.get(
            model["weights"], "has the weights of a file" if model["weights"] else "has the "
            "weights that its code made",
        )  # fmt: skip
        size = model["input"]
        said.append(
            f"The network {name} {how}. Its input has {size['height']} x {size['width']} px, and "
            f"{len(model['layers'])} of its layers were recorded ({', '.join(model['layers'])})."
        )
    said += [_explanation(name, settings) for name, settings in facts["explanations"].items()]
    said.append(
        f"Maps were scored by the preset{'s' if len(facts['presets']) > 1 else ''} "
        f"{', '.join(facts['presets'])}, as densities in bits above the centre bias "
        "(information gain), and by AUC, NSS, CC, KLD and SIM. Closeness to a network is 1 - KL("
        "network || map) / KL(network || centre bias), a ratio of means. Intervals are 95 % "
        f"percentile intervals of {facts['n_resamples']} bootstrap samples of the test stimuli, "
        "paired between predictors. A ratio is given only where the interval of its denominator "
        "is above 0. Identities were compared with chance by "
        f"{facts['permutations']} permutations. p was corrected by Holm's method. All that is "
        f"drawn depends on the seed {facts['seed']}."
    )
    return said


def software() -> str:
    """Return the sentence of the methods that names the software of this environment."""
    return f"Software: {', '.join(' '.join(pair) for pair in versions().items())}."


def _data(facts):
    parts = []
    for dataset, split in facts["stimuli"].items():
        made = " (generated, with simulated observers)" if facts["types"][dataset] == "demo" else ""
        fit, validation, test = (split[name] for name in ("fit", "validation", "test"))
        parts.append(f"{dataset}{made}: {fit} to fit, {validation} for choices, {test} to test")
    return (
        "Stimuli were dealt to three splits by a hash of their name ("
        + "; ".join(parts)
        + f"). Everything was fitted on the fit split of {facts['fit_on']}, every choice was made "
        "on the validation split, and all scores are of test splits."
    )


def _explanation(name, settings):
    mode = settings["mode"]
    if mode == "refined":
        return (
            f"The explanation {name} is {settings['start']} with its weights improved by "
            f"{settings['epochs']} epochs of gradient descent, its filters kept."
        )
    image = settings["image"] if mode == "cascade" else settings
    bank = image["bank"]
    longest = bank["min_wavelength_px"] * bank["scale_factor"] ** (bank["n_scales"] - 1)
    lead = (
        f"The explanation {name} predicts each layer from the layers that the network reads there,"
        " the first from the image,"
        if mode == "cascade"
        else f"The explanation {name} predicts every map of every layer from the image alone,"
    )
    return (
        f"{lead} by log-Gabor filters (Field 1987): {bank['n_scales']} scales of "
        f"{bank['min_wavelength_px']:g} to {longest:g} px of the network's input, "
        f"{bank['n_orientations']} orientations, bandwidth ratio {bank['bandwidth_ratio']:g}, "
        f"responses {', '.join([*image['kinds'], *image['mechanisms']])}, in the colour space "
        f"{image['colour'].upper()}. "
        "Weights come from ridge regression, its penalty chosen by held-out data. The "
        "predicted maps were fused to a density fitted to that of the "
        f"{settings['fusion']['target']}."
    )


def floors(facts: Mapping[str, Any]) -> tuple[float, float]:
    """
    Return the least p that a bootstrap over stimuli and that permutations can give.

    Parameters
    ----------
    facts : dict
        `n_resamples`, `permutations`.

    Returns
    -------
    bootstrap, permutations : float
    """
    return 2 / (facts["n_resamples"] + 1), 1 / (facts["permutations"] + 1)


def bibtex(year: int) -> str:
    """
    Return the references as BibTeX.

    Parameters
    ----------
    year : int

    Returns
    -------
    text : str
    """
    return BIBTEX.replace("VERSION", __version__).replace("YEAR", str(year))


def times(folder: str | Path) -> list[tuple[str, list[Any]]]:
    """
    Add up what the jobs of a run took, from their benchmarks.

    Parameters
    ----------
    folder : str or Path
        `results/benchmarks`.

    Returns
    -------
    rows : list of (str, list)
        Rule; jobs, minutes on the clock summed over jobs, minutes of CPU, and the largest memory in
        MB, "" of rules whose jobs ended before it was looked at. The longest first. Jobs that have
        not ended are not in it.
    """
    by_rule: dict[str, list[pd.Series]] = {}
    folder = Path(folder)
    for path in sorted(folder.rglob("*.tsv")):
        rule = path.relative_to(folder).parts[0].removesuffix(".tsv")
        row = pd.read_csv(path, sep="\t").iloc[-1]
        by_rule.setdefault(rule, []).append(pd.to_numeric(row, errors="coerce"))
    totals: list[tuple[str, int, float, float, float]] = []
    for rule, jobs in by_rule.items():
        table = pd.DataFrame(jobs)
        clock, cpu = (float(table[key].sum()) / 60 for key in ("s", "cpu_time"))
        totals.append((rule, len(table), clock, cpu, float(table["max_rss"].max())))
    return [
        (rule, [n, f"{clock:.2f}", f"{cpu:.2f}", f"{memory:.0f}" if memory >= SEEN else ""])
        for rule, n, clock, cpu, memory in sorted(totals, key=lambda row: (-row[2], row[0]))
    ]


def not_run(analyses: Sequence[str], verdicts: pd.DataFrame) -> list[str]:
    """
    List what the run left out.

    Parameters
    ----------
    analyses : sequence of str
        Those that were asked for.
    verdicts : DataFrame
        As `results/verdicts.csv`.

    Returns
    -------
    sentences : list of str
    """
    said = [
        f"analysis {name}: {words} (not among `analyses`)"
        for name, words in ALL_ANALYSES.items()
        if name not in analyses
    ]
    for (model, explanation), rows in verdicts.groupby(["model", "explanation"], sort=False):
        absent = rows[rows["passed"] == "not run"].drop_duplicates("test")
        for test, sentence in absent[["test", "sentence"]].itertuples(index=False):
            reason = re.sub(r"^Not run: |\.$", "", sentence)
            said.append(f"test {test.replace('_', ' ')} of {model}-{explanation}: {reason}")
    return said


def today() -> datetime.date:
    """Return the date in UTC."""
    return datetime.datetime.now(datetime.UTC).date()
