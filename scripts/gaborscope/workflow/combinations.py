"""
Check settings of a config against each other: what cannot work together is one sentence.

Imported whenever the workflow is parsed: standard library alone.
"""

import math
from collections.abc import Iterable, Mapping
from typing import Any

from gaborscope.errors import InputError
from gaborscope.workflow import completion, faults, pools

# Controls of which there is another bank for every `draw`.
DRAWN = ("noise", "phase_scrambled")
# Regressors of each mechanism for every colour channel, scale of it and filter of it.
MECHANISMS = {
    "local_normalisation": (0, 0, 2),
    "centre_surround": (0, 6, 0),
    "centre_surround_oriented": (0, 0, 3),
    "competition": (0, 3, 0),
    "half_waves": (0, 0, 2),
    "intensity": (0, 1, 0),
    "contrast": (0, 1, 0),
    "second_order": (0, 36, 0),
    "second_order_oriented": (0, 0, 12),
    "log_energy": (0, 5, 0),
    "rarity": (4, 4, 0),  # of each channel and of all three
    "grouping": (0, 9, 0),
}
# Names of groups of regressors and of parts of explained bits, which no concept may have.
GROUPS = (
    "contrast", "position", "colour", "scale", "orientation", "second_stage", "local_contrast",
    "even", "odd", "amplitude", "normalised", "residual", "unexplained", "explained", "deep",
    "fused", "none", *(name for name in MECHANISMS if name != "contrast"),
)  # fmt: skip
# Settings of data sets that are generated.
GENERATED = ("n_stimuli", "n_observers", "fixations_per_observer", "kinds")
# Colour maps of matplotlib; with _r behind its name, each runs the other way.
COLOUR_MAPS = """
magma inferno plasma viridis cividis twilight twilight_shifted turbo berlin managua vanimo Blues
BrBG BuGn BuPu CMRmap GnBu Greens Greys OrRd Oranges PRGn PiYG PuBu PuBuGn PuOr PuRd Purples RdBu
RdGy RdPu RdYlBu RdYlGn Reds Spectral Wistia YlGn YlGnBu YlOrBr YlOrRd afmhot autumn binary bone
brg bwr cool coolwarm copper cubehelix flag gist_earth gist_gray gist_heat gist_ncar gist_rainbow
gist_stern gist_yarg gnuplot gnuplot2 gray hot hsv jet nipy_spectral ocean pink prism rainbow
seismic spring summer terrain winter Accent okabe_ito Dark2 Paired Pastel1 Pastel2 Set1 Set2 Set3
tab10 tab20 tab20b tab20c grey gist_grey gist_yerg Grays
"""


def require(what: str, name: str, key: str, known: Iterable[str]) -> None:
    """Raise an InputError unless a name is among those of a key."""
    if name not in known:
        raise InputError(
            f"config: {what} {name!r}, but {key} has only {', '.join(known) or 'none'}"
            f"{faults.meant(name, known)}"
        )


def check(config: Mapping[str, Any]) -> None:
    """
    Check a config that keeps to the schema.

    Parameters
    ----------
    config : dict
        Complete; `models` may still be a mapping.

    Raises
    ------
    InputError
        If an entry names what is not there, or settings exclude each other.
    """
    explanations = config["explanations"]
    _check_generated(config["datasets"])
    _check_widths(config["datasets"])
    _check_starts(explanations)
    _check_draws(explanations)
    _check_solvers("explanations", explanations)
    _check_solvers("ablation.options", config["ablation"]["options"])
    _check_analyses(config)
    for name, entry in explanations.items():
        for model in entry["models"] or ():
            require(f"explanations.{name}.models names", model, "models", config["models"])
    _check_second_stages(explanations)
    _check_concepts(config)
    _check_readouts(explanations)
    _check_bits(config["bits"]["explanations"] or (), explanations)
    _check_spectra(config)
    for name in config["faithfulness"]["explanations"]:
        require("faithfulness.explanations names", name, "explanations", explanations)
        readout = explanations[name].get("readout", "linear")
        if readout != "linear":
            raise InputError(
                f"config: faithfulness.explanations names {name!r}, whose readout is {readout}; "
                "filters of linear explanations alone can be taken out of an image"
            )
    if "differentiation" in config["analyses"]:
        _check_differentiation(config["differentiation"]["explanations"], explanations)
    _check_colour_map(config["report"]["colour_map"])


def check_banks(config: Mapping[str, Any]) -> None:
    """
    Check that every bank fits the images that it filters.

    Parameters
    ----------
    config : dict
        Completed by `backbone_entries.complete`.

    Raises
    ------
    InputError
        If the longest wavelength of a bank is longer than the image.
    """
    for name, entry in config["explanations"].items():
        bank = entry["bank"] if entry["mode"] == "direct" else entry.get("image", {}).get("bank")
        for model in completion.explained_by(entry, config["models"]) if bank else ():
            size = config["backbones"][model]["input"]
            image = "" if entry["mode"] == "direct" else ".image"
            _check_bank(f"explanations.{name}{image}", bank, size, f"the input of {model}")
    fixations = config["baselines"]["loggabor_fixations"]
    if "loggabor_fixations" in config["baselines"]["predictors"]:
        where = "baselines.loggabor_fixations"
        _check_bank(where, fixations["bank"], fixations["input"], f"{where}.input")
    if "spectra" in config["analyses"]:
        spectra = config["spectra"]
        _check_bank("spectra", spectra["bank"], spectra["input"], "spectra.input")


def _check_bank(where, bank, size, image):
    """Refuse a bank whose longest wavelength is longer than the longer side of an image."""
    least, factor, n = (bank[k] for k in ("min_wavelength_px", "scale_factor", "n_scales"))
    longest, side = math.log(least) + (n - 1) * math.log(factor), max(size["height"], size["width"])
    if longest > math.log(side):
        raise InputError(
            f"config: {where}.bank has {n} scales from {least} px, each {factor} times the one "
            f"before, and the longest is longer than {image}, {size['height']} x {size['width']} "
            "px; lower n_scales, scale_factor or min_wavelength_px"
        )


def _check_generated(datasets):
    """Refuse settings of generated stimuli in a data set that is not generated."""
    for name, entry in datasets.items():
        given = [key for key in GENERATED if key in entry]
        if entry["type"] != "demo" and given:
            raise InputError(
                f"config: datasets.{name} is of type {entry['type']}, but has {given[0]}, which "
                "type demo alone has (the data set called demo gets it from config.yaml); call "
                "yours by another name, or take it out"
            )


def _check_widths(datasets):
    """Refuse a data set with two widths of the fixation density."""
    for name, entry in datasets.items():
        if None not in (entry.get("px_per_degree"), entry.get("sigma_px")):
            raise InputError(
                f"config: datasets.{name} has px_per_degree: {entry['px_per_degree']} and "
                f"sigma_px: {entry['sigma_px']}, two widths of the fixation density; keep "
                "px_per_degree, which is one degree, or sigma_px where the degrees are not known"
            )


def _check_colour_map(name):
    """Refuse a colour map that matplotlib has not."""
    known = COLOUR_MAPS.split()
    if name.removesuffix("_r") not in known:
        raise InputError(
            f"config: report.colour_map is {name!r}, which is no colour map of matplotlib; "
            f"{faults.nearest(name, known)}"
        )


def _check_analyses(config):
    """Refuse an ablation without options."""
    if "ablation" in config["analyses"] and not config["ablation"]["options"]:
        raise InputError(
            "config: analyses has ablation, but ablation.options is empty; name at least one "
            "option, such as options: {lab: {colour: lab}}"
        )
    if "direct" in config["ablation"]["options"]:
        raise InputError(
            "config: ablation.options: the name 'direct' is that of the explanation which options "
            "are compared with; choose another"
        )


def _check_solvers(where, explanations):
    """Refuse omp or ols without a budget, and a budget for a solver that takes all filters."""
    for name, entry in explanations.items():
        solver = entry.get("solver", {"name": "ridge", "budget": None})
        chooses = solver["name"] in ("omp", "ols")
        if chooses and solver["budget"] is None:
            raise InputError(
                f"config: {where}.{name}.solver is {solver['name']} without a budget; say how "
                "many filters a map may have, such as budget: 8"
            )
        if not chooses and solver["budget"] is not None:
            raise InputError(
                f"config: {where}.{name}.solver.budget is {solver['budget']}, but "
                f"{solver['name']} takes all filters; take omp or ols, or set it to null"
            )
        if chooses and not entry["second_stage"] and solver["budget"] > _n_regressors(entry):
            raise InputError(
                f"config: {where}.{name}.solver.budget is {solver['budget']}, but there are only "
                f"{_n_regressors(entry)} regressors; lower it, or take ridge"
            )


def _n_regressors(entry):
    """Count the regressors of an explanation of mode direct, without a second stage."""
    scales = entry["bank"]["n_scales"]
    filters = scales * entry["bank"]["n_orientations"]
    responses = filters * (len(entry["kinds"]) + entry["normalisation"]) + entry["residual"]
    for name in entry["mechanisms"]:
        of_channel, of_scale, of_filter = MECHANISMS[name]
        responses += of_channel + scales * of_scale + filters * of_filter
    return 3 * responses + 6 * entry["position"] + len(entry["concepts"])


def _check_concepts(config):
    """Refuse concepts named like a group, and what names concepts that have no maps."""
    concepts, fixations = config["concepts"], config["baselines"]["loggabor_fixations"]
    for name, entry in concepts.items():
        if name in GROUPS:
            raise InputError(
                f"config: concepts: {name!r} is already the name of a group of regressors or of "
                "bits; choose another"
            )
        for dataset in entry["maps"] if isinstance(entry["maps"], dict) else ():
            require(f"concepts.{name}.maps names", dataset, "datasets", config["datasets"])
    users = {f"explanations.{name}": entry for name, entry in config["explanations"].items()}
    users |= {f"ablation.options.{n}": e for n, e in config["ablation"]["options"].items()}
    users["baselines.loggabor_fixations"] = fixations
    needed = dict.fromkeys([*pools.members(config["fit_on"]), *config["evaluate_on"]])
    for where, entry in users.items():
        for name in entry.get("concepts", ()):
            require(f"{where}.concepts names", name, "concepts", concepts)
            maps = concepts[name]["maps"]
            for dataset in needed if isinstance(maps, dict) else ():
                if dataset not in maps:
                    raise InputError(
                        f"config: {where} has the concept {name!r}, but concepts.{name}.maps has "
                        f"none of {dataset}, which fit_on or evaluate_on names; add them"
                    )
    wanted = config["spectra"]["predictors"]
    named = config["baselines"]["predictors"] if wanted == "all" else wanted or ()
    like = config["baselines"]["loggabor_equal"]["like"]
    banks = {
        "loggabor_fixations": fixations,
        "loggabor_equal": config["explanations"].get(like, {}),
    }
    for name in named if "spectra" in config["analyses"] else ():
        if banks.get(name, {}).get("concepts"):
            raise InputError(
                f"config: spectra.predictors has {name}, whose concepts spectra do not see; name "
                "the others in spectra.predictors"
            )


def _check_second_stages(explanations):
    """Refuse a second stage if the bank has too few scales."""
    for name, entry in explanations.items():
        n = entry["bank"]["n_scales"] if entry["mode"] == "direct" else 3
        if entry.get("second_stage") and n < 3:
            raise InputError(
                f"config: explanations.{name}.second_stage is true with a bank of {n} scales; it "
                "filters amplitudes again two scales above, so give the bank at least 3"
            )


def _check_readouts(explanations):
    """Refuse a readout that no linear explanation with the same regressors is the start of."""
    for name, entry in explanations.items():
        if entry["mode"] != "direct":
            continue
        start, readout = entry["start"], entry["readout"]
        if readout == "linear" and start is not None:
            raise InputError(
                f"config: explanations.{name}.start is {start!r}, but its readout is linear, which "
                "goes on from nothing; set start to null, or take readout: additive or pairs"
            )
        if readout == "linear":
            continue
        fitting = [other for other in explanations if _starts(explanations[other], entry)]
        if start not in fitting:
            raise InputError(
                f"config: explanations.{name} has readout {readout} and start: {start or 'null'}; "
                "start must name a linear explanation with the same regressors: "
                f"{', '.join(fitting) or 'there is none'}"
            )
        if "amplitude" not in entry["kinds"] and not entry["normalisation"]:
            raise InputError(
                f"config: explanations.{name} has readout {readout}, which bends and multiplies "
                "amplitudes, but kinds has no amplitude; add it"
            )
        if entry["solver"]["name"] != "ridge":
            raise InputError(
                f"config: explanations.{name} has readout {readout} and solver "
                f"{entry['solver']['name']}; a readout needs ridge"
            )


# What a readout and the linear explanation that it goes on from may differ in.
OWN = ("models", "readout", "terms", "start", "fusion", "solver", "identities", "sparsity_scores")


def _starts(start, entry):
    """Whether a readout can go on from an explanation."""
    if start["mode"] != "direct" or start["readout"] != "linear":
        return False
    return all(start[key] == value for key, value in entry.items() if key not in OWN)


def _check_bits(names, explanations):
    """Refuse to split bits unless the explanation is of mode direct and solved by ridge."""
    known = [
        name
        for name, entry in explanations.items()
        if entry["mode"] == "direct" and entry["solver"]["name"] == "ridge"
    ]
    for name in names:
        if name not in known:
            raise InputError(
                f"config: bits.explanations names {name!r}, but only explanations of mode direct "
                f"solved by ridge can be split: {', '.join(known) or 'there is none'}"
            )


def _check_differentiation(names, explanations):
    """Refuse to differentiate what is no explanation of mode direct from the image alone."""
    for name in names:
        require("differentiation.explanations names", name, "explanations", explanations)
        entry = explanations[name]
        concepts = entry.get("concepts")
        if entry["mode"] != "direct" or concepts:
            has = f"has the concepts {', '.join(concepts)}" if concepts else "is a cascade"
            raise InputError(
                f"config: differentiation.explanations names {name!r}, which {has} and so has no "
                "gradient by the image; name explanations of mode direct without concepts"
            )


def _check_spectra(config):
    """Refuse the spectrum of a predictor that the run does not have."""
    known = [*config["models"], *config["baselines"]["predictors"], *config["maps"]]
    known += ["centre_bias", "gold_standard"]
    for name, entry in config["explanations"].items():
        explained = completion.explained_by(entry, config["models"])
        known += [f"{model}-{name}" for model in explained]
    wanted = config["spectra"]["predictors"]
    for name in wanted if isinstance(wanted, list) else ():
        if name not in known:
            raise InputError(
                f"config: spectra.predictors names {name!r}, but the predictors are "
                f"{', '.join(dict.fromkeys(known))}{faults.meant(name, known)}"
            )
        missing = pools.members(config["fit_on"]) if name in config["maps"] else []
        missing = [n for n in missing if n not in config["maps"][name]["paths"]]
        if missing:
            raise InputError(
                f"config: spectra.predictors names the maps {name!r}, but maps.{name}.paths has "
                f"none of {missing[0]}, the data set of fit_on, which spectra are fitted to"
            )


def _check_draws(explanations):
    """Refuse the number of a bank of which there is only one."""
    for name, entry in explanations.items():
        if entry.get("draw") and entry["control"] not in DRAWN:
            raise InputError(
                f"config: explanations.{name}.draw is {entry['draw']}, but its control is "
                f"{entry['control'] or 'null'}, of which there is one bank alone; leave draw out, "
                f"or take control: {' or '.join(DRAWN)}"
            )


def _check_starts(explanations):
    """Refuse a refined explanation whose chain of `start` has no cascade or leads to itself."""
    for name, entry in explanations.items():
        seen = [name]
        while entry["mode"] == "refined":
            start = entry["start"]
            if start not in explanations or explanations[start]["mode"] == "direct":
                known = [n for n, e in explanations.items() if e["mode"] != "direct" and n != name]
                raise InputError(
                    f"config: explanations.{seen[-1]}.start is {start!r}, which is no explanation "
                    f"of mode cascade or refined; there {'are' if known else 'is'} "
                    f"{', '.join(known) or 'none'}"
                )
            if start in seen:
                raise InputError(
                    f"config: explanations.{name}.start leads back to itself: "
                    f"{' from '.join([*seen, start])}"
                )
            seen.append(start)
            entry = explanations[start]
