"""Of 200 flipped bits none passes: a file is refused, or gives equal results."""

import errno
import os
import random
import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers import BOX, ORIGIN, make_block, make_layer

from gaborscope.backbones import weights
from gaborscope.errors import InputError
from gaborscope.stimuli import geometry
from gaborscope.store import checksums, tables
from gaborscope.store.blocks import read_data, write_data
from gaborscope.store.files import open_file
from gaborscope.store.layers import LayerWriter, read_layers
from gaborscope.store.saliency import read_saliency, write_saliency

ROOT = Path(__file__).resolve().parents[2]
SIZES = [(40, 60), (30, 45)]
LAYERS = {"fine": make_layer(4, 3), "coarse": make_layer(8, 2)}


def write_saliency_file(path):
    rng = np.random.default_rng(0)
    logs = [np.log(rng.dirichlet(np.ones(h * w)).reshape(h, w)) for h, w in SIZES]
    write_saliency(path, ["a", "b"], logs, ORIGIN)


def write_activations(path):
    rng = np.random.default_rng(0)
    with LayerWriter(path, geometry.group_by_input(SIZES, BOX), LAYERS, ORIGIN) as writer:
        for index, size in enumerate(SIZES):
            name = geometry.size_name(geometry.place(size, BOX).input_size)
            for alias, layer in LAYERS.items():
                shape = (layer.channels, *layer.shape[name])
                writer.put(index, alias, rng.standard_normal(shape))


def state():
    return {"w": torch.linspace(0, 1, 200).reshape(10, 20), "b": torch.arange(4.0)}


def numbers(value):
    """Bytes of all that a reader gives."""
    if isinstance(value, dict):
        return [(key, numbers(part)) for key, part in value.items()]
    if isinstance(value, list | tuple):
        return [numbers(part) for part in value]
    if isinstance(value, torch.Tensor):
        value = value.numpy()
    return value.tobytes() if isinstance(value, np.ndarray) else value


# By kind of file: its name in results/, what writes it, what reads it.
KINDS = {
    "data": (
        "results/data/mine/00.h5",
        lambda path: write_data(path, make_block(SIZES), ORIGIN),
        lambda path: vars(read_data(path)),
    ),
    "saliency": (
        "results/saliency/a/mine/00.h5",
        write_saliency_file,
        lambda path: list(read_saliency(path)),
    ),
    "activations": (
        "results/activations/a/mine/00.h5",
        write_activations,
        lambda path: list(read_layers(path, ["fine", "coarse"])),
    ),
    "weights": (
        "results/weights/a.safetensors",
        lambda path: weights.write_weights(path, state(), {"trained_on": [], "seed": 1}),
        weights.read_weights,
    ),
    "table": (
        "results/summary.csv",
        lambda path: tables.write_csv(path, [{"a": "x", "b": i / 7} for i in range(20)]),
        lambda path: tables.read_csv(path).to_dict("list"),
    ),
    "json": (
        "results/calibration/a/mine.json",
        lambda path: tables.write_json(path, {"temperature": 1.25, "n": [1, 2, 3]}),
        tables.read_json,
    ),
    "checkpoint": (
        "results/checkpoints/a.pt",
        lambda path: weights.write_checkpoint(path, {"state": state(), "epoch": 3}),
        weights.read_checkpoint,
    ),
}


@pytest.fixture(params=KINDS)
def written(request, tmp_path):
    name, write, read = KINDS[request.param]
    write(tmp_path / name)
    return tmp_path / name, write, read


def refused_or_equal(path, read, expected):
    """Whether the file is refused in one sentence that names it; else it must read as expected."""
    try:
        assert numbers(read(path)) == expected
    except InputError as error:
        assert str(path) in str(error) and "\n" not in str(error)
        return True
    return False


def test_a_flipped_bit_is_refused_or_gives_equal_results(written):
    path, _, read = written
    expected, content, rng = numbers(read(path)), path.read_bytes(), random.Random(0)
    n_refused = 0
    for place in rng.sample(range(8 * len(content)), 200):
        damaged = bytearray(content)
        damaged[place // 8] ^= 1 << place % 8
        path.write_bytes(damaged)
        n_refused += refused_or_equal(path, read, expected)
    assert n_refused >= 195  # few bits mean nothing, such as those of the key of the checksum


@pytest.mark.parametrize("left", [0, 1, 0.5, 0.99])
def test_a_file_cut_short_is_refused(written, left):
    path, _, read = written
    content = path.read_bytes()
    path.write_bytes(content[: int(left if left == 1 else left * len(content))])
    assert refused_or_equal(path, read, None)


def test_a_deleted_file_is_named_and_written_anew_with_equal_bytes(written):
    path, write, read = written
    content = path.read_bytes()
    path.unlink()
    if path.suffix != ".pt":  # nobody misses a checkpoint
        with pytest.raises(InputError, match=f"there is no file {path}"):
            read(path)
    write(path)
    if path.suffix != ".pt":  # of zip archives torch gives the members other orders
        assert path.read_bytes() == content
    read(path)


# a checkpoint has a digest of its own, and there is only one summary
@pytest.mark.parametrize("written", sorted({*KINDS} - {"checkpoint", "table"}), indirect=True)
def test_a_file_is_not_taken_for_another_one(written):
    path, write, read = written
    other = path.with_name(path.name.replace("00", "01").replace("a.", "b.").replace("mine", "our"))
    write(other)
    path.write_bytes(other.read_bytes())
    note = checksums.note_of(other)
    if note.exists():
        checksums.note_of(path).write_bytes(note.read_bytes())
    assert refused_or_equal(path, read, None)


def test_a_checkpoint_stays_where_the_next_one_cannot_be_written(tmp_path, monkeypatch):
    path = tmp_path / "results/checkpoints/a.pt"
    weights.write_checkpoint(path, {"epoch": 3})

    def full(path, content):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(InputError, match="No space left"):
        weights.write_checkpoint(path, {"epoch": 4})
    assert weights.read_checkpoint(path) == {"epoch": 3}


def test_an_error_of_the_reader_is_not_taken_for_one_of_the_file(tmp_path):
    path = tmp_path / "results/saliency/a/mine/00.h5"
    write_saliency_file(path)
    with pytest.raises(ZeroDivisionError), open_file(path, "saliency"):
        1 / 0  # noqa: B018


def test_a_note_is_one_that_sha256sum_checks(tmp_path):
    path = tmp_path / "results/summary.csv"
    tables.write_csv(path, [{"a": 1}])
    command = ["sha256sum", "--check", "results/.summary.csv.sha256"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.stdout == "results/summary.csv: OK\n"


def test_a_row_that_is_not_read_is_not_checked(tmp_path):
    # a job that needs one layer of a large file does not read all of it
    path = tmp_path / "a.h5"
    write_activations(path)
    expected = numbers(list(read_layers(path, ["fine"])))
    maps = next(maps for *_, maps in read_layers(path, ["coarse"]))
    content = bytearray(path.read_bytes())
    content[content.index(maps["coarse"].astype(np.float16).tobytes())] ^= 1
    path.write_bytes(content)
    assert numbers(list(read_layers(path, ["fine"]))) == expected
    with pytest.raises(InputError, match=r"row 0 of \w+/coarse"):
        list(read_layers(path, ["coarse"]))


FULL = """
import resource, sys
sys.path[:0] = sys.argv[1:3]
from pathlib import Path
import numpy as np
from gaborscope.errors import InputError
from gaborscope.store.saliency import write_saliency
resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))
try:
    write_saliency("results/s.h5", list("abcdef"), [np.full((200, 100), -9.0)] * 6, {})
except InputError as error:
    print(error)
"""


@pytest.mark.skipif(not hasattr(resource, "RLIMIT_FSIZE"), reason="the system has no such limit")
def test_hdf5_that_cannot_be_written_ends_in_a_sentence_not_in_a_crash(tmp_path):
    # where HDF5 hears of the error, it crashes when the process ends
    command = [sys.executable, "-c", FULL, str(ROOT / "scripts"), str(ROOT / "tests")]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == (
        "results/s.h5 cannot be written (File too large); raise the limit of the size of a file\n"
    )
    assert list((tmp_path / "results").iterdir()) == []
