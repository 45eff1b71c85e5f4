"""
Make the files of `pretrained/` from a finished run: weights in float16, explanation, model card.

    python scripts/make_release.py OUT/results [--model cmrnet] [--explanation direct]

The run is one of examples/osie.yaml. The loss by rounding is measured on its test stimuli.
"""

import argparse
import json
import logging
import shutil
from pathlib import Path

from gaborscope.backbones import weights
from gaborscope.backbones.predictor import Predictor
from gaborscope.report import model_card
from gaborscope.store import paths
from gaborscope.store.blocks import read_data
from gaborscope.store.files import open_file
from gaborscope.store.tables import read_csv

log = logging.getLogger("gaborscope")


def main(results, model, explanation, out):
    """Round, copy, measure, write the card."""
    state_dict, description = weights.read_weights(results / "weights" / f"{model}.safetensors")
    params = json.loads(description["params"])
    trained_on = description["trained_on"][-1]
    dataset = trained_on["dataset"]
    data = sorted((results / "data" / dataset).glob("*.h5"))
    used = trained_on["blocks"] + trained_on["chosen_on_blocks"]
    test = [read_data(path) for path in data if paths.parse("data", path)["block"] not in used]
    saliency = next((results / "saliency" / model / dataset).glob("*.h5"))
    with open_file(saliency, "saliency") as file:
        uniform_weight = json.loads(file.attrs["params"])["uniform_weight"]
    kept = {key: description[key] for key in ("commit", "seed", "versions", "trained_on")}
    kept |= {"model": model, "backbone": params["backbone"], "uniform_weight": uniform_weight}
    out.mkdir(parents=True, exist_ok=True)
    exact, rounded = out / "exact.tmp", out / f"{model}_{dataset}.safetensors"
    weights.write_weights(exact, state_dict, kept)
    weights.write_weights(rounded, weights.half(state_dict), kept)
    rounded.chmod(0o644)
    loss = model_card.rounding(Predictor.load(exact), Predictor.load(rounded), test)
    exact.unlink()
    source = results / "explained" / model / dataset / f"{explanation}.h5"
    shutil.copyfile(source, out / f"{model}_{dataset}_{explanation}.h5")
    card = model_card.card(
        description, test, loss, read_csv(results / "summary.csv"), (model, dataset, explanation)
    )
    (out / "README.md").write_text(card, encoding="utf-8")
    log.info("wrote %s; loss by rounding: %s", out, loss)


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    parser = argparse.ArgumentParser(description=__doc__.strip().splitlines()[0])
    parser.add_argument("results", type=Path)
    parser.add_argument("--model", default="cmrnet")
    parser.add_argument("--explanation", default="direct")
    parser.add_argument("--out", type=Path, default=Path("pretrained"))
    given = parser.parse_args()
    main(given.results, given.model, given.explanation, given.out)
