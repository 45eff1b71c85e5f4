"""
Predict where people look in photographs, and explain it by log-Gabor filters.

    python scripts/explain_image.py PHOTO... --out FOLDER [--explanation NAME_OR_FILE] [--npz]
                                    [--results RESULTS] [--weights FILE] [--concept NAME=MAP]...

A PHOTO is a file or a folder of them. Of each it writes {name}.html, a page that loads nothing, and
{name}.figure.png and .svg for a slide; with --npz also the maps as arrays, {name}.npz. A picture
with a side above 1600 px is explained at 1600.

The released explanation is used, or another one: a file results/explained/MODEL/DATA/NAME.h5, or
NAME or MODEL-NAME of the run whose results/ are in the folder, or at --results. Its network's
weights are looked for beside it; without them the page has no map of the network. An explanation
that has concepts needs the map of each, an image or .npy, or for several photographs a folder of
maps with their names: --concept faces=faces.png. A file that is there already is replaced only if
it was made of the same photograph, weights and explanation, or with --force.
"""

from gaborscope.workflow import installed  # noqa: F401  says first what is missing

# isort: split
import argparse
import contextlib
import hashlib
import json
import logging
import os
import sys
import time
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from gaborscope.backbones.predictor import Predictor
from gaborscope.errors import InputError, require_file
from gaborscope.explanation import attribution
from gaborscope.explanation import layers as layer_tools
from gaborscope.explanation.differentiable import DifferentiableModel
from gaborscope.explanation.model import ExplainedModel
from gaborscope.report import (
    fidelity,
    photograph,
    photograph_figure,
    photograph_origin,
    photograph_page,
)
from gaborscope.scoring import imported_maps
from gaborscope.stimuli import densities, geometry
from gaborscope.stimuli.images import open_image
from gaborscope.store.files import whole
from gaborscope.store.tables import read_csv

log = logging.getLogger("gaborscope")
FOLDER = Path(__file__).resolve().parents[1] / "pretrained"
SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp"}
ENDS = ("html", "figure.png", "figure.svg")
MOST_PX = 1600  # of the larger side of what is explained


def main(arguments):
    """
    Explain all photographs; return how many there were and how many failed.

    What is not there is said first, and not after the others were explained.
    """
    paths, failed, names = [], 0, {}
    for given in arguments.photographs:
        try:
            paths += photographs_at(given)
        except InputError as error:
            log.error("error: %s", error)
            paths, failed = [*paths, None], failed + 1
    explainer = Explainer(arguments)
    for path in filter(None, paths):
        try:
            require_new(path, names, arguments.out)
            explainer.explain(path)
        except InputError as error:
            log.error("error: %s", error)
            failed += 1
    return len(paths), failed


def photographs_at(given):
    """Return the photographs that an argument means: a file, or those in a folder."""
    path = Path(given)
    if not path.is_dir():
        require_file(given, "image", "was it moved or deleted?")
        return [given]
    found = sorted(
        each
        for each in path.iterdir()
        if each.suffix.lower() in SUFFIXES
        and not each.name.startswith(".")
        and not each.name.endswith(".figure.png")  # made here
    )
    if not found:
        raise InputError(
            f"{given} holds no photographs ({', '.join(sorted(SUFFIXES))}); name the folder that "
            "they lie in"
        )
    return found


def require_new(path, names, out):
    """Refuse a photograph whose files would have the names of another one's."""
    stem = Path(path).stem
    other = names.setdefault(stem, path)
    if other is not path:
        raise InputError(
            f"{path} would be written to {out / stem}.html as {other} is; rename it, or explain it "
            "by itself with another --out"
        )


class Explainer:
    """An explanation with its network, and where pages go."""

    def __init__(self, arguments):
        self.given = arguments
        path, weights = chosen(arguments.explanation, arguments.results)
        self.files = [path, arguments.weights or weights]
        self.model = ExplainedModel.load(path)
        self.name = path.stem
        if path.parent == FOLDER and self.files[1]:
            self.name = path.stem.removeprefix(f"{Path(self.files[1]).stem}_")
        self.deep, self.network, self.missing = None, network_name(path), ""
        self._load_network(arguments.weights)
        self.gradient = None
        try:
            if any(fitted.settings.get("control") for fitted in self.model.fitted):
                raise InputError("its bank is a control, whose filters have no names")
            self.gradient = DifferentiableModel(self.model)
        except InputError as error:
            self.missing = str(error).partition(";")[0]
        self.concepts = dict(map(named_file, arguments.concept))
        network = None if self.deep is None else self.deep.description
        self.known = photograph_origin.sentences(path, network)
        self.beside = self._beside(path)

    def _beside(self, path):
        """Return what is known of the explanation's fidelity over test stimuli."""
        folders = [FOLDER] if path.parent == FOLDER else list(path.absolute().parents)[3:4]
        table = next((folder / "fidelity.csv" for folder in folders), None)
        if table is None or not table.is_file():
            return []
        return fidelity.in_short(read_csv(table), self.network, self.name)

    def _load_network(self, asked):
        """Load the network; weights that were not asked for may be of no use."""
        if self.files[1] is None:
            return
        try:
            self.deep = Predictor.load(self.files[1], self.model.uniform_weight)
            self.network = self.deep.description["model"]
        except InputError as error:
            if asked:
                raise
            log.warning("the map of the network is left out: %s", error)
            self.files[1] = None

    def explain(self, path):
        """Explain one photograph and write its files, all or none."""
        started = time.monotonic()
        stem = self.given.out / Path(path).stem
        paths = [Path(f"{stem}.{end}") for end in ENDS]
        paths += [Path(f"{stem}.npz")] if self.given.npz else []
        image, notes = open_image(path, exif="apply")
        for note in notes:
            log.info("%s: %s", path, note)
        maps = {name: map_of(place, path) for name, place in self.concepts.items()}
        source = source_of(path, *filter(None, self.files), *maps.values())
        if not self.given.force:
            require_own(paths, source)
        content = self._content(path, image, maps)
        facts = self._facts(content)
        with contextlib.ExitStack() as stack:  # all files or none
            files = [stack.enter_context(whole(path)) for path in paths]
            page = photograph_page.render(content, facts, source)
            files[0].write_text(page, encoding="utf-8")
            photograph_figure.save(photograph_figure.draw(content), files[1], files[2], source)
            if self.given.npz:
                save_arrays(arrays_of(content), files[3], source)
        close = content.measures()
        said = f"fidelity {close['fidelity']:.2f}, CC {close['cc']:.2f}, " if close else ""
        if content.attribution is not None:
            said += f"parts sum to the whole but for {100 * content.attribution.error:.2f} %, "
        log.info("%s.html: %s%.1f s", stem, said, time.monotonic() - started)

    def _content(self, path, image, maps):
        size = image.shape[:2]
        image = photograph.shrunk(image, MOST_PX)
        read = {concept: imported_maps.read_file(place) for concept, place in maps.items()}
        read = {
            concept: densities.resize_bilinear(np.asarray(values, float), image.shape[:2])
            if values.shape == size != image.shape[:2]
            else values
            for concept, values in read.items()
        }
        settings = self.model.fitted[0].settings if self.model.fitted else None
        bank, channels = layer_tools.bank_and_channels(settings) if settings else (None, ())
        bias = densities.resize_bilinear(self.model.centre_bias, image.shape[:2])
        found = None if self.gradient is None else attribution.attribute(self.gradient, image)
        return photograph.Content(
            name=Path(path).name,
            origin=self.known.get(hashlib.sha256(Path(path).read_bytes()).hexdigest(), ""),
            image=image,
            size=size,
            explanation=self.name,
            network=self.network,
            deep=None if self.deep is None else self.deep.predict(image),
            explained=self.model.predict(image, read).astype(float),
            centre_bias=bias / bias.sum(),
            attribution=found,
            missing=self.missing,
            box=geometry.Box(*self.model.box),
            bank=bank,
            channels=channels,
            space=settings["colour"] if settings else "",
            layers=[fitted.name for fitted in self.model.layers],
            beside=self.beside,
        )

    def _facts(self, content):
        placement = geometry.place(content.image.shape[:2], content.box)
        facts = [
            f"Explanation {self.files[0].name}"
            + (f", weights {Path(self.files[1]).name}" if self.files[1] else "")
            + f". The network sees the photograph at {placement.width} × {placement.height} px, so "
            f"one of its px is {content.scale:.1f} px here."
        ]
        if content.image.shape[:2] != content.size:
            facts.append(
                f"The photograph was made smaller before, to {content.image.shape[1]} × "
                f"{content.image.shape[0]} px; the bound is {MOST_PX} px for the larger side."
            )
        return facts


def chosen(name, results):
    """Return the file of an explanation and that of its network's weights, if there is one."""
    if name is None:
        return released()[0]
    path = Path(name)
    if path.suffix != ".h5" and not path.exists():
        folder = Path(results) / "explained"
        if not folder.is_dir():  # the folder of the run was given, not its results/
            folder = Path(results) / "results" / "explained"
        known = {each: each.relative_to(folder).parts for each in sorted(folder.glob("*/*/*.h5"))}
        found = [
            each
            for each, (model, _, file) in known.items()
            if name in (Path(file).stem, f"{model}-{Path(file).stem}")
        ]
        if len(found) != 1:
            all_names = dict.fromkeys(f"{m}-{Path(file).stem}" for m, _, file in known.values())
            raise InputError(
                f"--explanation is {name!r}, and {len(found) or 'no'} explanations in {folder} "
                f"have this name; there are {', '.join(all_names) or 'none'}; name one of them, or "
                "its file"
            )
        path = found[0]
    require_file(path)
    for own in released():
        if path.resolve() == own[0].resolve():
            return own
    weights = path.parents[2].parent / "weights" / f"{network_name(path)}.safetensors"
    return path, weights if len(path.parts) > 3 and weights.is_file() else None


def released():
    """Return the files of each explanation that comes along, and of its network; the best first."""
    found = json.loads((FOLDER / "released.json").read_text(encoding="utf-8"))
    return [(FOLDER / name, FOLDER / found["weights"]) for name in found["explanations"]]


def network_name(path):
    """Return the name of the network that an explanation's place tells."""
    return path.parent.parent.name or "the network"


def named_file(text):
    """Return name and file, or folder, of a concept's maps."""
    name, equals, path = text.partition("=")
    if not (name and equals):
        raise InputError(f"--concept is {text!r}; write a name and a file, such as faces=faces.png")
    if not Path(path).is_dir():
        require_file(path)
    return name, Path(path)


def map_of(place, photo):
    """Return the file of a concept's map of a photograph."""
    if not place.is_dir():
        return place
    stem = Path(photo).stem
    found = sorted(each for each in place.iterdir() if each.stem == stem)
    if len(found) != 1:
        raise InputError(
            f"{place} holds {len(found) or 'no'} maps of {photo}; put one there, called {stem}.png "
            f"or {stem}.npy"
        )
    return found[0]


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


def arrays_of(content):
    """Return the maps of a photograph by name."""
    arrays = {"explained": content.explained}
    if content.deep is not None:
        arrays["deep"] = content.deep
    if content.attribution is not None:
        arrays |= {"log2_explained": content.attribution.explained}
        arrays |= {"log2_start": content.attribution.start}
        for partition, own in content.attribution.maps.items():
            for member, name in content.members(partition).items():
                arrays[f"{partition} {name}"] = own[member]
    return arrays


def save_arrays(arrays, path, source):
    """Write arrays as .npz."""
    single: dict[str, Any] = {name: values.astype(np.float32) for name, values in arrays.items()}
    with open(path, "wb") as file:
        np.savez_compressed(file, **single)
    with zipfile.ZipFile(path, "a") as archive:
        archive.comment = source.encode()


def read_arguments(words):
    """Arguments of the command line; a photograph whose name begins with a dash is no option."""
    parser = argparse.ArgumentParser(description=__doc__.strip().splitlines()[0])
    parser.add_argument("photographs", nargs="+", metavar="PHOTO", help="a file, or a folder")
    parser.add_argument(
        "--out", type=Path, default=Path("."), metavar="FOLDER", help="of the pages"
    )
    parser.add_argument("--explanation", metavar="NAME_OR_FILE", help="the released one by default")
    parser.add_argument(
        "--results", default="results", metavar="FOLDER", help="of the run that has NAME"
    )
    parser.add_argument(
        "--weights", metavar="FILE", help="of the network, where they are not found"
    )
    parser.add_argument(
        "--concept",
        action="append",
        default=[],
        metavar="NAME=MAP",
        help="of a concept that it was fitted with",
    )
    parser.add_argument("--npz", action="store_true", help="write the maps as arrays too")
    parser.add_argument("--force", action="store_true", help="replace files of any origin")
    dashed = {word for word in words if word.startswith("-") and Path(word).is_file()}
    words = [f"./{word}" if word in dashed else word for word in words]
    return parser.parse_intermixed_args(words)


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    given = read_arguments(sys.argv[1:])
    try:
        number, failures = main(given)
    except InputError as error:
        sys.exit(f"error: {error}")
    if failures:
        sys.exit(f"error: {failures} of {number} arguments or photographs were not explained")
