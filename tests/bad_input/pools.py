"""Several data sets at `fit_on`."""

from bad_input.case import Case
from bad_input.laid import settled

FAMILY = "Several data sets for the fits"
TWO = "datasets: {mine: {type: folder, path: /data}}\nfit_on: [demo, mine]\n"
SEVERAL = "while fit_on names several data sets (demo, mine); name one there"


def on_two(settings, *more):
    return settled(TWO + settings, *more)


CASES = [
    Case(
        "a list of one data set", settled("fit_on: [demo]\n", lambda c: c["fit_on"]), gives="demo"
    ),
    Case(
        "an empty list",
        settled("fit_on: []\n"),
        says="config: fit_on is empty (Data set of all trainings and fits (fit split) and choices "
        "(validation split); or a list of several, taken together); write at least one entry, or "
        "leave the key out",
    ),
    Case(
        "a data set twice",
        settled("fit_on: [demo, demo]\n"),
        says="config: fit_on has 'demo' twice; leave one of them",
    ),
    Case(
        "a data set that is not there",
        settled("fit_on: [demo, osie]\n"),
        says="config: fit_on names the data set 'osie', but datasets has only demo",
    ),
    Case(
        "names that are long together",
        settled(
            f"datasets: {{{'a' * 90}: {{type: demo}}, {'b' * 90}: {{type: demo}}, "
            f"{'c' * 90}: {{type: demo}}}}\nfit_on: [{'a' * 90}, {'b' * 90}, {'c' * 90}]\n"
        ),
        says="config: the names at fit_on have 272 letters together; folders are called by them, "
        "so take shorter ones, at most 200 together",
    ),
    Case(
        "concepts",
        on_two(
            "concepts: {faces: {maps: {folder}}}\nexplanations: {direct: {concepts: [faces]}}\n"
        ),
        says=f"config: explanations.direct.concepts is faces {SEVERAL}, or take the concepts out",
    ),
    Case(
        "a refined cascade",
        on_two(
            "analyses: []\nexplanations:\n"
            "  {deep: {mode: cascade}, more: {mode: refined, start: deep}}\n",
            lambda c: c["explanations"]["more"]["mode"],
        ),
        gives="refined",
    ),
    Case(
        "a network that takes the centre bias",
        on_two(
            "models: {mine: {factory: examples/own_model.py:vit, layers: {early: blocks.0}, "
            "inputs: {centre_bias: fit}}}\n"
        ),
        says=f"config: models.mine.inputs takes the centre bias of one data set {SEVERAL}",
    ),
    Case(
        "spectra of the maps of others",
        on_two(
            "maps: {theirs: {paths: {demo: /maps, mine: /maps}}}\nspectra: {predictors: [theirs]}\n"
        ),
        says=f"config: spectra.predictors names the maps 'theirs' {SEVERAL}, or take the maps out",
    ),
]
