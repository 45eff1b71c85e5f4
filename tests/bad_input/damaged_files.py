"""Files of a run that were damaged, swapped, or cannot be written."""

import errno
import os

import h5py
import numpy as np
import torch
from bad_input.case import Case
from helpers import BOX, ORIGIN, make_layer

from gaborscope.backbones import weights
from gaborscope.explanation.model import ExplainedModel
from gaborscope.scoring import exposure
from gaborscope.stimuli import geometry
from gaborscope.store import checksums, tables
from gaborscope.store.layers import LayerWriter, read_layer_table, read_layers
from gaborscope.store.saliency import read_density, write_saliency

FAMILY = "Damaged files"
AGAIN = "; delete it and run again"
NO_CHECKSUM = (
    "has no checksums at its end: it is cut short, damaged, changed by another program, or "
    "written by an older version" + AGAIN
)
SALIENCY = "results/saliency/a/mine/00.h5"
WEIGHTS = "results/weights/a.safetensors"
SUMMARY = "results/summary.csv"


def flip(path, byte):
    """Flip one bit of a byte; negative from the end."""
    content = bytearray(path.read_bytes())
    content[byte] ^= 4
    path.write_bytes(content)


def saliency(folder, name=SALIENCY):
    path = folder / name
    write_saliency(path, ["a.png"], [np.full((30, 40), -np.log(1200))], ORIGIN)
    return path


def damaged_saliency(damage):
    """Return a use that reads a saliency file after the damage, a function of its path."""

    def use(folder):
        path = saliency(folder)
        damage(path)
        return read_density(path, 0)

    return use


def damaged_weights(damage):
    def use(folder):
        path = folder / WEIGHTS
        weights.write_weights(path, {"w": torch.ones(8)}, {"trained_on": []})
        damage(path)
        exposure.trained_on(path)
        return weights.read_weights(path)

    return use


def damaged_table(damage):
    def use(folder):
        path = folder / SUMMARY
        tables.write_csv(path, [{"metric": "nss", "mean": 1.25}])
        damage(path)
        return tables.read_csv(path).to_dict("records")

    return use


def damaged_layers(damage):
    def use(folder):
        path = folder / "results/layers/a.json"
        tables.write_json(path, {})
        damage(path)
        return read_layer_table(path)

    return use


def damaged_activations(byte):
    def use(folder):
        path = folder / "results/activations/a/mine/00.h5"
        layers = {"fine": make_layer(4, 3), "coarse": make_layer(8, 2)}
        with LayerWriter(path, geometry.group_by_input([(40, 60)], BOX), layers, ORIGIN) as writer:
            for name, layer in layers.items():
                shape = layer.shape[geometry.size_name(geometry.place((40, 60), BOX).input_size)]
                writer.put(0, name, np.full((layer.channels, *shape), 1.5))
        content = path.read_bytes()
        flip(path, content.index(np.full(50, 1.5, np.float16).tobytes()) + byte)
        return [sorted(maps) for *_, maps in read_layers(path, ["fine"])]

    return use


def truncate(n_bytes):
    return lambda path: os.truncate(path, path.stat().st_size - n_bytes)


def swap(write):
    """Copy another file of results/ over a file."""
    return lambda path: path.write_bytes(write(path.parents[4]).read_bytes())


def edit(change):
    """Change an HDF5 file by h5py, and give it new checksums."""

    def damage(path):
        with h5py.File(path, "r+") as file:
            change(file)
        checksums.seal(path)  # h5py has cut off the earlier ones

    return damage


def change_by_h5py(path):
    with h5py.File(path, "r+") as file:
        file.attrs.modify("seed", "2")


def drop(member):
    return edit(lambda file: file.__delitem__(member))


def replace(member, value):
    def change(file):
        del file[member]
        file[member] = value

    return edit(change)


def own(content):
    """Return a use that opens the file of --explanation with these bytes; None: a flipped bit."""

    def use(folder):
        path = saliency(folder, "mine.h5")
        flip(path, -99) if content is None else path.write_bytes(content)
        return ExplainedModel.load(path)

    return use


def folder_instead(path):
    path.unlink()
    path.mkdir()


def link_to_nothing(path):
    path.unlink()
    path.symlink_to("gone.h5")


def file_for_folder(folder):
    (folder / "results").write_text("x")
    return saliency(folder)


def folder_for_file(folder):
    (folder / SUMMARY).mkdir(parents=True)
    tables.write_csv(folder / SUMMARY, [{"a": 1}])


def full_disk(write):
    """Write to a file system that is full from the first byte on."""

    def use(folder):
        real = os.replace

        def refuse(*_):
            raise OSError(errno.ENOSPC, "No space left on device")

        os.replace = refuse
        try:
            write(folder)
        finally:
            os.replace = real

    return use


CASES = [
    Case(
        "a bit of a saliency map flipped",
        damaged_saliency(lambda path: flip(path, 3000)),
        says="{folder}/" + SALIENCY + " is damaged: its checksum is not that of its content"
        f"{AGAIN}",
    ),
    Case(
        "a bit of the last byte of an HDF5 file flipped",
        damaged_saliency(lambda path: flip(path, -1)),
        says="{folder}/" + SALIENCY + " " + NO_CHECKSUM,
    ),
    Case(
        "a bit of an HDF5 file's own checksum flipped",
        damaged_saliency(lambda path: flip(path, -22)),
        says="{folder}/" + SALIENCY + " is damaged: its checksum is not that of its content"
        f"{AGAIN}",
    ),
    Case(
        "the first bit of an HDF5 file flipped",
        damaged_saliency(lambda path: flip(path, 0)),
        says="{folder}/" + SALIENCY + f" cannot be read as HDF5{AGAIN}",
    ),
    Case(
        "an HDF5 file without its last byte",
        damaged_saliency(truncate(1)),
        says="{folder}/" + SALIENCY + " " + NO_CHECKSUM,
    ),
    Case(
        "an HDF5 file changed by h5py",
        damaged_saliency(change_by_h5py),
        says="{folder}/" + SALIENCY + " " + NO_CHECKSUM,
    ),
    Case(
        "an empty HDF5 file",
        damaged_saliency(lambda path: path.write_bytes(b"")),
        says="{folder}/" + SALIENCY + f" cannot be read as HDF5{AGAIN}",
    ),
    Case(
        "a folder in the place of an HDF5 file",
        damaged_saliency(folder_instead),
        says="{folder}/"
        + SALIENCY
        + " is a folder where a file should be; name the file in it, or remove it",
    ),
    Case(
        "a link to nothing in the place of an HDF5 file",
        damaged_saliency(link_to_nothing),
        says="{folder}/"
        + SALIENCY
        + " is a link to gone.h5, which is not there; mend or remove the link",
    ),
    Case(
        "the file of another block copied over a file",
        damaged_saliency(swap(lambda folder: saliency(folder, SALIENCY.replace("00", "01")))),
        says="{folder}/" + SALIENCY + " is another file: it was written as "
        f"results/saliency/a/mine/01.h5{AGAIN}",
    ),
    Case(
        "an HDF5 file, whole, copied elsewhere under another name",
        lambda folder: str(
            read_density(saliency(folder).rename(folder / "copy.h5"), 0).sum().round(6)
        ),
        gives="1.0",
    ),
    Case(
        "an HDF5 file without a member",
        damaged_saliency(drop("log_density/0")),
        says="{folder}/" + SALIENCY + ' cannot be read as a file of saliency ("Unable to '
        f"synchronously open object (object '0' doesn't exist)\"){AGAIN}",
    ),
    Case(
        "a group where an HDF5 file should have numbers",
        damaged_saliency(
            edit(lambda f: (f.__delitem__("log_density/0"), f.create_group("log_density/0")))
        ),
        says="{folder}/" + SALIENCY + " cannot be read as a file of saliency (Accessing a group is "
        f"done with bytes or str, not <class 'tuple'>){AGAIN}",
    ),
    Case(
        "a text where an HDF5 file should have numbers",
        damaged_saliency(replace("log_density/0", "none")),
        says="{folder}/" + SALIENCY + " cannot be read as a file of saliency "
        f"('bytes' object has no attribute 'astype'){AGAIN}",
    ),
    Case(
        "a bit of a layer that is read flipped",
        damaged_activations(20),
        says="{folder}/results/activations/a/mine/00.h5 is damaged: row 0 of 32x48/fine is not "
        f"what was written{AGAIN}",
    ),
    Case(
        "a bit of weights flipped",
        damaged_weights(lambda path: flip(path, -1)),
        says="{folder}/" + WEIGHTS + f" is damaged: its checksum is not that of its content{AGAIN}",
    ),
    Case(
        "a bit in the header of weights flipped, in the name of the checksum",
        damaged_weights(lambda path: flip(path, path.read_bytes().index(b"crc32"))),
        says="{folder}/" + WEIGHTS + " is damaged or written by an older version: there is no "
        f"checksum in its header{AGAIN}",
    ),
    Case(
        "weights cut in half",
        damaged_weights(truncate(16)),
        says="{folder}/" + WEIGHTS + f" is damaged: its checksum is not that of its content{AGAIN}",
    ),
    Case(
        "a digit of a table changed",
        damaged_table(lambda path: path.write_text(path.read_text().replace("1.25", "1.35"))),
        says="{folder}/" + SUMMARY + " is damaged or was changed: it is not the file that "
        ".summary.csv.sha256 beside it describes; delete it and run again, or delete that note to "
        "have it taken as it is",
    ),
    Case(
        "a table changed on purpose, its note deleted (the log says that it is unchecked)",
        damaged_table(
            lambda path: (
                path.write_text(path.read_text().replace("1.25", "1.35")),
                checksums.note_of(path).unlink(),
            )
        ),
        gives="[{'metric': 'nss', 'mean': 1.35}]",
    ),
    Case(
        "an empty table, its note deleted",
        damaged_table(lambda path: (path.write_bytes(b""), checksums.note_of(path).unlink())),
        says="{folder}/"
        + SUMMARY
        + f" cannot be read as a table (No columns to parse from file){AGAIN}",
    ),
    Case(
        "JSON cut short",
        damaged_layers(truncate(2)),
        says="{folder}/results/layers/a.json is damaged or was changed: it is not the file that "
        ".a.json.sha256 beside it describes; delete it and run again, or delete that note to have "
        "it taken as it is",
    ),
    Case(
        "JSON cut short, its note deleted",
        damaged_layers(lambda path: (truncate(2)(path), checksums.note_of(path).unlink())),
        says="{folder}/results/layers/a.json cannot be read as JSON (Expecting property name "
        f"enclosed in double quotes: line 1 column 2 (char 1)){AGAIN}",
    ),
    Case(
        "a file in the place of the folder results",
        file_for_folder,
        says="{folder}/" + SALIENCY + " cannot be written (Not a directory); a file lies where a "
        "folder should be; remove that file",
    ),
    Case(
        "a folder in the place of a table that is to be written",
        folder_for_file,
        says="{folder}/" + SUMMARY + " cannot be written (Is a directory); a folder lies in its "
        "place; remove that folder",
    ),
    Case(
        "a path that is too long for a table",
        lambda folder: tables.write_csv(folder / ("a" * 250 + ".csv"), []),
        says="{folder}/" + "a" * 250 + ".csv cannot be written (File name too long); choose a "
        "folder with a shorter path",
    ),
    Case(
        "a disk that is full when HDF5 is written",
        full_disk(saliency),
        says="{folder}/" + SALIENCY + " cannot be written (No space left on device); make room and "
        "run again",
    ),
    Case(
        "an explanation of the user's own that is no HDF5",
        own(b"no HDF5"),
        says="{folder}/mine.h5 cannot be read as HDF5; get or make it anew",
    ),
    Case(
        "an explanation of the user's own with a flipped bit",
        own(None),
        says="{folder}/mine.h5 is damaged: its checksum is not that of its content; get or "
        "make it anew",
    ),
]
