"""The readers of files that others made: whole files for each, and how it is read."""

import dataclasses
import io
import json
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import safetensors.torch
import torch
from bad_input.archives import archive
from bad_input.photographs import PICTURE, encoded, frames, masked, palette, tiff, turned
from PIL import Image
from scipy.io import savemat

from gaborscope.backbones import published, tensorflow, weights
from gaborscope.data import catalogue, unpacking
from gaborscope.data.readers import mit1003, osie, pysaliency_hdf5, reading, salicon
from gaborscope.scoring import imported_maps
from gaborscope.stimuli.images import open_image

ROOT = Path(__file__).resolve().parents[2]
GREY = PICTURE[..., 0]


@dataclasses.dataclass(frozen=True)
class Reader:
    """
    A reader, whose outcome is a value or an InputError.

    `seeds` returns whole files as bytes. `read` takes the path of a file of the name `name`, in a
    folder of its own. `may_crash` is true where the library is known to end the process,
    or to take all time or memory, for some damaged files: scipy for MATLAB, HDF5 for texts whose
    stored length is wrong. Those cases are counted, and are no failures of ours.
    """

    name: str
    seeds: Callable[[], list[bytes]]
    read: Callable[[Path], object]
    may_crash: bool = False


def _hdf5(fill):
    file = io.BytesIO()
    with h5py.File(file, "w") as made:
        fill(made)
    return file.getvalue()


def _photographs():
    kinds = ("PNG", "JPEG", "TIFF", "BMP", "GIF", "WEBP")
    more = [{"progressive": True}, {"restart_marker_blocks": 1}, {"subsampling": 0}]
    return [
        *(encoded(PICTURE, kind) for kind in kinds),
        *(encoded(PICTURE, "JPEG", **options) for options in more),
        *(encoded(PICTURE, "TIFF", compression=c) for c in ("tiff_lzw", "tiff_deflate", "jpeg")),
        encoded(Image.fromarray(PICTURE).convert("CMYK"), "JPEG"),
        encoded(GREY * np.uint16(257), "PNG"),
        *(tiff((GREY.astype("<u2") * 257).tobytes(), 16, white) for white in (False, True)),
        *(turned(kind) for kind in ("PNG", "JPEG", "TIFF")),
        *(frames(kind) for kind in ("PNG", "GIF", "TIFF")),
        masked(),
        palette(),
    ]


def _arrays():
    found = []
    for values in (GREY, GREY.astype(">f8"), np.asfortranarray(GREY), GREY.astype(object)):
        file = io.BytesIO()
        np.save(file, values)
        found.append(file.getvalue())
    return found


def _map_files():
    whole = {"a.jpg": GREY, "stimuli/b.jpg": GREY.astype("f4")}
    return [
        _hdf5(lambda f: [f.create_dataset(k, data=v) for k, v in whole.items()]),
        _hdf5(lambda f: f.create_dataset("a.jpg", data=GREY, chunks=(9, 9), compression=1)),
    ]


def _maps(name):
    def read(path):
        where = path if path.suffix == ".h5" else path.parent
        maps = imported_maps.log_densities("m", where, ["a.jpg"], [(40, 60)], "map", True, 0.001)
        return list(maps)

    return Reader(name, {".npy": _arrays, ".h5": _map_files}.get(name[1:], _photographs), read)


def _matlab():
    table = {"img": "a.jpg", "subjects": [{"fix_x": [1.5, 2], "fix_y": [3.0, 4]}] * 2}
    gaze = {"fixations": np.array([[1, 2], [3, 4]])}
    variables = [{"fixations": [table] * 3}, {"gaze": [gaze] * 2}, {"fixLocs": GREY > 200}]
    variables += [{"a": {"DATA": {"eyeData": np.ones((30, 3))}}}]
    found = []
    for content in variables:
        for options in ({}, {"do_compression": True}):
            file = io.BytesIO()
            savemat(file, content, **options)
            found.append(file.getvalue())
    file = io.BytesIO()
    savemat(file, {"fixLocs": GREY}, format="4")
    return [*found, file.getvalue()]


def _read_matlab(path):
    extracts = [osie._entries, salicon._observers, mit1003._trace, lambda v: v["fixLocs"]]
    failures = []
    for extract in extracts:
        try:
            result = reading.read_mat(path, "a file of fixations", extract)
            if extract is extracts[-1]:
                return reading.mapped_points(result, (40, 60), str(path))
            return result
        except reading.InputError as error:
            failures.append(error)
    raise failures[0]


def _pysaliency_stimuli():
    def files(made):
        made.attrs["type"], made.attrs["version"] = b"FileStimuli", b"1.0"
        made.create_dataset("filenames", data=[b"a.jpg", b"b/c.jpg"])

    def embedded(made):
        made.attrs["type"], made.attrs["size"] = b"Stimuli", 2
        made["0"], made["1"] = PICTURE, GREY

    return [_hdf5(files), _hdf5(embedded)]


def _read_stimuli(path):
    names, places = pysaliency_hdf5.read_names(path)
    return places if places[0] else pysaliency_hdf5.read_embedded(path, range(min(9, len(names))))


def _pysaliency_fixations():
    def plain(made):
        made.attrs["type"] = b"Fixations"
        made["x"], made["y"], made["n"], made["subjects"] = [1.5, 2], [2.5, 3], [0, 1], [4, 5]

    def trains(made):
        made.attrs["type"] = b"FixationTrains"
        made["train_xs"], made["train_ys"] = [[1.0, 2], [3, np.nan]], [[1.0, 2], [3, np.nan]]
        made["train_ns"], made["train_subjects"] = [0, 1], [7, 8]

    return [_hdf5(plain), _hdf5(trains)]


def _state():
    return {"0.weight": torch.ones(3, 4), "0.bias": torch.zeros(3)}


def _pickles():
    found = []
    for content in (_state(), {"state_dict": _state(), "epoch": 3}):
        for new in (True, False):
            file = io.BytesIO()
            torch.save(content, file, _use_new_zipfile_serialization=new)
            found.append(file.getvalue())
    return found


def _read_pickle(path):
    state, _ = published.read("unisal", path)
    network = torch.nn.Sequential(torch.nn.Linear(4, 3))
    weights.fit_into(network, state, path)


def _tensor_files():
    described = {"gaborscope": json.dumps({"trained_on": [], "model": "cmrnet"})}
    return [safetensors.torch.save(_state()), safetensors.torch.save(_state(), metadata=described)]


def _graph(*messages):
    """Bytes of a message of Protocol Buffers: (number, bytes, text, int or messages)."""
    parts = []
    for number, value in messages:
        if isinstance(value, int):
            parts.append(bytes([number << 3, value]))
        else:
            value = value.encode() if isinstance(value, str) else value
            parts.append(bytes([number << 3 | 2, len(value)]) + value)
    return b"".join(parts)


def _graphs():
    shape = _graph((2, _graph((1, 2))), (2, _graph((1, 3))))
    stored = [(4, np.arange(6, dtype="<f4").tobytes()), (5, np.float32(7).tobytes())]
    nodes = []
    for name, values in zip(("w", "b"), stored, strict=True):
        tensor = _graph((1, 1), (2, shape), values)
        attribute = _graph((1, "value"), (2, _graph((8, tensor))))
        nodes.append((1, _graph((1, name), (2, "Const"), (5, attribute))))
    nodes.append((1, _graph((1, "r"), (2, "Identity"), (3, "w"))))
    nodes.append((1, _graph((1, "c/conv"), (2, "Conv2D"), (3, "x"), (3, "r"))))
    whole = _graph(*nodes)
    return [whole, b"\x08\x01" + _graph((2, _graph((2, whole))))] if len(whole) < 100 else [whole]


CHECKPOINT = ROOT / "tests/tensorflow/model_salicon_cpu.ckpt"


def _read_checkpoint(path):
    shard = path.with_name("a.data-00000-of-00001")
    if not shard.exists():
        shard.symlink_to(f"{CHECKPOINT}.data-00000-of-00001")
    return tensorflow.read_tensors(path)


def _tables():
    rows = "".join(f"a.png,s{i},{3.5 * i},{2 * i}\n" for i in range(9))
    other = "Stimulus;Subject;X;Y;t\n" + "".join(f'a.png;"{i}";{i};{i};0\n' for i in range(9))
    return [f"stimulus,subject,x,y\n{rows}".encode(), other.encode(), rows.encode("utf-16")]


def _read_table(path):
    image = path.parent / "stimuli/a.png"
    if not image.exists():
        image.parent.mkdir()
        image.write_bytes(encoded(PICTURE, "PNG"))
    return catalogue.index("f", {"type": "folder", "path": str(path.parent)}, path.parent)


READERS = {
    "fixations.csv": Reader("fixations.csv", _tables, _read_table),
    "photographs": Reader("a.jpg", _photographs, lambda path: open_image(path, "apply")),
    "maps as images": _maps("a.png"),
    "maps as .npy": _maps("a.npy"),
    "maps in HDF5": _maps("a.h5"),
    "MATLAB": Reader("a.mat", _matlab, _read_matlab, may_crash=True),
    "pysaliency's stimuli": Reader("a.hdf5", _pysaliency_stimuli, _read_stimuli, True),
    "pysaliency's fixations": Reader(
        "a.hdf5",
        _pysaliency_fixations,
        lambda path: pysaliency_hdf5.read_fixations(path, 2),
        may_crash=True,
    ),
    "torch.save": Reader("a.pth", _pickles, _read_pickle),
    "safetensors": Reader("a.safetensors", _tensor_files, weights.read_weights),
    "graphs of TensorFlow": Reader("a.pb", _graphs, tensorflow.read_tensors),
    "checkpoints of TensorFlow": Reader(
        "a.index", lambda: [Path(f"{CHECKPOINT}.index").read_bytes()], _read_checkpoint
    ),
    "zip files": Reader(
        "a.zip",
        lambda: [
            archive([("S/x.jpg", b"x" * 99), ("y", b"y")], method) for method in (0, 8, 12, 14)
        ],
        lambda path: unpacking.unpack(path, path.parent / "out"),
    ),
}
