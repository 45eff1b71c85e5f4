"""
Time what the checksums of files cost: verified against bare reading, side by side.

    python benchmarks/checksums.py [--folder FOLDER] [--megabytes 512]

Each row reads a file of that size that lies in the page cache, five times each way in turn, and
prints the medians in GB per CPU second. Bare reading of HDF5 is h5py's, of weights safetensors', of
tables a read of the bytes.
"""

import argparse
import platform
import statistics
import sys
import tempfile
import time
from pathlib import Path

import h5py
import numpy as np
import safetensors.torch
import torch

sys.path.append(str(Path(__file__).resolve().parents[1] / "scripts"))

from gaborscope.backbones import weights
from gaborscope.stimuli import geometry
from gaborscope.stimuli.layer import Layer
from gaborscope.store import checksums, files
from gaborscope.store.layers import LayerWriter
from gaborscope.store.saliency import write_saliency

N_LAYERS = 9
REPEATS = 5


def read_datasets(file, names):
    """Bytes read of these datasets, row by row."""
    return sum(file[name][row].nbytes for name in names for row in range(len(file[name])))


def activations(folder, n_bytes):
    """Paths of one of nine layers: bare, and checked row by row."""
    path = folder / "activations.h5"
    box = geometry.Box(320, 448)
    layer = Layer(
        module="net",
        nonlinearity="none",
        channels=96,
        shape={"320x448": (80, 112)},
        pool=1,
        stride=(4.0, 4.0),
        offset_px=(0.0, 0.0),
        offset_spread_px=(0.0, 0.0),
        receptive_field_px=(9.0, 9.0),
    )
    layers = {f"layer{i}": layer for i in range(N_LAYERS)}
    maps = np.random.default_rng(0).standard_normal((96, 80, 112)).astype(np.float32)
    n = max(1, int(n_bytes / (maps.size * 2 * N_LAYERS)))
    with LayerWriter(path, geometry.group_by_input([(320, 448)] * n, box), layers, {}) as writer:
        for index in range(n):
            for name in layers:
                writer.put(index, name, maps)

    def bare():
        with h5py.File(path) as file:
            return read_datasets(file, ["320x448/layer3"])

    def checked():
        with files.open_file(path, "activations") as file:
            name = "320x448/layer3"
            return sum(files.read_row(file, name, row).nbytes for row in range(n))

    return bare, checked


def saliency(folder, n_bytes):
    """Log-densities of one block."""
    path = folder / "saliency.h5"
    n = max(1, int(n_bytes / (600 * 800 * 4)))
    density = np.random.default_rng(0).standard_normal((600, 800))
    write_saliency(path, [str(i) for i in range(n)], [density] * n, {})

    def read(file):
        return sum(file[f"log_density/{i}"][()].nbytes for i in range(n))

    def bare():
        with h5py.File(path) as file:
            return read(file)

    def checked():
        with files.open_file(path, "saliency") as file:
            return read(file)

    return bare, checked


def network(folder, n_bytes):
    """Weights."""
    path = folder / "weights.safetensors"
    weights.write_weights(path, {"w": torch.randn(int(n_bytes / 4))}, {"trained_on": []})

    def n_read(state_dict):
        return sum(value.nbytes for value in state_dict.values())

    return (
        lambda: n_read(safetensors.torch.load(path.read_bytes())),
        lambda: n_read(weights.read_weights(path)[0]),
    )


def table(folder, n_bytes):
    """Bytes of a table with a note."""
    path = folder / "table.csv"
    with files.whole(path, note=True) as temporary:
        temporary.write_bytes(np.random.default_rng(0).bytes(int(n_bytes)))
    return lambda: len(path.read_bytes()), lambda: len(checksums.read_noted(path))


def processor():
    """Name of the processor."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        return next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor()


def speed(read):
    """GB per CPU second of a function that returns the bytes that it has read."""
    started = time.process_time()
    n_bytes = read()
    return n_bytes / 1e9 / (time.process_time() - started)


def main(folder, n_bytes):
    """Print one row per kind of file."""
    print(f"{processor()}; GB per CPU second, medians of {REPEATS}\n")
    print("| file | bare | verified | ratio |\n|---|---|---|---|")
    rows = {
        f"activations, one of {N_LAYERS} layers": activations,
        "saliency": saliency,
        "weights": network,
        "table (bytes)": table,
    }
    for name, make in rows.items():
        bare, checked = make(folder, n_bytes)
        bare(), checked()
        pairs = [(speed(bare), speed(checked)) for _ in range(REPEATS)]
        medians = [statistics.median(values) for values in zip(*pairs, strict=True)]
        print(f"| {name} | {medians[0]:.2f} | {medians[1]:.2f} | {medians[1] / medians[0]:.2f} |")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.strip().splitlines()[0])
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--megabytes", type=float, default=512)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=given.folder) as temporary:
        main(Path(temporary), given.megabytes * 1e6)
