"""The readers of files that others made: whole files for each, and how it is read."""

import contextlib
import dataclasses
import functools
import io
import json
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from unittest import mock

import h5py
import numpy as np
import safetensors.torch
import torch
from bad_input.archives import archive
from bad_input.photographs import PICTURE, encoded, frames, masked, palette, tiff, turned
from helpers import ORIGIN, make_explained
from PIL import Image
from scipy.io import savemat
from snakemake.common.configfile import load_configfile
from snakemake.exceptions import WorkflowError

from gaborscope.backbones import published, tensorflow, user_models, weights
from gaborscope.backbones.backbone import configured
from gaborscope.backbones.predictor import Predictor
from gaborscope.data import catalogue, unpacking
from gaborscope.data.layouts import coordinates
from gaborscope.data.readers import mit1003, osie, pysaliency_hdf5, reading, salicon
from gaborscope.errors import InputError
from gaborscope.explanation.model import ExplainedModel
from gaborscope.scoring import imported_maps
from gaborscope.stimuli.images import open_image
from gaborscope.workflow import backbone_entries, completion, config_files, settings
from gaborscope.workflow.plan import Plan

ROOT = Path(__file__).resolve().parents[2]
GREY = PICTURE[..., 0]


@dataclasses.dataclass(frozen=True)
class Reader:
    """
    A reader, whose outcome is a value or an InputError.

    `seeds` returns whole files as bytes. `read` takes the path of a file of the name `name`, in a
    folder of its own. `words` may stand for words of the file, if it is a text. A `slow` reader has
    fewer cases. A `program` runs what its file says, with the time and memory that it asks for.
    """

    name: str
    seeds: Callable[[], list[bytes]]
    read: Callable[[Path], object]
    words: Sequence[bytes] = ()
    slow: bool = False
    program: bool = False


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


def _read_photograph(path):
    coordinates.image_size(path, {"exif": "apply"})
    return open_image(path, "apply")


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
    kinds = osie._entries, salicon._observers, mit1003._trace, lambda v: {"map": v["fixLocs"]}

    def extract(variables):
        for kind in kinds:
            with contextlib.suppress(Exception):
                return kind(variables)
        return kinds[0](variables)

    found = reading.read_mat(path, "a file of fixations", extract)
    if isinstance(found, dict) and "map" in found:
        return reading.mapped_points(found["map"], (40, 60), str(path))
    return found


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


def _released():
    size = {"height": 48, "width": 64, "fit": "pad", "multiple": 16, "resize": "area"}
    entry = {"input": size, "options": {"widths": [8, 8, 8]}, "layers": {}, "weights": "train"}
    torch.manual_seed(0)
    network = configured("cmrnet", entry).network
    described = {"trained_on": [], "model": "cmrnet", "backbone": entry, "uniform_weight": 1e-3}
    metadata = {"gaborscope": json.dumps(described)}
    return [safetensors.torch.save(network.state_dict(), metadata=metadata)]


def _scripts():
    file = io.BytesIO()
    torch.manual_seed(0)
    torch.jit.save(torch.jit.script(torch.nn.Conv2d(3, 1, 1)), file)
    return [file.getvalue()]


def _read_script(path):
    entry = {"factory": f"torchscript:{path}", "layers": {}, "options": {}}
    return user_models.build("mine", entry)(torch.zeros(1, 3, 4, 4))


def _explained():
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "a.h5")
        make_explained().save(path, ORIGIN)
        return [path.read_bytes()]


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


# What numbers, names and headers of a table may stumble over.
CELLS = "nan inf -1 0 1e999 1_0 1.024 ٣ 3.5px x y X onset subject a.png b.png ../a.png sep=; NULL"
CELLS = [*CELLS.encode().split(), b"9" * 200000, b'"', b'""', b"'", b"", b" ", b"\0", b"\r", b"\t"]
CELLS += [b"\xff", b"\xef\xbb\xbf"]


def _read_table(path):
    image = path.parent / "stimuli/a.png"
    if not image.exists():
        image.parent.mkdir()
        image.write_bytes(encoded(PICTURE, "PNG"))
    return catalogue.index("f", {"type": "folder", "path": str(path.parent)}, path.parent)


def _configs():
    made = b"datasets: {made: {type: demo, n_stimuli: 20, height: 48, width: 64, n_observers: 2, "
    made += b"fixations_per_observer: 3, seed: 1, px_per_degree: 8}}\nfit_on: made\n"
    files = ("own_model", "cascades", "refutation", "osie_ablation", "published", "three_models")
    found = [(ROOT / "tests/config.tiny.yaml").read_bytes()]
    found += [(ROOT / f"examples/{name}.yaml").read_bytes() for name in files]
    texts = b"seed: 1\nreport: {dpi: 50}\n", json.dumps({"seed": 1, "models": ["cmrnet"]}).encode()
    return [made + b"evaluate_on: [made]\n", *texts, *found]


# What YAML, a schema or a plan may stumble over.
WORDS = """
    null ~ yes off .nan .inf -.inf -1 0 1 2 0.5 1e-3 1.0e+400 4294967296 0o17 0x1F 1_000 190:20:30
    true "" '' '1' "\\ud800" "\\0" 2001-12-14 2001-13-45 !!int !!str !!binary !!set !!python/tuple
    !!python/name:os.system !!python/object/apply:os.getcwd !mine &a *a &a[*a] << | > ? --- ...
    %YAML {} [] [[]] {a:} [1,2] [a,a] {a:1,a:2} demo folder osie cmrnet unisal direct cascade
    refined train random published like mode models datasets explanations backbones weights factory
    path ~nosuch/x / .. a/../b a*b a.b A-B __use_yte__ torchscript:x x.py:f os:getcwd
"""
LONG = " ".join(n * text for n, text in ((5000, "9"), (60, "["), (2000, "["), (300, "a")))
WORDS = f"{WORDS} {LONG} \0 \x1b[31m \ufeffé".encode().split()
WORDS += [b"\xe9", b"\t", b"\r", b"\n  ", b": "]


def _read_config(path):
    """Read, complete, check and plan a config as the workflow does; files are read once."""
    content = config_files.read(path)
    with (
        mock.patch.object(settings, "read_yaml", KEPT),
        mock.patch.object(completion, "read_yaml", KEPT),
    ):
        config = backbone_entries.overlay(KEPT(ROOT / "config.yaml"), content)
        settings.settle(config, ROOT, [])
    try:
        read = load_configfile(path)
    except WorkflowError as error:
        raise InputError(str(error)) from None
    if read != content:
        raise AssertionError("Snakemake reads other values")
    splits = {}
    for name in dict.fromkeys([config["fit_on"], *config["evaluate_on"]]):
        index = catalogue.BlockIndex(name, config["datasets"][name], ROOT, config["n_blocks"])
        splits[name] = catalogue.splits(index.sizes, config["n_blocks"])
        catalogue.require_splits(name, splits[name], catalogue.SPLITS)
    return Plan.of(config, splits)


KEPT = functools.cache(completion.read_yaml)

READERS = {
    "configs": Reader("a.yaml", _configs, _read_config, WORDS),
    "fixations.csv": Reader("fixations.csv", _tables, _read_table, CELLS),
    "photographs": Reader("a.jpg", _photographs, _read_photograph),
    "maps as images": _maps("a.png"),
    "maps as .npy": _maps("a.npy"),
    "maps in HDF5": _maps("a.h5"),
    "MATLAB": Reader("a.mat", _matlab, _read_matlab, slow=True),
    "pysaliency's stimuli": Reader("a.hdf5", _pysaliency_stimuli, _read_stimuli, slow=True),
    "pysaliency's fixations": Reader(
        "a.hdf5",
        _pysaliency_fixations,
        lambda path: pysaliency_hdf5.read_fixations(path, 2),
        slow=True,
    ),
    "torch.save": Reader("a.pth", _pickles, _read_pickle),
    "safetensors": Reader("a.safetensors", _tensor_files, weights.read_weights),
    "released networks": Reader("a.safetensors", _released, Predictor.load, slow=True),
    "TorchScript": Reader("a.pt", _scripts, _read_script, program=True),
    "explained models": Reader("a.h5", _explained, ExplainedModel.load),
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
