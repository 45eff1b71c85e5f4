"""
Show how the cost of the direct mode grows: stimuli from 50 to 400, layers from 3 to 12.

    python benchmarks/scaling.py [--repeats N]

Stimuli are files of 600x800 px and activations an HDF5 file, as in a run; every measurement is a
process of its own that sums up the first n stimuli (rule accumulate), reads all that it needs and
says its CPU time, without that of starting, and its peak memory. Medians of the repeats, taken in
turn; the exponent is the slope of log CPU time over log n. Prints Markdown for
benchmarks/README.md.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np
from threadpoolctl import threadpool_limits
from timing import ROOT, circumstances

sys.path.insert(0, str(ROOT / "scripts"))

from gaborscope.explanation import accumulation  # noqa: E402
from gaborscope.stimuli import geometry  # noqa: E402
from gaborscope.stimuli.block import StimulusBlock  # noqa: E402
from gaborscope.stimuli.layer import Layer  # noqa: E402
from gaborscope.store.layers import LayerWriter, read_layers  # noqa: E402
from gaborscope.workflow.settings import load as load_config  # noqa: E402

SIZE, INPUT = (600, 800), (144, 192)
STIMULI, LAYERS = (50, 100, 200, 400), (3, 6, 12)
DISTINCT = 20  # image files; stimuli beyond share them
ORIGIN = {"code": "0" * 16, "seed": "1"}


def layer_table(n):
    """Return n layers of strides 4, 8 and 16 in turn."""
    layers = {}
    for number in range(n):
        stride = (4, 8, 16)[number % 3]
        layers[f"layer{number}"] = Layer(
            module="net",
            nonlinearity="none",
            channels=32,
            shape={geometry.size_name(INPUT): (INPUT[0] // stride, INPUT[1] // stride)},
            pool=1,
            stride=(float(stride),) * 2,
            offset_px=((stride - 1) / 2,) * 2,
            offset_spread_px=(0.0, 0.0),
            receptive_field_px=(2.0 * stride,) * 2,
        )
    return layers


def make_files(folder):
    """Write the stimuli and the activations of all layers."""
    rng = np.random.default_rng(1)
    for number in range(DISTINCT):
        image = cv2.resize(rng.integers(0, 256, (75, 100, 3), dtype=np.uint8), SIZE[::-1])
        cv2.imwrite(str(folder / f"{number}.png"), image)
    layers = layer_table(max(LAYERS))
    members = [(i, geometry.place(SIZE, INPUT)) for i in range(max(STIMULI))]
    groups = {INPUT: members}
    with LayerWriter(folder / "activations.h5", groups, layers, ORIGIN) as writer:
        for index, _ in members:
            for name, layer in layers.items():
                shape = (layer.channels, *layer.shape[geometry.size_name(INPUT)])
                writer.put(index, name, rng.standard_normal(shape, np.float32))


def work(folder, n_stimuli, n_layers):
    """Sum up the first stimuli; print CPU seconds and the peak of memory in MB."""
    config = load_config()
    block = StimulusBlock(
        names=[str(i) for i in range(n_stimuli)],
        paths=[str(folder / f"{i % DISTINCT}.png") for i in range(n_stimuli)],
        sha256=[""] * n_stimuli,
        sizes=np.tile(np.array(SIZE, np.int32), (n_stimuli, 1)),
        x=np.zeros(0, np.float32),
        y=np.zeros(0, np.float32),
        stimulus=np.zeros(0, np.int32),
        subject=np.zeros(0, np.int32),
        facts={},
    )
    layers = layer_table(n_layers)
    activations = read_layers(folder / "activations.h5", list(layers))
    first = (item for item in activations if item[0] < n_stimuli)
    start = time.process_time()
    with threadpool_limits(1):
        accumulation.accumulate(block, take(first, n_stimuli), layers, direct(config))
    spent = time.process_time() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(json.dumps([spent, peak / 1024]))


def take(items, n):
    """Yield the first n items and stop reading."""
    for number, item in enumerate(items, 1):
        yield item
        if number == n:
            return


def direct(config):
    """Return the regressors of the explanation `direct`."""
    return config["explanations"]["direct"]


def measure(folder, n_stimuli, n_layers):
    """Run one measurement in a process of its own."""
    command = [sys.executable, __file__, "--work", str(folder), str(n_stimuli), str(n_layers)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=True)
    return json.loads(done.stdout)


def main():
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--work", nargs=3, metavar=("FOLDER", "STIMULI", "LAYERS"))
    options = parser.parse_args()
    if options.work:
        folder, *numbers = options.work
        work(Path(folder), *map(int, numbers))
        return
    cases = [(n, 6) for n in STIMULI] + [(100, n) for n in LAYERS if n != 6]
    found = {case: [] for case in cases}
    with tempfile.TemporaryDirectory() as folder:
        make_files(Path(folder))
        for _ in range(options.repeats):
            for case in cases:
                found[case].append(measure(folder, *case))
    median = {case: np.median(rows, axis=0) for case, rows in found.items()}
    print("| stimuli | layers | CPU s | ms per stimulus | peak MB |\n|---|---|---|---|---|")
    for (n, layers), (seconds, peak) in median.items():
        print(f"| {n} | {layers} | {seconds:.2f} | {1000 * seconds / n:.1f} | {peak:.1f} |")
    own = np.array([median[n, 6] for n in STIMULI])
    slope = np.polyfit(np.log(STIMULI), np.log(own[:, 0]), 1)[0]
    flat = (own[:, 1].max() / own[:, 1].min() - 1) * 100
    print(
        f"\nExponent over {STIMULI[0]} to {STIMULI[-1]} stimuli {slope:.3f} (target 0.9 to 1.1); "
        f"peak memory within\n{flat:.1f} % (target 5 %).\n"
    )
    print(circumstances(f"{options.repeats} repeats, one thread"))


if __name__ == "__main__":
    main()
