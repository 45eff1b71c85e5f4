"""Maps of concepts: their folders, their values, and what the config says of them."""

import logging

import h5py
import numpy as np
from bad_input.case import Case, said
from bad_input.laid import settled
from bad_input.photographs import encoded, turned

from gaborscope.data import map_files
from gaborscope.scoring import imported_maps
from gaborscope.stimuli import concepts

FAMILY = "Maps of concepts"
SIZE = (40, 60)
MAP = np.zeros(SIZE, np.uint8)
MAP[30:, 45:] = 255


def read(files, stimuli=("a.jpg",)):
    """
    Return a use that puts maps of the concept faces into a folder and says what is read of them.

    `files` are arrays or bytes by name; arrays are saved by NumPy, or as datasets of one HDF5 file
    where the names have no extension .npy.
    """

    def use(folder):
        where = folder
        for name, content in files.items():
            if isinstance(content, bytes):
                (folder / name).write_bytes(content)
            elif name.endswith(".npy"):
                np.save(folder / name, content)
            else:
                where = folder / "m.h5"
                with h5py.File(where, "a") as file:
                    file[name] = content
        map_files.digest("faces", str(where), "/", stimuli, "concepts")
        with said(logging.INFO) as notes:
            maps = list(imported_maps.concept("faces", where, stimuli, [SIZE] * len(stimuli)))
        values = concepts.scaled(maps[0])
        return f"{values.shape[1]}x{values.shape[0]} px, 0 to {values.max():g}; {notes[0]}"

    return use


def used(config, show=None):
    """Settle a config with the concept faces."""
    return settled("concepts: {faces: {maps: {folder}}}\n" + config, show)


THE_MAP = "concepts 'faces': the map of 'a.jpg'"
RANGE = "; values go from 0 (the concept is not there) to at most 10000"
FOUND = "concepts 'faces': 0 of 1 stimuli have nothing of it"
NO_MAP = (
    "concepts 'faces': the stimulus 'a.jpg' has {} in {{folder}}; there must be one with the name "
    "of the stimulus and one of .npy, .png, .jpg, .jpeg, .bmp, .tif, .tiff"
)
OTHER_NAMES = "is already the name of a group of regressors or of bits; choose another"


def aspect(size):
    return (
        f"{THE_MAP} is {size} px and the stimulus 60x40, which is another aspect; write the map at "
        "the size of its stimulus, or both sides smaller alike"
    )


CASES = [
    Case(
        "a grey PNG",
        read({"a.png": encoded(MAP, "PNG")}),
        gives=f"60x40 px, 0 to 1; {FOUND}",
    ),
    Case(
        "a PNG of half the size",
        read({"a.png": encoded(MAP[::2, ::2], "PNG")}),
        gives=f"30x20 px, 0 to 1; {FOUND}",
    ),
    Case(
        "an .npy larger than its stimulus",
        read({"a.jpg.npy": np.repeat(np.repeat(MAP, 2, 0), 2, 1) / 255}),
        gives=f"120x80 px, 0 to 1; {FOUND}",
    ),
    Case(
        "floats from 0 to 37.5",
        read({"a.npy": MAP / 6.8}),
        gives=f"60x40 px, 0 to 37.5; {FOUND}",
    ),
    Case(
        "an .npy of true and false",
        read({"a.npy": MAP > 0}),
        gives=f"60x40 px, 0 to 1; {FOUND}",
    ),
    Case(
        "a stimulus without the concept",
        read({"a.npy": np.zeros(SIZE)}),
        gives="60x40 px, 0 to 0; concepts 'faces': 1 of 1 stimuli have nothing of it",
    ),
    Case(
        "an HDF5 file",
        read({"a.jpg": MAP}),
        gives=f"60x40 px, 0 to 1; {FOUND}",
    ),
    Case(
        "an HDF5 file without the map of a stimulus",
        read({"b.jpg": MAP}),
        says="concepts 'faces': the stimulus 'a.jpg' has no map in {folder}/m.h5; it needs one",
    ),
    Case(
        "an empty folder",
        read({}),
        says=NO_MAP.format("no map"),
    ),
    Case(
        "a stimulus without a map",
        read({"b.npy": MAP}),
        says=NO_MAP.format("no map"),
    ),
    Case(
        "a map with the name in another case",
        read({"A.npy": MAP}),
        says=NO_MAP.format("no map") + "; there is A.npy",
    ),
    Case(
        "two files for one stimulus",
        read({"a.npy": MAP, "a.png": encoded(MAP, "PNG")}),
        says=NO_MAP.format("the maps a.npy and a.png"),
    ),
    Case(
        "one file for two stimuli",
        read({"a.npy": MAP}, ("a.jpg", "a.png")),
        says="concepts 'faces': {folder}/a.npy is the map of two stimuli, 'a.jpg' and 'a.png'; "
        "give each a map with its whole name, a.jpg.npy and a.png.npy",
    ),
    Case(
        "a map of another aspect",
        read({"a.npy": MAP[:, :40]}),
        says=aspect("40x40"),
    ),
    Case(
        "a small map of another aspect",
        read({"a.npy": MAP[::4, ::3]}),
        says=aspect("20x10"),
    ),
    Case(
        "height and width exchanged",
        read({"a.npy": MAP.T}),
        says=f"{THE_MAP} is 40x60 px and the stimulus 60x40: it lies on its side, perhaps because "
        "one of them follows the EXIF orientation of the photograph and the other does not; turn "
        "the map",
    ),
    Case(
        "a map with an EXIF orientation",
        read({"a.png": turned("PNG")}),
        says="{folder}/a.png has the EXIF orientation 6; save the map as it is seen",
    ),
    Case(
        "a map with nan",
        read({"a.npy": np.where(MAP, np.nan, 0)}),
        says=f"{THE_MAP} holds NaN or infinity; write finite values",
    ),
    Case(
        "values below 0",
        read({"a.npy": MAP - 1.5}),
        says=f"{THE_MAP} holds -1.5{RANGE}",
    ),
    Case(
        "values above 10000",
        read({"a.npy": MAP * 1000.0}),
        says=f"{THE_MAP} holds 255000{RANGE}",
    ),
    Case(
        "a map of three channels in .npy",
        read({"a.npy": np.dstack([MAP] * 3)}),
        says=f"{THE_MAP} is a uint8 array of shape (40, 60, 3); it must be real, of shape (height, "
        "width)",
    ),
    Case(
        "complex values",
        read({"a.npy": MAP * 1j}),
        says=f"{THE_MAP} is a complex128 array of shape (40, 60); it must be real, of shape "
        "(height, width)",
    ),
    Case(
        "a path that is no folder",
        lambda folder: map_files.digest("faces", f"{folder}/faces", "/", ["a.jpg"], "concepts"),
        says="concepts 'faces': {folder}/faces is neither a folder nor an HDF5 file (.h5, .hdf5); "
        "correct its path in the config",
    ),
    *(
        Case(
            f"a concept named like the group {name}",
            settled(f"concepts: {{{name}: {{maps: {{folder}}}}}}\n"),
            says=f"config: concepts: '{name}' {OTHER_NAMES}",
        )
        for name in ("position", "contrast", "centre_surround", "unexplained")
    ),
    Case(
        "a concept with capital letters",
        settled("concepts: {Faces: {maps: {folder}}}\n"),
        says="config: concepts: the name 'Faces' must consist of a-z, 0-9 and _ alone",
    ),
    Case(
        "a concept without maps",
        settled("concepts: {faces: {}}\n"),
        says="config: concepts.faces lacks maps (Folder of maps called like their stimuli, or an "
        "HDF5 file; or by data set. 0 is nothing of the concept; images of 8 or 16 bits count as 0 "
        "to 1, other values as they are, and only their ratios matter. A map of another size has "
        "the aspect of its stimulus, and is stretched to it); write maps: and its value below "
        "concepts.faces",
    ),
    Case(
        "an explanation with a concept that is not there",
        used("explanations: {direct: {concepts: [face]}}\n"),
        says="config: explanations.direct.concepts names 'face', but concepts has only faces; did "
        "you mean 'faces'?",
    ),
    Case(
        "an option of the ablation with a concept that is not there",
        used("ablation: {options: {it: {concepts: [text]}}}\n"),
        says="config: ablation.options.it.concepts names 'text', but concepts has only faces",
    ),
    Case(
        "a concept twice",
        used("explanations: {direct: {concepts: [faces, faces]}}\n"),
        says="config: explanations.direct.concepts has 'faces' twice; leave one of them",
    ),
    Case(
        "a cascade with concepts",
        used("explanations: {direct: {}, c: {mode: cascade, concepts: [faces]}}\n"),
        says="config: unknown key 'concepts' at explanations.c (mode cascade); known are control, "
        "draw, image, edge, channels, budget, stimuli, cells, penalties, fusion, mode, like, "
        "models",
    ),
    Case(
        "maps of a concept on a data set that is not there",
        settled("concepts: {faces: {maps: {osie: {folder}}}}\n"),
        says="config: concepts.faces.maps names 'osie', but datasets has only demo",
    ),
    Case(
        "a concept without maps on the data set of the fits",
        settled(
            "datasets: {osie: {type: osie, path: {folder}}}\n"
            "concepts: {faces: {maps: {osie: {folder}}}}\n"
            "explanations: {direct: {concepts: [faces]}}\n"
            "analyses: []\n"
        ),
        says="config: explanations.direct has the concept 'faces', but concepts.faces.maps has "
        "none of demo, which fit_on or evaluate_on names; add them",
    ),
    Case(
        "people's bank with a concept that is not there",
        used("baselines: {loggabor_fixations: {concepts: [text]}}\n"),
        says="config: baselines.loggabor_fixations.concepts names 'text', but concepts has only "
        "faces",
    ),
    Case(
        "a spectrum of a bank with concepts",
        used(
            "spectra: {predictors: [loggabor_fixations]}\n"
            "baselines: {predictors: [loggabor_fixations], "
            "loggabor_fixations: {concepts: [faces]}}\n"
        ),
        says="config: spectra.predictors has loggabor_fixations, whose concepts spectra do not "
        "see; name the others in spectra.predictors",
    ),
    Case(
        "more filters per map than there are regressors, with one concept",
        used(
            "explanations: {direct: {concepts: [faces], solver: {name: omp, budget: 600}}}\n"
            "analyses: []\n"
        ),
        says="config: explanations.direct.solver.budget is 600, but there are only 562 regressors; "
        "lower it, or take ridge",
    ),
]
