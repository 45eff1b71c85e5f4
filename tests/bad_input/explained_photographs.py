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
            path.write_text(source, encoding="utf-8")
        explain_image.require_own([path], explain_image.source_of(folder / "b.jpg"))
        return f"{output} is replaced"

    return use


def same_name(folder):
    names = {}
    for each in ("a.jpg", "other/a.png"):
        explain_image.require_new(folder / each, names, folder / "out")


def empty_folder(folder):
    explain_image.photographs_at(folder)


def folder_of_one(folder):
    (folder / "a.JPG").write_bytes(JPEG)
    for other in ("notes.txt", ".hidden.jpg", "b.figure.png"):
        (folder / other).write_bytes(JPEG)
    return ", ".join(path.name for path in explain_image.photographs_at(folder))


def unknown_name(folder):
    place = folder / "explained" / "cmrnet" / "osie"
    place.mkdir(parents=True)
    (place / "direct.h5").write_bytes(b"")
    explain_image.chosen("refined", folder)


def no_map(folder):
    explain_image.map_of(folder, folder / "a.jpg")


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
    Case(
        "a folder of maps of a concept without the photograph's",
        no_map,
        says="{folder} holds no maps of {folder}/a.jpg; put one there, called a.png or a.npy",
    ),
    Case(
        "two photographs of one name",
        same_name,
        says="{folder}/other/a.png would be written to {folder}/out/a.html as {folder}/a.jpg is; "
        "rename it, or explain it by itself with another --out",
    ),
    Case(
        "a folder without photographs",
        empty_folder,
        says="{folder} holds no photographs (.bmp, .jpeg, .jpg, .png, .tif, .tiff, .webp); name "
        "the folder that they lie in",
    ),
    Case("a folder with photographs and other files", folder_of_one, gives="a.JPG"),
    Case(
        "an explanation by a name that none has",
        unknown_name,
        says="--explanation is 'refined', and no explanations in {folder}/explained have this "
        "name; there are cmrnet-direct; name one of them, or its file",
    ),
    Case("the same photograph again", beside("a.html"), gives="a.html is replaced"),
    Case("its arrays again", beside("a.npz"), gives="a.npz is replaced"),
    Case(
        "another photograph of the same name before the extension",
        beside("a.html", OTHER),
        says=THERE % "a.html",
    ),
    Case("its arrays", beside("a.npz", OTHER), says=THERE % "a.npz"),
    Case(
        "a photograph of one's own in the place of a map",
        beside("a.html", written_by="the user"),
        says=THERE % "a.html",
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
