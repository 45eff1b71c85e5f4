"""
Time one edge of a cascade: filters and weights as one convolution, beside making every response.

    python benchmarks/edges.py [--rounds N]

Eight stimuli, two scales and four orientations, 17 regressors for each channel of the parent.
Forwards (float32, as a fit reconstructs), and forwards and backwards (bf16 by autocast, as a
refinement does where the device multiplies in it). Both give the same sums: checked on the way.
CPU time of one thread, in turn. Prints Markdown for benchmarks/README.md.
"""

import argparse
import sys

import numpy as np
import torch
from timing import ROOT, circumstances, race, ratio

sys.path.insert(0, str(ROOT / "scripts"))

from gaborscope.cascades.network import EdgeFeatures  # noqa: E402
from gaborscope.explanation import cascade  # noqa: E402
from gaborscope.stimuli import geometry  # noqa: E402
from gaborscope.stimuli.layer import Layer  # noqa: E402

EDGE = {
    "n_scales": 2, "n_orientations": 4, "min_wavelength_cells": 2.5, "scale_factor": 2.0,
    "bandwidth_ratio": 0.55, "radius": 4,
}  # fmt: skip
# channels of the parent, of the child, cells of both
SHAPES = [(32, 32, (36, 48)), (64, 64, (36, 48)), (64, 128, (18, 24)), (64, 192, (9, 12))]
STIMULI = 8


def layer(channels, cells):
    """Describe a layer whose cells are 4 px wide."""
    return Layer(
        module="net",
        nonlinearity="none",
        channels=channels,
        shape={f"{4 * cells[0]}x{4 * cells[1]}": cells},
        pool=1,
        stride=(4.0, 4.0),
        offset_px=(1.5, 1.5),
        offset_spread_px=(0.0, 0.0),
        receptive_field_px=(12.0, 12.0),
    )


class Contest:
    """One edge, its maps and weights, and both ways of summing its regressors."""

    def __init__(self, parents, children, cells, bf16):
        torch.manual_seed(0)
        size = (4 * cells[0], 4 * cells[1])
        self.placement = geometry.Placement(size, 0, 0, *size)
        edge = cascade.Edge("parent", "local", (1.0, 1.0), (0.0, 0.0), None)
        self.features = EdgeFeatures(edge, layer(parents, cells), layer(children, cells), EDGE)
        self.maps = torch.randn(STIMULI, parents, *cells, requires_grad=bf16)
        self.weight = torch.randn(children, self.features.width(parents), requires_grad=bf16)
        self.bf16 = bf16

    def apart(self):
        """Make every regressor, then weight them."""
        phi = self.features(self.maps, self.placement)
        return (self.weight @ phi.flatten(2)).unflatten(2, phi.shape[2:])

    def together(self):
        """Weight the filters, then convolve once."""
        return self.features.weighted(self.maps, self.weight, self.placement)

    def run(self, way):
        """Go forwards or, in bf16, forwards and backwards."""
        with torch.autocast("cpu", torch.bfloat16, enabled=self.bf16):
            total = way()
        if self.bf16:
            total.float().square().sum().backward()

    def check(self):
        """Stop where the two ways differ by more than rounding: then other things were timed."""
        with torch.no_grad():
            one, other = self.apart(), self.together()
        error = float((one - other).abs().max() / one.std())
        if error > 1e-4:
            raise SystemExit(f"the two ways differ by {error:.1e} standard deviations")
        return error


def main():
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    rounds = parser.parse_args().rounds
    torch.set_num_threads(1)
    print("| channels, cells | way | ms, responses made | ms, one convolution | ratio | error |")
    print("|---|---|---|---|---|---|")
    for parents, children, cells in SHAPES:
        for bf16 in (False, True):
            contest = Contest(parents, children, cells, bf16)
            error = contest.check()
            seconds = race(
                {
                    "apart": lambda own=contest: own.run(own.apart),
                    "together": lambda own=contest: own.run(own.together),
                },
                rounds,
            )
            way = "forwards and backwards, bf16" if bf16 else "forwards, float32"
            print(
                f"| {parents} to {children}, {cells[0]}x{cells[1]} | {way} | "
                f"{1000 * np.median(seconds['apart']):.1f} | "
                f"{1000 * np.median(seconds['together']):.1f} | "
                f"{ratio(seconds, 'apart', 'together')} | {error:.0e} |"
            )
    print(f"\n{circumstances()}")


if __name__ == "__main__":
    main()
