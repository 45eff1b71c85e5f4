"""
Time the sufficient statistics and the stage that makes them, beside peers and beside a bound.

    python benchmarks/sums.py [--rounds N]

First the products alone: share of the sgemm rate measured in the same run, mixed precision
(float32 products, float64 sums) against float32 alone and float64 alone, and the error of the Gram
matrix. Then the stage, regressors and statistics of one image on a layer of 56x80 cells, K = 360
(40 filters, three colours, even, odd and amplitude), C = 64, against the same in plain numpy
float64. Then its bound: products and bytes of one image, and the seconds that they take at the
rates measured. CPU time of one thread, in turn. Prints Markdown for benchmarks/README.md.
"""

import argparse
import sys

import cv2
import numpy as np
from threadpoolctl import threadpool_limits
from timing import GEMM, ROOT, circumstances, copy_rate, fft_rate, gemm_rate, race, ratio

sys.path.insert(0, str(ROOT / "scripts"))

from amounts import amounts  # noqa: E402

from gaborscope.filters import plan as pooled_plan  # noqa: E402
from gaborscope.filters import sampling  # noqa: E402
from gaborscope.filters.loggabor import LogGaborBank  # noqa: E402
from gaborscope.filters.regressors import Regressors  # noqa: E402
from gaborscope.fitting.statistics import Statistics  # noqa: E402
from gaborscope.stimuli import colour as colours  # noqa: E402
from gaborscope.stimuli import geometry  # noqa: E402

BANK = {
    "n_scales": 5, "n_orientations": 8, "min_wavelength_px": 3.0, "scale_factor": 2.0,
    "bandwidth_ratio": 0.65,
}  # fmt: skip
CELLS, MAPS = (56, 80), 64
SHAPES = [(120, 24), (240, 64), (360, 64), (360, 256), (489, 97)]
KINDS = ("even", "odd", "amplitude")
TARGETS = {"share": 0.75, "mixed": 1.15, "stage": 2.5}


# --- the products ---------------------------------------------------------------------------------


def products(rounds):
    """Rates and errors of the statistics of one stimulus of 56x80 cells."""
    print("| K, C | ms | share of sgemm | mixed / float32 | float64 / mixed | error of the Gram |")
    print("|---|---|---|---|---|---|")
    rng = np.random.default_rng(0)
    n = CELLS[0] * CELLS[1]
    for k, c in SHAPES:
        phi = rng.standard_normal((k, n)).astype(np.float32)
        maps = rng.standard_normal((c, n)).astype(np.float32)
        wide = phi.astype(float), maps.astype(float)
        mixed = Statistics.empty(k, c)
        sums = {
            kind: [np.zeros((k, k), kind), np.zeros((k, c), kind), np.zeros((c, c), kind)]
            for kind in (np.float32, np.float64)
        }
        vectors = {kind: [np.zeros(k, kind), np.zeros(c, kind)] for kind in sums}

        def pure(kind, phi, maps, sums=sums, vectors=vectors):
            gram, cross, cov = sums[kind]
            gram += phi @ phi.T
            cross += phi @ maps.T
            cov += maps @ maps.T
            vectors[kind][0] += phi.sum(axis=1)
            vectors[kind][1] += maps.sum(axis=1)

        square = np.ones((GEMM, GEMM), np.float32)
        out = np.empty_like(square)
        seconds = race(
            {
                "sgemm": lambda square=square, out=out: np.matmul(square, square.T[::-1], out=out),
                "mixed": lambda mixed=mixed, phi=phi, maps=maps: mixed.add(phi, maps),
                "float32": lambda pure=pure, phi=phi, maps=maps: pure(np.float32, phi, maps),
                "float64": lambda pure=pure, wide=wide: pure(np.float64, *wide),
            },
            rounds,
        )
        work = n * (k * (k + 1) + c * (c + 1) + 2 * k * c)  # the triangle of a symmetric product
        share = work / seconds["mixed"] / (2 * GEMM**3 / seconds["sgemm"])
        exact = wide[0] @ wide[0].T
        once = Statistics.empty(k, c)
        once.add(phi, maps)
        scale = np.sqrt(np.diag(exact))
        error = np.abs((once.gram - exact) / np.outer(scale, scale)).max()
        print(
            f"| {k}, {c} | {1000 * np.median(seconds['mixed']):.2f} | {np.median(share):.2f} "
            f"({share.min():.2f} .. {share.max():.2f}) | {ratio(seconds, 'mixed', 'float32')} | "
            f"{ratio(seconds, 'float64', 'mixed')} | {error:.1e} |"
        )
    print(f"\nTargets: at least {TARGETS['share']} of sgemm for K >= 240, mixed at most")
    print(f"{TARGETS['mixed']} of float32, error below 1e-6.\n")


# --- the stage ------------------------------------------------------------------------------------


class Stage:
    """Regressors and statistics of one image on one layer, ours and plain."""

    def __init__(self, size, pool):
        rng = np.random.default_rng(2)
        self.size, stride = size, size[0] / CELLS[0]
        noise = rng.integers(0, 256, (size[0] // 4, size[1] // 4, 3), dtype=np.uint8)
        self.image = cv2.resize(noise, size[::-1], interpolation=cv2.INTER_CUBIC)
        self.maps = rng.standard_normal((MAPS, CELLS[0] * CELLS[1])).astype(np.float32)
        grid = geometry.Grid(CELLS, (stride, stride), ((stride - 1) / 2,) * 2)
        self.placement = geometry.Placement(size, 0, 0, *size)
        self.target = (grid, *pool)
        self.regressors = Regressors(BANK, "yuv", KINDS, False, False, False, "symmetric")
        self.statistics = Statistics.empty(360, MAPS)
        bank = LogGaborBank(**BANK)
        prepared = bank.prepare(size)
        self.padded = prepared.padded_shape
        self.gains = bank.gains(self.padded)
        self.along = [
            matrix.astype(float) for matrix in geometry.layer_sampling(grid, self.placement, *pool)
        ]
        self.sums = [np.zeros((360, 360)), np.zeros((360, MAPS)), np.zeros((MAPS, MAPS))]

    def ours(self):
        """Take one image as rule accumulate does."""
        (phi,) = self.regressors.compute(self.image, self.placement, [self.target])
        self.statistics.add(phi.reshape(len(phi), -1), self.maps)

    def plain(self):
        """Do the same by numpy in float64: pad, loop over filters, pool, sum."""
        rows, maps = [], self.maps.astype(float)
        (height, width), (tall, wide) = self.size, self.padded
        top, left = (tall - height) // 2, (wide - width) // 2
        margins = [(top, tall - height - top), (left, wide - width - left)]
        for channel in colours.to_opponent(self.image, "yuv"):
            spectrum = np.fft.fft2(np.pad(channel.astype(float), margins, mode="symmetric"))
            for gain in self.gains:
                z = np.fft.ifft2(spectrum * gain)[top : top + height, left : left + width]
                for part in (z.real, z.imag, np.abs(z)):
                    rows.append(self.along[0] @ part @ self.along[1].T)
        phi = np.stack(rows).reshape(len(rows), -1)
        gram, cross, cov = self.sums
        gram += phi @ phi.T
        cross += phi @ maps.T
        cov += maps @ maps.T
        return phi

    def check(self):
        """
        Stop if the two differ: then other things were timed.

        Under a window by as much as is stated: amplitudes by the tolerance, even and odd responses
        by rounding where no window reaches the border.
        """
        (phi,) = self.regressors.compute(self.image, self.placement, [self.target])
        expected = self.plain().reshape(phi.shape)
        error = np.abs(phi - expected).max() / np.abs(expected).max()
        if self.target[1] == "gaussian":
            amplitude = self.regressors.table()["kind"] == "amplitude"
            off = np.sqrt(((phi - expected)[amplitude] ** 2).mean(axis=(1, 2)))
            if (off > sampling.TOLERANCE * expected[amplitude].mean(axis=(1, 2))).any():
                raise SystemExit("amplitudes of the plain stage differ by more than the tolerance")
            inner = (~amplitude, slice(4, -4), slice(4, -4))
            error = np.abs(phi[inner] - expected[inner]).max() / np.abs(expected).max()
        if error > 2e-6:
            raise SystemExit(f"the plain stage differs by {error:.1e} of the largest regressor")

    def work(self):
        """Return what the engine's own way takes for one image, see `amounts`."""
        bank, parts = LogGaborBank(**BANK), frozenset(KINDS)
        targets = (self.target,)
        plan = pooled_plan.plan(bank, self.size, "symmetric", self.placement, targets, 3, parts)
        return amounts(plan, targets, self.placement)


STAGES = {
    "image of 56x80 px, point": ((56, 80), ("point", 1.0)),
    "image of 224x320 px, Gaussian of 2 strides": ((224, 320), ("gaussian", 8.0)),
}


def stages(rounds):
    """Time the whole stage against plain numpy; return the stages and their seconds."""
    print(f"| stage, K = 360, C = {MAPS}, 56x80 cells | ours, ms | numpy float64, ms | ratio |")
    print("|---|---|---|---|")
    found = {}
    for name, (size, pool) in STAGES.items():
        stage = Stage(size, pool)
        stage.check()
        seconds = race({"ours": stage.ours, "numpy": stage.plain}, rounds)
        own, theirs = (1000 * np.median(seconds[who]) for who in ("ours", "numpy"))
        print(f"| {name} | {own:.1f} | {theirs:.1f} | {ratio(seconds, 'numpy', 'ours')} |")
        found[name] = stage, np.median(seconds["ours"])
    print(f"\nTarget: {TARGETS['stage']}.\n")
    return found


# --- the bound ------------------------------------------------------------------------------------


def bound(found, rate):
    """Operations and bytes of one image, the seconds they allow, and what was reached."""
    fft, copy = fft_rate(), copy_rate()
    print(
        f"Rates measured: sgemm {rate / 1e9:.0f} GFLOP/s, FFT in cache {fft / 1e9:.0f} GFLOP/s "
        f"(5 n log2 n), copy {copy / 1e9:.0f} GB/s.\n"
    )
    names = list(found)
    print(
        "| one image, 3 channels, 40 filters |"
        + "".join(f" {n} | ms at that rate |" for n in names)
    )
    print("|---|" + "---|---|" * len(names))
    n = CELLS[0] * CELLS[1]
    gram = n * (360 * 361 + MAPS * (MAPS + 1) + 2 * 360 * MAPS)
    rows = {}
    for stage, reached in found.values():
        transforms, pooling, gains = stage.work()
        moved = gains + (2 * 360 + MAPS) * n * 4
        parts = {
            "transforms of folded spectra, MFLOP": (transforms, fft),
            "pooling, where the windows are not 0, MFLOP": (pooling, rate),
            "statistics, triangles, MFLOP": (gram, rate),
            "gains read, regressors and activations written and read, MB": (moved, copy),
        }
        total = sum(amount / speed for amount, speed in parts.values())
        for what, (amount, speed) in parts.items():
            rows.setdefault(what, []).append(f"{amount / 1e6:.0f} | {1000 * amount / speed:.1f}")
        rows.setdefault("sum", []).append(f"| {1000 * total:.1f}")
        rows.setdefault("reached", []).append(f"| {1000 * reached:.1f}, {reached / total:.1f} x")
        whole = 123 * 5 * stage.padded[0] * stage.padded[1]
        whole *= 0.7 * np.log2(stage.padded[0]) + np.log2(stage.padded[1])
        rows.setdefault("not done: transforms at all px, MFLOP", []).append(
            f"{whole / 1e6:.0f} | {1000 * whole / fft:.1f}"
        )
    for what, cells in rows.items():
        print(f"| {what} | " + " | ".join(cells) + " |")
    print()


def main():
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    cv2.setNumThreads(1)
    with threadpool_limits(1):
        products(options.rounds)
        bound(stages(options.rounds), gemm_rate())
    print(circumstances(f"{options.rounds} rounds, one thread"))


if __name__ == "__main__":
    main()
