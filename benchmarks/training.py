"""
Time one training step in each memory layout and precision, in turn.

    python benchmarks/training.py [--network NAME] [--rounds N] [--compile]

Forward, loss and backward of one batch on one CPU thread: plain, channels-last, and each with bf16
autocast; with --compile also channels-last through torch.compile, which needs a C++ compiler. What
wins on the device at hand is what training should use, where equal seeds still give equal bytes.
Prints Markdown for benchmarks/README.md.
"""

import argparse
import sys
import time

import numpy as np
import torch
from timing import ROOT, circumstances, race, ratio

sys.path.insert(0, str(ROOT / "scripts"))

from gaborscope.backbones import backbone as backbone_tools  # noqa: E402
from gaborscope.backbones.training import loss_terms  # noqa: E402
from gaborscope.workflow.settings import load as load_config  # noqa: E402

INPUTS = {"unisal": (96, 128), "msinet": (96, 128), "cmrnet": (144, 192)}


def step(name, options, size, n, layout, autocast, compiled=False):
    """Return a call that does one step."""
    torch.manual_seed(1)
    network = backbone_tools.build(name, **options).train().to(memory_format=layout)
    if compiled:
        network = torch.compile(network)
    x = torch.rand((n, 3, *size)).contiguous(memory_format=layout)
    density = torch.full((n, *size), 1 / (size[0] * size[1]))
    counts, mask = torch.ones((n, *size)), torch.ones((n, *size), dtype=torch.bool)

    def run():
        network.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
            predicted = network(x)[:, 0]
        kld, cc, nss = loss_terms(predicted.float(), density, counts, mask)
        (kld - 0.1 * cc - 0.1 * nss).mean().backward()

    return run


def main():
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--network", choices=list(INPUTS), default="cmrnet")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--compile", action="store_true")
    options = parser.parse_args()
    config = load_config()
    torch.set_num_threads(1)
    size, n = INPUTS[options.network], config["training"]["batch_size"]
    layouts = {"plain": torch.contiguous_format, "channels-last": torch.channels_last}
    build = config["backbones"][options.network]["options"]
    steps = {
        f"{layout}, {'bf16 autocast' if autocast else 'float32'}": step(
            options.network, build, size, n, layouts[layout], autocast
        )
        for layout in layouts
        for autocast in (False, True)
    }
    for autocast in (False, True) if options.compile else ():
        name = f"channels-last, {'bf16 autocast' if autocast else 'float32'}, torch.compile"
        last = layouts["channels-last"]
        steps[name] = step(options.network, build, size, n, last, autocast, compiled=True)
        start = time.perf_counter()
        steps[name]()
        print(f"{name}: {time.perf_counter() - start:.0f} s of wall time to compile\n")
    seconds = race(steps, options.rounds)
    print(
        f"| {options.network}, {n} of {size[0]}x{size[1]} px | CPU ms a step | to plain float32 |"
    )
    print("|---|---|---|")
    for name, spent in seconds.items():
        print(
            f"| {name} | {1000 * np.median(spent):.0f} | {ratio(seconds, name, 'plain, float32')} |"
        )
    versions = f"torch {torch.__version__}"
    print("\n" + circumstances(versions, f"{options.rounds} rounds, one thread"))


if __name__ == "__main__":
    main()
