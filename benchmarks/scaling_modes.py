"""
Say what the modes cascade and refined cost at two numbers of stimuli: CPU time and peak memory.

    python benchmarks/scaling_modes.py [--stimuli N N] [--repeats N]

CMRNet with random weights at 96x128 px, its layers of mode direct, the settings of config.yaml; a
fifth as many validation stimuli as fit stimuli, generated. `cascade` is the fit of all layers
(rule fit_cascade without the fusion), `refined` one epoch that goes on from a cascade of eight
regressors per map. Every measurement is a process of its own; CPU time is without starting.
Prints Markdown for benchmarks/README.md.
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

import numpy as np
import torch
from timing import ROOT, circumstances

sys.path.insert(0, str(ROOT / "scripts"))

from gaborscope.backbones import measuring
from gaborscope.backbones.backbone import describe
from gaborscope.cascades import graph, layerwise, refining
from gaborscope.cascades.network import CascadeNet
from gaborscope.cascades.observed import Observed, make_examples
from gaborscope.stimuli import geometry
from gaborscope.stimuli.block import StimulusBlock
from gaborscope.store.scratch import Scratch
from gaborscope.workflow.settings import load as load_config  # noqa: E402

BOX, SIZE = geometry.Box(96, 128), (96, 128)
MODES = ("cascade", "refined")


def make_block(n):
    """Return n generated stimuli with a few fixations each."""
    rng = np.random.default_rng(1)
    images = [
        np.kron(rng.integers(0, 255, (12, 16, 3)), np.ones((8, 8, 1))).astype(np.uint8)
        for _ in range(n)
    ]
    count = 10 * n
    return StimulusBlock(
        names=[f"s{i}.png" for i in range(n)],
        paths=[""] * n,
        sha256=[""] * n,
        sizes=np.tile(np.array(SIZE, np.int32), (n, 1)),
        x=rng.uniform(0, SIZE[1] - 1, count).astype(np.float32),
        y=rng.uniform(0, SIZE[0] - 1, count).astype(np.float32),
        stimulus=np.repeat(np.arange(n, dtype=np.int32), 10),
        subject=np.tile(np.arange(10, dtype=np.int32), n),
        facts={"sigma_px": 4.0},
        images=images,
    )


def work(mode, n):
    """Fit, or refine, with n stimuli; print CPU seconds and the peak of memory in MB."""
    config = load_config()
    defaults, table = config["explanation_defaults"], config["backbones"]["cmrnet"]["layers"]
    torch.manual_seed(1)
    torch.set_num_threads(1)
    backbone = describe("cmrnet", **config["backbones"]["cmrnet"]["options"])
    tree = graph.measure_graph(backbone.network, table, SIZE, 1)
    layers = measuring.measure_layers(backbone.network, table, BOX.sizes, 4, 1)
    observed = Observed(backbone, layers, 4)
    examples = Scratch(make_examples("0", make_block(n + n // 5), BOX, backbone))
    fit = Scratch(examples[i] for i in range(n))
    validation = Scratch(examples[i] for i in range(n, len(examples)))
    cascade = {**defaults["cascade"], "budget": 8 if mode == "refined" else None}
    start = time.process_time()
    model = layerwise.CascadeFit(observed, tree, BOX, cascade, 1).run(fit, validation)
    if mode == "refined":
        settings = {**defaults["refined"], "epochs": 1, "seed": 1}
        n_maps = sum(len(own.weight) for own in model.sinks)
        weight, bias = np.full(n_maps + 1, 0.1), np.full((12, 16), 1 / 192)
        fused = refining.FusedDensity(model, settings["fusion"], weight, bias)
        with tempfile.TemporaryDirectory() as folder:
            refiner = refining.Refiner(
                CascadeNet(model), fused, observed, fit, validation,
                settings, Path(folder) / "checkpoint.pt", "",
            )  # fmt: skip
            start = time.process_time()
            refiner.run()
    spent = time.process_time() - start
    print(json.dumps([spent, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024]))


def measure(mode, n):
    """Run one measurement in a process of its own."""
    command = [sys.executable, __file__, "--work", mode, str(n)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def main():
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--stimuli", type=int, nargs=2, default=[50, 100])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--work", nargs=2, metavar=("MODE", "STIMULI"))
    options = parser.parse_args()
    if options.work:
        work(options.work[0], int(options.work[1]))
        return
    cases = [(mode, n) for mode in MODES for n in options.stimuli]
    found = {case: [] for case in cases}
    for _ in range(options.repeats):
        for case in cases:
            found[case].append(measure(*case))
    print("| mode | fit stimuli | CPU s | ms per stimulus | peak MB |\n|---|---|---|---|---|")
    for (mode, n), rows in found.items():
        seconds, peak = np.median(rows, axis=0)
        print(f"| {mode} | {n} | {seconds:.1f} | {1000 * seconds / n:.0f} | {peak:.0f} |")
    print("\n" + circumstances(f"{options.repeats} repeats, one thread"))


if __name__ == "__main__":
    main()
