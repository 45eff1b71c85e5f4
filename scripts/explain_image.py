"""
Predict where people look in a photograph, and explain it by log-Gabor filters.

    python scripts/explain_image.py photo.jpg [--out FOLDER] [--weights FILE] [--explanation FILE]
                                              [--concept NAME=MAP]...

Writes {name}.deep.png and {name}.explained.png (densities, 255 the maximum), {name}.npz (both
densities, and what each layer adds to the log-density), and {name}.panels.png, which shows them
all. The files of `pretrained/` are used unless others are given. An explanation that has concepts
needs the map of each on the photograph, an image or .npy: --concept faces=faces.png. A file that is
there already is replaced only if it was made of the same photograph, weights and explanation, or
with --force.
"""

import argparse
import contextlib
import hashlib
import logging
import os
import sys
import time
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, PngImagePlugin

from gaborscope.backbones.predictor import Predictor
from gaborscope.errors import InputError, require_file
from gaborscope.explanation.model import ExplainedModel
from gaborscope.report import drawing
from gaborscope.scoring import imported_maps
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
    paths = [Path(f"{stem}.{end}") for end in ("deep.png", "explained.png", "npz", "panels.png")]
    concepts = {name: Path(path) for name, path in map(named_file, arguments.concept)}
    source = source_of(
        arguments.image, arguments.weights, arguments.explanation, *concepts.values()
    )
    if not arguments.force:
        require_own(paths, source)
    deep = Predictor.load(arguments.weights).predict(image)
    maps = {name: imported_maps.read_file(path) for name, path in concepts.items()}
    explained, parts = ExplainedModel.load(arguments.explanation).contributions(image, maps)
    panels = [("", "image", image), ("deep model", "density", deep)]
    panels += [("explained", "density", explained)]
    panels += [(f"{name} adds", "activation", part) for name, part in parts.items()]
    arrays = {"deep": deep, "explained": explained, **parts}
    with contextlib.ExitStack() as stack:  # all files or none
        files = [stack.enter_context(whole(path)) for path in paths]
        save_density(deep, files[0], source)
        save_density(explained, files[1], source)
        save_arrays(arrays, files[2], source)
        drawing.save(drawing.stimulus_panels(panels, "viridis"), files[3], 110, source)
    agreement = cc(deep, explained)
    took = time.monotonic() - started
    log.info("%s.panels.png: CC of deep and explained %.2f, %.1f s", stem, agreement, took)


def named_file(text):
    """Return name and file of a concept's map."""
    name, equals, path = text.partition("=")
    if not (name and equals):
        raise InputError(f"--concept is {text!r}; write a name and a file, such as faces=faces.png")
    require_file(path)
    return name, path


def source_of(*paths):
    """Return the text by which a file tells that it was made of these files."""
    digests = [hashlib.sha256(path.read_bytes()).hexdigest() for path in map(Path, paths)]
    return f"gaborscope {hashlib.sha256(''.join(digests).encode()).hexdigest()}"


def require_own(paths, source):
    """Refuse to replace a file that was not made of the same files."""
    for path in filter(os.path.lexists, paths):
        if not path.is_file() or source.encode() not in path.read_bytes():
            raise InputError(
                f"{path} is there already, and was not made of this photograph with these weights "
                "and this explanation; choose another folder by --out, or replace it by --force"
            )


def save_density(density, path, source):
    """Write a density as grey PNG."""
    grey = Image.fromarray(np.rint(255 * density / density.max()).astype(np.uint8))
    text = PngImagePlugin.PngInfo()
    text.add_text("Source", source)
    grey.save(path, format="png", pnginfo=text)


def save_arrays(arrays, path, source):
    """Write arrays as .npz."""
    single: dict[str, Any] = {name: values.astype(np.float32) for name, values in arrays.items()}
    with open(path, "wb") as file:
        np.savez_compressed(file, **single)
    with zipfile.ZipFile(path, "a") as archive:
        archive.comment = source.encode()


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    parser = argparse.ArgumentParser(description=__doc__.strip().splitlines()[0])
    parser.add_argument("image")
    parser.add_argument("--out", type=Path, default=Path("."))
    parser.add_argument("--weights", default=FOLDER / "cmrnet_osie.safetensors")
    parser.add_argument("--explanation", default=FOLDER / "cmrnet_osie_direct.h5")
    parser.add_argument("--concept", action="append", default=[], metavar="NAME=MAP")
    parser.add_argument("--force", action="store_true", help="replace files of any origin")
    given = parser.parse_args()
    try:
        for path in (given.weights, given.explanation):
            require_file(path)
        main(given)
    except InputError as error:
        sys.exit(f"error: {error}")
