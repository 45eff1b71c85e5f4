"""Binary files of data sets that lack something, or hold something else."""

import io
import logging
import struct
import zlib
from unittest import mock

import h5py
import numpy as np
from bad_input.case import Case, said
from bad_input.fixation_tables import lay
from scipy.io import savemat

from gaborscope.data import catalogue, loading
from gaborscope.data.readers import mit1003, osie, pysaliency_hdf5, reading, salicon

FAMILY = "HDF5 and MATLAB files"


def hdf5(kind, read=pysaliency_hdf5.read_fixations, **members):
    """Return a use that reads a file of pysaliency's with these members."""

    def use(folder):
        with h5py.File(folder / "f.hdf5", "w") as file:
            if kind is not None:
                file.attrs["type"] = kind
            for name, values in members.items():
                if callable(values):
                    values(file, name)
                else:
                    file[name] = values
        if read is pysaliency_hdf5.read_fixations:
            return [rows.tolist() for rows in read(folder / "f.hdf5", 2)[0]]
        return read(folder / "f.hdf5", [0])[0][0, 0].tolist()

    return use


def pair(kind, members, images=("stimuli/a.png", "stimuli/b.png"), **settings):
    """
    Return a use that loads two files of pysaliency's.

    It gives stimulus, x, y of each fixation, and what is logged.
    """

    def use(folder):
        lay(folder, "")
        with h5py.File(folder / "stimuli.hdf5", "w") as file:
            file.attrs["type"] = "FileStimuli"
            file["filenames"] = list(images)
        with h5py.File(folder / "fixations.hdf5", "w") as file:
            file.attrs["type"] = kind
            for name, values in members.items():
                file[name] = values
        entry = {"type": "pysaliency", "path": str(folder), **settings}
        with said(logging.INFO) as words:
            block = loading.load_block(entry, list(catalogue.index("m", entry, folder)), folder)
        names = (block.names[i] for i in block.stimulus)
        places = zip(names, block.x.tolist(), block.y.tolist(), strict=True)
        return "; ".join([*(f"{name} {x:g} {y:g}" for name, x, y in places), *words])

    return use


def matlab(extract, what, data):
    """Return a use that reads variables, or the bytes of a file."""

    def use(folder):
        path = folder / "f.mat"
        if isinstance(data, bytes):
            path.write_bytes(data)
        else:
            savemat(path, data)
        return reading.read_mat(path, what, extract)

    return use


def saved(**options):
    file = io.BytesIO()
    savemat(file, {"fixLocs": np.zeros((99, 99))}, **options)
    return file.getvalue()


def flipped():
    """Bytes of a MATLAB file with one wrong bit in a compressed variable."""
    data = bytearray(saved(do_compression=True))
    data[-1] ^= 1
    return bytes(data)


def complex_alone():
    """Bytes of a MATLAB file in which a matrix is called complex, and has no imaginary part."""
    file = io.BytesIO()
    savemat(file, {"gaze": [{"fixations": np.array([[1, 2], [3, 4]])}] * 2})
    data = bytearray(file.getvalue())
    data[data.index(b"fixations") + 32 + 1] |= 8
    return bytes(data)


def bomb(folder):
    """Read a MATLAB file of 4 kB that unpacks to 4 MB, where 1 MB is the limit."""
    body = zlib.compress(bytes(1 << 22))
    (folder / "f.mat").write_bytes(saved()[:128] + struct.pack("<II", 15, len(body)) + body)
    with mock.patch.object(reading, "LARGEST_MAT", 1 << 20):
        reading.read_mat(folder / "f.mat", TABLE, osie._entries)


FOUR = {
    "x": [100.0, 200, 300, 400],
    "y": [90.0, 80, 70, 60],
    "n": [0, 0, 1, 1],
    "subjects": [1] * 4,
}
TRAINS = {
    "train_xs": [[100.0, 200], [300, 400]],
    "train_ys": [[90.0, 80], [70, 60]],
    "train_ns": [0, 1],
    "train_subjects": [1, 1],
}
SCANPATHS = {
    "xs": TRAINS["train_xs"],
    "ys": TRAINS["train_ys"],
    "n": [0, 1],
    "scanpath_attributes/subject": [1, 1],
}
XY = {"x": [1.0, 2.0], "y": [3.0, 4.0]}
NO_FIXATIONS = "{folder}/f.hdf5 is not a file of fixations that pysaliency wrote "
NO_STIMULI = "{folder}/f.hdf5 is not a file of stimuli that pysaliency wrote "
AGAIN = "; write it again with to_hdf5"
TABLE = "OSIE's table of fixations"
NO_TABLE = f"{{folder}}/f.mat is not {TABLE} "
TRIAL = "a trial of MIT1003"
FETCH = "; fetch it again from its authors"
EMBEDDED = pysaliency_hdf5.read_embedded


def huge(file, name):
    file.create_dataset(name, (1 << 40,), "f8")


def outside(file, name):
    file.create_dataset(name, (2,), "f8", external=[("/etc/hostname", 0, 16)])


CASES = [
    Case(
        "HDF5 without a member",
        hdf5("Fixations", x=[1.0]),
        says=f"{NO_FIXATIONS}(\"Unable to synchronously open object (object 'y' doesn't exist)\")"
        f"{AGAIN}",
    ),
    Case(
        "HDF5 without the type",
        hdf5(None, **XY, n=[0, 1]),
        says=f"{NO_FIXATIONS}(\"Unable to synchronously open attribute (can't locate attribute: "
        f"'type')\"){AGAIN}",
    ),
    Case(
        "HDF5 of another type",
        hdf5("FileStimuli", **XY, n=[0, 1]),
        says=f"{NO_FIXATIONS}(it holds FileStimuli, not fixations){AGAIN}",
    ),
    Case(
        "an index of a stimulus out of range",
        hdf5("Fixations", **XY, n=[0, 2]),
        says="{folder}/f.hdf5 has fixations on stimulus 2, but there are 2; do the two files "
        "belong together?",
    ),
    Case(
        "a negative index of a stimulus",
        hdf5("Fixations", **XY, n=[0, -1]),
        says="{folder}/f.hdf5 has fixations on stimulus -1, but there are 2; do the two files "
        "belong together?",
    ),
    Case(
        "columns of unequal length",
        hdf5("Fixations", x=[1.0, 2.0], y=[3.0], n=[0, 1]),
        says=f"{NO_FIXATIONS}(its columns differ in length){AGAIN}",
    ),
    Case(
        "a dataset of 8 TB without data",
        hdf5("Fixations", x=huge, y=[3.0], n=[0]),
        says=f"{NO_FIXATIONS}(x has the shape (1099511627776,), but not as many values){AGAIN}",
    ),
    Case(
        "values that lie in another file",
        hdf5("Fixations", x=outside, y=[3.0, 4.0], n=[0, 1]),
        says=f"{NO_FIXATIONS}(x refers to other files){AGAIN}",
    ),
    Case(
        "a number of a stimulus that is not whole",
        hdf5("Fixations", **XY, n=[0, 0.5]),
        says="{folder}/f.hdf5 is not a file of fixations that pysaliency wrote (n holds 0.5, "
        "which is no whole number); write it again with to_hdf5",
    ),
    Case(
        "a number of a stimulus that is nan",
        hdf5("Fixations", **XY, n=[0, np.nan]),
        says="{folder}/f.hdf5 is not a file of fixations that pysaliency wrote (n holds nan, "
        "which is no whole number); write it again with to_hdf5",
    ),
    Case(
        "numbers of stimuli as floats",
        hdf5("Fixations", **XY, n=[0.0, 1.0], subjects=[3, 4]),
        gives="[[[1.0, 3.0, 3.0, nan]], [[2.0, 4.0, 4.0, nan]]]",
    ),
    Case(
        "complex coordinates",
        hdf5("Fixations", x=[1.0, 2j], y=[3.0, 4.0], n=[0, 1]),
        says="{folder}/f.hdf5 is not a file of fixations that pysaliency wrote (x holds "
        "complex128, not numbers); write it again with to_hdf5",
    ),
    Case(
        "coordinates as text",
        hdf5("Fixations", x=["1", "2"], y=[3.0, 4.0], n=[0, 1]),
        says="{folder}/f.hdf5 is not a file of fixations that pysaliency wrote (x holds "
        "object, not numbers); write it again with to_hdf5",
    ),
    Case(
        "times of another shape",
        hdf5("Fixations", **XY, n=[0, 1], t=[0.0]),
        says="{folder}/f.hdf5 is not a file of fixations that pysaliency wrote (t has the "
        "shape (1,), the fixations (2,)); write it again with to_hdf5",
    ),
    Case(
        "a stimulus that is listed twice",
        pair("Fixations", FOUR, ["stimuli/a.png", "stimuli/a.png"]),
        says="{folder}/stimuli.hdf5 is not a file of stimuli that pysaliency wrote (its "
        "stimuli 0 ('stimuli/a.png') and 1 ('stimuli/a.png') are one image); write it "
        "again with to_hdf5",
    ),
    Case(
        "a stimulus that is listed twice, by two paths",
        pair("Fixations", FOUR, ["stimuli/a.png", "./stimuli/a.png"]),
        says="{folder}/stimuli.hdf5 is not a file of stimuli that pysaliency wrote (its "
        "stimuli 0 ('stimuli/a.png') and 1 ('./stimuli/a.png') are one image); write it "
        "again with to_hdf5",
    ),
    Case(
        "fixations not in the order of their times, with `drop_first: true`",
        pair("Fixations", FOUR | {"t": [0.4, 0.1, 0.2, 0.3]}, drop_first=True),
        gives="a.png 99.5 89.5; b.png 399.5 59.5; left out of 4 fixations: 2 each observer's first",
    ),
    Case(
        "a negative time",
        pair("Fixations", FOUR | {"t": [-0.1, 0.1, 0.2, 0.3]}),
        gives="a.png 199.5 79.5; b.png 299.5 69.5; b.png 399.5 59.5; left out of 4 fixations: "
        "1 begun before the stimulus",
    ),
    Case(
        "a negative time in FixationTrains, outside of the image",
        pair(
            "FixationTrains",
            TRAINS | {"train_xs": [[-9.0, 200], [300, 400]], "train_ts": [[-1.0, 1], [2, 3]]},
        ),
        gives="a.png 199.5 79.5; b.png 299.5 69.5; b.png 399.5 59.5; left out of 4 fixations: "
        "1 outside of their images",
    ),
    Case(
        "trains not in the order of their times, with `drop_first: true`",
        pair("FixationTrains", TRAINS | {"train_ts": [[2.0, 1], [3, 4]]}, drop_first=True),
        gives="a.png 99.5 89.5; b.png 399.5 59.5; left out of 4 fixations: 2 each observer's first",
    ),
    Case(
        "a negative time in Scanpaths",
        pair("Scanpaths", SCANPATHS | {"fixation_attributes/ts": [[-1.0, 1], [0, 1]]}),
        gives="a.png 199.5 79.5; b.png 299.5 69.5; b.png 399.5 59.5; left out of 4 fixations: "
        "1 begun before the stimulus",
    ),
    Case(
        "scanpaths with values behind their length",
        pair("Scanpaths", SCANPATHS | {"length": [2, 1]}),
        gives="a.png 99.5 89.5; a.png 199.5 79.5; b.png 299.5 69.5",
    ),
    Case(
        "a scanpath that is called longer than it is",
        pair("Scanpaths", SCANPATHS | {"length": [2, 7]}),
        says="{folder}/fixations.hdf5 is not a file of fixations that pysaliency wrote "
        "(length does not fit scanpaths of up to 2 fixations); write it again with "
        "to_hdf5",
    ),
    Case(
        "an x that is nan at the end of a train, where y is a number",
        pair("FixationTrains", TRAINS | {"train_xs": [[100.0, 200], [300, np.nan]]}),
        says="{folder}/fixations.hdf5, b.png, fixation 1: x = nan, y = 60 has no place in "
        "the image of 1024 x 768 px; is the image of the size its authors distribute? "
        "`outside: drop` leaves out such fixations",
    ),
    Case(
        "trains of unequal length in x and y",
        pair("FixationTrains", TRAINS | {"train_ys": [[90.0], [70]]}),
        says="{folder}/fixations.hdf5 is not a file of fixations that pysaliency wrote (its "
        "columns differ in length); write it again with to_hdf5",
    ),
    Case(
        "shares of one observer of two in a file of pysaliency",
        pair(
            "Fixations",
            {
                "x": np.linspace(200, 900, 40) / ([1, 1024] * 20),
                "y": np.linspace(200, 600, 40) / ([1, 768] * 20),
                "n": [0, 0, 1, 1] * 10,
                "subjects": ["ann", "bob"] * 20,
            },
        ),
        says="{folder}/fixations.hdf5: of the observer 'bob', the coordinates look like "
        "shares of the image (x from 0.212841 to 0.878906, y from 0.273771 to 0.78125), "
        "not px; multiply them by width and height, or insist by `coordinates: px` in "
        "the data set's entry",
    ),
    Case(
        "an embedded image of floats",
        hdf5("Stimuli", EMBEDDED, **{"0": np.zeros((4, 5, 3))}),
        says=f"{NO_STIMULI}(an image is float64 of shape (4, 5, 3)){AGAIN}",
    ),
    Case(
        "an embedded image with a colour under alpha 0",
        hdf5("Stimuli", EMBEDDED, **{"0": np.zeros((4, 5, 4), np.uint8)}),
        says=f"{NO_STIMULI}(an image has transparent pixels, or channels other than RGB){AGAIN}",
    ),
    Case(
        "an embedded image with alpha 255",
        hdf5("Stimuli", EMBEDDED, **{"0": np.full((4, 5, 4), 255, np.uint8)}),
        gives="[255, 255, 255]",
    ),
    Case(
        "an embedded image of two channels",
        hdf5("Stimuli", EMBEDDED, **{"0": np.zeros((4, 5, 2), np.uint8)}),
        says=f"{NO_STIMULI}(an image has transparent pixels, or channels other than RGB){AGAIN}",
    ),
    Case(
        "MATLAB without the variable",
        matlab(osie._entries, TABLE, {"other": 1}),
        says=f"{NO_TABLE}('fixations'){FETCH}",
    ),
    Case(
        "MATLAB with numbers in the place of a struct",
        matlab(osie._entries, TABLE, {"fixations": [1, 2]}),
        says=f"{NO_TABLE}('numpy.int64' object has no attribute 'img'){FETCH}",
    ),
    Case(
        "an empty MATLAB file",
        matlab(osie._entries, TABLE, b""),
        says=f"{NO_TABLE}(Mat file appears to be truncated){FETCH}",
    ),
    Case(
        "a MATLAB file that is text",
        matlab(osie._entries, TABLE, b"x" * 200),
        says=f"{NO_TABLE}(Unknown mat file type, version 120, 120){FETCH}",
    ),
    Case(
        "a MATLAB file cut in half",
        matlab(osie._entries, TABLE, saved(do_compression=True)[:160]),
        says=f"{NO_TABLE}(it is cut short){FETCH}",
    ),
    Case(
        "a MATLAB file with one wrong bit",
        matlab(osie._entries, TABLE, flipped()),
        says=f"{NO_TABLE}(Error -3 while decompressing data: incorrect data check){FETCH}",
    ),
    Case(
        "MATLAB's matrix that is called complex and is not, on which scipy crashes",
        matlab(salicon._observers, "SALICON's fixations of an image", complex_alone()),
        says="{folder}/f.mat is not SALICON's fixations of an image (the library that reads it "
        f"crashes){FETCH}",
    ),
    Case(
        "a MATLAB file that unpacks to more than the limit (here 1 MB, else 1 GB)",
        bomb,
        says=f"{NO_TABLE}(it unpacks to more than 1 MB){FETCH}",
    ),
    Case(
        "eye positions of one column",
        matlab(mit1003._trace, TRIAL, {"a": {"DATA": {"eyeData": np.ones((30, 4))}}}),
        says=f"{{folder}}/f.mat is not {TRIAL} (its eyeData has the shape (30, 4)){FETCH}",
    ),
]
