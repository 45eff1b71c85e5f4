"""
Make the files of `pretrained/` from a finished run: weights in float16, explanations, model card.

    python scripts/make_release.py OUT/results [--model cmrnet] [--explanation direct refined8]
                                   [--config examples/record.yaml] [--out pretrained]

Of several explanations the one with the lowest KL to the network's map on the validation split is
the default of explain_image.py. The loss by rounding is measured on the test stimuli.
"""

import argparse
import json
import logging
import re
import shutil
import sys
from pathlib import Path

from gaborscope.backbones import weights
from gaborscope.backbones.predictor import Predictor
from gaborscope.errors import InputError
from gaborscope.report import model_card
from gaborscope.store import compact, paths
from gaborscope.store.blocks import read_data
from gaborscope.store.files import open_file
from gaborscope.store.tables import read_csv, write_csv

log = logging.getLogger("gaborscope")
MOST = 12e6  # bytes of weights and explanations together


def main(results, model, explanations, out, config):
    """Round, copy, measure, write the card; nothing is replaced if the files are too large."""
    state_dict, description = weights.read_weights(results / "weights" / f"{model}.safetensors")
    entries = model_card.last_training(description["trained_on"])
    fitted_on = entries[0].get("pool", entries[0]["dataset"])
    test = {entry["dataset"]: test_blocks(results, entry) for entry in entries}
    kept = {key: description[key] for key in ("commit", "seed", "versions", "trained_on")}
    kept |= {"model": model, "backbone": json.loads(description["params"])["backbone"]}
    kept["uniform_weight"] = uniform_weight(results, model, entries[0]["dataset"])
    stem = f"{model}_{fitted_on.replace('+', '_')}"
    fresh = out / ".new"
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True)
    exact, rounded = fresh / "exact.tmp", fresh / f"{stem}.safetensors"
    weights.write_weights(exact, state_dict, kept)
    weights.write_weights(rounded, weights.half(state_dict), kept)
    rounded.chmod(0o644)
    every = [block for blocks in test.values() for block in blocks]
    loss = model_card.rounding(Predictor.load(exact), Predictor.load(rounded), every)
    exact.unlink()
    kl = {name: validation_kl(results, f"{model}-{name}", entries) for name in explanations}
    ordered = sorted(explanations, key=kl.__getitem__)
    for name in ordered:
        source = results / "explained" / model / fitted_on / f"{name}.h5"
        compact.copy_compressed(source, fresh / f"{stem}_{name}.h5")
    size = sum(path.stat().st_size for path in fresh.iterdir())
    if size > MOST:
        shutil.rmtree(fresh)
        raise InputError(
            f"the weights of {model} and {', '.join(explanations)} take {size / 1e6:.1f} MB, and "
            f"{MOST / 1e6:.0f} MB are the most; name fewer explanations, or smaller ones"
        )
    files = [f"{stem}_{name}.h5" for name in ordered]
    named = json.dumps({"weights": rounded.name, "explanations": files}, indent=1)
    (fresh / "released.json").write_text(f"{named}\n", encoding="utf-8")
    tables = [results / "summary.csv", results / "fidelity.csv"]
    tables = [read_csv(path) if path.is_file() else None for path in tables]
    beside = tables[1]
    if beside is not None:
        own = beside["predictor"].str.match(rf"{re.escape(model)}(-|_random)")
        kept = beside[own & (beside["measure"] == "fidelity")]
        write_csv(fresh / "fidelity.csv", kept)
    card = model_card.card(description, test, loss, tables, (model, stem, config), kl)
    (fresh / "README.md").write_text(card, encoding="utf-8")
    for path in fresh.iterdir():
        path.replace(out / path.name)
    fresh.rmdir()
    log.info("wrote %s, %.1f MB; loss by rounding: %s", out, size / 1e6, loss)


def test_blocks(results, entry):
    """Return the blocks of a data set that a training had no part of."""
    used = entry["blocks"] + entry["chosen_on_blocks"]
    data = sorted((results / "data" / entry["dataset"]).glob("*.h5"))
    return [read_data(path) for path in data if paths.parse("data", path)["block"] not in used]


def uniform_weight(results, model, dataset):
    """Return the share of the uniform density that is mixed into the maps of a run."""
    saliency = next((results / "saliency" / model / dataset).glob("*.h5"))
    with open_file(saliency, "saliency") as file:
        return json.loads(file.attrs["params"])["uniform_weight"]


def validation_kl(results, predictor, entries):
    """Return the mean KL to the network's map over the validation stimuli of all data sets."""
    model, _, name = predictor.partition("-")
    found = []
    for entry in entries:
        values = {"model": model, "predictor": predictor, "dataset": entry["dataset"]}
        path = results / Path(paths.make("fidelity_validation", **values)).relative_to("results")
        if not path.is_file():
            raise InputError(
                f"{path} is missing, so {name} has no KL on the validation split; finish the run "
                "with this explanation, and fit_on all of evaluate_on"
            )
        found += list(read_csv(path)["kl_deep"])
    return sum(found) / len(found)


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    parser = argparse.ArgumentParser(description=__doc__.strip().splitlines()[0])
    parser.add_argument("results", type=Path)
    parser.add_argument("--model", default="cmrnet")
    parser.add_argument("--explanation", nargs="+", default=["direct"])
    parser.add_argument("--config", default="examples/osie.yaml", help="of the run, for the card")
    parser.add_argument("--out", type=Path, default=Path("pretrained"))
    given = parser.parse_args()
    try:
        main(given.results, given.model, given.explanation, given.out, given.config)
    except InputError as error:
        sys.exit(f"error: {error}")
