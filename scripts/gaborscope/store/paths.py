"""
Paths of the files in results/: made from kind and wildcards, and parsed back.

A path is relative to the working directory of a run (`--directory`). Standard library only: the
workflow imports this module whenever it is parsed. Logs and benchmarks, which no stage reads, are
not in it: results/logs/<rule>/<wildcards>.log, results/benchmarks/<rule>/<wildcards>.tsv.
"""

import functools
import re
from collections.abc import Iterable
from pathlib import Path

from gaborscope.errors import InputError

_EXPLANATION = "{model}/{dataset}/{explanation}"
_FAITHFULNESS = f"results/faithfulness/{_EXPLANATION}"

# By kind, the path with its wildcards as Snakemake writes them.
PATTERNS = {
    # data and networks
    "downloads": "results/downloads/{dataset}.json",
    "data": "results/data/{dataset}/{block}.h5",
    "weights": "results/weights/{model}.safetensors",
    "start": "results/start/{model}.safetensors",
    "checkpoints": "results/checkpoints/{predictor}.pt",
    "layers": "results/layers/{model}.json",
    "activations": "results/activations/{model}/{dataset}/{block}.h5",
    "saliency": "results/saliency/{predictor}/{dataset}/{block}.h5",
    "concepts": "results/concepts/{concept}/{dataset}/{block}.h5",
    "centre_bias": "results/centre_bias/{dataset}.h5",
    "fixation_bank": "results/fixation_bank/{dataset}.h5",
    "equal_bank": "results/equal_bank/{dataset}.h5",
    "deep_bank": f"results/deep_bank/{_EXPLANATION}.h5",
    # explanations
    "terms": f"results/terms/{_EXPLANATION}.json",
    "statistics": f"results/statistics/{_EXPLANATION}/{{block}}.h5",
    "filters": f"results/filters/{_EXPLANATION}/{{layer}}.h5",
    "reconstructions": f"results/reconstructions/{_EXPLANATION}/{{block}}.h5",
    "explained": f"results/explained/{_EXPLANATION}.h5",
    # analyses of explanations
    "explained_variance": f"results/explained_variance/{_EXPLANATION}.csv",
    "identities": f"results/identities/{_EXPLANATION}.csv",
    "sparsity": f"results/sparsity/{_EXPLANATION}.csv",
    "sparsity_scores": f"results/sparsity_scores/{_EXPLANATION}.csv",
    "tuning": f"results/tuning/{_EXPLANATION}.csv",
    "tuning_maps": f"results/tuning/{_EXPLANATION}.maps.csv",
    "anatomy": f"results/anatomy/{_EXPLANATION}/{{table}}.csv",
    "bits": f"results/bits/{_EXPLANATION}.csv",
    "bits_parts": f"results/bits/{_EXPLANATION}/{{part}}.csv",
    "spectra_sums": "results/spectra/{dataset}/{split}.h5",
    "spectra": "results/spectra.csv",
    "ablation_scores": "results/ablation/{model}/{option}.csv",
    "ablation_layers": "results/ablation/{model}/{option}.layers.csv",
    "ablation": "results/ablation.csv",
    # scores of all predictors
    "scores": "results/scores/{preset}/{predictor}/{dataset}.csv",
    "scores_validation": "results/scores/{preset}/{predictor}/{dataset}.validation.csv",
    "scores_shuffle": "results/scores/{preset}/{predictor}/{dataset}.shuffle.json",
    "summary": "results/summary.csv",
    "summary_validation": "results/summary.validation.csv",
    "shares": "results/shares.csv",
    "differences": "results/differences.csv",
    "normalised": "results/normalised.csv",
    "ranks": "results/ranks.csv",
    "calibration": "results/calibration/{predictor}/{dataset}.json",
    "calibrated": "results/calibrated/{preset}/{predictor}/{dataset}.csv",
    "calibrated_validation": "results/calibrated/{preset}/{predictor}/{dataset}.validation.csv",
    "calibrated_shuffle": "results/calibrated/{preset}/{predictor}/{dataset}.shuffle.json",
    "summary_calibrated": "results/summary.calibrated.csv",
    # closeness to the deep model
    "fidelity_stimuli": "results/fidelity/{model}/{predictor}/{dataset}.csv",
    "fidelity_validation": "results/fidelity/{model}/{predictor}/{dataset}.validation.csv",
    "fidelity": "results/fidelity.csv",
    # refutation
    "halves": f"results/refutation/halves/{_EXPLANATION}.csv",
    "seeds": "results/refutation/seeds/{explanation}.csv",
    "means": f"{_FAITHFULNESS}/means.json",
    "notches": f"{_FAITHFULNESS}/notches.csv",
    "substitution_blocks": f"{_FAITHFULNESS}/substitution/{{block}}.csv",
    "substitution": f"{_FAITHFULNESS}/substitution.csv",
    "substitution_differences": f"{_FAITHFULNESS}/substitution.differences.csv",
    "interventions_blocks": f"{_FAITHFULNESS}/interventions/{{block}}.csv",
    "interventions": f"{_FAITHFULNESS}/interventions.csv",
    "interventions_summary": f"{_FAITHFULNESS}/interventions.summary.csv",
    "differentiation": f"results/differentiation/{_EXPLANATION}.csv",
    "differentiation_summary": f"results/differentiation/{_EXPLANATION}.summary.csv",
    "differentiation_images": f"results/differentiation/{_EXPLANATION}.h5",
    "verdicts": "results/verdicts.csv",
    # the report
    "report": "results/report/index.html",
    "figures": "results/figures",
    "record": "results/record",
    "record_ablation": "results/record_ablation",
    # maps for other programs
    "export": "results/export/{predictor}/{dataset}",
}
# Regular expressions of wildcards; all others match NAME. A predictor may be {model}-{explanation},
# a data set a pool of several (osie+crowd), whose blocks are theirs (osie-00).
NAME = "[a-z0-9_]+"
VALUES = {
    "block": f"(?:{NAME}-)?[0-9]+",
    "dataset": rf"{NAME}(?:\+{NAME})*",
    "predictor": f"{NAME}(?:-{NAME})?",
    "split": "fit|validation|test",
}


def wildcards(kind: str) -> tuple[str, ...]:
    """
    Names of the wildcards in the paths of a kind, in their order.

    Parameters
    ----------
    kind : str
        Key of `PATTERNS`.

    Returns
    -------
    names : tuple of str

    Raises
    ------
    ValueError
        If there is no such kind.
    """
    return tuple(re.findall(r"{(\w+)}", _pattern(kind)))


def make(kind: str, **values: str) -> str:
    """
    Path of a file of a kind.

    Parameters
    ----------
    kind : str
        Key of `PATTERNS`.
    **values : str
        One for each wildcard of the kind.

    Returns
    -------
    path : str
        Relative, with slashes.

    Raises
    ------
    ValueError
        If there is no such kind, a wildcard has no value, a value no wildcard, or a value other
        characters than its wildcard allows.
    """
    names = wildcards(kind)
    if set(names) != set(values):
        raise ValueError(
            f"a path of kind '{kind}' takes the wildcards {', '.join(names) or 'none'}, "
            f"got {', '.join(values) or 'none'}"
        )
    for name, value in values.items():
        if not re.fullmatch(VALUES.get(name, NAME), str(value)):
            raise ValueError(
                f"'{value}' is no value of the wildcard {name} of kind '{kind}', which matches "
                f"{VALUES.get(name, NAME)}"
            )
    return _pattern(kind).format(**values)


def parse(kind: str, path: str | Path) -> dict[str, str]:
    """
    Wildcards of a path of a kind.

    Parameters
    ----------
    kind : str
        Key of `PATTERNS`.
    path : str or Path
        As `make` gives it; folders may stand before results/.

    Returns
    -------
    values : dict of str to str
        By wildcard, in the order of the path.

    Raises
    ------
    InputError
        If the path is not of this kind.
    ValueError
        If there is no such kind.
    """
    matched = _regex(kind).fullmatch(Path(path).as_posix())
    if matched is None:
        raise InputError(f"{path} is no path {_pattern(kind)} (kind '{kind}' of results/)")
    return matched.groupdict()


def kind_of(path: str | Path) -> str:
    """
    Kind of a file below results/.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    kind : str
        The only one whose pattern the path matches.

    Raises
    ------
    InputError
        If the path matches no pattern.
    """
    text = Path(path).as_posix()
    for kind in PATTERNS:
        if _regex(kind).fullmatch(text):
            return kind
    raise InputError(f"{path} is no file of results/; see store.paths.PATTERNS")


def canonical(path: str | Path) -> str | None:
    """
    Path of a file of results/ without the folders before results/.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    path : str or None
        None if the path matches no pattern.
    """
    try:
        kind = kind_of(path)
    except InputError:
        return None
    return make(kind, **parse(kind, path))


def index(kind: str, paths: Iterable[str], wildcard: str, **values: str) -> dict[str, str]:
    """
    Paths by the value of one wildcard.

    Parameters
    ----------
    kind : str
        Key of `PATTERNS`.
    paths : iterable of str
        All of this kind.
    wildcard : str
        Whose values become the keys.
    **values : str
        As for `select`.

    Returns
    -------
    paths : dict of str to str
        In the order given.

    Raises
    ------
    InputError
        If a path is not of this kind, or two have the same value.
    ValueError
        If there is no such kind or wildcard.
    """
    _check_names(kind, [wildcard])
    by_value: dict[str, str] = {}
    for path in select(kind, paths, **values):
        value = parse(kind, path)[wildcard]
        if value in by_value:
            raise InputError(f"{by_value[value]} and {path} have the same {wildcard}")
        by_value[value] = path
    return by_value


def select(kind: str, paths: Iterable[str], **values: str) -> list[str]:
    """
    Select the paths whose wildcards have the given values.

    Parameters
    ----------
    kind : str
        Key of `PATTERNS`.
    paths : iterable of str
        All of this kind.
    **values : str
        By wildcard.

    Returns
    -------
    paths : list of str
        In the order given.

    Raises
    ------
    InputError
        If a path is not of this kind.
    ValueError
        If there is no such kind or wildcard.
    """
    _check_names(kind, values)
    return [path for path in paths if values.items() <= parse(kind, path).items()]


def _check_names(kind: str, names: Iterable[str]) -> None:
    for name in names:
        if name not in wildcards(kind):
            raise ValueError(
                f"paths of kind '{kind}' have no wildcard '{name}', "
                f"only {', '.join(wildcards(kind)) or 'none'}"
            )


def _pattern(kind: str) -> str:
    if kind not in PATTERNS:
        raise ValueError(f"results/ has no files of kind '{kind}'; see store.paths.PATTERNS")
    return PATTERNS[kind]


@functools.cache
def _regex(kind: str) -> re.Pattern:
    parts = re.split(r"{(\w+)}", _pattern(kind))
    text = re.escape(parts[0])
    for name, literal in zip(parts[1::2], parts[2::2], strict=True):
        text += f"(?P<{name}>{VALUES.get(name, NAME)})" + re.escape(literal)
    return re.compile(f"(?:.*/)?{text}")
