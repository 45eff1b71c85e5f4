"""Saliency maps of other programs: images, .npy and HDF5."""

import io
import logging
import pickle
import zlib

import h5py
import numpy as np
from bad_input.case import Case, said
from bad_input.photographs import CUT, FRAMES, PICTURE, closed, encoded, frames, png, tiff, turned
from PIL import Image

from gaborscope.data import map_files
from gaborscope.scoring import imported_maps
from gaborscope.stimuli.images import read_grey

FAMILY = "Saliency maps"
SIZE = (40, 60)
MAP = np.linspace(0, 255, 2400).astype(np.uint8).reshape(SIZE)  # its peak is the last pixel


def read(data, name="a.png", kind="map", resize=False):
    """
    Return a use that writes a map of the stimulus a.jpg (60 x 40 px) and says what is read.

    `data` is bytes, an array, which is saved by NumPy, or a function that fills an HDF5 file.
    """

    def use(folder):
        path = folder / name
        if callable(data):
            with h5py.File(path, "w") as file:
                data(file)
        elif isinstance(data, bytes):
            path.write_bytes(data)
        else:
            np.save(path, data)
        where = path if path.suffix == ".h5" else folder
        with said(logging.INFO) as notes:
            maps = imported_maps.log_densities("m", where, ["a.jpg"], [SIZE], kind, resize, 0.001)
            (log_density,) = maps
        y, x = np.unravel_index(log_density.argmax(), SIZE)
        return "; ".join([f"peak at ({x}, {y})", *notes])

    return use


def laid(files, stimuli=("a.jpg",), shared=None, others=()):
    """
    Return a use that puts files into a folder of maps and lists those of some stimuli.

    `files` are paths by their content; `shared` are maps of a file m.h5 in their place,
    `others` stimuli of another block.
    """

    def use(folder):
        for name, content in (files or {}).items():
            path = folder / name
            path.parent.mkdir(exist_ok=True)
            if content is None:
                path.mkdir()
            elif isinstance(content, str):
                path.symlink_to(content)
            else:
                path.write_bytes(content)
        if shared is not None:
            with h5py.File(folder / "m.h5", "w") as file:
                for name in shared:
                    file[name] = MAP
            sizes = [SIZE] * len(stimuli)
            maps = imported_maps.read("m", folder / "m.h5", stimuli, sizes, "map", False, others)
            return len(list(maps))
        map_files.digest("m", str(folder), "/", stimuli)
        return ", ".join(path.name for path in map_files.find("m", folder, stimuli).values())

    return use


def stored(content, kind, **options):
    """Return a use that says which values a TIFF of so many bits, or a PNG of a head, holds."""

    def use(folder):
        data = tiff(content, kind, **options) if isinstance(kind, int) else png(kind, content)
        (folder / "a.png").write_bytes(data)
        values = read_grey(folder / "a.png")
        return f"{values.dtype} from {values.min()} to {values.max()}"

    return use


def wide_rows(values):
    return zlib.compress(b"".join(b"\0" + row.astype(">u2").tobytes() for row in values))


def in_alpha(colour):
    return encoded(np.dstack([colour, MAP]), "PNG")


def palette(colours):
    image = Image.fromarray(MAP, "P")
    image.putpalette(np.asarray(colours, np.uint8).ravel().tolist())
    return encoded(image, "PNG")


def header_of(shape, values=b""):
    file = io.BytesIO()
    description = {"descr": "<f8", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, description)
    return file.getvalue() + values


def put(**options):
    """Return a function that puts one dataset a.jpg into an HDF5 file."""
    return lambda file: file.create_dataset("a.jpg", **options)


def elsewhere(file):
    file.create_dataset("a.jpg", SIZE, "u1", external=[("/etc/hostname", 0, 2400)])


PNG = encoded(MAP, "PNG")
NO_MAP = (
    "maps 'm': the stimulus 'a.jpg' has no map in {folder}; there must be one with the name of the "
    "stimulus and one of .npy, .png, .jpg, .jpeg, .bmp, .tif, .tiff; there is "
)
PEAK = "peak at (59, 39)"
GREYS = np.arange(256)[:, None].repeat(3, 1)
JET = np.stack([np.arange(256), 255 - np.arange(256), np.full(256, 30)], axis=1)
THE_MAP = "maps 'm': the map of 'a.jpg'"
ALPHA = "{folder}/a.png is transparent in places; save the map in grey, without transparency"
COLOURED = "{folder}/a.png is coloured; save the map in grey, without a colour map"
SIDE = (
    f"{THE_MAP} is 40x60 px and the stimulus 60x40: it lies on its side, perhaps because one of "
    "them follows the EXIF orientation of the photograph and the other does not; turn the map"
)


def shaped(dtype, shape):
    return (
        f"{THE_MAP} is a {dtype} array of shape {shape}; it must be real, of shape (height, width)"
    )


CASES = [
    Case(
        "a grey PNG",
        read(encoded(MAP, "PNG")),
        gives=PEAK,
    ),
    Case(
        "RGB with equal channels",
        read(encoded(np.dstack([MAP] * 3), "PNG")),
        gives=PEAK,
    ),
    Case(
        "the map as alpha of black",
        read(in_alpha(np.zeros((*SIZE, 3), np.uint8))),
        says=ALPHA,
    ),
    Case(
        "the map as alpha of itself",
        read(in_alpha(np.dstack([MAP] * 3))),
        says=ALPHA,
    ),
    Case(
        "alpha that is 255 all over",
        read(encoded(np.dstack([*[MAP] * 3, np.full(SIZE, 255, np.uint8)]), "PNG")),
        gives=PEAK,
    ),
    Case(
        "a picture in the colours of jet",
        read(encoded(JET[MAP].astype("u1"), "PNG")),
        says=COLOURED,
    ),
    Case(
        "a palette of colours",
        read(palette(JET)),
        says=COLOURED,
    ),
    Case(
        "a palette of greys (PNG-8)",
        read(palette(GREYS)),
        gives=PEAK,
    ),
    Case(
        "a palette of greys, inverted",
        read(palette(GREYS[::-1])),
        gives="peak at (0, 0)",
    ),
    Case(
        "a constant map",
        read(encoded(np.full(SIZE, 7, np.uint8), "PNG")),
        gives="peak at (0, 0); maps 'm': 1 of 1 maps are constant (first that of a.jpg)",
    ),
    Case(
        "a 16-bit PNG",
        read(encoded(MAP * np.uint16(257), "PNG")),
        gives=PEAK,
    ),
    Case(
        "12 bits in a 16-bit PNG",
        read(encoded(MAP * np.uint16(16), "PNG")),
        gives=PEAK,
    ),
    Case(
        "a 16-bit WhiteIsZero TIFF",
        read(tiff((MAP.astype("<u2") * 257).tobytes(), 16, white_is_zero=True), "a.tif"),
        gives="peak at (0, 0)",
    ),
    Case(
        "a TIFF of floats",
        read(encoded(Image.fromarray(MAP / np.float32(255)), "TIFF"), "a.tif", "unit"),
        gives=PEAK,
    ),
    Case(
        "one bit per pixel",
        read(encoded(Image.fromarray(MAP == 255), "PNG"), kind="unit"),
        gives=PEAK,
    ),
    Case(
        "a JPEG cut in half and closed",
        read(closed(encoded(PICTURE[..., 0], "JPEG")), "a.jpg"),
        says=CUT,
    ),
    Case(
        "a map with an EXIF orientation",
        read(turned("PNG")),
        says="{folder}/a.png has the EXIF orientation 6; save the map as it is seen",
    ),
    Case(
        "a map of several frames",
        read(frames("PNG")),
        says=FRAMES,
    ),
    Case(
        "height and width exchanged",
        read(MAP.T, "a.npy"),
        says=SIDE,
    ),
    Case(
        "height and width exchanged, resize: true",
        read(MAP.T, "a.npy", resize=True),
        says=SIDE,
    ),
    Case(
        "another size",
        read(MAP[::2, ::2], "a.npy"),
        says=f"{THE_MAP} is 30x20 px and the stimulus 60x40; resize it, or set resize: true",
    ),
    Case(
        "another size, resize: true",
        read(MAP[::2, ::2], "a.npy", resize=True),
        gives="peak at (55, 39)",
    ),
    Case(
        "an .npy in Fortran order",
        read(np.asfortranarray(MAP), "a.npy"),
        gives=PEAK,
    ),
    Case(
        "a big-endian .npy",
        read(MAP.astype(">f4"), "a.npy"),
        gives=PEAK,
    ),
    Case(
        "an .npy of float32 of kind density",
        read(MAP.astype(np.float32), "a.npy", "density"),
        gives=PEAK,
    ),
    Case(
        "an .npy of 16-bit integers",
        read(MAP.astype(np.int16) * 99, "a.npy"),
        gives=PEAK,
    ),
    Case(
        "kind unit with a maximum that float32 rounds to above 1",
        read((MAP / 255 * (1 + 1e-7)).astype(np.float32), "a.npy", "unit"),
        gives=PEAK,
    ),
    Case(
        "an .npy of bool",
        read(MAP == 255, "a.npy", "unit"),
        gives=PEAK,
    ),
    Case(
        "one axis",
        read(MAP.ravel(), "a.npy"),
        says=shaped("uint8", "(2400,)"),
    ),
    Case(
        "three axes",
        read(MAP[..., None], "a.npy"),
        says=shaped("uint8", "(40, 60, 1)"),
    ),
    Case(
        "complex numbers",
        read(MAP * 1j, "a.npy"),
        says=shaped("complex128", "(40, 60)"),
    ),
    Case(
        "Python objects in an .npy",
        read(MAP.astype(object), "a.npy"),
        says="maps 'm': {folder}/a.npy cannot be read (Array can't be memory-mapped: Python "
        "objects in dtype.); write it by numpy.save",
    ),
    Case(
        "a pickle called .npy",
        read(pickle.dumps(MAP.tolist()), "a.npy"),
        says="maps 'm': {folder}/a.npy cannot be read (the magic string is not correct; expected "
        "b'\\x93NUMPY', got b'\\x80\\x04\\x95e\\x13\\x00'); write it by numpy.save",
    ),
    Case(
        "an .npy whose header promises 8 TB",
        read(header_of((10**6, 10**6)), "a.npy"),
        says="maps 'm': {folder}/a.npy cannot be read (mmap length is greater than file size); "
        "write it by numpy.save",
    ),
    Case(
        "NaN",
        read(np.where(MAP == 9, np.nan, MAP), "a.npy"),
        says=f"{THE_MAP} holds NaN or infinity; write finite values",
    ),
    Case(
        "infinity in a log-density",
        read(np.where(MAP == 9, -np.inf, MAP), "a.npy", "logits"),
        says=f"{THE_MAP} holds NaN or infinity; write finite values",
    ),
    Case(
        "negative values of kind map",
        read(MAP - 99.0, "a.npy"),
        gives=PEAK,
    ),
    Case(
        "negative values of kind density",
        read(MAP - 99.0, "a.npy", "density"),
        says=f"{THE_MAP}: a map of kind 'density' cannot be negative, but its minimum is -99",
    ),
    Case(
        "8-bit values of kind unit",
        read(encoded(MAP, "PNG"), kind="unit"),
        says=f"{THE_MAP}: a map of kind 'unit' must lie in 0..1, but its maximum is 255",
    ),
    Case(
        "values at both ends of the range of floats",
        read((MAP - 127.5) * 1.2e306, "a.npy"),
        says=f"{THE_MAP} reaches 1.53e+308; scale its values down",
    ),
    Case(
        "HDF5: text in the place of a map",
        read(put(data="no map"), "a.h5"),
        says=shaped("object", "()"),
    ),
    Case(
        "HDF5: an empty dataset",
        read(put(data=h5py.Empty("f4")), "a.h5"),
        says=shaped("float32", "None"),
    ),
    Case(
        "HDF5: a compound type",
        read(put(data=np.zeros(SIZE, [("x", "f4")])), "a.h5"),
        says=shaped("[('x', '<f4')]", "(40, 60)"),
    ),
    Case(
        "HDF5: a shape of 8 TB without data",
        read(put(shape=(10**6, 10**6), dtype="f8"), "a.h5"),
        says=f"{THE_MAP} is 1000000x1000000 px and "
        f"the stimulus 60x40; resize it, or set resize: true",
    ),
    Case(
        "HDF5: the same, resize: true",
        read(put(shape=(10**6, 10**6), dtype="f8"), "a.h5", resize=True),
        says=f"{THE_MAP} is 1000000x1000000 px and "
        f"the stimulus 60x40, and more than 268435456 px; make it smaller",
    ),
    Case(
        "HDF5: values that lie in another file",
        read(elsewhere, "a.h5"),
        says=f"{THE_MAP} refers to other files; write its values into this one",
    ),
    Case(
        "HDF5: a group in the place of a map",
        read(lambda file: file.create_group("a.jpg"), "a.h5"),
        says="maps 'm': the stimulus 'a.jpg' has no map in {folder}/a.h5; it needs one",
    ),
    Case(
        "a map of 1 x 1 px, resize: true",
        read(np.full((1, 1), 0.3), "a.npy", resize=True),
        gives="peak at (0, 0); maps 'm': 1 of 1 maps are constant (first that of a.jpg)",
    ),
    Case(
        "a constant map of another size, resize: true",
        read(np.full((7, 11), 0.1), "a.npy", resize=True),
        gives="peak at (0, 0); maps 'm': 1 of 1 maps are constant (first that of a.jpg)",
    ),
    Case(
        "a constant map with rounding errors",
        read(
            np.where(MAP == 9, np.float32(0.1) + np.float32(1e-8), np.float32(0.1)),
            "a.npy",
        ),
        gives="peak at (0, 0); maps 'm': 1 of 1 maps are constant (first that of a.jpg)",
    ),
    Case(
        "one map for two stimuli",
        laid({"a.png": PNG}, ["a.jpg", "a.png"]),
        says="maps 'm': {folder}/a.png is the map of two stimuli, 'a.jpg' and 'a.png'; give each a "
        "map with its whole name, a.jpg.png and a.png.png",
    ),
    Case(
        "a map with the whole name for each of the two",
        laid({"a.jpg.png": PNG, "a.png.png": PNG}, ["a.jpg", "a.png"]),
        gives="a.jpg.png, a.png.png",
    ),
    Case(
        "HDF5: one map for stimuli of two folders",
        laid(None, ["u/a.jpg", "t/a.jpg"], ["a.jpg"]),
        says="maps 'm': a.jpg in {folder}/m.h5 is the map of two stimuli, 'u/a.jpg' and 't/a.jpg'; "
        "call each map by the whole name of its stimulus",
    ),
    Case(
        "HDF5: one map for stimuli of two blocks",
        laid(None, ["u/a.jpg"], ["a.jpg"], ["t/a.jpg"]),
        says="maps 'm': a.jpg in {folder}/m.h5 is the map of two stimuli, 't/a.jpg' and 'u/a.jpg'; "
        "call each map by the whole name of its stimulus",
    ),
    Case(
        "HDF5: one of two by its whole name",
        laid(None, ["u/a.jpg"], ["a.jpg", "t/a.jpg"], ["t/a.jpg"]),
        gives="1",
    ),
    Case(
        "HDF5: maps of two folders",
        laid(None, ["x/u/a.jpg", "x/t/a.jpg"], ["u/a.jpg", "t/a.jpg"]),
        gives="2",
    ),
    Case(
        "HDF5: a name without its extension",
        laid(None, ["a.jpg", "b.jpg"], ["a", "b"]),
        says="maps 'm': the stimulus 'a.jpg' has no map in {folder}/m.h5; it needs one; there is "
        "a, which is not a.jpg",
    ),
    Case(
        "a link to nothing",
        laid({"a.png": "gone.png"}),
        says="maps 'm': {folder}/a.png is a link to gone.png, which is not there; mend or remove "
        "the link",
    ),
    Case("a name in capitals", laid({"A.PNG": PNG}), says=NO_MAP + "A.PNG"),
    Case("a MATLAB file", laid({"a.mat": b""}), says=NO_MAP + "a.mat"),
    Case("an .npz", laid({"a.jpg.npz": b""}), says=NO_MAP + "a.jpg.npz"),
    Case("a map in a subfolder", laid({"sub/a.png": PNG}), says=NO_MAP + "sub/a.png"),
    Case("a folder in the place of a map", laid({"a.png": None}), says=NO_MAP + "the folder a.png"),
    Case("a link to a folder", laid({"a.png": "/tmp"}), says=NO_MAP + "the folder a.png"),
    Case(
        "a TIFF of unsigned 32-bit values",
        stored((MAP.astype("<u4") << 24).tobytes(), 32),
        gives="uint32 from 0 to 4278190080",
    ),
    Case(
        "a TIFF of signed 8-bit values",
        stored(MAP.tobytes(), 8, more=[(339, 2)]),
        gives="int8 from -128 to 127",
    ),
    Case(
        "8 bits in a 16-bit RGB PNG",
        stored(wide_rows(np.dstack([MAP] * 3)), (60, 40, 16, 2, 0)),
        gives="uint16 from 0 to 255",
    ),
    Case(
        "8 bits in a 16-bit PNG with alpha",
        stored(wide_rows(np.dstack([MAP, np.full(SIZE, 65535)])), (60, 40, 16, 4, 0)),
        gives="uint16 from 0 to 255",
    ),
]
