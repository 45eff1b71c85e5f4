"""Binary files of data sets that lack something, or hold something else."""

import io
import struct
import zlib
from unittest import mock

import h5py
import numpy as np
from bad_input.case import Case
from scipy.io import savemat

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
            return [rows.tolist() for rows in read(folder / "f.hdf5", 2)]
        return read(folder / "f.hdf5", [0])[0][0, 0].tolist()

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
