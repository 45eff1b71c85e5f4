"""
Time the dump of all layers: stimuli per second beside the bare forward pass and the bare writing.

    python benchmarks/dump.py [--device cpu|cuda] [--stimuli N] [--rounds N]

Random weights, the layers of config.yaml, one batch size, an input of 288x384 (UNISAL), 240x320
(MSI-Net) and 144x192 px (CMRNet), files in the folder for temporary ones. `forward` is the network
alone on inputs that are ready; `write` the maps of one batch put into a file again and again;
`dump` what rule dump_activations does, from inputs that are ready. Wall time, since the parts
overlap; on a GPU every time ends with a synchronisation. The bound is the smaller of forward and
write. Prints Markdown for benchmarks/README.md.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from threadpoolctl import threadpool_limits
from timing import ROOT, circumstances

sys.path.insert(0, str(ROOT / "scripts"))

from predict import describe_layers  # noqa: E402

from gaborscope.backbones import (
    devices,  # noqa: E402
    recording,  # noqa: E402
)
from gaborscope.backbones.backbone import build  # noqa: E402
from gaborscope.stimuli import geometry  # noqa: E402
from gaborscope.store import overlap  # noqa: E402
from gaborscope.store.layers import LayerWriter  # noqa: E402
from gaborscope.workflow.settings import load as load_config  # noqa: E402

INPUTS = {"unisal": (288, 384), "msinet": (240, 320), "cmrnet": (144, 192)}
ORIGIN = {"code": "0" * 16, "seed": "1"}


class Dump:
    """One network, its layers and inputs on a device."""

    def __init__(self, name, config, device, n_stimuli):
        size, entry = INPUTS[name], config["backbones"][name]
        network = build(name, **entry["options"])
        finest = config["activations"]["finest_stride"]
        self.layers = describe_layers(network, entry["layers"], size, finest)
        self.network = network.to(device, memory_format=torch.channels_last)
        self.device, self.modules = device, entry["layers"]
        n = config["activations"]["batch_size"]
        x = torch.rand((n, 3, *size)).contiguous(memory_format=torch.channels_last)
        self.batches = [(list(range(k, k + n)), x) for k in range(0, n_stimuli, n)]
        self.n = n * len(self.batches)
        placement = geometry.Placement(size, 0, 0, *size)
        self.groups = {size: [(index, placement) for index in range(self.n)]}

    def forward(self):
        """Run the network alone."""
        for _, x in self.batches:
            self.network(x.to(self.device))

    def record(self, x):
        """Return the pooled maps of one batch."""
        with recording.recorder(self.network, self.modules) as record:
            self.network(x.to(self.device))
            return {
                name: recording.pool_maps(maps, self.layers[name].pool).float().contiguous()
                for name, maps in record.items()
            }

    def write(self, path, maps):
        """Put ready maps into a file."""
        with LayerWriter(path, self.groups, self.layers, ORIGIN) as writer:
            for index, _ in self.batches:
                for name, values in maps.items():
                    writer.put_batch(index, name, values)

    def dump(self, path):
        """Do what the stage does."""
        with (
            LayerWriter(path, self.groups, self.layers, ORIGIN) as writer,
            overlap.Behind() as behind,
        ):
            for index, x in overlap.ahead(self.batches):
                for name, values in self.record(x).items():
                    behind.call(writer.put_batch, index, name, values.cpu().numpy())


def wall(call, device, *arguments):
    """Wall seconds of a call."""
    start = time.perf_counter()
    call(*arguments)
    if device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - start


def main():
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--stimuli", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    device = devices.device(options.device)
    config = load_config()
    torch.set_num_threads(1)
    print("| stimuli/s | layers | MB each | forward | write | dump | dump / bound |")
    print("|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder, threadpool_limits(1), torch.no_grad():
        path = Path(folder) / "activations.h5"
        for name in INPUTS:
            own = Dump(name, config, device, options.stimuli)
            maps = {k: v.cpu().numpy() for k, v in own.record(own.batches[0][1]).items()}
            rows = []
            for _ in range(options.rounds):
                rows.append(
                    [
                        wall(own.forward, device),
                        wall(own.write, device, path, maps),
                        wall(own.dump, device, path),
                    ]
                )
            rates = own.n / np.array(rows)
            share = np.median(rates[:, 2] / rates[:, :2].min(axis=1))
            forward, write, dump = np.median(rates, axis=0)
            size = path.stat().st_size / own.n / 1e6
            print(
                f"| {name} | {len(own.layers)} | {size:.2f} | {forward:.1f} | {write:.0f} | "
                f"{dump:.1f} | {share:.2f} |"
            )
    what = (
        torch.cuda.get_device_name() if device.type == "cuda" else "one CPU thread and the writer"
    )
    print("\n" + circumstances(f"torch {torch.__version__}", what, f"{options.rounds} rounds"))


if __name__ == "__main__":
    main()
