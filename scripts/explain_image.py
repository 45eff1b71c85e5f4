"""
Predict where people look in a photograph, and explain it by log-Gabor filters.

    python scripts/explain_image.py photo.jpg [--out FOLDER] [--weights FILE] [--explanation FILE]

Writes {name}.deep.png and {name}.explained.png (densities, 255 the maximum), {name}.npz (both
densities, and what each layer adds to the log-density), and {name}.panels.png, which shows them
all. The files of `pretrained/` are used unless others are given.
"""

import argparse
import logging
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from gaborscope.backbones.predictor import Predictor
from gaborscope.errors import InputError
from gaborscope.explanation.model import ExplainedModel
from gaborscope.report import drawing
from gaborscope.scoring.metrics import cc
from gaborscope.stimuli.images import open_image
from gaborscope.store.files import whole

log = logging.getLogger("gaborscope")
FOLDER = Path(__file__).resolve().parents[1] / "pretrained"


def main(arguments):
    """Predict, explain, write."""
    started = time.monotonic()
    image, notes = open_image(arguments.image, exif="apply")
    for note in notes:
        log.info("%s: %s", arguments.image, note)
    stem = arguments.out / Path(arguments.image).stem
    deep = Predictor.load(arguments.weights).predict(image)
    explained, parts = ExplainedModel.load(arguments.explanation).contributions(image)
    for name, density in (("deep", deep), ("explained", explained)):
        grey = np.rint(255 * density / density.max()).astype(np.uint8)
        with whole(f"{stem}.{name}.png") as temporary:
            Image.fromarray(grey).save(temporary, format="png")
    arrays = {"deep": deep, "explained": explained, **parts}
    single: dict[str, Any] = {k: v.astype(np.float32) for k, v in arrays.items()}
    with whole(f"{stem}.npz") as temporary, open(temporary, "wb") as file:
        np.savez_compressed(file, **single)
    panels = [("", "image", image), ("deep model", "density", deep)]
    panels += [("explained", "density", explained)]
    panels += [(f"{name} adds", "activation", part) for name, part in parts.items()]
    drawing.save(drawing.stimulus_panels(panels, "viridis"), f"{stem}.panels.png", 110)
    agreement = cc(deep, explained)
    took = time.monotonic() - started
    log.info("%s.panels.png: CC of deep and explained %.2f, %.1f s", stem, agreement, took)


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    parser = argparse.ArgumentParser(description=__doc__.strip().splitlines()[0])
    parser.add_argument("image")
    parser.add_argument("--out", type=Path, default=Path("."))
    parser.add_argument("--weights", default=FOLDER / "cmrnet_osie.safetensors")
    parser.add_argument("--explanation", default=FOLDER / "cmrnet_osie_direct.h5")
    try:
        main(parser.parse_args())
    except InputError as error:
        sys.exit(f"error: {error}")
