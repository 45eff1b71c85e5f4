"""
Banks fitted straight to a deep model's densities, with no layer between: the null of its layers.

Imported whenever the workflow is parsed: standard library alone.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

FROZEN_NAME, SAME_NAME = "loggabor_deep", "loggabor_deep_same"
NAMES = (FROZEN_NAME, SAME_NAME)
# Regressors, poolings and fusion of `loggabor_deep`: the defaults of mode direct when it was made.
# They never follow the config, so that later defaults are measured against the same null.
FROZEN = {
    "colour": "yuv",
    "boundary": "symmetric",
    "bank": {
        "n_scales": 4,
        "n_orientations": 8,
        "min_wavelength_px": 3.0,
        "scale_factor": 2.0,
        "bandwidth_ratio": 0.65,
        "angular_sigma": None,
    },
    "kinds": ["even", "odd", "amplitude"],
    "residual": True,
    "normalisation": True,
    "position": True,
    "second_stage": False,
    "mechanisms": [],
    "concepts": [],
    "control": None,
    "pools": [
        {"kind": "point", "width": 1.0},
        {"kind": "gaussian", "width": 2.0},
        {"kind": "gaussian", "width": 6.0},
    ],
    "stride": 4,
    "smoothing": 4.0,
    "penalties": [0.0001, 0.001, 0.01, 0.1, 1.0],
}
FUSION = ("stride", "smoothing", "penalties")


def plan(
    config: Mapping[str, Any], sections: Iterable[Sequence[str]], deep_models: Collection[str]
) -> dict[str, str]:
    """
    Return the banks of the deep models that an explanation of mode direct explains.

    Parameters
    ----------
    config : dict
        Complete.
    sections : list of [model, explanation]
    deep_models : collection of str

    Returns
    -------
    banks : dict of str to str
        By predictor, the deep model: `{model}-loggabor_deep`, and `{model}-loggabor_deep_same`
        where the regressors or poolings of the model's first explanation of mode direct differ.
    """
    banks = {}
    for model, explanation in sections:
        if model in deep_models and config["explanations"][explanation]["mode"] == "direct":
            banks[f"{model}-{FROZEN_NAME}"] = model
    for model in list(banks.values()):
        if _first(config, sections, model) not in (None, _regressors(FROZEN)):
            banks[f"{model}-{SAME_NAME}"] = model
    return banks


def settings(
    name: str, model: str, config: Mapping[str, Any], sections: Iterable[Sequence[str]]
) -> dict[str, Any]:
    """
    Return the settings of a bank.

    Parameters
    ----------
    name : {"loggabor_deep", "loggabor_deep_same"}
    model : str
        Deep model that it is fitted to, whose input it takes.
    config : dict
        Complete.
    sections : list of [model, explanation]

    Returns
    -------
    settings : dict
        As `analysis.fixation_bank.FixationBank.settings`, and `penalties`.
    """
    entry = dict(FROZEN)
    if name == SAME_NAME:
        entry.update(_first(config, sections, model) or {})
    size = config["backbones"][model]["input"]
    return {**entry, "input": {key: size[key] for key in ("height", "width", "fit", "multiple")}}


def has_same(
    config: Mapping[str, Any], sections: Iterable[Sequence[str]], model: str, explanation: str
) -> bool:
    """
    Tell whether `loggabor_deep_same` of a model has the regressors of an explanation.

    Parameters
    ----------
    config : dict
        Complete.
    sections : list of [model, explanation]
    model, explanation : str

    Returns
    -------
    has_same : bool
        Whatever bank stands in the place of the log-Gabors. Never of a cascade.
    """
    entry = config["explanations"][explanation]
    if entry["mode"] != "direct":
        return False
    return {**_regressors(entry), "control": None} == _first(config, sections, model)


def _first(config, sections, model):
    """Regressors and poolings of the first direct explanation of a model that is no control."""
    for explained, explanation in sections:
        entry = config["explanations"][explanation]
        if explained == model and entry["mode"] == "direct" and entry["control"] is None:
            return _regressors(entry)
    return None


def _regressors(entry):
    return {key: entry[key] for key in FROZEN if key not in FUSION}
