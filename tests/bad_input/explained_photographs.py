"""Files that explain_image.py is given, and files that lie where it writes."""

import os

import explain_image
import numpy as np
from bad_input.case import Case
from bad_input.photographs import PICTURE, encoded

from gaborscope.explanation.model import ExplainedModel
from gaborscope.stimuli.images import open_image

FAMILY = "Explaining a photograph"
JPEG = encoded(PICTURE, "JPEG")
DENSITY = np.ones((4, 6))


def beside(output, photograph=JPEG, written_by="the same"):
    """Return a use that finds a file of another run where it writes `output`."""

    def use(folder):
        (folder / "a.jpg").write_bytes(JPEG)
        (folder / "b.jpg").write_bytes(photograph)
        path, source = folder / output, explain_image.source_of(folder / "a.jpg")
        if written_by == "the user":
            path.write_bytes(photograph)
        elif output.endswith(".npz"):
            explain_image.save_arrays({"deep": DENSITY}, path, source)
        else:
            explain_image.save_density(DENSITY, path, source)
        explain_image.require_own([path], explain_image.source_of(folder / "b.jpg"))
        return f"{output} is replaced"

    return use


def explanation(folder):
    ExplainedModel.load(folder)


def photograph_without_a_name(_):
    open_image("")


def link_to_nothing(folder):
    os.symlink("gone.jpg", folder / "a.jpg")
    open_image(folder / "a.jpg")


def pipe(folder):
    os.mkfifo(folder / "a.jpg")
    open_image(folder / "a.jpg")


THERE = (
    "{folder}/%s is there already, and was not made of this photograph with these weights and this "
    "explanation; choose another folder by --out, or replace it by --force"
)
OTHER = encoded(255 - PICTURE, "JPEG")

CASES = [
    Case(
        "a map of a concept without the concept's name",
        lambda folder: explain_image.named_file("faces.png"),
        says="--concept is 'faces.png'; write a name and a file, such as faces=faces.png",
    ),
    Case(
        "a map of a concept that is not there",
        lambda folder: explain_image.named_file(f"faces={folder}/faces.png"),
        says="there is no file {folder}/faces.png; correct the path",
    ),
    Case("the same photograph again", beside("a.deep.png"), gives="a.deep.png is replaced"),
    Case("its arrays again", beside("a.npz"), gives="a.npz is replaced"),
    Case(
        "another photograph of the same name before the extension",
        beside("a.deep.png", OTHER),
        says=THERE % "a.deep.png",
    ),
    Case("its arrays", beside("a.npz", OTHER), says=THERE % "a.npz"),
    Case(
        "a photograph of one's own in the place of a map",
        beside("a.deep.png", written_by="the user"),
        says=THERE % "a.deep.png",
    ),
    Case(
        "an explanation that is a folder",
        explanation,
        says="{folder} is a folder where a file should be; name the file in it, or remove it",
    ),
    Case(
        "a photograph without a name",
        photograph_without_a_name,
        says="there is no image ''; was it moved or deleted?",
    ),
    Case(
        "a photograph that is a link to nothing",
        link_to_nothing,
        says="{folder}/a.jpg is a link to gone.jpg, which is not there; mend or remove the link",
    ),
    Case(
        "a photograph that is a pipe",
        pipe,
        says="{folder}/a.jpg is a pipe or a device; name another image",
    ),
]
